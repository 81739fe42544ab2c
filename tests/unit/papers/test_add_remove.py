"""Files put into the corpus folder and taken out: whole, under safe names, nothing twice, nothing lost."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.errors import CorpusError, PaperError
from rag_app.papers.add_remove import (
    REMOVED,
    TEMPORARY,
    IncomingFile,
    add_file,
    display_name,
    find_replacement_digest,
    free_name,
    remove_paper,
    removed_papers,
    restore_paper,
    safe_name,
)
from rag_app.papers.corpus import list_papers
from tests.support.pdfs import make_paper


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


def given_as(corpus: Path, name: str, data: bytes, limit: int = 2**20):
    incoming = IncomingFile(corpus, name, limit)
    for at in range(0, len(data), 7):
        incoming.write(data[at : at + 7])
    return incoming.keep()


def names(corpus: Path) -> list[str]:
    return sorted(paper.paper for paper in list_papers(corpus).papers)


def left_behind(corpus: Path) -> list[Path]:
    return list(corpus.rglob(f"{TEMPORARY}*"))


def test_a_pdf_is_stored_whole_and_once(corpus: Path, tmp_path: Path) -> None:
    paper = make_paper(tmp_path / "ours.pdf")
    assert add_file(corpus, paper).state == "added"
    assert (corpus / "ours.pdf").read_bytes() == paper.read_bytes()
    again = given_as(corpus, "another name.pdf", paper.read_bytes())
    assert (again.state, again.paper) == ("already there", "ours.pdf")
    assert names(corpus) == ["ours.pdf"] and not left_behind(corpus)


def test_the_same_name_with_other_bytes_gets_another_name(corpus: Path) -> None:
    (corpus / "sub").mkdir()
    (corpus / "sub" / "Note.MD").write_text("# One\n\nWords.\n", encoding="utf-8")
    added = given_as(corpus, "note.md", b"# Two\n\nOther words.\n")
    assert (added.state, added.paper) == ("added", "note (2).md")
    assert given_as(corpus, "note.md", b"# Three\n\nMore.\n").paper == "note (3).md"
    assert (corpus / "sub" / "Note.MD").read_text(encoding="utf-8").startswith("# One")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.pdf", b"<html>no</html>", "does not begin like a PDF"),
        ("a.docx", b"<html>no</html>", "is damaged or no DOCX file"),
        ("a.epub", b"PK", "is damaged or no EPUB file"),
        ("a.doc", b"\xd0\xcf\x11\xe0", "is not a PDF, Word (.docx)"),
        ("a.zip", b"PK\x03\x04", "is not a PDF, Word (.docx)"),
        ("a", b"words", "is not a PDF, Word (.docx)"),
        ("a.json", b'{"name": "settings"}', "is not a PDF, Word (.docx)"),
        ("a.html", b"<p>ab\x00cd\x01\x02</p>", "binary"),
        ("a.txt", b"ab\x00cd\x01\x02", "binary"),
        ("a.md", bytes(range(256)) * 9, "binary"),
        ("a.pdf", b"", "is empty"),
    ],
)
def test_what_is_no_paper_is_refused_by_its_bytes(corpus: Path, name: str, data: bytes, words: str) -> None:
    added = given_as(corpus, name, data)
    assert added.state == "refused" and words in added.problem and name in added.problem
    assert names(corpus) == [] and not left_behind(corpus)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.docx", b"PK\x03\x04..."),
        ("a.epub", b"PK\x03\x04..."),
        ("a.html", b"<p>Words.</p>"),
        ("a.tex", b"\\section{Words}"),
        ("a.nxml", b"<article/>"),
        ("a.vtt", b"WEBVTT\n"),
        ("a.json", b'{"text": "Words.", "segments": []}'),
    ],
)
def test_every_kind_that_a_build_reads_is_taken(corpus: Path, name: str, data: bytes) -> None:
    assert given_as(corpus, name, data).paper == name
    assert names(corpus) == [name] and list_papers(corpus).problems == ()


@pytest.mark.parametrize("data", ["Größe".encode(), "Größe".encode("cp1252"), "Größe".encode("utf-16")])
def test_text_in_the_usual_encodings_is_taken(corpus: Path, data: bytes) -> None:
    assert given_as(corpus, "a.txt", data).state == "added"


def test_a_pdf_is_one_whatever_it_is_called(corpus: Path) -> None:
    assert given_as(corpus, "paper.txt", b"%PDF-1.5\n...").paper == "paper.pdf"


def test_too_large_is_refused_while_it_comes(corpus: Path) -> None:
    incoming = IncomingFile(corpus, "a.pdf", 10)
    incoming.write(b"%PDF-1.5")
    with pytest.raises(PaperError, match=r"a\.pdf: larger than"):
        incoming.write(b"more than that")
    incoming.drop()
    assert not left_behind(corpus)


@given(st.text(max_size=300))
def test_a_name_is_never_a_path(name: str) -> None:
    safe = safe_name(name, ".pdf")
    assert Path(safe).name == safe and safe.endswith(".pdf") and not safe.startswith(".")
    assert not set(safe) & set('<>:"/\\|?*\x00\n\u202e') and len(safe.encode()) < 255
    assert "\n" not in display_name(name)


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\me\\a b.pdf", "a b.pdf"),
        (".hidden.pdf", "hidden.pdf"),
        ("README.md", "paper README.pdf"),
        ("CON.pdf", "paper CON.pdf"),
        ("2406.15319v2.pdf", "2406.15319v2.pdf"),
        ("...", "paper.pdf"),
    ],
)
def test_names_that_would_be_trouble(given: str, safe: str) -> None:
    assert safe_name(given, ".pdf") == safe


def test_a_removed_paper_is_kept_and_comes_back(corpus: Path) -> None:
    (corpus / "sub").mkdir()
    (corpus / "sub" / "a.md").write_text("# A\n\nWords.\n", encoding="utf-8")
    kept = remove_paper(corpus, "a.md")
    assert kept == corpus / REMOVED / "sub" / "a.md" and kept.is_file()
    assert names(corpus) == [] and removed_papers(corpus) == ("sub/a.md",)
    (corpus / "sub" / "a.md").write_text("# B\n\nOthers.\n", encoding="utf-8")
    remove_paper(corpus, "a.md")
    assert sorted(removed_papers(corpus)) == ["sub/a (2).md", "sub/a.md"]
    assert restore_paper(corpus, "sub/a.md") == corpus / "sub" / "a.md"
    assert (corpus / "sub" / "a.md").read_text(encoding="utf-8").startswith("# A")


def test_what_is_put_back_takes_no_other_papers_place(corpus: Path) -> None:
    (corpus / "a.md").write_text("# A\n\nWords.\n", encoding="utf-8")
    remove_paper(corpus, "a.md")
    given_as(corpus, "a.md", b"# New\n\nOthers.\n")
    assert restore_paper(corpus, "a.md").name == "a (2).md"
    assert (corpus / "a.md").read_bytes().startswith(b"# New")


@pytest.mark.parametrize("name", ["../secret.txt", "b.md", "", ".removed/a.md", "/etc/passwd"])
def test_only_papers_can_be_removed_and_only_removed_ones_come_back(corpus: Path, name: str) -> None:
    (corpus.parent / "secret.txt").write_text("mine", encoding="utf-8")
    (corpus / "a.md").write_text("# A\n", encoding="utf-8")
    with pytest.raises(PaperError):
        remove_paper(corpus, name)
    with pytest.raises(PaperError):
        restore_paper(corpus, name)
    assert (corpus.parent / "secret.txt").is_file() and (corpus / "a.md").is_file()


def test_the_digest_that_answers_in_place_of_a_removed_pdf_is_named(corpus: Path) -> None:
    (corpus / "papers.toml").write_text('[[paper]]\narxiv_id = "2406.15319"\ntitle = "T"\n', encoding="utf-8")
    (corpus / "notes").mkdir()
    (corpus / "notes" / "2406.15319.md").write_text("# T\n\nWords.\n", encoding="utf-8")
    given_as(corpus, "2406.15319v2.pdf", b"%PDF-1.5\n")
    kept = remove_paper(corpus, "2406.15319v2.pdf")
    assert find_replacement_digest(corpus, kept) == "2406.15319.md"
    assert find_replacement_digest(corpus, Path("other.pdf")) == ""


def test_a_name_that_is_taken_on_the_disk_is_not_free(corpus: Path) -> None:
    (corpus / "a.pdf").mkdir()
    assert free_name(corpus, "a.pdf").name == "a (2).pdf"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="rights do not bind this user")
def test_a_folder_that_cannot_be_written_to_is_an_error_with_a_remedy(corpus: Path) -> None:
    corpus.chmod(0o500)
    with pytest.raises(CorpusError, match="RAG_CORPUS"):
        IncomingFile(corpus, "a.pdf")
    corpus.chmod(0o700)
