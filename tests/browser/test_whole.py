"""The whole way in a browser, with every real part: build, ask, open the words on the page; compare, add, come back.

Once with the papers' own sentences, and once with SmolLM2 behind llama.cpp.
"""

import csv
import io
from types import SimpleNamespace

import pytest
from pdfs import make_broken, make_paper
from test_page import ask, chromium_browser  # noqa: F401  # fixture

from rag_app import local_server
from rag_app.assistant import Assistant
from rag_app.settings import Settings
from rag_app.ui import serve

pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra [test]")

FACT = "The Quokka reader has 220 million parameters and reads one hundred passages."
OTHER = "The Numbat encoder has 66 million parameters and was trained on 61,904 questions from the Bandicoot corpus."
NEW = "The Wombat retriever was trained for eleven days on 64 accelerators."

LONG = "Tell everything about the Quokka reader, in twenty sentences."
WATCHED = """() => { window.came = [];
  new MutationObserver(() => {
    const text = document.querySelector('#chat .answer.coming .answer-text')?.innerText || '';
    if (text && !window.came.includes(text)) window.came.push(text);
  }).observe(document.getElementById('chat'), { childList: true, subtree: true, characterData: true }); }"""


@pytest.fixture(scope="module")
def library(tmp_path_factory, index_home):
    folder = tmp_path_factory.mktemp("whole") / "papers"
    folder.mkdir()
    make_paper(folder / "quokka.pdf", title="Quokka: Reading Many Passages", sections=[("1 Method", [FACT])])
    make_paper(folder / "numbat.pdf", title="Numbat: Encoding Questions", sections=[("1 Data", [OTHER])])
    return {"corpus": folder, "index": index_home / "whole", "port": 0}


def visit(library, browser, **more):
    """A page with a real assistant, and a tab in which it has just been opened."""
    settings = Settings(**library, **more)
    page = serve(Assistant(settings), settings, block=False)
    try:
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(page.url)
        yield SimpleNamespace(tab=tab, aside=library["corpus"].parent)
        tab.close()
    finally:
        page.stop()


@pytest.fixture(scope="module")
def quoting(library, chromium_browser):  # noqa: F811
    yield from visit(library, chromium_browser, llm="none")


@pytest.fixture(scope="module")
def small_model(library, chromium_browser):  # noqa: F811
    yield from visit(library, chromium_browser, llm="local", llm_max_tokens=160)
    local_server.stop()


def open_first(tab):
    tab.locator("#chat .answer >> nth=-1").locator("button.cite").first.click()
    tab.wait_for_selector("#reading-marks .mark")
    tab.wait_for_function("document.getElementById('reading-picture').naturalWidth > 0")


def test_from_a_folder_of_papers_to_the_marked_words(quoting):
    tab = quoting.tab
    tab.wait_for_selector("#build-status .outcome", timeout=180_000)
    assert "2 papers" in tab.inner_text("#build-status")
    assert "220 million" in ask(tab, "How many parameters does the Quokka reader have?").inner_text()
    assert "quoting reader" in tab.inner_text("#chat .footer")
    open_first(tab)
    assert tab.inner_text("#reading-title") == "Quokka: Reading Many Passages"
    assert "220 million" in tab.text_content("#reading-quote blockquote")
    assert "Verified" in tab.inner_text("#reading-note")


def test_then_a_follow_up_and_a_comparison_to_csv(quoting):
    tab = quoting.tab
    assert "66 million" in ask(tab, "And how many does the Numbat encoder have?").inner_text()
    compared = ask(tab, "Compare Quokka and Numbat on parameters.")
    assert {"Quokka", "Numbat"} <= set(compared.locator("th").all_inner_texts())
    compared.locator(".export-menu summary").click()
    with tab.expect_download() as download:
        compared.locator("button.export:has-text('CSV')").click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig"))))
    told = {cell for row in rows for cell in row}
    assert any("220 million" in cell for cell in told) and any("66 million" in cell for cell in told)


def test_then_papers_come_and_one_is_broken(quoting):
    tab = quoting.tab
    tab.click(".open-adding")
    wombat = make_paper(quoting.aside / "wombat.pdf", title="Wombat: Retrieving", sections=[("1 Cost", [NEW])])
    broken = make_broken(quoting.aside / "broken.pdf")
    tab.set_input_files("#file-choice", [str(wombat), str(broken)])
    tab.wait_for_selector("#arrivals .arrival:has-text('Wombat'):has(button)", timeout=60_000)
    tab.wait_for_function("document.querySelectorAll('#paper-rows li').length >= 3", timeout=60_000)
    assert "eleven days" in ask(tab, "How long was the Wombat retriever trained?").inner_text()
    assert "broken.pdf" in tab.inner_text("#arrivals")


def test_then_a_reload_and_the_conversation_is_kept(quoting):
    tab = quoting.tab
    asked = tab.locator("#chat p.question").count()
    tab.reload()
    tab.wait_for_function(f"document.querySelectorAll('#chat .answer').length === {asked}")
    open_first(tab)
    assert "Wombat" in tab.inner_text("#reading-title")
    tab.click(".open-adding")  # what came is shown again until it is put away
    tab.locator("#history-rows .delete-conversation").first.click()
    tab.locator("#history-rows .delete-conversation").first.click()
    tab.wait_for_selector("#chat .answer", state="detached")


def test_a_small_model_streams_stops_and_is_checked(small_model):
    tab = small_model.tab
    tab.wait_for_selector("#reader-note:has-text('SmolLM2')", timeout=60_000)
    tab.wait_for_selector("#build-status:has-text('papers can be searched')", timeout=180_000)
    # Each of its sentences leads to words on a page, or is marked.
    answer = ask(tab, "How many parameters does the Quokka reader have?")
    assert "SmolLM2" in answer.locator(".footer").inner_text()
    assert answer.locator("button.cite, .unsupported").count() >= 1
    if answer.locator("button.cite:not(.unverified)").count():
        open_first(tab)
        assert "Verified" in tab.inner_text("#reading-note")

    tab.evaluate(WATCHED)
    ask(tab, LONG)
    assert tab.evaluate("window.came.length") >= 1  # sentence by sentence, before the whole was checked

    tab.fill("#question textarea", LONG)
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming")
    tab.get_by_role("button", name="Stop", exact=True).click()
    tab.wait_for_function("document.querySelectorAll('#chat .answer:not(.coming)').length === 3", timeout=10_000)
    assert "Stopped" in tab.locator("#chat .answer >> nth=-1").inner_text()
    tab.get_by_role("button", name="Ask", exact=True).wait_for()
