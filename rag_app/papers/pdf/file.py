"""Opens PDF files: pypdf for the document, pypdfium2 for text with boxes and for page pictures.

Nothing here knows about papers. A page comes back as pdfium's raw characters in pdfium's order, cut into physical
lines and words whose boxes are in PDF points from the top left corner of the page as a viewer shows it.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import pypdf
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.errors import PaperError
from rag_app.papers.pdf.actual_text import remove_actual_text
from rag_app.papers.pdf.bitmap_fonts import fit_boxes, letter_size
from rag_app.papers.pdf.direct import ADDRESS, INTEGER, call_each, direct, read_loose_boxes
from rag_app.papers.pdf.fractions import with_stacked_fractions
from rag_app.papers.pdf.hidden.hidden_text import LAYER_OFF, NO_INK, hidden_words
from rag_app.papers.pdf.hidden.page_objects import ListedObjects, list_objects
from rag_app.papers.pdf.hidden.undrawn import find_undrawn
from rag_app.papers.pdf.raw_page import (
    SOFT_HYPHEN,
    DocumentInfo,
    OutlineEntry,
    RawPage,
    blank_words,
    empty_page,
    physical_lines,
    turn_boxes,
    word_spans,
)
from rag_app.papers.pdf.signs import PageText, read_characters, with_drawn_signs
from rag_app.papers.pdf.superscripts import with_raised_digits

# What pypdf has to say about a damaged file comes back as our warning, not on somebody's terminal.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)

# pdfium keeps global state: one caller at a time in a process.
_LOCK = threading.RLock()

_BOLD_NAME = re.compile(r"bold|medi|black|heavy|semib|demi|cmb|sfbx|ssbx|-b\b|,b", re.IGNORECASE)
_BOLD_WEIGHT = 600
_LONGEST_NAME = 128  # bytes of a font's name: ISO 32000-1, annex C.2
_MOST_PIXELS = 3000  # along a side of a page that is drawn to be read
_POINTS = 64  # device units per point when pdfium is asked where a point of the page is shown


_character_index = direct(pdfium.FPDFText_GetCharIndexFromTextIndex, INTEGER, ADDRESS, INTEGER)
_unmapped = direct(pdfium.FPDFText_HasUnicodeMapError, INTEGER, ADDRESS, INTEGER)
_matrix = direct(pdfium.FPDFText_GetMatrix, INTEGER, ADDRESS, INTEGER, ADDRESS)
_font_size = direct(pdfium.FPDFText_GetFontSize, ctypes.c_double, ADDRESS, INTEGER)
_font_info = direct(pdfium.FPDFText_GetFontInfo, ctypes.c_ulong, ADDRESS, INTEGER, ADDRESS, ctypes.c_ulong, ADDRESS)


def read_document(path: Path) -> DocumentInfo:
    """Metadata and outline. Raises PaperError when the file is encrypted; other faults become warnings.

    pdfium may well read a file that pypdf cannot, so a fault here does not make the paper unreadable.
    """
    try:
        with _open_reader(path) as reader:
            if reader.is_encrypted and not reader.decrypt(""):
                raise PaperError(_encrypted_message(path))
            metadata = reader.metadata
            return DocumentInfo(
                title=str(metadata.title or "") if metadata else "",
                author=str(metadata.author or "") if metadata else "",
                created=str(metadata.creation_date_raw or "") if metadata else "",
                outline=_read_outline(path),
                undrawn=None if _has_layers_off(reader) else find_undrawn(reader),
                portfolio="/Collection" in reader.root_object,
                attachments=tuple(sorted({str(one.name) for one in reader.attachment_list})),
            )
    except PaperError:
        raise
    except Exception as error:  # pypdf raises many kinds on damaged files; none may cost the paper
        told = f"metadata could not be read: {type(error).__name__}: {error}"
        return DocumentInfo(warnings=(told,), undrawn=None)


def _open_reader(path: Path) -> pypdf.PdfReader:
    """The file in pypdf. Where nothing is wrong with its table of objects, not every entry of it is looked up."""
    try:
        reader = pypdf.PdfReader(_from_header(path), strict=True)
    except pypdf.errors.PyPdfError:
        return pypdf.PdfReader(_from_header(path))
    reader.strict = False  # for what is read from now on
    return reader


_HEADER, _HEADER_SOUGHT = b"%PDF-", 65_536  # bytes
_HEADER_EXPECTED = 1_024  # so far into a file readers look for the header


def _from_header(path: Path) -> Path | io.BytesIO:
    """The file, or its bytes from the header on where more stands before that than readers skip."""
    with path.open("rb") as stream:
        at = stream.read(_HEADER_SOUGHT).find(_HEADER)
        if at + len(_HEADER) <= _HEADER_EXPECTED:
            return path
        stream.seek(at)
        return io.BytesIO(stream.read())


def _encrypted_message(path: Path) -> str:
    return f"{path.name}: encrypted with a password. Save a copy without the password and put that into the corpus."


def _has_layers_off(reader: pypdf.PdfReader) -> bool:
    """Whether the file's default configuration switches any layer off (ISO 32000-1, 8.11.4.3)."""
    layers = reader.root_object.get("/OCProperties")
    default = layers.get_object().get("/D") if layers is not None else None
    if default is None:
        return False
    default = default.get_object()
    return bool(default.get("/OFF")) or default.get("/BaseState") == "/OFF" or bool(default.get("/AS"))


