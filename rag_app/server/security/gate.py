"""Who may talk to the page: this machine only unless there is a log-in, its own pages only, and only what it needs."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rag_app.errors import SettingsError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_BODY = 1024 * 1024  # bytes; a question and the list of ticked papers are far smaller

# What a proxy says of a request. uvicorn has taken from it what may be believed (app._server); Gradio would make
# addresses of the rest.
_FORWARDED = (b"forwarded", b"x-forwarded")

LARGEST_FILE = 201 * 1024 * 1024  # bytes; of a paper that is added
_FILES = "/adding/file"

API = ("/api/v1/", "/v1/", "/mcp")  # what other programs ask for (server/api)
# What the page asks for. All other routes of gradio (uploads, files, proxy, recording) stay closed; so does "cancel",
# which the page does without and which would end any user's event by its id.
_OPEN = ("/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json")
_OPEN_BELOW = (
    "/assets/",
    "/static/",
    "/svelte/",
    "/reading/",
    "/adding/",
    "/settings/",
    *API,
    "/gradio_api/queue/",
    "/gradio_api/run/",
    "/gradio_api/heartbeat/",
    "/gradio_api/startup-events",
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
    (b"referrer-policy", b"same-origin"),  # with none at all, browsers call the origin of our own forms "null"
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-accel-buffering", b"no"),  # a proxy that gathers the stream would hold the words back
)


class RequestTimeout(Exception):
    """The body of a request has not come in time (ui_patience)."""


def listening_address(host: str, protected: bool) -> str:
    """The address to listen on. Raises SettingsError for one that other machines can reach, unless `protected`."""
    name = host.strip().strip("[]").casefold()
    if name == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(name).is_loopback or protected:
            return name
    except ValueError:
        pass  # a name: refused below
    remedy = (
        "Write an address of this machine in numbers, or 0.0.0.0 for all of them."
        if protected
        else "Leave RAG_HOST unset, and reach the page from elsewhere through an SSH tunnel (ssh -L "
        "7860:127.0.0.1:7860 machine) or a proxy on this machine; or let people log in: python -m rag_app user add NAME"
    )
    why = "no such address" if protected else "nobody needs to log in, so the page listens on this machine only"
    raise SettingsError(f"RAG_HOST={host}: {why}. {remedy}")


@dataclass(frozen=True)
class AllowedHosts:
    """Names under which the page may be asked for. `proxy` is the one of RAG_ROOT_PATH, with its port."""

    names: frozenset[str]
    proxy: str = ""
    any_address: bool = False  # no name that somebody else could let point here

    def __contains__(self, host: str) -> bool:
        return host in self.names or (self.any_address and _is_address(host))


def allowed_hosts(root_path: str, listening: str = "127.0.0.1") -> AllowedHosts:
    """This machine's names, what it listens on, and the proxy's name where root_path is a full URL."""
    proxy = urlsplit(root_path) if "://" in root_path else urlsplit("")
    names = {"localhost", "127.0.0.1", "::1", listening.lower()}
    if proxy.hostname:
        names.add(proxy.hostname)
    outside = not ipaddress.ip_address(listening).is_loopback
    if outside:
        names.add(socket.gethostname().casefold())
    return AllowedHosts(frozenset(names), proxy.netloc.lower(), outside)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class RequestGuard:
    """Refuses other hosts' pages (DNS rebinding, cross-site requests), closed routes and large bodies."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], hosts: AllowedHosts, more: Collection[str] = ()
    ) -> None:
        """`more`: paths that are served besides those of the page."""
        self.app = app
        self.hosts = hosts
        self.more = more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        refusal = find_refusal(scope, self.hosts, self.more) if scope["type"] == "http" else (403, "Not served.")
        if refusal is not None:
            return await _answer(send, scope["type"], *refusal, as_json=is_api(scope["path"]))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        scope["headers"] = [one for one in scope["headers"] if not one[0].startswith(_FORWARDED)]
        await self.app(scope, count_body(receive, largest_body(scope)), with_headers)


