"""A model server's reply is read up to a size and no further: a line without end would otherwise fill the memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

LARGEST_REPLY = 16 * 1024 * 1024  # bytes of one answer with everything around it
LARGEST_ENCODED = 1024 * 1024  # bytes of a compressed one, which may become a thousand times as long


class ReplyTooLarge(ConnectionError):
    """More came than an answer can have."""


async def limit_response(response: Any) -> None:
    """For httpx's event hook "response": have the body that is still to come counted."""
    import httpx  # noqa: PLC0415  # comes with the client, only with a model

    plain = response.headers.get("content-encoding", "identity") == "identity"
    limit = LARGEST_REPLY if plain else LARGEST_ENCODED
    inner = response.stream

    class CountedStream(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for piece in inner:
                size += len(piece)
                if size > limit:
                    raise ReplyTooLarge(f"the reply is longer than {limit // 2**20} MB")
                yield piece

        async def aclose(self) -> None:
            await inner.aclose()

    response.stream = CountedStream()
