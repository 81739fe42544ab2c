"""Passages -> vectors, in groups of papers: what is finished is kept with the paper's part and never made again.

Title and section are embedded once for all passages of a section and then added to their vectors with a weight. A model
with mean pooling does about the same with a heading in front of every passage, and reads a quarter more tokens for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag_app import files
from rag_app.errors import IndexFault
from rag_app.index.build_report import BuildProgress, BuildStopped, EtaEstimator, OnProgress
from rag_app.index.manifest import IndexedPaper
from rag_app.models.batching import normalise_vectors
from rag_app.models.embedder import Embedder

GROUP = 768  # passages embedded between two commits: what a kill can cost


@dataclass(frozen=True)
class EmbeddingTexts:
    """What the embedder reads of one paper: row i of both belongs to passage i."""

    passages: list[str]
    headings: list[str]  # title and section


@dataclass(frozen=True)
class EmbeddingRun:
    """One run over all papers. `texts_of` gives one paper's texts, `heading` the share of the heading in a vector."""

    parts: Path
    embedder: Embedder
    texts_of: Callable[[IndexedPaper], EmbeddingTexts]
    heading: float
    on_progress: OnProgress
    stop: threading.Event

    def run(self, entries: Sequence[IndexedPaper], fresh: bool) -> tuple[np.ndarray, int]:
        """All vectors, float32 (passages, dimension) in the rows that the entries say, and how many were made now.

        Raises Stopped after the group during which `stop` was set.
        """
        vectors = np.zeros((sum(entry.passages for entry in entries), self.embedder.dimension), dtype=np.float32)
        todo: list[IndexedPaper] = []
        for entry in entries:
            kept = None if fresh else self._load_kept_vectors(entry)
            if kept is not None:
                vectors[entry.rows] = kept
            elif entry.passages:
                todo.append(entry)
        clock = EtaEstimator(sum(entry.passages for entry in todo))
        if todo:
            self._report_progress(clock, f"{clock.total} passage{'' if clock.total == 1 else 's'} to embed")
        for group in _groups(todo):
            self._embed(group, vectors)
            clock.count += sum(entry.passages for entry in group)
            self._report_progress(clock, group[-1].paper)
            if self.stop.is_set():
                raise BuildStopped
        return vectors, clock.count

    def _embed(self, group: Sequence[IndexedPaper], vectors: np.ndarray) -> None:
        texts = [self.texts_of(entry) for entry in group]
        different = list(dict.fromkeys(heading for one in texts for heading in one.headings))
        made = self.embedder.embed_passages([*different, *(text for one in texts for text in one.passages)])
        place = {heading: row for row, heading in enumerate(different)}
        of_heading = made[[place[heading] for one in texts for heading in one.headings]]
        made = normalise_vectors((1 - self.heading) * made[len(different) :] + self.heading * of_heading)
        at = 0
        for entry in group:
            vectors[entry.rows] = made[at : at + entry.passages]
            at += entry.passages
            files.write_array(self._vectors_path(entry), vectors[entry.rows])

    def _report_progress(self, clock: EtaEstimator, message: str) -> None:
        self.on_progress(BuildProgress("embedding", clock.count, clock.total, message, clock.eta()))

    def _vectors_path(self, entry: IndexedPaper) -> Path:
        return self.parts / entry.part / f"vectors-{entry.key}.npy"

    def _load_kept_vectors(self, entry: IndexedPaper) -> np.ndarray | None:
        if not self._vectors_path(entry).is_file():
            return None
        try:
            kept = files.read_array(self._vectors_path(entry))
        except IndexFault:  # damaged: made anew
            return None
        return kept if kept.shape == (entry.passages, self.embedder.dimension) else None


def _groups(entries: Sequence[IndexedPaper]) -> Iterator[list[IndexedPaper]]:
    """Papers in groups of about GROUP passages: large enough to sort by length, small enough to lose."""
    group: list[IndexedPaper] = []
    for entry in entries:
        group.append(entry)
        if sum(member.passages for member in group) >= GROUP:
            yield group
            group = []
    if group:
        yield group
