"""The records that all modules exchange, as frozen dataclasses without behaviour.

Data flows one way: Paper -> Reading (pages) -> Passage -> Hit -> Evidence -> Draft -> Answer (citations).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

Json = dict[str, Any]
"""A JSON object."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in PDF points from the page's top left corner."""

Kind = Literal["pdf", "markdown", "text", "digest", "document", "talk"]
PARAGRAPH = "¶"
"""The label of the one page of a file without pages; a place in it is labelled with its paragraph: "¶ 12"."""
State = Literal["full text", "digest only", "no text", "unreadable"]
BlockKind = Literal["body", "heading", "caption", "table", "bibliography", "furniture"]


@dataclass(frozen=True)
class Paper:
    """One paper of the library, before it is read: a file and what the manifest knows about it."""

    paper: str  # its name everywhere: the file's name, or the path below the corpus where two share a name
    path: Path
    kind: Kind
    title: str = ""  # from the manifest; empty when only the file can tell
    short_names: tuple[str, ...] = ()  # what people call it: "LongRAG", "SEP"
    arxiv_id: str = ""  # without version: "2406.15319"
    year: int = 0  # 0 when unknown
    month: int = 0
    topic: str = ""
    authors: tuple[str, ...] = ()
    citation_key: str = ""  # of the bibliography that describes it
    bibliography: str = ""  # its entry there, as a CSL-JSON item


LONGEST_SECTION = 300  # characters: every passage carries the name of its section


@dataclass(frozen=True)
class Block:
    """A run of one page's text that is of one kind; blocks of a page do not overlap and cover its text."""

    start: int  # offsets into Page.text
    end: int
    kind: BlockKind
    section: str = ""  # "4 Experiments > 4.2 Results"; empty before the first heading


@dataclass(frozen=True, eq=False)
class Words:
    """Where the words of one page stand: row i of each array is one word of Page.text."""

    starts: np.ndarray  # int32 (n,), offsets into Page.text, increasing
    ends: np.ndarray  # int32 (n,)
    boxes: np.ndarray  # float32 (n, 4), PDF points from the top left; a word split over two lines is two rows


@dataclass(frozen=True, eq=False)
class Page:
    """One physical page: normalised text in reading order, its blocks, and the place of each word."""

    number: int  # as a PDF viewer counts: from 1
    label: str  # as printed: "iii", "1245"; str(number) when the file gives none
    width: float
    height: float
    text: str
    blocks: tuple[Block, ...] = ()
    words: Words | None = None  # None where a page has no picture (Markdown, text)
    doubtful: tuple[int, ...] = ()  # offsets of signs that may be others on the page: its font does not say which
    ocr: bool = False  # the page is a picture, and its text is what OCR has read
    cues: tuple[tuple[int, float], ...] = ()  # of a talk: where each begins in the text, and at which second


@dataclass(frozen=True, eq=False)
class Reading:
    """All that was read from one paper's file. A pure function of the file's bytes and the reading version."""

    title: str  # metadata, outline or the first page's largest type
    pages: tuple[Page, ...]
    state: State
    problem: str = ""  # what is wrong and the remedy, when state says so
    warnings: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    year: int = 0
    arxiv_id: str = ""
    bibliography: tuple[str, ...] = ()  # entries in order, one string each
    abbreviations: tuple[str, ...] = ()  # names the paper gives its own method, from title and abstract
    hidden: tuple[str, ...] = ()  # where text stands that nobody can see, how, and its beginning; a line for each page


PageOf = Callable[[str, int], Page]
"""Gives the page of a paper by its number, from 1."""


@dataclass(frozen=True)
class Passage:
    """A short piece of one page, small enough for the embedder's window."""

    id: str  # deterministic: file hash and position
    paper: str
    page: int
    label: str
    section: str
    start: int  # offsets into Page.text: page.text[start:end] == text
    end: int
    text: str
    kind: Literal["text", "table", "caption"] = "text"
    context: str = ""  # indexed in front of the text, never quoted: a table's caption and header row


def passage_id(digest: str, number: int) -> str:
    """The id of passage `number`, from 0, of the file with this SHA-256."""
    return f"{digest[:16]}-{number:05d}"


def indexed_text(passage: Passage, title: str) -> str:
    """The passage as the word index sees it: title and section in front."""
    return "\n".join(part for part in (title, passage.section, passage.context, passage.text) if part)


@dataclass(frozen=True)
class Hit:
    """A passage that retrieval found, best first."""

    passage: Passage
    score: float  # higher is better; only comparable within one search
    by_meaning: int = 0  # its rank in each list, from 1; 0 when that list did not have it
    by_words: int = 0


@dataclass(frozen=True)
class Evidence:
    """A numbered piece of one page that a reader may cite as [number]: a hit with its neighbourhood."""

    number: int  # from 1
    paper: str
    title: str
    page: int
    label: str
    section: str
    start: int  # offsets into Page.text
    end: int
    text: str  # == page.text[start:end]
    digest: bool = False  # the text is our own note about the paper, not the paper


