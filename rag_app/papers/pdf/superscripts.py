"""Digits that are printed above the base line: marks of references and footnotes, exponents, units.

pdfium gives "2.4" with a raised 4 as "2.44". By size and place of each character such digits are told from the others
before the characters become words, and are written as what they look like: "2.4⁴", "10⁻⁵", "m²".
"""

from __future__ import annotations

import ctypes
import re
from collections import deque
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct
from rag_app.text.characters import AS_RAISED, LETTERS_AS_RAISED

SMALLER = 0.86  # of the size of the characters on the base line
LEAST_RISE, MOST_RISE = 0.14, 0.8  # of that size
ATTACHED = 0.35  # of that size: how far a mark may stand from its word
TYPE_3 = 1.5  # points: fonts of such a size have a scale of their own, and the letters' boxes tell how large they are
LONGEST = 40  # characters of a word that are looked at: a longer one is an address or data, with its mark before it

_DIGIT = re.compile(r"\d")
_RUN = re.compile(r"[\d+\-−–,*†‡]+")
_NAME_AND_LETTER = re.compile(r"[^\W\d_][^\W\d_]")


_loose_box = direct(pdfium.FPDFText_GetLooseCharBox, INTEGER, ADDRESS, INTEGER, ADDRESS)
_matrix = direct(pdfium.FPDFText_GetMatrix, INTEGER, ADDRESS, INTEGER, ADDRESS)
_font_size = direct(pdfium.FPDFText_GetFontSize, ctypes.c_double, ADDRESS, INTEGER)
_origin = direct(pdfium.FPDFText_GetCharOrigin, INTEGER, ADDRESS, INTEGER, ADDRESS, ADDRESS)


@dataclass(frozen=True)
class _Placement:
    """How one character is set: its size, and where its origin stands across and along the direction of writing."""

    size: float
    base: float
    along: float


class _Characters:
    """The characters of one page, asked of pdfium one by one."""

    def __init__(self, textpage: pypdfium2.PdfTextPage, ends: list[list[float]]) -> None:
        self.ends = ends  # heights of each word's first and last character
        self.handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
        self.boxes, self.matrix = np.zeros((LONGEST + 1, 4), np.float32), (ctypes.c_float * 6)()
        self.place_of_boxes, self.place_of_matrix = self.boxes.ctypes.data, ctypes.addressof(self.matrix)
        self.origin = (ctypes.c_double * 2)()
        self.place_of_origin = ctypes.addressof(self.origin)

    def heights(self, first: int, last: int) -> list[float]:
        """Height or width of each character's box, the larger one: all alike where no character is raised."""
        place, count = self.place_of_boxes, last - first + 1
        for index in range(first, last + 1):
            _loose_box(self.handle, index, place)
            place += 16
        return [abs(top - bottom) or abs(right - left) for left, top, right, bottom in self.boxes[:count].tolist()]

    def measure(self, indices: list[int]) -> np.ndarray:
        """The same of many characters, float64 (n,)."""
        boxes = np.zeros((len(indices), 4), np.float32)
        place, size = boxes.ctypes.data, boxes.nbytes
        deque(map(_loose_box, repeat(self.handle), indices, range(place, place + size, 16)), maxlen=0)
        wide, high = np.abs(boxes[:, :2] - boxes[:, 2:].astype(np.float64)).T
        found: np.ndarray = np.where(high, high, wide)
        return found

    def set_of(self, index: int) -> _Placement:
        _matrix(self.handle, index, self.place_of_matrix)
        _origin(self.handle, index, self.place_of_origin, self.place_of_origin + 8)
        a, b, c, d, _, _ = self.matrix
        size = float(_font_size(self.handle, index))
        sign = -1.0 if size < 0 else 1.0
        up, right = (c * c + d * d) ** 0.5 or 1.0, sign * (a * a + b * b) ** 0.5 or 1.0
        x, y = self.origin
        if abs(size) * up < TYPE_3:
            size = (-1.0 if size < 0 else 1.0) * self.heights(index, index)[0] / up
        return _Placement(abs(size) * up, (y * a - x * b) / right, (x * a + y * b) / right)


def with_raised_digits(
    textpage: pypdfium2.PdfTextPage,
    text: str,
    words: np.ndarray,
    characters: np.ndarray,
    heights: np.ndarray,
    letters: bool = False,
) -> str:
    """The text with raised digits and their signs as Unicode has them; every offset stays.

    `words`: offsets of the words, int32 (n, 2); `characters`: pdfium's first and last character of each;
    `heights`: of the boxes of these two, float64 (n, 2). `letters`: also a raised letter at a word's end, as after the
    names of authors.
    """
    page = _Characters(textpage, heights.tolist())
    spans, ends = words.tolist(), characters.tolist()
    changed: list[str] | None = None
    for row in range(len(words)) if letters else _rows_to_look_at(page, text, words, characters, heights):
        (start, end), (first, last) = spans[row], ends[row]
        if last - first != end - start - 1:
            continue
        if letters and 3 <= end - start <= LONGEST and _NAME_AND_LETTER.match(text, start, end):
            for left, right in _raised_letters(page, text, start, first, last):
                changed = changed or list(text)
                changed[left:right] = text[left:right].translate(LETTERS_AS_RAISED)
        if not _DIGIT.search(text, start, end):
            continue
        for left, right in _raised_runs(page, text, spans, ends, row):
            changed = changed or list(text)
            changed[left:right] = text[left:right].translate(AS_RAISED)
    return text if changed is None else "".join(changed)


