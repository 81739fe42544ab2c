"""Words that turn a statement around: "40% more" for "40% fewer", "3 months" for "3 days", "under 3" for "3".

Pure. English only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag_app.text.sentences import word_set

# Each pair: the words of one direction, and those of the other.
_OPPOSITES = (
    (
        word_set(
            "more higher larger bigger greater above increase increases increased increasing rise rises rose "
            "raises raised grows grew doubles doubled"
        ),
        word_set(
            "fewer less lower smaller below decrease decreases decreased decreasing reduce reduces reduced reducing "
            "drops dropped falls fell shrinks shrank lowers lowered halves halved"
        ),
    ),
    (
        word_set("better best improves improved outperforms"),
        word_set("worse worst worsens worsened degrades degraded underperforms"),
    ),
    (word_set("faster quicker"), word_set("slower")),
    (word_set("longer"), word_set("shorter")),
)

# Units that a number is read in, each with its other spellings; one in place of another makes another amount.
_UNITS = {
    spelling: unit
    for unit, spellings in {
        "thousand": "thousand thousands",
        "million": "million millions",
        "billion": "billion billions",
        "trillion": "trillion trillions",
        "percent": "% percent",
        "cents": "cent cents",
        "dollars": "dollar dollars",
        "euros": "euro euros",
        "milliseconds": "ms millisecond milliseconds",
        "seconds": "sec second seconds",
        "minutes": "min minute minutes",
        "hours": "hour hours",
        "days": "day days",
        "weeks": "week weeks",
        "months": "month months",
        "years": "year years",
        "µg": "µg μg microgram micrograms",
        "mg": "mg milligram milligrams",
        "kg": "kg kilogram kilograms",
        "mm": "mm millimetre millimetres millimeter millimeters",
        "cm": "cm centimetre centimetres centimeter centimeters",
        "km": "km kilometre kilometres kilometer kilometers",
        "KB": "kb kilobyte kilobytes",
        "MB": "mb megabyte megabytes",
        "GB": "gb gigabyte gigabytes",
        "TB": "tb terabyte terabytes",
    }.items()
    for spelling in spellings.split()
}
_AMOUNT = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)*)(?:[ \u00a0\u202f-]?(%|[a-zµμ]+))?")


def opposite_direction(text: str, quotes: str) -> tuple[str, str] | None:
    """What of a text turns its quotes around, a word or an amount, and what the quotes say there; else None.

    A word does where the quotes have words of the other direction only, and the text has none of these.
    """
    said, quoted = _words(text), _words(quotes)
    for pair in _OPPOSITES:
        for one, other in (pair, pair[::-1]):
            told, held = [word for word in said if word in one], [word for word in quoted if word in other]
            if told and held and one.isdisjoint(quoted) and other.isdisjoint(said):
                return told[0], held[0]
    return changed_unit(text, quotes)


def changed_unit(text: str, quotes: str) -> tuple[str, str] | None:
    """An amount of a text whose number stands in its quotes with other units only, and one of these; else None.

    A number that stands in the quotes without a unit, as in a table, tells nothing.
    """
    quoted: dict[str, dict[str, str]] = {}
    for number, unit, written in _amounts(quotes):
        quoted.setdefault(number, {})[unit] = written
    for number, unit, written in _amounts(text):
        held = quoted.get(number, {})
        if unit and held and unit not in held and "" not in held:
            return written, next(iter(held.values()))
    return None


_BOUNDS = {
    "<": "under|below|(?:less|fewer|lower|smaller) than|at most|up to|(?:no|not) more than|[<≤]",
    ">": "over|above|beyond|(?:more|greater|higher|larger) than|at least|no (?:less|fewer) than|exceed(?:s|ed)?|[>≥]",
}
_BOUNDED = {
    sign: re.compile(rf"(?<!\w)(?:{words})\s*(?:(?:the|a|an|about|around|just)\s+)?[$€£~]?(\d+(?:[.,]\d+)*)")
    for sign, words in _BOUNDS.items()
}
_OR_MORE = re.compile(r"(\d+(?:[.,]\d+)*)[ \w%-]{0,20}?(?:\+|\bor more\b)")


def added_bound(text: str, quotes: str) -> str:
    """A number that a text bounds ("under 71.3") and its quotes give without that bound; empty where there is none."""
    plain = {number for number, _, _ in _amounts(quotes)}
    held = _bounded_numbers(quotes) | {(">", _value(found[1])) for found in _OR_MORE.finditer(quotes.casefold())}
    return next((number for sign, number in _bounded_numbers(text) - held if number in plain), "")


def _bounded_numbers(text: str) -> set[tuple[str, str]]:
    folded = text.casefold()
    return {(sign, _value(found[1])) for sign, form in _BOUNDED.items() for found in form.finditer(folded)}


def _value(number: str) -> str:
    return number.replace(",", "")


def _amounts(text: str) -> Iterator[tuple[str, str, str]]:
    """Each number, its unit ("" without one) and both as written."""
    for found in _AMOUNT.finditer(text.casefold()):
        unit = _UNITS.get(found[2] or "", "")
        yield _value(found[1]), unit, found[0] if unit else found[1]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.casefold())
