"""Several servers on one index while the command line builds: each is a process with a page of its own.

python -m benchmarks.servers
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.crowds import BUILD, ROOT, fact, library
from benchmarks.tried import Section, Tried
from rag_app.assistant import Assistant
from rag_app.server.app import serve
from tests.support.doubles import WordEmbedder, settings_for, write_paper
from tests.support.visitor import Visitor

SERVE = "import sys; from benchmarks.servers import serve_folder; serve_folder(sys.argv[1])"
SERVERS = 3


def serve_folder(folder: str) -> None:
    """Serve the page of a folder until the process is ended."""
    assistant = Assistant(settings_for(Path(folder), port=0), embedder=WordEmbedder())
    serve(assistant, assistant.settings)


@contextmanager
def _server(folder: Path) -> Iterator[Visitor]:
    """A visitor of a page in a process of its own."""
    command = [sys.executable, "-c", SERVE, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        told = next(line for line in process.stdout if line.startswith("Open "))
        with Visitor(told.split()[1]) as visitor:
            visitor.call("open", "")
            yield visitor
    finally:
        process.kill()
        process.wait()


def together(builds: int) -> Tried:
    """Every server answers while each build runs, and from the new paper as soon as it has ended."""
    faults, asked = list[str](), 0
    with library() as (folder, _), ExitStack() as stack:
        visitors = [stack.enter_context(_server(folder)) for _ in range(SERVERS)]
        for number in range(1, builds + 1):
            write_paper(folder / "corpus", f"yak{number}.md", f"yak{number}", 2, fact(number))
            build = subprocess.Popen([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT)
            questions = {"Which points does the otter reach?": "trial"}
            while build.poll() is None:
                asked += _ask(visitors, questions, faults)
            if build.returncode:
                faults.append(f"build {number} failed")
            asked += _ask(visitors, {f"How many stones does the yak{number} weigh?": f"{number}77 stones"}, faults)
    happened = f"{asked} answers while {builds} builds ran and right after each; none failed, none was older"
    return Tried(f"{SERVERS} servers on one index", asked, happened, tuple(faults))


def _ask(visitors: list[Visitor], questions: dict[str, str], faults: list[str]) -> int:
    for number, visitor in enumerate(visitors):
        for question, wanted in questions.items():
            shown = visitor.ask(question)
            visitor.call("open", "")
            if wanted not in shown:
                faults.append(f"server {number}, {question} {shown[-200:]}")
    return len(visitors) * len(questions)


def section(short: bool) -> Section:
    """Several servers, for the report."""
    about = "Each is a process with a page of its own; the builds are processes too, and add a paper each."
    return Section("Several servers", about, [together(1 if short else 12)])


if __name__ == "__main__":
    print(section(short="--short" in sys.argv).text())
