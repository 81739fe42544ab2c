"""Which words of a PDF page nobody can see: invisible, transparent, in the colour of the paper, covered, tiny, outside.

A hidden sentence is read by programs and not by people, so it is the first means of whoever wants to command them. Only
pages with a suspicious object are looked at word by word, and only where colours decide is the page drawn.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import partial
from itertools import repeat

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct
from rag_app.papers.pdf.hidden.ink import (
    CONTRAST,
    Picture,
    changes,
    draw_part,
    find_inked,
    is_tint,
    read_by_ocr,
    visible,
)
from rag_app.papers.pdf.hidden.letters import find_empty, find_small, find_squeezed, find_stacked
from rag_app.papers.pdf.hidden.page_objects import (
    CLEAR,
    INVISIBLE,
    MOST_COVERS,
    WHITE,
    ListedObjects,
    PageObjects,
    activate,
    bounds_of,
    font_info,
    is_pale,
    object_of,
    read_page_objects,
)
from rag_app.papers.pdf.hidden.stacked_text import find_touched, text_of
from rag_app.papers.pdf.hidden.veils import find_veiled

FEWEST = 4  # different words of a page: fewer are no sentence; figures hold labels that nobody can read either
ALONE = 40  # letters: a word of so many is a sentence whose gaps were not seen
SHADOW = 40.0  # points: as near stands the same word visibly, where one is a shadow, an outline, a card of a stack
TINY = 1.6  # points: below it print is a line of dust. Labels of figures go down to about 2
OF_PAGE = (
    1 / 280
)  # of the shorter side of a page larger than A3, drawn to fit: 8 points on A0, where print begins at 12
A3 = 842.0  # points: its shorter side. The longer one says nothing: a web page may be one page of 5 metres
SQUEEZED = 0.8  # points: a word that is so high, or so wide per letter, is a smear
RIM, SHOWN = 0.2, 0.5  # of a word's box on each side without ink mostly; of the rest so much has to be on the page
SHORT = 3  # letters: a word of fewer may be as narrow
SAMPLE = 5  # one word of so many tells whether a font with drawings for letters is used
ON_PICTURE, ON_OUTLINES = 0.5, 0.7  # of the gaps between words that OCR has read hold no ink: on pictures, else
FILLS_PAGE = 0.6  # of the page's area: a scan. Text below it is what OCR has read there
DOUBLED = np.array([-3, -3, 3, 3], np.float32)  # points: how far apart two copies of a text may stand as one


_annotation_at = direct(pdfium.FPDFPage_GetAnnot, ADDRESS, ADDRESS, INTEGER)
_subtype_of = direct(pdfium.FPDFAnnot_GetSubtype, INTEGER, ADDRESS)
_area_of = direct(pdfium.FPDFAnnot_GetRect, INTEGER, ADDRESS, ADDRESS)
_close = direct(pdfium.FPDFPage_CloseAnnot, None, ADDRESS)


NO_INK, LAYER_OFF = "drawn without ink", "in a layer that is switched off"
TOO_SMALL, STACKED, EMPTY = "too small to read", "with letters on each other", "in empty letters"


@dataclass(frozen=True, eq=False)
class HiddenWords:
    """The words of one page that cannot be seen, and how each kind was hidden.

    `words` are to be left out, `told` those of them that say something which does not stand visibly beside them:
    bool (n,), one per word.
    """

    words: np.ndarray
    told: np.ndarray
    why: str  # "in the colour of its background, outside the page"


@dataclass(frozen=True, eq=False)
class _PageWords:
    """The words of a page: pdfium's first and last character of each, and their boxes on the page and as shown."""

    texts: list[str]
    characters: np.ndarray
    own: np.ndarray
    shown: np.ndarray


