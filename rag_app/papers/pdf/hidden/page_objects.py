"""What is drawn on a PDF page: texts with their colours, filled areas, pictures, in the order of drawing.

pdfium tells it object by object, also within forms; nothing here decides what of it can be seen.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct
from rag_app.papers.pdf.hidden.clip_paths import NOWHERE, ClipPaths
from rag_app.papers.pdf.hidden.ink import CONTRAST, TINT, is_tint
from rag_app.papers.pdf.hidden.letters import AXIS, is_distorted, is_line
from rag_app.papers.pdf.hidden.stacked_text import TextBoxes
from rag_app.papers.pdf.hidden.veils import COVERING, Matrix, make_veils, transform_box

WHITE = 255 - CONTRAST  # of 255: the least channel of a colour that white paper may swallow
OPAQUE, CLEAR = 230, 40  # of 255: alpha of what covers, and of what is as good as not there
DEEPEST = 6  # forms within forms
MOST_COVERS = 3_000  # of a page; of a drawing with more only the picture can tell

INVISIBLE = (3, 7)  # render modes: neither filled nor stroked; clip only
_TEXT, _PATH, _IMAGE, _SHADING, _FORM = 1, 2, 3, 4, 5


_object_at = direct(pdfium.FPDFPage_GetObject, ADDRESS, ADDRESS, INTEGER)
_inner_at = direct(pdfium.FPDFFormObj_GetObject, ADDRESS, ADDRESS, ctypes.c_ulong)
_inner_count = direct(pdfium.FPDFFormObj_CountObjects, INTEGER, ADDRESS)
_type_of = direct(pdfium.FPDFPageObj_GetType, INTEGER, ADDRESS)
_mode_of = direct(pdfium.FPDFTextObj_GetTextRenderMode, INTEGER, ADDRESS)
_fill_of = direct(pdfium.FPDFPageObj_GetFillColor, INTEGER, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
_stroke_of = direct(pdfium.FPDFPageObj_GetStrokeColor, INTEGER, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
_width_of = direct(pdfium.FPDFPageObj_GetStrokeWidth, INTEGER, ADDRESS, ADDRESS)
font_info = direct(pdfium.FPDFText_GetFontInfo, ctypes.c_ulong, ADDRESS, INTEGER, ADDRESS, ctypes.c_ulong, ADDRESS)
_draw_mode = direct(pdfium.FPDFPath_GetDrawMode, INTEGER, ADDRESS, ADDRESS, ADDRESS)
bounds_of = direct(pdfium.FPDFPageObj_GetBounds, INTEGER, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
_matrix_of = direct(pdfium.FPDFPageObj_GetMatrix, INTEGER, ADDRESS, ADDRESS)
object_of = direct(pdfium.FPDFText_GetTextObject, ADDRESS, ADDRESS, INTEGER)
_has_transparency = direct(pdfium.FPDFPageObj_HasTransparency, INTEGER, ADDRESS)
activate = direct(pdfium.FPDFPageObj_SetIsActive, INTEGER, ADDRESS, INTEGER)


Text = tuple[int, int, list[int]]
"""Its place in the order of drawing, its render mode, and red, green, blue, alpha."""

_BLACK = [0, 0, 0, 255]
_NONE = [0, 0, 0, 0]
_UNKNOWN = [-999, -999, -999, 255]  # the colour of a picture or a pattern
_TILES = [191, 191, 191]  # what pdfium says is the colour of a pattern of coloured tiles


@dataclass(slots=True)
class PageObjects:
    texts: dict[int, Text] = field(default_factory=dict)  # by address
    covers: list[tuple[float, ...]] = field(default_factory=list)  # left, bottom, right, top, order, red, green, blue
    veils: list[np.ndarray] = field(default_factory=list)  # thin and half transparent areas: see make_veils
    boxes: list[tuple[list[int], np.ndarray]] = field(default_factory=list)  # of texts: addresses, left, bottom, ...
    suspicious: bool = False  # some text is drawn as no ordinary one
    distorted: bool = False  # some text is drawn much narrower in one direction than in another
    turned: list[tuple[float, ...]] = field(default_factory=list)  # boxes of texts that run neither right nor left
    smears: set[int] = field(default_factory=set)  # texts whose letters are lines: they stay switched off, see `switch`
    doubted: set[int] = field(default_factory=set)  # texts that may leave no ink: see _gather
    count: int = 0

    def paints(self, address: int) -> bool:
        """Whether the text is drawn with some ink, of whatever colour."""
        text = self.texts.get(address)
        return text is not None and text[1] not in INVISIBLE and text[2][3] >= CLEAR

    def switch(self, address: int, on: int) -> int:
        """Switch a text off (0) or on (1), but for smears: their ink would be taken for that of what they lie on."""
        return 0 if address in self.smears else activate(address, on)

    def in_order(self) -> TextBoxes:
        """The texts in the order of drawing, with their boxes on the page."""
        if len(self.boxes) == 1:
            return TextBoxes(*self.boxes[0])
        addresses = [address for own, _ in self.boxes for address in own]
        boxes = np.concatenate([*(boxes for _, boxes in self.boxes), np.zeros((0, 4))])
        order = sorted(range(len(addresses)), key=lambda place: self.texts[addresses[place]][0])
        return TextBoxes([addresses[place] for place in order], boxes[order])


def read_page_objects(page: pypdfium2.PdfPage) -> PageObjects:
    """Texts, filled areas and pictures of the page, also within forms, in the order of drawing."""
    found = PageObjects()
    handle = ctypes.cast(page.raw, ctypes.c_void_p).value
    _gather(found, _Room(), _object_at, handle or 0, pdfium.FPDFPage_CountObjects(page.raw), None, 0, False)
    return found


class _Room:
    """Where pdfium writes a colour and numbers, made once for a page: of some drawings each letter is a form."""

    def __init__(self) -> None:
        self.colour, self.numbers = (ctypes.c_uint32 * 4)(), (ctypes.c_float * 6)()
        place, edge = ctypes.addressof(self.colour), ctypes.addressof(self.numbers)
        self.place, self.edge = place, edge
        self.channels, self.edges = (place, place + 4, place + 8, place + 12), (edge, edge + 4, edge + 8, edge + 12)

    def read_colour(self) -> list[int]:
        return self.colour[:]


def _gather(
    found: PageObjects,
    room: _Room,
    at: Callable[..., int],
    parent: int,
    count: int,
    matrix: Matrix | None,
    depth: int,
    doubted: bool,
) -> None:
    """Adds the objects of a page or a form to `found`. `doubted`: the form may be drawn without ink as a whole."""
    numbers, edge, channels, edges = room.numbers, room.edge, room.channels, room.edges
    least = COVERING / _scale_factor(matrix)
    texts, read, order, clips = found.texts, room.read_colour, found.count, ClipPaths()
    own, bounds, thin = list[int](), list[tuple[float, ...]](), list[tuple[float, ...]]()  # of the texts
    for index in range(count):
        address = at(parent, index)
        kind = _type_of(address)
        order += 1
        if kind == _TEXT:
            mode = _mode_of(address)
            known = (_stroke_of if mode in (1, 5) else _fill_of)(address, *channels)
            values = read() if known else _BLACK  # a pattern has no one colour
            texts[address] = order, mode, values
            unsure = doubted or not known or values[:3] == _TILES or _has_transparency(address)
            if unsure or _is_outlined(address, mode, values, room) or _is_cut(address, clips, room):
                found.doubted.add(address)
            box = tuple(numbers[:4]) if bounds_of(address, *edges) else NOWHERE
            own.append(address)
            bounds.append(box)
            if mode in (1, 2, 5, 6) and box != NOWHERE and _width_of(address, edge) and numbers[0] >= least:
                found.covers.append((*transform_box(box, matrix), order, *values[:3]))
            if mode in INVISIBLE or values[3] < CLEAR or is_pale(values):
                found.suspicious = True
            if _matrix_of(address, edge):
                _note_matrix(found, address, numbers[:4], box, matrix)
        elif kind in (_PATH, _IMAGE, _SHADING):
            if len(found.covers) >= MOST_COVERS or not bounds_of(address, *edges):
                continue
            left, bottom, right, top, *_ = numbers
            if right - left < least or top - bottom < least:
                thin.append((left, bottom, right, top))
                continue
            red, green, blue, alpha = _paint_of(address, kind, min(right - left, top - bottom), least, room)
            if alpha >= OPAQUE:
                box = transform_box((left, bottom, right, top), matrix)
                found.covers.append((*box, order, red, green, blue))
            elif alpha >= CLEAR:
                found.veils.append(make_veils([(left, bottom, right, top)], matrix, alpha))
        elif kind == _FORM and depth < DEEPEST:
            _matrix_of(address, edge)
            found.count = order
            inner = tuple(numbers) if matrix is None else _product(tuple(numbers), matrix)
            pale = not _fill_of(address, *channels) or room.colour[3] < 255
            unsure = doubted or pale or _is_cut(address, clips, room)
            _gather(found, room, _inner_at, address, _inner_count(address), inner, depth + 1, unsure)
            order = found.count
    found.count = order
    _add_areas(found, own, bounds, thin, matrix)


def _note_matrix(
    found: PageObjects, address: int, own: list[float], box: tuple[float, ...], matrix: Matrix | None
) -> None:
    """Notes what the matrix of a text, in a form that is drawn by another one, does to its letters."""
    a, b, c, d = own
    if matrix is not None:
        e, f, g, h, _, _ = matrix
        a, b, c, d = a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h
    elif not b and not c and d < 2 * a < 4 * d:  # as high as wide, about
        return
    if is_distorted(a, b, c, d):
        found.distorted = True
        if is_line(a, b, c, d):
            found.smears.add(address)
    if abs(b) > AXIS * abs(a):
        found.turned.append(transform_box(box, matrix))


def _add_areas(
    found: PageObjects,
    own: list[int],
    bounds: list[tuple[float, ...]],
    thin: list[tuple[float, ...]],
    matrix: Matrix | None,
) -> None:
    """Adds the boxes of a page's or a form's texts, and what is too thin to cover by itself."""
    if own:
        found.boxes.append((own, make_veils(bounds, matrix)[:, :4]))
    if thin:
        found.veils.append(make_veils(thin, matrix))


def is_pale(colour: list[int]) -> bool:
    """Whether white paper may swallow the colour."""
    red, green, blue, _ = colour
    return red >= TINT <= green and blue >= TINT and (min(red, green, blue) >= WHITE or _is_tint(red, green, blue))


@lru_cache(maxsize=256)
def _is_tint(red: int, green: int, blue: int) -> bool:
    return bool(is_tint([red, green, blue]))


def _is_outlined(address: int, mode: int, colour: list[int], room: _Room) -> bool:
    """Whether a text's lines may hide it: drawn alone, they may be dashes without a line; else, of another colour."""
    if mode in (2, 6):
        return not _stroke_of(address, *room.channels) or room.read_colour() != colour
    return mode in (1, 5)


