"""Whether a number follows from others by one plain step: a gain, a ratio, a percentage, a sum, a rounding. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from itertools import combinations

UNITS = (7, 12, 24, 60, 100, 365, 1000)  # by which a figure is turned into another unit: hours of a day, per cent
MOST = 40  # numbers that are combined
TOLERANCE = 0.006  # of the value, for roundings within a step


def follows(values: Collection[Decimal], sources: Collection[Decimal], figures: Sequence[Decimal]) -> bool:
    """Whether one of `values` (what one number may stand for) follows.

    By rounding one of `sources`, or by a step of arithmetic from `figures`: those that were cited.
    """
    if any(is_rounded(value, source) for value in values for source in sources):
        return True
    derived = derive_values([float(figure) for figure in figures])
    return any(abs(float(value) - one) <= TOLERANCE * max(1.0, abs(one)) for value in values for one in derived)


def is_rounded(value: Decimal, source: Decimal) -> bool:
    """Whether `value` is `source` with fewer digits, two at least: 2.8 million of 2,817,000, 15 of 15.2."""
    digits = len(value.normalize().as_tuple().digits)
    if digits < 2 or not source or value == source:
        return value == source
    exponent = source.adjusted() - digits + 1
    return bool(source.quantize(Decimal(1).scaleb(exponent)) == value) if abs(exponent) < 20 else False


def derive_values(values: Sequence[float]) -> list[float]:
    """What one step makes of the numbers: how many they are, another unit, sum, mean, difference, product, ratio."""
    found: list[float] = [float(len(values)), *(value * factor for value in values for factor in UNITS)]
    if values:
        found += [sum(values), sum(values) / len(values)]
    for one, two in combinations(sorted(set(values))[:MOST], 2):
        found += [two - one, one + two, one * two]
        if one:
            found += [two / one, 100 * two / one, 100 * (two - one) / one]
        if two:
            found += [one / two, 100 * one / two, 100 * (two - one) / two]
    return found
