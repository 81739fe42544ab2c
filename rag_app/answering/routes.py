"""The ways to an answer, in the order in which they are tried.

A further way is one more object in ROUTES: it says by the analysed question whether it can answer, and answers. A route
that finds on the way that it cannot, returns None, and the next one is tried.

A middle or large language model chooses its way itself and is never asked here: a way that it should have, too, is one
more tool in model/tools.py (`Assistant._stream` parts the two).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from rag_app.answering.across.disagreement import answer_disagreement, asks_for_disagreement
from rag_app.answering.across.multi_hop import answer_chain, find_chain
from rag_app.answering.across.survey import answer_survey
from rag_app.answering.across.survey_topic import asks_for_list, mentioned_terms, parse_survey_topic
from rag_app.answering.context import AnswerContext
from rag_app.answering.library import HELLO, opens_with_greeting, parse_library_question, parse_small_talk
from rag_app.answering.library_records import library_answer
from rag_app.answering.model.reader import ModelReader
from rag_app.answering.outside import is_of_absent_subject, is_outside
from rag_app.answering.quoting.reader import NOT_IN_PAPERS
from rag_app.answering.refusal import OUTSIDE
from rag_app.answering.steps import (
    answer_as_table,
    answer_from_evidence,
    balance_evidence,
    quoting_reader,
    refuse_answer,
    refuse_outside_question,
)
from rag_app.answering.whole_papers import NEEDS_MODEL, answer_from_whole_papers
from rag_app.records import LIBRARY, Alternative, Answer, Event, Piece, Progress
from rag_app.retrieval.aspects import MOST_ASPECTS

RouteEvents = Generator[Event, None, Answer | None]
"""What happens, and the answer's pieces; returns the checked answer without id and times, None where there is none."""


class Route(Protocol):
    """One way to answer a question. Shared between threads: it keeps nothing."""

    searches: bool
    """Whether it reads `context.evidence`; a route that does not comes before those that do, and costs no search."""

    def matches(self, context: AnswerContext) -> bool:
        """Whether the question is one for this route, by its words, the reader and the library."""

    def answer(self, context: AnswerContext) -> RouteEvents:
        """Answer it."""


class SmallTalk:
    """A greeting, a thank-you, "what can you do": a word, and no search."""

    searches = False

    def matches(self, context: AnswerContext) -> bool:
        return not context.question.demanded and bool(parse_small_talk(context.question.typed))

    def answer(self, context: AnswerContext) -> RouteEvents:
        text = parse_small_talk(context.question.typed)
        yield Piece(text)
        return library_answer(context, text)


class LibraryRecords:
    """How many papers, the oldest, by whom, page 3 of one: from the records and the page itself."""

    searches = False

    def matches(self, context: AnswerContext) -> bool:
        return not context.question.demanded and parse_library_question(context) is not None

    def answer(self, context: AnswerContext) -> RouteEvents:
        asked = parse_library_question(context)
        assert asked is not None
        answer = asked.answer(context)
        yield Piece(answer.answer)
        return answer


class Outside:
    """A question that has nothing to do with the library, whatever else it looks like; after a greeting, a greeting."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        ours = context.quotes or context.model is not None
        return ours and is_outside(context) and not self._is_mentioned(context)

    def _is_mentioned(self, context: AnswerContext) -> bool:
        """Whether it asks who mentions what some paper has the words of."""
        asked = mentioned_terms(context.question.search)
        return bool(asked) and all(map(context.generation.words.frequency, asked))

    def answer(self, context: AnswerContext) -> RouteEvents:
        if opens_with_greeting(context.question.typed):
            yield Piece(HELLO)
            return library_answer(context, HELLO)
        yield Piece(OUTSIDE)
        return refuse_outside_question(context.evidence)


class WholePapers:
    """The papers go to the model in whole, where the user wants that."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return context.whole and context.model is not None

    def answer(self, context: AnswerContext) -> RouteEvents:
        assert context.model is not None
        return (
            yield from answer_from_whole_papers(
                context.evidence, context.model, context.settings, context.stop, context.meaning
            )
        )


class Disagreement:
    """ "Where do the papers disagree about X": pairs of opposed claims."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return _is_free(context) and asks_for_disagreement(context.question.search)

    def answer(self, context: AnswerContext) -> RouteEvents:
        yield Progress("reading", "looking for claims that contradict each other")
        return _add_quoting_note(context, answer_disagreement(context))


class MultiHop:
    """A question that leads from a paper that it names to one that it does not."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return _is_free(context) and not _writes(context) and find_chain(context) is not None

    def answer(self, context: AnswerContext) -> RouteEvents:
        chain = find_chain(context)
        assert chain is not None
        answer = yield from answer_chain(context, chain)
        return None if answer is None else _add_quoting_note(context, answer)


