"""Conversations kept on disk, one SQLite file per library: questions, answers with their citations, and thumbs."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_app.outputs.feedback import Verdict, as_question
from rag_app.outputs.history_file import HistoryFile, like_pattern
from rag_app.outputs.json import answer_json, parse_answer
from rag_app.records import Answer

LONGEST_TITLE = 80  # characters
LONGEST_FOLDER = 60  # characters of a folder's name
MOST_LISTED = 200
MOST_COUNTED = 2_000  # answers


@dataclass(frozen=True)
class SavedConversation:
    """A conversation as a list shows it. Times are seconds since 1970."""

    id: str
    title: str
    created: float
    updated: float
    turns: int
    folder: str = ""


@dataclass(frozen=True)
class SavedTurn:
    """One question with its answer, and what the user thought of it."""

    id: int
    answer: Answer
    verdict: Verdict | None = None
    reason: str = ""


def new_conversation() -> str:
    """An id that cannot be guessed; nothing is kept of it before its first turn."""
    return secrets.token_urlsafe(12)


class History:
    """The conversations about one library. Thread-safe, and safe for several processes.

    `secret` texts (keys) are never written. Methods raise HistoryFault when the file cannot be used.
    """

    def __init__(self, file: Path, secret: Sequence[str] = ()) -> None:
        self.kept = HistoryFile(file, secret)

    @property
    def file(self) -> Path:
        return self.kept.file

    def add_secret(self, secret: str) -> None:
        """Never write this text from now on."""
        self.kept.add_secret(secret)

    # -- conversations --------------------------------------------------------------------------------------------

    def save_turn(self, conversation: str, answer: Answer, began: float | None = None) -> int:
        """Keep a question and its answer, at the end of its conversation, which is begun if need be. Returns its id.

        `began`: when it was asked, in seconds since 1970; conversations stand in the order of their last question.
        """
        value = self.kept.redact(json.dumps(answer_json(answer), ensure_ascii=False))
        question, asked = self.kept.redact(answer.question), self.kept.redact(answer.asked)
        words = self.kept.redact(f"{answer.question}\n{answer.asked}\n{answer.answer}").casefold()
        now = time.time() if began is None else began
        title = question if len(question) <= LONGEST_TITLE else question[: LONGEST_TITLE - 1].rstrip() + "…"
        with self.kept.write() as database:
            database.execute(
                "INSERT INTO conversations (id, title, created, updated) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET updated = MAX(updated, excluded.updated)",
                (conversation, title, now, now),
            )
            row = database.execute(
                "INSERT INTO turns (conversation, question, asked, answer, words, created) VALUES (?, ?, ?, ?, ?, ?)",
                (conversation, question, asked, value, words, now),
            )
            return int(row.lastrowid or 0)

    def replace_answer(self, turn: int, answer: Answer) -> None:
        """Keep another answer in place of a turn's, as when its table has grown; its question and thumb stay.

        Raises KeyError when there is no such turn.
        """
        value = self.kept.redact(json.dumps(answer_json(answer), ensure_ascii=False))
        words = self.kept.redact(f"{answer.question}\n{answer.asked}\n{answer.answer}").casefold()
        with self.kept.write() as database:
            done = database.execute("UPDATE turns SET answer = ?, words = ? WHERE id = ?", (value, words, turn))
            if not done.rowcount:
                raise KeyError(turn)

    def list_conversations(self) -> list[SavedConversation]:
        """The conversations, the newest first."""
        return self.search("")

    def search(self, text: str) -> list[SavedConversation]:
        """The conversations whose title, questions or answers hold the text, in any case; the newest first."""
        with self.kept.read() as database:
            rows = database.execute(
                "SELECT c.id, c.title, c.created, c.updated, (SELECT COUNT(*) FROM turns WHERE conversation = c.id),"
                " c.folder FROM conversations c WHERE c.title LIKE :t ESCAPE '\\' OR EXISTS (SELECT 1 FROM turns"
                " WHERE conversation = c.id AND words LIKE :t ESCAPE '\\') ORDER BY c.updated DESC LIMIT :most",
                {"t": like_pattern(text), "most": MOST_LISTED},
            ).fetchall()
        return [SavedConversation(*row) for row in rows]

    def load(self, conversation: str) -> list[SavedTurn]:
        """The turns of a conversation in order. Raises KeyError when there is no such conversation."""
        with self.kept.read() as database:
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
        title = self.kept.redact(" ".join(title.split()))[:LONGEST_TITLE]
        with self.kept.write() as database:
            done = database.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation))
            if not title or not done.rowcount:
                raise KeyError(conversation)

    def put_into_folder(self, conversation: str, folder: str) -> None:
        """Put a conversation into a folder, which is there as long as one is in it; "" takes it out of any.

        Raises KeyError when there is no such conversation.
        """
        name = self.kept.redact(" ".join(folder.split()))[:LONGEST_FOLDER]
        with self.kept.write() as database:
            if not database.execute("UPDATE conversations SET folder = ? WHERE id = ?", (name, conversation)).rowcount:
                raise KeyError(conversation)

    def branch(self, conversation: str, turn: int) -> str:
        """A new conversation with copies of the turns before `turn`; the old one stays. Returns its id.

        Where that is the first turn, nothing is written yet. Raises KeyError when the conversation has no such turn.
        """
        made = new_conversation()
        with self.kept.write() as database:
            found = database.execute(
                "SELECT COUNT(*) FROM turns WHERE conversation = ? AND id = ?", (conversation, turn)
            ).fetchone()
            if not found[0]:
                raise KeyError(turn)
            database.execute(
                "INSERT INTO conversations SELECT ?, title, ?, ?, folder FROM conversations c WHERE id = ? AND EXISTS"
                " (SELECT 1 FROM turns WHERE conversation = c.id AND id < ?)",
                (made, time.time(), time.time(), conversation, turn),
            )
            database.execute(
                "INSERT INTO turns (conversation, question, asked, answer, words, created)"
                " SELECT ?, question, asked, answer, words, created FROM turns WHERE conversation = ? AND id < ?"
                " ORDER BY id",
                (made, conversation, turn),
            )
        return made

    def delete(self, conversation: str) -> None:
        """Forget a conversation with its turns and thumbs; nothing happens when there is none."""
        with self.kept.write() as database:
            database.execute("DELETE FROM conversations WHERE id = ?", (conversation,))

    # -- what users thought of the answers ------------------------------------------------------------------------

    def rate(self, turn: int, verdict: Verdict, reason: str = "") -> None:
        """Keep a thumb up or down with its reason and the citations that the user saw; the latest counts.

        Raises KeyError when there is no such turn.
        """
        with self.kept.write() as database:
            row = database.execute("SELECT answer FROM turns WHERE id = ?", (turn,)).fetchone()
            if row is None:
                raise KeyError(turn)
            answer = json.loads(row[0])
            evidence = json.dumps(answer.get("citations") or answer.get("nearest") or [], ensure_ascii=False)
            database.execute(
                "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?)",
                (turn, verdict, self.kept.redact(reason.strip()), evidence, time.time()),
            )

    def feedback_questions(self) -> Iterator[dict[str, Any]]:
        """Rated questions, oldest first, in the form of a gold question set with "verdict" besides: feedback.py."""
        with self.kept.read() as database:
            rows = database.execute(
                "SELECT t.id, t.answer, f.verdict, f.reason FROM feedback f JOIN turns t ON t.id = f.turn ORDER BY t.id"
            ).fetchall()
        for id, value, verdict, reason in rows:
            yield as_question(f"feedback-{id:05}", parse_answer(json.loads(value)), verdict, reason)

    def cited_pages(self) -> dict[str, dict[int, int]]:
        """How often answers quoted each page, verified quotes only: paper -> page -> times. Of the newest answers."""
        with self.kept.read() as database:
            rows = database.execute("SELECT answer FROM turns ORDER BY id DESC LIMIT ?", (MOST_COUNTED,)).fetchall()
        found: dict[str, dict[int, int]] = {}
        for (value,) in rows:
            for citation in json.loads(value).get("citations", ()):
                if citation["verified"]:
                    pages = found.setdefault(citation["paper"], {})
                    pages[citation["page"]] = pages.get(citation["page"], 0) + 1
        return found