def _is_cut(address: int, clips: ClipPaths, room: _Room) -> bool:
    """Whether a clip path may cut off some of the object, but for a rim of what it covers: letters rarely fill it."""
    area = clips.find_area(address)
    if area is None:
        return False
    if not bounds_of(address, *room.edges):
        return True
    left, bottom, right, top, *_ = room.numbers
    across, along = 0.1 * (right - left), 0.3 * (top - bottom)
    inside = left + across >= area[0] and right - across <= area[2]
    return not (inside and bottom + along >= area[1] and top - along <= area[3])


def _paint_of(address: int, kind: int, side: float, least: float, room: _Room) -> list[int]:
    """The colour of a path or picture, whose shorter side is given; alpha 0 where it does not fill its box."""
    if kind != _PATH:
        return _UNKNOWN
    colour, place = room.colour, room.place
    drawn = _draw_mode(address, place, place + 4)
    if drawn and colour[0]:
        known = _fill_of(address, *room.channels) and colour[:3] != _TILES
        return colour[:] if known else _UNKNOWN
    lined = drawn and colour[1] and _width_of(address, room.edge)
    wide = room.numbers[0] if lined else 0.0
    curve = wide < least and side >= least + 2 * wide  # or a frame: most of its box is empty
    if not wide or curve or not _stroke_of(address, *room.channels):
        return _NONE
    return [*colour[:3], min(colour[3], OPAQUE - 1)] if wide < least else colour[:]


def _scale_factor(matrix: Matrix | None) -> float:
    """By how much a form is drawn larger than its own coordinates say."""
    if matrix is None:
        return 1.0
    a, b, c, d, _, _ = matrix
    return float(max(abs(a * d - b * c) ** 0.5, 1e-6))


def _product(one: Matrix, two: Matrix) -> Matrix:
    """The matrix that applies `one`, then `two`."""
    a, b, c, d, e, f = one
    g, h, i, j, k, m = two
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m
