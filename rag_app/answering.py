"""One question on one generation: find the evidence, have it read, check what was written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, reduce
from itertools import zip_longest

import numpy as np

from rag_app.build_report import FAILED_STATES
from rag_app.citations import QUOTING, MarkStream, nearest, with_citations
from rag_app.comparison import CellMemory, CellRanker, Comparison, Tabulation
from rag_app.errors import QuestionError
from rag_app.evidence import PageOf, gather
from rag_app.index import Entry, Generation
from rag_app.quoting import NOT_IN_PAPERS, STOPPED, QuotingReader
from rag_app.reader import Reader
from rag_app.records import Answer, Draft, Event, Evidence, Hit, Piece, Progress, Searched
from rag_app.retrieval import Retriever, Scope
from rag_app.sentence_ranking import Meaning
from rag_app.sufficiency import THRESHOLD, chance_of_answer
from rag_app.word_index import terms

LONGEST_QUESTION = 8_000  # characters
CELL_HITS, CELL_BUDGET = 16, 5_000  # passages and tokens that are read for one cell of a comparison
HITS_READ = 40  # at most; the reader's budget decides how many of them are really read


@dataclass(frozen=True)
class Found:
    """The evidence for a question, and the generation that it is from."""

    question: str
    scope: Scope
    generation: Generation
    evidence: list[Evidence]
    page_of: PageOf  # remembers every page that the evidence is from: reading may take longer than the files stay
    comparison: Comparison | None = None  # to be answered as a table
    cells: Mapping[tuple[str, str], Sequence[Evidence]] = field(default_factory=dict)  # by paper and aspect's label


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


Compares = Callable[[str, Retriever, Scope], Comparison | None]


def _never(question: str, retriever: Retriever, scope: Scope) -> None:
    return None


def find(retriever: Retriever, question: str, scope: Scope, budget: int, compares: Compares = _never) -> Found:
    """The best passages with their neighbourhoods, `budget` tokens of them, and those of each cell of a comparison.

    `compares` says whether the question is answered as a table. Raises IndexFault for a damaged index.
    """
    generation = retriever.generation
    page_of = cache(generation.page)

    def title_of(paper: str) -> tuple[str, bool]:
        entry = generation.by_paper[paper]
        return entry.title, entry.state == "digest only"

    evidence = gather(retriever.find(question, HITS_READ, scope), page_of, title_of, budget)
    comparison = compares(question, retriever, scope)
    if comparison is None:
        return Found(question, scope, generation, evidence, page_of)
    searches = [search for aspect in comparison.aspects for search in (aspect.search, aspect.also)]
    hits = retriever.aspect_hits(comparison.papers, searches, question, CELL_HITS, scope)
    cells = {
        (paper, aspect.label): gather(
            in_turns(hits[paper, aspect.search], hits[paper, aspect.also]), page_of, title_of, CELL_BUDGET
        )
        for paper in comparison.papers
        for aspect in comparison.aspects
    }
    return Found(question, scope, generation, evidence, page_of, comparison, cells)


def in_turns(*lists: Sequence[Hit]) -> list[Hit]:
    """The lists' hits, taking turns; each passage once."""
    turns = [hit for hits in zip_longest(*lists) for hit in hits if hit is not None]
    return list({hit.passage.id: hit for hit in reversed(turns)}.values())[::-1]


class WordsOf:
    """What a generation knows about words: how rare one is, and whether a paper uses several together."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self.size = generation.manifest.passages

    def frequency(self, term: str) -> int:
        return self._generation.words.frequency(term)

    def together(self, paper: str, terms: Sequence[str]) -> int:
        rows = self._generation.by_paper[paper].rows
        holding = [self._generation.words.rows_with(term) for term in terms]
        common = reduce(np.intersect1d, holding) if holding else np.zeros(0, dtype=np.int64)
        return int(((rows.start <= common) & (common < rows.stop)).sum())


def quoting_reader(found: Found, embedder: Meaning) -> QuotingReader:
    """The reader without a model, with all that helps it to choose the sentences."""
    by_paper = found.generation.by_paper
    return QuotingReader(
        terms, WordsOf(found.generation), embedder, found.page_of, lambda paper: by_paper[paper].short_names
    )


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
    return replace(answer, searched=_searched(found, answer), notes=answer.notes + _notes(answer))


def is_answered(found: Found, reader: QuotingReader) -> bool:
    """Whether the evidence seems to hold an answer, by the quoting reader's own measure."""
    return chance_of_answer(reader.weigh(found.question, found.evidence)[2]) >= THRESHOLD


def table_from(
    found: Found, meaning: Meaning | None, stop: threading.Event, memory: CellMemory | None = None
) -> Generator[Event, None, Answer]:
    """The comparison as a table; "not_in_papers" when no cell could be filled. Yields what happens, and no pieces.

    Without id and times, as answer_from.
    """
    comparison = found.comparison
    assert comparison is not None
    yield Progress("reading", f"comparing {len(comparison.papers)} papers on {len(comparison.aspects)} aspects")
    index = found.generation.folder.name
    rank = CellRanker(found.question, terms, WordsOf(found.generation), meaning, found.page_of, memory, index)
    cells = Tabulation(comparison, found.page_of)
    table, text = cells.fill({} if stop.is_set() else found.cells, rank, stop)
    answer = Answer("", found.question, "answered", text, QUOTING, tuple(cells.citations), table=table)
    answer = replace(answer, plan=comparison.plan(len(comparison.papers)))
    if stop.is_set():
        answer = replace(answer, notes=(STOPPED,))
    elif not cells.citations:
        near = nearest(found.question, found.evidence, found.page_of)
        answer = Answer("", found.question, "not_in_papers", NOT_IN_PAPERS, QUOTING, nearest=near)
    return replace(answer, searched=_searched(found, answer), notes=answer.notes + _notes(answer))


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


def _notes(answer: Answer) -> tuple[str, ...]:
    """Says so when the answer rests on our own digests."""
    of_digests = list(dict.fromkeys(citation.title for citation in answer.citations if citation.digest))
    if not of_digests:
        return ()
    if len(of_digests) == 1:
        return (f"Answered from a digest of “{of_digests[0]}”; the full paper has not been fetched.",)
    return (f"Answered from digests of {len(of_digests)} papers; the full papers have not been fetched.",)


def _searched(found: Found, answer: Answer) -> Searched:
    papers = papers_in(found.generation, found.scope)
    unreadable = tuple(entry.paper for entry in papers if entry.state in FAILED_STATES)
    return Searched(
        papers=len(papers) - len(unreadable),
        read=len({piece.paper for piece in found.evidence} | {paper for paper, _ in found.cells}),
        quoted=len({citation.paper for citation in answer.citations}),
        unreadable=unreadable,
    )
