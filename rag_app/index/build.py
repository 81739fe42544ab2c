"""Papers -> a new generation: read, split, embed, write, swap.

Each step keeps what it finished, so a killed build is finished by the next one and unchanged papers cost
nothing.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from rag_app import files as files_module
from rag_app.errors import IndexFault, IndexOfOtherFolder
from rag_app.index import chroma, generations, passage_store
from rag_app.index.build_report import BuildProgress, BuildReport, BuildStopped, EtaEstimator, OnProgress, paper_reports
from rag_app.index.chunking import Splitter, heading_texts, split_paper, texts_to_embed
from rag_app.index.embed import GROUP, EmbeddingRun, EmbeddingTexts
from rag_app.index.generations import Generation
from rag_app.index.inventory import (
    CorpusFile,
    Inventory,
    folder_name,
    is_built_from,
    refuse_other_folder,
    take_inventory,
)
from rag_app.index.manifest import IndexedPaper, Manifest, read_manifest, write_manifest
from rag_app.index.paper_names import USAGE_VERSION, NameUsage, count_name_usage, name_papers
from rag_app.index.writer import GenerationContents, write_generation
from rag_app.models.embedder import Embedder
from rag_app.papers import reading_store
from rag_app.papers.corpus import list_papers
from rag_app.papers.read import READING_VERSION
from rag_app.papers.worker_pool import Job, ReadResult, read_all
from rag_app.records import Passage, Reading, indexed_text
from rag_app.settings import Settings
from rag_app.text.language import language_of


class Build:
    """One run of the pipeline over one corpus. Use `build()`."""

    def __init__(
        self, settings: Settings, embedder: Embedder, fresh: bool, on_progress: OnProgress, stop: threading.Event
    ) -> None:
        self.settings = settings
        self.index = settings.index_folder
        self.parts = self.index / "parts"
        self.embedder = embedder
        self.splitter = Splitter(window=embedder.window)
        self.fresh = fresh
        self.on_progress = on_progress
        self.stop = stop
        self.seconds: dict[str, float] = {}
        self.reading_seconds: dict[str, float] = {}
        self.embedded = 0
        self.changed = False
        self.removed: tuple[str, ...] = ()

    def run(self) -> BuildReport:
        began = time.perf_counter()
        listing = list_papers(self.settings.corpus)
        answering = self._current_generation()
        before = None if self.fresh else answering
        inventory = take_inventory(listing.papers, before, self.settings.hidden_text == "keep")
        problems = listing.problems + inventory.problems + self._other_folder(answering)
        if before is not None and self._is_current(before.manifest, inventory):
            manifest = self._update_times(before, inventory)
            generations.clean_index(self.index)  # a build that was killed may have left something
            return self._report(manifest, before.name, problems, began)
        files, changed = self._read_files(inventory.files)
        entries, passages = self._split_papers(files)
        words = ""
        if answering is None and len(passages) > GROUP:
            # The first index answers by words while the embedding, which takes longest, goes on.
            words = self._write(entries, passages, None, inventory)
            self.seconds["searchable"] = time.perf_counter() - began
        name = self._write(entries, passages, self._embed(entries, passages), inventory, words)
        generations.clean_index(self.index)
        self._report_progress("done", len(entries), len(entries), f"{len(entries)} papers, {len(passages)} passages")
        self.changed = True
        manifest = read_manifest(self.index / "generations" / name)
        there = {entry.paper for entry in manifest.papers}
        changed += _same_arxiv_papers(manifest)
        self.removed = tuple(paper for paper in (answering.by_paper if answering else ()) if paper not in there)
        return self._report(manifest, name, problems + changed, began)

    # -- what is there ------------------------------------------------------------------------------------------

    def _current_generation(self) -> Generation | None:
        try:
            return generations.open_current(self.index)
        except IndexFault:  # none yet, or one that only a build can repair
            return None

    def _other_folder(self, answering: Generation | None) -> tuple[str, ...]:
        """A problem where the index held the papers of another folder until now."""
        if answering is None:
            return ()
        try:
            refuse_other_folder(answering.manifest, self.settings.corpus)
        except IndexOfOtherFolder:
            before = answering.manifest.corpus or "another folder"
            return (f"The index was built from {before} before; now it holds the papers of {self.settings.corpus}.",)
        return ()

    def _is_current(self, manifest: Manifest, inventory: Inventory) -> bool:
        made_by = (manifest.embedder, manifest.splitter, manifest.reading)
        named = all(self._usage_file(self.parts / entry.part).is_file() for entry in manifest.papers)
        return (
            named
            and made_by == (self.embedder.identity, self.splitter.key(), READING_VERSION)
            and is_built_from(manifest, inventory.files)
        )

    def _update_times(self, generation: Generation, inventory: Inventory) -> Manifest:
        """Note the files' new times where only these have changed: the next look need not read the files."""
        seen = {file.paper.paper: file for file in inventory.files}
        entries = tuple(
            replace(entry, size=seen[entry.paper].size, modified=seen[entry.paper].modified)
            for entry in generation.manifest.papers
        )
        corpus = folder_name(self.settings.corpus)
        manifest = replace(generation.manifest, papers=entries, doubles=inventory.doubles, corpus=corpus)
        if manifest != generation.manifest:
            write_manifest(generation.folder, manifest)
        return manifest

    # -- the steps ----------------------------------------------------------------------------------------------

    def _read_files(self, files: Sequence[CorpusFile]) -> tuple[list[CorpusFile], tuple[str, ...]]:
        """Have every file read whose part is not there. Files that changed meanwhile are left out and reported."""
        began = time.perf_counter()
        todo = [file for file in files if self.fresh or not (self.parts / file.part / "reading.json").is_file()]
        by_folder = {self.parts / file.part: file for file in todo}
        changed: set[str] = set()
        clock = EtaEstimator(len(todo))

        def on_file_read(done: ReadResult) -> None:
            name = by_folder[done.job.folder].paper.paper
            self.reading_seconds[name] = done.seconds
            if done.changed:
                changed.add(name)
            clock.count += 1
            self._report_progress("reading", clock.count, len(todo), name, clock.eta())

        if todo:
            self._report_progress("reading", 0, len(todo), f"{len(todo)} paper{'' if len(todo) == 1 else 's'} to read")
            for file in todo:
                if file.problem:
                    closed = Reading(title="", pages=(), state="unreadable", problem=file.problem)
                    reading_store.save_reading(self.parts / file.part, closed)
            jobs = [
                Job(file.paper.path.resolve(), file.paper.kind, file.digest, self.parts / file.part, file.keep_hidden)
                for file in todo
                if not file.problem
            ]
            read_all(jobs, self.settings.workers or os.cpu_count() or 1, on_file_read, self.stop)
        self._check_stop()
        self.seconds["read"] = time.perf_counter() - began
        problems = tuple(f"{name}: changed while it was being read. Build again." for name in sorted(changed))
        return [file for file in files if file.paper.paper not in changed], problems

    def _split_papers(self, files: Sequence[CorpusFile]) -> tuple[list[IndexedPaper], list[Passage]]:
        began = time.perf_counter()
        entries: list[IndexedPaper] = []
        passages: list[Passage] = []
        usages: list[NameUsage] = []
        for number, file in enumerate(files, start=1):
            entry, found, used = self._split_one(file, len(passages))
            entries.append(entry)
            usages.append(used)
            passages += found
            if number % 16 == 0:
                self._report_progress("splitting", number, len(files), file.paper.paper)
            self._check_stop()
        self.seconds["split"] = time.perf_counter() - began
        return _assign_names(entries, usages), passages

    def _split_one(self, file: CorpusFile, first: int) -> tuple[IndexedPaper, list[Passage], NameUsage]:
        folder = self.parts / file.part
        paper = file.paper
        reading = reading_store.load_reading(folder)
        title = paper.title or reading.title or paper.paper
        key = hashlib.sha256(f"{title}\n{self.splitter.key()}\n{self.embedder.identity}".encode()).hexdigest()[:16]
        place = folder / f"passages-{key}.json"
        if place.is_file() and not self.fresh:
            found = passage_store.load_passages(place, paper.paper)
        else:
            count = self.embedder.count_tokens
            found = list(split_paper(replace(reading, title=title), paper.paper, file.digest, self.splitter, count))
            passage_store.save_passages(place, found)
        entry = IndexedPaper(
            paper=paper.paper,
            title=title,
            kind=paper.kind,
            state=reading.state,
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
            warnings=reading.warnings + _nothing_to_search(paper.paper, reading, len(found)) + _older_files(file),
            older=file.older,
            same=file.same,
            hidden=reading.hidden,
            short_names=paper.short_names,
            authors=paper.authors or reading.authors,
            arxiv_id=paper.arxiv_id or reading.arxiv_id,
            year=paper.year or reading.year,
            month=paper.month,
            topic=paper.topic,
            citation_key=paper.citation_key,
            bibliography=paper.bibliography,
            language=language_of(" ".join(passage.text for passage in found)) if found else "",
        )
        return entry, found, self._usage(folder, reading)

    @staticmethod
    def _usage_file(folder: Path) -> Path:
        return folder / f"usage-{USAGE_VERSION}.json"

    def _usage(self, folder: Path, reading: Reading) -> NameUsage:
        """How the paper uses names; counted once and kept with its part."""
        place = self._usage_file(folder)
        if self.fresh or not place.is_file():
            files_module.write_json(place, asdict(count_name_usage(reading)))
        value = files_module.read_json(place)
        try:
            fields: dict[str, Any] = {name: tuple(p) if isinstance(p, list) else p for name, p in value.items()}
            return NameUsage(**fields)
        except (AttributeError, TypeError) as error:
            raise IndexFault(f"{place}: damaged ({error}). Build again with --fresh.") from error

    def _embed(self, entries: Sequence[IndexedPaper], passages: Sequence[Passage]) -> np.ndarray:
        began = time.perf_counter()

        def texts_of(entry: IndexedPaper) -> EmbeddingTexts:
            found, count = passages[entry.rows], self.embedder.count_tokens
            return EmbeddingTexts(
                texts_to_embed(found, self.splitter, count), heading_texts(found, entry.title, self.splitter, count)
            )

        embedding = EmbeddingRun(
            self.parts, self.embedder, texts_of, self.splitter.heading, self.on_progress, self.stop
        )
        loading = threading.Thread(target=chroma.import_chromadb, daemon=True)
        loading.start()  # the embedder works outside Python most of the time
        try:
            vectors, self.embedded = embedding.run(entries, self.fresh)
        finally:
            loading.join()
        self.seconds["embed"] = time.perf_counter() - began
        return vectors

    def _write(
        self,
        entries: Sequence[IndexedPaper],
        passages: Sequence[Passage],
        vectors: np.ndarray | None,
        inventory: Inventory,
        words_from: str = "",
    ) -> str:
        """Write a new generation and let it answer from now on; returns its name."""
        began = time.perf_counter()
        self._report_progress("writing", 0, 1, "writing the index")
        contents = GenerationContents(
            entries=entries,
            passages=passages,
            texts=[indexed_text(one, entry.title) for entry in entries for one in passages[entry.rows]],
            vectors=vectors,
            embedder=self.embedder.identity,
            dimension=self.embedder.dimension,
            splitter=self.splitter.key(),
            doubles=inventory.doubles,
            corpus=folder_name(self.settings.corpus),
        )
        name = write_generation(self.index, contents, words_from)
        self.seconds["write"] = self.seconds.get("write", 0.0) + time.perf_counter() - began
        return name

    # -- reporting ----------------------------------------------------------------------------------------------

    def _report(self, manifest: Manifest, name: str, problems: tuple[str, ...], began: float) -> BuildReport:
        seconds = {**self.seconds, "total": time.perf_counter() - began}
        return BuildReport(
            papers=paper_reports(manifest, self.reading_seconds),
            passages=manifest.passages,
            embedded=self.embedded,
            read=len(self.reading_seconds),
            removed=self.removed,
            seconds={stage: round(value, 3) for stage, value in seconds.items()},
            generation=name,
            changed=self.changed,
            problems=problems,
        )

    def _report_progress(self, stage: str, done: int, total: int, message: str, eta: float = -1.0) -> None:
        self.on_progress(BuildProgress(stage, done, total, message, eta))

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise BuildStopped


