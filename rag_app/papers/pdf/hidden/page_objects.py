"""What is drawn on a PDF page: texts with their colours, filled areas, pictures, in the order of drawing.

pdfium tells it object by object, also within forms; nothing here decides what of it can be seen.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct
from rag_app.papers.pdf.hidden.clip_paths import NOWHERE, ClipPaths
from rag_app.papers.pdf.hidden.ink import CONTRAST, TINT, is_tint
from rag_app.papers.pdf.hidden.letters import AXIS, are_lines, is_distorted, measure_stretch
from rag_app.papers.pdf.hidden.stacked_text import TextBoxes
from rag_app.papers.pdf.hidden.veils import COVERING, IDENTITY, Matrix, transform_box, transform_boxes

WHITE = 255 - CONTRAST  # of 255: the least channel of a colour that white paper may swallow
OPAQUE, CLEAR = 230, 40  # of 255: alpha of what covers, and of what is as good as not there
DEEPEST = 8  # forms within forms
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
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))  # of these: left, bottom, right, top
    covers: list[tuple[float, ...]] = field(default_factory=list)  # left, bottom, right, top, order, red, green, blue
    veils: np.ndarray = field(default_factory=lambda: np.zeros((0, 5)))  # thin and half transparent areas: see veils.py
    suspicious: bool = False  # some text is drawn as no ordinary one
    distorted: bool = False  # some text is drawn much narrower in one direction than in another
    turned: list[tuple[float, ...]] = field(default_factory=list)  # boxes of texts that run neither right nor left
    smears: set[int] = field(default_factory=set)  # texts whose letters are lines: they stay switched off, see `switch`
    doubted: set[int] = field(default_factory=set)  # texts that may leave no ink: see _find_unsure

    def paints(self, address: int) -> bool:
        """Whether the text is drawn with some ink, of whatever colour."""
        text = self.texts.get(address)
        return text is not None and text[1] not in INVISIBLE and text[2][3] >= CLEAR

    def switch(self, address: int, on: int) -> int:
        """Switch a text off (0) or on (1), but for smears: their ink would be taken for that of what they lie on."""
        return 0 if address in self.smears else activate(address, on)

    def in_order(self) -> TextBoxes:
        """The texts in the order of drawing, with their boxes on the page."""
        return TextBoxes(list(self.texts), self.boxes)


def read_page_objects(listed: ListedObjects) -> PageObjects:
    """What the page's texts, filled areas and pictures look like."""
    found, room = PageObjects(), _Room()
    _add_texts(found, listed, room)
    _add_areas(found, listed, room)
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

    def read_bounds(self, address: int) -> list[float] | None:
        return self.numbers[:4] if bounds_of(address, *self.edges) else None


@dataclass(slots=True)
class _Form:
    """A form as it is drawn on the page, or the page itself."""

    matrix: Matrix | None = None
    doubted: bool = False  # it may be drawn without ink as a whole
    depth: int = 0  # forms around it

    @property
    def least(self) -> float:
        """What covers on the page is so wide in the form's own coordinates."""
        return COVERING / _scale_factor(self.matrix)


@dataclass(slots=True)
class ListedObjects:
    """All objects of a page, also within forms, in the order of drawing: their kinds, and the rows of their forms."""

    addresses: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    within: list[int] = field(default_factory=list)
    forms: list[_Form] = field(default_factory=lambda: [_Form()])

    def select(self, *kinds: int) -> tuple[list[int], list[int], np.ndarray]:
        """The objects of these kinds: their places in the order of drawing from 1, addresses, and forms, int (n,)."""
        places = [place for place, kind in enumerate(self.kinds) if kind in kinds]
        within = np.array([self.within[place] for place in places], np.int64)
        return [place + 1 for place in places], [self.addresses[place] for place in places], within


