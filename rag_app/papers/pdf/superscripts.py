"""Digits that are printed above the base line: marks of references and footnotes, exponents, units.

pdfium gives "2.4" with a raised 4 as "2.44". By size and place of each character such digits are told from the others
before the characters become words, and are written as what they look like: "2.4⁴", "10⁻⁵", "m²".
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct, read_loose_boxes
from rag_app.text.characters import AS_RAISED, LETTERS_AS_RAISED

SMALLER = 0.86  # of the size of the characters on the base line
LEAST_RISE, MOST_RISE = 0.14, 0.8  # of that size
UNEVEN = 0.94  # of the tallest character of a word: one that is raised is lower
ATTACHED = 0.35  # of that size: how far a mark may stand from its word
TYPE_3 = 1.5  # points: fonts of such a size have a scale of their own, and the letters' boxes tell how large they are
LONGEST = 40  # characters of a word that are looked at: a longer one is an address or data, with its mark before it

_DIGIT = re.compile(r"\d")
_RUN = re.compile(r"[\d+\-−–,*†‡]+")
# Behind a digit, what may be the power of a number: not an ordinal ("1st"), nor a mark.
_POWER = re.compile(r"(?<=\d)(?!st\b|nd\b|rd\b|th\b)[^\W_]|(?<=\d)[⌊⌈(\[{−+-]")
_NAME_AND_LETTER = re.compile(r"[^\W\d_][^\W\d_]")


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

    def __init__(self, textpage: pypdfium2.PdfTextPage, ends: np.ndarray) -> None:
        self.ends = ends  # heights of each word's first and last character, float64 (n, 2)
        self.handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
        self.matrix, self.origin = (ctypes.c_float * 6)(), (ctypes.c_double * 2)()
        self.place_of_matrix, self.place_of_origin = ctypes.addressof(self.matrix), ctypes.addressof(self.origin)

    def heights(self, indices: Sequence[int]) -> np.ndarray:
        """Height of each character's box or, without one, its width, float64 (n,): alike where none is raised."""
        boxes = read_loose_boxes(self.handle, indices)
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
            size = (-1.0 if size < 0 else 1.0) * float(self.heights([index])[0]) / up
        return _Placement(abs(size) * up, (y * a - x * b) / right, (x * a + y * b) / right)


def with_raised_digits(
    textpage: pypdfium2.PdfTextPage,
    text: str,
    words: np.ndarray,
    characters: np.ndarray,
    heights: np.ndarray,
    letters: bool = False,
) -> tuple[str, tuple[int, ...]]:
    """The text with raised digits and their signs as Unicode has them; every offset stays.

    With it offsets of what is raised behind a digit and cannot be written so: of "2⌊log2 n⌋" nobody knows the power.

    `words`: offsets of the words, int32 (n, 2); `characters`: pdfium's first and last character of each;
    `heights`: of the boxes of these two, float64 (n, 2). `letters`: also a raised letter at a word's end, as after the
    names of authors.
    """
    page = _Characters(textpage, heights)
    doubtful: list[int] = []
    found = [
        (*run, AS_RAISED)
        for row in _rows_with_digits(page, text, words, characters)
        for run in _raised_runs(page, text, words, characters, row, doubtful)
    ]
    if letters:
        found += [
            (*run, LETTERS_AS_RAISED)
            for row in _rows_with_names(page, text, words, characters)
            for run in _raised_letters(page, text, int(words[row, 0]), *characters[row].tolist())
        ]
    if not found:
        return text, tuple(doubtful)
    changed = list(text)
    for left, right, forms in found:
        changed[left:right] = text[left:right].translate(forms)
    return "".join(changed), tuple(doubtful)


