"""A model or its server that fails on the way: the best of what is there is answered, and the answer says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.provider import Reply, error_body
from tests.unit.answering.model.test_lead import ask, call, said
from tests.unit.answering.model.test_lead import folder as folder

READ = call(("read", {"paper": "OtterNet"}))
COMPARE = call(("compare", {"papers": ["OtterNet", "HeronRank"], "columns": ["batch size"]}))
SURVEY = call(("survey", {"searches": ["batch size"]}))
GONE = Reply(status=500, body=error_body("the engine is out of memory"))
CUT = Reply(pieces=("x",), cut_after=0)
NOTED = said('P1: YES - 64 frogs [1 "batch size of 64 frogs"]\nP2: YES - 512 fish [2 "batch size of 512 fish"]')
QUESTION = "What is the batch size of OtterNet?"


@pytest.mark.parametrize(
    ("script", "said_why"),
    [
        ((READ, GONE), "internal error (500)"),
        ((READ, CUT), "cannot be reached"),
        ((READ, Reply(status=401)), "key"),
        ((READ, said("")), "wrote no answer"),
        ((READ, READ, READ, READ, READ, READ, READ), "wrote no answer"),
        ((COMPARE, GONE), "internal error (500)"),
        ((SURVEY, GONE), "internal error (500)"),
    ],
    ids=["5xx", "cut", "key", "empty", "only calls", "comparison", "survey"],
)
def test_a_model_that_fails_after_it_has_gathered_leaves_quotes(
    folder: Path, script: tuple[Reply, ...], said_why: str
) -> None:
    answer, steps, _ = ask(folder, script, QUESTION)
    assert answer.status == "answered" and "512 fish" in answer.answer
    assert all(citation.verified for citation in answer.citations)
    note = next(note for note in answer.notes if "failed before it had answered" in note)
    assert said_why in note and any("quoting the papers" in step for step in steps)


def test_an_overflow_is_answered_from_less(folder: Path) -> None:
    too_long = Reply(status=400, body=error_body("the request exceeds the available context size"))
    both = call(("read", {"paper": "OtterNet"}), ("read", {"paper": "HeronRank"}))
    script = (
        both,
        too_long,
        too_long,
        said('STATUS: answered\n512 [1 "batch size of 512 fish"].'),
        said("1: SUPPORTED"),
    )
    answer, _, _ = ask(folder, script, QUESTION)
    assert answer.answer == "512 [1]." and any("only part of what was found" in note for note in answer.notes)


def test_a_server_that_chokes_on_results_of_tools_is_asked_without_them(folder: Path) -> None:
    refused = Reply(status=400, body=error_body("messages: unexpected role"))
    script = (READ, refused, said('STATUS: answered\n512 [1 "batch size of 512 fish"].'), said("1: SUPPORTED"))
    answer, _, provider = ask(folder, script, QUESTION)
    assert answer.answer == "512 [1]." and any("broken off" in note for note in answer.notes)
    assert {message["role"] for message in provider.requests[2].body["messages"]} == {"system", "user"}


def test_what_came_before_the_connection_broke_is_kept(folder: Path) -> None:
    begun = Reply(pieces=("STATUS: answered\n", "OtterNet is trained", " with"), cut_after=2)
    answer, _, _ = ask(folder, (READ, begun), QUESTION)
    assert answer.answer == "OtterNet is trained" and any("stopped in the middle" in note for note in answer.notes)


def test_the_notes_of_a_survey_are_shown_where_no_answer_is_written(folder: Path) -> None:
    answer, _, _ = ask(folder, (SURVEY, NOTED, Reply(status=401)), "Which batch sizes do the papers use?")
    assert "64 frogs [1]" in answer.answer and "512 fish [2]" in answer.answer
    assert any("notes on each paper" in note for note in answer.notes)


def test_a_paper_that_the_model_passed_over_is_asked_about_again(folder: Path) -> None:
    first, second = said("P1: NO"), said('P2: YES - 512 fish [2 "batch size of 512 fish"]')
    script = (SURVEY, first, second, said("STATUS: answered\n512 fish [1]."), said("1: SUPPORTED"))
    answer, _, _ = ask(folder, script, "Which papers count fish?")
    assert answer.answer == "512 fish [1]." and "wrote nothing" not in " ".join(answer.notes)


def test_a_plan_that_names_no_paper_searches_for_the_question(folder: Path) -> None:
    no_tools = Reply(status=400, body=error_body("this model does not support tools"))
    script = (no_tools, said('{"kind": "fact"}'), said('STATUS: answered\n512 [1 "512 fish"].'), said("1: SUPPORTED"))
    answer, steps, _ = ask(folder, script, QUESTION)
    assert answer.answer == "512 [1]." and any(QUESTION in step for step in steps)


def test_a_reply_that_is_no_plan_is_said_and_the_question_is_searched(folder: Path) -> None:
    no_tools = Reply(status=400, body=error_body("this model does not support tools"))
    script = (no_tools, said("I would read both."), said('STATUS: answered\n512 [1 "512 fish"].'), said("1: SUPPORTED"))
    answer, _, _ = ask(folder, script, QUESTION)
    assert answer.answer == "512 [1]." and any("made no readable plan" in note for note in answer.notes)
