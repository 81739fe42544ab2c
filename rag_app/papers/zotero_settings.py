"""`zotero.toml` in a corpus folder: which part of Zotero belongs to it, and proof that this user wrote it.

A folder of papers may come from anybody. The file is therefore followed only while its SHA-256 stands, beside the path
of the corpus, in the user's own settings folder, where the command `zotero` notes it.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rag_app import files
from rag_app.errors import CorpusError
from rag_app.settings import is_own_file, note_own_file

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
    if not is_own_file(NOTES, corpus, content):
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
    note_own_file(NOTES, corpus, content)
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
