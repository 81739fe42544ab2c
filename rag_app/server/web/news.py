"""Whether anything has changed that the page shows: one small answer, so that nothing else is asked for in vain."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from rag_app.errors import RagError
from rag_app.server.web.reading_panel import NOT_KEPT, PREFIX

if TYPE_CHECKING:
    from rag_app.assistant import Assistant
    from rag_app.server.build_job import BuildJob
    from rag_app.server.runs import AnswerRuns
    from rag_app.server.web.settings_panel import ReaderNoteLike

RUN = secrets.token_hex(8)  # another one for each start of the program


def news_routes(
    assistant: Assistant, job: BuildJob, runs: AnswerRuns, reader: ReaderNoteLike, tried: Callable[[], int]
) -> APIRouter:
    """The route that says in one word what state the library, the build, the answers and the reader are in.

    `tried`: how often example questions have been tried.
    """
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)

    @routes.get("/news")
    def news() -> JSONResponse:
        found = describe_state(assistant, job, runs, reader) + f"-{tried()}"
        return JSONResponse({"run": RUN, "state": found, "busy": job.running}, headers=NOT_KEPT)

    return routes


def describe_state(assistant: Assistant, job: BuildJob, runs: AnswerRuns, reader: ReaderNoteLike) -> str:
    """Another word whenever something that the page shows has changed."""
    try:
        library: object = (assistant.papers(), assistant.status())
    except RagError as error:
        library = str(error)
    build = (job.running, job.progress, str(job.outcome), job.failed)
    state = repr((library, build, runs.changes, reader.html()))
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:16]
