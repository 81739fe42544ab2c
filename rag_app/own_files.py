"""Which files that lie beside papers or an index this user wrote: such a folder may come from anybody.

Their paths stand, each with the SHA-256 of the file, in the user's own settings folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from rag_app import files
from rag_app.errors import SettingsError
from rag_app.settings import settings_folder


def is_own_file(notes: str, key: Path, content: bytes) -> bool:
    """Whether this user noted this content for `key`, in the file `notes` of the settings folder."""
    return _read_notes(notes).get(os.path.realpath(key)) == hashlib.sha256(content).hexdigest()


def note_own_file(notes: str, key: Path, content: bytes) -> None:
    """Note that this user wrote it. Raises SettingsError where this user can note nothing."""
    _write_notes(notes, {**_read_notes(notes), os.path.realpath(key): hashlib.sha256(content).hexdigest()})


def _read_notes(notes: str) -> dict[str, str]:
    """What was noted; nothing where the file is missing, damaged, or was ever open to others."""
    try:
        with files.open_regular(settings_folder() / notes, follow_link=False) as stream:
            status = os.fstat(stream.fileno())
            if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid != os.getuid()):
                return {}
            value = json.loads(stream.read())
    except (OSError, ValueError, RecursionError, SettingsError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_notes(notes: str, value: dict[str, str]) -> None:
    file = settings_folder() / notes
    temporary = file.with_name(f".{notes}.{secrets.token_hex(4)}.tmp")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=1)
        os.replace(temporary, file)
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be written ({error.strerror}); it says which files you wrote, and others are not "
            "followed. Correct its permissions, or set XDG_CONFIG_HOME to a folder of yours."
        ) from error
    finally:
        with suppress(OSError):  # what went wrong before matters more
            temporary.unlink(missing_ok=True)
