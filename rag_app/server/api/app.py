"""The interfaces for other programs as one app, beside the page and behind the same guard and log-in."""

from __future__ import annotations

import importlib.metadata
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from mcp.server.transport_security import TransportSecuritySettings

from rag_app.server.api.cancelling import RunningCalls, cancelled_call, read_whole
from rag_app.server.api.errors import ApiError, error_response, handle_errors
from rag_app.server.api.library import Interfaces, caller_of
from rag_app.server.api.limits import Limits
from rag_app.server.api.links import base_of
from rag_app.server.api.mcp_tools import make_mcp
from rag_app.server.api.openai_routes import openai_routes
from rag_app.server.api.rest import PREFIX, rest_routes
from rag_app.server.security.gate import Receive, Scope, Send, is_api
from rag_app.settings import Settings

if TYPE_CHECKING:
    from rag_app.assistant import Assistant
    from rag_app.outputs.history import History
    from rag_app.server.build_job import BuildJob


def make_api(
    assistant: Assistant, settings: Settings, job: BuildJob, open_history: Callable[[str], History], origin: str
) -> FastAPI:
    """The app. `open_history`: the conversations of a user. `origin`: where the server listens."""
    # The guard in front of us has looked at host and origin, with our rules for proxies.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    limits = Limits(settings.api_rate, settings.api_at_once)
    running = RunningCalls()
    mcp = make_mcp(assistant, base_of(settings, origin), limits, running).streamable_http_app(
        streamable_http_path=MCP, stateless_http=True, transport_security=security
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with mcp.router.lifespan_context(mcp):
            yield

    app = FastAPI(
        lifespan=lifespan,
        title="rag-app",
        version=importlib.metadata.version("rag-app"),
        summary="Ask your papers a question. Every claim in the answer opens the exact words on the exact page.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    handle_errors(app)
    shared = Interfaces(assistant, settings, job, open_history, limits)
    app.include_router(rest_routes(shared))
    app.include_router(openai_routes(shared))
    app.router.routes.extend(mcp.routes)
    app.state.limits, app.state.running = limits, running
    return app


MCP = "/mcp"


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
        if path == MCP:  # no route of ours, so its requests are counted here
            request = Request(scope)
            caller = caller_of(request)
            try:
                self._api.state.limits.count(caller)
            except ApiError as error:
                return await error_response(path, error)(scope, receive, send)
            if scope["method"] == "POST":
                body, receive = await read_whole(receive)
                call = cancelled_call(body)
                if call is not None:
                    self._api.state.running.end(caller, call)
        app = self._api if is_api(path) else self._page
        await app(scope, receive, send)
