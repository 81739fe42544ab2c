"""Answers from the library's own records and pages, without a search: how many papers, by whom, what a table shows.

Also small talk. Such an answer has the reader "library": a follow-up question means what was said before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag_app.answering.context import AnswerContext, count_papers, papers_in, short_name
from rag_app.citations.marks import citation_at, replace_marks
from rag_app.index.manifest import IndexedPaper
from rag_app.records import LIBRARY, Answer, Block, Citation, Evidence, Page, SearchSummary
from rag_app.retrieval.descriptions import in_time_order, when_published
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import sentences, word_set

MOST_LISTED = 60  # papers
MOST_LINES = 14  # of a table, or sentences of a page or section
HELLO = "Hello. Ask me about the papers of this library: each answer quotes them, page by page."

_GREETS = re.compile(
    r"(?:hi+|hello|hey|hiya|yo|greetings|good (?:morning|afternoon|evening|day)|how are you(?: doing)?(?: today)?"
    r"|你好|您好)"
    r"(?: there| all| everyone| again)?",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"(?:ok(?:ay)?\W+)?(?:many )?(?:thanks|thank you|thx|cheers|谢谢)\b.{0,40}"
    r"|(?:(?:that['’]?s|that is|this is|sounds|very|really|so) )*"
    r"(?:great|perfect|nice|cool|ok|okay|good|helpful|all|it|wow)"
    r"(?: job| work| answer| for now| for today)?|got it|i see|(?:good ?)?bye(?: ?bye)?|see you(?: later)?|good night",
    re.IGNORECASE,
)
_ABOUT_APP = re.compile(
    r"(?:what|who) (?:can|are|do) you(?: do| help(?: me)?(?: with)?)?(?: here)?|(?:can you )?help(?: me)?"
    r"|are you (?:an? )?(?:ai|bot|robot|human|person|chatgpt|language model)|what['’]?s your name"
    r"|who (?:made|built) you"
    r"|how (?:do|does) (?:you|this|it) work|what (?:is|does) this(?: app| tool| page)?(?: do)?|what can i ask(?: you)?",
    re.IGNORECASE,
)
_PAPERS = r"(?:papers?|documents?|articles?|studies|publications|files|pdfs?)"
_HERE = (
    r"(?:\W*(?:are|is|there|do|you|we|i|have|got|in|of|the|this|that|my|our|your|library|collection|corpus|set|here|at"
    r"|all|now|indexed|know))*"
)
_COUNT = re.compile(rf"how many {_PAPERS}{_HERE}", re.IGNORECASE)
_LIST = re.compile(
    r"(?:(?:please )?(?:list|show|name|give)(?: me)?|what are|which are)(?: all)?(?: of)?(?: the| your| my)? "
    rf"{_PAPERS}{_HERE}"
    rf"|(?:which|what) {_PAPERS} (?:are|do you have|have you got|is){_HERE}",
    re.IGNORECASE,
)
_EXTREME = re.compile(
    rf"(?:what|which|whats|what's|show|give|name)?(?: me)?(?: is| are)?(?: one)?\W*(?:the )?"
    rf"(?P<which>oldest|earliest|newest|latest|most recent)(?: of)?(?: the)?(?: {_PAPERS})?(?: is(?: the)?)?{_HERE}",
    re.IGNORECASE,
)
_YEARS = re.compile(
    r"(?:which|what|list|show|name|any|how many)?(?: me)?(?: all)?(?: the)?"
    rf"\s*{_PAPERS}?{_HERE}(?: (?:were|was|that|which))*"
    r"\s*(?:(?:published|written|appeared|came out)\s)?(?P<how>in|since|after|before|until|of|from)(?: the year)?"
    r" (?P<year>(?:19|20)\d\d)"
    r"(?: (?:and|to|until|-) (?P<last>(?:19|20)\d\d))?",
    re.IGNORECASE,
)
_BY_AUTHOR = (
    re.compile(
        rf"(?:is there |are there |do you have |list |show |find |which |what )*(?:me )*(?:all |the )*"
        rf"(?:{_PAPERS}|anything|something|works?)(?: (?:are|is|were|was|here))*(?: (?:written|authored))* (?:by|from) "
        r"(?P<who>[^\d?]{3,40})",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:which|what) {_PAPERS} (?:did|has|have|does) (?P<who>.{{3,40}}?) (?:write|wrote|written|publish(?:ed)?|"
        r"author(?:ed)?|co-?author(?:ed)?)",
        re.IGNORECASE,
    ),
)
_OF_KIND = re.compile(
    r"(?:(?:is|are) there|do you have|have (?:you|we) got|any|list|show|which(?: papers)? are|what)(?: me)?"
    r"(?: any| some| all| a| an| the)*\s*"
    r"(?P<kind>surveys?|reviews?|overviews?|roadmaps?|tutorials?|benchmarks?|trials?)(?: papers?)?"
    rf"(?: (?:do|are|there|we|you|have))*{_HERE}",
    re.IGNORECASE,
)
_OVERVIEWS = ("survey", "review", "overview", "roadmap", "tutorial")
_WHO_WROTE = re.compile(
    r"\bwho (?:wrote|authored|published|are the authors|is the author|were the authors)\b|\bauthors of\b"
    r"|\bwritten by whom\b",
    re.IGNORECASE,
)
_HOW_LONG = re.compile(r"\bhow many pages\b|\bnumber of pages\b|^how long is\b(?!.*\b(?:train|run|take)\w*)", re.I)
_WHEN = re.compile(
    r"\bwhen (?:was|did) .{0,80}\b(?:published|written|released|come out|appear|public)\b"
    r"|\b(?:what|which|in which|in what) year (?:is|was|did)\b.{0,80}\b(?:from|published|written|appear|come out)\b"
    r"|\b(?:publication|publishing) (?:year|date) of\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?P<what>page|table|tab\.|figure|fig\.?|section|sec\.|appendix|algorithm)\s+"
    r"(?P<number>[A-Z]?\d+(?:\.\d+)*|[A-Z]\b)",
    re.IGNORECASE,
)
_PLACE_WORDS = word_set(
    "show me what is are on in of the a an does do say says tell give print read paper papers study article it there "
    "about can you please s whats contents content see display to from for and which shown reported report i want"
)


@dataclass(frozen=True)
class LibraryQuestion:
    """A question that the records or a page answer, and how."""

    answer: Callable[[AnswerContext], Answer]


def parse_small_talk(text: str) -> str:
    """What a greeting or a thank-you is answered with; empty for a question."""
    bare = text.strip(" .!?,;:~")
    if _GREETS.fullmatch(bare):
        return HELLO
    if _THANKS.fullmatch(bare) and "?" not in text:
        return "You are welcome. Ask another question whenever you like."
    if _ABOUT_APP.fullmatch(bare):
        return (
            "I answer questions from the papers of this library and quote the words on their pages. Ask about one "
            "paper, compare several, ask which papers do something, or about the library itself: what is in it, by "
            "whom, from when."
        )
    return ""


def opens_with_greeting(text: str) -> bool:
    """Whether a text begins like a letter: "good morning, are you there?"."""
    return re.match(rf"\W*(?:{_GREETS.pattern})(?!\w)", text, re.IGNORECASE) is not None


def parse_library_question(context: AnswerContext) -> LibraryQuestion | None:
    """How the records answer the question; None where it asks for what the papers say."""
    text = " ".join(context.question.search.split()).strip(" .!?")
    named = [paper for paper in context.question.named_papers if paper in context.generation.by_paper]
    if not named and len(context.question.scope.papers) == 1:
        named = [paper for paper in context.question.scope.papers if paper in context.generation.by_paper]
    if len(named) == 1:
        place = _parse_place(context, text, named[0])
        if place is not None:
            return LibraryQuestion(place)
        for pattern, tell in ((_WHO_WROTE, _tell_authors), (_HOW_LONG, _tell_length), (_WHEN, _tell_time)):
            if pattern.search(text) and _asks_nothing_else(context, pattern, text):
                return LibraryQuestion(lambda one, tell=tell: tell(one, named[0]))  # type: ignore[misc]
    extreme = _EXTREME.fullmatch(text)
    if extreme:
        return LibraryQuestion(lambda one: _tell_extreme(one, extreme["which"].casefold()))
    if _COUNT.fullmatch(text):
        return LibraryQuestion(_tell_count)
    if _LIST.fullmatch(text):
        return LibraryQuestion(lambda one: _tell_list(one, _entries(one), ""))
    kind = _OF_KIND.fullmatch(text)
    if kind:
        return LibraryQuestion(lambda one: _tell_kind(one, kind["kind"].casefold().removesuffix("s")))
    years = _YEARS.fullmatch(text)
    if years:
        return LibraryQuestion(lambda one: _tell_years(one, years))
    for pattern in _BY_AUTHOR:
        match = pattern.fullmatch(text)
        if match and not named:
            return LibraryQuestion(lambda one, who=match["who"]: _tell_author(one, who))  # type: ignore[misc]
    return None


def _asks_nothing_else(context: AnswerContext, pattern: re.Pattern[str], text: str) -> bool:
    """Whether the words beside the paper's name are few: "who wrote the test set of X" asks what X says."""
    rest = pattern.sub(" ", text)
    for mention in sorted(context.question.plan.mentions, key=lambda one: -one.start):
        name = context.question.search[mention.start : mention.end]
        rest = rest.replace(name, " ")
    known = _PLACE_WORDS | word_set("have has long was were did published written out come appear author authors by")
    return sum(word.casefold() not in known for word in re.findall(r"\w+", rest)) <= 1


