"""The library's side of the page: the build that runs behind it, the rows of papers, what can be asked."""

from __future__ import annotations

import html
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rag_app.errors import RagError
from rag_app.ui_markdown import shown

if TYPE_CHECKING:
    from rag_app.build import BuildProgress, BuildReport
    from rag_app.records import PaperRow, Status

_log = logging.getLogger(__name__)

SHORT_NAME = 24  # characters: a title's beginning before its colon that is no longer is what people call the paper
READABLE = ("full text", "digest only")


class BuildJob:
    """At most one build at a time, in a thread of its own; the page asks it how far it is."""

    def __init__(self, build: Callable[..., BuildReport]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._running = False
        self._again = False
        self._ending = False  # the page ends: nothing begins any more
        self.progress: BuildProgress | None = None
        self.outcome = ""  # of the last build, in words
        self.failed = False

    @property
    def running(self) -> bool:
        return self._running

    def start(self, *, after_this_one: bool = False, fresh: bool = False) -> bool:
        """Begin a build unless one runs; a `fresh` one reads and embeds every paper anew.

        Returns whether it began, or will, `after_this_one` that runs now.
        """
        with self._lock:
            if self._running:
                self._again = self._again or after_this_one
                return after_this_one
            self._running, self._again, self._ending = True, False, False
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._work, args=(fresh,), daemon=True, name="build")
            self._thread.start()
            return True

    def cancel(self) -> None:
        """Ask the build that runs to end; what it finished is kept. Returns at once."""
        with self._lock:
            self._again = False
            self._stop.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask the build to end, and begin no other; what it finished is kept. Waits at most `timeout` seconds."""
        with self._lock:
            self._ending = True
            self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _note(self, progress: BuildProgress) -> None:
        self.progress = progress

    def _work(self, fresh: bool) -> None:
        while True:
            self.progress, self.outcome, self.failed = None, "", False
            self._run(self._stop, fresh)
            fresh = False
            with self._lock:
                if not self._again or self._ending:
                    self._running = False
                    return
                self._again, self._stop = False, threading.Event()

    def _run(self, stop: threading.Event, fresh: bool) -> None:
        began = time.monotonic()
        more = {"fresh": True} if fresh else {}
        try:
            report = self._build(on_progress=self._note, stop=stop, **more)
        except RagError as error:
            self.failed, self.outcome = True, str(error)
        except Exception as error:  # the outermost edge of this thread: the page must say it
            if stop.is_set():
                self.outcome = "Stopped; what was finished is kept. Rebuild goes on from there."
                return
            _log.exception("the build failed")
            self.failed, self.outcome = True, f"The build failed ({type(error).__name__}: {error}). Start it again."
        else:
            self.outcome = report_words(report, time.monotonic() - began)


def report_words(report: BuildReport, seconds: float) -> str:
    """A finished build in one line."""
    if not report.changed:
        return "Nothing had changed."
    failed = f", {len(report.failed)} could not be read" if report.failed else ""
    return f"Built in {duration(seconds)}: {len(report.papers)} papers, {report.passages:,} passages{failed}."


def duration(seconds: float) -> str:
    """Seconds in words: "40 s", "3 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def status_html(status: Status, job: BuildJob, known: int) -> str:
    """What can be searched now, and how far a build is. `known` is the number of papers in the folder."""
    parts = [f'<p class="searchable">{shown(searchable(status, job.running, known))}</p>']
    progress = job.progress
    if job.running:
        value = f' value="{progress.done}" max="{progress.total}"' if progress and progress.total else ""
        words = shown(progress_words(progress)) if progress else "Looking at the papers"
        left = f" · about {duration(progress.eta)} left" if progress and progress.eta >= 0 else ""
        parts.append(
            f'<progress aria-label="Building the index"{value}></progress><p class="building">{words}{left}</p>'
        )
    elif job.outcome:
        kind = "outcome failed" if job.failed else "outcome"
        parts.append(f'<p class="{kind}">{shown(job.outcome)}</p>')
    return "".join(parts)


def progress_words(progress: BuildProgress) -> str:
    """Where a build is: "Reading 12 of 47 · 2004.04906v3.pdf"."""
    stage = progress.stage.capitalize()
    count = f"{stage} {progress.done:,} of {progress.total:,}" if progress.total else stage
    return f"{count} · {progress.message}" if progress.message else count


