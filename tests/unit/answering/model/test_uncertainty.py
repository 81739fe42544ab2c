"""Semantic entropy: the same answer in other words is one meaning, another number is another."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.answering.model.reader import ModelReader
from rag_app.answering.model.uncertainty import group_by_meaning, semantic_entropy
from rag_app.assistant import Assistant
from rag_app.models.embedder import open_embedder
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.outputs.json import answer_json
from rag_app.records import Answer
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.provider import Provider, Reply
from tests.support.two_papers import HERON, OTTER

SAME = ("The batch size is 512 fish [1].", "A batch size of 512 fish [2].", "Batch size: 512 fish.")


def test_same_meanings_have_no_entropy() -> None:
    assert semantic_entropy(SAME) == 0.0
    assert group_by_meaning(SAME) == [[0, 1, 2]]
    assert semantic_entropy([]) == 0.0


def test_another_number_or_other_words_are_another_meaning() -> None:
    other = [*SAME, "The batch size is 64 fish.", "NOT IN THE PAPERS", "not in the papers."]
    assert group_by_meaning(other) == [[0, 1, 2], [3], [4, 5]]
    assert semantic_entropy(other) == pytest.approx(-(0.5 * log(0.5) + log(1 / 6) / 6 + log(1 / 3) / 3))
    apart = ["Otters swim at night.", "Herons stand in ponds.", "Yaks climb."]
    assert semantic_entropy(apart) == pytest.approx(log(3))


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_it_lies_between_none_and_all_different(samples: list[str]) -> None:
    assert 0.0 <= semantic_entropy(samples) <= log(len(samples)) + 1e-9
    assert sorted(place for group in group_by_meaning(samples) for place in group) == list(range(len(samples)))


def test_the_real_embedder_sees_paraphrases(models: Path) -> None:
    embed = open_embedder(Settings(llm="none"), models).embed_passages
    paraphrased = [
        "The retriever was trained with contrastive learning.",
        "Contrastive learning was used to train the retriever.",
    ]
    assert len(group_by_meaning(paraphrased, embed)) == 1
    assert len(group_by_meaning([paraphrased[0], "The index is kept in memory by each of the servers."], embed)) == 2


# -- whole answers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sampled")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "otter.md").write_text(OTTER, encoding="utf-8")
    (folder / "corpus" / "heron.md").write_text(HERON, encoding="utf-8")
    Assistant(settings_for(folder), embedder=WordEmbedder()).build()
    yield folder


SAID = "OtterNet has a batch size of 512 fish for every step [1]."


def ask(folder: Path, provider: Provider, samples: int) -> Answer:
    settings = settings_for(folder, samples=samples)
    model = OpenAIModel(Endpoint("test", provider.url, "test-3b", window=16_000), settings, first_pause=0.01)
    assistant = Assistant(settings, embedder=WordEmbedder(), reader=ModelReader(model, settings))
    return assistant.ask("What is the batch size of OtterNet in the training?")


def test_samples_are_warm_and_measured(folder: Path) -> None:
    other = Reply(pieces=("It is 64 frogs.",), usage={"total_tokens": 7})
    first = Reply(pieces=(SAID,), usage={"total_tokens": 10})
    with Provider(first, first, first, other, other) as provider:
        answer = ask(folder, provider, 4)
        assert [request.body["temperature"] for request in provider.requests] == [0.0, 1.0, 1.0, 1.0, 1.0]
        prompts = {str(request.body["messages"]) for request in provider.requests}
        assert len(prompts) == 1
    assert answer.semantic_entropy == pytest.approx(log(2), abs=1e-3)
    assert answer.tokens == 44
    assert any("2 answers with different meanings" in note for note in answer.notes)
    assert answer_json(answer)["semantic_entropy"] == answer.semantic_entropy


@pytest.mark.parametrize("samples", [0, 1])
def test_unasked_nothing_is_sampled(folder: Path, samples: int) -> None:
    with Provider(Reply(pieces=(SAID,))) as provider:
        assert ask(folder, provider, samples).semantic_entropy is None
        assert len(provider.requests) == 1


def test_a_model_that_fails_now_has_answered(folder: Path) -> None:
    with Provider(Reply(pieces=(SAID,)), Reply(status=404)) as provider:
        answer = ask(folder, provider, 3)
    assert (answer.status, answer.semantic_entropy) == ("answered", None)
