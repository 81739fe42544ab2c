"""Answers in progress, each in its own thread: tabs can watch them, leave and come back.

A watcher gets snapshots a few times a second. A reload, a lost connection or a closed tab does not end an answer; Stop
and deleting the conversation do, at once.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rag_app.records import Answer, Event, Piece, Progress, Table
from rag_app.server.conversations import Turn

INTERVAL = 0.1  # seconds between two pictures: more often costs the browser and shows nothing more
PATIENCE = 3.0  # seconds a stopped reader gets to hand over what it has, checked

STOPPED = "Stopped. The text so far is kept."
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """The answer as it stands."""

    text: str
    doing: str = ""  # what happens now, in words
    table: Table | None = None  # a comparison so far
    steps: tuple[str, ...] = ()  # of a model's work, that are done or begun
    answer: Answer | None = None  # set in the last one


def stream_snapshots(
    question: str,
    start: Callable[[threading.Event], Iterator[Event]],
    stop: threading.Event,
    *,
    interval: float = INTERVAL,
    patience: float = PATIENCE,
) -> Iterator[Snapshot]:
    """Run `start(stop)` in a thread of its own and yield what it has said, at most once per `interval` seconds.

    The first words come at once.
    The last snapshot has an answer, also when the reader fails, or is stopped and does not answer within `patience`.
    Closing the generator sets `stop`.
    """
    said: queue.SimpleQueue[Event | Exception | None] = queue.SimpleQueue()
    threading.Thread(target=_pump_events, args=(start, stop, said), daemon=True, name="answer").start()
    text, doing, deadline = "", "", float("inf")
    steps: dict[str, None] = {}
    table: Table | None = None
    try:
        while True:
            news = _collect_events(said, interval, bool(text or table))
            for event in news:
                if isinstance(event, Piece):
                    text += event.text
                elif isinstance(event, Progress):
                    doing, table = event.message, event.table or table
                    steps |= {event.message: None} if event.step else {}
                else:
                    yield Snapshot(text, answer=_final_snapshot(event, question, text, stop.is_set()))
                    return
            if stop.is_set():
                deadline = min(deadline, time.monotonic() + patience)
            if time.monotonic() >= deadline:
                yield Snapshot(text, answer=_stopped_answer(question, text))
                return
            if news:
                yield Snapshot(text, "stopping" if stop.is_set() else doing, table, steps=tuple(steps))
    finally:
        stop.set()


def _pump_events(
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


def _collect_events(
    said: queue.SimpleQueue[Event | Exception | None], interval: float, has_begun: bool
) -> list[Event | Exception | None]:
    """What is said within `interval`; an end comes at once, and so do the first words of an answer."""
    found: list[Event | Exception | None] = []
    until = time.monotonic() + interval
    while (left := until - time.monotonic()) > 0:
        try:
            event = said.get(timeout=left)
        except queue.Empty:
            break
        found.append(event)
        if not isinstance(event, Piece | Progress) or (not has_begun and _has_words(event)):
            break
    return found


def _has_words(event: Piece | Progress) -> bool:
    return event.table is not None if isinstance(event, Progress) else bool(event.text.strip())


def _final_snapshot(event: Answer | Exception | None, question: str, text: str, stopped: bool) -> Answer:
    if isinstance(event, Answer):
        return event
    if stopped:
        return _stopped_answer(question, text)
    why = f"{type(event).__name__}: {event}" if event is not None else "the reader ended without an answer"
    came = f" What had come: {text}" if text else ""
    return Answer("", question, "error", f"Something went wrong inside the program ({why}). Ask again.{came}", "")


def _stopped_answer(question: str, text: str) -> Answer:
    notes = (STOPPED, "It was stopped before its quotes could be checked.") if text.strip() else ()
    return Answer("", question, "answered", text or STOPPED, "", notes=notes)


LOOK = 0.5  # seconds between two looks at whether anybody still watches
MOST_UNWATCHED = 24  # answers that go on with nobody watching; the oldest beyond them is stopped

Pictures = Callable[[threading.Event], Iterator[tuple[str, Answer | None]]]
"""Stop event -> what is shown of the answer meanwhile, and at last the answer."""
_log = logging.getLogger(__name__)


@dataclass
class AnswerRun:
    """One answer in the making."""

    conversation: str
    question: str
    turn: Turn
    stop: threading.Event = field(default_factory=threading.Event)
    ended: bool = False
    forgotten: bool = False  # its conversation was deleted: nothing of it is kept
    keeping: threading.Lock = field(default_factory=threading.Lock)  # what is kept is not forgotten meanwhile
    _watchers: int = 0
    _changes: int = 0
    _news: threading.Condition = field(default_factory=threading.Condition)

    def watch(self, wanted: Callable[[], bool]) -> Iterator[None]:
        """Yield when the answer has changed, until it has ended (what it is then, is not told) or is not `wanted`."""
        with self._news:
            self._watchers += 1
            seen = self._changes
        try:
            while wanted():
                with self._news:
                    self._news.wait_for(lambda: self._changes != seen or self.ended, timeout=LOOK)  # noqa: B023
                    changed, seen, ended = self._changes != seen, self._changes, self.ended
                if ended:
                    return
                if changed:
                    yield
        finally:
            with self._news:
                self._watchers -= 1

    @property
    def is_watched(self) -> bool:
        return self._watchers > 0

    def notify_watchers(self, *, ended: bool = False) -> None:
        """The turn has changed, or the answer has ended."""
        with self._news:
            self._changes += 1
            self.ended = self.ended or ended
            self._news.notify_all()


class AnswerRuns:
    """The answers in the making, by conversation. Thread-safe."""

    def __init__(self, most_unwatched: int = MOST_UNWATCHED) -> None:
        self._most_unwatched = most_unwatched
        self._runs: dict[str, AnswerRun] = {}
        self._lock = threading.Lock()
        self.changes = 0  # how often an answer was begun or ended

    def begin(self, turn: Turn, question: str, pictures: Pictures, keep: Callable[[Turn, Answer], None]) -> AnswerRun:
        """Make the turn's answer in a thread of its own; `keep` gets it when it is complete.

        A conversation has one answer in the making at a time: the caller looks at `of` first.
        """
        run = AnswerRun(turn.conversation, question, turn)
        with self._lock:
            self._runs[run.conversation] = run
            self.changes += 1
            alone = [other for other in self._runs.values() if other is not run and not other.is_watched]
        for other in alone[: max(0, len(alone) - self._most_unwatched)]:
            other.stop.set()
        # It goes on in the language of the tab that asked.
        context = contextvars.copy_context()
        work = (self._make, run, pictures, keep)
        threading.Thread(target=context.run, args=work, daemon=True, name="run").start()
        return run

    def of(self, conversation: str) -> AnswerRun | None:
        """The answer that is being made in this conversation."""
        with self._lock:
            return self._runs.get(conversation)

    def all(self) -> list[AnswerRun]:
        """The answers that are being made, the newest first."""
        with self._lock:
            return list(reversed(self._runs.values()))

    def stop(self, conversation: str) -> None:
        """End the answer that is being made in this conversation; what came of it is kept."""
        run = self.of(conversation)
        if run is not None:
            run.stop.set()

    def forget(self, conversation: str) -> None:
        """The conversation was deleted: end its answer and keep nothing of it."""
        run = self.of(conversation)
        if run is not None:
            with run.keeping:
                run.forgotten = True
            run.stop.set()

    def _make(self, run: AnswerRun, pictures: Pictures, keep: Callable[[Turn, Answer], None]) -> None:
        try:
            for html, answer in pictures(run.stop):
                run.turn.answer = html
                if answer is None:
                    run.notify_watchers()
                    continue
                with run.keeping:
                    if not run.forgotten:
                        keep(run.turn, answer)
        except Exception:  # the outermost edge of this thread: what came stays, and whoever watches is let go
            _log.exception("an answer could not be shown")
        finally:
            with self._lock:
                if self._runs.get(run.conversation) is run:
                    del self._runs[run.conversation]
                self.changes += 1
            run.notify_watchers(
                ended=True
            )  # whoever sees the whole answer can ask again: nothing is in the making any more
