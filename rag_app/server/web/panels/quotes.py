"""The quotes of a text that was pasted: which of them stand on their page, and where the others stand."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from rag_app.errors import RagError
from rag_app.outputs.verify_text import Library, TextCheck, verify_text
from rag_app.server.i18n import translate
from rag_app.server.web.reading_panel import PREFIX
from rag_app.server.web.upload_routes import json_response, read_json_body

LONGEST_TEXT = 200_000  # characters
_STATES = {
    "on the page": "quotes.on-page",
    "found": "quotes.found",
    "other page": "quotes.other-page",
    "other paper": "quotes.other-paper",
    "not found": "quotes.not-found",
    "pieces of different sentences": "quotes.pieces",
    "no such page": "quotes.no-page",
    "not a quote": "quotes.no-quote",
}


def check_json(check: TextCheck) -> dict[str, Any]:
    """One quote as the page shows it: its words, what became of it, and the places that can be opened."""
    words = translate(_STATES[check.state])
    if check.missing:
        words = translate("quotes.lacks", missing=", ".join(check.missing))
    return {
        "quote": check.quoted.text,
        "holds": check.holds,
        "words": words,
        "places": [
            {"paper": place.paper, "title": place.title, "page": place.page, "words": place.words}
            for place in check.places
        ],
    }


def quote_routes(library: Library) -> APIRouter:
    """The route that checks a text."""
    routes = APIRouter(prefix=f"{PREFIX}/quotes", include_in_schema=False)

    @routes.post("")
    async def check(request: Request) -> JSONResponse:
        text = str((await read_json_body(request)).get("text", ""))[:LONGEST_TEXT]
        try:
            checks = await run_in_threadpool(verify_text, text, library)
        except RagError as error:
            raise HTTPException(422, str(error)) from error
        return json_response({"quotes": [check_json(one) for one in checks], "hold": sum(one.holds for one in checks)})

    return routes
