"""Words of a PDF page that lie under or on other letters: a letter may be a white box. The page's picture decides."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, direct
from rag_app.papers.pdf.hidden.veils import COVERING, HALF

MOST_PAIRS = 4_000_000  # of texts at one height: a page with more is a drawing, and only the picture can tell
AT_ONCE = 500_000  # pairs: what is compared in one step
COPY = 3.0  # points: a text whose edges are as near to another's and that says no other words is its copy


text_of = direct(
    pdfium.FPDFTextObj_GetText, ctypes.c_ulong, ADDRESS, ADDRESS, ADDRESS, ctypes.c_ulong
)  # bytes of UTF-16, the final zero among them


@dataclass(frozen=True, eq=False)
class TextBoxes:
    """The texts of a page in the order of drawing: addresses, and boxes float64 (n, 4): left, bottom, right, top."""

    addresses: list[int]
    boxes: np.ndarray

    def find_pairs(self) -> np.ndarray | None:
        """Which text lies, at least in part, in the area of which other: int (k, 2); None where there are too many."""
        left, bottom, right, top = self.boxes.T
        wide, high = right - left, top - bottom
        large = np.flatnonzero((wide >= COVERING) & (high >= COVERING))
        middle = (bottom + top) / 2
        by_height = np.argsort(middle)
        first = np.searchsorted(middle[by_height], bottom[large])
        counts = np.searchsorted(middle[by_height], top[large]) - first
        if counts.sum() > MOST_PAIRS:
            return None
        found = [np.zeros((0, 2), int)]
        for part in _split(counts):
            many = counts[part]
            outer = np.repeat(large[part], many)
            steps = np.arange(len(outer)) - np.repeat(np.cumsum(many) - many, many)
            inner = by_height[np.repeat(first[part], many) + steps]
            shared = np.minimum(right[inner], right[outer]) - np.maximum(left[inner], left[outer])
            keep = (shared >= np.minimum(COVERING, HALF * wide[inner])) & (inner != outer)
            inner, outer = inner[keep], outer[keep]
            slack = 0.3 * high[inner]
            keep = (bottom[inner] + slack >= bottom[outer]) & (top[inner] - slack <= top[outer])
            found.append(np.stack([inner[keep], outer[keep]], axis=1))
        return np.concatenate(found)

    def find_copies(self, pairs: np.ndarray, textpage: int) -> set[int]:
        """The outer texts of `pairs`, by address, that repeat the inner ones: a bold or a shadow that is drawn twice.

        Of two equal texts in one place pdfium tells the first only, and the other is empty.
        """
        near = np.abs(self.boxes[pairs[:, 0]] - self.boxes[pairs[:, 1]]).max(axis=1) < COPY
        found = set()
        for inner, outer in pairs[near].tolist():
            said = _text_of(self.addresses[outer], textpage)
            if not said or said == _text_of(self.addresses[inner], textpage):
                found.add(self.addresses[outer])
        return found


def find_touched(own: np.ndarray, texts: np.ndarray, pairs: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which words are within the outer texts of `pairs` for half of their width, bool (n,).

    `own`: the words' boxes on the page, float (n, 4); `texts`: the row of each one's text in `boxes`, -1 where unknown.
    """
    found = np.zeros(len(own), bool)
    within: dict[int, list[int]] = {}
    for inner, outer in pairs.tolist():
        within.setdefault(inner, []).append(outer)
    for row, text in enumerate(texts.tolist()):
        if text in within:
            others = boxes[within[text]]
            shared = np.minimum(others[:, 2], own[row, 2]) - np.maximum(others[:, 0], own[row, 0])
            found[row] = np.maximum(shared, 0).sum() >= HALF * (own[row, 2] - own[row, 0])
    return found


def _split(counts: np.ndarray) -> Iterator[slice]:
    """Runs of rows whose counts make up about AT_ONCE."""
    ends = np.searchsorted(np.cumsum(counts), np.arange(0, counts.sum() + AT_ONCE, AT_ONCE), side="right")
    for start, end in zip(ends, [*ends[1:], len(counts)], strict=True):
        if end > start:
            yield slice(start, end)


def _text_of(address: int, textpage: int) -> bytes:
    size = text_of(address, textpage, None, 0)
    if size <= 2:
        return b""
    room = ctypes.create_string_buffer(size)
    text_of(address, textpage, ctypes.addressof(room), size)
    return room.raw.strip(b"\0 ")
