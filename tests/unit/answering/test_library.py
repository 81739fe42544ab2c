"""Questions about the library and small talk: answered from records and pages, without a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_app.assistant import Assistant
from rag_app.records import LIBRARY
from rag_app.retrieval.hybrid import Retriever
from tests.support.doubles import WordEmbedder, settings_for

OTTER = "# OtterNet: Finding Fish in Rivers\n\n## Results\n\nOtterNet finds nine fish an hour in cold rivers.\n"
HERON = "# HeronRank: Standing Still\n\n## Method\n\nWe propose HeronRank, which waits for frogs.\n"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    folder: Path = tmp_path_factory.mktemp("library")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "otter.md").write_text(OTTER, encoding="utf-8")
    (folder / "corpus" / "heron.md").write_text(HERON, encoding="utf-8")
    made = Assistant(settings_for(folder), embedder=WordEmbedder())
    made.build()
    return made


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("hello", "Hello"),
        ("thanks, that was helpful!", "welcome"),
        ("what can you do", "quote"),
        ("how many papers are there?", "2 papers"),
        ("list all papers", "OtterNet: Finding Fish in Rivers"),
        ("how many pages has OtterNet?", "1 page"),
        ("Section 7.2 of HeronRank", "has no Section 7.2"),
        ("papers by Nobody Known", "No paper here names"),
        ("cool, thanks for the help", "welcome"),
        ("what sort of questions can I ask?", "quote"),
        ("how big is this collection?", "2 papers"),
        ("what is the title of HeronRank", "Standing Still"),
        ("is HeronRank in here?", "Yes: HeronRank"),
        ("length of the OtterNet paper", "1 page"),
    ],
)
def test_the_library_answers_without_a_search(
    assistant: Assistant, question: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retriever, "find_passages", lambda *given: pytest.fail("searched"))
    answer = assistant.ask(question)
    assert answer.reader == LIBRARY
    assert said in answer.answer


@pytest.mark.parametrize(
    "question",
    [
        "How many fish an hour does OtterNet find?",
        "Which papers propose HeronRank?",
        "is HeronRank patient",
        "length of the input in OtterNet",
    ],
)
def test_what_papers_say_is_searched_for(assistant: Assistant, question: str) -> None:
    assert assistant.ask(question).reader != LIBRARY


def test_a_follow_up_means_the_turn_before_the_small_talk(assistant: Assistant) -> None:
    before = assistant.ask("How many fish an hour does OtterNet find?")
    thanks = assistant.ask("thanks!", history=[before])
    assert "OtterNet" in assistant.ask("Does it find fish in cold rivers?", history=[before, thanks]).asked


def test_a_misspelt_word_is_searched_for_as_the_papers_write_it(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for number in range(4):
        text = f"# Study {number}\n\n## Results\n\nThe salmon of river {number} weighs much.\n"
        (tmp_path / "corpus" / f"{number}.md").write_text(text, encoding="utf-8")
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder())
    assistant.build()
    notes = assistant.ask("How much does the salmno weigh?").notes
    assert any("“salmno” is in no paper: searched for “salmon”" in note for note in notes)
    assert not any("salmno” is" in note for note in assistant.ask('How much does the "salmno" weigh?').notes)


def test_suggested_questions_were_tried_on_the_index(assistant: Assistant) -> None:
    questions = assistant.suggest_questions()
    assert questions
    assert all(assistant.ask(question).citations for question in questions)
