"""Papers on their way into the library: files that were dropped, ids that are fetched, and how far each of them is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from rag_app.errors import FetchError, RagError
from rag_app.index.build_report import FAILED_STATES
from rag_app.papers.add_remove import MOST_AT_ONCE, AddResult
from rag_app.papers.arxiv_ids import parse_arxiv_id, split_ids
from rag_app.papers.fetch import FetchProgress, FetchResult, fetch_papers
from rag_app.server.build_job import BuildJob, duration_words
from rag_app.server.i18n import LazyText, translate, translate_core, translate_later

if TYPE_CHECKING:
    from rag_app.index.build_report import BuildProgress, BuildReport
    from rag_app.settings import Settings


State = Literal["waiting", "fetching", "stored", "building", "in", "twice", "kept", "cancelled", "failed"]
UNDERWAY: tuple[State, ...] = ("waiting", "fetching", "stored", "building")
ROWS_KEPT = 500
BETWEEN_REQUESTS = 3.0  # seconds, as arXiv asks for
_log = logging.getLogger(__name__)
_STAGES = {
    "reading": "arrival.reading",
    "splitting": "arrival.splitting",
    "embedding": "arrival.embedding",
    "writing": "arrival.writing",
}


@dataclass(frozen=True)
class Upload:
    """One paper on its way. `words` say how far it is, or what is wrong with it and the remedy."""

    id: int
    name: str  # of the file or of the paper at arXiv, as it was given
    state: State
    words: str | LazyText
    asked: str = ""  # what arXiv is asked for; empty for a file
    paper: str = ""  # the file in the corpus folder that holds it
    read: bool = False  # by the build that runs
    size: int = 0  # bytes; 0 while it is not known
    received: int = 0
    since: float = 0.0  # when its first bytes came, on the monotonic clock


class Uploads:
    """All papers on their way, and the one build that takes them in. Thread-safe."""

    def __init__(self, build: Callable[..., BuildReport], settings: Settings) -> None:
        self.corpus = settings.corpus
        self.job = BuildJob(self._watch_build(build))
        self._url = settings.arxiv_url
        self._lock = threading.RLock()
        self._rows: dict[int, Upload] = {}
        self._last = 0
        self._fetching = False
        self._fetcher: threading.Thread | None = None
        self._stop = threading.Event()  # ends the fetching
        self._due = 0.0  # when arXiv may be asked again, on the monotonic clock
        self._began = self._latest = 0.0  # when the fetching that runs began, and was done with its latest paper
        self._fetched = 0  # papers that it is done with
        self._progress: BuildProgress | None = None

    # -- what comes -----------------------------------------------------------------------------------------------

    def free_slots(self) -> int:
        """How many more papers may be under way at the same time."""
        with self._lock:
            return MOST_AT_ONCE - sum(row.state in UNDERWAY for row in self._rows.values())

    def add_upload(self, added: AddResult) -> Upload:
        """A file was given; a new one is built into the index, after the build that runs now."""
        if added.state == "refused":
            return self._new(added.name, "failed", added.problem)
        if added.state == "already there":
            return self._new(
                added.name, "twice", translate_later("arrival.same-bytes", paper=added.paper), paper=added.paper
            )
        row = self._new(added.name, "stored", "", paper=added.paper)
        self.job.start(after_this_one=True)
        return row

    def ask_arxiv(self, text: str) -> list[Upload]:
        """Fetch every paper that `text` names: ids or links, one or many. Raises FetchError when it names too many."""
        wanted = {str(parse_arxiv_id(one) or one)[:80]: one for one in split_ids(text)}
        if not wanted:
            raise FetchError(translate("arrival.nothing-typed"))
        with self._lock:
            under_way = {row.asked for row in self._rows.values() if row.state in UNDERWAY}
            new = {name: one for name, one in wanted.items() if name not in under_way}
            if len(new) > self.free_slots():
                raise FetchError(translate("arrival.too-many", n=len(new), most=MOST_AT_ONCE))
            for name in new:  # an earlier try of the same paper gives its row to this one
                self._drop(lambda row, name=name: row.asked == name)  # type: ignore[misc]
            rows = [self._new(name, "waiting", "", asked=name) for name in new]
            self._begin_fetching()
        return rows

    def try_again(self, id: int) -> None:
        """Fetch a paper once more that could not be had."""
        with self._lock:
            row = self._rows.get(id)
            if row is not None and row.asked and row.state in ("failed", "cancelled"):
                self._store_row(replace(row, state="waiting", words="", received=0, size=0, since=0.0))
                self._begin_fetching()

    def cancel(self) -> None:
        """End what is under way: fetching and building. What is finished stays, and files stay in the folder."""
        with self._lock:
            self._stop.set()
            for row in list(self._rows.values()):
                if row.state in ("waiting", "fetching"):
                    self._store_row(replace(row, state="cancelled", words=translate_later("arrival.cancelled")))
                elif row.state == "stored":
                    self._store_row(replace(row, state="kept", words=translate_later("arrival.kept")))
        self.job.cancel()

    def forget(self, id: int = 0) -> None:
        """Take a finished row from the list, or all of them; nothing in the library changes."""
        with self._lock:
            self._drop(lambda row: row.state not in UNDERWAY and id in (0, row.id))

    def forget_paper(self, paper: str) -> None:
        """A paper was removed from the folder: its row goes too."""
        with self._lock:
            self._drop(lambda row: row.paper == paper and row.state not in UNDERWAY)

    # -- what is shown --------------------------------------------------------------------------------------------

    def rows(self) -> list[Upload]:
        """Every paper on its way or arrived, the latest first, each with its words."""
        with self._lock:
            rows = reversed(self._rows.values())
            return [replace(row, words=translate_core(str(row.words or self._words(row)))) for row in rows]

    def summary(self) -> str:
        """How far all of them are together, in words; empty when nothing is under way."""
        with self._lock:
            rows = list(self._rows.values())
            left = sum(row.state in ("waiting", "fetching") for row in rows)
            build = sum(row.state in ("stored", "building") for row in rows)
            parts = []
            if left:
                parts.append(translate("arrival.to-fetch", n=left) + _time_left(self._fetching_eta(left)))
            if build:
                parts.append(translate("arrival.to-take-in", n=build))
            return " · ".join(parts)

    def _fetching_eta(self, left: int) -> float:
        """Seconds until `left` papers are fetched, at the rate of those that this fetching is done with."""
        if not self._fetched:
            return -1.0
        each = (self._latest - self._began) / self._fetched
        return max(0.0, each * left - (time.monotonic() - self._latest))

    def _words(self, row: Upload) -> str:
        if row.state == "waiting":
            return translate("arrival.waits")
        if row.state == "fetching":
            if not row.received:
                return translate("arrival.asking")
            spent = time.monotonic() - row.since
            eta = spent / row.received * (row.size - row.received) if row.size and spent > 0.5 else -1.0
            received, whole = (format(size / 2**20, ".1f") for size in (row.received, row.size))
            known = translate("arrival.fetching-of", received=received, whole=whole)
            return (known if row.size else translate("arrival.fetching", received=received)) + _time_left(eta)
        if row.state == "stored":
            return translate("arrival.read-next")
        progress = self._progress
        if progress is None or progress.stage not in _STAGES:
            return translate("arrival.read-now")
        if progress.stage == "reading" and row.read:
            return translate("arrival.others")
        stage = translate(_STAGES[progress.stage])
        if progress.total > 1:
            stage = translate("arrival.count", stage=stage, done=progress.done, total=progress.total)
        return stage + _time_left(progress.eta)

    # -- fetching -------------------------------------------------------------------------------------------------

    def _begin_fetching(self) -> None:
        if self._fetching and not self._stop.is_set():
            return
        self._fetching, self._fetched, self._began = True, 0, time.monotonic()
        before, self._stop = self._fetcher, threading.Event()
        arguments = (self._stop, before)
        self._fetcher = threading.Thread(target=self._fetch_all, args=arguments, daemon=True, name="fetch")
        self._fetcher.start()

    def _fetch_all(self, stop: threading.Event, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()  # one that was cancelled may still wait for its last answer
        while not stop.wait(max(0.0, self._due - time.monotonic())):
            with self._lock:
                ids = [row.asked for row in self._rows.values() if row.state == "waiting"]
                if not ids and stop is self._stop:
                    self._fetching = False
                if not ids:
                    return
            self._fetch(ids, stop)
            self._due = time.monotonic() + BETWEEN_REQUESTS

    def _fetch(self, ids: Sequence[str], stop: threading.Event) -> None:
        def on_received(step: FetchProgress) -> None:
            if not stop.is_set():
                self._update_received(step)

        def on_fetched(result: FetchResult) -> None:
            if not stop.is_set() or result.state != "failed":
                self._update_fetched(result)

        try:
            fetch_papers(ids, self.corpus, base_url=self._url, on_progress=on_received, on_result=on_fetched, stop=stop)
        except RagError as error:
            self._mark_failed(ids, str(error))
        except Exception as error:  # the outermost edge of this thread: the page must say it
            _log.exception("fetching failed")
            self._mark_failed(ids, translate_later("arrival.fault", why=f"{type(error).__name__}: {error}"))

    def _update_received(self, step: FetchProgress) -> None:
        with self._lock:
            row = self._find_requested(step.id)
            if row is not None and row.state in ("waiting", "fetching"):
                since = row.since or (time.monotonic() if step.received else 0.0)
                self._store_row(
                    replace(
                        row,
                        state="fetching",
                        received=step.received,
                        size=step.size,
                        since=since,
                        words=_waiting_words(step),
                    )
                )

    def _update_fetched(self, result: FetchResult) -> None:
        with self._lock:
            self._fetched, self._latest = self._fetched + 1, time.monotonic()
            row = self._find_requested(result.id[:80])
            if row is None:
                return
            paper = result.path.name if result.path else ""
            if result.state == "failed":
                self._store_row(replace(row, state="failed", words=result.problem))
            elif result.state == "already there":
                self._store_row(
                    replace(row, state="twice", words=translate_later("arrival.already", paper=paper), paper=paper)
                )
            else:
                self._store_row(replace(row, state="stored", words="", paper=paper))
        if result.state == "fetched":
            self.job.start(after_this_one=True)

    def _mark_failed(self, ids: Sequence[str], problem: str | LazyText) -> None:
        with self._lock:
            for row in list(self._rows.values()):
                if row.asked in ids and row.state in ("waiting", "fetching"):
                    self._store_row(replace(row, state="failed", words=problem))

    def _find_requested(self, name: str) -> Upload | None:
        return next((row for row in reversed(self._rows.values()) if row.asked == name), None)

    # -- building -------------------------------------------------------------------------------------------------

    def _watch_build(self, build: Callable[..., BuildReport]) -> Callable[..., BuildReport]:
        """The build, which also tells the papers on their way how far they are."""

        def build_and_track(
            *, on_progress: Callable[[BuildProgress], None], stop: threading.Event, **more: Any
        ) -> BuildReport:
            def on_build_progress(progress: BuildProgress) -> None:
                self._update_build_progress(progress)
                on_progress(progress)

            self._change(("stored", "kept"), state="building", words="", read=False)
            self._progress = None
            try:
                report = build(on_progress=on_build_progress, stop=stop, **more)
            except BaseException as error:
                why = (str(error) or type(error).__name__).rstrip(".")
                words = (
                    translate_later("arrival.kept") if stop.is_set() else translate_later("arrival.kept-why", why=why)
                )
                self._change(("building",), state="kept", words=words)
                raise
            self._apply_report(report)
            return report

        return build_and_track

    def _update_build_progress(self, progress: BuildProgress) -> None:
        with self._lock:
            self._progress = progress
            for row in list(self._rows.values()):
                if progress.stage == "reading" and row.state == "building" and row.paper == progress.message:
                    self._store_row(replace(row, read=True))

    def _apply_report(self, report: BuildReport) -> None:
        found = {one.paper: one for one in report.papers}
        with self._lock:
            for row in list(self._rows.values()):
                if row.state != "building":
                    continue
                one = found.get(row.paper)
                if one is None:
                    words = translate_later("arrival.twice", paper=row.paper)
                    self._store_row(replace(row, state="twice", words=words))
                elif one.state in FAILED_STATES:
                    self._store_row(
                        replace(
                            row,
                            state="failed",
                            words=one.problem or translate_later("arrival.no-text", paper=row.paper),
                        )
                    )
                else:
                    name = one.title or row.name
                    words = translate_later("arrival.in", pages=one.pages, passages=one.passages)
                    self._store_row(replace(row, name=name, state="in", words=words))

    # -- the list -------------------------------------------------------------------------------------------------

    def _new(self, name: str, state: State, words: str | LazyText, *, asked: str = "", paper: str = "") -> Upload:
        with self._lock:
            self._last += 1
            self._store_row(Upload(self._last, name, state, words, asked, paper))
            finished = [row.id for row in self._rows.values() if row.state not in UNDERWAY]
            for id in finished[: max(0, len(self._rows) - ROWS_KEPT)]:
                del self._rows[id]
            return self._rows.get(self._last) or Upload(self._last, name, state, words, asked, paper)

    def _store_row(self, row: Upload) -> None:
        self._rows[row.id] = row

    def _change(self, states: Sequence[State], **changes: Any) -> None:
        with self._lock:
            for row in list(self._rows.values()):
                if row.state in states:
                    self._store_row(replace(row, **changes))

    def _drop(self, which: Callable[[Upload], bool]) -> None:
        for row in list(self._rows.values()):
            if which(row):
                del self._rows[row.id]


def _waiting_words(step: FetchProgress) -> str:
    """What is said while nothing comes: that it is asked again, and when."""
    return "" if step.received or step.message == "asking" else step.message.replace("asking", "Asks arXiv", 1)


def _time_left(eta: float) -> str:
    return f" · {translate('build.left', time=duration_words(eta))}" if eta >= 0 else ""
