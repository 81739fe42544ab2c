"""The shape of one drawn character, and which of a list of signs it is: compared with the fonts that pdfium brings."""

from __future__ import annotations

import ctypes
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

SIGNS = "−=+±×<>≤≥≈∼/·°→µ∞"
"""What numbers are written with and fonts of signs draw."""
_FONTS = ("Times-Roman", "Helvetica", "Symbol")
_SLANTED = "≤≥"
_NEVER = "\u2603"  # in none of these fonts
_EM = 48  # pixels per type size
_GRID = 24  # cells each way that two shapes are compared on
_CERTAIN, _AGREES = 0.78, 0.72  # of 1: so alike is the sign that is drawn; so alike what it is called
_NEAR = 2  # cells
BAR = 0.16  # type sizes: a flat sign
_MARGIN = 0.06  # by so much the best sign is nearer than the next
_INK = 110  # of 255: darker is ink


@dataclass(frozen=True, eq=False)
class Drawing:
    """The ink of one character: bool (rows, columns), and where it stands in type sizes from its origin upwards."""

    ink: np.ndarray
    bottom: float
    top: float

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def width(self) -> float:
        return float(self.ink.shape[1] / _EM)


def draw_character(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, index: int) -> Drawing | None:
    """The character as the page shows it; None where there is no ink in its box, or it does not stand upright."""
    left, bottom, right, top = textpage.get_charbox(index)
    x, y, size = ctypes.c_double(), ctypes.c_double(), _type_size(textpage, index)
    if not pdfium.FPDFText_GetCharOrigin(textpage.raw, index, x, y) or not 3 <= size <= 100 or page.get_rotation():
        return None
    low_x, low_y, high_x, high_y = page.get_bbox()
    rim = 0.3
    scale = _EM / size
    crop = left - low_x - rim, bottom - low_y - rim, high_x - right - rim, high_y - top - rim
    if min(crop) < 0 or not 0 < right - left < 3 * size or not 0 < top - bottom < 3 * size:
        return None
    bitmap = page.render(scale=scale, crop=crop, grayscale=True, may_draw_forms=False)
    try:
        grey = np.array(bitmap.to_numpy()).reshape(bitmap.height, -1)[:, : bitmap.width]
    finally:
        bitmap.close()
    return _trim(np.abs(grey.astype(np.int16) - int(np.median([grey[0], grey[-1]]))) > _INK, top + rim - y.value, scale)


