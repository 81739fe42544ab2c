"""What the benchmarks share: where the material lies, the machine's description, medians, the peer's recipe."""

from __future__ import annotations

import atexit
import functools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag_app.assistant import Assistant
from rag_app.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("BENCHMARK_MATERIAL", ROOT.parent / "shared"))
PAPERS = SHARED / "papers"
QUESTIONS = SHARED / "questions_dev.jsonl"
STARTER = SHARED / "bench" / "llamaindex_starter.py"


def questions(path: Path = QUESTIONS) -> list[dict[str, Any]]:
    """The questions of a file, one JSON object per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@functools.cache
def paper_index() -> Path:
    """An index of the papers, built once per run; BENCHMARK_INDEX names one that is there already."""
    kept = os.environ.get("BENCHMARK_INDEX", "")
    folder = Path(kept or tempfile.mkdtemp())
    if not kept:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Assistant(load_settings(corpus=PAPERS, index=folder, llm="none")).build()
    return folder


def machine() -> dict[str, Any]:
    """What ran this, for the report."""
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line for line in information.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def median_of(times: int, run: Callable[[], float]) -> float:
    """The median of several runs: single times say little on a shared machine."""
    return statistics.median(run() for _ in range(times))


def starter(*, with_questions: bool = True) -> dict[str, Any]:
    """Run the peer's recipe (LlamaIndex's starter) over the papers in a process of its own."""
    command = [sys.executable, str(STARTER), str(PAPERS)]
    if with_questions:
        command += ["--questions", str(QUESTIONS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return result
