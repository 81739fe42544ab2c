"""Question -> ranked hits: by meaning and by words, of passages and of whole pages, fused.

Every figure below was chosen on questions that are asked of real papers: docs/benchmarks.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rag_app.called import Mention, mentions
from rag_app.index import Generation
from rag_app.manifest import Entry
from rag_app.planning import Plan, names_of, plan
from rag_app.records import Hit
from rag_app.word_index import WordIndex, terms

CANDIDATES = 300  # taken from each list before fusion
MEANING_WEIGHT = 0.45  # of the normalised cosine; the rest is the passage's normalised BM25
PAGE_WEIGHT = 0.6  # of the normalised BM25 of the page that the passage is on
PAPER_WEIGHT = 0.3  # of the mean of the paper's three best passages
NAMED_BONUS = 0.15  # for passages of a paper that the question names
ASPECT_WEIGHT = 0.65  # of one aspect beside the whole question, in a comparison
ASPECT_PAGE_WEIGHT = 0.35  # PAGE_WEIGHT within one paper
ASPECT_RANK = 10  # the constant of reciprocal rank fusion (Cormack et al., 2009) over a comparison's aspects
COMPARED_PAGES = 24  # of each paper of a comparison, before the plain ranking goes on
SURVEY_MEANING_WEIGHT = 0.3  # "which papers use X?" is about the name X
SURVEY_NAME_WEIGHT = 3.0  # of a term that is a name, in such a question

RERANKED = 30  # hits that a reranker looks at again, where the settings name one
RERANKER_WEIGHT = 0.5  # of its judgement beside the fused score

EmbedQuestion = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Scope:
    """What a question is limited to. Empty fields do not limit."""

    papers: tuple[str, ...] = ()
    years: tuple[int, int] | None = None  # first and last, both included
    section: str = ""  # part of a section's heading, any case


class Reranker(Protocol):
    """Scores texts against a question; higher is better, only comparable within one call."""

    def score(self, question: str, texts: Sequence[str]) -> list[float]: ...


EVERYTHING = Scope()


@dataclass(frozen=True)
class _Query:
    """A text as both indexes see it."""

    terms: list[str]
    weights: list[float]
    vector: np.ndarray | None


class Retriever:
    """Searches one generation. Safe to share between threads."""

    def __init__(
        self, generation: Generation, embed_question: EmbedQuestion | None, reranker: Reranker | None = None
    ) -> None:
        self.generation = generation
        self._reranker = reranker
        self._embed = embed_question if generation.manifest.has_meaning else None
        self._names = names_of(generation.manifest.papers)

    def plan(self, question: str, scope: Scope = EVERYTHING) -> Plan:
        """How the question will be searched."""
        return plan(question, self._names, (e.paper for e in self.generation.manifest.papers if _in_scope(e, scope)))

    def named_papers(self, question: str) -> list[str]:
        """Papers that the question names by title, short name, arXiv id, or author and year, in order of mention."""
        return list(self.plan(question).named)

    def find(self, question: str, top: int = 10, scope: Scope = EVERYTHING) -> list[Hit]:
        """The best passages, best first, at most `top`. An empty index gives an empty list."""
        allowed = self._allowed(scope)
        if not allowed.any():
            return []
        decided = self.plan(question, scope)
        query = self._query(question, SURVEY_NAME_WEIGHT if decided.kind == "survey" else 1.0)
        ranking = self._ranking(query, decided, allowed, scope)
        rows, scores = ranking.rows, ranking.scores
        if decided.kind == "comparison":
            rows, scores = self._compare(query, decided, allowed, rows)
        elif self._reranker is not None:
            rows, scores = self._reranked(question, rows, scores)
        return self._hits(rows[:top], scores[:top], ranking)

    def mentions(self, question: str) -> list[Mention]:
        """Where the question names papers, also by names that a paper only coined."""
        return mentions(question, self._names.all)

    def aspect_hits(
        self, papers: Sequence[str], aspects: Sequence[str], question: str, top: int, scope: Scope = EVERYTHING
    ) -> dict[tuple[str, str], list[Hit]]:
        """For each paper and aspect the passages of that paper that speak to the aspect best, at most `top`.

        Ranks by words and by meaning are not told here: each list is of one paper only.
        """
        whole, queries = self._query(question), {aspect: self._query(aspect) for aspect in aspects}
        allowed = self._allowed(scope)
        found: dict[tuple[str, str], list[Hit]] = {}
        for paper in papers:
            entry = self.generation.by_paper[paper]
            rows = np.arange(entry.first, entry.first + entry.passages)
            rows = rows[allowed[rows]]
            of_question = self._within(whole, rows) if len(rows) else np.zeros(0)
            for aspect, query in queries.items():
                if not len(rows):
                    found[paper, aspect] = []
                    continue
                view = ASPECT_WEIGHT * self._within(query, rows) + (1 - ASPECT_WEIGHT) * of_question
                best = np.argsort(-view, kind="stable")[:top]
                passages = self.generation.passages(rows[best].tolist())
                found[paper, aspect] = [
                    Hit(passage, round(float(score), 5)) for passage, score in zip(passages, view[best], strict=True)
                ]
        return found

    # -- one query ----------------------------------------------------------------------------------------------

    def _query(self, text: str, name_weight: float = 1.0) -> _Query:
        words: list[str] = []
        weights: list[float] = []
        for match in re.finditer(r"\S+", text):
            of_word = terms(match[0])
            is_name = match.start() > 0 and any(letter.isupper() or letter.isdigit() for letter in match[0])
            words += of_word
            weights += [name_weight if is_name else 1.0] * len(of_word)
        return _Query(words, weights, self._embed(text) if self._embed else None)

    def _ranking(self, query: _Query, decided: Plan, allowed: np.ndarray, scope: Scope) -> _Ranking:
        """Both lists fused over all papers in scope."""
        generation = self.generation
        survey = decided.kind == "survey"
        words = _scores(generation.words, query) * allowed
        rows = _best(words, CANDIDATES)
        meaning = np.zeros(len(rows), dtype=np.float32)
        if query.vector is not None:
            # A section is not known to the store, so that more of its list is asked for and then thinned out.
            count = min(CANDIDATES * (4 if scope.section else 1), generation.manifest.passages)
            papers = [e.paper for e in generation.manifest.papers if _in_scope(e, scope)] if scope != EVERYTHING else []
            near, _ = generation.store.nearest(query.vector, count, papers)
            rows = np.union1d(rows, near[allowed[near]])
            meaning = generation.vectors[rows] @ query.vector
        share = (SURVEY_MEANING_WEIGHT if survey else MEANING_WEIGHT) if query.vector is not None else 0.0
        scores = (1 - share) * _normalised(words[rows]) + share * _normalised(meaning)
        owner = generation.rows[rows, 0]
        fused = scores + PAGE_WEIGHT * _normalised(_scores(generation.page_words, query))[generation.page_of_row[rows]]
        if not survey:
            fused = (
                fused
                + PAPER_WEIGHT * _paper_scores(scores, owner, [e.passages for e in generation.manifest.papers])[owner]
            )
        numbers = [number for number, entry in enumerate(generation.manifest.papers) if entry.paper in decided.named]
        fused = fused + NAMED_BONUS * np.isin(owner, numbers)
        order = np.argsort(-fused, kind="stable")
        return _Ranking(rows[order], fused[order], words[rows][order], meaning[order])

    def _reranked(self, question: str, rows: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first rows in a new order: a cross-encoder's judgement beside the fused score."""
        assert self._reranker is not None
        first = slice(0, RERANKED)
        texts = [passage.text for passage in self.generation.passages(rows[first].tolist())]
        judged = _normalised(np.array(self._reranker.score(question, texts), dtype=np.float32))
        blend = (1 - RERANKER_WEIGHT) * _normalised(scores[first]) + RERANKER_WEIGHT * judged
        order = np.argsort(-blend, kind="stable")
        # The others stay behind these, on the same scale.
        lowest = float(scores[first].min())
        return np.concatenate([rows[first][order], rows[RERANKED:]]), np.concatenate(
            [lowest + blend[order], scores[RERANKED:]]
        )

    # -- several papers, several aspects ------------------------------------------------------------------------

    def _compare(
        self, query: _Query, decided: Plan, allowed: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Each paper is searched for each aspect; their best pages take turns, then the plain ranking goes on."""
        aspects = [self._query(aspect) for aspect in decided.aspects]
        lists = [self._paper_pages(paper, query, aspects, allowed) for paper in decided.papers]
        turns = [ranked[place] for place in range(COMPARED_PAGES) for ranked in lists if place < len(ranked)]
        first = [row for page in turns for row in page]
        rest = others[~np.isin(others, first)]
        rows = np.concatenate([np.array(first, dtype=np.int64), rest])
        return rows, np.linspace(2.0, 1.0, len(rows), dtype=np.float32)

    def _paper_pages(
        self, paper: str, query: _Query, aspects: Sequence[_Query], allowed: np.ndarray
    ) -> list[list[int]]:
        """The rows of one paper's pages, best page first: of each page the passages that led to it, two at most."""
        entry = self.generation.by_paper[paper]
        rows = np.arange(entry.first, entry.first + entry.passages)
        rows = rows[allowed[rows]]
        if not len(rows):
            return []
        whole = self._within(query, rows)
        views = [ASPECT_WEIGHT * self._within(aspect, rows) + (1 - ASPECT_WEIGHT) * whole for aspect in aspects]
        pages = self.generation.page_of_row[rows]
        total: dict[int, float] = {}
        best: dict[int, dict[int, int]] = {}  # page -> row -> its best place in any view
        for view in [*views, whole]:
            seen: set[int] = set()
            for position in np.argsort(-view, kind="stable").tolist():
                page = int(pages[position])
                if page in seen:
                    continue
                total[page] = total.get(page, 0.0) + 1.0 / (ASPECT_RANK + len(seen))
                places = best.setdefault(page, {})
                row = int(rows[position])
                places[row] = min(len(seen), places.get(row, len(seen)))
                seen.add(page)
        order = sorted(total, key=lambda page: -total[page])
        return [sorted(best[page], key=lambda row: best[page][row])[:2] for page in order]

    def _within(self, query: _Query, rows: np.ndarray) -> np.ndarray:
        """Scores of one paper's passages for one query."""
        generation = self.generation
        words = _normalised(_scores(generation.words, query)[rows])
        page = _normalised(_scores(generation.page_words, query)[generation.page_of_row[rows]])
        if query.vector is None:
            return words + ASPECT_PAGE_WEIGHT * page
        meaning = _normalised(generation.vectors[rows] @ query.vector)
        return (1 - MEANING_WEIGHT) * words + MEANING_WEIGHT * meaning + ASPECT_PAGE_WEIGHT * page

    # -- scope and result ---------------------------------------------------------------------------------------

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

    def _hits(self, rows: np.ndarray, scores: np.ndarray, ranking: _Ranking) -> list[Hit]:
        by_words, by_meaning = _places(ranking.rows, ranking.words), _places(ranking.rows, ranking.meaning)
        passages = self.generation.passages(rows.tolist())
        return [
            Hit(
                passage=passage,
                score=round(float(score), 5),
                by_meaning=by_meaning.get(int(row), 0) if self._embed else 0,
                by_words=by_words.get(int(row), 0),
            )
            for passage, row, score in zip(passages, rows, scores, strict=True)
        ]


@dataclass(frozen=True)
class _Ranking:
    """Candidates, best first, with the fused score, the BM25 and the cosine of each."""

    rows: np.ndarray
    scores: np.ndarray
    words: np.ndarray
    meaning: np.ndarray


def _in_scope(entry: Entry, scope: Scope) -> bool:
    if scope.papers and entry.paper not in scope.papers:
        return False
    return scope.years is None or scope.years[0] <= entry.year <= scope.years[1]


def _scores(index: WordIndex, query: _Query) -> np.ndarray:
    return index.scores(query.terms, query.weights)


def _places(rows: np.ndarray, scores: np.ndarray) -> dict[int, int]:
    """Row -> its rank in one list, from 1; rows that the list does not have (score 0) are left out."""
    order = [position for position in np.argsort(-scores, kind="stable").tolist() if scores[position] > 0]
    return {int(rows[position]): rank for rank, position in enumerate(order, start=1)}


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """Rows with the highest positive scores, at most `count`, in row order."""
    count = min(count, int((scores > 0).sum()))
    return np.sort(np.argpartition(-scores, count - 1)[:count]) if count else np.zeros(0, dtype=np.int64)


def _normalised(scores: np.ndarray) -> np.ndarray:
    """Scores moved and scaled to [0, 1]: BM25 and cosine share no scale."""
    if not len(scores):
        return scores
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def _paper_scores(scores: np.ndarray, owner: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """For each paper the mean of its three best passages; what did not become a candidate counts as nothing.

    `sizes` are the passages that each paper has: an abstract of one passage is not scored down for being short.
    """
    result = np.zeros(len(sizes), dtype=np.float32)
    for paper in np.unique(owner):
        result[paper] = np.sort(scores[owner == paper])[-3:].sum() / min(3, sizes[paper])
    return result
