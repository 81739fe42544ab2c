"""A client that leaves before its answer is there: whatever it asked and wherever, nobody goes on making it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from mcp import Client

from rag_app.records import Answer, Event
from rag_app.server.api.cancelling import RunningCalls, cancelled_call
from rag_app.server.api.mcp_tools import make_mcp
from rag_app.server.security.accounts import Accounts
from tests.support.served_library import QUESTION, ServedLibrary


def call_tool(tool: str) -> dict[str, Any]:
    params = {"name": tool, "arguments": {"question": QUESTION}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


ASKED = {"question": QUESTION}
MESSAGES = {"model": "rag-app", "messages": [{"role": "user", "content": QUESTION}]}
REQUESTS = {
    "rest ask": ("/api/v1/ask", ASKED),
    "rest ask, streamed": ("/api/v1/ask", {**ASKED, "stream": True}),
    "rest compare": ("/api/v1/compare", ASKED),
    "chat": ("/v1/chat/completions", MESSAGES),
    "chat, streamed": ("/v1/chat/completions", {**MESSAGES, "stream": True}),
    "mcp ask": ("/mcp", call_tool("ask")),
    "mcp compare": ("/mcp", call_tool("compare")),
}


class Making:
    """In place of the assistant's: an answer that comes once it was told to stop. `began`, and `ended` after that."""

    def __init__(self, library: ServedLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.ended, self.stop = threading.Event(), threading.Event(), threading.Event()
        for name in ("stream", "stream_comparison"):
            monkeypatch.setattr(library.assistant, name, self._make)

    def _make(self, question: str, *, stop: threading.Event, **scope: object) -> Iterator[Event]:
        self.stop = stop
        self.began.set()
        if stop.wait(30):
            yield Answer("", question, "answered", "Half of an ans", "model")
            self.ended.set()


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_made_for_a_client_that_leaves_is_stopped(
    library: ServedLibrary, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    making = Making(library, monkeypatch)
    leave(library, making, *REQUESTS[name])
    assert making.ended.wait(20)


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_stopped_is_not_kept_as_a_whole_answer(
    library: ServedLibrary, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    making = Making(library, monkeypatch)
    with httpx.Client(base_url=library.url, headers=library.headers, trust_env=False) as client:
        id = client.post("/api/v1/conversations").json()["id"]
        leave(library, making, "/api/v1/ask", {**ASKED, "stream": stream, "conversation": id})
        assert making.ended.wait(20)
        assert client.get(f"/api/v1/conversations/{id}").json()["turns"] == []


def leave(library: ServedLibrary, making: Making, path: str, body: dict[str, Any]) -> None:
    """Ask, and disconnect as soon as the answer is in the making."""
    sent = json.dumps(body).encode()
    address = urlsplit(library.url)
    headers = {
        **library.headers,
        "Host": address.netloc,
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Content-Length": str(len(sent)),
    }
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(head.encode() + b"\r\n" + sent)
        assert making.began.wait(30)


@pytest.mark.parametrize("tool", ["ask", "compare"])
def test_what_an_agent_cancels_is_stopped(library: ServedLibrary, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    making = Making(library, monkeypatch)

    async def work() -> None:
        async with Client(make_mcp(library.assistant, library.url)) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, tool, ASKED)
            assert await anyio.to_thread.run_sync(making.began.wait, 30)
            tasks.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(making.ended.wait, 20)

    anyio.run(work)


# -- cancelled over HTTP: a notice in a request of its own ------------------------------------------------------------


@contextmanager
def calling(library: ServedLibrary, headers: dict[str, str], call: int | str = 1) -> Iterator[Future[httpx.Response]]:
    """The answer to a call of `ask`, in the making."""
    with make_agent(library, headers) as agent, ThreadPoolExecutor(1) as thread:
        yield thread.submit(agent.post, "/mcp", json={**call_tool("ask"), "id": call})


def make_agent(library: ServedLibrary, headers: dict[str, str]) -> httpx.Client:
    accepted = {**headers, "Accept": "application/json, text/event-stream"}
    return httpx.Client(base_url=library.url, headers=accepted, trust_env=False, timeout=60)


def cancel(library: ServedLibrary, headers: dict[str, str], call: int | str = 1) -> None:
    notice = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": call}}
    with make_agent(library, headers) as agent:
        assert agent.post("/mcp", json=notice).status_code == 202


@pytest.fixture
def other_headers(library: ServedLibrary) -> Iterator[dict[str, str]]:
    """Another program, with a token of its own."""
    accounts = Accounts(library.settings.users_file)
    yield {"Authorization": f"Bearer {accounts.add_token('other', '')}"}
    accounts.remove_token("other")


@pytest.mark.parametrize("call", [1, "1"])
def test_what_an_agent_cancels_over_http_is_stopped(
    library: ServedLibrary, monkeypatch: pytest.MonkeyPatch, call: int | str
) -> None:
    making = Making(library, monkeypatch)
    with calling(library, library.headers, call) as answer:
        assert making.began.wait(30)
        cancel(library, library.headers, call)
        assert making.ended.wait(20) and "Cancelled" in answer.result(20).text


def test_nobody_cancels_the_call_of_another(
    library: ServedLibrary, monkeypatch: pytest.MonkeyPatch, other_headers: dict[str, str]
) -> None:
    making = Making(library, monkeypatch)
    with calling(library, library.headers) as answer:
        assert making.began.wait(30)
        cancel(library, other_headers)
        cancel(library, library.headers, 2)
        assert not making.stop.is_set()
        cancel(library, library.headers)
        assert making.ended.wait(20) and answer.result(20).status_code == 200


def test_of_two_calls_of_one_number_neither_is_cancelled() -> None:
    ended: list[str] = []
    running = RunningCalls()
    with running.hold("ada", 1, lambda: ended.append("first")):
        with running.hold("ada", 1, lambda: ended.append("second")), running.hold("bob", 1, lambda: None):
            running.end("ada", 1)
        assert ended == []
        running.end("ada", 1)
        assert ended == ["first"]
    running.end("ada", 1)
    assert ended == ["first"]


NO_NOTICES = [
    {"method": "notifications/cancelled"},
    {"method": "notifications/cancelled", "params": {"requestId": True}},
    {"method": "notifications/cancelled", "params": [1]},
    {"method": "notifications/cancelled", "params": {"requestId": 1}, "id": 1},
    {"method": "tools/call", "params": {"requestId": 1, "name": "notifications/cancelled"}},
    ["notifications/cancelled"],
]


@pytest.mark.parametrize("value", NO_NOTICES)
def test_what_is_no_notice_cancels_nothing(value: object) -> None:
    assert cancelled_call(json.dumps(value).encode()) is None


def test_a_notice_of_another_form_is_no_error() -> None:
    assert cancelled_call(b"[" * 100_000 + b"notifications/cancelled") is None
    assert cancelled_call(b"notifications/cancelled \xff") is None
