"""One call to a language model whose whole answer is wanted at once, made safe as a streamed one is."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from rag_app.models.llm.chat import Message, Tool, ToolCall
from rag_app.models.llm.output_filter import AnswerFilter, ThoughtFilter
from rag_app.models.llm.output_guards import loop_start

LOOPED = "The model began to repeat itself; the repetition is left out."
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


@runtime_checkable
class ChatModel(LanguageModel, Protocol):
    """A model that holds a conversation and may call tools."""

    @property
    def takes_tools(self) -> bool:
        """Whether tools can be offered: until the server refuses them."""

    @property
    def chats(self) -> bool:
        """Whether it takes turns; a base model only continues a text."""

    def chat(
        self, messages: Sequence[Message], stop: threading.Event, tools: Sequence[Tool] = (), *, json: bool = False
    ) -> Generator[str, None, Any]:
        """The next message as it comes. Returns an Ending of client.py."""

    def with_name(self, name: str) -> ChatModel:
        """Another model of the same server."""


@dataclass(frozen=True)
class Reply:
    """A model's next message: its text without thoughts, and the tools that it calls."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    tokens: int = 0  # of prompt and answer, where the provider tells
    cached: int = 0  # of the prompt, that the provider had read before
    whole: bool = True  # it came to an end by itself
    span: tuple[float, float] = (0.0, 0.0)  # monotonic seconds: asked, ended
    looped: bool = False  # it was ended since it said the same again and again


def read_reply(
    model: ChatModel,
    messages: Sequence[Message],
    stop: threading.Event,
    tools: Sequence[Tool] = (),
    *,
    json: bool = False,
) -> Generator[str, None, Reply]:
    """Yields all of the text so far, again and again, as it comes; returns the reply. A loop ends it.

    Raises what the model's chat raises.
    """
    thoughts = ThoughtFilter()
    text, restarts, looked = "", 0, 0
    ending: Any = None
    began = time.monotonic()
    pieces = model.chat(messages, stop, tools, json=json)
    try:
        while True:
            shown = thoughts.feed(next(pieces))
            text = shown if thoughts.restarts > restarts else text + shown
            restarts = thoughts.restarts
            yield text
            if len(text) - looked >= LOOK_EVERY:
                looked = len(text)
                if (start := loop_start(text)) is not None:
                    return Reply(text[:start].rstrip(), whole=False, looped=True, span=(began, time.monotonic()))
    except StopIteration as end:
        ending = end.value
    finally:
        pieces.close()
    rest = thoughts.finish()
    text = rest if thoughts.restarts > restarts else text + rest
    calls = tuple(getattr(ending, "calls", ()))
    tokens, cached = getattr(ending, "tokens", 0), getattr(ending, "cached", 0)
    whole = getattr(ending, "reason", "whole") == "whole"
    return Reply(text.strip(), calls, tokens, cached, whole, (began, time.monotonic()))


def ask_model(model: ChatModel, messages: Sequence[Message], stop: threading.Event, *, json: bool = False) -> Reply:
    """The model's whole reply. Raises what its chat raises."""
    pieces = read_reply(model, messages, stop, json=json)
    try:
        while True:
            next(pieces)
    except StopIteration as end:
        reply: Reply = end.value
        return reply
    finally:
        pieces.close()


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
