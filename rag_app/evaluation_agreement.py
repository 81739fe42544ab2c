"""How far a judge agrees with people: percent, Cohen's kappa, Scott's pi, and how lenient it is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """A judge beside given labels. Kappa and pi are 1 for perfect agreement and 0 for what chance would give."""

    cases: int
    percent: float  # of the cases, 0..100
    kappa: float
    pi: float
    leniency: float | None  # None where the judge's two error rates leave nothing to guess


def agreement(labels: Sequence[str], verdicts: Sequence[str], positive: str) -> Agreement:
    """Judge a judge. `positive` is the label whose too frequent use is leniency. Raises ValueError without cases.

    Percent alone flatters: a judge that always says yes agrees with most labels where most are yes (2406.12624,
    section 4). Cohen's kappa (1960) takes the chance of agreement from each side's own label frequencies, Scott's pi
    (1955) from the two sides' pooled ones.
    """
    if not labels or len(labels) != len(verdicts):
        raise ValueError("needs as many verdicts as labels, and at least one")
    cases = len(labels)
    seen = sum(a == b for a, b in zip(labels, verdicts, strict=True)) / cases
    of_people, of_judge = Counter(labels), Counter(verdicts)
    either = of_people.keys() | of_judge.keys()
    by_kappa = sum(of_people[label] * of_judge[label] for label in either) / cases**2
    by_pi = sum(((of_people[label] + of_judge[label]) / (2 * cases)) ** 2 for label in either)
    return Agreement(
        cases, round(100 * seen, 1), _above(seen, by_kappa), _above(seen, by_pi), leniency(labels, verdicts, positive)
    )


def _above(seen: float, chance: float) -> float:
    """Agreement above chance. Where both sides use one and the same label only, chance explains all of it: 0."""
    return round((seen - chance) / (1 - chance), 3) if chance < 1 - 1e-12 else 0.0


def leniency(labels: Sequence[str], verdicts: Sequence[str], positive: str) -> float | None:
    """The chance that the judge says `positive` where it does not judge but guesses (2406.12624, on leniency).

    The model: the judge knows the answer with probability c, else it guesses `positive` with probability p. Then it
    says so of positives with c + (1-c) p and of negatives with (1-c) p, which gives p. 0.5 is even-handed.
    """
    of_good = [verdict == positive for label, verdict in zip(labels, verdicts, strict=True) if label == positive]
    of_bad = [verdict == positive for label, verdict in zip(labels, verdicts, strict=True) if label != positive]
    if not of_good or not of_bad:
        return None
    true_rate, false_rate = sum(of_good) / len(of_good), sum(of_bad) / len(of_bad)
    guessed = 1 - (true_rate - false_rate)
    # A judge that is worse than guessing breaks the model: the estimate is kept within a probability's bounds.
    return round(min(1.0, false_rate / guessed), 3) if guessed > 1e-12 else None
