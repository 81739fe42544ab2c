"""A paper's own references within a quote, "[12]" or "(Guu and Lee, 2020)" -> the entries they name. Pure.

Precise rather than eager: what may be an interval, an index or a token ("[0, 1]", "x[3]", "[CLS]") names nothing, and a
mark that fits two entries names neither. An entry is a paper of ours by its arXiv id, else by its whole title.

What an index knows of the papers behind an answer: the works that its quotes cite, and how to cite the papers.
"""

from __future__ import annotations

import re
import unicodedata
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from rag_app.errors import IndexFault
from rag_app.index.generations import Generation
from rag_app.papers.arxiv_ids import parse_arxiv_id
from rag_app.records import Answer, Citation, Reference, Source
from rag_app.text.characters import AS_PLAIN, RAISED

MOST_IN_RANGE = 30  # "[3-40]" is rather an interval than that many works
LEAST_ATTACHED = 10  # a number from which on brackets behind a word are rather a mark than an index
YEARS_APART = 3  # between the preprint that we have and the printing that is cited
WORDS_OF_TITLE = 4  # from so many on, a title alone is proof enough

_YEAR = r"(?:19|20)\d\d"
_NUMBERS = re.compile(r"\[\s*(\d{1,3}(?:\s*[,;–—-]\s*\d{1,3})*)\s*\]")
_KEYS = re.compile(r"\[\s*([A-Z][\w+]{1,9}(?:\s*[,;]\s*[A-Z][\w+]{1,9})*)\s*\]")
_RAISED_MARK = re.compile(r"(?<![⁰¹²³⁴-⁹⁺⁻])[⁰¹²³⁴-⁹]+(?:[,–⁻-][⁰¹²³⁴-⁹]+)*")
# What carries an exponent: "10", a letter or two, "cm", "(x)".
_RAISED_UNIT = re.compile(
    r"(?:^|[^\w.])(?:10|[^\W\d_]{1,2}|[mck]m|mol|kg|ml)$|(?:^|[×·*^/])\d$|[)\]}|∥]$|[∑∏∫√α-ωΑ-Ω]$"
)
_ENTRY_NUMBER = re.compile(r"(?:\[(\d{1,3})\]|(\d{1,3})\.\s)\s*")
_ENTRY_KEY = re.compile(r"\[([A-Z][\w+]{1,9})\]\s*")

_PARTICLE = r"(?:[vV]an|[vV]on|[dD]e[nrl]?|[dD]i|[dD]a|[lL]a|[lL]e|[aA]l|[bB]en|[tT]er)"
_SURNAME = rf"(?:{_PARTICLE}[ -])*(?:[dDlOL]['’])?[A-ZÀ-ÞĀ-Ž][\w'’-]*\w"
_WHO = (
    rf"(?P<first>{_SURNAME}(?: {_SURNAME})?)(?:(?P<others>,? et al\.?)|,? (?:and|&) (?P<second>{_SURNAME}))?(?:['’]s)?"
)
_WHEN = rf"(?P<years>{_YEAR}[a-z]?(?:\s*,\s*(?:{_YEAR})?[a-z]\b)*)"
_NARRATIVE = re.compile(rf"(?<![\w-]){_WHO} ?[(\[]{_WHEN}(?:, [^()\[\]]{{1,30}})?[)\]]")
_GROUP = re.compile(rf"[(\[]([^()\[\]]*?{_YEAR}[a-z]?[^()\[\]]*?)[)\]]")
_ONE = re.compile(rf"(?:(?:see|e\.g\.|i\.e\.|cf\.|also|and|inter alia)[,:]?\s+)*{_WHO},? {_WHEN}(?:,.{{0,40}})?")

_OPERATOR = re.compile(r"[∈∉⊂⊆=<>≤≥×·+*/^|~≈]\s*$")
_INTERVAL = re.compile(
    r"(?:\b(?:range|ranges|ranging|interval|intervals|between|values?|from|scale|clip|uniform)"
    r"(?: of| in| from)?|(?<![A-Za-z])[a-zA-Z0-9] in)\s*$",
    re.IGNORECASE,
)
_OPERATED = re.compile(r"\s*[=×·^∈]|[\d({]")
_TITLE_EDGE = re.compile(r"[.,?!:;“”\"()]+(?:\s|$)|[“\"(]")
_ARXIV = re.compile(
    r"(?:arxiv\W{0,3}(?:preprint\W{1,3})?(?:arxiv\W{0,3})?|abs/|10\.48550/arxiv\.)(\d{4}\.\s?\d{4,5})", re.I
)

