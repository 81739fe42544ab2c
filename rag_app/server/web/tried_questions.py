"""Example questions that were put to this very library and answered, before anybody is offered them."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rag_app.errors import RagError
from rag_app.server.i18n import current_language
from rag_app.server.web.render import VERBATIM_READERS

if TYPE_CHECKING:
    from rag_app.assistant import Assistant

Candidates = Sequence[Iterable[str]]
"""For each place on the screen, the questions that may stand there, best first."""
MOST_TRIED = 6  # candidates of one place
LIBRARIES_KEPT = 8  # states of the library, times languages
ACCEPTED = ("answered", "answered", "not_in_papers")  # a fact, a comparison, and something that is not in the papers
_log = logging.getLogger(__name__)


class TriedQuestions:
    """Tries questions in the background, one library after another. Thread-safe.

    A model is never asked: that may cost something and nobody wished it. With one, the first candidate of each place
    is offered untried.
    """

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._found: dict[tuple[object, str], list[str] | None] = {}  # None: being tried
        self._lock = threading.Lock()
        self.changes = 0  # grows whenever questions have been tried

    def questions(self, library: object, candidates: Callable[[], Candidates]) -> list[str]:
        """Those that were answered, of this state of the `library`; none while they are being tried."""
        if self._assistant.reader.name not in VERBATIM_READERS:
            return [question for place in candidates() for question in list(place)[:1]]
        key = library, current_language()
        with self._lock:
            if key in self._found:
                return self._found[key] or []
            while len(self._found) >= LIBRARIES_KEPT:
                del self._found[next(iter(self._found))]
            self._found[key] = None
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._try_all, key, candidates), daemon=True, name="examples"
        ).start()
        return []

    def _try_all(self, key: tuple[object, str], candidates: Callable[[], Candidates]) -> None:
        found: list[str] = []
        try:
            for wanted, place in zip(ACCEPTED, candidates(), strict=False):
                good = (question for question in list(place)[:MOST_TRIED] if self._ends_as(question, wanted))
                found += [question for question in [next(good, "")] if question]
        except Exception:  # a thread of its own: nobody else would hear of it, and a page without examples works
            _log.debug("examples could not be tried", exc_info=True)
        with self._lock:
            self._found[key] = found
            self.changes += 1

    def _ends_as(self, question: str, wanted: str) -> bool:
        try:
            answer = self._assistant.ask(question)
        except RagError:
            return False
        return answer.status == wanted and all(citation.verified for citation in answer.citations)