def _read_outline(path: Path) -> tuple[OutlineEntry, ...]:
    """pdfium's bookmarks: pypdf reads every named place of the file to find where they lead."""
    with _open_document(path) as document:
        return tuple(_outline_entry(mark) for mark in document.get_toc())


def _outline_entry(mark: pypdfium2.PdfBookmark) -> OutlineEntry:
    place = mark.get_dest()
    number = place.get_index() if place is not None else None
    return OutlineEntry(str(mark.get_title() or "").strip(), mark.level, 0 if number is None else number + 1)


@contextlib.contextmanager
def _open_document(path: Path) -> Iterator[pypdfium2.PdfDocument]:
    """The file in pdfium, with the lock held. Raises PaperError for an encrypted or broken file."""
    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(_from_header(path))
        except FileNotFoundError as error:
            raise PaperError(f"{path.name}: the file is gone. Put it back or build again.") from error
        except (pypdfium2.PdfiumError, OSError) as error:
            if "assword" in str(error):
                raise PaperError(_encrypted_message(path)) from error
            raise PaperError(f"{path.name}: not a readable PDF ({error}). Fetch or export it again.") from error
        try:
            yield document
        finally:
            document.close()


@dataclass(frozen=True)
class Reach:
    """What of a file is read: see read_pages. `on_page` and `in_file` are characters."""

    keep_hidden: bool = False
    on_page: int = sys.maxsize
    in_file: int = sys.maxsize


def read_pages(path: Path, reach: Reach = Reach(), undrawn: frozenset[int] | None = frozenset()) -> list[RawPage]:
    """Every page's characters, words, lines and label. Raises PaperError for an encrypted or broken file.

    Words that nobody can see are told in RawPage.hidden, and left out unless they are to be kept. Of a page with more
    characters than `reach` names the first are read, and of one behind the last of the file none: RawPage.cut.

    `undrawn`: see DocumentInfo.
    """
    pages: list[RawPage] = []
    left = reach.in_file
    with _open_document(path) as document:
        for index in range(len(document)):
            drawn = LAYER_OFF if undrawn is None else NO_INK if index + 1 in undrawn else ""
            pages.append(_read_page(document, index, replace(reach, on_page=min(reach.on_page, left)), drawn))
            left -= len(pages[-1].text)
    return pages


def _read_page(document: pypdfium2.PdfDocument, index: int, reach: Reach, undrawn: str) -> RawPage:
    label = document.get_page_label(index) or str(index + 1)
    if reach.on_page <= 0:
        return empty_page(index + 1, label, cut=True)
    try:
        with _open_text(document, index) as opened:
            return _read_text(opened, index + 1, label, reach, undrawn)
    except pypdfium2.PdfiumError:  # a damaged page counts as a page without text
        return empty_page(index + 1, label)


@dataclass(frozen=True, eq=False)
class _OpenPage:
    page: pypdfium2.PdfPage
    objects: ListedObjects
    textpage: pypdfium2.PdfTextPage


