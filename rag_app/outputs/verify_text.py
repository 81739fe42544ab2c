"""The quotes and page references of any text, looked for in the papers: an answer of another tool, or a draft.

A quote is what stands between quotation marks, or a Markdown block quote. What the text says about its place ("LoRA,
p. 5", a footnote "[2]" with a line of its own below) is read from the words around it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from rag_app.citations.quotes import is_verified
from rag_app.citations.support import BackingTexts, missing_claims
from rag_app.errors import EvidenceError
from rag_app.index.paper_choice import name_papers
from rag_app.index.paper_names import contains_name
from rag_app.records import Json, Page, PaperRow
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import sentences

State = Literal[
    "on the page",
    "other page",
    "other paper",
    "found",
    "not found",
    "pieces of different sentences",
    "no such page",
    "not a quote",
]
MOST_QUOTES = 500
MOST_PARTS = 1_000  # of all quotes, between their ellipses
MOST_PLACES = 5
NEAR = 1_000  # characters around a quote, or of a sentence, in which its source is looked for
MOST_FOOTNOTES = 8  # of one quote that are looked up
FEWEST_WORDS = 3  # between quotation marks; fewer are a term
SHORTEST_TITLE = 12  # characters: a shorter title is found in any text

_MARKED = re.compile(r"“([^“”]+)”|„([^„“”]+)[“”]|«([^«»]+)»|(?<!\w)\"([^\"]+)\"(?!\w)|「([^「」]+)」")
_BLOCK = re.compile(r"(?:^[ \t]*>[^\n]*\n?)+", re.MULTILINE)
_GAP = re.compile(r"\[\s*(?:…|\.{3})\s*\]|\(\s*(?:…|\.{3})\s*\)|…|\.{3,}")
_PAGE = re.compile(
    r"(?<!\w)(?:pp?\.|pages?|pg\.|S\.|Seite)\s*(\d{1,4})(?:\s*[-–—]\s*(\d{1,4}))?|第\s*(\d{1,4})\s*页", re.I
)
_FILE = re.compile(r"\d{4}\.\d{4,5}(?:v\d+)?(?:\.\w{2,8})?|(?<![\w.\-/])[\w.\-/]{1,200}\.[a-z]\w{1,7}")
_FOOTNOTE = re.compile(r"\[\^?(\d{1,3})\]")
_NOTE_LINE = re.compile(r"^[ \t]*(?:\[\^?(\d{1,3})\]:?|(\d{1,3})[.)])[ \t]+(\S.*)$", re.MULTILINE)


class Library(Protocol):
    """Where papers and their pages come from."""

    def papers(self) -> Sequence[PaperRow]: ...
    def page(self, paper: str, number: int) -> Page: ...


@dataclass(frozen=True)
class Place:
    """Words that stand on a page."""

    paper: str
    title: str
    page: int
    label: str
    words: str  # as the page has them
    whole: bool = True  # False: short pieces that sentences apart from each other hold


@dataclass(frozen=True)
class QuotedText:
    """A quote, or a sentence with a page reference, and where the text says that it stands."""

    text: str
    start: int  # offsets into the text
    end: int
    papers: tuple[str, ...] = ()  # one of these; empty where the text does not say
    pages: tuple[int, ...] = ()  # as a viewer counts, or as printed
    is_quote: bool = True


@dataclass(frozen=True)
class TextCheck:
    """A quote and what became of it. Only "on the page" and "found" hold."""

    quoted: QuotedText
    state: State
    places: tuple[Place, ...] = ()  # at most MOST_PLACES, those that the text names first
    missing: tuple[str, ...] = ()  # of a sentence that is no quote: numbers and names that its page does not hold

    @property
    def holds(self) -> bool:
        return self.state in ("on the page", "found") or (self.state == "not a quote" and not self.missing)

    @property
    def message(self) -> str:
        """The state in words, with the page."""
        there = "; ".join(f"{place.paper}, page {place.page}" for place in self.places)
        named = ", ".join([*self.quoted.papers[:2], *(f"page {number}" for number in self.quoted.pages[:2])])
        missing = (
            f"the page does not contain {', '.join(self.missing)}"
            if self.missing
            else "its numbers and names are there"
        )
        return {
            "on the page": f"found on {there}",
            "found": f"found on {there}; the text names no page",
            "other page": f"not on {named}, but on {there}",
            "other paper": f"not in {named}, but on {there}",
            "not found": "found in none of the papers" + (f", nor on {named}" if named else ""),
            "pieces of different sentences": f"only pieces of different sentences, on {there}",
            "no such page": f"there is no {named}" + (f"; the words are on {there}" if there else ""),
            "not a quote": f"no words are quoted from {named}; {missing}",
        }[self.state]


def find_quoted(text: str, rows: Sequence[PaperRow]) -> list[QuotedText]:
    """Every quote of the text, and every sentence that names a page without a quote, in order.

    Raises EvidenceError for more than MOST_QUOTES.
    """
    notes = {match[1] or match[2]: match[3][:NEAR] for match in _NOTE_LINE.finditer(text)}
    found: list[QuotedText] = []
    for start, end in _paragraphs(text):
        for quoted in _in_paragraph(text, start, end, rows, notes):
            found.append(quoted)
            if len(found) > MOST_QUOTES:
                raise EvidenceError(f"The text has more than {MOST_QUOTES} quotes. Split it.")
    return found


def verify_text(text: str, library: Library, papers: Sequence[str] = ()) -> list[TextCheck]:
    """Look for every quote of the text in the papers, all of them or those of `papers`, page by page.

    Raises EvidenceError for a text with too many quotes, and what the library raises.
    """
    rows = [row for row in library.papers() if not papers or row.paper in papers]
    return verify_quoted(find_quoted(text, rows), library, papers)


def verify_quoted(quoted: Sequence[QuotedText], library: Library, papers: Sequence[str] = ()) -> list[TextCheck]:
    """Look for these quotes in all papers, or in those of `papers`. Raises EvidenceError for more than MOST_PARTS."""
    rows = [row for row in library.papers() if not papers or row.paper in papers]
    places = _find_places([one.text for one in quoted if one.is_quote], library, rows) if quoted else {}
    return [_judge(one, places.get(one.text, []), library, rows) for one in quoted]


def text_checks_json(checks: Sequence[TextCheck]) -> Json:
    """The checks as a JSON value; "status" is "verified" only when there are quotes and every one of them holds."""
    status = "nothing to verify" if not checks else "verified" if all(one.holds for one in checks) else "failed"
    return {
        "status": status,
        "quotes": [
            {
                "quote": one.quoted.text,
                "start": one.quoted.start,
                "end": one.quoted.end,
                "named": {"papers": list(one.quoted.papers), "pages": list(one.quoted.pages)},
                "state": one.state,
                "holds": one.holds,
                "message": one.message,
                "places": [
                    {"paper": p.paper, "title": p.title, "page": p.page, "label": p.label, "words": p.words}
                    for p in one.places
                ],
                "missing": list(one.missing),
            }
            for one in checks
        ],
    }


# -- what the text says -------------------------------------------------------------------------------------------


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Offsets of paragraphs; a block quote belongs to the paragraph before or after it, which names its source."""
    start = 0
    for match in re.finditer(r"\n[ \t]*\n", text):
        following = text[match.end() : match.end() + 1]
        if following != ">" and not text[start : match.start()].lstrip().startswith(">"):
            yield start, match.start()
            start = match.end()
    yield start, len(text)


