"""What was tried to break it: the sections of the report on reliability, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Tried:
    """One kind of trouble: how often it was made, what happened, and where it was not as promised."""

    what: str
    times: int
    happened: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """What one module tried. `about` is a sentence or two below the title, `notes` are sentences below the table."""

    title: str
    about: str
    rows: Sequence[Tried]
    notes: tuple[str, ...] = ()

    @property
    def faults(self) -> list[str]:
        return [f"{row.what}: {fault}" for row in self.rows for fault in row.faults]

    def text(self) -> str:
        """The section as Markdown."""
        lines = [
            f"## {self.title}",
            "",
            self.about,
            "",
            "| Tried | Times | What happened | Faults |",
            "|---|---|---|---|",
        ]
        for row in self.rows:
            cells = (row.what, f"{row.times:,}", row.happened, str(len(row.faults) or "none"))
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
        if self.faults:
            lines += ["", *(f"- **fault**: {fault[:300]}" for fault in self.faults)]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines).rstrip() + "\n"

    def value(self) -> dict[str, Any]:
        """The section as a JSON value."""
        return {**asdict(self), "rows": [asdict(row) for row in self.rows]}


def section_of(value: Mapping[str, Any]) -> Section:
    """The section that `Section.value` was made from."""
    rows = [Tried(**{**row, "faults": tuple(row["faults"])}) for row in value["rows"]]
    return Section(value["title"], value["about"], rows, tuple(value["notes"]))
