"""Notes on disk: Markdown that says where each quote stands, beside the conversations, never overwritten unseen."""

import sqlite3
from dataclasses import replace

import pytest

from rag_app.errors import HistoryFault, NoteConflict
from rag_app.outputs.history import History
from rag_app.outputs.history_file import FORMAT, HistoryFile, history_file
from rag_app.outputs.notebook import (
    LONGEST_NOTE,
    Notebook,
    answer_as_note,
    cited_place,
    quote_as_note,
    table_as_note,
)
from rag_app.records import Answer, Cell, Citation, Row, Table
from rag_app.server.web.panels.notes import note_html

QUOTE = "It has 220 million [parameters], as “they” say."
CITED = Citation(1, "sub folder/a (1).pdf", "A: *Title*", 3, "iii", "2", QUOTE, True)
DOUBTED = Citation(2, "b.pdf", "B", 1, "1", "", "Nowhere.", False)
ANSWER = Answer("7", "How large?", "answered", "220 million [1].", "quoting", (CITED, DOUBTED), unsupported=("So.",))


@pytest.fixture
def notes(tmp_path):
    return Notebook(history_file(tmp_path / "index"), secret=("sk-very-secret-key",))


def test_a_note_is_written_found_extended_and_deleted(notes):
    first, second = notes.create("First", "About rivers"), notes.create("  Second   note ", "Über Flüsse")
    assert [note.title for note in notes.list_notes()] == ["Second note", "First"]
    assert [note.id for note in notes.list_notes("ÜBER")] == [second.id] and notes.list_notes("100%") == []
    notes.append(first.id, "> more")
    assert notes.load(first.id).text == "About rivers\n\n> more\n"
    assert [note.title for note in notes.list_notes()] == ["First", "Second note"], "the last changed first"
    notes.delete(first.id)
    with pytest.raises(KeyError):
        notes.load(first.id)
    for use in (lambda: notes.append(first.id, "x"), lambda: notes.save(first.id, "x", "x", 1)):
        with pytest.raises(KeyError):
            use()


def test_what_was_written_elsewhere_meanwhile_is_not_overwritten(notes):
    note = notes.create("One", "begun")
    saved = notes.save(note.id, "One", "mine", note.revision)
    with pytest.raises(NoteConflict, match="changed elsewhere"):
        notes.save(note.id, "One", "yours", note.revision)
    assert notes.load(note.id).text == "mine"
    assert notes.save(note.id, "One", "yours", saved.revision).text == "yours"


def test_a_note_has_an_end_and_holds_no_key(notes, tmp_path):
    with pytest.raises(NoteConflict, match="at most"):
        notes.create("x", "a" * (LONGEST_NOTE + 1))
    notes.append(notes.create("sk-very-secret-key", "sk-very-secret-key").id, "sk-very-secret-key")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and all(b"very-secret" not in path.read_bytes() for path in files)


def test_only_the_owner_can_read_it(notes, tmp_path):
    notes.create("x")
    file = history_file(tmp_path / "index")
    assert file.stat().st_mode & 0o077 == 0 and file.parent.stat().st_mode & 0o077 == 0


def test_each_quote_of_an_answer_leads_back_to_its_page(tmp_path):
    text = answer_as_note(ANSWER)
    assert text.startswith("## How large?\n\n220 million [1].") and "Not supported" in text and "- So." in text
    first, second = (line for line in text.split("\n") if line.startswith("- ["))
    paper, page, words = cited_place(first)
    assert (paper, page) == (CITED.paper, 3) and words == "It has 220 million [parameters], as ‘they’ say."
    assert cited_place(second) == ("b.pdf", 1, "Nowhere.") and second.endswith("(not found on that page)")
    assert cited_place(quote_as_note(CITED)) == (paper, page, words)
    assert cited_place("See [a page](https://example.org/a.pdf) of mine.") is None


def test_rows_quoted_from_a_table_are_lines_of_their_own():
    rows = replace(ANSWER, answer="They differ [1].\n\nBase (a) 1 * 2 * 3 [1]\nLarge [9] 4 [2]")
    assert "\n\nBase (a) 1 \\* 2 \\* 3 [1]\\\nLarge" in answer_as_note(rows)
    shown = note_html(answer_as_note(rows))
    assert "<p>Base (a) 1 * 2 * 3 [1]<br />\nLarge [9] 4" in shown and "formula" not in shown
    assert "1 * 2 * 3" in answer_as_note(replace(rows, answer="1 * 2 * 3", reader="a-model")), "its own Markdown"


def test_a_table_is_kept_with_its_quotes():
    table = Table(("size",), (Row("b.pdf", "B", (Cell("a | b", (2,)),)),))
    text = table_as_note(Answer("", "q", "answered", "t", "quoting", (DOUBTED,), table=table))
    assert "| B | a \\| b [2] |" in text and cited_place(text.split("\n")[-1]) == ("b.pdf", 1, "Nowhere.")
    with pytest.raises(KeyError):
        table_as_note(ANSWER)


def test_conversations_of_the_first_format_are_taken_over(tmp_path):
    file = tmp_path / "h.sqlite"
    history = History(file)
    history.save_turn("one", ANSWER)
    with sqlite3.connect(file) as database:  # as it was before there were notes and folders
        database.execute("DROP TABLE notes")
        database.execute("ALTER TABLE conversations DROP COLUMN folder")
        database.execute("PRAGMA user_version = 1")
    database.close()
    assert [saved.folder for saved in history.list_conversations()] == [""]
    assert history.load("one")[0].answer.citations == ANSWER.citations
    assert Notebook(HistoryFile(file)).list_notes() == []
    with sqlite3.connect(file) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (FORMAT,)
        database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    database.close()
    with pytest.raises(HistoryFault, match="newer version"):
        Notebook(file).list_notes()


def test_each_user_has_notes_of_their_own(tmp_path):
    ada, bob = (Notebook(history_file(tmp_path / "index", user)) for user in ("ada", "bob"))
    note = ada.create("Mine", "secret")
    assert bob.list_notes() == [] and [one.id for one in ada.list_notes()] == [note.id]
    with pytest.raises(KeyError):
        bob.load(note.id)
