"""The settings panel of the page: which reader answers, tried with one tiny call and used from the next question on.

A key goes in and never comes out: not into the page, a message, the history or a log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from rag_app.errors import RagError, SettingsError
from rag_app.providers import PRESETS
from rag_app.reader_choice import (
    OWN,
    Choice,
    choice_of,
    for_the_form,
    forget,
    is_kept,
    keep,
    key_source,
    overriding,
    try_reader,
    with_choice,
)
from rag_app.settings import Settings, reader_file
from rag_app.ui_adding import read_json, said
from rag_app.ui_render import VERBATIM_READERS

if TYPE_CHECKING:
    from rag_app.assistant import Assistant
    from rag_app.history import History
    from rag_app.ui_reader import ReaderNote

PREFIX = "/settings"
SHARED = "Several people have this page: who answers is chosen where it is started (RAG_LLM, RAG_LLM_BASE_URL)."
TITLES = {
    "none": ("No model", "Answers are the papers’ own sentences, word for word. Nothing leaves this machine."),
    "auto": ("A server found here", "Ollama, LM Studio or llama.cpp, if one runs on this machine; else no model."),
    "local": ("Small model inside", "SmolLM2 or a GGUF file, in this process. Needs the extra “local”."),
    OWN: ("Your own server", "Any OpenAI-compatible server: vLLM, LM Studio, llama.cpp, a proxy of your own."),
}


class SettingsPanel:
    """What the panel shows and does. Safe to share between threads."""

    def __init__(self, assistant: Assistant, settings: Settings, reader: ReaderNote, history: History) -> None:
        self._assistant = assistant
        self._settings = settings  # as they are in use now
        self._reader = reader
        self._history = history
        self._lock = threading.Lock()

    def state(self) -> dict[str, Any]:
        """What is chosen and what can be chosen. Never a key; asks nobody."""
        settings = self._settings
        choice = choice_of(settings)
        return {
            "chosen": choice.name,
            "base_url": choice.base_url,
            "model": choice.model,
            "readers": [_reader(name, settings) for name in ("none", "auto", *PRESETS, OWN, "local")],
            "key": key_source(settings, choice.name, choice.base_url),
            "answering": "" if self._reader.name in VERBATIM_READERS else self._reader.name,
            "problem": for_the_form(self._reader.problem, choice.key),
            "kept": is_kept(),
            "file": str(reader_file()),
            "overridden": list(overriding()),
        }

    def attempt(self, value: dict[str, Any]) -> dict[str, Any]:
        """Try what was typed with one tiny call; nothing is changed by it."""
        choice = _choice(value)
        wanted = with_choice(self._settings, choice)
        trial = try_reader(wanted)
        message = for_the_form(trial.message, wanted.llm_api_key.get_secret_value())
        return {"works": trial.works, "message": message, "models": list(trial.models)}

    def use(self, value: dict[str, Any]) -> dict[str, Any]:
        """Have new questions answered by what was typed; kept on this machine only where that was ticked."""
        wanted = with_choice(self._settings, _choice(value))
        key = wanted.llm_api_key.get_secret_value()
        self._history.hide(key)  # before the first answer could repeat it
        with self._lock:
            try:
                reader = self._assistant.read_by(wanted)
            except RagError as error:
                raise SettingsError(for_the_form(str(error), key)) from None
            self._settings = wanted
            self._reader.name, self._reader.problem = reader.name, ""
        words = "New questions are answered by the papers’ own sentences."
        if reader.name not in VERBATIM_READERS:
            words = f"New questions are answered by {reader.name}."
        if value.get("keep") is True:
            words += f" Kept in {keep(wanted)}, which only you can read."
            if overriding():
                words += f" At the next start {', '.join(overriding())} of the environment go before it."
        else:
            words += " Until this program ends."
        return {"works": True, "message": words}

    def forget(self, value: dict[str, Any]) -> dict[str, Any]:
        """Delete the file in which a reader was kept; what is in use goes on."""
        there = forget()
        return {"works": True, "message": f"{reader_file()} is deleted." if there else "Nothing was kept."}


def settings_routes(panel: SettingsPanel, shared: Callable[[], bool] = lambda: False) -> APIRouter:
    """The routes of the settings panel. Nothing is changed and nobody asked while the page is `shared` by users.

    The reader answers them all: who named the server would read what the others ask.
    """
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)
    actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "try": panel.attempt,
        "use": panel.use,
        "forget": panel.forget,
    }

    @routes.get("/state")
    def state() -> JSONResponse:
        return said(panel.state())

    @routes.post("/{name}")
    async def do(name: str, request: Request) -> JSONResponse:
        if name not in actions:
            raise HTTPException(404, "Nothing of this name can be done. Reload the page.")
        value = await read_json(request)
        if shared():
            return said({"works": False, "message": SHARED, "state": panel.state()})
        try:
            found = await run_in_threadpool(actions[name], value)
        except RagError as error:
            found = {"works": False, "message": for_the_form(str(error), str(value.get("key") or "").strip())}
        return said(found | {"state": panel.state()})

    return routes


def _reader(name: str, settings: Settings) -> dict[str, str]:
    if name in TITLES:
        title, about = TITLES[name]
        return {"name": name, "title": title, "about": about, "key": key_source(settings, name)}
    preset = PRESETS[name]
    here = not preset.key_variable
    about = "On this machine." if here else f"Passages of your papers go to {preset.title}."
    return {
        "name": name,
        "title": preset.title,
        "about": about,
        "base_url": preset.base_url,
        "model": preset.model,
        "variable": preset.key_variable,
        "key": key_source(settings, name),
    }


def _choice(value: dict[str, Any]) -> Choice:
    text = {name: str(value.get(name) or "").strip() for name in ("name", "base_url", "model", "key")}
    return Choice(**text)
