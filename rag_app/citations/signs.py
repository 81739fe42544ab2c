"""Whether the signs of a quote can be trusted: minus signs, "<", "µ" that a font draws and does not name. Pure."""

from __future__ import annotations

import re

from rag_app.records import Page

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
    """Whether page.text[start:end] holds a sign that may be another on the page, or numbers that make no sense."""
    return any(start <= at <= end for at in page.doubtful) or _makes_no_sense(page.text[start:end])


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
