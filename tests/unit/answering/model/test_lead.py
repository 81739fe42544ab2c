"""A large model leads: it calls tools, writes as it likes, and nothing that it wrote is withheld."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag_app.answering.model import lead
from rag_app.answering.model.checking import AnswerClaim, Material, check_claims
from rag_app.answering.model.conversation import earlier_turns
from rag_app.answering.model.finishing import SELF_JUDGED
from rag_app.answering.model.reader import ModelReader
from rag_app.answering.model.task import ModelTask
from rag_app.answering.model.tools import LONGEST_TEXT, MOST_TEXTS, ToolResult, texts_of
from rag_app.assistant import Assistant
from rag_app.citations.statements import Statement
from rag_app.models.llm.chat import ToolCall
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.prompt_safety import estimate_tokens
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


def ask(
    folder: Path, script: Sequence[Reply], question: str, history: Sequence[Answer] = (), **settings: Any
) -> tuple[Answer, list[str], Provider]:
    chosen = settings_for(folder, **settings)
    with Provider(*script) as provider:
        model = OpenAIModel(Endpoint("test", provider.url, "big", window=32_000), chosen, first_pause=0.01)
        assistant = Assistant(chosen, embedder=WordEmbedder(), reader=ModelReader(model, chosen))
        *events, answer = assistant.stream(question, history=history)
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
    assert steps.index("writing the answer") > steps.index("reading OtterNet, the whole paper")
    assert [(step.question, step.found) for step in answer.steps] == [("reading OtterNet, the whole paper", "")]
    assert "batch size of 512 fish" in str(provider.requests[1].body["messages"])
    assert answer.notes.count(SELF_JUDGED) == 1


def test_another_model_that_judges_is_not_the_one_that_answered(folder: Path) -> None:
    script = (said('STATUS: answered\n512 fish [1 "batch size of 512 fish"].'), said("1: SUPPORTED"))
    answer, _, provider = ask(folder, script, "What is the batch size of OtterNet?", check_model="other")
    assert provider.requests[-1].body["model"] == "other" and SELF_JUDGED not in answer.notes


@pytest.mark.parametrize(("status", "support"), [("answered", "supported"), ("not in the papers", "unchecked")])
def test_where_the_papers_do_not_answer_the_words_have_to_say_it_too(folder: Path, status: str, support: str) -> None:
    text = f'STATUS: {status}\nThe fish were invented by rivals [1 "batch size of 512 fish"].'
    script = (call(("read", {"paper": "OtterNet"})), said(text), said("1: SUPPORTED"))
    answer, _, _ = ask(folder, script, "What is the batch size of OtterNet?")
    assert [one.support for one in answer.verdicts] == [support]


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


def test_what_it_says_is_missing_is_quoted_as_its_words(folder: Path) -> None:
    words = "nothing” (verified). “Each sentence is supported" + " and checked" * 400
    answer, _, _ = ask(
        folder, (said(f"STATUS: partly - {words}\nOtters swim."),), "What do otters do?", check_model="off"
    )
    (note,) = [note for note in answer.notes if "missing" in note]
    begin, _, quoted = note.partition("“")
    assert begin == "Answered in part. The model says that this is missing: " and len(note) < 300
    assert quoted.startswith("nothing' (verified). 'Each") and quoted.endswith("…” (not checked).")


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
    assert answer.answer == "512 fish [1]." and "missing: “the learning rate” (not checked)." in " ".join(answer.notes)
    assert "tools" not in provider.requests[1].body


def test_a_loop_that_circles_has_to_answer(folder: Path) -> None:
    again = call(("read", {"paper": "OtterNet"}))
    script = (again, again, again, said('STATUS: answered\n512 fish [1 "512 fish"].'), said("1: SUPPORTED"))
    answer, _, provider = ask(folder, script, "What is the batch size of OtterNet?")
    assert answer.answer == "512 fish [1]."
    assert "tools" not in provider.requests[3].body


def test_an_answer_that_repeats_itself_is_not_said_to_be_too_long(folder: Path) -> None:
    repeated = said("STATUS: answered\n", *["The otter net finds fish in all rivers of the north.\n"] * 40)
    answer, _, _ = ask(folder, (repeated, said("1: SUPPORTED")), "What is the batch size of OtterNet?")
    assert any("began to repeat itself" in note for note in answer.notes)
    assert not any("RAG_LLM_MAX_TOKENS" in note for note in answer.notes)


def test_the_calls_of_a_reply_are_not_run_once_the_question_is_stopped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run_and_stop(task: ModelTask, call: ToolCall) -> ToolResult:
        ran.append(call)
        task.stop.set()
        return ToolResult("Nothing was found.", "")

    monkeypatch.setattr(lead, "run_tool", run_and_stop)
    ask(folder, (call(*[("search", {"query": f"fish {n}"}) for n in range(5)]), said("x")), "How many fish?")
    assert len(ran) == 1


def test_of_a_very_long_argument_the_beginning_is_looked_up() -> None:
    assert texts_of(["x" * 9_000] * 9_000) == ["x" * LONGEST_TEXT] * MOST_TEXTS
    assert len(texts_of("P1," * 9_000)) == MOST_TEXTS


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


def test_a_reply_that_is_no_row_costs_its_row_alone(folder: Path) -> None:
    papers = {"papers": ["OtterNet", "HeronRank"], "columns": ["batch size", "hours"]}
    script = (call(("compare", papers)), said("I read\nthe paper\nwell."))
    answer, _, _ = ask(folder, script, "Compare OtterNet and HeronRank.")
    assert answer.table is not None
    cells = [cell for row in answer.table.rows for cell in row.cells]
    assert [(cell.text, cell.state) for cell in cells] == [("not found", "nothing found")] * 4


def test_a_table_of_the_librarys_records_asks_no_model_for_a_row(folder: Path) -> None:
    papers = {"papers": ["OtterNet", "HeronRank"], "columns": ["title"]}
    answer, _, provider = ask(folder, (call(("compare", papers)),), "Compare the titles of OtterNet and HeronRank.")
    assert answer.table is not None
    assert [row.cells[0].text for row in answer.table.rows] == ["OtterNet: Finding Fish", "HeronRank: Ranking Frogs"]
    assert len(provider.requests) == 1


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
        material = Material("Q?", [citation], lambda paper, number: page)
        checked = check_claims(claims, material, model, threading.Event())
    assert [verdict.support for verdict in checked.verdicts] == ["supported", "partly", "contradicted"]
    assert checked.verdicts[1].missing == ("79.5",)


EARLIER = Answer("1", "What is OtterNet?", "answered", "A net that finds fish [1].", "big", ())


@pytest.mark.parametrize("tools", [True, False], ids=["tools", "plan"])
def test_earlier_turns_reach_the_model_as_turns(folder: Path, tools: bool) -> None:
    written = said('STATUS: answered\n512 fish [1 "512 fish"].')
    refused = Reply(status=400, body=error_body("this model does not support tools"))
    planned = said('{"kind": "fact", "papers": ["OtterNet"]}')
    script = (call(("read", {"paper": "OtterNet"})), written) if tools else (refused, planned, written)
    answer, _, provider = ask(folder, (*script, said("1: SUPPORTED")), "And its batch size?", [EARLIER])
    assert answer.answer == "512 fish [1]."
    turns = [("user", "What is OtterNet?"), ("assistant", "A net that finds fish.")]
    for request in provider.requests[:-1]:  # the last one checks
        messages = [(message["role"], message["content"]) for message in request.body["messages"]]
        assert messages[0][0] == "system" and messages[1:3] == turns
        assert messages[3][0] == "user" and "And its batch size?" in messages[3][1]


def test_old_turns_are_shortened_and_the_oldest_left_out() -> None:
    long = [replace(EARLIER, question=f"Q{number}", answer="fish " * 9_000) for number in range(12)]
    turns = earlier_turns(long)
    assert turns[-2].text == "Q11" and turns[-1].text.endswith("…")
    assert sum(estimate_tokens(turn.text) for turn in turns) <= 4_500
    assert [turn.role for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
    assert "Q0" not in [turn.text for turn in turns]


def test_the_sentences_of_a_chinese_answer_are_checked(folder: Path) -> None:
    text = '训练时批量大小为512条鱼 [1 "batch size of 512 fish"]。训练持续了90个小时 [1 "for 90 hours"]。'
    text += "没有论文提到学习率。"
    checked = said("1: SUPPORTED\n2: CONTRADICTED - 90 minutes")
    script = (call(("read", {"paper": "OtterNet"})), said(f"STATUS: answered\n{text}"), checked)
    answer, _, provider = ask(folder, script, "OtterNet的批量大小是多少？", repair="off")
    assert [(one.sentence, one.support) for one in answer.verdicts] == [
        ("训练时批量大小为512条鱼 [1]。", "supported"),
        ("训练持续了90个小时 [2]。", "contradicted"),
    ]
    assert "Statement 2: 训练持续了90个小时" in str(provider.requests[2].body["messages"])
