"""One call to a language model whose whole answer is wanted at once, made safe as a streamed one is."""

from __future__ import annotations

import threading
from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from rag_app.models.llm.output_filter import AnswerFilter, ThoughtFilter
from rag_app.models.llm.output_guards import loop_start

LOOK_EVERY = 64  # characters between two looks for a loop


class LanguageModel(Protocol):
    """What a reader needs of a model."""

    @property
    def name(self) -> str: ...

    @property
    def window(self) -> int:
        """Tokens of prompt and answer together."""

    @property
    def parameters(self) -> float:
        """How many parameters it has; infinity where neither its name nor its server tells."""

    def stream(self, system: str, user: str, stop: threading.Event) -> Generator[str, None, Any]:
        """The answer as it comes; closing the generator or setting `stop` closes the connection.

        Returns how it ended: an Ending of language_model.py, or None.
        """


@dataclass(frozen=True)
class ModelReply:
    """What a model wrote."""

    text: str
    tokens: int = 0  # of prompt and answer, where the provider tells


def call_model(
    model: LanguageModel, system: str, user: str, stop: threading.Event, numbers: Collection[int] = (), longest: int = 0
) -> ModelReply:
    """The model's whole answer: no thoughts, no markup, marks only for `numbers`; a loop is cut at its first copy.

    `longest` in characters ends it early; 0: never. Raises what the model's stream raises.
    """
    thoughts, marks = ThoughtFilter(), AnswerFilter(numbers)
    text, looked, tokens = "", 0, 0
    pieces = model.stream(system, user, stop)
    try:
        while True:
            text += marks.feed(thoughts.feed(next(pieces)))
            if longest and len(text) > longest:
                break
            if len(text) - looked >= LOOK_EVERY:
                looked = len(text)
                if loop_start(text) is not None:
                    break
    except StopIteration as end:
        tokens = getattr(end.value, "tokens", 0)
    finally:
        pieces.close()
    text += marks.feed(thoughts.finish()) + marks.finish()
    return ModelReply(text[: loop_start(text)].strip(), tokens)