def _parse_place(context: AnswerContext, text: str, paper: str) -> Callable[[AnswerContext], Answer] | None:
    match = _PLACE.search(text)
    if match is None or not _asks_nothing_else(context, _PLACE, text):
        return None
    what, number = match["what"].casefold().rstrip("."), match["number"]
    if what == "page":
        return lambda one: _show_page(one, paper, int(number)) if number.isdigit() else _nothing(one, match[0], paper)
    if what in ("section", "sec", "appendix"):
        return lambda one: _show_section(one, paper, number, match[0])
    kind = {"tab": "Table", "fig": "Figure"}.get(what, what.capitalize())
    return lambda one: _show_captioned(one, paper, kind, number)


# -- records --------------------------------------------------------------------------------------------------------


def library_answer(context: AnswerContext, text: str, citations: Sequence[Citation] = ()) -> Answer:
    """An answer of the library itself."""
    entries = _entries(context)
    searched = SearchSummary(len(entries), 0, len({one.paper for one in citations}))
    return Answer(
        "", context.question.search, "answered", text, LIBRARY, tuple(citations), searched=searched, confidence="high"
    )


def _entries(context: AnswerContext) -> list[IndexedPaper]:
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


def _tell_count(context: AnswerContext) -> Answer:
    entries = _entries(context)
    unread = sum(not entry.passages for entry in entries)
    rest = f" {unread} of them cannot be read: see the list of papers." if unread else ""
    return library_answer(context, f"There are {count_papers(len(entries))} in this library.{rest}")