def find_refusal(scope: Scope, hosts: AllowedHosts, more: Collection[str] = ()) -> tuple[int, str] | None:
    """Why a request is not served, as status and sentence; None when it is."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if _host(headers.get(b"host", "")) not in hosts:
        return 403, "Not served under this host name. Set RAG_ROOT_PATH to the page's full URL, as behind a proxy."
    origin = headers.get(b"origin")
    if origin is not None and not _is_own(origin, headers[b"host"], hosts):
        return 403, "Not served to pages of other sites. Behind a proxy, set RAG_ROOT_PATH to the page's full URL."
    # Another port of this machine is "same-site" to a browser, and a stranger to us.
    if headers.get(b"sec-fetch-site") in ("cross-site", "same-site") and scope["path"] != "/":
        return 403, "Not served to pages of other sites."
    path = scope["path"].removeprefix(scope.get("root_path", "") or "") or "/"
    if path not in _OPEN and path not in more and not path.startswith(_OPEN_BELOW):
        return 404, "Not found."
    if b"transfer-encoding" in headers:  # how long it is would be known at its end only
        return 400, "Send the body with its length (Content-Length) and without Transfer-Encoding."
    if scope["method"] in ("GET", "HEAD"):
        return (400, "This request takes no body.") if headers.get(b"content-length", "0").strip("0") else None
    if not (is_api(path) and _has_no_body(headers)) and not _is_small(headers, largest_body(scope)):
        return 413, "Too large."
    return None


def largest_body(scope: Scope) -> int:
    """How many bytes a request may send."""
    path = scope["path"].removeprefix(scope.get("root_path", "") or "") or "/"
    return LARGEST_FILE if path == _FILES else LARGEST_BODY


def count_body(receive: Receive, limit: int) -> Receive:
    """The messages of a request; one with more than `limit` bytes of body ends as if its client had left."""
    size = 0

    async def receive_counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        return message if size <= limit else {"type": "http.disconnect"}

    return receive_counted


def _is_own(origin: str, host: str, hosts: AllowedHosts) -> bool:
    """Whether a request comes from the page itself: the same name and port that it asks for, or the proxy's."""
    try:
        parts = urlsplit(origin)
        given = parts.netloc.lower()
        return parts.scheme in ("http", "https") and given in (host.strip().lower(), hosts.proxy or None)
    except ValueError:
        return False


def _is_small(headers: dict[bytes, str], limit: int) -> bool:
    length = headers.get(b"content-length", "")
    return length.isascii() and length.isdigit() and len(length) < 20 and int(length) <= limit


def is_api(path: str) -> bool:
    """Whether a program asks, not the page."""
    return path.startswith(API) and (path == "/mcp" or not path.startswith("/mcp") or path.startswith("/mcp/"))


def _has_no_body(headers: dict[bytes, str]) -> bool:
    """HTTP/1.1 (RFC 9112, 6.3): a request that tells neither length nor coding of its body has none."""
    return b"content-length" not in headers and b"transfer-encoding" not in headers


def _host(header: str) -> str:
    """The name in a Host header, in lower case; empty for one that is more than a name and a port."""
    try:
        parts = urlsplit(f"//{header}")
        whole = parts.netloc == header and "@" not in header and (parts.port is None or parts.port > 0)
    except ValueError:
        return ""
    return (parts.hostname or "") if whole else ""


_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    413: "too_large",
    429: "rate_limited",
}


def error_body(status: int, text: str) -> bytes:
    """A refusal as programs read it."""
    return json.dumps({"error": {"code": _CODES.get(status, "refused"), "message": text}}).encode()


async def _answer(send: Send, kind: str, status: int, text: str, *, as_json: bool = False) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    media = b"application/json" if as_json else b"text/plain; charset=utf-8"
    headers = [(b"content-type", media), *_HEADERS]
    if status in (400, 413):
        headers.append((b"connection", b"close"))  # what still comes of its body is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": error_body(status, text) if as_json else text.encode()})
