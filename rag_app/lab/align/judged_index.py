"""Questions whose answers are known by page and quote -> judged passages of an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rag_app.index.generations import Generation
from rag_app.lab.align.judged_questions import JudgedQuestion
from rag_app.records import Hit, Passage, indexed_text
from rag_app.text.quote_matching import find_quote

_SEARCHED = 50  # passages that are looked through for wrong ones
_WRONG = 10  # kept of those

Search = Callable[[str, int], Sequence[Hit]]
"""A question and how many -> the best passages."""


def judge_by_facts(
    question: str, facts: Sequence[dict[str, Any]], generation: Generation, search: Search
) -> JudgedQuestion | None:
    """The passages that hold the facts' quotes, and found passages of other pages as those that do not answer.

    Each text is as the index holds it, with title and section in front. None where no fact's page is in the index.
    """
    right: list[Passage] = []
    for fact in facts:
        right += evidence_passages(generation, fact["paper"], fact["page"], str(fact.get("quote", "")))
    if not right:
        return None
    pages = {(fact["paper"], fact["page"]) for fact in facts}
    wrong = [hit.passage for hit in search(question, _SEARCHED) if (hit.passage.paper, hit.passage.page) not in pages]

    def texts(passages: Sequence[Passage]) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(indexed_text(passage, generation.by_paper[passage.paper].title) for passage in passages)
        )

    papers = tuple(dict.fromkeys(fact["paper"] for fact in facts))
    return JudgedQuestion(question, texts(right), texts(wrong[:_WRONG]), papers)


def evidence_passages(generation: Generation, paper: str, page: int, quote: str) -> list[Passage]:
    """The passages of a page that hold the quote, or the one that holds most of it; without a quote all of the page."""
    if paper not in generation.by_paper:
        return []
    passages = [passage for passage in generation.passages_of(paper) if passage.page == page]
    if not quote.strip() or not passages:
        return passages
    place = find_quote(quote, generation.page(paper, page).text)
    if place is None:  # our reading of the page has other words: nothing can be said of its passages
        return []
    shared = {passage.id: min(place[1], passage.end) - max(place[0], passage.start) for passage in passages}
    most = max(shared.values())
    return [passage for passage in passages if shared[passage.id] == most] if most > 0 else []
