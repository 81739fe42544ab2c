"""How good a ranking is, and whether a change of it is more than chance. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 4000


@dataclass(frozen=True)
class Gain:
    """A mean difference over questions with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0


def recall(ranking: Sequence[int], wanted: Collection[int], depth: int = 10) -> float:
    """Share of the wanted items among the first `depth`."""
    return sum(item in wanted for item in ranking[:depth]) / len(wanted)


def ndcg(ranking: Sequence[int], wanted: Collection[int], depth: int = 10) -> float:
    """Normalised discounted cumulative gain with two grades (Järvelin and Kekäläinen 2002): 1 when all stand first."""
    gained = sum(1 / np.log2(place + 2) for place, item in enumerate(ranking[:depth]) if item in wanted)
    return float(gained / sum(1 / np.log2(place + 2) for place in range(min(depth, len(wanted)))))


def paired_gain(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Gain:
    """By how much `after` is better: a paired bootstrap over the questions (Efron 1979; for rankings Sakai 2006)."""
    difference = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(difference), (_RESAMPLES, len(difference)))
    low, high = np.percentile(difference[drawn].mean(axis=1), (2.5, 97.5))
    return Gain(float(difference.mean()), float(low), float(high))
