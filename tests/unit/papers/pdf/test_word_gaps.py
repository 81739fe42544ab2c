"""Words that an engine places by guess lie where the picture shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rag_app.papers.pdf import ocr
from rag_app.papers.pdf.file import draw_pixels
from rag_app.papers.pdf.ocr import Piece
from rag_app.papers.pdf.raw_page import empty_page
from rag_app.papers.pdf.word_gaps import move_to_gaps
from rag_app.papers.read import read_paper
from tests.support.pdfs import make_raw

LINES = (
    (72.0, 100.0, "Is a quote of a scan, I ask, 2.4 percent wide or not?"),
    (72.0, 114.0, "The value of (x) - y is at hand, 15% more"),
    (72.0, 128.0, "Farm 21 silt"),
    (320.0, 128.0, "31 11.1 4.1"),
)
SCALE = 2.0
LATE = 2.5  # points: half a letter


def guess_places(path: Path, turn: float) -> tuple[np.ndarray, list[tuple[str, list[Piece]]], np.ndarray]:
    """The picture, turned, with each line's words half a letter late and as wide as if all letters were of one width.

    And the true boxes, in points.
    """
    (page,) = read_paper(path, "pdf").pages
    assert page.words is not None
    pixels, _ = draw_pixels(path, 1, SCALE)
    picture = Image.fromarray(pixels).rotate(turn, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    angle, middle = np.deg2rad(turn), np.array(picture.size) / SCALE / 2
    true = page.words.boxes.astype(np.float64)
    offsets = (true[:, :2] + true[:, 2:]) / 2 - middle
    moved = middle + offsets @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half = (true[:, 2:] - true[:, :2]) / 2
    true = np.concatenate([moved - half, moved + half], axis=1)
    lines, row = [], 0
    for _, _, text in LINES:
        words = text.split()
        own = true[row : row + len(words)]
        letter = (own[-1, 2] - own[0, 0]) / len(text)
        pieces = []
        for word, (left, top, _, bottom) in zip(words, own.tolist(), strict=True):
            sides = (left + LATE, top - 1.5, left + LATE + len(word) * letter, bottom + 1)
            x0, y0, x1, y1 = (side * SCALE for side in sides)
            pieces.append(Piece(word, (x0, y0, x1, y1)))
        lines.append((text, pieces))
        row += len(words)
    return np.array(picture), lines, true


@pytest.mark.parametrize("turn", [0.0, 1.0, -1.0])
def test_words_of_a_scan_lie_between_the_gaps_of_its_ink(tmp_path: Path, turn: float) -> None:
    pixels, lines, true = guess_places(make_raw(tmp_path / "a.pdf", [LINES]), turn)
    page = replace(empty_page(1, "1"), width=612, height=792)
    guessed, found = (ocr.make_page(page, lines, SCALE, picture).boxes for picture in (None, pixels))
    assert np.abs(guessed - true)[:, [0, 2]].max() > LATE
    assert np.abs(found - true)[:, [0, 2]].max() < 1.8  # a "1" is narrower than its box


def test_a_line_without_ink_stays_where_it_was_put() -> None:
    boxes = np.array([[10.0, 10.0, 40.0, 30.0], [45.0, 10.0, 80.0, 30.0]])
    for shade in (255, 0):
        assert move_to_gaps(boxes, np.full((60, 100, 3), shade, np.uint8)).tolist() == boxes.tolist()


def test_words_that_run_down_the_page_stay_where_they_were_put(tmp_path: Path) -> None:
    pixels, _ = draw_pixels(make_raw(tmp_path / "a.pdf", [LINES]), 1, SCALE)
    boxes = np.array([[150.0, 180.0, 170.0, 260.0], [151.0, 270.0, 171.0, 400.0]])
    assert move_to_gaps(boxes, pixels).tolist() == boxes.tolist()
