"""The whole way in a browser, with every real part and no model: build, ask, open the words on the page."""

import pytest
from pdfs import make_paper
from test_page import ARGUMENTS

from rag_app.assistant import Assistant
from rag_app.settings import Settings
from rag_app.ui import serve

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra [test]")

FACT = "The Quokka reader has 220 million parameters and reads one hundred passages."
OTHER = "The Numbat encoder was trained on 61,904 questions from the Bandicoot corpus."


def test_from_a_folder_of_papers_to_the_marked_words(tmp_path, index_home, chromium):
    folder = tmp_path / "papers"
    folder.mkdir()
    make_paper(folder / "quokka.pdf", title="Quokka: Reading Many Passages", sections=[("1 Method", [FACT])])
    make_paper(folder / "numbat.pdf", title="Numbat: Encoding Questions", sections=[("1 Data", [OTHER])])
    settings = Settings(corpus=folder, index=index_home / "whole", llm="none", port=0)
    page = serve(Assistant(settings), settings, block=False)
    try:
        with playwright.sync_playwright() as library:
            browser = library.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            walk(browser.new_page(viewport={"width": 1440, "height": 900}), page.url)
            browser.close()
    finally:
        page.stop()


def walk(tab, url):
    tab.goto(url)
    tab.wait_for_selector("#build-status .outcome", timeout=180_000)
    assert "2 papers" in tab.inner_text("#build-status")
    tab.fill("#question textarea", "How many parameters does the Quokka reader have?")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer:not(.coming)", timeout=60_000)
    assert "220 million" in tab.inner_text("#chat .answer-text")
    assert "quoting reader" in tab.inner_text("#chat .footer")
    tab.locator("#chat button.cite").first.click()
    tab.wait_for_selector("#reading-marks .mark")
    tab.wait_for_function("document.getElementById('reading-picture').naturalWidth > 0")
    assert tab.inner_text("#reading-title") == "Quokka: Reading Many Passages"
    assert "220 million" in tab.text_content("#reading-quote blockquote")
    assert "Verified" in tab.inner_text("#reading-note")
