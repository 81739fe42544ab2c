"""Of what kind a number is: "25 times" for "25 %", "15 s" for "15 ms", "2/3" for "1/3". Pure. English only.

The kind is what is written at a number: a currency, a scale ("million"), a unit (percent and times among them), what it
is counted per ("/s"), what is counted. A number without any of these, as in a table, may be of any kind. How often each
rule is wrong about claims that people found supported is in docs/experiments/answers.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from rag_app.text.sentences import word_set
from rag_app.text.terms import STOPWORDS

# Each unit with its spellings; one in place of another makes another amount.
_UNITS = {
    spelling: unit
    for unit, spellings in {
        "percent": "% percent pct",
        "permille": "‰ permille permil",
        "points": "pp",
        "times": "times fold x ×",
        "cents": "cent cents",
        "dollars": "$ usd dollar dollars",
        "euros": "€ eur euro euros",
        "pounds": "£ gbp",
        "nanoseconds": "ns nanosecond nanoseconds",
        "microseconds": "µs μs microsecond microseconds",
        "milliseconds": "ms millisecond milliseconds",
        "seconds": "sec secs second seconds",
        "minutes": "min mins minute minutes",
        "hours": "hr hrs hour hours",
        "days": "day days",
        "weeks": "week weeks",
        "months": "month months",
        "years": "yr yrs year years",
        "µg": "µg μg ug mcg microgram micrograms",
        "mg": "mg milligram milligrams",
        "g": "gram grams",
        "kg": "kg kilogram kilograms",
        "nm": "nm nanometre nanometres nanometer nanometers",
        "µm": "µm μm micrometre micrometres micrometer micrometers",
        "mm": "mm millimetre millimetres millimeter millimeters",
        "cm": "cm centimetre centimetres centimeter centimeters",
        "m": "metre metres meter meters",
        "km": "km kilometre kilometres kilometer kilometers",
        "ml": "ml millilitre millilitres milliliter milliliters",
        "l": "litre litres liter liters",
        "KB": "kb kilobyte kilobytes",
        "MB": "mb megabyte megabytes",
        "GB": "gb gigabyte gigabytes",
        "TB": "tb terabyte terabytes",
        "bytes": "byte bytes",
        "bits": "bit bits",
        "W": "w watt watts",
        "kW": "kw kilowatt kilowatts",
        "kWh": "kwh",
        "Hz": "hz hertz",
        "kHz": "khz",
        "MHz": "mhz",
        "GHz": "ghz",
        "°C": "°c celsius",
        "°F": "°f fahrenheit",
    }.items()
    for spelling in spellings.split()
}
_LETTERS = {"s": "seconds", "h": "hours", "g": "g", "m": "m", "C": "°C", "F": "°F", "L": "l"}  # as they are written
_SCALES = {
    **{"thousand": "k", "thousands": "k", "million": "M", "millions": "M", "billion": "B", "billions": "B"},
    **{"trillion": "T", "trillions": "T", "k": "k", "K": "k", "M": "M", "B": "B", "T": "T", "bn": "B", "mn": "M"},
}
_UNIT_WITHIN = 3  # words behind a number: "3 GPU hours"
_BEHIND = 60  # characters behind a number that are looked at
_NO_THINGS = word_set("points was has is less its this thus versus plus minus")

_NUMBER = re.compile(
    r"(?P<before>[$€£]|\b(?:USD|EUR|GBP)\s|\bfactor of )?(?<![\w.,])(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)(?![\d]|[.,]\d)"
)
_TOKEN = re.compile(r"°\s?[CF]\b|[^\W\d_]+|\d+|\S")


@dataclass(frozen=True)
class Amount:
    """One number of a text with its kind; a part of it is empty where nothing tells it."""

    value: Decimal
    written: str
    scale: str = ""
    unit: str = ""
    rate: str = ""  # of "tokens per second" seconds
    thing: str = ""  # what is counted, where no unit is known

    def agrees(self, source: Amount) -> bool:
        """Whether a claim may tell the amount of its source as this."""
        if self.rate and source.rate and self.rate != source.rate:
            return False
        if source.scale and self.scale != source.scale and (self.scale or self.unit or self.thing):
            return False
        if not self.unit:
            return not (self.thing and source.unit)
        if source.unit:  # papers write "%" for percentage points, too
            return self.unit == source.unit or (self.unit, source.unit) == ("points", "percent")
        return not source.thing


def changed_kind(text: str, quotes: str) -> tuple[str, str] | None:
    """An amount of a text whose number its quotes have in other kinds only, and one of these; else None."""
    quoted: dict[Decimal, list[Amount]] = {}
    for one in read_amounts(quotes):
        quoted.setdefault(one.value, []).append(one)
        if one.unit == "percent":  # of 9.1 % 0.091 is a share, and no percentage
            quoted.setdefault(one.value / 100, []).append(Amount(one.value / 100, one.written, unit="share"))
    for one in read_amounts(text):
        there = quoted.get(one.value, [])
        if there and not any(one.agrees(source) for source in there):
            return one.written, there[0].written
    return None


def read_amounts(text: str) -> Iterator[Amount]:
    """Each number of a text that is written in digits, with its kind."""
    for found in _NUMBER.finditer(text):
        behind = text[found.end() : found.end() + _BEHIND]
        tokens = [] if behind[:1] == "\n" else list(_TOKEN.finditer(behind))
        words = [token[0] for token in tokens]
        before = (found["before"] or "").strip().casefold()
        unit = "times" if before.startswith("factor") else _UNITS.get(before, "")
        at = 1 if words[:1] == ["-"] and words[1:2] and words[1].isalpha() else 0  # "48-hour"
        scale = _SCALES.get(words[at].casefold() if len(words[at]) > 1 else words[at], "") if words[at:] else ""
        at += bool(scale)
        own, thing, end = _read_unit(words, at)
        rate, behind_rate = _read_rate(words, end)
        last = behind_rate if rate else at if scale and thing else end
        written = found[0] + behind[: tokens[last - 1].end() if last else 0]
        value = Decimal(found["digits"].replace(",", "")).normalize()
        yield Amount(value, written.strip(), scale, unit or own, rate, thing)


def _read_unit(words: Sequence[str], at: int) -> tuple[str, str, int]:
    """The unit that begins at a place, else what is counted there; and where the words of it end."""
    at += words[at : at + 1] == ["-"]
    first, second, third = (*words[at : at + 3], "", "", "")[:3]
    if first.casefold() in ("x", "×") and second.isdigit():
        return "", "", 0  # "3 x 3"
    if first.casefold() in ("%", "percent", "percentage") and second.casefold() in ("point", "points"):
        return "points", "", at + 2
    if (first.casefold(), second.casefold()) == ("per", "cent"):
        return "percent", "", at + 2
    unit = _LETTERS.get(first) or _UNITS.get(first.casefold().replace(" ", ""), "")
    if unit:
        return unit, "", at + 1
    if first == "of" and (second.isdigit() or third.isdigit()):
        return "", "of", at + 1  # "8 of 20 runs"
    for place, word in enumerate(words[at : at + _UNIT_WITHIN], start=at):
        if not word.isalpha() or word in STOPWORDS | _NO_THINGS:
            break
        if len(word) > 2 and word in _UNITS and _UNITS[word] != "times":
            return _UNITS[word], "", place + 1
        if word.islower() and len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
            return "", word, place + 1
    return "", "", at


def _read_rate(words: Sequence[str], at: int) -> tuple[str, int]:
    """What an amount is told per, of "tokens/s" and "tokens per second" seconds; and where the words of it end."""
    for place, (sign, word) in enumerate(pairwise(words[at : at + _UNIT_WITHIN]), start=at):
        if sign in ("/", "per"):
            return _LETTERS.get(word) or _UNITS.get(word.casefold(), ""), place + 2
    return "", at


_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "nine": 9}
_FRACTION = re.compile(
    r"(?<![\w.,/])(?P<top>\d{1,3})\s?(?:/|⁄|(?:out )?of(?: the)?)\s?(?P<below>\d{1,4})(?![\w/]|[.,]\d)|"
    rf"\b(?P<count>{'|'.join(_COUNTS)})[ -](?P<part>{'|'.join(_PARTS)})s?\b",
    re.IGNORECASE,
)


def changed_fraction(text: str, quotes: str) -> tuple[str, str] | None:
    """A part of a whole ("1/3") that a text tells and its quotes tell otherwise, and one of theirs; else None."""
    held = dict(_read_fractions(quotes))
    other = next((written for value, written in _read_fractions(text) if value not in held), "")
    return (other, next(iter(held.values()))) if other and held else None


def _read_fractions(text: str) -> Iterator[tuple[Decimal, str]]:
    for found in _FRACTION.finditer(text):
        top = _COUNTS[found["count"].casefold()] if found["count"] else int(found["top"])
        below = _PARTS[found["part"].casefold()] if found["part"] else int(found["below"])
        if 0 < top < below:
            yield Decimal(top) / Decimal(below), found[0]
