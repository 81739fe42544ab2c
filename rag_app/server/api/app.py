"""The interfaces for other programs as one app, beside the page and behind the same guard and log-in."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fastapi import FastAPI

from rag_app.server.api.errors import handle_errors
from rag_app.server.api.library import Interfaces
from rag_app.server.api.limits import Limits
from rag_app.server.api.rest import PREFIX, rest_routes
from rag_app.server.security.gate import Receive, Scope, Send, is_api
from rag_app.settings import Settings

if TYPE_CHECKING:
    from rag_app.assistant import Assistant
    from rag_app.outputs.history import History
    from rag_app.server.build_job import BuildJob


def make_api(
    assistant: Assistant, settings: Settings, job: BuildJob, open_history: Callable[[str], History]
) -> FastAPI:
    """The app. `open_history`: the conversations of a user."""
    app = FastAPI(
        title="rag-app",
        version=importlib.metadata.version("rag-app"),
        summary="Ask a pile of papers; every claim of the answer opens the exact words on the exact page.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    handle_errors(app)
    shared = Interfaces(assistant, settings, job, open_history, Limits(settings.api_rate, settings.api_at_once))
    app.include_router(rest_routes(shared))
    return app


class ApiMiddleware:
    """Sends what programs ask for to `api`, everything else to `page`."""

    def __init__(self, page: Callable[[Scope, Receive, Send], Awaitable[None]], api: FastAPI) -> None:
        self._page = page
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with self._api.router.lifespan_context(self._api):
                return await self._page(scope, receive, send)
        path = scope["path"].removeprefix(scope.get("root_path", "") or "")
        app = self._api if is_api(path) else self._page
        await app(scope, receive, send)
