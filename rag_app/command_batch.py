"""Many questions from a file: one JSON line in, one JSON line out, and a bad line costs only itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rag_app.errors import QuestionError, RagError
from rag_app.outputs.terminal import print_json
from rag_app.records import Json


@dataclass(frozen=True)
class Asked:
    """One question of a batch. `id` is given back as it came."""

    id: str | int | float
    question: str


def run_batch(file: str, answer: Callable[[Asked], Json], error: Callable[[Asked, str], Json]) -> int:
    """Answer every line of the file ("-": standard input). Returns 1 when a line was answered with an error, else 0.

    `error` makes what is printed for a line that cannot be answered. Each value is printed as soon as it is there.
    Raises QuestionError when the file cannot be read.
    """
    failed = 0
    with nullcontext(sys.stdin) if file == "-" else _open(file) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                value = _answered(line, number, answer, error)
                failed += value.get("status") == "error"
                print_json(value)
    return 1 if failed else 0


def _answered(line: str, number: int, answer: Callable[[Asked], Json], error: Callable[[Asked, str], Json]) -> Json:
    asked = Asked("", "")
    try:
        asked = read_line(line, number)
        return answer(asked)
    except RagError as fault:
        return error(asked, str(fault))
    except Exception as fault:  # the outermost edge of one question: the others still want their answer
        return error(asked, f"{type(fault).__name__}: {fault}. This is a fault of the program.")


def read_line(line: str, number: int) -> Asked:
    """The question on line `number`. Raises QuestionError that says what is wrong with it."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise QuestionError(f'line {number}: not JSON ({said}). Write {{"id": "1", "question": "…"}}.') from error
    if not isinstance(value, dict) or not isinstance(value.get("question"), str):
        raise QuestionError(f'line {number}: no "question" with a text. Write {{"id": "1", "question": "…"}}.')
    id = value.get("id", "")
    if isinstance(id, bool) or not isinstance(id, str | int | float):
        raise QuestionError(f'line {number}: "id" has to be a text or a number.')
    return Asked(id, value["question"])


def _open(file: str) -> TextIO:
    try:
        # utf-8-sig: Windows editors put a mark in front. A byte that is no UTF-8 spoils its own line only.
        return Path(file).open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise QuestionError(f"{file}: cannot be opened ({error.strerror}). Correct the path after --batch.") from error