def _rows_with_digits(page: _Characters, text: str, words: np.ndarray, characters: np.ndarray) -> list[int]:
    """The words with a digit whose characters differ in height, or that stand beside a character that may be taller."""
    digits = np.array([match.start() for match in _DIGIT.finditer(text)], np.int32)
    rows = np.unique(np.searchsorted(words[:, 0], digits, side="right") - 1)
    rows = _whole(rows[rows >= 0], words, characters)
    least, tallest = _measure(page, characters[rows])
    beside = SMALLER * np.concatenate([[0.0], page.ends.ravel(), [0.0]])  # a word's are 2 row + 1 and + 2
    taller = np.maximum(beside[2 * rows], beside[2 * rows + 3]) >= tallest
    found: list[int] = rows[(least <= UNEVEN * tallest) | taller].tolist()
    return found


def _rows_with_names(page: _Characters, text: str, words: np.ndarray, characters: np.ndarray) -> list[int]:
    """The words that begin with two letters and whose characters differ in height."""
    lengths = words[:, 1] - words[:, 0]
    rows = _whole(np.flatnonzero((lengths >= 3) & (lengths <= LONGEST)), words, characters)
    least, tallest = _measure(page, characters[rows])
    uneven = rows[least <= UNEVEN * tallest]
    return [row for row in uneven.tolist() if _NAME_AND_LETTER.match(text, *words[row].tolist())]


def _whole(rows: np.ndarray, words: np.ndarray, characters: np.ndarray) -> np.ndarray:
    """The words of these rows for which pdfium counts as many characters as the text holds."""
    found: np.ndarray = rows[np.diff(characters[rows])[:, 0] + 1 == np.diff(words[rows])[:, 0]]
    return found


def _measure(page: _Characters, characters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest height of each word's first LONGEST characters, float64 (n,) each."""
    if not len(characters):
        return np.zeros(0), np.zeros(0)
    lengths = np.minimum(characters[:, 1] - characters[:, 0] + 1, LONGEST)
    starts = np.cumsum([0, *lengths[:-1]])
    indices = np.arange(lengths.sum()) + np.repeat(characters[:, 0] - starts, lengths)
    measured = page.heights(indices.tolist())
    return np.minimum.reduceat(measured, starts), np.maximum.reduceat(measured, starts)


def _raised_letters(page: _Characters, text: str, start: int, first: int, last: int) -> list[tuple[int, int]]:
    """Offsets of a raised letter after a word, before commas and marks that may follow it."""
    sets = [page.set_of(index) for index in range(first, last + 1)]
    base = max(sets, key=lambda one: one.size)
    found = [
        (start + at, start + at + 1)
        for at in (*range(2, len(sets)), *([0] if text[start + 1].isupper() else []))
        if text[start + at].islower() and text[start + at].isascii() and _is_raised(sets[at], base)
    ]
    return found if len(found) <= 3 else []


def _raised_runs(
    page: _Characters, text: str, words: np.ndarray, characters: np.ndarray, row: int, doubtful: list[int]
) -> list[tuple[int, int]]:
    """Offsets of the runs of raised digits within one word; `doubtful` gets those of other powers of a number."""
    (start, end), (first, last) = words[row].tolist(), characters[row].tolist()
    end, last = min(end, start + LONGEST), min(last, first + LONGEST - 1)
    heights = page.heights(range(first, last + 1)) if end - start > 2 else page.ends[row]
    tallest = float(heights.max())
    if heights.min() > UNEVEN * tallest:
        base = _beside(page, characters, row, tallest)
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
    for match in _POWER.finditer(text, start, end):
        at = match.start()
        if raised[at - start] and not raised[at - 1 - start] and not any(left <= at < right for left, right in found):
            doubtful.append(at)
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


def _beside(page: _Characters, characters: np.ndarray, row: int, tallest: float) -> _Placement | None:
    """The taller character that a word of one size is attached to, before it or after it; None where there is none."""
    for other, side in ((row - 1, 1), (row + 1, 0)):
        if not 0 <= other < len(characters) or page.ends[other, side] * SMALLER < tallest:
            continue
        base = page.set_of(int(characters[other, side]))
        own = page.set_of(int(characters[row, 0 if side else 1]))
        if abs(own.along - base.along) < (1 + ATTACHED) * base.size:
            return base
    return None
