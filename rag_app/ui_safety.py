"""Who may talk to the page: this machine only, its own pages only, and only what the page needs."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from rag_app.errors import SettingsError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_BODY = 1024 * 1024  # bytes; a question and the list of ticked papers are far smaller

LARGEST_FILE = 201 * 1024 * 1024  # bytes; of a paper that is added
_FILES = "/adding/file"

# What the page asks for. All other routes of gradio (uploads, files, proxy, recording) stay closed.
_OPEN = ("/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json")
_OPEN_BELOW = (
    "/assets/",
    "/static/",
    "/svelte/",
    "/reading/",
    "/adding/",
    "/settings/",
    "/gradio_api/queue/",
    "/gradio_api/run/",
    "/gradio_api/heartbeat/",
    "/gradio_api/startup-events",
    "/gradio_api/cancel",
    "/gradio_api/reset",
    "/gradio_api/app_id",
)
_HEADERS = (
    # Gradio needs inline scripts and styles, and eval for its templates; nothing needs another host.
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-accel-buffering", b"no"),  # a proxy that gathers the stream would hold the words back
)


def loopback(host: str) -> str:
    """The address to listen on. Raises SettingsError unless only this machine can reach it."""
    name = host.strip().strip("[]").casefold()
    if name == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(name).is_loopback:
            return name
    except ValueError:
        pass  # a name: refused below like every address that others can reach
    raise SettingsError(
        f"RAG_HOST={host}: the page has no log-in, so it listens on this machine only. Leave RAG_HOST unset, and "
        "reach it from elsewhere through an SSH tunnel (ssh -L 7860:127.0.0.1:7860 machine) or a proxy on this machine."
    )


def allowed_hosts(root_path: str) -> frozenset[str]:
    """Host names under which the page may be asked for: this machine, and the proxy's where root_path is a full URL."""
    proxy = urlsplit(root_path).hostname if "://" in root_path else None
    return frozenset({"localhost", "127.0.0.1", "::1", *([proxy] if proxy else [])})


class Gate:
    """Refuses other hosts' pages (DNS rebinding, cross-site requests), closed routes and large bodies."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], hosts: frozenset[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        refusal = refuse(scope, self.hosts) if scope["type"] == "http" else (403, "Not served.")
        if refusal is not None:
            return await _answer(send, scope["type"], *refusal)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        await self.app(scope, receive, with_headers)


def refuse(scope: Scope, hosts: frozenset[str]) -> tuple[int, str] | None:
    """Why a request is not served, as status and sentence; None when it is."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host = _host(headers.get(b"host", ""))
    if host not in hosts:
        return 403, "Not served under this host name. Behind a proxy, set RAG_ROOT_PATH to the page's full URL."
    origin = headers.get(b"origin")
    if origin is not None and (urlsplit(origin).hostname or "") not in hosts:
        return 403, "Not served to pages of other sites."
    if headers.get(b"sec-fetch-site") == "cross-site" and scope["path"] != "/":
        return 403, "Not served to pages of other sites."
    path = scope["path"].removeprefix(scope.get("root_path", "") or "") or "/"
    if path not in _OPEN and not path.startswith(_OPEN_BELOW):
        return 404, "Not found."
    if scope["method"] not in ("GET", "HEAD") and not _small(headers, path):
        return 413, "Too large."
    return None


def _small(headers: dict[bytes, str], path: str) -> bool:
    length = headers.get(b"content-length", "")
    return length.isascii() and length.isdigit() and int(length) <= (LARGEST_FILE if path == _FILES else LARGEST_BODY)


def _host(header: str) -> str:
    return (urlsplit(f"//{header}").hostname or "") if header else ""


async def _answer(send: Send, kind: str, status: int, text: str) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
