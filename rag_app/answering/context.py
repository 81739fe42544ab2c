"""The evidence found for a question, and the context that each way to answer gets."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce

import numpy as np

from rag_app.answering.model.reader import ModelReader, Reader
from rag_app.answering.quoting.one_paper import Subject
from rag_app.answering.quoting.reader import QuotingReader
from rag_app.answering.tables.comparison import CellMemory
from rag_app.index.bm25 import extract_terms
from rag_app.index.build_report import FAILED_STATES
from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import title_head
from rag_app.models.embedder import SentenceEmbedder
from rag_app.records import Answer, Evidence, Hit, PageOf, SearchSummary
from rag_app.retrieval.comparison import Comparison
from rag_app.retrieval.context import gather
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.question import AnalysedQuestion
from rag_app.settings import Settings
from rag_app.text.terms import squash


@dataclass(frozen=True)
class RetrievedEvidence:
    """The evidence for a question, and the generation that it is from."""

    question: str  # as it is answered: the reader's words may differ from those that were searched
    analysed: AnalysedQuestion
    generation: Generation
    evidence: list[Evidence]
    wide: list[Evidence]  # what the reader without a model would read: by it the chance of an answer is measured
    page_of: PageOf  # remembers every page that the evidence is from: reading may take longer than the files stay
    cells: Mapping[tuple[str, str], Sequence[Evidence]] = field(default_factory=dict)  # by paper and aspect's label
    subject: Subject | None = None  # the one paper that the question is about
    clear: float = 0.0  # how clearly retrieval found it: confidence.clearness

    @property
    def scope(self) -> Scope:
        return self.analysed.scope

    @property
    def comparison(self) -> Comparison | None:
        """What is answered as a table."""
        return self.analysed.comparison

    def names_of(self, paper: str) -> Sequence[str]:
        """What people call the paper."""
        return self.generation.by_paper[paper].short_names


def papers_in(generation: Generation, scope: Scope) -> list[IndexedPaper]:
    """The papers that a question with this scope is asked of."""
    return [
        entry
        for entry in generation.manifest.papers
        if (not scope.papers or entry.paper in scope.papers)
        and (scope.years is None or scope.years[0] <= entry.year <= scope.years[1])
    ]


class IndexTermStatistics:
    """What a generation knows about words: how rare one is, and whether a paper uses several together."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self.size = generation.manifest.passages

    def frequency(self, term: str) -> int:
        return self._generation.words.frequency(term)

    def count_together(self, paper: str, terms: Sequence[str]) -> int:
        rows = self._generation.by_paper[paper].rows
        holding = [self._generation.words.rows_with(term, rows) for term in terms]
        return len(reduce(np.intersect1d, holding)) if holding else 0


@dataclass(frozen=True)
class SurveyTopic:
    """What is looked for in every paper."""

    text: str
    names: tuple[str, ...]  # of things that a paper must name
    either: bool  # one of the names is enough
    mentioned: bool  # being named is enough
    sure: bool = True  # the question can mean nothing but papers
    besides: tuple[str, ...] = ()  # papers that are not asked for
    forms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # a name's other forms: "BPE"

    def spellings(self, name: str) -> tuple[str, ...]:
        """The name and its other forms."""
        return (name, *self.forms.get(name, ()))


NAMING, NEAR = 12, 6  # passages of one paper that are read: those that name the topic, or those nearest to it
TOKENS = 3_000  # of one paper


@dataclass(frozen=True)
class AnswerContext:
    """All that a route needs to know whether it answers a question, and to answer it."""

    question: AnalysedQuestion
    retriever: Retriever
    reader: Reader  # who answers: a language model, or the quoting reader
    settings: Settings
    meaning: SentenceEmbedder
    stop: threading.Event
    search: Callable[[], RetrievedEvidence]
    cells: CellMemory = field(default_factory=CellMemory)
    whole: bool = False  # papers go to the model whole, where they fit
    _evidence: list[RetrievedEvidence] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def evidence(self) -> RetrievedEvidence:
        """The evidence for the question; searched for when a route first wants it. Raises IndexFault."""
        # Not functools.cached_property: Python 3.11 has one lock there for all contexts, so searches would wait.
        if not self._evidence:
            self._evidence.append(self.search())
        return self._evidence[0]

    @property
    def model(self) -> ModelReader | None:
        """The reader where it is a language model."""
        return self.reader if isinstance(self.reader, ModelReader) else None

    @property
    def quotes(self) -> bool:
        """Whether the papers are quoted and no model is asked."""
        return isinstance(self.reader, QuotingReader)

    @property
    def generation(self) -> Generation:
        return self.retriever.generation

    def title_of(self, paper: str) -> tuple[str, bool]:
        entry = self.generation.by_paper[paper]
        return entry.title, entry.state == "digest only"

    def read_passages(self, rows: Sequence[int], tokens: int) -> list[Evidence]:
        """The passages of these rows with their neighbourhoods."""
        hits = [Hit(passage, 0.0) for passage in self.generation.passages(list(rows))]
        return gather(hits, self.evidence.page_of, self.title_of, tokens)


