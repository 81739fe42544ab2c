"""The generation that answers now: open once for all threads of a process, reopened when a build has swapped it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rag_app.errors import IndexFault
from rag_app.index import Generation, answers, current_name, open_current

ATTEMPTS = 5  # builds that may swap the index during one search

Result = TypeVar("Result")


@dataclass
class _Opened:
    generation: Generation
    users: int = 0
    retired: bool = False


class SharedIndex:
    """Safe to share between threads. Another process may build at any time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    @contextmanager
    def using(self) -> Iterator[Generation]:
        """The generation that answers now; it stays open while it is used, also when a build swaps it.

        Raises IndexMissing when nothing was built, IndexFault when the index is damaged.
        """
        with self._lock:
            opened = self._newest()
            opened.users += 1
        try:
            yield opened.generation
        finally:
            with self._lock:
                opened.users -= 1
                _close_unused(opened)

    def do(self, work: Callable[[Generation], Result], stack: ExitStack) -> tuple[Generation, Result]:
        """Do `work` on the generation that answers now, which stays open until `stack` is closed.

        A build of another process may remove the files of a generation before `work` has opened them: then it is done
        again on the new one.
        """
        for _ in range(ATTEMPTS):
            generation = stack.enter_context(self.using())
            try:
                return generation, work(generation)
            except IndexFault:
                if answers(self._root, generation.name):
                    raise
        raise IndexFault(f"{self._root}: changes faster than it can be read. Ask again when the build has finished.")

    def _newest(self) -> _Opened:
        if self._opened is not None and self._opened.generation.name == current_name(self._root):
            return self._opened
        opened = _Opened(open_current(self._root))
        if self._opened is not None:
            self._opened.retired = True
            _close_unused(self._opened)
        self._opened = opened
        return opened


def _close_unused(opened: _Opened) -> None:
    if opened.retired and not opened.users:
        opened.generation.close()
