"""Questions about all papers, from paper to paper, and of disagreement: recognised, answered, or left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag_app.answering.across.disagreement import (
    DirectedClaim,
    asks_for_disagreement,
    direction_of,
    find_opposed_pairs,
    select_claims,
)
from rag_app.answering.across.multi_hop import parse_chain
from rag_app.answering.across.survey_topic import parse_survey_topic
from rag_app.answering.model.reader import ModelReader
from rag_app.answering.quoting.ranking import Unit
from rag_app.answering.quoting.reader import QuotingReader
from rag_app.assistant import Assistant
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.outputs.json import answer_json
from rag_app.outputs.terminal import answer_text
from rag_app.records import Answer, Evidence
from rag_app.server.web.render import answer_html
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.provider import Provider, Reply


@pytest.mark.parametrize(
    ("question", "names", "mentioned"),
    [
        ("Which papers report results on FishQA?", ("FishQA",), False),
        ("Which of these papers mention FishQA?", ("FishQA",), True),
        ("In which papers are accuracies on FishQA or PondQA reported?", ("FishQA", "PondQA"), False),
        ("What do the papers say about nest building?", (), True),
        ("List the papers that use FishQA.", ("FishQA",), False),
        ("which ones use FishQA?", ("FishQA",), False),
        ("name those that mention FishQA", ("FishQA",), True),
        ("FishQA was the test set in which papers?", ("FishQA",), False),
        ("who else tests on FishQA", ("FishQA",), False),
        ("is there any paper that uses FishQA", ("FishQA",), False),
        ("papers, please, with FishQA results", ("FishQA",), False),
        ("FishQA: who uses it?", ("FishQA",), False),
    ],
)
def test_a_question_about_all_papers(question: str, names: tuple[str, ...], mentioned: bool) -> None:
    topic = parse_survey_topic(question)
    assert topic is not None
    assert topic.names == names
    assert topic.mentioned == mentioned


@pytest.mark.parametrize(
    "question",
    [
        "What is FishQA?",
        "How do OtterNet and HeronRank differ?",
        "Which papers?",
        "Who wrote the otter paper?",
        "list the authors of OtterNet",
        "which paper introduces FishQA",
    ],
)
def test_other_questions_are_about_no_topic(question: str) -> None:
    assert parse_survey_topic(question) is None


def test_a_chain_is_what_names_one_paper_and_asks_of_another() -> None:
    question = "OtterNet swims with a fin described in another paper here. How long is that fin?"
    chain = parse_chain(question, ["otter.md"], [(0, 8)])
    assert chain is not None
    assert chain.first == "otter.md"
    assert "swims with a fin" in chain.link
    assert chain.asks == "How long is fin?"
    assert parse_chain("OtterNet swims with a fin. How long is it?", ["otter.md"], [(0, 8)]) is None
    assert parse_chain(question, [], []) is None


def test_a_name_in_the_description_names_nobody() -> None:
    question = "OtterNet is compared with an earlier HeronRank scorer from this set. How long is its bill?"
    start = question.index("HeronRank")
    chain = parse_chain(question, ["otter.md", "heron.md"], [(0, 8), (start, start + 9)])
    assert chain is not None
    assert chain.first == "otter.md"


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("Random stones improve swimming.", 1),
        ("Random stones degrade swimming.", -1),
        ("Random stones do not improve swimming.", -1),
        ("Random stones may improve swimming.", 0),
        ("Random stones improve speed but degrade accuracy.", 0),
        ("Random stones reduce the error.", 0),
        ("Random stones lie there.", 0),
        ("Random stones are often less effective.", -1),
        ("Random stones are outperformed by sand.", -1),
        ("Random stones need no training data, and improve swimming.", 1),  # "no" belongs to another clause
        ("Increasing the number of stones hurts swimming.", -1),
        ("It is a common misconception that stones are beneficial.", 0),
        ("We leave out stones that are unhelpful for swimming.", 0),
        ("The gain brought by stones stays the same.", 1),
        ("We draw negative stones from the same river.", 0),
        ("Random stones reduce the disparity between rivers.", 0),
        ("Random stones not only outperform sand, they are cheap.", 1),
        ("Removing the NSP loss improves swimming.", 1),  # a loss by its name is a part of the method
        ("Random stones improve the loss.", 0),
    ],
)
def test_the_direction_of_a_claim(text: str, direction: int) -> None:
    assert direction_of(text) == direction


def claims_of(text: str, paper: str) -> list[DirectedClaim]:
    piece = Evidence(1, paper, "Stone Paddling in Rivers", 1, "1", "Results", 0, len(text), text)
    unit = Unit(piece, 0, len(text), vector=np.array([1.0, 0.0]) if paper == "a.pdf" else np.array([0.0, 1.0]))
    return select_claims([unit])


def test_claims_measured_against_the_same_oppose_each_other_in_unlike_words() -> None:
    better = claims_of("With the exception of FishQA, the paddle performs consistently better than BM25.", "a.pdf")
    worse = claims_of("However, they do not transfer well, and are outperformed by methods such as BM25.", "b.pdf")
    other = claims_of(
        "However, they do not transfer well, and are outperformed by methods such as Contriever.", "b.pdf"
    )
    assert [claim.against for claim in better + worse] == [{"bm25"}, {"bm25"}]
    (pair,) = find_opposed_pairs(better + worse, "stone paddling versus BM25")
    assert {pair.one.evidence.paper, pair.other.evidence.paper} == {"a.pdf", "b.pdf"}
    assert not find_opposed_pairs(better + other, "stone paddling versus BM25")
    assert not find_opposed_pairs(better + worse, "swimming versus BM25")  # neither says so, nor does its title


def test_the_same_act_by_name_is_what_they_disagree_on() -> None:
    worse = claims_of("In Table 5, we show that removing NSP hurts performance on FishQA significantly.", "a.pdf")
    better = claims_of("We find that removing the NSP loss matches or slightly improves swimming in ponds.", "b.pdf")
    other = claims_of("We find that keeping the NSP loss matches or slightly improves swimming in ponds.", "b.pdf")
    assert [claim.acts for claim in worse + better] == [{("remov", "nsp")}] * 2
    assert find_opposed_pairs(worse + better, "NSP")[0].conditions == ("FishQA", "")
    assert find_opposed_pairs(worse + better, "whether removing NSP hurts")
    assert not find_opposed_pairs(worse + other, "NSP")


def test_claims_that_do_not_speak_of_the_topic_are_no_pair() -> None:
    vector = np.array([1.0, 0.0])
    better = claims_of("Long river contexts improve the swimming accuracy of otters in ponds.", "a.pdf")
    worse = claims_of("Long river contexts degrade the swimming accuracy of otters in ponds.", "b.pdf")
    better[0].unit.vector = worse[0].unit.vector = vector
    assert find_opposed_pairs(better + worse, "long contexts")
    assert not find_opposed_pairs(better + worse, "otters as judges"), "neither speaks of judges"
    assert not find_opposed_pairs(better + worse, "the number of stones")


def test_a_name_alone_does_not_say_what_is_measured_against_it() -> None:
    better = claims_of("LynxNet outperforms GPT-3 on most benchmarks.", "a.pdf")
    worse = claims_of("Our small swimmer performs slightly worse than GPT-3 on fish.", "b.pdf")
    assert not find_opposed_pairs(better + worse, "GPT-3")


def test_what_asks_for_disagreement() -> None:
    assert asks_for_disagreement("Where do the papers disagree about stones?")
    assert not asks_for_disagreement("How do the papers differ?")


# -- whole answers --------------------------------------------------------------------------------------------------

OTTER = """# OtterNet: Finding Fish in Rivers

