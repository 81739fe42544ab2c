"""Passages and their vectors in Chroma. The only module that imports chromadb.

A collection is written once, by the build, in a folder that no reader has open yet; afterwards it is only read.
Two processes that write one Chroma folder corrupt it, and a live reader of a folder that changes goes stale.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import sqlite3
import stat
import struct
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from rag_app.errors import IndexFault
from rag_app.files import SMALL, read_regular
from rag_app.models.http_replies import IDENTITY, limit_reply
from rag_app.records import Passage

COLLECTION = "passages"
_REST = ("page", "label", "section", "start", "end", "kind", "context")  # of a passage's fields
# Cosine, since the vectors have unit length. The graph is for whoever opens the collection with Chroma itself (our own
# search is exact, vector_search.py), so that it is built cheaply.
_HNSW = {"hnsw": {"space": "cosine", "ef_search": 256, "ef_construction": 80, "max_neighbors": 16}}


# chromadb shares one engine among the clients of one folder and counts them without a lock of its own.
_OPENING = threading.Lock()
_MAKING = threading.Lock()  # clients of a server


def _client(folder: Path) -> Any:
    import_chromadb()
    import chromadb  # noqa: PLC0415
    from chromadb.config import Settings  # noqa: PLC0415

    with _OPENING:
        # No .env of the folder that we happen to be started in, also where somebody else has imported chromadb.
        settings = Settings(_env_file=None, anonymized_telemetry=False)  # type: ignore[call-arg]  # pydantic takes it
        return chromadb.PersistentClient(str(folder), settings=settings)


def _collection(client: Any, folder: Path) -> Any:
    """The passages' collection. Raises IndexFault when it names a program of its own.

    Chroma keeps the name and settings of an embedding function beside a collection, and builds it when something is
    added: a stranger's index could so have a model loaded, with its code. Ours name none, since we hand over vectors.
    """
    found = client.get_collection(COLLECTION, embedding_function=None)
    model = found._model  # what Chroma goes by from here on, whatever its database says next time
    for function in _values("embedding_function", [model.configuration_json, model.serialized_schema]):
        if function is not None and function != {"type": "legacy"} and function != {"type": "unknown"}:
            raise IndexFault(f"{folder}: this index was not written by this program: it asks to run code. {_REBUILD}")
    return found


def _values(name: str, value: Any) -> Iterator[Any]:
    """Each value of that name, however deep it lies."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name:
                yield inner
            yield from _values(name, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(name, inner)


def import_chromadb() -> None:
    """Import chromadb, which takes a second: a build does it while the embedder works. Harmless when done before.

    While it is imported, chromadb reads settings from a `.env` of the current folder, whoever wrote it, and would wait
    for a pipe of that name. Its settings are therefore imported first, and told to read no file.
    """
    os.environ["ANONYMIZED_TELEMETRY"] = "False"
    with _OPENING:
        spec = importlib.util.find_spec("chromadb")
        if "chromadb" in sys.modules or spec is None or spec.loader is None:
            return
        sys.modules["chromadb"] = package = importlib.util.module_from_spec(spec)
        try:
            from chromadb.config import Settings  # noqa: PLC0415

            Settings.model_config["env_file"] = None
            spec.loader.exec_module(package)
        except BaseException:
            sys.modules.pop("chromadb", None)
            raise


def _close(client: Any) -> None:
    with _OPENING:
        client.close()


_REBUILD = "Build again with --fresh."
LONGEST_MESSAGE = 300  # characters of what Chroma or its server says


@contextmanager
def _translate_errors(folder: Path | str, what: str, remedy: str = _REBUILD) -> Iterator[None]:
    """chromadb raises a different type for each way of being damaged: each becomes an IndexFault with the remedy."""
    try:
        yield
    except IndexFault:
        raise
    except Exception as error:
        message = " ".join(str(error).split())[:LONGEST_MESSAGE]
        raise IndexFault(f"{folder}: {what} ({type(error).__name__}: {message}). {remedy}") from error


@dataclass(frozen=True)
class EarlierCollection:
    """An earlier collection that a new one begins as a copy of."""

    folder: Path
    gone: tuple[str, ...]  # ids of its passages that the new one does not have
    kept: frozenset[str]  # ids of those that the new one has unchanged


def write_collection(
    folder: Path, passages: Sequence[Passage], vectors: np.ndarray, before: EarlierCollection | None = None
) -> None:
    """Create the collection in `folder` (new, empty). Row i of `vectors` (n, dimension) belongs to passage i.

    With `before`, only what differs from that collection is written. Raises IndexFault when Chroma cannot write it, for
    instance to a full disk.
    """
    with _translate_errors(
        folder, "Chroma could not write here", "Free some space if the disk is full, then build again."
    ):
        if before is not None:
            _snapshot(before.folder, folder)
        client = _client(folder)
        try:
            if before is None:
                collection = client.create_collection(COLLECTION, embedding_function=None, configuration=_HNSW)
            else:
                collection = _collection(client, before.folder)
            batch = min(2000, client.get_max_batch_size())  # above the maximum Chroma raises
            for start in range(0, len(before.gone) if before else 0, batch):
                collection.delete(ids=list(before.gone[start : start + batch]))  # type: ignore[union-attr]
            new = [row for row, passage in enumerate(passages) if before is None or passage.id not in before.kept]
            for start in range(0, len(new), batch):
                rows = new[start : start + batch]
                collection.add(
                    ids=[passages[row].id for row in rows],
                    embeddings=vectors[rows],
                    documents=[passages[row].text for row in rows],
                    metadatas=[_metadata(passages[row]) for row in rows],
                )
            stored = collection.count()
        finally:
            _close(client)
        _blank_unused(folder)
    if stored != len(passages):
        raise IndexFault(f"{folder}: Chroma kept {stored} of {len(passages)} passages. Build again with --fresh.")


def _snapshot(source: Path, target: Path) -> None:
    """Copy a collection that others may have open: they note in its database that they do, and write nothing else."""
    database = "chroma.sqlite3"
    shutil.copytree(source, target, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns(f"{database}*"))
    with (
        closing(sqlite3.connect(f"file:{source / database}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target / database)) as new,
    ):
        old.backup(new)


def writes_per_passage(folder: Path) -> float:
    """How often something was written or deleted, for each passage there: 1 in a new collection.

    Chroma only marks what is deleted, and its files do not shrink.
    """
    with closing(sqlite3.connect(f"file:{folder / 'chroma.sqlite3'}?mode=ro", uri=True)) as database:
        times = database.execute("SELECT MAX(seq_id) FROM max_seq_id").fetchone()[0] or 0
        there = database.execute("SELECT COUNT(*) FROM embeddings").fetchone()[0]
    return float(times / max(1, there))


def _blank_unused(folder: Path) -> None:
    """Overwrite what Chroma wrote without having filled it: bytes of this process's memory, whatever was there.

    Its vector files begin with room for 100 elements. header.bin says how many there are: a version (4 bytes), then
    offset, room, count and size of an element (8 bytes each).
    """
    for header in folder.glob("*/header.bin"):
        _, _, _, count, size = struct.unpack_from("<iQQQQ", read_regular(header, most=SMALL))
        for name, used in (("data_level0.bin", count * size), ("length.bin", count * 4)):
            path = header.with_name(name)
            unused = path.stat().st_size - used
            if unused > 0:
                with path.open("r+b") as stream:
                    stream.seek(used)
                    stream.write(bytes(unused))


def _metadata(passage: Passage) -> dict[str, Any]:
    """What can be filtered by, and the rest in one value: Chroma keeps and reads a row of its database for each."""
    rest = json.dumps({name: getattr(passage, name) for name in _REST}, ensure_ascii=False)
    return {"paper": passage.paper, "rest": rest}


def _passage(identifier: str, text: str, metadata: Any) -> Passage:
    # An index of an earlier version has a value for each.
    rest = json.loads(metadata["rest"]) if "rest" in metadata else {name: metadata[name] for name in _REST}
    return Passage(id=identifier, text=text, paper=metadata["paper"], **rest)


def _writable(folder: Path) -> bool:
    """Whether Chroma may write there: with our permissions, and in no file that has a second name elsewhere."""
    files = (folder, folder / "chroma.sqlite3")
    return all(os.access(path, os.W_OK) for path in files) and files[1].stat().st_nlink == 1


# -- a copy on a server ---------------------------------------------------------------------------------------------

SERVER_PATIENCE = 5.0  # seconds for a server to take a connection
SERVER_SILENCE = 120.0  # seconds without a byte of it
_BATCH = 500  # passages in one request to a server


@dataclass(frozen=True)
class ServedCopy:
    """Which collection of a Chroma server holds the copy, and of what: `index` and `generation` are noted there."""

    url: str
    name: str  # 3 to 63 letters, digits, ".", "_" and "-"
    index: str
    generation: str


def copy_to_server(copy: ServedCopy, papers: Iterable[tuple[Sequence[Passage], np.ndarray]]) -> bool:
    """Replace the copy on the server by these papers' passages with their vectors, float32 (n, dimension) each.

    Returns whether it was written; the same generation is not written twice. Who searches meanwhile has the old copy
    until the new one is whole. Raises IndexFault when the server is gone, or has a collection of that name that is
    another index's.
    """
    remedy = "The index on disk is whole. Start the server and build again, or unset RAG_CHROMA_URL."
    client = None
    named = _without_password(copy.url)
    with _translate_errors(named, "Chroma's server could not be written to (RAG_CHROMA_URL)", remedy):
        try:
            client = _server_client(copy.url)
            held = {one.name: one.metadata or {} for one in client.list_collections()}
            noted = held.get(copy.name, {"index": copy.index})
            if noted.get("index") != copy.index:
                raise IndexFault(
                    f"RAG_CHROMA_URL={named}: the collection {copy.name} there is of another index. Rename the "
                    "corpus folder, take another server, or delete that collection."
                )
            if noted.get("generation") == copy.generation:
                return False
            coming = f"{copy.name}.new"
            if coming in held:
                client.delete_collection(coming)
            collection = client.create_collection(
                coming,
                embedding_function=None,
                configuration=_HNSW,
                metadata={"index": copy.index, "generation": copy.generation},
            )
            for passages, vectors in papers:
                _add_passages(collection, passages, vectors)
            if copy.name in held:
                client.delete_collection(copy.name)
            collection.modify(name=copy.name)
        finally:
            if client is not None:
                _close(client)
    return True


def _add_passages(collection: Any, passages: Sequence[Passage], vectors: np.ndarray) -> None:
    for start in range(0, len(passages), _BATCH):
        part = passages[start : start + _BATCH]
        collection.add(
            ids=[passage.id for passage in part],
            embeddings=np.asarray(vectors[start : start + _BATCH]),
            documents=[passage.text for passage in part],
            metadatas=[
                {"paper": one.paper, "page": one.page, "label": one.label, "section": one.section} for one in part
            ],
        )


def _without_password(url: str) -> str:
    """The address as it may be shown: without what stands before its last @, wherever that is, and what it asks."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _server_client(url: str) -> Any:
    """A client of the server at that address. Raises IndexFault for an address that is none, OSError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise IndexFault("RAG_CHROMA_URL: no address of a server. Write it like http://127.0.0.1:8000.")
    if "@" in parts.netloc:
        raise IndexFault(
            "RAG_CHROMA_URL: holds a name or a password, which is not sent. Take what stands before @ out."
        )
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    # Chroma's client waits for ever.
    socket.create_connection((parts.hostname, port), SERVER_PATIENCE).close()
    import_chromadb()
    import chromadb  # noqa: PLC0415
    from chromadb.config import Settings  # noqa: PLC0415

    settings = Settings(_env_file=None, anonymized_telemetry=False)  # type: ignore[call-arg]  # pydantic takes it
    with _limited_replies():
        return chromadb.HttpClient(parts.hostname, port, secure, IDENTITY.copy(), settings=settings)


@contextmanager
def _limited_replies() -> Iterator[None]:
    """What Chroma's HTTP clients that are made meanwhile read is bounded in size and time.

    It makes several and asks at once, so each has to be given the limits as it is made.
    """
    from chromadb.api.fastapi import FastAPI  # noqa: PLC0415

    make = FastAPI.__init__

    def make_limited(self: Any, system: Any) -> None:
        make(self, system)
        self._session.event_hooks = {"response": [limit_reply]}
        self._session.timeout = SERVER_SILENCE

    with _MAKING:
        FastAPI.__init__ = make_limited  # type: ignore[method-assign]
        try:
            yield
        finally:
            FastAPI.__init__ = make  # type: ignore[method-assign]


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
        with _translate_errors(folder, "Chroma cannot read this"):
            place = folder if copy is None else Path(copy.name) / "chroma"
            if copy is not None:
                _copy(folder, place)
            client = _client(place)
            try:
                return cls(client, _collection(client, folder), folder, copy)
            except Exception:
                _close(client)
                raise

    def count(self) -> int:
        """How many passages there are."""
        with _translate_errors(self.folder, "Chroma cannot read this"):
            return int(self.collection.count())

    def nearest(self, vector: np.ndarray, count: int, papers: Sequence[str] = ()) -> tuple[list[str], np.ndarray]:
        """The ids closest in meaning by Chroma's graph, best first, and their cosine similarity, float32 (k,)."""
        where = {"paper": {"$in": list(papers)}} if papers else None
        with _translate_errors(self.folder, "Chroma cannot search this"):
            found = self.collection.query(
                query_embeddings=[vector], n_results=count, where=where, include=["distances"]
            )
        return list(found["ids"][0]), 1.0 - np.array(found["distances"][0], dtype=np.float32)

    def get(self, identifiers: Sequence[str]) -> list[Passage]:
        """The passages with these ids, in this order. Raises IndexFault when one is not there."""
        if not identifiers:
            return []  # Chroma takes an empty list for all
        with _translate_errors(self.folder, "Chroma cannot read this"):
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
