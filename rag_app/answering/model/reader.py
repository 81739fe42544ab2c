"""Question and evidence -> a draft with [n] marks, written by a language model (its prompts: prompts.py)."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from math import inf
from typing import Protocol

from rag_app.answering.model.demonstrations import count_reserved_tokens, make_examples
from rag_app.answering.model.prompts import answer_prompt, fit_evidence, halve_evidence
from rag_app.answering.refusal import Trust
from rag_app.errors import ModelError, ModelInterrupted, ModelWindowExceeded
from rag_app.models.llm.call import LOOK_EVERY, LOOPED, ChatModel, LanguageModel, call_model
from rag_app.models.llm.client import StreamEnd, answer_tokens
from rag_app.models.llm.output_filter import AnswerFilter, ThoughtFilter
from rag_app.models.llm.output_guards import Attributor, OpeningFilter, is_refusal, loop_start
from rag_app.models.llm.prompt_safety import Size, estimate_tokens, model_size
from rag_app.records import Draft, Evidence
from rag_app.settings import Settings

NOT_FOUND = "Not in these papers."  # what a refused draft says
# Tokens of evidence at most. More costs money and buries the answer; small models lose the question behind it.
LARGEST: dict[Size, int] = {"tiny": 700, "small": 1_500, "full": 10_000}
PROMPT_TOKENS = 500  # instructions, question, heads of the evidence
PLANNED = 0.75  # of the room: a budget counts four characters per token, tables and formulas have fewer
TINY_SENTENCES = 3
MIDDLE_PARAMETERS = 20e9
LARGE_PARAMETERS = 30e9  # from here on a model can be trusted to weigh passages
LONGEST_SAID = 2_000  # characters


class Reader(Protocol):
    """Reads evidence and drafts an answer."""

    @property
    def name(self) -> str: ...

    @property
    def budget(self) -> int:
        """Tokens of evidence that it wants."""

    def read(self, question: str, evidence: Sequence[Evidence], stop: threading.Event) -> Generator[str, None, Draft]:
        """Yields the draft's text in pieces, with [n] marks that name evidence, and returns the draft."""