@dataclass(frozen=True)
class Draft:
    """What a reader wrote: sentences with [n] marks that name evidence numbers; not yet checked."""

    text: str
    refused: bool = False  # the reader found no answer in the evidence
    problem: str = ""  # why the text is incomplete (provider cut off, stopped), empty when it is whole
    tokens: int = 0  # of prompt and answer, where the provider tells
    repaired: bool = False  # sentences without support were sent back to the model once
    # That the evidence answers, where the reader estimates it.
    chance: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Reference:
    """A mark within a quote, "[12]" or "Lewis et al., 2020", and the entry of the bibliography that it names."""

    mark: str
    entry: str  # one line
    paper: str = ""  # of our library, where we have the cited paper


@dataclass(frozen=True)
class TableCell:
    """A value of a quoted row of a table, and what the table calls its row and its column."""

    row: str
    column: str
    value: str


@dataclass(frozen=True)
class Citation:
    """One place in one paper that backs a sentence of the answer."""

    number: int  # as shown: from 1 by first use
    paper: str
    title: str
    page: int  # as a PDF viewer counts: from 1
    label: str
    section: str
    quote: str  # verbatim from that page
    verified: bool  # the quote was found on that page by the deterministic matcher
    boxes: tuple[Box, ...] = ()
    digest: bool = False
    references: tuple[Reference, ...] = ()  # what the quote itself cites
    caption: str = ""  # of the table that the quote is a row of; empty where it is none, or where that is not certain
    cells: tuple[TableCell, ...] = ()  # of that row
    doubtful_signs: bool = False  # a sign of the quote may be another on the page: it has to be looked at
    read_by_ocr: bool = False  # the page is a picture: the quote was found in what OCR has read there


@dataclass(frozen=True)
class Source:
    """A cited paper, as an export describes it."""

    paper: str
    title: str
    digest: str = ""  # SHA-256 of its file, hexadecimal
    authors: tuple[str, ...] = ()
    arxiv_id: str = ""
    primary_class: str = ""  # arXiv's, from the stamp on the first page: "cs.CL"
    citation_key: str = ""  # of the bibliography that describes it
    bibliography: str = ""  # its entry there, as a CSL-JSON item
    year: int = 0
    recording: str = ""  # of a talk: the file beside its transcript, as a path below the corpus folder


Support = Literal["supported", "partly", "not", "contradicted", "unchecked"]
"""How far the words that a sentence cites support it; "unchecked": neither its words nor a model could tell."""


@dataclass(frozen=True)
class Verdict:
    """One sentence of a model's answer, judged by the passages that it cites."""

    sentence: str  # a slice of the answer
    support: Support
    missing: tuple[str, ...] = ()  # its numbers and names that those passages do not hold
    reason: str = ""  # in a few words, where a model judged the meaning and did not find it supported


@dataclass(frozen=True)
class SearchSummary:
    """What was looked at for an answer."""

    papers: int  # searched
    read: int  # whose text went to the reader
    quoted: int  # cited in the answer
    unreadable: tuple[str, ...] = ()


BETWEEN = " · "  # the statements of a cell


CellState = Literal["found", "nothing found", "not reported", "not searched", "stopped", "searching"]
"""Only where the whole paper was read "not reported"; of a finished answer never "searching"."""


@dataclass(frozen=True)
class Statement:
    """Words from a page, perhaps cut, and the number of the citation that has them whole."""

    text: str
    citation: int


@dataclass(frozen=True)
class Cell:
    """What one paper says about one aspect: words from its page, or what its state says, with no citation."""

    text: str  # of several statements, with BETWEEN them
    citations: tuple[int, ...] = ()  # numbers of the answer's citations
    state: CellState = "found"
    further: tuple[Statement, ...] = ()  # likely less; folded away where they are shown

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of all its citations."""
        return (*self.citations, *(one.citation for one in self.further))

    def write_marks(self, mark: Callable[[int], str]) -> str:
        """The marks of its citations, and behind "…" those of what is further; `mark` writes one."""
        further = "".join(mark(one.citation) for one in self.further)
        return "".join(map(mark, self.citations)) + (f" …{further}" if further else "")

    def renumber(self, number_of: Callable[[int], int]) -> Cell:
        """The cell with other numbers for its citations."""
        return replace(
            self,
            citations=tuple(dict.fromkeys(map(number_of, self.citations))),
            further=tuple(replace(one, citation=number_of(one.citation)) for one in self.further),
        )


@dataclass(frozen=True)
class Row:
    """One paper of a comparison, with a cell per aspect."""

    paper: str
    name: str  # short: what the question calls it
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A comparison: a row per paper, a column per aspect. Its Markdown is the first block of the answer's text."""

    aspects: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class AnswerPlan:
    """How a question was understood, for the user to see and to correct."""

    kind: Literal["comparison", "survey", "chain", "disagreement"]
    papers: tuple[str, ...]  # whose text is looked at, one by one
    names: tuple[str, ...]  # of the papers, short
    aspects: tuple[str, ...]  # what is looked for in each
    searched: int  # papers that were looked at


