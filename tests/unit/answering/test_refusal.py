"""What becomes of a model's answer: shown, shown with a warning, or withheld."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.answering.model.reader import ModelReader
from rag_app.answering.refusal import (
    FOUND,
    NOT_ASKED,
    NOT_BACKED,
    UNLIKELY,
    WITHHELD,
    Trust,
    decide_status,
    is_backed,
)
from rag_app.assistant import Assistant
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Answer, Citation, Support, Verdict
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.provider import Provider, Reply
from tests.support.two_papers import HERON, OTTER

CITED = Citation(1, "p.pdf", "P", 1, "1", "", "words", True)
LIKELY, UNLIKELY_CHANCE = 0.9, 0.1


def answer(support: Support = "supported", **more: object) -> Answer:
    values: dict[str, object] = {"citations": (CITED,), "verdicts": (Verdict("It is so [1].", support),), **more}
    return Answer("1", "Is it?", "answered", "It is so [1].", "m", **values)  # type: ignore[arg-type]


def test_a_backed_answer_stays() -> None:
    assert decide_status(answer(), LIKELY, ()) == answer()
    assert decide_status(answer(), UNLIKELY_CHANCE, ()).notes == (UNLIKELY,)


@pytest.mark.parametrize(
    "doubtful", [answer("partly"), answer("not"), answer(citations=()), answer(verdicts=()),
                 answer(citations=(Citation(1, "p.pdf", "P", 1, "1", "", "words", False),))]
)  # fmt: skip
def test_an_answer_without_backing_is_marked_or_withheld(doubtful: Answer) -> None:
    assert not is_backed(doubtful)
    marked = decide_status(doubtful, LIKELY, (CITED,))
    assert (marked.status, marked.answer, marked.notes) == ("answered", doubtful.answer, (NOT_BACKED,))
    withheld = decide_status(doubtful, UNLIKELY_CHANCE, (CITED,))
    assert (withheld.status, withheld.answer, withheld.nearest) == ("not_in_papers", WITHHELD, (CITED,))
    assert withheld.citations == () and withheld.unsupported == () and withheld.verdicts == ()
    broken_off = decide_status(doubtful, UNLIKELY_CHANCE, (CITED,), whole=False)
    assert (broken_off.status, broken_off.notes) == ("answered", (NOT_BACKED,))


def test_a_model_that_found_nothing_is_believed() -> None:
    refused = Answer("1", "Is it?", "not_in_papers", "Not in these papers.", "m", nearest=(CITED,))
    assert decide_status(refused, UNLIKELY_CHANCE, ()) == refused
    assert decide_status(refused, LIKELY, ()).notes == (FOUND,)
    assert decide_status(refused, LIKELY, ()).status == "not_in_papers"


@pytest.mark.parametrize(
    ("trust", "said", "status"),
    [
        ("checked", answer(), "answered"),
        ("none", answer(), "not_in_papers"),
        ("checked", answer(unsupported=("So it is.",)), "answered"),
        ("full", answer(unsupported=("So it is.",)), "answered"),
    ],
)
def test_against_the_signs_a_model_is_believed_by_its_size(trust: Trust, said: Answer, status: str) -> None:
    unlikely = decide_status(said, UNLIKELY_CHANCE, (CITED,), trust=trust)
    assert unlikely.status == status
    assert unlikely.notes == ((UNLIKELY,) if status == "answered" else ())
    assert decide_status(said, LIKELY, (CITED,), trust=trust) == said, "with the signs it is believed"
    assert decide_status(said, UNLIKELY_CHANCE, (CITED,), trust=trust, whole=False).status == "answered"


# -- whole answers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("settled")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "otter.md").write_text(OTTER, encoding="utf-8")
    (folder / "corpus" / "heron.md").write_text(HERON, encoding="utf-8")
    Assistant(settings_for(folder), embedder=WordEmbedder()).build()
    yield folder


def ask(folder: Path, provider: Provider, question: str, name: str = "test-3b") -> Answer:
    settings = settings_for(folder)
    model = OpenAIModel(Endpoint("test", provider.url, name, window=16_000), settings, first_pause=0.01)
    return Assistant(settings, embedder=WordEmbedder(), reader=ModelReader(model, settings)).ask(question)


ASKED = "What is the batch size of OtterNet in the training?"
UNKNOWN = "Who wrote the zygomorphic quaternion library of GPT-9 in Helsinki?"
INVENTED = "It was written by Marjatta Virtanen in the spring of 1987 [1]."


def test_the_model_is_asked_and_then_checked(folder: Path) -> None:
    with Provider(Reply(pieces=("OtterNet has a batch size of 512 fish for every step [1].",))) as provider:
        good = ask(folder, provider, ASKED)
    assert (good.status, good.unsupported, good.repaired) == ("answered", (), False)
    with Provider(Reply(pieces=(INVENTED,)), Reply(pieces=("I do not know",))) as provider:
        invented = ask(folder, provider, UNKNOWN)
        assert len(provider.requests) == 2, "asked, and sent back once"
    assert (invented.status, invented.answer) == ("not_in_papers", WITHHELD)
    assert invented.nearest


def test_what_is_repaired_is_said_and_checked(folder: Path) -> None:
    wrong = "OtterNet has a batch size of 999 fish for every step [1]. OtterNet swims by day in its rivers [1]."
    right = "1: OtterNet has a batch size of 512 fish for every step [1]."
    with Provider(Reply(pieces=(wrong,)), Reply(pieces=(right,))) as provider:
        repaired = ask(folder, provider, ASKED)
    assert repaired.repaired and repaired.unsupported == ()
    assert "512 fish" in repaired.answer and "999" not in repaired.answer
    assert any("Repaired" in note for note in repaired.notes)


def test_a_tiny_model_is_not_asked_what_the_passages_do_not_answer(folder: Path) -> None:
    with Provider(Reply(pieces=(INVENTED,))) as provider:
        refused = ask(folder, provider, UNKNOWN, name="tiny-135m")
        assert not provider.requests
    assert (refused.status, refused.reader, refused.citations) == ("not_in_papers", "quoting", ())
    assert NOT_ASKED in refused.notes
    assert refused.nearest
    with Provider(Reply(pieces=("OtterNet has a batch size of 512 fish for every step.",))) as provider:
        assert ask(folder, provider, ASKED, name="tiny-135m").reader == "tiny-135m"
        assert len(provider.requests) == 1


BACKED = "OtterNet has a batch size of 512 fish for every step [1]."


@pytest.mark.parametrize(
    ("name", "parameters", "status", "said"),
    [
        ("test-model", 3_000_000_000, "answered", ""),
        ("test-model", 100_000_000, "not_in_papers", ""),  # the server tells that it is tiny
        ("test-3b", 0, "answered", ""),
    ],
)
def test_how_far_a_model_is_believed(folder: Path, name: str, parameters: int, status: str, said: str) -> None:
    listed = {"/v1/models": {"data": [{"id": name, "meta": {"n_params": parameters}}]}}
    with Provider(Reply(pieces=(f"{BACKED} {INVENTED}",)), get=listed) as provider:
        got = ask(folder, provider, f"{UNKNOWN} Was it OtterNet with a batch size of 512?", name=name)
        assert bool(provider.requests) == (parameters != 100_000_000)
    assert got.status == status
    if status == "answered":
        assert UNLIKELY in got.notes
    assert said in got.answer
