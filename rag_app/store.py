"""Passages and their vectors in Chroma. The only door of chromadb.

A collection is written once, by the build, in a folder that no reader has open yet; afterwards it is only read.
Two processes that write one Chroma folder corrupt it, and a live reader of a folder that changes goes stale.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag_app.errors import IndexFault
from rag_app.records import Passage

COLLECTION = "passages"
_REST = ("page", "label", "section", "start", "end", "kind", "context")  # of a passage's fields
# Cosine, since the vectors have unit length; ef and M chosen by recall against exact search (docs/benchmarks.md).
_HNSW = {"hnsw": {"space": "cosine", "ef_search": 256, "ef_construction": 160, "max_neighbors": 24}}


# chromadb shares one engine among the clients of one folder and counts them without a lock of its own.
_OPENING = threading.Lock()


def _client(folder: Path) -> Any:
    os.environ["ANONYMIZED_TELEMETRY"] = "False"
    import chromadb  # noqa: PLC0415  # half a second, needed only with an index at hand
    from chromadb.config import Settings  # noqa: PLC0415

    with _OPENING:
        return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


def _close(client: Any) -> None:
    with _OPENING:
        client.close()


_REBUILD = "Build again with --fresh."


@contextmanager
def _asking(folder: Path, what: str, remedy: str = _REBUILD) -> Iterator[None]:
    """chromadb raises a different type for each way of being damaged: each becomes an IndexFault with the remedy."""
    try:
        yield
    except IndexFault:
        raise
    except Exception as error:
        raise IndexFault(f"{folder}: {what} ({type(error).__name__}: {error}). {remedy}") from error


def write(folder: Path, passages: Sequence[Passage], vectors: np.ndarray) -> None:
    """Create the collection in `folder` (new, empty). Row i of `vectors` (n, dimension) belongs to passage i.

    Raises IndexFault when Chroma cannot write it, for instance to a full disk.
    """
    with _asking(folder, "Chroma could not write here", "Free some space if the disk is full, then build again."):
        client = _client(folder)
        try:
            collection = client.create_collection(COLLECTION, embedding_function=None, configuration=_HNSW)
            batch = min(2000, client.get_max_batch_size())  # above the maximum Chroma raises
            for start in range(0, len(passages), batch):
                part = passages[start : start + batch]
                collection.add(
                    ids=[passage.id for passage in part],
                    embeddings=vectors[start : start + batch],
                    documents=[passage.text for passage in part],
                    metadatas=[_metadata(passage, start + offset) for offset, passage in enumerate(part)],
                )
            stored = collection.count()
        finally:
            _close(client)
        _blank_unused(folder)
    if stored != len(passages):
        raise IndexFault(f"{folder}: Chroma kept {stored} of {len(passages)} passages. Build again with --fresh.")


def _blank_unused(folder: Path) -> None:
    """Overwrite what Chroma wrote without having filled it: bytes of this process's memory, whatever was there.

    Its vector files begin with room for 100 elements. header.bin says how many there are: a version (4 bytes), then
    offset, room, count and size of an element (8 bytes each).
    """
    for header in folder.glob("*/header.bin"):
        _, _, _, count, size = struct.unpack_from("<iQQQQ", header.read_bytes())
        for name, used in (("data_level0.bin", count * size), ("length.bin", count * 4)):
            path = header.with_name(name)
            unused = path.stat().st_size - used
            if unused > 0:
                with path.open("r+b") as stream:
                    stream.seek(used)
                    stream.write(bytes(unused))


def _metadata(passage: Passage, row: int) -> dict[str, Any]:
    """What can be filtered by, and the rest in one value: Chroma keeps and reads a row of its database for each."""
    rest = json.dumps({name: getattr(passage, name) for name in _REST}, ensure_ascii=False)
    return {"row": row, "paper": passage.paper, "rest": rest}


def _passage(identifier: str, text: str, metadata: Any) -> Passage:
    # An index of an earlier version has a value for each.
    rest = json.loads(metadata["rest"]) if "rest" in metadata else {name: metadata[name] for name in _REST}
    return Passage(id=identifier, text=text, paper=metadata["paper"], **rest)


def _writable(folder: Path) -> bool:
    return all(os.access(path, os.W_OK) for path in (folder, folder / "chroma.sqlite3"))


@dataclass(frozen=True)
class PassageStore:
    """An open collection of one generation. Safe to call from several threads."""

    client: Any
    collection: Any
    folder: Path
    copy: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def open(cls, folder: Path) -> PassageStore:
        """Open for reading. Raises IndexFault when the folder holds no whole collection."""
        if not (folder / "chroma.sqlite3").is_file():  # Chroma would make an empty one
            raise IndexFault(f"{folder}: Chroma's files are missing. Build again with --fresh.")
        copy = None
        if not _writable(folder):
            # Chroma notes in its file who opened it, so an index on a read-only disk is read from a copy.
            copy = tempfile.TemporaryDirectory(prefix="rag-app-", ignore_cleanup_errors=True)
        with _asking(folder, "Chroma cannot read this"):
            place = folder if copy is None else Path(copy.name) / "chroma"
            if copy is not None:
                _copy(folder, place)
            client = _client(place)
            try:
                return cls(client, client.get_collection(COLLECTION, embedding_function=None), folder, copy)
            except Exception:
                _close(client)
                raise

    def count(self) -> int:
        """How many passages there are."""
        with _asking(self.folder, "Chroma cannot read this"):
            return int(self.collection.count())

    def nearest(self, vector: np.ndarray, count: int, papers: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """The rows closest in meaning, best first, and their cosine similarity: int64 (k,), float32 (k,)."""
        where = {"paper": {"$in": list(papers)}} if papers else None
        with _asking(self.folder, "Chroma cannot search this"):
            found = self.collection.query(
                query_embeddings=[vector], n_results=count, where=where, include=["metadatas", "distances"]
            )
        rows = np.array([metadata["row"] for metadata in found["metadatas"][0]], dtype=np.int64)
        return rows, 1.0 - np.array(found["distances"][0], dtype=np.float32)

    def get(self, identifiers: Sequence[str]) -> list[Passage]:
        """The passages with these ids, in this order. Raises IndexFault when one is not there."""
        if not identifiers:
            return []  # Chroma takes an empty list for all
        with _asking(self.folder, "Chroma cannot read this"):
            found = self.collection.get(ids=list(identifiers), include=["documents", "metadatas"])
        by_id = {
            identifier: _passage(identifier, text, metadata)
            for identifier, text, metadata in zip(found["ids"], found["documents"], found["metadatas"], strict=True)
        }
        missing = [identifier for identifier in identifiers if identifier not in by_id]
        if missing:
            raise IndexFault(f"{self.folder}: passage {missing[0]} is not there. Build again with --fresh.")
        return [by_id[identifier] for identifier in identifiers]

    def close(self) -> None:
        """Let go of the files."""
        _close(self.client)
        if self.copy is not None:
            self.copy.cleanup()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=shutil.copyfile)  # contents without the permissions
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