@dataclass(frozen=True)
class Step:
    """One step to an answer: what was asked of which paper and what came of it, or alone what a model looked at."""

    question: str
    paper: str = ""
    found: str = ""  # the words that lead on, or that answer
    citations: tuple[int, ...] = ()


@dataclass(frozen=True)
class Alternative:
    """Another reading of the question: what its words may mean instead, and the question that says so."""

    kind: Literal["paper", "spelling"]
    text: str  # the words that were read otherwise: a description, or the word as typed
    taken: str  # what they were taken for: a paper's title, or the word that was searched; empty where no paper fits
    instead: str  # what they may mean instead: another paper's title, or the word as typed
    question: str  # to be asked with one press


@dataclass(frozen=True)
class ModelUse:
    """What an answer took of a language model."""

    model: str
    calls: int
    tokens: int = 0  # of prompts and replies, where the provider tells
    cached: int = 0  # of the prompts, that the provider had read before
    check: int = 0  # tokens for the check

    def describe(self) -> str:
        """In a sentence."""
        cached = f", {self.cached:,} of them cached" if self.cached else ""
        tokens = f", {self.tokens:,} tokens{cached}" if self.tokens else ""
        check = f"; {self.check:,} of them for the check" if self.check else ""
        return f"{self.calls} call{'' if self.calls == 1 else 's'} of {self.model}{tokens}{check}."


LIBRARY = "library"
"""The reader of an answer that the library's own records give."""


@dataclass(frozen=True)
class Answer:
    """The checked answer, the same for the browser, the command line and Python."""

    id: str
    question: str
    status: Literal["answered", "not_in_papers", "error"]
    answer: str  # Markdown text with [n] marks that name citations
    reader: str  # "quoting", "library" or the model's name
    citations: tuple[Citation, ...] = ()
    unsupported: tuple[str, ...] = ()  # sentences of the answer whose verdict is not "supported"
    searched: SearchSummary = SearchSummary(0, 0, 0)
    milliseconds: dict[str, float] = field(default_factory=dict)  # retrieve, read, total
    nearest: tuple[Citation, ...] = ()  # for "not_in_papers": the closest passages
    notes: tuple[str, ...] = ()  # plain sentences for the user: "answered from a digest; ..."
    tokens: int = 0
    table: Table | None = None  # of a comparison
    verdicts: tuple[Verdict, ...] = ()  # on each sentence of a model's answer that claims something
    semantic_entropy: float | None = None  # nats, over RAG_SAMPLES further answers; None: not sampled
    repaired: bool = False  # unsupported sentences were sent back to the model once, and what it wrote is checked again
    asked: str = ""  # the question as understood, where it meant something said before; empty: as typed
    confidence: Literal["", "high", "medium", "low"] = ""  # of an answer that was given; empty for any other
    plan: AnswerPlan | None = None  # where a question was taken apart without a model
    steps: tuple[Step, ...] = ()  # of a question that leads from paper to paper, or of a model's work
    alternatives: tuple[Alternative, ...] = ()  # how the question may be meant otherwise
    spent: ModelUse | None = None  # by a model that leads

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and behind them what the answer took."""
        return (*self.notes, self.spent.describe()) if self.spent is not None else self.notes


@dataclass(frozen=True)
class PaperRow:
    """One paper as the library shows it."""

    paper: str
    title: str
    pages: int
    passages: int
    state: str
    problem: str
    year: int = 0
    topic: str = ""
    warnings: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()  # text that nobody can see: page, how it was hidden, its beginning
    same: tuple[str, ...] = ()  # files of the same bytes, by which it can be named too
    modified: int = 0  # nanoseconds since 1970: when its file came or was last changed
    tags: tuple[str, ...] = ()  # of the user
    language: str = ""  # ISO 639-1, of its searchable text; empty where there is none


@dataclass(frozen=True)
class MapPoint:
    """A paper as a point of the map: near to others where its text is near in meaning."""

    paper: str
    title: str
    name: str  # short; empty where the paper gives itself none
    group: str
    x: float  # from -1 to 1
    y: float


@dataclass(frozen=True)
class LibraryMap:
    """All papers that have passages with vectors."""

    points: tuple[MapPoint, ...] = ()
    alike: tuple[str, ...] = ()  # the two papers with names that are nearest to each other


@dataclass(frozen=True)
class Status:
    """What can be searched now."""

    papers: int
    by_words: int  # passages
    by_meaning: int
    building: bool
    reader: str


@dataclass(frozen=True)
class Progress:
    """Something that happens, said in words: 'searching 47 papers'."""

    stage: Literal["planning", "searching", "reading", "checking"]
    message: str
    table: Table | None = field(default=None, compare=False)  # a comparison so far, with cells that are "searching"
    step: bool = field(default=False, compare=False)  # of a model's work: worth knowing when the answer is there


@dataclass(frozen=True)
class Piece:
    """The next characters of a streamed answer; marks in it are already the shown numbers."""

    text: str


Event = Progress | Piece | Answer
"""What Assistant.stream yields: any number of Progress and Piece, then one Answer."""
