"""Tries to break it in every way that we know, and writes down what happened: docs/reliability.md.

    python -m benchmarks.reliability [--short] [--write] [--minutes N] [NAME …]

Without --short it takes about an hour. --write puts the report into docs/; what was tried before stays for the
modules that are not named. A module of benchmarks/ takes part by its name in MODULES and by `section(short)`, which
gives a Section (benchmarks/tried.py) or Markdown; one that is not there is left out. Exit code 1 when something was
not as promised.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import inspect
import json
import sys
import time

from benchmarks import crowds
from benchmarks.common import ROOT, machine
from benchmarks.tried import Section

MODULES = ("kills", "strains", "crowds", "fuzz", "hostile")
REPORT = ROOT / "docs" / "reliability.md"
KEPT = ROOT / "docs" / "reliability.json"  # each module's text, as it last ran


def run(name: str, short: bool) -> tuple[str, list[str]]:
    """One module's part of the report, and what was not as promised."""
    section = importlib.import_module(f"benchmarks.{name}").section
    found = section(short) if inspect.signature(section).parameters else section()
    if isinstance(found, Section):
        return found.text(), found.faults
    return str(found).strip() + "\n", []


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
    for name in options.names or [name for name in MODULES if importlib.util.find_spec(f"benchmarks.{name}")]:
        print(f"trying: {name}", file=sys.stderr, flush=True)
        began = time.perf_counter()
        text, faults = run(name, options.short)
        wrong += faults
        print(text, flush=True)
        if options.write:
            minutes = (time.perf_counter() - began) / 60
            keep(name, f"{text}\n_{_told(options.short)}, {minutes:.0f} min, {datetime.date.today().isoformat()}._\n")
    return int(bool(wrong))


def _told(short: bool) -> str:
    return "Short version" if short else "Long version"


def keep(name: str, text: str) -> None:
    """Keep one module's text, and write the report anew."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    kept[name] = text
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    REPORT.write_text(report([kept[one] for one in MODULES if one in kept]), encoding="utf-8")


def report(texts: list[str]) -> str:
    """The whole report as Markdown."""
    here = machine()
    head = (
        "# Reliability\n\n"
        "Written by `python -m benchmarks.reliability --write` from what it ran, here on a machine with "
        f"{here['cores']} cores ({here['processor']}) that did other work too. The tests run a few cases of each kind "
        "with the same code. What is tried against the page that runs stands in [SECURITY.md](../SECURITY.md).\n\n"
    )
    return head + "\n".join(texts)


if __name__ == "__main__":
    sys.exit(main())
