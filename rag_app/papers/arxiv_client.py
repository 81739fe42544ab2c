"""Asks arXiv for a PDF, politely: one request at a time, a pause between requests, and a name to ask for.

Source of the pause of three seconds: https://info.arxiv.org/help/api/tou.html
"""

from __future__ import annotations

import email.utils
import importlib.metadata
import ipaddress
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from rag_app.errors import FetchError
from rag_app.models.http_replies import IDENTITY, refuse_compressed
from rag_app.papers.arxiv_ids import HOSTS

ARXIV = "https://arxiv.org"
_PIECE = 128 * 1024  # bytes
_REDIRECTS = 5
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_BY_BROWSER = "Download it with a browser into the corpus folder."


class TransientFetchError(FetchError):
    """This attempt failed, the next may not."""


class ArxivUnreachable(TransientFetchError):
    """No connection came about."""


@dataclass(frozen=True)
class ResponseBody:
    """The body of an answer 200, to be read once."""

    pieces: Iterator[bytes]
    size: int  # bytes as announced, 0 when the server does not tell
    web_page: bool  # the server calls it HTML


class ArxivClient:
    """One connection to arXiv, and when the next request may go out. Close it after use."""

    def __init__(
        self, base_url: str, *, delay: float, timeout: float, longest_wait: float, stop: threading.Event
    ) -> None:
        """All times in seconds; `stop` ends a wait. Raises FetchError when `base_url` is no safe address."""
        self.base = _base(base_url)
        self.delay = delay
        self.timeout = timeout
        self.longest_wait = longest_wait
        self.stop = stop
        self.reached = False  # whether the server ever answered
        self.due = 0.0  # when the next request may go out, on the monotonic clock
        self._client = _client(self.base, timeout)

    def close(self) -> None:
        self._client.close()

    @property
    def wait(self) -> float:
        """Seconds until the next request may go out."""
        return max(0.0, self.due - time.monotonic())

    def delay_next_request(self, seconds: float) -> None:
        """Send no request before `seconds` from now."""
        self.due = max(self.due, time.monotonic() + seconds)

    @contextmanager
    def download_pdf(self, name: str, end: float) -> Iterator[ResponseBody]:
        """The PDF of the paper `name`, asked for when the next request is due; `end` is on the monotonic clock.

        Raises Again where another attempt may help, Unreachable when no connection comes about, else FetchError; the
        same while the body is read.
        """
        url = httpx.URL(f"{str(self.base).rstrip('/')}/pdf/{name}")
        for _ in range(_REDIRECTS + 1):
            with self._answer(url, name, end) as response:
                if not response.has_redirect_location:
                    self._check(response, name)
                    web_page = "html" in response.headers.get("Content-Type", "").lower()
                    yield ResponseBody(response.iter_bytes(_PIECE), _length(response), web_page)
                    return
                url = self._next_url(response, name)
        raise FetchError(f"{name}: redirected more than {_REDIRECTS} times. {_BY_BROWSER}")

    @contextmanager
    def _answer(self, url: httpx.URL, name: str, end: float) -> Iterator[httpx.Response]:
        self._wait_turn(name)
        self._check_host(url)
        seconds = max(0.01, min(self.timeout, end - time.monotonic()))
        try:
            with self._client.stream("GET", url, timeout=seconds) as response:
                self.reached = True
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise ArxivUnreachable(
                f"{self.base.host} cannot be reached ({_reason(error)}). Check the network or proxy, then fetch again."
            ) from error
        except httpx.TimeoutException as error:
            raise TransientFetchError(f"{name}: no data for {seconds:.3g} s. Fetch again later.") from error
        except httpx.TransportError as error:
            raise TransientFetchError(
                f"{name}: the download was interrupted ({_reason(error)}). Fetch again."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"{name}: the answer cannot be read ({_reason(error)}). Fetch again later.") from error
        finally:
            self.delay_next_request(self.delay)

    def _wait_turn(self, name: str) -> None:
        wait = self.wait
        if wait > max(self.longest_wait, self.delay):
            raise FetchError(f"{name}: {self.base.host} asks to wait {wait:.0f} more seconds. Fetch again after that.")
        if self.stop.wait(wait):
            raise FetchError(f"{name}: stopped. Fetch again to get it.")

    def _next_url(self, response: httpx.Response, name: str) -> httpx.URL:
        """Where a redirect leads, if that is arXiv: nothing that a stranger's server names is ever asked."""
        try:
            url = response.url.join(response.headers["Location"])
        except httpx.InvalidURL:
            url = httpx.URL("")
        same = (url.scheme, url.host, url.port) == (self.base.scheme, self.base.host, self.base.port)
        arxiv = url.scheme == "https" and url.host in HOSTS and url.port is None
        if url.userinfo or not (same or arxiv):
            raise FetchError(f"{name}: redirected to {str(url)[:80]}, which is not arXiv; not followed. {_BY_BROWSER}")
        return url

    def _check_host(self, url: httpx.URL) -> None:
        """Raise FetchError for a name that leads into a private network: the server may be told, not chosen, by others.

        This machine itself is asked only where the settings name it. Behind a proxy the proxy looks names up. A name
        that changes its mind after this still has to show a certificate for that name.
        """
        if url.host in _LOOPBACK or _uses_proxy(url):
            return
        try:
            found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ArxivUnreachable(
                f"{url.host} cannot be reached ({_reason(error)}). Check the network or proxy, then fetch again."
            ) from error
        private = [place for *_, (place, *_) in found if not _is_public(str(place))]
        if private:
            raise FetchError(
                f"{url.host} leads to {private[0]}, inside a private network; not requested. {_BY_BROWSER}"
            )

    def _check(self, response: httpx.Response, name: str) -> None:
        """Raise unless the answer is 200."""
        status = response.status_code
        if status in {404, 410}:
            raise FetchError(f"{name}: arXiv has no such paper ({status}). Check the id.")
        if status in {429, 500, 502, 503, 504}:
            self.delay_next_request(_retry_after(response.headers.get("Retry-After", "")))
            raise TransientFetchError(f"{name}: {self.base.host} is busy ({status}). Fetch again later.")
        if status != 200:
            raise FetchError(f"{name}: {self.base.host} refused ({status}). {_BY_BROWSER}")