def _rows_to_look_at(
    page: _Characters, text: str, words: np.ndarray, characters: np.ndarray, heights: np.ndarray
) -> list[int]:
    """The words with a digit whose characters differ in height, or that stand beside a character that may be taller."""
    digits = np.array([match.start() for match in _DIGIT.finditer(text)], np.int32)
    rows = np.unique(np.searchsorted(words[:, 0], digits, side="right") - 1)
    rows = rows[rows >= 0]
    lengths = characters[rows, 1] - characters[rows, 0] + 1
    whole = lengths == words[rows, 1] - words[rows, 0]
    rows, lengths = rows[whole], np.minimum(lengths[whole], LONGEST)
    if not len(rows):
        return []
    first, end = characters[rows, 0].tolist(), (characters[rows, 0] + lengths).tolist()
    measured = page.measure([index for one, two in zip(first, end, strict=True) for index in range(one, two)])
    starts = np.cumsum([0, *lengths[:-1]])
    tallest, least = np.maximum.reduceat(measured, starts), np.minimum.reduceat(measured, starts)
    beside = SMALLER * np.concatenate([[0.0], heights.ravel(), [0.0]])  # of all ends: a word's are 2 row + 1 and + 2
    taller = np.maximum(beside[2 * rows], beside[2 * rows + 3]) >= tallest
    found: list[int] = rows[(least <= 0.94 * tallest) | taller].tolist()
    return found


def _raised_letters(page: _Characters, text: str, start: int, first: int, last: int) -> list[tuple[int, int]]:
    """Offsets of a raised letter after a word, before commas and marks that may follow it."""
    heights = page.heights(first, last)
    if min(heights) > 0.94 * max(heights):
        return []
    sets = [page.set_of(index) for index in range(first, last + 1)]
    base = max(sets, key=lambda one: one.size)
    found = [
        (start + at, start + at + 1)
        for at in (*range(2, len(sets)), *([0] if text[start + 1].isupper() else []))
        if text[start + at].islower() and text[start + at].isascii() and _is_raised(sets[at], base)
    ]
    return found if len(found) <= 3 else []


def _raised_runs(
    page: _Characters, text: str, spans: list[list[int]], ends: list[list[int]], row: int
) -> list[tuple[int, int]]:
    """Offsets of the runs of raised digits within one word."""
    (start, end), (first, last) = spans[row], ends[row]
    end, last = min(end, start + LONGEST), min(last, first + LONGEST - 1)
    heights = page.heights(first, last) if end - start > 2 else page.ends[row]
    tallest = max(heights)
    if min(heights) > 0.94 * tallest:
        base = _beside(page, spans, ends, row, tallest)
        if base is None:
            return []
        sets = [page.set_of(index) for index in range(first, last + 1)]
    else:
        sets = [page.set_of(index) for index in range(first, last + 1)]
        base = max(sets, key=lambda one: one.size)
    raised = [_is_raised(one, base) for one in sets]
    if not any(raised):
        return []
    found = []
    for match in _RUN.finditer(text, start, end):
        left = match.start()
        while left < match.end():
            right = left
            while right < match.end() and raised[right - start]:
                right += 1
            if right > left and _is_mark(text, left, right, start, end, raised):
                found.append((left, right))
            left = max(right, left + 1)
    return found


def _is_mark(text: str, left: int, right: int, start: int, end: int, raised: list[bool]) -> bool:
    """Not the numerator of a fraction, nor a part of a raised word or number: "±0.4", "n-1"."""
    if not _DIGIT.search(text, left, right) or text[right : right + 1] in ("/", "⁄"):
        return False
    before = left > start and raised[left - 1 - start]
    after = right < end and raised[right - start] and text[right] not in ".;:)]’”∗*†‡§¶"
    return not before and not after


def _is_raised(one: _Placement, base: _Placement) -> bool:
    rise = one.base - base.base
    return one.size <= SMALLER * base.size and LEAST_RISE * base.size < rise < MOST_RISE * base.size


def _beside(
    page: _Characters, spans: list[list[int]], ends: list[list[int]], row: int, tallest: float
) -> _Placement | None:
    """The taller character that a word of one size is attached to, before it or after it; None where there is none."""
    for other, side in ((row - 1, 1), (row + 1, 0)):
        if not 0 <= other < len(ends):
            continue
        index = ends[other][side]
        if page.ends[other][side] * SMALLER < tallest:
            continue
        base = page.set_of(index)
        own = page.set_of(ends[row][0] if side else ends[row][1])
        if abs(own.along - base.along) < (1 + ATTACHED) * base.size:
            return base
    return None
