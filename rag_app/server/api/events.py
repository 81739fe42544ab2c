"""Events of an answer in the making -> server-sent events; a client that leaves ends the making."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing

from fastapi import Request

from rag_app.records import Answer, Event, Json
from rag_app.server.api.errors import ApiError

SSE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Start = Callable[[threading.Event], Iterator[Event]]
"""Begins an answer; the event stops it."""


async def watch_events(start: Start, ended: Callable[[], None]) -> AsyncIterator[Event]:
    """The events of `start(stop)`, which runs in a thread of its own; `ended` is called when it has.

    Closing the iterator sets `stop`. An exception of the thread is raised here.
    """
    loop = asyncio.get_running_loop()
    news: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
    stop = threading.Event()

    def tell(event: Event | Exception | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(news.put_nowait, event)

    def work() -> None:
        try:
            for event in start(stop):
                tell(event)
            tell(None)
        except Exception as error:  # the outermost edge of this thread: the request has to say it
            tell(error)
        finally:
            ended()

    threading.Thread(target=work, daemon=True, name="api answer").start()
    try:
        while (event := await news.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event
    finally:
        stop.set()


async def await_answer(events: AsyncIterator[Event]) -> Answer:
    """The answer at the end of `watch_events`; whoever cancels the waiting ends the making."""
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, Answer):
                return event
    raise ApiError(500, "internal", "No answer came. Ask again.")


async def answer_unless_left(events: AsyncIterator[Event], request: Request) -> Answer:
    """`await_answer`, ended when the client of a request, whose body was read, leaves. Raises ApiError 499 then."""
    answer = asyncio.ensure_future(await_answer(events))
    left = asyncio.ensure_future(_wait_until_left(request))
    try:
        await asyncio.wait((answer, left), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise ApiError(499, "client_left", "The client left before the answer was there.")  # nobody reads it
    finally:
        answer.cancel()
        left.cancel()


async def _wait_until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def sse(value: Json, event: str = "") -> str:
    """One server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value, ensure_ascii=False)}\n\n"


def comment(text: str) -> str:
    """A line that clients overlook; it keeps the connection open and tells people what happens."""
    return f": {' '.join(text.split())}\n\n"
