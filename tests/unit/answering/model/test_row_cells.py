"""A comparison with a model: a row per call, every cell checked, the quote where the model's words do not hold."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.answering.model.reader import ModelReader
from rag_app.answering.model.row_cells import interleave_evidence
from rag_app.assistant import Assistant
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Answer, Evidence
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.provider import Provider, Reply
from tests.support.two_papers import HERON, OTTER

QUESTION = "Compare OtterNet and HeronRank: the batch size of the training, and the rivers or ponds."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("tabulated")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "otter.md").write_text(OTTER, encoding="utf-8")
    (folder / "corpus" / "heron.md").write_text(HERON, encoding="utf-8")
    Assistant(settings_for(folder), embedder=WordEmbedder()).build()
    yield folder


def ask(folder: Path, provider: Provider, question: str = QUESTION, name: str = "test-3b") -> Answer:
    settings = settings_for(folder)
    model = OpenAIModel(Endpoint("test", provider.url, name, window=16_000), settings, first_pause=0.01)
    assistant = Assistant(settings, embedder=WordEmbedder(), reader=ModelReader(model, settings))
    return assistant.ask(question, papers=())


def evidence_number(provider_text: str, words: str) -> int:
    """The number under which a prompt shows the piece that holds these words."""
    heads = [(match.start(), int(match[1])) for match in re.finditer(r"(?m)^\[(\d+)\] ", provider_text)]
    return [number for start, number in heads if start < provider_text.index(words)][-1]


def cells(answer: Answer) -> list[list[str]]:
    assert answer.table is not None, answer
    return [[cell.text for cell in row.cells] for row in answer.table.rows]


def test_each_row_is_asked_with_its_own_papers_evidence(folder: Path) -> None:
    with Provider(Reply(pieces=("nothing useful",))) as provider:
        answer = ask(folder, provider)
    first, second = (request.body["messages"][1]["content"] for request in provider.requests)
    assert "512 fish" in first and "64 frogs" not in first and "The row is about: OtterNet" in first
    assert "64 frogs" in second and "512 fish" not in second and "The row is about: HeronRank" in second
    quoted = Assistant(settings_for(folder), embedder=WordEmbedder()).ask(QUESTION)
    assert cells(answer) == cells(quoted), "where the model says nothing the quotes stay"
    assert [citation.quote for citation in answer.citations] == [citation.quote for citation in quoted.citations]


def test_each_row_is_asked_what_is_asked_of_its_paper(folder: Path) -> None:
    with Provider(Reply(pieces=("nothing useful",))) as provider:
        ask(folder, provider, "batch size of OtterNet vs the food of HeronRank")
    first, second = (request.body["messages"][1]["content"].partition("Aspects:")[2] for request in provider.requests)
    assert "batch size" in first and "food" not in first
    assert "food" in second and "batch size" not in second


def test_supported_cells_are_the_models_and_the_others_stay_quoted(folder: Path) -> None:
    with Provider(Reply(pieces=("nothing useful",))) as provider:
        quoted = ask(folder, provider)
        prompts = [request.body["messages"][1]["content"] for request in provider.requests]
    otter, heron = evidence_number(prompts[0], "512 fish"), evidence_number(prompts[1], "64 frogs")
    replies = (
        Reply(pieces=(f"1: OtterNet trains with a batch size of 512 fish [{otter}].\n2: NOTHING",)),
        Reply(pieces=(f"1: HeronRank trains with a batch size of 128 frogs [{heron}].\n2: In Africa [{heron}]",)),
    )
    with Provider(*replies) as provider:
        answer = ask(folder, provider)
    assert cells(answer)[0][0] == "OtterNet trains with a batch size of 512 fish."
    assert cells(answer)[0][1] == cells(quoted)[0][1]
    assert cells(answer)[1] == cells(quoted)[1], "128 and Africa stand on no page"
    assert answer.reader == "test-3b"
    assert "1 of 4 cells" in answer.notes[0]
    assert [verdict.support for verdict in answer.verdicts] == ["supported"]
    assert all(citation.verified for citation in answer.citations)
    marks = [int(number) for number in re.findall(r"\[(\d+)\]", answer.answer)]
    assert list(dict.fromkeys(marks)) == [citation.number for citation in answer.citations]
    assert answer.table is not None
    for row in answer.table.rows:
        papers = {citation.number: citation.paper for citation in answer.citations}
        assert {papers[number] for cell in row.cells for number in cell.citations} <= {row.paper}


def test_a_model_that_fails_leaves_the_quotes_and_says_why(folder: Path) -> None:
    with Provider(Reply(status=404)) as provider:
        answer = ask(folder, provider)
        assert len(provider.requests) == 1, "it is not asked again for the next row"
    assert answer.status == "answered" and answer.table is not None
    assert any("404" in note for note in answer.notes)


def test_a_tiny_model_is_not_asked_for_a_table(folder: Path) -> None:
    with Provider() as provider:
        answer = ask(folder, provider, name="SmolLM2-135M")
        assert not provider.requests
    assert (answer.reader, answer.table is not None) == ("quoting", True)
    assert any("too small" in note for note in answer.notes)


def test_stop_ends_it(folder: Path) -> None:
    stop = threading.Event()
    with Provider() as provider:
        settings = settings_for(folder)
        model = OpenAIModel(Endpoint("test", provider.url, "m", window=16_000), settings)
        assistant = Assistant(settings, embedder=WordEmbedder(), reader=ModelReader(model, settings))
        events = []
        for event in assistant.stream(QUESTION, stop=stop):
            events.append(event)
            stop.set()
        assert not provider.requests
    assert isinstance(events[-1], Answer)


def test_columns_take_turns() -> None:
    def piece(place: int) -> Evidence:
        return Evidence(9, "p.pdf", "P", 1, "1", "", place, place + 5, "words")

    turns = interleave_evidence([[piece(1), piece(2)], [piece(2), piece(3), piece(4)], []])
    assert [(one.number, one.start) for one in turns] == [(1, 1), (2, 2), (3, 3), (4, 4)]
