"""The SQLite file beside an index that holds what a user said and wrote: conversations, thumbs, notes.

It is not in the index: that may be deleted or built anew at any time. Every change is one transaction in a write-ahead
log, so that a process may be killed at any moment and several may write at once. Nobody but its owner may read it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from rag_app.errors import HistoryFault
from rag_app.files import refuse_link

FORMAT = 2  # PRAGMA user_version of the file
PATIENCE = 30.0  # seconds to wait for another writer
FOLDER, USERS = "history", "users"  # beside the index; the second within the first
_COMPANIONS = ("", "-wal", "-shm", "-journal")  # of the file: what SQLite writes beside it
_LINK_REMEDY = "Conversations are kept in plain files and folders only. Remove it."

_CHANGES: dict[int, tuple[str, ...]] = {
    1: (
        "CREATE TABLE conversations (id TEXT PRIMARY KEY, title TEXT NOT NULL,"
        " created REAL NOT NULL, updated REAL NOT NULL)",
        "CREATE TABLE turns (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " conversation TEXT NOT NULL REFERENCES conversations(id)"
        " ON DELETE CASCADE, question TEXT NOT NULL, asked TEXT NOT NULL, answer TEXT NOT NULL, words TEXT NOT NULL,"
        " created REAL NOT NULL)",
        "CREATE INDEX turns_of ON turns (conversation, id)",
        "CREATE TABLE feedback (turn INTEGER PRIMARY KEY REFERENCES turns(id) ON DELETE CASCADE, verdict TEXT NOT NULL"
        " CHECK (verdict IN ('up', 'down')), reason TEXT NOT NULL, evidence TEXT NOT NULL, created REAL NOT NULL)",
    ),
    2: (
        "ALTER TABLE conversations ADD COLUMN folder TEXT NOT NULL DEFAULT ''",
        "CREATE TABLE notes (id TEXT PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, words TEXT NOT NULL,"
        " created REAL NOT NULL, updated REAL NOT NULL, revision INTEGER NOT NULL)",
    ),
}
"""What makes each format from the one before it."""


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


class HistoryFile:
    """One such file. Thread-safe, and safe for several processes; it comes into being with the first use.

    `secret` texts (keys) are never written: what is kept goes through `redact`. Methods raise HistoryFault when the
    file cannot be used.
    """

    def __init__(self, path: Path, secret: Sequence[str] = ()) -> None:
        self.file = path
        self._secret: tuple[str, ...] = ()
        for text in secret:
            self.add_secret(text)

    def add_secret(self, secret: str) -> None:
        """Never write this text from now on. A text of a few letters is no key; hiding it would hide words."""
        if len(secret) >= 8:
            self._secret = (*self._secret, secret)

    def redact(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self._secret:
            text = text.replace(secret, "…")
        return text

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
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

    def read(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A connection to read with."""
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
        if version < FORMAT:
            database.execute("BEGIN IMMEDIATE")
            # Another process may have been quicker.
            for format in range(_version(database) + 1, FORMAT + 1):
                for change in _CHANGES[format]:
                    database.execute(change)
            database.execute(f"PRAGMA user_version = {FORMAT}")
            database.execute("COMMIT")
        elif version > FORMAT:
            raise HistoryFault(
                f"{self.file}: these conversations were written by a newer version of this program (format {version}, "
                f"this one knows {FORMAT}). Nothing was changed. Update the program, or move the file away."
            )


def like_pattern(text: str) -> str:
    """For LIKE ... ESCAPE '\\': whatever holds the text, in any case; % and _ mean themselves."""
    sought = "".join(f"\\{letter}" if letter in "\\%_" else letter for letter in text.strip().casefold())
    return f"%{sought}%"


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
