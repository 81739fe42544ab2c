"""One question on one generation: find the evidence, have it read, check what was written."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import cache

from rag_app.answering.confidence import rate_confidence, retrieval_clearness
from rag_app.answering.context import IndexTermStatistics, RetrievedEvidence, papers_in, short_name
from rag_app.answering.model.prompts import fit_evidence
from rag_app.answering.model.reader import ModelReader, Reader
from rag_app.answering.model.refine import repair_draft, weigh_passages
from rag_app.answering.model.row_cells import fill_table, interleave_evidence
from rag_app.answering.model.uncertainty import add_semantic_entropy
from rag_app.answering.quoting.one_paper import (
    add_front_hits,
    asks_overview,
    hits_about,
    subject_of,
)
from rag_app.answering.quoting.reader import NOT_IN_PAPERS, STOPPED, QuoteBuilder, QuotingReader
from rag_app.answering.refusal import NOT_ASKED, OUTSIDE, decide_status, explain_near_miss, is_likely
from rag_app.answering.tables.comparison import CellMemory, CellRanker, Tabulation, names_of_rows
from rag_app.citations.marks import QUOTING, MarkStream, attach_citations, find_nearest_citations
from rag_app.errors import QuestionError, RagError
from rag_app.index.bm25 import extract_terms
from rag_app.index.build_report import FAILED_STATES
from rag_app.index.paper_names import spell_title
from rag_app.models.embedder import SentenceEmbedder
from rag_app.records import Answer, Citation, Draft, Event, Evidence, Piece, Progress, SearchSummary
from rag_app.retrieval.context import gather, interleave_hits
from rag_app.retrieval.hybrid import Retriever
from rag_app.retrieval.question import AnalysedQuestion

LONGEST_QUESTION = 8_000  # characters
NOTHING_COMPARED = "Nothing was found in these papers for any cell of the table."
CELL_HITS, CELL_BUDGET = 16, 5_000  # passages and tokens that are read for one cell of a comparison
HITS_READ = 40  # at most; the reader's budget decides how many of them are really read


def clean_question(question: str) -> str:
    """The question without control characters. Raises QuestionError when it is empty or too long."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in question).split())
    if not text:
        raise QuestionError("The question is empty. Type what you want to know.")
    if len(text) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(text)} characters; at most {LONGEST_QUESTION} can be asked. Shorten it."
        )
    return text


def elapsed_milliseconds(began: float, ended: float) -> float:
    return round((ended - began) * 1000, 1)


def find_evidence(retriever: Retriever, question: AnalysedQuestion, budget: int) -> RetrievedEvidence:
    """The best passages with their neighbourhoods, `budget` tokens of them, and those of each cell of a comparison.

    Raises IndexFault for a damaged index.
    """
    generation, scope, text = retriever.generation, question.scope, question.search
    page_of = cache(generation.page)

    def title_of(paper: str) -> tuple[str, bool]:
        entry = generation.by_paper[paper]
        return entry.title, entry.state == "digest only"

    ranked = retriever.find_passages(text, HITS_READ, scope, question.plan)
    clear = retrieval_clearness(ranked)
    wide = gather(ranked, page_of, title_of, QuotingReader.budget)
    comparison = question.comparison
    subject = (
        subject_of(question, generation, IndexTermStatistics(generation), extract_terms) if comparison is None else None
    )
    read = hits_about(subject, retriever, scope, ranked) if subject is not None else ranked
    enough = budget == QuotingReader.budget and subject is None
    evidence = wide if enough else gather(read, page_of, title_of, budget)
    if comparison is None:
        return RetrievedEvidence(text, question, generation, evidence, wide, page_of, subject=subject, clear=clear)
    asked = [*comparison.aspects, *comparison.own.values()]
    searches = list(dict.fromkeys(search for aspect in asked for search in (aspect.search, aspect.also)))
    hits = retriever.aspect_hits(comparison.papers, searches, text, CELL_HITS, scope)
    cells = {}
    for paper in comparison.papers:
        for column in comparison.aspects:
            aspect = comparison.find_aspect(paper, column)
            own = interleave_hits(hits[paper, aspect.search], hits[paper, aspect.also])
            if asks_overview(aspect.asked):
                own = add_front_hits(generation.passages_of(paper), own)
            cells[paper, column.label] = gather(own, page_of, title_of, CELL_BUDGET)
    return RetrievedEvidence(text, question, generation, evidence, wide, page_of, cells, clear=clear)


def quoting_reader(found: RetrievedEvidence, embedder: SentenceEmbedder | None) -> QuotingReader:
    """The reader without a model, with all that helps it to choose the sentences."""
    by_paper = found.generation.by_paper
    return QuotingReader(
        extract_terms,
        IndexTermStatistics(found.generation),
        embedder,
        found.page_of,
        lambda paper: by_paper[paper].short_names,
        one_paper=len(papers_in(found.generation, found.scope)) == 1,
        subject=found.subject,
        wide=found.wide,
        called=lambda paper: short_name(by_paper[paper]),
    )


