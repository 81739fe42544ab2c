"""Events that the page's own scripts cannot have sent are refused in words, before the web library fails over them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rag_app.server.i18n import translate
from rag_app.server.security.gate import Message, Receive, Scope, Send, error_body

_EVENTS = ("/gradio_api/run/", "/gradio_api/queue/join")


@dataclass(frozen=True)
class EventForm:
    """What comes with an event: how many texts, and whether one that was pressed."""

    texts: int
    pressed: bool


def is_event(body: object, forms: Mapping[int, EventForm]) -> bool:
    """Whether this is an event as the page sends it: a known one, from a tab, with all its texts and nothing else."""
    if not isinstance(body, dict):
        return False
    number, texts, tab = body.get("fn_index"), body.get("data"), body.get("session_hash")
    form = forms.get(number) if type(number) is int else None  # True is no number
    if form is None or not isinstance(tab, str) or not tab:
        return False
    if not isinstance(texts, list) or len(texts) != form.texts or not all(map(_is_text, texts)):
        return False
    return not form.pressed or _is_press(body.get("event_data"))


def _is_press(data: object) -> bool:
    pressed = data.get("value") if isinstance(data, dict) and "index" in data else None
    return isinstance(pressed, dict) and _is_text(pressed.get("text"))


def _is_text(value: object) -> bool:
    """Whether it is a text that can be written down: JSON can name half a character."""
    return isinstance(value, str) and value == value.encode("utf-8", "replace").decode("utf-8")


class EventCheck:
    """Serves `app`; an event of another form than the page's ends with 400 and one sentence."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], forms: Mapping[int, EventForm]) -> None:
        self.app = app
        self.forms = forms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", "") or "")
        if scope["type"] != "http" or scope["method"] != "POST" or not path.startswith(_EVENTS):
            return await self.app(scope, receive, send)
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        try:
            body: Any = json.loads(b"".join(message.get("body", b"") for message in messages))
        except (ValueError, RecursionError):
            body = None
        left = messages[-1]["type"] == "http.disconnect"
        if left or is_event(body, self.forms):
            return await self.app(scope, _replay(messages, receive), send)
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": error_body(400, translate("page.unknown-event"))})


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """The messages that were read, then what still comes."""
    kept = iter(messages)

    async def receive_again() -> Message:
        return next(kept, None) or await receive()

    return receive_again
