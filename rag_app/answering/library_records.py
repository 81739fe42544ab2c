"""Answers from the library's own records and pages: how many papers, by whom, what a page or a table shows.

Such an answer has the reader "library".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_app.answering.context import AnswerContext, count_papers, papers_in, short_name
from rag_app.citations.marks import citation_at, replace_marks
from rag_app.index.manifest import IndexedPaper
from rag_app.records import LIBRARY, Answer, Block, Citation, Evidence, Page, SearchSummary
from rag_app.retrieval.descriptions import in_time_order, when_published
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import sentences

MOST_LISTED = 60  # papers
MOST_LINES = 14  # of a table, or sentences of a page or section
_OVERVIEWS = ("survey", "review", "overview", "roadmap", "tutorial")


def library_answer(context: AnswerContext, text: str, citations: Sequence[Citation] = ()) -> Answer:
    """An answer of the library itself."""
    entries = entries_of(context)
    searched = SearchSummary(len(entries), 0, len({one.paper for one in citations}))
    return Answer(
        "", context.question.search, "answered", text, LIBRARY, tuple(citations), searched=searched, confidence="high"
    )


def entries_of(context: AnswerContext) -> list[IndexedPaper]:
    return papers_in(context.generation, context.question.scope)


def _describe(entry: IndexedPaper) -> str:
    year = when_published(entry)[0]
    return f"{replace_marks(entry.title or entry.paper)}{f' ({year})' if year else ''}"


def _title_citation(context: AnswerContext, entry: IndexedPaper, number: int) -> Citation | None:
    """The title as it stands on the paper's first page, where it does."""
    if not entry.pages or not entry.passages:
        return None
    page = context.generation.page(entry.paper, 1)
    place = find_quote(entry.title, page.text) if entry.title else None
    if place is None:
        return None
    return citation_at(number, _piece(context, entry.paper, page), page, *place)


def _piece(context: AnswerContext, paper: str, page: Page) -> Evidence:
    title, digest = context.title_of(paper)
    return Evidence(1, paper, title, page.number, page.label, "", 0, len(page.text), page.text, digest)


def tell_count(context: AnswerContext) -> Answer:
    entries = entries_of(context)
    unread = sum(not entry.passages for entry in entries)
    rest = f" {unread} of them cannot be read: see the list of papers." if unread else ""
    return library_answer(context, f"There are {count_papers(len(entries))} in this library.{rest}")


def tell_list(context: AnswerContext, entries: Sequence[IndexedPaper], lead: str, below: str = "") -> Answer:
    shown = entries[:MOST_LISTED]
    citations: list[Citation] = []
    lines = []
    for entry in shown:
        citation = _title_citation(context, entry, len(citations) + 1)
        if citation is not None:
            citations.append(citation)
        mark = f" [{citation.number}]" if citation is not None else ""
        lines.append(f"- {_describe(entry)}{mark}")
    more = [f"{len(entries) - len(shown)} more are in the list of papers."] if len(entries) > len(shown) else []
    head = lead or f"{count_papers(len(entries))}:"
    return library_answer(context, "\n".join([head, *lines, *more, *filter(None, [below])]), citations)


def tell_extreme(context: AnswerContext, which: str) -> Answer:
    oldest = which in ("oldest", "earliest")
    order = in_time_order(entries_of(context), oldest)
    if not order:
        return library_answer(context, "No paper in this library says when it was published.")
    entry = context.generation.by_paper[order[0]]
    word = "oldest" if oldest else "newest"
    citation = _title_citation(context, entry, 1)
    mark = " [1]" if citation else ""
    text = f"The {word} paper here is {_describe(entry)}.{mark}"
    return library_answer(context, text, [citation] if citation else [])


def tell_years(context: AnswerContext, match: re.Match[str]) -> Answer:
    how, year = (match["how"] or "in").casefold(), int(match["year"])
    first, last = {"since": (year, 9999), "after": (year + 1, 9999), "before": (1, year - 1), "until": (1, year)}.get(
        how, (year, int(match["last"] or year))
    )
    found = [entry for entry in entries_of(context) if first <= when_published(entry)[0] <= last]
    span = str(year) if first == last else f"{first if first > 1 else ''}–{last if last < 9999 else ''}"
    return tell_list(context, found, f"{count_papers(len(found))} from {span}:" if found else f"None is from {span}.")