def _trim(ink: np.ndarray, top: float, scale: float) -> Drawing | None:
    """Only the rows and columns with ink; `top`: points from the base line up to the picture's upper edge."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return None
    part = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    upper = (top - rows[0] / scale) * scale / _EM
    return Drawing(part, upper - part.shape[0] / _EM, upper)


def _type_size(textpage: pypdfium2.PdfTextPage, index: int) -> float:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFText_GetMatrix(textpage.raw, index, matrix) or abs(matrix.b) > 0.1 * abs(matrix.a):
        return 0.0
    return float(abs(pdfium.FPDFText_GetFontSize(textpage.raw, index)) * abs(matrix.d))


def name_drawing(drawing: Drawing, called: str) -> str | Literal[False]:
    """The sign that is drawn: one of SIGNS, or `called` where it looks like that; False where neither is certain."""
    own = max((_likeness(drawing, one) for one in _known(called)), default=0.0)
    ranked = sorted(
        ((max((_likeness(drawing, one) for one in _known(sign)), default=0.0), sign) for sign in SIGNS), reverse=True
    )
    (best, sign), (second, _) = ranked[:2]
    if own >= _AGREES and own >= best - _MARGIN:
        return called
    return sign if best >= _CERTAIN and best - max(second, own) >= _MARGIN else False


def _likeness(one: Drawing, two: Drawing) -> float:
    """From 0 to 1: how much of each shape lies near the other, whether they have one form, and stand at one height."""
    cells, others = _cells(one), _cells(two)
    near = min((cells & _widen(others)).sum() / cells.sum(), (others & _widen(cells)).sum() / others.sum())
    fill = float(min(cells.mean(), others.mean()) / max(cells.mean(), others.mean()))
    bar = max(one.height, two.height) < BAR  # how thick a bar is says nothing
    form = min(one.width, two.width) / max(one.width, two.width)
    if not bar:
        form *= min(one.height, two.height) / max(one.height, two.height)
    apart = abs((one.top + one.bottom) - (two.top + two.bottom)) / 2
    return float(near * fill**0.15 * form**0.3 * max(0.0, 1 - apart))


def _widen(cells: np.ndarray) -> np.ndarray:
    """The cells and those beside them."""
    padded = np.pad(cells, _NEAR)
    size = len(cells)
    steps = range(2 * _NEAR + 1)
    found: np.ndarray = np.logical_or.reduce([padded[y : y + size, x : x + size] for y in steps for x in steps])
    return found


def _cells(drawing: Drawing) -> np.ndarray:
    """The shape on a square grid that it fills: bool (_GRID, _GRID)."""
    rows, columns = (((np.arange(_GRID) + 0.5) * size / _GRID).astype(int) for size in drawing.ink.shape)
    found: np.ndarray = drawing.ink[np.ix_(rows, columns)]
    return found


@cache
def _known(character: str) -> tuple[Drawing, ...]:
    """The character in each font that pdfium brings and that has it."""
    found = []
    for font in _FONTS:
        document = pypdfium2.PdfDocument.new()
        try:
            drawing = _draw_known(document, font, character)
        finally:
            document.close()
        if drawing is not None and not _is_missing(font, drawing):
            found.append(drawing)
    if character in _SLANTED:
        found.append(_draw_slanted(mirrored=character == "≥"))
    return tuple(found)


def _draw_slanted(mirrored: bool) -> Drawing:
    """The form of ≤ and ≥ whose lower line runs along the arm, which those fonts do not have."""
    rows, columns = round(0.66 * _EM), round(0.56 * _EM)
    along = np.linspace(0, 1, 4 * _EM)
    ink = np.zeros((rows, columns), bool)
    for start, end in (((1, 0), (0, 0.38)), ((0, 0.38), (1, 0.76)), ((0, 0.62), (1, 1))):
        x = start[0] + along * (end[0] - start[0])
        y = start[1] + along * (end[1] - start[1])
        for thick in (0, 1):
            row = np.minimum((y * (rows - 1)).astype(int) + thick, rows - 1)
            ink[row, (x * (columns - 1)).astype(int)] = True
    return Drawing(ink[:, ::-1] if mirrored else ink, -0.07, 0.59)


def _is_missing(font: str, drawing: Drawing) -> bool:
    missing = _draw_missing(font)
    return missing is not None and np.array_equal(drawing.ink, missing.ink)


@cache
def _draw_missing(font: str) -> Drawing | None:
    """What pdfium draws for a character that the font does not have."""
    document = pypdfium2.PdfDocument.new()
    try:
        return _draw_known(document, font, _NEVER)
    finally:
        document.close()


def _draw_known(document: pypdfium2.PdfDocument, font: str, character: str) -> Drawing | None:
    page = document.new_page(4 * _EM, 4 * _EM)
    for name in _spellings(character):
        text = pdfium.FPDFPageObj_NewTextObj(document.raw, font.encode(), float(_EM))
        units = (ctypes.c_ushort * 3)(*np.frombuffer(name.encode("utf-16-le"), np.uint16).tolist(), 0)
        pdfium.FPDFText_SetText(text, units)
        pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, _EM, 2 * _EM)
        pdfium.FPDFPage_InsertObject(page.raw, text)
        bitmap = page.render(scale=1, grayscale=True)
        try:
            grey = np.array(bitmap.to_numpy()).reshape(bitmap.height, -1)[:, : bitmap.width]
        finally:
            bitmap.close()
        drawing = _trim(grey < 255 - _INK, 2.0 * _EM, 1.0)
        if drawing is not None:
            return drawing
    return None


def _spellings(character: str) -> tuple[str, ...]:
    """The character as fonts may list it: the sign for micro or the Greek letter."""
    return tuple(dict.fromkeys((character, unicodedata.normalize("NFKC", character)[:1])))