@contextlib.contextmanager
def _open_text(document: pypdfium2.PdfDocument, index: int) -> Iterator[_OpenPage]:
    """A page, its objects, and the text of the letters that it draws."""
    with contextlib.closing(document[index]) as page:
        objects = list_objects(page)
        remove_actual_text(objects.addresses)
        with contextlib.closing(page.get_textpage()) as textpage:
            yield _OpenPage(page, objects, textpage)


def _read_text(opened: _OpenPage, number: int, label: str, reach: Reach, undrawn: str) -> RawPage:
    page, textpage = opened.page, opened.textpage
    every = read_characters(textpage)
    cut = len(every.text) > reach.on_page
    whole = with_stacked_fractions(page, textpage, every.cut_off(reach.on_page) if cut else every)
    read = with_drawn_signs(page, textpage, whole)
    text = read.text
    words = word_spans(text)
    characters = _character_indices(textpage, read, words)
    boxes, quarters, heights = _word_boxes(textpage, characters)
    if read.fractions:  # such a word runs as the one before it
        rows = np.searchsorted(words[:, 0], read.fractions, side="right") - 1
        quarters[rows] = quarters[np.maximum(rows - 1, 0)]
    width, height = page.get_size()
    shown = _to_viewer_boxes(page, boxes, width, height)
    text, powers = with_raised_digits(textpage, text, words, characters, heights, letters=number == 1)
    texts = [text[start:end] for start, end in words.tolist()]
    hidden = hidden_words(page, textpage, opened.objects, texts, characters, boxes, shown, undrawn)
    told = (
        ""
        if hidden is None
        else " ".join(texts[row].strip(SOFT_HYPHEN) for row in np.flatnonzero(hidden.told).tolist())
    )
    if hidden is not None and not reach.keep_hidden:
        text = blank_words(text, words[hidden.words])
        words, characters, shown, quarters = (part[~hidden.words] for part in (words, characters, shown, quarters))
    turn = _turn(quarters, characters, page.get_rotation())
    places = turn_boxes(shown, width, height, turn)
    lines = physical_lines(text, words, places, (quarters - page.get_rotation() - turn) % 180 == 0)
    sizes, bold, directions = _line_types(textpage, characters, lines)
    if turn in (90, 270):
        width, height = height, width
    return RawPage(
        number, label, width, height, text, words, places, lines, sizes, bold,
        upright=(directions - page.get_rotation() - turn) % 180 == 0,
        turn=turn,
        hidden=told,
        why_hidden=hidden.why if hidden is not None and told else "",
        unmapped=_measure_unmapped_share(textpage, characters),
        doubtful=tuple(sorted({*read.doubtful, *powers})),
        cut=cut,
    )  # fmt: skip


def _turn(quarters: np.ndarray, characters: np.ndarray, rotation: int) -> int:
    """By how much the page as shown has to be turned clockwise so that most of its text runs from left to right."""
    if not len(quarters):
        return 0
    lengths = characters[:, 1] - characters[:, 0]
    weights = {degrees: int(lengths[quarters == degrees].sum()) for degrees in (0, 90, 180, 270)}
    most = max(weights, key=lambda degrees: weights[degrees])
    return (most - rotation) % 360


_SAMPLE = 7  # one character of so many words tells whether a font maps its characters to letters


def _measure_unmapped_share(textpage: pypdfium2.PdfTextPage, characters: np.ndarray) -> float:
    """Share of the characters whose font does not say which letters they are; what they spell is then a guess."""
    asked = characters[::_SAMPLE, 0].tolist()
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    failed = list(map(_unmapped, repeat(handle), asked)).count(1)
    return failed / len(asked) if asked else 0.0


