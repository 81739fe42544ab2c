"""A headless Chromium chooses the reader: a wrong key, a right one, and a key that is never found again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rag_app.assistant import Assistant
from rag_app.server.app import serve
from rag_app.settings import reader_file
from tests.support.browser_page import ask, expect, says
from tests.support.doubles import WordEmbedder, settings_for, write_corpus
from tests.support.provider import Provider, Reply, error_body

KEY = "sk-quite-secret-0123456789"


@pytest.fixture
def served(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    write_corpus(tmp_path / "corpus", 2)
    settings = settings_for(tmp_path, port=0, workers=1)
    assistant = Assistant(settings, embedder=WordEmbedder())
    assistant.build()
    page = serve(assistant, settings, block=False)
    yield SimpleNamespace(url=page.url, assistant=assistant)
    page.stop()


def fill(tab, url, key, model="test-model"):
    tab.check("#settings [value=own]")
    for name, value in (("base_url", url), ("model", model), ("key", key)):
        tab.fill(f"#settings [name={name}]", value)


def said(tab, press, kind):
    tab.click(press)
    tab.wait_for_selector(f"#settings-said.{kind}")
    return tab.inner_text("#settings-said")


def test_a_wrong_key_is_said_and_a_right_one_answers(tab, served):
    bodies = []
    tab.on("response", lambda answer: bodies.append(answer) if "/settings/" in answer.url else None)
    tab.click(".open-settings")
    tab.wait_for_selector("#settings .now:has-text('no model')")
    with (
        Provider(Reply(status=401, body=error_body(f"wrong {KEY}"))) as bad,
        Provider(Reply(pieces=("The otter ", "reaches 7.0 points [1].")), models=("test-model", "second")) as good,
    ):
        assert not bad.requests and not bad.asked and not good.asked
        fill(tab, bad.url, KEY)
        assert "did not accept the key (401)" in said(tab, ".try-settings", "bad")
        fill(tab, good.url, KEY)
        assert "It works: test-model" in said(tab, ".try-settings", "good")
        expect(tab.locator("#model-list option")).to_have_count(2)
        says(tab.locator("#settings .now"), "no model")  # tried is not used
        assert "answered by test-model" in said(tab, ".use-settings", "good")
        expect(tab.locator("#settings .now").first).to_have_text("Now: test-model")
        expect(tab.locator("#settings [name=key]")).to_have_value("")
        says(tab.locator("#settings [data-field=key] .hint"), "set, in memory only")
        assert KEY not in tab.content()
        tab.keyboard.press("Escape")
        tab.wait_for_selector("#settings", state="hidden")
        tab.wait_for_selector("#reader-note:has-text('test-model')")
        answer = ask(tab, "How many points does the otter reach?")
        says(answer, "7.0 points", "test-model")
        assert good.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
        assert bodies and not [answer.url for answer in bodies if KEY in answer.text()]
        tab.again()
        tab.wait_for_selector("#reader-note:has-text('test-model')")
        tab.click(".open-settings")
        tab.wait_for_selector("#settings [value=own]:checked")
        expect(tab.locator("#settings [name=key]")).to_have_value("")
        assert KEY not in tab.content()
    assert not reader_file().exists()


def test_a_key_is_kept_only_where_that_is_ticked_and_can_be_forgotten(tab, served):
    tab.click(".open-settings")
    with Provider(Reply()) as good:
        fill(tab, good.url, KEY)
        tab.check("#settings [name=keep]")
        assert "which only you can read" in said(tab, ".use-settings", "good")
    assert KEY in reader_file().read_text(encoding="utf-8")
    tab.click(".forget-settings")
    tab.wait_for_selector("#settings-said:has-text('was deleted')")
    assert not reader_file().exists()


def test_a_server_that_is_not_there_and_going_back_to_no_model(tab, served):
    tab.click(".open-settings")
    fill(tab, "http://127.0.0.1:9/v1", "", model="")
    assert "no server listens there" in said(tab, ".use-settings", "bad")
    assert served.assistant.reader.name == "quoting"
    tab.check("#settings [value=none]")
    expect(tab.locator("#settings [name=key]").first).to_be_hidden()
    assert "own sentences" in said(tab, ".use-settings", "good")
    assert served.assistant.reader.name == "quoting"
