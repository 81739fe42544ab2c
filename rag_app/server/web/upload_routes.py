"""The library grows from the page: the requests behind Add papers, Remove, Rebuild all and Cancel."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from rag_app.errors import CorpusError, PaperError, RagError
from rag_app.papers.add_remove import (
    LARGEST_PDF,
    MOST_AT_ONCE,
    REMOVED,
    AddResult,
    IncomingFile,
    find_replacement_digest,
    remove_paper,
    removed_papers,
    restore_paper,
)
from rag_app.papers.arxiv_ids import parse_arxiv_id
from rag_app.server.i18n import translate
from rag_app.server.uploads import UNDERWAY, Upload, Uploads

if TYPE_CHECKING:
    from rag_app.server.web.reading_panel import OpaqueIds


PREFIX = "/adding"
MOST_REMOVED_SHOWN = 50


class PaperIds(Protocol):
    """Who knows the papers' names on the page."""

    def paper(self, name: str) -> str: ...
    def name_paper(self, paper: str) -> str: ...


def upload_routes(uploads: Uploads, ids: OpaqueIds | PaperIds) -> APIRouter:
    """The routes of the library's side of the page; each answers with the whole state, as `state` makes it."""
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)
    actions = _actions(uploads, ids)

    @routes.get("/state")
    def state() -> JSONResponse:
        return json_response(_state(uploads, ids))

    @routes.post("/file")
    async def file(request: Request) -> JSONResponse:
        # In a header, since the body is the file itself; percent-encoded, since a header holds no Unicode.
        name = unquote(request.headers.get("x-file-name", ""), errors="replace")
        try:
            row = uploads.add_upload(await _receive_file(request, uploads, name))
        except RagError as error:
            raise HTTPException(422, str(error)) from error
        return json_response({"row": _row(row, ids)})

    @routes.post("/do/{name}")
    async def do(name: str, request: Request) -> JSONResponse:
        action = actions.get(name)
        if action is None:
            raise HTTPException(404, translate("adding.nothing-such"))
        value = await read_json_body(request)
        try:
            words = await run_in_threadpool(action, value)
        except KeyError as error:
            raise HTTPException(404, translate("adding.not-known")) from error
        except RagError as error:
            raise HTTPException(422, str(error)) from error
        return json_response(_state(uploads, ids) | {"said": words})

    return routes


def _actions(uploads: Uploads, ids: OpaqueIds | PaperIds) -> dict[str, Callable[[dict[str, Any]], str]]:
    """What can be done, by name. Each returns what is said about it; raises RagError, KeyError for an unknown paper."""
    corpus = uploads.corpus

    def fetch(value: dict[str, Any]) -> str:
        uploads.ask_arxiv(str(value.get("text", "")))
        return ""

    def try_again(value: dict[str, Any]) -> str:
        uploads.try_again(_number(value))
        return ""

    def forget(value: dict[str, Any]) -> str:
        uploads.forget(_number(value))
        return ""

    def cancel(value: dict[str, Any]) -> str:
        uploads.cancel()
        return translate("adding.stopped")

    def remove(value: dict[str, Any]) -> str:
        paper = ids.paper(str(value.get("paper", "")))
        kept = remove_paper(corpus, paper)
        uploads.forget_paper(paper)
        uploads.job.start(after_this_one=True)
        digest = find_replacement_digest(corpus, kept)
        removed = translate("adding.removed", folder=REMOVED)
        return f"{removed} {translate('adding.digest-answers', digest=digest)}" if digest else removed

    def restore(value: dict[str, Any]) -> str:
        path = restore_paper(corpus, str(value.get("file", "")))
        uploads.add_upload(AddResult(path.name, "added", path.name))
        return translate("adding.is-back", name=path.name)

    def rebuild_all(value: dict[str, Any]) -> str:
        if not uploads.job.start(fresh=True):
            return translate("build.runs-already")
        return translate("build.all-begun")

    named = (fetch, try_again, forget, cancel, remove, restore, rebuild_all)
    return {action.__name__.replace("_", "-"): action for action in named}


async def _receive_file(request: Request, uploads: Uploads, name: str) -> AddResult:
    """The body of the request as a file of the corpus folder. Raises CorpusError when it cannot be written."""
    if uploads.free_slots() < 1:
        return AddResult(name[:200], "refused", problem=translate("adding.too-many", most=MOST_AT_ONCE))
    incoming = await run_in_threadpool(IncomingFile, uploads.corpus, name, LARGEST_PDF)
    try:
        async for piece in _pieces(request):
            await run_in_threadpool(incoming.write, piece)
        return await run_in_threadpool(incoming.keep)
    except PaperError as error:
        return AddResult(incoming.name, "refused", problem=str(error))
    finally:
        incoming.drop()  # also when the browser went away in the middle


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises PaperError when the browser goes away before its end."""
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise PaperError(translate("adding.broke-off"))
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _state(uploads: Uploads, ids: OpaqueIds | PaperIds) -> dict[str, Any]:
    rows = uploads.rows()
    removed: tuple[str, ...] = ()
    problem = ""
    try:
        removed = removed_papers(uploads.corpus)
    except CorpusError as error:
        problem = str(error)
    return {
        "rows": [_row(row, ids) for row in rows],
        "summary": " · ".join(words for words in (uploads.summary(), problem) if words),
        "busy": any(row.state in UNDERWAY for row in rows),
        "building": uploads.job.running,
        "removed": list(removed[:MOST_REMOVED_SHOWN]),
        "more_removed": max(0, len(removed) - MOST_REMOVED_SHOWN),
    }


def _row(row: Upload, ids: OpaqueIds | PaperIds) -> dict[str, Any]:
    """What the page shows of it: never a path, and the paper under its name on the page."""
    shown = asdict(row)
    return {
        **{name: shown[name] for name in ("id", "name", "state", "words", "size", "received")},
        "underway": row.state in UNDERWAY,
        "again": parse_arxiv_id(row.asked) is not None and row.state in ("failed", "cancelled"),
        "opens": ids.name_paper(row.paper) if row.state in ("in", "twice") and row.paper else "",
        "removes": ids.name_paper(row.paper) if row.state == "failed" and row.paper else "",
    }


async def read_json_body(request: Request) -> dict[str, Any]:
    """The body as an object. What was sent is never repeated: it may hold a key."""
    try:
        value = json.loads(b"".join([piece async for piece in _pieces(request)]))
    except (PaperError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise HTTPException(400, translate("adding.not-ours"))
    # JSON can hold unpaired surrogates, which no answer, file or header could hold.
    return {name: _whole(one) if isinstance(one, str) else one for name, one in value.items()}


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _number(value: dict[str, Any]) -> int:
    try:
        return int(value.get("id", 0))
    except (TypeError, ValueError, OverflowError):
        return -1


def json_response(content: dict[str, Any]) -> JSONResponse:
    return JSONResponse(content, headers={"Cache-Control": "no-store"})
