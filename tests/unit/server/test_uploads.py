"""Papers on their way: what each row says, what Cancel keeps, and what one bad paper costs."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag_app.answering.quoting.reader import QuotingReader
from rag_app.assistant import Assistant
from rag_app.errors import FetchError, IndexBusy
from rag_app.papers.add_remove import AddResult, add_file
from rag_app.papers.fetch import FetchProgress, FetchResult
from rag_app.server.uploads import Uploads
from tests.support.arxiv import PDF, Server, status
from tests.support.doubles import WordEmbedder, settings_for, write_corpus, write_paper
from tests.support.pdfs import make_broken, make_paper

pytestmark = pytest.mark.slow


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def library(tmp_path: Path, server: Server):
    write_corpus(tmp_path / "corpus", 2)
    settings = settings_for(tmp_path, arxiv_url=server.url, workers=1)
    assistant = Assistant(settings, embedder=WordEmbedder(), reader=QuotingReader())
    assistant.build()
    uploads = Uploads(assistant.build, settings)
    yield SimpleNamespace(uploads=uploads, assistant=assistant, corpus=tmp_path / "corpus", folder=tmp_path)
    uploads.cancel()
    uploads.job.stop()


def settled(uploads: Uploads) -> dict[str, str]:
    """Wait until nothing is under way; the words of each row by its state."""
    until = threading.Event()
    for _ in range(1200):
        if not uploads.summary() and not uploads.job.running:
            return {row.state: row.words for row in uploads.rows()}
        until.wait(0.05)
    raise AssertionError(uploads.rows())


def paper_bytes(folder: Path, name: str, words: str) -> bytes:
    return make_paper(folder / name, title=f"{words}: A Paper", sections=[("1 M", [f"{words} is new."])]).read_bytes()


def test_a_file_that_came_is_built_in_and_found(library) -> None:
    write_paper(library.folder, "wombat.md", "wombat", secret="The wombat has ninety knobs.")
    library.uploads.add_upload(add_file(library.corpus, library.folder / "wombat.md"))
    assert list(settled(library.uploads)) == ["in"]
    row = library.uploads.rows()[0]
    assert "1 page" in row.words and "Wombat" in row.name
    assert any(hit.passage.paper == "wombat.md" for hit in library.assistant.search("ninety knobs wombat"))


def test_a_broken_file_costs_only_itself_and_says_so(library) -> None:
    make_broken(library.folder / "bad.pdf")
    write_paper(library.folder, "wombat.md", "wombat")
    for name in ("bad.pdf", "wombat.md"):
        library.uploads.add_upload(add_file(library.corpus, library.folder / name))
    words = settled(library.uploads)
    assert "bad.pdf" in words["failed"] and "1 page" in words["in"]
    assert library.assistant.status().papers == 3


def test_what_is_refused_or_there_already_is_said_and_builds_nothing(library) -> None:
    began = []
    library.uploads.job.start = lambda **more: began.append(more)
    library.uploads.add_upload(AddResult("x.docx", "refused", problem="x.docx: is not a PDF."))
    library.uploads.add_upload(AddResult("y.md", "already there", "otter.md"))
    assert [row.state for row in library.uploads.rows()] == ["twice", "failed"]
    assert "otter.md" in library.uploads.rows()[0].words and not began


def test_papers_are_fetched_from_arxiv_and_built_in(library, server) -> None:
    data = paper_bytes(library.folder, "p.pdf", "Numbat")
    server.replies["/pdf/2406.15319"] = [lambda handler: handler.body(data)]
    library.uploads.ask_arxiv("see https://arxiv.org/abs/2406.15319, arXiv:2406.15319")
    words = settled(library.uploads)
    assert "1 page" in words["in"] and '"see" is not an arXiv id' in words["failed"]
    assert (library.corpus / "2406.15319.pdf").read_bytes() == data
    library.uploads.ask_arxiv("2406.15319")
    assert "Already here as 2406.15319.pdf" in settled(library.uploads)["twice"]
    assert server.asked == ["/pdf/2406.15319"]


def test_without_a_network_it_is_said_and_can_be_tried_again(library, server) -> None:
    url, library.uploads._url = library.uploads._url, "http://127.0.0.1:9"
    library.uploads.ask_arxiv("2406.15319")
    words = settled(library.uploads)["failed"]
    assert "cannot be reached" in words and "Check the network" in words
    library.uploads._url = url
    server.replies["/pdf/2406.15319"] = [lambda handler: handler.body(paper_bytes(library.folder, "p.pdf", "Numbat"))]
    library.uploads._due = 0.0
    library.uploads.try_again(library.uploads.rows()[0].id)
    assert list(settled(library.uploads)) == ["in"]


def test_cancel_ends_the_fetching_and_keeps_what_is_finished(library, server) -> None:
    def hung(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(PDF)))
        handler.end_headers()
        handler.wfile.write(PDF[:1000])
        begun.set()
        server.released.wait(20)

    begun = threading.Event()
    server.replies["/pdf/2406.15319"] = [hung]
    write_paper(library.folder, "wombat.md", "wombat")
    library.uploads.add_upload(add_file(library.corpus, library.folder / "wombat.md"))
    settled(library.uploads)
    library.uploads.ask_arxiv("2406.15319 2406.15320")
    assert begun.wait(20)
    library.uploads.cancel()
    assert [row.state for row in library.uploads.rows()] == ["cancelled", "cancelled", "in"]
    assert not list(library.corpus.glob("2406*"))


def test_a_build_that_is_cancelled_keeps_the_file_and_the_next_takes_it_in(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 1)
    held, entered = threading.Event(), threading.Event()

    def hold(count: int) -> None:
        entered.set()
        held.wait(20)

    settings = settings_for(tmp_path, workers=1)
    assistant = Assistant(settings, embedder=WordEmbedder(on_group=hold), reader=QuotingReader())
    uploads = Uploads(assistant.build, settings)
    write_paper(tmp_path, "wombat.md", "wombat")
    uploads.add_upload(add_file(tmp_path / "corpus", tmp_path / "wombat.md"))
    assert entered.wait(20)
    assert "embedded" in uploads.rows()[0].words and "library" in uploads.summary()
    uploads.cancel()
    held.set()
    assert "kept in the folder" in settled(uploads)["kept"]
    assert uploads.job.start(after_this_one=True)
    assert list(settled(uploads)) == ["in"]
    uploads.job.stop()


def test_a_build_that_fails_leaves_the_reason_on_the_row(tmp_path: Path) -> None:
    def build(**more: object) -> None:
        raise IndexBusy("Process 7 is building. Wait for it.")

    uploads = Uploads(build, settings_for(write_corpus(tmp_path / "corpus", 1).parent))
    uploads.add_upload(AddResult("a.md", "added", "a.md"))
    words = settled(uploads)["kept"]
    assert "Process 7 is building" in words and "Rebuild adds it" in words


def test_a_file_that_the_build_left_out_as_a_double_is_said(tmp_path: Path) -> None:
    report = SimpleNamespace(changed=True, papers=(), failed_papers=(), passages=0)
    uploads = Uploads(lambda **more: report, settings_for(write_corpus(tmp_path / "corpus", 1).parent))
    uploads.add_upload(AddResult("a.md", "added", "a.md"))
    assert "an identical file" in settled(uploads)["twice"]


def test_times_left_are_told_only_once_something_was_measured(library, monkeypatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("rag_app.server.uploads.time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(library.uploads, "_begin_fetching", lambda: None)
    library.uploads.ask_arxiv("2406.00001 2406.00002 2406.00003")
    library.uploads._began = 100.0
    assert library.uploads.summary() == "3 to fetch"
    clock[0] = 108.0
    library.uploads._update_fetched(FetchResult("2406.00001", "failed", problem="2406.00001: no such paper."))
    assert library.uploads.summary() == "2 to fetch · about 16 s left"
    library.uploads._update_received(FetchProgress("2406.00002", 2, 3, "receiving", 2**20, 4 * 2**20))
    assert library.uploads.rows()[1].words == "Fetching 1.0 of 4.0 MB"
    clock[0] = 112.0
    library.uploads._update_received(FetchProgress("2406.00002", 2, 3, "receiving", 2 * 2**20, 4 * 2**20))
    assert library.uploads.rows()[1].words == "Fetching 2.0 of 4.0 MB · about 4 s left"
    assert library.uploads.summary() == "2 to fetch · about 12 s left"
    library.uploads.cancel()


def test_nothing_and_too_much_are_refused(library) -> None:
    with pytest.raises(FetchError, match="Nothing was typed"):
        library.uploads.ask_arxiv("  \n")
    with pytest.raises(FetchError, match="too many"):
        library.uploads.ask_arxiv(" ".join(f"2406.{number:05}" for number in range(201)))
    assert library.uploads.rows() == []


def test_finished_rows_can_be_taken_from_the_list(library, server) -> None:
    server.replies["/pdf/2406.15319"] = [status(404)]
    library.uploads.ask_arxiv("2406.15319")
    settled(library.uploads)
    library.uploads.add_upload(AddResult("y.md", "already there", "otter.md"))
    library.uploads.forget(library.uploads.rows()[0].id)
    assert [row.state for row in library.uploads.rows()] == ["failed"]
    library.uploads.forget()
    assert library.uploads.rows() == []
