"""Pages that are pictures: what an engine reads there becomes the page's text, and says so down to the citation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag_app.citations.marks import citation_at
from rag_app.index import inventory
from rag_app.index.passage_store import PART_NAME
from rag_app.papers.pdf import ocr
from rag_app.papers.pdf.ocr import Piece
from rag_app.papers.pdf.raw_page import empty_page
from rag_app.papers.read import read_paper
from rag_app.papers.reading_store import load_reading, save_reading
from rag_app.records import Evidence
from rag_app.server.web.sources import badge_html
from tests.support.pdfs import make_raw, make_scanned

WORDS = "a page that was scanned"


def read_print(pixels: np.ndarray) -> list[tuple[str, list[Piece]]]:
    """An engine that knows what make_scanned prints, and finds where: each word by its share of the letters."""
    ink = pixels[:, :, 0] < 128
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    left, right, top, bottom = (float(edge) for edge in (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1))
    step = (right - left) / len(WORDS)
    pieces, at = [], 0
    for word in WORDS.split():
        at = WORDS.index(word, at)
        pieces.append(Piece(word, (left + at * step, top, left + (at + len(word)) * step, bottom)))
        at += len(word)
    return [(WORDS, pieces)]


def break_down(pixels: np.ndarray) -> list[tuple[str, list[Piece]]]:
    raise ValueError("no memory for a picture of this size")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(ocr, "is_installed", lambda: True)
    monkeypatch.setattr(ocr, "load_engine", lambda: read_print)
    return monkeypatch


@pytest.mark.usefixtures("engine")
def test_a_scan_is_read_and_says_so_down_to_the_citation(tmp_path: Path) -> None:
    calls: list[int] = []
    save_reading(
        tmp_path / "part", read_paper(make_scanned(tmp_path / "scan.pdf"), "pdf", on_ocr=lambda: calls.append(1))
    )
    reading = load_reading(tmp_path / "part")
    assert (reading.state, reading.problem, len(calls)) == ("full text", "", 3)  # the engine and two pages
    assert reading.warnings == ("scan.pdf: page 1, 2 read by OCR: compare quotes with the page.",)
    page = reading.pages[0]
    assert page.text == WORDS and page.ocr
    piece = Evidence(1, "scan.pdf", "Scan", 1, "1", "", 0, len(page.text), page.text)
    citation = citation_at(1, piece, page, 0, len(page.text))
    assert citation.verified and citation.read_by_ocr
    assert "read by OCR" in badge_html(citation)
    # make_scanned prints at (40, 60) of a picture with half a pixel for each point
    (box,) = citation.boxes
    assert 78 <= box[0] <= 84 and 118 <= box[1] <= 130 and box[3] <= 146 and box[2] > 200


@pytest.mark.usefixtures("engine")
def test_pages_with_text_and_blank_pages_are_left_alone(tmp_path: Path) -> None:
    words = "A page with quite some words on it."
    reading = read_paper(make_raw(tmp_path / "part.pdf", [[(72, 100, words)], []]), "pdf")
    assert [(page.text, page.ocr) for page in reading.pages] == [(words, False), ("", False)]
    assert reading.warnings == ("part.pdf: no text on page 2: blank or a picture.",)


def test_pages_that_are_not_read_are_named_with_the_reason(tmp_path: Path, engine: pytest.MonkeyPatch) -> None:
    engine.setattr(ocr, "MOST_PAGES", 1)
    path = make_scanned(tmp_path / "scan.pdf")
    reading = read_paper(path, "pdf")
    assert [page.ocr for page in reading.pages] == [True, False]
    assert any(told.startswith("scan.pdf: page 2 not read: OCR reads 1 pages") for told in reading.warnings)
    engine.setattr(ocr, "load_engine", lambda: break_down)
    reading = read_paper(path, "pdf")
    assert (reading.state, "OCR found no words" in reading.problem) == ("no text", True)
    assert "scan.pdf: page 1 could not be read by OCR (ValueError: no memory for" in " ".join(reading.warnings)


def test_papers_are_read_again_once_there_is_an_engine(engine: pytest.MonkeyPatch) -> None:
    keys = [inventory.reading_key(keep) for keep in (False, True)]
    assert [key.endswith("-ocr") for key in keys] == [True, True]
    assert all(PART_NAME.fullmatch(f"{'0' * 24}-pdf-{key}") for key in keys)
    engine.setattr(ocr, "is_installed", lambda: False)
    assert [f"{inventory.reading_key(keep)}-ocr" for keep in (False, True)] == keys


def test_a_word_has_the_box_of_its_pieces() -> None:
    """Scripts without spaces come letter by letter, and a piece may hold more than its word."""
    boxes = [(0.0, 0.0, 9.0, 10.0), (10.0, 1.0, 19.0, 11.0), (30.0, 0.0, 39.0, 10.0)]
    pieces = [Piece(text, box) for text, box in zip(("检", "索", "(RAG)"), boxes, strict=True)]
    page = ocr.make_page(empty_page(1, "1"), [("检索 (RAG)", pieces)], 2.0)
    assert page.boxes.tolist() == [[0.0, 0.0, 9.5, 5.5], [15.0, 0.0, 19.5, 5.0]]


def test_two_columns_are_read_one_by_one_and_a_table_above_them_row_by_row() -> None:
    """The engine gives its lines from top to bottom, over both columns; on a page that lay askew they are not level."""

    def line(text: str, left: float, top: float) -> tuple[str, list[Piece]]:
        starts = [left + 26.0 * number for number in range(len(text.split()))]
        pieces = [
            Piece(word, (x, top - 0.02 * x, x + 24.0, top - 0.02 * x + 10.0))
            for word, x in zip(text.split(), starts, strict=True)
        ]
        return text, pieces

    cells = [line(f"{side} {row}", left, 40.0 + 12 * row) for row in range(3) for side, left in (("a", 60), ("b", 400))]
    words = "we measured the drift of each probe"
    columns = (("left", 60.0, 0.0), ("right", 330.0, 5.0))
    prose = [
        line(f"{side} {row} {words}", left, 100.0 + 12 * row + down)
        for row in range(12)
        for side, left, down in columns
    ]
    page = ocr.make_page(replace(empty_page(1, "1"), width=620, height=800), [*cells, *prose], 1.0)
    read = [text.split()[:2] for text in page.text.split("\r\n")]
    assert read[:6] == [[side, str(row)] for row in range(3) for side in ("a", "b")]
    assert read[6:] == [[side, str(row)] for side in ("left", "right") for row in range(12)]
    assert page.boxes[-1].tolist() == pytest.approx(prose[-1][1][-1].box, abs=0.01)
