"""Progress of a build, and its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rag_app.index.manifest import Manifest

FAILED_STATES = ("unreadable", "no text")


@dataclass(frozen=True)
class BuildProgress:
    """How far a build is. `eta` is in seconds, from the rate measured so far; negative while it is not known."""

    stage: str  # reading, splitting, embedding, writing, done
    done: int
    total: int
    message: str
    eta: float = -1.0


OnProgress = Callable[[BuildProgress], None]


@dataclass(frozen=True)
class PaperReport:
    """One line of the build's report."""

    paper: str
    title: str
    pages: int
    passages: int
    seconds: float
    state: str
    problem: str
    warnings: tuple[str, ...]
    reused: bool
    hidden: tuple[str, ...] = ()  # text that nobody can see


@dataclass(frozen=True)
class BuildReport:
    """What a build did. `failed` names the papers that cannot be searched and why."""

    papers: tuple[PaperReport, ...]
    passages: int
    embedded: int  # passages whose vector was computed now
    read: int  # papers read now
    removed: tuple[str, ...]
    seconds: dict[str, float]
    generation: str
    changed: bool
    problems: tuple[str, ...] = ()  # of the folder, not of one paper

    @property
    def failed_papers(self) -> tuple[PaperReport, ...]:
        return tuple(paper for paper in self.papers if paper.state in FAILED_STATES)


def paper_reports(manifest: Manifest, read_now: Mapping[str, float]) -> tuple[PaperReport, ...]:
    """A line per paper of the index; `read_now` holds the seconds of those that were read by this build."""
    return tuple(
        PaperReport(
            paper=entry.paper,
            title=entry.title,
            pages=entry.pages,
            passages=entry.passages,
            seconds=round(read_now.get(entry.paper, 0.0), 3),
            state=entry.state,
            problem=entry.problem,
            warnings=entry.warnings,
            reused=entry.paper not in read_now,
            hidden=entry.hidden,
        )
        for entry in manifest.papers
    )


class BuildStopped(Exception):
    """The user stopped the build; what was finished is kept."""


class EtaEstimator:
    """Measures a rate and tells from it how long the rest takes."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.began = time.perf_counter()

    def eta(self) -> float:
        """Seconds left, at the rate so far."""
        if not self.count:
            return -1.0
        return (time.perf_counter() - self.began) / self.count * (self.total - self.count)
