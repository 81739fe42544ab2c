"""A headless Chromium lets the library grow: files, arXiv, removal, rebuilding, while questions are asked."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from doubles import WordEmbedder, settings_for, write_corpus
from pdfs import make_broken, make_paper
from test_fetch import Server
from test_page import ask, chromium_browser, tab  # noqa: F401  # fixtures

from rag_app.adding import REMOVED
from rag_app.assistant import Assistant
from rag_app.ui import serve

pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra [test]")

FACT = "The Numbat encoder was trained on 61,904 questions from the Bandicoot corpus."
QUESTION = "On how many questions was the Numbat encoder trained?"


@pytest.fixture
def served(tmp_path):
    """Real reading, real index, real questions; the embedder and arXiv are doubles on this machine."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    held = threading.Event()
    held.set()
    corpus = write_corpus(tmp_path / "corpus", 3)
    settings = settings_for(tmp_path, port=0, workers=1, arxiv_url=server.url)

    def hold(count):
        if threading.current_thread().name == "build":  # a question embeds too, and never waits
            held.wait(60)

    assistant = Assistant(settings, embedder=WordEmbedder(on_group=hold))
    assistant.build()
    page = serve(assistant, settings, block=False)
    numbat = make_paper(tmp_path / "numbat.pdf", title="Numbat: Encoding Questions", sections=[("1 Data", [FACT])])
    yield SimpleNamespace(
        url=page.url, page=page, corpus=corpus, folder=tmp_path, numbat=numbat, held=held, arxiv=server
    )
    held.set()
    server.released.set()
    page.stop()
    server.shutdown()
    server.server_close()
    thread.join(5)


def add(tab, *files):  # noqa: F811
    tab.set_input_files("#file-choice", [str(file) for file in files])


def arrival(tab, state, name=""):  # noqa: F811
    row = tab.locator(f"#arrivals .arrival.{state}:has-text('{name}')")
    row.wait_for(timeout=60_000)
    return row


def listed(tab, count):  # noqa: F811
    tab.wait_for_function(f"document.querySelectorAll('#paper-rows li').length === {count}", timeout=60_000)


def test_a_paper_is_added_while_questions_are_asked_and_then_answers(tab, served):  # noqa: F811
    served.held.clear()
    tab.click(".open-adding")
    add(tab, served.numbat)
    row = arrival(tab, "building", "numbat.pdf")
    tab.wait_for_selector("#arrivals .words:has-text('embedded')")
    assert "1 to take into the library" in tab.inner_text("#adding-sum")
    assert tab.locator(".cancel-build").is_visible()
    assert "points in trial" in ask(tab, "How many points does the otter reach in trial 1?").inner_text()
    assert "61,904" not in ask(tab, QUESTION).inner_text()
    served.held.set()
    row = arrival(tab, "in", "Numbat: Encoding Questions")
    assert "1 page" in row.inner_text()
    listed(tab, 4)
    assert "61,904" in ask(tab, QUESTION).inner_text()
    row.locator(".open-paper").click()
    tab.wait_for_function("document.getElementById('reading-picture').naturalWidth > 0")
    assert tab.inner_text("#reading-title") == "Numbat: Encoding Questions"


def other_word_file(path):
    path.write_bytes(b"PK\x03\x04 " + path.name.encode())
    return path


def test_a_broken_pdf_and_something_else_cost_only_themselves(tab, served):  # noqa: F811
    make_broken(served.folder / "bad.pdf")
    (served.folder / "letter.docx").write_bytes(b"PK\x03\x04 words")
    add(tab, served.folder / "bad.pdf", served.folder / "letter.docx", served.numbat)
    assert "numbat" in arrival(tab, "in", "Numbat").inner_text().casefold()
    bad = arrival(tab, "failed", "bad.pdf")
    assert "bad.pdf:" in bad.locator(".words").inner_text()
    assert "print it as PDF" in arrival(tab, "failed", "letter.docx").inner_text()
    assert not (served.corpus / "letter.docx").exists()
    for number in range(20):
        add(tab, other_word_file(served.folder / f"letter-{number}.docx"))
    arrival(tab, "failed", "letter-19.docx")
    panes = "[...document.querySelectorAll('#library, #panes')].map((pane) => pane.scrollHeight - pane.clientHeight)"
    assert tab.evaluate(panes) == [0, 0]  # the panel scrolls, and what is below it stays in sight
    tab.reload()
    arrival(tab, "failed", "bad.pdf").locator(".remove-paper").click()
    tab.click("dialog .danger")
    tab.wait_for_selector("#arrivals .arrival:has-text('bad.pdf')", state="detached")
    assert not (served.corpus / "bad.pdf").exists() and (served.corpus / REMOVED / "bad.pdf").is_file()


def test_the_same_bytes_twice_are_said_and_stored_once(tab, served):  # noqa: F811
    add(tab, served.numbat)
    arrival(tab, "in", "Numbat")
    again = served.folder / "another <b>name.pdf"
    again.write_bytes(served.numbat.read_bytes())
    add(tab, again)
    assert "Already here as numbat.pdf" in arrival(tab, "twice").inner_text()
    assert "<b>name" in arrival(tab, "twice").inner_text() and tab.locator("#arrivals b").count() == 0
    assert len(list(served.corpus.glob("*.pdf"))) == 1
    other = make_paper(served.folder / "sub.pdf", title="Quoll: Other", sections=[("1 Data", ["Quolls are other."])])
    (served.folder / "x").mkdir()
    add(tab, other.rename(served.folder / "x" / "numbat.pdf"))
    arrival(tab, "in", "Quoll")
    assert (served.corpus / "numbat (2).pdf").is_file()