def answer_from_evidence(
    found: RetrievedEvidence, reader: Reader, stop: threading.Event, meaning: SentenceEmbedder | None = None
) -> Generator[Event, None, Answer]:
    """Yields what happens and the answer's pieces; returns the checked Answer, without id and times."""
    many = len(found.evidence) != 1
    yield Progress("reading", f"reading {len(found.evidence)} passage{'s' if many else ''}")
    quoting = quoting_reader(found, meaning)
    if isinstance(reader, ModelReader) and reader.trust == "none" and not is_answered(found, quoting):
        return (yield from _refuse_unasked(found, quoting))
    shown, spent = found.evidence, 0
    if isinstance(reader, ModelReader) and reader.weighs:
        shown, spent = yield from _weigh_evidence(found, reader, stop)
    draft = yield from _stream_draft(found, shown, reader, stop)
    draft = replace(draft, tokens=draft.tokens + spent)
    yield Progress("checking", "checking quotes")
    if isinstance(reader, ModelReader) and reader.repairs:
        draft = _repair_draft(found, draft, reader, stop)
    answer = attach_citations(
        draft, found.question, found.evidence, found.page_of, reader=reader.name, names_of=found.names_of
    )
    chance = draft.chance
    if draft.refused and isinstance(reader, QuotingReader):
        answer = replace(answer, nearest=_quote_nearest(found, reader))
    if isinstance(reader, ModelReader):
        chance = estimate_chance(found, quoting)
        near = find_nearest_citations(found.question, found.evidence, found.page_of)
        whole = not draft.problem and not stop.is_set()
        answer = decide_status(answer, chance, near, trust=reader.trust, whole=whole)
        answer = replace(answer, notes=(*answer.notes, *filter(None, [reader.describe_examples(shown)])))
        if reader.samples:
            yield Progress("checking", f"asking {reader.name} {reader.samples} more times")
            answer = add_semantic_entropy(
                answer, reader, found.evidence, meaning.embed_passages if meaning else None, stop
            )
    return _complete_answer(found, answer, chance)


def _refuse_unasked(found: RetrievedEvidence, reader: QuotingReader) -> Generator[Event, None, Answer]:
    """What is said in place of a model that is not believed where the passages do not look as if they answered."""
    yield Piece(NOT_IN_PAPERS)
    return refuse_answer(found, reader, NOT_ASKED)


def refuse_answer(found: RetrievedEvidence, reader: QuotingReader, *notes: str) -> Answer:
    """The refusal, with what the papers do say that comes nearest."""
    near = _quote_nearest(found, reader)
    answer = Answer("", found.question, "not_in_papers", NOT_IN_PAPERS, QUOTING, notes=notes, nearest=near)
    return _complete_answer(found, answer)


def refuse_outside_question(found: RetrievedEvidence) -> Answer:
    """One sentence for a question that has nothing to do with the library, with the passages that share its words."""
    near = find_nearest_citations(found.question, found.wide, found.page_of)
    answer = Answer("", found.question, "not_in_papers", OUTSIDE, QUOTING, nearest=near)
    return replace(answer, searched=_summarise_search(found, answer))


def _quote_nearest(found: RetrievedEvidence, reader: QuotingReader) -> tuple[Citation, ...]:
    """The sentences that the reader without a model would have quoted first, each as a citation."""
    quotes = QuoteBuilder(found.page_of)
    for unit in reader.find_nearest(found.question, found.evidence):
        quotes.quote(unit, found.question)
    return tuple(quotes.citations)


def _weigh_evidence(
    found: RetrievedEvidence, reader: ModelReader, stop: threading.Event
) -> Generator[Event, None, tuple[list[Evidence], int]]:
    """The evidence as the model has weighed and noted it, and the tokens that took; as it is where the model fails."""
    by_paper = found.generation.by_paper

    def about(paper: str) -> str:
        return f"Published: {by_paper[paper].year or 'unknown'}"

    pieces = fit_evidence(found.evidence, reader.room)
    try:
        for step in weigh_passages(found.question, pieces, reader.model, about, stop):
            if isinstance(step, int):
                yield Progress("reading", f"scoring passage {step} of {len(pieces)}")
            else:
                return list(step.evidence), step.tokens
    except RagError:
        pass
    return found.evidence, 0


def _repair_draft(found: RetrievedEvidence, draft: Draft, reader: ModelReader, stop: threading.Event) -> Draft:
    """The draft after its one repair. A model that fails now has answered all the same."""
    try:
        return repair_draft(draft, found.question, found.evidence, reader.model, reader.room, stop, found.names_of)
    except RagError:
        return draft


def estimate_chance(found: RetrievedEvidence, reader: QuotingReader) -> float:
    """How likely the evidence holds an answer, by the quoting reader's own measure, 0..1."""
    return reader.chance(found.question, found.wide)


def is_answered(found: RetrievedEvidence, reader: QuotingReader) -> bool:
    """Whether the evidence seems to hold an answer."""
    return is_likely(estimate_chance(found, reader))


