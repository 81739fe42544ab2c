"""The language model: LlamaIndex's OpenAI-compatible client for the server in the settings. Alone imports it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal
from urllib.parse import parse_qsl

from rag_app.errors import ModelError, ModelInterrupted, RagError, ToolsRefused
from rag_app.models.http_replies import IDENTITY, limit_async_reply
from rag_app.models.llm import local_server
from rag_app.models.llm.async_bridge import stream_pieces
from rag_app.models.llm.chat import MOST_CALLS, Message, Tool, ToolCall, arguments_of, client_messages, merge_system
from rag_app.models.llm.failures import (
    is_busy,
    is_unreadable,
    lacks_chat_template,
    make_fault,
    pause_before_retry,
    refused_feature,
)
from rag_app.models.llm.output_filter import filter_secrets
from rag_app.models.llm.prompt_safety import parameters_from_name
from rag_app.models.llm.providers import PRESETS, choose_endpoint
from rag_app.models.llm.reply_repair import repairing
from rag_app.models.llm.servers import Endpoint, fetch_parameter_count, is_loopback, list_models, window_of
from rag_app.settings import Settings

CONNECT_SECONDS = 10.0
RETRIES = 3  # before the first token; afterwards the reader has text and must not get it twice
ROOMY_WINDOW = 32_768  # tokens; from here on a model may think before it answers
THINKING_TOKENS = 4096
STOPS = ["\nQuestion:", "\n\nAnswer:", "\n==="]  # where a base model would go on with questions of its own
CHARACTERS_PER_TOKEN = 8  # more than any language needs: only stops a server that ignores max_tokens


@dataclass(frozen=True)
class StreamEnd:
    """How a stream ended."""

    reason: Literal["whole", "length", "filtered", "stopped"]
    tokens: int = 0  # of prompt and answer, where the provider tells
    calls: tuple[ToolCall, ...] = ()  # of tools, that the model asks for
    cached: int = 0  # tokens of the prompt that the provider had read before


@dataclass(frozen=True)
class Diagnosis:
    """What doctor and the settings panel show about the language model."""

    works: bool
    model: str  # empty: none
    server: str
    window: int  # tokens; 0 where no model is chosen or none was reached
    message: str  # a sentence: what was chosen, or what is wrong and the remedy


def completion_prompt(system: str, user: str) -> str:
    """One text for a base model to continue: task, evidence, question, and the beginning of the answer (2406.14972)."""
    return f"{system}\n\n{user}\n\nAnswer:"


def answer_tokens(longest: int, window: int) -> int:
    """Tokens that the server is asked to reserve: the answer, at most a quarter of the window, and room to think."""
    return min(longest, window // 4) + (THINKING_TOKENS if window >= ROOMY_WINDOW else 0)


def open_language_model(settings: Settings) -> OpenAIModel | None:
    """The model that the settings name or that runs on this machine; None for reading without a model.

    Raises SettingsError for a wrong name, ModelError when a server has to be asked or started and fails.
    """
    endpoint = _open_local(settings) or choose_endpoint(settings)
    return OpenAIModel(endpoint, settings) if endpoint else None


def _open_local(settings: Settings) -> Endpoint | None:
    """The server in this process, when it is named, or when a GGUF file is named and nothing else."""
    if _wants_local(settings):
        return local_server.start(settings.llm_model, settings.llm_window)
    return None


def _wants_local(settings: Settings) -> bool:
    chosen = settings.llm.strip().lower()
    file_named = settings.llm_model.lower().endswith(".gguf") and not settings.llm_base_url
    return chosen == "local" or (chosen in ("auto", "") and file_named)


def diagnose_model(settings: Settings) -> Diagnosis:
    """Look at the model without asking it anything: chosen, reachable, key accepted, known there, window.

    Never raises: what is wrong is its message.
    """
    if _wants_local(settings):
        problem = local_server.find_problem(settings.llm_model)
        name = "" if problem else local_server.model_file(settings.llm_model).stem
        message = problem or f"{name} answers, by llama.cpp in this process; nothing leaves this machine."
        return Diagnosis(not problem, name, "llama.cpp in this process", settings.llm_window, message)
    endpoint: Endpoint | None = None
    try:
        endpoint = choose_endpoint(settings)
        if endpoint is None:
            return Diagnosis(True, "", "", 0, "No language model: answers are quoted from the papers word for word.")
        known = list_models(endpoint)
        if endpoint.title == "Gemini":  # lists "models/NAME"
            known = [name.removeprefix("models/") for name in known]
    except RagError as error:
        return Diagnosis(False, endpoint.model if endpoint else "", endpoint.where if endpoint else "", 0, str(error))
    if endpoint.model not in known and f"{endpoint.model}:latest" not in known and known:
        message = (
            f"{endpoint.where} has no model '{endpoint.model}'. Set RAG_LLM_MODEL to one of: {', '.join(known[:12])}."
        )
        return Diagnosis(False, endpoint.model, endpoint.where, 0, message)
    goes = "nothing leaves this machine" if is_loopback(endpoint.base_url) else "passages of the papers go there"
    message = f"{endpoint.model} answers, at {endpoint.where}; {goes}."
    return Diagnosis(True, endpoint.model, endpoint.where, window_of(endpoint), message)


class OpenAIModel:
    """A chat model behind an OpenAI-compatible API. Thread-safe."""

    def __init__(
        self, endpoint: Endpoint, settings: Settings, *, first_pause: float = 0.5, temperature: float = 0.0
    ) -> None:
        self.endpoint = endpoint
        self.temperature = temperature
        self._settings = settings
        self.name = endpoint.model
        self.max_tokens = settings.llm_max_tokens
        self.timeout = settings.llm_timeout
        self._patience = settings.llm_question_seconds  # for thoughts and calls without a word of an answer
        self._first_pause = first_pause  # seconds before the first retry; doubled each time
        self._completes = settings.llm_completion  # a base model: it continues a text and knows no turns
        self._refused: set[str] = set()  # parameters that this model does not take, learned from its refusals
        self._asking = threading.Lock()
        self._window: int | None = None
        self._size: float | None = None

    def at_temperature(self, temperature: float) -> OpenAIModel:
        """The same model, which does not always say the same; what was learned about the server is kept."""
        warm = OpenAIModel(self.endpoint, self._settings, first_pause=self._first_pause, temperature=temperature)
        warm._refused, warm._completes = self._refused, self._completes
        warm._window, warm._size = self.window, self.parameters
        return warm

    def with_name(self, name: str) -> OpenAIModel:
        """Another model of the same server."""
        return OpenAIModel(replace(self.endpoint, model=name), self._settings, first_pause=self._first_pause)

    # Not functools.cached_property: Python 3.11 has one lock there for all models, and a slow server would hold up all.

    @property
    def window(self) -> int:
        """Tokens of prompt and answer together. Asks the server once."""
        with self._asking:
            if self._window is None:
                self._window = window_of(self.endpoint)
            return self._window

    @property
    def parameters(self) -> float:
        """How many parameters it has, by its name or else by its server, asked once; infinity where neither tells."""
        with self._asking:
            if self._size is None:
                known = parameters_from_name(self.name)
                asked = known == inf and not self.endpoint.key_variable
                self._size = fetch_parameter_count(self.endpoint) if asked else known
            return self._size

    @property
    def chats(self) -> bool:
        """Whether it takes turns; a base model only continues a text."""
        return not self._completes

    @property
    def takes_tools(self) -> bool:
        """Whether tools can be offered: until the server refuses them."""
        return not self._completes and "tools" not in self._refused

    def stream(self, system: str, user: str, stop: threading.Event) -> Generator[str, None, StreamEnd]:
        """The answer's text as it comes. Returns how it ended. Raises as `chat`."""
        return (yield from self.chat([Message("system", system), Message("user", user)], stop))

    def chat(
        self, messages: Sequence[Message], stop: threading.Event, tools: Sequence[Tool] = (), *, json: bool = False
    ) -> Generator[str, None, StreamEnd]:
        """The next message of a conversation, its text as it comes. Returns how it ended, with calls of tools.

        `json` asks for a JSON object where the server can be asked for one. Setting `stop` or closing the generator
        closes the connection. Raises ModelUnreachable, ModelDenied, ModelBusy, ModelWindowExceeded, ToolsRefused or
        ModelError before the first piece, ModelInterrupted after it.
        """
        self.window  # noqa: B018  # asked here and not in the event loop, which it would block
        request = _Request(tuple(messages), tuple(tools), json)
        # A server sees the key, and one that repeats it must not get it into answers, files and histories.
        keys = {self.endpoint.key, self._settings.llm_api_key.get_secret_value()}
        ending = yield from filter_secrets(stream_pieces(lambda put: self._answer(request, put), stop), keys)
        return ending or StreamEnd("stopped")

    async def _answer(self, request: _Request, put: Callable[[str], None]) -> StreamEnd:
        """One answer, tried again while the provider is busy and nothing has come yet."""
        sent: list[str] = []

        def pass_piece(piece: str) -> None:
            sent.append(piece)
            put(piece)

        attempt = 0
        while True:
            try:
                return await self._request_once(request, pass_piece)
            except RagError:
                raise
            except Exception as error:  # the client's, its transport's and its parser's errors, told apart below
                # What the client says of a refused request may repeat the key; of an unreadable reply it cannot.
                cause = error if is_unreadable(error) else None
                if sent:
                    raise make_fault(error, self.endpoint, interrupted=True) from cause
                if self._learned_from(error, request):
                    continue
                pause = pause_before_retry(error, self._first_pause * 2**attempt)
                if attempt == RETRIES or not is_busy(error) or pause is None or pause > self.timeout:
                    raise make_fault(error, self.endpoint) from cause
                attempt += 1
                await asyncio.sleep(pause)

    def _learned_from(self, error: Exception, request: _Request) -> bool:
        """Whether the request is worth repeating without what the server refused. Raises ToolsRefused for tools."""
        if not self._completes and lacks_chat_template(error):
            self._completes = True
            return True
        refused = refused_feature(error, self._sent_features(request))
        if not refused:
            return False
        self._refused = self._refused | {refused}
        if refused == "tools":
            raise ToolsRefused(str(make_fault(error, self.endpoint)))
        return True

    def _sent_features(self, request: _Request) -> set[str]:
        """What the request holds that a server may refuse."""
        held = {"max_tokens", "temperature", "stream_options"}
        held |= {"tools"} if request.tools else set()
        held |= {"response_format"} if request.json else set()
        held |= {"system"} if any(message.role == "system" for message in request.messages) else set()
        return held - self._refused

    async def _request_once(self, request: _Request, put: Callable[[str], None]) -> StreamEnd:
        from llama_index.llms.openai_like import OpenAILike  # noqa: PLC0415  # two seconds, only with a model

        longest = self.max_tokens * CHARACTERS_PER_TOKEN
        reading = _StreamReader(put, longest, longest + THINKING_TOKENS * CHARACTERS_PER_TOKEN)
        async with _client(self.endpoint, self.timeout) as client:
            model = OpenAILike(
                model=self.name,
                api_base=self.endpoint.base_url,
                api_key="none",  # the client below holds the real one; this object's repr would show it
                is_chat_model=not self._completes,
                is_function_calling_model=bool(request.tools),
                max_retries=0,
                temperature=self.temperature,
                async_openai_client=client,
            )
            try:
                async with asyncio.timeout(self.timeout) as clock:
                    chunks = await self._chunks(model, request)
                    async with aclosing(chunks):
                        await self._take_chunks(chunks, reading, clock)
            except TimeoutError:
                if reading.only_aside:
                    raise self._no_answer_in_time(reading) from None
                raise make_fault(
                    TimeoutError(f"{self.timeout:g}"), self.endpoint, interrupted=reading.characters > 0
                ) from None
        return reading.end_of_stream(self.endpoint)

    async def _take_chunks(self, chunks: Any, reading: _StreamReader, clock: asyncio.Timeout) -> None:
        """Read while tokens come. Those that are no answer (thoughts, calls) do not keep the connection for ever."""
        now = asyncio.get_running_loop().time
        until = now() + self._patience
        async for chunk in chunks:
            said = reading.characters
            if reading.take(chunk):
                silent = now() + self.timeout
                until = now() + self._patience if reading.characters > said else until
                reading.only_aside = reading.characters == said and until < silent
                clock.reschedule(until if reading.only_aside else silent)
            if reading.is_over:
                break

    def _no_answer_in_time(self, reading: _StreamReader) -> ModelError:
        kind = ModelInterrupted if reading.characters else ModelError
        return kind(
            f"{self.name} thought for {self._patience:g} seconds without a word of an answer. Raise "
            f"RAG_LLM_QUESTION_SECONDS, or choose a model that does not think first."
        )

    async def _chunks(self, model: Any, request: _Request) -> Any:
        wanted = self._parameters()
        if self._completes:
            texts = [message.text for message in request.messages]
            told = completion_prompt(texts[0], "\n\n".join(texts[1:]))
            return await model.astream_complete(told, formatted=True, stop=STOPS, **wanted)
        if request.tools:
            wanted |= {"tools": [tool.specification for tool in request.tools], "tool_choice": "auto"}
        if request.json and "response_format" not in self._refused:
            wanted["response_format"] = {"type": "json_object"}
        said = merge_system(request.messages) if "system" in self._refused else request.messages
        return await model.astream_chat(client_messages(said), **wanted)

    def _parameters(self) -> dict[str, Any]:
        import openai  # noqa: PLC0415

        tokens = answer_tokens(self.max_tokens, self.window)
        wanted: dict[str, Any] = {"max_tokens": tokens, "stream_options": {"include_usage": True}}
        if "max_tokens" in self._refused:
            wanted["max_completion_tokens"] = wanted.pop("max_tokens")
        if "temperature" in self._refused:
            wanted["temperature"] = openai.omit
        return {name: value for name, value in wanted.items() if name == "temperature" or name not in self._refused}


