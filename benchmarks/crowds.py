"""Crowds: many askers of a page that runs, with builds in between; and two processes that want one index.

    python -m benchmarks.crowds [--minutes 10] [--askers 16]

The page is a real server on loopback, the askers log in and ask as a browser does, and every build is a process of its
own that adds a paper. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.tried import Section, Tried
from rag_app.assistant import Assistant
from rag_app.errors import IndexBusy, IndexFault, IndexMissing, RagError
from rag_app.index import generations
from rag_app.index.build import build
from rag_app.index.chroma import PassageStore
from rag_app.server.app import serve
from rag_app.server.security.accounts import Accounts
from tests.support.doubles import WordEmbedder, settings_for, write_corpus, write_paper
from tests.support.visitor import Visitor

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a password of the benchmark"
BUILD = "import sys; from benchmarks.crowds import bring_up_to_date; bring_up_to_date(sys.argv[1])"
MINUTES = 10.0  # of the long version


@dataclass
class _Crowd:
    """What the askers share. Numbers of papers are those that the builds have added."""

    url: str
    there: int = 0  # papers whose build had ended
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    end: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


def bring_up_to_date(folder: str) -> None:
    """What a build from the command line does, with the small embedder of the tests."""
    build(settings_for(Path(folder)), WordEmbedder())


def fact(number: int) -> str:
    return f"The yak{number} weighs {number}77 stones."


def _asker(crowd: _Crowd, number: int) -> None:
    try:
        with Visitor(crowd.url, f"user{number % 2}", PASSWORD) as visitor:
            while not crowd.end.is_set():
                newest = crowd.there
                question = (
                    f"How many stones does the yak{newest} weigh?" if newest else "Which points does the otter reach?"
                )
                shown = visitor.ask(question)
                wanted = f"{newest}77 stones" if newest else "trial"  # words that are not in the question
                with crowd.lock:
                    crowd.asked += 1
                    if wanted not in shown:
                        crowd.failed.append(f"{question} asked after its build had ended: {shown[-300:]}")
                visitor.call("open", "")  # a new conversation
    except Exception as error:  # whatever it is, it is the finding
        crowd.failed.append(f"asker {number}: {type(error).__name__}: {error}")


def usage() -> tuple[int, int]:
    """Memory of this process in MB, and its open files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return kilobytes // 1024, len(os.listdir("/proc/self/fd"))


