"""Passages and their vectors in Chroma. The only door of chromadb.

A collection is written once, by the build, in a folder that no reader has open yet; afterwards it is only read.
Two processes that write one Chroma folder corrupt it, and a live reader of a folder that changes goes stale.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag_app.errors import IndexFault
from rag_app.records import Passage

COLLECTION = "passages"
# Cosine, since the vectors have unit length; ef and M chosen by recall against exact search (docs/benchmarks.md).
_HNSW = {"hnsw": {"space": "cosine", "ef_search": 256, "ef_construction": 160, "max_neighbors": 24}}


def _client(folder: Path) -> Any:
    os.environ["ANONYMIZED_TELEMETRY"] = "False"
    import chromadb  # noqa: PLC0415  # half a second, needed only with an index at hand
    from chromadb.config import Settings  # noqa: PLC0415

    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


def write(folder: Path, passages: Sequence[Passage], vectors: np.ndarray) -> None:
    """Create the collection in `folder` (new, empty). Row i of `vectors` (n, dimension) belongs to passage i."""
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
        client.close()
    if stored != len(passages):
        raise IndexFault(f"{folder}: Chroma kept {stored} of {len(passages)} passages. Build again with --fresh.")


def _metadata(passage: Passage, row: int) -> dict[str, Any]:
    return {
        "row": row,
        "paper": passage.paper,
        "page": passage.page,
        "label": passage.label,
        "section": passage.section,
        "start": passage.start,
        "end": passage.end,
        "kind": passage.kind,
        "context": passage.context,
    }


def _passage(identifier: str, text: str, metadata: Any) -> Passage:
    fields = {name: metadata[name] for name in ("paper", "page", "label", "section", "start", "end", "kind", "context")}
    return Passage(id=identifier, text=text, **fields)


@dataclass(frozen=True)
class PassageStore:
    """An open collection of one generation. Safe to call from several threads."""

    client: Any
    collection: Any

    @classmethod
    def open(cls, folder: Path) -> PassageStore:
        """Open for reading. Raises IndexFault when the folder holds no whole collection."""
        client = _client(folder)
        try:
            return cls(client, client.get_collection(COLLECTION, embedding_function=None))
        except Exception as error:  # chromadb raises a different type for each way of being damaged
            client.close()
            raise IndexFault(f"{folder}: Chroma cannot read this ({error}). Build again with --fresh.") from error

    def nearest(self, vector: np.ndarray, count: int, papers: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """The rows closest in meaning, best first, and their cosine similarity: int64 (k,), float32 (k,)."""
        where = {"paper": {"$in": list(papers)}} if papers else None
        found = self.collection.query(
            query_embeddings=[vector], n_results=count, where=where, include=["metadatas", "distances"]
        )
        rows = np.array([metadata["row"] for metadata in found["metadatas"][0]], dtype=np.int64)
        return rows, 1.0 - np.array(found["distances"][0], dtype=np.float32)

    def get(self, identifiers: Sequence[str]) -> list[Passage]:
        """The passages with these ids, in this order. Raises IndexFault when one is not there."""
        found = self.collection.get(ids=list(identifiers), include=["documents", "metadatas"])
        by_id = {
            identifier: _passage(identifier, text, metadata)
            for identifier, text, metadata in zip(found["ids"], found["documents"], found["metadatas"], strict=True)
        }
        missing = [identifier for identifier in identifiers if identifier not in by_id]
        if missing:
            raise IndexFault(f"passage {missing[0]} is not in the store. Build again with --fresh.")
        return [by_id[identifier] for identifier in identifiers]

    def close(self) -> None:
        self.client.close()
