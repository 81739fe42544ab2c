"""The only door to PDF files: pypdf for the document, pypdfium2 for text with boxes and for page pictures.

Nothing here knows about papers. A page comes back as pdfium's raw characters in pdfium's order, cut into physical
lines and words whose boxes are in PDF points from the top left corner of the page as a viewer shows it.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdf
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.errors import PaperError

# What pypdf has to say about a damaged file comes back as our warning, not on somebody's terminal.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)

# pdfium keeps global state: one caller at a time in a process.
_LOCK = threading.RLock()

SOFT_HYPHEN = "\ufffe"
"""What pdfium writes for a hyphen that it takes for a line-break hyphen; the line break after it is left out."""

_WORD = re.compile(f"[^\\s{SOFT_HYPHEN}]+{SOFT_HYPHEN}?|{SOFT_HYPHEN}")
_LINE_END = re.compile(f"[\r\n]+|(?<={SOFT_HYPHEN})")
_BOLD_NAME = re.compile(r"bold|medi|black|heavy|semib|demi|cmb|sfbx|ssbx|-b\b|,b", re.IGNORECASE)
_BOLD_WEIGHT = 600
_POINTS = 64  # device units per point when pdfium is asked where a point of the page is shown


@dataclass(frozen=True, eq=False)
class RawPage:
    """One page as pdfium gives it. Rows of the line arrays are physical lines, in pdfium's order."""

    number: int  # from 1
    label: str  # as printed; str(number) when the file gives none
    width: float  # points, as shown
    height: float
    text: str  # raw characters: "\r\n" between lines, SOFT_HYPHEN for some line-break hyphens
    words: np.ndarray  # int32 (n, 2): raw offsets, start and end
    boxes: np.ndarray  # float32 (n, 4): x0, y0, x1, y1 of each word
    lines: np.ndarray  # int32 (m, 2): first word and the one after the last
    sizes: np.ndarray  # float32 (m, 2): type size in points of each line's first and last character
    bold: np.ndarray  # bool (m, 2): is the first, the last character bold?
    upright: np.ndarray  # bool (m,): False for text that runs up or down the page


@dataclass(frozen=True)
class OutlineEntry:
    """One bookmark."""

    title: str
    level: int  # from 0
    page: int  # from 1; 0 when it leads nowhere


@dataclass(frozen=True)
class Document:
    """What pypdf tells about the file as a whole."""

    title: str = ""
    author: str = ""
    created: str = ""  # as in the file: "D:20200930..."
    outline: tuple[OutlineEntry, ...] = ()
    warnings: tuple[str, ...] = ()


def read_document(path: Path) -> Document:
    """Metadata and outline. Raises PaperError when the file is encrypted; other faults become warnings.

    pdfium may well read a file that pypdf cannot, so a fault here does not make the paper unreadable.
    """
    try:
        with pypdf.PdfReader(path) as reader:
            if reader.is_encrypted and not reader.decrypt(""):
                raise PaperError(_encrypted(path))
            metadata = reader.metadata
            return Document(
                title=str(metadata.title or "") if metadata else "",
                author=str(metadata.author or "") if metadata else "",
                created=str(metadata.creation_date_raw or "") if metadata else "",
                outline=tuple(_outline(reader, reader.outline, 0)),
            )
    except PaperError:
        raise
    except Exception as error:  # pypdf raises many kinds on damaged files; none may cost the paper
        return Document(warnings=(f"metadata and outline could not be read: {type(error).__name__}: {error}",))


def _encrypted(path: Path) -> str:
    return f"{path.name}: encrypted with a password. Save a copy without the password and put that into the corpus."


def _outline(reader: pypdf.PdfReader, entries: Sequence[object], level: int) -> Iterator[OutlineEntry]:
    for entry in entries:
        if isinstance(entry, list):
            yield from _outline(reader, entry, level + 1)
        elif isinstance(entry, pypdf.generic.Destination):
            number = reader.get_destination_page_number(entry)
            yield OutlineEntry(str(entry.title or "").strip(), level, 0 if number is None else number + 1)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pypdfium2.PdfDocument]:
    """The file in pdfium, with the lock held. Raises PaperError for an encrypted or broken file."""
    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(path)
        except FileNotFoundError as error:
            raise PaperError(f"{path.name}: the file is gone. Put it back or build again.") from error
        except (pypdfium2.PdfiumError, OSError) as error:
            if "assword" in str(error):
                raise PaperError(_encrypted(path)) from error
            raise PaperError(f"{path.name}: not a readable PDF ({error}). Fetch or export it again.") from error
        try:
            yield document
        finally:
            document.close()


def read_pages(path: Path) -> list[RawPage]:
    """Every page's characters, words, lines and label. Raises PaperError for an encrypted or broken file."""
    with _opened(path) as document:
        return [_read_page(document, index) for index in range(len(document))]


def _read_page(document: pypdfium2.PdfDocument, index: int) -> RawPage:
    label = document.get_page_label(index) or str(index + 1)
    try:
        page = document[index]
    except pypdfium2.PdfiumError:  # a damaged page counts as a page without text
        return _empty_page(index + 1, label)
    try:
        textpage = page.get_textpage()
        try:
            return _read_text(page, textpage, index + 1, label)
        finally:
            textpage.close()
    finally:
        page.close()


def _empty_page(number: int, label: str) -> RawPage:
    pairs = np.zeros((0, 2), np.int32)
    boxes = np.zeros((0, 4), np.float32)
    return RawPage(number, label, 0, 0, "", pairs, boxes, pairs, boxes[:, :2], pairs.astype(bool), np.zeros(0, bool))


