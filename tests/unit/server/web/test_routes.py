"""The requests behind Add papers and Settings, asked of a real server: what is refused, and that no key comes back."""

from __future__ import annotations

import logging
import os
import re
import socket
import sqlite3
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from rag_app.assistant import Assistant
from rag_app.outputs.history_file import history_file
from rag_app.server.app import serve
from rag_app.settings import reader_file
from tests.support.doubles import WordEmbedder, settings_for, write_corpus
from tests.support.pdfs import make_broken, make_paper
from tests.support.provider import Provider, Reply, error_body
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

KEY = "sk-quite-secret-0123456789"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    corpus = write_corpus(tmp_path / "corpus", 2)
    settings = settings_for(tmp_path, port=0, workers=1)
    assistant = Assistant(settings, embedder=WordEmbedder())
    page = serve(assistant, settings, block=False)
    with httpx.Client(base_url=page.url, trust_env=False, timeout=60) as client:
        yield SimpleNamespace(
            client=client, corpus=corpus, folder=tmp_path, page=page, assistant=assistant, settings=settings
        )
    page.stop()


def upload(served, name: str, data: bytes) -> dict:
    answer = served.client.post("/adding/file", content=data, headers={"X-File-Name": name})
    assert answer.status_code == 200, answer.text
    return answer.json()["row"]


def do(served, name: str, **value: object) -> httpx.Response:
    return served.client.post(f"/adding/do/{name}", json=value)


def settled(served) -> dict:
    for _ in range(1200):
        state = served.client.get("/adding/state").json()
        if not state["busy"] and not state["building"]:
            return state
        time.sleep(0.05)
    raise AssertionError(state)


def test_a_file_is_stored_under_a_safe_name_and_built_in(served) -> None:
    paper = make_paper(served.folder / "p.pdf", title="Numbat: A Method", sections=[("1 M", ["Numbats are new."])])
    row = upload(served, "..%2F..%2F..%2Fevil%3Cb%3E.pdf", paper.read_bytes())
    assert row["state"] == "stored" and row["underway"]
    assert (served.corpus / "evil_b_.pdf").read_bytes() == paper.read_bytes()
    (done,) = settled(served)["rows"]
    assert done["state"] == "in" and done["name"] == "Numbat: A Method"
    assert served.client.get(f"/reading/paper/{done['opens']}/1").json()["file"] == "evil_b_.pdf"
    assert upload(served, "again.pdf", paper.read_bytes())["state"] == "twice"
    assert not list(served.corpus.glob(".adding-*"))


def test_what_is_no_paper_is_refused_on_its_row(served) -> None:
    row = upload(served, "x.pdf", b"<html></html>")
    assert row["state"] == "failed" and "x.pdf" in row["words"] and "print it as PDF" in row["words"]
    make_broken(served.folder / "bad.pdf")
    upload(served, "bad.pdf", (served.folder / "bad.pdf").read_bytes())
    rows = {row["name"]: row for row in settled(served)["rows"]}
    assert rows["bad.pdf"]["state"] == "failed" and "bad.pdf" in rows["bad.pdf"]["words"] and rows["bad.pdf"]["removes"]


def test_only_a_file_may_be_large_and_only_so_large(served) -> None:
    large = b"%PDF-" + b"x" * 2**21
    assert served.client.post("/adding/do/fetch", content=large).status_code == 413
    assert served.client.post("/settings/try", content=large).status_code == 413
    assert upload(served, "large.pdf", large)["state"] == "stored"


def test_an_upload_that_breaks_off_leaves_nothing(served) -> None:
    host, _, port = served.page.url.removeprefix("http://").partition(":")
    head = f"POST /adding/file HTTP/1.1\r\nHost: {host}:{port}\r\nX-File-Name: a.pdf\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection((host, int(port))) as browser:
        browser.sendall(head.encode() + b"%PDF-1.5" + b"x" * 1000)
        assert eventually(lambda: list(served.corpus.glob(".adding-*")))
    assert eventually(lambda: not list(served.corpus.glob(".adding-*")))
    assert eventually(lambda: [row["state"] for row in served.client.get("/adding/state").json()["rows"]] == ["failed"])
    assert not list(served.corpus.glob("*.pdf"))


def test_half_characters_do_no_harm(served) -> None:
    body = b'{"text": "\\ud800 not-an-id"}'
    assert served.client.post("/adding/do/fetch", content=body).status_code == 200
    assert settled(served)["rows"][0]["state"] == "failed"