@dataclass(frozen=True)
class _Request:
    """What is asked of the server."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    json: bool = False


class _StreamReader:
    """What has come of one answer so far."""

    def __init__(self, put: Callable[[str], None], longest: int, longest_aside: int) -> None:
        self._put = put
        self._longest, self._longest_aside = longest, longest_aside
        self.characters = 0
        self._aside = 0  # characters of thoughts and calls; a chunk without any counts as one
        self.only_aside = False  # the time that is left is that of thoughts and calls
        self._too_long_aside = self._too_many = False  # thoughts or calls in all; calls
        self._thought = False
        self._finish = ""
        self._tokens = 0
        self._cached = 0
        self._calls: dict[int, list[str]] = {}  # by index: id, name, arguments

    @property
    def too_long(self) -> bool:
        return self.characters > self._longest or self._too_long_aside

    @property
    def is_over(self) -> bool:
        """Whether what still comes is not read."""
        return self.too_long or self._too_many

    def take(self, chunk: Any) -> bool:
        """Pass the chunk's text on. Returns whether it held a token, said or thought."""
        raw = chunk.raw
        usage = getattr(raw, "usage", None)
        self._tokens = getattr(usage, "total_tokens", 0) or self._tokens
        details = getattr(usage, "prompt_tokens_details", None)
        self._cached = getattr(details, "cached_tokens", 0) or self._cached
        choices = getattr(raw, "choices", None) or []
        finish = choices[0].finish_reason if choices else None
        self._finish = finish or self._finish
        thoughts = chunk.additional_kwargs.get("thinking_delta") or ""
        thought = bool(thoughts)
        self._thought = self._thought or thought
        called = self._take_calls(choices)
        delta = (chunk.delta or "")[: max(0, self._longest + 1 - self.characters)]  # one piece may be of any length
        self._aside += max(len(thoughts), not delta)
        self._too_long_aside = self._too_long_aside or (self._aside > self._longest_aside and not finish)
        if delta:
            self.characters += len(delta)
            self._put(delta)
        return bool(delta) or thought or called

    def _take_calls(self, choices: Sequence[Any]) -> bool:
        """Join the parts of tool calls. LlamaIndex takes the first of a chunk only; some servers send several."""
        deltas = getattr(getattr(choices[0], "delta", None), "tool_calls", None) if choices else None
        for delta in deltas or []:
            place = delta.index if isinstance(delta.index, int) else len(self._calls)
            if place not in self._calls and len(self._calls) == MOST_CALLS:
                self._too_many = True  # the client below copies all of them for each that comes
                break
            call = self._calls.setdefault(place, ["", "", ""])
            call[0] = delta.id or call[0]
            if delta.function is not None:
                call[1] = delta.function.name or call[1]
                call[2] += delta.function.arguments or ""
                self._aside += len(delta.function.arguments or "")
        return bool(deltas)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The complete calls, in the order of their index."""
        return tuple(
            ToolCall(call[0] or f"call_{place}", call[1], arguments_of(call[2]))
            for place, call in sorted(self._calls.items())
            if call[1]
        )

    def end_of_stream(self, endpoint: Endpoint) -> StreamEnd:
        """How it ended.

        Raises ModelInterrupted when the provider never said that it was done, ModelError when no text came.
        """
        if self.too_long and (self.characters or not self._thought):
            return StreamEnd("length", self._tokens)
        if self.calls and not self.too_long:
            return StreamEnd("whole", self._tokens, self.calls, self._cached)
        if not self._finish and not self.too_long:
            raise make_fault(EOFError(), endpoint, interrupted=self.characters > 0)
        if not self.characters and self._thought:
            raise ModelError(
                f"{endpoint.model} spent all its tokens on thinking and wrote no answer. Raise RAG_LLM_MAX_TOKENS, or "
                f"choose a model that does not think first."
            )
        if self._finish == "content_filter":
            return StreamEnd("filtered", self._tokens)
        cut = self._finish in ("length", "max_tokens")
        return StreamEnd("length" if cut else "whole", self._tokens, cached=self._cached)


def _client(endpoint: Endpoint, timeout: float) -> Any:
    """The HTTP side: no redirects, no proxy on this machine, nothing of the OpenAI account for other providers."""
    import openai  # noqa: PLC0415

    own = endpoint.base_url == PRESETS["openai"].base_url
    left_out: Any = openai.Omit()
    names = ["OpenAI-Organization", "OpenAI-Project"]
    names += [
        line.partition(":")[0].strip()
        for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
        if ":" in line
    ]
    limits = openai.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout))
    return openai.AsyncOpenAI(
        api_key=endpoint.key or "none",
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=limits,
        default_query=dict(parse_qsl(endpoint.query)),
        default_headers={} if own else dict.fromkeys(names, left_out),
        http_client=repairing(
            openai.DefaultAsyncHttpxClient(
                trust_env=not is_loopback(endpoint.base_url),
                follow_redirects=False,
                timeout=limits,
                headers=IDENTITY,
                event_hooks={"response": [limit_async_reply]},
            )
        ),
    )