class Survey:
    """ "Which papers ...": every paper is looked at, which no prompt of a model holds."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        question = context.question
        if not _is_free(context) or question.comparison is not None or len(question.named_papers) > 1:
            return False
        topic = parse_survey_topic(question.search, question.plan.mentions)
        if topic is None or (not topic.sure and (not topic.names or question.plan.named or question.plan.described)):
            return False
        return not _writes(context) or asks_for_list(question.search)

    def answer(self, context: AnswerContext) -> RouteEvents:
        topic = parse_survey_topic(context.question.search, context.question.plan.mentions)
        assert topic is not None
        yield Progress("reading", "searching every paper")
        answer = answer_survey(context, topic)
        if answer.status == "not_in_papers" and not topic.names and context.quotes:
            return None  # in other words than the question's: the best passages of each paper are quoted
        return _add_quoting_note(context, answer)


class ComparisonTable:
    """Papers side by side, a cell for each paper and aspect."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return context.question.comparison is not None

    def answer(self, context: AnswerContext) -> RouteEvents:
        return (
            yield from answer_as_table(context.evidence, context.meaning, context.stop, context.reader, context.cells)
        )


class AbsentSubject:
    """A question about a paper that is described and not in this library, or about what no paper treats."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        if context.question.demanded or not (context.quotes or (context.model is not None and not _writes(context))):
            return False
        plan = context.question.plan
        absent = context.quotes and not plan.named and any(not one.papers for one in plan.described)
        return absent or is_of_absent_subject(context)

    def answer(self, context: AnswerContext) -> RouteEvents:
        yield Piece(NOT_IN_PAPERS)
        return refuse_answer(context.evidence, quoting_reader(context.evidence, context.meaning))


class Reading:
    """The reader answers from the best passages: any question."""

    searches = True

    def matches(self, context: AnswerContext) -> bool:
        return True

    def answer(self, context: AnswerContext) -> RouteEvents:
        found, meaning = context.evidence, context.meaning
        asked = found if context.model is None else balance_evidence(found)
        reader = quoting_reader(found, meaning) if context.quotes else context.reader
        return (yield from answer_from_evidence(asked, reader, context.stop, meaning))


ROUTES: tuple[Route, ...] = (
    SmallTalk(),
    LibraryRecords(),
    Outside(),
    WholePapers(),
    Disagreement(),
    MultiHop(),
    Survey(),
    ComparisonTable(),
    AbsentSubject(),
    Reading(),
)


def needs_search(context: AnswerContext, routes: Sequence[Route] = ROUTES) -> bool:
    """Whether no route answers the question without a search."""
    return not any(route.matches(context) for route in routes if not route.searches)


def answer_question(context: AnswerContext, routes: Sequence[Route] = ROUTES) -> Generator[Event, None, Answer]:
    """The answer of the first route that has one. Yields what happens and the answer's pieces."""
    for route in routes:
        if route.matches(context):
            answer = yield from route.answer(context)
            if answer is not None:
                told = [] if answer.reader == LIBRARY else [*explain_references(context)]
                others = () if answer.reader == LIBRARY else tuple(list_alternatives(context))
                if context.whole and context.model is None:
                    told.append(NEEDS_MODEL)
                return replace(answer, notes=(*answer.notes, *told), alternatives=others) if told else answer
    raise AssertionError("the last route answers every question")


def explain_references(context: AnswerContext) -> Iterator[str]:
    """A sentence for each corrected word, and each paper that was described: which one was taken, or that none is."""
    for typed, searched in context.question.corrections:
        yield f"“{typed}” is in no paper: searched for “{searched}”. Put it in quotes to search for it as typed."
    titles = {paper: entry.title or paper for paper, entry in context.generation.by_paper.items()}
    for one in context.question.plan.described:
        near = " or ".join(f"“{titles[paper]}”" for paper in one.near)
        taken = " and ".join(f"“{titles[paper]}”" for paper in one.papers)
        if not one.papers:
            yield f"“{one.text}” is not in this library; the nearest is {near}."
        elif any(paper in context.question.plan.named for paper in one.papers):
            yield f"“{one.text}” was taken to mean {taken}{f'; {near} is also near' if near else ''}."
    comparison = context.question.comparison
    if comparison is not None and comparison.absent:
        names = " and ".join(f"“{name}”" for name in dict.fromkeys(comparison.absent))
        yield f"No paper of this library is called {names}: not in the table."
    if comparison is not None and comparison.left_out:
        names = ", ".join(f"“{name}”" for name in comparison.left_out)
        yield f"A table begins with {MOST_ASPECTS} aspects at most; add what is left out: {names}."


def list_alternatives(context: AnswerContext) -> Iterator[Alternative]:
    """What corrected words and described papers may mean instead, each with the question that says so."""
    question = context.question
    for typed, searched in question.corrections:
        said = re.sub(rf"(?<!\w){re.escape(searched)}(?!\w)", f'"{typed}"', question.search, count=1)
        yield Alternative("spelling", typed, searched, typed, said)
    titles = {paper: entry.title or paper for paper, entry in context.generation.by_paper.items()}
    for one in question.plan.described:
        meant = not one.papers or any(paper in question.plan.named for paper in one.papers)
        for paper in one.near if meant else ():
            said = f"{question.search[: one.start]}“{titles[paper]}”{question.search[one.end :]}"
            taken = " and ".join(titles[paper] for paper in one.papers)
            yield Alternative("paper", one.text, taken, titles[paper], said)


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
        return f"{model.name} is too small for a question that needs several searches, so the papers are quoted."
    return f"Every paper was searched. They do not all fit into a prompt of {model.name}, so they are quoted."
