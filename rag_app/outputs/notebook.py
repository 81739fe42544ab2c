"""Notes that a user keeps of a library: Markdown, in the same private file as the conversations.

What is kept of an answer is Markdown too: its text, and each citation as the quoted words with a link to the paper's
file at the page. Such a link opens a PDF at that page, and the page of this program opens the words (cited_place).
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from rag_app.citations.marks import QUOTING
from rag_app.errors import NoteConflict
from rag_app.outputs.history_file import HistoryFile, like_pattern
from rag_app.outputs.markdown import escape_markdown, table_markdown, text_as_markdown
from rag_app.outputs.places import name_place
from rag_app.outputs.quoted_tables import find_rows
from rag_app.records import Answer, Citation

LONGEST_TITLE = 120  # characters
LONGEST_NOTE = 200_000  # characters
MOST_LISTED = 500
CITED_PLACE = re.compile(r"\[(?P<words>(?:[^\[\]\\]|\\.)+)\]\((?P<paper>[^()\s#]+)#page=(?P<page>\d{1,5})\)")
"""A link to a page of a paper, as it is written here."""
_QUOTE = re.compile(r"“(?P<quote>[^“”]+)”[^“”\n]*$")


@dataclass(frozen=True)
class Note:
    """A note, or with an empty text a row of a list. Times are seconds since 1970."""

    id: str
    title: str
    text: str  # Markdown
    created: float
    updated: float
    revision: int  # grows with every change


class Notebook:
    """The notes about one library. Thread-safe, and safe for several processes.

    Methods raise HistoryFault when the file cannot be used, KeyError for a note that is not there.
    """

    def __init__(self, file: Path | HistoryFile, secret: Sequence[str] = ()) -> None:
        self._kept = file if isinstance(file, HistoryFile) else HistoryFile(file, secret)

    def list_notes(self, text: str = "") -> list[Note]:
        """The notes that hold the text, in any case, without their own texts; the last changed first."""
        with self._kept.read() as database:
            rows = database.execute(
                "SELECT id, title, '', created, updated, revision FROM notes WHERE words LIKE ? ESCAPE '\\'"
                " ORDER BY updated DESC LIMIT ?",
                (like_pattern(text), MOST_LISTED),
            ).fetchall()
        return [Note(*row) for row in rows]

    def load(self, id: str) -> Note:
        """One note."""
        with self._kept.read() as database:
            row = database.execute(
                "SELECT id, title, text, created, updated, revision FROM notes WHERE id = ?", (id,)
            ).fetchone()
        if row is None:
            raise KeyError(id)
        return Note(*row)

    def create(self, title: str, text: str = "") -> Note:
        """A new note."""
        id, now = secrets.token_urlsafe(12), time.time()
        title, text = self._clean(title, text)
        with self._kept.write() as database:
            database.execute(
                "INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?, 1)",
                (id, title, text, f"{title}\n{text}".casefold(), now, now),
            )
        return self.load(id)

    def save(self, id: str, title: str, text: str, revision: int) -> Note:
        """Write a note anew. Raises NoteConflict when it is no longer of the `revision` that was read."""
        title, text = self._clean(title, text)
        with self._kept.write() as database:
            found = database.execute("SELECT revision FROM notes WHERE id = ?", (id,)).fetchone()
            if found is None:
                raise KeyError(id)
            if found[0] != revision:
                raise NoteConflict(
                    "This note was changed elsewhere since it was opened, so nothing was saved. Copy what you wrote, "
                    "then open the note again."
                )
            self._update(database, id, title, text)
        return self.load(id)

    def append(self, id: str, text: str) -> Note:
        """Add a block of Markdown at the end of a note."""
        with self._kept.write() as database:
            found = database.execute("SELECT title, text FROM notes WHERE id = ?", (id,)).fetchone()
            if found is None:
                raise KeyError(id)
            joined = f"{found[1].rstrip()}\n\n{text.strip()}\n".lstrip("\n")
            self._update(database, id, *self._clean(found[0], joined))
        return self.load(id)

    def delete(self, id: str) -> None:
        """Forget a note; nothing happens when there is none."""
        with self._kept.write() as database:
            database.execute("DELETE FROM notes WHERE id = ?", (id,))

    def _update(self, database: sqlite3.Connection, id: str, title: str, text: str) -> None:
        database.execute(
            "UPDATE notes SET title = ?, text = ?, words = ?, updated = ?, revision = revision + 1 WHERE id = ?",
            (title, text, f"{title}\n{text}".casefold(), time.time(), id),
        )

    def _clean(self, title: str, text: str) -> tuple[str, str]:
        """Raises NoteConflict for a note that is too long."""
        if len(text) > LONGEST_NOTE:
            raise NoteConflict(f"A note holds at most {LONGEST_NOTE:,} characters. Begin another one.")
        short = self._kept.redact(" ".join(title.split()))[:LONGEST_TITLE]
        return short, self._kept.redact(text.replace("\r\n", "\n"))


# -- what is kept, as Markdown ----------------------------------------------------------------------------------


def answer_as_note(answer: Answer, *, headed: bool = True) -> str:
    """The question if `headed`, the answer, what is doubtful, and the cited words with their pages."""
    text = text_as_markdown(answer)
    if answer.reader == QUOTING:  # brackets with a backslash would be a formula
        text = text.replace(r"\[", "&#91;").replace(r"\]", "&#93;")
    blocks = [*_heading(answer, headed), text]
    blocks += [f"*{escape_markdown(note)}*" for note in answer.remarks]
    if answer.unsupported:
        doubts = "\n".join(f"- {escape_markdown(sentence)}" for sentence in answer.unsupported)
        blocks.append(f"**Not supported by the cited passages:**\n\n{doubts}")
    return "\n\n".join(part for part in [*blocks, _quotes(answer)] if part)


def table_as_note(answer: Answer, *, headed: bool = True) -> str:
    """The comparison and the cited words. Raises KeyError for an answer without a table."""
    if answer.table is None:
        raise KeyError(answer.id)
    return "\n\n".join([*_heading(answer, headed), table_markdown(answer.table), _quotes(answer)]).rstrip()


def quote_as_note(citation: Citation) -> str:
    """The quoted words and where they stand."""
    return f"> {_quote_line(citation)}"


def cited_place(line: str) -> tuple[str, int, str] | None:
    """Paper, page, and the words in front of it, of the first link of a line to a page of a paper; else None."""
    link = CITED_PLACE.search(line)
    if link is None:
        return None
    before = _QUOTE.search(line[: link.start()])
    words = re.sub(r"\\(.)", r"\1", before["quote"]) if before else ""
    return unquote(link["paper"]), int(link["page"]), words


def _heading(answer: Answer, headed: bool) -> list[str]:
    return [f"## {escape_markdown(answer.question)}"] if headed else []


def _quotes(answer: Answer) -> str:
    """A line for each citation; rows of one table that the answer shows as a table share one."""
    cited = {citation.number: citation for citation in answer.citations}
    shared: dict[int, int] = {}  # a row's number -> that of the table's first row
    if answer.reader == QUOTING and answer.table is None:
        for part in find_rows(answer.answer, cited):
            if not isinstance(part, str):
                numbers = [citation.number for _, citation in part]
                shared |= {number: min(numbers) for number in numbers}
    lines = []
    for number, citation in cited.items():
        if shared.get(number, number) == number:
            last = max((row for row, first in shared.items() if first == number), default=number)
            label = f"[{number}]" if last == number else f"[{number}]–[{last}]"
            lines.append(f"- {label} {_quote_line(citation)}")
    return "\n".join(lines)


def _quote_line(citation: Citation) -> str:
    where = name_place(citation.paper, citation.page, citation.label)
    place = f"{escape_markdown(citation.title)}, {escape_markdown(where)}"
    doubt = "" if citation.verified else " (not found on that page)"
    doubt += " (from a digest)" if citation.digest else ""
    words = " ".join(citation.quote.split()).replace("“", "‘").replace("”", "’")
    return f"“{escape_markdown(words)}” — [{place}]({quote(citation.paper)}#page={citation.page}){doubt}"
