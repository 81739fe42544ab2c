"""Nothing is lost: kills builds at random moments and at each commit point, and looks at what is left.

    python -m benchmarks.kills [--moments 50] [--folder FOLDER]

Prints one JSON object; `python -m benchmarks.reliability` puts it into the report. Each kill is a SIGKILL of a real
process that brings an index up to date with new papers. After it, and while it runs, the index that was there must
answer, the next build must finish without reading a finished paper again, and no orphan file may stay. The tests run a
few kills of each kind with the same code.
"""

from __future__ import annotations

import argparse
import atexit
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.tried import Section, Tried
from rag_app.index import embed, manifest
from rag_app.index.build import build
from rag_app.index.generations import Generation, current_name, open_current
from rag_app.retrieval.hybrid import Retriever
from tests.support.doubles import WordEmbedder, settings_for, write_corpus, write_paper
from tests.support.pdfs import make_paper

ROOT = Path(__file__).resolve().parent.parent
OLD, NEW, PDFS = 3, 5, 2  # papers that were indexed, that came since, and how many of those are PDFs


@dataclass(frozen=True)
class Outcome:
    """What one kill left behind. `faults` is empty when nothing was lost."""

    moment: str
    killed: bool  # false: the build was faster
    published: bool  # the new generation answers already
    finished_papers: int  # new ones, read before the kill
    asked: int  # questions while it ran; each was answered, or is among the faults
    faults: tuple[str, ...]


def prepare(folder: Path) -> None:
    """An index of OLD papers, and NEW more papers in its corpus that are not indexed yet."""
    shutil.copytree(_prepared(), folder, dirs_exist_ok=True)


