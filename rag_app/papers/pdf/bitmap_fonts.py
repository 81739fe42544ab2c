"""Letters of bitmap fonts without a name, as TeX made them for printers: pdfium then gives TeX's own codes as text.

Papers of the 1990s are set in them: "effective" is read as "e\\x0bective", and 1/m as "1=m". Which code is a ligature
is known from TeX's text encoding (OT1, The TeXbook, appendix F) where the font sets words; a sign that looks like
another one is told by the shape of its box. Such fonts have a scale of their own, and the letters tell how large they
are.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct

_LIGATURES = {
    "\x0b": "ﬀ",
    "\x0c": "ﬁ",
    "\r": "ﬂ",
    "\x0e": "ﬃ",
    "\x0f": "ﬄ",
    "\x19": "ß",
    "\x1a": "æ",
    "\x1b": "œ",
    "\x1c": "ø",
}
_FLAT = {"{": "–", "|": "—"}  # what is drawn where a box is twice as wide as high
_TALL = {"=": "/"}  # where it is higher than wide
_SQUAT = {":": ".", ";": ","}  # where it is not much higher than wide
_CODES = re.compile(r"[\x0b\x0c\x0e\x0f\x19-\x1c={|:;]|\r(?!\n)")
_WORD = re.compile(r"[a-z]{4,}")
_MOST_WORDS = 300  # of a page are asked for their font


_is_unmapped = direct(pdfium.FPDFText_HasUnicodeMapError, INTEGER, ADDRESS, INTEGER)
_is_generated = direct(pdfium.FPDFText_IsGenerated, INTEGER, ADDRESS, INTEGER)
_object_of = direct(pdfium.FPDFText_GetTextObject, ADDRESS, ADDRESS, INTEGER)
_font_of = direct(pdfium.FPDFTextObj_GetFont, ADDRESS, ADDRESS)
_matrix = direct(pdfium.FPDFText_GetMatrix, INTEGER, ADDRESS, INTEGER, ADDRESS)
_font_info = direct(pdfium.FPDFText_GetFontInfo, ctypes.c_ulong, ADDRESS, INTEGER, ADDRESS, ctypes.c_ulong, ADDRESS)


def decode_bitmap_fonts(
    textpage: pypdfium2.PdfTextPage, text: str, index_of: Callable[[int], int]
) -> Iterator[tuple[int, str]]:
    """Offsets of codes of fonts that have no name, and the characters that are drawn there, each one character.

    `index_of`: the offset of a character in `text` -> pdfium's index of it.
    """
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    asked = ((match.start(), index_of(match.start())) for match in _CODES.finditer(text))
    coded = [(at, index) for at, index in asked if _is_unmapped(handle, index) == 1 and _is_nameless(handle, index)]
    if not coded:
        return
    of_words = _fonts_of_words(handle, text, index_of)
    for at, index in coded:
        code = text[at]
        if code in _LIGATURES:
            if not _is_generated(handle, index) and _font(handle, index) in of_words:
                yield at, _LIGATURES[code]
            continue
        wide, high = _shape(textpage, index)
        if code in _FLAT and wide > 2 * high:
            yield at, _FLAT[code]
        elif code in _TALL and high > 1.3 * wide:
            yield at, _TALL[code]
        elif code in _SQUAT and high < (1.5 if code == ":" else 2.6) * wide:
            yield at, _SQUAT[code]


def _is_nameless(handle: int | None, index: int) -> bool:
    return bool(_font_info(handle, index, None, 0, None) <= 1)


def _font(handle: int | None, index: int) -> int:
    found = _object_of(handle, index)
    return _font_of(found) or 0 if found else 0


def _fonts_of_words(handle: int | None, text: str, index_of: Callable[[int], int]) -> set[int]:
    """The fonts in which whole words are set: those of formulas set a letter here and there."""
    found = set()
    for count, match in enumerate(_WORD.finditer(text)):
        if count >= _MOST_WORDS:
            break
        first, last = _font(handle, index_of(match.start())), _font(handle, index_of(match.end() - 1))
        if first and first == last:
            found.add(first)
    return found


def _shape(textpage: pypdfium2.PdfTextPage, index: int) -> tuple[float, float]:
    """Width and height of a character's box, along and across the direction of writing, in points."""
    matrix = np.zeros(4 + 2, np.float32)
    _matrix(ctypes.cast(textpage.raw, ctypes.c_void_p).value, index, matrix.ctypes.data)
    left, bottom, right, top = textpage.get_charbox(index)
    upright = abs(matrix[0]) >= abs(matrix[1])
    return (right - left, top - bottom) if upright else (top - bottom, right - left)


_LARGE = 40.0  # points: a character's box that is larger is looked at
_TOO_LARGE = 3.0  # times the drawn letters: what the font says of its size is then wrong
_ASCENDERS = frozenset(map(ord, "bdhklABDEFGHIKLMNPRTUVWX"))
_TALL_SHARE = 0.69  # of the type size
_LONGEST = 80  # characters


def letter_size(textpage: pypdfium2.PdfTextPage, first: int, last: int, sideways: bool) -> float:
    """The type size in points by the height of tall letters; 0 where there is none. `sideways`: they run up or down."""
    heights = []
    for index in range(first, min(last, first + _LONGEST) + 1):
        if pdfium.FPDFText_GetUnicode(textpage.raw, index) in _ASCENDERS:
            left, bottom, right, top = textpage.get_charbox(index)
            heights.append(right - left if sideways else top - bottom)
    return round(float(np.median(heights)) / _TALL_SHARE * 2) / 2 if heights else 0.0


def fit_boxes(textpage: pypdfium2.PdfTextPage, characters: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The boxes of characters; where a font without a name says nonsense of its size, those of what is drawn.

    `characters`: pdfium's first and last of each word, int32 (n, 2); `corners`: left, top, right, bottom of their
    boxes, float32 (n, 2, 4).
    """
    sizes = np.abs(corners[:, :, :2] - corners[:, :, 2:]).max(axis=2)
    large = np.argwhere(sizes > _LARGE).tolist()
    if not large:
        return corners
    handle, found = ctypes.cast(textpage.raw, ctypes.c_void_p).value, corners.copy()
    for row, end in large:
        index = int(characters[row, end])
        left, bottom, right, top = textpage.get_charbox(index)
        if _TOO_LARGE * max(right - left, top - bottom) < sizes[row, end] and _is_nameless(handle, index):
            found[row, end] = left, top, right, bottom
    return found
