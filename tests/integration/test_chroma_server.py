"""The copy on a Chroma server: a real one, read by Chroma's own client; gone, replaced, and somebody else's."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import chromadb
import pytest

from rag_app.assistant import Assistant
from rag_app.index.served_copy import collection_name
from tests.support.doubles import WordEmbedder, settings_for, write_corpus, write_paper
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("chroma"), free_port()
    command = [sys.executable, "-c", "from chromadb.cli.cli import app; app()", "run", "--path", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        assert eventually(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def open_assistant(folder: Path, url: str, name: str = "Marsh papers") -> Assistant:
    return Assistant(settings_for(folder, corpus=folder / name, chroma_url=url), embedder=WordEmbedder())


def client_of(url: str) -> chromadb.ClientAPI:
    return chromadb.HttpClient(port=int(url.rpartition(":")[2]), host="127.0.0.1")


def test_another_program_finds_what_was_built(tmp_path: Path, server: str) -> None:
    write_corpus(tmp_path / "Marsh papers", 3)
    assistant = open_assistant(tmp_path, server)
    report = assistant.build()
    assert report.problems == ()
    client = client_of(server)
    held = client.get_collection("rag-app-marsh-papers")
    assert held.count() == report.passages == 9 and held.metadata["generation"] == report.generation
    asked = WordEmbedder().embed_question("the heron reaches 7.3 points in trial 3 of series 1").tolist()
    found = held.query(query_embeddings=[asked], n_results=1, where={"paper": "heron.md"})
    assert "heron" in found["documents"][0][0] and found["metadatas"][0][0]["page"] == 1
    ours = assistant.search("heron points", top=1)[0].passage
    assert held.get(ids=[ours.id])["documents"] == [ours.text]

    write_paper(tmp_path / "Marsh papers", "newt.md", "newt")
    (tmp_path / "Marsh papers" / "otter.md").unlink()
    report = assistant.build()
    held = client.get_collection("rag-app-marsh-papers")
    assert held.count() == report.passages
    assert {one["paper"] for one in held.get()["metadatas"]} == {"heron.md", "lynx.md", "newt.md"}
    assert [one.name for one in client.list_collections()] == ["rag-app-marsh-papers"]
    guide = (ROOT / "docs" / "guide" / "interfaces.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", guide.partition("## A copy in Chroma")[2], re.DOTALL)[0]
    filled = example.replace("8000", server.rpartition(":")[2])
    printed = subprocess.run([sys.executable, "-c", filled], capture_output=True, text=True, check=True).stdout
    assert f"rag-app-marsh-papers {report.passages}" in printed
    before = held.id
    assert assistant.build().problems == ()
    assert client.get_collection("rag-app-marsh-papers").id == before, "the same generation is not written twice"


def test_a_collection_of_another_index_stays(tmp_path: Path, server: str) -> None:
    for folder in ("one", "two"):
        write_corpus(tmp_path / folder / "shared name", 2)
        report = open_assistant(tmp_path / folder, server, "shared name").build()
    assert "of another index" in report.problems[0] and "Rename" in report.problems[0]


@pytest.mark.parametrize(("url", "words"), [
    ("http://127.0.0.1:1", "Start the server and build again"), ("127.0.0.1:8000", "no address of a server"),
    ("http://127.0.0.1:8000/papers", "no address of a server"), ("http://ada:SECRET@127.0.0.1:1", "stands before @"),
    ("http://ada:SECRET@127.0.0.1:1/?key=SECRET", "stands before @"),
    ("ada:SECRET@127.0.0.1", "no address of a server"),
])  # fmt: skip
def test_without_the_server_the_index_is_whole_and_the_build_says_so(tmp_path: Path, url: str, words: str) -> None:
    write_corpus(tmp_path / "Marsh papers", 2)
    assistant = open_assistant(tmp_path, url)
    report = assistant.build()
    assert len(report.problems) == 1 and words in report.problems[0] and "RAG_CHROMA_URL" in report.problems[0]
    assert "SECRET" not in report.problems[0]
    assert assistant.search("heron points", top=1)


@pytest.mark.parametrize(("folder", "name"), [
    ("My Papers (2026)", "rag-app-my-papers-2026"), ("论文", "rag-app-papers"), ("x" * 90, "rag-app-" + "x" * 40),
])  # fmt: skip
def test_a_folder_names_its_collection(folder: str, name: str) -> None:
    assert collection_name(folder) == name
