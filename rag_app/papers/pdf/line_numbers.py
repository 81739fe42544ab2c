"""Line numbers in the margin, as manuscripts under review have them: no part of the text. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from rag_app.papers.pdf.raw_page import RawPage, blank_words

FEWEST = 6  # numbers one below the other
STEPS = (1, 2, 5, 10)  # every line, or every fifth
REGULAR = 0.8  # of the steps between them are alike
ALIGNED = 4.0  # points

LONGEST = 4  # digits

_NUMBER = re.compile(rf"\d{{1,{LONGEST}}}$")


def without_line_numbers(page: RawPage) -> RawPage:
    """The same page without numbers that count its lines beside the text, on the left or on the right."""
    codes = np.frombuffer(page.text.encode("utf-32-le", "surrogatepass"), np.uint32)[page.words[:, 0]]
    short = page.words[:, 1] - page.words[:, 0] <= LONGEST
    begun = np.flatnonzero((codes >= ord("0")) & (codes <= ord("9")) & short).tolist()  # most need no closer look
    texts = {row: page.text[start:end] for row, (start, end) in zip(begun, page.words[begun].tolist(), strict=True)}
    rows = np.array([row for row in begun if _NUMBER.match(texts[row])], np.int64)
    if len(rows) < FEWEST or len(rows) == len(page.words):
        return page
    others = np.setdiff1d(np.arange(len(page.words)), rows)
    left, right = np.quantile(page.boxes[others, 0], 0.03), np.quantile(page.boxes[others, 2], 0.97)
    numbers = np.array([int(texts[row]) for row in rows.tolist()])
    found: list[np.ndarray] = []
    for beside, edge in ((page.boxes[rows, 2] < left, 2), (page.boxes[rows, 0] > right, 0)):
        candidates = rows[beside]
        if len(candidates) >= FEWEST:
            found += _counting(page.boxes, candidates, numbers[beside], edge)
    return _without(page, np.concatenate(found)) if found else page


def _counting(boxes: np.ndarray, rows: np.ndarray, numbers: np.ndarray, edge: int) -> list[np.ndarray]:
    """The rows that stand at one edge and count from top to bottom; empty where they do not."""
    at = np.median(boxes[rows, edge])
    aligned = np.abs(boxes[rows, edge] - at) < ALIGNED
    rows, numbers = rows[aligned], numbers[aligned]
    order = np.argsort(boxes[rows, 1])
    steps = np.diff(numbers[order])
    regular = max((float((steps == step).mean()) for step in STEPS), default=0.0) if len(steps) else 0.0
    return [rows] if len(rows) >= FEWEST and regular >= REGULAR else []


def _without(page: RawPage, rows: np.ndarray) -> RawPage:
    kept = np.ones(len(page.words), bool)
    kept[rows] = False
    counts = np.concatenate([[0], np.cumsum(kept)])
    lines = counts[page.lines]
    sizes, bold = page.sizes.copy(), page.bold.copy()
    first, last = ~kept[page.lines[:, 0]], ~kept[page.lines[:, 1] - 1]
    sizes[first, 0], bold[first, 0] = page.sizes[first, 1], page.bold[first, 1]
    sizes[last, 1], bold[last, 1] = page.sizes[last, 0], page.bold[last, 0]
    some = lines[:, 1] > lines[:, 0]
    return replace(
        page,
        text=blank_words(page.text, page.words[~kept]),
        words=page.words[kept],
        boxes=page.boxes[kept],
        lines=lines[some].astype(np.int32),
        sizes=sizes[some],
        bold=bold[some],
        upright=page.upright[some],
    )
