"""Kinds of questions that failed once, asked of a small library: spellings, absent versions, lists, bullet points."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_app.assistant import Assistant
from rag_app.outputs.json import answer_json, parse_answer
from rag_app.records import LIBRARY
from tests.support.doubles import WordEmbedder, settings_for

RIVERS = " ".join(f"## Part {n}\n\nIn region {n} cold rivers hold fish that hide below stones.\n" for n in range(4))
PAPERS = {
    "otter.md": (
        "# OtterNet: Finding Fish in Rivers\n\n## Abstract\n\nWe present OtterNet, which finds fish. "
        "It swims at night. It rests by day. It eats nine fish an hour.\n\n"
        "## Experiments\n\nWe evaluate OtterNet on FishQA. A holt, a den below a bank, keeps it dry."
        f"\n\n{RIVERS}"
    ),
    "heron.md": (
        "# HeronRank: Standing Still\n\n## Abstract\n\nWe propose HeronRank, which waits for frogs.\n\n"
        "## Experiments\n\nWe evaluate HeronRank on FishQA. It waits for long because frogs are shy.\n"
    ),
    "survey.md": "# Birds at Rivers: A Survey\n\n## Abstract\n\nThis survey covers birds at rivers and ponds.\n",
}


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    folder: Path = tmp_path_factory.mktemp("kinds")
    (folder / "corpus").mkdir()
    for name, text in PAPERS.items():
        (folder / "corpus" / name).write_text(text, encoding="utf-8")
    made = Assistant(settings_for(folder), embedder=WordEmbedder())
    made.build()
    return made


def test_all_spellings_of_a_name_give_one_list(assistant: Assistant) -> None:
    lists = []
    for name in ("FishQA", "Fish-QA", "fish QA"):
        plan = assistant.ask(f"Which papers evaluate on {name}?").plan
        assert plan is not None
        lists.append(set(plan.papers))
    assert lists == [{"otter.md", "heron.md"}] * 3


def test_a_version_that_is_not_here_is_no_row_and_the_nearest_is_offered(assistant: Assistant) -> None:
    answer = assistant.ask("Compare HeronRank, OtterNet v7 and Birds at Rivers: what do they eat")
    assert answer.table is not None and {row.paper for row in answer.table.rows} == {"heron.md", "survey.md"}
    assert any("“OtterNet v7” is not in this library" in note for note in answer.notes)
    (other,) = answer.alternatives
    assert (other.kind, other.text, other.taken) == ("paper", "OtterNet v7", "")
    assert other.instead == "OtterNet: Finding Fish in Rivers"
    table = assistant.ask(other.question).table
    assert table is not None and {row.paper for row in table.rows} == {"heron.md", "otter.md", "survey.md"}


def test_a_corrected_word_is_undone_with_one_question(assistant: Assistant) -> None:
    answer = assistant.ask("What do cold rivres hold?")
    (other,) = answer.alternatives
    assert (other.kind, other.text, other.taken, other.instead) == ("spelling", "rivres", "rivers", "rivres")
    assert other.question == 'What do cold "rivres" hold?'
    assert not assistant.ask(other.question).alternatives
    assert parse_answer(answer_json(answer)).alternatives == answer.alternatives


def test_bullet_points_are_as_many_as_asked_for(assistant: Assistant) -> None:
    lines = assistant.ask("Summarize the OtterNet paper in three bullet points").answer.splitlines()
    assert len(lines) == 3 and all(line.startswith("- ") for line in lines)


@pytest.mark.parametrize("question", ["are there any surveys", "do you have a review?", "list the surveys in here"])
def test_kinds_of_papers_are_told_from_titles(assistant: Assistant, question: str) -> None:
    answer = assistant.ask(question)
    assert answer.reader == LIBRARY and "Birds at Rivers: A Survey" in answer.answer and "Heron" not in answer.answer


@pytest.mark.parametrize(
    ("question", "first"),
    [("What is a holt?", "A holt, a den below a bank"), ("Why does HeronRank wait?", "because frogs are shy")],
)
def test_the_sentence_that_answers_goes_first(assistant: Assistant, question: str, first: str) -> None:
    assert first in assistant.ask(question).answer.split("[")[0]