def _character_indices(textpage: pypdfium2.PdfTextPage, read: PageText, words: np.ndarray) -> np.ndarray:
    """pdfium's index of each word's first and last character, int32 (n, 2). It also counts what the text leaves out."""
    spans, text = words.copy(), read.text
    spans[:, 1] -= 1
    if read.indices is not None:
        found: np.ndarray = read.indices[spans].reshape(-1, 2)
        return found
    if read.wide:  # pdfium counts UTF-16 units
        units = np.cumsum([0, *(1 + (character > "\uffff") for character in text)])
        spans = units[spans].astype(np.int32)
        length = int(units[-1])
    else:
        length = len(text)
    if textpage.count_chars() == length:
        return spans
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    return np.array([_character_index(handle, at) for at in spans.ravel().tolist()], np.int32).reshape(-1, 2)


def _word_boxes(textpage: pypdfium2.PdfTextPage, characters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left, bottom, right, top of each word in the page's own coordinates, float32 (n, 4); where it runs; and heights.

    It runs int32 (n,) degrees counterclockwise, 0 from left to right. The first and the last character are enough, and
    a call costs a microsecond. Heights (widths, where there is no height) are those of these two, float64 (n, 2).
    """
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    corners = np.repeat(read_loose_boxes(handle, characters[:, 0].tolist())[:, None], 2, axis=1)
    longer = characters[:, 0] != characters[:, 1]
    corners[longer, 1] = read_loose_boxes(handle, characters[longer, 1].tolist())  # left, top, right, bottom
    high, wide = (np.abs(corners[:, :, one] - corners[:, :, one + 2].astype(np.float64)) for one in (1, 0))
    corners = fit_boxes(textpage, characters, corners)
    known = np.any(
        corners, axis=2, keepdims=True
    )  # pdfium has no box for some odd characters: take that of the other end
    corners = np.where(known, corners, corners[:, ::-1])
    left = corners[:, :, 0].min(axis=1)
    right = corners[:, :, 2].max(axis=1)
    bottom = np.minimum(corners[:, :, 1], corners[:, :, 3]).min(axis=1)
    top = np.maximum(corners[:, :, 1], corners[:, :, 3]).max(axis=1)
    return np.stack([left, bottom, right, top], axis=1), _quarters(corners, characters), np.where(high, high, wide)


def _quarters(corners: np.ndarray, characters: np.ndarray) -> np.ndarray:
    """The direction of each word from its first to its last character, in degrees counterclockwise: int32 (n,)."""
    middles = (corners[:, :, :2] + corners[:, :, 2:]) / 2
    across, up = (middles[:, 1] - middles[:, 0]).T
    found = np.where(np.abs(up) > 1.5 * np.abs(across), np.where(up > 0, 90, 270), np.where(across < 0, 180, 0))
    # Two characters may be a mark above another, and backwards runs only a word of some length.
    long = characters[:, 1] - characters[:, 0] >= np.where(found == 180, 3, 2)
    if long.all():
        return found.astype(np.int32)
    rows = np.maximum.accumulate(np.where(long, np.arange(len(found)), -1))  # a short word runs as the one before it
    if not long.any():
        return np.zeros(len(found), np.int32)
    rows[rows < 0] = int(np.flatnonzero(long)[0])
    return found[rows].astype(np.int32)


def _line_types(
    textpage: pypdfium2.PdfTextPage, characters: np.ndarray, lines: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Size (m, 2) and boldness (m, 2) of each line's first and last character, and where it runs: degrees, (m,)."""
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    ends = np.stack([characters[lines[:, 0], 0], characters[lines[:, 1] - 1, 1]], axis=1)
    asked, count = ends.ravel().tolist(), ends.size
    matrices, names = np.zeros((count, 6), np.float32), np.zeros(count, f"S{_LONGEST_NAME}")
    place, place_of_names = matrices.ctypes.data, names.ctypes.data
    call_each(_matrix, repeat(handle), asked, range(place, place + matrices.nbytes, 24))
    places_of_names = range(place_of_names, place_of_names + names.nbytes, _LONGEST_NAME)
    call_each(_font_info, repeat(handle), asked, places_of_names, repeat(_LONGEST_NAME), repeat(None))
    drawn = np.fromiter(map(_font_size, repeat(handle), asked), np.float64, count).reshape(-1, 2)
    a, b, c, d = (matrices[:, column].astype(np.float64).reshape(-1, 2) for column in range(4))
    scales = np.sqrt(c**2 + d**2)
    sizes = (np.abs(drawn) * np.where(scales > 0, scales, 1.0)).astype(np.float32)
    fonts, bold = names.tolist(), dict[bytes, bool]()
    for font, character in zip(fonts, asked, strict=True):
        if font not in bold:
            weight = pdfium.FPDFText_GetFontWeight(textpage.raw, character)
            bold[font] = weight >= _BOLD_WEIGHT or bool(_BOLD_NAME.search(font.decode("latin-1")))
    for row, side in np.argwhere(names.reshape(-1, 2) == b"").tolist():  # a Type 3 font has a scale of its own
        sideways = bool(abs(b[row, side]) > abs(a[row, side]))
        first, last = ends[row].tolist()
        size = letter_size(textpage, first, last, sideways)  # the letters tell how large they are
        sizes[row, side] = size or sizes[max(row - 1, 0), 1]
    sign = np.where(drawn[:, 1] < 0, -1, 1)
    right, up = sign * a[:, 1], sign * b[:, 1]
    directions = np.where(np.abs(up) > np.abs(right), np.where(up > 0, 90, 270), np.where(right >= 0, 0, 180))
    return sizes, np.array([bold[font] for font in fonts], bool).reshape(-1, 2), directions


def _to_viewer_boxes(page: pypdfium2.PdfPage, boxes: np.ndarray, width: float, height: float) -> np.ndarray:
    """The same boxes as a viewer shows them: from the top left of the cropped and rotated page, in points."""
    x, y = ctypes.c_int(), ctypes.c_int()

    def device(px: float, py: float) -> np.ndarray:
        size = round(width * _POINTS), round(height * _POINTS)
        pdfium.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, px, py, x, y)
        return np.array([x.value, y.value], np.float64) / _POINTS

    origin, span = device(0, 0), 1000.0
    along_x, along_y = (device(span, 0) - origin) / span, (device(0, span) - origin) / span
    corner = origin + boxes[:, :1] * along_x + boxes[:, 1:2] * along_y
    other = origin + boxes[:, 2:3] * along_x + boxes[:, 3:] * along_y
    return np.concatenate([np.minimum(corner, other), np.maximum(corner, other)], axis=1).astype(np.float32)


