"""Questions of every kind about five papers, answered by the record of a strong model's replies.

A changed prompt asks for a reply that is not there, and the test says which. To write it again:
python -m tests.support.recorded_model --write FOLDER
"""

from __future__ import annotations

import pytest

from rag_app.records import Answer
from tests.support.five_papers import QUESTIONS
from tests.support.recorded_model import RecordedModel, ask_all, read_record, show_prompt

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Answer], RecordedModel]:
    with RecordedModel(read_record()) as server:
        return ask_all(server, tmp_path_factory.mktemp("five")), server


def test_every_prompt_is_in_the_record_and_every_reply_is_asked_for(
    played: tuple[dict[str, Answer], RecordedModel],
) -> None:
    _, server = played
    assert [show_prompt(body)[-1_500:] for body in server.lacking] == [], "a prompt has changed: write its reply again"
    assert server.record.keys() == server.used.keys()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fact", "512 recordings"),
        ("follow-up", "90 hours"),
        ("row of a table", "55.1"),
        ("difference", "15.2 points"),
        ("partly", "24 layers"),
        ("list by name", "BeaverPlan"),
        ("list", "daylight"),
        ("chain", "24 layers"),
        ("described", "17 rules"),
        ("Chinese", "128张地图"),
    ],
)
def test_an_answer_tells_what_the_papers_say(
    played: tuple[dict[str, Answer], RecordedModel], name: str, told: str
) -> None:
    answer = played[0][name]
    assert answer.status == "answered" and told in answer.answer
    assert answer.citations and all(citation.verified for citation in answer.citations)
    assert answer.verdicts and answer.unsupported == ()


def test_what_the_papers_do_not_say_is_said(played: tuple[dict[str, Answer], RecordedModel]) -> None:
    answers = played[0]
    for name in ("not in the papers", "no such paper"):
        assert answers[name].status == "not_in_papers" and answers[name].unsupported == ()
    assert any("this is missing: “the learning rate" in note for note in answers["partly"].notes)


def test_a_wrong_row_was_repaired(played: tuple[dict[str, Answer], RecordedModel]) -> None:
    answer = played[0]["row of a table"]
    assert answer.repaired and "51.9" not in answer.answer


def test_a_comparison_has_every_cell_and_sentences_below(played: tuple[dict[str, Answer], RecordedModel]) -> None:
    answer = played[0]["comparison"]
    assert answer.table is not None
    assert [row.name for row in answer.table.rows] == ["OtterNet", "HeronRank", "BeaverPlan"]
    assert all(cell.citations for row in answer.table.rows for cell in row.cells[:3])
    assert "OtterNet has the largest batches" in answer.answer


def test_small_talk_is_answered_without_a_check(played: tuple[dict[str, Answer], RecordedModel]) -> None:
    answer = played[0]["small talk"]
    assert answer.answer.startswith("You are welcome") and answer.verdicts == () and answer.citations == ()


def test_each_question_was_asked(played: tuple[dict[str, Answer], RecordedModel]) -> None:
    assert played[0].keys() == QUESTIONS.keys()
    assert all(answer.status != "error" for answer in played[0].values())
