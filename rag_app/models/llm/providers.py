"""Which model is asked: the presets, what RAG_LLM_* names, what runs on this machine; what could be used but is not."""

from __future__ import annotations

import difflib
import os
import re
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from rag_app.errors import ModelError, SettingsError
from rag_app.models.llm.listeners import is_ours
from rag_app.models.llm.servers import Endpoint, ascii_netloc, host_of, is_loopback, list_models
from rag_app.settings import Settings

CONNECT_SECONDS = 0.2  # to this machine; Windows takes two seconds to refuse, so the limit is ours
ANSWER_SECONDS = 1.0  # only waited for where something listens


@dataclass(frozen=True)
class Preset:
    """What a provider's name stands for."""

    title: str
    base_url: str
    key_variable: str = ""  # where its users keep the key; read only when this provider is named
    model: str = ""  # empty: the first one that the server lists
    window: int = 0  # tokens, where the server does not tell; 0 when not known


PRESETS: dict[str, Preset] = {
    "openai": Preset("OpenAI", "https://api.openai.com/v1", "OPENAI_API_KEY", "gpt-5.4-mini", 128_000),
    "anthropic": Preset("Anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "claude-sonnet-4-6", 200_000),
    "gemini": Preset(
        title="Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variable="GEMINI_API_KEY",
        model="gemini-flash-latest",
        window=1_000_000,
    ),
    "openrouter": Preset(
        "OpenRouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openrouter/auto", 128_000
    ),
    "ollama": Preset("Ollama", "http://127.0.0.1:11434/v1"),
}
NAMES = ("auto", "none", "local", *PRESETS)
LOOPBACK_SERVERS: tuple[Preset, ...] = (
    PRESETS["ollama"],
    Preset("LM Studio", "http://127.0.0.1:1234/v1"),
    Preset("llama.cpp", "http://127.0.0.1:8080/v1"),
)
_OTHER_KINDS = re.compile(r"embed|rerank|whisper|\bbge-|\btts\b|\be5-|minilm|\bclip\b", re.IGNORECASE)


def choose_endpoint(settings: Settings) -> Endpoint | None:
    """The server and model that the settings name, or that runs on this machine; None for no model.

    RAG_LLM=local is not decided here. Raises SettingsError; ModelError when the server has to be asked for a name,
    or when another user of this machine runs the one that a provider's name alone stands for.
    """
    name = settings.llm.strip()
    chosen = name.lower()
    if chosen == "none":
        return None
    if chosen in PRESETS:
        return _preset(chosen, settings)
    model = settings.llm_model or ("" if chosen in ("auto", "") else name)
    if settings.llm_base_url:
        base_url, query = _check_url(settings.llm_base_url)
        key = _own_key(settings)
        return _with_model(Endpoint(host_of(base_url), base_url, model, key, window=settings.llm_window, query=query))
    found = find_loopback(model)
    if found is not None:  # whoever listens there was named by nobody, so that no key was given for it
        return replace(found, window=settings.llm_window)
    if model:
        raise SettingsError(_no_server_for(name, model))
    return None


def _preset(name: str, settings: Settings) -> Endpoint:
    preset = PRESETS[name]
    endpoint = Endpoint(
        preset.title,
        preset.base_url,
        settings.llm_model or preset.model,
        _own_key(settings),
        preset.key_variable,
        settings.llm_window,
        preset.window,
    )
    if settings.llm_base_url:
        # The provider's usual key is for the provider's own host; another host gets only a key that was meant for it.
        base_url, query = _check_url(settings.llm_base_url)
        return _with_model(replace(endpoint, base_url=base_url, query=query, key_variable=""))
    if is_loopback(preset.base_url) and not is_ours(_port_of(preset.base_url)):
        raise ModelError(_of_another_user(endpoint))
    if preset.key_variable and not endpoint.key:
        key = _checked_key(os.environ.get(preset.key_variable, ""), preset.key_variable)
        if not key:
            raise SettingsError(
                f"RAG_LLM={name}: {preset.title} needs a key. Set {preset.key_variable} or RAG_LLM_API_KEY, "
                f"or set RAG_LLM=none to read without a model."
            )
        endpoint = replace(endpoint, key=key)
    return _with_model(endpoint)


def _of_another_user(endpoint: Endpoint) -> str:
    return (
        f"{endpoint.where}: another user of this machine runs the server there, and would read your questions; it was "
        f"asked nothing. Set RAG_LLM_BASE_URL to {endpoint.base_url} if you trust that user, or to the address of a "
        f"server of your own, or set RAG_LLM=none to read without a model."
    )


def _with_model(endpoint: Endpoint) -> Endpoint:
    if endpoint.model:
        return endpoint
    listed = chat_models(list_models(endpoint))
    if not listed:
        raise ModelError(
            f"{endpoint.where} lists no model that writes text. Load one there (Ollama: 'ollama pull NAME'), "
            f"or name it in RAG_LLM_MODEL."
        )
    return replace(endpoint, model=listed[0])


def chat_models(names: Sequence[str]) -> list[str]:
    """Those that can answer, in the same order: embedders, rerankers and speech models left out."""
    return [name for name in names if not _OTHER_KINDS.search(name)]


def _no_server_for(name: str, model: str) -> str:
    close = difflib.get_close_matches(name.lower(), NAMES, n=1)
    meant = f"Did you mean RAG_LLM={close[0]}? " if close and name.lower() != close[0] else ""
    return (
        f"The model '{model}' is named, but no server on this machine has it. {meant}Set RAG_LLM_BASE_URL to the "
        f"address of an OpenAI-compatible server, start Ollama, LM Studio or llama.cpp with that model, or set RAG_LLM "
        f"to one of: {', '.join(NAMES)}."
    )


def _own_key(settings: Settings) -> str:
    return _checked_key(settings.llm_api_key.get_secret_value(), "RAG_LLM_API_KEY")


def _checked_key(key: str, variable: str) -> str:
    """The key without blanks around it. One that no header can carry would be printed by the client's own error."""
    key = key.strip()
    if not all("!" <= letter <= "~" for letter in key):
        raise SettingsError(
            f"{variable}: contains a character that no key has (a space, a line break). Copy the key again."
        )
    return key


def _check_url(url: str) -> tuple[str, str]:
    """The address without its tail, and the query of every request ("…/v1?api-version=1", with the tail or without).

    Raises SettingsError; the address is not repeated, since it may hold a password.
    """
    try:
        parts = urlsplit(url.strip())
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        raise SettingsError("RAG_LLM_BASE_URL is not an address. It looks like http://127.0.0.1:11434/v1.")
    if parts.username or parts.password:
        raise SettingsError(
            "RAG_LLM_BASE_URL contains a user name or password. Put the key into RAG_LLM_API_KEY instead."
        )
    # Programs that put the tail behind whatever they are given make "…?api-version=1/chat/completions".
    query = parts.query.rstrip("/").removesuffix("/chat/completions")
    path = parts.path.rstrip("/").removesuffix("/chat/completions").rstrip("/")
    return urlunsplit((parts.scheme, ascii_netloc(parts), path or "/v1", "", "")), query


def find_loopback(model: str = "") -> Endpoint | None:
    """The first model server on this machine that has a model, or that has `model`.

    All are asked at once. Takes under 0.3 seconds where nothing listens. A server of another user of this machine is
    left out, as far as the system tells.
    """
    with ThreadPoolExecutor(len(LOOPBACK_SERVERS)) as pool:
        listings = list(pool.map(_models_quickly, LOOPBACK_SERVERS))
    for preset, names in zip(LOOPBACK_SERVERS, listings, strict=True):
        usable = (
            [name for name in names if model in (name, name.removesuffix(":latest"))] if model else chat_models(names)
        )
        if usable:
            return Endpoint(preset.title, preset.base_url, usable[0])
    return None


def _models_quickly(preset: Preset) -> list[str]:
    """The names of its models; none where nothing or something else listens, and the next server is looked at."""
    if not _is_listening(preset.base_url) or not is_ours(_port_of(preset.base_url)):
        return []
    try:
        return list_models(Endpoint(preset.title, preset.base_url), ANSWER_SECONDS)
    except ModelError:
        return []


def _port_of(url: str) -> int:
    return urlsplit(url).port or 80


def _is_listening(url: str) -> bool:
    try:
        with socket.create_connection((urlsplit(url).hostname or "", _port_of(url)), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False


def list_offers() -> list[str]:
    """What could be used but is not, since papers would leave the machine: a sentence for each key that lies around."""
    return [
        f"There is a key for {preset.title} in {preset.key_variable}. It is not used unless you ask for it: set "
        f"RAG_LLM={name} to have {preset.title} write the answers; "
        f"passages of your papers then go to {host_of(preset.base_url)}."
        for name, preset in PRESETS.items()
        if preset.key_variable and os.environ.get(preset.key_variable, "").strip()
    ]
