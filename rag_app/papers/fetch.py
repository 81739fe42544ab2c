"""Fetches papers from arXiv into the corpus folder: whole PDFs or nothing, and nothing twice."""

from __future__ import annotations

import os
import random
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from rag_app.errors import FetchError
from rag_app.papers.arxiv_client import ARXIV, ArxivClient, ArxivUnreachable, ResponseBody, TransientFetchError
from rag_app.papers.arxiv_ids import ArxivId, parse_arxiv_id
from rag_app.papers.corpus import list_fetched_papers

TEMPORARY = ".fetching-"  # hidden, so that a partial file never counts as a paper
_LIMIT = 200 * 1024 * 1024  # bytes; the largest papers of arXiv are well below
_TAIL = 2048  # a PDF says %%EOF within its last kilobyte; twice that for strays
_LEFTOVER_AGE = 24 * 3600.0  # seconds after which a partial file cannot belong to a download that still runs


@dataclass(frozen=True)
class FetchResult:
    """What became of one asked paper."""

    id: str  # as arXiv writes it, or as it was typed when that is no id
    state: Literal["fetched", "already there", "failed"]
    path: Path | None = None
    problem: str = ""  # what went wrong and the remedy
    size: int = 0  # bytes that came


@dataclass(frozen=True)
class FetchProgress:
    """Where a fetch stands: paper `number` of `total`."""

    id: str
    number: int
    total: int
    message: str
    received: int = 0  # bytes of this paper so far
    size: int = 0  # its whole size, 0 when the server does not tell


def fetch_papers(
    ids: Sequence[str],
    corpus: Path,
    *,
    base_url: str = ARXIV,
    on_progress: Callable[[FetchProgress], None] = lambda progress: None,
    stop: threading.Event | None = None,
    delay: float = 3.0,
    timeout: float = 30.0,
    deadline: float = 600.0,
    retries: int = 4,
    longest_wait: float = 120.0,
    limit: int = _LIMIT,
    on_result: Callable[[FetchResult], None] = lambda result: None,
) -> list[FetchResult]:
    """Download the PDFs of `ids` (or links) into `corpus`, each as <id>.pdf; one result per id, in order.

    What is there already is not fetched again: in a sub-folder, or in any version when the id names none. `delay`
    seconds lie between two requests, `timeout` is for connecting and between two bytes, `deadline` for one paper with
    all its retries; `limit` is in bytes. A Retry-After longer than `longest_wait` is obeyed by asking no more in this
    run. One failing paper never stops the others, unless no server can be reached at all. `on_result` gets each result
    as soon as it is there.
    Raises FetchError when `base_url` or the folder cannot be used, CorpusError when the manifest is broken.
    """
    stop = stop or threading.Event()
    client = ArxivClient(base_url, delay=delay, timeout=timeout, longest_wait=longest_wait, stop=stop)
    try:
        folder = _ensure_writable(corpus)
        return _FetchRun(folder, client, on_progress, deadline, retries, limit).fetch_all(ids, on_result)
    finally:
        client.close()


