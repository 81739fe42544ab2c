"""Nothing is lost: kills builds at random moments and at each commit point, and looks at what is left.

    python -m benchmarks.reliability [--moments 50] [--folder FOLDER]

Prints one JSON object. Each kill is a SIGKILL of a real process that brings an index up to date with new papers. After
it the index that was there must answer, the next build must finish without reading a finished paper again, and no
orphan file may stay. The tests run a few kills of each kind with the same code.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rag_app import embedding, index
from rag_app.build import build
from rag_app.index import Generation
from rag_app.retrieval import Retriever
from tests.doubles import WordEmbedder, settings_for, write_corpus, write_paper

ROOT = Path(__file__).resolve().parent.parent
OLD, NEW = 3, 5  # papers that were indexed, and that came since


@dataclass(frozen=True)
class Outcome:
    """What one kill left behind. `faults` is empty when nothing was lost."""

    moment: str
    killed: bool  # false: the build was faster
    published: bool  # the new generation answers already
    finished_papers: int  # new ones, read before the kill
    faults: tuple[str, ...]


def prepare(folder: Path) -> None:
    """An index of OLD papers, and NEW more papers in its corpus that are not indexed yet."""
    write_corpus(folder / "corpus", OLD, sections=6)
    build(settings_for(folder), WordEmbedder())
    for number in range(NEW):
        write_paper(
            folder / "corpus", f"new{number}.md", f"yak{number}", 6, f"The yak{number} weighs {number}77 stones."
        )


# -- the process that is killed -----------------------------------------------------------------------------------


def victim(folder: Path, commit: int, after: bool) -> None:
    """Build, and die right before or after the given commit (a file's replacement); 0: never. Prints their number."""
    embedding.GROUP = 8
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
    command = [sys.executable, "-m", "benchmarks.reliability", "--victim", str(folder), str(commit), str(int(after))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def commits_of(folder: Path) -> int:
    """How many commits the whole build has."""
    output, errors = start(folder).communicate(timeout=120)
    if not output.strip():
        raise RuntimeError(f"the build that nobody kills failed: {errors}")
    return int(output)


# -- what must hold afterwards ------------------------------------------------------------------------------------


def kill_at_commit(folder: Path, commit: int, after: bool) -> Outcome:
    before = index.current_name(folder / "index")
    process = start(folder, commit, after)
    process.communicate(timeout=120)
    moment = f"{'after' if after else 'before'} commit {commit}"
    return examine(folder, before, moment, process.returncode == -signal.SIGKILL)


def kill_after(folder: Path, seconds: float) -> Outcome:
    before = index.current_name(folder / "index")
    process = start(folder)
    time.sleep(seconds)
    process.kill()
    process.communicate(timeout=120)
    return examine(folder, before, f"after {seconds:.3f} s", process.returncode == -signal.SIGKILL)


def examine(folder: Path, before: str, moment: str, killed: bool) -> Outcome:
    """Look at the index as the kill left it, then build once more and look again."""
    faults: list[str] = []
    name = index.current_name(folder / "index")
    published = name != before
    faults += _answers(folder, new=published)
    finished = _finished(folder)
    report = build(settings_for(folder), WordEmbedder())
    if report.read > OLD + NEW - finished:
        faults.append(f"{report.read} papers were read again, {finished} had been finished")
    if report.changed == published:
        faults.append(f"the next build changed the index: {report.changed}, already published: {published}")
    if build(settings_for(folder), WordEmbedder()).changed:
        faults.append("the build after the next one was not the last")
    faults += _answers(folder, new=True) + _orphans(folder)
    return Outcome(moment, killed, published, finished - OLD, tuple(faults))


def _finished(folder: Path) -> int:
    return len(list((folder / "index" / "parts").glob("*/reading.json")))


def _answers(folder: Path, new: bool) -> list[str]:
    """What is wrong with the answers to questions about an old paper, and about each new one where `new`."""
    opened = index.open_current(folder / "index")
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
    hits = Retriever(opened, WordEmbedder().embed_question).find(question, 3)
    return any(words in hit.passage.text for hit in hits)


def _orphans(folder: Path) -> list[str]:
    root = folder / "index"
    generations = sorted(path.name for path in (root / "generations").iterdir())
    faults = [f"{path} stays" for path in root.rglob("*.tmp")]
    current = index.current_name(root)
    if generations[-1] != current or len(generations) > 2:
        faults.append(f"generations {generations} stay beside {current}")
    used = {entry.part for name in generations for entry in index.read_manifest(root / "generations" / name).papers}
    faults += [f"part {path.name} stays" for path in (root / "parts").iterdir() if path.name not in used]
    return faults


# -- the long version ---------------------------------------------------------------------------------------------


def measure(folder: Path, moments: int) -> dict[str, object]:
    """Kill at every commit, before and after, and at so many random moments; each time from a fresh library."""
    began = time.perf_counter()
    prepare(folder / "whole")
    alone = time.perf_counter()
    commits = commits_of(folder / "whole")
    duration = time.perf_counter() - alone
    outcomes: list[Outcome] = []
    for commit in range(1, commits + 1):
        for after in (False, True):
            prepare(folder / f"commit{commit}{after}")
            outcomes.append(kill_at_commit(folder / f"commit{commit}{after}", commit, after))
    chance = random.Random(17)
    for number in range(moments):
        prepare(folder / f"moment{number}")
        outcomes.append(kill_after(folder / f"moment{number}", chance.uniform(0, duration)))
    return {
        "commits": commits,
        "kills": sum(outcome.killed for outcome in outcomes),
        "faster_than_the_kill": sum(not outcome.killed for outcome in outcomes),
        "published_before_the_kill": sum(outcome.published for outcome in outcomes),
        "faults": [asdict(outcome) for outcome in outcomes if outcome.faults],
        "seconds": round(time.perf_counter() - began, 1),
    }


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
        found = measure(options.folder or Path(temporary), options.moments)
    print(json.dumps(found, indent=1))
    return int(bool(found["faults"]))


if __name__ == "__main__":
    sys.exit(main())
