"""The ways to an answer, in the order in which they are tried.

A further way is one more object in ROUTES: it says by the analysed question whether it can answer, and answers. A route
that finds on the way that it cannot, returns None, and the next one is tried.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Protocol

from rag_app.answering.across.disagreement import answer_disagreement, asks_for_disagreement
from rag_app.answering.across.multi_hop import answer_chain, find_chain
from rag_app.answering.across.survey import answer_survey, asks_for_list, parse_survey_topic
from rag_app.answering.found import AnswerContext
from rag_app.answering.model.reader import ModelReader
from rag_app.answering.steps import answer_as_table, answer_from_evidence, balance_evidence, is_answered, quoting_reader
from rag_app.answering.whole_papers import NEEDS_MODEL, answer_from_whole_papers
from rag_app.records import Answer, Event, Progress

Telling = Generator[Event, None, Answer | None]
"""What happens, and the answer's pieces; returns the checked answer without id and times, None where there is none."""


class Route(Protocol):
    """One way to answer a question. Shared between threads: it keeps nothing."""

    searches: bool
    """Whether it reads `context.found`; a route that does not comes before those that do, and costs no search."""

    def matches(self, context: AnswerContext) -> bool:
        """Whether the question is one for this route, by its words, the reader and the library."""

    def answer(self, context: AnswerContext) -> Telling:
        """Answer it."""


class WholePapers:
    """The papers go to the model in whole, where the user wants that."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return context.whole and context.model is not None

    def answer(self, context: AnswerContext) -> Telling:
        assert context.model is not None
        return (
            yield from answer_from_whole_papers(
                context.found, context.model, context.settings, context.stop, context.meaning
            )
        )


class Disagreement:
    """ "Where do the papers disagree about X": pairs of opposed claims."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return _is_free(context) and asks_for_disagreement(context.question.search)

    def answer(self, context: AnswerContext) -> Telling:
        yield Progress("reading", "looking for claims that contradict each other")
        return _add_quoting_note(context, answer_disagreement(context))


class MultiHop:
    """A question that leads from a paper that it names to one that it does not."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return _is_free(context) and not _writes(context) and find_chain(context) is not None

    def answer(self, context: AnswerContext) -> Telling:
        chain = find_chain(context)
        assert chain is not None
        answer = yield from answer_chain(context, chain)
        return None if answer is None else _add_quoting_note(context, answer)


class Survey:
    """ "Which papers ...": every paper is looked at, which no prompt of a model holds."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        question = context.question
        if not _is_free(context) or question.comparison is not None or len(question.named) > 1:
            return False
        return parse_survey_topic(question.search) is not None and (
            not _writes(context) or asks_for_list(question.search)
        )

    def answer(self, context: AnswerContext) -> Telling:
        topic = parse_survey_topic(context.question.search)
        assert topic is not None
        yield Progress("reading", "searching every paper")
        return _add_quoting_note(context, answer_survey(context, topic))


class ComparisonTable:
    """Papers side by side, a cell for each paper and aspect."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        if context.question.comparison is None:
            return False
        return context.question.demanded or is_answered(context.found, quoting_reader(context.found, context.meaning))

    def answer(self, context: AnswerContext) -> Telling:
        return (yield from answer_as_table(context.found, context.meaning, context.stop, context.reader, context.cells))


class Reading:
    """The reader answers from the best passages: any question."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return True

    def answer(self, context: AnswerContext) -> Telling:
        found, meaning = context.found, context.meaning
        asked = found if context.model is None else balance_evidence(found)
        reader = quoting_reader(found, meaning) if context.quotes else context.reader
        return (yield from answer_from_evidence(asked, reader, context.stop, meaning))


ROUTES: tuple[Route, ...] = (WholePapers(), Disagreement(), MultiHop(), Survey(), ComparisonTable(), Reading())


def needs_search(context: AnswerContext, routes: Sequence[Route] = ROUTES) -> bool:
    """Whether no route answers the question without a search."""
    return not any(route.matches(context) for route in routes if not route.searches)


def answer_question(context: AnswerContext, routes: Sequence[Route] = ROUTES) -> Generator[Event, None, Answer]:
    """The answer of the first route that has one. Yields what happens and the answer's pieces."""
    for route in routes:
        if route.matches(context):
            answer = yield from route.answer(context)
            if answer is not None:
                unread = context.whole and context.model is None
                return replace(answer, notes=(*answer.notes, NEEDS_MODEL)) if unread else answer
    raise AssertionError("the last route answers every question")


def _is_free(context: AnswerContext) -> bool:
    """Whether the question may be answered in its own way: no table was demanded, and no foreign reader is to read."""
    return not context.question.demanded and (context.quotes or context.model is not None)


def _writes(context: AnswerContext) -> bool:
    """Whether a model answers that is trusted with all but what needs a look at every paper."""
    return context.model is not None and context.model.trust != "none"


def _add_quoting_note(context: AnswerContext, answer: Answer) -> Answer:
    return answer if context.model is None else replace(answer, notes=(*answer.notes, _quoting_note(context.model)))


def _quoting_note(model: ModelReader) -> str:
    if model.trust == "none":
        return f"{model.name} is too small for a question that needs several searches: the papers are quoted."
    return f"Every paper was searched. They do not all fit into a prompt of {model.name}, so they are quoted."
