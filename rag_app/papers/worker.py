"""The process that reads papers for worker_pool.py: one JSON request per line in, one JSON reply per line out.

It needs only the file and writes only the file's part, within the memory and processor time that it was given.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from rag_app import files
from rag_app.papers import reading_store
from rag_app.papers.read import read_paper
from rag_app.records import Kind

_FEW_COLLECTIONS = 50_000  # new objects before garbage is sought


def main(memory: int) -> None:
    """Serve requests until the input ends. `memory` is in bytes, for the whole process."""
    replies = _own_output()
    _limit_memory(memory)
    gc.freeze()  # what was imported stays
    gc.set_threshold(_FEW_COLLECTIONS)  # reading makes many objects and hardly any circle of them
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    _reply(replies, {"ready": True})
    while True:
        _answer(json.loads(requests.get()), replies)


def _answer(request: dict[str, Any], replies: TextIO) -> None:
    def on_ocr() -> None:  # the limits begin anew with each page
        _reply(replies, {"busy": True})
        _limit_processor_time(request["seconds"])

    _limit_processor_time(request["seconds"])
    _reply(replies, _serve(request, on_ocr))


def _own_output() -> TextIO:
    """The stream for replies; whatever else prints, in Python or below it, goes to the error stream from now on."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return replies


def _reply(replies: TextIO, value: dict[str, object]) -> None:
    replies.write(json.dumps(value) + "\n")
    replies.flush()


def _listen(requests: queue.SimpleQueue[str]) -> None:
    """Pass requests on. The input ends when the parent is done or was killed: an unfinished paper is then of no use."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _serve(request: dict[str, Any], on_ocr: Callable[[], None]) -> dict[str, object]:
    path = Path(request["path"])
    reply: dict[str, object] = {"problem": "", "fault": "", "changed": False}
    try:
        keep = request.get("hidden") == "keep"
        kind: Kind = request["kind"]
        reading = read_paper(path, kind, keep_hidden=keep, on_ocr=on_ocr)
        if _digest(path) != request["digest"]:
            return {**reply, "changed": True}
        reading_store.save_reading(Path(request["folder"]), reading)
    except MemoryError:
        reply["problem"] = f"{path.name}: needs more memory than a paper may take. Split it, then build again."
    except OSError as error:  # a full disk is not the paper's fault
        reply["fault"] = f"{request['folder']}: cannot be written ({error}). Free some space, then build again."
    except Exception as error:  # the outermost edge of this process
        reply["problem"] = (
            f"{path.name}: cannot be read ({type(error).__name__}: {error}). Save it again, then build again."
        )
    return reply


def _digest(path: Path) -> str:
    try:
        return files.file_digest(path)
    except OSError:
        return ""  # it has gone


def _limit_memory(limit: int) -> None:
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _limit_processor_time(seconds: float) -> None:
    """End this process (SIGXCPU) once it has computed for so long from now on; the soft limit can be set anew."""
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = int(time.process_time() + seconds) + 1
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit if most < 0 else min(limit, most), most))


if __name__ == "__main__":
    main(int(sys.argv[1]))