def test_other_sites_cannot_add_remove_or_set_anything(served) -> None:
    for path in ("/adding/file", "/adding/do/remove", "/settings/use"):
        answer = served.client.post(path, content=b"%PDF-1.5", headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
    assert sorted(path.name for path in served.corpus.iterdir()) == ["heron.md", "otter.md"]


@pytest.mark.parametrize("value", ["../otter.md", "otter.md", "", "0" * 32])
def test_only_a_name_of_this_page_removes_a_paper(served, value: str) -> None:
    assert do(served, "remove", paper=value).status_code == 404
    assert do(served, "restore", file="../otter.md").status_code == 422
    assert (served.corpus / "otter.md").is_file()


def test_what_is_no_request_of_the_page_is_refused(served) -> None:
    for body in (b"", b"[]", b"{", b"[" * 5000):
        answer = served.client.post("/adding/do/fetch", content=body)
        assert answer.status_code == 400
    assert do(served, "format").status_code == 404
    assert do(served, "fetch", text="").status_code == 422
    assert do(served, "forget", id="x").status_code == 200
    assert do(served, "forget", id=None).status_code == 200


def choose(served, what: str, **value: object) -> httpx.Response:
    return served.client.post(f"/settings/{what}", json=value)


def test_nobody_is_asked_before_a_button_is_pressed_and_keys_are_only_set(served, monkeypatch, loopback_only) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said = served.client.get("/settings/state")
    assert KEY not in said.text
    readers = {one["name"]: one for one in said.json()["readers"]}
    assert readers["openai"]["key"] == "set in OPENAI_API_KEY" and said.json()["chosen"] == "none"


def test_a_key_goes_to_its_server_and_nowhere_else(served, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    answers: list[str] = []
    with Provider(Reply(status=401, body=error_body(f"no: {KEY}"))) as bad, Provider(Reply()) as good:
        wrong = {"name": "own", "base_url": bad.url, "model": "test-model", "key": KEY}
        answers += [choose(served, "try", **wrong).text]
        assert "did not accept the key" in answers[-1]
        right = wrong | {"base_url": good.url}
        answers += [choose(served, "try", **right).text, choose(served, "use", **right).text]
        assert "answered by test-model" in answers[-1]
        assert served.assistant.reader.name == "test-model"
        # The key goes on being used for this server, although the form is sent without one.
        assert choose(served, "try", **(right | {"key": ""})).json()["works"]
        assert good.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
        answers += [choose(served, "try", **(wrong | {"key": ""})).text]
        assert "Bearer none" in bad.requests[-1].headers["Authorization"]
    answers += [served.client.get(path).text for path in ("/", "/config", "/settings/state", "/adding/state")]
    answers += [choose(served, "use", name="own", base_url=f"http://me:{KEY}@127.0.0.1:1/v1", key=KEY).text]
    answers += [choose(served, "use", name="own", base_url="http://127.0.0.1:1/v1", key=KEY + " and").text]
    assert not [text for text in answers if KEY in text]
    assert KEY not in caplog.text
    files = [path for path in served.folder.rglob("*") if path.is_file() and path.suffix != ".bin"]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_kept_key_lies_in_the_users_file_alone(served) -> None:
    with Provider(Reply()) as good:
        value = {"name": "own", "base_url": good.url, "model": "test-model", "key": KEY, "keep": True}
        said = choose(served, "use", **value)
    assert str(reader_file()) in said.json()["message"] and KEY not in said.text
    assert KEY in reader_file().read_text(encoding="utf-8")
    if os.name == "posix":
        assert stat.S_IMODE(reader_file().stat().st_mode) == 0o600
    assert said.json()["state"]["kept"] and choose(served, "forget").json()["works"]
    assert not reader_file().exists()


def test_a_key_that_a_model_repeats_is_not_written_into_the_history(served) -> None:
    with Provider(Reply(pieces=(f"The key is {KEY} [1].",))) as good:
        choose(served, "use", name="own", base_url=good.url, model="test-model", key=KEY)
        settled(served)
        config = served.client.get("/config").json()
        position = next(d["id"] for d in config["dependencies"] if d["api_name"] == "ask")
        body = {"fn_index": position, "data": ["What does the otter reach?", "[]", ""], "session_hash": "s"}
        served.client.post("/gradio_api/queue/join", json=body)
        with served.client.stream("GET", "/gradio_api/queue/data?session_hash=s") as stream:
            told = "".join(stream.iter_text())
    assert re.search("otter", told)
    file = history_file(served.settings.index_folder)
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT COUNT(*) FROM turns").fetchone() == (1,)
    assert KEY.encode() not in file.read_bytes()


def test_what_does_not_work_is_used_only_when_the_user_insists(served) -> None:
    silent = {"name": "own", "base_url": "http://127.0.0.1:9/v1", "model": "later", "key": KEY}
    refused = choose(served, "use", **silent, keep=True).json()
    assert not refused["works"] and refused["anyway"]
    assert "no server listens there" in refused["message"] and "Nothing was changed" in refused["message"]
    assert served.assistant.reader.name == "quoting" and not reader_file().exists()
    assert choose(served, "use", **silent, anyway=True).json()["works"]
    assert served.assistant.reader.name == "later"


def test_a_reader_that_cannot_be_opened_leaves_the_old_one(served) -> None:
    said = choose(served, "use", name="openai").json()
    assert not said["works"] and "OpenAI needs a key" in said["message"] and "RAG_" not in said["message"]
    assert served.assistant.reader.name == "quoting"
    assert not choose(served, "use", name="own").json()["works"]
    assert choose(served, "nothing").status_code == 404


def test_the_pages_own_files_are_compressed_and_kept_by_the_browser(served):
    client = served.client
    for language, word in (("en", "Drop"), ("zh", "")):
        page = client.get("/", headers={"accept-language": language}).text
        style, script = (
            re.search(rf'"(reading/page/{language}-[0-9a-f]+\.{kind})"', page)[1] for kind in ("css", "js")
        )
        for address in (style, script):
            answer = client.get(f"/{address}", headers={"accept-language": language})
            assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
            assert answer.headers["content-encoding"] == "gzip"
            assert "[[" not in answer.text and word in answer.text
            assert client.get(f"/{address[:-5]}x{address[-4:]}").status_code == 404
