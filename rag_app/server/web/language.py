"""The language of each browser's page: chosen there, from the settings, or what the browser asks for."""

from __future__ import annotations

import contextvars
import gzip
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cache
from http.cookies import CookieError, SimpleCookie
from typing import TypeVar

from rag_app.server.i18n import LANGUAGES, choose_language, current_language, fill_markup, set_language
from rag_app.server.security.gate import Message, Receive, Scope, Send
from rag_app.server.web.page_files import page_file_tags, static_text

COOKIE = "rag_app_language"  # set by settings.js: a choice for one browser, of no use to anybody else
AUTO = "auto"
_FILLED = ("/", "/config")  # where the texts of the page's own parts are put in
Item = TypeVar("Item")


def language_for(headers: Mapping[str, str], configured: str = AUTO) -> str:
    """One of LANGUAGES: what was chosen in the browser, else what is configured, else what the browser asks for."""
    chosen = _cookie(headers.get("cookie", ""))
    if chosen in LANGUAGES:
        return chosen
    return configured if configured in LANGUAGES else choose_language(headers.get("accept-language", ""))


def _cookie(header: str) -> str:
    try:
        jar: SimpleCookie = SimpleCookie(header)
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def in_language(language: str, steps: Iterator[Item]) -> Iterator[Item]:
    """`steps`, each of them made in that language, whatever context asks for it."""
    context = contextvars.copy_context()
    context.run(set_language, language)
    try:
        while True:
            try:
                yield context.run(next, steps)
            except StopIteration:
                return
    finally:
        close = getattr(steps, "close", None)
        if close is not None:
            context.run(close)


class LanguageMiddleware:
    """Serves `app` with the language of each request set, and the texts put into what the page is made of."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], configured: str = AUTO) -> None:
        self.app = app
        self.configured = configured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        scope["language"] = language_for(headers, self.configured)
        set_language(scope["language"])
        path = scope["path"].removeprefix(scope.get("root_path", "") or "") or "/"
        if path not in _FILLED:
            return await self.app(scope, receive, send)
        # Compressed, the texts could not be put in.
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        packed = "gzip" in headers.get("accept-encoding", "")
        await self.app(scope, receive, _fill_response(send, scope["method"] == "HEAD", packed))


def _fill_response(send: Send, no_body: bool, packed: bool) -> Send:
    """Holds the answer back until it is whole, fills it, and sends it, compressed where it may be `packed`."""
    start: Message = {}
    body = bytearray()

    async def send_filled(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        if message["type"] != "http.response.body":
            return await send(message)
        body.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        whole = bytes(body) if no_body else _with_texts(body.decode("utf-8")).encode("utf-8")
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        if packed and not no_body:
            whole = gzip.compress(whole, 6, mtime=0)
            kept.append((b"content-encoding", b"gzip"))
        kept += [
            (b"vary", b"accept-language, accept-encoding, cookie"),
            (b"content-language", LANGUAGES[current_language()].encode()),
        ]
        if not no_body:
            kept.append((b"content-length", str(len(whole)).encode()))
        await send({**start, "headers": kept})
        await send({"type": "http.response.body", "body": whole})

    return send_filled


def _with_texts(page: str) -> str:
    """The page with its texts: each [[key]], and its language; and with its own style and script."""
    # No text of the catalogue holds a character that means something to HTML or JSON (tests/test_texts.py).
    own = LANGUAGES[current_language()]
    page = fill_markup(page).replace('lang="en"', f'lang="{own}"', 1)
    script = f"{_SAY}{_NAVIGATOR.format(own)}{_frame_script()}"
    page = page.replace("<head>", f"<head><script>{script}</script>", 1)
    return page.replace("</head>", f"{page_file_tags()}</head>", 1)


@cache
def _frame_script() -> str:
    """It has to run before Gradio's own scripts, and so stands here."""
    return static_text("frames.js")


# As texts.say, for the page's scripts.
_SAY = r"""
window.say = (key, values = {}) => window.texts[key].replace(/\{(\w+)(?:\|([^|}]*)\|([^|}]*))?\}/g,
  (place, name, one, many) => one === undefined ? String(values[name]) : String(values[name]) === "1" ? one : many);
"""
# Gradio translates its own few texts, and names the language of the page, by what the browser says: it is told ours.
_NAVIGATOR = """
Object.defineProperty(navigator, "language", {{ value: "{0}" }});
Object.defineProperty(navigator, "languages", {{ value: ["{0}"] }});
"""
