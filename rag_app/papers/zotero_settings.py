"""`zotero.toml` in a corpus folder: which part of Zotero belongs to it, and proof that this user wrote it.

A folder of papers may come from anybody. The file is therefore followed only while its SHA-256 stands, beside the path
of the corpus, in the user's own settings folder, where the command `zotero` notes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rag_app import files
from rag_app.errors import CorpusError, SettingsError
from rag_app.settings import settings_folder

SETTINGS = "zotero.toml"
NOTES = "zotero.json"  # in the user's settings folder: path of a corpus -> SHA-256 of its zotero.toml
LOCAL = "http://127.0.0.1:23119"
_KEYS = ("url", "collection", "tag", "storage", "library")


@dataclass(frozen=True)
class ZoteroSource:
    """What zotero.toml says: which part of the library, and where it is while Zotero is closed."""

    url: str = LOCAL
    collection: str = ""  # name or key; empty: the whole library
    tag: str = ""
    storage: str = ""  # a folder of attachments: of linked files, or Zotero's own
    library: str = ""  # for a closed Zotero: a library exported with paths: .bib, .ris or CSL-JSON


def read_zotero_settings(corpus: Path) -> ZoteroSource | None:
    """What zotero.toml says, whoever wrote it; None without one. Raises CorpusError for a wrong one."""
    content = _read_file(corpus)
    return None if content is None else _parse(corpus / SETTINGS, content)


def read_own_settings(corpus: Path) -> tuple[ZoteroSource | None, str]:
    """What zotero.toml says if this user's command `zotero` wrote it, else None and why it is not followed.

    None and no words without one. Raises CorpusError for a wrong one of this user's.
    """
    content = _read_file(corpus)
    if content is None:
        return None, ""
    if _read_notes().get(os.path.realpath(corpus)) != hashlib.sha256(content).hexdigest():
        return None, (
            f"{SETTINGS} in {corpus} was not written by this user: it is not followed. To follow it, run: "
            "rag-app zotero, with the options that you want (rag-app zotero --help). The papers that are there stay."
        )
    return _parse(corpus / SETTINGS, content), ""


def write_zotero_settings(corpus: Path, source: ZoteroSource) -> Path:
    """Write zotero.toml, in place of one that is there, and note that this user did.

    Raises SettingsError where this user can note nothing.
    """
    given = {name: value for name in _KEYS if (value := getattr(source, name)) and value != LOCAL}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in given.items()]
    content = ("\n".join(["# Papers that every build takes from Zotero.", *lines]) + "\n").encode()
    path = corpus / SETTINGS
    files.write_bytes(path, content)
    _write_notes({**_read_notes(), os.path.realpath(corpus): hashlib.sha256(content).hexdigest()})
    return path


def _read_file(corpus: Path) -> bytes | None:
    path = corpus / SETTINGS
    try:
        return files.read_regular(path, follow_link=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). Correct it, or remove it.") from error


def _parse(path: Path, content: bytes) -> ZoteroSource:
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: cannot be read ({error}). Correct it, or remove it.") from error
    for key, value in table.items():
        if key not in _KEYS or not isinstance(value, str):
            raise CorpusError(f"{path}: {key[:40]} is not a text setting. The settings are: {', '.join(_KEYS)}.")
    source = ZoteroSource(**table)
    if not _is_local(source.url):
        raise CorpusError(f"{path}: url has to be one of this machine, as Zotero's own: {LOCAL}")
    if source.library and not source.storage:
        raise CorpusError(f"{path}: library goes together with storage, the folder of the library's files.")
    return source


def _is_local(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.port != 0 and parts.hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:  # no port that can be
        return False


def _read_notes() -> dict[str, str]:
    """What was noted; nothing where the file is missing, damaged, or was ever open to others."""
    try:
        with files.open_regular(settings_folder() / NOTES, follow_link=False) as stream:
            status = os.fstat(stream.fileno())
            if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid != os.getuid()):
                return {}
            value = json.loads(stream.read())
    except (OSError, ValueError, RecursionError, SettingsError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_notes(notes: dict[str, str]) -> None:
    file = settings_folder() / NOTES
    temporary = file.with_name(f".{NOTES}.{secrets.token_hex(4)}.tmp")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            json.dump(notes, stream, indent=1)
        os.replace(temporary, file)
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be written ({error.strerror}), and without it {SETTINGS} is not followed. "
            "Correct its permissions, or set XDG_CONFIG_HOME to a folder of yours."
        ) from error
    finally:
        with suppress(OSError):  # what went wrong before matters more
            temporary.unlink(missing_ok=True)
