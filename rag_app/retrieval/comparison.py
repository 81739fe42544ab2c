"""What a comparison sets side by side: the papers (rows) and the respects (columns) that a question asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_app.errors import QuestionError
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import Mention, title_head
from rag_app.records import AnswerPlan
from rag_app.retrieval.aspects import Aspect, extract_aspects, parse_aspects
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.plan import SearchPlan

MOST_PAPERS = 12  # rows
MOST_COLUMNS = 12  # that may be asked for outright

_THESE = re.compile(r"\b(?:compar\w*|differ\w*|versus|contrast\w*|similarit\w*|in common)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Comparison:
    """What is set side by side: papers (rows) with what the question calls them, and aspects (columns)."""

    question: str
    papers: tuple[str, ...]
    names: tuple[str, ...]
    aspects: tuple[Aspect, ...]

    def plan(self, searched: int) -> AnswerPlan:
        """What the user sees, and may correct."""
        return AnswerPlan("comparison", self.papers, self.names, tuple(one.label for one in self.aspects), searched)


def recognise_comparison(
    question: str, plan: SearchPlan, by_paper: Mapping[str, IndexedPaper], scope: Scope
) -> Comparison | None:
    """The comparison that a question asks for; None when it asks for something else.

    Papers are those that it names; "how do these papers differ" means the papers that it is limited to.
    """
    papers = list(plan.papers) if plan.kind == "comparison" else []
    if not plan.named and 2 <= len(scope.papers) <= MOST_PAPERS and _THESE.search(question):
        papers = list(scope.papers)
    return _build(question, plan, by_paper, papers, "") if 2 <= len(papers) <= MOST_PAPERS else None


def request_comparison(
    question: str, plan: SearchPlan, by_paper: Mapping[str, IndexedPaper], scope: Scope, aspects: str
) -> Comparison:
    """The comparison that a user asks for outright: of the papers in scope when it is limited, else of those named.

    `aspects` have semicolons between; empty: as the question says. Raises QuestionError without a paper, and for more
    than MOST_PAPERS or MOST_COLUMNS.
    """
    papers = list(scope.papers or plan.papers or plan.named)
    if not papers:
        raise QuestionError(
            "The question names no paper of this library. Name two papers in it, or give them: --papers A,B"
        )
    if len(papers) > MOST_PAPERS:
        raise QuestionError(f"{len(papers)} papers are too many for a table; compare at most {MOST_PAPERS}.")
    columns = len(parse_aspects(aspects))
    if columns > MOST_COLUMNS:
        raise QuestionError(f"{columns} aspects are too many for a table; name at most {MOST_COLUMNS}.")
    return _build(question, plan, by_paper, papers, aspects)


def resolve_papers(text: str, retriever: Retriever) -> list[str]:
    """The papers of a list with commas between: file names, or what a paper is called. Raises QuestionError."""
    found: list[str] = []
    for piece in (" ".join(piece.split()) for piece in re.split(r"[,;]", text)):
        if not piece:
            continue
        named = [piece] if piece in retriever.generation.by_paper else [m.paper for m in retriever.find_mentions(piece)]
        if not named:
            raise QuestionError(f"No paper of this library is called {piece!r}. Give its file name, or its short name.")
        found += named
    return list(dict.fromkeys(found))


def _papers_at(mentions: Sequence[Mention]) -> dict[tuple[int, int], set[str]]:
    """The papers that each place of a question means."""
    found: dict[tuple[int, int], set[str]] = {}
    for one in mentions:
        found.setdefault((one.start, one.end), set()).add(one.paper)
    return found


def _build(
    question: str, plan: SearchPlan, by_paper: Mapping[str, IndexedPaper], papers: Sequence[str], aspects: str
) -> Comparison:
    mentions = [mention for mention in plan.mentions if mention.paper in papers]
    shared = {place for place, papers in _papers_at(mentions).items() if len(papers) > 1}  # "the two vision papers"
    called = {
        mention.paper: question[mention.start : mention.end]
        for mention in reversed(mentions)
        if (mention.start, mention.end) not in shared
    }
    described = {paper for one in plan.described for paper in one.papers}
    names = []
    for paper in papers:
        entry = by_paper[paper]
        short = next(iter(entry.short_names), "") or title_head(entry.title)
        said = called.get(paper, "")
        name = (short or said) if paper in described else (said or short)
        name = name or entry.title or paper
        names.append(re.sub(r"['’]s?$", "", name))
    spans = [(mention.start, mention.end) for mention in mentions]
    return Comparison(question, tuple(papers), tuple(names), parse_aspects(aspects) or extract_aspects(question, spans))
