"""A comparison by a model that is stopped half-way: what came stays, and every other cell says that it was stopped."""

import csv
import io
import json
from pathlib import Path

import pytest

from rag_app.answering.model.reader import ModelReader
from rag_app.assistant import Assistant
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.server.app import serve
from tests.support.browser_page import expect
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.provider import Provider, Reply

ROW = '1: a batch [1 "batch size of"]\n2: 90 hours [1 "for 90 hours"]'
BROKEN = '1: a batch [1 "batch size of"]\n2: 9'
PAPERS = ("OtterNet", "HeronRank")


@pytest.fixture
def tab(tmp_path, chromium_browser):
    (tmp_path / "corpus").mkdir()
    for name in PAPERS:
        text = f"# {name}: Finding Fish\n\n## Training\n\n{name} is trained with a batch size of 512 for 90 hours.\n"
        (tmp_path / "corpus" / f"{name}.md").write_text(text, encoding="utf-8")
    settings = settings_for(tmp_path, port=0)
    call = {"name": "compare", "arguments": json.dumps({"papers": PAPERS, "columns": ["batch size", "hours"]})}
    delta = {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": call}]}
    compare = Reply(events=(json.dumps({"choices": [{"index": 0, "delta": delta}]}),), finish="tool_calls")
    with Provider(compare, Reply(pieces=(ROW,)), Reply(pieces=(BROKEN,), hang_after=1)) as provider:
        model = OpenAIModel(Endpoint("test", provider.url, "big", window=32_000), settings)
        assistant = Assistant(settings, embedder=WordEmbedder(), reader=ModelReader(model, settings))
        assistant.build()
        page = serve(assistant, settings, block=False)
        context = chromium_browser.new_context(viewport={"width": 1440, "height": 900})
        opened = context.new_page()
        opened.goto(page.url)
        yield opened
        context.close()
        page.stop()


def expect_stopped(tab):
    cells = tab.locator("#chat .compared tbody td")
    expect(cells).to_have_count(4)
    expect(tab.locator("#chat .compared td:has(.phrase)").first).to_contain_text("a batch")
    stopped = tab.locator("#chat .compared td.cell-stopped")
    expect(stopped.first).to_contain_text("stopped")
    assert stopped.count() + tab.locator("#chat .compared td:has(.phrase)").count() == 4
    assert "9" not in stopped.last.inner_text()  # half a figure is none


def test_it_says_so_on_the_page_after_a_reload_and_in_exports(tab):
    tab.fill("#question textarea", "Compare OtterNet and HeronRank.")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming .doing:has-text('1 of 2')")
    tab.get_by_role("button", name="Stop", exact=True).click()
    tab.wait_for_selector("#chat .answer:not(.coming)")
    expect_stopped(tab)
    tab.reload()
    tab.wait_for_selector("#chat .answer:not(.coming)")
    expect_stopped(tab)
    tab.click("#chat .export-menu summary")
    with tab.expect_download() as saved:
        tab.locator("#chat .export-menu button", has_text="CSV").click()
    rows = list(csv.reader(io.StringIO(Path(saved.value.path()).read_text(encoding="utf-8-sig"))))
    assert "stopped" in [cell for row in rows for cell in row] and "not searched" not in str(rows)
