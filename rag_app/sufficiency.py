"""Whether the evidence answers a question: a few signs, and a small logistic regression that weighs them.

The weights were fitted by benchmarks/calibrate_refusal.py on public questions with and without an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import exp

from rag_app.claims import squash
from rag_app.naming import mentions
from rag_app.records import Evidence
from rag_app.sentence_ranking import Asked, Library, Terms, Unit

NamesOf = Callable[[str], Sequence[str]]

THRESHOLD = 0.5
OWNED = 0.15  # of a name's passages lie in the paper: then the name speaks of this paper ("DPR"), else of a field ("RAG")
LOOKED_AT = 24  # best units

_MEASURE = re.compile(
    r"\b(?:how (?:many|much)|(?:what|which) (?:share|fraction|percentage|proportion|number|amount) of)\s+"
    r"(?P<what>(?:(?!did\b|does\b|do\b|was\b|were\b|is\b|are\b|has\b|have\b|can\b|would\b)[\w-]+[\s,]*){1,3})",
    re.IGNORECASE,
)


def signs(
    asked: Asked,
    ranked: Sequence[Unit],
    evidence: Sequence[Evidence],
    terms: Terms,
    library: Library | None,
    names_of: NamesOf,
) -> dict[str, float]:
    """Figures between 0 and about 1 that tell an answered question from an unanswered one; see WEIGHTS."""
    top = ranked[:LOOKED_AT]
    if not top:
        return {}
    holds = _Holdings(evidence, terms, library)
    subjects = _subjects(asked, evidence, holds, names_of, terms)
    papers = list(dict.fromkeys([*subjects, *(unit.evidence.paper for unit in top[:10])]))
    names = {name: terms(name) for name in asked.names}
    first = top[0].evidence.paper
    measures = _measures(asked, terms)
    covered = [_covered(asked, unit) for unit in top]
    return {
        "covered": max(covered),
        "covered_mean": sum(sorted(covered)[-3:]) / 3,
        "own": max(unit.features["own"] for unit in top),
        "meaning": max(unit.features["meaning"] for unit in top),
        "meaning_mean": sum(sorted(unit.features["meaning"] for unit in top)[-3:]) / 3,
        "best": top[0].score / 5,
        "one_paper": sum(unit.evidence.paper == first for unit in top[:10]) / 10,
        "unknown": max((asked.weights[t] for t in asked.weights if not holds.anywhere(t)), default=0.0),
        "unknown_name": _unknown_name(names, holds),
        "missing": min(_missing_terms(asked, paper, holds) for paper in papers),
        "missing_rarest": min(_missing_rarest(asked, paper, holds) for paper in papers),
        "missing_name": min(_missing_name(names, paper, holds, names_of) for paper in papers),
        "subject_missing": min((_missing_terms(asked, paper, holds) for paper in subjects), default=0.0),
        "subject_missing_rarest": min((_missing_rarest(asked, paper, holds) for paper in subjects), default=0.0),
        "subject_missing_name": min((_missing_name(names, p, holds, names_of) for p in subjects), default=0.0),
        "subject": float(bool(subjects)),
        "anchored": _anchored(asked, ranked, names),
        "measure_missing": min(_missing_among(measures, asked, paper, holds) for paper in papers),
        "subject_measure": min((_missing_among(measures, asked, p, holds) for p in subjects), default=0.0),
        "number": float("number" in asked.kinds and any(unit.features["number"] for unit in top[:4])),
        "asks_number": float("number" in asked.kinds),
    }


class _Holdings:
    """Which terms occur where: by the library when there is one, else by the evidence alone."""

    def __init__(self, evidence: Sequence[Evidence], terms: Terms, library: Library | None) -> None:
        self.library = library
        self._by_paper: dict[str, set[str]] = {}
        for piece in evidence:
            self._by_paper.setdefault(piece.paper, set()).update(terms(f"{piece.title} {piece.text}"))

    def anywhere(self, term: str) -> bool:
        if self.library is not None:
            return self.library.frequency(term) > 0
        return any(term in held for held in self._by_paper.values())

    def in_paper(self, paper: str, wanted: Sequence[str]) -> bool:
        """Whether the paper holds all of the terms, in one passage where the library can tell."""
        if all(term in self._by_paper.get(paper, ()) for term in wanted):
            return True
        return self.library is not None and self.library.together(paper, wanted) > 0

    def owned(self, paper: str, wanted: Sequence[str]) -> float:
        """Which share of the passages that hold the (rarest of the) terms belongs to the paper."""
        if self.library is None:
            return 1.0
        everywhere = min((self.library.frequency(term) for term in wanted), default=0)
        return self.library.together(paper, wanted) / everywhere if everywhere else 0.0


def _subjects(
    asked: Asked, evidence: Sequence[Evidence], holds: _Holdings, names_of: NamesOf, terms: Terms
) -> list[str]:
    """Papers that the question speaks of by a name that is mostly theirs."""
    return [
        paper
        for paper in dict.fromkeys(piece.paper for piece in evidence)
        if any(mentions(asked.text, name) and holds.owned(paper, terms(name)) >= OWNED for name in names_of(paper))
    ]


def _covered(asked: Asked, unit: Unit) -> float:
    """The share of the question's weight that a unit and its surroundings hold."""
    return sum(w for term, w in asked.weights.items() if term in unit.terms or term in unit.near) / asked.total


