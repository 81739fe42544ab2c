"""A question is analysed once: planned once, its names looked for once, however it is answered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rag_app.answering.steps import LONGEST_QUESTION
from rag_app.assistant import Assistant
from rag_app.errors import QuestionError
from rag_app.index.bm25 import WordIndex
from rag_app.index.generations import open_current
from rag_app.retrieval import hybrid
from rag_app.retrieval.descriptions import DescriptionMatcher
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.plan import NameIndex, SearchPlan, plan_search
from rag_app.retrieval.question import analyse, analyse_part
from rag_app.retrieval.understanding import UnderstoodQuestion
from tests.support.doubles import WordEmbedder, settings_for, write_corpus


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    folder: Path = tmp_path_factory.mktemp("analysed")
    write_corpus(folder / "corpus")
    made = Assistant(settings_for(folder), embedder=WordEmbedder())
    made.build()
    return made


@pytest.mark.parametrize(
    "question",
    [
        "What is OtterNet?",
        "Compare OtterNet and HeronRank: batch size and rate.",
        "Which papers report results on FishQA?",
        "Where do the papers disagree about stones?",
        "How many points does the otter reach?",
    ],
)
def test_a_question_is_planned_once_and_its_names_are_looked_for_once(
    assistant: Assistant, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    search = NameIndex.search

    def counted_plan(*given: Any) -> SearchPlan:
        counts["plan"] += 1
        return plan_search(*given)

    def counted_search(self: NameIndex, *given: Any) -> object:
        counts["names"] += 1
        return search(self, *given)

    monkeypatch.setattr(hybrid, "plan_search", counted_plan)
    monkeypatch.setattr(NameIndex, "search", counted_search)
    monkeypatch.setattr(
        Retriever, "find_mentions", lambda self, text: pytest.fail(f"names were looked for again: {text}")
    )
    assert assistant.ask(question).status in ("answered", "not_in_papers")
    assert counts == {"plan": 1, "names": 1}


def test_what_the_analysis_tells(assistant: Assistant) -> None:
    generation = open_current(assistant.settings.index_folder)
    retriever = Retriever(generation, None)
    papers = list(generation.by_paper)[:2]
    titles = [generation.by_paper[paper].title for paper in papers]
    text = f"Compare {titles[0]} and {titles[1]}: batch size."
    told = UnderstoodQuestion("", text, "a note")
    found = analyse("typed", told, retriever, Scope())
    assert (found.typed, found.whole, found.search, found.note) == ("typed", "typed", text, "a note")
    assert set(found.named_papers) == set(papers)
    assert found.comparison is not None
    assert set(found.comparison.papers) == set(papers)
    assert not found.demanded
    assert analyse_part(text, retriever, Scope()).comparison is None
    demanded = analyse("typed", told, retriever, Scope(tuple(papers)), "size; rate")
    assert demanded.demanded
    assert demanded.comparison is not None
    assert [aspect.label for aspect in demanded.comparison.aspects] == ["size", "rate"]
    with pytest.raises(QuestionError):
        analyse("typed", UnderstoodQuestion("", "Compare them"), retriever, Scope(), "")
    generation.close()


def test_a_long_question_is_looked_up_in_bounded_steps(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word of 8,000 letters has 400,000 neighbours, and a page of "or"s a thousand sides: each was looked up."""
    counts: Counter[str] = Counter()
    frequency, match = WordIndex.frequency, DescriptionMatcher._match

    def counted_frequency(self: WordIndex, term: str) -> int:
        counts["words"] += 1
        return frequency(self, term)

    def counted_match(self: DescriptionMatcher, *given: Any) -> object:
        counts["descriptions"] += 1
        return match(self, *given)

    monkeypatch.setattr(WordIndex, "frequency", counted_frequency)
    monkeypatch.setattr(DescriptionMatcher, "_match", counted_match)
    assert assistant.ask("o" * LONGEST_QUESTION).status == "not_in_papers" and counts["words"] < 1_000
    assert assistant.ask(("Is OtterNet better than the river heron or " * 200)[:LONGEST_QUESTION]).status
    assert 0 < counts["descriptions"] < 1_500
    refused = assistant.ask("o" * (LONGEST_QUESTION + 1))
    assert refused.status == "error" and f"at most {LONGEST_QUESTION}" in refused.answer
