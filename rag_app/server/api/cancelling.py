"""An agent that cancels a call over HTTP: the notice comes as a request of its own, which the MCP library drops.

It names the call by the number that the agent gave it. Agents count alike, so a number counts only within one caller,
and where two calls of a caller have it neither is ended: nobody could tell which is meant.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rag_app.server.security.gate import Message, Receive

METHOD = b"notifications/cancelled"
CallId: TypeAlias = "str | int"


class RunningCalls:
    """The calls that are being answered, and how each is ended. For one event loop."""

    def __init__(self) -> None:
        self._running: defaultdict[tuple[str, CallId], list[Callable[[], None]]] = defaultdict(list)

    @contextmanager
    def hold(self, caller: str, call: CallId, end: Callable[[], None]) -> Iterator[None]:
        """The call runs for the time of a block; `end` ends it."""
        key = caller, call
        self._running[key].append(end)
        try:
            yield
        finally:
            self._running[key].remove(end)
            if not self._running[key]:
                del self._running[key]

    def end(self, caller: str, call: CallId) -> None:
        """End the call, if that caller has exactly one of this number."""
        running = self._running.get((caller, call), [])
        if len(running) == 1:
            running[0]()


async def read_whole(receive: Receive) -> tuple[bytes, Receive]:
    """The body of a request, and a `receive` that gives it once more. What the guard in front lets pass is short."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    again: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    if message["type"] != "http.request":
        again = [message]

    async def receive_again() -> Message:
        return again.pop() if again else await receive()

    return body, receive_again


def cancelled_call(body: bytes) -> CallId | None:
    """The number of the call that a notice cancels; None for anything else."""
    if METHOD not in body:
        return None
    try:
        notice = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(notice, dict) or notice.get("method") != METHOD.decode() or "id" in notice:
        return None
    params = notice.get("params")
    call = params.get("requestId") if isinstance(params, dict) else None
    return call if isinstance(call, str | int) and not isinstance(call, bool) else None
