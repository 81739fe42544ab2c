"""Claim: fast. A cold build, a build with nothing to do, a cold question; beside the peer's recipe in the same run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.common import PAPERS, ROOT, median_of, starter
from benchmarks.report import Section, Target, plain
from rag_app.index.generations import open_current

RUNS = 3


def _environment(index: Path, corpus: Path) -> dict[str, str]:
    return {**os.environ, "RAG_CORPUS": str(corpus), "RAG_INDEX": str(index), "RAG_LLM": "none"}


def _command(*arguments: str, index: Path, corpus: Path = PAPERS) -> tuple[float, str]:
    """Seconds of one whole process, and what it printed."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "rag_app", *arguments],
        env=_environment(index, corpus),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - began, done.stdout


def _page_up(index: Path) -> float:
    """Seconds from starting `python app.py` on a ready index until the page answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "app.py", "--no-browser", "--no-token"],
        env={**_environment(index, PAPERS), "RAG_PORT": str(port)},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - began < 60:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                if page.status == 200 and page.read():
                    return time.perf_counter() - began
            time.sleep(0.02)
        raise RuntimeError("the page did not come up within a minute")
    finally:
        server.terminate()
        server.wait()


def _one_more(folder: Path, built: Path) -> tuple[float, float]:
    """Adding one paper to the others: seconds of that paper (read, split, embed), and of all the rest.

    The index without it is made of the one that is `built`, from which the paper and all that was kept of it are taken.
    """
    corpus, index = folder / "corpus", folder / "more"
    corpus.mkdir()
    shutil.copytree(built, index)
    *others, last = sorted(PAPERS.glob("*.pdf"))
    for paper in others:
        shutil.copy(paper, corpus)
    of_last = open_current(index).by_paper[last.name].part
    _command("build", "--json", index=index, corpus=corpus)
    shutil.rmtree(index / "parts" / of_last, ignore_errors=True)
    shutil.copy(last, corpus)
    report = json.loads(_command("build", "--json", index=index, corpus=corpus)[1])
    if report["read"] != 1:
        raise RuntimeError(f"{report['read']} papers were read where one was added")
    seconds = report["seconds"]
    of_paper = seconds["read"] + seconds["embed"]
    return of_paper, seconds["total"] - of_paper


def main(runs: int = RUNS) -> dict[str, Any]:
    """Medians of `runs` runs, each with the peer's build beside ours."""
    ours: list[dict[str, float]] = []
    peers: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        for _ in range(runs):
            shutil.rmtree(index, ignore_errors=True)
            _, printed = _command("build", "--json", index=index)
            ours.append(json.loads(printed)["seconds"])
            peers.append(starter(with_questions=not peers))
        again = median_of(5, lambda: _command("build", "--json", index=index)[0])
        again_own = json.loads(_command("build", "--json", index=index)[1])["seconds"]["total"]
        question = "What retrieval unit does the method use?"
        cold = median_of(5, lambda: _command("ask", question, "--json", index=index)[0])
        page_up = median_of(3, lambda: _page_up(index))
        of_paper, besides = _one_more(Path(folder), index)
    build = statistics.median(run["total"] for run in ours)
    peer = statistics.median(run["seconds"]["build"] for run in peers)
    parse = statistics.median(run["read"] for run in ours)
    peer_parse = statistics.median(run["seconds"]["parse"] for run in peers)
    return {
        "runs": runs,
        "build seconds": round(build, 1),
        "build seconds of the starter": round(peer, 1),
        "build ratio": round(peer / build, 2),
        "reading seconds": round(parse, 2),
        "reading seconds of the starter": round(peer_parse, 2),
        "reading ratio": round(peer_parse / parse, 1),
        "searchable by words, seconds": round(statistics.median(run["searchable"] for run in ours), 2),
        "one paper added: reading and embedding it": round(of_paper, 2),
        "one paper added: all the rest": round(besides, 2),
        "python app.py until the page answers": round(page_up, 2),
        "nothing to do, whole process": round(again, 2),
        "nothing to do, own time": round(again_own, 3),
        "cold ask, whole process": round(cold, 2),
        "starter: import and load before the first query": peers[0]["seconds"]["import_and_load"],
        "starter: evidence-page recall at 10": peers[0].get("evidence_page_recall_at_10"),
        "stages": {stage: round(statistics.median(run[stage] for run in ours), 2) for stage in ours[0]},
    }


def targets(measured: dict[str, Any]) -> list[Target]:
    """What was aimed at on two cores with eight-bit or sixteen-bit instructions, beside this machine's figures."""
    tokens = "three quarters of it is embedding all text, twice the tokens that the starter embeds"
    return [
        Target("build, all text embedded: times faster than the starter", 2.5, measured["build ratio"], why=tokens),
        Target(
            "reading: times faster than the starter",
            10,
            measured["reading ratio"],
            why="words with places, columns and tables cost more than plain text",
        ),
        Target(
            "searchable by words, seconds",
            6,
            measured["searchable by words, seconds"],
            at_most=True,
            why="all papers are read, with the places of their words, before the first answer",
        ),
        Target("nothing to do, own seconds", 1, measured["nothing to do, own time"], at_most=True),
        Target(
            "one paper added, seconds beside its own",
            1,
            measured["one paper added: all the rest"],
            at_most=True,
            why="every generation is written whole, so that the last one can answer meanwhile",
        ),
        Target(
            "cold ask, whole process, seconds",
            3,
            measured["cold ask, whole process"],
            at_most=True,
            why="imports, and embedding the sentences that may be quoted",
        ),
        Target(
            "python app.py until the page answers, seconds",
            6,
            measured["python app.py until the page answers"],
            at_most=True,
            why="most of it is the import of Gradio",
        ),
    ]


SECTIONS = (Section("speed", "Speed", main, plain, targets=targets),)


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS), indent=1))
