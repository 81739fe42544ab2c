"""Papers -> a new generation: read, split, embed, write, swap.

Each step keeps what it finished (parts.py), so a killed build is finished by the next one and unchanged papers cost nothing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from rag_app import index, parts, store
from rag_app.errors import IndexFault, IndexMissing
from rag_app.index import Entry, Generation, Manifest
from rag_app.library import list_papers
from rag_app.pages import READING_VERSION
from rag_app.passages import Splitter, split
from rag_app.records import Paper, Passage, indexed_text
from rag_app.settings import Settings
from rag_app.word_index import WordIndex
from rag_app.workers import Done, Job, read_all

GROUP = 768  # passages embedded between two commits: what a kill can cost


class Embedder(Protocol):
    """Turns passages into vectors. `identity` names everything that decides the vectors' values."""

    identity: str
    dimension: int
    window: int

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True)
class BuildProgress:
    """How far a build is. `eta` is in seconds, from the rate measured so far; negative while it is not known."""

    stage: str  # reading, splitting, embedding, writing, done
    done: int
    total: int
    message: str
    eta: float = -1.0


@dataclass(frozen=True)
class PaperReport:
    """One line of the build's report."""

    paper: str
    title: str
    pages: int
    passages: int
    seconds: float
    state: str
    problem: str
    warnings: tuple[str, ...]
    reused: bool


@dataclass(frozen=True)
class BuildReport:
    """What a build did. `failed` names the papers that cannot be searched and why."""

    papers: tuple[PaperReport, ...]
    passages: int
    embedded: int  # passages whose vector was computed now
    read: int  # papers read now
    removed: tuple[str, ...]
    seconds: dict[str, float]
    generation: str
    changed: bool
    problems: tuple[str, ...] = ()  # of the folder, not of one paper

    @property
    def failed(self) -> tuple[PaperReport, ...]:
        return tuple(paper for paper in self.papers if paper.state in ("unreadable", "no text"))


class Stopped(Exception):
    """The user stopped the build; what was finished is kept."""


OnProgress = Callable[[BuildProgress], None]


@dataclass(frozen=True)
class _File:
    """A paper with what identifies its bytes."""

    paper: Paper
    digest: str
    size: int
    modified: int

    @property
    def part(self) -> str:
        return f"{self.digest[:24]}-{self.paper.kind}-r{READING_VERSION}"


