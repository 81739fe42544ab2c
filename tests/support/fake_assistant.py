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
from rag_app.files import file_digest
from rag_app.papers.read import read_paper
from rag_app.records import (
    Answer,
    Citation,
    LibraryMap,
    MapPoint,
    Page,
    Piece,
    Progress,
    Reading,
    SearchSummary,
    Source,
)
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
        for path in sorted(self.folder.iterdir()):
            reading = self.reading(path.name)
            rows.append(Row(path.name, reading.title, len(reading.pages), 9, reading.state, reading.problem, 2020))
        return [*rows, *self.extra_rows]

    def status(self) -> SimpleNamespace:
        here = len(self.papers())
        return SimpleNamespace(
            papers=here, by_words=here * 9, by_meaning=here * 9, building=self.building.is_set(), reader="quoting"
        )

    def map(self) -> LibraryMap:
        """A point for each paper, in a row."""
        papers = [path.name for path in sorted(self.folder.iterdir())]
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
        pages = self.reading(paper).pages
        if not 1 <= number <= len(pages):
            raise KeyError(f"{paper}, page {number}")
        return pages[number - 1]

    def path(self, paper: str) -> Path:
        path = self.folder / paper
        if path.name != paper or not path.is_file():
            raise KeyError(paper)
        return path

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

    def ask(self, question: str) -> Answer:
        """What the page tries by itself; only stream() keeps what was asked."""
        found = "not_in_papers" if "coffee" in question or "咖啡" in question else "answered"
        return Answer("", question, found, "", "quoting")  # type: ignore[arg-type]

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
