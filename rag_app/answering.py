"""One question on one generation: find the evidence, have it read, check what was written."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cache

from rag_app.build_report import FAILED_STATES
from rag_app.citations import MarkStream, with_citations
from rag_app.errors import QuestionError
from rag_app.evidence import PageOf, gather
from rag_app.index import Entry, Generation
from rag_app.reader import Reader
from rag_app.records import Answer, Draft, Event, Evidence, Piece, Progress, Searched
from rag_app.retrieval import Retriever, Scope

LONGEST_QUESTION = 8_000  # characters
HITS_READ = 40  # at most; the reader's budget decides how many of them are really read


@dataclass(frozen=True)
class Found:
    """The evidence for a question, and the generation that it is from."""

    question: str
    scope: Scope
    generation: Generation
    evidence: list[Evidence]
    page_of: PageOf  # remembers every page that the evidence is from: reading may take longer than the files stay


def checked(question: str) -> str:
    """The question without control characters. Raises QuestionError when it is empty or too long."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in question).split())
    if not text:
        raise QuestionError("The question is empty. Type what you want to know.")
    if len(text) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(text)} characters; at most {LONGEST_QUESTION} can be asked. Shorten it."
        )
    return text


def milliseconds(began: float, ended: float) -> float:
    return round((ended - began) * 1000, 1)


def papers_in(generation: Generation, scope: Scope) -> list[Entry]:
    """The papers that a question with this scope is asked of."""
    return [
        entry
        for entry in generation.manifest.papers
        if (not scope.papers or entry.paper in scope.papers)
        and (scope.years is None or scope.years[0] <= entry.year <= scope.years[1])
    ]


def find(retriever: Retriever, question: str, scope: Scope, budget: int) -> Found:
    """The best passages with their neighbourhoods, `budget` tokens of them. Raises IndexFault for a damaged index."""
    generation = retriever.generation
    page_of = cache(generation.page)

    def title_of(paper: str) -> tuple[str, bool]:
        entry = generation.by_paper[paper]
        return entry.title, entry.state == "digest only"

    evidence = gather(retriever.find(question, HITS_READ, scope), page_of, title_of, budget)
    return Found(question, scope, generation, evidence, page_of)


def answer_from(found: Found, reader: Reader, stop: threading.Event) -> Generator[Event, None, Answer]:
    """Yields what happens and the answer's pieces; returns the checked Answer, without id and times."""
    yield Progress("reading", f"reading {len(found.evidence)} passages")
    draft = yield from _read(found, reader, stop)
    yield Progress("checking", "checking quotes")
    by_paper = found.generation.by_paper
    answer = with_citations(
        draft,
        found.question,
        found.evidence,
        found.page_of,
        reader=reader.name,
        names_of=lambda paper: by_paper[paper].short_names,
    )
    return replace(answer, searched=_searched(found, answer))


def _read(found: Found, reader: Reader, stop: threading.Event) -> Generator[Event, None, Draft]:
    """Pass on the reader's pieces with the marks as they will be shown; returns its draft."""
    marks = MarkStream(found.evidence, found.page_of)
    pieces = reader.read(found.question, found.evidence, stop)
    try:
        while True:
            shown = marks.feed(next(pieces))
            if shown:
                yield Piece(shown)
    except StopIteration as end:
        draft: Draft = end.value
    finally:
        pieces.close()
    rest = marks.finish()
    if rest:
        yield Piece(rest)
    return draft


def _searched(found: Found, answer: Answer) -> Searched:
    papers = papers_in(found.generation, found.scope)
    unreadable = tuple(entry.paper for entry in papers if entry.state in FAILED_STATES)
    return Searched(
        papers=len(papers) - len(unreadable),
        read=len({piece.paper for piece in found.evidence}),
        quoted=len({citation.paper for citation in answer.citations}),
        unreadable=unreadable,
    )
