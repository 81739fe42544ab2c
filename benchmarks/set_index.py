"""An evaluation set as a built library: which units its passages hold, and the production retriever over it."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.library_sets import Asked, LibrarySet
from rag_app.assistant import Assistant
from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation, open_current
from rag_app.models.embedder import Embedder
from rag_app.retrieval.hybrid import EVERYTHING, Retriever, Scope
from rag_app.settings import load_settings

STARTER_CHUNK, STARTER_OVERLAP = 1024, 20  # LlamaIndex's defaults, in its tokens


@dataclass(frozen=True)
class Chunk:
    """A chunk of the starter recipe: where it is in its file, and what its embedder is given."""

    paper: str
    start: int
    end: int
    read: str


@dataclass(eq=False)
class SetIndex:
    """A set and the generation that was built from its files. Offsets count the characters that are no white space,
    since reading a file changes nothing else of a text."""

    set: LibrarySet
    generation: Generation
    embedder: Embedder
    _vectors: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.generation.manifest.passages

    @cached_property
    def retriever(self) -> Retriever:
        return Retriever(self.generation, self.embed)

    def embed(self, text: str) -> np.ndarray:
        """float32 (dimension,), kept."""
        if text not in self._vectors:
            self._vectors[text] = self.embedder.embed_question(text)
        return self._vectors[text]

    def word_scores(self, text: str) -> np.ndarray:
        return self.generation.words.scores(extract_terms(text))

    def ours(self, question: str, paper: str, top: int) -> list[int]:
        """Rows as the production retriever ranks them, in one paper or in all."""
        hits = self.retriever.find_passages(question, top, Scope(papers=(paper,)) if paper else EVERYTHING)
        return [
            self.generation.by_paper[hit.passage.paper].first + int(hit.passage.id.rsplit("-", 1)[1]) for hit in hits
        ]

    def rows_of(self, paper: str) -> np.ndarray:
        entry = self.generation.by_paper[paper]
        return np.arange(entry.first, entry.first + entry.passages)

    def close(self) -> None:
        self.generation.close()

    # -- which units a passage holds ----------------------------------------------------------------------------

    @cached_property
    def _places(self) -> list[tuple[str, int, int]]:
        """Of each row: its paper, and where it starts and ends among the paper's visible characters."""
        found: list[tuple[str, int, int]] = []
        for entry in self.generation.manifest.papers:
            if not self.set.units:
                found += [(entry.paper, 0, 0)] * entry.passages
                continue
            before = _visible_before(self.generation.page(entry.paper, 1).text)
            passages = self.generation.passages_of(entry.paper)
            found += [(entry.paper, before[one.start], before[one.end]) for one in passages]
        return found

    @cached_property
    def _units(self) -> dict[str, list[tuple[int, int, str]]]:
        """Of each paper its units in order: start, end, name."""
        found: dict[str, list[tuple[int, int, str]]] = {}
        for paper, texts in self.set.units.items():
            if self.set.name == "covid_qa":  # a unit is told by its place in the file
                before = _visible_before(self.set.files[paper])
                spans = [tuple(map(int, text.split(":"))) for text in texts]
                found[paper] = [(before[a], before[b], f"{paper}#{n}") for n, (a, b) in enumerate(spans)]
                continue
            whole, at = _visible(self.generation.page(paper, 1).text), 0
            for number, text in enumerate(texts):
                wanted = _visible(text)
                place = whole.find(wanted, at) if wanted else -1
                if place >= 0:
                    at = place + len(wanted)
                    found.setdefault(paper, []).append((place, at, f"{paper}#{number}"))
        return found

    def units_in(self, paper: str, start: int, end: int) -> list[str]:
        """The units that a stretch of a paper holds a part of, the largest part first."""
        if not self.set.units:
            return [paper]
        units = self._units.get(paper, [])
        first = max(0, bisect.bisect_left(units, (start, 0, "")) - 1)
        parts = []
        for low, high, name in units[first:]:
            if low >= end:
                break
            if min(high, end) > max(low, start):
                parts.append((max(low, start) - min(high, end), low, name))
        return [name for _, _, name in sorted(parts)]

    def units_of(self, row: int) -> list[str]:
        """The units of a row; of a set of spans the row itself, since many spans may share a passage."""
        return [str(row)] if self.set.name == "covid_qa" else self.units_in(*self._places[row])

    def holds(self, asked: Asked, paper: str, start: int, end: int) -> bool:
        """Whether a stretch of a paper holds a whole gold span of the question."""
        spans = {name: (low, high) for low, high, name in self._units.get(paper, [])} if paper == asked.paper else {}
        return any(name in spans and start <= spans[name][0] and spans[name][1] <= end for name in asked.gold)

    def gold(self, asked: Asked) -> list[str]:
        """What counts as found: the gold units; of a set of spans the rows that hold one whole."""
        if self.set.name != "covid_qa":
            return list(asked.gold)
        return [str(row) for row in self.rows_of(asked.paper).tolist() if self.holds(asked, *self._places[row])]


def open_set(one: LibrarySet, folder: Path) -> SetIndex:
    """The set's library in `folder`, built there unless it is up to date."""
    settings = load_settings(corpus=one.write(folder / "corpus"), index=folder / "index", llm="none")
    assistant = Assistant(settings)
    assistant.build()
    return SetIndex(one, open_current(settings.index_folder), assistant.embedder)


def chunks_of_starter(index: SetIndex) -> list[Chunk]:
    """The set's files in LlamaIndex's default chunks. What is embedded has the file's name in front, as there."""
    from llama_index.core.node_parser import SentenceSplitter  # noqa: PLC0415  # slow to import

    splitter = SentenceSplitter(chunk_size=STARTER_CHUNK, chunk_overlap=STARTER_OVERLAP)
    found: list[Chunk] = []
    for paper, text in index.set.files.items():
        # Where a passage lies is counted in the text as it was read.
        whole = index.generation.page(paper, 1).text if index.set.units else text
        before, at = _visible_before(whole), 0
        for piece in splitter.split_text(whole):
            start = whole.find(piece, at)
            start = start if start >= 0 else at
            at = max(at, start + 1)
            end = min(len(whole), start + len(piece))
            found.append(Chunk(paper, before[start], before[end], f"file_name: {paper}\n\n{piece}"))
    return found


def _visible(text: str) -> str:
    return "".join(text.split())


def _visible_before(text: str) -> Sequence[int]:
    """For each offset (and the end) how many visible characters stand before it."""
    seen = np.array([not character.isspace() for character in text], dtype=np.int64)
    return [0, *np.cumsum(seen).tolist()]
