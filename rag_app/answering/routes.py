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
    """Whether it reads `desk.found`; a route that does not comes before those that do, and costs no search."""

    def matches(self, desk: AnswerContext) -> bool:
        """Whether the question is one for this route, by its words, the reader and the library."""

    def answer(self, desk: AnswerContext) -> Telling:
        """Answer it."""


class WholePapers:
    """The papers go to the model in whole, where the user wants that."""

    searches = True

    def matches(self, desk: AnswerContext) -> bool:
        return desk.whole and desk.model is not None

    def answer(self, desk: AnswerContext) -> Telling:
        assert desk.model is not None
        return (yield from answer_from_whole_papers(desk.found, desk.model, desk.settings, desk.stop, desk.meaning))


class Disagreement:
    """ "Where do the papers disagree about X": pairs of opposed claims."""

    searches = True

    def matches(self, desk: AnswerContext) -> bool:
        return _is_free(desk) and asks_for_disagreement(desk.question.search)

    def answer(self, desk: AnswerContext) -> Telling:
        yield Progress("reading", "looking for claims that oppose each other")
        return _noted(desk, answer_disagreement(desk))


class MultiHop:
    """A question that leads from a paper that it names to one that it does not."""

    searches = True

    def matches(self, desk: AnswerContext) -> bool:
        return _is_free(desk) and not _writes(desk) and find_chain(desk) is not None

    def answer(self, desk: AnswerContext) -> Telling:
        chain = find_chain(desk)
        assert chain is not None
        answer = yield from answer_chain(desk, chain)
        return None if answer is None else _noted(desk, answer)


class Survey:
    """ "Which papers ...": every paper is looked at, which no prompt of a model holds."""

    searches = True

    def matches(self, desk: AnswerContext) -> bool:
        question = desk.question
        if not _is_free(desk) or question.comparison is not None or len(question.named) > 1:
            return False
        return parse_survey_topic(question.search) is not None and (not _writes(desk) or asks_for_list(question.search))

    def answer(self, desk: AnswerContext) -> Telling:
        topic = parse_survey_topic(desk.question.search)
        assert topic is not None
        yield Progress("reading", "looking at every paper")
        return _noted(desk, answer_survey(desk, topic))


class ComparisonTable:
    """Papers side by side, a cell for each paper and aspect."""

    searches = True

    def matches(self, desk: AnswerContext) -> bool:
        if desk.question.comparison is None:
            return False
        return desk.question.demanded or is_answered(desk.found, quoting_reader(desk.found, desk.meaning))

    def answer(self, desk: AnswerContext) -> Telling:
        return (yield from answer_as_table(desk.found, desk.meaning, desk.stop, desk.reader, desk.cells))


class Reading:
    """The reader answers from the best passages: any question."""

    searches = True

    def matches(self, desk: AnswerContext) -> bool:
        return True

    def answer(self, desk: AnswerContext) -> Telling:
        found, meaning = desk.found, desk.meaning
        asked = found if desk.model is None else balance_evidence(found)
        reader = quoting_reader(found, meaning) if desk.quotes else desk.reader
        return (yield from answer_from_evidence(asked, reader, desk.stop, meaning))


ROUTES: tuple[Route, ...] = (WholePapers(), Disagreement(), MultiHop(), Survey(), ComparisonTable(), Reading())


def needs_search(desk: AnswerContext, routes: Sequence[Route] = ROUTES) -> bool:
    """Whether no route answers the question without a search."""
    return not any(route.matches(desk) for route in routes if not route.searches)


def answer_question(desk: AnswerContext, routes: Sequence[Route] = ROUTES) -> Generator[Event, None, Answer]:
    """The answer of the first route that has one. Yields what happens and the answer's pieces."""
    for route in routes:
        if route.matches(desk):
            answer = yield from route.answer(desk)
            if answer is not None:
                unread = desk.whole and desk.model is None
                return replace(answer, notes=(*answer.notes, NEEDS_MODEL)) if unread else answer
    raise AssertionError("the last route answers every question")


def _is_free(desk: AnswerContext) -> bool:
    """Whether the question may be answered in its own way: no table was demanded, and no foreign reader is to read."""
    return not desk.question.demanded and (desk.quotes or desk.model is not None)


def _writes(desk: AnswerContext) -> bool:
    """Whether a model answers that is trusted with all but what needs a look at every paper."""
    return desk.model is not None and desk.model.trust != "none"


def _noted(desk: AnswerContext, answer: Answer) -> Answer:
    return answer if desk.model is None else replace(answer, notes=(*answer.notes, _quoting_note(desk.model)))


def _quoting_note(model: ModelReader) -> str:
    if model.trust == "none":
        return f"{model.name} is too small for a question that needs several searches: the papers are quoted."
    return f"Every paper was looked at, which no prompt of {model.name} holds: the papers are quoted."
