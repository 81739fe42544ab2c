"""The evidence step: passages weighed and noted by the model, quotes still from the page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.answering.model.reader import ModelReader
from rag_app.answering.model.refine import WeighedEvidence, weigh_passages
from rag_app.assistant import Assistant
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Answer, Evidence
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.provider import Provider, Reply
from tests.support.two_papers import HERON, OTTER

QUESTION = "What is the batch size of OtterNet in the training?"
TEXTS = ("The batch size is 512 fish.", "Otters swim.", "The batch size of herons is 64 frogs.", "It rains.")
EVIDENCE = [Evidence(n, f"{n}.pdf", "P", 1, "1", "", 0, len(text), text) for n, text in enumerate(TEXTS, start=1)]


def model(provider: Provider, name: str = "m-70b", **settings: object) -> OpenAIModel:
    chosen = Settings(llm="none", **settings)  # type: ignore[arg-type]
    return OpenAIModel(Endpoint("test", provider.url, name, window=16_000), chosen, first_pause=0.01)


def weigh(*replies: str) -> tuple[WeighedEvidence, Provider]:
    with Provider(*(Reply(pieces=(reply,), usage={"total_tokens": 5}) for reply in replies)) as provider:
        steps = list(
            weigh_passages(QUESTION, EVIDENCE, model(provider), lambda paper: "Published: 2024", threading.Event())
        )
    assert steps[:-1] == list(range(1, len(EVIDENCE) + 1))
    assert isinstance(steps[-1], WeighedEvidence)
    return steps[-1], provider


def test_passages_are_ordered_by_their_worth_and_noted() -> None:
    result, provider = weigh(
        "SCORE: 4\nNOTE: The batch size is 512.", "SCORE: 0\nNOTE: Nothing.", "**Score:** 9\n**Note:** 64 frogs.", "hm"
    )
    assert [(piece.number, piece.text) for piece in result.evidence] == [
        (3, "64 frogs."),
        (1, "The batch size is 512."),
        (4, "It rains."),  # no score came: it stays as it is
    ]
    assert result.tokens == 20
    asked = provider.requests[0].body["messages"][1]["content"]
    assert TEXTS[0] in asked and TEXTS[1] not in asked and "Published: 2024" in asked


def test_a_note_with_an_invented_number_is_not_used() -> None:
    result, _ = weigh("SCORE: 8\nNOTE: The batch size is 1024 fish.")
    assert [piece.text for piece in result.evidence] == list(TEXTS)


def test_when_nothing_is_worth_reading_all_stay() -> None:
    result, _ = weigh("SCORE: 1\nNOTE: nothing")
    assert result.evidence == tuple(EVIDENCE)


@pytest.mark.parametrize(
    ("name", "setting", "expected"),
    [
        ("m-70b", "off", False),
        ("m-70b", "auto", True),
        ("m-7b", "auto", False),
        ("gpt-unknown", "auto", False),
        ("gpt-unknown", "on", True),
    ],
)
def test_who_weighs(name: str, setting: str, expected: bool) -> None:
    settings = Settings(llm="none", evidence_step=setting)  # type: ignore[arg-type]
    named = OpenAIModel(Endpoint("test", "http://127.0.0.1:1/v1", name, window=32_000), settings)
    assert ModelReader(named, settings).weighs is expected
    assert not ModelReader(named, Settings(llm="none")).weighs, "off by default"


# -- whole answers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("weighed")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "otter.md").write_text(OTTER, encoding="utf-8")
    (folder / "corpus" / "heron.md").write_text(HERON, encoding="utf-8")
    Assistant(settings_for(folder), embedder=WordEmbedder()).build()
    yield folder


def ask(folder: Path, provider: Provider) -> Answer:
    settings = settings_for(folder, evidence_step="on", repair="off")
    reader = ModelReader(model(provider, evidence_step="on"), settings)
    return Assistant(settings, embedder=WordEmbedder(), reader=reader).ask(QUESTION, papers=("otter.md",))


def test_the_answer_is_checked_against_the_page_and_not_against_the_note(folder: Path) -> None:
    note = Reply(pieces=("SCORE: 9\nNOTE: Some batch size of fish is told.",))
    with Provider(note, Reply(pieces=("OtterNet has a batch size of 512 fish for every step [1].",))) as provider:
        answer = ask(folder, provider)
        prompt = provider.requests[-1].body["messages"][1]["content"]
    assert "Some batch size of fish is told." in prompt and "512 fish" not in prompt
    assert answer.unsupported == ()
    assert "512 fish" in answer.citations[0].quote and answer.citations[0].verified


def test_a_model_that_fails_at_weighing_reads_the_passages(folder: Path) -> None:
    good = Reply(pieces=("OtterNet has a batch size of 512 fish for every step [1].",))
    with Provider(Reply(status=404), good) as provider:
        answer = ask(folder, provider)
        assert "512 fish" in provider.requests[-1].body["messages"][1]["content"]
    assert answer.status == "answered"
