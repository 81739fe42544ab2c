"""Whether a number follows from others by one plain step: a gain, a ratio, a percentage, a sum, a rounding. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from itertools import combinations
from math import isfinite

UNITS = (7, 12, 24, 60, 100, 365, 1000)  # by which a figure is turned into another unit: hours of a day, per cent
MOST = 40  # numbers that are combined
TOLERANCE = 0.006  # of the value, for roundings within a step
# Shares in words, as the figures in which they may be told.
_SHARES = {
    r"hal(?:f|ves)|equal(?:ly)?|一半|各半|相等": ("0.5", "50", "2"),
    r"thirds?|三分之一": ("33", "33.3", "3"),
    r"quarters?|四分之一": ("0.25", "25", "4"),
    r"twice|doubl\w+|两倍|翻倍": ("2", "100"),
    r"tripl\w+|三倍": ("3",),
    r"tenfold|order of magnitude|数量级": ("10",),
}


def follows(values: Collection[Decimal], sources: Collection[Decimal], figures: Sequence[Decimal]) -> bool:
    """Whether one of `values` (what one number may stand for) follows.

    By rounding one of `sources`, or by a step of arithmetic from `figures`: those that were cited.
    """
    if any(is_rounded(value, source) for value in values for source in sources):
        return True
    derived = [one for one in derive_values([float(figure) for figure in figures]) if isfinite(one)]
    return any(abs(float(value) - one) <= _slack(value, one) for value in values for one in derived)


def _slack(value: Decimal, derived: float) -> float:
    """How far a value may be from what was derived; of one below 1 its own last digit is rounded, and no more."""
    if abs(value) >= 1:
        return TOLERANCE * max(1.0, abs(derived))
    exponent = value.as_tuple().exponent
    last = 10.0 ** min(exponent, 0) / 2 if isinstance(exponent, int) else 0.0
    return max(TOLERANCE * abs(derived), min(TOLERANCE, last * 1.0001))


def share_values(text: str) -> frozenset[Decimal]:
    """The figures by which shares that a text tells in words may be told: of "half of the batches" 50 among others."""
    return frozenset(
        Decimal(value)
        for words, values in _SHARES.items()
        if re.search(rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])", text, re.IGNORECASE)
        for value in values
    )


def is_rounded(value: Decimal, source: Decimal) -> bool:
    """Whether `value` is `source` with fewer digits, two at least: 2.8 million of 2,817,000, 15 of 15.2."""
    digits = len(value.normalize().as_tuple().digits)
    if digits < 2 or not source or value == source:
        return value == source
    exponent = source.adjusted() - digits + 1
    return bool(source.quantize(Decimal(1).scaleb(exponent)) == value) if abs(exponent) < 20 else False


def derive_values(values: Sequence[float]) -> list[float]:
    """What one step makes of the numbers: how many they are, another unit, sum, mean, difference, product, ratio."""
    found: list[float] = [value * factor for value in values for factor in UNITS]
    if len(values) > 1:
        found.append(float(len(values)))
    if values:
        found += [sum(values), sum(values) / len(values)]
    for one, two in combinations(sorted(set(values))[:MOST], 2):
        found += [two - one, one + two, one * two]
        if one:
            found += [two / one, 100 * two / one, 100 * (two - one) / one]
        if two:
            found += [one / two, 100 * one / two, 100 * (two - one) / two]
    return found
