"""The measured figures as one Markdown file with plots. Benchmark modules say in SECTIONS what they add."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT

JSON_FILE = ROOT / "docs" / "experiments" / "benchmarks.json"
REPORT = ROOT / "docs" / "experiments" / "benchmarks.md"
PLOTS = ROOT / "docs" / "experiments" / "plots"

Measured = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """What was aimed at, beside what was measured. `why` says, where it is missed, what stands in the way."""

    what: str
    target: float
    measured: float | None
    at_most: bool = False
    why: str = ""

    def row(self) -> list[str]:
        """Cells: what, target, measured, missed by."""
        bound = f"{'≤' if self.at_most else '≥'} {self.target:g}"
        if self.measured is None:
            return [self.what, bound, "not measured", ""]
        gap = (self.measured - self.target) * (1 if self.at_most else -1)
        missed = "" if gap <= 1e-9 else f"**{gap:.3g}**" + (f": {self.why}" if self.why else "")
        return [self.what, bound, f"{self.measured:g}", missed or "met"]


@dataclass(frozen=True)
class Section:
    """One claim of the report. `measure` runs the benchmark; the others turn what it gave into text and pictures.

    `plot` writes SVG files into the folder it is given and returns their names, in order.
    """

    name: str
    title: str
    measure: Callable[[], Measured]
    render: Callable[[Measured], str]
    plot: Callable[[Measured, Path], Sequence[str]] | None = None
    targets: Callable[[Measured], Sequence[Target]] | None = None


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; None is an empty cell."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |\n" for line in lines)


def plain(measured: Measured) -> str:
    """Names and figures, one row each: enough for a section that has nothing to compare."""
    return table(
        ["what", "measured"],
        (
            [name, f"`{json.dumps(value)}`" if isinstance(value, dict | list) else value]
            for name, value in measured.items()
            if name != "date"
        ),
    )


def report(sections: Sequence[Section], measured: dict[str, Measured], plots: Path = PLOTS) -> str:
    """The whole report; draws the plots of the sections that were measured."""
    about = measured["machine"]
    there = [section for section in sections if section.name in measured]
    parts = [
        "# Benchmarks\n",
        "Written by `python -m benchmarks` from what it measured; `benchmarks.json` holds the raw figures.\n",
        f"Machine: {about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}. "
        + "Versions: "
        + ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
        + ".\n",
    ]
    targets = [target for one in there if one.targets for target in one.targets(measured[one.name])]
    if targets:
        rows = (target.row() for target in targets)
        parts.append("## Targets\n\n" + table(["what", "target", "measured", "missed by"], rows))
    parts += [_section(section, measured[section.name], plots) for section in there]
    return "\n".join(parts)


def _section(section: Section, measured: Measured, plots: Path) -> str:
    pictures = ""
    if section.plot is not None:
        plots.mkdir(parents=True, exist_ok=True)
        pictures = "".join(f"\n![{section.title}]({plots.name}/{name})\n" for name in section.plot(measured, plots))
    return f"## {section.title}\n\nMeasured on {measured['date']}.\n\n{section.render(measured)}{pictures}"