def _assign_names(entries: Sequence[IndexedPaper], usages: Sequence[NameUsage]) -> list[IndexedPaper]:
    """The entries with the names that mean them in this library; the manifest file's own names come first."""
    order = [entry.arxiv_id or f"{entry.year or 9999:04d}{entry.month:02d}{entry.paper}" for entry in entries]
    called = name_papers([entry.title for entry in entries], usages, [_sort_time(text) for text in order])
    return [
        replace(entry, short_names=tuple(dict.fromkeys((*entry.short_names, *one.names))), coined=one.coined)
        for entry, one in zip(entries, called, strict=True)
    ]


def _sort_time(identifier: str) -> str:
    """Sorts by time: an arXiv id says year and month ("2004.04906"), as does what _called makes without one."""
    return f"20{identifier}" if identifier[:4].isdigit() and identifier[4:5] == "." else identifier


def build(
    settings: Settings,
    embedder: Embedder,
    *,
    fresh: bool = False,
    on_progress: OnProgress = lambda progress: None,
    stop: threading.Event | None = None,
) -> BuildReport:
    """Bring the index of the corpus up to date.

    Raises IndexBusy while another process builds it, CorpusError for an unusable folder, IndexFault when the index
    cannot be written, Stopped when `stop` was set. The index that was there answers until the new one is whole. One bad
    paper never stops it: the report names it.
    """
    with generations.writer_lock(settings.index_folder):
        try:
            return Build(settings, embedder, fresh, on_progress, stop or threading.Event()).run()
        except BrokenPipeError:  # of whoever listens to the progress
            raise
        except OSError as error:
            raise IndexFault(
                f"{settings.index_folder}: cannot be written ({error}). Free some space or correct the permissions, "
                "then build again. What was there before still answers."
            ) from error


