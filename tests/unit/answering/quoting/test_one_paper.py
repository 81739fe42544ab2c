"""Questions about one paper: recognised by a name that is its own, and answered with what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.answering.context import IndexTermStatistics
from rag_app.answering.quoting.one_paper import Subject, rank_about, subject_of
from rag_app.answering.quoting.reader import QuotingReader
from rag_app.answering.steps import find_evidence
from rag_app.assistant import Assistant
from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation, open_current
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.question import analyse_part
from tests.support.doubles import WordEmbedder, settings_for

OTTER = """# OtterNet: A Network that Swims

## Abstract

Many networks sink. We propose OtterNet, which keeps its fur dry by trapping air and swims for eight hours.
OtterNet beats earlier swimmers on both rivers.

## 1 Introduction

OtterNet is a network. OtterNet is compared with OtterNet variants, and OtterNet wins. OtterNet is the name of OtterNet.

## 2 Related work

Heron et al. (2019) train their bird on the lake for 90 days. Others train swimmers on ponds.
Earlier swimmers of Heron et al. (2019) were trained on three rivers.

## 3 Training

We train on two rivers for 14 days with a batch size of 32. The learning rate is 0.001.

## 4 Limitations

It cannot dive below ten metres, and it needs fish every hour.
"""
HERON = """# HeronRank: Ranking by Standing Still

## Abstract

We propose HeronRank, which waits. HeronRank uses data of a swim benchmark and mentions OtterNet once.

## 2 Training

HeronRank is trained on one lake with a batch size of 8.
"""


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    folder = tmp_path_factory.mktemp("subject")
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "otter.md").write_text(OTTER, encoding="utf-8")
    (corpus / "heron.md").write_text(HERON, encoding="utf-8")
    for number in range(4):
        text = f"# Swim study {number}\n\n## Results\n\nA swim of {number} hours was seen. Swim and swim again.\n"
        (corpus / f"swim{number}.md").write_text(text, encoding="utf-8")
    made = Assistant(settings_for(folder), embedder=WordEmbedder())
    made.build()
    return made


@pytest.fixture
def generation(assistant: Assistant) -> Iterator[Generation]:
    opened = open_current(assistant.settings.index_folder)
    yield opened
    opened.close()


def _subject(question: str, generation: Generation, *papers: str) -> Subject | None:
    asked = analyse_part(question, Retriever(generation, None), Scope(papers))
    return subject_of(asked, generation, IndexTermStatistics(generation), extract_terms)


def test_the_paper_that_a_question_names_and_what_is_asked_of_it(generation: Generation) -> None:
    assert _subject("How long is OtterNet trained?", generation) == Subject(
        "otter.md", "How long is trained?", overview=False
    )
    assert _subject("What is OtterNet's batch size?", generation) == Subject(
        "otter.md", "What is batch size?", overview=False
    )


@pytest.mark.parametrize(
    "question",
    ["What is OtterNet?", "Explain the main idea of OtterNet", "What does OtterNet do and why does it help?"],
)
def test_nothing_else_is_asked(question: str, generation: Generation) -> None:
    found = _subject(question, generation)
    assert found is not None
    assert found.overview


@pytest.mark.parametrize(
    "question", ["How long do networks swim?", "How do OtterNet and HeronRank differ in training?"]
)
def test_no_paper_and_several_papers_are_no_subject(question: str, generation: Generation) -> None:
    assert _subject(question, generation) is None


def test_a_name_that_others_use_more_means_no_paper(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "own.md").write_text(
        "# SWIM: A Network\n\n## Abstract\n\nWe propose SWIM, a network.\n", encoding="utf-8"
    )
    for number in range(14):
        text = f"# Study {number}\n\n## Results\n\nThe SWIM of study {number} took long, as each SWIM does.\n"
        (tmp_path / "corpus" / f"{number}.md").write_text(text, encoding="utf-8")
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder())
    assistant.build()
    generation = open_current(assistant.settings.index_folder)
    assert Retriever(generation, None).plan("How long does the SWIM scorer take?").named == ("own.md",)
    assert _subject("How long does the SWIM scorer take?", generation) is None
    generation.close()


def test_a_question_that_is_limited_to_one_paper_is_about_it(generation: Generation) -> None:
    asked = "What does it need every hour?"
    assert _subject(asked, generation, "otter.md") == Subject("otter.md", asked, overview=False)
    assert _subject(asked, generation, "gone.md") is None
    summary = _subject("What is this paper about?", generation, "otter.md")
    assert summary is not None
    assert summary.overview


def test_what_a_paper_is_about_is_told_by_its_abstract(assistant: Assistant) -> None:
    answer = assistant.ask("What is OtterNet?")
    assert answer.status == "answered"
    assert answer.citations[0].section == "Abstract"
    assert "We propose OtterNet" in answer.answer
    assert {citation.paper for citation in answer.citations} == {"otter.md"}


def test_the_papers_own_training_comes_before_that_of_others(generation: Generation) -> None:
    question = "How is OtterNet trained?"
    retriever = Retriever(generation, WordEmbedder().embed_question)
    found = find_evidence(retriever, analyse_part(question, retriever, Scope()), 6000)
    assert found.subject is not None
    _, ranked = rank_about(
        found.subject,
        question,
        found.evidence,
        extract_terms,
        IndexTermStatistics(generation),
        WordEmbedder(),
        found.page_of,
    )
    place = {text: at for at, text in enumerate(unit.text for unit in ranked)}
    own = next(at for text, at in place.items() if text.startswith("We train on two rivers"))
    assert all(own < at for text, at in place.items() if "bird on the lake" in text or "HeronRank is trained" in text)


def test_the_authors_own_voice_outweighs_a_word_more(generation: Generation) -> None:
    question = "On how many rivers was OtterNet trained?"
    retriever = Retriever(generation, WordEmbedder().embed_question)
    found = find_evidence(retriever, analyse_part(question, retriever, Scope()), 6000)
    assert found.subject is not None
    _, ranked = rank_about(
        found.subject, question, found.evidence, extract_terms, IndexTermStatistics(generation), None, found.page_of
    )
    texts = [unit.text for unit in ranked if "rivers" in unit.text and "train" in unit.text]
    assert [text.split()[0] for text in texts] == ["We", "Earlier"]


def test_what_a_paper_is_about_is_never_refused(assistant: Assistant) -> None:
    assert assistant.ask("Tell me everything about HeronRank in detail").status == "answered"


def test_what_a_paper_is_about_begins_with_what_it_proposes(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "otter.md").write_text(OTTER, encoding="utf-8")
    (tmp_path / "corpus" / "newt.md").write_text(
        "# NewtNet: Moist Networks for Ponds\n\n## Abstract\n\nPermission to copy our NewtNet is granted to all of us. "
        "Our NewtNet sheds new light on our ponds. We introduce moist networks for ponds that shrink in summer. "
        "Furthermore, we present our NewtNet at our fair. We release all our NewtNet models and our code publicly.\n"
    )
    ready = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=QuotingReader())
    ready.build()
    answer = ready.ask("What is NewtNet about?")
    assert answer.answer.startswith("We introduce moist networks for ponds")