def _in_paragraph(
    text: str, start: int, end: int, rows: Sequence[PaperRow], notes: dict[str, str]
) -> Iterator[QuotedText]:
    spans = sorted(_quote_spans(text, start, end))
    for at, (low, high, words) in enumerate(spans):
        before = text[max(start, low - NEAR, spans[at - 1][1] if at else start) : low]
        after = text[high : min(high + NEAR, spans[at + 1][0] if at + 1 < len(spans) else end)]
        papers, pages = _reference(_first_sentence(after), before, rows, notes)
        yield QuotedText(words, low, high, papers, pages)
    for low, high in sentences(text[start:end]):
        low, high = start + low, start + high
        if any(first < high and low < last for first, last, _ in spans):
            continue
        sentence = text[low : min(high, low + NEAR)].strip()
        if not _named_pages(sentence) and not _FOOTNOTE.search(sentence):
            continue
        if _NOTE_LINE.match(sentence) or len(_PAGE.sub(" ", sentence).split()) < FEWEST_WORDS:
            continue
        papers, pages = _reference(sentence, "", rows, notes)
        if pages:
            yield QuotedText(sentence, low, high, papers, pages, is_quote=False)


def _quote_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    blocks = [match for match in _BLOCK.finditer(text, start, end) if match.end() > match.start()]
    for match in blocks:
        words = " ".join(line.lstrip(" \t>").strip() for line in match[0].splitlines()).strip()
        inner = _MARKED.fullmatch(words.split("—")[0].strip())
        words = next(part for part in inner.groups() if part) if inner else words
        if _long_enough(words):
            yield match.start(), match.end(), words.strip()
    for match in _MARKED.finditer(text, start, end):
        words = next(part for part in match.groups() if part)
        inside = any(block.start() <= match.start() < block.end() for block in blocks)
        if not inside and _long_enough(words) and "\n\n" not in words:
            yield match.start(), match.end(), words.strip()


