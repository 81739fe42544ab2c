"""Who waits for whom: what is tried in the background lets the questions that somebody asked go first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 20.0  # seconds that the background waits at a time: a model may write for minutes


class Precedence:
    """Questions go first. Thread-safe."""

    def __init__(self) -> None:
        self._questions = 0
        self._changed = threading.Condition()
        self.waiting = 0  # in the background, now

    @contextmanager
    def question(self) -> Iterator[None]:
        """While it is open, somebody waits for an answer."""
        with self._changed:
            self._questions += 1
        try:
            yield
        finally:
            with self._changed:
                self._questions -= 1
                self._changed.notify_all()

    def let_questions_pass(self, patience: float = PATIENCE) -> None:
        """Wait until nobody waits for an answer, at most `patience` seconds."""
        with self._changed:
            self.waiting += 1
            self._changed.wait_for(lambda: not self._questions, timeout=patience)
            self.waiting -= 1