We present OtterNet, a swimmer of rivers. We test OtterNet on FishQA (FQA) and report an accuracy of 71.5 there.

## 1 Method

We take the paddle of HeronRank, an unsupervised paddle, to swim upstream with every stroke of the day.

## 2 Results

Adding random stones to the river bed improves the swimming accuracy of every animal by 12 points.
"""
HERON = """# HeronRank: Ranking by Patience

We present HeronRank, an unsupervised stander with a paddle. We evaluate HeronRank on PondQA alone.

## 1 Paddle

The paddle of HeronRank was carved from 384 reeds of the northern shore within nine days.

## 2 Results

Adding random stones to the river bed degrades the swimming accuracy of every animal in our nine ponds.
"""
LYNX = """# LynxReader: Reading Tracks

We present LynxReader, which reads tracks in fresh snow and was evaluated on the SnowQA collection.

## 1 Related Work

Lutra et al. (2019) evaluate their swimmer on FishQA, which has nothing to do with snow.
"""


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    folder = tmp_path_factory.mktemp("special")
    corpus: Path = folder / "corpus"
    corpus.mkdir()
    for name, text in (("otter.md", OTTER), ("heron.md", HERON), ("lynx.md", LYNX), ("empty.md", "")):
        (corpus / name).write_text(text, encoding="utf-8")
    ready = Assistant(settings_for(folder), embedder=WordEmbedder(), reader=QuotingReader())
    ready.build()
    yield ready


def check(answer: Answer, assistant: Assistant) -> None:
    """Every mark leads to words that stand on their page, numbered by first use."""
    for citation in answer.citations:
        assert citation.verified
        assert citation.quote in assistant.page(citation.paper, citation.page).text
    marks = [int(number) for number in re.findall(r"\[(\d+)\]", answer.answer)]
    assert list(dict.fromkeys(marks)) == [citation.number for citation in answer.citations]


def test_every_paper_is_looked_at(assistant: Assistant) -> None:
    answer = assistant.ask("Which papers report results on FishQA?")
    check(answer, assistant)
    assert {citation.paper for citation in answer.citations} == {"otter.md"}
    assert answer.plan is not None
    assert (answer.plan.kind, answer.plan.searched) == ("survey", 3)
    assert any("in passing" in note and "LynxReader" in note for note in answer.notes)
    assert any("empty.md" in note for note in answer.notes)


@pytest.mark.parametrize(
    "question",
    ["which ones report FQA results?", "which models were tested on fish QA?", "where is FishQA used?"],
)
def test_other_forms_of_a_list_and_of_a_name(assistant: Assistant, question: str) -> None:
    answer = assistant.ask(question)
    check(answer, assistant)
    assert answer.plan is not None
    assert (answer.plan.kind, answer.plan.papers) == ("survey", ("otter.md",))


def test_of_a_topic_without_names_the_papers_that_say_it_outright_are_listed(assistant: Assistant) -> None:
    answer = assistant.ask("which ones read tracks in fresh snow or mud")
    check(answer, assistant)
    assert answer.plan is not None and answer.plan.papers == ("lynx.md",)
    assert answer.answer.startswith("LynxReader: ")


def test_a_paper_that_is_excepted_is_not_listed(assistant: Assistant) -> None:
    answer = assistant.ask("who else besides LynxReader mentions FishQA?")
    assert {citation.paper for citation in answer.citations} == {"otter.md"}


def test_a_mention_is_enough_where_it_is_asked_for(assistant: Assistant) -> None:
    answer = assistant.ask("Which papers mention FishQA?")
    assert {citation.paper for citation in answer.citations} == {"otter.md", "lynx.md"}


def test_what_no_paper_names_is_in_none_of_them(assistant: Assistant) -> None:
    assert assistant.ask("Which papers report results on BeaverQA?").status == "not_in_papers"


def test_only_papers_in_scope_are_looked_at(assistant: Assistant) -> None:
    answer = assistant.ask("Which papers mention FishQA?", papers=("lynx.md",))
    assert {citation.paper for citation in answer.citations} == {"lynx.md"}


def test_a_chain_shows_its_steps(assistant: Assistant) -> None:
    answer = assistant.ask(
        "OtterNet swims with an unsupervised paddle described in another paper here. "
        "From how many reeds of the northern shore was that paddle carved?"
    )
    check(answer, assistant)
    assert [step.paper for step in answer.steps] == ["otter.md", "heron.md"]
    assert answer.steps[0].found == "HeronRank"
    assert answer.citations[0].paper == "otter.md"
    assert "384 reeds" in answer.answer
    assert answer_json(answer)["steps"][1]["paper"] == "heron.md"
    assert "Step 1." in answer_text(answer)
    html = answer_html(answer, lambda citation: f"place-{citation.number}")
    assert '<details class="steps"' in html
    assert html.count("<li>") >= 2


def test_claims_that_oppose_each_other(assistant: Assistant) -> None:
    answer = assistant.ask("Where do the papers disagree about random stones?")
    check(answer, assistant)
    assert {citation.paper for citation in answer.citations} == {"otter.md", "heron.md"}
    assert "improves" in answer.answer
    assert "degrades" in answer.answer
    assert "only here: 12" in answer.answer


def test_no_disagreement_is_said(assistant: Assistant) -> None:
    answer = assistant.ask("Where do the papers disagree about fresh snow?")
    assert answer.status == "not_in_papers"
    assert not answer.citations


def test_another_number_for_the_same_is_shown_with_its_rows(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for name, title, split, figure in (("a.md", "OtterNet", "test ", "71.5"), ("b.md", "HeronRank", "", "68.2")):
        table = f"| Model | FishQA | PondQA |\n|---|---|---|\n| OtterNet | {figure} | 11.0 |\n"
        text = f"# {title}: Finding Fish\n\nWe swim in rivers.\n\nTable 1: Accuracy on the {split}sets.\n\n{table}"
        (tmp_path / "corpus" / name).write_text(text, encoding="utf-8")
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=QuotingReader())
    assistant.build()
    answer = assistant.ask("Where do the papers disagree about OtterNet's accuracy on FishQA?")
    check(answer, assistant)
    assert "OtterNet, FishQA, accuracy: 71.5 against 68.2:" in answer.answer
    assert "(only here: test set)" in answer.answer
    assert [citation.paper for citation in answer.citations] == ["a.md", "b.md"]
    assert assistant.ask("Where do the papers disagree about OtterNet on PondQA?").status == "not_in_papers"


# -- with a model ---------------------------------------------------------------------------------------------------


def with_model(assistant: Assistant, provider: Provider, question: str, name: str) -> Answer:
    settings = assistant.settings
    model = OpenAIModel(Endpoint("test", provider.url, name, window=16_000), settings)
    return Assistant(settings, embedder=WordEmbedder(), reader=ModelReader(model, settings)).ask(question)


@pytest.mark.parametrize("name", ["tiny-135m", "small-3b"])
def test_a_list_of_papers_is_complete_with_any_model(assistant: Assistant, name: str) -> None:
    with Provider() as provider:
        answer = with_model(assistant, provider, "Which papers mention FishQA?", name)
        assert not provider.requests
    assert {citation.paper for citation in answer.citations} == {"otter.md", "lynx.md"}
    assert any(name in note and "quoted" in note for note in answer.notes)


def test_a_larger_model_writes_where_passages_suffice_and_a_tiny_one_is_spared(assistant: Assistant) -> None:
    asked = "What do the papers say about fresh snow?"
    with Provider(Reply(pieces=("LynxReader reads tracks in fresh snow [1].",))) as provider:
        assert with_model(assistant, provider, asked, "large-70b").reader == "large-70b"
        assert provider.requests
    with Provider() as provider:
        assert with_model(assistant, provider, asked, "tiny-135m").reader == "quoting"
        assert not provider.requests