class ModelReader:
    """A reader that lets a language model write. Thread-safe."""

    def __init__(self, model: LanguageModel, settings: Settings, *, unlimited: bool = False) -> None:
        self.name = model.name
        self.model = model
        self._settings = settings
        self._unlimited = unlimited
        self._max_tokens = settings.llm_max_tokens

    @property
    def budget(self) -> int:
        """Tokens of evidence that fit beside prompt and answer, fewer for a small model."""
        return max(1, int(self.room * PLANNED))

    @property
    def repairs(self) -> bool:
        """Whether unsupported sentences are sent back once. A tiny model cannot correct itself."""
        return self._settings.repair == "on" or (self._settings.repair == "auto" and self.size != "tiny")

    @property
    def weighs(self) -> bool:
        """Whether each passage is weighed first. An unknown size counts as too small: it costs a call per passage."""
        known = LARGE_PARAMETERS <= self.model.parameters < inf
        return self._settings.evidence_step == "on" or (self._settings.evidence_step == "auto" and known)

    @property
    def trust(self) -> Trust:
        """How far its answer is believed where the passages do not look as if they held one."""
        if self.size == "tiny":
            return "none"
        return "checked" if self.size == "small" else "full"

    @property
    def samples(self) -> int:
        """How many further answers are asked for: one alone would tell nothing."""
        return self._settings.samples if self._settings.samples > 1 else 0

    @property
    def tabulates(self) -> bool:
        """Whether it can be asked to fill in a table's row."""
        return self.size != "tiny"

    @property
    def leads(self) -> bool:
        """Whether it plans, reads and answers itself: from about 4 billion parameters, or of unknown size.

        Settings that change the single call (samples, weighing, examples) take the single call.
        """
        single = self.samples or self.weighs or self._settings.demonstrations
        return isinstance(self.model, ChatModel) and self.model.chats and self.size == "full" and not single

    @property
    def is_middle(self) -> bool:
        """Whether it leads with one plan and less evidence: to about 20 billion parameters."""
        return self.model.parameters <= MIDDLE_PARAMETERS

    @property
    def chat_model(self) -> ChatModel:
        """The model as one that holds a conversation."""
        assert isinstance(self.model, ChatModel)
        return self.model

    @property
    def room(self) -> int:
        """Tokens of evidence that one prompt holds at most."""
        window = self.model.window
        room = window - PROMPT_TOKENS - answer_tokens(self._max_tokens, window)
        most = room if self._unlimited else min(room, self._settings.llm_budget or LARGEST[self.size])
        return max(200, most - count_reserved_tokens(self._settings.demonstrations, self.size))

    def without_limit(self) -> ModelReader:
        """The same for evidence that fills the window: nothing of it is left out, and too much is an error."""
        return ModelReader(self.model, self._settings, unlimited=True)

    @property
    def size(self) -> Size:
        """How much the model can be asked to do."""
        return model_size(self.model.parameters, self.model.window)

    def prompt(self, question: str, evidence: Sequence[Evidence]) -> tuple[str, str]:
        """System and user message for as much of the evidence as is read."""
        kept = list(evidence) if self._unlimited else fit_evidence(evidence, self.room)
        return answer_prompt(question, kept, self.size, self.examples(kept))

    def examples(self, evidence: Sequence[Evidence]) -> list[tuple[str, str]]:
        """Questions with answers, made of the evidence, to be imitated; as many as RAG_DEMONSTRATIONS says."""
        return make_examples(evidence, self._settings.demonstrations, self.size)

    def describe_examples(self, evidence: Sequence[Evidence]) -> str:
        """A note on the examples that the model was shown and their cost; empty where there were none."""
        made = self.examples(list(evidence) if self._unlimited else fit_evidence(evidence, self.room))
        tokens = sum(estimate_tokens(asked + said) for asked, said in made)
        shown = "1 example" if len(made) == 1 else f"{len(made)} examples"
        return (
            f"{shown} of an answer, made from the passages, came before the question: about {tokens} tokens."
            if made
            else ""
        )

    def ask_briefly(self, system: str, user: str, stop: threading.Event) -> str:
        """A line or two outside of an answer, without thoughts; empty where the model is too small for it.

        Raises ModelError.
        """
        return "" if self.size == "tiny" else call_model(self.model, system, user, stop, longest=LONGEST_SAID).text

    def read(self, question: str, evidence: Sequence[Evidence], stop: threading.Event) -> Generator[str, None, Draft]:
        """Yields the answer's pieces with [n] marks that name evidence that the model saw; returns the draft.

        A draft that broke off keeps its text and says why in `problem`. Raises ModelError when nothing usable came.
        """
        kept = list(evidence) if self._unlimited else fit_evidence(evidence, self.room)
        if not kept:
            yield NOT_FOUND
            return Draft(NOT_FOUND, refused=True)
        while True:
            try:
                return (yield from self._write(question, kept, stop))
            except ModelWindowExceeded:
                # The server counts tokens that we can only estimate, so the answer to its refusal is less text.
                smaller = [] if self._unlimited else halve_evidence(kept)
                if not smaller:
                    raise
                kept = smaller

    def _write(self, question: str, evidence: Sequence[Evidence], stop: threading.Event) -> Generator[str, None, Draft]:
        system, user = answer_prompt(question, evidence, self.size, self.examples(evidence))
        page = _DraftStream(question, system, evidence, self.size)
        pieces = self.model.stream(system, user, stop)
        ending: StreamEnd | None = None
        problem = ""
        try:
            while not page.full:
                try:
                    raw = next(pieces)
                except StopIteration as end:
                    ending = end.value
                    break
                shown = page.feed(raw)
                if shown:
                    yield shown
        except ModelInterrupted as error:
            problem = str(error)
        finally:
            pieces.close()
        shown = page.finish()
        if shown:
            yield shown
        return self._draft(page, ending, problem)

    def _draft(self, page: _DraftStream, ending: StreamEnd | None, problem: str) -> Draft:
        tokens = ending.tokens if ending else 0
        if page.refused:
            return Draft(page.text, refused=True, tokens=tokens)
        told = problem or page.problem or _explain_ending(ending, self._max_tokens)
        if page.text or (ending and ending.reason == "stopped"):
            return Draft(page.text, problem=told, tokens=tokens)
        if problem:
            raise ModelInterrupted(problem)
        raise ModelError(
            f"{self.name} wrote no answer. {told or 'It ended at once.'} Ask again, or choose another model."
        )


