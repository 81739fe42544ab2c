"""REST: papers, search, questions, comparisons, pages, builds, conversations, verification; JSON as of the commands."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from rag_app.outputs.history import History, new_conversation
from rag_app.outputs.json import build_json, hits_json, papers_json
from rag_app.outputs.verify_text import text_checks_json, verify_text
from rag_app.records import Answer, Event, Json, Piece, Progress
from rag_app.retrieval.hybrid import Scope
from rag_app.server.api.errors import ApiError
from rag_app.server.api.events import HEADERS, SSE, answer_unless_left, sse, watch_events
from rag_app.server.api.library import Interfaces, caller_of, describe_page, refuse_error
from rag_app.server.api.links import place_url
from rag_app.server.api.schema import (
    AnswerShape,
    AskBody,
    BuildBody,
    BuildShape,
    ChecksShape,
    CompareBody,
    ErrorShape,
    HitsShape,
    PageShape,
    PapersShape,
    SearchBody,
    VerifyBody,
)
from rag_app.server.build_job import BuildJob, BuildRecord

PREFIX = "/api/v1"
MOST_BEGUN = 10_000  # conversations without a turn whose ids are remembered
_SAYS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorShape, "description": meaning}
    for status, meaning in {400: "a wrong request", 401: "no valid token", 404: "not there", 429: "too many"}.items()
}


def rest_routes(shared: Interfaces) -> APIRouter:
    """All routes below /api/v1."""

    def count(request: Request) -> None:
        shared.limits.count(caller_of(request))

    routes = APIRouter(prefix=PREFIX, dependencies=[Depends(count)], responses=_SAYS)
    conversations = _Conversations(shared.open_history)
    _add_library(routes, shared)
    _add_questions(routes, shared, conversations)
    _add_builds(routes, shared.job)
    _add_conversations(routes, shared, conversations)
    return routes


def _ok(model: type) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model}}


def _add_library(routes: APIRouter, shared: Interfaces) -> None:
    @routes.get("/papers", summary="The papers", responses=_ok(PapersShape))
    def papers() -> JSONResponse:
        return _send(papers_json(shared.assistant.papers()))

    @routes.get("/pages/{paper:path}/{number}", summary="One page with its text", responses=_ok(PageShape))
    def pages(paper: str, number: int, request: Request) -> JSONResponse:
        return _send(describe_page(shared.assistant, paper, number, shared.base(request)))

    @routes.post("/search", summary="The best passages for a question", responses=_ok(HitsShape))
    def search(body: SearchBody, request: Request) -> JSONResponse:
        began = time.perf_counter()
        chosen = shared.choose(body.papers)
        with shared.limits.hold(caller_of(request)):
            hits = shared.assistant.search(
                body.question, top=body.top, papers=chosen, years=body.years, section=body.section
            )
        value = hits_json(body.question, hits, shared.assistant.title, (time.perf_counter() - began) * 1000)
        base = shared.base(request)
        for found, hit in zip(value["hits"], hits, strict=True):
            found["url"] = place_url(base, hit.passage.paper, hit.passage.page, hit.passage.text)
        return _send(value)

    @routes.post("/verify", summary="Look for the quotes of any text in the papers", responses=_ok(ChecksShape))
    def verify(body: VerifyBody, request: Request) -> JSONResponse:
        chosen = shared.choose(body.papers)
        with shared.limits.hold(caller_of(request)):
            value = text_checks_json(verify_text(body.text, shared.assistant, chosen))
        base = shared.base(request)
        for quote in value["quotes"]:
            for place in quote["places"]:
                place["url"] = place_url(base, place["paper"], place["page"], place["words"].partition(" … ")[0])
        return _send(value)


def _add_questions(routes: APIRouter, shared: Interfaces, conversations: _Conversations) -> None:
    streams: dict[int | str, dict[str, Any]] = {
        200: {"model": AnswerShape, "content": {SSE: {"schema": {"type": "string"}}}}
    }

    @routes.post("/ask", summary="Answer a question, each claim with its page", responses=streams)
    async def ask(body: AskBody, request: Request) -> Response:
        chosen = await _in_thread(lambda: shared.choose(body.papers))
        user = request.scope.get("user", "")
        before = await _in_thread(lambda: conversations.turns(user, body.conversation)) if body.conversation else []

        def start(stop: threading.Event) -> Iterator[Event]:
            for event in shared.assistant.stream(
                body.question,
                id=body.id,
                papers=chosen,
                years=body.years,
                section=body.section,
                history=before,
                stop=stop,
            ):
                # What was stopped because the client left is not kept: it may be a part that looks whole.
                kept = body.conversation and not stop.is_set()
                if kept and isinstance(event, Answer) and event.status != "error":
                    shared.open_history(user).save_turn(body.conversation, event)
                yield event

        return await _answer(shared, request, start, body.stream)

    @routes.post("/compare", summary="Compare papers in a table", responses=_ok(AnswerShape))
    async def compare(body: CompareBody, request: Request) -> Response:
        chosen = await _in_thread(lambda: shared.choose(body.papers))
        scope = Scope(chosen, body.years, body.section)

        def start(stop: threading.Event) -> Iterator[Event]:
            return shared.assistant.stream_comparison(
                body.question, id=body.id, scope=scope, aspects=body.aspects, stop=stop
            )

        return await _answer(shared, request, start, False)


async def _answer(
    shared: Interfaces, request: Request, start: Callable[[threading.Event], Iterator[Event]], stream: bool
) -> Response:
    """The answer when it is there, or its events as they come. A client that leaves ends the making."""
    base = shared.base(request)
    events = watch_events(start, shared.limits.take(caller_of(request)))
    if stream:
        return StreamingResponse(_event_stream(shared, events, base), media_type=SSE, headers=HEADERS)
    return _send(shared.link(refuse_error(await answer_unless_left(events, request)), base))


async def _event_stream(shared: Interfaces, events: AsyncIterator[Event], base: str) -> AsyncIterator[str]:
    try:
        async for event in events:
            if isinstance(event, Progress):
                yield sse({"stage": event.stage, "message": event.message}, "progress")
            elif isinstance(event, Piece):
                yield sse({"text": event.text}, "piece")
            elif event.status == "error":
                yield sse({"error": {"code": "not_answered", "message": event.answer}}, "error")
            else:
                yield sse(shared.link(event, base), "answer")
    except Exception as error:  # the head of the response is out: the stream itself has to say it
        yield sse({"error": {"code": "internal", "message": f"{type(error).__name__}: {error}"}}, "error")


def _add_builds(routes: APIRouter, job: BuildJob) -> None:
    accepted: dict[int | str, dict[str, Any]] = {202: {"model": BuildShape, "description": "begun, or waits"}}

    @routes.post("/builds", summary="Bring the index up to date", status_code=202, responses=accepted)
    def begin(body: BuildBody | None = None) -> JSONResponse:
        fresh = body is not None and body.fresh
        record = job.request(fresh=fresh)
        if record is None:
            raise ApiError(
                409, "build_running", "A build is running. Wait until it ends or stop it, then ask for a fresh one."
            )
        return _send(_describe_build(record, job), 202, {"Location": f"{PREFIX}/builds/{record.number}"})

    @routes.get("/builds", summary="The builds of this process, the newest first")
    def builds() -> JSONResponse:
        return _send({"builds": [_describe_build(record, job) for record in job.records()]})

    @routes.get("/builds/{number}", summary="How far a build is", responses=_ok(BuildShape))
    def build(number: int) -> JSONResponse:
        return _send(_describe_build(_record(job, number), job))

    @routes.delete("/builds/{number}", summary="Stop a build; what it finished is kept", responses=_ok(BuildShape))
    def stop(number: int) -> JSONResponse:
        record = _record(job, number)
        if record.state in ("running", "waiting"):
            job.cancel()
        if record.state == "waiting":
            record = BuildRecord(number, "stopped")
        return _send(_describe_build(record, job))


def _record(job: BuildJob, number: int) -> BuildRecord:
    try:
        return job.record(number)
    except KeyError as error:
        raise ApiError(404, "unknown_build", f"No build {number} since the server started.") from error


def _describe_build(record: BuildRecord, job: BuildJob) -> Json:
    progress = job.progress if record.state == "running" else None
    return {
        "id": record.number,
        "state": record.state,
        "message": str(record.message),
        "progress": asdict(progress) if progress is not None else None,
        "report": build_json(record.report) if record.report is not None else None,
    }


def _add_conversations(routes: APIRouter, shared: Interfaces, kept: _Conversations) -> None:
    def user_of(request: Request) -> str:
        return str(request.scope.get("user", ""))

    @routes.get("/conversations", summary="The conversations, the newest first; `find` looks in them")
    def conversations(request: Request, find: str = "") -> JSONResponse:
        return _send({"conversations": [asdict(saved) for saved in shared.open_history(user_of(request)).search(find)]})

    @routes.post("/conversations", summary="An id for a new conversation", status_code=201)
    def begin(request: Request) -> JSONResponse:
        return _send({"id": kept.begin(user_of(request)), "turns": []}, 201)

    @routes.get("/conversations/{id}", summary="A conversation with its answers")
    def conversation(id: str, request: Request) -> JSONResponse:
        base = shared.base(request)
        turns = kept.turns(user_of(request), id)
        return _send({"id": id, "turns": [shared.link(answer, base) for answer in turns]})

    @routes.delete("/conversations/{id}", summary="Forget a conversation", status_code=204)
    def forget(id: str, request: Request) -> Response:
        kept.forget(user_of(request), id)
        return Response(status_code=204)


class _Conversations:
    """The conversations of all users, with those that were begun since the server started and hold nothing yet."""

    def __init__(self, open_history: Callable[[str], History]) -> None:
        self._open = open_history
        self._begun: dict[tuple[str, str], None] = {}
        self._lock = threading.Lock()

    def begin(self, user: str) -> str:
        """The id of a new one."""
        id = new_conversation()
        with self._lock:
            self._begun[user, id] = None
            if len(self._begun) > MOST_BEGUN:
                del self._begun[next(iter(self._begun))]
        return id

    def turns(self, user: str, id: str) -> list[Answer]:
        """Its answers, oldest first. Raises ApiError 404 for one that was never begun."""
        try:
            return [turn.answer for turn in self._open(user).load(id)]
        except KeyError as error:
            if (user, id) in self._begun:
                return []
            raise ApiError(
                404, "unknown_conversation", f"There is no such conversation. Begin one: POST {PREFIX}/conversations."
            ) from error

    def forget(self, user: str, id: str) -> None:
        """Delete it. Raises ApiError 404 for one that was never begun."""
        self.turns(user, id)
        with self._lock:
            self._begun.pop((user, id), None)
        self._open(user).delete(id)


async def _in_thread(work: Callable[[], Any]) -> Any:
    return await run_in_threadpool(work)


def _send(value: Json, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(value, status, headers={"Cache-Control": "no-store", **(headers or {})})