def tell_kind(context: AnswerContext, kind: str) -> Answer:
    """The papers that call themselves surveys, benchmarks or trials in their titles; a roadmap is a survey too."""
    kinds = _OVERVIEWS if kind in _OVERVIEWS else (kind,)
    called = re.compile(rf"\b(?:{'|'.join(kinds)})s?\b", re.IGNORECASE)
    found = [entry for entry in entries_of(context) if called.search(entry.title)]
    if not found:
        return library_answer(context, f"No paper here is called a {kind} in its title.")
    return tell_list(context, found, f"{count_papers(len(found))} called a {' or '.join(kinds)} in the title:")


def tell_author(context: AnswerContext, who: str) -> Answer:
    found = papers_by(context, who)
    unknown = sum(not entry.authors for entry in entries_of(context))
    rest = f" The authors of {count_papers(unknown)} are not known." if unknown else ""
    if not found:
        return library_answer(context, f"No paper here names {replace_marks(who.strip())} among its authors.{rest}")
    return tell_list(context, found, f"{count_papers(len(found))} by {replace_marks(who.strip())}:", rest.strip())


def papers_by(context: AnswerContext, who: str) -> list[IndexedPaper]:
    wanted = [word for word in re.findall(r"[\w'’-]+", who.casefold()) if word not in ("et", "al", "and", "colleagues")]
    return [entry for entry in entries_of(context) if any(_is_author(wanted, author) for author in entry.authors)]


def _is_author(wanted: Sequence[str], author: str) -> bool:
    parts = re.findall(r"[\w'’-]+", author.casefold())
    return bool(wanted and parts) and all(word in parts for word in wanted) and wanted[-1] == parts[-1]


def tell_authors(context: AnswerContext, paper: str, match: re.Match[str]) -> Answer:
    entry = context.generation.by_paper[paper]
    rank = (match["rank"] or "").casefold()
    if not entry.authors:
        return library_answer(context, f"The authors of {_describe(entry)} could not be read from its first page.")
    page = context.generation.page(paper, 1)
    citations: list[Citation] = []
    for author in entry.authors:
        place = find_quote(author, page.text)
        if place is not None and len(citations) < 1:
            citations.append(citation_at(1, _piece(context, paper, page), page, *place))
    mark = " [1]" if citations else ""
    names = replace_marks(", ".join(entry.authors))
    if rank:
        one = replace_marks(entry.authors[0 if rank in ("first", "lead") else -1])
        return library_answer(
            context, f"The {rank} author of {short_name(entry)} is {one}; it is by {names}.{mark}", citations
        )
    return library_answer(context, f"{short_name(entry)} is by {names}.{mark}", citations)


def tell_title(context: AnswerContext, paper: str, match: re.Match[str]) -> Answer:
    """The title; also where it is asked whether the paper is here."""
    entry = context.generation.by_paper[paper]
    citation = _title_citation(context, entry, 1)
    lead = "" if "title" in match[0].casefold() else "Yes: "
    text = f"{lead}{_describe(entry)}.{' [1]' if citation else ''}"
    return library_answer(context, text, [citation] if citation else [])


def tell_length(context: AnswerContext, paper: str, match: re.Match[str]) -> Answer:
    entry = context.generation.by_paper[paper]
    return library_answer(context, f"{short_name(entry)} has {entry.pages} page{'' if entry.pages == 1 else 's'}.")


def tell_time(context: AnswerContext, paper: str, match: re.Match[str]) -> Answer:
    entry = context.generation.by_paper[paper]
    year, month, number = when_published(entry)
    if not year:
        return library_answer(context, f"When {short_name(entry)} was published is not known.")
    when = f"{year}-{month:02d}" if month else str(year)
    source = f", by its arXiv number {number}" if number else ""
    return library_answer(context, f"{short_name(entry)} is from {when}{source}.")


# -- places in a paper ----------------------------------------------------------------------------------------------