_ASCII_SIGNS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class KnownPaper:
    """A paper that we have, as its manifest describes it."""

    paper: str
    title: str
    arxiv_id: str = ""
    year: int = 0  # trusted with an arXiv id only: else it may be the file's own
    authors: tuple[str, ...] = ()


class PaperRegistry:
    """The papers that we have, to be found by an entry of a bibliography."""

    def __init__(self, papers: Iterable[KnownPaper]) -> None:
        self._by_id: dict[str, KnownPaper] = {}
        self._by_title: dict[str, list[KnownPaper]] = {}
        for known in papers:
            if known.arxiv_id:
                self._by_id[known.arxiv_id] = known
            self._by_title.setdefault(_squash_text(known.title), []).append(known)

    def find(self, entry: str) -> str:
        """The paper that the entry describes; "" when we do not have it, or cannot be sure."""
        given = _ARXIV.search(entry)
        named = parse_arxiv_id(given[1].replace(" ", "")) if given else None
        if named is not None and named.id in self._by_id:
            return self._by_id[named.id].paper
        fitting = {
            known.paper
            for title in _possible_titles(entry)
            for known in self._by_title.get(title, ())
            if not (named and known.arxiv_id) and _is_consistent(known, entry)
        }
        return fitting.pop() if len(fitting) == 1 else ""


def _possible_titles(entry: str) -> Iterator[str]:
    """Every stretch of the entry between two marks of punctuation, squashed."""
    edges = [(match.start(), match.end()) for match in _TITLE_EDGE.finditer(entry)]
    starts = [0, *(end for _, end in edges)]
    for start in starts:
        for stop in (*(begin for begin, _ in edges if begin > start), len(entry)):
            if stop - start <= 300:
                yield _squash_text(entry[start:stop])


def _is_consistent(known: KnownPaper, entry: str) -> bool:
    """Whether nothing else in the entry speaks against the paper, and enough for one whose title is short."""
    years = [int(year) for year in re.findall(rf"(?<!\d){_YEAR}(?!\d)", entry)]
    if known.arxiv_id and known.year and years and all(abs(year - known.year) > YEARS_APART for year in years):
        return False
    if len(known.title.split()) >= WORDS_OF_TITLE:
        return True
    return bool(known.authors) and _squash_text(known.authors[0].split()[-1]) in _squash_text(entry)


def _squash_text(text: str) -> str:
    """Letters and digits alone, without accents and case."""
    if text.isascii():  # thousands of these for one answer
        return _ASCII_SIGNS.sub("", text.casefold())
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


# -- the bibliography -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _BibliographyEntry:
    text: str

    @cached_property
    def first(self) -> str:
        """What stands before the first comma or "and": the first author, his given names in front or left to follow."""
        return re.split(r",| and | & |\(|(?<=[a-zà-ÿ]{2})\.(?:\s|$)|\bet al", self.text, maxsplit=1)[0].strip()

    @cached_property
    def years(self) -> frozenset[str]:
        return frozenset(re.findall(rf"(?<![\d.:/])(?<!\d[–-]){_YEAR}[a-z]?(?![–-]?\w|\.\d)", self.text))

    @cached_property
    def opening(self) -> str:
        """Where the authors stand."""
        return _words(self.text[:160])

    def is_by(self, surname: str) -> bool:
        first, wanted = _words(self.first), _words(surname)
        # "OpenAI. 2023.": no comma ends the name of an organisation.
        return first == wanted or first.endswith(f" {wanted}") or self.text.startswith(f"{surname}. ")

    def is_of(self, year: str) -> bool:
        """With its letter, where it has one; an entry without letters is of "2019" and not of "2019a"."""
        return year in self.years


