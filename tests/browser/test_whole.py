"""The whole way in a browser, with every real part: build, ask, open the words on the page; compare, add, come back.

Once with the papers' own sentences, and once with SmolLM2 behind llama.cpp.
"""

import csv
import io
from types import SimpleNamespace

import pytest

from rag_app.assistant import Assistant
from rag_app.models.llm import local_server
from rag_app.server.app import serve
from rag_app.settings import Settings
from tests.support.browser_page import ask, expect, marked, says
from tests.support.pdfs import make_broken, make_paper
from tests.support.small_model import needs_small_model

FACT = "The Quokka reader has 220 million parameters and reads one hundred passages."
OTHER = "The Numbat encoder has 66 million parameters and was trained on 61,904 questions from the Bandicoot corpus."
NEW = "The Wombat retriever was trained for eleven days on 64 accelerators."

LONG = "Explain the main idea of Quokka."
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
def quoting(library, chromium_browser):
    yield from visit(library, chromium_browser, llm="none")


@pytest.fixture(scope="module")
def small_model(library, chromium_browser):
    yield from visit(library, chromium_browser, llm="local", llm_max_tokens=160)
    local_server.stop()


def open_first(tab):
    tab.locator("#chat .answer >> nth=-1").locator("button.cite").first.click()
    tab.wait_for_selector("#reading-pages .mark.chosen")
    tab.wait_for_selector("#reading-pages .sheet.drawn")


def test_from_a_folder_of_papers_to_the_marked_words(quoting):
    tab = quoting.tab
    tab.wait_for_selector("#build-status .outcome", timeout=180_000)
    says(tab.locator("#build-status"), "2 papers")
    says(ask(tab, "How many parameters does the Quokka reader have?"), "220 million")
    says(tab.locator("#chat .footer"), "quotes only")
    open_first(tab)
    expect(tab.locator("#reading-title")).to_have_text("Quokka: Reading Many Passages")
    marked(tab, quoting.aside / "papers" / "quokka.pdf", 0, "220 million")
    expect(tab.locator("#reading-quote blockquote")).to_contain_text("220 million")
    says(tab.locator("#reading-note"), "Verified")


def test_then_a_follow_up_and_a_comparison_to_csv(quoting):
    tab = quoting.tab
    says(ask(tab, "And how many does the Numbat encoder have?"), "66 million")
    compared = ask(tab, "Compare Quokka and Numbat on parameters.")
    for paper in ("Quokka", "Numbat"):
        expect(compared.locator(f"th:text-is('{paper}')")).not_to_have_count(0)
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
    tab.wait_for_selector("#arrivals .arrival:has-text('Wombat'):has(button)")
    tab.wait_for_function("document.querySelectorAll('#paper-rows li').length >= 3")
    says(ask(tab, "How long was the Wombat retriever trained?"), "eleven days")
    says(tab.locator("#arrivals"), "broken.pdf")


def test_then_a_reload_and_the_conversation_is_kept(quoting):
    tab = quoting.tab
    asked = tab.locator("#chat p.question").count()
    tab.reload()
    tab.wait_for_function(f"document.querySelectorAll('#chat .answer').length === {asked}")
    open_first(tab)
    says(tab.locator("#reading-title"), "Wombat")
    tab.click(".open-adding")  # what came is shown again until it is put away
    tab.click("#tab-conversations")
    tab.locator("#history-rows .delete-conversation").first.click()
    tab.locator("#history-rows .delete-conversation").first.click()
    tab.wait_for_selector("#chat .answer", state="detached")


@needs_small_model
def test_a_small_model_streams_stops_and_is_checked(small_model):
    tab = small_model.tab
    tab.wait_for_selector("#reader-note:has-text('SmolLM2')")
    tab.wait_for_selector("#build-status:has-text('papers can be searched')", timeout=180_000)
    # Each of its sentences leads to words on a page, or is marked.
    answer = ask(tab, "How many parameters does the Quokka reader have?")
    says(answer.locator(".footer"), "SmolLM2")
    expect(answer.locator("button.cite, .unsupported")).not_to_have_count(0)
    if answer.locator("button.cite:not(.unverified)").count():
        open_first(tab)
        says(tab.locator("#reading-note"), "Verified")
        expect(tab.locator("#reading-pages .mark.chosen").first).to_be_in_viewport()

    tab.evaluate(WATCHED)
    ask(tab, LONG)
    assert tab.evaluate("window.came.length") >= 1  # sentence by sentence, before the whole was checked

    tab.fill("#question textarea", LONG)
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming")
    tab.get_by_role("button", name="Stop", exact=True).click()
    tab.wait_for_function("document.querySelectorAll('#chat .answer:not(.coming)').length === 3")
    says(tab.locator("#chat .answer >> nth=-1"), "Stopped")
    tab.get_by_role("button", name="Ask", exact=True).wait_for()
