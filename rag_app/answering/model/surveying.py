"""A question about all or many papers: each is looked at by short calls (map), then the answer is written (reduce)."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from rag_app.answering.model.comparing import AT_ONCE
from rag_app.answering.model.evidence_book import EvidenceBook, shown_pieces
from rag_app.answering.model.instructions import MAP_RULES, REDUCE_RULES
from rag_app.answering.model.pages import paper_pieces, tokens_in
from rag_app.answering.model.task import ModelTask
from rag_app.answering.model.writing import ModelText, write_answer
from rag_app.citations.cited_text import CitedText
from rag_app.errors import ModelError, ModelWindowExceeded
from rag_app.index.manifest import IndexedPaper
from rag_app.models.llm.call import Reply, ask_model
from rag_app.models.llm.chat import Message
from rag_app.models.llm.prompt_safety import make_fence, strip_template_marks
from rag_app.records import AnswerPlan, Citation, Event, Evidence, Piece, Progress
from rag_app.text.terms import squash

PAPER_TOKENS = 4_000  # of each paper: a small one goes in whole, of a larger one the best pages
CALL_TOKENS = 24_000  # of one call: several papers
MOST_PAPERS = 400  # looked at for one question
NOTES_ONLY = "The answer could not be written, so these are the notes on each paper: "

_BEGINS = re.compile(r"^[^\w\n]{0,6}(P\d{1,5})\b", re.MULTILINE)
_VERDICT = re.compile(r"(?P<before>[^\n]{0,120}?)(?<![\w\"])(?P<verdict>YES|NO|PARTLY)\b[.,]?")


@dataclass(frozen=True)
class Note:
    """What the model noted about one paper."""

    entry: IndexedPaper
    verdict: str  # YES, NO, PARTLY
    text: str  # with shown numbers


@dataclass(frozen=True)
class SurveyResult:
    """What looking at many papers gave."""

    written: ModelText
    citations: tuple[Citation, ...]
    plan: AnswerPlan
    counts: str  # a sentence


def survey_papers(
    task: ModelTask, entries: Sequence[IndexedPaper], searches: Sequence[str], words: Sequence[str]
) -> Generator[Event, None, SurveyResult]:
    """Yields what happens and the answer's pieces; returns them. Raises the model's error when no paper was read."""
    looked = [entry for entry in entries if entry.passages][:MOST_PAPERS]
    task.chosen = entries if len(entries) < len(task.entries) else ()
    holding = _pages_holding(task, looked, words) if words else {}
    read = [entry for entry in looked if not words or holding.get(entry.paper)]
    if words and not read:  # spelled otherwise than the model thinks: every paper is read
        read, holding = looked, {}
    batches = _batches(task, read, list(searches) or [task.question], holding)
    yield Progress("reading", _budget(task, looked, read, batches), step=True)
    replies = yield from _ask_batches(task, batches)
    citations: list[Citation] = []
    notes = _notes(task, batches, replies, citations)
    found = [note for note in notes if note.verdict != "NO"]
    answered = {note.entry.paper for note in notes}
    counts = _counts(task, looked, read, words if holding else (), found, len(answered))
    written = yield from _reduce(task, found, citations, counts)
    names = tuple(task.short_name(note.entry) for note in found)
    plan = AnswerPlan("survey", tuple(note.entry.paper for note in found), names, tuple(searches), len(looked))
    return SurveyResult(written, tuple(citations), plan, counts)


def _pages_holding(task: ModelTask, entries: Sequence[IndexedPaper], words: Sequence[str]) -> dict[str, list[int]]:
    """For each paper the pages that hold one of the words, in any spelling: case, blanks and hyphens do not matter."""
    wanted = [squash(word) for word in words if squash(word)]
    found: dict[str, list[int]] = {}
    for entry in entries:
        for piece in paper_pieces(task.generation, entry):
            text = squash(piece.text)
            if any(word in text for word in wanted):
                found.setdefault(entry.paper, []).append(piece.page)
    return found


def _batches(
    task: ModelTask, entries: Sequence[IndexedPaper], searches: Sequence[str], holding: dict[str, list[int]]
) -> list[EvidenceBook]:
    """The papers' pieces, several papers to a call, as many as fit."""
    room = min(CALL_TOKENS, task.budget)
    books = [EvidenceBook()]
    for entry in entries:
        pieces = _pieces_of(task, entry, searches, holding.get(entry.paper, ()))
        if books[-1].pieces and tokens_in(books[-1].pieces) + tokens_in(pieces) > room:
            books.append(EvidenceBook())
        books[-1].add(pieces)
    return books


