"""The raw content of a PDF page: characters with places, bookmarks, metadata. Pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

FAR_BACK = 10.0  # heights of a word: no fraction of a formula is as wide
SOFT_HYPHEN = "\ufffe"
"""What pdfium writes for a hyphen that it takes for a line-break hyphen; the line break after it is left out."""

_SPACES = np.zeros(sys.maxunicode + 1, bool)  # white space by code
_SPACES[[code for code in range(0x3001) if chr(code).isspace()]] = True


@dataclass(frozen=True, eq=False)
class RawPage:
    """One page as pdfium gives it. Rows of the line arrays are physical lines, in pdfium's order.

    Places are those of the page turned so that most of its text runs from left to right: `turn` says how far.
    """

    number: int  # from 1
    label: str  # as printed; str(number) when the file gives none
    width: float  # points
    height: float
    text: str  # raw characters: "\r\n" between lines, SOFT_HYPHEN for some line-break hyphens
    words: np.ndarray  # int32 (n, 2): raw offsets, start and end
    boxes: np.ndarray  # float32 (n, 4): x0, y0, x1, y1 of each word
    lines: np.ndarray  # int32 (m, 2): first word and the one after the last
    sizes: np.ndarray  # float32 (m, 2): type size in points of each line's first and last character
    bold: np.ndarray  # bool (m, 2): is the first, the last character bold?
    upright: np.ndarray  # bool (m,): False for text that runs up or down the page
    turn: int = 0  # degrees, clockwise, from the page as a viewer shows it: 0, 90, 180, 270
    hidden: str = ""  # words that nobody can see, with a space between; not in `text` unless they were to be kept
    why_hidden: str = ""  # "covered, outside the page"
    doubtful: tuple[int, ...] = ()  # raw offsets of characters that may be other signs than they were read as
    unmapped: float = 0.0  # share of the characters whose font does not say which letters they are
    cut: bool = False  # more text comes out of it, or of the pages before, than a page or a file of its size holds
    ocr: bool = False  # the file holds a picture, and its words are what OCR has read

    @property
    def shown_size(self) -> tuple[float, float]:
        """Width and height in points, as a viewer shows the page."""
        return (self.height, self.width) if self.turn in (90, 270) else (self.width, self.height)

    @property
    def shown_boxes(self) -> np.ndarray:
        """The words' boxes from the top left of the page as a viewer shows it, float32 (n, 4)."""
        return turn_boxes(self.boxes, self.width, self.height, -self.turn % 360)


@dataclass(frozen=True)
class OutlineEntry:
    """One bookmark."""

    title: str
    level: int  # from 0
    page: int  # from 1; 0 when it leads nowhere


@dataclass(frozen=True)
class DocumentInfo:
    """What pypdf tells about the file as a whole."""

    title: str = ""
    author: str = ""
    created: str = ""  # as in the file: "D:20200930..."
    outline: tuple[OutlineEntry, ...] = ()
    undrawn: frozenset[int] | None = frozenset()  # pages whose text may be drawn as nothing; None: any page, for layers
    attachments: tuple[str, ...] = ()  # names of the files within the file
    portfolio: bool = False  # the pages are a cover only; what counts are the attachments
    warnings: tuple[str, ...] = ()


def turn_boxes(boxes: np.ndarray, width: float, height: float, degrees: int) -> np.ndarray:
    """Boxes x0, y0, x1, y1 of a page of this size when the page is turned clockwise by 0, 90, 180 or 270 degrees."""
    x0, y0, x1, y1 = boxes.T
    if degrees == 90:
        return np.stack([height - y1, x0, height - y0, x1], axis=1)
    if degrees == 180:
        return np.stack([width - x1, height - y1, width - x0, height - y0], axis=1)
    if degrees == 270:
        return np.stack([y0, width - x1, y1, width - x0], axis=1)
    return boxes


def empty_page(number: int, label: str, *, cut: bool = False) -> RawPage:
    """A page without text, or one whose text is not read."""
    pairs = np.zeros((0, 2), np.int32)
    boxes = np.zeros((0, 4), np.float32)
    upright = np.zeros(0, bool)
    return RawPage(number, label, 0, 0, "", pairs, boxes, pairs, boxes[:, :2], pairs.astype(bool), upright, cut=cut)


def blank_words(text: str, words: np.ndarray) -> str:
    """The text with spaces in place of these words, int32 (k, 2): all offsets stay."""
    pieces, done = [], 0
    for start, end in words.tolist():
        pieces += [text[done:start], " " * (end - start)]
        done = end
    return "".join([*pieces, text[done:]])


def word_spans(text: str) -> np.ndarray:
    """Raw offsets of the words, int32 (n, 2); a word that a soft hyphen splits is two."""
    units = _code_points(text)
    hyphen = units == ord(SOFT_HYPHEN)
    inside = ~_SPACES[units]
    after_hyphen = np.append(False, hyphen)  # of all places, the end among them
    inside = np.concatenate([[False], inside, [False]])
    starts = inside[1:] & (~inside[:-1] | after_hyphen)
    ends = inside[:-1] & (~inside[1:] | after_hyphen)
    return np.stack([np.flatnonzero(starts), np.flatnonzero(ends)], axis=1).astype(np.int32)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def physical_lines(text: str, words: np.ndarray, boxes: np.ndarray, upright: np.ndarray) -> np.ndarray:
    """Physical lines as ranges of words, int32 (m, 2). `upright`: bool (n,), False for words that run up or down.

    A soft hyphen ends a line, though pdfium writes no break; so does a word wholly above or below the one before it,
    and one that goes back below the line's first word, as after a cell beside the middle of two rows of a table.
    """
    if not len(words):
        return np.zeros((0, 2), np.int32)
    units = _code_points(text)
    break_before = np.append(False, (units == ord("\r")) | (units == ord("\n")) | (units == ord(SOFT_HYPHEN)))
    of_word = np.cumsum(break_before)[words[:, 0]]  # how many stand before it
    apart = np.where(upright[1:], _apart(boxes[:, 1], boxes[:, 3]), _apart(boxes[:, 0], boxes[:, 2]))
    apart |= upright[1:] != upright[:-1]
    apart |= np.diff(of_word) > 0
    heights = boxes[1:, 3] - boxes[1:, 1]
    for row in np.flatnonzero(~apart & upright[1:] & (boxes[:-1, 2] - boxes[1:, 0] > FAR_BACK * heights)):
        start = np.flatnonzero(np.append(True, apart[:row]))[-1]
        apart[row] = boxes[row + 1, 1] >= boxes[start, 3] and boxes[row + 1, 0] < boxes[start, 2]
    firsts = np.flatnonzero(np.append(True, apart))
    return np.stack([firsts, np.append(firsts[1:], len(words))], axis=1).astype(np.int32)


def _apart(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether each extent lies wholly beside the one before it, bool (n - 1,)."""
    between = np.maximum(low[1:], low[:-1]) - np.minimum(high[1:], high[:-1])
    found: np.ndarray = between > 0.5 * np.minimum(high[1:] - low[1:], high[:-1] - low[:-1])
    return found
