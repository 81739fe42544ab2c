"""The settings panel of the page: which model answers, tested with one short call, used from the next question on.

A key goes in and never comes out: not to the page, a message, the history or a log.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from rag_app.errors import RagError
from rag_app.server.i18n import LazyText, translate, translate_later
from rag_app.server.web.markdown import escape_html
from rag_app.server.web.render import VERBATIM_READERS

if TYPE_CHECKING:
    from rag_app.assistant import Assistant


import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from rag_app.errors import SettingsError
from rag_app.models.llm.choice import (
    OWN,
    ReaderChoice,
    adapt_for_form,
    choice_of,
    forget_reader,
    is_reader_kept,
    keep_reader,
    key_source,
    overriding_variables,
    try_reader,
    with_choice,
)
from rag_app.models.llm.providers import PRESETS
from rag_app.server.i18n import translate_core
from rag_app.server.web.upload_routes import json_response, read_json_body
from rag_app.settings import Settings, kept_reader_file, reader_file

if TYPE_CHECKING:
    from rag_app.assistant import Assistant
    from rag_app.outputs.history import History


_log = logging.getLogger(__name__)


class ReaderNoteLike(Protocol):
    """What the screen shows of the reader."""

    @property
    def name(self) -> str: ...
    def html(self) -> str: ...


class ReaderNote:
    """The reader's name once it is open, or why it cannot be opened."""

    def __init__(self) -> None:
        self.name = ""
        self.problem: str | LazyText = ""

    def open(self, assistant: Assistant) -> None:
        """Open the reader now, so that the first question does not wait for it. Never raises."""
        try:
            self.name = assistant.reader.name
        except RagError as error:
            self.problem = str(error)
        except Exception as error:  # the outermost edge of its thread: the page must say it
            _log.exception("the reader could not be opened")
            self.problem = translate_later("reader.not-opened", why=f"{type(error).__name__}: {error}")

    def html(self) -> str:
        """A line that says who answers, and what opens the settings."""
        if self.problem:
            line = f'<span class="failed">{escape_html(str(self.problem))}</span>'
        elif not self.name:
            line = translate("reader.ready")
        elif self.name in VERBATIM_READERS:
            line = f"{translate('reader.name')}<b>{translate('reader.quoting')}</b>{translate('reader.no-model')}"
        else:
            line = f"{translate('reader.name')}<b>{escape_html(self.name)}</b>"
        change = f'<button type="button" class="text-button open-settings">{translate("settings.open")}</button>'
        return f'<p class="reader">{line}</p>{change}'


PREFIX = "/settings"
TITLES = {
    "none": ("settings.none", "settings.none-about"),
    "auto": ("settings.auto", "settings.auto-about"),
    "local": ("settings.local", "settings.local-about"),
    OWN: ("settings.own", "settings.own-about"),
}


