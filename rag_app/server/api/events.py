"""Events of an answer in the making -> server-sent events; a client that leaves ends the making."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator

from rag_app.records import Event, Json

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


def sse(value: Json, event: str = "") -> str:
    """One server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value, ensure_ascii=False)}\n\n"


def comment(text: str) -> str:
    """A line that clients overlook; it keeps the connection open and tells people what happens."""
    return f": {' '.join(text.split())}\n\n"
