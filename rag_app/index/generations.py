"""The index on disk: generations, the manifest, the one pointer that is swapped, and the lock for the one writer.

    <index>/current                   the name of the generation that answers
    <index>/generations/<name>/       manifest.json, rows.npy, vectors.npy, chroma/, words/, page_words/
    <index>/parts/                    finished work per paper (passage_store.py, reading_store.py)
    <index>/models/                   converted models, where they cannot be kept beside the index
    <index>/lock                      held by the process that builds

A generation is complete before `current` names it and never changes afterwards; readers notice the swap and reopen.

The generation that answers now: open once for all threads of a process, reopened when a build has swapped it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock, Timeout

from rag_app import files
from rag_app.errors import IndexBusy, IndexFault, IndexMismatch, IndexMissing
from rag_app.index import passage_store
from rag_app.index.bm25 import WordIndex
from rag_app.index.chroma import PassageStore
from rag_app.index.manifest import IndexedPaper, Manifest, read_manifest
from rag_app.index.map import make_map, paper_vectors
from rag_app.index.vector_search import VectorSearch
from rag_app.papers import reading_store
from rag_app.papers.read import READING_VERSION
from rag_app.records import LibraryMap, Page, Passage, Reading, passage_id

READINGS_KEPT = 128  # in memory, of one generation
FEW_FETCHES = 6  # of passages, before Chroma is opened for them: importing and opening it takes a second
GENERATION_NAME = re.compile(r"\d{6,}-\d{8}T\d{6}-[0-9a-f]{6}")
LINK_REMEDY = (
    "Remove it, or let RAG_INDEX name another folder. The whole index may lie behind a link, but nothing in it."
)
FEW_PAPERS = 64  # whose passages are read as a whole, a few milliseconds each


class Generation:
    """One complete index, open for reading. Thread-safe."""

    def __init__(self, index: Path, name: str) -> None:
        self.name = name
        self.folder = index / "generations" / name
        self._parts = index / "parts"
        self.manifest = read_manifest(self.folder)
        self.by_paper = {entry.paper: entry for entry in self.manifest.papers}
        self.number_of = {entry.paper: number for number, entry in enumerate(self.manifest.papers)}
        self.sizes = np.array([entry.passages for entry in self.manifest.papers], dtype=np.int64)
        self._readings: OrderedDict[str, Reading] = OrderedDict()
        self._lock = threading.RLock()
        self._store: PassageStore | None = None
        self._fetches = 0

    @cached_property
    def words(self) -> WordIndex:
        """The word index. Raises IndexFault when it is damaged."""
        words = WordIndex.open(self.folder / "words")
        self._check("words", (words.size,), (self.manifest.passages,))
        return words

    @cached_property
    def page_words(self) -> WordIndex:
        """The word index of whole pages; `page_of_row` says which page a passage is on."""
        words = WordIndex.open(self.folder / "page_words")
        self._check("page_words", (words.size,), (int(self.page_of_row[-1]) + 1 if len(self.rows) else 0,))
        return words

    @cached_property
    def page_of_row(self) -> np.ndarray:
        """int64 (passages,): the position of each passage's page in `page_words`."""
        if not len(self.rows):
            return np.zeros(0, dtype=np.int64)
        changes = (self.rows[1:] != self.rows[:-1]).any(axis=1)
        return np.concatenate([[0], np.cumsum(changes)])

    @cached_property
    def rows(self) -> np.ndarray:
        """int32 (passages, 2): for each passage the number of its paper in the manifest, and its page."""
        rows = files.read_array(self.folder / "rows.npy")
        self._check("rows.npy", rows.shape, (self.manifest.passages, 2))
        counts = np.array([entry.passages for entry in self.manifest.papers], dtype=np.int64)
        owners = np.repeat(np.arange(len(counts)), counts)
        if not np.array_equal(rows[:, 0], owners):
            raise IndexFault(f"{self.folder / 'rows.npy'}: does not fit the manifest. Build again with --fresh.")
        return rows

    @cached_property
    def vectors(self) -> np.ndarray:
        """float32 (passages, dimension), unit length, read from disk as needed."""
        vectors = files.read_array(self.folder / "vectors.npy", mapped=True)
        self._check("vectors.npy", vectors.shape, (self.manifest.passages, self.manifest.dimension))
        return vectors

    @cached_property
    def map(self) -> LibraryMap:
        """The papers as points by meaning; empty while only words are searchable."""
        if not self.manifest.has_meaning:
            return LibraryMap()
        papers = self.manifest.papers
        return make_map(
            [entry.paper for entry in papers],
            [entry.title for entry in papers],
            [entry.short_names[0] if entry.short_names else "" for entry in papers],
            [entry.topic for entry in papers],
            paper_vectors(self.vectors, [entry.rows for entry in papers]),
        )

    @cached_property
    def search(self) -> VectorSearch:
        """Finds the nearest vectors. Raises IndexFault when a file is damaged."""
        return VectorSearch.open(self.folder, self.vectors)

    def _check(self, name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        if found != wanted:
            raise IndexFault(
                f"{self.folder / name}: damaged, it has the size {found} and not {wanted}. Build again with --fresh."
            )

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
        papers = {entry.paper for entry, _ in places}
        self._fetches += 1
        # A program that asks once is done before Chroma would be there.
        few = self._store is None and self._fetches <= FEW_FETCHES and len(papers) <= FEW_PAPERS
        if self.manifest.has_meaning and not few:
            return self.store.get([passage_id(entry.digest, number) for entry, number in places])
        of_paper = {paper: self.passages_of(paper) for paper in papers}
        return [of_paper[entry.paper][number] for entry, number in places]

    def rows_of(self, identifiers: Sequence[str]) -> np.ndarray:
        """int64 (n,): the rows of the passages with these ids."""
        first = {passage_id(entry.digest, 0)[:-5]: entry.first for entry in self.manifest.papers}
        return np.array([first[one[:-5]] + int(one[-5:]) for one in identifiers], dtype=np.int64)

    def _place(self, row: int) -> tuple[IndexedPaper, int]:
        entry = self.manifest.papers[int(self.rows[row, 0])]
        return entry, row - entry.first

    def passages_of(self, paper: str) -> list[Passage]:
        """All passages of one paper, in the order of its text."""
        entry = self.by_paper[paper]
        if not entry.passages:
            return []
        return passage_store.load_passages(self._parts / entry.part / f"passages-{entry.key}.json", paper)

    def get_reading(self, paper: str) -> Reading:
        """What was read from the paper. Raises KeyError for a paper that is not in this generation."""
        entry = self.by_paper[paper]
        with self._lock:
            if entry.part in self._readings:
                self._readings.move_to_end(entry.part)
                return self._readings[entry.part]
        reading = self._load_reading(self._parts / entry.part)
        with self._lock:
            self._readings[entry.part] = reading
            while len(self._readings) > READINGS_KEPT:
                self._readings.popitem(last=False)
        return reading

    def _load_reading(self, part: Path) -> Reading:
        try:
            return reading_store.load_reading(part)
        except IndexFault as error:
            if self.manifest.reading == READING_VERSION:
                raise
            message = f"{self.folder}: another version of this program read these papers. Build again."
            raise IndexMismatch(message) from error

    def page(self, paper: str, number: int) -> Page:
        """One page by its physical number from 1. Raises KeyError when there is no such paper or page."""
        pages = self.get_reading(paper).pages
        if not 1 <= number <= len(pages):
            raise KeyError(f"{paper} has {len(pages)} pages, not {number}")
        return pages[number - 1]

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None


def current_name(index: Path) -> str:
    """The generation that answers now; empty when there is none."""
    try:
        name = files.read_regular(index / "current", most=files.SMALL).decode("utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise IndexFault(f"{index / 'current'}: cannot be read ({error}). Build again.") from error
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise IndexFault(f"{index / 'current'}: does not name a generation. Build again.")
    return name


def is_current(index: Path, name: str) -> bool:
    """Whether `name` is the generation that answers now."""
    try:
        return current_name(index) == name
    except IndexFault:
        return False


def open_current(index: Path) -> Generation:
    """Open the generation that answers.

    Raises IndexMissing when nothing was built, IndexFault when it is damaged or holds a link.
    """
    files.refuse_links(index, IndexFault, LINK_REMEDY)
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
    files.flush(index / "generations" / name)  # a power cut must not find the pointer without what it points to
    files.write_bytes(index / "current", f"{name}\n".encode())


def new_generation(index: Path) -> Path:
    """A new, empty folder for a generation. Its name sorts after all earlier ones."""
    root = index / "generations"
    root.mkdir(parents=True, exist_ok=True)
    numbers = [int(folder.name.split("-")[0]) for folder in root.iterdir() if folder.name.split("-")[0].isdecimal()]
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    # The last part tells a generation from one of the same number in an index that was deleted and built anew.
    folder = root / f"{max(numbers, default=0) + 1:06d}-{moment}-{uuid.uuid4().hex[:6]}"
    folder.mkdir()
    return folder


def rollback(index: Path) -> str:
    """Make the generation before the current one answer again; returns its name.

    The next build follows the papers that are there then, as always. Raises IndexMissing when there is none to return
    to (a build that took papers out keeps none, since what was removed is gone), IndexBusy while a build runs.
    """
    with writer_lock(index):
        current = current_name(index)
        for folder in _generations(index):
            if folder.name < current and _is_whole(folder):
                publish(index, folder.name)
                return folder.name
    raise IndexMissing(f"{index}: there is no earlier generation to return to. Build again with --fresh instead.")


def clean_index(index: Path) -> None:
    """Remove what no reader needs: unfinished generations, old ones, unused parts. Only under names that we give.

    The generation before the current one stays for rollback, unless it holds a paper that is no longer in the current
    one: a removed paper is gone from everything.
    """
    name = current_name(index)
    try:
        manifest = read_manifest(index / "generations" / name)
    except IndexFault:
        return
    kept = {name: manifest}
    for folder in _generations(index):
        if len(kept) < 2 and folder.name < name and _is_whole(folder):
            before = read_manifest(folder)
            if _keeps_all_papers(manifest, before):
                kept[folder.name] = before
        if folder.name not in kept and GENERATION_NAME.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
    used = [(entry.part, entry.key) for one in kept.values() for entry in one.papers]
    passage_store.remove_unused(index / "parts", used)
    for leftover in index.glob(".*.tmp"):
        if files.TEMPORARY_NAME.fullmatch(leftover.name) and leftover.is_file():
            leftover.unlink(missing_ok=True)


def _generations(index: Path) -> list[Path]:
    """The folders of all generations, whole or not, newest first."""
    root = index / "generations"
    return sorted((folder for folder in root.iterdir() if folder.is_dir()), reverse=True) if root.is_dir() else []


def _is_whole(folder: Path) -> bool:
    try:
        return read_manifest(folder).has_meaning
    except IndexFault:
        return False


def _keeps_all_papers(manifest: Manifest, before: Manifest) -> bool:
    """Whether every paper of `before` is still there: under its name, or its bytes under another one."""
    names = {entry.paper for entry in manifest.papers}
    digests = {entry.digest for entry in manifest.papers}
    return all(entry.paper in names or entry.digest in digests for entry in before.papers)


@contextmanager
def writer_lock(index: Path) -> Iterator[None]:
    """Held while building. The operating system frees it when the process dies.

    Raises IndexBusy, which says who has it, when it is taken, and IndexFault when the folder cannot be written or holds
    a link.
    """
    files.refuse_links(index, IndexFault, LINK_REMEDY)  # before the first file is opened for writing
    holder = index / "lock.holder"
    lock = FileLock(index / "lock", timeout=0)
    try:
        index.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise IndexBusy(
            f"{index}: {_lock_holder(holder)} is building this index. Wait until it has finished."
        ) from error
    except OSError as error:
        raise IndexFault(
            f"{index}: cannot be written ({error}). Correct the permissions or set RAG_INDEX to another folder."
        ) from error
    try:
        with contextlib.suppress(OSError):  # only for the message of who comes second
            files.write_bytes(holder, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        lock.release()


def _lock_holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return files.read_regular(path, most=files.SMALL).decode("utf-8").strip() or "another process"
    return "another process"


ATTEMPTS = 5  # builds that may swap the index during one search

Result = TypeVar("Result")


@dataclass
class _OpenGeneration:
    generation: Generation
    users: int = 0
    retired: bool = False


class SharedIndex:
    """Thread-safe. Another process may build at any time. `check` raises for a manifest that must not answer."""

    def __init__(self, root: Path, check: Callable[[Manifest], None] = lambda manifest: None) -> None:
        self._root = root
        self._check = check
        self._lock = threading.Lock()
        self._opened: _OpenGeneration | None = None

    @contextmanager
    def use_current(self) -> Iterator[Generation]:
        """The generation that answers now; it stays open while it is used, also when a build swaps it.

        Raises IndexMissing when nothing was built (IndexOfOtherFolder: of this folder), IndexFault when the index is
        damaged.
        """
        with self._lock:
            opened = self._newest()
            opened.users += 1
        try:
            yield opened.generation
        finally:
            with self._lock:
                opened.users -= 1
                _close_unused(opened)

    def run_on_current(self, work: Callable[[Generation], Result], stack: ExitStack) -> tuple[Generation, Result]:
        """Do `work` on the generation that answers now, which stays open until `stack` is closed.

        A build of another process may remove the files of a generation before `work` has opened them: then it is done
        again on the new one.
        """
        for _ in range(ATTEMPTS):
            generation = stack.enter_context(self.use_current())
            try:
                return generation, work(generation)
            except IndexFault:
                if is_current(self._root, generation.name):
                    raise
        raise IndexFault(f"{self._root}: changes faster than it can be read. Ask again when the build has finished.")

    def _newest(self) -> _OpenGeneration:
        if self._opened is not None and self._opened.generation.name == current_name(self._root):
            return self._opened
        opened = _OpenGeneration(open_current(self._root))
        self._check(opened.generation.manifest)
        if self._opened is not None:
            self._opened.retired = True
            _close_unused(self._opened)
        self._opened = opened
        return opened


def _close_unused(opened: _OpenGeneration) -> None:
    if opened.retired and not opened.users:
        opened.generation.close()
