"""A headless Chromium lets the library grow: files, arXiv, removal, rebuilding, while questions are asked."""

from __future__ import annotations

import re
import threading
from types import SimpleNamespace

import docx
import pytest

from rag_app.assistant import Assistant
from rag_app.papers.add_remove import REMOVED
from rag_app.server.app import serve
from tests.support.arxiv import Server
from tests.support.browser_page import ask, expect, says
from tests.support.doubles import WordEmbedder, settings_for, write_corpus
from tests.support.pdfs import make_broken, make_paper

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
            held.wait(240)

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


def add(tab, *files):
    tab.set_input_files("#file-choice", [str(file) for file in files])


def arrival(tab, state, name=""):
    row = tab.locator(f"#arrivals .arrival.{state}:has-text('{name}')")
    row.wait_for()
    return row


COVERED = """() => {
  const shown = Array.from(document.querySelectorAll('#build button')).filter((one) => one.checkVisibility());
  const boxes = shown.map((one) => [one.className, one.getBoundingClientRect()]);
  return boxes.flatMap(([name, a], at) => boxes.slice(at + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => [name, other]));
}"""


def listed(tab, count):
    tab.wait_for_function(f"document.querySelectorAll('#paper-rows li').length === {count}")


def test_a_paper_is_added_while_questions_are_asked_and_then_answers(tab, served):
    served.held.clear()
    tab.click(".open-adding")
    add(tab, served.numbat)
    row = arrival(tab, "building", "numbat.pdf")
    tab.wait_for_selector("#arrivals .words:has-text('embedded')")
    says(tab.locator("#adding-sum"), "1 to add to the library")
    expect(tab.locator(".cancel-build").first).to_be_visible()
    says(ask(tab, "How many points does the otter reach in trial 1?"), "points in trial")
    expect(ask(tab, QUESTION)).not_to_contain_text("61,904")
    served.held.set()
    row = arrival(tab, "in", "Numbat: Encoding Questions")
    says(row, "1 page")
    listed(tab, 4)
    says(ask(tab, QUESTION), "61,904")
    row.locator(".open-paper").click()
    tab.wait_for_selector("#reading-pages .sheet.drawn")
    expect(tab.locator("#reading-title")).to_have_text("Numbat: Encoding Questions")


def other_word_file(path):
    path.write_bytes(b"PK\x03\x04 " + path.name.encode())
    return path


def test_a_broken_pdf_and_something_else_cost_only_themselves(tab, served):
    make_broken(served.folder / "bad.pdf")
    (served.folder / "letter.pages").write_bytes(b"PK\x03\x04 words")
    add(tab, served.folder / "bad.pdf", served.folder / "letter.pages", served.numbat)
    says(arrival(tab, "in", "Numbat"), re.compile("numbat", re.IGNORECASE))
    bad = arrival(tab, "failed", "bad.pdf")
    says(bad.locator(".words"), "bad.pdf:")
    says(arrival(tab, "failed", "letter.pages"), "print it as PDF")
    assert not (served.corpus / "letter.pages").exists()
    for number in range(20):
        add(tab, other_word_file(served.folder / f"letter-{number}.pages"))
    arrival(tab, "failed", "letter-19.pages")
    panes = "[...document.querySelectorAll('#library, #panes')]"  # what is below the panel stays in sight
    tab.wait_for_function(f"{panes}.length === 2 && {panes}.every((pane) => pane.scrollHeight === pane.clientHeight)")
    tab.again()
    arrival(tab, "failed", "bad.pdf").locator(".remove-paper").click()
    tab.click("dialog .danger")
    tab.wait_for_selector("#arrivals .arrival:has-text('bad.pdf')", state="detached")
    assert not (served.corpus / "bad.pdf").exists() and (served.corpus / REMOVED / "bad.pdf").is_file()


def test_the_same_bytes_twice_are_said_and_stored_once(tab, served):
    add(tab, served.numbat)
    arrival(tab, "in", "Numbat")
    again = served.folder / "another <b>name.pdf"
    again.write_bytes(served.numbat.read_bytes())
    add(tab, again)
    says(arrival(tab, "twice"), "Already here as numbat.pdf")
    says(arrival(tab, "twice"), "<b>name")
    expect(tab.locator("#arrivals b")).to_have_count(0)
    assert len(list(served.corpus.glob("*.pdf"))) == 1
    other = make_paper(served.folder / "sub.pdf", title="Quoll: Other", sections=[("1 Data", ["Quolls are other."])])
    (served.folder / "x").mkdir()
    add(tab, other.rename(served.folder / "x" / "numbat.pdf"))
    arrival(tab, "in", "Quoll")
    assert (served.corpus / "numbat (2).pdf").is_file()


def test_a_paper_is_removed_after_a_question_and_put_back(tab, served):
    row = tab.locator("#paper-rows li:has-text('Otter')")
    row.hover()
    row.locator(".remove-paper").click()
    says(tab.locator("dialog.asking"), "The Otter")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("dialog.asking", state="detached")
    assert (served.corpus / "otter.md").is_file()
    row.locator(".remove-paper").focus()
    tab.keyboard.press("Enter")
    tab.click("dialog .danger")
    listed(tab, 2)
    says(tab.locator("#adding-said"), "put it back")
    assert (served.corpus / REMOVED / "otter.md").is_file()
    tab.click("#adding-said .put-back")
    listed(tab, 3)
    assert (served.corpus / "otter.md").is_file()


