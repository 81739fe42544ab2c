"""Questions that one search cannot answer, without a model: about all papers, from paper to paper, of disagreement.

Each is recognised by its form, and answered in its own way only where that way is certain; else the caller goes on as
with any other question.
"""

from __future__ import annotations

from collections.abc import Generator

from rag_app.chain_answer import chain_answer, chain_in
from rag_app.desk import Desk
from rag_app.disagreement import asks_for_disagreement
from rag_app.disagreement_answer import disagreement_answer
from rag_app.records import Answer, Event, Progress
from rag_app.survey import asks_for_list, topic_of
from rag_app.survey_answer import survey_answer


def special_answer(desk: Desk, *, complete_only: bool = False) -> Generator[Event, None, Answer | None]:
    """The answer, without id and times, when the question is of one of these kinds; else None. Yields what happens.

    `complete_only`: only where every paper has to be looked at, which no prompt of a model holds.
    """
    question = desk.found.question
    if asks_for_disagreement(question):
        yield Progress("reading", "looking for claims that oppose each other")
        return disagreement_answer(desk)
    if complete_only and not asks_for_list(question):
        return None
    chain = None if complete_only else chain_in(desk)
    if chain is not None:
        return (yield from chain_answer(desk, chain))
    topic = topic_of(question) if desk.found.comparison is None else None
    if topic is not None and len(desk.retriever.plan(question, desk.found.scope).named) < 2:
        yield Progress("reading", "looking at every paper")
        return survey_answer(desk, topic)
    return None