def _nothing_to_search(paper: str, reading: Reading, passages: int) -> tuple[str, ...]:
    """A warning for a paper that was read and gives no passage: no question can find it."""
    if passages or reading.state not in ("full text", "digest only"):
        return ()
    return (
        f"{paper}: no passage could be made of its text, so no question finds it. Open the file and check if its "
        "words can be selected; if not, run OCR on it.",
    )


def _older_files(file: CorpusFile) -> tuple[str, ...]:
    """A warning that names the files of earlier versions, which are not indexed."""
    if not file.older:
        return ()
    return (f"{', '.join(file.older)}: an earlier version of this paper, superseded by this file and not indexed.",)


def _same_arxiv_papers(manifest: Manifest) -> tuple[str, ...]:
    """A problem for each arXiv paper of which several files are indexed: which is the newest cannot be told."""
    files: dict[str, list[str]] = {}
    for entry in manifest.papers:
        if entry.arxiv_id and entry.kind == "pdf":
            files.setdefault(entry.arxiv_id, []).append(entry.paper)
    return tuple(
        f"{' and '.join(names)}: all of them arXiv:{arxiv_id}, and their names do not tell which is the newest, so all "
        "are listed. Remove the older ones, or add the version to the names (as in 2406.15319v2.pdf)."
        for arxiv_id, names in files.items()
        if len(names) > 1
    )