def test_a_paper_is_removed_after_a_question_and_put_back(tab, served):  # noqa: F811
    row = tab.locator("#paper-rows li:has-text('Otter')")
    row.hover()
    row.locator(".remove-paper").click()
    assert "The Otter" in tab.inner_text("dialog.asking")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("dialog.asking", state="detached")
    assert (served.corpus / "otter.md").is_file()
    row.locator(".remove-paper").focus()
    tab.keyboard.press("Enter")
    tab.click("dialog .danger")
    listed(tab, 2)
    assert "can be put back" in tab.inner_text("#adding-said")
    assert (served.corpus / REMOVED / "otter.md").is_file()
    tab.click("#adding-said .put-back")
    listed(tab, 3)
    assert (served.corpus / "otter.md").is_file()


def test_rebuilding_all_asks_first_and_can_be_cancelled(tab, served):  # noqa: F811
    tab.click("#rebuild")
    tab.wait_for_selector("#build-status:has-text('Nothing had changed')")
    served.held.clear()
    tab.click(".rebuild-all")
    assert "All 3 papers" in tab.inner_text("dialog.asking")
    tab.click("dialog.asking .text-button >> nth=0")
    tab.wait_for_selector("dialog.asking", state="detached")
    assert not served.page.job.running
    tab.click(".rebuild-all")
    tab.click("dialog .danger")
    tab.wait_for_selector("#build-status:has-text('Embedding')")
    tab.click(".cancel-build")
    served.held.set()
    tab.wait_for_selector("#build-status:has-text('Stopped')")
    assert tab.locator(".cancel-build").is_hidden()
    assert "points" in ask(tab, "How many points does the otter reach in trial 1?").inner_text()
    tab.click(".rebuild-all")
    tab.click("dialog .danger")
    tab.wait_for_selector("#build-status:has-text('Built in')")


def test_papers_come_from_arxiv_by_ids_and_links(tab, served):  # noqa: F811
    data = served.numbat.read_bytes()
    served.arxiv.replies["/pdf/2406.15319v2"] = [lambda handler: handler.body(data)]
    tab.click(".open-adding")
    tab.fill("#arxiv-ids", "https://arxiv.org/abs/2406.15319v2\n2501.99999, not an id")
    tab.press("#arxiv-ids", "Enter")
    assert "1 page" in arrival(tab, "in", "Numbat").inner_text()
    assert "is no arXiv id" in arrival(tab, "failed", "not an id").inner_text()
    missing = arrival(tab, "failed", "2501.99999")
    assert "no such paper" in missing.inner_text() and missing.locator(".again").is_visible()
    assert (served.corpus / "2406.15319v2.pdf").read_bytes() == data
    assert tab.input_value("#arxiv-ids") == ""
    assert "61,904" in ask(tab, QUESTION).inner_text()
    tab.click(".clear-arrivals")
    tab.wait_for_selector("#arrivals .arrival", state="detached")


def test_without_a_network_the_field_says_what_failed(tab, served):  # noqa: F811
    served.page.arrivals._url = "http://127.0.0.1:9"
    tab.click(".open-adding")
    tab.click("#arxiv-form button")
    tab.wait_for_selector("#adding-said.bad")
    assert "Nothing was typed" in tab.inner_text("#adding-said")
    tab.errors.clear()  # the browser notes the refused request
    tab.fill("#arxiv-ids", "2406.15319")
    tab.click("#arxiv-form button")
    words = arrival(tab, "failed", "2406.15319").inner_text()
    assert "cannot be reached" in words and "Check the network" in words and "Try again" in words


def test_files_are_dropped_anywhere_on_the_page(tab, served):  # noqa: F811
    drop = """(name, words) => { const data = new DataTransfer();
        data.items.add(new File(['# Dropped: A Note\\n\\nThe dropped note speaks of marmots.\\n'], 'dropped.md'));
        const chat = document.querySelector('#chat'), said = { dataTransfer: data, bubbles: true, cancelable: true };
        for (const kind of ['dragenter', 'dragover', 'drop']) chat.dispatchEvent(new DragEvent(kind, said));
        return document.body.classList.contains('dropping'); }"""
    assert tab.evaluate(drop) is False
    arrival(tab, "in", "Dropped: A Note")
    assert (served.corpus / "dropped.md").is_file()


def test_the_examples_follow_the_papers_that_come_and_go(tab, served):  # noqa: F811
    assert "Numbat" not in tab.inner_text("#chat")
    for paper in list(served.corpus.iterdir()):
        paper.unlink()
    tab.click(".open-adding")
    add(tab, served.numbat)
    arrival(tab, "in", "Numbat")
    tab.wait_for_selector("#chat .example:has-text('Numbat')", timeout=60_000)
    tab.click("#paper-rows li:has-text('Numbat') .remove-paper")
    tab.click("dialog.asking .danger")
    tab.wait_for_selector("#chat .example", state="detached", timeout=60_000)
