"""What servers reply is read up to a size and no further, and only as it is: for every HTTP client of the program.

A line without end would fill the memory, and so would a compressed reply: a few thousand bytes become gigabytes while
they are decoded, before anybody can count them. Every request of ours asks for `identity`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

LARGEST_REPLY = 16 * 1024 * 1024  # bytes of one reply with everything around it
IDENTITY = {"Accept-Encoding": "identity"}


def refuse_reply(reason: str) -> Exception:
    """The error for a reply that is not read: an httpx.DecodingError."""
    import httpx  # noqa: PLC0415  # a tenth of a second, and only where a server is asked

    return httpx.DecodingError(reason)


def refuse_compressed(response: Any) -> None:
    """For httpx's event hook "response": raise httpx.DecodingError for a body that would have to be decoded."""
    encodings = response.headers.get("content-encoding", "").split(",")
    named = [one.strip() for one in encodings if one.strip().lower() not in ("", "identity")]
    if named:
        raise refuse_reply(
            f"the reply is compressed ({', '.join(named)[:40]}), though it was asked for as it is; "
            "switch compression off in the server, or in the proxy in front of it"
        )


def limit_reply(response: Any) -> None:
    """`refuse_compressed`, and have the body that is still to come counted: httpx.DecodingError for one too long."""
    refuse_compressed(response)
    import httpx  # noqa: PLC0415

    inner = response.stream

    class CountedStream(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __init__(self) -> None:
            self.size = 0

        def count(self, piece: bytes) -> bytes:
            self.size += len(piece)
            if self.size > LARGEST_REPLY:
                raise too_long()
            return piece

        def __iter__(self) -> Iterator[bytes]:
            for piece in inner:
                yield self.count(piece)

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in inner:
                yield self.count(piece)

        def close(self) -> None:
            inner.close()

        async def aclose(self) -> None:
            await inner.aclose()

    response.stream = CountedStream()


async def limit_async_reply(response: Any) -> None:
    """`limit_reply` for an httpx.AsyncClient."""
    limit_reply(response)


def too_long() -> Exception:
    """The error for a reply that is longer than LARGEST_REPLY."""
    return refuse_reply(f"the reply is longer than {LARGEST_REPLY // 2**20} MB")