def searchable(status: Status, building: bool, known: int) -> str:
    """One sentence: what a question would be answered from at this moment."""
    if not known:
        return "No papers yet. Press Add papers, or drop PDFs onto this page."
    if not status.by_words:
        wait = (
            "The index is being built; you can ask as soon as the first papers are in."
            if building
            else "Press Rebuild."
        )
        return f"Nothing can be searched yet. {wait}"
    how = "by words and meaning" if status.by_meaning >= status.by_words else "by words; meaning follows"
    more = f" of {known}" if status.papers < known else ""
    return f"{status.papers}{more} papers can be searched, {how} ({status.by_words:,} passages)."


def rows_html(rows: Sequence[PaperRow], name: Callable[[str], str]) -> str:
    """The list of papers: tick to limit questions to them, press the title to read."""
    if not rows:
        return '<p class="empty">No papers.</p>'
    return '<ul class="papers">' + "".join(_row(row, name(row.paper)) for row in _sorted(rows)) + "</ul>"


def _sorted(rows: Sequence[PaperRow]) -> list[PaperRow]:
    return sorted(rows, key=lambda row: (row.state in ("unreadable", "no text"), row.title.casefold()))


def _row(row: PaperRow, name: str) -> str:
    title = row.title or row.paper
    facts = [str(row.year) if row.year else "", f"{row.pages} p." if row.pages else "", row.topic]
    words = " · ".join(shown(fact) for fact in facts if fact)
    state = "" if row.state == "full text" else f'<span class="state {_slug(row.state)}">{shown(row.state)}</span>'
    problem = f'<span class="problem">{shown(row.problem)}</span>' if row.problem else ""
    problem += "".join(f'<span class="problem hidden-text">Hidden text, {shown(place)}</span>' for place in row.hidden)
    search = html.escape(f"{title} {row.paper} {row.year} {row.topic}".casefold(), quote=True)
    label = html.escape(f"Ask only this paper: {title}", quote=True)
    opens = f'<button type="button" class="open-paper" value="{name}" title="Read this paper">{shown(title)}</button>'
    if not row.pages:
        opens = f'<span class="title">{shown(title)}</span>'
    return (
        f'<li data-search="{search}"><input type="checkbox" value="{name}" aria-label="{label}">'
        f'<div>{opens}<span class="facts">{words}{state}</span>{problem}</div>{_remove_button(name, title)}</li>'
    )


def _remove_button(name: str, title: str) -> str:
    label = html.escape(f"Remove from the library: {title}", quote=True)
    return (
        f'<button type="button" class="icon remove-paper" value="{name}" aria-label="{label}" title="Remove">✕</button>'
    )


def _slug(state: str) -> str:
    return state.replace(" ", "-")


def short_name(title: str) -> str:
    """What people call the paper: "LongRAG" of "LongRAG: Enhancing ..."; empty where the title does not tell."""
    head, colon, _ = title.partition(":")
    fits = 2 <= len(head.strip()) <= SHORT_NAME and len(head.split()) <= 3
    return head.strip() if colon and fits else ""


def example_questions(rows: Sequence[PaperRow], alike: Sequence[str] = ()) -> list[str]:
    """A fact, a comparison and something that is not in them, from papers that are really in.

    `alike`: names of two papers that are worth comparing, where that is known.
    """
    there = [row for row in rows if row.state in READABLE and row.title]
    named = [row for row in there if short_name(row.title)]
    names = (
        list(alike) or [short_name(row.title) for row in _alike(named)] or [f"“{row.title[:80]}”" for row in there[:2]]
    )
    if not names:
        return []
    questions = [f"Which datasets is {names[0]} evaluated on?"]
    if len(names) > 1:
        questions.append(f"How do {names[0]} and {names[1]} differ?")
    return [*questions, f"What does {names[-1]} say about the price of coffee?"]


def _alike(rows: Sequence[PaperRow]) -> list[PaperRow]:
    """Two papers worth comparing: of one topic where that is known, preferring full text."""
    best = sorted(rows, key=lambda row: row.state != "full text")
    for first in best:
        same = [row for row in best if row.topic and row.topic == first.topic and row is not first]
        if same:
            return [first, same[0]]
    return best[:2]
