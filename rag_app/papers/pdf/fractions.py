"""Fractions that stand in a line with one number above the other: "2/3", which pdfium gives as the lines "2" and "3".

Split so, a sentence ends at the numerator, and the next one begins with a number that the page does not have.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.signs import PageText

_STACKED = re.compile(r"(?<!\S)(\d{1,4})(\r\n)(\d{1,4})(?!\S)")
_OVERLAP = 0.5  # of the narrower number: so far one stands above the other
_FAR = 1.3  # heights of a number between the two: a line of the fraction with its margins
_THICK = 0.25  # of that height: a bar
_WIDEST = 3.0  # times the wider number: a longer line is a table's


def with_stacked_fractions(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, read: PageText) -> PageText:
    """The same text with such fractions as one word, where a bar is drawn between the two numbers."""
    found = [match for match in _STACKED.finditer(read.text) if not read.wide]
    if not found:
        return read
    indices = np.arange(len(read.text), dtype=np.int32) if read.indices is None else read.indices
    if read.indices is None and textpage.count_chars() != len(read.text):
        return read
    boxes = [(_box(textpage, indices, *match.span(1)), _box(textpage, indices, *match.span(3))) for match in found]
    near = [(match, *pair) for match, pair in zip(found, boxes, strict=True) if _is_stacked(*pair)]
    bars = _list_bars(page) if near else []
    breaks = [match.start(2) for match, above, below in near if any(_is_between(bar, above, below) for bar in bars)]
    if not breaks:
        return read
    kept = np.ones(len(read.text), bool)
    kept[[at + 1 for at in breaks]] = False
    text = list(read.text)
    for at in breaks:
        text[at] = "/"
    return replace(
        read,
        text="".join(character for character, stays in zip(text, kept.tolist(), strict=True) if stays),
        indices=indices[kept],
        fractions=tuple(at - before for before, at in enumerate(breaks)),
    )


_Box = tuple[float, float, float, float]  # left, bottom, right, top in points


def _box(textpage: pypdfium2.PdfTextPage, indices: np.ndarray, start: int, end: int) -> _Box:
    first, last = (textpage.get_charbox(int(indices[at])) for at in (start, end - 1))
    return first[0], min(first[1], last[1]), last[2], max(first[3], last[3])


def _is_stacked(above: _Box, below: _Box) -> bool:
    shared = min(above[2], below[2]) - max(above[0], below[0])
    height = above[3] - above[1]
    return (
        shared >= _OVERLAP * min(above[2] - above[0], below[2] - below[0]) and 0 < above[1] - below[3] < _FAR * height
    )


def _is_between(bar: _Box, above: _Box, below: _Box) -> bool:
    """Whether a drawn line parts the two numbers and is hardly wider than they are."""
    left, right = min(above[0], below[0]), max(above[2], below[2])
    return (
        bar[3] - bar[1] < _THICK * (above[3] - above[1])
        and below[3] <= (bar[1] + bar[3]) / 2 <= above[1]
        and bar[0] <= left + 1
        and bar[2] >= right - 1
        and bar[2] - bar[0] < _WIDEST * (right - left)
    )


def _list_bars(page: pypdfium2.PdfPage) -> list[_Box]:
    """The boxes of what is drawn on the page and is wider than high."""
    paths = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=1)
    found: list[_Box] = [path.get_bounds() for path in paths]
    return [box for box in found if box[2] - box[0] > box[3] - box[1]]
