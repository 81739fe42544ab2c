"""Raw page -> visual lines in reading order, and where a new block begins. Geometry only: no meaning of words here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag_app.papers.pdf.raw_page import SOFT_HYPHEN, RawPage
from rag_app.records import BlockKind, Box

_GAP = 0.95  # of the type size: justified prose stays below, cells of a table stand wider apart
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]]*\d{0,2}$")
_ITEM = re.compile(r"(?:[•‣◦▪∗*–—-]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s")


@dataclass(slots=True, eq=False)
class Line:
    """One line as the eye sees it; `kind`, `section` and `breaks` are filled in by the steps that follow."""

    start: int  # raw offsets
    end: int
    words: int  # how many
    text: str  # raw characters, line ends as spaces
    box: Box
    size: float  # type size in points of most of it
    bold: tuple[bool, bool]  # its first, its last character
    gaps: int  # how many gaps between its words are as wide as between cells of a table
    upright: bool
    kind: BlockKind = "body"
    section: str = ""
    opens: bool = True  # in a bibliography: does an entry begin here?
    breaks: bool = True  # does a new line of the page's text begin here?

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]


def visual_lines(page: RawPage) -> list[Line]:
    """The page's lines in pdfium's order; pieces on one base line (superscripts, cells) are one line."""
    if not len(page.lines):
        return []
    firsts = page.lines[:, 0]
    boxes = np.concatenate(
        [
            np.minimum.reduceat(page.boxes[:, :2], firsts, axis=0),
            np.maximum.reduceat(page.boxes[:, 2:], firsts, axis=0),
        ],
        axis=1,
    )
    gaps = np.append(page.boxes[1:, 0] - page.boxes[:-1, 2], 0.0).tolist()
    places = boxes.tolist()
    groups: list[list[int]] = []
    sizes, upright = page.sizes.tolist(), page.upright.tolist()
    for row, box in enumerate(places):
        goes_on = False
        if groups and upright[row] and upright[row - 1]:
            size = max(sizes[row][0], sizes[row - 1][1])
            goes_on = _is_continuation(places[groups[-1][-1]], places[groups[-1][0]], box, size, page.width)
        if goes_on:
            groups[-1].append(row)
        else:
            groups.append([row])
    lists = _LineParts(places, gaps, page.words.tolist(), page.lines.tolist(), list(map(max, sizes)))
    return [_line(page, group, lists) for group in groups]


def _is_continuation(previous: Box, first: Box, box: Box, size: float, width: float) -> bool:
    """Does a piece stand to the right of the one before it, on the same line? `width`: of the page."""
    overlap = min(previous[3], box[3]) - max(previous[1], box[1])
    smaller = min(previous[3] - previous[1], box[3] - box[1])
    if overlap < 0.4 * smaller or box[0] < previous[2] - 0.4 * size or box[0] < first[0]:
        return False
    return box[0] - previous[2] < max(4 * size, 0.12 * width)


@dataclass(frozen=True)
class _LineParts:
    """A page's arrays as lists: a single number of a list costs a fifth of one of an array."""

    places: list[Box]  # of each physical line
    gaps: list[float]  # points, after each word
    words: list[list[int]]  # raw offsets
    lines: list[list[int]]  # first word and the one after the last
    sizes: list[float]  # points, of each physical line


def _line(page: RawPage, rows: list[int], lists: _LineParts) -> Line:
    places = lists.places
    first, last = lists.lines[rows[0]][0], lists.lines[rows[-1]][1]
    start, end = lists.words[first][0], lists.words[last - 1][1]
    widest, box = rows[0], places[rows[0]]
    if len(rows) > 1:
        widest = max(rows, key=lambda row: places[row][2] - places[row][0])
        left, top, right, bottom = zip(*(places[row] for row in rows), strict=True)
        box = min(left), min(top), max(right), max(bottom)
    size = lists.sizes[widest]
    wide = _GAP * size
    return Line(
        start=start,
        end=end,
        words=last - first,
        text=" ".join(page.text[start:end].split()) if len(rows) > 1 else page.text[start:end],
        box=box,
        size=size,
        bold=(bool(page.bold[rows[0], 0]), bool(page.bold[rows[-1], 1])),
        gaps=len([gap for gap in lists.gaps[first : last - 1] if gap > wide]),
        upright=bool(page.upright[rows[0]]),
    )


def body_size(pages: Sequence[Sequence[Line]]) -> float:
    """The type size in which most of the characters are set, in points; 10 for a paper without text."""
    weights: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            if line.upright:
                weights[round(line.size * 2) / 2] += line.end - line.start
    return weights.most_common(1)[0][0] if weights else 10.0


def mark_breaks(lines: Sequence[Line]) -> None:
    """Say of each line whether it begins a new line of the page's text: a paragraph, a row, a heading."""
    for index, line in enumerate(lines):
        line.breaks = index == 0 or _is_break(
            lines[index - 1], line, lines[index + 1] if index + 1 < len(lines) else None, lines, index
        )


def _is_break(above: Line, line: Line, below: Line | None, lines: Sequence[Line], index: int) -> bool:
    if above.kind != line.kind or above.section != line.section or line.kind in ("table", "furniture"):
        return True
    if abs(above.size - line.size) > 0.09 * max(above.size, line.size) or above.upright != line.upright:
        return True
    if above.text.endswith(SOFT_HYPHEN) and line.text[:1].islower():
        return False
    if line.kind == "bibliography":
        return line.opens
    if line.kind == "heading":
        return False
    unfinished = not _SENTENCE_END.search(above.text.rstrip())
    distance = line.box[1] - above.box[3]
    if distance < -0.9 * line.height or distance > 6 * line.size:  # the next column
        return not (unfinished and line.text[:1].islower())
    if distance > 0.75 * line.height:
        return not (unfinished and line.text[:1].islower() and distance < 2.5 * line.height)
    if _ITEM.match(line.text) and not above.text.endswith(("-", SOFT_HYPHEN)):  # "top-" and "1. Our code"
        return True
    return not unfinished and _is_indented(above, line, below)


def _is_indented(above: Line, line: Line, below: Line | None) -> bool:
    """Does a paragraph begin here, by an indented first line or after a short last one?"""
    step = 0.6 * line.size
    if line.box[0] > above.box[0] + step and (below is None or line.box[0] > below.box[0] + step):
        return True
    return above.box[2] < line.box[2] - 3 * line.size and abs(above.box[0] - line.box[0]) < step
