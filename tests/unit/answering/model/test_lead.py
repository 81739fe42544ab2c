"""A large model leads: it calls tools, writes as it likes, and nothing that it wrote is withheld."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag_app.answering.model.checking import AnswerClaim, check_claims
from rag_app.answering.model.reader import ModelReader
from rag_app.assistant import Assistant
from rag_app.citations.support import Statement
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Answer, Citation, Page, Progress
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.provider import Provider, Reply, error_body

OTTER = "# OtterNet: Finding Fish\n\n## Training\n\nOtterNet is trained with a batch size of 512 fish for 90 hours.\n"
HERON = "# HeronRank: Ranking Frogs\n\n## Training\n\nHeronRank is trained with a batch size of 64 frogs on FrogBank.\n"
INVENTED = "It was written by Marjatta Virtanen in Helsinki."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("lead")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "otter.md").write_text(OTTER, encoding="utf-8")
    (folder / "corpus" / "heron.md").write_text(HERON, encoding="utf-8")
    Assistant(settings_for(folder), embedder=WordEmbedder()).build()
    yield folder


def call(*calls: tuple[str, dict[str, Any]]) -> Reply:
    made = [
        {"index": n, "id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(calls)
    ]
    event = {"choices": [{"index": 0, "delta": {"tool_calls": made}, "finish_reason": None}]}
    return Reply(events=(json.dumps(event),), finish="tool_calls")


def said(*pieces: str) -> Reply:
    return Reply(pieces=pieces)


def ask(folder: Path, script: Sequence[Reply], question: str, **settings: Any) -> tuple[Answer, list[str], Provider]:
    chosen = settings_for(folder, **settings)
    with Provider(*script) as provider:
        model = OpenAIModel(Endpoint("test", provider.url, "big", window=32_000), chosen, first_pause=0.01)
        assistant = Assistant(chosen, embedder=WordEmbedder(), reader=ModelReader(model, chosen))
        *events, answer = assistant.stream(question)
    assert isinstance(answer, Answer)
    return answer, [event.message for event in events if isinstance(event, Progress)], provider


def test_it_reads_and_answers_with_words_on_the_page(folder: Path) -> None:
    text = 'STATUS: answered\n**512** fish [1 "batch size of 512 fish"].\n\n```\nx[1]\n```'
    script = (call(("read", {"paper": "OtterNet"})), said(text), said("1: SUPPORTED"))
    answer, steps, provider = ask(folder, script, "What is the batch size of OtterNet?")
    assert answer.answer == "**512** fish [1].\n\n```\nx[1]\n```"
    assert [(one.quote, one.verified) for one in answer.citations] == [("batch size of 512 fish", True)]
    assert (answer.status, answer.unsupported, answer.confidence) == ("answered", (), "high")
    assert any(step.startswith("reading OtterNet") for step in steps)
    assert "batch size of 512 fish" in str(provider.requests[1].body["messages"])


@pytest.mark.parametrize("check", ["1: NOT STATED - nobody says so", "1: CONTRADICTED - it is by others", "no line"])
def test_what_it_wrote_is_marked_and_never_withheld(folder: Path, check: str) -> None:
    script = (call(("search", {"query": "author"})), said(f"STATUS: answered\n{INVENTED}"), said(check))
    answer, _, _ = ask(folder, script, "Who wrote the zygomorphic quaternion library?", repair="off")
    assert (answer.status, answer.answer) == ("answered", INVENTED)
    assert answer.unsupported == (INVENTED,)


def test_its_word_decides_that_the_papers_do_not_say_it(folder: Path) -> None:
    script = (
        call(("search", {"query": "coffee"})),
        said("STATUS: not in the papers\nThe papers are about fish and frogs."),
    )
    answer, _, _ = ask(folder, script, "What does coffee cost?", check_model="off")
    assert (answer.status, answer.answer) == ("not_in_papers", "The papers are about fish and frogs.")


def test_small_talk_is_answered_and_not_checked(folder: Path) -> None:
    answer, _, provider = ask(folder, (said("STATUS: chat\nHello! Ask me about your papers."),), "hello")
    assert answer.answer == "Hello! Ask me about your papers." and len(provider.requests) == 1


def test_a_server_without_tools_is_asked_for_a_plan(folder: Path) -> None:
    plan = json.dumps({"kind": "fact", "papers": ["OtterNet"], "searches": ["batch size"]})
    script = (
        Reply(status=400, body=error_body("this model does not support tools")),
        said(f"The plan: {plan}"),
        said('STATUS: partly - the learning rate\n512 fish [1 "512 fish"].'),
        said("1: SUPPORTED"),
    )
    answer, _, provider = ask(folder, script, "Batch size and learning rate of OtterNet?")
    assert answer.answer == "512 fish [1]." and "Missing: the learning rate." in " ".join(answer.notes)
    assert "tools" not in provider.requests[1].body


def test_a_loop_that_circles_has_to_answer(folder: Path) -> None:
    again = call(("read", {"paper": "OtterNet"}))
    script = (again, again, again, said('STATUS: answered\n512 fish [1 "512 fish"].'), said("1: SUPPORTED"))
    answer, _, provider = ask(folder, script, "What is the batch size of OtterNet?")
    assert answer.answer == "512 fish [1]."
    assert "tools" not in provider.requests[3].body


def test_a_comparison_has_a_row_for_each_paper_and_sentences_below(folder: Path) -> None:
    compare = call(("compare", {"papers": ["OtterNet", "HeronRank"], "columns": ["batch size", "year"]}))
    cell = said('1: a batch [1 "batch size of"]')
    below = said("STATUS: answered\nBoth are trained with a batch [1].")
    answer, _, _ = ask(
        folder, (compare, cell, cell, below, said("1: SUPPORTED\n2: SUPPORTED\n3: SUPPORTED")), "Compare them"
    )
    assert answer.table is not None
    assert [row.name for row in answer.table.rows] == ["OtterNet", "HeronRank"]
    assert [row.cells[0].text for row in answer.table.rows] == ["a batch", "a batch"]
    assert answer.table.aspects == ("batch size", "year (library)")
    assert answer.answer.endswith("Both are trained with a batch [1].")
    assert all(verdict.support == "supported" for verdict in answer.verdicts) and len(answer.verdicts) == 3


def test_a_survey_counts_what_was_looked_at(folder: Path) -> None:
    survey = call(("survey", {"searches": ["frogs"], "words": ["Frog-Bank"]}))
    noted = said('P1: YES - it is trained on FrogBank [1 "on FrogBank"]\nP2: YES - on FrogBank [1 "on FrogBank"]')
    script = (survey, noted, said("STATUS: answered\nHeronRank uses FrogBank [1]."), said("1: SUPPORTED"))
    answer, steps, _ = ask(folder, script, "Which papers use FrogBank?")
    assert "HeronRank uses FrogBank [1]." in answer.answer and answer.citations[0].paper == "heron.md"
    assert "Looked at 2 papers; 1 do not contain “Frog-Bank”" in " ".join(answer.notes)
    assert any("looking at 2 papers, reading 1" in step for step in steps)


def test_a_provider_that_fails_at_once_is_an_error(folder: Path) -> None:
    answer, _, _ = ask(folder, (Reply(status=401),), "What is the batch size?")
    assert answer.status == "error" and "key" in answer.answer


def test_every_line_of_a_check_counts_and_plain_arithmetic_is_no_wrong_number() -> None:
    page = Page(1, "1", 1, 1, "It rises from 73.0 to 78.0 with negatives.")
    citation = Citation(1, "a", "A", 1, "1", "", "from 73.0 to 78.0", True)
    claims = [
        AnswerClaim(Statement(text, text, (1,)), text)
        for text in ("A gain of 5.0 points.", "It rises to 79.5.", "It falls with negatives.")
    ]
    with Provider(said("1: SUPPORTED\n2: SUPPORTED\n3: CONTRADICTED - it rises")) as provider:
        model = OpenAIModel(Endpoint("test", provider.url, "big", window=32_000), settings_for(Path("x")))
        checked = check_claims(claims, [citation], "Q?", lambda paper, number: page, model, threading.Event())
    assert [verdict.support for verdict in checked.verdicts] == ["supported", "partly", "contradicted"]
    assert checked.verdicts[1].missing == ("79.5",)
