"""A paper's details on its card: what is known of it, and what the user corrects or adds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from rag_app.errors import CorpusError, RagError
from rag_app.papers.details import PaperDetails, parse_details
from rag_app.server.i18n import translate
from rag_app.server.web.reading_panel import PREFIX, OpaqueIds, PageSource
from rag_app.server.web.upload_routes import json_response, read_json_body


class DescribedLibrary(PageSource, Protocol):
    """A library whose papers can be described."""

    def details(self, paper: str) -> PaperDetails: ...
    def describe(self, paper: str, details: PaperDetails) -> None: ...


def details_json(library: DescribedLibrary, paper: str) -> dict[str, Any]:
    """What a form of the paper's details shows. Raises KeyError for an unknown paper.

    "now" is what holds at present, "own" what of it is the user's.
    """
    row = next((row for row in library.papers() if row.paper == paper), None)
    if row is None:
        raise KeyError(paper)
    own = library.details(paper)
    source = library.sources([paper]).get(paper) if row.pages else None
    entry = json.loads(source.bibliography) if source and source.bibliography else {}
    now = {
        "title": row.title,
        "authors": list(own.authors or (source.authors if source else ())),
        "year": row.year or None,
        "venue": own.venue or str(entry.get("container-title") or ""),
        "topic": row.topic,
        "tags": list(own.tags),
    }
    mine = [name for name in now if getattr(own, name)]
    known = {tag for one in library.papers() for tag in one.tags}
    return {"now": now, "own": mine, "tags": sorted(known, key=str.casefold)}


def corrected_details(library: DescribedLibrary, paper: str, typed: dict[str, Any]) -> PaperDetails:
    """What was typed, without what is as it was found: that stays free to follow the paper."""
    shown, own = details_json(library, paper)["now"], library.details(paper)
    said = parse_details(typed)
    as_found: dict[str, Any] = {}
    for name in ("title", "authors", "year", "venue", "topic"):
        there = tuple(shown[name]) if name == "authors" else shown[name]
        if not getattr(own, name) and getattr(said, name) == there:
            as_found[name] = getattr(PaperDetails(), name)
    return replace(said, **as_found)


def details_routes(library: DescribedLibrary, ids: OpaqueIds, rebuild: Callable[[], object]) -> APIRouter:
    """The routes of a paper's details; `rebuild` has the index take a correction up."""
    routes = APIRouter(prefix=f"{PREFIX}/details", include_in_schema=False)

    def save(name: str, typed: dict[str, Any]) -> dict[str, Any]:
        paper = ids.paper(name)
        try:
            before, wanted = library.details(paper), corrected_details(library, paper, typed)
            library.describe(paper, wanted)
        except CorpusError as error:  # what was typed cannot be, or cannot be kept: the form says it
            return {"problem": str(error)}
        if any(getattr(before, one) != getattr(wanted, one) for one in ("title", "authors", "year", "venue", "topic")):
            rebuild()
        return details_json(library, paper)

    @routes.get("/{name}")
    def details(name: str) -> JSONResponse:
        return json_response(_answer(lambda: details_json(library, ids.paper(name))))

    @routes.post("/{name}")
    async def correct(name: str, request: Request) -> JSONResponse:
        typed = await read_json_body(request)
        return json_response(await run_in_threadpool(lambda: _answer(lambda: save(name, typed))))

    return routes


def _answer(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return make()
    except KeyError as error:
        raise HTTPException(404, translate("adding.not-known")) from error
    except RagError as error:
        raise HTTPException(422, str(error)) from error
