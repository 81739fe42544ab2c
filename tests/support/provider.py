"""A model server on loopback that speaks OpenAI's chat completions and misbehaves as its script says.

Real sockets and a real HTTP server; only the model is missing. Each request takes the next reply of the script, the
last one again and again.
"""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_SECONDS = 20.0  # an upper bound only; every hanging reply ends when the client hangs up


@dataclass(frozen=True)
class Reply:
    """What one request gets."""

    pieces: Sequence[str] = ("Hello", " world", ".")
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""  # for a status that is not 200, or instead of a stream
    pause: float = 0.0  # seconds before each piece
    hang_before_headers: bool = False
    hang_after: int = -1  # pieces; then nothing more comes
    cut_after: int = -1  # pieces; then the connection is dropped
    garbage_after: int = -1  # pieces; then `garbage` comes as a data line
    garbage: str = "{not json"
    endless: bool = False  # repeats its pieces until the client hangs up
    finish: str = "stop"  # empty: no reason is given
    done: bool = True  # the stream ends with [DONE]
    events: Sequence[str] = ()  # sent as they are, each as a data line, in place of the pieces
    thinking: Sequence[str] = ()  # sent first, as reasoning
    usage: dict[str, int] = field(default_factory=dict)
    chunked: bool = True  # else the body ends with the connection


@dataclass(frozen=True)
class Request:
    """What the client sent."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


def error_body(message: str, code: str = "") -> str:
    """The JSON of an OpenAI error."""
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": code or None}})


class Provider:
    """The server; use it in a with statement. `url` is the base URL for clients."""

    def __init__(
        self,
        *script: Reply,
        models: Sequence[str] = ("test-model",),
        get: dict[str, Any] | None = None,
        query: str = "",
    ) -> None:
        self.script = list(script) or [Reply()]
        self.requests: list[Request] = []
        self.asked: list[Request] = []  # what did not go to chat completions
        self.hung_up = threading.Event()  # a client closed its connection before its reply was complete
        self.receiving = threading.Event()  # a chat request has arrived
        self.get: dict[str, Any] = {"/v1/models": {"object": "list", "data": [{"id": name} for name in models]}}
        self.get |= get or {}
        self.query = query  # without which it knows no address
        self.redirect = ""  # where GET requests are sent instead
        self.denies = False  # GET requests get 401
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Provider:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_reply(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            reply = self.script[min(len(self.requests), len(self.script)) - 1]
        self.receiving.set()
        return reply


def _handler_for(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            provider.asked.append(Request(self.path, dict(self.headers.items()), {}))
            if provider.redirect:
                self._send_whole(Reply(status=302, headers={"Location": provider.redirect}))
            elif provider.denies:
                self._send_whole(Reply(status=401, body=error_body(f"bad key {self.headers.get('Authorization')}")))
            else:
                self._send_json(provider.get.get(self._known_path()))

        def _known_path(self) -> str:
            """The path without the query that the server wants; empty where another stands there."""
            path, _, query = self.path.partition("?")
            return path if query == provider.query else ""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            request = Request(self.path, dict(self.headers.items()), body)
            if self._known_path() not in ("/v1/chat/completions", "/v1/completions"):
                provider.asked.append(request)
                self._send_json(provider.get.get(self._known_path()))
                return
            self._answer(provider.next_reply(request))

        def _send_json(self, value: Any) -> None:
            data = json.dumps(value if value is not None else {"error": "not found"}).encode()
            self.send_response(200 if value is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self, reply: Reply) -> None:
            self.close_connection = True
            try:
                if reply.hang_before_headers:
                    self._hang()
                elif reply.status != 200 or reply.body:
                    self._send_whole(reply)
                else:
                    self._stream(reply)
            except OSError:
                provider.hung_up.set()

        def _send_whole(self, reply: Reply) -> None:
            data = reply.body.encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, reply: Reply) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header(
                "Transfer-Encoding" if reply.chunked else "Connection", "chunked" if reply.chunked else "close"
            )
            self.end_headers()
            for thought in reply.thinking:
                if reply.pause and self._client_left(reply.pause):
                    return
                self._delta(reply, {"reasoning_content": thought})
            for event in reply.events:
                self._line(reply, event)
            number = 0
            while True:
                for piece in () if reply.events else reply.pieces:
                    if self._stops_at(number, reply):
                        return
                    if reply.pause and self._client_left(reply.pause):
                        return
                    self._delta(reply, {"content": piece})
                    number += 1
                if not reply.endless:
                    break
            if self._stops_at(number, reply):
                return
            self._close(reply)

        def _stops_at(self, number: int, reply: Reply) -> bool:
            if number == reply.hang_after:
                self._hang()
            elif number == reply.cut_after:
                self.connection.shutdown(socket.SHUT_RDWR)
            elif number == reply.garbage_after:
                self._line(reply, reply.garbage)
                self._close(reply)
            else:
                return False
            return True

        def _close(self, reply: Reply) -> None:
            if reply.finish:
                self._delta(reply, {}, finish=reply.finish)
            if reply.usage:
                self._line(reply, json.dumps({**_frame(), "choices": [], "usage": reply.usage}))
            if reply.done:
                self._line(reply, "[DONE]")
            if reply.chunked:
                self.wfile.write(b"0\r\n\r\n")

        def _delta(self, reply: Reply, delta: dict[str, str], finish: str | None = None) -> None:
            choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
            if self.path == "/v1/completions":
                choice = {"index": 0, "text": delta.get("content", ""), "finish_reason": finish}
            self._line(reply, json.dumps({**_frame(), "choices": [choice]}))

        def _line(self, reply: Reply, text: str) -> None:
            data = f"data: {text}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if reply.chunked else data)
            self.wfile.flush()

        def _hang(self) -> None:
            self._client_left(HANG_SECONDS)

        def _client_left(self, seconds: float) -> bool:
            """Wait; True as soon as the client hangs up."""
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                readable, _, _ = select.select([self.connection], [], [], min(left, 0.02))
                if readable and not self.connection.recv(1, socket.MSG_PEEK):
                    provider.hung_up.set()
                    return True
            return False

        def log_message(self, format: str, *arguments: object) -> None:
            """Silent: the tests look at `requests`."""

    return Handler


def _frame() -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "test-model"}