def _words(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold().replace("-", " ")
    kept = "".join(letter for letter in plain if letter.isalnum() or letter.isspace())
    return " ".join(kept.split())


class _Bibliography:
    """Entries by number, by key and by author and year."""

    def __init__(self, entries: Sequence[str]) -> None:
        self.entries = [_BibliographyEntry(text) for text in entries]
        self.by_number = _number_entries(entries)
        self.by_key = {match[1]: text for text in entries if (match := _ENTRY_KEY.match(text))}
        self.highest = max(self.by_number, default=0)

    def find_by_authors(self, who: Authors, year: str) -> str:
        """The one entry by these authors of that year; "" when there is none, or more than one."""
        found = [entry for entry in self.entries if entry.is_of(year) and entry.is_by(who.first)]
        if who.second:
            found = [entry for entry in found if f" {_words(who.second)} " in f" {entry.opening} "]
        elif len(found) > 1 and not who.others:
            found = [entry for entry in found if entry.text.startswith(f"{entry.first}.")]
        return found[0].text if len(found) == 1 else ""


def _number_entries(entries: Sequence[str]) -> dict[int, str]:
    """Entry by its number, where most of the list bears numbers that rise one by one."""
    found: dict[int, str] = {}
    last = 0
    for text in entries:
        match = _ENTRY_NUMBER.match(text)
        number = int(match[1] or match[2]) if match else 0
        if last < number <= last + 10:  # some may have been lost
            found[number] = text
            last = number
    return found if len(found) >= 0.7 * len(entries) else {}


@lru_cache(maxsize=64)
def _read_bibliography(entries: tuple[str, ...]) -> _Bibliography:
    return _Bibliography(entries)


# -- marks ------------------------------------------------------------------------------------------------------


def may_have_marks(quote: str) -> bool:
    """Whether the quote holds anything like a mark: a quick look, to spare the way to the bibliography."""
    return re.search(rf"\[\s*(?:\d|[A-Z])|{_YEAR}|[{RAISED}]", quote) is not None


def find_references(quote: str, entries: Sequence[str], registry: PaperRegistry) -> tuple[Reference, ...]:
    """The entries of the paper's bibliography that its own words name, in the order of their marks, each once."""
    found: dict[str, str] = {}
    for mark, entry in _marks(quote, _read_bibliography(tuple(entries))):
        found.setdefault(mark, entry)
    return tuple(Reference(mark, _strip_entry_number(entry), registry.find(entry)) for mark, entry in found.items())


def _strip_entry_number(entry: str) -> str:
    """The entry on one line, without the number or key that the mark says already."""
    own = _ENTRY_NUMBER.match(entry) or _ENTRY_KEY.match(entry)
    return " ".join(entry[own.end() if own else 0 :].split())


def _marks(quote: str, listed: _Bibliography) -> Iterator[tuple[str, str]]:
    if listed.by_number:
        for match, numbers in numeric_marks(quote):
            if min(numbers) > 0 and max(numbers) <= listed.highest and not _is_notation(quote, match, numbers):
                yield from ((f"[{n}]", listed.by_number[n]) for n in numbers if n in listed.by_number)
        if not listed.entries[0].text.startswith("["):  # where brackets cite, raised numbers are footnotes
            for numbers in raised_marks(quote):
                yield from ((f"[{n}]", listed.by_number[n]) for n in numbers if n in listed.by_number)
        return
    if listed.by_key:
        for match in _KEYS.finditer(quote):
            yield from (
                (f"[{key}]", listed.by_key[key]) for key in re.split(r"\s*[,;]\s*", match[1]) if key in listed.by_key
            )
        return
    for who, years in author_year_marks(quote):
        for year in years:
            # "Following Lewis et al.": the first of two capitals need not be a name.
            for named in dict.fromkeys((who, replace(who, first=who.first.split()[-1]))):
                entry = listed.find_by_authors(named, year)
                if entry:
                    yield f"{named}, {year}", entry
                    break


def numeric_marks(text: str) -> Iterator[tuple[re.Match[str], list[int]]]:
    """Numbers in brackets, ranges spelt out; whether they name anything is not asked here."""
    for match in _NUMBERS.finditer(text):
        numbers: list[int] = []
        for part in re.split(r"\s*[,;]\s*", match[1]):
            ends = [int(end) for end in re.split(r"\s*[–—-]\s*", part)]
            if len(ends) == 2 and ends[0] < ends[1] <= ends[0] + MOST_IN_RANGE:
                numbers += range(ends[0], ends[1] + 1)
            else:
                numbers += ends if len(ends) == 1 else [0]
        yield match, numbers


def raised_marks(text: str) -> Iterator[list[int]]:
    """Numbers printed above the line, ranges spelt out: "2.4⁴ percent", "days¹–³"; exponents and units are none."""
    for match in _RAISED_MARK.finditer(text):
        before = re.search(r"\S*$", text[: match.start()])
        word = re.sub(r"^\W+", "", before[0]) if before else ""
        if not word or _RAISED_UNIT.search(word):
            continue
        numbers: list[int] = []
        for part in match[0].translate(AS_PLAIN).split(","):
            ends = [int(end) for end in re.split(r"[–-]", part) if end]
            if len(ends) == 2 and ends[0] < ends[1] <= ends[0] + MOST_IN_RANGE:
                numbers += range(ends[0], ends[1] + 1)
            else:
                numbers += ends[:1] if len(ends) == 1 else []
        yield numbers


def _is_notation(text: str, match: re.Match[str], numbers: Sequence[int]) -> bool:
    """Whether brackets with numbers are an interval, an index or the number of a list's item."""
    before, after = text[: match.start()], text[match.end() :]
    if _OPERATOR.search(before) or _OPERATED.match(after) or (len(numbers) == 2 and _INTERVAL.search(before)):
        return True
    # "x[1]", "rows[2][3]"; but some print "models[12]" where they cite
    cites = re.search(r"[^\W\d_]{4,}$", before) and (len(numbers) > 1 or numbers[0] >= LEAST_ATTACHED)
    if (before[-1:].isalnum() and not cites) or before.endswith("]"):
        return True
    opens = not before.strip() or before.endswith("\n")
    return opens and re.match(r"\s+[A-Z]", after) is not None


@dataclass(frozen=True)
class Authors:
    """As a mark names them: "Lee", "Guu and Lee", "Lewis et al."."""

    first: str
    second: str = ""
    others: bool = False

    def __str__(self) -> str:
        return (
            f"{self.first} et al." if self.others else f"{self.first} and {self.second}" if self.second else self.first
        )


def author_year_marks(text: str) -> Iterator[tuple[Authors, list[str]]]:
    """Authors with years: "Lewis et al. (2020)", and each one of "(Lewis et al., 2020a,b; Guu and Lee, 2020)"."""
    pieces = (piece.strip() for group in _GROUP.finditer(text) for piece in group[1].split(";"))
    grouped = (match for piece in pieces if (match := _ONE.fullmatch(piece)))
    for match in (*grouped, *_NARRATIVE.finditer(text)):
        yield Authors(match["first"], match["second"] or "", bool(match["others"])), _years(match["years"])


def _years(text: str) -> list[str]:
    """ "2020a, b" -> 2020a, 2020b."""
    years: list[str] = []
    for part in re.split(r"\s*,\s*", text):
        years.append(part if part[0].isdigit() else years[-1][:4] + part)
    return years


_STAMP = re.compile(r"arXiv:(\S+?)(?:v\d+)?\s+\[([a-z-]+(?:\.[A-Za-z-]{2,})?)\]")
_SHELVES: weakref.WeakKeyDictionary[Generation, PaperRegistry] = weakref.WeakKeyDictionary()


def resolve_references(answer: Answer, generation: Generation) -> Answer:
    """The answer with the references of its quotes.

    A paper's bibliography is read from its part, and only for a quote that may hold a mark.
    """
    return replace(
        answer,
        citations=_resolve_all(answer.citations, generation),
        nearest=_resolve_all(answer.nearest, generation),
    )


def _resolve_all(citations: Sequence[Citation], generation: Generation) -> tuple[Citation, ...]:
    return tuple(_resolve_citation(citation, generation) for citation in citations)


def _resolve_citation(citation: Citation, generation: Generation) -> Citation:
    if not citation.verified or not may_have_marks(citation.quote):
        return citation
    with suppress(IndexFault):  # a part that has gone meanwhile costs the references, not the answer
        entries = generation.get_reading(citation.paper).bibliography
        return replace(citation, references=find_references(citation.quote, entries, _paper_registry(generation)))
    return citation


def _paper_registry(generation: Generation) -> PaperRegistry:
    if generation not in _SHELVES:
        _SHELVES[generation] = PaperRegistry(
            KnownPaper(entry.paper, entry.title, entry.arxiv_id, entry.year, entry.authors)
            for entry in generation.manifest.papers
        )
    return _SHELVES[generation]


def describe_sources(generation: Generation, papers: Iterable[str]) -> dict[str, Source]:
    """What is known of these papers, by paper; those that the index does not have are left out."""
    known = (generation.by_paper[paper] for paper in papers if paper in generation.by_paper)
    return {
        entry.paper: Source(
            paper=entry.paper,
            title=entry.title,
            digest=entry.digest,
            authors=entry.authors,
            arxiv_id=entry.arxiv_id,
            citation_key=entry.citation_key,
            bibliography=entry.bibliography,
            year=entry.year,
            primary_class=_primary_class(generation, entry.paper, entry.arxiv_id),
        )
        for entry in known
    }


def _primary_class(generation: Generation, paper: str, arxiv_id: str) -> str:
    """As arXiv has stamped it on the first page beside this paper's own id; "" where it has not."""
    with suppress(IndexFault):
        pages = generation.get_reading(paper).pages
        stamp = _STAMP.search(pages[0].text) if arxiv_id and pages else None
        if stamp and stamp[1] == arxiv_id:
            return stamp[2]
    return ""