def hidden_words(
    page: pypdfium2.PdfPage,
    textpage: pypdfium2.PdfTextPage,
    listed: ListedObjects,
    texts: list[str],
    characters: np.ndarray,
    own: np.ndarray,
    shown: np.ndarray,
    undrawn: str = "",
) -> HiddenWords | None:
    """What of a page is hidden; None where nothing is. `texts` are its words. `undrawn`: why all may leave no ink.

    `characters`: pdfium's first and last character of each word, int32 (n, 2). `own` and `shown`: the words' boxes,
    float32 (n, 4): left, bottom, right, top in the page's coordinates, and x0, y0, x1, y1 as a viewer shows them.
    """
    if not texts:
        return None
    objects = read_page_objects(listed)
    for address in objects.smears:
        activate(address, 0)
    try:
        return _judge_words(page, textpage, _PageWords(texts, characters, own, shown), objects, undrawn)
    finally:
        for address in objects.smears:
            activate(address, 1)


def _judge_words(
    page: pypdfium2.PdfPage,
    textpage: pypdfium2.PdfTextPage,
    words: _PageWords,
    objects: PageObjects,
    undrawn: str,
) -> HiddenWords | None:
    texts, characters, own, shown = words.texts, words.characters, words.own, words.shown
    width, height = page.get_size()
    tiny = OF_PAGE * min(width, height) if min(width, height) > A3 else TINY
    why = {"outside the page": _find_outside(shown, width, height), TOO_SMALL: _find_tiny(words, tiny)}
    within, printed = _within_some(own, objects.covers), np.zeros(len(texts), bool)
    if objects.suspicious or len(objects.covers) >= MOST_COVERS or within.any():
        judged, printed = _by_object(page, textpage, words, objects, within)
        why |= judged
    for kind, rows in _by_letters(page, textpage, words, objects, tiny, printed).items():
        why[kind] = why.get(kind, False) | rows
    doubts = {
        "under an annotation": _under_annotations(page, own),
        EMPTY: _in_type_3(textpage, characters),
    }
    if objects.doubted:
        doubts[NO_INK] = _of_objects(textpage, characters, objects.doubted)
    if undrawn:
        doubts[undrawn] = np.ones(len(texts), bool)
    doubts["covered"] = find_veiled(page, own, objects.veils) & ~printed  # outlines of letters are thin areas, too
    for kind, rows in doubts.items():
        rows &= ~np.logical_or.reduce(list(why.values()))
        if _says_something(words, rows):
            why[kind] = why.get(kind, False) | _without_ink(page, words, objects, rows)
    judged_otherwise = np.logical_or.reduce([printed, *why.values()])
    for kind, rows in _among_letters(page, textpage, words, objects, judged_otherwise).items():
        why[kind] = why.get(kind, False) | rows
    every = np.logical_or.reduce(list(why.values()))
    if not every.any() or not _says_something(words, every):
        return None
    told = every & ~_find_shadows(words, every)
    if not _says_something(words, told):
        # Copies of what stands there visibly: those that are drawn without ink are left out, and nothing is lost.
        every &= why.get("drawn invisibly", False) | why.get("transparent", False)
        told = np.zeros_like(every)
        if not every.any():
            return None
    return HiddenWords(every, told, ", ".join(kind for kind, mask in why.items() if (mask & told).any()))


def _by_letters(
    page: pypdfium2.PdfPage,
    textpage: pypdfium2.PdfTextPage,
    words: _PageWords,
    objects: PageObjects,
    tiny: float,
    printed: np.ndarray,
) -> dict[str, np.ndarray]:
    """Which words have letters that nobody can read, by reason, bool (n,) each.

    Not judged: the words of `printed`, and those that are drawn invisibly over the print that they spell.
    """
    characters = words.characters
    small = find_small(textpage, characters, words.own, tiny)
    if objects.distorted:
        small |= find_squeezed(textpage, characters, tiny)
    turned = _touch_some(words.own, np.array(objects.turned).reshape(-1, 4))
    stacked = find_stacked(textpage, characters, words.own, turned)
    empty = find_empty(textpage, words.texts, characters, tiny, page.get_bbox()) & ~small & ~stacked
    found = {TOO_SMALL: small, STACKED: stacked, EMPTY: empty}
    invisible = {address for address, (_, mode, _) in objects.texts.items() if mode in INVISIBLE}
    if invisible and any(rows.any() for rows in found.values()):
        printed = printed | _of_objects(textpage, characters, invisible)
    return {kind: rows & ~printed for kind, rows in found.items()}


