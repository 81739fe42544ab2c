"""Tries to break it in every way that we know, and writes down what happened: docs/experiments/reliability.md.

    python -m benchmarks.reliability [--short] [--write] [--minutes N] [NAME …]

Without --short it takes about an hour. --write keeps what was found in docs/experiments/reliability.json and writes
the report from it; what was tried before stays for the modules that are not named. A module of benchmarks/ takes part
by its name in MODULES and by `section(short)`, which gives a Section (benchmarks/tried.py). The exit code is 1 when
something was not as promised.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks import crowds
from benchmarks.common import ROOT, machine
from benchmarks.tried import Section, section_of

MODULES = ("kills", "strains", "crowds", "servers", "fuzz", "heavy_pdfs", "hostile", "hostile_model", "hostile_control")
REPORT = ROOT / "docs" / "experiments" / "reliability.md"
KEPT = ROOT / "docs" / "experiments" / "reliability.json"  # each module's section, as it last ran


def run(name: str, short: bool) -> Section:
    """What one module tried, and what came of it."""
    found = importlib.import_module(f"benchmarks.{name}").section(short)
    assert isinstance(found, Section), name
    return found


def main() -> int:
    """Run the named modules; 1 when something was not as promised."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(MODULES)}; default: all")
    parser.add_argument("--short", action="store_true", help="a few cases of each kind")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(ROOT)}")
    parser.add_argument("--minutes", type=float, default=crowds.MINUTES, help="of the crowd in the long version")
    options = parser.parse_args()
    crowds.MINUTES = options.minutes
    wrong: list[str] = []
    for name in options.names or MODULES:
        print(f"trying: {name}", file=sys.stderr, flush=True)
        began = time.perf_counter()
        found = run(name, options.short)
        wrong += found.faults
        print(found.text(), flush=True)
        if options.write:
            minutes = max(1, round((time.perf_counter() - began) / 60))
            version = "Short version" if options.short else "Long version"
            keep(name, found, f"{version}, {minutes} min, {datetime.date.today().isoformat()}.")
    return int(bool(wrong))


def keep(name: str, found: Section, ran: str) -> None:
    """Keep what one module found and how it ran, and write the report anew."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    kept |= {"machine": machine(), name: {**found.value(), "ran": ran}}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    REPORT.write_text(report(kept), encoding="utf-8")


def report(kept: Mapping[str, Any]) -> str:
    """The whole report as Markdown, of what docs/experiments/reliability.json holds."""
    here = kept["machine"]
    head = (
        "# Reliability\n\n"
        "Written by `python -m benchmarks.reliability --write` from what it ran, here on a machine with "
        f"{here['cores']} cores ({here['processor']}) that did other work too. The tests run a few cases of each kind "
        "with the same code. What is tried against the page that runs stands in [SECURITY.md](../../SECURITY.md).\n\n"
    )
    return head + "\n".join(
        f"{section_of(kept[name]).text()}\n_{kept[name]['ran']}_\n" for name in MODULES if name in kept
    )


if __name__ == "__main__":
    sys.exit(main())