def _pieces_of(task: ModelTask, entry: IndexedPaper, searches: Sequence[str], holding: Sequence[int]) -> list[Evidence]:
    best = task.pages_for(entry, searches, PAPER_TOKENS)
    if not holding:
        return best
    ranked = [piece.page for piece in best if piece.page in holding]
    wanted = list(dict.fromkeys([*ranked, *holding, *(piece.page for piece in best)]))
    whole = paper_pieces(task.generation, entry)
    kept: set[int] = set()
    room = PAPER_TOKENS
    for page in wanted:
        room -= tokens_in(piece for piece in whole if piece.page == page)
        if kept and room < 0:
            break
        kept.add(page)
    return [piece for piece in whole if piece.page in kept]


def _budget(
    task: ModelTask, looked: Sequence[IndexedPaper], read: Sequence[IndexedPaper], batches: Sequence[EvidenceBook]
) -> str:
    tokens = sum(tokens_in(book.pieces) for book in batches)
    price = tokens * task.settings.llm_price_in / 1e6
    cost = f", about {price:.4g} by the price that is set" if price else ""
    calls = len(batches) + 1
    return f"looking at {len(looked)} papers, reading {len(read)} in {calls} calls: about {tokens:,} tokens{cost}"


def _ask_batches(task: ModelTask, batches: Sequence[EvidenceBook]) -> Generator[Event, None, list[str]]:
    """The model's lines for each batch; empty where it failed or was stopped."""
    replies = [""] * len(batches)
    failed: ModelError | None = None
    ids = {entry.paper: id for id, entry in task.catalogue.entries.items()}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="map") as pool:
        running = {pool.submit(_ask_batch, task, book.pieces, ids): place for place, book in enumerate(batches)}
        done = 0
        for future in as_completed(running):
            try:
                reply = future.result()
            except ModelError as error:
                failed = error
                continue
            for one in reply.replies:
                task.spending.add(one)
            replies[running[future]] = reply.text
            done += 1
            yield Progress("reading", f"looked through {done} of {len(batches)} parts")
    if failed is not None:
        if not any(replies):
            raise failed
        task.notes.append(f"Some papers could not be looked at: {failed}")
    return replies


@dataclass(frozen=True)
class _Lines:
    text: str
    replies: tuple[Reply, ...] = ()


