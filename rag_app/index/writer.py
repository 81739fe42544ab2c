"""Writes one generation: every file that a reader of it needs, in a new folder that nobody reads yet."""

from __future__ import annotations

import importlib.metadata
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from rag_app import files
from rag_app.errors import IndexFault
from rag_app.index import chroma as chroma_module
from rag_app.index import generations, vector_search
from rag_app.index.bm25 import WordIndex
from rag_app.index.manifest import FORMAT, IndexedPaper, Manifest, read_manifest, write_manifest
from rag_app.papers.read import READING_VERSION
from rag_app.records import Passage, passage_id

MOST_GONE = 0.2  # of a collection's passages: where more go, the new one is not made from its copy
MOST_WEAR = 1.5  # and neither is it where that was changed often (chroma_module.writes_per_passage)
PACKAGES = ("chromadb", "PyStemmer", "pypdfium2", "pypdf")  # whose versions the manifest notes


@dataclass(frozen=True)
class GenerationContents:
    """What goes into a generation; row i of `vectors` (n, dimension) and text i belong to passage i."""

    entries: Sequence[IndexedPaper]
    passages: Sequence[Passage]
    texts: Sequence[str]  # with title and section in front, as they are indexed
    vectors: np.ndarray | None  # None: only words are searchable
    embedder: str
    dimension: int
    splitter: str
    doubles: tuple[tuple[str, int, int], ...]
    corpus: str = ""  # the folder of the papers


def write_generation(root: Path, contents: GenerationContents, words_from: str = "") -> str:
    """Write a whole generation below the index folder `root` and let it answer from now on; returns its name.

    `words_from` names a generation of the same passages, whose word indexes are taken over.
    What was begun is removed when something fails. Raises OSError or IndexFault when it cannot be written.
    """
    folder = generations.new_generation(root)
    try:
        _write_words(folder, contents, folder.with_name(words_from) if words_from else None)
        _write_rows(folder, contents)
        write_manifest(folder, _manifest(contents))
        generations.publish(root, folder.name)
    except BaseException:
        if not generations.is_current(root, folder.name):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder.name


def _write_words(folder: Path, contents: GenerationContents, source: Path | None) -> None:
    if source is not None:
        for name in ("words", "page_words"):
            shutil.copytree(source / name, folder / name)
        return
    for name, texts in (("words", contents.texts), ("page_words", _page_texts(contents))):
        (folder / name).mkdir()
        WordIndex.build(texts, folder / name)


def _write_rows(folder: Path, contents: GenerationContents) -> None:
    owner = [number for number, entry in enumerate(contents.entries) for _ in range(entry.passages)]
    rows = np.array([owner, [passage.page for passage in contents.passages]], dtype=np.int32).T
    files.write_array(folder / "rows.npy", np.ascontiguousarray(rows))
    if contents.vectors is not None:
        files.write_array(folder / "vectors.npy", contents.vectors)
        vector_search.write_short_vectors(folder, contents.vectors)
        _write_store(folder / "chroma", contents, contents.vectors, _earlier_collection(folder.parent.parent, contents))


def _write_store(
    folder: Path, contents: GenerationContents, vectors: np.ndarray, before: chroma_module.EarlierCollection | None
) -> None:
    if before is not None:
        try:
            chroma_module.write_collection(folder, contents.passages, vectors, before)
            return
        except IndexFault:  # the earlier collection is damaged, or not ours: all of it anew
            shutil.rmtree(folder, ignore_errors=True)
    chroma_module.write_collection(folder, contents.passages, vectors)


def _earlier_collection(root: Path, contents: GenerationContents) -> chroma_module.EarlierCollection | None:
    """The collection that answers now, where most of it stays as it is."""
    try:
        manifest = read_manifest(root / "generations" / generations.current_name(root))
        chroma = root / "generations" / generations.current_name(root) / "chroma"
        if not manifest.has_meaning or chroma_module.writes_per_passage(chroma) > MOST_WEAR:
            return None
    except (IndexFault, OSError, sqlite3.Error):  # none yet, or one that is not whole
        return None
    now = {_identity_of(entry) for entry in contents.entries}
    kept = [entry for entry in manifest.papers if _identity_of(entry) in now]
    gone = [entry for entry in manifest.papers if _identity_of(entry) not in now]
    if sum(entry.passages for entry in gone) > MOST_GONE * manifest.passages:
        return None
    return chroma_module.EarlierCollection(chroma, tuple(_ids(gone)), frozenset(_ids(kept)))


def _identity_of(entry: IndexedPaper) -> tuple[str, str, str, int]:
    """What decides an entry's passages and vectors."""
    return entry.paper, entry.part, entry.key, entry.passages


def _ids(entries: Sequence[IndexedPaper]) -> Iterator[str]:
    return (passage_id(entry.digest, number) for entry in entries for number in range(entry.passages))


def _page_texts(contents: GenerationContents) -> Iterator[str]:
    """The searchable text of each page that has passages, with its paper's title in front, in the passages' order."""
    titles = {entry.paper: entry.title for entry in contents.entries}
    for (paper, _), passages in groupby(contents.passages, lambda passage: (passage.paper, passage.page)):
        yield "\n".join([titles[paper], *(passage.text for passage in passages)])


def _manifest(contents: GenerationContents) -> Manifest:
    return Manifest(
        format=FORMAT,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        embedder=contents.embedder if contents.vectors is not None else "",
        dimension=contents.dimension,
        splitter=contents.splitter,
        reading=READING_VERSION,
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
        papers=tuple(contents.entries),
        passages=len(contents.passages),
        doubles=contents.doubles,
        corpus=contents.corpus,
    )