def list_objects(page: pypdfium2.PdfPage) -> ListedObjects:
    """Texts, areas, pictures and forms of the page, also within forms."""
    listed, handle = ListedObjects(), ctypes.cast(page.raw, ctypes.c_void_p).value
    _list_objects(listed, _Room(), _object_at, handle or 0, pdfium.FPDFPage_CountObjects(page.raw), 0)
    return listed


def _list_objects(
    listed: ListedObjects, room: _Room, at: Callable[..., int], parent: int, count: int, own: int
) -> None:
    """Adds the objects of a page or a form. `own`: its row."""
    form, clips = listed.forms[own], ClipPaths()
    addresses = list(map(at, repeat(parent), range(count)))
    for address, kind in zip(addresses, map(_type_of, addresses), strict=True):
        listed.addresses.append(address)
        listed.kinds.append(kind)
        listed.within.append(own)
        if kind == _FORM and form.depth < DEEPEST:
            _matrix_of(address, room.edge)
            matrix = tuple(room.numbers) if form.matrix is None else _product(tuple(room.numbers), form.matrix)
            pale = not _fill_of(address, *room.channels) or room.colour[3] < 255
            unsure = form.doubted or pale or _is_cut(address, clips, room.read_bounds(address))
            listed.forms.append(_Form(matrix, unsure, form.depth + 1))
            _list_objects(listed, room, _inner_at, address, _inner_count(address), len(listed.forms) - 1)


def _add_texts(found: PageObjects, listed: ListedObjects, room: _Room) -> None:
    orders, addresses, within = listed.select(_TEXT)
    if not addresses:
        return
    modes = list(map(_mode_of, addresses))
    colours, known = _read_colours(addresses, modes)
    values = colours.tolist()
    found.texts = dict(zip(addresses, zip(orders, modes, values, strict=True), strict=True))
    boxes, bounded = _read_bounds(addresses)
    unsure = _find_unsure(listed, room, (addresses, modes, values), boxes, bounded, within)
    unsure |= ~known | (colours[:, :3] == _TILES).all(axis=1)
    found.doubted = {addresses[row] for row in np.flatnonzero(unsure).tolist()}
    boxes[~bounded] = NOWHERE
    for row in [row for row, mode in enumerate(modes) if mode in (1, 2, 5, 6)]:
        box, form = tuple(boxes[row].tolist()), listed.forms[within[row]]
        if box != NOWHERE and _width_of(addresses[row], room.edge) and room.numbers[0] >= form.least:
            found.covers.append((*transform_box(box, form.matrix), orders[row], *values[row][:3]))
    light = np.flatnonzero(colours[:, :3].min(axis=1) >= TINT).tolist()
    found.suspicious = (
        any(mode in INVISIBLE for mode in modes)
        or bool((colours[:, 3] < CLEAR).any())
        or any(is_pale(values[row]) for row in light)
    )
    matrices = _matrices_of(listed, within)
    found.boxes = transform_boxes(boxes, matrices, within > 0)
    _note_matrices(found, addresses, matrices)