def answer_as_table(
    found: RetrievedEvidence,
    meaning: SentenceEmbedder | None,
    stop: threading.Event,
    reader: Reader | None = None,
    memory: CellMemory | None = None,
) -> Generator[Event, None, Answer]:
    """The comparison as a table, also where no cell could be filled. Yields the table so far, and no pieces.

    A model that is able to fills in what it can of a table of quotes. Without id and times, as answer_from.
    """
    comparison = found.comparison
    assert comparison is not None
    papers, aspects = len(comparison.papers), len(comparison.aspects)
    doing = f"comparing {papers} papers on {aspects} aspect{'' if aspects == 1 else 's'}"
    yield Progress("reading", doing)
    index = found.generation.folder.name
    library = IndexTermStatistics(found.generation)
    titles = {paper: found.generation.by_paper[paper].title for paper in comparison.papers}
    called = names_of_rows(comparison, lambda paper: (*found.names_of(paper), spell_title(titles[paper])))
    rank = CellRanker(found.question, extract_terms, library, meaning, found.page_of, memory, index, called)
    cells = Tabulation(comparison, found.page_of)
    filling = cells.fill(found.cells, rank, stop)
    while True:
        try:
            yield Progress("reading", doing, next(filling))
        except StopIteration as end:
            table, text = end.value
            break
    answer = Answer("", found.question, "answered", text, QUOTING, tuple(cells.citations), table=table)
    answer = replace(answer, plan=comparison.plan(len(comparison.papers)))
    if stop.is_set():
        answer = replace(answer, notes=(STOPPED,))
    elif not any(cell.state == "found" for row in table.rows for cell in row.cells):
        answer = replace(answer, notes=(NOTHING_COMPARED,))
    if isinstance(reader, ModelReader) and answer.status == "answered" and not stop.is_set():
        answer = yield from _fill_table(found, answer, reader, stop)
    return _complete_answer(found, answer)


def _complete_answer(found: RetrievedEvidence, answer: Answer, chance: float | None = None) -> Answer:
    """The answer with what is to be said about it."""
    return replace(
        answer,
        searched=_summarise_search(found, answer),
        notes=answer.notes + _notes(found, answer),
        confidence=rate_confidence(answer, found.clear, chance),
    )


def _fill_table(
    found: RetrievedEvidence, answer: Answer, reader: ModelReader, stop: threading.Event
) -> Generator[Event, None, Answer]:
    """The table of quotes with what the model says in place of those cells in which that is supported."""
    if not reader.tabulates:
        return replace(
            answer, notes=(*answer.notes, f"{reader.name} is too small to fill in a table, so the table is quoted.")
        )
    assert found.comparison is not None and answer.table is not None
    quoted = (answer.table, answer.answer, answer.citations)
    steps = fill_table(
        found.comparison, found.cells, quoted, reader.model, reader.room, found.page_of, stop, found.names_of
    )
    for step in steps:
        if isinstance(step, str):
            yield Progress("reading", f"asking {reader.name} about {step}")
            continue
        cells = sum(len(row.cells) for row in step.table.rows)
        told = f"{step.written} of {cells} cells are written by {reader.name} and checked; the others are quoted."
        answer = replace(
            answer,
            answer=step.text,
            reader=reader.name,
            citations=step.citations,
            table=step.table,
            verdicts=step.verdicts,
            tokens=step.tokens,
            notes=(*answer.notes, *(note for note in (told, step.problem) if note)),
        )
    return answer


def balance_evidence(found: RetrievedEvidence) -> RetrievedEvidence:
    """The same with the evidence of each paper and aspect in turn, where papers are compared."""
    return replace(found, evidence=interleave_evidence(list(found.cells.values()))) if found.cells else found


def _stream_draft(
    found: RetrievedEvidence, given: Sequence[Evidence], reader: Reader, stop: threading.Event
) -> Generator[Event, None, Draft]:
    """Pass on the reader's pieces with the marks as they will be shown; returns its draft."""
    marks = MarkStream(found.evidence, found.page_of)
    pieces = reader.read(found.question, given, stop)
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


def _notes(found: RetrievedEvidence, answer: Answer) -> tuple[str, ...]:
    """Says so when the answer rests on our own digests, and what the papers lack when there is none."""
    if answer.status == "not_in_papers":
        lacking = explain_near_miss(found.question, found.evidence)
        return (lacking,) if lacking else ()
    of_digests = list(dict.fromkeys(citation.title for citation in answer.citations if citation.digest))
    if not of_digests:
        return ()
    if len(of_digests) == 1:
        return (f"Answered from a digest of “{of_digests[0]}”; the full paper has not been fetched.",)
    return (f"Answered from digests of {len(of_digests)} papers; the full papers have not been fetched.",)


def _summarise_search(found: RetrievedEvidence, answer: Answer) -> SearchSummary:
    papers = papers_in(found.generation, found.scope)
    unreadable = tuple(entry.paper for entry in papers if entry.state in FAILED_STATES)
    return SearchSummary(
        papers=len(papers) - len(unreadable),
        read=len({piece.paper for piece in found.evidence} | {paper for paper, _ in found.cells}),
        quoted=len({citation.paper for citation in answer.citations}),
        unreadable=unreadable,
    )
