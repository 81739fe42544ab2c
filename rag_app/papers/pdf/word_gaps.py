"""Where the words of a drawn line begin and end: at the gaps in its ink that fit best. Pure.

An engine that reads a line tells of a letter in which slice of the line it was sure of it, which is late in the letter,
and gives all letters one width. So its words lie half a letter off; the blanks between them are seen in the picture.
"""

from __future__ import annotations

import numpy as np

from rag_app.papers.pdf.hidden.ink import CONTRAST

_BAND = (0.15, 0.80)  # of a line's height, from its top: above and below reach its neighbours, and underlines
_RIM = 0.6  # of the height: so far beyond the first and the last word the ink is looked at
_WIDEST = 0.4  # of the height: a wider gap is no better
_FARNESS = 0.5  # what a pixel of distance counts against one of width
_FAINT = 0.35  # of the line's darkest ink: less is noise of the scan
_FARTHEST = 0.6  # of the height: an edge that would move further was not found


def move_to_gaps(boxes: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The boxes of a line's words, float64 (n, 4) from left to right, with their sides at gaps of the ink.

    `pixels`: uint8 (height, width, 3). The boxes are given back as they are where the line runs down the page, or its
    ink has no gaps near them.
    """
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    across = boxes[:, 2].max() - boxes[:, 0].min()
    if height < 1 or np.ptp(boxes[:, [1, 3]]) > 1.5 * across or (np.diff(boxes[:, 0]) <= 0).any():
        return boxes
    first = int(boxes[:, 0].min() - _RIM * height)
    ink = _columns_with_ink(boxes, height, pixels, first, int(boxes[:, 2].max() + _RIM * height) + 1)
    starts, ends = _gaps(ink)
    chosen = _choose(boxes, height, starts + first, ends + first)
    if chosen is None:
        return boxes
    moved = boxes.copy()
    moved[:, 0], moved[:, 2] = (ends + first)[chosen[:-1]], (starts + first)[chosen[1:]]
    farthest = np.abs(moved - boxes).max()
    return moved if farthest <= _FARTHEST * height and (moved[:, 0] < moved[:, 2]).all() else boxes


def _columns_with_ink(boxes: np.ndarray, height: float, pixels: np.ndarray, first: int, last: int) -> np.ndarray:
    """Which columns from `first` to `last` have ink in the line, which may rise or fall, bool (last - first,)."""
    columns = np.arange(first, last)
    tops = np.interp(columns, boxes[:, [0, 2]].mean(axis=1), boxes[:, [1, 3]].mean(axis=1) - height / 2)
    band = np.arange(int(_BAND[0] * height), max(int(_BAND[1] * height), 1))
    rows = np.clip(np.round(tops)[None, :].astype(int) + band[:, None], 0, len(pixels) - 1)
    part = pixels[rows, np.clip(columns, 0, pixels.shape[1] - 1)[None, :]].astype(np.int16)
    paper = np.median(part.reshape(-1, 3), axis=0)  # letters cover less than half
    apart = np.abs(part - paper).max(axis=2)
    found: np.ndarray = (apart > max(CONTRAST, _FAINT * float(apart.max()))).any(axis=0)
    return found


def _gaps(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where runs of columns without ink begin, and the columns after them."""
    steps = np.diff(np.concatenate([[True], ink, [True]]).astype(np.int8))
    return np.flatnonzero(steps == -1), np.flatnonzero(steps == 1)


def _choose(boxes: np.ndarray, height: float, starts: np.ndarray, ends: np.ndarray) -> np.ndarray | None:
    """The numbers of the gaps before, between and after the words: wide ones near where the words were put."""
    count = len(boxes) + 1
    if len(starts) < count:
        return None
    width = np.minimum(ends - starts, _WIDEST * height)
    to_left = np.abs(starts[None, :] - np.append(boxes[0, 0], boxes[:, 2])[:, None])  # from the word before the gap
    to_right = np.abs(ends[None, :] - np.append(boxes[:, 0], boxes[-1, 2])[:, None])  # from the word after it
    far = (to_left + to_right) / 2
    far[0], far[-1] = to_right[0], to_left[-1]  # only one word is beside these
    worth = width[None, :] - _FARNESS * far
    best = [worth[0]]
    for row in range(1, count):
        before = np.concatenate([[-np.inf], np.maximum.accumulate(best[-1])[:-1]])
        best.append(worth[row] + before)
    chosen = [int(np.argmax(best[-1]))]
    for row in range(count - 2, -1, -1):
        chosen.append(int(np.argmax(best[row][: chosen[-1]])))
    return np.array(chosen[::-1])
