"""A comparison by a model that does not come to its end: each cell says what became of it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag_app.answering.model import comparing
from rag_app.answering.model.reader import ModelReader
from rag_app.assistant import Assistant
from rag_app.models.llm.chat import Message, Tool
from rag_app.models.llm.client import StreamEnd
from rag_app.outputs.json import answer_json, parse_answer
from rag_app.records import Answer
from rag_app.retrieval.hybrid import Scope
from tests.support.doubles import WordEmbedder, settings_for

ROW = '1: a batch [1 "batch size of"]\n2: 90 hours [1 "for 90 hours"]'
FOUND, STOPPED, UNSEARCHED = ["found"] * 2, ["stopped"] * 2, ["not searched"] * 2


class Broken:
    """A model that writes whole rows up to one, of which it writes some pieces; then `how` it ends. Row 0: none."""

    name, window, parameters, takes_tools, chats = "big", 32_000, float("inf"), False, True

    def __init__(self, stop: threading.Event, row: int, pieces: Sequence[str], how: str) -> None:
        self._stop, self._row, self._pieces, self._how = stop, row, pieces, how
        self.rows = 0

    def with_name(self, name: str) -> Broken:
        return self

    def stream(self, system: str, user: str, stop: threading.Event) -> Generator[str, None, StreamEnd]:
        return self.chat([Message("system", system), Message("user", user)], stop)

    def chat(
        self, messages: Sequence[Message], stop: threading.Event, tools: Sequence[Tool] = (), *, json: bool = False
    ) -> Generator[str, None, StreamEnd]:
        self.rows += 1
        if self.rows != self._row:
            yield ROW
            return StreamEnd("whole")
        yield from self._pieces
        if self._how == "stopped":
            self._stop.set()
        return StreamEnd(self._how)  # type: ignore[arg-type]  # of the cases below


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("comparing")
    (folder / "corpus").mkdir()
    for name in ("OtterNet", "HeronRank", "LynxBank"):
        text = f"# {name}: Finding Fish\n\n## Training\n\n{name} is trained with a batch size of 512 for 90 hours.\n"
        (folder / "corpus" / f"{name}.md").write_text(text, encoding="utf-8")
    Assistant(settings_for(folder), embedder=WordEmbedder()).build()
    yield folder


@pytest.mark.parametrize(
    ("row", "pieces", "how", "states"),
    [
        (0, (), "stopped", [STOPPED, STOPPED, STOPPED]),  # before the first
        (1, (ROW,), "stopped", [["found", "stopped"], STOPPED, STOPPED]),  # nobody knows that its last cell is whole
        (2, (), "stopped", [FOUND, STOPPED, STOPPED]),  # between two
        (2, ('1: a batch [1 "batch size of"]\n2: 9',), "stopped", [FOUND, ["found", "stopped"], STOPPED]),
        (2, ("1: NOT REPORTED\n2: 9",), "stopped", [FOUND, ["not reported", "stopped"], STOPPED]),
        (3, ("1: a ba",), "stopped", [FOUND, FOUND, STOPPED]),  # half a statement may say what the paper does not
        (2, ('1: a batch [1 "batch size of"]\n',), "length", [FOUND, ["found", "not searched"], FOUND]),
        (2, (), "length", [FOUND, UNSEARCHED, FOUND]),
    ],
)
def test_each_cell_says_what_became_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, row: int, pieces: tuple[str, ...], how: str, states: list[Any]
) -> None:
    monkeypatch.setattr(comparing, "AT_ONCE", 1)
    stop, settings = threading.Event(), settings_for(folder, check_model="off")
    reader = ModelReader(Broken(stop, row, pieces, how), settings)
    assistant = Assistant(settings, embedder=WordEmbedder(), reader=reader)
    scope = Scope(papers=("HeronRank.md", "LynxBank.md", "OtterNet.md"))
    events = assistant.stream_comparison("Compare them", scope=scope, aspects="batch size; hours", stop=stop)
    next(events)
    if row == 0:
        stop.set()
    *_, answer = events
    assert isinstance(answer, Answer) and answer.table is not None
    assert [[cell.state for cell in row.cells] for row in answer.table.rows] == states
    assert parse_answer(answer_json(answer)) == answer
    assert answer.reader == "big"
    assert all(bool(cell.citations) == (cell.state == "found") for row in answer.table.rows for cell in row.cells)
    assert all(cell.text == cell.state for row in answer.table.rows for cell in row.cells if cell.state == "stopped")