def _missing_terms(asked: Asked, paper: str, holds: _Holdings) -> float:
    total = sum(weight**2 for weight in asked.weights.values()) or 1.0
    return sum(weight**2 for term, weight in asked.weights.items() if not holds.in_paper(paper, [term])) / total


def _anchored(asked: Asked, ranked: Sequence[Unit], names: dict[str, list[str]]) -> float:
    """How much of the question stands near its rarest name; without a name, near any unit."""
    named = [term for ts in names.values() for term in ts if term in asked.weights]
    if not named:
        return max(_covered(asked, unit) for unit in ranked)
    rare = max(named, key=lambda term: asked.weights[term])
    return max((_covered(asked, unit) for unit in ranked if rare in unit.terms or rare in unit.near), default=0.0)


def _measures(asked: Asked, terms: Terms) -> list[str]:
    """What is to be counted or measured: the words after "how many", "how much", "what share of"."""
    found = _MEASURE.search(asked.text)
    return [term for term in terms(found.group("what")) if term in asked.weights][:3] if found else []


def _missing_among(wanted: Sequence[str], asked: Asked, paper: str, holds: _Holdings) -> float:
    return max((asked.weights[term] for term in wanted if not holds.in_paper(paper, [term])), default=0.0)


def _missing_rarest(asked: Asked, paper: str, holds: _Holdings) -> float:
    return max((weight for term, weight in asked.weights.items() if not holds.in_paper(paper, [term])), default=0.0)


def _missing_name(names: dict[str, list[str]], paper: str, holds: _Holdings, names_of: NamesOf) -> float:
    """Whether the paper lacks a name of the question that is not its own: 1 for one or more, else 0."""
    own = {squash(name) for name in names_of(paper)}
    return float(any(not holds.in_paper(paper, ts) for name, ts in names.items() if ts and squash(name) not in own))


def _unknown_name(names: dict[str, list[str]], holds: _Holdings) -> float:
    return float(any(not holds.anywhere(term) for ts in names.values() for term in ts))


def chance_of_answer(found: dict[str, float]) -> float:
    """How likely the evidence answers the question, 0..1. Without any sign there is no answer."""
    if not found:
        return 0.0
    return 1 / (1 + exp(-(BIAS + sum(WEIGHTS[name] * value for name, value in found.items() if name in WEIGHTS))))


BIAS = 0.0
WEIGHTS: dict[str, float] = {"best": 1.0}