class SettingsPanel:
    """What the panel shows and does. Thread-safe."""

    def __init__(self, assistant: Assistant, settings: Settings, reader: ReaderNote, history: History) -> None:
        self._assistant = assistant
        self._settings = settings  # as they are in use now
        self._reader = reader
        self._history = history
        self._lock = threading.Lock()

    def state(self, shared: bool = False) -> dict[str, Any]:
        """What is chosen and what can be chosen. Never a key; asks nobody. `shared`: without addresses and paths."""
        settings = self._settings
        choice = choice_of(settings)
        return {
            "chosen": choice.name,
            "base_url": "" if shared else choice.base_url,
            "model": choice.model,
            "readers": [_reader(name, settings) for name in ("none", "auto", *PRESETS, OWN, "local")],
            "key": translate_core(key_source(settings, choice.name, choice.base_url)),
            "answering": "" if self._reader.name in VERBATIM_READERS else self._reader.name,
            "problem": "" if shared else adapt_for_form(translate_core(str(self._reader.problem)), choice.key),
            "kept": is_reader_kept(),
            "file": "" if shared else str(kept_reader_file() or ""),
            "overridden": list(overriding_variables()),
        }

    def attempt(self, value: dict[str, Any]) -> dict[str, Any]:
        """Try what was typed with one tiny call; nothing is changed by it."""
        choice = _choice(value)
        wanted = with_choice(self._settings, choice)
        trial = try_reader(wanted)
        message = adapt_for_form(translate_core(trial.message), wanted.llm_api_key.get_secret_value())
        return {"works": trial.works, "message": message, "models": list(trial.models)}

    def use(self, value: dict[str, Any]) -> dict[str, Any]:
        """Have new questions answered by what was typed; kept on this machine only where that was ticked.

        It is tried first. What does not work is used only when the user, told so, says "anyway".
        """
        wanted = with_choice(self._settings, _choice(value))
        key = wanted.llm_api_key.get_secret_value()
        if value.get("anyway") is not True:
            trial = try_reader(wanted)
            if not trial.works:
                said = f"{adapt_for_form(translate_core(trial.message), key)} {translate('settings.not-used')}"
                return {"works": False, "message": said, "models": list(trial.models), "anyway": True}
        self._history.add_secret(key)  # before the first answer could repeat it
        with self._lock:
            try:
                reader = self._assistant.use_reader(wanted)
            except RagError as error:
                raise SettingsError(adapt_for_form(str(error), key)) from None
            self._settings = wanted
            self._reader.name, self._reader.problem = reader.name, ""
        words = [translate("settings.by-quotes")]
        if reader.name not in VERBATIM_READERS:
            words = [translate("settings.by-model", name=reader.name)]
        if value.get("keep") is True:
            words.append(translate("settings.kept-in", file=keep_reader(wanted)))
            if overriding_variables():
                words.append(translate("settings.overridden", names=", ".join(overriding_variables())))
        else:
            words.append(translate("settings.until-end"))
        return {"works": True, "message": " ".join(words)}

    def forget(self, value: dict[str, Any]) -> dict[str, Any]:
        """Delete the file in which a reader was kept; what is in use goes on."""
        there = forget_reader()
        return {
            "works": True,
            "message": translate("settings.deleted", file=reader_file())
            if there
            else translate("settings.nothing-kept"),
        }


def settings_routes(panel: SettingsPanel, shared: Callable[[], bool] = lambda: False) -> APIRouter:
    """The routes of the settings panel. Nothing is changed and nobody asked while the page is `shared`.

    That is where anybody needs to log in. The reader answers them all: who named the server would read what the others
    ask, and could have this machine ask addresses of its own network.
    """
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)
    actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "try": panel.attempt,
        "use": panel.use,
        "forget": panel.forget,
    }

    @routes.get("/state")
    def state() -> JSONResponse:
        return json_response(panel.state(shared()))

    @routes.post("/{name}")
    async def do(name: str, request: Request) -> JSONResponse:
        if name not in actions:
            raise HTTPException(404, translate("adding.nothing-such"))
        value = await read_json_body(request)
        if shared():
            return json_response({"works": False, "message": translate("settings.shared"), "state": panel.state(True)})
        try:
            found = await run_in_threadpool(actions[name], value)
        except RagError as error:
            found = {"works": False, "message": adapt_for_form(str(error), str(value.get("key") or "").strip())}
        return json_response(found | {"state": panel.state()})

    return routes


def _reader(name: str, settings: Settings) -> dict[str, str]:
    if name in TITLES:
        title, about = map(translate, TITLES[name])
        return {"name": name, "title": title, "about": about, "key": translate_core(key_source(settings, name))}
    preset = PRESETS[name]
    here = not preset.key_variable
    about = translate("settings.here") if here else translate("settings.goes-to", name=preset.title)
    return {
        "name": name,
        "title": preset.title,
        "about": about,
        "base_url": preset.base_url,
        "model": preset.model,
        "variable": preset.key_variable,
        "key": translate_core(key_source(settings, name)),
    }


def _choice(value: dict[str, Any]) -> ReaderChoice:
    text = {name: str(value.get(name) or "").strip() for name in ("name", "base_url", "model", "key")}
    return ReaderChoice(**text)
