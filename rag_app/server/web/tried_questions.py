"""Questions that were put to this very library and answered with quotes, before anybody is offered them."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from rag_app.errors import RagError
from rag_app.server.i18n import current_language
from rag_app.server.web.library_panel import next_questions
from rag_app.server.web.map_panel import find_alike_papers, find_paper_names
from rag_app.server.web.reading_panel import NOT_KEPT, PREFIX, OpaqueIds, find_or_404

if TYPE_CHECKING:
    from rag_app.assistant import Assistant
    from rag_app.records import Answer

Candidates = Sequence[Iterable[str]]
"""For each place on the screen, the questions that may stand there, best first."""
MOST_TRIED = 6  # candidates of one place of the first screen
MOST_TRIED_NEXT = 2  # candidates of one place under an answer, where somebody waits
MOST_NEXT = 3  # questions under an answer
LIBRARIES_KEPT = 8  # states of the library, times languages
ANSWERS_KEPT = 500
PATIENCE = 20.0  # seconds that a request waits for the one before it
_log = logging.getLogger(__name__)


class TriedQuestions:
    """Tries questions in the background, one library after another; a model is never asked. Thread-safe."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._found: dict[tuple[object, str], list[str] | None] = {}  # None: being tried
        self._next: dict[tuple[object, ...], list[str]] = {}
        self._lock = threading.Lock()
        self._trying = threading.Lock()  # what follows an answer: one at a time
        self.changes = 0  # grows whenever questions of the first screen have been tried

    def questions(self, library: object, candidates: Callable[[], Candidates]) -> list[str]:
        """Those that were answered, of this state of the `library`; none while they are being tried."""
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

    def after(self, name: str, answer: Answer) -> list[str]:
        """What one may ask after this answer; `name` is its name on the page. Takes a second or two the first time."""
        rows = self._assistant.papers()
        key = name, current_language(), tuple(row.paper for row in rows)
        if key in self._next or not self._trying.acquire(timeout=PATIENCE):
            return self._next.get(key, [])
        try:
            if key not in self._next:
                called = find_paper_names(self._assistant)
                places = next_questions(answer, rows, find_alike_papers(self._assistant), called)
                found: list[str] = []
                for place in places:
                    if len(found) < MOST_NEXT:
                        found += self._assistant.suggest_questions(1, MOST_TRIED_NEXT, place)
                while len(self._next) >= ANSWERS_KEPT:
                    del self._next[next(iter(self._next))]
                self._next[key] = found
            return self._next[key]
        finally:
            self._trying.release()

    def _try_all(self, key: tuple[object, str], candidates: Callable[[], Candidates]) -> None:
        found: list[str] = []
        try:
            for place in candidates():
                found += self._assistant.suggest_questions(1, MOST_TRIED, place)
        except Exception:  # a thread of its own: nobody else would hear of it, and a page without examples works
            _log.debug("examples could not be tried", exc_info=True)
        with self._lock:
            self._found[key] = found
            self.changes += 1


def next_question_routes(tried: TriedQuestions, ids: OpaqueIds) -> APIRouter:
    """The route of what one may ask after an answer."""
    routes = APIRouter(prefix=f"{PREFIX}/next", include_in_schema=False)

    @routes.get("/{name}")
    def after(name: str) -> JSONResponse:
        answer = find_or_404(lambda: ids.answer(name))
        try:
            questions = tried.after(name, answer)
        except RagError:  # the library says what is wrong where it is shown
            questions = []
        return JSONResponse({"questions": questions}, headers=NOT_KEPT)

    return routes
