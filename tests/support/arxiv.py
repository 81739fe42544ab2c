"""A server on loopback that answers as arXiv does, or misbehaves as a test wants it to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PDF = b"%PDF-1.5\n" + b"x" * 300_000 + b"\ntrailer\n%%EOF\n"
Reply = Callable[["Handler"], None]
Headers = Mapping[str, str]
NONE: Headers = {}


class Handler(BaseHTTPRequestHandler):
    """Answers each path with the next of its replies; the last one stays."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.open_now += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.open_now)
            self.server.asked.append(self.path)
            self.server.agents.append(self.headers["User-Agent"])
            self.server.times.append(time.monotonic())
            replies = self.server.replies.get(self.path, [status(404)])
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        try:
            reply(self)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away, as some tests want
        finally:
            with self.server.lock:
                self.server.open_now -= 1

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read the lists, not a log."""

    def body(self, content: bytes, status: int = 200, *, length: int | None = None, headers: Headers = NONE) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[str] = []
        self.agents: list[str] = []
        self.times: list[float] = []
        self.open_now = self.most_at_once = 0
        self.released = threading.Event()  # lets hung replies end

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what some tests want; an error of ours shows in their asserts."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def status(code: int, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.body(b"sorry", code, headers=named)
