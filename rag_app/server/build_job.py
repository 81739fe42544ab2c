"""The build that runs behind the page: at most one at a time, in its own thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rag_app.errors import RagError
from rag_app.server.i18n import LazyText, translate_later

if TYPE_CHECKING:
    from rag_app.index.build_report import BuildProgress, BuildReport


_log = logging.getLogger(__name__)


RECORDS_KEPT = 100


@dataclass(frozen=True)
class BuildRecord:
    """One build of this process: its number, from 1, and what became of it."""

    number: int
    state: Literal["waiting", "running", "built", "failed", "stopped"]
    message: str | LazyText = ""
    report: BuildReport | None = None


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
        self._by_itself = False  # nobody has asked for the build that runs
        self.progress: BuildProgress | None = None
        self.outcome: str | LazyText = ""  # of the last build, in words
        self.failed = False
        self._number = 0  # of the latest build that has begun
        self._records: OrderedDict[int, BuildRecord] = OrderedDict()  # of those that have ended

    @property
    def running(self) -> bool:
        return self._running

    def start(self, *, after_this_one: bool = False, fresh: bool = False, by_itself: bool = False) -> bool:
        """Begin a build unless one runs; a `fresh` one reads and embeds every paper anew.

        One that begins `by_itself` says nothing where nothing has changed: nobody has asked.

        Returns whether it began, or will, `after_this_one` that runs now.
        """
        with self._lock:
            if self._running:
                self._again = self._again or after_this_one
                return after_this_one
            self._begin(fresh, by_itself)
            return True

    def _begin(self, fresh: bool, by_itself: bool = False) -> None:
        self._running, self._again, self._ending, self._by_itself = True, False, False, by_itself
        self._number += 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(fresh,), daemon=True, name="build")
        self._thread.start()

    def request(self, *, fresh: bool = False) -> BuildRecord | None:
        """Begin a build, after the one that runs now, and say which; None for a `fresh` one while another runs."""
        with self._lock:
            if self._running and fresh:
                return None
            if self._running:
                self._again = True
                return BuildRecord(self._number + 1, "waiting")
            self._begin(fresh)
            return BuildRecord(self._number, "running")

    def record(self, number: int) -> BuildRecord:
        """What became of a build. Raises KeyError for one that this process has not begun, or too long ago."""
        with self._lock:
            if number in self._records:
                return self._records[number]
            if number == self._number + 1 and self._again:
                return BuildRecord(number, "waiting")
            if number == self._number and self._running:
                return BuildRecord(number, "running")
        raise KeyError(number)

    def records(self) -> list[BuildRecord]:
        """The builds of this process, the newest first."""
        with self._lock:
            ended, number, running = list(self._records.values()), self._number, self._running
        now = [BuildRecord(number, "running")] if running and number not in {one.number for one in ended} else []
        return now + ended[::-1]

    def cancel(self) -> None:
        """Ask the build that runs to end; what it finished is kept. Returns at once."""
        with self._lock:
            self._again = False
            self._stop.set()

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until no build runs; whether none does."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return not self._running

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
            report = self._run(self._stop, fresh)
            fresh = False
            with self._lock:
                self._keep(report)
                if not self._again or self._ending:
                    self._running = False
                    return
                self._again, self._by_itself, self._stop = False, False, threading.Event()
                self._number += 1

    def _keep(self, report: BuildReport | None) -> None:
        state: Literal["built", "failed", "stopped"] = "failed" if self.failed else "built" if report else "stopped"
        self._records[self._number] = BuildRecord(self._number, state, self.outcome, report)
        while len(self._records) > RECORDS_KEPT:
            self._records.popitem(last=False)

    def _run(self, stop: threading.Event, fresh: bool) -> BuildReport | None:
        began = time.monotonic()
        more = {"fresh": True} if fresh else {}
        try:
            report = self._build(on_progress=self._note, stop=stop, **more)
        except RagError as error:
            self.failed, self.outcome = True, str(error)
        except Exception as error:  # the outermost edge of this thread: the page must say it
            if stop.is_set():
                self.outcome = translate_later("build.stopped")
                return None
            _log.exception("the build failed")
            self.failed, self.outcome = True, translate_later("build.failed", why=f"{type(error).__name__}: {error}")
        else:
            quiet = self._by_itself and not report.changed
            self.outcome = "" if quiet else report_words(report, time.monotonic() - began)
            return report
        return None


def report_words(report: BuildReport, seconds: float) -> LazyText:
    """A finished build in one line."""
    if not report.changed:
        return translate_later("build.unchanged")
    time, papers, passages, failed = (
        duration_words(seconds),
        len(report.papers),
        report.passages,
        len(report.failed_papers),
    )
    if failed:
        return translate_later("build.done-but", time=time, papers=papers, passages=passages, failed=failed)
    return translate_later("build.done", time=time, papers=papers, passages=passages)


def duration_words(seconds: float) -> LazyText:
    """Seconds in words: "40 s", "3 min", "1 h 20 min"."""
    if seconds < 90:
        return translate_later("page.seconds", seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 60:
        return translate_later("page.minutes", minutes=minutes)
    return translate_later("page.hours", hours=minutes // 60, minutes=minutes % 60)
