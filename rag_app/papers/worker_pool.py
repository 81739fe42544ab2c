"""Reading papers in child processes: a file that crashes, hangs or eats memory costs that file alone.

reading_child.py is the child. It needs only the file and writes one part, so it could as well run on another machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rag_app import files
from rag_app.errors import IndexFault
from rag_app.papers import reading_store
from rag_app.records import Kind, Reading

SECONDS_PER_PAPER = 120.0  # by the clock
PROCESSOR_SECONDS, PER_MEGABYTE = 20.0, 20.0  # of a paper, up to SECONDS_PER_PAPER. Honest ones need a tenth of that
SECONDS_TO_START = 60.0
MEMORY_BYTES = 3 * 1024**3
CHILD = ("-P", "-m", "rag_app.papers.worker")  # -P: a file in the current folder must not pass for a module
_LOOK = 0.2  # seconds between two looks at whether the build was stopped


@dataclass(frozen=True)
class Job:
    """One file to read, and the folder its part goes to. `digest` is the SHA-256 of the bytes that are meant."""

    path: Path
    kind: Kind
    digest: str
    folder: Path
    keep_hidden: bool = False  # text that nobody can see stays in


@dataclass(frozen=True)
class ReadResult:
    """A job's end: the part is on disk, also when the file could not be read, but not when the file has `changed`."""

    job: Job
    seconds: float
    changed: bool = False


_Finished = queue.SimpleQueue[ReadResult | BaseException]


def read_all(jobs: Sequence[Job], workers: int, on_done: Callable[[ReadResult], None], stop: threading.Event) -> None:
    """Read every file, `workers` at a time. Calls `on_done` from this thread, in the order in which they finish.

    Returns early when `stop` is set. Raises IndexFault when parts cannot be written or no child can be started.
    """
    todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
    finished: _Finished = queue.SimpleQueue()
    # Large files first, so that no worker is left alone with one at the end.
    for job in sorted(jobs, key=lambda job: -_size(job.path)):
        todo.put(job)
    halt = threading.Event()
    threads = [
        threading.Thread(target=_serve, args=(todo, finished, halt), daemon=True)
        for _ in range(max(1, min(workers, len(jobs))))
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            result = _next(finished, stop)
            if result is None:
                return
            if isinstance(result, BaseException):
                raise result
            on_done(result)
    finally:
        halt.set()
        for thread in threads:
            thread.join(timeout=5)


def _next(finished: _Finished, stop: threading.Event) -> ReadResult | BaseException | None:
    while not stop.is_set():
        with contextlib.suppress(queue.Empty):
            return finished.get(timeout=_LOOK)
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _serve(
    todo: queue.SimpleQueue[Job], finished: queue.SimpleQueue[ReadResult | BaseException], halt: threading.Event
) -> None:
    child = _Child(halt)
    try:
        while not halt.is_set():
            try:
                job = todo.get_nowait()
            except queue.Empty:
                return
            began = time.perf_counter()
            reply = child.read_file(job)
            if halt.is_set():
                return
            changed = bool(reply["changed"])
            if reply["problem"] and not changed:
                reading = Reading(title="", pages=(), state="unreadable", problem=str(reply["problem"]))
                reading_store.save_reading(job.folder, reading)
            finished.put(ReadResult(job, time.perf_counter() - began, changed))
    except BaseException as error:  # handed to the thread that asked, which raises it
        finished.put(error)
    finally:
        child.end()


class _Child:
    """One child process, started when needed and again after it died. Everything returns early once `halt` is set."""

    def __init__(self, halt: threading.Event) -> None:
        self._halt = halt
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[bytes] | None = None
        self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read_file(self, job: Job) -> dict[str, Any]:
        """Have one file read. The reply names the problem when the file could not be read or the child died of it."""
        if not (self._send(job) or self._send(job)):  # a child may have been ended by the system while it waited
            raise IndexFault("The process that reads papers ends at once. Run: python -m rag_app doctor")
        while line := self._receive(SECONDS_PER_PAPER):
            reply: dict[str, Any] = json.loads(line)
            if reply.get("busy"):  # a page was read by OCR: the limit begins anew
                continue
            if reply["fault"]:
                raise IndexFault(str(reply["fault"]))
            return reply
        why = _explain_end(self.end(), job, hung=line is None)
        problem = (
            f"{job.path.name}: reading it {why}. Save it again with another program (print to PDF), then build again; "
            "build --fresh tries the same file once more."
        )
        return {"problem": problem, "changed": not _is_unchanged(job)}

    def _send(self, job: Job) -> bool:
        if self._process is None:
            self._start()
        if self._process is None or self._process.stdin is None:
            return self._halt.is_set()
        request: dict[str, Any] = {"path": str(job.path), "kind": job.kind, "digest": job.digest}
        request |= {"folder": str(job.folder), "seconds": _processor_seconds(job)}
        if job.keep_hidden:
            request["hidden"] = "keep"
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            self.end()
            return False
        return True

    def _receive(self, seconds: float) -> str | None:
        """The child's next line: "" when it has ended, None when it took too long."""
        deadline = time.monotonic() + seconds
        while not self._halt.is_set() and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                return self._replies.get(timeout=_LOOK)
        return None

    def _start(self) -> None:
        package_root = str(Path(__file__).resolve().parents[2])
        inherited = os.environ.get("PYTHONPATH", "")
        path = os.pathsep.join(part for part in (package_root, inherited) if part)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the child
        self._process = subprocess.Popen(
            [sys.executable, *CHILD, str(MEMORY_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": path},
        )
        self._replies = queue.SimpleQueue()
        threading.Thread(target=_forward, args=(self._process, self._replies), daemon=True).start()
        if not self._receive(SECONDS_TO_START) and not self._halt.is_set():
            said = self._last_words()
            self.end()
            raise IndexFault(f"The process that reads papers does not start ({said}). Run: python -m rag_app doctor")

    def _last_words(self) -> str:
        assert self._errors is not None
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def end(self) -> int:
        """End the child, if there is one. Returns its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()  # which changes nothing for one that is ending already
        status = process.wait()
        for stream in (process.stdin, process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return status


def _processor_seconds(job: Job) -> float:
    """How much processor time reading a file may take: what spins is then ended, also where many are read at once."""
    return min(PROCESSOR_SECONDS + PER_MEGABYTE * _size(job.path) / 1e6, SECONDS_PER_PAPER)


def _explain_end(status: int, job: Job, *, hung: bool) -> str:
    """Why a child was ended, or has ended, while it read a file: "reading it ..."."""
    if hung:
        return f"took longer than {SECONDS_PER_PAPER:.0f} s and was ended"
    if status == -getattr(signal, "SIGXCPU", 0) and status:
        return f"needed more than {_processor_seconds(job):.0f} s of processor time and was ended"
    return f"crashed or needed more than {MEMORY_BYTES / 1024**3:.1f} GiB of memory"


def _is_unchanged(job: Job) -> bool:
    try:
        return files.file_digest(job.path) == job.digest
    except OSError:
        return False


def _forward(process: subprocess.Popen[str], replies: queue.SimpleQueue[str]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError, OSError):
        for line in process.stdout:
            replies.put(line)
    replies.put("")  # the child has ended
