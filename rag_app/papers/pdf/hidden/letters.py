"""Which words are drawn with letters that nobody can read, by their matrix, their places and the boxes of their ink.

A letter may be squeezed or sheared until it is a line, letters may stand on each other, and a font may draw dust, lines
or nothing at all where it says that letters are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, call_each, direct, read_loose_boxes

UNIFORM = 0.45  # of 2 |det| / |matrix|^2, which is 1 for letters drawn as high as wide: less is looked at
NARROWEST = 1 / 12  # of a letter's larger side the smaller one, by its matrix
BOX = 1.3  # of the size of the type: so high is a word's box at most, mostly
DUST = 0.3  # of the least size of type: the ink of every letter of a word is narrower or lower
LINE = 1 / 20  # of the larger side of its widest and its highest letter
STACKED = 0.4  # of the letters' own widths: nearer to each other they are a blot
AXIS = 0.1  # of one to the other part of a direction: less runs to the right, up, to the left or down
NEAR = 0.2  # of the height of a word each letter's share of its width: such a word is asked for its letters' places
FEWEST_LETTERS = 3  # in it
STEP = 4  # one word of so many is asked for the box of a letter: as many as the fewest words of a sentence
AROUND = 4 * STEP  # words before and after an empty one are looked at letter by letter
_THIN = frozenset("iIlLjJtTfFr1|!")  # letters that are narrow lines in some font


_matrix = direct(pdfium.FPDFText_GetMatrix, INTEGER, ADDRESS, INTEGER, ADDRESS)
_font_size = direct(pdfium.FPDFText_GetFontSize, ctypes.c_double, ADDRESS, INTEGER)
_ink_box = direct(pdfium.FPDFText_GetCharBox, INTEGER, ADDRESS, INTEGER, *(ADDRESS,) * 4)
_origin = direct(pdfium.FPDFText_GetCharOrigin, INTEGER, ADDRESS, INTEGER, ADDRESS, ADDRESS)


def is_distorted(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Which matrices draw letters much narrower in one direction than in another, bool (n,)."""
    found: np.ndarray = 2 * np.abs(a * d - b * c) < UNIFORM * (a * a + b * b + c * c + d * d)
    return found


