"""Conversations kept on disk, one SQLite file per library: questions, answers with their citations, and thumbs.

The file lies beside the index and not in it: an index may be deleted or built anew at any time, and no generation
holds what a user said. Every change is one transaction in a write-ahead log, so that a process may be killed at any
moment and several may write at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_app.errors import HistoryFault
from rag_app.files import refuse_link
from rag_app.outputs.feedback import Verdict, as_question
from rag_app.outputs.json import answer_json, parse_answer
from rag_app.records import Answer

FORMAT = 1  # PRAGMA user_version of the file
PATIENCE = 30.0  # seconds to wait for another writer
LONGEST_TITLE = 80  # characters
MOST_LISTED = 200
MOST_COUNTED = 2_000  # answers
FOLDER, USERS = "history", "users"  # beside the index; the second within the first
_COMPANIONS = ("", "-wal", "-shm", "-journal")  # of the file: what SQLite writes beside it
_LINK_REMEDY = "Conversations are kept in plain files and folders only. Remove it."

_TABLES = (
    "CREATE TABLE conversations (id TEXT PRIMARY KEY, title TEXT NOT NULL,"
    " created REAL NOT NULL, updated REAL NOT NULL)",
    "CREATE TABLE turns (id INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT NOT NULL REFERENCES conversations(id)"
    " ON DELETE CASCADE, question TEXT NOT NULL, asked TEXT NOT NULL, answer TEXT NOT NULL, words TEXT NOT NULL,"
    " created REAL NOT NULL)",
    "CREATE INDEX turns_of ON turns (conversation, id)",
    "CREATE TABLE feedback (turn INTEGER PRIMARY KEY REFERENCES turns(id) ON DELETE CASCADE, verdict TEXT NOT NULL"
    " CHECK (verdict IN ('up', 'down')), reason TEXT NOT NULL, evidence TEXT NOT NULL, created REAL NOT NULL)",
)


@dataclass(frozen=True)
class SavedConversation:
    """A conversation as a list shows it. Times are seconds since 1970."""

    id: str
    title: str
    created: float
    updated: float
    turns: int


@dataclass(frozen=True)
class SavedTurn:
    """One question with its answer, and what the user thought of it."""

    id: int
    answer: Answer
    verdict: Verdict | None = None
    reason: str = ""


def history_file(index_folder: Path, user: str = "") -> Path:
    """Where the conversations about this index's papers are kept; those of each user in a folder of the user's own."""
    folder = index_folder.parent / FOLDER
    return (folder / USERS / user if user else folder) / f"{index_folder.name}.sqlite"


def all_history_files(index_folder: Path) -> dict[str, Path]:
    """The kept conversations about this index's papers by user; the user "" is whoever needed no log-in.

    Raises HistoryFault when a link stands in their place.
    """
    alone = history_file(index_folder)
    for folder in (alone.parent, alone.parent / USERS):
        refuse_link(folder, HistoryFault, _LINK_REMEDY)
    users = sorted((alone.parent / USERS).glob(f"*/{index_folder.name}.sqlite"))
    found = {"": alone} | {file.parent.name: file for file in users}
    for file in found.values():
        refuse_link(file.parent, HistoryFault, _LINK_REMEDY)
        refuse_link(file, HistoryFault, _LINK_REMEDY)
    return {user: file for user, file in found.items() if file.is_file()}


def new_conversation() -> str:
    """An id that cannot be guessed; nothing is kept of it before its first turn."""
    return secrets.token_urlsafe(12)


class History:
    """The conversations about one library. Thread-safe, and safe for several processes.

    `secret` texts (keys) are never written. Methods raise HistoryFault when the file cannot be used.
    """

    def __init__(self, file: Path, secret: Sequence[str] = ()) -> None:
        self.file = file
        self._secret: tuple[str, ...] = ()
        for text in secret:
            self.add_secret(text)

    def add_secret(self, secret: str) -> None:
        """Never write this text from now on. A text of a few letters is no key; hiding it would hide words."""
        if len(secret) >= 8:
            self._secret = (*self._secret, secret)

    # -- conversations --------------------------------------------------------------------------------------------

    def save_turn(self, conversation: str, answer: Answer, began: float | None = None) -> int:
        """Keep a question and its answer, at the end of its conversation, which is begun if need be. Returns its id.

        `began`: when it was asked, in seconds since 1970; conversations stand in the order of their last question.
        """
        value = self._redact_text(json.dumps(answer_json(answer), ensure_ascii=False))
        question, asked = self._redact_text(answer.question), self._redact_text(answer.asked)
        words = self._redact_text(f"{answer.question}\n{answer.asked}\n{answer.answer}").casefold()
        now = time.time() if began is None else began
        title = question if len(question) <= LONGEST_TITLE else question[: LONGEST_TITLE - 1].rstrip() + "…"
        with self._write_transaction() as database:
            database.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET updated = MAX(updated, excluded.updated)",
                (conversation, title, now, now),
            )
            row = database.execute(
                "INSERT INTO turns (conversation, question, asked, answer, words, created) VALUES (?, ?, ?, ?, ?, ?)",
                (conversation, question, asked, value, words, now),
            )
            return int(row.lastrowid or 0)

    def list_conversations(self) -> list[SavedConversation]:
        """The conversations, the newest first."""
        return self.search("")

    def search(self, text: str) -> list[SavedConversation]:
        """The conversations whose title, questions or answers hold the text, in any case; the newest first."""
        sought = "".join(f"\\{letter}" if letter in "\\%_" else letter for letter in text.strip().casefold())
        with self._read_connection() as database:
            rows = database.execute(
                "SELECT c.id, c.title, c.created, c.updated, (SELECT COUNT(*) FROM turns WHERE conversation = c.id)"
                " FROM conversations c WHERE c.title LIKE :t ESCAPE '\\' OR EXISTS (SELECT 1 FROM turns"
                " WHERE conversation = c.id AND words LIKE :t ESCAPE '\\') ORDER BY c.updated DESC LIMIT :most",
                {"t": f"%{sought}%", "most": MOST_LISTED},
            ).fetchall()
        return [SavedConversation(*row) for row in rows]

    def load(self, conversation: str) -> list[SavedTurn]:
        """The turns of a conversation in order. Raises KeyError when there is no such conversation."""
        with self._read_connection() as database:
            rows = database.execute(
                "SELECT t.id, t.answer, f.verdict, COALESCE(f.reason, '') FROM turns t LEFT JOIN feedback f"
                " ON f.turn = t.id WHERE t.conversation = ? ORDER BY t.id",
                (conversation,),
            ).fetchall()
        if not rows:
            raise KeyError(conversation)
        return [
            SavedTurn(id, parse_answer(json.loads(answer)), verdict, reason) for id, answer, verdict, reason in rows
        ]

    def rename(self, conversation: str, title: str) -> None:
        """Give a conversation another title. Raises KeyError when there is no such conversation, or no title."""
        title = self._redact_text(" ".join(title.split()))[:LONGEST_TITLE]
        with self._write_transaction() as database:
            done = database.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation))
            if not title or not done.rowcount:
                raise KeyError(conversation)

    def delete(self, conversation: str) -> None:
        """Forget a conversation with its turns and thumbs; nothing happens when there is none."""
        with self._write_transaction() as database:
            database.execute("DELETE FROM conversations WHERE id = ?", (conversation,))

    # -- what users thought of the answers ------------------------------------------------------------------------

    def rate(self, turn: int, verdict: Verdict, reason: str = "") -> None:
        """Keep a thumb up or down with its reason and the citations that the user saw; the latest counts.

        Raises KeyError when there is no such turn.
        """
        with self._write_transaction() as database:
            row = database.execute("SELECT answer FROM turns WHERE id = ?", (turn,)).fetchone()
            if row is None:
                raise KeyError(turn)
            answer = json.loads(row[0])
            evidence = json.dumps(answer.get("citations") or answer.get("nearest") or [], ensure_ascii=False)
            database.execute(
                "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?)",
                (turn, verdict, self._redact_text(reason.strip()), evidence, time.time()),
            )

    def feedback_questions(self) -> Iterator[dict[str, Any]]:
        """Rated questions, oldest first, in the form of a gold question set with "verdict" besides: feedback.py."""
        with self._read_connection() as database:
            rows = database.execute(
                "SELECT t.id, t.answer, f.verdict, f.reason FROM feedback f JOIN turns t ON t.id = f.turn ORDER BY t.id"
            ).fetchall()
        for id, value, verdict, reason in rows:
            yield as_question(f"feedback-{id:05}", parse_answer(json.loads(value)), verdict, reason)

    def cited_pages(self) -> dict[str, dict[int, int]]:
        """How often answers quoted each page, verified quotes only: paper -> page -> times. Of the newest answers."""
        with self._read_connection() as database:
            rows = database.execute("SELECT answer FROM turns ORDER BY id DESC LIMIT ?", (MOST_COUNTED,)).fetchall()
        found: dict[str, dict[int, int]] = {}
        for (value,) in rows:
            for citation in json.loads(value).get("citations", ()):
                if citation["verified"]:
                    pages = found.setdefault(citation["paper"], {})
                    pages[citation["page"]] = pages.get(citation["page"], 0) + 1
        return found

    # -- the file -------------------------------------------------------------------------------------------------

    def _redact_text(self, text: str) -> str:
        for secret in self._secret:
            text = text.replace(secret, "…")
        return text

    @contextmanager
    def _write_transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is kept, or nothing."""
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    def _read_connection(self) -> Any:
        return self._open()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._make_private()
            with closing(sqlite3.connect(self.file, timeout=PATIENCE, isolation_level=None)) as database:
                self._check_format(database)
                database.execute("PRAGMA synchronous = FULL")
                database.execute("PRAGMA foreign_keys = ON")
                yield database
        except (sqlite3.Error, OSError) as error:
            raise HistoryFault(
                f"{self.file}: the conversations cannot be kept there ({error}). Free space or correct its "
                "permissions; if it is damaged, move it away and a new one is begun."
            ) from error

    def _make_private(self) -> None:
        """Folders of mode 700 and files of mode 600: made so, and corrected where they were made wider.

        Raises HistoryFault for a link in their place, OSError where the modes cannot be set.
        """
        folders = _private_folders(self.file)
        for folder in folders:
            refuse_link(folder, HistoryFault, _LINK_REMEDY)
            folder.mkdir(mode=0o700, parents=folder == folders[0], exist_ok=True)
            _restrict(folder, 0o700)
        if not folders:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix in _COMPANIONS:
            path = self.file.with_name(self.file.name + suffix)
            refuse_link(path, HistoryFault, _LINK_REMEDY)
            _restrict(path, 0o600)
        # SQLite gives what it writes beside the file the mode of the file.
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))

    def _check_format(self, database: sqlite3.Connection) -> None:
        version = _version(database)
        if version == 0:
            _write_ahead(database)
            database.execute("BEGIN IMMEDIATE")
            if _version(database) == 0:  # no other process was quicker
                for table in _TABLES:
                    database.execute(table)
                database.execute(f"PRAGMA user_version = {FORMAT}")
            database.execute("COMMIT")
        elif version > FORMAT:
            raise HistoryFault(
                f"{self.file}: these conversations were written by a newer version of this program (format {version}, "
                f"this one knows {FORMAT}). Nothing was changed. Update the program, or move the file away."
            )


def _private_folders(file: Path) -> list[Path]:
    """The folders on the way to the file that hold nothing but conversations, the outermost first."""
    parents = [file.parent, *file.parent.parents][:3]
    for number, folder in enumerate(parents):
        inside = [one.name for one in reversed(parents[:number])]
        if folder.name == FOLDER and (not inside or inside[0] == USERS):
            return parents[number::-1]
    return []


def _restrict(path: Path, mode: int) -> None:
    """Take the rights of everybody else away; where nobody else has any, or nothing is there, nothing is done."""
    with contextlib.suppress(FileNotFoundError):  # SQLite removes its own files at any moment
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(mode)


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _write_ahead(database: sqlite3.Connection) -> None:
    """Give a new file its write-ahead log.

    Where another does the same at this moment, SQLite says at once that the file is locked, though elsewhere it waits:
    so it is asked again.
    """
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends:
                raise
        time.sleep(0.005)