def _is_public(place: str) -> bool:
    address = ipaddress.ip_address(place.partition("%")[0])
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    return address.is_global and inner.is_global and not address.is_multicast


def _uses_proxy(url: httpx.URL) -> bool:
    proxies = urllib.request.getproxies()
    return bool(proxies.get(url.scheme) or proxies.get("all")) and not urllib.request.proxy_bypass(url.host)


def _base(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise FetchError(
            f"{base_url[:80]}: no address to fetch from ({error}). Set RAG_ARXIV_URL to {ARXIV}."
        ) from error
    safe = url.scheme == "https" or (url.scheme == "http" and url.host in _LOOPBACK)
    if not url.host or not safe or url.userinfo:
        raise FetchError(f"{base_url[:80]}: not an https address without a password. Set RAG_ARXIV_URL to {ARXIV}.")
    return url


def _client(base: httpx.URL, timeout: float) -> httpx.Client:
    """One connection, redirects left to us. A proxy from the environment is for the world, not for this machine."""
    return httpx.Client(
        base_url=base,
        timeout=timeout,
        trust_env=base.host not in _LOOPBACK,
        limits=httpx.Limits(max_connections=1),
        # No compression: a PDF is compressed, and the length told is then the length that comes.
        headers={"User-Agent": _user_agent(), "Accept": "application/pdf", **IDENTITY},
        event_hooks={"response": [refuse_compressed]},
    )


def _user_agent() -> str:
    try:
        version = importlib.metadata.version("rag-app")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    return f"rag-app/{version} (reads papers for one person; one request at a time)"


def _length(response: httpx.Response) -> int:
    told = response.headers.get("Content-Length", "")
    return int(told) if re.fullmatch(r"[0-9]{1,15}", told) else 0


def _retry_after(told: str) -> float:
    """Seconds to wait, from a number or an HTTP date; 0 when neither is told."""
    if re.fullmatch(r"[0-9]{1,9}", told.strip()):
        return float(told)
    try:
        when = email.utils.parsedate_to_datetime(told)
    except (TypeError, ValueError):
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