def measure_stretch(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest that matrices make of a length, float64 (n,): their singular values."""
    area, squares = np.abs(a * d - b * c), a * a + b * b + c * c + d * d
    largest = np.sqrt((squares + np.sqrt(np.maximum(squares**2 - 4 * area**2, 0))) / 2)
    return np.divide(area, largest, out=np.zeros_like(area), where=largest > 0), largest


def are_lines(least: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Which letters are lines by what their matrix makes of a length, bool."""
    found: np.ndarray = (largest > 0) & (least < NARROWEST * largest)
    return found


def find_squeezed(textpage: pypdfium2.PdfTextPage, characters: np.ndarray, tiny: float) -> np.ndarray:
    """Which words have a first or last letter that their matrix makes a line, bool (n,).

    `tiny`: points; letters of a type that is less in any direction cannot be read.
    """
    least, largest, sizes = _measure_matrices(textpage, characters)
    distorted = 2 * least * largest < UNIFORM * (least**2 + largest**2)
    line = distorted & ((least * sizes < tiny) | are_lines(least, largest))
    found: np.ndarray = (line & (largest > 0)).any(axis=1)
    return found


def find_small(textpage: pypdfium2.PdfTextPage, characters: np.ndarray, own: np.ndarray, tiny: float) -> np.ndarray:
    """Which words are of a type that is less than `tiny` points, though their boxes are more, bool (n,)."""
    found = np.zeros(len(own), bool)
    sides = (own[:, 2:] - own[:, :2]).min(axis=1)
    asked = np.flatnonzero((sides >= tiny) & (sides < BOX * tiny))
    if len(asked):
        least, _, sizes = _measure_matrices(textpage, characters[asked])
        found[asked] = ((least * sizes < tiny) & (BOX * least * sizes >= sides[asked, None])).any(axis=1)
    return found


def _measure_matrices(textpage: pypdfium2.PdfTextPage, characters: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of the letters (n, 2): the least and the largest that the matrix makes of a length, and the size of the type."""
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    matrices = np.zeros((characters.size, 6), np.float32)
    place = matrices.ctypes.data
    asked = characters.ravel().tolist()
    call_each(_matrix, repeat(handle), asked, range(place, place + matrices.nbytes, 24))
    sizes = np.abs(np.fromiter(map(_font_size, repeat(handle), asked), np.float64, len(asked)))
    least, largest = measure_stretch(*matrices[:, :4].astype(np.float64).T)
    return least.reshape(-1, 2), largest.reshape(-1, 2), sizes.reshape(-1, 2)


def find_stacked(
    textpage: pypdfium2.PdfTextPage, characters: np.ndarray, own: np.ndarray, turned: np.ndarray
) -> np.ndarray:
    """Which words have letters that stand on each other, bool (n,). `turned`: those that run neither right nor left."""
    wide, high = (own[:, 2:] - own[:, :2]).T
    letters = characters[:, 1] - characters[:, 0] + 1
    asked = (wide < NEAR * high * letters) | (turned & (high < NEAR * wide * letters))
    found = np.zeros(len(own), bool)
    for row in np.flatnonzero(asked & (letters >= FEWEST_LETTERS)).tolist():
        found[row] = _stand_on_each_other(textpage, *characters[row].tolist())
    return found


def _stand_on_each_other(textpage: pypdfium2.PdfTextPage, first: int, last: int) -> bool:
    handle, count = ctypes.cast(textpage.raw, ctypes.c_void_p).value, last - first + 1
    numbers, places, letters = np.zeros(6, np.float32), np.zeros((count, 2)), range(first, last + 1)
    _matrix(handle, first, numbers.ctypes.data)
    boxes, place = read_loose_boxes(handle, letters), places.ctypes.data
    end = place + places.nbytes
    call_each(_origin, repeat(handle), letters, range(place, end, 16), range(place + 8, end, 16))
    along, across = numbers[:2].astype(np.float64), numbers[2:4].astype(np.float64)
    if not along.any() or not across.any():
        return False
    size = abs(_font_size(handle, first)) * np.hypot(*along)
    along /= np.hypot(*along)
    if min(abs(along)) < AXIS:  # the boxes are as wide as the letters
        sides = np.abs(boxes[:, 2:] - boxes[:, :2])
        widths = float(np.median(sides[:, int(abs(along[1]) > abs(along[0]))]))
    else:
        widths = 0.5 * size
    steps = np.abs(np.diff(places @ along))
    return bool(widths > 0 and np.median(steps) < STACKED * widths)


def find_empty(
    textpage: pypdfium2.PdfTextPage,
    texts: Sequence[str],
    characters: np.ndarray,
    tiny: float,
    area: tuple[float, ...],
) -> np.ndarray:
    """Which words a font draws as dust, as lines, as nothing or beside the page, bool (n,). `area`: what is shown.

    pdfium tells the box of each letter's ink, of an empty one a thousandth of the type's size high.
    """
    found = np.zeros(len(texts), bool)
    rows, asked = list[int](), list[int]()
    for row, text, (first, last) in zip(
        range(0, len(texts), STEP), texts[::STEP], characters[::STEP].tolist(), strict=True
    ):
        at = 0
        if text[0] in _THIN or not text[0].isalnum():
            at = next((at for at, sign in enumerate(text) if sign not in _THIN and sign.isalnum()), -1)
        if 0 <= at <= last - first:
            rows.append(row)
            asked.append(first + at)
    if not asked:
        return found
    boxes = _ink_boxes(textpage, asked)
    empty = np.array(rows)[_is_line(boxes[:, 2:] - boxes[:, :2], tiny) | _is_beside(boxes, area)].tolist()
    near = {row for one in empty for row in range(max(one - AROUND, 0), min(one + AROUND, len(texts)))}
    for row in sorted(near):
        if any(sign not in _THIN and sign.isalnum() for sign in texts[row]):
            first, last = characters[row].tolist()
            boxes = _ink_boxes(textpage, list(range(first, last + 1)))
            sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=0)
            whole = np.array([[*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]])
            found[row] = _is_line(sides[None], tiny)[0] or _is_beside(whole, area)[0]
    return found


def _ink_boxes(textpage: pypdfium2.PdfTextPage, indices: list[int]) -> np.ndarray:
    """Left, bottom, right, top of letters, float64 (n, 4)."""
    handle, boxes = ctypes.cast(textpage.raw, ctypes.c_void_p).value, np.zeros((len(indices), 4))
    place = boxes.ctypes.data
    left, bottom, right, top = (range(place + side, place + boxes.nbytes, 32) for side in (0, 8, 16, 24))
    call_each(_ink_box, repeat(handle), indices, left, right, bottom, top)
    return boxes


def _is_line(sides: np.ndarray, tiny: float) -> np.ndarray:
    found: np.ndarray = sides.min(axis=1) < np.maximum(DUST * tiny, LINE * sides.max(axis=1))
    return found


def _is_beside(boxes: np.ndarray, area: tuple[float, ...]) -> np.ndarray:
    """Which boxes have their middle outside of an area: bool (n,)."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    found: np.ndarray = ((middles < area[:2]) | (middles > area[2:])).any(axis=1)
    return found
