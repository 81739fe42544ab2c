"""Question -> ranked hits: by meaning and by words, of passages and of whole pages, fused.

Every figure below was chosen on questions that are asked of real papers: docs/experiments/benchmarks.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import Mention, find_mentions
from rag_app.index.vector_search import dot, top_indices
from rag_app.models.reranker import Reranker
from rag_app.models.vector_cache import EmbedQuestion, EmbedQuestions, QuestionVectors
from rag_app.records import Hit
from rag_app.retrieval.descriptions import DescriptionMatcher
from rag_app.retrieval.plan import SearchPlan, index_names, plan_search

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

SPELLINGS_LOOKED_AT = 160  # passages with a word, to see whether it is written as a name
MOST_PASSAGES = 0.5  # of all: a word in more of them is no name
SPELLED_AT_LEAST = 3  # times, of a name whose only capital is its first letter
OWNED = 0.1  # of the passages with a name are its paper's: else the name speaks of a field

_WITHIN = re.compile(r"[^\W_][,;)]?\s\Z")  # what stands in front of a word within a sentence

RERANKED = 30  # hits that a reranker looks at again, where the settings name one
RERANKER_WEIGHT = 0.5  # of its judgement beside the fused score


@dataclass(frozen=True)
class Scope:
    """What a question is limited to. Empty fields do not limit."""

    papers: tuple[str, ...] = ()
    years: tuple[int, int] | None = None  # first and last, both included
    section: str = ""  # part of a section's heading, any case


EVERYTHING = Scope()


@dataclass(frozen=True)
class _Query:
    """A text as both indexes see it."""

    terms: list[str]
    weights: list[float]
    vector: np.ndarray | None


class Retriever:
    """Searches one generation. Thread-safe. `embed_questions` embeds several texts at once."""

    def __init__(
        self,
        generation: Generation,
        embed_question: EmbedQuestion | None,
        reranker: Reranker | None = None,
        embed_questions: EmbedQuestions | None = None,
    ) -> None:
        self.generation = generation
        self._reranker = reranker
        self._embed = (
            QuestionVectors(embed_question, embed_questions)
            if embed_question and generation.manifest.has_meaning
            else None
        )
        self._names = index_names(generation.manifest.papers)
        self._descriptions = DescriptionMatcher(generation, self._embed)
        self._small: dict[str, str] = {}

    @property
    def names(self) -> Collection[str]:
        """Everything that papers are called, folded."""
        return self._names.all.keys() | self._names.heads.keys()

    def plan(self, question: str, scope: Scope = EVERYTHING) -> SearchPlan:
        """How the question will be searched."""
        papers = self.generation.by_paper if scope == EVERYTHING else self._papers_in(scope)
        return plan_search(
            question,
            self._names,
            papers,
            self._descriptions.find,
            self.is_written_small,
            self.is_owned_name,
            self.holds_most,
        )

    def is_written_small(self, word: str) -> bool:
        """Whether a word in lower case is a name all the same: where the papers write it, they mostly use capitals."""
        return bool(self.spelling_of(word))

    def spelling_of(self, word: str) -> str:
        """How the papers write a name that is typed in lower case ("lora" -> "LoRA"); empty for an ordinary word."""
        if word not in self._small:
            self._small[word] = self._spelling_in_papers(word) if len(word) > 2 else ""
        return self._small[word]

    def _spelling_in_papers(self, word: str) -> str:
        rows: np.ndarray | None = None
        for term in extract_terms(word):
            holding = self.generation.words.rows_with(term)
            rows = holding if rows is None else np.intersect1d(rows, holding)
        if rows is None or not 0 < len(rows) <= MOST_PASSAGES * self.generation.manifest.passages:
            return ""
        step = max(1, len(rows) // SPELLINGS_LOOKED_AT)
        passages = self.generation.passages(rows[::step].tolist())
        titles = {self.generation.by_paper[passage.paper].title for passage in passages}
        text = " ".join([*(passage.text for passage in passages), *titles])
        spelled = r"[-\s]?".join(map(re.escape, word.split("-")))
        pattern = re.compile(rf"(?<![\w-]){spelled}(?!\w|-[a-z])", re.IGNORECASE)
        matches = list(pattern.finditer(text))
        found = Counter(match[0] for match in matches)
        inner = sum(count for one, count in found.items() if any(letter.isupper() for letter in one[1:]))
        # Where a sentence begins, any word has a capital ("Besides,").
        capitals = [one.start() for one in matches if one[0][:1].isupper()]
        first = sum(_WITHIN.search(text[max(0, start - 3) : start]) is not None for start in capitals)
        # A word that often stands within a sentence in lower case is an ordinary one.
        small = sum(count for one, count in found.items() if one == one.lower())
        if small * 4 > found.total() or not (inner or first >= SPELLED_AT_LEAST):
            return ""
        return max(found, key=lambda one: (found[one], one))

    def is_owned_name(self, paper: str, name: str) -> bool:
        """Whether the paper holds a good part of the passages with the name, which then means it, not a field."""
        holding = [self.generation.words.rows_with(term) for term in extract_terms(name)]
        if len(holding) != 1:  # a name of several words is no word of a field
            return True
        rarest = min(holding, key=len)
        entry = self.generation.by_paper[paper]
        own = int(((entry.first <= rarest) & (rarest < entry.first + entry.passages)).sum())
        return own == 0 or own >= OWNED * len(rarest)

    def holds_most(self, paper: str, words: str) -> bool:
        """Whether most of the passages with all of these words are the paper's: else they speak of a field."""
        holding = [self.generation.words.rows_with(term) for term in extract_terms(words)]
        rows = reduce(np.intersect1d, holding) if holding else np.zeros(0, dtype=np.int64)
        entry = self.generation.by_paper[paper]
        return bool(2 * ((entry.first <= rows) & (rows < entry.first + entry.passages)).sum() > len(rows))

    def speaks_of(self, paper: str, name: str) -> bool:
        """Whether one passage of the paper has all terms of the name."""
        rows = self.generation.by_paper[paper].rows
        holding = [self.generation.words.rows_with(term, rows) for term in extract_terms(name)]
        return bool(holding) and len(reduce(np.intersect1d, holding)) > 0

    def named_papers(self, question: str) -> list[str]:
        """Papers that the question names by title, short name, arXiv id, or author and year, in order of mention."""
        return list(self.plan(question).named)

    def find_passages(
        self, question: str, top: int = 10, scope: Scope = EVERYTHING, planned: SearchPlan | None = None
    ) -> list[Hit]:
        """The best passages, best first, at most `top`. An empty index gives an empty list.

        `planned`: the question's plan where it is known; None: it is planned here.
        """
        allowed = self._allowed_rows(scope)
        if not (self.generation.manifest.passages if allowed is None else allowed.any()):
            return []
        decided = planned or self.plan(question, scope)
        self._embed_ahead([question, *decided.aspects])
        query = self._query(question, SURVEY_NAME_WEIGHT if decided.kind == "survey" else 1.0)
        ranking = self._rank_rows(query, decided, allowed)
        rows, scores = ranking.rows, ranking.scores
        if decided.kind == "comparison":
            rows, scores = self._rank_comparison(query, decided, allowed, rows)
        elif self._reranker is not None:
            rows, scores = self._rerank_rows(question, rows, scores)
        return self._hits(rows[:top], scores[:top], ranking)

    def find_mentions(self, question: str) -> list[Mention]:
        """Where the question names papers, also by names that a paper only coined."""
        return find_mentions(question, self._names.all, self.is_written_small)

    def aspect_hits(
        self, papers: Sequence[str], aspects: Sequence[str], question: str, top: int, scope: Scope = EVERYTHING
    ) -> dict[tuple[str, str], list[Hit]]:
        """For each paper and aspect the passages of that paper that speak to the aspect best, at most `top`.

        Ranks by words and by meaning are not told here: each list is of one paper only.
        """
        self._embed_ahead([question, *aspects])
        whole, queries = self._query(question), {aspect: self._query(aspect) for aspect in aspects}
        allowed = self._allowed_rows(scope)
        found: dict[tuple[str, str], list[Hit]] = {}
        for paper in papers:
            entry = self.generation.by_paper[paper]
            rows = _rows_of(entry, allowed)
            of_question = self._score_within(whole, entry, rows) if len(rows) else np.zeros(0)
            for aspect, query in queries.items():
                if not len(rows):
                    found[paper, aspect] = []
                    continue
                view = ASPECT_WEIGHT * self._score_within(query, entry, rows) + (1 - ASPECT_WEIGHT) * of_question
                best = np.argsort(-view, kind="stable")[:top]
                passages = self.generation.passages(rows[best].tolist())
                found[paper, aspect] = [
                    Hit(passage, round(float(score), 5)) for passage, score in zip(passages, view[best], strict=True)
                ]
        return found

    # -- one query ----------------------------------------------------------------------------------------------

    def _embed_ahead(self, texts: Sequence[str]) -> None:
        if self._embed is not None:
            self._embed.embed_ahead(texts)

    def _query(self, text: str, name_weight: float = 1.0) -> _Query:
        words: list[str] = []
        weights: list[float] = []
        for match in re.finditer(r"\S+", text):
            of_word = extract_terms(match[0])
            is_name = match.start() > 0 and any(letter.isupper() or letter.isdigit() for letter in match[0])
            words += of_word
            weights += [name_weight if is_name else 1.0] * len(of_word)
        return _Query(words, weights, self._embed(text) if self._embed else None)

    def _rank_rows(self, query: _Query, decided: SearchPlan, allowed: np.ndarray | None) -> _Ranking:
        """Both lists fused over all papers in scope."""
        generation = self.generation
        survey = decided.kind == "survey"
        words = generation.words.scores(query.terms, query.weights)
        if allowed is not None:
            words *= allowed
        rows = _best_rows(words, CANDIDATES)
        meaning = np.zeros(len(rows), dtype=np.float32)
        if query.vector is not None:
            rows = np.union1d(rows, generation.search.nearest(query.vector, CANDIDATES, allowed)[0])
            meaning = dot(generation.vectors[rows], query.vector)
        share = (SURVEY_MEANING_WEIGHT if survey else MEANING_WEIGHT) if query.vector is not None else 0.0
        scores = (1 - share) * _normalise_scores(words[rows]) + share * _normalise_scores(meaning)
        owner = generation.rows[rows, 0]
        pages = generation.page_words.scores(query.terms, query.weights)
        fused = scores + PAGE_WEIGHT * _normalise_scores(pages, generation.page_of_row[rows])
        if not survey:
            fused = fused + PAPER_WEIGHT * _paper_scores(scores, owner, generation.sizes)[owner]
        fused = fused + NAMED_BONUS * np.isin(owner, [generation.number_of[paper] for paper in decided.named])
        order = np.argsort(-fused, kind="stable")
        return _Ranking(rows[order], fused[order], words[rows][order], meaning[order])

    def _rerank_rows(self, question: str, rows: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first rows in a new order: a cross-encoder's judgement beside the fused score."""
        assert self._reranker is not None
        first = slice(0, RERANKED)
        texts = [passage.text for passage in self.generation.passages(rows[first].tolist())]
        judged = _normalise_scores(np.array(self._reranker.score(question, texts), dtype=np.float32))
        blend = (1 - RERANKER_WEIGHT) * _normalise_scores(scores[first]) + RERANKER_WEIGHT * judged
        order = np.argsort(-blend, kind="stable")
        # The others stay behind these, on the same scale.
        lowest = float(scores[first].min())
        return np.concatenate([rows[first][order], rows[RERANKED:]]), np.concatenate(
            [lowest + blend[order], scores[RERANKED:]]
        )

    # -- several papers, several aspects ------------------------------------------------------------------------

    def _rank_comparison(
        self, query: _Query, decided: SearchPlan, allowed: np.ndarray | None, others: np.ndarray
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
        self, paper: str, query: _Query, aspects: Sequence[_Query], allowed: np.ndarray | None
    ) -> list[list[int]]:
        """The rows of one paper's pages, best page first: of each page the passages that led to it, two at most."""
        entry = self.generation.by_paper[paper]
        rows = _rows_of(entry, allowed)
        if not len(rows):
            return []
        whole = self._score_within(query, entry, rows)
        views = [
            ASPECT_WEIGHT * self._score_within(aspect, entry, rows) + (1 - ASPECT_WEIGHT) * whole for aspect in aspects
        ]
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

    def _score_within(self, query: _Query, entry: IndexedPaper, rows: np.ndarray) -> np.ndarray:
        """Scores of one paper's passages (`rows`: all or some of them) for one query, whatever the library's size."""
        generation = self.generation
        words = _normalise_scores(generation.words.scores(query.terms, query.weights, entry.rows)[rows - entry.first])
        pages = generation.page_of_row[rows]
        page_rows = slice(int(pages[0]), int(pages[-1]) + 1)
        page = _normalise_scores(
            generation.page_words.scores(query.terms, query.weights, page_rows)[pages - page_rows.start]
        )
        if query.vector is None:
            return words + ASPECT_PAGE_WEIGHT * page
        meaning = _normalise_scores(dot(generation.vectors[rows], query.vector))
        return (1 - MEANING_WEIGHT) * words + MEANING_WEIGHT * meaning + ASPECT_PAGE_WEIGHT * page

    # -- scope and result ---------------------------------------------------------------------------------------

    def _papers_in(self, scope: Scope) -> dict[str, IndexedPaper]:
        """The papers that the scope leaves, in the order of their rows."""
        papers, wanted = self.generation.by_paper, set(scope.papers)
        return {
            paper: entry
            for paper, entry in papers.items()
            if (not wanted or paper in wanted)
            and (scope.years is None or scope.years[0] <= entry.year <= scope.years[1])
        }

    def _allowed_rows(self, scope: Scope) -> np.ndarray | None:
        """bool (passages,): which rows the scope leaves; None: all."""
        if scope == EVERYTHING:
            return None
        allowed = np.zeros(self.generation.manifest.passages, dtype=bool)
        wanted = scope.section.casefold()
        for paper, entry in self._papers_in(scope).items():
            passages = self.generation.passages_of(paper) if wanted else ()
            allowed[entry.rows] = [wanted in passage.section.casefold() for passage in passages] if wanted else True
        return allowed

    def _hits(self, rows: np.ndarray, scores: np.ndarray, ranking: _Ranking) -> list[Hit]:
        by_words, by_meaning = _ranks_of(ranking.rows, ranking.words), _ranks_of(ranking.rows, ranking.meaning)
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


def _rows_of(entry: IndexedPaper, allowed: np.ndarray | None) -> np.ndarray:
    """The rows of one paper that may be found."""
    rows = np.arange(entry.rows.start, entry.rows.stop)
    return rows if allowed is None else rows[allowed[rows]]


def _ranks_of(rows: np.ndarray, scores: np.ndarray) -> dict[int, int]:
    """Row -> its rank in one list, from 1; rows that the list does not have (score 0) are left out."""
    order = [position for position in np.argsort(-scores, kind="stable").tolist() if scores[position] > 0]
    return {int(rows[position]): rank for rank, position in enumerate(order, start=1)}


def _best_rows(scores: np.ndarray, count: int) -> np.ndarray:
    """Rows with the highest positive scores, at most `count`, in row order."""
    return np.sort(top_indices(scores, min(count, int(np.count_nonzero(scores > 0)))))


def _normalise_scores(scores: np.ndarray, places: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Scores moved and scaled to [0, 1], since BM25 and cosine share no scale; of all, those at `places`."""
    if not len(scores):
        return scores
    low, high = float(scores.min()), float(scores.max())
    return (scores[places] - low) / (high - low) if high > low else np.zeros_like(scores[places])


def _paper_scores(scores: np.ndarray, owner: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """For each paper the mean of its three best passages; what did not become a candidate counts as nothing.

    `sizes` are the passages that each paper has: an abstract of one passage is not scored down for being short.
    """
    result = np.zeros(len(sizes), dtype=np.float32)
    order = np.lexsort((-scores, owner))  # by paper, its best passage first
    owner, scores = owner[order], scores[order]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    place = np.arange(len(owner)) - np.repeat(first, np.diff(first, append=len(owner)))
    for rank in (2, 1, 0):  # the third best first: a sum of float32 depends on its order
        result[owner[place == rank]] += scores[place == rank]
    mean: np.ndarray = result / np.clip(sizes, 1, 3)
    return mean
