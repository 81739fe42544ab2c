"""Questions that one search cannot answer, without a model: about all papers, from paper to paper, of disagreement.

Each is recognised by its form, and answered in its own way only where that way is certain; else the caller goes on as
with any other question.

Which way a question is answered from what was found: whole papers, a table, a model's prose, or quotes.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from rag_app.answering.across.disagreement import answer_disagreement, asks_for_disagreement
from rag_app.answering.across.multi_hop import answer_chain, find_chain
from rag_app.answering.across.survey import answer_survey, asks_for_list, parse_survey_topic
from rag_app.answering.found import AnswerContext
from rag_app.answering.model.reader import ModelReader, Reader
from rag_app.answering.quoting.reader import QuotingReader
from rag_app.answering.steps import answer_as_table, answer_from_evidence, balance_evidence, is_answered, quoting_reader
from rag_app.answering.tables.comparison import CellMemory
from rag_app.answering.whole_papers import NEEDS_MODEL, answer_from_whole_papers
from rag_app.records import Answer, Event, Progress
from rag_app.settings import Settings


def find_special_answer(
    context: AnswerContext, *, complete_only: bool = False
) -> Generator[Event, None, Answer | None]:
    """The answer, without id and times, when the question is of one of these kinds; else None. Yields what happens.

    `complete_only`: only where every paper has to be looked at, which no prompt of a model holds.
    """
    question = context.found.question
    if asks_for_disagreement(question):
        yield Progress("reading", "looking for claims that oppose each other")
        return answer_disagreement(context)
    if complete_only and not asks_for_list(question):
        return None
    chain = None if complete_only else find_chain(context)
    if chain is not None:
        return (yield from answer_chain(context, chain))
    topic = parse_survey_topic(question) if context.found.comparison is None else None
    if topic is not None and len(context.retriever.plan(question, context.found.scope).named) < 2:
        yield Progress("reading", "looking at every paper")
        return answer_survey(context, topic)
    return None


def answer_question(
    context: AnswerContext,
    reader: Reader,
    settings: Settings,
    cells: CellMemory,
    *,
    demanded: bool = False,
    whole: bool = False,
) -> Generator[Event, None, Answer]:
    """Yields what happens and the answer's pieces; returns the checked Answer, without id and times.

    `demanded`: a table was asked for outright. `whole`: from whole papers, where they fit.
    """
    found, meaning, stop = context.found, context.meaning, context.stop
    if whole and isinstance(reader, ModelReader):
        return (yield from answer_from_whole_papers(found, reader, settings, stop, meaning))
    quoting = quoting_reader(found, meaning)
    model = reader if isinstance(reader, ModelReader) else None
    special = None
    if not demanded and (model is not None or isinstance(reader, QuotingReader)):
        special = yield from find_special_answer(context, complete_only=model is not None and model.trust != "none")
    if special is not None:
        answer = special if model is None else replace(special, notes=(*special.notes, _quoting_note(model)))
    elif found.comparison is not None and (demanded or is_answered(found, quoting)):
        answer = yield from answer_as_table(found, meaning, stop, reader, cells)
    else:
        asked = balance_evidence(found) if model is not None else found
        answer = yield from answer_from_evidence(
            asked, quoting if isinstance(reader, QuotingReader) else reader, stop, meaning
        )
    return replace(answer, notes=(*answer.notes, NEEDS_MODEL)) if whole else answer


def _quoting_note(model: ModelReader) -> str:
    if model.trust == "none":
        return f"{model.name} is too small for a question that needs several searches: the papers are quoted."
    return f"Every paper was looked at, which no prompt of {model.name} holds: the papers are quoted."