def _find_outside(shown: np.ndarray, width: float, height: float) -> np.ndarray:
    """Which words stand outside the page, or show less than half of the middle of their letters, bool (n,)."""
    far = np.array([width, height])
    if not (shown[:, :2] < 0).any() and not (shown[:, 2:] > far).any():
        return np.zeros(len(shown), bool)
    sides = shown[:, 2:] - shown[:, :2]
    rim = RIM * sides.min(axis=1)  # above and below the letters, whichever way they run
    upright = sides[:, 0] >= sides[:, 1]
    inset = np.stack([np.where(upright, 0, rim), np.where(upright, rim, 0)], axis=1)
    low, high = shown[:, :2] + inset, shown[:, 2:] - inset
    inside = np.clip(np.minimum(high, far) - np.maximum(low, 0), 0, None)
    cut: np.ndarray = inside.prod(axis=1) < SHOWN * (high - low).prod(axis=1)
    cut |= np.any(shown[:, 2:] <= 0, axis=1) | np.any(shown[:, :2] >= far, axis=1)
    return cut


def _find_tiny(words: _PageWords, tiny: float) -> np.ndarray:
    """Which words are small both ways (a dash or a dot is flat at any size of type), or have letters squeezed flat.

    `tiny`: points, the least size of type on this page.
    """
    wide, high = words.shown[:, 2] - words.shown[:, 0], words.shown[:, 3] - words.shown[:, 1]
    letters = words.characters[:, 1] - words.characters[:, 0] + 1
    small: np.ndarray = (np.minimum(wide, high) < tiny) & (np.maximum(wide, high) < letters * tiny)
    flat = (np.minimum(wide, high) < SQUEEZED) | (np.maximum(wide, high) < SQUEEZED * letters)
    for row in np.flatnonzero(flat & ~small & (letters >= SHORT)).tolist():
        small[row] = words.texts[row].isalpha()
    return small


def _says_something(words: _PageWords, rows: np.ndarray) -> bool:
    """Whether these words could say something: the ticks of an axis and three labels cannot."""
    found = np.flatnonzero(rows).tolist()
    if not found:
        return False
    said = {words.texts[row].casefold() for row in found if any(map(str.isalpha, words.texts[row]))}
    return len(said) >= FEWEST or any(len(one) >= ALONE for one in said)


def _find_shadows(words: _PageWords, rows: np.ndarray) -> np.ndarray:
    """Which of the words say nothing new, bool (n,): a run that stands visibly on the page, a word that does nearby.

    Figures draw shadows, outlines and stacks of cards, and leave copies behind.
    """
    visible: dict[str, list[int]] = {}
    for row in np.flatnonzero(~rows).tolist():
        visible.setdefault(words.texts[row], []).append(row)
    said = f" {' '.join(words.texts[row] for row in np.flatnonzero(~rows).tolist())} "
    middles = (words.shown[:, :2] + words.shown[:, 2:]) / 2
    found = np.zeros(len(rows), bool)
    hidden = np.flatnonzero(rows)
    for run in np.split(hidden, np.flatnonzero(np.diff(hidden) > 1) + 1):
        found[run] = f" {' '.join(words.texts[row] for row in run.tolist())} " in said
    for row in hidden.tolist():
        others = visible.get(words.texts[row])
        if others:
            found[row] |= bool((np.abs(middles[others] - middles[row]).max(axis=1) < SHADOW).any())
    return found


