"""Conversations on disk: kept whole whatever happens to the process that writes them."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rag_app.errors import HistoryFault
from rag_app.outputs.history import History, new_conversation
from rag_app.outputs.history_file import FORMAT, history_file
from rag_app.outputs.json import answer_json
from rag_app.records import Answer, AnswerPlan, Cell, Citation, Reference, Row, SearchSummary, Step, Table, Verdict

ROOT = Path(__file__).resolve().parents[3]
CITED = (
    Citation(1, "a.pdf", "A: Title", 3, "iii", "2", "It has 220 million parameters.", True, ((1.0, 2.0, 3.5, 4.0),),
             references=(Reference("[7]", "B. Author. Something. 2020.", "b.md"),)),
    Citation(2, "b.md", "B", 1, "1", "", "A note says so.", False, (), True),
)  # fmt: skip
TABLE = Table(("size",), (Row("a.pdf", "A", (Cell("220", (1,)),)), Row("b.md", "B", (Cell("not reported"),))))
ANSWER = Answer(
    "7", "How large is it?", "answered", "220 million [1].", "quoting", CITED, ("x",),
    SearchSummary(2, 1, 1, ("c.pdf",)),
    {"retrieve": 1.0, "read": 2.0, "total": 3.0}, (), ("a note",), 5, TABLE, asked="How large is A?",
    verdicts=(Verdict("220 million [1].", "partly", ("220",)),), semantic_entropy=0.5, repaired=True, confidence="low",
    plan=AnswerPlan("comparison", ("a.pdf", "b.md"), ("A", "B"), ("size",), 2),
    steps=(Step("Who?", "a.pdf", "A", (1,)),),
)  # fmt: skip


@pytest.fixture
def history(tmp_path):
    return History(history_file(tmp_path / "index"))


def answer(question, text="Some text."):
    return Answer("", question, "answered", text, "quoting")


def test_an_answer_comes_back_whole_with_its_citations(history):
    turn = history.save_turn("one", ANSWER)
    (saved,) = history.load("one")
    assert saved.id == turn and saved.answer == ANSWER and saved.verdict is None
    assert answer_json(saved.answer) == answer_json(ANSWER)


def test_the_file_lies_beside_the_index_and_not_in_it(tmp_path):
    file = history_file(tmp_path / "indexes" / "mine")
    assert tmp_path / "indexes" / "mine" not in file.parents and file.name == "mine.sqlite"


def test_conversations_are_listed_newest_first_with_the_first_question_as_title(history):
    history.save_turn("one", answer("First?"))
    history.save_turn("two", answer("Second? " + "long " * 60))
    history.save_turn("one", answer("Third?"))
    first, second = history.list_conversations()
    assert (first.id, first.title, first.turns) == ("one", "First?", 2)
    assert second.title.endswith("…") and len(second.title) <= 80
    assert [turn.answer.question for turn in history.load("one")] == ["First?", "Third?"]


def test_search_finds_questions_answers_and_titles_and_takes_no_wildcards(history):
    history.save_turn("one", answer("Wie groß ist HyDE?", "It has 100% recall."))
    history.save_turn("two", answer("检索增强生成是什么?"))
    history.rename("two", "  About   Retrieval ")
    assert [saved.id for saved in history.search("hyde")] == ["one"]
    assert [saved.id for saved in history.search("100%")] == ["one"]
    assert [saved.id for saved in history.search("增强")] == ["two"]
    assert [saved.title for saved in history.search("retrieval")] == ["About Retrieval"]
    assert history.search("100_") == [] and history.search("%") != history.list_conversations()


def test_rename_and_delete(history):
    turn = history.save_turn("one", ANSWER)
    history.rate(turn, "down", "wrong")
    history.delete("one")
    assert history.list_conversations() == [] and list(history.feedback_questions()) == []
    with pytest.raises(KeyError):
        history.load("one")
    with pytest.raises(KeyError):
        history.rename("one", "x")
    history.save_turn("two", ANSWER)
    with pytest.raises(KeyError):
        history.rename("two", "  ")
    assert history.list_conversations()[0].title == "How large is it?"


def test_thumbs_become_questions_of_a_gold_set(history):
    up = history.save_turn("one", ANSWER)
    down = history.save_turn("one", answer("And this?"))
    absent = history.save_turn("one", Answer("", "Price of coffee?", "not_in_papers", "No.", "quoting", nearest=CITED))
    history.rate(up, "down", "hasty")
    history.rate(up, "up", "right page")
    history.rate(down, "down", "wrong paper")
    history.rate(absent, "up")
    good, bad, none = history.feedback_questions()
    assert good["question"] == "How large is A?" and good["verdict"] == "up" and good["note"] == "right page"
    assert good["papers"] == ["a.pdf"]
    assert good["facts"] == [
        {"paper": "a.pdf", "page": 3, "quote": "It has 220 million parameters.", "must_contain": ["220 million"]}
    ]
    assert (
        bad["verdict"] == "down"
        and bad["disliked"] == "Some text."
        and bad["facts"] == []
        and bad["note"] == "wrong paper"
    )
    assert none["kind"] == "unanswerable" and none["facts"] == []
    assert set(good) >= {"id", "kind", "question", "papers", "answer", "facts", "note"}
    assert [turn.verdict for turn in history.load("one")] == ["up", "down", "up"]


def test_only_what_is_there_can_be_rated(history):
    with pytest.raises(KeyError):
        history.rate(99, "up")


def test_keys_are_not_kept(tmp_path):
    history = History(tmp_path / "h.sqlite", secret=("sk-very-secret-key", ""))
    turn = history.save_turn("one", answer("is sk-very-secret-key good?", "sk-very-secret-key"))
    history.rate(turn, "up", "sk-very-secret-key")
    history.rename("one", "sk-very-secret-key")
    assert all(b"very-secret" not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_newer_file_is_refused_and_left_as_it_is(history):
    history.save_turn("one", ANSWER)
    database = sqlite3.connect(history.file)
    database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    database.close()
    before = history.file.read_bytes()
    for use in (history.list_conversations, lambda: history.save_turn("one", ANSWER), lambda: history.load("one")):
        with pytest.raises(HistoryFault, match="newer version"):
            use()
    assert history.file.read_bytes() == before
    assert not Path(f"{history.file}-wal").exists() or not Path(f"{history.file}-wal").read_bytes()


def test_a_file_that_is_no_database_says_so(tmp_path):
    file = tmp_path / "h.sqlite"
    file.write_text("these are no conversations " * 100)
    with pytest.raises(HistoryFault, match="move it away"):
        History(file).list_conversations()
    assert file.read_text().startswith("these are")


def test_threads_write_at_once_and_nothing_is_lost(history):
    def write(name):
        for number in range(20):
            history.save_turn(name, answer(f"{name} {number}"))

    threads = [threading.Thread(target=write, args=(f"c{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((saved.id, saved.turns) for saved in history.list_conversations()) == [
        (f"c{n}", 20) for n in range(4)
    ]


def test_many_begin_a_new_file_at_once(tmp_path):
    for number in range(25):
        history, start, faults = History(tmp_path / f"{number}.sqlite"), threading.Barrier(8), []

        def write(name, history=history, start=start, faults=faults):
            start.wait()
            try:
                history.save_turn(name, answer(name))
            except HistoryFault as fault:
                faults.append(fault)

        threads = [threading.Thread(target=write, args=(f"c{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults
        assert len(history.list_conversations()) == 8


def writer(file, name):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "support" / "history_writer.py"), str(file), name],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_two_processes_killed_while_writing_lose_nothing_that_was_kept(history):
    rounds = int(os.environ.get("KILLS", "2"))
    for number in range(rounds):
        names = [f"{number}-{side}" for side in "ab"]
        children = [writer(history.file, name) for name in names]
        told = {name: [] for name in names}
        for name, child in zip(names, children, strict=True):
            for _ in range(2 + number % 3):
                told[name].append(int(child.stdout.readline()))
        for child in children:
            child.kill()
        for name, child in zip(names, children, strict=True):
            told[name] += [int(line) for line in child.stdout.read().split()]
            child.wait()
            child.stdout.close()
        for name in names:
            turns = history.load(name)
            assert [turn.answer.question for turn in turns] == [f"question {n}" for n in range(len(turns))]
            assert len(turns) > max(told[name])
            assert all(len(turn.answer.citations) == 39 for turn in turns)
            assert all(turn.verdict == "up" for turn in turns[: max(told[name]) + 1])
    database = sqlite3.connect(history.file)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    history.save_turn(new_conversation(), ANSWER)


def test_a_branch_holds_what_was_said_before_and_the_old_one_stays(history):
    turns = [history.save_turn("one", answer(question)) for question in ("First?", "Second?", "Third?")]
    history.put_into_folder("one", "Rivers")
    made = history.branch("one", turns[2])
    assert [turn.answer.question for turn in history.load(made)] == ["First?", "Second?"]
    assert [turn.answer.question for turn in history.load("one")] == ["First?", "Second?", "Third?"]
    assert {saved.folder for saved in history.list_conversations()} == {"Rivers"}
    with pytest.raises(KeyError):
        history.load(history.branch("one", turns[0]))
    assert len(history.list_conversations()) == 2
    for conversation, turn in (("one", 99), (made, turns[0])):
        with pytest.raises(KeyError):
            history.branch(conversation, turn)


def test_conversations_are_put_into_folders_and_taken_out(history):
    history.save_turn("one", answer("First?"))
    history.put_into_folder("one", "  My   rivers ")
    assert [saved.folder for saved in history.list_conversations()] == ["My rivers"]
    history.put_into_folder("one", "")
    assert [saved.folder for saved in history.list_conversations()] == [""]
    with pytest.raises(KeyError):
        history.put_into_folder("two", "x")
