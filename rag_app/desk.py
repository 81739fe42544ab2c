"""What an answer of a special kind is made with: passages by topic, and the parts to read them"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rag_app.answering import Found
from rag_app.index.bm25 import terms
from rag_app.index.build_report import FAILED_STATES
from rag_app.index.generations import Generation
from rag_app.index.manifest import Entry
from rag_app.index.paper_names import title_head
from rag_app.models.embedder import TextEmbedder
from rag_app.records import Answer, Evidence, Hit, Searched
from rag_app.retrieval.context import gather
from rag_app.retrieval.hybrid import Retriever
from rag_app.survey import Topic

NAMING, NEAR = 12, 6  # passages of one paper that are read: those that name the topic, or those nearest to it
TOKENS = 3_000  # of one paper


@dataclass(frozen=True)
class Desk:
    """What a special answer is made with."""

    found: Found
    retriever: Retriever
    meaning: TextEmbedder
    stop: threading.Event

    @property
    def generation(self) -> Generation:
        return self.found.generation

    def title_of(self, paper: str) -> tuple[str, bool]:
        entry = self.generation.by_paper[paper]
        return entry.title, entry.state == "digest only"

    def read(self, rows: Sequence[int], tokens: int) -> list[Evidence]:
        """The passages of these rows with their neighbourhoods."""
        hits = [Hit(passage, 0.0) for passage in self.generation.passages(list(rows))]
        return gather(hits, self.found.page_of, self.title_of, tokens)


def short_name(entry: Entry) -> str:
    """What a paper is called in a table or a list."""
    return next(iter(entry.short_names), "") or title_head(entry.title) or entry.title or entry.paper


def best_rows(desk: Desk, topic: Topic) -> Callable[[Entry], list[int]]:
    """For a paper, the rows of its passages on the topic: those that name it, or else those nearest to it."""
    generation = desk.generation
    words = generation.words.scores(terms(topic.text))
    if topic.names:
        holding = [rows_naming(generation, name) for name in topic.names]

        def naming(entry: Entry) -> list[int]:
            own = [rows[(entry.first <= rows) & (rows < entry.first + entry.passages)] for rows in holding]
            if not (any if topic.either else all)(len(rows) for rows in own):
                return []
            rows = np.unique(np.concatenate(own))
            return [int(row) for row in rows[np.argsort(-words[rows], kind="stable")][:NAMING]]

        return naming
    likeness = words / (float(words.max()) or 1.0)
    if generation.manifest.has_meaning:
        likeness = likeness + generation.vectors @ desk.meaning.embed_question(topic.text)

    def near(entry: Entry) -> list[int]:
        order = np.argsort(-likeness[entry.first : entry.first + entry.passages], kind="stable")[:NEAR]
        return [entry.first + int(place) for place in order]

    return near


def rows_naming(generation: Generation, name: str) -> np.ndarray:
    rows: np.ndarray | None = None
    for term in terms(name):
        holding = generation.words.rows_with(term)
        rows = holding if rows is None else np.intersect1d(rows, holding)
    return rows if rows is not None else np.zeros(0, dtype=np.int64)


def papers_counted(count: int) -> str:
    return "1 paper" if count == 1 else f"{count} papers"


def searched_for(entries: Sequence[Entry], read: int, answer: Answer) -> Searched:
    unreadable = tuple(entry.paper for entry in entries if entry.state in FAILED_STATES)
    quoted = len({citation.paper for citation in answer.citations})
    return Searched(len(entries) - len(unreadable), read, quoted, unreadable)
