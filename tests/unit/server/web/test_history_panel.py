"""The kept conversations on the page, without a browser."""

import json
import re

import pytest

from rag_app.outputs.history import History
from rag_app.outputs.history_file import FORMAT
from rag_app.records import Answer
from rag_app.server.conversations import Conversation
from rag_app.server.web.history_panel import ConversationPanel, conversation_list_html, thumbs_html, understood_html


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "h.sqlite")


@pytest.fixture
def panel(history):
    return ConversationPanel(history, lambda citation: "name")


def answered(panel, conversation, question="How?", **more):
    turn = panel.begin(conversation, question, "…")
    panel.keep(turn, Answer("", question, "answered", "So.", "quoting", **more))
    return turn


def action(panel, conversation, **value):
    panel.handle_action(json.dumps(value), conversation)


def test_a_turn_is_kept_in_the_conversation_in_which_it_was_asked(panel, history):
    conversation = Conversation()
    turn = panel.begin(conversation, "First?", "…")
    first = conversation.id
    action(panel, conversation, do="new")
    panel.keep(turn, Answer("", "First?", "answered", "So.", "quoting"))
    answered(panel, conversation, "Second?")
    assert conversation.id != first
    assert [turn.answer.question for turn in history.load(first)] == ["First?"]
    assert [turn.question for turn in conversation.history()] == ["Second?"]


def test_a_conversation_is_opened_with_its_answers_for_follow_ups(panel):
    conversation, other = Conversation(), Conversation()
    answered(panel, conversation, asked="How does A work?")
    action(panel, other, do="open", id=conversation.id)
    assert other.history()[0].asked == "How does A work?"
    assert "Understood as" in other.messages()[1]["content"]


def test_the_list_stands_in_the_order_of_the_last_questions_whichever_answer_ends_first(panel):
    slow, quick = Conversation(), Conversation()
    run = panel.runs.begin(panel.begin(slow, "Slow?", "…"), "Slow?", lambda stop: wait(stop), panel.keep)
    answered(panel, quick, "Quick?")

    def titles():
        return re.findall(r'class="title">([^<]*)', panel.rows(quick))

    assert titles() == ["Quick?", "Slow?"]
    run.stop.set()
    for _ in run.watch(lambda: True):
        pass
    assert titles() == ["Quick?", "Slow?"]
    again = panel.begin(slow, "Slow again?", "…")
    run = panel.runs.begin(again, "Slow again?", lambda stop: wait(stop), panel.keep)
    assert titles() == ["Slow?", "Quick?"]
    run.stop.set()


def wait(stop):
    stop.wait(20)
    yield "", Answer("", "Slow?", "answered", "So.", "quoting")


def test_only_turns_on_the_screen_are_rated(panel, history):
    conversation = Conversation()
    turn = answered(panel, conversation)
    action(panel, Conversation(), do="rate", id=turn.saved, verdict="up", text="")
    assert list(history.feedback_questions()) == []
    action(panel, conversation, do="rate", id=turn.saved, verdict="down", text="<b>no</b>")
    assert next(history.feedback_questions())["note"] == "<b>no</b>"
    assert "chosen" in turn.answer and "&lt;b&gt;no" in turn.answer


@pytest.mark.parametrize("said", ["", "{", "[]", "{}", '{"do": 3}', '{"do": "rename", "id": "x", "text": "y"}', "null"])
def test_what_makes_no_sense_is_left_undone(panel, said):
    conversation = Conversation()
    answered(panel, conversation)
    panel.handle_action(said, conversation)
    assert len(conversation.turns) == 1


def test_the_page_goes_on_when_nothing_can_be_kept(panel, history):
    with history.kept._open() as database:
        database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    conversation = Conversation()
    turn = answered(panel, conversation)
    assert "So." in turn.answer and "thumb" not in turn.answer
    assert "newer version" in panel.rows(conversation)
    assert len(conversation.history()) == 1


def test_what_strangers_wrote_is_escaped():
    hostile = '<img src=x onerror="1">'
    assert "<img" not in understood_html(Answer("", "q", "answered", "", "", asked=hostile))
    assert "<img" not in thumbs_html(1, "up", hostile)
    assert understood_html(Answer("", "q", "answered", "", "")) == ""
    assert "None yet" in conversation_list_html([], "", 0.0)