def _long_enough(words: str) -> bool:
    return len(words.split()) >= FEWEST_WORDS or len(re.findall(r"[\u3040-\u9fff]", words)) >= 2 * FEWEST_WORDS


def _first_sentence(after: str) -> str:
    """What follows a quote up to where a sentence without a reference would begin: "(LoRA, p. 5). It also …"."""
    match = re.search(
        r"[.!?](?=\s+[^\W\d_])|\n\n", re.sub(r"\b(?:pp?|pg|S|al|cf|e\.g|i\.e)\.", lambda m: m[0][:-1] + "·", after)
    )
    return after[: match.end()] if match else after


def _reference(
    near: str, before: str, rows: Sequence[PaperRow], notes: dict[str, str]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Papers and pages that the words behind a quote name, else those before it; footnotes are looked up."""
    papers: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()
    marks = list(dict.fromkeys(match[1] for match in _FOOTNOTE.finditer(near)))[:MOST_FOOTNOTES]
    for words in (near, *(notes.get(mark, "") for mark in marks), before):
        papers = papers or _named_papers(words, rows)
        pages = pages or _named_pages(words)
        if papers and pages:
            break
    return papers, pages


def _named_pages(words: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for match in _PAGE.finditer(words):
        first, last = int(match[1] or match[3]), int(match[2] or match[1] or match[3])
        numbers += range(first, min(last, first + MOST_PLACES) + 1) if first <= last else [first]
    return tuple(dict.fromkeys(numbers))


def _named_papers(words: str, rows: Sequence[PaperRow]) -> tuple[str, ...]:
    """Papers by file name, arXiv id, title, or the title's first part ("LoRA: Low-Rank …" is called LoRA)."""
    folded = words.casefold()
    found = [paper for token in _FILE.findall(words) for paper in name_papers(token.rstrip("."), rows)]
    for row in rows:
        title = " ".join(row.title.casefold().split())
        name = row.title.partition(":")[0].strip() if ":" in row.title else ""
        if (len(title) >= SHORTEST_TITLE and title in folded) or (0 < len(name) <= 40 and contains_name(words, name)):
            found.append(row.paper)
    return tuple(dict.fromkeys(found))


# -- what the pages say -------------------------------------------------------------------------------------------


def _find_places(quotes: Sequence[str], library: Library, rows: Sequence[PaperRow]) -> dict[str, list[Place]]:
    """For each quote the pages that hold it. Page by page, so that each is brought into its form once."""
    parts = {quote: _parts(quote) for quote in quotes}
    if sum(map(len, parts.values())) > MOST_PARTS:
        raise EvidenceError(f"The quotes have more than {MOST_PARTS:,} parts between their ellipses. Split the text.")
    forms = {quote: [_letters(part) for part in parts[quote]] for quote in parts}
    found: dict[str, list[Place]] = {quote: [] for quote in parts}
    for row in rows:
        for number in range(1, row.pages + 1):
            page = library.page(row.paper, number)
            letters = _letters(page.text)
            for quote in parts:
                if all(part in letters for part in forms[quote]) and (words := _words_there(parts[quote], page.text)):
                    near = _words_near(parts[quote], forms[quote], page.text)
                    place = Place(row.paper, row.title, page.number, page.label, near or words, bool(near))
                    found[quote].append(place)
    return found


def _parts(quote: str) -> list[str]:
    """What stands between the ellipses of a quote; nothing of one that is too short to prove something."""
    parts = [part.strip().strip(" .,;:") for part in _GAP.split(quote)]
    joined = " ".join(filter(None, parts))
    return [part for part in parts if part] if is_verified(joined, joined) else []


def _letters(text: str) -> str:
    """Letters and digits alone: where those of a quote are not, the quote is not, and this is quicker to see."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def _words_there(parts: Sequence[str], text: str) -> str:
    """The parts of a quote as the page has them, in their order; empty when it has not all of them."""
    words, at = [], 0
    for part in parts:
        span = find_quote(part, text, at)
        if span is None:
            return ""
        words.append(text[span[0] : span[1]])
        at = span[1]
    return " … ".join(words)


def _words_near(parts: Sequence[str], forms: Sequence[str], text: str) -> str:
    """The parts of a quote as a page that holds them has them: short ones in two neighbouring sentences; else empty.

    Single words of sentences apart from each other say whatever one likes.
    """
    if all(_long_enough(part) for part in parts):
        return _words_there(parts, text)
    spans = sentences(text)
    for (start, _), (_, end) in zip(spans, spans[1:] or spans, strict=False):
        letters = _letters(text[start:end])
        if all(form in letters for form in forms) and (words := _words_there(parts, text[start:end])):
            return words
    return ""


def _judge(quoted: QuotedText, places: Sequence[Place], library: Library, rows: Sequence[PaperRow]) -> TextCheck:
    if not quoted.is_quote:
        return _judge_sentence(quoted, library, rows)
    if places and not any(place.whole for place in places):
        return TextCheck(quoted, "pieces of different sentences", tuple(places[:MOST_PLACES]))
    places = [place for place in places if place.whole]
    of_paper = [place for place in places if not quoted.papers or place.paper in quoted.papers]
    on_page = [place for place in of_paper if _is_named(place.page, place.label, quoted.pages)]
    first = [*on_page, *(place for place in of_paper if place not in on_page)]
    ordered = tuple([*first, *(place for place in places if place not in first)][:MOST_PLACES])
    if quoted.pages and quoted.papers and not on_page and not _pages_there(quoted, library, rows):
        return TextCheck(quoted, "no such page", ordered)
    state: State = "not found"
    if on_page:
        state = "on the page" if quoted.pages else "found"
    elif of_paper:
        state = "other page"
    elif places:
        state = "other paper"
    return TextCheck(quoted, state, ordered)


def _is_named(number: int, label: str, pages: Sequence[int]) -> bool:
    return not pages or number in pages or label in map(str, pages)


def _pages_there(quoted: QuotedText, library: Library, rows: Sequence[PaperRow]) -> list[tuple[PaperRow, Page]]:
    """The pages that the text names."""
    found = []
    for row in rows:
        if row.paper in quoted.papers:
            pages = (library.page(row.paper, number) for number in range(1, row.pages + 1))
            found += [(row, page) for page in pages if _is_named(page.number, page.label, quoted.pages)]
    return found


def _judge_sentence(quoted: QuotedText, library: Library, rows: Sequence[PaperRow]) -> TextCheck:
    """A sentence that names a page and quotes nothing: its numbers and names must stand there."""
    if not quoted.papers:
        return TextCheck(
            replace(quoted, papers=()), "not a quote", missing=("a paper's name, so nothing can be checked",)
        )
    there = _pages_there(quoted, library, rows)
    if not there:
        return TextCheck(quoted, "no such page")
    bare = _FILE.sub(" ", _PAGE.sub(" ", quoted.text))
    allowed = BackingTexts([text for row, _ in there for text in (row.title, row.paper, *quoted.papers)])
    missing = missing_claims(bare, BackingTexts([page.text for _, page in there]), allowed)
    places = tuple(Place(row.paper, row.title, page.number, page.label, "") for row, page in there[:MOST_PLACES])
    return TextCheck(quoted, "not a quote", places, tuple(missing))
