"""What was tried to break it: the rows of the report on reliability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """One kind of trouble: how often it was made, what happened, and where it was not as promised."""

    what: str
    times: int
    happened: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """What one module tried. `about` is a sentence or two below the title."""

    title: str
    about: str
    rows: Sequence[Tried]

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
            lines.append(f"| {row.what} | {row.times:,} | {row.happened} | {len(row.faults) or 'none'} |")
        lines += ["", *(f"- **fault**: {fault[:300]}" for fault in self.faults)]
        return "\n".join(lines).rstrip() + "\n"
