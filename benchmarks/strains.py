"""A disk that is full or read-only at every write of a build, and downloads that are cut: nothing half-written counts.

Faults are injected where the project writes: at each fsync and at each replacement of a file.
"""

from __future__ import annotations

import errno
import os
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.kills import OLD, answers, orphans, prepare
from benchmarks.tried import Section, Tried
from rag_app.errors import IndexFault, RagError
from rag_app.index import generations
from rag_app.index.build import build
from rag_app.papers.fetch import fetch_papers
from tests.support.doubles import WordEmbedder, settings_for

PDF = b"%PDF-1.5\n" + b"x" * 200_000 + b"\ntrailer\n%%EOF\n"


@contextmanager
def failing(name: str, number: int, code: int) -> Iterator[list[int]]:
    """From its `number`th call on, os.`name` fails with the error `code`; 0: never. Gives the count of calls."""
    real: Callable[..., Any] = getattr(os, name)
    count = [0]

    def failed(*arguments: Any, **more: Any) -> Any:
        count[0] += 1
        if number and count[0] >= number:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **more)

    setattr(os, name, failed)
    try:
        yield count
    finally:
        setattr(os, name, real)


def strain(folder: Path, name: str, number: int, code: int) -> list[str]:
    """Build with a fault injected, look at the generations, build again without it: what was not as promised."""
    prepare(folder)
    settings = settings_for(folder)
    before = generations.current_name(folder / "index")
    faults: list[str] = []
    with failing(name, number, code):
        try:
            build(settings, WordEmbedder())
            faults.append("the build went on as if nothing had failed")
        except IndexFault as error:
            if os.strerror(code) not in str(error):
                faults.append(f"the message does not say why: {error}")
        faults += [f"meanwhile {fault}" for fault in answers(folder, new=False)]
    if generations.current_name(folder / "index") != before:
        faults.append("an index that is not whole was published")
    report = build(settings, WordEmbedder())
    if not report.changed or report.failed_papers:
        faults.append("the next build did not finish")
    return faults + answers(folder, new=True) + orphans(folder)


def disk(short: bool, code: int, what: str, happened: str) -> Tried:
    """The fault at every write of a build; a few of them where `short`."""
    faults, times = [], 0
    for name in ("fsync", "replace"):
        with tempfile.TemporaryDirectory() as whole, failing(name, 0, code) as count:
            prepare(Path(whole))
            first = count[0]
            build(settings_for(Path(whole)), WordEmbedder())
            writes = count[0] - first
        for number in range(1, writes + 1, max(1, writes // (2 if short else 15))):
            with tempfile.TemporaryDirectory() as folder:
                faults += [f"{name} {number}: {fault}" for fault in strain(Path(folder), name, number, code)]
            times += 1
    return Tried(what, times, happened, tuple(faults))


class _Cutting(BaseHTTPRequestHandler):
    """Sends the first bytes of a PDF and hangs up; the whole of it once `after` is 0."""

    after = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/pdf")
        self.send_header("Content-Length", str(len(PDF)))
        self.end_headers()
        self.wfile.write(PDF[: self.after] if self.after else PDF)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


def cut_downloads(times: int) -> Tried:
    """Fetch from a server on loopback that hangs up at random bytes; then from one that does not."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Cutting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, chance, faults = f"http://127.0.0.1:{server.server_port}", random.Random(3), []
    try:
        for number in range(times):
            with tempfile.TemporaryDirectory() as folder:
                _Cutting.after = chance.randrange(1, len(PDF) - 1)
                (cut,) = fetch_papers(["2406.15319"], Path(folder), base_url=url, delay=0.0, retries=1)
                if cut.state != "failed" or os.listdir(folder):
                    faults.append(f"cut {number} at byte {_Cutting.after}: {cut.state}, left {os.listdir(folder)}")
                _Cutting.after = 0
                (whole,) = fetch_papers(["2406.15319"], Path(folder), base_url=url, delay=0.0)
                if whole.path is None or whole.path.read_bytes() != PDF:
                    faults.append(f"after cut {number}: {whole.state} {whole.problem}")
    except RagError as error:
        faults.append(str(error))
    finally:
        server.shutdown()
        server.server_close()
    return Tried(
        "a download cut at a random byte",
        times,
        "said so, left no partial file; fetched whole next time",
        tuple(faults),
    )


def section(short: bool) -> Section:
    """Full and read-only disks and cut downloads, for the report."""
    kept = f"a message with the reason; the {OLD} old papers answer; the next build finishes; no orphan file"
    rows = [
        disk(short, errno.ENOSPC, "no space left, from the n-th write on", kept),
        disk(short, errno.EROFS, "read-only file system, from the n-th write on", kept),
        cut_downloads(5 if short else 100),
    ]
    about = (
        "Faults are injected at each fsync and each replacement of a file of a build: one build per place, at about "
        "fifteen places of each kind spread over the whole build."
    )
    return Section("Disks and downloads that fail", about, rows)