def test_rebuilding_all_asks_first_and_can_be_cancelled(tab, served):
    tab.click("#rebuild")
    tab.wait_for_selector("#build-status:has-text('Nothing has changed')")
    served.held.clear()
    tab.click(".rebuild-all")
    says(tab.locator("dialog.asking"), "All 3 papers")
    tab.click("dialog.asking .text-button >> nth=0")
    tab.wait_for_selector("dialog.asking", state="detached")
    assert not served.page.job.running
    tab.click(".rebuild-all")
    tab.click("dialog .danger")
    tab.wait_for_selector("#build-status:has-text('Embedding')")
    expect(tab.locator(".cancel-build").first).to_be_visible()
    assert tab.evaluate(COVERED) == []
    tab.click(".cancel-build")
    served.held.set()
    tab.wait_for_selector("#build-status:has-text('Stopped')")
    expect(tab.locator(".cancel-build").first).to_be_hidden()
    says(ask(tab, "How many points does the otter reach in trial 1?"), "points")
    tab.click(".rebuild-all")
    tab.click("dialog .danger")
    tab.wait_for_selector("#build-status:has-text('Built in')")


def test_papers_come_from_arxiv_by_ids_and_links(tab, served):
    data = served.numbat.read_bytes()
    served.arxiv.replies["/pdf/2406.15319v2"] = [lambda handler: handler.body(data)]
    tab.click(".open-adding")
    tab.fill("#arxiv-ids", "https://arxiv.org/abs/2406.15319v2\n2501.99999, not an id")
    tab.press("#arxiv-ids", "Enter")
    says(arrival(tab, "in", "Numbat"), "1 page")
    says(arrival(tab, "failed", "not an id"), "is not an arXiv id")
    missing = arrival(tab, "failed", "2501.99999")
    says(missing, "no such paper")
    expect(missing.locator(".again")).to_be_visible()
    assert (served.corpus / "2406.15319v2.pdf").read_bytes() == data
    expect(tab.locator("#arxiv-ids")).to_have_value("")
    says(ask(tab, QUESTION), "61,904")
    tab.click(".clear-arrivals")
    tab.wait_for_selector("#arrivals .arrival", state="detached")


def test_without_a_network_the_field_says_what_failed(tab, served):
    served.page.uploads._url = "http://127.0.0.1:9"
    tab.click(".open-adding")
    with tab.expect_console_message(lambda said: said.type == "error"):  # the browser notes the refused request
        tab.click("#arxiv-form button")
    tab.wait_for_selector("#adding-said.bad")
    says(tab.locator("#adding-said"), "Nothing was typed")
    tab.errors.clear()
    tab.fill("#arxiv-ids", "2406.15319")
    tab.click("#arxiv-form button")
    says(arrival(tab, "failed", "2406.15319"), "cannot be reached", "Check the network", "Try again")


def test_files_are_dropped_anywhere_on_the_page(tab, served):
    drop = """(name, words) => { const data = new DataTransfer();
        data.items.add(new File(['# Dropped: A Note\\n\\nThe dropped note speaks of marmots.\\n'], 'dropped.md'));
        const chat = document.querySelector('#chat'), said = { dataTransfer: data, bubbles: true, cancelable: true };
        for (const kind of ['dragenter', 'dragover', 'drop']) chat.dispatchEvent(new DragEvent(kind, said));
        return document.body.classList.contains('dropping'); }"""
    assert tab.evaluate(drop) is False
    arrival(tab, "in", "Dropped: A Note")
    assert (served.corpus / "dropped.md").is_file()


def test_other_kinds_of_files_are_dropped_like_pdfs_answer_and_open(tab, served):
    word = docx.Document()
    word.add_heading("Wombat: A Word File", 0)
    word.add_heading("1 Results", 1)
    word.add_paragraph("The wombat index stores 71,305 burrows in one file.")
    word.save(str(served.folder / "wombat.docx"))
    page = "<html><head><title>Quokka: A Web Page</title></head><body><h1>Quokka: A Web Page</h1><p>It is small.</p>"
    (served.folder / "quokka.html").write_text(f"{page}<p>The quokka set has 5,512 smiles.</p></body></html>")
    source = (
        r"\documentclass{article}\title{Bilby: A Source}\begin{document}\section{Data}It is \emph{soft}.\end{document}"
    )
    (served.folder / "bilby.tex").write_text(source)
    add(tab, *(served.folder / name for name in ("wombat.docx", "quokka.html", "bilby.tex")))
    for title in ("Wombat: A Word File", "Quokka: A Web Page", "Bilby: A Source"):
        arrival(tab, "in", title)
    says(ask(tab, "How many burrows does the wombat index store?"), "71,305")
    tab.locator("#chat .answer button.cite").last.click()
    expect(tab.locator("#reading-pages .sheet.text mark").first).to_contain_text("71,305 burrows")
    expect(tab.locator("#reading-title")).to_have_text("Wombat: A Word File")


def test_the_examples_follow_the_papers_that_come_and_go(tab, served):
    tab.wait_for_selector("#chat .example")
    expect(tab.locator("#chat")).not_to_contain_text("Numbat")
    for paper in list(served.corpus.iterdir()):
        paper.unlink()
    tab.click(".open-adding")
    add(tab, served.numbat)
    arrival(tab, "in", "Numbat")
    tab.wait_for_selector("#chat .example:has-text('Numbat')")
    tab.click("#paper-rows li:has-text('Numbat') .remove-paper")
    tab.click("dialog.asking .danger")
    tab.wait_for_selector("#chat .example", state="detached")