def tell_missing(context: AnswerContext, what: str, paper: str) -> Answer:
    entry = context.generation.by_paper[paper]
    return library_answer(context, f"{short_name(entry)} has no {what.strip()} that could be read.")


def _quote_spans(context: AnswerContext, paper: str, lead: str, spans: Sequence[tuple[Page, int, int]]) -> Answer:
    citations: list[Citation] = []
    lines = []
    for page, start, end in spans[:MOST_LINES]:
        number = len(citations) + 1
        citations.append(citation_at(number, _piece(context, paper, page), page, start, end))
        lines.append(f"{replace_marks(' '.join(page.text[start:end].split()))} [{number}]")
    return library_answer(context, "\n".join([lead, *lines]), citations)


def show_page(context: AnswerContext, paper: str, number: int) -> Answer:
    entry = context.generation.by_paper[paper]
    if not 1 <= number <= entry.pages:
        return library_answer(context, f"{short_name(entry)} has {entry.pages} pages; there is no page {number}.")
    page = context.generation.page(paper, number)
    spans = []
    for block in page.blocks:
        if block.kind in ("heading", "caption"):
            spans.append((page, block.start, block.end))
        elif block.kind == "body":
            first = next(iter(sentences(page.text[block.start : block.end])), None)
            if first is not None and first[1] - first[0] > 20:
                spans.append((page, block.start + first[0], block.start + first[1]))
    return _quote_spans(
        context, paper, f"Page {number} of {short_name(entry)}, by its headings and first sentences:", spans
    )


def show_section(context: AnswerContext, paper: str, number: str, what: str) -> Answer:
    wanted = re.compile(rf"(?:^|> )\W*(?:appendix )?{re.escape(number)}(?![\d.]*\d)", re.IGNORECASE)
    spans = []
    for page in context.generation.get_reading(paper).pages:
        for block in page.blocks:
            last = block.section.rsplit(" > ", 1)[-1]
            if block.kind in ("heading", "body") and wanted.search(last):
                spans += [
                    (page, block.start + a, block.start + b) for a, b in sentences(page.text[block.start : block.end])
                ]
    if not spans:
        return tell_missing(context, what, paper)
    entry = context.generation.by_paper[paper]
    return _quote_spans(context, paper, f"{what[:1].upper()}{what[1:]} of {short_name(entry)}:", spans[:5])


def show_captioned(context: AnswerContext, paper: str, kind: str, number: str) -> Answer:
    """The caption of a table or a figure, and the rows of the table beside it."""
    wanted = re.compile(rf"\W*{kind[:3]}\w*\.?\s*{re.escape(number)}(?![\d.]*\d)", re.IGNORECASE)
    entry = context.generation.by_paper[paper]
    for page in context.generation.get_reading(paper).pages:
        for place, block in enumerate(page.blocks):
            if block.kind == "caption" and wanted.match(page.text[block.start : block.end]):
                rows = _rows_beside(page, place) if kind == "Table" else []
                spans = [(page, block.start, block.end), *((page, a, b) for a, b in rows)]
                lead = f"{kind} {number} of {short_name(entry)}, page {page.number}:"
                return _quote_spans(context, paper, lead, spans)
    return tell_missing(context, f"{kind} {number}", paper)


def _rows_beside(page: Page, caption: int) -> list[tuple[int, int]]:
    """The lines of the table that belongs to a caption: on the side on which the page's captions have their tables."""
    blocks = page.blocks
    kinds = [block.kind for block in blocks]
    first_table = kinds.index("table") if "table" in kinds else len(kinds)
    below = kinds.index("caption") < first_table  # a page begins with a caption where they stand above the tables
    found: list[Block] = []
    step = 1 if below else -1
    place = caption + step
    while 0 <= place < len(blocks) and kinds[place] == "table":
        found.append(blocks[place])
        place += step
    rows = []
    for block in sorted(found, key=lambda one: one.start):
        at = block.start
        for line in page.text[block.start : block.end].split("\n"):
            if line.strip():
                rows.append((at + len(line) - len(line.lstrip()), at + len(line.rstrip())))
            at += len(line) + 1
    return rows
