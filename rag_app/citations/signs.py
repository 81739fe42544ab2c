"""Whether the signs of a quote can be trusted: minus signs, "<", "µ" that a font draws and does not name. Pure."""

from __future__ import annotations

import re

import numpy as np

from rag_app.records import Page

STACKED = 0.25  # of a word's height: lines of text overlap by less
_NUMBER = r"[-−–+]?\d+(?:\.\d+)?"
_BETWEEN = r"\s*(?:to|,|;|–|—|-|−)\s*"
_INTERVAL = re.compile(
    rf"(?P<estimate>{_NUMBER})?[%\s]*[(\[]?\s*(?:\d\d\s?%\s*)?"
    r"(?:CI|CrI|confidence interval|credible interval)\b[\s:=,\[(]{0,4}"
    rf"(?P<low>{_NUMBER})%?{_BETWEEN}(?P<high>{_NUMBER})(?![\d.])",
    re.IGNORECASE,
)
_CHANCE = re.compile(rf"\bp(?:-?values?)?\s*[=<>≤≥]\s*(?P<value>{_NUMBER})(?![\d.])", re.IGNORECASE)


def has_doubtful_signs(page: Page, start: int, end: int) -> bool:
    """Whether page.text[start:end] holds a sign that may be another on the page, or numbers that make no sense.

    So does a formula whose parts stand above each other: in a line of text a fraction has lost its stroke.
    """
    told = any(start <= at <= end for at in page.doubtful)
    return told or _makes_no_sense(page.text[start:end]) or _is_stacked(page, start, end)


def _is_stacked(page: Page, start: int, end: int) -> bool:
    """Whether a word of the quote, outside of tables, stands above or below the one before it, and not a line lower."""
    if page.words is None or any(block.kind == "table" and block.start <= start < block.end for block in page.blocks):
        return False
    rows = np.flatnonzero((page.words.starts < end) & (page.words.ends > start))
    boxes = page.words.boxes[rows]
    if (boxes[:, 3] - boxes[:, 1]).sum() > (boxes[:, 2] - boxes[:, 0]).sum():
        return False  # text that runs up or down the page
    one, two = boxes[:-1], boxes[1:]
    lower = np.minimum(one[:, 3] - one[:, 1], two[:, 3] - two[:, 1])
    overlap = np.minimum(one[:, 3], two[:, 3]) - np.maximum(one[:, 1], two[:, 1])
    across = np.minimum(one[:, 2], two[:, 2]) - np.maximum(one[:, 0], two[:, 0])
    narrower = np.minimum(one[:, 2] - one[:, 0], two[:, 2] - two[:, 0])
    together = (overlap > STACKED * lower) & (across > 0.5 * narrower)
    above = (two[:, 3] < one[:, 1] + 0.1 * lower) & (overlap > -lower) & (across > -lower)
    return bool((together | above).any())


def _makes_no_sense(text: str) -> bool:
    """An interval that ends below its start or leaves out its own estimate; a probability above 1 or below 0."""
    for found in _INTERVAL.finditer(text):
        low, high = _value(found["low"]), _value(found["high"])
        estimate = _value(found["estimate"]) if found["estimate"] else low
        if low > high or not low <= estimate <= high:
            return True
    return any(not 0 <= _value(found["value"]) <= 1 for found in _CHANCE.finditer(text))


def _value(number: str) -> float:
    return float(re.sub("[−–]", "-", number))
