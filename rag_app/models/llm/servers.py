"""What a model server says about itself over HTTP: its models and their windows; messages for when it does not.

A server on this machine is never reached through a proxy, and a redirect is never followed, so that no key travels to a
host that was not named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from math import inf
from typing import Any
from urllib.parse import SplitResult, urlsplit

import idna

from rag_app.errors import ModelDenied, ModelError, ModelUnreachable, SettingsError
from rag_app.models.http_replies import IDENTITY, limit_reply

DEFAULT_WINDOW = 8192
OLLAMA_WINDOW = 4096  # what Ollama gives a model that asks for nothing else
ASKING_SECONDS = 10.0


@dataclass(frozen=True)
class Endpoint:
    """One model on one server. The key is left out of repr and of every message."""

    title: str  # "Ollama"; the host where no provider is named
    base_url: str  # without a closing slash and query
    model: str = ""
    key: str = field(default="", repr=False)
    key_variable: str = ""  # where the provider's users keep the key
    window: int = 0  # tokens, as configured; 0: ask the server
    preset_window: int = 0  # where the server does not tell
    query: str = ""  # of every request: "api-version=2024-06-01"

    @property
    def where(self) -> str:
        """The server in words: title and host."""
        host = host_of(self.base_url)
        return self.title if self.title == host else f"{self.title} ({host})"

    def without_key(self, text: str) -> str:
        """The text with the key redacted, for what a provider sends back."""
        return text.replace(self.key, "***") if self.key else text


def host_of(url: str) -> str:
    """Host and port of an address, without user name, password and path."""
    return urlsplit(url).netloc.rpartition("@")[2]


def ascii_netloc(parts: SplitResult) -> str:
    """Host and port as they are looked up: by IDNA 2008 (RFC 5891), in which "congreß" is not "congress".

    Python's own client goes by the older rules, and would send the key of one to the other. Raises SettingsError.
    """
    host = parts.hostname or ""
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise SettingsError("RAG_LLM_BASE_URL: this host name cannot exist. Copy the address again.") from error
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{parts.port}" if parts.port is not None else shown


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine."""
    name = urlsplit(url).hostname or ""
    with suppress(ValueError):
        return ip_address(name).is_loopback
    return name == "localhost" or name.endswith(".localhost")


# -- models -----------------------------------------------------------------------------------------------------------


def list_models(endpoint: Endpoint, seconds: float = ASKING_SECONDS) -> list[str]:
    """The names of the server's models, as it lists them. Raises ModelUnreachable, ModelDenied, ModelError."""
    reply = get_json(endpoint, f"{endpoint.base_url}/models", seconds)
    return [entry["id"] for entry in _entries(reply) if isinstance(entry.get("id"), str) and entry["id"]]


def _entries(reply: object) -> list[Mapping[str, Any]]:
    data = reply.get("data") if isinstance(reply, Mapping) else None
    return [entry for entry in data if isinstance(entry, Mapping)] if isinstance(data, list) else []


# -- windows ----------------------------------------------------------------------------------------------------------


def window_of(endpoint: Endpoint) -> int:
    """The model's window in tokens: as configured, else what the server tells, else the preset's, else 8192."""
    if endpoint.window:
        return endpoint.window
    for ask in (_ollama_window, _llama_cpp_window, _listed_window):
        told = 0
        with suppress(ModelError):  # what is wrong with the server is said when it is asked a question
            told = ask(endpoint)
        if told:
            return told
    return endpoint.preset_window or DEFAULT_WINDOW


def _ollama_window(endpoint: Endpoint) -> int:
    """What Ollama really gives: the loaded model's window, else the model file's num_ctx, else Ollama's default.

    Not what the model was trained for: Ollama cuts the front off a longer prompt without a word, and its
    OpenAI-compatible side takes no num_ctx (ollama/ollama#2722, #6286).
    """
    if not _is_ollama(endpoint):
        return 0
    running = get_json(endpoint, f"{_root(endpoint)}/api/ps")
    models = running.get("models") if isinstance(running, Mapping) else None
    for entry in models if isinstance(models, list) else []:
        loaded = entry.get("context_length") if isinstance(entry, Mapping) else None
        if isinstance(loaded, int) and loaded > 0 and _same_model(entry.get("name"), endpoint.model):
            return loaded
    shown = get_json(endpoint, f"{_root(endpoint)}/api/show", body={"model": endpoint.model})
    parameters = shown.get("parameters") if isinstance(shown, Mapping) else ""
    asked = re.search(r"^\s*num_ctx\s+(\d+)", parameters if isinstance(parameters, str) else "", re.MULTILINE)
    return int(asked.group(1)) if asked else OLLAMA_WINDOW


def _same_model(one: object, other: str) -> bool:
    return str(one).removesuffix(":latest") == other.removesuffix(":latest")


def _llama_cpp_window(endpoint: Endpoint) -> int:
    """What one request may use: less than the model was trained for where llama.cpp was started so."""
    if not is_loopback(endpoint.base_url) and not urlsplit(endpoint.base_url).port:
        return 0  # no hosted provider runs a bare llama.cpp
    reply = get_json(endpoint, f"{_root(endpoint)}/props")
    defaults = reply.get("default_generation_settings") if isinstance(reply, Mapping) else None
    return _positive(defaults.get("n_ctx")) if isinstance(defaults, Mapping) else 0


