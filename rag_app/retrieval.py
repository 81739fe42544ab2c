"""Question -> ranked hits: by meaning and by words, fused, with the papers that the question names favoured.

Every figure that chose a number below is in docs/benchmarks.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rag_app.index import Entry, Generation
from rag_app.records import Hit
from rag_app.word_index import terms

CANDIDATES = 300  # taken from each list before fusion
MEANING_WEIGHT = 0.5  # of the normalised cosine beside the normalised BM25
NAMED_BONUS = 0.35  # for passages of a paper that the question names
PAPER_WEIGHT = 0.25  # of a paper's own best passages, for each of its passages

EmbedQuestion = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Scope:
    """What a question is limited to. Empty fields do not limit."""

    papers: tuple[str, ...] = ()
    years: tuple[int, int] | None = None  # first and last, both included
    section: str = ""  # part of a section's heading, any case


class Retriever:
    """Searches one generation. Safe to share between threads."""

    def __init__(self, generation: Generation, embed_question: EmbedQuestion | None) -> None:
        self.generation = generation
        self._embed = embed_question if generation.manifest.has_meaning else None
        self._names = _names(generation.manifest.papers)

    def find(self, question: str, top: int = 10, scope: Scope = Scope()) -> list[Hit]:  # noqa: B008  # frozen
        """The best passages, best first, at most `top`. An empty index gives an empty list."""
        size = self.generation.manifest.passages
        allowed = self._allowed(scope)
        if not size or not allowed.any():
            return []
        words = self.generation.words.scores(terms(question)) * allowed
        meaning, rows = self._meaning(question, words, allowed, scope)
        score = _normalised(words[rows]) * (1 - MEANING_WEIGHT) + _normalised(meaning) * MEANING_WEIGHT
        if self._embed is None:
            score = _normalised(words[rows])
        owner = self.generation.rows[rows, 0]
        score = score + PAPER_WEIGHT * _paper_scores(score, owner, len(self.generation.manifest.papers))[owner]
        named = self.named_papers(question)
        if named:
            numbers = [number for number, entry in enumerate(self.generation.manifest.papers) if entry.paper in named]
            score = score + NAMED_BONUS * np.isin(owner, numbers)
        order = np.argsort(-score, kind="stable")[:top]
        return self._hits(rows[order], score[order], rows, words[rows], meaning)

    def _meaning(
        self, question: str, words: np.ndarray, allowed: np.ndarray, scope: Scope
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cosine of the candidates, and the candidates: the best rows of both lists."""
        by_words = _best(words, CANDIDATES)
        if self._embed is None:
            return np.zeros(len(by_words), dtype=np.float32), by_words
        vector = self._embed(question)
        count = min(CANDIDATES, int(allowed.sum()))
        by_meaning, _ = self.generation.store.nearest(vector, count, scope.papers)
        rows = np.union1d(by_words, by_meaning[allowed[by_meaning]])
        return np.asarray(self.generation.vectors[rows] @ vector), rows

    def _allowed(self, scope: Scope) -> np.ndarray:
        """bool (passages,): which rows the scope leaves."""
        papers = self.generation.manifest.papers
        good = np.array([_in_scope(entry, scope) for entry in papers], dtype=bool)
        allowed = good[self.generation.rows[:, 0]] if len(papers) else np.zeros(0, dtype=bool)
        if scope.section:
            wanted = scope.section.casefold()
            for entry in papers:
                if _in_scope(entry, scope):
                    for offset, passage in enumerate(self.generation.passages_of(entry.paper)):
                        allowed[entry.first + offset] &= wanted in passage.section.casefold()
        return allowed

    def _hits(
        self, rows: np.ndarray, scores: np.ndarray, pool: np.ndarray, words: np.ndarray, meaning: np.ndarray
    ) -> list[Hit]:
        by_words = dict(zip(pool[np.argsort(-words, kind="stable")].tolist(), range(1, len(pool) + 1), strict=True))
        by_meaning = dict(zip(pool[np.argsort(-meaning, kind="stable")].tolist(), range(1, len(pool) + 1), strict=True))
        passages = self.generation.passages(rows.tolist())
        return [
            Hit(
                passage=passage,
                score=round(float(score), 5),
                by_meaning=by_meaning[int(row)] if self._embed else 0,
                by_words=by_words[int(row)],
            )
            for passage, row, score in zip(passages, rows, scores, strict=True)
        ]

    def named_papers(self, question: str) -> list[str]:
        """Papers that the question names by title, short name, arXiv id, or author and year, in order of mention."""
        found: dict[str, int] = {}
        for name, papers in self._names.items():
            match = _mention(name, question)
            if match >= 0:
                for paper in papers:
                    found[paper] = min(match, found.get(paper, match))
        return sorted(found, key=lambda paper: found[paper])


def _in_scope(entry: Entry, scope: Scope) -> bool:
    if scope.papers and entry.paper not in scope.papers:
        return False
    return scope.years is None or scope.years[0] <= entry.year <= scope.years[1]


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """Rows with the highest positive scores, at most `count`, in row order."""
    positive = int((scores > 0).sum())
    count = min(count, positive)
    return np.sort(np.argpartition(-scores, count - 1)[:count]) if count else np.zeros(0, dtype=np.int64)


def _normalised(scores: np.ndarray) -> np.ndarray:
    """Scores moved and scaled to [0, 1]; BM25 and cosine share no scale."""
    if not len(scores):
        return scores
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def _paper_scores(score: np.ndarray, owner: np.ndarray, papers: int) -> np.ndarray:
    """For each paper the mean of its three best passages (missing ones count as nothing)."""
    result = np.zeros(papers, dtype=np.float32)
    for paper in np.unique(owner):
        result[paper] = np.sort(score[owner == paper])[-3:].sum() / 3
    return result


def _names(papers: Sequence[Entry]) -> dict[str, list[str]]:
    """Everything a paper can be called -> the papers called so."""
    names: dict[str, list[str]] = {}
    for entry in papers:
        first_author = entry.authors[0].split()[-1] if entry.authors else ""
        called = {*entry.short_names, entry.arxiv_id, entry.title, entry.title.split(":")[0], entry.paper}
        if first_author and entry.year:
            called |= {f"{first_author} et al. ({entry.year})", f"{first_author} et al., {entry.year}", f"{first_author} {entry.year}"}
        for name in called:
            if len(name.strip()) > 1:
                names.setdefault(name.strip(), []).append(entry.paper)
    return {name: called for name, called in names.items() if len(called) <= 2}


def _mention(name: str, question: str) -> int:
    """Where the question names `name` as whole words, or -1. Short all-capital names must match in case."""
    exact = len(name) <= 5 and name.isupper()
    pattern = re.escape(name).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]?")
    match = re.search(rf"(?<![\w-]){pattern}(?:'s|s)?(?![\w])", question, 0 if exact else re.IGNORECASE)
    return match.start() if match else -1


