"""Wires all parts together and alone knows their order: build, search, ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rag_app import index
from rag_app.build import BuildProgress, BuildReport, Embedder, build
from rag_app.citations import MarkStream, with_citations
from rag_app.embedder import open_embedder
from rag_app.errors import IndexMissing, ModelError, QuestionError, RagError
from rag_app.evidence import gather
from rag_app.index import Generation
from rag_app.language_model import open_language_model
from rag_app.library import list_papers
from rag_app.quoting import QuotingReader
from rag_app.reader import ModelReader, Reader
from rag_app.records import Answer, Draft, Event, Evidence, Hit, Page, Piece, Progress, Searched
from rag_app.retrieval import Retriever, Scope
from rag_app.settings import Settings, load_settings

LONGEST_QUESTION = 8_000  # characters
HITS_READ = 40  # at most; the reader's budget decides how many of them are really read


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


@dataclass(frozen=True)
class Status:
    """What can be searched now."""

    papers: int
    by_words: int  # passages
    by_meaning: int
    building: bool
    reader: str


class Assistant:
    """Answers questions from one folder of papers. Safe to share between threads.

    The parts are opened when first needed. `embedder` and `reader` replace the ones that the settings name.
    """

    def __init__(self, settings: Settings, *, embedder: Embedder | None = None, reader: Reader | None = None) -> None:
        self.settings = settings
        self._embedder = embedder
        self._reader = reader
        self._opened: tuple[Generation, Retriever] | None = None
        self._users: dict[str, int] = {}
        self._retired: list[Generation] = []
        self._lock = threading.RLock()
        self._embedder_lock = threading.Lock()
        self._building = threading.Event()

    # -- parts --------------------------------------------------------------------------------------------------

    @property
    def embedder(self) -> Embedder:
        with self._embedder_lock:
            if self._embedder is None:
                self._embedder = open_embedder(self.settings, self.settings.index_folder.parent / "models")
            return self._embedder

    @property
    def reader(self) -> Reader:
        """The language model that the settings name, else the quoting reader."""
        with self._lock:
            if self._reader is None:
                model = open_language_model(self.settings)
                self._reader = ModelReader(model, self.settings) if model else self._quoting_reader()
            return self._reader

    def _quoting_reader(self) -> Reader:
        return QuotingReader()

    @contextmanager
    def _using(self) -> Iterator[tuple[Generation, Retriever]]:
        """The generation that answers now; it stays open while it is used, also when a build swaps it."""
        with self._lock:
            generation, retriever = self._refresh()
            self._users[generation.name] = self._users.get(generation.name, 0) + 1
        try:
            yield generation, retriever
        finally:
            with self._lock:
                self._users[generation.name] -= 1
                for old in [old for old in self._retired if not self._users.get(old.name)]:
                    old.close()
                    self._retired.remove(old)

    def _refresh(self) -> tuple[Generation, Retriever]:
        name = index.current_name(self.settings.index_folder)
        if self._opened is None or self._opened[0].name != name:
            generation = index.open_current(self.settings.index_folder)
            embed = (lambda text: self.embedder.embed_question(text)) if generation.manifest.has_meaning else None
            if self._opened is not None:
                self._retired.append(self._opened[0])
            self._opened = (generation, Retriever(generation, embed))
        return self._opened

    # -- the library --------------------------------------------------------------------------------------------

    def build(
        self,
        *,
        fresh: bool = False,
        on_progress: Callable[[BuildProgress], None] = lambda progress: None,
        stop: threading.Event | None = None,
    ) -> BuildReport:
        """Bring the index up to date with the folder. See build.build for what it raises."""
        self._building.set()
        try:
            return build(self.settings, self.embedder, fresh=fresh, on_progress=on_progress, stop=stop)
        finally:
            self._building.clear()

    def is_stale(self) -> bool:
        """Whether the folder has changed since the index was built, or nothing was built yet. Looks at names and times only."""
        try:
            with self._using() as (generation, _):
                known = {(e.paper, e.size, e.modified) for e in generation.manifest.papers}
                if not generation.manifest.has_meaning:
                    return True
        except IndexMissing:
            return True
        there = set()
        for paper in list_papers(self.settings.corpus).papers:
            status = paper.path.stat()
            there.add((paper.paper, status.st_size, status.st_mtime_ns))
        return known != there

    def papers(self) -> list[PaperRow]:
        """Every paper of the index, readable or not. Before the first build: the folder's papers, not yet read."""
        try:
            with self._using() as (generation, _):
                return [
                    PaperRow(e.paper, e.title, e.pages, e.passages, e.state, e.problem, e.year, e.topic, e.warnings)
                    for e in generation.manifest.papers
                ]
        except IndexMissing:
            return [
                PaperRow(p.paper, p.title or p.paper, 0, 0, "not read yet", "", p.year, p.topic)
                for p in list_papers(self.settings.corpus).papers
            ]

    def status(self) -> Status:
        """What is searchable at this moment."""
        reader = self._reader.name if self._reader else ""
        try:
            with self._using() as (generation, _):
                manifest = generation.manifest
                meaning = manifest.passages if manifest.has_meaning else 0
                papers = sum(1 for entry in manifest.papers if entry.passages)
                return Status(papers, manifest.passages, meaning, self._building.is_set(), reader)
        except IndexMissing:
            return Status(0, 0, 0, self._building.is_set(), reader)

    def page(self, paper: str, number: int) -> Page:
        """One page. Raises KeyError when there is no such paper or page."""
        with self._using() as (generation, _):
            return generation.page(paper, number)

    def path(self, paper: str) -> Path:
        """The paper's file. Raises KeyError when the library does not have it."""
        for known in list_papers(self.settings.corpus).papers:
            if known.paper == paper:
                return known.path
        raise KeyError(paper)

    # -- questions ----------------------------------------------------------------------------------------------

    def search(
        self, question: str, *, top: int = 10, papers: Sequence[str] = (), years: tuple[int, int] | None = None, section: str = ""
    ) -> list[Hit]:
        """The best passages for the question, best first. Raises QuestionError, IndexMissing."""
        question = checked(question)
        with self._using() as (_, retriever):
            return retriever.find(question, top, Scope(tuple(papers), years, section))

    def title(self, paper: str) -> str:
        """The paper's title. Raises KeyError when the index does not have it."""
        with self._using() as (generation, _):
            return generation.by_paper[paper].title

    def ask(
        self,
        question: str,
        *,
        id: str = "",
        papers: Sequence[str] = (),
        years: tuple[int, int] | None = None,
        section: str = "",
    ) -> Answer:
        """Answer one question. What goes wrong comes back as an Answer with status "error"."""
        *_, answer = self.stream(question, id=id, papers=papers, years=years, section=section)
        assert isinstance(answer, Answer)
        return answer

    def stream(
        self,
        question: str,
        *,
        id: str = "",
        papers: Sequence[str] = (),
        years: tuple[int, int] | None = None,
        section: str = "",
        stop: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Answer one question as it comes into being: Progress and Piece, then one Answer.

        Setting `stop` or closing the generator ends the reading and closes the connection to the provider.
        """
        began = time.perf_counter()
        try:
            yield from self._stream(checked(question), id, Scope(tuple(papers), years, section), stop or threading.Event())
        except RagError as error:
            spent = round((time.perf_counter() - began) * 1000, 1)
            yield Answer(id, question, "error", str(error), "", milliseconds={"retrieve": 0.0, "read": 0.0, "total": spent})

    def _stream(self, question: str, id: str, scope: Scope, stop: threading.Event) -> Iterator[Event]:
        began = time.perf_counter()
        reader = self.reader
        with self._using() as (generation, retriever):
            searched = [e for e in generation.manifest.papers if not scope.papers or e.paper in scope.papers]
            yield Progress("searching", f"searching {len(searched)} papers")
            hits = retriever.find(question, HITS_READ, scope)
            evidence = gather(hits, generation.page, lambda paper: _title(generation, paper), reader.budget)
            retrieved = time.perf_counter()
            yield Progress("reading", f"reading {len(evidence)} passages")
            draft = yield from _read(reader, question, evidence, stop)
            read = time.perf_counter()
            yield Progress("checking", "checking quotes")
            answer = with_citations(
                draft, question, evidence, generation.page, id=id, reader=reader.name
            )
            unreadable = tuple(e.paper for e in searched if e.state in ("unreadable", "no text"))
            finished = time.perf_counter()
            yield replace(
                answer,
                searched=Searched(
                    papers=len(searched) - len(unreadable),
                    read=len({piece.paper for piece in evidence}),
                    quoted=len({citation.paper for citation in answer.citations}),
                    unreadable=unreadable,
                ),
                milliseconds={
                    "retrieve": round((retrieved - began) * 1000, 1),
                    "read": round((read - retrieved) * 1000, 1),
                    "total": round((finished - began) * 1000, 1),
                },
            )


def _title(generation: Generation, paper: str) -> tuple[str, bool]:
    entry = generation.by_paper[paper]
    return entry.title, entry.state == "digest only"


def _read(reader: Reader, question: str, evidence: list[Evidence], stop: threading.Event) -> Iterator[Event]:
    """Pass on the reader's pieces with the marks as they will be shown; returns its draft."""
    marks = MarkStream()
    pieces = reader.read(question, evidence, stop)
    try:
        while True:
            shown = marks.feed(next(pieces))
            if shown:
                yield Piece(shown)
    except StopIteration as end:
        draft: Draft = end.value
        rest = marks.finish()
        if rest:
            yield Piece(rest)
        return draft
    finally:
        pieces.close()


def checked(question: str) -> str:
    """The question without control characters. Raises QuestionError when it is empty or too long."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in question).split())
    if not text:
        raise QuestionError("The question is empty. Type what you want to know.")
    if len(text) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(text)} characters; at most {LONGEST_QUESTION} can be asked. Shorten it."
        )
    return text


def open_library(folder: str | Path | None = None, **settings: object) -> Assistant:
    """Open a folder of papers for asking; the index is built first where it is missing or stale.

    `settings` are fields of Settings, for instance llm="ollama". Raises SettingsError, CorpusError, IndexBusy.
    """
    if folder is not None:
        settings["corpus"] = Path(folder)
    assistant = Assistant(load_settings(**settings))
    if assistant.is_stale():
        assistant.build()
    return assistant


__all__ = ["Assistant", "ModelError", "PaperRow", "Status", "open_library"]