# -- word by word -----------------------------------------------------------------------------------------------


def _by_object(
    page: pypdfium2.PdfPage,
    textpage: pypdfium2.PdfTextPage,
    words: _PageWords,
    objects: PageObjects,
    within: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What is hidden by how it is drawn, by reason, and what is not, since it spells print: bool (n,) each.

    `within`: words in some filled area.
    """
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    crowded = len(objects.covers) >= MOST_COVERS
    asked = np.flatnonzero(within | (objects.suspicious or crowded))
    found_at = map(object_of, repeat(handle), words.characters[asked, 0].tolist())
    addresses = {row: address or 0 for row, address in zip(asked.tolist(), found_at, strict=True)}
    known = np.zeros(len(within), bool)
    rows = np.zeros((len(within), 6), np.int32)  # order, mode, red, green, blue, alpha
    rows[:, 5] = 255
    for row, address in addresses.items():
        text = objects.texts.get(address)
        if text is not None:
            known[row] = True
            rows[row] = (text[0], text[1], *text[2])
    orders, colours = rows[:, 0], rows[:, 2:5]
    invisible = np.isin(rows[:, 1], INVISIBLE)
    clear = (rows[:, 5] < CLEAR) & ~invisible
    seen = known & ~invisible & ~clear
    pale = ((colours.min(axis=1) >= WHITE) | is_tint(colours)) & seen
    covered, alike = _find_doubtful(words.own, orders, colours, seen & within, objects.covers)
    pictured = alike & _on_pictures(words, objects)
    if crowded:
        covered |= seen
    found = {"transparent": clear, "drawn invisibly": invisible}
    doubtful = pale | covered | alike
    scan = bool(invisible.any()) and _fills_page(page, objects.covers)
    read = doubtful | invisible | clear
    printed = np.zeros(len(within), bool)
    if not scan and not _says_something(words, read):
        return found, printed
    picture = draw_part(page, words.shown[read])
    if scan:
        found["drawn invisibly"] = invisible & ~find_inked(picture, words.shown)
    looked = visible(picture, words.shown, colours, doubtful)
    covered &= ~pale & ~alike
    leave_ink = partial(_leave_ink, page, picture, words, objects, read, addresses)
    if (covered & looked).sum() >= FEWEST and not crowded:  # ink there may be of a text drawn over what covers it
        looked &= ~covered | leave_ink(covered & looked)
    if _says_something(words, pictured & ~looked):  # no colour may prevail around letters on a picture
        looked |= pictured & leave_ink(pictured & ~looked)
    if _says_something(words, doubtful & ~looked):
        looked |= _find_doubled(textpage, objects, words.own)
    found["in the colour of its background"] = (pale | alike) & ~looked
    found["covered"] = covered & ~looked
    read &= np.logical_or.reduce(list(found.values()))
    if read.any():
        printed = _find_printed(picture, words, objects, read)
        found = {kind: mask & ~printed for kind, mask in found.items()}
    return found, printed


def _leave_ink(
    page: pypdfium2.PdfPage,
    picture: Picture,
    words: _PageWords,
    objects: PageObjects,
    drawn: np.ndarray,
    addresses: dict[int, int],
    rows: np.ndarray,
) -> np.ndarray:
    """Where the page looks different without the texts of `rows`: bool (n,). `picture`: the words of `drawn`."""
    texts = {addresses[row] for row in np.flatnonzero(rows).tolist()}
    return changes(page, picture, words.shown, drawn, texts, objects.switch)


def _on_pictures(words: _PageWords, objects: PageObjects) -> np.ndarray:
    return _within_some(words.own, [cover for cover in objects.covers if cover[5] < 0])


def _find_printed(picture: Picture, words: _PageWords, objects: PageObjects, rows: np.ndarray) -> np.ndarray:
    """Which of these words stand on print that they spell, bool (n,)."""
    pictures = _on_pictures(words, objects)
    found = read_by_ocr(picture, words.shown, rows & pictures, ON_PICTURE)
    found |= read_by_ocr(picture, words.shown, rows & ~pictures, ON_OUTLINES)
    return found


def _without_ink(page: pypdfium2.PdfPage, words: _PageWords, objects: PageObjects, rows: np.ndarray) -> np.ndarray:
    """Which of these words leave no trace on the page: it looks the same when no text is drawn. bool (n,)."""
    before = draw_part(page, words.shown[rows])
    found: np.ndarray = rows & ~changes(page, before, words.shown, rows, objects.texts, objects.switch)
    return found


def _among_letters(
    page: pypdfium2.PdfPage,
    textpage: pypdfium2.PdfTextPage,
    words: _PageWords,
    objects: PageObjects,
    done: np.ndarray,
) -> dict[str, np.ndarray]:
    """Which words leave no ink beside the letters drawn over them, or before them in their place: by reason, bool (n,).

    Not looked at: the words of `done`, and those that are meant to leave none (what OCR has read).
    """
    texts = objects.in_order()
    pairs = texts.find_pairs()
    if pairs is None:
        rows = ~done
        return {NO_INK: _without_ink(page, words, objects, rows)} if _says_something(words, rows) else {}
    if not len(pairs):
        return {}
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value or 0
    places = {address: place for place, address in enumerate(texts.addresses)}
    ends = np.full((len(words.texts), 2), -1)  # the texts of each word's first and last letter
    for row in np.flatnonzero(_touch_some(words.own, texts.boxes[np.unique(pairs[:, 1])])).tolist():
        for end, character in enumerate(words.characters[row].tolist()):
            address = object_of(handle, character) or 0
            ends[row, end] = places[address] if objects.paints(address) else -1
    found = {}
    for kind, own, some in (  # a square in front of a word counts as its first letter
        ("covered", ends.min(axis=1), pairs[pairs[:, 0] < pairs[:, 1]]),
        ("in the colour of its background", ends.max(axis=1), pairs[pairs[:, 0] > pairs[:, 1]]),
    ):
        rows = find_touched(words.own, own, some, texts.boxes) & ~done
        if _says_something(words, rows):
            off = {texts.addresses[place] for place in own[rows].tolist()} | texts.find_copies(some, handle)
            before = draw_part(page, words.shown[rows])
            found[kind] = rows & ~changes(page, before, words.shown, rows, off, objects.switch)
    return found


def _under_annotations(page: pypdfium2.PdfPage, own: np.ndarray) -> np.ndarray:
    """Which words lie under an annotation that is drawn, bool (n,): links and pop-ups are not."""
    areas: list[tuple[float, ...]] = []
    handle = ctypes.cast(page.raw, ctypes.c_void_p).value
    for index in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        annotation = _annotation_at(handle, index)
        if not annotation:
            continue
        if _subtype_of(annotation) not in (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP):
            edges = pdfium.FS_RECTF()
            if _area_of(annotation, ctypes.addressof(edges)):
                low, high = sorted((edges.bottom, edges.top))
                areas.append((edges.left, low, edges.right, high, 0, 0, 0, 0))
        _close(annotation)
    return _within_some(own, areas)


def _in_type_3(textpage: pypdfium2.PdfTextPage, characters: np.ndarray) -> np.ndarray:
    """Which words are set in a font whose letters are drawings, bool (n,): they may be empty ones."""
    if not _are_nameless(textpage, characters[::SAMPLE, 0]).any():
        return np.zeros(len(characters), bool)
    return _are_nameless(textpage, characters[:, 0])


def _are_nameless(textpage: pypdfium2.PdfTextPage, indices: np.ndarray) -> np.ndarray:
    """Which characters are of a font without a name, bool (n,)."""
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    lengths = map(font_info, repeat(handle), indices.tolist(), repeat(None), repeat(0), repeat(None))
    return np.fromiter(lengths, np.int64, len(indices)) <= 1


def _of_objects(textpage: pypdfium2.PdfTextPage, characters: np.ndarray, addresses: set[int]) -> np.ndarray:
    """Which words begin in one of these text objects: bool (n,)."""
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    return np.array([object_of(handle, first) in addresses for first in characters[:, 0].tolist()], bool)


def _find_doubled(textpage: pypdfium2.PdfTextPage, objects: PageObjects, own: np.ndarray) -> np.ndarray:
    """Which words are set twice in one place, bool (n,): of an outline and its letters pdfium tells the first only."""
    numbers = np.zeros(4, np.float32)
    edge, found = numbers.ctypes.data, np.zeros(len(own), bool)
    for address, (*_, colour) in objects.texts.items():
        ordinary = objects.paints(address) and not is_pale(colour) and address not in objects.smears
        if ordinary and text_of(address, ctypes.cast(textpage.raw, ctypes.c_void_p).value or 0, None, 0) <= 2:
            bounds_of(address, edge, edge + 4, edge + 8, edge + 12)
            found |= _contain(numbers[None] + DOUBLED, own)[0]
    return found


def _within_some(own: np.ndarray, covers: list[tuple[float, ...]]) -> np.ndarray:
    """Which words lie in one of the areas at least: bool (n,)."""
    found = np.zeros(len(own), bool)
    areas = np.array(covers, np.float32).reshape(-1, 8)
    for start in range(0, len(areas), 256):
        found |= _contain(areas[start : start + 256], own).any(axis=0)
    return found


def _touch_some(own: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Which words touch one of the areas at least: bool (n,)."""
    found = np.zeros(len(own), bool)
    for start in range(0, len(areas), 256):
        left, bottom, right, top = (areas[start : start + 256, column, None] for column in range(4))
        touches = (own[:, 0] < right) & (own[:, 2] > left) & (own[:, 1] < top) & (own[:, 3] > bottom)
        found |= touches.any(axis=0)
    return found


def _contain(areas: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which box lies in which area, bool (areas, boxes), but for a part of its size: boxes are taller than letters."""
    across, along = 0.1 * (boxes[:, 2] - boxes[:, 0]), 0.3 * (boxes[:, 3] - boxes[:, 1])
    left, bottom, right, top = (areas[:, column, None] for column in range(4))
    inside: np.ndarray = (boxes[:, 0] + across >= left) & (boxes[:, 2] - across <= right)
    inside &= (boxes[:, 1] + along >= bottom) & (boxes[:, 3] - along <= top)
    return inside


def _find_doubtful(
    own: np.ndarray, orders: np.ndarray, colours: np.ndarray, rows: np.ndarray, covers: list[tuple[float, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the words something is drawn over, and which stand on an area of their own colour: bool (n,) each.

    A picture or pattern may have any colour.
    """
    covered, alike = np.zeros(len(own), bool), np.zeros(len(own), bool)
    some = np.flatnonzero(rows)
    areas = np.array(covers, np.float32).reshape(-1, 8)
    for start in range(0, len(areas) if len(some) else 0, 256):
        part = areas[start : start + 256]
        inside = _contain(part, own[some])
        later = part[:, 4, None] > orders[some]
        covered[some] |= (inside & later).any(axis=0)
        below, word = np.nonzero(inside & ~later)
        near = np.abs(part[below, 5:] - colours[some[word]]).max(axis=1) < CONTRAST
        alike[some[word[near | (part[below, 5] < 0)]]] = True
    return covered, alike


def _fills_page(page: pypdfium2.PdfPage, covers: list[tuple[float, ...]]) -> bool:
    """Whether pictures make up most of the page, in one piece or in strips: a scan."""
    width, height = page.get_size()
    area = sum((right - left) * (top - bottom) for left, bottom, right, top, _, red, *_ in covers if red < 0)
    return bool(area >= FILLS_PAGE * width * height)