def _read_colours(addresses: list[int], modes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Red, green, blue, alpha of texts, int64 (n, 4), and whether they are known: a pattern has no one colour."""
    colours = np.zeros((len(addresses), 4), np.uint32)
    channels = _columns(colours, 4)
    known = np.fromiter(map(_fill_of, addresses, *channels), bool, len(addresses))
    for row in [row for row, mode in enumerate(modes) if mode in (1, 5)]:
        known[row] = _stroke_of(addresses[row], *(channel[row] for channel in channels))
    colours[~known] = _BLACK
    return colours.astype(np.int64), known


def _read_bounds(addresses: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Left, bottom, right, top of objects in their form's coordinates, float64 (n, 4), and which are known."""
    boxes = np.zeros((len(addresses), 4), np.float32)
    bounded = np.fromiter(map(bounds_of, addresses, *_columns(boxes, 4)), bool, len(addresses))
    return boxes.astype(np.float64), bounded


def _columns(table: np.ndarray, count: int) -> list[range]:
    """The addresses of a table's numbers, column by column: where pdfium is to write them."""
    start, end, size = table.ctypes.data, table.ctypes.data + table.nbytes, table.itemsize
    return [range(start + column * size, end, table.shape[1] * size) for column in range(count)]


def _find_unsure(
    listed: ListedObjects,
    room: _Room,
    texts: tuple[list[int], list[int], list[list[int]]],
    boxes: np.ndarray,
    bounded: np.ndarray,
    within: np.ndarray,
) -> np.ndarray:
    """Which texts may leave no ink, bool (n,). `texts`: their addresses, render modes and colours."""
    addresses, modes, values = texts
    doubted = np.array([form.doubted for form in listed.forms])
    unsure: np.ndarray = doubted[within] | np.fromiter(map(_has_transparency, addresses), bool, len(addresses))
    clips, last = ClipPaths(), 0
    for row in np.flatnonzero(~unsure).tolist():
        if within[row] != last:
            clips, last = ClipPaths(), within[row]
        box = boxes[row].tolist() if bounded[row] else None
        address, mode = addresses[row], modes[row]
        unsure[row] = (mode and _is_outlined(address, mode, values[row], room)) or _is_cut(address, clips, box)
    return unsure


def _matrices_of(listed: ListedObjects, within: np.ndarray) -> np.ndarray:
    """The matrix of each object's form, float64 (n, 6)."""
    found: np.ndarray = np.array([form.matrix or IDENTITY for form in listed.forms])[within]
    return found


def _note_matrices(found: PageObjects, addresses: list[int], outer: np.ndarray) -> None:
    """Notes what the matrices of texts, in forms that are drawn by `outer` ones, do to their letters."""
    own = np.zeros((len(addresses), 6), np.float32)
    known = np.fromiter(map(_matrix_of, addresses, _columns(own, 1)[0]), bool, len(addresses))
    a, b, c, d = own[known, :4].astype(np.float64).T
    e, f, g, h = outer[known, :4].T
    a, b, c, d = a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h
    found.distorted = bool(is_distorted(a, b, c, d).any())
    if found.distorted:
        rows = np.flatnonzero(known)[are_lines(*measure_stretch(a, b, c, d))]
        found.smears = {addresses[row] for row in rows.tolist()}
    found.turned = list(map(tuple, found.boxes[known][np.abs(b) > AXIS * np.abs(a)].tolist()))


def _add_areas(found: PageObjects, listed: ListedObjects, room: _Room) -> None:
    """Adds paths, pictures and shadings: what covers, and what is too thin or too clear to cover by itself."""
    orders, addresses, within = listed.select(_PATH, _IMAGE, _SHADING)
    if not addresses:
        return
    boxes, bounded = _read_bounds(addresses)
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
    least = np.array([form.least for form in listed.forms])[within]
    thin = bounded & (sides < least)
    veils: list[tuple[float, ...]] = []
    for row in np.flatnonzero(bounded & ~thin).tolist():
        if len(found.covers) >= MOST_COVERS:
            break
        order, side = orders[row], float(sides[row])
        red, green, blue, alpha = _paint_of(addresses[row], listed.kinds[order - 1], side, float(least[row]), room)
        if alpha < CLEAR:
            continue
        box = transform_box(tuple(boxes[row].tolist()), listed.forms[within[row]].matrix)
        if alpha >= OPAQUE:
            found.covers.append((*box, order, red, green, blue))
        else:
            veils.append((*box, alpha))
    thin_boxes = transform_boxes(boxes[thin], _matrices_of(listed, within[thin]), within[thin] > 0)
    strips = np.concatenate([thin_boxes, np.full((len(thin_boxes), 1), 255.0)], axis=1)
    found.veils = np.concatenate([strips, np.array(veils).reshape(-1, 5)])


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


def _is_cut(address: int, clips: ClipPaths, box: list[float] | None) -> bool:
    """Whether a clip path may cut off some of the object, but for a rim of what it covers: letters rarely fill it."""
    area = clips.find_area(address)
    if area is None or box is None:
        return area is not None
    left, bottom, right, top = box
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
