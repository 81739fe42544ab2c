"""A comparison that a model makes: a row per paper, each paper read for its own row, and sentences below the table."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from rag_app.answering.model.evidence_book import EvidenceBook, shown_pieces
from rag_app.answering.model.instructions import CELL_RULES, SYNTHESIS_RULES
from rag_app.answering.model.pages import paper_pieces
from rag_app.answering.model.task import ModelTask
from rag_app.answering.model.writing import ModelText, write_answer
from rag_app.answering.tables.comparison import table_to_markdown
from rag_app.citations.cited_text import CitedText
from rag_app.errors import ModelError, ModelWindowExceeded
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import fold_name
from rag_app.models.llm.call import ask_model
from rag_app.models.llm.chat import Message
from rag_app.models.llm.prompt_safety import make_fence, strip_template_marks
from rag_app.records import AnswerPlan, Cell, CellState, Citation, Event, Evidence, Progress, Row, Table

AT_ONCE = 4  # papers that are asked for at the same time
MOST_ROWS, MOST_COLUMNS = 24, 12
NOT_FOUND = "not found"
FROM_LIBRARY = " (library)"  # said in the head of a column that comes from the library's records

_BULLET = re.compile(r"^(?:[-•*]\s+)+")  # "-40 points" begins with a sign
_BEGINS = re.compile(r"^[^\w\n]{0,4}(\d{1,2})[ \t]*[*_]{0,2}([:.)])[ \t*]*", re.MULTILINE)
_NOTHING = re.compile(r"\W*(?:NOT REPORTED|NOTHING|N/?A)\b", re.IGNORECASE)
_SHOWN = re.compile(r"\s*\[(\d+)\]")
_RECORDS = {  # columns that the library's own records fill in
    "year": "year",
    "published": "year",
    "publicationyear": "year",
    "authors": "authors",
    "author": "authors",
    "title": "title",
    "pages": "pages",
}


@dataclass(frozen=True)
class ModelTable:
    """A table that a model filled in, with what its cells cite."""

    table: Table
    text: str  # as Markdown
    citations: tuple[Citation, ...]
    plan: AnswerPlan
    below: ModelText


@dataclass(frozen=True)
class _RowReply:
    text: str
    pieces: tuple[Evidence, ...] = ()
    whole: bool = False  # the whole paper was read
    rest: CellState = "nothing found"  # of the cells that the reply does not reach


def compare_papers(
    task: ModelTask, entries: Sequence[IndexedPaper], columns: Sequence[str]
) -> Generator[Event, None, ModelTable]:
    """Yields what happens and the pieces of the text below the table; returns the table.

    Raises the model's error when no row could be read.
    """
    entries, columns = list(entries)[:MOST_ROWS], [" ".join(one.split()) for one in columns][:MOST_COLUMNS]
    task.chosen = entries
    own = {place: _RECORDS[fold_name(one)] for place, one in enumerate(columns) if fold_name(one) in _RECORDS}
    asked = [place for place in range(len(columns)) if place not in own]
    yield Progress("reading", f"comparing {len(entries)} papers on {len(columns)} aspects", step=True)
    replies = yield from _ask_rows(task, entries, [columns[place] for place in asked])
    citations: list[Citation] = []
    rows = []
    for entry in entries:
        cells = _cells(task, replies[entry.paper], len(asked), citations)
        filled = [Cell("")] * len(columns)
        for place, cell in zip(asked, cells, strict=True):
            filled[place] = cell
        for place, record in own.items():
            filled[place] = Cell(_record(entry, record))
        rows.append(Row(entry.paper, task.short_name(entry), tuple(filled)))
    labels = tuple(f"{one}{FROM_LIBRARY}" if place in own else one for place, one in enumerate(columns))
    table = Table(labels, tuple(rows))
    text = table_to_markdown(table)
    below = yield from _write_below(task, table, citations)
    names = tuple(row.name for row in rows)
    plan = AnswerPlan("comparison", tuple(row.paper for row in rows), names, labels, len(rows))
    return ModelTable(table, text, tuple(citations), plan, below)


def _record(entry: IndexedPaper, name: str) -> str:
    value = getattr(entry, name)
    return (", ".join(value) if isinstance(value, tuple) else str(value or "")) or "unknown"


def _ask_rows(
    task: ModelTask, entries: Sequence[IndexedPaper], columns: Sequence[str]
) -> Generator[Event, None, dict[str, _RowReply]]:
    """The reply for each paper; papers are asked for in parallel."""
    found: dict[str, _RowReply] = {}
    if not columns:
        return {entry.paper: _RowReply("", whole=True) for entry in entries}
    lock = threading.Lock()
    failed: ModelError | None = None
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="row") as pool:
        running = {pool.submit(_ask_row, task, entry, columns, lock): entry for entry in entries}
        for done in as_completed(running):
            entry = running[done]
            try:
                found[entry.paper] = done.result()
            except ModelError as error:
                failed = error
                found[entry.paper] = _RowReply("", rest="stopped" if task.stop.is_set() else "not searched")
                continue
            yield Progress("reading", f"read {task.short_name(entry)} ({len(found)} of {len(entries)})")
    if failed is not None:
        if all(reply.rest == "not searched" and not reply.text for reply in found.values()):
            raise failed
        task.notes.append(f"Some rows could not be read: {failed}")
    return found


def _ask_row(task: ModelTask, entry: IndexedPaper, columns: Sequence[str], lock: threading.Lock) -> _RowReply:
    if task.stop.is_set():
        return _RowReply("", rest="stopped")
    budget = task.budget
    while True:
        pieces = task.pages_for(entry, [*columns, task.question], budget)
        book = EvidenceBook()
        book.add(pieces)
        body = shown_pieces(book.pieces)
        fence = make_fence(body, task.question)
        wanted = "\n".join(
            f"{number}: {strip_template_marks(column)}" for number, column in enumerate(columns, start=1)
        )
        user = (
            f"{fence}\n{body}\n{fence}\n\nThe table answers: {strip_template_marks(task.question)}\n"
            f"This row is about: {strip_template_marks(entry.title or entry.paper)}\nColumns:\n{wanted}"
        )
        try:
            reply = ask_model(task.model, [Message("system", CELL_RULES), Message("user", user)], task.stop)
        except ModelWindowExceeded:
            budget //= 2
            if budget < 500:
                raise
            continue
        with lock:
            task.spending.add(reply)
        pages = {piece.page for piece in paper_pieces(task.generation, entry)}
        rest: CellState = "nothing found"
        if not reply.whole:
            rest = "stopped" if task.stop.is_set() else "not searched"
        return _RowReply(reply.text, tuple(book.pieces), {piece.page for piece in pieces} == pages, rest)


def _cells(task: ModelTask, reply: _RowReply, columns: int, citations: list[Citation]) -> list[Cell]:
    """The cells of a row; what they cite joins `citations`."""
    lines = read_cells(reply.text, columns)
    if reply.rest == "stopped" and lines:
        del lines[max(lines)]  # it was being written: half a statement may say what the paper does not
    reached = max(lines, default=-1)
    # A reply that is no row says nothing of the paper.
    empty = Cell("not reported", (), "not reported") if reply.whole and lines else Cell(NOT_FOUND, (), "nothing found")
    rest = empty if reply.rest == "nothing found" else Cell(reply.rest, (), reply.rest)
    cells = []
    for place in range(columns):
        line = lines.get(place, "")
        if not line or _NOTHING.match(line):
            cells.append(rest if place > reached else empty)
            continue
        marks = CitedText(reply.pieces, task.page_of, first=len(citations) + 1)
        text = marks.feed(line) + marks.finish()
        renamed = _join_citations(marks.citations, citations)
        numbers = [renamed[int(number)] for number in _SHOWN.findall(text) if int(number) in renamed]
        plain = re.sub(r"\s+([.,;])", r"\1", _SHOWN.sub("", text)).strip()
        cells.append(Cell(plain, tuple(dict.fromkeys(numbers))))
    return cells


def read_cells(reply: str, columns: int) -> dict[int, str]:
    """The text of each cell by its place, counted from 0: all that stands up to the next number that is awaited.

    Of a reply without any such number nobody knows which line is which cell, but where there is one column only.
    """
    begins: dict[int, re.Match[str]] = {}
    matches = list(_BEGINS.finditer(reply))
    asked = [match for match in matches if match[2] == ":"] or matches  # "2. TriviaQA" beside them is an item
    for match in asked:
        place = int(match[1]) - 1
        # A number that was there before, or that goes back, counts the items of a list within a cell.
        if 0 <= place < columns and place not in begins and place >= max(begins, default=0):
            begins[place] = match
    starts = {place: match.end() for place, match in begins.items()}
    if not begins and columns == 1:
        starts = {0: 0}
    ends = [*(match.start() for match in list(begins.values())[1:]), len(reply)][: len(starts)]
    return {
        place: "; ".join(
            _BULLET.sub("", line.strip().strip("|").strip()) for line in reply[start:end].splitlines() if line.strip()
        )
        for (place, start), end in zip(starts.items(), ends, strict=True)
    }


def _join_citations(new: Sequence[Citation], known: list[Citation]) -> dict[int, int]:
    """Add the citations to the known ones; the number of each there. The same words cited before keep their number."""
    places = {(one.paper, one.page, one.quote): one.number for one in known}
    renamed: dict[int, int] = {}
    for one in new:
        place = (one.paper, one.page, one.quote)
        if place not in places:
            places[place] = len(known) + 1
            known.append(replace(one, number=places[place]))
        renamed[one.number] = places[place]
    return renamed


def _write_below(task: ModelTask, table: Table, citations: Sequence[Citation]) -> Generator[Event, None, ModelText]:
    """The sentences below the table; none when the model fails now, since the table stands."""
    if task.stop.is_set() or not citations:
        return ModelText("", None)
    yield Progress("reading", "writing what the comparison shows")
    quotes = "\n".join(
        f'[{one.number}] {strip_template_marks(one.title)}, page {one.page}: "{strip_template_marks(one.quote)}"'
        for one in citations
    )
    body = f"{table_to_markdown(table)}\n\nQuotes of the cells:\n{quotes}"
    fence = make_fence(body, task.question)
    user = f"{fence}\n{body}\n{fence}\n\nQuestion: {strip_template_marks(task.question)}"
    try:
        return (
            yield from write_answer(task, [Message("system", SYNTHESIS_RULES), Message("user", user)], known=citations)
        )
    except ModelError as error:
        task.notes.append(f"Nothing could be written below the table: {error}")
        return ModelText("", None)
