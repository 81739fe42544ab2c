"""Answers in the making, each in a thread of its own: tabs watch them, leave them and come back, and they go on.

A page that is reloaded, a connection that is lost and a tab that is closed end nothing; Stop and deleting the
conversation do.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rag_app.records import Answer
from rag_app.ui_conversation import Turn

LOOK = 0.5  # seconds between two looks at whether anybody still watches
MOST_UNWATCHED = 24  # answers that go on with nobody watching; the oldest beyond them is stopped

Pictures = Callable[[threading.Event], Iterator[tuple[str, Answer | None]]]
"""Stop event -> what is shown of the answer meanwhile, and at last the answer."""
_log = logging.getLogger(__name__)


@dataclass
class Run:
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
    def watched(self) -> bool:
        return self._watchers > 0

    def tell(self, *, ended: bool = False) -> None:
        """The turn has changed, or the answer has ended."""
        with self._news:
            self._changes += 1
            self.ended = self.ended or ended
            self._news.notify_all()


class Runs:
    """The answers in the making, by conversation. Safe to share between threads."""

    def __init__(self, most_unwatched: int = MOST_UNWATCHED) -> None:
        self._most_unwatched = most_unwatched
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self.changes = 0  # how often an answer was begun or ended

    def begin(self, turn: Turn, question: str, pictures: Pictures, keep: Callable[[Turn, Answer], None]) -> Run:
        """Make the turn's answer in a thread of its own; `keep` gets it when it is complete.

        A conversation has one answer in the making at a time: the caller looks at `of` first.
        """
        run = Run(turn.conversation, question, turn)
        with self._lock:
            self._runs[run.conversation] = run
            self.changes += 1
            alone = [other for other in self._runs.values() if other is not run and not other.watched]
        for other in alone[: max(0, len(alone) - self._most_unwatched)]:
            other.stop.set()
        # It goes on in the language of the tab that asked.
        context = contextvars.copy_context()
        work = (self._make, run, pictures, keep)
        threading.Thread(target=context.run, args=work, daemon=True, name="run").start()
        return run

    def of(self, conversation: str) -> Run | None:
        """The answer that is being made in this conversation."""
        with self._lock:
            return self._runs.get(conversation)

    def all(self) -> list[Run]:
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

    def _make(self, run: Run, pictures: Pictures, keep: Callable[[Turn, Answer], None]) -> None:
        try:
            for html, answer in pictures(run.stop):
                run.turn.answer = html
                if answer is None:
                    run.tell()
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
            run.tell(ended=True)  # whoever sees the whole answer can ask again: nothing is in the making any more
