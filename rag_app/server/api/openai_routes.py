"""The library as a model of an OpenAI-compatible server: models, chat completions, responses; whole or streamed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from rag_app.records import Answer, Event, Json, Piece, Progress
from rag_app.server.api import openai_shapes as shapes
from rag_app.server.api.errors import ApiError
from rag_app.server.api.events import HEADERS, SSE, answer_unless_left, comment, sse, watch_events
from rag_app.server.api.library import Interfaces, caller_of, refuse_error
from rag_app.server.api.schema import ChatBody, ResponseBody

DONE = "data: [DONE]\n\n"


def openai_routes(shared: Interfaces) -> APIRouter:
    """All routes below /v1."""

    def count(request: Request) -> None:
        shared.limits.count(caller_of(request))

    routes = APIRouter(prefix="/v1", dependencies=[Depends(count)], include_in_schema=False)
    memory = shapes.AnswerMemory()
    began = int(time.time())
    described = {"id": shapes.MODEL, "object": "model", "created": began, "owned_by": "rag-app"}

    @routes.get("/models")
    def models() -> JSONResponse:
        return JSONResponse({"object": "list", "data": [described]})

    @routes.get("/models/{model}")
    def model(model: str) -> JSONResponse:
        _check_model(model)
        return JSONResponse(described)

    @routes.post("/chat/completions")
    async def complete(body: ChatBody, request: Request) -> Response:
        _check_model(body.model)
        if body.n not in (None, 1):
            raise ApiError(400, "unsupported_parameter", "n: each question gets one answer.")
        return await _Chat(shared, memory, request, body.model).answer(
            body.messages, bool(body.stream), body.wants_usage
        )

    @routes.post("/responses")
    async def respond(body: ResponseBody, request: Request) -> Response:
        _check_model(body.model)
        return await _Respond(shared, memory, request, body.model).answer(
            body.messages, bool(body.stream), body.previous_response_id
        )

    return routes


def _check_model(model: str) -> None:
    if model != shapes.MODEL:
        raise ApiError(404, "model_not_found", f"{model[:80]}: there is one model here, {shapes.MODEL}.")


class _Exchange:
    """One request: who asks, and under which ids it is answered."""

    def __init__(self, shared: Interfaces, memory: shapes.AnswerMemory, request: Request, model: str) -> None:
        self.shared = shared
        self.request = request
        self.memory = memory
        self.model = model
        self.user = str(request.scope.get("user", ""))
        self.caller = caller_of(request)
        self.base = shared.base(request)
        self.created = int(time.time())
        self.token = secrets.token_hex(12)

    def begin(self, question: str, history: Sequence[Answer]) -> AsyncIterator[Event]:
        def start(stop: threading.Event) -> Iterator[Event]:
            return self.shared.assistant.stream(question, history=history, stop=stop)

        return watch_events(start, self.shared.limits.take(self.caller))

    async def finish(self, events: AsyncIterator[Event]) -> Answer:
        """The answer, once it is there."""
        return refuse_error(await answer_unless_left(events, self.request))


class _Chat(_Exchange):
    """A chat completion."""

    async def answer(self, messages: list[Json], stream: bool, wants_usage: bool) -> Response:
        question, history = shapes.split_messages(messages, self.user, self.memory)
        events = self.begin(question, history)
        id = f"chatcmpl-{self.token}"
        if stream:
            return StreamingResponse(self._stream(id, events, wants_usage), media_type=SSE, headers=HEADERS)
        answer = await self.finish(events)
        self.memory.keep(self.user, answer.answer, answer)
        return JSONResponse(
            shapes.completion(id, self.created, self.model, answer, self.base, self.shared.link(answer, self.base))
        )

    async def _stream(self, id: str, events: AsyncIterator[Event], wants_usage: bool) -> AsyncIterator[str]:
        def chunk(delta: Json, finish: str | None = None, **more: Any) -> str:
            return sse(shapes.chunk(id, self.created, self.model, delta, finish, **more))

        said = ""
        yield chunk({"role": "assistant", "content": ""})
        try:
            async for event in events:
                if isinstance(event, Progress):
                    yield comment(event.message)
                elif isinstance(event, Piece):
                    said += event.text
                    yield chunk({"content": event.text})
                else:
                    answer = refuse_error(event)
                    rest = shapes.rest_of(said, answer)
                    if rest:
                        yield chunk({"content": rest})
                    self.memory.keep(self.user, said + rest, answer)
                    found = shapes.nest(shapes.annotate(said + rest, answer, self.base))
                    yield chunk({"annotations": found} if found else {})
                    yield chunk({}, "stop", rag_app=self.shared.link(answer, self.base))
                    if wants_usage:
                        yield sse(
                            {
                                **shapes.chunk(id, self.created, self.model, {}),
                                "choices": [],
                                "usage": shapes.usage(answer),
                            }
                        )
        except Exception as error:  # the head of the response is out: the stream itself has to say it
            yield sse({"error": _describe(error)})
        yield DONE


class _Respond(_Exchange):
    """A response of the Responses API."""

    async def answer(self, messages: list[Json], stream: bool, previous: str | None) -> Response:
        question, history = shapes.split_messages(messages, self.user, self.memory)
        history = [*(self.memory.chain(self.user, previous) if previous else ()), *history]
        events = self.begin(question, history)
        id = f"resp_{self.token}"
        if stream:
            return StreamingResponse(self._stream(id, events, history), media_type=SSE, headers=HEADERS)
        answer = await self.finish(events)
        return JSONResponse(self._whole(id, answer.answer, answer, history))

    def _whole(self, id: str, text: str, answer: Answer, history: Sequence[Answer]) -> Json:
        self.memory.keep(self.user, text, answer)
        self.memory.keep_chain(self.user, id, [*history, answer])
        content = [shapes.output_text(text, shapes.annotate(text, answer, self.base))]
        output = [shapes.output_message(f"msg_{self.token}", "completed", content)]
        return shapes.response(
            id, self.created, self.model, "completed", output, answer, self.shared.link(answer, self.base)
        )

    async def _stream(self, id: str, events: AsyncIterator[Event], history: Sequence[Answer]) -> AsyncIterator[str]:
        item, place, number = f"msg_{self.token}", {"output_index": 0, "content_index": 0}, iter(range(1_000_000))
        begun = shapes.response(id, self.created, self.model, "in_progress", [])

        def say(kind: str, **more: Any) -> str:
            return sse({"type": kind, "sequence_number": next(number), **more}, kind)

        yield say("response.created", response=begun)
        yield say("response.in_progress", response=begun)
        yield say("response.output_item.added", output_index=0, item=shapes.output_message(item, "in_progress", []))
        yield say("response.content_part.added", item_id=item, **place, part=shapes.output_text("", []))
        said = ""
        try:
            async for event in events:
                if isinstance(event, Progress):
                    yield comment(event.message)
                    continue
                answer = refuse_error(event) if isinstance(event, Answer) else None
                piece = event.text if isinstance(event, Piece) else shapes.rest_of(said, answer) if answer else ""
                said += piece
                if piece:
                    yield say("response.output_text.delta", item_id=item, **place, delta=piece, logprobs=[])
                if answer is not None:
                    for line in self._end(say, id, item, place, said, answer, history):
                        yield line
        except Exception as error:  # the head of the response is out: the stream itself has to say it
            fault = _describe(error)
            failed = {**begun, "status": "failed", "error": {"code": "server_error", "message": fault["message"]}}
            yield say("response.failed", response=failed)

    def _end(
        self, say: Any, id: str, item: str, place: Json, said: str, answer: Answer, history: Sequence[Answer]
    ) -> Iterator[str]:
        whole = self._whole(id, said, answer, history)
        part = whole["output"][0]["content"][0]
        for index, annotation in enumerate(part["annotations"]):
            yield say(
                "response.output_text.annotation.added",
                item_id=item,
                **place,
                annotation_index=index,
                annotation=annotation,
            )
        yield say("response.output_text.done", item_id=item, **place, text=said, logprobs=[])
        yield say("response.content_part.done", item_id=item, **place, part=part)
        yield say("response.output_item.done", output_index=0, item=whole["output"][0])
        yield say("response.completed", response=whole)


def _describe(error: Exception) -> Json:
    if isinstance(error, ApiError):
        return {"code": error.code, "message": error.message, "type": "server_error", "param": None}
    said = f"Something went wrong inside the program ({type(error).__name__}: {error}). Ask again."
    return {"code": "internal", "message": said, "type": "server_error", "param": None}
