"""A reading child that does to itself what bad papers do to a parser: whatever the file's first word says."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rag_app.papers import worker
from rag_app.records import Kind, Reading

real = worker.read_paper


def read_paper(path: Path, kind: Kind, *, keep_hidden: bool, on_ocr: Callable[[], None]) -> Reading:
    word = path.read_text(encoding="utf-8").split(maxsplit=1)[0]
    if word == "CRASH":
        os._exit(139)
    if word == "HANG":
        time.sleep(600)
    while word == "SPIN":
        pass
    if word == "SWELL":
        held = [bytes(2**20)]
        while True:
            held.append(bytearray(os.urandom(1)) * 2**26)
    if word == "PRINT":
        print("a library that prints")
        os.write(1, b"also below Python\n")
    if word == "SCAN":
        on_ocr()
        on_ocr()
    if word == "CHANGE":
        path.write_text("NOW it is another text. " * 20, encoding="utf-8")
    if word == "RAISE":
        raise RecursionError("nested too deep")
    if word == "FULL":
        raise OSError(28, "No space left on device")
    return real(path, kind)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("ModuleNotFoundError: no parser here")
    worker.read_paper = read_paper
    worker.main(int(sys.argv[1]))
