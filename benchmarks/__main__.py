"""Runs every benchmark and writes docs/benchmarks.json and docs/benchmarks.md from what was measured."""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import answers, retrieval, speed
from benchmarks.common import PAPERS, ROOT, machine
from rag_app.assistant import Assistant
from rag_app.evaluation_summary import SCORES
from rag_app.settings import load_settings

PACKAGES = (
    "chromadb",
    "bm25s",
    "openvino",
    "pypdfium2",
    "pypdf",
    "sentence-transformers",
    "llama-index-core",
    "gradio",
)
JSON_FILE = ROOT / "docs" / "benchmarks.json"
REPORT = ROOT / "docs" / "benchmarks.md"


def measure(names: list[str]) -> dict[str, Any]:
    """The chosen benchmarks' results by name; what was measured before stays for the others."""
    measured: dict[str, Any] = json.loads(JSON_FILE.read_text(encoding="utf-8")) if JSON_FILE.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder)
        if {"retrieval", "answers", "model"} & set(names):
            Assistant(load_settings(corpus=PAPERS, index=index, llm="none")).build()
        run = {
            "speed": speed.main,
            "retrieval": lambda: retrieval.main(index),
            "answers": lambda: answers.main(index),
            "model": lambda: answers.main(index, llm="local"),
            "embedding": lambda: importlib.import_module("benchmarks.embedding").main(),
        }
        for name in names:
            print(f"measuring: {name}", file=sys.stderr)
            measured[name] = {"date": datetime.date.today().isoformat(), **run[name]()}
    measured["machine"] = machine()
    measured["versions"] = {name: importlib.metadata.version(name) for name in PACKAGES}
    return measured


def _rows(head: list[str], rows: list[list[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)]) + "\n"


def _retrieval(measured: dict[str, Any]) -> str:
    tables = measured["recall"]
    kinds = list(tables["ours"])
    text = "Evidence-page recall: share of the facts whose page is among the first 5, 10 or 20 distinct pages.\n\n"
    head = ["kind", *(f"{way} {depth}" for way in tables for depth in ("@5", "@10", "@20"))]
    rows = [[kind, *(tables[way][kind][depth] for way in tables for depth in ("@5", "@10", "@20"))] for kind in kinds]
    milliseconds = measured["query_ms"]
    return (
        text
        + _rows(head, rows)
        + f"\nOne query on a warm process: p50 {milliseconds['p50']} ms, p95 {milliseconds['p95']} ms.\n"
    )


def _answers(measured: dict[str, Any]) -> str:
    kinds = measured["kinds"]
    names = [name for name in SCORES if any(name in row for row in kinds.values()) and not name.startswith("recall")]
    rows = [[kind, *(row.get(name, "") for name in names)] for kind, row in kinds.items()]
    quotes, seconds, refusal = measured["quotes"], measured["seconds"], measured["refusal"]
    levels = [f"{level} {row['right']} of {row['answers']}" for level, row in measured["confidence"].items()]
    cells = ", ".join(f"{count} {name}" for name, count in measured["cells"].items())
    return "".join(
        [
            _rows(["kind", *names], rows),
            f"\nQuotes cited: {quotes['cited']}; verified by us: {quotes['verified']}; found from outside in the ",
            f"raw text of the cited page: {quotes['on the page']}. ",
            f"Of the unanswerable questions {refusal['refused of the unanswerable']} were refused, ",
            f"of the answerable {refusal['falsely refused of the answerable']}. ",
            f"Cells of comparisons: {cells}. " if cells else "",
            f"Right answers by stated confidence: {', '.join(levels)}. " if levels else "",
            f"Seconds per answer: p50 {seconds['p50']}, p95 {seconds['p95']}.\n",
            "\nWhat each column counts: `manual.md`, Measuring. The signs of the refusal and the comparison were ",
            "chosen while looking at these questions; held-out figures: `choices.md`, Answers.\n",
        ]
    )


def _plain(measured: dict[str, Any]) -> str:
    return _rows(["what", "measured"], [[name, f"`{json.dumps(value)}`" if isinstance(value, dict | list) else value]
                                        for name, value in measured.items() if name != "date"])  # fmt: skip


SECTIONS = {
    "speed": ("Speed", _plain),
    "retrieval": ("Finding the right page", _retrieval),
    "answers": ("Answers of the quoting reader", _answers),
    "model": ("Answers of SmolLM2-135M behind llama.cpp", _answers),
    "embedding": ("Embedding", _plain),
}


def report(measured: dict[str, Any]) -> str:
    """The measured figures as Markdown."""
    about = measured["machine"]
    parts = [
        "# Benchmarks\n",
        "Written by `python -m benchmarks` from what it measured; `benchmarks.json` holds the raw figures.\n",
        f"Machine: {about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}. "
        + "Versions: "
        + ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
        + ".\n",
    ]
    for name, (title, render) in SECTIONS.items():
        if name in measured:
            parts.append(f"## {title}\n\nMeasured on {measured[name]['date']}.\n\n{render(measured[name])}")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(SECTIONS)}; default: all")
    names = parser.parse_args().names or list(SECTIONS)
    unknown = set(names) - set(SECTIONS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    measured = measure(names)
    JSON_FILE.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    REPORT.write_text(report(measured), encoding="utf-8")
    print(f"{REPORT} written")


if __name__ == "__main__":
    main()
