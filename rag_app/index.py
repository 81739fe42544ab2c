"""The index on disk: generations, the manifest, the one pointer that is swapped, and the lock for the one writer.

    <index>/current                   the name of the generation that answers
    <index>/generations/<name>/       manifest.json, rows.npy, vectors.npy, chroma/, words/
    <index>/parts/                    finished work per paper (parts.py)
    <index>/lock                      held by the process that builds

A generation is complete before `current` names it and never changes afterwards; readers notice the swap and reopen.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from rag_app import parts
from rag_app.errors import IndexBusy, IndexFault, IndexMismatch, IndexMissing
from rag_app.records import Page, Passage, Reading
from rag_app.store import PassageStore
from rag_app.word_index import WordIndex

FORMAT = 1  # of the folder's layout; another number asks for a rebuild


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one paper. Its passages are the rows [first, first + passages)."""

    paper: str
    title: str
    kind: str
    state: str
    problem: str
    digest: str  # SHA-256 of the file
    size: int  # bytes and modification time, to see quickly that nothing changed
    modified: int  # nanoseconds
    part: str  # folder below parts/
    key: str  # of its passages and vectors within the part
    pages: int
    passages: int
    first: int
    seconds: float
    warnings: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    arxiv_id: str = ""
    year: int = 0
    month: int = 0
    topic: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a generation was made of, and by what."""

    format: int
    created: str  # UTC, ISO 8601
    embedder: str  # identity; "" while only words are searchable
    dimension: int
    splitter: str
    reading: int  # READING_VERSION
    versions: dict[str, str]  # of the packages that matter
    papers: tuple[Entry, ...]
    passages: int
    warnings: tuple[str, ...] = field(default=())

    @property
    def has_meaning(self) -> bool:
        return bool(self.embedder)


class Generation:
    """One complete index, open for reading. Safe to share between threads."""

    def __init__(self, index: Path, name: str) -> None:
        self.name = name
        self.folder = index / "generations" / name
        self._parts = index / "parts"
        self.manifest = read_manifest(self.folder)
        self.by_paper = {entry.paper: entry for entry in self.manifest.papers}
        self._readings: OrderedDict[str, Reading] = OrderedDict()
        self._lock = threading.RLock()
        self._store: PassageStore | None = None

    @cached_property
    def words(self) -> WordIndex:
        return WordIndex.open(self.folder / "words")

    @cached_property
    def rows(self) -> np.ndarray:
        """int32 (passages, 2): for each passage the number of its paper in the manifest, and its page."""
        return np.load(self.folder / "rows.npy", allow_pickle=False)  # type: ignore[no-any-return]

    @cached_property
    def vectors(self) -> np.ndarray:
        """float32 (passages, dimension), unit length, read from disk as needed."""
        return np.load(self.folder / "vectors.npy", mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    @property
    def store(self) -> PassageStore:
        """The Chroma collection, opened at first use. Raises IndexMissing while only words are searchable."""
        with self._lock:
            if self._store is None:
                if not self.manifest.has_meaning:
                    raise IndexMissing(f"{self.folder}: not embedded yet. Let the build finish.")
                self._store = PassageStore.open(self.folder / "chroma")
            return self._store

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """The passages at these rows, in this order."""
        places = [self._place(int(row)) for row in rows]
        if self.manifest.has_meaning:
            return self.store.get([f"{entry.digest[:16]}-{number:05d}" for entry, number in places])
        return [self.passages_of(entry.paper)[number] for entry, number in places]

    def _place(self, row: int) -> tuple[Entry, int]:
        entry = self.manifest.papers[int(self.rows[row, 0])]
        return entry, row - entry.first

    def passages_of(self, paper: str) -> list[Passage]:
        """All passages of one paper, in the order of its text."""
        entry = self.by_paper[paper]
        if not entry.passages:
            return []
        return parts.load_passages(self._parts / entry.part / f"passages-{entry.key}.json")

    def reading(self, paper: str) -> Reading:
        """What was read from the paper. Raises KeyError for a paper that is not in this generation."""
        entry = self.by_paper[paper]
        with self._lock:
            if entry.part in self._readings:
                self._readings.move_to_end(entry.part)
                return self._readings[entry.part]
        reading = parts.load_reading(self._parts / entry.part)
        with self._lock:
            self._readings[entry.part] = reading
            while len(self._readings) > 128:
                self._readings.popitem(last=False)
        return reading

    def page(self, paper: str, number: int) -> Page:
        """One page by its physical number from 1. Raises KeyError when there is no such paper or page."""
        pages = self.reading(paper).pages
        if not 1 <= number <= len(pages):
            raise KeyError(f"{paper} has {len(pages)} pages, not {number}")
        return pages[number - 1]

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None


def read_manifest(folder: Path) -> Manifest:
    """Read a generation's manifest. Raises IndexMismatch for another format, IndexFault when it is damaged."""
    value = parts.read_json(folder / "manifest.json")
    if value.get("format") != FORMAT:
        raise IndexMismatch(
            f"{folder}: this index has format {value.get('format')}, this program writes {FORMAT}. Build again."
        )
    try:
        papers = tuple(Entry(**{**entry, **_tuples(entry)}) for entry in value.pop("papers"))
        return Manifest(papers=papers, **{**value, "warnings": tuple(value["warnings"])})
    except (KeyError, TypeError) as error:
        raise IndexFault(f"{folder}: manifest damaged ({error}). Build again with --fresh.") from error


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    parts.write_json(folder / "manifest.json", asdict(manifest))


