"""A small honest Assistant for the page: it reads PDFs and finds the words it quotes; its answers are scripted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

from rag_app.citations.quotes import quote_boxes
from rag_app.errors import QuestionError
from rag_app.files import file_digest
from rag_app.papers.details import PaperDetails, read_details, save_details
from rag_app.papers.read import read_paper
from rag_app.records import (
    Answer,
    Cell,
    Citation,
    LibraryMap,
    MapPoint,
    Page,
    Piece,
    Progress,
    Reading,
    SearchSummary,
    Source,
    Table,
)
from rag_app.records import Row as TableRow
from rag_app.retrieval.hybrid import Scope
from rag_app.text.quote_matching import find_quote


@dataclass(frozen=True)
class Row:
    paper: str
    title: str
    pages: int = 0
    passages: int = 0
    state: str = "full text"
    problem: str = ""
    year: int = 0
    topic: str = ""
    hidden: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    modified: int = 0
    tags: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


@dataclass
class FakeAssistant:
    """`answers` maps a word of the question to an answer; `pause` is the seconds between two words of the stream."""

    folder: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    pause: float = 0.02
    extra_rows: tuple[Row, ...] = ()
    stale: bool = False

    def __post_init__(self) -> None:
        self.reader = SimpleNamespace(name="quoting")
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.histories: list[list[str]] = []  # the questions before each one
        self.stopped = threading.Event()  # set when a stream saw its stop event
        self.built = threading.Event()
        self.building = threading.Event()
        self.may_build = threading.Event()
        self.may_build.set()
        self.may_end = threading.Event()  # without it an answer stands still before its last word
        self.may_end.set()
        self._readings: dict[str, Reading] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile an answer stands still before its last word."""
        self.may_end.clear()
        try:
            yield
        finally:
            self.may_end.set()

    def reading(self, paper: str) -> Reading:
        if paper not in self._readings:
            path = self.path(paper)
            self._readings[paper] = read_paper(path, "pdf" if path.suffix == ".pdf" else "markdown")
        return self._readings[paper]

    def papers(self) -> list[Row]:
        rows = []
        for path in self._files():
            reading, own = self.reading(path.name), self.details(path.name)
            title, year = own.title or reading.title, own.year or 2020
            row = Row(path.name, title, len(reading.pages), 9, reading.state, reading.problem, year, own.topic)
            rows.append(replace(row, tags=own.tags))
        return [*rows, *self.extra_rows]

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))

    def details(self, paper: str) -> PaperDetails:
        return read_details(self.folder).get(paper, PaperDetails())

    def describe(self, paper: str, details: PaperDetails) -> None:
        save_details(self.folder, paper, details)

    def status(self) -> SimpleNamespace:
        here = len(self.papers())
        return SimpleNamespace(
            papers=here, by_words=here * 9, by_meaning=here * 9, building=self.building.is_set(), reader="quoting"
        )

    def map(self) -> LibraryMap:
        """A point for each paper, in a row."""
        papers = [path.name for path in self._files()]
        return LibraryMap(
            tuple(
                MapPoint(paper, self.reading(paper).title, paper.partition(".")[0], paper[-3:], float(place), 0.5)
                for place, paper in enumerate(papers)
            )
        )

    def is_stale(self) -> bool:
        return self.stale

    def build(self, *, fresh: bool = False, on_progress=lambda progress: None, stop=None):
        self.building.set()
        on_progress(SimpleNamespace(stage="reading", done=1, total=4, message="a.pdf", eta=12.0))
        self.may_build.wait(240)
        self.building.clear()
        self.built.set()
        return SimpleNamespace(changed=True, papers=self.papers(), failed_papers=(), passages=18)

    def page(self, paper: str, number: int) -> Page:
        if any(row.paper == paper for row in self.extra_rows):  # a row without a file
            return Page(number, str(number), 612.0, 792.0, "")
        pages = self.reading(paper).pages
        if not 1 <= number <= len(pages):
            raise KeyError(f"{paper}, page {number}")
        return pages[number - 1]

    def path(self, paper: str) -> Path:
        path = self.folder / paper
        if path.name != paper or not path.is_file():
            raise KeyError(paper)
        return path

    def file_problem(self, paper: str) -> str:
        """As the index would say it of a file that is gone; KeyError for one that was never read."""
        if (self.folder / paper).is_file():
            return ""
        reading = self._readings[paper]
        return f"{paper}: the file is gone ({len(reading.pages)} pages)."

    def sources(self, papers: Iterable[str]) -> dict[str, Source]:
        return {
            paper: Source(paper, self.reading(paper).title, file_digest(self.path(paper)), ("Ada Lovelace",))
            for paper in papers
        }

    def search(self, question: str, *, top: int = 10, papers: Sequence[str] = ()) -> list[object]:
        return []

    def cite(self, number: int, paper: str, page: int, quote: str, **changes: object) -> Citation:
        """A citation of words that really stand there; KeyError when they do not and `verified` does not say so."""
        found = self.page(paper, page)
        span = find_quote(quote, found.text)
        if span is None and changes.get("verified") is not False:
            raise KeyError(quote)
        facts: dict[str, object] = {
            "title": self.reading(paper).title,
            "label": found.label,
            "section": next((block.section for block in found.blocks if span and block.end > span[0]), ""),
            "verified": True,
            "boxes": quote_boxes(found, *span) if span else (),
        }
        return Citation(number=number, paper=paper, page=page, quote=quote, **(facts | changes))  # type: ignore[arg-type]

    def suggest_questions(self, most: int = 3, tried: int = 12, candidates: Iterable[str] = ()) -> list[str]:
        """What the page tries by itself: everything is answered; only stream() keeps what was asked."""
        return list(candidates)[:most]

    def resolve_papers(self, text: str) -> list[str]:
        """The papers whose titles begin with the names. Raises QuestionError for one that is not there."""
        found = []
        for name in text.split(","):
            papers = [row.paper for row in self.papers() if row.title.startswith(name.strip())]
            if not papers:
                raise QuestionError(f"{name.strip()}: no such paper.")
            found += papers[:1]
        return found

    def stream_comparison(
        self, question: str, *, id: str = "", scope: Scope, aspects: str, stop: threading.Event
    ) -> Iterator[object]:
        """A table of these papers and aspects: the first cell of a row quotes the paper, nothing is in the others."""
        asked = tuple(aspect.strip() for aspect in aspects.split(";"))
        cited = [
            self.cite(number, paper, 1, " ".join(self.page(paper, 1).text.split()[:3]))
            for number, paper in enumerate(scope.papers, start=1)
        ]
        yield Progress("reading", f"comparing {len(scope.papers)} papers on {len(asked)} aspects")
        self.may_end.wait(240)
        nothing = Cell("nothing found", (), "nothing found")
        rows = tuple(
            TableRow(
                one.paper, one.title.split(":")[0], (Cell(one.quote, (one.number,)), *[nothing] * (len(asked) - 1))
            )
            for one in cited
        )
        yield Answer("", question, "answered", "| a |", "quoting", tuple(cited), table=Table(asked, rows))

    def stream(
        self, question: str, *, papers: Sequence[str] = (), history: Sequence[Answer] = (), stop: threading.Event
    ) -> Iterator[object]:
        self.asked.append((question, tuple(papers)))
        self.histories.append([answer.question for answer in history])
        answer = next((answer for word, answer in self.answers.items() if word in question), None)
        if answer is not None:
            answer = replace(answer, question=question)
        if answer is None:
            searched = SearchSummary(2, 1, 0)
            answer = Answer("", question, "not_in_papers", "Not in these papers.", "quoting", searched=searched)
        yield Progress("searching", "searching 2 papers")
        yield Progress("reading", "reading 3 passages")
        said = ""
        words = answer.answer.split(" ")
        for number, word in enumerate(words, 1):
            while number == len(words) and not stop.is_set() and not self.may_end.wait(0.05):
                pass
            if stop.is_set():
                self.stopped.set()
                yield Answer("", question, "answered", said, "quoting", notes=("Stopped: this is what had come.",))
                return
            piece = word if not said else " " + word
            said += piece
            yield Piece(piece)
            time.sleep(self.pause)
        yield Progress("checking", "checking quotes")
        yield answer
