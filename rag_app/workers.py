"""Reading papers in child processes: a file that crashes, hangs or eats memory costs that file alone.

`python -m rag_app.workers` is the child: one JSON request per line on standard input, one JSON reply per line on
standard output. A child needs only the file and writes one part, so it could as well run on another machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_app import parts
from rag_app.errors import IndexFault
from rag_app.pages import read_paper
from rag_app.records import Kind, Reading

SECONDS_PER_PAPER = 120.0
MEMORY_BYTES = 3 * 1024**3


@dataclass(frozen=True)
class Job:
    """One file to read, and the folder its part goes to."""

    path: Path
    kind: Kind
    folder: Path


@dataclass(frozen=True)
class Done:
    """A job's end: the part is on disk, also when the file could not be read."""

    job: Job
    seconds: float


def read_all(jobs: Sequence[Job], workers: int, on_done: Callable[[Done], None], stop: threading.Event) -> None:
    """Read every file, `workers` at a time. Calls `on_done` from this thread, in the order in which they finish."""
    todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
    finished: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
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
            while True:
                if stop.is_set():
                    return
                with contextlib.suppress(queue.Empty):
                    result = finished.get(timeout=0.2)
                    break
            if isinstance(result, BaseException):
                raise result
            on_done(result)
    finally:
        halt.set()
        for thread in threads:
            thread.join(timeout=5)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _serve(todo: queue.SimpleQueue[Job], finished: queue.SimpleQueue[Done | BaseException], halt: threading.Event) -> None:
    child = _Child()
    try:
        while not halt.is_set():
            try:
                job = todo.get_nowait()
            except queue.Empty:
                return
            began = time.perf_counter()
            problem = child.read(job, halt)
            if halt.is_set():
                return
            if problem:
                parts.save_reading(job.folder, Reading(title="", pages=(), state="unreadable", problem=problem))
            finished.put(Done(job, time.perf_counter() - began))
    except BaseException as error:  # handed to the thread that asked, which raises it
        finished.put(error)
    finally:
        child.end()


class _Child:
    """One child process, started when needed and again after it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read(self, job: Job, halt: threading.Event) -> str:
        """Have one file read. Returns what is wrong when the child died or took too long, else an empty string."""
        if self._process is None:
            self._start()
        process = self._process
        assert process is not None and process.stdin is not None
        request = {"path": str(job.path), "kind": job.kind, "folder": str(job.folder)}
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except OSError:
            self.end()
            return f"{job.path.name}: the process that reads papers could not be started. Build again."
        deadline = time.monotonic() + SECONDS_PER_PAPER
        while not halt.is_set():
            with contextlib.suppress(queue.Empty):
                reply = self._replies.get(timeout=0.2)
                if reply:
                    answer = json.loads(reply)
                    if answer["fault"]:
                        raise IndexFault(answer["fault"])
                    return str(answer["problem"])
                self.end()
                return (
                    f"{job.path.name}: reading it crashed or needed more than {MEMORY_BYTES // 1024**3} GiB of memory. "
                    "Save it anew with another program (print to PDF), then build again."
                )
            if time.monotonic() > deadline:
                self.end()
                return (
                    f"{job.path.name}: reading it took longer than {SECONDS_PER_PAPER:.0f} s and was ended. "
                    "Split it or save it anew with another program, then build again."
                )
        return ""

    def _start(self) -> None:
        environment = {**os.environ, "PYTHONUTF8": "1", "RAG_WORKER_MEMORY": str(MEMORY_BYTES)}
        package_root = str(Path(__file__).resolve().parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (package_root, environment.get("PYTHONPATH", "")) if part
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rag_app.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        self._replies = queue.SimpleQueue()
        threading.Thread(target=_forward, args=(self._process, self._replies), daemon=True).start()

    def end(self) -> None:
        """End the child, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _forward(process: subprocess.Popen[str], replies: queue.SimpleQueue[str]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError, OSError):
        for line in process.stdout:
            replies.put(line)
    replies.put("")  # the child has ended


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return
    limit = int(os.environ.get("RAG_WORKER_MEMORY", MEMORY_BYTES))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _child_main() -> None:
    _limit_memory()
    replies, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not break the protocol
    for line in sys.stdin:
        request = json.loads(line)
        path = Path(request["path"])
        problem = ""
        fault = ""
        try:
            reading = read_paper(path, request["kind"])
        except MemoryError:
            problem = f"{path.name}: needs more memory than a paper may take. Split it, then build again."
        except Exception as error:  # the outermost edge of this process
            problem = f"{path.name}: cannot be read ({type(error).__name__}: {error}). Save it anew, then build again."
        else:
            try:
                parts.save_reading(Path(request["folder"]), reading)
            except OSError as error:  # a full disk is not the paper's fault
                fault = f"{request['folder']}: cannot be written ({error}). Free some space, then build again."
        replies.write(json.dumps({"problem": problem, "fault": fault}) + "\n")
        replies.flush()


if __name__ == "__main__":
    _child_main()
