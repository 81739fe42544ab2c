"""Answering from whole papers instead of passages, where they fit the model's window; what that sends and costs.

The papers stand first in the prompt and in a fixed order, so that a second question about them begins with the same
tokens: providers then bill them as cached, and llama.cpp does not read them again.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from rag_app.answering.context import RetrievedEvidence, papers_in
from rag_app.answering.model.reader import ModelReader
from rag_app.answering.steps import answer_from_evidence
from rag_app.errors import ModelWindowExceeded
from rag_app.index.generations import Generation
from rag_app.models.embedder import SentenceEmbedder
from rag_app.models.llm.client import answer_tokens
from rag_app.models.llm.prompt_safety import estimate_tokens
from rag_app.records import Answer, Event, Evidence, Progress
from rag_app.retrieval.hybrid import Scope
from rag_app.settings import Settings

LEFT_OUT = ("bibliography", "furniture")
NEEDS_MODEL = "Whole papers can only be read by a language model, and none is set: the best passages were quoted."


@dataclass(frozen=True)
class PromptEstimate:
    """What a question about whole papers would send."""

    papers: int
    tokens: int  # of the prompt, estimated, rather too high
    answer: int  # tokens at most
    window: int
    cost: float  # at most, in the currency of RAG_LLM_PRICE_IN and RAG_LLM_PRICE_OUT; 0 where neither is set

    @property
    def fits(self) -> bool:
        """Whether prompt and answer fit the model's window."""
        return self.papers > 0 and self.tokens + self.answer <= self.window

    @property
    def words(self) -> str:
        """A sentence for the user."""
        papers = "1 whole paper" if self.papers == 1 else f"{self.papers} whole papers"
        said = f"{papers}, about {self.tokens:,} tokens; the answer at most {self.answer:,}"
        cost = f"; at most {self.cost:.4g} by the prices that are set" if self.cost else ""
        if self.fits:
            return f"{said}{cost}; the model's window holds {self.window:,}"
        return f"{said}: more than the model's window of {self.window:,}, so the best passages are read instead"


def collect_pages(generation: Generation, scope: Scope) -> list[Evidence]:
    """Every page of the papers in scope, in the index's order, numbered from 1; reference lists are left out."""
    found: list[Evidence] = []
    for entry in papers_in(generation, scope):
        if not entry.passages:
            continue
        for page in generation.get_reading(entry.paper).pages:
            blocks = [block for block in page.blocks if block.kind not in LEFT_OUT]
            start, end = (blocks[0].start, blocks[-1].end) if blocks else (0, 0 if page.blocks else len(page.text))
            if not page.text[start:end].strip():
                continue
            section = blocks[0].section if blocks else ""
            digest = entry.state == "digest only"
            text = page.text[start:end]
            found.append(
                Evidence(
                    len(found) + 1, entry.paper, entry.title, page.number, page.label, section, start, end, text, digest
                )
            )
    return found


def estimate_prompt(
    question: str, pages: Sequence[Evidence], reader: ModelReader, settings: Settings
) -> PromptEstimate:
    """What asking the reader's model this question of these pages would send."""
    system, user = reader.without_limit().prompt(question, pages)
    window = reader.model.window
    tokens, answer = estimate_tokens(system + user), answer_tokens(settings.llm_max_tokens, window)
    cost = (tokens * settings.llm_price_in + answer * settings.llm_price_out) / 1e6
    return PromptEstimate(len({piece.paper for piece in pages}), tokens, answer, window, cost)


def answer_from_whole_papers(
    found: RetrievedEvidence,
    reader: ModelReader,
    settings: Settings,
    stop: threading.Event,
    meaning: SentenceEmbedder | None,
) -> Generator[Event, None, Answer]:
    """As answer_from, with the whole papers as evidence where they fit, else with what was found; a note says which."""
    pages = collect_pages(found.generation, found.scope)
    plan = estimate_prompt(found.question, pages, reader, settings)
    note = f"Read: {plan.words}." if plan.fits else f"Not read whole: {plan.words}."
    if plan.fits:
        yield Progress("reading", f"sending {plan.words}")
        try:
            answer = yield from answer_from_evidence(
                replace(found, evidence=pages), reader.without_limit(), stop, meaning
            )
            return replace(answer, notes=(*answer.notes, note))
        except ModelWindowExceeded:  # the server counts tokens that we can only estimate
            note = "Not read whole: the model's server counted more tokens than its window holds."
    answer = yield from answer_from_evidence(found, reader, stop, meaning)
    return replace(answer, notes=(*answer.notes, note))
