"""Servers that compress what they were asked to send as it is: a few kilobytes that become gigabytes."""

from __future__ import annotations

import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rag_app.errors import RagError
from rag_app.index.chroma import ServedCopy, copy_to_server
from rag_app.models.http_replies import LARGEST_REPLY
from rag_app.models.llm.client import open_language_model
from rag_app.models.llm.servers import Endpoint, list_models
from rag_app.papers.fetch import fetch_papers
from rag_app.papers.zotero import sync_zotero
from rag_app.papers.zotero_settings import ZoteroSource, write_zotero_settings
from rag_app.settings import Settings

DECODED = 256 * 2**20  # bytes
MOST_MEMORY = 100 * 2**20  # the libraries that a client imports are part of it
GZIP = 31  # zlib's number for the form of gzip


def compress(pieces: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    return b"".join(packer.compress(piece) for piece in pieces) + packer.flush()


ONCE = compress(b" " * 2**20 for _ in range(DECODED // 2**20))
BODIES = {"gzip": ONCE, "gzip, gzip": compress(iter([ONCE]))}


@contextmanager
def serve_body(body: bytes, headers: dict[str, str]) -> Iterator[str]:
    """A server that answers everything with this; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask_model(url: str, folder: Path) -> str:
    model = open_language_model(Settings(llm_base_url=f"{url}/v1", llm_model="m", llm_window=8192))
    assert model is not None
    return "".join(model.stream("s", "q", threading.Event()))


def list_its_models(url: str, folder: Path) -> str:
    return str(list_models(Endpoint("Server", f"{url}/v1", "m")))


def fetch_paper(url: str, folder: Path) -> str:
    [result] = fetch_papers(["2406.15319"], folder, base_url=url, delay=0.0, retries=0)
    if not result.problem:
        return result.state
    raise RagError(result.problem)


def sync_with_zotero(url: str, folder: Path) -> str:
    write_zotero_settings(folder, ZoteroSource(url))
    [problem] = sync_zotero(folder)
    raise RagError(problem)


def copy_to_chroma(url: str, folder: Path) -> str:
    return str(copy_to_server(ServedCopy(url, "rag-app-papers", "index", "generation"), []))


CLIENTS = [ask_model, list_its_models, fetch_paper, sync_with_zotero, copy_to_chroma]


@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_compressed_reply_is_refused_before_it_is_decoded(
    tmp_path: Path, client: Callable[[str, Path], str], encoding: str
) -> None:
    with serve_body(BODIES[encoding], {"Content-Encoding": encoding}) as url:
        tracemalloc.start()
        try:
            with pytest.raises(RagError, match="compressed") as caught:
                client(url, tmp_path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert "gzip" in str(caught.value) and peak < MOST_MEMORY


@pytest.mark.parametrize("client", [list_its_models, sync_with_zotero, copy_to_chroma])
def test_a_reply_without_end_is_not_read_to_its_end(tmp_path: Path, client: Callable[[str, Path], str]) -> None:
    with (
        serve_body(b" " * (LARGEST_REPLY + 1), {"Content-Encoding": "identity"}) as url,
        pytest.raises(RagError, match="longer than 16 MB"),
    ):
        client(url, tmp_path)
