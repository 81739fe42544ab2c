"""One question for a model that leads, with all that it may look at and spend."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag_app.answering.model.catalogue import Catalogue, make_catalogue
from rag_app.answering.model.evidence_book import EvidenceBook
from rag_app.answering.model.pages import best_pages
from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import title_head
from rag_app.models.llm.call import ChatModel, Reply
from rag_app.models.llm.client import answer_tokens
from rag_app.records import Answer, Evidence, ModelUse, PageOf
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.settings import Settings

WINDOW_SHARE = 0.6  # of the window: the evidence; the rest is for rules, catalogue, conversation and answer
MIDDLE_BUDGET = 16_000  # tokens of evidence for a model of middle size
HITS_OF_A_PAPER = 40  # passages by which the pages of one paper are ranked


@dataclass
class Spending:
    """What a question has cost so far."""

    calls: int = 0
    tokens: int = 0
    cached: int = 0
    _spans: list[tuple[float, float]] = field(default_factory=list)

    def add(self, reply: Reply) -> None:
        self.calls += 1
        self.tokens += reply.tokens
        self.cached += reply.cached
        self._spans.append(reply.span)

    @property
    def seconds(self) -> float:
        """In which at least one call was running."""
        total, until = 0.0, 0.0
        for began, ended in sorted(self._spans):
            total += max(0.0, ended - max(began, until))
            until = max(until, ended)
        return total


@dataclass
class ModelTask:
    """What one question is answered with. Used by one thread, but for `catalogue` and `pages_for`."""

    question: str  # as typed
    model: ChatModel
    generation: Generation
    retriever: Retriever
    scope: Scope
    page_of: PageOf
    entries: Sequence[IndexedPaper]  # the papers in scope
    settings: Settings
    stop: threading.Event
    history: Sequence[Answer] = ()
    whole: bool = False  # the papers in scope go in whole, where they fit
    middle: bool = False  # a model of middle size: less evidence, no tools
    searchable: bool = True  # the question is in a language of the papers
    book: EvidenceBook = field(default_factory=EvidenceBook)
    spending: Spending = field(default_factory=Spending)
    notes: list[str] = field(default_factory=list)
    chosen: Sequence[IndexedPaper] = ()  # the papers that a comparison or a survey looks at
    began: float = field(default_factory=time.monotonic)
    _catalogue: Catalogue | None = field(default=None, init=False, repr=False, compare=False)
    _making: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    @property
    def catalogue(self) -> Catalogue:
        """Made once, when it is first wanted; it takes a search."""
        # Not functools.cached_property: Python 3.11 has one lock there for all tasks, so that questions would wait.
        with self._making:
            if self._catalogue is None:
                self._catalogue = make_catalogue(
                    self.generation, self.entries, self.retriever, self.question, self.scope
                )
            return self._catalogue

    @property
    def budget(self) -> int:
        """Tokens of evidence for one prompt: a share of the window, at most what the settings say."""
        window = self.model.window
        room = int(window * WINDOW_SHARE) if window > 8192 else window - 3_000 - answer_tokens(1024, window)
        if self.middle:
            room = min(room, MIDDLE_BUDGET)
        return max(500, min(room, self.settings.llm_budget or room))

    @property
    def must_end(self) -> bool:
        """Whether what may be spent on one question is spent: seconds, or money where prices are set."""
        settings = self.settings
        spent = self.spending.tokens * max(settings.llm_price_in, settings.llm_price_out) / 1e6
        too_dear = bool(settings.llm_question_price) and spent >= settings.llm_question_price
        return too_dear or time.monotonic() - self.began >= settings.llm_question_seconds

    def describe_spending(self, check: int = 0) -> ModelUse | None:
        """What the question has cost so far, `check` tokens of it for the check; None without a call."""
        spent = self.spending
        return ModelUse(self.model.name, spent.calls, spent.tokens, spent.cached, check) if spent.calls else None

    def pages_for(self, entry: IndexedPaper, searches: Sequence[str], budget: int) -> list[Evidence]:
        """A paper in whole where it fits `budget` tokens, else its best pages for the searches. Thread-safe."""
        asked = [search for search in searches if search.strip()] or [entry.title or entry.paper]
        hits = self.retriever.aspect_hits([entry.paper], asked, asked[0], HITS_OF_A_PAPER, self.scope)
        lists = [hits[entry.paper, search] for search in dict.fromkeys(asked)]
        turns = [one[place].passage.page for place in range(HITS_OF_A_PAPER) for one in lists if place < len(one)]
        return best_pages(self.generation, entry, list(dict.fromkeys(turns)), budget)

    def find_papers(self, names: Sequence[str]) -> list[IndexedPaper]:
        """The papers that a model or a user names, each once, in order; what names none is left out."""
        found = [entry for name in names for entry in self.catalogue.find(str(name))]
        return list({entry.paper: entry for entry in found}.values())

    def short_name(self, entry: IndexedPaper) -> str:
        """What a paper is called in a table, a list or a step."""
        return next(iter(entry.short_names), "") or title_head(entry.title) or entry.title or entry.paper