@functools.cache
def _prepared() -> Path:
    """Made once for each process; everybody works in a copy."""
    folder = Path(tempfile.mkdtemp(prefix="prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _make(folder)
    return folder


def _make(folder: Path) -> None:
    write_corpus(folder / "corpus", OLD, sections=6)
    build(settings_for(folder), WordEmbedder())
    for number in range(NEW):
        fact = f"The yak{number} weighs {number}77 stones."
        if number < PDFS:
            filler = [
                f"The yak{number} reaches {place}.5 points in trial {place} of its series." for place in range(30)
            ]
            make_paper(folder / "corpus" / f"new{number}.pdf", f"The Yak{number}", [("1 Results", [*filler, fact])])
        else:
            write_paper(folder / "corpus", f"new{number}.md", f"yak{number}", 6, fact)


# -- the process that is killed -----------------------------------------------------------------------------------


def victim(folder: Path, commit: int, after: bool) -> None:
    """Build, and die right before or after the given commit (a file's replacement); 0: never. Prints their number."""
    embed.GROUP = 8
    with _dying(commit, after) as commits:
        build(settings_for(folder), WordEmbedder(on_group=lambda _: time.sleep(0.02)))
        print(commits[0])


@contextmanager
def _dying(commit: int, after: bool) -> Iterator[list[int]]:
    real, count = os.replace, [0]

    def replace(source: Path, target: Path) -> None:
        count[0] += 1
        if count[0] == commit and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        real(source, target)
        if count[0] == commit and after:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace  # type: ignore[assignment]
    try:
        yield count
    finally:
        os.replace = real


def start(folder: Path, commit: int = 0, after: bool = False) -> subprocess.Popen[str]:
    """The victim as a process of its own."""
    command = [sys.executable, "-m", "benchmarks.kills", "--victim", str(folder), str(commit), str(int(after))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def commits_of(folder: Path) -> int:
    """How many commits the whole build has."""
    output, errors = start(folder).communicate(timeout=120)
    if not output.strip():
        raise RuntimeError(f"the build that nobody kills failed: {errors}")
    return int(output)


# -- what must hold afterwards ------------------------------------------------------------------------------------


def kill_at_commit(folder: Path, commit: int, after: bool) -> Outcome:
    before = current_name(folder / "index")
    process = start(folder, commit, after)
    asked, missed = _ask_during(folder, process, 120.0)
    process.communicate(timeout=120)
    moment = f"{'after' if after else 'before'} commit {commit}"
    return examine(folder, before, moment, process.returncode == -signal.SIGKILL, asked, missed)


def kill_after(folder: Path, seconds: float) -> Outcome:
    before = current_name(folder / "index")
    process = start(folder)
    asked, missed = _ask_during(folder, process, seconds)
    process.kill()
    process.communicate(timeout=120)
    moment = f"after {seconds:.3f} s"
    return examine(folder, before, moment, process.returncode == -signal.SIGKILL, asked, missed)


def _ask_during(folder: Path, process: subprocess.Popen[str], seconds: float) -> tuple[int, list[str]]:
    """Ask about an old paper as long as the build runs, at most so long: how often, and when that failed."""
    until, asked, missed = time.monotonic() + seconds, 0, []
    while process.poll() is None and time.monotonic() < until:
        missed += [f"while it ran: {fault}" for fault in answers(folder, new=False)]
        asked += 1
        time.sleep(max(0.0, min(0.2, until - time.monotonic())))
    return asked, missed


def examine(
    folder: Path, before: str, moment: str, killed: bool, asked: int = 0, missed: Sequence[str] = ()
) -> Outcome:
    """Look at the index as the kill left it, then build once more and look again."""
    faults = list(missed)
    name = current_name(folder / "index")
    published = name != before
    faults += answers(folder, new=published)
    finished = _finished(folder)
    report = build(settings_for(folder), WordEmbedder())
    if report.read > OLD + NEW - finished:
        faults.append(f"{report.read} papers were read again, {finished} had been finished")
    if report.changed == published:
        faults.append(f"the next build changed the index: {report.changed}, already published: {published}")
    if build(settings_for(folder), WordEmbedder()).changed:
        faults.append("the build after the next one was not the last")
    faults += answers(folder, new=True) + orphans(folder)
    return Outcome(moment, killed, published, finished - OLD, asked, tuple(faults))


def _finished(folder: Path) -> int:
    return len(list((folder / "index" / "parts").glob("*/reading.json")))


def answers(folder: Path, new: bool) -> list[str]:
    """What is wrong with the answers to questions about an old paper, and about each new one where `new`."""
    opened = open_current(folder / "index")
    try:
        wanted = {"otter trial series": "otter"}
        if new:
            wanted |= {f"yak{number} weighs stones": f"{number}77 stones" for number in range(NEW)}
        return [
            f"{question} is not answered" for question, words in wanted.items() if not _found(opened, question, words)
        ]
    finally:
        opened.close()


def _found(opened: Generation, question: str, words: str) -> bool:
    hits = Retriever(opened, WordEmbedder().embed_question).find_passages(question, 3)
    return any(words in hit.passage.text for hit in hits)


def orphans(folder: Path) -> list[str]:
    root = folder / "index"
    generations = sorted(path.name for path in (root / "generations").iterdir())
    faults = [f"{path} stays" for path in root.rglob("*.tmp")]
    current = current_name(root)
    if generations[-1] != current or len(generations) > 2:
        faults.append(f"generations {generations} stay beside {current}")
    used = {entry.part for name in generations for entry in manifest.read_manifest(root / "generations" / name).papers}
    faults += [f"part {path.name} stays" for path in (root / "parts").iterdir() if path.name not in used]
    return faults


# -- the long version ---------------------------------------------------------------------------------------------


def outcomes_of(folder: Path, moments: int, step: int = 1) -> tuple[int, list[Outcome]]:
    """Kill at every `step`th commit, before and after, and at so many random moments, each in a fresh library.

    Returns the number of commits of a whole build and what each kill left behind.
    """
    prepare(folder / "whole")
    alone = time.perf_counter()
    commits = commits_of(folder / "whole")
    duration = time.perf_counter() - alone
    outcomes: list[Outcome] = []
    for commit in range(1, commits + 1, step):
        for after in (False, True):
            prepare(folder / f"commit{commit}{after}")
            outcomes.append(kill_at_commit(folder / f"commit{commit}{after}", commit, after))
    chance = random.Random(17)
    for number in range(moments):
        prepare(folder / f"moment{number}")
        outcomes.append(kill_after(folder / f"moment{number}", chance.uniform(0, duration)))
    return commits, outcomes


def section(short: bool) -> Section:
    """What the kills left behind, for the report."""
    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        commits, outcomes = outcomes_of(Path(temporary), 4 if short else 50, 8 if short else 1)
    rows = []
    for what, word in (("SIGKILL right before or after a commit", "commit"), ("SIGKILL at a random moment", "s")):
        of = [one for one in outcomes if (" commit " in one.moment) == (word == "commit")]
        happened = (
            f"{sum(one.killed for one in of)} builds died, {sum(one.published for one in of)} of them published "
            f"already; {sum(one.asked for one in of)} questions meanwhile; the next build finished each "
            "and read no paper twice"
        )
        faults = tuple(f"{one.moment}: {fault}" for one in of for fault in one.faults)
        rows.append(Tried(what, len(of), happened, faults))
    about = (
        f"A real process brings an index of {OLD} papers up to date with {NEW} more ({PDFS} of them PDFs) and is "
        f"killed. A commit is the replacement of one file; a whole build has {commits}. Before, while and after, the "
        "index that was there answers; the next build finishes; a finished paper is not read again; no orphan file "
        "stays."
    )
    return Section("Builds that are killed", about, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=50, help="random moments to kill at")
    parser.add_argument("--folder", type=Path, help="where the libraries are made; default: a temporary folder")
    parser.add_argument("--victim", nargs=3, metavar=("FOLDER", "COMMIT", "AFTER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.victim:
        folder, commit, after = options.victim
        victim(Path(folder), int(commit), bool(int(after)))
        return 0
    with tempfile.TemporaryDirectory(prefix="reliability-") as temporary:
        commits, outcomes = outcomes_of(options.folder or Path(temporary), options.moments)
    faults = [asdict(outcome) for outcome in outcomes if outcome.faults]
    print(json.dumps({"commits": commits, "kills": sum(one.killed for one in outcomes), "faults": faults}, indent=1))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