class _FetchRun:
    """One run over some ids."""

    def __init__(
        self,
        folder: Path,
        client: ArxivClient,
        on_progress: Callable[[FetchProgress], None],
        deadline: float,
        retries: int,
        limit: int,
    ) -> None:
        self.folder = folder
        self.client = client
        self.on_progress = on_progress
        self.deadline = deadline
        self.retries = retries
        self.limit = limit
        self.unreachable = ""  # why there is no use in asking for the rest
        self.name = ""
        self.number = self.total = 0

    def fetch_all(self, ids: Sequence[str], on_result: Callable[[FetchResult], None]) -> list[FetchResult]:
        there = list(list_fetched_papers(self.folder))
        wanted = list(dict.fromkeys(parse_arxiv_id(text) or text for text in ids))
        self.total = len(wanted)
        results: list[FetchResult] = []
        for self.number, asked in enumerate(wanted, start=1):
            self.name = str(asked)[:80]
            result = self._fetch_one(asked, there)
            if result.path is not None and isinstance(asked, ArxivId):
                there.append((asked, result.path))
            results.append(result)
            on_result(result)
            self.report_progress(result.problem or result.state, result.size, result.size)
        return results

    def report_progress(self, message: str, received: int = 0, size: int = 0) -> None:
        self.on_progress(FetchProgress(self.name, self.number, self.total, message, received, size))

    def _fetch_one(self, asked: ArxivId | str, there: Sequence[tuple[ArxivId, Path]]) -> FetchResult:
        if isinstance(asked, str):
            remedy = "Use one like 2406.15319, hep-th/9901001 or a link to arxiv.org."
            return FetchResult(asked, "failed", problem=f'"{self.name}" is not an arXiv id. {remedy}')
        for known, path in there:
            if asked.id == known.id and asked.version in (0, known.version) and _starts_as_pdf(path):
                return FetchResult(self.name, "already there", path)
        if self.unreachable:
            return FetchResult(self.name, "failed", problem=f"not tried: {self.unreachable}")
        target = self.folder / f"{asked.file_stem}.pdf"
        try:
            size = self._with_retries(target)
        except ArxivUnreachable as error:
            self.unreachable = str(error)
            return FetchResult(self.name, "failed", problem=str(error))
        except FetchError as error:
            return FetchResult(self.name, "failed", problem=str(error))
        return FetchResult(self.name, "fetched", target, size=size)

    def _with_retries(self, target: Path) -> int:
        """The size of what was stored. Raises FetchError; Unreachable when there is no use in asking for others."""
        end = time.monotonic() + self.deadline
        attempt = 0
        while True:
            what = "asking" if attempt == 0 else f"asking again ({attempt})"
            self.report_progress(what if self.client.wait < 1 else f"{what} in {self.client.wait:.0f} s")
            try:
                with self.client.download_pdf(self.name, end) as body:
                    return self._store(body, target, end)
            except TransientFetchError as error:
                hopeless = isinstance(error, ArxivUnreachable) and not self.client.reached
                if hopeless or attempt >= self.retries:
                    raise
                # Twice as long each time, and by chance a little longer, so that many clients do not come back at once.
                wait = max(self.client.delay, 0.01) * 2**attempt * random.uniform(1.0, 1.5)
                self.client.delay_next_request(min(wait, self.client.longest_wait))
                if self.client.due > end:
                    raise
            attempt += 1

    def _store(self, body: ResponseBody, target: Path, end: float) -> int:
        """Write the body beside the target and rename it when complete. No partial file is left, whatever happens."""
        temporary = self.folder / f"{TEMPORARY}{target.stem}-{secrets.token_hex(4)}.pdf"
        try:
            with open(temporary, "xb") as file:
                size = self._receive(body, file, end)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except OSError as error:
            reason = error.strerror or str(error)
            raise FetchError(
                f"{target}: cannot be written ({reason}). Free some space or correct its permissions."
            ) from error
        finally:
            with suppress(OSError):  # a virus scanner may hold it for a moment; a later run sweeps it up
                temporary.unlink(missing_ok=True)
        return size

    def _receive(self, body: ResponseBody, file: BinaryIO, end: float) -> int:
        """Write the body into `file`; its size. Raises Again when it was cut off, FetchError when it is no PDF."""
        if body.size > self.limit:
            raise FetchError(self._too_large_error())
        size, tail = 0, b""
        for piece in body.pieces:
            if size == 0 and not piece.startswith(b"%PDF-"):
                raise FetchError(_not_a_pdf(self.name, body.web_page, piece))
            size += len(piece)
            if size > self.limit:
                raise FetchError(self._too_large_error())
            if time.monotonic() > end:
                late = f"{self.name}: not finished within {self.deadline:g} s"
                raise FetchError(f"{late}. Fetch again when the network is faster.")
            if self.client.stop.is_set():
                raise FetchError(f"{self.name}: stopped. Fetch again to get it.")
            file.write(piece)
            tail = (tail + piece)[-_TAIL:]
            self.report_progress("receiving", size, body.size)
        if size == 0:
            raise TransientFetchError(f"{self.name}: the answer was empty. Fetch again later.")
        if b"%%EOF" not in tail:
            raise TransientFetchError(f"{self.name}: the PDF was cut off after {size} bytes. Fetch again later.")
        return size

    def _too_large_error(self) -> str:
        return f"{self.name}: larger than {self.limit / 2**20:g} MB. Download it with a browser into the corpus folder."


def _ensure_writable(corpus: Path) -> Path:
    folder = corpus.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
    except OSError as error:
        raise FetchError(
            f"{folder}: cannot be written to ({error.strerror}). Correct RAG_CORPUS or its permissions."
        ) from error
    return folder


def _remove_leftovers(folder: Path) -> None:
    """Delete partial files of a run that was killed. Recent ones stay: another process may be writing them."""
    for path in folder.glob(f"{TEMPORARY}*.pdf"):
        with suppress(FileNotFoundError):  # the other process was done with it
            if time.time() - path.stat().st_mtime > _LEFTOVER_AGE:
                path.unlink()


def _starts_as_pdf(path: Path) -> bool:
    """Whether a file is worth keeping: not empty and not a web page. An unreadable one is left to the reading."""
    try:
        with open(path, "rb") as file:
            return b"%PDF-" in file.read(1024)
    except OSError:
        return True


def _not_a_pdf(name: str, web_page: bool, start: bytes) -> str:
    web_page = web_page or b"<html" in start[:1024].lower()
    title = re.search(rb"<title[^>]*>(.*?)</title>", start, re.IGNORECASE | re.DOTALL) if web_page else None
    said = " ".join(title[1].decode("utf-8", "replace").split())[:80] if title else ""
    what = f'a web page ("{said}")' if said else "a web page" if web_page else "something else"
    return (
        f"{name}: received {what} instead of a PDF. Open {ARXIV}/abs/{name} in a browser and save the PDF "
        "into the folder."
    )
