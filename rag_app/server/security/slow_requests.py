"""Slow requests: whoever takes too long over a request's head or body is cut off, and costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from rag_app.server.security.gate import Message, Receive, RequestTimeout, Scope, Send

SECONDS_FOR_HEAD = 15.0  # from the first byte, or from connecting
SECONDS_FOR_BODY = 60.0
SECONDS_UNREAD = 60.0  # in which who asked has read nothing of an answer that is larger than what waits on its way
MOST_CONNECTIONS = 1000


class TimeoutProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which waits for ever for the head of a request, with an end to that."""

    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()  # the next request may have begun already

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(SECONDS_UNREAD, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_unread()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        self._forget_unread()
        super().connection_lost(exc)

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _watch(self) -> None:
        """A request's head is awaited, and some of it may be there: then it has so long to become whole.

        So has the body of a request that is answered already: nobody reads it, but who sends it gets the answer.
        """
        awaits_head = self.conn.their_state is h11.IDLE and (self.cycle is None or self.conn.trailing_data[0])
        unread_body = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if awaits_head or unread_body:
            if self._late is None:
                self._late = self.loop.call_later(SECONDS_FOR_HEAD, self._end)
        else:
            self._unwatch()

    def _unwatch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()


def limit_slow_requests(
    app: Callable[[Scope, Receive, Send], Awaitable[None]],
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The app; a request whose body has not come in time ends with 408."""

    async def limited_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return await app(scope, receive, send)
        until: float | None = asyncio.get_running_loop().time() + SECONDS_FOR_BODY
        begun = late = False

        async def receive_in_time() -> Message:
            nonlocal until, late
            if until is None:  # the body is there: what comes now is that the client leaves
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                late = True
                raise RequestTimeout from error
            until = until if message.get("more_body") else None
            return message

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            if late and not begun:  # the web library answers 500 to what its handler raises
                raise RequestTimeout
            begun = True
            await send(message)

        try:
            await app(scope, receive_in_time, send_and_note)
        except RequestTimeout:
            if begun:
                return
            await send({"type": "http.response.start", "status": 408, "headers": [(b"connection", b"close")]})
            await send({"type": "http.response.body", "body": b"Too slow."})

    return limited_app


def server_options(certificate: Any = None, key: Any = None) -> dict[str, Any]:
    """What uvicorn is told about patience and https."""
    secure = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key) if key else None} if certificate else {}
    return {"http": TimeoutProtocol, "limit_concurrency": MOST_CONNECTIONS, **secure}
