"""Whether the evidence answers a question: a few signs, and a small logistic regression that weighs them.

Weights and threshold were fitted by benchmarks/calibrate_refusal.py on public questions with and without an answer. The
development questions had no part in that, but guided the older signs; the script prints how far all this carries to
papers and to sets that had no part in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import exp

from rag_app.answering.quoting.ranking import Unit
from rag_app.index.paper_names import contains_name
from rag_app.records import Evidence
from rag_app.retrieval.question_terms import QuestionTerms, Terms, TermStatistics, paper_share
from rag_app.text.terms import number_words, squash

NamesOf = Callable[[str], Sequence[str]]

THRESHOLD = 0.37  # of the chance of an answer; below, the reader says that there is none
BIAS = -3.81
WEIGHTS: dict[str, float] = {
    "meaning_mean": 1.44,
    "missing_name": -1.03,
    "subject_missing_name": -1.1,
    "anchored": 1.86,
    "measured": 1.66,
    "focus": 1.05,
}

OWNED = 0.15  # of a name's passages lie in the paper: then the name speaks of it ("DPR"), else of a field ("RAG")
LOOKED_AT = 24  # units that are likeliest by words and rank
FOCUS_LOOKED_AT = 10  # best pieces of evidence
USUAL_FOCUS = 0.6  # stands in where it tells nothing: in one paper alone, or when several are asked for
USUAL_MEANING = 0.6  # what the best sentences usually reach; stands in where no embedder is at hand

SEVERAL = re.compile(
    r"\b(?:which|what|how many|list|name)\b[^?]{0,20}\bpapers\b|\bpapers (?:that|which|here)\b", re.IGNORECASE
)
_MEASURE = re.compile(
    r"\b(?:how (?:many|much)|(?:what|which) (?:share|fraction|percentage|proportion|number|amount) of)\s+"
    r"(?P<what>(?:(?!(?:did|does|do|was|were|is|are|has|have|can|would|must|should)\b)[\w-]+[\s,]*){1,2})",
    re.IGNORECASE,
)


def estimate_answer_chance(found: dict[str, float]) -> float:
    """How likely the evidence answers the question, 0..1. Without any sign there is no answer."""
    if not found:
        return 0.0
    return 1 / (1 + exp(-(BIAS + sum(weight * found[name] for name, weight in WEIGHTS.items()))))


def measure_signs(
    asked: QuestionTerms,
    ranked: Sequence[Unit],
    evidence: Sequence[Evidence],
    terms: Terms,
    library: TermStatistics | None,
    names_of: NamesOf,
    one_paper: bool = False,
) -> dict[str, float]:
    """What tells an answered question from an unanswered one, each between 0 and 1. Empty without evidence.

    `one_paper`: there was no other paper to search.

    meaning_mean: likeness of the three best sentences.
    missing_name, subject_missing_name: 1 when every paper in reach, or the paper that the question is about, lacks one
    of the question's names. anchored: how much of the question stands near its rarest name. measured: how much of what
    is to be counted stands near a number. focus: the share of the best evidence that one paper holds: what no paper is
    about is found a little in many.
    """
    top = [unit for unit in ranked if unit.place < LOOKED_AT]
    if not top:
        return {}
    holds = _TermOccurrences(evidence, terms, library)
    names = {name: [term for part in _compound_parts(name) for term in terms(part)] for name in asked.names}
    subjects = _subjects(asked, evidence, holds, names_of, terms)
    several = len(subjects) > 1 or SEVERAL.search(asked.text) is not None
    groups = _groups(top, subjects, several)
    missing = min(_missing_terms(asked, group, holds) for group in groups)
    missing_name = min(_missing_name(names, group, holds, names_of) for group in groups)
    alone = bool(subjects) and not several
    if SEVERAL.search(asked.text):
        anchored = 1 - missing  # "which papers ...": that papers speak of it is the answer
    else:
        anchored = _share_in_best_units(asked, ranked) if several else _share_near_name(asked, ranked, names)
    return {
        "meaning_mean": _likeness(top),
        "missing_name": missing_name,
        "subject_missing_name": _missing_name(names, subjects, holds, names_of) if alone else missing_name,
        "anchored": anchored,
        "measured": _counted_share(asked, top, terms),
        "focus": USUAL_FOCUS if several or one_paper else _focus(evidence),
    }


def find_lacking_papers(
    asked: QuestionTerms, evidence: Sequence[Evidence], terms: Terms, library: TermStatistics | None, names_of: NamesOf
) -> set[str]:
    """Papers of the evidence that never use a name which the question has and which is not their own."""
    holds = _TermOccurrences(evidence, terms, library)
    names = {name: [term for part in _compound_parts(name) for term in terms(part)] for name in asked.names}
    papers = dict.fromkeys(piece.paper for piece in evidence)
    return {paper for paper in papers if _missing_name(names, [paper], holds, names_of)}


def _likeness(top: Sequence[Unit]) -> float:
    if all(unit.vector is None for unit in top):
        return USUAL_MEANING
    return sum(sorted(unit.features["meaning"] for unit in top)[-3:]) / 3


def _focus(evidence: Sequence[Evidence]) -> float:
    papers = [piece.paper for piece in evidence[:FOCUS_LOOKED_AT]]
    return max(papers.count(paper) for paper in papers) / len(papers)


def _compound_parts(name: str) -> list[str]:
    """The parts of a compound that name something: of "Jeopardy-style" and "GPT-4-written" the first ones."""
    parts = re.split(r"[-/]", re.sub(r"['’]s?$", "", name))
    return [part for part in parts if re.search(r"[A-Z\d]", part)] or parts


def _groups(top: Sequence[Unit], subjects: list[str], together: bool) -> list[list[str]]:
    """Sets of papers any of which may hold the answer: each good paper alone, several subjects only together."""
    papers = list(dict.fromkeys(unit.evidence.paper for unit in top[:10]))
    groups = [[paper] for paper in papers]
    if subjects:
        groups.append(subjects)
    if together or len(subjects) > 1:
        groups.append(list(dict.fromkeys([*subjects, *papers])))
    return groups


def _acronyms(text: str) -> set[str]:
    """Short forms of names that a text spells out: "nq" where it says Natural Questions."""
    runs = re.findall(r"\b[A-Z][a-z]+(?:[ -][A-Z][a-z]+)+", text)
    return {"".join(word[0] for word in re.split(r"[ -]", run)).casefold() for run in runs}


class _TermOccurrences:
    """Which terms occur where: by the library when there is one, else by the evidence alone."""

    def __init__(self, evidence: Sequence[Evidence], terms: Terms, library: TermStatistics | None) -> None:
        self.library = library
        self._by_paper: dict[str, set[str]] = {}
        for piece in evidence:
            text = f"{piece.title} {piece.text}"
            self._by_paper.setdefault(piece.paper, set()).update(terms(text), _acronyms(text))

    def occurs_in_any(self, papers: Sequence[str], wanted: Sequence[str]) -> bool:
        """Whether one of the papers holds all of the terms."""
        return any(self._in_paper(paper, wanted) for paper in papers)

    def _in_paper(self, paper: str, wanted: Sequence[str]) -> bool:
        if all(term in self._by_paper.get(paper, ()) for term in wanted):
            return True
        return self.library is not None and self.library.count_together(paper, wanted) > 0

    def share_of_paper(self, paper: str, wanted: Sequence[str]) -> float:
        """Which share of the passages that hold the (rarest of the) terms belongs to the paper."""
        return 1.0 if self.library is None else paper_share(paper, wanted, self.library)


def _subjects(
    asked: QuestionTerms, evidence: Sequence[Evidence], holds: _TermOccurrences, names_of: NamesOf, terms: Terms
) -> list[str]:
    """Papers that the question speaks of by a name that is mostly theirs."""
    return [
        paper
        for paper in dict.fromkeys(piece.paper for piece in evidence)
        if any(
            contains_name(asked.text, name) and holds.share_of_paper(paper, terms(name)) >= OWNED
            for name in names_of(paper)
        )
    ]


def _covered_share(asked: QuestionTerms, units: Sequence[Unit]) -> float:
    """The share of the question's weight that units and their surroundings hold together."""
    held = frozenset[str]().union(*(unit.terms | unit.near for unit in units))
    return sum(weight for term, weight in asked.weights.items() if term in held) / asked.total


