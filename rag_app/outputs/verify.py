"""Looks for every quote of an evidence file in the papers again: no model, no index, no network.

The papers may be a stranger's as well, so they are read in child processes (papers/worker_pool.py).
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rag_app.citations.quotes import is_verified
from rag_app.files import file_digest
from rag_app.outputs.evidence_file import ClaimedQuote
from rag_app.papers import reading_store
from rag_app.papers.corpus import list_papers
from rag_app.papers.worker_pool import Job, ReadResult, read_all
from rag_app.records import Page, Paper

State = Literal["found", "other page", "not found", "file changed", "file missing", "file unreadable"]
MOST_PAGES_NAMED = 5

OnRead = Callable[[int, int, str], None]
"""Told after each paper: how many are read, of how many, and its name."""


@dataclass(frozen=True)
class CheckedQuote:
    """A quote and what became of it. Only "found" holds."""

    claimed: ClaimedQuote
    state: State
    pages: tuple[int, ...] = ()  # where the words stand, at most MOST_PAGES_NAMED
    file: str = ""  # where the same bytes lie under another name
    problem: str = ""  # why a file could not be read

    @property
    def holds(self) -> bool:
        return self.state == "found"

    @property
    def message(self) -> str:
        """The state in words: "not on page 3, but on page 4"."""
        pages = f"page{'s' if len(self.pages) > 1 else ''} {', '.join(map(str, self.pages))}"
        said = {
            "found": f"found on page {self.claimed.page}",
            "other page": f"not on page {self.claimed.page}, but on {pages}",
            "not found": "not found",
            "file changed": f"file changed ({'other' if self.claimed.digest else 'no'} hash); the words are "
            + (f"on {pages} of the file that is there now" if self.pages else "not in the file that is there now"),
            "file missing": "file missing",
            "file unreadable": f"file unreadable: {self.problem}",
        }[self.state]
        return f"{said} (in {self.file}, the same file)" if self.file else said


def verify_quotes(
    claims: Sequence[ClaimedQuote], folder: Path, *, workers: int = 0, on_read: OnRead = lambda done, total, name: None
) -> list[CheckedQuote]:
    """Check every claim against the papers in `folder`, in the order given. `workers` processes; 0: one per core.

    A paper is the file of that name, else one of the same bytes. Raises CorpusError for an unusable folder and
    IndexFault when no process can be started.
    """
    listed = list_papers(folder).papers
    wanted = {claim.paper: claim.digest for claim in claims}
    files = _files(wanted, listed)
    with tempfile.TemporaryDirectory(prefix="rag-app-verify-") as scratch:
        jobs = {
            file.path: Job(file.path.resolve(), file.kind, digest, Path(scratch) / str(number))
            for number, (file, digest) in enumerate(dict.fromkeys(files.values()))
        }
        done = 0

        def on_paper_read(result: ReadResult) -> None:
            nonlocal done
            done += 1
            on_read(done, len(jobs), result.job.path.name)

        if jobs:
            read_all(list(jobs.values()), workers or os.cpu_count() or 1, on_paper_read, threading.Event())
        checked: dict[int, CheckedQuote] = {}
        for paper in wanted:
            numbers = [number for number, claim in enumerate(claims) if claim.paper == paper]
            found = files.get(paper)
            of_paper = [claims[number] for number in numbers]
            results = (
                _missing_results(of_paper) if found is None else _check(of_paper, *found, jobs[found[0].path].folder)
            )
            checked |= dict(zip(numbers, results, strict=True))
    return [checked[number] for number in range(len(claims))]


_File = tuple[Paper, str]  # and the SHA-256 of its bytes as they are now


def _files(wanted: dict[str, str], listed: Sequence[Paper]) -> dict[str, _File]:
    """The file of each paper that is there, by name, else by its bytes."""
    by_name = {file.paper: file for file in listed}
    found = {name: (by_name[name], digest) for name in wanted if name in by_name and (digest := _digest(by_name[name]))}
    if len(found) < len(wanted):
        by_digest = {_digest(file): file for file in listed}
        found |= {
            name: (by_digest[digest], digest)
            for name, digest in wanted.items()
            if name not in found and digest and digest in by_digest
        }
    return found


def _digest(file: Paper) -> str:
    try:
        return file_digest(file.path)
    except OSError:
        return ""  # closed to us, or gone since the folder was listed


def _missing_results(claims: Sequence[ClaimedQuote]) -> list[CheckedQuote]:
    return [CheckedQuote(claim, "file missing") for claim in claims]


def _check(claims: Sequence[ClaimedQuote], file: Paper, digest: str, part: Path) -> list[CheckedQuote]:
    """The claims on one paper, whose reading lies in the folder `part` unless the file changed while it was read."""
    if not (part / "reading.json").is_file():
        return [
            CheckedQuote(claim, "file unreadable", problem="it changed while it was read. Run again.")
            for claim in claims
        ]
    reading = reading_store.load_reading(part)
    other = file.paper if file.paper != claims[0].paper else ""
    found = _pages_with([claim.quote for claim in claims], reading.pages)
    results = []
    for claim, pages in zip(claims, found, strict=True):
        if claim.digest != digest:
            results.append(CheckedQuote(claim, "file changed", pages[:MOST_PAGES_NAMED]))
        elif reading.problem and not pages:
            results.append(CheckedQuote(claim, "file unreadable", problem=reading.problem))
        elif claim.page in pages:
            results.append(CheckedQuote(claim, "found", (claim.page,)))
        else:
            results.append(CheckedQuote(claim, "other page" if pages else "not found", pages[:MOST_PAGES_NAMED]))
    return [replace(result, file=other) for result in results]


def _pages_with(quotes: Sequence[str], pages: Sequence[Page]) -> list[tuple[int, ...]]:
    """For each quote the pages on which it stands. Page by page, so that each is brought into its form once."""
    found: list[list[int]] = [[] for _ in quotes]
    for page in pages:
        for at, quote in enumerate(quotes):
            if is_verified(quote, page.text):
                found[at].append(page.number)
    return [tuple(numbers) for numbers in found]
