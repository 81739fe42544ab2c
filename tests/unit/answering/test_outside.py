"""A question that has nothing to do with the library gets one sentence; whatever names its papers is let through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.answering.library import HELLO
from rag_app.answering.outside import FITTED_TO, measure_relatedness, score_relatedness
from rag_app.answering.quoting.reader import NOT_IN_PAPERS, QuotingReader
from rag_app.answering.refusal import OUTSIDE
from rag_app.assistant import Assistant
from rag_app.index import generations
from tests.support.doubles import WordEmbedder, settings_for

OTTER = """# OtterNet: Finding Fish in Rivers

We present OtterNet, a swimmer of rivers. It finds every fish in the river with 384 whiskers.
"""
HERON = """# HeronRank: Ranking by Patience

We present HeronRank, a patient stander on one leg. It ranks every pond by its patience.
"""


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    folder = tmp_path_factory.mktemp("outside")
    corpus: Path = folder / "corpus"
    corpus.mkdir()
    for name, text in (("otter.md", OTTER), ("heron.md", HERON)):
        (corpus / name).write_text(text, encoding="utf-8")
    ready = Assistant(settings_for(folder), embedder=WordEmbedder(FITTED_TO), reader=QuotingReader())
    ready.build()
    yield ready


@pytest.mark.parametrize("question", ["How do I unclog a kitchen sink?", "Which papers mention sourdough?"])
def test_a_question_from_outside_gets_one_sentence_and_two_passages_at_most(
    assistant: Assistant, question: str
) -> None:
    answer = assistant.ask(question)
    assert (answer.status, answer.answer, answer.notes) == ("not_in_papers", OUTSIDE, ())
    assert len(answer.nearest) <= 2 and answer.searched is not None


def test_a_table_that_is_demanded_of_it_is_none(assistant: Assistant) -> None:
    assert assistant.compare("How do I unclog a sink?", papers=("otter.md", "heron.md")).answer == OUTSIDE


@pytest.mark.parametrize(
    "question",
    [
        "Does HeronRank unclog kitchen sinks?",
        "Compare OtterNet and HeronRank: kitchen sinks",
        "which papers mention whiskers",
        "how many whiskers find every fish in the river",
        "How many whiskers?",
    ],
)
def test_a_name_or_a_word_of_the_papers_is_no_outsider(assistant: Assistant, question: str) -> None:
    assert assistant.ask(question).answer != OUTSIDE


def test_what_no_paper_treats_is_refused_with_what_comes_nearest(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = "how many whiskers find every fish in the old river"
    assert assistant.ask(question).status == "answered"
    monkeypatch.setattr("rag_app.answering.outside.ABSENT", 1e9)
    answer = assistant.ask(question)
    assert (answer.status, answer.answer) == ("not_in_papers", NOT_IN_PAPERS)
    assert "384 whiskers" in answer.nearest[0].quote
    assert assistant.ask("What is OtterNet?").status == "answered"
    assert assistant.ask(question, papers=("otter.md",)).status == "answered"


def test_a_greeting_in_front_of_it_is_returned(assistant: Assistant) -> None:
    assert assistant.ask("Good morning, are you awake?").answer == HELLO
    assert assistant.ask("Hidden kitchen sinks?").answer == OUTSIDE


def test_the_cosines_of_another_embedder_decide_nothing(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "otter.md").write_text(OTTER, encoding="utf-8")
    other = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=QuotingReader())
    other.build()
    assert other.ask("How do I unclog a kitchen sink?").answer != OUTSIDE


def test_each_sign_speaks_for_the_library(assistant: Assistant) -> None:
    generation = generations.open_current(assistant.settings.index_folder)

    def signs_of(text: str) -> dict[str, float]:
        return measure_relatedness(text, assistant.embedder.embed_question(text), generation)

    try:
        near, far, empty = map(signs_of, ("fish in the river", "sinks in the kitchen", "what is it?"))
    finally:
        generation.close()
    assert (near["together"], far["together"], empty) == (1.0, 0.0, {})
    assert near["likeness"] > far["likeness"]
    assert score_relatedness(near) > score_relatedness(far)
