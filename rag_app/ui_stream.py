"""An answer in the making -> a picture of it a few times a second, whatever the reader's pace; and a Stop at once."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rag_app.records import Answer, Event, Piece, Progress

INTERVAL = 0.1  # seconds between two pictures: more often costs the browser and shows nothing more
PATIENCE = 3.0  # seconds a stopped reader gets to hand over what it has, checked

STOPPED = "Stopped. What had come by then is kept."
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """The answer as it stands."""

    text: str
    doing: str = ""  # what happens now, in words
    answer: Answer | None = None  # set in the last one


def snapshots(
    question: str,
    start: Callable[[threading.Event], Iterator[Event]],
    stop: threading.Event,
    *,
    interval: float = INTERVAL,
    patience: float = PATIENCE,
) -> Iterator[Snapshot]:
    """Run `start(stop)` in a thread of its own and yield what it has said, at most once per `interval` seconds.

    The last snapshot has an answer, also when the reader fails, or is stopped and does not answer within `patience`.
    Closing the generator sets `stop`.
    """
    said: queue.SimpleQueue[Event | Exception | None] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(start, stop, said), daemon=True, name="answer").start()
    text, doing, deadline = "", "", float("inf")
    try:
        while True:
            news = _gather(said, interval)
            for event in news:
                if isinstance(event, Piece):
                    text += event.text
                elif isinstance(event, Progress):
                    doing = event.message
                else:
                    yield Snapshot(text, answer=_last(event, question, text, stop.is_set()))
                    return
            if stop.is_set():
                deadline = min(deadline, time.monotonic() + patience)
            if time.monotonic() >= deadline:
                yield Snapshot(text, answer=_stopped(question, text))
                return
            if news:
                yield Snapshot(text, "stopping" if stop.is_set() else doing)
    finally:
        stop.set()


def _pump(
    start: Callable[[threading.Event], Iterator[Event]],
    stop: threading.Event,
    said: queue.SimpleQueue[Event | Exception | None],
) -> None:
    try:
        for event in start(stop):
            said.put(event)
        said.put(None)
    except Exception as error:  # the outermost edge: the screen must say it, whatever it is
        _log.exception("answering failed")
        said.put(error)


def _gather(said: queue.SimpleQueue[Event | Exception | None], interval: float) -> list[Event | Exception | None]:
    """What is said within `interval`; an end comes at once."""
    found: list[Event | Exception | None] = []
    until = time.monotonic() + interval
    while (left := until - time.monotonic()) > 0:
        try:
            event = said.get(timeout=left)
        except queue.Empty:
            break
        found.append(event)
        if not isinstance(event, Piece | Progress):
            break
    return found


def _last(event: Answer | Exception | None, question: str, text: str, stopped: bool) -> Answer:
    if isinstance(event, Answer):
        return event
    if stopped:
        return _stopped(question, text)
    why = f"{type(event).__name__}: {event}" if event is not None else "the reader ended without an answer"
    came = f" What had come: {text}" if text else ""
    return Answer("", question, "error", f"Something went wrong inside the program ({why}). Ask again.{came}", "")


def _stopped(question: str, text: str) -> Answer:
    notes = (STOPPED, "It was stopped before its quotes could be checked.") if text.strip() else ()
    return Answer("", question, "answered", text or STOPPED, "", notes=notes)