def _explain_ending(ending: StreamEnd | None, max_tokens: int) -> str:
    reason = ending.reason if ending else "whole"
    return {
        "whole": "",
        "stopped": "Stopped before the answer was complete.",
        "length": f"The answer was cut off after about {max_tokens} tokens (RAG_LLM_MAX_TOKENS).",
        "filtered": "The provider's content filter ended the answer.",
    }[reason]


class _DraftStream:
    """What the model writes on its way to the reader: filtered, watched, kept."""

    def __init__(self, question: str, system: str, evidence: Sequence[Evidence], size: Size) -> None:
        self._thoughts = ThoughtFilter()
        self._marks = AnswerFilter([] if size == "tiny" else [piece.number for piece in evidence])
        self._opening = OpeningFilter(question, system)
        self._attributor = None if size == "full" else Attributor(evidence)
        self._sentences = TINY_SENTENCES if size == "tiny" else 0  # 0: any number
        self._seen = ""  # of the answer, before marks are added
        self._looked = 0
        self._looping = False
        self.text = ""
        self.full = False  # nothing more is wanted from the model
        self.refused = False
        self.problem = ""

    def feed(self, raw: str) -> str:
        """The next characters to show."""
        return self._keep(self._watch(self._opening.feed(self._marks.feed(self._thoughts.feed(raw)))))

    def finish(self) -> str:
        """The last characters, once nothing more comes."""
        shown = ""
        if not self.full:
            shown = self._opening.feed(self._marks.feed(self._thoughts.finish()) + self._marks.finish())
            shown = self._keep(self._watch(shown + self._opening.finish()))
        if self._attributor and (self._looping or not self.full):
            start = loop_start(self._seen)
            shown += self._add(self._attributor.finish(without=len(self._seen) - start if start else 0))
        shown = self._without_loop(shown)
        if self.text and is_refusal(self.text):
            self.refused = True
        if self.refused and not self.text:
            self.text = shown = NOT_FOUND
        return shown

    def _watch(self, seen: str) -> str:
        """Look for a loop now and then, also in a sentence that is still waiting for its mark."""
        self._seen += seen
        if len(self._seen) - self._looked >= LOOK_EVERY:
            self._looked = len(self._seen)
            self._looping = loop_start(self._seen) is not None
        return seen

    def _keep(self, seen: str) -> str:
        shown = self._add(self._attributor.feed(seen) if self._attributor else seen)
        self.refused = self._opening.refused
        if self._opening.echoed:
            self.problem = "It repeated its instructions."
        enough = self._attributor and self._sentences and self._attributor.sentences >= self._sentences
        self.full = bool(self._looping or self.refused or self._opening.echoed or enough)
        return shown

    def _add(self, shown: str) -> str:
        self.text += shown
        return shown

    def _without_loop(self, shown: str) -> str:
        """Cut a repetition off what is kept; what was shown of it goes when the answer is complete."""
        start = loop_start(self.text)
        if start is None and not self._looping:
            return shown
        self.problem = LOOPED
        kept = self.text[:start].rstrip()
        cut, self.text = len(self.text) - len(kept), kept
        return shown[: max(0, len(shown) - cut)]
