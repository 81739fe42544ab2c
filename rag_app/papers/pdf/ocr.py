"""Pages that are pictures, read by OCR where the extra `ocr` is installed (RapidOCR with the models of its package).

Nothing is downloaded, and no other module imports RapidOCR. What it reads is a guess: its pages say so (RawPage.ocr).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rag_app.papers.pdf.file import draw_pixels
from rag_app.papers.pdf.hidden.ink import CONTRAST
from rag_app.papers.pdf.raw_page import RawPage, physical_lines, word_spans
from rag_app.papers.pdf.reading_order import sort_two_columns
from rag_app.papers.pdf.word_gaps import move_to_gaps

INSTALL = 'pip install -e ".[ocr]"'
FEW = 10  # characters: a page with fewer is a picture, or blank
MOST_PAGES = 100  # of one paper: each takes several seconds
SCALE = 2.0  # pixels per point
_LIKE_BODY = 0.25  # a line whose height differs by less from the usual one is of the usual size


@dataclass(frozen=True)
class Piece:
    """A word, or a letter of a script without spaces, and its box in pixels: x0, y0, x1, y1."""

    text: str
    box: tuple[float, float, float, float]


ReadPicture = Callable[[np.ndarray], list[tuple[str, list[Piece]]]]
"""Gives the lines of a picture, uint8 (height, width, 3): the text of each and its pieces."""


@dataclass(frozen=True)
class Scans:
    """What became of a paper's pages; `failures` say why of each page that could not be read."""

    pages: list[RawPage]
    by_ocr: tuple[int, ...] = ()  # numbers, from 1
    beyond: tuple[int, ...] = ()  # MOST_PAGES
    failures: tuple[tuple[int, str], ...] = ()


def is_installed() -> bool:
    """Whether pages can be read by OCR."""
    return all(importlib.util.find_spec(name) is not None for name in ("rapidocr", "onnxruntime"))


def read_scans(path: Path, pages: Sequence[RawPage], on_page: Callable[[], None]) -> Scans:
    """The pages, those without text read by OCR where they show something; the same where the extra is not installed.

    `on_page` is called once the engine is loaded and after each of these pages.
    """
    empty = [page for page in pages if len(page.text.strip()) < FEW and page.width and page.height]
    if not empty or not is_installed():
        return Scans(list(pages))
    found: dict[int, RawPage] = {}
    failures: list[tuple[int, str]] = []
    beyond: list[int] = []
    count = 0
    for page in empty:
        try:
            pixels, scale = draw_pixels(path, page.number, SCALE)
            if int(pixels.max()) - int(pixels.min()) < CONTRAST:
                continue  # blank
            if count == MOST_PAGES:
                beyond.append(page.number)
                continue
            engine = load_engine()
            if not count:
                on_page()  # on a busy machine loading takes as long as a page
            count += 1
            read = make_page(page, engine(pixels), scale, pixels)
            if len(read.text.strip()) >= FEW:
                found[page.number] = read
        except MemoryError:
            raise
        except Exception as error:  # the engine may raise any: it costs its page, which is named
            failures.append((page.number, f"{type(error).__name__}: {error}"))
        on_page()
    return Scans([found.get(page.number, page) for page in pages], tuple(found), tuple(beyond), tuple(failures))


@cache
def load_engine() -> ReadPicture:
    """RapidOCR with two threads, so that papers can be read side by side."""
    from rapidocr import RapidOCR  # noqa: PLC0415  # slow, and optional

    engine = RapidOCR(
        params={
            "Global.use_cls": False,  # lines are not turned over
            "Global.log_level": "error",
            "EngineConfig.onnxruntime.intra_op_num_threads": 2,
        }
    )
    return lambda pixels: list(_list_lines(engine(pixels[:, :, ::-1].copy(), return_word_box=True)))  # it takes BGR


def _list_lines(result: Any) -> Iterator[tuple[str, list[Piece]]]:
    for text, words in zip(result.txts or (), result.word_results or (), strict=True):
        pieces = []
        for word, _, corners in words:
            edges = np.array(corners, np.float64)
            (left, top), (right, bottom) = edges.min(axis=0).tolist(), edges.max(axis=0).tolist()
            pieces.append(Piece(str(word), (left, top, right, bottom)))
        if pieces:
            yield str(text), pieces


def make_page(
    page: RawPage,
    lines: Sequence[tuple[str, Sequence[Piece]]],
    scale: float,
    pixels: np.ndarray | None = None,
) -> RawPage:
    """The page with these lines as its text; their boxes are in pixels, `scale` for each point.

    With the `pixels` that were read, a word's box ends where its ink does.
    """
    text = "\r\n".join(line for line, _ in lines)
    words = word_spans(text)
    boxes = [np.array(_word_boxes(line, pieces), np.float64).reshape(-1, 4) for line, pieces in lines]
    if pixels is not None:
        boxes = [move_to_gaps(found, pixels) if len(found) else found for found in boxes]
    places = np.concatenate([np.zeros((0, 4)), *boxes]).astype(np.float32) / scale
    upright = np.ones(len(words), bool)
    rows = physical_lines(text, words, places, upright)
    sizes = _line_sizes(places, rows)
    read = replace(
        page,
        text=text, words=words, boxes=places, lines=rows, sizes=np.stack([sizes, sizes], axis=1),
        bold=np.zeros((len(rows), 2), bool), upright=np.ones(len(rows), bool), turn=0, doubtful=(), unmapped=0.0,
        ocr=True,
    )  # fmt: skip
    return sort_two_columns(read)


def _word_boxes(line: str, pieces: Sequence[Piece]) -> list[tuple[float, float, float, float]]:
    """A box for each word of the line: around its pieces; one without pieces stands where its neighbour does."""
    spans, at = [], 0
    for piece in pieces:
        start = line.find(piece.text, at)
        start = at if start < 0 else start
        at = start + len(piece.text)
        spans.append((start, at))
    found = []
    for start, end in word_spans(line).tolist():
        own = [piece.box for piece, (first, last) in zip(pieces, spans, strict=True) if first < end and last > start]
        nearest = min(range(len(pieces)), key=lambda row: abs(spans[row][0] - start))
        edges = np.array(own or [pieces[nearest].box])
        (left, top), (right, bottom) = edges[:, :2].min(axis=0).tolist(), edges[:, 2:].max(axis=0).tolist()
        found.append((left, top, right, bottom))
    return found


def _line_sizes(boxes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """A type size in points for each line, float32 (m,): the usual one, but for lines clearly higher or lower."""
    heights = boxes[rows[:, 0], 3] - boxes[rows[:, 0], 1] if len(rows) else np.zeros(0)
    usual = float(np.median(heights)) if len(heights) else 0.0
    near = np.abs(heights - usual) < _LIKE_BODY * usual
    sizes: np.ndarray = np.where(near, round(usual), np.round(heights)).astype(np.float32)
    return sizes