def short_name(entry: IndexedPaper) -> str:
    """What a paper is called in a table or a list."""
    return next(iter(entry.short_names), "") or title_head(entry.title) or entry.title or entry.paper


def find_best_rows(context: AnswerContext, topic: SurveyTopic) -> Callable[[IndexedPaper], list[int]]:
    """For a paper, the rows of its passages on the topic: those that name it, or else those nearest to it."""
    generation = context.generation
    words = generation.words.scores(extract_terms(topic.text))
    if topic.names:
        holding = [
            np.unique(np.concatenate([rows_with_name(generation, form) for form in topic.spellings(name)]))
            for name in topic.names
        ]

        def rows_naming_topic(entry: IndexedPaper) -> list[int]:
            own = [rows[(entry.first <= rows) & (rows < entry.first + entry.passages)] for rows in holding]
            if not (any if topic.either else all)(len(rows) for rows in own):
                return []
            rows = np.unique(np.concatenate(own))
            return [int(row) for row in rows[np.argsort(-words[rows], kind="stable")][:NAMING]]

        return rows_naming_topic
    likeness = words / (float(words.max()) or 1.0)
    if generation.manifest.has_meaning:
        likeness = likeness + generation.vectors @ context.meaning.embed_question(topic.text)

    def nearest_rows(entry: IndexedPaper) -> list[int]:
        order = np.argsort(-likeness[entry.first : entry.first + entry.passages], kind="stable")[:NEAR]
        return [entry.first + int(place) for place in order]

    return nearest_rows


def rows_with_name(generation: Generation, name: str) -> np.ndarray:
    """The rows that may hold the name in one of its spellings: HotpotQA, Hotpot-QA, hotpot QA."""
    whole = squash(name)
    spellings = [extract_terms(name), extract_terms(whole), extract_terms(f"{whole}s")]
    vocabulary = generation.words.vocabulary
    for at in range(2, len(whole) - 1):
        parts = [extract_terms(whole[:at]), extract_terms(whole[at:])]
        if all(len(part) == 1 and part[0] in vocabulary for part in parts):
            spellings.append([part[0] for part in parts])
    found = [np.zeros(0, dtype=np.int64)]
    for spelling in spellings:
        holding = [generation.words.rows_with(term) for term in spelling]
        if holding:
            found.append(reduce(np.intersect1d, holding))
    return np.unique(np.concatenate(found)).astype(np.int64)


@lru_cache(maxsize=512)
def name_pattern(name: str, any_case: bool = False) -> re.Pattern[str]:
    """Matches the name in any spelling: case, blanks and hyphens between its letters do not count.

    Of a short one in capitals ("ARES") case counts unless `any_case`, since it may be a word or a part of one.
    """
    whole = squash(name)
    short = len(whole) <= 5 and name.isupper() and not any_case
    letters = [re.escape(letter) for letter in (whole.upper() if short else whole)]
    spelled = "".join(letters) if short else r"[\s_-]{0,2}".join(letters)
    return re.compile(rf"(?<![^\W_]){spelled}(?:['’]?s)?(?![^\W_])", 0 if short else re.IGNORECASE)


def count_papers(count: int) -> str:
    return "1 paper" if count == 1 else f"{count} papers"


def summarise_search(entries: Sequence[IndexedPaper], read: int, answer: Answer) -> SearchSummary:
    unreadable = tuple(entry.paper for entry in entries if entry.state in FAILED_STATES)
    quoted = len({citation.paper for citation in answer.citations})
    return SearchSummary(len(entries) - len(unreadable), read, quoted, unreadable)
