"""What is drawn on a PDF page: texts with their colours, filled areas, pictures, in the order of drawing.

pdfium tells it object by object, also within forms; nothing here decides what of it can be seen.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

WHITE = 225  # of 255: the least channel of a colour that white paper may swallow
OPAQUE, CLEAR = 230, 40  # of 255: alpha of what covers, and of what is as good as not there
DEEPEST = 6  # forms within forms
COVERING = 4.0  # points: what is narrower hides no line of text
MOST_COVERS = 3_000  # of a page; of a drawing with more only the picture can tell

INVISIBLE = (3, 7)  # render modes: neither filled nor stroked; clip only
_TEXT, _PATH, _IMAGE, _SHADING, _FORM = 1, 2, 3, 4, 5
_address, _integer, _float = ctypes.c_void_p, ctypes.c_int, ctypes.c_float


def _direct(function: object, result: type, *arguments: type) -> Callable[..., int]:
    """A pdfium function that takes addresses as numbers: a third of the time per call."""
    address = ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    return ctypes.CFUNCTYPE(result, *arguments)(address)


_object_at = _direct(pdfium.FPDFPage_GetObject, _address, _address, _integer)
_inner_at = _direct(pdfium.FPDFFormObj_GetObject, _address, _address, ctypes.c_ulong)
_inner_count = _direct(pdfium.FPDFFormObj_CountObjects, _integer, _address)
_type_of = _direct(pdfium.FPDFPageObj_GetType, _integer, _address)
_mode_of = _direct(pdfium.FPDFTextObj_GetTextRenderMode, _integer, _address)
_fill_of = _direct(pdfium.FPDFPageObj_GetFillColor, _integer, _address, _address, _address, _address, _address)
_stroke_of = _direct(pdfium.FPDFPageObj_GetStrokeColor, _integer, _address, _address, _address, _address, _address)
_draw_mode = _direct(pdfium.FPDFPath_GetDrawMode, _integer, _address, _address, _address)
bounds_of = _direct(pdfium.FPDFPageObj_GetBounds, _integer, _address, _address, _address, _address, _address)
_matrix_of = _direct(pdfium.FPDFPageObj_GetMatrix, _integer, _address, _address)
object_of = _direct(pdfium.FPDFText_GetTextObject, _address, _address, _integer)
text_of = _direct(
    pdfium.FPDFTextObj_GetText, ctypes.c_ulong, _address, _address, _address, ctypes.c_ulong
)  # bytes of UTF-16, the final zero among them
activate = _direct(pdfium.FPDFPageObj_SetIsActive, _integer, _address, _integer)


Text = tuple[int, int, list[int]]
"""Its place in the order of drawing, its render mode, and red, green, blue, alpha."""

_BLACK = [0, 0, 0, 255]


@dataclass(slots=True)
class Objects:
    texts: dict[int, Text] = field(default_factory=dict)  # by address
    covers: list[tuple[float, ...]] = field(default_factory=list)  # left, bottom, right, top, order, red, green, blue
    suspicious: bool = False  # some text is drawn as no ordinary one
    count: int = 0


def objects_on(page: pypdfium2.PdfPage) -> Objects:
    """Texts, filled areas and pictures of the page, also within forms, in the order of drawing."""
    found = Objects()
    handle = ctypes.cast(page.raw, ctypes.c_void_p).value
    _gather(found, _object_at, handle or 0, pdfium.FPDFPage_CountObjects(page.raw), None, 0)
    return found


def _gather(
    found: Objects, at: Callable[..., int], parent: int, count: int, matrix: np.ndarray | None, depth: int
) -> None:
    colour, numbers = np.zeros(4, np.uint32), np.zeros(6, np.float32)
    place, edge = colour.ctypes.data, numbers.ctypes.data
    channels, edges = (place, place + 4, place + 8, place + 12), (edge, edge + 4, edge + 8, edge + 12)
    least = COVERING / _enlarged(matrix)
    texts, read, order = found.texts, colour.tolist, found.count
    for index in range(count):
        address = at(parent, index)
        kind = _type_of(address)
        order += 1
        if kind == _TEXT:
            mode = _mode_of(address)
            known = (_stroke_of if mode in (1, 5) else _fill_of)(address, *channels)
            values = read() if known else _BLACK  # a pattern has no one colour
            texts[address] = order, mode, values
            if mode in INVISIBLE or values[3] < CLEAR or (values[0] >= WHITE <= values[1] and values[2] >= WHITE):
                found.suspicious = True
        elif kind in (_PATH, _IMAGE, _SHADING):
            if len(found.covers) >= MOST_COVERS or not bounds_of(address, *edges):
                continue
            left, bottom, right, top, *_ = numbers.tolist()
            if right - left < least or top - bottom < least:
                continue
            picture = kind != _PATH
            if picture or (_draw_mode(address, place, place + 4) and colour[0] and _fill_of(address, *channels)):
                red, green, blue, alpha = (-999, -999, -999, 255) if picture else colour.tolist()
                if alpha >= OPAQUE:
                    box = _placed((left, bottom, right, top), matrix)
                    found.covers.append((*box, order, red, green, blue))
        elif kind == _FORM and depth < DEEPEST:
            _matrix_of(address, edge)
            found.count = order
            inner = numbers.copy() if matrix is None else _product(numbers, matrix)
            _gather(found, _inner_at, address, _inner_count(address), inner, depth + 1)
            order = found.count
    found.count = order


def _enlarged(matrix: np.ndarray | None) -> float:
    """By how much a form is drawn larger than its own coordinates say."""
    if matrix is None:
        return 1.0
    a, b, c, d = matrix[:4].tolist()
    return float(max(abs(a * d - b * c) ** 0.5, 1e-6))


def _product(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The matrix that applies `one`, then `two`; each is a, b, c, d, e, f."""

    def full(matrix: np.ndarray) -> np.ndarray:
        a, b, c, d, e, f = matrix.tolist()
        return np.array([[a, b, 0], [c, d, 0], [e, f, 1]])

    both: np.ndarray = (full(one) @ full(two))[:, :2].reshape(6)
    return both


def _placed(box: tuple[float, float, float, float], matrix: np.ndarray | None) -> tuple[float, float, float, float]:
    if matrix is None:
        return box
    left, bottom, right, top = box
    a, b, c, d, e, f = matrix.tolist()
    xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
    ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
    return min(xs), min(ys), max(xs), max(ys)
