"""Runs every benchmark and writes docs/experiments/benchmarks.json, benchmarks.md and plots/ from what was measured."""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import json
import sys
from typing import Any

from benchmarks.common import machine
from benchmarks.report import JSON_FILE, REPORT, Section, report

# Each module says in SECTIONS what it adds; the report has them in this order.
MODULES = (
    "speed",
    "scale",
    "retrieval",
    "datasets",
    "ablation",
    "long_units",
    "answers",
    "natural",
    "embedding",
    "browsers",
)
PACKAGES = (
    "chromadb",
    "openvino",
    "pypdfium2",
    "pypdf",
    "sentence-transformers",
    "llama-index-core",
    "gradio",
)


def sections() -> list[Section]:
    """Every section, in the order of the report."""
    return [one for module in MODULES for one in importlib.import_module(f"benchmarks.{module}").SECTIONS]


def main() -> None:
    known = {section.name: section for section in sections()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(known)}; default: all")
    parser.add_argument("--write", action="store_true", help="measure nothing: write the report from benchmarks.json")
    arguments = parser.parse_args()
    names = [] if arguments.write else arguments.names or list(known)
    unknown = set(names) - set(known)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    # What was measured before stays for the benchmarks that do not run now.
    measured: dict[str, Any] = json.loads(JSON_FILE.read_text(encoding="utf-8")) if JSON_FILE.exists() else {}
    for name in names:
        print(f"measuring: {name}", file=sys.stderr)
        measured[name] = {"date": datetime.date.today().isoformat(), **known[name].measure()}
        measured["machine"] = machine()
        measured["versions"] = {name: importlib.metadata.version(name) for name in PACKAGES}
        _keep(measured)  # at once: a later benchmark may fail, and some take an hour
    REPORT.write_text(report(list(known.values()), measured), encoding="utf-8")
    print(f"{REPORT} written")


def _keep(measured: dict[str, Any]) -> None:
    JSON_FILE.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
