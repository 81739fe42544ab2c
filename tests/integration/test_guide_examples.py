"""The examples of the guide's page on interfaces run as they are printed, over a small library.

Only what is each reader's own is filled in: the port, the token, the folder of the papers. "…" in what a command prints
stands for anything.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.support.pdfs import make_paper
from tests.support.served_library import serve_library

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="the examples are typed into a shell")]

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
LORA = "LoRA needs 4.7 million trainable parameters on GPT-3, since the matrices that it trains are of low rank."


@dataclass(frozen=True)
class Example:
    """A block of code in the guide: its language, what is written."""

    section: str
    language: str
    text: str


def read_examples(name: str) -> list[Example]:
    """All blocks of code of a page, with the heading above each."""
    page = (GUIDE / name).read_text(encoding="utf-8")
    found, section = [], ""
    for match in re.finditer(r"^## (?P<head>[^\n]+)$|^```(?P<language>\w*)\n(?P<text>.*?)^```$", page, re.M | re.S):
        if match["head"]:
            section = match["head"]
        else:
            found.append(Example(section, match["language"], match["text"]))
    return found


def example(section: str, language: str, number: int = 0) -> str:
    return [one for one in read_examples("interfaces.md") if (one.section, one.language) == (section, language)][
        number
    ].text


@dataclass(frozen=True)
class Reader:
    """Somebody who reads the guide: a folder with papers, a running server, the program on the path."""

    folder: Path
    port: str
    token: str

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
        path = f"{self.folder / 'bin'}{os.pathsep}{own.get('PATH', '')}"
        home = {
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder),
        }
        return {**own, **home, "PATH": path, "PYTHONPATH": str(ROOT), "TOKEN": self.token, "RAG_LLM": "none"}

    def fill_in(self, text: str) -> str:
        return text.replace("7860", self.port).replace('api_key="…"', f'api_key="{self.token}"')

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def run_python(self, text: str) -> str:
        """What the program prints."""
        made = self.run(sys.executable, "-c", self.fill_in(text))
        assert made.returncode == 0, made.stderr
        return made.stdout

    def check_console(self, text: str) -> None:
        """Type what stands behind "$" and compare what is printed."""
        line, _, wanted = text.partition("\n")
        own = {"RAG_CORPUS": str(self.folder / "papers"), "RAG_INDEX": str(self.folder / "index" / "papers")}
        made = self.run("bash", "-c", line.removeprefix("$ "), **own)
        pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", wanted.strip()))
        assert re.fullmatch(pattern, made.stdout.strip(), re.S), (made.stdout, made.stderr)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    (folder / "bin").mkdir()
    program = folder / "bin" / "rag-app"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rag_app "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (folder / "papers").mkdir()
    sentences = [LORA, "We freeze the pretrained weights and inject low-rank matrices into each layer."]
    make_paper(
        folder / "papers" / "2106.09685v2.pdf", title="LoRA: Low-Rank Adaptation", sections=[("1 Method", sentences)]
    )
    draft = re.findall(r"With `(.*)` in `draft.md`", (GUIDE / "interfaces.md").read_text(encoding="utf-8"))[0]
    (folder / "draft.md").write_text(draft, encoding="utf-8")
    with serve_library(folder, corpus=folder / "papers", index=folder / "served" / "one") as served:
        yield Reader(folder, served.url.rpartition(":")[2], served.token)


def test_a_token_is_added(reader: Reader) -> None:
    reader.check_console(example("Tokens", ""))


def test_a_question_by_rest(reader: Reader) -> None:
    made = reader.run("bash", "-c", reader.fill_in(example("REST", "")))
    answer = json.loads(made.stdout)
    assert "4.7 million" in answer["answer"] and answer["citations"][0]["verified"]


def test_a_draft_is_verified(reader: Reader) -> None:
    reader.check_console(example("Verify a text", ""))


def test_the_library_as_a_model(reader: Reader) -> None:
    printed = reader.run_python(example("As a model", "python"))
    assert "4.7 million" in printed and f"http://127.0.0.1:{reader.port}/?paper=2106.09685v2.pdf&page=1" in printed


def test_an_agent_starts_the_server_that_the_configuration_names(reader: Reader) -> None:
    named = json.loads(example("For agents", "json"))["mcpServers"]["papers"]
    assert named["env"].keys() == {"RAG_CORPUS"}
    environment = reader.environment | {"RAG_CORPUS": str(reader.folder / "papers")}
    command = StdioServerParameters(
        command=str(reader.folder / "bin" / named["command"]), args=named["args"], env=environment
    )

    async def work() -> None:
        async with Client(stdio_client(command)) as client:
            found = await client.call_tool("ask", {"question": "How many trainable parameters does LoRA need?"})
            assert found.structured_content is not None and "4.7 million" in found.structured_content["answer"]

    anyio.run(work)


def test_in_llama_index(reader: Reader) -> None:
    printed = reader.run_python(example("In LlamaIndex and LangChain", "python"))
    assert "2106.09685v2.pdf 1" in printed and LORA in printed


def test_in_langchain(reader: Reader) -> None:
    assert "2106.09685v2.pdf 1" in reader.run_python(example("In LlamaIndex and LangChain", "python", 1))


def test_in_python(reader: Reader) -> None:
    (text,) = [one.text for one in read_examples("python.md")]
    printed = reader.run_python(
        text.replace('"folder"', '"papers"').replace("How large is the reader?", "How many trainable parameters?")
    )
    assert "1 2106.09685v2.pdf 1" in printed


def test_no_example_is_left_out() -> None:
    """A new one has to be run above; the one with Chroma's client is run beside a real server of Chroma."""
    found = [(one.section, one.language) for one in read_examples("interfaces.md")]
    assert found == [
        ("Tokens", ""), ("REST", ""), ("Verify a text", ""), ("As a model", "python"), ("For agents", "json"),
        ("A copy in Chroma", "python"), *[("In LlamaIndex and LangChain", "python")] * 2,
    ]  # fmt: skip
