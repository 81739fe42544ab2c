"""Answers in the making: they go on unwatched, can be watched by several, and end when they are told to."""

import threading

import pytest

from rag_app.outputs.history import History
from rag_app.records import Answer
from rag_app.server.conversations import Turn
from rag_app.server.runs import AnswerRuns
from rag_app.server.web.history_panel import ConversationPanel
from rag_app.server.web.turns import TurnHandler

WHOLE = Answer("", "q", "answered", "all of it", "r")


def slowly(may_end):
    """Pictures of an answer that is complete once `may_end` is set, or that was stopped."""

    def pictures(stop):
        yield "first", None
        while not may_end.wait(0.01):
            if stop.is_set():
                yield "stopped", WHOLE
                return
        yield "whole", WHOLE

    return pictures


def begun(runs, may_end, conversation="c", keep=lambda turn, answer: None):
    return runs.begin(Turn("q", "", conversation=conversation), "q", slowly(may_end), keep)


def until_ended(run):
    for _ in run.watch(lambda: True):
        pass
    assert run.ended


def test_an_answer_goes_on_when_nobody_watches_and_is_kept():
    runs, may_end, kept = AnswerRuns(), threading.Event(), []
    run = begun(runs, may_end, keep=lambda turn, answer: kept.append((turn.conversation, answer)))
    list(run.watch(iter([True, False]).__next__))  # looks once, and leaves
    assert runs.of("c") is run and not run.is_watched and not run.stop.is_set()
    may_end.set()
    until_ended(run)
    assert kept == [("c", WHOLE)] and run.turn.answer == "whole" and runs.of("c") is None


def test_two_watch_one_answer():
    runs, may_end = AnswerRuns(), threading.Event()
    run = begun(runs, may_end)
    others = [threading.Thread(target=until_ended, args=(run,)) for _ in range(2)]
    for other in others:
        other.start()
    may_end.set()
    for other in others:
        other.join(10)
        assert not other.is_alive()
    assert run.turn.answer == "whole"


def test_who_does_not_want_it_any_more_is_let_go():
    run = begun(AnswerRuns(), threading.Event())
    wanted = [True, False]
    assert len(list(run.watch(lambda: wanted.pop(0) if wanted else False))) <= 1
    run.stop.set()
    until_ended(run)


def test_a_forgotten_one_is_stopped_and_not_kept():
    runs, kept = AnswerRuns(), []
    run = begun(runs, threading.Event(), keep=lambda turn, answer: kept.append(answer))
    runs.forget("c")
    until_ended(run)
    assert kept == []


def test_what_is_being_kept_is_kept_before_it_is_forgotten():
    """Or it would be written down after its conversation was deleted, and bring it back."""
    runs, may_end, entered, order = AnswerRuns(), threading.Event(), threading.Event(), []

    def keep(turn, answer):
        entered.set()
        release.wait(30)
        order.append("kept")

    def forget():
        runs.forget("c")
        order.append("forgotten")

    release = threading.Event()
    may_end.set()
    run = begun(runs, may_end, keep=keep)
    assert entered.wait(30)
    other = threading.Thread(target=forget)
    other.start()
    other.join(0.2)
    release.set()
    other.join(30)
    until_ended(run)
    assert order == ["kept", "forgotten"]


def test_whoever_sees_the_whole_answer_can_ask_again_at_once():
    def pictures(stop):
        yield "first", None
        yield "whole", WHOLE
        stop.wait(0.3)  # what is left to do takes its time

    runs = AnswerRuns()
    run = runs.begin(Turn("q", "", conversation="c"), "q", pictures, lambda turn, answer: None)
    seen = [(run.turn.answer, runs.of("c")) for _ in run.watch(lambda: True)]
    assert ("whole", run) not in seen and run.turn.answer == "whole" and runs.of("c") is None


def test_beyond_the_most_the_oldest_that_nobody_watches_is_stopped():
    runs, never = AnswerRuns(most_unwatched=2), threading.Event()
    made = [begun(runs, never, f"c{number}") for number in range(4)]
    until_ended(made[0])
    assert [run.stop.is_set() for run in made] == [True, False, False, False]
    for run in made[1:]:
        run.stop.set()


def test_one_that_fails_lets_its_watchers_go():
    def pictures(stop):
        yield "first", None
        raise ValueError("broken")

    run = AnswerRuns().begin(Turn("q", "", conversation="c"), "q", pictures, lambda turn, answer: None)
    until_ended(run)
    assert run.turn.answer == "first"


class Slow:
    """An assistant whose answers come when they may; only what asking needs."""

    def __init__(self):
        self.may_end = threading.Event()
        self.histories = []
        self.name = "quoting"  # as its own reader

    def stream(self, question, *, papers, history, stop):
        self.histories.append([answer.question for answer in history])
        while not self.may_end.wait(0.01):
            if stop.is_set():
                break
        yield Answer("", question, "answered", "So.", "quoting")


@pytest.fixture
def asking(tmp_path):
    assistant = Slow()
    panel = ConversationPanel(History(tmp_path / "h.sqlite"), lambda citation: "name")
    return TurnHandler(assistant, None, assistant, panel)


def test_a_tab_that_the_server_forgot_goes_on_in_its_conversation(asking):
    asking.assistant.may_end.set()
    conversation = asking.conversation("tab")
    list(asking.ask(conversation, "First?", "[]"))
    asking.sessions.drop("tab")
    again = asking.conversation("tab", conversation.id)
    assert again is not conversation and again.id == conversation.id
    list(asking.ask(again, "Second?", "[]"))
    assert asking.assistant.histories[-1] == ["First?"]


def test_a_second_question_waits_for_the_first(asking):
    conversation = asking.conversation("tab")
    first = asking.ask(conversation, "First?", "[]")
    next(first)
    (shown,) = asking.ask(asking.conversation("tab"), "Second?", "[]")
    assert "Still answering" in shown.notice and len(conversation.turns) == 1
    asking.stop(conversation)
    list(first)


def test_a_second_tab_shows_the_same_answer_to_its_end(asking):
    conversation = asking.conversation("one")
    first = asking.ask(conversation, "First?", "[]")
    next(first)
    other = asking.conversation("two", conversation.id)
    shown = asking.resume(other)
    assert next(shown).answering and "First?" in str(other.messages())
    assert "answering…" in asking.panel.rows(other)
    asking.assistant.may_end.set()
    assert list(shown)[-1].answering is False and "So." in str(other.messages())
    assert list(first)[-1].answering is False


def test_the_list_is_sent_when_an_answer_began_or_ended_and_not_else(asking):
    asking.assistant.may_end.set()
    one, two = asking.conversation("one"), asking.conversation("two")
    assert asking.changed_rows(two) is not None
    assert asking.changed_rows(two) is None
    list(asking.ask(one, "First?", "[]"))
    assert "First?" in asking.changed_rows(two)
