"""A copy of a generation's passages and vectors on a Chroma server, for other programs. We read our own files only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np

from rag_app.index.chroma import ServedCopy, copy_to_server
from rag_app.index.generations import Generation
from rag_app.records import Passage


def copy_generation(generation: Generation, url: str, corpus_name: str) -> bool:
    """Bring the copy up to date. Returns whether anything was written. Raises IndexFault when that fails."""
    if not generation.manifest.has_meaning:
        return False
    root = generation.folder.parent.parent
    index = hashlib.sha256(str(root).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    copy = ServedCopy(url, collection_name(corpus_name), index, generation.name)
    return copy_to_server(copy, _papers(generation))


def collection_name(corpus_name: str) -> str:
    """The collection for a corpus folder of that name, in the letters that Chroma takes: "rag-app-my-papers"."""
    plain = re.sub(r"[^a-z0-9]+", "-", corpus_name.casefold()).strip("-")[:40].strip("-")
    return f"rag-app-{plain or 'papers'}"


def _papers(generation: Generation) -> Iterator[tuple[Sequence[Passage], np.ndarray]]:
    for entry in generation.manifest.papers:
        passages = generation.passages_of(entry.paper)
        yield passages, generation.vectors[entry.first : entry.first + len(passages)]