def _share_near_name(asked: QuestionTerms, ranked: Sequence[Unit], names: dict[str, list[str]]) -> float:
    """How much of the question stands near its rarest name."""
    named = [term for ts in names.values() for term in ts if term in asked.weights]
    rare = max(named, key=lambda term: asked.weights[term], default="")
    near = [unit for unit in ranked if not rare or rare in unit.terms or rare in unit.near]
    return max((_covered_share(asked, [unit]) for unit in near), default=0.0)


def _share_in_best_units(asked: QuestionTerms, ranked: Sequence[Unit]) -> float:
    """How much of the question stands in the two best units of each paper: each may hold a part of the answer."""
    papers = dict.fromkeys(unit.evidence.paper for unit in ranked)
    return _covered_share(
        asked, [unit for paper in papers for unit in [u for u in ranked if u.evidence.paper == paper][:2]]
    )


def _counted_share(asked: QuestionTerms, top: Sequence[Unit], terms: Terms) -> float:
    """Of what is to be counted ("how many person-hours"), the share that stands near a number; 1 when nothing is."""
    found = _MEASURE.search(asked.text)
    wanted = [term for term in terms(found["what"]) if term in asked.weights] if found else []
    total = sum(asked.weights[term] for term in wanted)
    if not total:
        return 1.0
    counted = [unit for unit in top if any(map(str.isdigit, unit.text)) or number_words(unit.text)]
    near = (sum(asked.weights[term] for term in wanted if term in unit.terms | unit.near) for unit in counted)
    return max(near, default=0.0) / total


def _missing_terms(asked: QuestionTerms, papers: Sequence[str], holds: _TermOccurrences) -> float:
    """The squared weight of the question's terms that none of the papers holds, as a share."""
    total = sum(weight**2 for weight in asked.weights.values()) or 1.0
    return sum(weight**2 for term, weight in asked.weights.items() if not holds.occurs_in_any(papers, [term])) / total


def _missing_name(
    names: dict[str, list[str]], papers: Sequence[str], holds: _TermOccurrences, names_of: NamesOf
) -> float:
    """Whether the papers lack a name of the question that is not their own: 1 for one or more, else 0."""
    own = {squash(name) for paper in papers for name in names_of(paper)}
    return float(
        any(not holds.occurs_in_any(papers, ts) for name, ts in names.items() if ts and squash(name) not in own)
    )
