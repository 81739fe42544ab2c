"""The answer in the making: paced, stoppable at once, and always with an end."""

import threading

import pytest

from rag_app.records import Answer, Piece, Progress, Table
from rag_app.server.runs import stream_snapshots

ANSWER = Answer("", "q", "answered", "one two three", "r")


def run(start, stop=None, **changes):
    return list(
        stream_snapshots("q", start, stop or threading.Event(), **({"interval": 0.02, "patience": 0.2} | changes))
    )


def test_the_last_snapshot_has_the_answer_and_the_words_before_it():
    seen = run(lambda stop: iter([Progress("searching", "searching"), Piece("one "), Piece("two "), ANSWER]))
    assert seen[-1].answer is ANSWER
    assert seen[-1].text == "one two "
    assert all(snapshot.answer is None for snapshot in seen[:-1])


def test_many_pieces_make_few_snapshots():
    pieces = [Piece("x")] * 5_000
    seen = run(lambda stop: iter([*pieces, ANSWER]), interval=5.0)
    assert len(seen) <= 2
    assert seen[-1].text == "x" * 5_000


@pytest.mark.parametrize("first", [Piece("one "), Progress("reading", "comparing", Table(("size",), ()))])
def test_the_first_words_are_not_held_back_for_those_that_follow(first):
    shots = stream_snapshots("q", lambda stop: iter([first, Piece("two "), ANSWER]), threading.Event(), interval=5.0)
    seen = next(shots)
    assert seen.answer is None
    assert (seen.text, seen.table) == (("one ", None) if isinstance(first, Piece) else ("", first.table))


def test_what_happens_is_said():
    hold = threading.Event()

    def start(stop):
        yield Progress("reading", "reading 9 passages")
        hold.wait(10)
        yield ANSWER

    shots = stream_snapshots("q", start, threading.Event(), interval=0.02)
    assert next(shots).doing == "reading 9 passages"
    hold.set()
    assert list(shots)[-1].answer is ANSWER


def test_the_steps_of_a_model_s_work_are_kept_and_nothing_else_that_happens():
    def start(stop):
        yield Progress("planning", "asking it")
        yield Progress("reading", "reading A", step=True)
        yield Progress("reading", "writing")
        yield Piece("It is")
        yield ANSWER

    *shots, last = stream_snapshots("q", start, threading.Event(), interval=5.0)
    assert shots[-1].steps == ("reading A",) and last.answer is ANSWER


def test_stop_reaches_the_reader_and_its_own_ending_is_kept():
    stop = threading.Event()

    def start(seen):
        yield Piece("one ")
        seen.wait(10)
        yield Answer("", "q", "answered", "one", "r", notes=("cut",))

    shots = stream_snapshots("q", start, stop, interval=0.02, patience=10)
    assert next(shots).text == "one "
    stop.set()
    assert list(shots)[-1].answer.notes == ("cut",)


def test_a_reader_that_does_not_stop_is_left_and_its_words_are_kept():
    stop, hold = threading.Event(), threading.Event()

    def start(seen):
        yield Piece("one two")
        hold.wait(30)
        yield ANSWER

    shots = stream_snapshots("q", start, stop, interval=0.02, patience=0.1)
    next(shots)
    stop.set()
    last = list(shots)[-1].answer
    hold.set()
    assert last.answer == "one two" and last.status == "answered" and "Stopped" in last.notes[0]


@pytest.mark.parametrize("end", [ValueError("broken"), None])
def test_a_reader_that_fails_or_just_ends_is_an_error_with_what_came(end):
    def start(stop):
        yield Piece("half")
        if end is not None:
            raise end

    last = run(start)[-1].answer
    assert last.status == "error" and "half" in last.answer and "Ask again" in last.answer


def test_closing_the_generator_stops_the_reader():
    stop, seen = threading.Event(), threading.Event()

    def start(event):
        yield Piece("one")
        if event.wait(10):
            seen.set()

    shots = stream_snapshots("q", start, stop, interval=0.02)
    next(shots)
    shots.close()
    assert seen.wait(10)
