"""A question is analysed once: what it means, in which language it is, which papers it names, what it asks for.

Search and every way to an answer read the AnalysedQuestion; none of them looks at the words again to find that out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag_app.records import Answer
from rag_app.retrieval.comparison import Comparison, recognise_comparison, request_comparison
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.plan import SearchPlan
from rag_app.retrieval.spelling import correct_spelling, join_spellings, restore_capitals
from rag_app.retrieval.understanding import UnderstoodQuestion
from rag_app.text.language import ENGLISH, language_of


@dataclass(frozen=True)
class AnalysedQuestion:
    """One question and all that its words tell, before anything is searched."""

    typed: str
    asked: str  # standing alone, where it means something that was said before; empty: as typed
    search: str  # what the papers are searched by, in their language
    language: str  # of what was typed, an ISO 639-1 code
    note: str  # what the user has to know about that
    scope: Scope  # what it is limited to
    plan: SearchPlan  # the papers that it names, where, and how they are searched
    comparison: Comparison | None = None  # to be answered as a table
    corrections: tuple[tuple[str, str], ...] = ()  # words that no paper has, as typed and as searched
    demanded: bool = False  # a table was asked for outright, whatever the question asks

    @property
    def whole(self) -> str:
        """The question standing alone, in its own language."""
        return self.asked or self.typed

    @property
    def named_papers(self) -> tuple[str, ...]:
        """The papers that it names for certain."""
        return self.plan.named


def stands_alone(typed: str, history: Sequence[Answer]) -> bool:
    """Whether the question means what it says: it follows none, and is in English. It costs no look at the papers."""
    return not history and language_of(typed) == ENGLISH


def analyse(
    typed: str, told: UnderstoodQuestion, retriever: Retriever, scope: Scope, aspects: str | None = None
) -> AnalysedQuestion:
    """The question taken apart for the papers of the retriever; it is planned here and nowhere else.

    `told`: what it means, see understand_question. `aspects`: a table is demanded, with these columns (semicolons
    between; empty: as the question says); None: only where the question asks for one. Raises QuestionError for a table
    without a paper.
    """
    text, corrections = correct_spelling(told.search, retriever.generation, retriever.names)
    text = join_spellings(text, retriever.generation, retriever.spelling_of)
    text = restore_capitals(text, retriever.spelling_of)
    plan = retriever.plan(text, scope)
    by_paper = retriever.generation.by_paper
    if aspects is None:
        comparison = recognise_comparison(text, plan, by_paper, scope, retriever.speaks_of)
    else:
        comparison = request_comparison(text, plan, by_paper, scope, aspects)
    return AnalysedQuestion(
        typed,
        told.asked,
        text,
        language_of(typed),
        told.note,
        scope,
        plan,
        comparison,
        corrections,
        demanded=aspects is not None,
    )


def analyse_part(text: str, retriever: Retriever, scope: Scope) -> AnalysedQuestion:
    """A question that is a part of another one, standing alone and in English: never answered by a table."""
    return replace(analyse(text, UnderstoodQuestion("", text), retriever, scope), comparison=None)
