"""The routes with which the page changes the library and the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter

from rag_app.server.uploads import Uploads
from rag_app.server.web.history_panel import export_routes
from rag_app.server.web.settings_panel import SettingsPanel, settings_routes
from rag_app.server.web.upload_routes import upload_routes
from rag_app.settings import Settings

if TYPE_CHECKING:
    from rag_app.assistant import Assistant
    from rag_app.outputs.history import History
    from rag_app.server.web.reading_panel import OpaqueIds
    from rag_app.server.web.settings_panel import ReaderNote


LibraryRoutes = Callable[["OpaqueIds"], APIRouter]


def library_routes(
    uploads: Uploads,
    assistant: Assistant,
    settings: Settings,
    reader: ReaderNote,
    history: History,
    shared: Callable[[], bool] = lambda: False,
) -> LibraryRoutes:
    """What makes the routes of adding and of settings, once it is given the papers' names on the page.

    `shared`: whether several users have the page, none of whom chooses the reader for the others.
    """

    def make_routes(ids: OpaqueIds) -> APIRouter:
        routes = APIRouter()
        routes.include_router(upload_routes(uploads, ids))
        routes.include_router(settings_routes(SettingsPanel(assistant, settings, reader, history), shared))
        routes.include_router(export_routes(assistant, history))
        return routes

    return make_routes
