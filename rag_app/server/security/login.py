"""The log-in in front of the page: who asks is told by a cookie, and without one nothing but the form is served."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import ipaddress
import math
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

from rag_app.errors import AccountError
from rag_app.models.llm.listeners import LEFT, find_connection_owner, find_person, is_strangers_connection
from rag_app.server.i18n import LANGUAGES, current_language, translate
from rag_app.server.security.accounts import ApiToken
from rag_app.server.security.browser_code import PARAMETER as CODE
from rag_app.server.security.browser_code import BrowserCode
from rag_app.server.security.gate import Message, Receive, Scope, Send, error_body, is_api
from rag_app.server.security.page_token import PARAMETER, cookie_value

LOG_IN, LOG_OUT = "/login", "/logout"
LONGEST_FORM = 8 * 1024  # bytes
STAYS = 7 * 24 * 3600  # seconds that a log-in lasts
LOG_INS_KEPT = 10_000
TRIES, TRIES_OF_NAME, WINDOW = 8, 40, 600.0  # failures of one source, and at one name, within so many seconds
LONGEST_WAIT = 30.0  # seconds after the last of them: slows guessing, and keeps the right password out for no longer
CHECKS_AT_ONCE = 2  # each costs 16 MiB and a fifth of a second of one core
MOST_WAITING = 100
_OURS = ("/assets/", "/static/", "/svelte/", "/theme.css")  # the same for everybody
_POLICY = (
    b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    b"img-src 'self'"
)
_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:20rem;margin:14vh auto;"
    "padding:0 1rem}h1{font-size:1.3rem}label{display:block;margin:.9rem 0}input{display:block;width:100%;"
    "box-sizing:border-box;font:inherit;padding:.45rem .6rem;margin-top:.2rem}"
    "button{font:inherit;padding:.4rem 1rem}"
    "p{color:#b3261e}@media(prefers-color-scheme:dark){p{color:#ffb4ab}}"
)


class UserDirectory(Protocol):
    """Who may log in (accounts.Accounts)."""

    @property
    def is_required(self) -> bool: ...
    @property
    def by_name(self) -> bool: ...
    def check(self, name: str, password: str) -> str | None: ...
    def password_stamp(self, user: str) -> str: ...
    def tokens(self) -> Mapping[str, ApiToken]: ...
    def find_token(self, token: str) -> tuple[str, ApiToken] | None: ...


class LogInMiddleware:
    """Serves `app` to who has logged in, with scope["user"]; to everybody, as user "", where nobody needs to."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        users: UserDirectory,
        root_path: str = "",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        *,
        page_token: str = "",
        browser_code: BrowserCode | None = None,
    ) -> None:
        """`page_token`: what the address of the page has to hold while nobody needs to log in; empty: nothing.

        `browser_code` opens it once instead.
        """
        self.app = app
        self._page_token = page_token
        self._browser_code = browser_code or BrowserCode()
        self._page_cookie = f"rag_app_page_{port}"
        self._page_cookie_value = cookie_value(page_token, port)
        self.users = users
        self._required = users.is_required
        self._tokens = False  # whether programs need one, though no user needs to log in
        self.home = urlsplit(root_path).path.rstrip("/") + "/"
        self._has_proxy = bool(root_path)  # then all connections are the proxy's
        self.https = root_path.startswith("https://")
        self.cookie = f"rag_app_{port}"  # cookies know no ports, and two pages may be open
        self.log_ins = LogInSessions(clock)
        self.limiter = RateLimiter(clock)
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        scope["user"] = ""
        try:
            path = scope["path"].removeprefix(scope.get("root_path", "") or "")
            self._tokens = self._tokens or bool(self.users.tokens())  # nor does removing the last token
            if is_api(path) and self._tokens:
                found = self.users.find_token(bearer_token(scope))
                if found is not None:
                    scope["token"], scope["user"] = found[0], found[1].user
                    return await self.app(scope, receive, send)
                if bearer_token(scope) or not self.users.is_required:
                    return await _refuse_program(send)
            self._required = self._required or self.users.is_required  # removing the last user does not open the page
            if path in (LOG_IN, LOG_OUT) and not (self._required and scope["method"] == "POST"):
                return await self._go_home(
                    send
                )  # the web library has routes of these names, which clear its own cookies
            if not self._required:
                return await self._serve_without_log_in(scope, receive, send, path)
            user = self.log_ins.user(self._token(scope), self.users.password_stamp, self._person(scope))
            if path == LOG_IN and scope["method"] == "POST":
                return await self._log_in(scope, receive, send)
            if path == LOG_OUT and scope["method"] == "POST":
                self.log_ins.end(self._token(scope))
                return await self._go_home(send, self._cookie_header(scope, "", 0))
            if user is None and is_api(path):
                return await _refuse_program(send)
            if user is None:
                return await self._refuse(scope, send, path)
        except AccountError as error:
            return await _send_text(send, 503, str(error))
        scope["user"] = user
        await self.app(scope, receive, send if path.startswith(_OURS) else _forbid_caching(send))

    async def _serve_without_log_in(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Whoever knows the token of the page has it; the address sets a cookie, which goes with the rest."""
        if not self._page_token:
            return await self.app(scope, receive, send)
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if path == "/" and scope["method"] == "GET" and self._may_enter(query, scope):
            secure = "; Secure" if self.https or scope.get("scheme") == "https" else ""
            kept = f"Path={self.home}; Max-Age={STAYS}; HttpOnly; SameSite=Strict{secure}"
            rest = urlencode(
                {name: values for name, values in query.items() if name not in (PARAMETER, CODE)}, doseq=True
            )
            cookie = f"{self._page_cookie}={self._page_cookie_value}; {kept}".encode()
            return await self._go_home(send, cookie, f"?{rest}" if rest else "")
        sent = self._cookie(scope, self._page_cookie).encode()
        if hmac.compare_digest(sent, self._page_cookie_value.encode()) and not self._is_strangers(scope):
            return await self.app(scope, receive, send if path.startswith(_OURS) else _forbid_caching(send))
        if is_api(path):
            if self._knows(bearer_token(scope)):
                return await self.app(scope, receive, send)
            return await _refuse_program(send)
        if path == "/" and dict(scope["headers"]).get(b"sec-fetch-site") == b"cross-site":
            return await _reload(send)
        await _send_text(send, 401, translate("login.address"))

    def _may_enter(self, query: Mapping[str, list[str]], scope: Scope) -> bool:
        """Whether the address holds the token, or the code of the browser that the program has just opened."""
        token, code = (query.get(name, [""])[0] for name in (PARAMETER, CODE))
        return self._knows(token) or self._browser_code.redeem(code, scope)

    def _is_strangers(self, scope: Scope) -> bool:
        """Whether another user of this machine sends the cookie. Behind a proxy that is named, all come from the proxy.

        Once the program has ended, and another server has taken its port, a tab that is still open sends it there.
        """
        ends = self._ends(scope)
        return ends is not None and is_strangers_connection(*ends)

    def _person(self, scope: Scope) -> int | None:
        """The user id of the person of this machine who sends the request; see find_person."""
        ends = self._ends(scope)
        return None if ends is None else find_person(*ends)

    def _ends(self, scope: Scope) -> tuple[tuple[str, int], tuple[str, int]] | None:
        """The client's end of the connection and ours; None behind a proxy that is named, and where they have none."""
        client, server = scope.get("client"), scope.get("server")
        if self._has_proxy or client is None or server is None:
            return None
        return (client[0], client[1]), (server[0], server[1])

    def _knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._page_token.encode())

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = find_source(*(scope.get("client") or ("", 0))[:2])
        fields = parse_qs((await _body(receive)).decode("utf-8", "replace"), keep_blank_values=True)
        name, password = (fields.get(field, [""])[0] for field in ("name", "password"))
        if self._waiting >= MOST_WAITING:
            return await self._form(send, 429, translate("login.crowd"))
        self._waiting += 1
        try:
            async with self._checks:  # asked here: many tries at once are no way around it
                wait = self.limiter.seconds_to_wait(address, name)
                user = None if wait else await asyncio.to_thread(self.users.check, name, password)
                if not wait and user is None:
                    self.limiter.record_failure(address, name)
        finally:
            self._waiting -= 1
        if wait:
            words = translate("login.too-often", seconds=math.ceil(wait))
            return await self._form(send, 429, words, [(b"retry-after", str(math.ceil(wait)).encode())])
        if user is None:
            return await self._form(send, 401, translate("login.wrong"))
        self.limiter.clear_failures(address, name)
        token = self.log_ins.begin(user, self.users.password_stamp(user), self._person(scope))
        await self._go_home(send, self._cookie_header(scope, token, STAYS))

    async def _refuse(self, scope: Scope, send: Send, path: str) -> None:
        if path != "/" or scope["method"] not in ("GET", "HEAD"):
            return await _send_text(send, 401, translate("login.first"))
        headers = dict(scope["headers"])
        if headers.get(b"sec-fetch-site") == b"cross-site":
            # A link from elsewhere comes without the cookie (SameSite=Strict); asked for by our own page it comes.
            return await _reload(send)
        await self._form(send, 401)

    async def _form(
        self, send: Send, status: int, said: str = "", more: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        first = ""
        if self.users.by_name:
            field = '<input name="name" autocomplete="username" autocapitalize="none" required autofocus>'
            first = f"<label>{translate('login.name')}{field}</label>"
        focus = "" if first else " autofocus"
        problem = f'<p role="alert">{html.escape(said)}</p>' if said else ""
        password = f'<input name="password" type="password" autocomplete="current-password" required{focus}>'
        page = (
            f'<!doctype html><html lang="{LANGUAGES[current_language()]}"><meta charset="utf-8">'
            f"<title>{translate('login.title')}</title>"
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
            f"<h1>{translate('page.title')}</h1>"
            f'<form method="post" action="{html.escape(self.home, quote=True)}login">{first}'
            f"<label>{translate('login.password')}{password}</label>{problem}<button>{translate('login.log-in')}</button></form></html>"
        )
        await _html(send, status, page, more)

    async def _go_home(self, send: Send, cookie: bytes = b"", query: str = "") -> None:
        headers = [(b"location", f"{self.home}{query}".encode()), (b"cache-control", b"no-store")]
        if cookie:
            headers.append((b"set-cookie", cookie))
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _cookie_header(self, scope: Scope, token: str, seconds: int) -> bytes:
        secure = "; Secure" if self.https or scope.get("scheme") == "https" else ""
        kept = f"Path={self.home}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        return f"{self.cookie}={token}; {kept}".encode()

    def _token(self, scope: Scope) -> str:
        return self._cookie(scope, self.cookie)

    @staticmethod
    def _cookie(scope: Scope, name: str) -> str:
        jar: SimpleCookie = SimpleCookie()
        try:
            for header, value in scope["headers"]:
                if header == b"cookie":
                    jar.load(value.decode("latin-1"))
        except CookieError:
            return ""
        return jar[name].value if name in jar else ""


@dataclass(frozen=True)
class LogIn:
    """Whose log-in it is, with which password, where from, and until when."""

    user: str
    stamp: str  # of the password
    person: int | None  # the user id of who logged in on this machine; None from elsewhere
    until: float


class LogInSessions:
    """Who is logged in, by the hash of the cookie's value. In memory only: a restart asks for the password again.

    A browser sends cookies to every port of a host, and so perhaps to a server of another user of the machine: a
    log-in is of use only to the person of this machine who logged in, or from elsewhere where it began elsewhere.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all: OrderedDict[bytes, LogIn] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, user: str, stamp: str, person: int | None) -> str:
        """A new value for the cookie."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._all[_digest(token)] = LogIn(user, stamp, person, self._clock() + STAYS)
            while len(self._all) > LOG_INS_KEPT:
                self._all.popitem(last=False)
        return token

    def user(self, token: str, stamp: Callable[[str], str], person: int | None) -> str | None:
        """Whose log-in it is; None once it has ended, the user or the password is gone, and for somebody else."""
        with self._lock:
            found = self._all.get(_digest(token))
        if found is None or person == LEFT or person != found.person:
            return None
        if self._clock() < found.until and stamp(found.user) == found.stamp:
            return found.user
        self.end(token)
        return None

    def end(self, token: str) -> None:
        with self._lock:
            self._all.pop(_digest(token), None)


class RateLimiter:
    """Failed log-ins of late, by source (`find_source`) and by name.

    After too many, each further one costs a wait of half a minute. A name is slowed only for sources that have failed
    at it themselves: many of them together cannot keep out the one whose password is right.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_to_wait(self, address: str, name: str) -> float:
        """Seconds until the next try; 0: now."""
        of_address, of_name, of_both = self._keys(address, name)
        wait = self._seconds_left(of_address, TRIES)
        return max(wait, self._seconds_left(of_name, TRIES_OF_NAME)) if self._recent(of_both) else wait

    def record_failure(self, address: str, name: str) -> None:
        for key in self._keys(address, name):
            self._failed.setdefault(key, deque(maxlen=max(TRIES, TRIES_OF_NAME))).append(self._clock())
            self._failed.move_to_end(key)
        while len(self._failed) > LOG_INS_KEPT:
            self._failed.popitem(last=False)

    def clear_failures(self, address: str, name: str) -> None:
        """After the right password. The name's own count stays, else one's own log-in would free guesses at others."""
        of_address, _, of_both = self._keys(address, name)
        for key in (of_address, of_both):
            self._failed.pop(key, None)

    def _seconds_left(self, key: str, most: int) -> float:
        times = self._recent(key)
        return max(0.0, times[-1] + LONGEST_WAIT - self._clock()) if len(times) >= most else 0.0

    def _recent(self, key: str) -> list[float]:
        since = self._clock() - WINDOW
        return [time for time in self._failed.get(key, ()) if time > since]

    @staticmethod
    def _keys(address: str, name: str) -> tuple[str, str, str]:
        key = name.strip().casefold()[:64]
        return f"address {address}", f"name {key}", f"both {address} {key}"


def find_source(address: str, port: int) -> str:
    """Whose tries count together: all addresses that one sender has at will.

    A user of this machine has the whole of 127.0.0.0/8, so that there the user counts (where the system tells it): one
    who guesses holds up no other. A network of IPv6 hands out a /64 at least (RFC 4291, section 2.5.1).
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None and not found.is_loopback:
            return str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped or found
    if not found.is_loopback:
        return str(found)
    owner = find_connection_owner(address, port)
    return "this machine" if owner is None else f"this machine, user {owner}"


def bearer_token(scope: Scope) -> str:
    """What a program sends in the header Authorization; empty when nothing."""
    for name, value in scope["headers"]:
        kind, _, token = value.decode("latin-1").partition(" ")
        if name == b"authorization" and kind.casefold() == "bearer":
            return str(token.strip())
    return ""


async def _refuse_program(send: Send) -> None:
    words = "This needs a token: send the header Authorization: Bearer TOKEN. Make one with: rag-app token add NAME"
    headers = [
        (b"content-type", b"application/json"),
        (b"www-authenticate", b"Bearer"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": error_body(401, words)})


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def _body(receive: Receive) -> bytes:
    body = b""
    while len(body) <= LONGEST_FORM:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            break
    return body[:LONGEST_FORM]


def _forbid_caching(send: Send) -> Send:
    """What one user gets no cache may hand to another."""

    async def send_uncached(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message["headers"] = [*headers, (b"vary", b"cookie")]
        await send(message)

    return send_uncached


async def _reload(send: Send) -> None:
    await _html(
        send, 200, f'<!doctype html><meta http-equiv="refresh" content="0"><title>{translate("page.title")}</title>'
    )


async def _html(send: Send, status: int, page: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", _POLICY),
        (b"cache-control", b"no-store"),
        *(more or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": page.encode()})


async def _send_text(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace")})
