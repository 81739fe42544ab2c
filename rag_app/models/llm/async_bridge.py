"""Reads a coroutine's pieces from ordinary code, and ends the coroutine the moment nobody reads any more.

One stream is one thread with an event loop of its own. Cancelling a task closes its connection at once, also while the
other side has sent nothing yet; closing a blocking client from another thread does not do so everywhere.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
Put = Callable[[str], None]
Work = Callable[[Put], Coroutine[Any, Any, Result]]

POLL_SECONDS = 0.05  # how often a waiting reader looks at the stop event
CLOSING_SECONDS = 2.0  # that the end of the program waits for connections to close


def stream_pieces(work: Work[Result], stop: threading.Event) -> Generator[str, None, Result | None]:
    """What the work puts, as it comes. Returns its result, or None when `stop` was set first.

    Closing the generator or setting `stop` cancels the work. What the work raises is raised here, after its pieces.
    """
    call = _CoroutineThread(work)
    call.start()
    try:
        while not stop.is_set():
            try:
                item = call.box.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(item, str):
                yield item
            elif isinstance(item, BaseException):
                raise item
            else:
                return item.result
        return None
    finally:
        call.cancel()


def cancel_all() -> None:
    """End every stream of this process and wait until their connections are closed. For the end of the program."""
    with _lock:
        calls = list(_running)
    for call in calls:
        call.cancel()
    for call in calls:
        call.join(CLOSING_SECONDS)


class _CallResult(Generic[Result]):
    def __init__(self, result: Result) -> None:
        self.result = result


class _CoroutineThread(threading.Thread, Generic[Result]):
    """Runs one coroutine; what it puts, returns or raises arrives in `box` in that order."""

    def __init__(self, work: Work[Result]) -> None:
        super().__init__(name="stream", daemon=True)
        self.box: queue.SimpleQueue[str | BaseException | _CallResult[Result]] = queue.SimpleQueue()
        self._work = work
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def run(self) -> None:
        with _lock:
            _running.add(self)
        try:
            self.box.put(_CallResult(asyncio.run(self._main())))
        except BaseException as error:  # carried over to the thread that reads, whatever it is
            self.box.put(error)
        finally:
            self._begun.set()
            with _lock:
                _running.discard(self)

    async def _main(self) -> Result:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._begun.set()
        return await self._work(self.box.put)

    def cancel(self) -> None:
        """End the work; nothing happens when it has ended."""
        self._begun.wait()
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended
                self._loop.call_soon_threadsafe(self._task.cancel)


_lock = threading.Lock()
_running: set[_CoroutineThread[Any]] = set()
