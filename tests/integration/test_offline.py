"""Build and ask with the parts that come with the project, while nothing but this machine can be reached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.doubles import write_corpus, write_paper
from tests.support.pdfs import make_paper

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SECRET = "The quokka of Rottnest weighs 98.76 stones in winter."
QUESTION = "How many stones does the quokka of Rottnest weigh in winter?"


@pytest.fixture(scope="module")
def folder(index_home: Path) -> Path:
    folder = index_home / "offline"  # the models are looked for beside the index
    write_corpus(folder / "corpus", 2)
    write_paper(folder / "corpus", "quokka.md", "quokka", secret=SECRET)
    make_paper(
        folder / "corpus" / "falcon.pdf", "Falcons: A Survey", [("1 Introduction", ["Falcons fly at 300 km/h."])]
    )
    return folder


def run(folder: Path, *command: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the program walled off, its child processes too, with the environment of a new user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAG_", "HF_"))}
    environment = {
        **kept,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "tests" / "support" / "no_network"), str(ROOT))),
        "NO_NETWORK_LOG": str(folder / "tried"),
        "HOME": str(folder / "home"),
        "RAG_CORPUS": str(folder / "corpus"),
        "RAG_INDEX": str(folder.parent / "offline-index"),
        "RAG_LLM": "none",
    }
    whole = [*before, sys.executable, *command]
    return subprocess.run(whole, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=240)


def test_the_wall_stands(folder: Path) -> None:
    try_it = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    assert "nothing gets out" in run(folder, "-c", try_it).stderr
    assert (folder / "tried").read_text(encoding="utf-8") == "192.0.2.1\n"
    (folder / "tried").unlink()


TYPED = """
import sys
from rag_app.cli.main import main
for typed in (["build"], ["search", sys.argv[1]], ["ask", sys.argv[1]], ["papers"]):
    assert main([*typed, "--json"]) == 0, typed
"""


def test_build_search_and_ask_reach_for_nothing_outside(folder: Path) -> None:
    built = run(folder, "-m", "rag_app", "build", "--json")
    assert built.returncode == 0, built.stderr
    said = run(folder, "-c", TYPED, QUESTION)
    assert said.returncode == 0, said.stderr
    again, found, answer, papers = map(json.loads, said.stdout.splitlines())
    assert not again["changed"]
    assert found["hits"][0]["paper"] == "quokka.md"
    assert answer["status"] == "answered" and "98.76" in answer["answer"]
    assert all(citation["verified"] for citation in answer["citations"])
    assert {paper["state"] for paper in papers["papers"]} == {"full text"}
    assert not (folder / "tried").exists(), (folder / "tried").read_text(encoding="utf-8")


PYTHON = """
import sys
from rag_app import open_library
print(open_library(sys.argv[1]).ask(sys.argv[2]).answer)
"""


def test_the_same_from_python(folder: Path) -> None:
    said = run(folder, "-c", PYTHON, str(folder / "corpus"), QUESTION)
    assert "98.76" in said.stdout, said.stderr
    assert not (folder / "tried").exists()


def test_in_a_machine_without_any_network(folder: Path) -> None:
    wall = ("unshare", "--net", "--map-root-user")
    if not shutil.which("unshare") or subprocess.run([*wall, "true"], capture_output=True).returncode:
        pytest.skip("cannot make a network of its own here (Linux: unshare --net)")
    said = run(folder, "-c", PYTHON, str(folder / "corpus"), QUESTION, before=wall)
    assert "98.76" in said.stdout, said.stderr