def crowd(seconds: float, askers: int, pause: float = 5.0) -> tuple[Tried, dict[str, object]]:
    """So many askers for so long, a build that adds a paper every `pause` seconds; the finding, and its figures."""
    with library(port=0) as (folder, assistant):
        for number in range(2):
            Accounts(folder / "users.json").add(f"user{number}", PASSWORD)
        page = serve(assistant, assistant.settings, block=False)
        crowd = _Crowd(page.url)
        threads = [threading.Thread(target=_asker, args=(crowd, number), daemon=True) for number in range(askers)]
        for thread in threads:
            thread.start()
        used, builds, until = [], 0, time.monotonic() + seconds
        while time.monotonic() < until:
            builds += 1
            write_paper(folder / "corpus", f"yak{builds}.md", f"yak{builds}", 2, fact(builds))
            done = subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                crowd.failed.append(f"build {builds}: {done.stderr[-300:]}")
            crowd.there = builds
            used.append(usage())
            crowd.end.wait(max(0.0, min(pause, until - time.monotonic())))
        crowd.end.set()
        for thread in threads:
            thread.join(60)
        used.append(usage())
        page.stop()
    middle = used[len(used) // 2]  # by then every page, index and thread is there
    grown = used[-1][0] - middle[0], used[-1][1] - middle[1]
    if grown[0] > 0.15 * middle[0] + 30:
        crowd.failed.append(f"memory grew from {middle[0]} to {used[-1][0]} MB")
    if grown[1] > 2 * askers:
        crowd.failed.append(f"open files grew from {middle[1]} to {used[-1][1]}")
    happened = (
        f"{crowd.asked:,} answers, {builds} builds; none older than the build that had ended when it was asked; from "
        f"the middle to the end memory {middle[0]} to {used[-1][0]} MB, open files {middle[1]} to {used[-1][1]}"
    )
    figures = {"asked": crowd.asked, "builds": builds, "memory_MB_and_files": used}
    return Tried(f"{askers} askers at once for {seconds:.0f} s", crowd.asked, happened, tuple(crowd.failed)), figures


@contextmanager
def library(build_it: bool = True, **settings: object) -> Iterator[tuple[Path, Assistant]]:
    """A folder with a few papers in corpus/, and an assistant of it."""
    with tempfile.TemporaryDirectory(prefix="crowds-") as temporary:
        folder = Path(temporary) / "library"
        write_corpus(folder / "corpus", 3)
        assistant = Assistant(settings_for(folder, **settings), embedder=WordEmbedder())
        if build_it:
            assistant.build()
        yield folder, assistant


@contextmanager
def _only_what_is_new() -> Iterator[None]:
    """Meanwhile gc knows only objects made from here on: a process that did much else holds millions."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def swapped(builds: int) -> Tried:
    """What was opened is let go when a build has swapped it: questions of one process, a build before each."""
    faults, used = [], []
    with library() as (folder, assistant), _only_what_is_new():
        for number in range(1, builds + 1):
            write_paper(folder / "corpus", f"yak{number}.md", f"yak{number}", 2, fact(number))
            build(settings_for(folder), WordEmbedder())
            for _ in range(generations.FEW_FETCHES + 1):  # the last one opens Chroma
                answer = assistant.ask(f"How many stones does the yak{number} weigh?")
                shown = [answer.answer, *(one.quote for one in (*answer.citations, *answer.nearest))]
                if not any(f"{number}77 stones" in text for text in shown):  # refused, it is shown as the nearest
                    faults.append(f"build {number} is not found")
            gc.collect()
            for kind in (generations.Generation, PassageStore):
                there = sum(type(one) is kind for one in gc.get_objects())
                if there > 1:
                    faults.append(f"after build {number} there are {there} of {kind.__name__}")
            used.append(usage())
    middle = used[len(used) // 2]
    if used[-1][1] > middle[1] + 4:
        faults.append(f"open files grew from {middle[1]} to {used[-1][1]}")
    happened = (
        "what each build added is found, and only the newest index is open; from the middle to the end memory "
        f"{middle[0]} to {used[-1][0]} MB, open files {middle[1]} to {used[-1][1]}"
    )
    return Tried("builds under one who asks after each", builds, happened, tuple(faults))


def _ask(assistant: Assistant) -> str:
    return str(assistant.ask("Which points does the otter reach?").answer)


def two_builds() -> Tried:
    """A second build while one runs."""
    faults = []
    with library(build_it=False) as (folder, _):

        def second(_: int) -> None:
            try:
                build(settings_for(folder), WordEmbedder())
                faults.append("both went on")
            except IndexBusy as error:
                if f"process {os.getpid()}" not in str(error):
                    faults.append(f"it does not say who: {error}")

        build(settings_for(folder), WordEmbedder(on_group=second))
    return Tried("a second build while one runs", 1, "it says which process holds the lock", tuple(faults))


def deleted() -> Tried:
    """The index of an assistant that answers is deleted, and built again."""
    faults = []
    with library() as (folder, assistant):
        if "otter" not in _ask(assistant).casefold():
            faults.append("it did not answer before")
        shutil.rmtree(folder / "index")
        if "python -m rag_app build" not in _ask(assistant) or not assistant.is_stale():
            faults.append(f"no remedy is named: {_ask(assistant)}")
        assistant.build()
        if "otter" not in _ask(assistant).casefold():
            faults.append("it does not answer after the next build")
    return Tried(
        "an index deleted under who answers from it", 1, "it says to build; after that it answers", tuple(faults)
    )


def copied() -> Tried:
    """An index that was copied or moved to another place."""
    faults = []
    with library() as (one, _):
        other = one.with_name("other")
        shutil.copytree(one, other)
        shutil.rmtree(one)
        assistant = Assistant(settings_for(other), embedder=WordEmbedder())
        if "otter" not in _ask(assistant).casefold():
            faults.append("the copy does not answer")
        report = assistant.build()
        if report.read or report.failed_papers:
            faults.append(f"the copy reads {report.read} papers again")
    return Tried("an index copied to another place", 1, "it answers there, and no paper is read again", tuple(faults))


def other_makers() -> Tried:
    """An index of another embedder, and of another version's format."""
    faults = []
    with library() as (folder, _):
        other = Assistant(settings_for(folder), embedder=WordEmbedder("others"))
        notes = " ".join(other.ask("Which points does the otter reach?").notes)
        if "python -m rag_app build" not in notes or not other.is_stale():
            faults.append(f"another embedder goes unnoticed: {notes}")
        other.build()
        if other.ask("Which points does the otter reach?").notes:
            faults.append("a build does not repair it")
        file = folder / "index" / "generations" / generations.current_name(folder / "index") / "manifest.json"
        value = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(value | {"format": 99}), encoding="utf-8")
        later = Assistant(settings_for(folder), embedder=WordEmbedder("others"))
        try:
            later.search("otter")
            faults.append("another format goes unnoticed")
        except IndexMissing as error:
            faults.append(f"another format passes for none: {error}")
        except IndexFault as error:
            if "Build again" not in str(error):
                faults.append(f"no remedy: {error}")
        except RagError as error:
            faults.append(str(error))
        later.build()
        if "otter" not in _ask(later).casefold():
            faults.append("a build does not repair another format")
    happened = "it says so and names the remedy; one build repairs it"
    return Tried("an index of another embedder or version", 2, happened, tuple(faults))


def section(short: bool) -> Section:
    """Crowds, for the report."""
    rows = [crowd(8 if short else MINUTES * 60, 4 if short else 16, 1.0 if short else 5.0)[0]]
    rows += [swapped(4 if short else 60), two_builds(), deleted(), copied(), other_makers()]
    about = (
        "A page with a log-in on loopback, asked by its own requests, while builds of other processes add a paper "
        "each. The stated delay is none: what was built when a question is asked is in its answer."
    )
    return Section("Crowds", about, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--askers", type=int, default=16)
    options = parser.parse_args()
    tried, figures = crowd(options.minutes * 60, options.askers)
    print(json.dumps({**asdict(tried), **figures}, indent=1))
    return int(bool(tried.faults))


if __name__ == "__main__":
    sys.exit(main())