def _listed_window(endpoint: Endpoint) -> int:
    """vLLM, OpenRouter, LM Studio, Anthropic and others say it in their list of models, each under its own name."""
    addresses = [f"{endpoint.base_url}/models"]
    if is_loopback(endpoint.base_url):
        addresses.insert(0, f"{_root(endpoint)}/api/v0/models")  # LM Studio's own list knows the loaded window
    for address in addresses:
        with suppress(ModelError):  # the next address may tell; window_of falls back
            for entry in _entries(get_json(endpoint, address)):
                if entry.get("id") in (endpoint.model, f"models/{endpoint.model}"):
                    return _window_in(entry)
    return 0


def _window_in(entry: Mapping[str, Any]) -> int:
    meta = entry.get("meta")
    nested: Mapping[str, Any] = meta if isinstance(meta, Mapping) else {}
    names = ("loaded_context_length", "max_model_len", "context_length", "context_window", "max_context_length")
    values = [entry.get(name) for name in (*names, "max_input_tokens")] + [
        nested.get("n_ctx"),
        nested.get("n_ctx_train"),
    ]
    return next((_positive(value) for value in values if _positive(value)), 0)


# -- sizes ------------------------------------------------------------------------------------------------------------


def fetch_parameter_count(endpoint: Endpoint) -> float:
    """How many parameters the model has by what its server tells; infinity where it does not.

    llama.cpp says it in its list of models, Ollama where it shows a model. Servers elsewhere than on this machine or
    at a port of their own are not asked: no hosted provider tells.
    """
    if not is_loopback(endpoint.base_url) and not urlsplit(endpoint.base_url).port:
        return inf
    for ask in (_listed_parameters, _ollama_parameters):
        with suppress(ModelError):  # what is wrong with the server is said when it is asked a question
            told = ask(endpoint)
            if told:
                return float(told)
    return inf


def _listed_parameters(endpoint: Endpoint) -> int:
    for entry in _entries(get_json(endpoint, f"{endpoint.base_url}/models")):
        meta = entry.get("meta")
        if entry.get("id") == endpoint.model and isinstance(meta, Mapping):
            return _positive(meta.get("n_params"))
    return 0


def _ollama_parameters(endpoint: Endpoint) -> int:
    if not _is_ollama(endpoint):
        return 0
    shown = get_json(endpoint, f"{_root(endpoint)}/api/show", body={"model": endpoint.model})
    told = shown.get("model_info") if isinstance(shown, Mapping) else None
    return _positive(told.get("general.parameter_count")) if isinstance(told, Mapping) else 0


def _is_ollama(endpoint: Endpoint) -> bool:
    return "ollama" in endpoint.title.lower() or urlsplit(endpoint.base_url).port == 11434


def _positive(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _root(endpoint: Endpoint) -> str:
    return endpoint.base_url.removesuffix("/v1")


# -- plain HTTP -------------------------------------------------------------------------------------------------------


def get_json(
    endpoint: Endpoint, address: str, seconds: float = ASKING_SECONDS, body: Mapping[str, object] | None = None
) -> Any:
    """What the server answers at the address. Raises ModelUnreachable, ModelDenied, ModelError."""
    import httpx  # noqa: PLC0415  # a tenth of a second, and only with a model

    headers = {"User-Agent": "rag-app", "Accept": "application/json", **IDENTITY}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    method = "GET" if body is None else "POST"
    try:
        with (
            httpx.Client(
                timeout=seconds,
                trust_env=not is_loopback(address),
                event_hooks={"response": [limit_reply]},
            ) as client,
            client.stream(method, address, headers=headers, json=body, params=endpoint.query or None) as reply,
        ):
            if reply.status_code in (401, 403):
                raise ModelDenied(denied_message(endpoint, reply.status_code))
            if not reply.is_success:
                raise ModelError(
                    f"{endpoint.where} answered {reply.status_code} when asked about its models. "
                    f"{address_remedy(endpoint)}"
                )
            return json.loads(reply.read())
    except (httpx.HTTPError, httpx.InvalidURL, ImportError) as error:  # ImportError: a proxy of a kind that needs more
        raise ModelUnreachable(unreachable_message(endpoint, error)) from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{endpoint.where} did not answer with JSON. {address_remedy(endpoint)}") from error


# -- sentences for the user -------------------------------------------------------------------------------------------


def denied_message(endpoint: Endpoint, status: int) -> str:
    """For 401 and 403. What the provider says is left out: some repeat the key."""
    keys = " or ".join(name for name in (endpoint.key_variable, "RAG_LLM_API_KEY") if name)
    had = "did not accept the key" if endpoint.key else "needs a key"
    allowed = f", and that it may use the model '{endpoint.model}'" if endpoint.model else ""
    return f"{endpoint.where} {had} ({status}). Check {keys}{allowed}."


def unreachable_message(endpoint: Endpoint, reason: object) -> str:
    """For a refused connection, no such host, no route, a TLS fault, a reply that is not read."""
    said = endpoint.without_key(str(reason)).strip().rstrip(".") or type(reason).__name__
    if type(reason).__name__ == "DecodingError":
        return f"What {endpoint.where} sends is not read: {said}. Or set RAG_LLM=none to read without a model."
    remedy = "Start it" if is_loopback(endpoint.base_url) else "Check the network and RAG_LLM_BASE_URL"
    return f"{endpoint.where} cannot be reached: {said}. {remedy}, or set RAG_LLM=none to read without a model."


def address_remedy(endpoint: Endpoint) -> str:
    """For replies that are not the OpenAI API's."""
    return f"Check that RAG_LLM_BASE_URL ends as the server wants it, usually in /v1 (now: {endpoint.base_url})."
