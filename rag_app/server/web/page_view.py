"""What a viewer needs of a paper beside its pictures: sizes of all pages, outline, lines of text, found words. Pure.

Lengths are in PDF points from the page's top left corner, as in the records.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from rag_app.records import Box, Page

MOST_FOUND = 500  # places of one search
MOST_HEADINGS = 400
LONGEST_ABSTRACT = 2_500  # characters
SAME_LINE = 0.5  # of the lower of two words' heights: how much they overlap when they stand in one line
WORD_GAP = 2.0  # line heights: a wider gap is that between two columns
_BETWEEN = re.compile(r"\s+")


def page_sizes(pages: Sequence[Page]) -> list[list[Any]]:
    """Width, height and printed label of each page."""
    return [[round(page.width, 2), round(page.height, 2), page.label] for page in pages]


def outline(pages: Sequence[Page]) -> list[list[Any]]:
    """The headings as title, depth from 0, and page; each section once, where it begins."""
    seen: dict[str, list[Any]] = {}
    for page in pages:
        for block in page.blocks:
            path = block.section
            if path and path not in seen:
                *above, title = path.split(" > ")
                seen[path] = [title, len(above), page.number]
    return list(seen.values())[:MOST_HEADINGS]


def abstract(pages: Sequence[Page]) -> str:
    """The abstract as printed: the body of the section of that name, else nothing."""
    for page in pages:
        blocks = [block for block in page.blocks if block.kind == "body"]
        found = [page.text[b.start : b.end] for b in blocks if b.section.casefold().strip(" .:—") == "abstract"]
        if found:
            return " ".join(" ".join(found).split())[:LONGEST_ABSTRACT]
    return ""


def text_lines(page: Page) -> list[list[Any]]:
    """The page's words joined to lines: text, left, top, width, height. Empty where a page has no picture."""
    lines = []
    for rows in _runs(page):
        boxes = page.words.boxes[rows]  # type: ignore[union-attr]  # _runs gives none without words
        left, top = boxes[:, 0].min(), boxes[:, 1].min()
        size = [left, top, boxes[:, 2].max() - left, boxes[:, 3].max() - top]
        words = " ".join(_word(page, row) for row in rows)
        lines.append([words, *(round(float(value), 1) for value in size)])
    return lines


def _word(page: Page, row: int) -> str:
    assert page.words is not None
    return page.text[int(page.words.starts[row]) : int(page.words.ends[row])]


def _runs(page: Page) -> list[list[int]]:
    """The rows of the words of each line, in reading order."""
    if page.words is None or not len(page.words.boxes):
        return []
    boxes = page.words.boxes
    heights = np.maximum(boxes[:, 3] - boxes[:, 1], 0.1)
    overlap = np.minimum(boxes[1:, 3], boxes[:-1, 3]) - np.maximum(boxes[1:, 1], boxes[:-1, 1])
    lower = np.minimum(heights[1:], heights[:-1])
    gap = boxes[1:, 0] - boxes[:-1, 2]
    joined = (overlap >= SAME_LINE * lower) & (gap > -lower) & (gap < WORD_GAP * lower)
    ends = np.flatnonzero(~joined) + 1
    return [part.tolist() for part in np.split(np.arange(len(boxes)), ends)]


def word_boxes(page: Page, start: int, end: int) -> list[Box]:
    """Where the characters [start, end) of the page's text stand; whole words, in one box per line."""
    if page.words is None:
        return []
    words = page.words
    wanted = np.flatnonzero((words.ends > start) & (words.starts < end))
    found: list[list[float]] = []
    for row in wanted.tolist():
        x0, y0, x1, y1 = (float(value) for value in words.boxes[row])
        last = found[-1] if found else None
        if last and min(y1, last[3]) - max(y0, last[1]) > SAME_LINE * (y1 - y0) and x0 >= last[0]:
            last[1], last[2], last[3] = min(last[1], y0), max(last[2], x1), max(last[3], y1)
        else:
            found.append([x0, y0, x1, y1])
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in found]


def find_words(pages: Sequence[Page], wanted: str) -> list[tuple[int, int, int]]:
    """Page, start and end of each place where the words stand one after another, in whatever case and line breaks."""
    words = [re.escape(word) for word in _BETWEEN.split(wanted.strip()) if word]
    if not words:
        return []
    pattern = re.compile(r"\s+".join(words), re.IGNORECASE)
    found = ((page.number, match.start(), match.end()) for page in pages for match in pattern.finditer(page.text))
    return [place for place, _ in zip(found, range(MOST_FOUND), strict=False)]