def current_name(index: Path) -> str:
    """The generation that answers now; empty when there is none."""
    try:
        name = (index / "current").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise IndexFault(f"{index / 'current'}: does not name a generation. Build again.")
    return name


def open_current(index: Path) -> Generation:
    """Open the generation that answers. Raises IndexMissing when nothing was built, IndexFault when it is damaged."""
    for _ in range(3):  # a build may swap and tidy up between our two looks
        name = current_name(index)
        if not name:
            raise IndexMissing(f"{index}: nothing has been built yet. Run: python -m rag_app build")
        try:
            return Generation(index, name)
        except IndexFault:
            if current_name(index) == name:
                raise
    raise IndexFault(f"{index}: changes faster than it can be opened. Try again.")


def publish(index: Path, name: str) -> None:
    """Make `name` the generation that answers: one atomic replacement of one small file."""
    parts.write_bytes(index / "current", f"{name}\n".encode())


def new_generation(index: Path) -> Path:
    """A new, empty folder for a generation. Its name sorts after all earlier ones."""
    root = index / "generations"
    root.mkdir(parents=True, exist_ok=True)
    numbers = [int(folder.name.split("-")[0]) for folder in root.iterdir() if folder.name.split("-")[0].isdigit()]
    folder = root / f"{max(numbers, default=0) + 1:06d}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
    folder.mkdir()
    return folder


def tidy(index: Path) -> None:
    """Remove what no reader needs: unfinished generations, old ones, unused parts.

    The generation before the current one stays for rollback, unless it holds a paper that is no longer in the current
    one: a removed paper is gone from everything.
    """
    name = current_name(index)
    kept = [name]
    try:
        papers = {entry.digest for entry in read_manifest(index / "generations" / name).papers}
    except IndexFault:
        return
    for folder in sorted((index / "generations").iterdir(), reverse=True):
        if folder.name == name:
            continue
        if len(kept) < 2 and folder.name < name and _may_stay(folder, papers):
            kept.append(folder.name)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    used = set()
    for generation in kept:
        for entry in read_manifest(index / "generations" / generation).papers:
            used.add(f"{entry.part}/{entry.key}")
    parts.remove_unused(index / "parts", used)
    for leftover in index.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def _may_stay(folder: Path, papers: set[str]) -> bool:
    try:
        manifest = read_manifest(folder)
    except (IndexFault, OSError):
        return False
    return manifest.has_meaning and {entry.digest for entry in manifest.papers} <= papers


@contextmanager
def writer_lock(index: Path) -> Iterator[None]:
    """Held while building. The operating system frees it when the process dies. Raises IndexBusy when it is taken."""
    index.mkdir(parents=True, exist_ok=True)
    lock = FileLock(index / "lock", timeout=0)
    holder = index / "lock.holder"
    try:
        with lock:
            holder.write_text(str(os.getpid()), encoding="utf-8")
            yield
    except Timeout as error:
        who = holder.read_text(encoding="utf-8").strip() if holder.exists() else "unknown"
        raise IndexBusy(f"{index}: process {who} is building this index. Wait until it has finished.") from error
