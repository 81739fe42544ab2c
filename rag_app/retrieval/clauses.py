"""Questions that ask something else of each paper: "what does A cache and what does B compress". Pure.

Only where the clauses are built alike is each paper's own meant; else what is asked of one is asked of all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rag_app.text.terms import content_words

_BETWEEN = re.compile(
    r"\s*(?:[,;?]\s*(?:(?:and|but|while|whereas|vs\.?|versus)(?!\w))?"
    r"|\b(?:and|but|while|whereas|vs\.?|versus|compared (?:to|with))(?!\w))\s*",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:how|what|which|where|when|whether|who|whom|whose|why|is|are|was|were|do|does|did|can)\b", re.IGNORECASE
)
_ASKS_WHAT_IS = re.compile(r"(?:what|which|who)\s+(?:is|are|was|were)\s+(?:the\s+)?", re.IGNORECASE)
_OF = re.compile(r"\b(?:of|in|for|from|by|at|on|behind|with)\s+(?:the\s+)?$", re.IGNORECASE)
_OWNS = re.compile(r"(?:['’]s?)?\s+\w")


@dataclass(frozen=True)
class Clause:
    """A part of a question, with the places where it names papers: offsets into the question."""

    start: int
    end: int
    names: tuple[tuple[int, int], ...]

    def read_rest(self, question: str) -> str:
        """What it says besides the names."""
        edges = [self.start, *(edge for place in self.names for edge in place), self.end]
        return " ".join(question[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))


def find_parallel_clauses(question: str, names: Collection[tuple[int, int]]) -> list[Clause]:
    """The clauses that ask one thing each of papers of their own, built alike; empty where the question has none.

    `names` are where papers are named. Alike: each begins as a question, or each says something *of* its paper
    ("the X of A vs the Y of B"), or of each the paper comes first ("A's X and B's Y").
    """
    clauses = _split_clauses(question, sorted(names))
    if len(clauses) < 2:
        return []
    forms = [_find_forms(question, clause) for clause in clauses]
    return clauses if forms[0].intersection(*forms[1:]) else []


def _split_clauses(question: str, names: Sequence[tuple[int, int]]) -> list[Clause]:
    """The clauses with a name each; one without belongs to the next, at the end to the one before it."""
    cuts = [
        (match.start(), match.end())
        for match in _BETWEEN.finditer(question)
        if not any(start < match.end() and match.start() < end for start, end in names)
    ]
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(question.rstrip(" .?!"))]
    found: list[Clause] = []
    begun: int | None = None
    for start, end in zip(starts, ends, strict=True):
        begun = start if begun is None else begun
        held = tuple(place for place in names if begun <= place[0] and place[1] <= end)
        if held:
            found.append(Clause(begun, end, held))
            begun = None
    if begun is not None and found:
        found[-1] = replace(found[-1], end=ends[-1])
    return found


def _find_forms(question: str, clause: Clause) -> set[str]:
    """How a clause is built; empty where it says nothing but the name."""
    first, last = clause.names[0], clause.names[-1]
    text = question[clause.start : first[0]].rpartition(": ")[2]
    forms = {"asks"} if _ASKS.match(f"{text}{question[first[0] : clause.end]}") else set()
    if not content_words(clause.read_rest(question)):
        return forms  # "and which does B use?" asks the same again
    if last[1] >= clause.end and _OF.search(text) and content_words(text):
        forms.add("of")
    if not _ASKS_WHAT_IS.sub("", text).strip() and _OWNS.match(question, last[1], clause.end):
        forms.add("owns")
    return forms
