"""Which replies are read."""

import httpx
import pytest

from rag_app.models.http_replies import LARGEST_REPLY, limit_reply, refuse_compressed


@pytest.mark.parametrize(
    "encoding", ["gzip", "x-gzip", "br", "zstd", "deflate", "identity, gzip", "GZIP", "unheard-of"]
)
def test_what_would_have_to_be_decoded_is_refused(encoding):
    with pytest.raises(httpx.DecodingError, match="compressed"):
        refuse_compressed(httpx.Response(200, headers=[("Content-Encoding", encoding)], content=iter([b""])))


def test_two_headers_count_together():
    headers = [("Content-Encoding", "identity"), ("Content-Encoding", "gzip")]
    with pytest.raises(httpx.DecodingError, match="compressed"):
        refuse_compressed(httpx.Response(200, headers=headers, content=iter([b""])))


@pytest.mark.parametrize("encoding", ["identity", "Identity", "", "identity, identity"])
def test_what_comes_as_it_is_is_read(encoding):
    response = httpx.Response(200, headers=[("Content-Encoding", encoding)], content=iter([b"as ", b"it is"]))
    limit_reply(response)
    assert response.read() == b"as it is"


def test_the_bytes_of_a_reply_are_counted_together():
    response = httpx.Response(200, content=(b"x" * 2**20 for _ in range(LARGEST_REPLY // 2**20 + 1)))
    limit_reply(response)
    with pytest.raises(httpx.DecodingError, match="longer than 16 MB"):
        response.read()