def _read_text(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, number: int, label: str) -> RawPage:
    text = textpage.get_text_range() if textpage.count_chars() else ""
    words = np.array([match.span() for match in _WORD.finditer(text)], np.int32).reshape(-1, 2)
    characters = _character_indices(textpage, text, words)
    boxes = _word_boxes(textpage, characters)
    lines = _lines(text, words, boxes)
    sizes, bold, upright = _line_types(textpage, characters, lines)
    width, height = page.get_size()
    return RawPage(
        number, label, width, height, text, words, _shown(page, boxes, width, height), lines, sizes, bold, upright
    )


def _character_indices(textpage: pypdfium2.PdfTextPage, text: str, words: np.ndarray) -> np.ndarray:
    """pdfium's index of each word's first and last character, int32 (n, 2). It also counts what the text leaves out."""
    spans = words.copy()
    spans[:, 1] -= 1
    if not text.isascii() and max(text) > "\uffff":  # pdfium counts UTF-16 units
        units = np.cumsum([0, *(1 + (character > "\uffff") for character in text)])
        spans = units[spans].astype(np.int32)
        length = int(units[-1])
    else:
        length = len(text)
    if textpage.count_chars() == length:
        return spans
    index = pdfium.FPDFText_GetCharIndexFromTextIndex
    return np.array([[index(textpage.raw, int(i)) for i in row] for row in spans], np.int32).reshape(-1, 2)


def _word_boxes(textpage: pypdfium2.PdfTextPage, characters: np.ndarray) -> np.ndarray:
    """Left, bottom, right, top of each word in the page's own coordinates, float32 (n, 4).

    The first and the last character are enough, and a call costs a microsecond.
    """
    corners = np.zeros((len(characters), 2, 4), np.float32)
    struct = pdfium.FS_RECTF()
    pointer = ctypes.byref(struct)
    view = np.frombuffer(struct, np.float32)  # left, top, right, bottom
    raw, get = textpage.raw, pdfium.FPDFText_GetLooseCharBox
    for row, (first, last) in enumerate(characters.tolist()):
        if get(raw, first, pointer):
            corners[row, 0] = view
        if last != first:
            get(raw, last, pointer)
        corners[row, 1] = view
    left = corners[:, :, 0].min(axis=1)
    right = corners[:, :, 2].max(axis=1)
    bottom = np.minimum(corners[:, :, 1], corners[:, :, 3]).min(axis=1)
    top = np.maximum(corners[:, :, 1], corners[:, :, 3]).max(axis=1)
    return np.stack([left, bottom, right, top], axis=1)


def _lines(text: str, words: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Physical lines as ranges of words, int32 (m, 2).

    A soft hyphen ends a line, though pdfium writes no break; so does a word wholly above or below the one before it.
    """
    if not len(words):
        return np.zeros((0, 2), np.int32)
    ends = np.array([match.end() for match in _LINE_END.finditer(text)], np.int32)
    of_word = np.searchsorted(ends, words[:, 0], side="right")
    between = np.maximum(boxes[1:, 1], boxes[:-1, 1]) - np.minimum(boxes[1:, 3], boxes[:-1, 3])
    apart = between > 0.5 * np.minimum(boxes[1:, 3] - boxes[1:, 1], boxes[:-1, 3] - boxes[:-1, 1])
    firsts = np.flatnonzero(np.append(True, (np.diff(of_word) > 0) | apart))
    return np.stack([firsts, np.append(firsts[1:], len(words))], axis=1).astype(np.int32)


def _line_types(
    textpage: pypdfium2.PdfTextPage, characters: np.ndarray, lines: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Size (m, 2), boldness (m, 2) of each line's first and last character, and uprightness (m,)."""
    raw, matrix = textpage.raw, pdfium.FS_MATRIX()
    name, flags = ctypes.create_string_buffer(96), ctypes.c_int()
    sizes = np.zeros((len(lines), 2), np.float32)
    bold = np.zeros((len(lines), 2), bool)
    upright = np.ones(len(lines), bool)
    bold_names: dict[bytes, bool] = {}
    for row, (first, end) in enumerate(lines.tolist()):
        for side, character in enumerate((int(characters[first, 0]), int(characters[end - 1, 1]))):
            pdfium.FPDFText_GetMatrix(raw, character, matrix)
            scale = (matrix.c**2 + matrix.d**2) ** 0.5
            sizes[row, side] = pdfium.FPDFText_GetFontSize(raw, character) * (scale or 1.0)
            pdfium.FPDFText_GetFontInfo(raw, character, name, len(name), flags)
            font = name.value
            if font not in bold_names:
                weight = pdfium.FPDFText_GetFontWeight(raw, character)
                bold_names[font] = weight >= _BOLD_WEIGHT or bool(_BOLD_NAME.search(font.decode("latin-1")))
            bold[row, side] = bold_names[font]
        upright[row] = abs(matrix.b) <= abs(matrix.a)
    return sizes, bold, upright


def _shown(page: pypdfium2.PdfPage, boxes: np.ndarray, width: float, height: float) -> np.ndarray:
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


def render_page(path: Path, number: int, scale: float = 1.5) -> tuple[bytes, int, int]:
    """Page `number` (from 1) as a PNG picture of `scale` pixels per point: bytes, width and height in pixels.

    Raises PaperError for a file that cannot be opened and for a page it does not have.
    """
    with _opened(path) as document:
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