def _tell_list(context: AnswerContext, entries: Sequence[IndexedPaper], lead: str, below: str = "") -> Answer:
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


def _tell_extreme(context: AnswerContext, which: str) -> Answer:
    oldest = which in ("oldest", "earliest")
    order = in_time_order(_entries(context), oldest)
    if not order:
        return library_answer(context, "No paper in this library says when it was published.")
    entry = context.generation.by_paper[order[0]]
    word = "oldest" if oldest else "newest"
    citation = _title_citation(context, entry, 1)
    mark = " [1]" if citation else ""
    text = f"The {word} paper here is {_describe(entry)}.{mark}"
    return library_answer(context, text, [citation] if citation else [])


def _tell_years(context: AnswerContext, match: re.Match[str]) -> Answer:
    how, year = (match["how"] or "in").casefold(), int(match["year"])
    first, last = {"since": (year, 9999), "after": (year + 1, 9999), "before": (1, year - 1), "until": (1, year)}.get(
        how, (year, int(match["last"] or year))
    )
    found = [entry for entry in _entries(context) if first <= when_published(entry)[0] <= last]
    span = str(year) if first == last else f"{first if first > 1 else ''}–{last if last < 9999 else ''}"
    return _tell_list(context, found, f"{count_papers(len(found))} from {span}:" if found else f"None is from {span}.")