class Build:
    """One run of the pipeline over one corpus. Use `build()`."""

    def __init__(self, settings: Settings, embedder: Embedder, on_progress: OnProgress, stop: threading.Event) -> None:
        self.settings = settings
        self.index = settings.index_folder
        self.parts = self.index / "parts"
        self.embedder = embedder
        self.splitter = Splitter(window=embedder.window)
        self.on_progress = on_progress
        self.stop = stop
        self.seconds: dict[str, float] = {}
        self.reading_seconds: dict[str, float] = {}
        self.read_now: set[str] = set()
        self.embedded = 0

    def run(self, fresh: bool) -> BuildReport:
        began = time.perf_counter()
        listing = list_papers(self.settings.corpus)
        before = None if fresh else self._current()
        files, doubles = self._identify(listing.papers, before)
        removed = tuple(
            entry.paper for entry in (before.manifest.papers if before else ()) if entry.paper not in {f.paper.paper for f in files}
        )
        if before is not None and self._same(before, files):
            report = self._report(before.manifest, before.name, (), listing.problems + doubles, False, began)
            before.close()
            return report
        if fresh:
            self._forget(files)
        self._read(files)
        entries, passages = self._split(files)
        if before is None and len(passages) > GROUP:
            # The first index answers by words while the embedding, which takes longest, goes on.
            index.publish(self.index, self._write(entries, passages, None).name)
        vectors = self._embed(entries, passages)
        folder = self._write(entries, passages, vectors)
        index.publish(self.index, folder.name)
        if before is not None:
            before.close()
        index.tidy(self.index)
        manifest = index.read_manifest(folder)
        self._tell("done", len(entries), len(entries), f"{len(entries)} papers, {len(passages)} passages")
        return self._report(manifest, folder.name, removed, listing.problems + doubles, True, began)

    # -- what is there ------------------------------------------------------------------------------------------

    def _current(self) -> Generation | None:
        try:
            return index.open_current(self.index)
        except (IndexMissing, IndexFault):
            return None

    def _identify(self, papers: Sequence[Paper], before: Generation | None) -> tuple[list[_File], tuple[str, ...]]:
        """The papers with their hashes; a file with the same bytes as an earlier one is left out and reported."""
        files: list[_File] = []
        doubles: list[str] = []
        seen: dict[str, str] = {}
        for paper in papers:
            try:
                status = paper.path.stat()
                entry = before.by_paper.get(paper.paper) if before else None
                unchanged = entry and (entry.size, entry.modified) == (status.st_size, status.st_mtime_ns)
                digest = entry.digest if entry and unchanged else parts.file_digest(paper.path)
            except OSError as error:
                doubles.append(f"{paper.paper}: cannot be opened ({error.strerror}). Correct its permissions, then build again.")
                continue
            if digest in seen:
                doubles.append(f"{paper.paper}: the same bytes as {seen[digest]}; indexed once.")
                continue
            seen[digest] = paper.paper
            files.append(_File(paper, digest, status.st_size, status.st_mtime_ns))
        return files, tuple(doubles)

    def _same(self, before: Generation, files: Sequence[_File]) -> bool:
        manifest = before.manifest
        made_by = (manifest.embedder, manifest.splitter, manifest.reading)
        if made_by != (self.embedder.identity, self.splitter.key(), READING_VERSION):
            return False
        return len(manifest.papers) == len(files) and all(
            _is_entry_of(before.by_paper.get(file.paper.paper), file) for file in files
        )

    def _forget(self, files: Sequence[_File]) -> None:
        for file in files:
            folder = self.parts / file.part
            (folder / "reading.json").unlink(missing_ok=True)
            for old in folder.glob("passages-*"):
                old.unlink()
            for old in folder.glob("vectors-*"):
                old.unlink()

    # -- the steps ----------------------------------------------------------------------------------------------

    def _read(self, files: Sequence[_File]) -> None:
        began = time.perf_counter()
        todo = [file for file in files if not (self.parts / file.part / "reading.json").is_file()]
        by_folder = {self.parts / file.part: file for file in todo}
        clock = _Clock(len(todo))

        def finished(done: Done) -> None:
            file = by_folder[done.job.folder]
            self.reading_seconds[file.paper.paper] = done.seconds
            self.read_now.add(file.paper.paper)
            clock.count += 1
            self._tell("reading", clock.count, len(todo), file.paper.paper, clock.eta())

        if todo:
            self._tell("reading", 0, len(todo), f"{len(todo)} papers to read")
            jobs = [Job(file.paper.path.resolve(), file.paper.kind, folder) for folder, file in by_folder.items()]
            read_all(jobs, self.settings.workers or os.cpu_count() or 1, finished, self.stop)
        self._check_stop()
        self.seconds["read"] = time.perf_counter() - began

    def _split(self, files: Sequence[_File]) -> tuple[list[Entry], list[Passage]]:
        began = time.perf_counter()
        entries: list[Entry] = []
        passages: list[Passage] = []
        for number, file in enumerate(files, start=1):
            entry, found = self._split_one(file, len(passages))
            entries.append(entry)
            passages += found
            if number % 16 == 0:
                self._tell("splitting", number, len(files), file.paper.paper)
            self._check_stop()
        self.seconds["split"] = time.perf_counter() - began
        return entries, passages

    def _split_one(self, file: _File, first: int) -> tuple[Entry, list[Passage]]:
        folder = self.parts / file.part
        paper = file.paper
        reading = parts.load_reading(folder)
        title = paper.title or reading.title or paper.paper
        made_of = f"{title}\n{self.splitter.key()}\n{self.embedder.identity}\n{paper.paper}"
        key = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        place = folder / f"passages-{key}.json"
        if place.is_file():
            found = parts.load_passages(place)
        else:
            found = list(
                split(replace(reading, title=title), paper.paper, file.digest, self.splitter, self.embedder.count_tokens)
            )
            self._assert_fits(found, title)
            parts.save_passages(place, found)
        entry = Entry(
            paper=paper.paper,
            title=title,
            kind=paper.kind,
            state="digest only" if paper.kind == "digest" and reading.state == "full text" else reading.state,
            problem=reading.problem,
            digest=file.digest,
            size=file.size,
            modified=file.modified,
            part=file.part,
            key=key,
            pages=len(reading.pages),
            passages=len(found),
            first=first,
            seconds=round(self.reading_seconds.get(paper.paper, 0.0), 3),
            warnings=reading.warnings,
            short_names=tuple(dict.fromkeys((*paper.short_names, *reading.abbreviations))),
            authors=paper.authors or reading.authors,
            arxiv_id=paper.arxiv_id or reading.arxiv_id,
            year=paper.year or reading.year,
            month=paper.month,
            topic=paper.topic,
        )
        return entry, found

    def _assert_fits(self, passages: Sequence[Passage], title: str) -> None:
        """Nothing is ever cut off silently: the text and its heading fit the embedder's window."""
        counts = self.embedder.count_tokens([indexed_text(passage, title) for passage in passages])
        for passage, count in zip(passages, counts, strict=True):
            if count > self.embedder.window:
                raise IndexFault(
                    f"{passage.paper}, page {passage.page}: a passage has {count} tokens, the embedder reads "
                    f"{self.embedder.window}. Choose an embedder with a larger window (RAG_EMBEDDER)."
                )

    def _embed(self, entries: Sequence[Entry], passages: Sequence[Passage]) -> np.ndarray:
        began = time.perf_counter()
        vectors = np.zeros((len(passages), self.embedder.dimension), dtype=np.float32)
        todo: list[Entry] = []
        for entry in entries:
            kept = self._kept_vectors(entry)
            if kept is None:
                todo.append(entry)
            else:
                vectors[entry.first : entry.first + entry.passages] = kept
        total = sum(entry.passages for entry in todo)
        clock = _Clock(total)
        if total:
            self._tell("embedding", 0, total, f"{total} passages to embed")
        for group in _groups(todo):
            rows = [row for entry in group for row in range(entry.first, entry.first + entry.passages)]
            titles = [entry.title for entry in group for _ in range(entry.passages)]
            texts = [indexed_text(passages[row], title) for row, title in zip(rows, titles, strict=True)]
            vectors[rows] = self.embedder.embed_passages(texts)
            for entry in group:
                place = self.parts / entry.part / f"vectors-{entry.key}.npy"
                parts.write_array(place, vectors[entry.first : entry.first + entry.passages])
            self.embedded += len(rows)
            clock.count += len(rows)
            self._tell("embedding", clock.count, total, group[-1].paper, clock.eta())
            self._check_stop()
        self.seconds["embed"] = time.perf_counter() - began
        return vectors

    def _kept_vectors(self, entry: Entry) -> np.ndarray | None:
        place = self.parts / entry.part / f"vectors-{entry.key}.npy"
        try:
            kept: np.ndarray = np.load(place, allow_pickle=False)
        except (OSError, ValueError):
            return None
        return kept if kept.shape == (entry.passages, self.embedder.dimension) else None

    def _write(self, entries: Sequence[Entry], passages: Sequence[Passage], vectors: np.ndarray | None) -> Path:
        began = time.perf_counter()
        self._tell("writing", 0, 1, "writing the index")
        folder = index.new_generation(self.index)
        titles = [entry.title for entry in entries for _ in range(entry.passages)]
        texts = [indexed_text(passage, title) for passage, title in zip(passages, titles, strict=True)]
        (folder / "words").mkdir()
        WordIndex.build(texts, folder / "words")
        owner = [number for number, entry in enumerate(entries) for _ in range(entry.passages)]
        rows = np.array([owner, [passage.page for passage in passages]], dtype=np.int32).T
        parts.write_array(folder / "rows.npy", np.ascontiguousarray(rows))
        if vectors is not None:
            parts.write_array(folder / "vectors.npy", vectors)
            store.write(folder / "chroma", passages, vectors)
        manifest = Manifest(
            format=index.FORMAT,
            created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            embedder=self.embedder.identity if vectors is not None else "",
            dimension=self.embedder.dimension,
            splitter=self.splitter.key(),
            reading=READING_VERSION,
            versions={name: importlib.metadata.version(name) for name in ("chromadb", "bm25s", "pypdfium2", "pypdf")},
            papers=tuple(entries),
            passages=len(passages),
        )
        index.write_manifest(folder, manifest)
        self.seconds["write"] = self.seconds.get("write", 0.0) + time.perf_counter() - began
        return folder

    # -- reporting ----------------------------------------------------------------------------------------------

    def _report(
        self, manifest: Manifest, name: str, removed: tuple[str, ...], problems: tuple[str, ...], changed: bool, began: float
    ) -> BuildReport:
        papers = tuple(
            PaperReport(
                paper=entry.paper,
                title=entry.title,
                pages=entry.pages,
                passages=entry.passages,
                seconds=entry.seconds if entry.paper in self.read_now else 0.0,
                state=entry.state,
                problem=entry.problem,
                warnings=entry.warnings,
                reused=entry.paper not in self.read_now,
            )
            for entry in manifest.papers
        )
        seconds = {**self.seconds, "total": time.perf_counter() - began}
        return BuildReport(
            papers=papers,
            passages=manifest.passages,
            embedded=self.embedded,
            read=len(self.read_now),
            removed=removed,
            seconds={name: round(value, 3) for name, value in seconds.items()},
            generation=name,
            changed=changed,
            problems=problems,
        )

    def _tell(self, stage: str, done: int, total: int, message: str, eta: float = -1.0) -> None:
        self.on_progress(BuildProgress(stage, done, total, message, eta))

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise Stopped


