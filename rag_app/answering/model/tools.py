"""What a model may call while it gathers evidence: search, read, list. A call gives text and adds to the evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.answering.model.catalogue import describe_paper
from rag_app.answering.model.evidence_book import shown_pieces
from rag_app.answering.model.pages import pages_named, pages_of_section, paper_pieces, tokens_in
from rag_app.answering.model.task import ModelTask
from rag_app.index.manifest import IndexedPaper
from rag_app.models.llm.chat import ToolCall
from rag_app.models.llm.prompt_safety import strip_template_marks
from rag_app.records import Evidence
from rag_app.retrieval.hybrid import Scope

PAGES_OF_SEARCH = 5
HITS_OF_SEARCH = 40
HINTS = 10  # first looks
HINT_CHARACTERS = 180
MOST_TEXTS, LONGEST_TEXT = 400, 1_000  # of an argument, and its characters; each may be looked up in all papers
LISTED = 60  # papers of one list_papers


@dataclass(frozen=True)
class ToolResult:
    """What a call gave: the text for the model, and what happened in words for the user."""

    text: str
    step: str
    useful: bool = True  # something that the model did not have yet


def run_tool(task: ModelTask, call: ToolCall) -> ToolResult:
    """Run one call. A wrong call is answered with what is wrong, so that the model can call again."""
    if call.name == "search":
        return _search(task, call)
    if call.name == "read":
        return _read(task, call)
    if call.name == "list_papers":
        return _list(task, str(call.arguments.get("filter") or ""))
    return ToolResult(f"There is no tool {call.name!r}. Call search, read or list_papers.", "", useful=False)


def texts_of(value: object) -> list[str]:
    """The texts of an argument: a list of them, or one with commas or semicolons between; of very many the first."""
    given = value if isinstance(value, list | tuple) else re.split(r"[,;\n]", str(value or ""))
    texts = (str(one)[:LONGEST_TEXT].strip() for one in given)
    return [one for one in texts if one][:MOST_TEXTS]


def years_of(value: object) -> tuple[int, int] | None:
    """First and last year of "2020-2023"; None for none."""
    found = [int(year) for year in re.findall(r"(?:19|20)\d\d", str(value or ""))]
    return (min(found), max(found)) if found else None


def _search(task: ModelTask, call: ToolCall) -> ToolResult:
    query = " ".join(str(call.arguments.get("query") or "").split())
    if not query:
        return ToolResult("search needs a query.", "", useful=False)
    papers = task.find_papers(texts_of(call.arguments.get("papers")))
    years = years_of(call.arguments.get("years"))
    pieces = search_pages(task, query, papers, years)
    names = ", ".join(task.short_name(entry) for entry in papers)
    step = f"searching for “{query}” in {names}" if papers else f"searching for “{query}”"
    if not pieces:
        return ToolResult("Nothing was found.", step, useful=False)
    return _result(task, pieces, step)


def search_pages(
    task: ModelTask, query: str, papers: Sequence[IndexedPaper] = (), years: tuple[int, int] | None = None
) -> list[Evidence]:
    """The best pages for a search, best first, as unnumbered evidence."""
    allowed = tuple(entry.paper for entry in papers) or task.scope.papers
    scope = Scope(allowed, years or task.scope.years, task.scope.section)
    hits = task.retriever.find_passages(query, HITS_OF_SEARCH, scope)
    places = list(dict.fromkeys((hit.passage.paper, hit.passage.page) for hit in hits))[:PAGES_OF_SEARCH]
    known = {entry.paper: entry for entry in task.entries}
    return [
        piece
        for paper, page in places
        if paper in known
        for piece in paper_pieces(task.generation, known[paper], [page])
    ]


def _read(task: ModelTask, call: ToolCall) -> ToolResult:
    wanted = str(call.arguments.get("paper") or "")
    found = task.find_papers([wanted])
    if not found:
        return ToolResult(f"No paper of the catalogue is {wanted!r}. Give an id of the catalogue.", "", useful=False)
    entry = found[0]
    pages = pages_named(str(call.arguments.get("pages") or ""), entry.pages)
    section = str(call.arguments.get("section") or "").strip()
    name = task.short_name(entry)
    if not pages and section:
        pages = pages_of_section(task.generation, entry, section)
    if pages:
        step = f"reading {name}, page {pages[0]}"
        if len(pages) > 1:
            step = f"reading {name}, pages {pages[0]}–{pages[-1]}"
        return _result(task, paper_pieces(task.generation, entry, pages), step)
    room = max(task.budget - tokens_in(task.book.pieces), task.budget // 10)
    pieces = task.pages_for(entry, [task.question], room)
    whole = len({piece.page for piece in pieces}) == len({p.page for p in paper_pieces(task.generation, entry)})
    step = f"reading {name}, the whole paper" if whole else f"reading {name}, its best pages"
    result = _result(task, pieces, step)
    if whole:
        return result
    remark = "The whole paper does not fit any more: these are its best pages for the question. Others: give `pages`."
    return ToolResult(f"{remark}\n{result.text}", step, result.useful)


def _result(task: ModelTask, pieces: Sequence[Evidence], step: str) -> ToolResult:
    """The pieces that the model does not have yet, as many as fit the budget, and which it has."""
    room = task.budget - tokens_in(task.book.pieces)
    fitting: list[Evidence] = []
    for piece in pieces:
        room -= tokens_in([piece])
        if room >= 0 or not task.book.pieces:
            fitting.append(piece)
    new, known = task.book.add(fitting)
    parts = [shown_pieces(new, {entry.paper: id for id, entry in task.catalogue.entries.items()})] if new else []
    if known:
        parts.append(f"You have these already: {', '.join(f'[{piece.number}]' for piece in known)}.")
    if len(fitting) < len(pieces):
        parts.append("The room for evidence is used up; more does not fit. Answer from what you have.")
    return ToolResult("\n\n".join(parts), step, useful=bool(new))


def _list(task: ModelTask, wanted: str) -> ToolResult:
    words = wanted.casefold().split()
    lines = []
    for entry in task.entries:
        id = task.catalogue.id_of(entry.paper)
        about = " ".join([entry.title, *entry.short_names, *entry.coined, *entry.authors, str(entry.year), entry.topic])
        if entry.passages and all(word in about.casefold() for word in words):
            lines.append(describe_paper(task.generation, entry, id, short=True))
    step = f"listing papers with “{wanted}”" if wanted else "listing papers"
    more = f"\n… and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    return ToolResult(("\n".join(lines[:LISTED]) + more) or "No paper has these words.", step, useful=bool(lines))


def first_looks(task: ModelTask) -> str:
    """Where a plain search of the question leads: a line for each place, which a model may read. No evidence."""
    if not task.searchable:
        return ""
    lines = []
    hits = task.retriever.find_passages(task.question, HITS_OF_SEARCH, task.scope)
    seen: set[tuple[str, int]] = set()
    for hit in hits:
        place = (hit.passage.paper, hit.passage.page)
        if place in seen:
            continue
        seen.add(place)
        text = " ".join(strip_template_marks(hit.passage.text).split())[:HINT_CHARACTERS]
        lines.append(f"- {task.catalogue.id_of(hit.passage.paper)}, page {hit.passage.page}: {text}")
        if len(lines) == HINTS:
            break
    return "\n".join(lines)