def _ask_batch(task: ModelTask, pieces: Sequence[Evidence], ids: dict[str, str]) -> _Lines:
    if task.stop.is_set():
        return _Lines("")
    body = shown_pieces(pieces, ids)
    fence = make_fence(body, task.question)
    papers = list(dict.fromkeys(piece.paper for piece in pieces))
    order = ", ".join(ids.get(paper, paper) for paper in papers)
    user = (
        f"{fence}\n{body}\n{fence}\n\nQuestion: {strip_template_marks(task.question)}\nPapers, a line for each: {order}"
    )
    try:
        reply = ask_model(task.model, [Message("system", MAP_RULES), Message("user", user)], task.stop)
    except ModelWindowExceeded:
        if len(papers) < 2:
            raise
        half = set(papers[: len(papers) // 2])
        one = _ask_batch(task, [piece for piece in pieces if piece.paper in half], ids)
        two = _ask_batch(task, [piece for piece in pieces if piece.paper not in half], ids)
        return _Lines(f"{one.text}\n{two.text}", one.replies + two.replies)
    noted = {id for id, _, _ in read_notes(reply.text)}
    left = {paper for paper in papers if ids.get(paper, paper) not in noted}
    if not left or left == set(papers):
        return _Lines(reply.text, (reply,))
    more = _ask_batch(task, [piece for piece in pieces if piece.paper in left], ids)  # those that it passed over
    return _Lines(f"{reply.text}\n{more.text}", (reply, *more.replies))


def read_notes(reply: str) -> list[tuple[str, str, str]]:
    """Id, verdict and text of each paper in a reply, in order; all that stands up to the next id belongs to a paper.

    A paper about which something is written without a verdict has PARTLY; one with nothing at all is left out.
    """
    found: dict[str, tuple[str, str]] = {}
    begins = list(_BEGINS.finditer(reply))
    for place, match in enumerate(begins):
        end = begins[place + 1].start() if place + 1 < len(begins) else len(reply)
        body = reply[match.end() : end].strip().lstrip("*_`)]:-–—. \t")
        said = _VERDICT.match(body) or _VERDICT.match(body[:8].upper())
        verdict, text = (said["verdict"].upper(), body[said.end() :].lstrip("*_ :-–—")) if said else ("PARTLY", body)
        remark = said["before"].strip(" :–-*_") if said else ""
        if remark and not (remark.startswith("(") and remark.endswith(")")):  # "P3 (BERT): YES" only names the paper
            text = f"{remark} {text}"
        text = " ".join(text.split())
        before, more = found.get(match[1], ("", ""))
        if said or text:
            found[match[1]] = (before if before not in ("", "NO") else verdict, f"{more} {text}".strip())
    return [(id, verdict, text) for id, (verdict, text) in found.items()]


def _notes(
    task: ModelTask, batches: Sequence[EvidenceBook], replies: Sequence[str], citations: list[Citation]
) -> list[Note]:
    """The notes with the numbers of `citations`, which grow."""
    notes: list[Note] = []
    for book, reply in zip(batches, replies, strict=True):
        for id, verdict, line in read_notes(reply):
            entry = task.catalogue.entries.get(id)
            if entry is None or any(note.entry.paper == entry.paper for note in notes):
                continue
            marks = CitedText(book.pieces, task.page_of, first=len(citations) + 1)
            text = marks.feed(line) + marks.finish()
            if verdict != "NO":
                citations += marks.citations
            notes.append(Note(entry, verdict, text))
    return notes


def _counts(
    task: ModelTask,
    looked: Sequence[IndexedPaper],
    read: Sequence[IndexedPaper],
    words: Sequence[str],
    found: Sequence[Note],
    answered: int,
) -> str:
    parts = [f"Looked at {len(looked)} papers"]
    if words:
        named = " or ".join(f"“{word}”" for word in words[:3])
        parts.append(f"{len(looked) - len(read)} do not contain {named}")
    by, left = task.model.name, len(read) - answered
    if left > 0:
        telling = f"{len(found)} of them have something to say; of {left} the model wrote nothing"
    else:
        telling = f"{len(found)} of them have something to say"
    parts.append(f"{answered} were read in part by {by}, {telling}")
    return "; ".join(parts) + "."


def _reduce(
    task: ModelTask, found: Sequence[Note], citations: Sequence[Citation], counts: str
) -> Generator[Event, None, ModelText]:
    yield Progress("reading", "writing the answer")
    lines = [
        f"{task.catalogue.id_of(note.entry.paper)} {_head(task, note.entry)}: {note.verdict}. {note.text}"
        for note in found
    ]
    body = "\n".join(lines) or "(No paper says anything about it.)"
    quotes = "\n".join(f'[{one.number}] page {one.page}: "{strip_template_marks(one.quote)}"' for one in citations)
    fence = make_fence(body + quotes, task.question)
    user = f"{fence}\n{body}\n\nQuotes:\n{quotes}\n{fence}\n\n{counts}\nQuestion: {strip_template_marks(task.question)}"
    messages = [Message("system", REDUCE_RULES), Message("user", user)]
    try:
        written = yield from write_answer(task, messages, known=citations or (_NONE,))
    except ModelError as error:
        if not found:
            raise
        task.notes.append(f"{NOTES_ONLY}{error}")
        written = ModelText("\n".join(f"- {_head(task, note.entry)}: {note.text}" for note in found), None)
        yield Piece(written.text)
    return replace(written, citations=tuple(citations))


_NONE = Citation(0, "", "", 0, "", "", "", False)  # a text that may cite nothing


def _head(task: ModelTask, entry: IndexedPaper) -> str:
    year = f", {entry.year}" if entry.year else ""
    return f"{strip_template_marks(task.short_name(entry))} ({strip_template_marks(entry.title)}{year})"