def _is_entry_of(entry: Entry | None, file: _File) -> bool:
    """Whether the manifest's entry was made from this file with this description.

    What the manifest file leaves open was filled in from the paper itself, so only what it states is compared.
    """
    if entry is None or (entry.digest, entry.part) != (file.digest, file.part):
        return False
    paper = file.paper
    stated = ("title", "authors", "arxiv_id", "year", "month", "topic")
    return all(not getattr(paper, name) or getattr(paper, name) == getattr(entry, name) for name in stated) and set(
        paper.short_names
    ) <= set(entry.short_names)


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Papers in groups of about GROUP passages: large enough to sort by length, small enough to lose."""
    group: list[Entry] = []
    for entry in entries:
        group.append(entry)
        if sum(member.passages for member in group) >= GROUP:
            yield group
            group = []
    if group:
        yield group


class _Clock:
    """Measures a rate and tells from it how long the rest takes."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.began = time.perf_counter()

    def eta(self) -> float:
        """Seconds left, at the rate so far."""
        if not self.count:
            return -1.0
        return (time.perf_counter() - self.began) / self.count * (self.total - self.count)


def build(
    settings: Settings,
    embedder: Embedder,
    *,
    fresh: bool = False,
    on_progress: OnProgress = lambda progress: None,
    stop: threading.Event | None = None,
) -> BuildReport:
    """Bring the index of the corpus up to date.

    Raises IndexBusy while another process builds it, CorpusError for an unusable folder, Stopped when `stop` was set.
    One bad paper never stops it: the report names it.
    """
    with index.writer_lock(settings.index_folder):
        return Build(settings, embedder, on_progress, stop or threading.Event()).run(fresh)
