"""Replies of OpenAI-compatible servers, brought into the form of the API before the client reads them.

Servers differ: one JSON reply where a stream was asked for, content as parts, a chunk without `choices`, half of a
surrogate pair in a chunk, an error within a stream or within a reply of status 200, no finish_reason. The client's
parser gives up or loses text on each of these. `ReplyRepair` is pure; `repairing` puts it into an HTTP client.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from rag_app.models.http_replies import IDENTITY, LARGEST_REPLY, too_long
from rag_app.models.llm.chat import MOST_CALLS

DONE = "[DONE]"

_HIGH_AT_END = re.compile(r"[\ud800-\udbff]\Z")
_LONE = re.compile(r"[\ud800-\udfff]")


class ReplyRepair:
    """Repairs one reply, event by event."""

    def __init__(self) -> None:
        self._halves: dict[str, str] = {}  # by field: the first half of a surrogate pair, whose second half is to come
        self._finished = False
        self._frame: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}
        self._said = False  # anything of an answer

    def line(self, line: str) -> list[str]:
        """The lines that stand for one line of an event stream."""
        if not line.startswith("data:"):
            return [line]
        data = line[5:].strip()
        if data == DONE:
            return [*self._end(), f"data: {DONE}", ""]
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return [line]  # the client says what is wrong with it
        if not isinstance(event, dict):
            return [line]
        return [self._event(event)]

    def whole(self, text: str) -> list[str]:
        """The lines of an event stream that stand for one JSON reply."""
        try:
            reply = json.loads(text)
        except (ValueError, RecursionError):
            return [f"data: {' '.join(text[:2000].split())}", ""]
        if not isinstance(reply, dict):
            return [f"data: {json.dumps(reply)}", ""]
        return [self._event(reply), "", *self._end(), f"data: {DONE}", ""]

    def _event(self, event: dict[str, Any]) -> str:
        error = error_in(event)
        if error is not None:
            return f"data: {json.dumps({'error': error})}"
        self._frame |= {name: event[name] for name in self._frame if event.get(name)}
        self._frame["object"] = "chat.completion.chunk" if "text" not in str(event.get("object")) else event["object"]
        choices = event.get("choices")
        event["choices"] = [self._choice(one) for one in choices if isinstance(one, dict)] if choices else []
        return f"data: {json.dumps({**self._frame, **event, 'object': self._frame['object']})}"

    def _choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        self._finished = self._finished or bool(choice.get("finish_reason"))
        if "text" in choice:  # of a completion
            self._said = True
            return {**choice, "text": self._join_halves("text", str(choice["text"] or ""))}
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            message = choice.get("message")
            delta = dict(message) if isinstance(message, dict) else {}
        for name in ("content", "reasoning_content", "reasoning"):
            if delta.get(name) is not None:
                delta[name] = self._join_halves(name, text_of(delta[name]))
        self._said = self._said or bool(delta.get("content") or delta.get("tool_calls"))
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            read = calls[:MOST_CALLS]
            delta["tool_calls"] = [_call(place, call) for place, call in enumerate(read) if isinstance(call, dict)]
        choice = {name: value for name, value in choice.items() if name != "message"}
        return {"index": 0, "finish_reason": None, **choice, "delta": delta}

    def _join_halves(self, field: str, text: str) -> str:
        """The text with what was held of it in front; half of a pair at its end is held, one alone is U+FFFD."""
        text = self._halves.pop(field, "") + text
        half = _HIGH_AT_END.search(text)
        if half:
            self._halves[field] = half[0]
            text = text[: half.start()]
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return _LONE.sub("\ufffd", text)

    def _end(self) -> list[str]:
        """What is still missing when the server says that it is done: the rest of the text and a finish_reason."""
        lines = []
        if self._halves.pop("content", "") or self._halves.pop("text", ""):
            lines += [self._event({"choices": [{"delta": {"content": "\ufffd"}}]}), ""]
        if self._said and not self._finished:
            lines += [self._event({"choices": [{"delta": {}, "text": "", "finish_reason": "stop"}]}), ""]
        return lines


def _call(place: int, call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    if isinstance(function, dict) and isinstance(function.get("arguments"), dict):
        call = {**call, "function": {**function, "arguments": json.dumps(function["arguments"])}}
    return {"index": place, **call}


def text_of(content: object) -> str:
    """The text of a message's content: a string, or a list of parts."""
    if isinstance(content, list):
        return "".join(text_of(part) for part in content)
    if isinstance(content, dict):
        return str(content.get("text") or "") if content.get("type", "text") in ("text", "output_text") else ""
    return content if isinstance(content, str) else ""


def error_in(reply: Mapping[str, Any]) -> dict[str, Any] | None:
    """The error that a reply of status 200 holds, as an object with a message; None for none."""
    error = reply.get("error")
    if not error and reply.get("object") == "error":
        error = {"message": reply.get("message"), "code": reply.get("code")}
    if not error and not reply.get("choices") and reply.get("detail"):
        error = {"detail": reply["detail"]}
    if not error:
        return None
    return dict(error) if isinstance(error, dict) else {"message": str(error)}


async def repaired_bytes(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body of a reply with status 200 as an event stream of the API, whatever form it came in."""
    repair = ReplyRepair()
    held, form = b"", ""
    async for piece in pieces:
        held += piece
        if not form:
            start = held.lstrip()[:1]
            form = "" if not start else "json" if start in b"{[" else "stream"
        if len(held) > LARGEST_REPLY:  # one line, or one JSON reply, that does not end
            raise too_long()
        if form != "stream":
            continue
        *lines, held = held.split(b"\n")
        for line in lines:
            yield _encode_lines(repair.line(line.rstrip(b"\r").decode("utf-8", "replace")))
    if form == "json":
        yield _encode_lines(repair.whole(held.decode("utf-8", "replace")))
    elif held:
        yield _encode_lines(repair.line(held.decode("utf-8", "replace")))


def _encode_lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def repairing(client: Any) -> Any:
    """The HTTP client (httpx.AsyncClient) with each of its transports repairing what comes."""
    import httpx  # noqa: PLC0415  # only with a model

    class RepairedStream(httpx.AsyncByteStream):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in repaired_bytes(self._inner.__aiter__()):
                yield piece

        async def aclose(self) -> None:
            await self._inner.aclose()

    class RepairedTransport(httpx.AsyncBaseTransport):
        def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
            self._inner = inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.headers.update(IDENTITY)  # what is compressed is refused
            response = await self._inner.handle_async_request(request)
            if response.status_code == 200 and not response.headers.get("content-encoding"):
                response.stream = RepairedStream(response.stream)
                for name in ("content-length", "content-type"):
                    response.headers.pop(name, None)
                response.headers["content-type"] = "text/event-stream"
            return response

        async def aclose(self) -> None:
            await self._inner.aclose()

    client._transport = RepairedTransport(client._transport)
    client._mounts = {pattern: inner and RepairedTransport(inner) for pattern, inner in client._mounts.items()}
    return client