def _tell_kind(context: AnswerContext, kind: str) -> Answer:
    """The papers that call themselves surveys, benchmarks or trials in their titles; a roadmap is a survey too."""
    kinds = _OVERVIEWS if kind in _OVERVIEWS else (kind,)
    called = re.compile(rf"\b(?:{'|'.join(kinds)})s?\b", re.IGNORECASE)
    found = [entry for entry in _entries(context) if called.search(entry.title)]
    if not found:
        return library_answer(context, f"No paper here is called a {kind} in its title.")
    return _tell_list(context, found, f"{count_papers(len(found))} called a {' or '.join(kinds)} in the title:")


def _tell_author(context: AnswerContext, who: str) -> Answer:
    wanted = [word for word in re.findall(r"[\w'’-]+", who.casefold()) if word not in ("et", "al", "and", "colleagues")]
    found = [entry for entry in _entries(context) if any(_is_author(wanted, author) for author in entry.authors)]
    unknown = sum(not entry.authors for entry in _entries(context))
    rest = f" The authors of {count_papers(unknown)} are not known." if unknown else ""
    if not found:
        return library_answer(context, f"No paper here names {replace_marks(who.strip())} among its authors.{rest}")
    return _tell_list(context, found, f"{count_papers(len(found))} by {replace_marks(who.strip())}:", rest.strip())


def _is_author(wanted: Sequence[str], author: str) -> bool:
    parts = re.findall(r"[\w'’-]+", author.casefold())
    return bool(wanted and parts) and all(word in parts for word in wanted) and wanted[-1] == parts[-1]


def _tell_authors(context: AnswerContext, paper: str) -> Answer:
    entry = context.generation.by_paper[paper]
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
    return library_answer(context, f"{short_name(entry)} is by {names}.{mark}", citations)


def _tell_length(context: AnswerContext, paper: str) -> Answer:
    entry = context.generation.by_paper[paper]
    return library_answer(context, f"{short_name(entry)} has {entry.pages} page{'' if entry.pages == 1 else 's'}.")


def _tell_time(context: AnswerContext, paper: str) -> Answer:
    entry = context.generation.by_paper[paper]
    year, month, number = when_published(entry)
    if not year:
        return library_answer(context, f"When {short_name(entry)} was published is not known.")
    when = f"{year}-{month:02d}" if month else str(year)
    source = f", by its arXiv number {number}" if number else ""
    return library_answer(context, f"{short_name(entry)} is from {when}{source}.")


# -- places in a paper ----------------------------------------------------------------------------------------------


def _nothing(context: AnswerContext, what: str, paper: str) -> Answer:
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


def _show_page(context: AnswerContext, paper: str, number: int) -> Answer:
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


def _show_section(context: AnswerContext, paper: str, number: str, what: str) -> Answer:
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
        return _nothing(context, what, paper)
    entry = context.generation.by_paper[paper]
    return _quote_spans(context, paper, f"{what[:1].upper()}{what[1:]} of {short_name(entry)}:", spans[:5])


def _show_captioned(context: AnswerContext, paper: str, kind: str, number: str) -> Answer:
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
    return _nothing(context, f"{kind} {number}", paper)


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
