"""A language model that writes what the test says."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence

from rag_app.models.llm.client import StreamEnd
from rag_app.models.llm.prompt_safety import parameters_from_name


class Scripted:
    """A model that writes what it is told to, in the pieces that it is given."""

    def __init__(
        self,
        pieces: Sequence[str],
        *,
        name: str = "writer",
        window: int = 32_000,
        error: Exception | None = None,
        ending: StreamEnd | None = None,
    ) -> None:
        self.name = name
        self.window = window
        self.parameters = parameters_from_name(name)
        self.prompts: list[tuple[str, str]] = []
        self.closed = False
        self._pieces = pieces
        self._error = error
        self._ending = ending or StreamEnd("whole", 42)

    def stream(self, system: str, user: str, stop: threading.Event) -> Generator[str, None, StreamEnd]:
        self.prompts.append((system, user))
        self.written = 0
        try:
            for written in self._pieces:
                self.written += 1
                if stop.is_set():
                    return StreamEnd("stopped")
                yield written
            if self._error:
                raise self._error
            return self._ending
        finally:
            self.closed = True