def raw_text(path: Path, number: int) -> str:
    """The characters of page `number` (from 1) as pdfium gives them, untouched; empty where there is no such page.

    Raises PaperError for a file that cannot be opened.
    """
    with _open_document(path) as document:
        if not 1 <= number <= len(document):
            return ""
        with _open_text(document, number - 1) as opened:
            return str(opened.textpage.get_text_range()) if opened.textpage.count_chars() else ""


def draw_pixels(path: Path, number: int, scale: float) -> tuple[np.ndarray, float]:
    """Page `number` (from 1) as uint8 (height, width, 3), and its pixels per point: `scale`, or fewer on a large page.

    Raises PaperError for a file that cannot be opened and PdfiumError for a page that cannot be drawn.
    """
    with _open_document(path) as document, contextlib.closing(document[number - 1]) as page:
        scale = min(scale, _MOST_PIXELS / max(*page.get_size(), 1.0))
        with contextlib.closing(page.render(scale=scale, rev_byteorder=True)) as bitmap:
            return np.array(bitmap.to_numpy()[:, :, :3]), scale


def render_page(path: Path, number: int, scale: float = 1.5) -> tuple[bytes, int, int]:
    """Page `number` (from 1) as a PNG picture of `scale` pixels per point: bytes, width and height in pixels.

    Raises PaperError for a file that cannot be opened and for a page it does not have.
    """
    with _open_document(path) as document:
        if not 1 <= number <= len(document):
            raise PaperError(f"{path.name}: has no page {number}; its pages are 1 to {len(document)}.")
        page = document[number - 1]
        try:
            bitmap = page.render(scale=scale, rev_byteorder=True)
            try:
                picture = bitmap.to_pil()
                data = io.BytesIO()
                picture.save(data, format="PNG", compress_level=3)
                return data.getvalue(), picture.width, picture.height
            finally:
                bitmap.close()
        except pypdfium2.PdfiumError as error:
            raise PaperError(f"{path.name}, page {number}: cannot be drawn ({error}).") from error
        finally:
            page.close()
