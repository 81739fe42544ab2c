"""Papers from Zotero: from the running program by its local API (read only), or from its storage and an export.

`zotero.toml` in the corpus folder says what; every build follows what has changed. PDFs are copied to `zotero/KEY/`
below the corpus folder, their entries stand in `zotero/library.json` (CSL-JSON). The API is that of Zotero 7 and later
(zotero.org/support/dev/web_api/v3): it listens on this machine only, and is switched on in Settings, Advanced. Whoever
listens there could name any file: only PDFs of Zotero's own storage, or of a folder that the user named, are copied.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import httpx

from rag_app import files
from rag_app.errors import CorpusError, FetchError
from rag_app.models.http_replies import IDENTITY, limit_reply
from rag_app.models.llm.listeners import find_strangers
from rag_app.papers.bibliography_import import read_bibliography
from rag_app.papers.zotero_settings import SETTINGS, ZoteroSource, read_own_settings
from rag_app.records import Json

FOLDER = "zotero"
LIBRARY, SYNC = "library.json", "sync.json"
MODE = 0o600  # of our copies
_BINARY = getattr(os, "O_BINARY", 0)  # Windows
PAGE = 100  # items of one request
PATIENCE = 20.0  # seconds without a byte
DATABASE = "zotero.sqlite"  # beside the folder `storage` of every Zotero
_START = 1024  # bytes within which a PDF says that it is one


@dataclass(frozen=True)
class Attachment:
    """A PDF of Zotero: where it lies, and the item that it belongs to."""

    key: str
    folder: Path  # that may be read
    parts: tuple[str, ...]  # the path below it
    name: str
    csl: Json = field(hash=False)


def sync_zotero(corpus: Path) -> tuple[str, ...]:
    """Bring the copies up to date; what is wrong comes back in words, and then what was there stays.

    Copies of what has left the collection go to `.removed/zotero/`. Nothing happens without zotero.toml. Raises
    CorpusError for a wrong one, and when the corpus folder cannot be written.
    """
    root = corpus.expanduser().resolve()
    source, problem = read_own_settings(root)
    if source is None:
        return (problem,) if problem else ()
    for place in (root / ".removed", root / FOLDER, root / ".removed" / FOLDER):
        files.refuse_link(place, CorpusError, "Remove it, and build again.")
    for place in (root / FOLDER, root / ".removed" / FOLDER):
        files.refuse_links(place, CorpusError, "Remove it, and build again.")
    try:
        found, problems = _list_attachments(source)
    except FetchError as error:
        return (f"{error} The papers from last time stay.",)
    try:
        return tuple(problems + _update_copies(root / FOLDER, root / ".removed" / FOLDER, found))
    except OSError as error:
        raise CorpusError(
            f"{root / FOLDER}: cannot be written ({error.strerror}). Free space or correct permissions."
        ) from error


def zotero_links(bibliography: str, page: int) -> dict[str, str]:
    """Addresses that show the item in Zotero, and open its PDF at the page; none for a paper from elsewhere."""
    keys = json.loads(bibliography).get("zotero") if bibliography else None
    if not isinstance(keys, dict):
        return {}
    links = {"open": f"zotero://open-pdf/library/items/{keys['attachment']}?page={page}"}
    return links | ({"select": f"zotero://select/library/items/{keys['item']}"} if keys.get("item") else {})


# -- what Zotero has ----------------------------------------------------------------------------------------------


def _list_attachments(source: ZoteroSource) -> tuple[list[Attachment], list[str]]:
    """All PDFs that are meant: of the running Zotero, else of its storage. Raises FetchError without either."""
    try:
        _refuse_strangers(source.url)
        hooks = {"response": [limit_reply]}
        with httpx.Client(
            base_url=source.url, timeout=PATIENCE, trust_env=False, headers=IDENTITY, event_hooks=hooks
        ) as client:
            listed = _LocalApi(client).attachments(source)
        _refuse_strangers(source.url)  # who came meanwhile
        return listed
    except httpx.ConnectError as error:
        if source.library:
            return _stored_attachments(source)
        raise FetchError(
            f"{source.url}: Zotero is not running, or does not let other programs connect. Start it and tick Settings, "
            f"Advanced, Allow other applications; or name storage and library in {SETTINGS}."
        ) from error
    except httpx.DecodingError as error:
        raise FetchError(f"{source.url}: not read, since {error}.") from error
    except httpx.HTTPError as error:
        raise FetchError(f"{source.url}: Zotero stopped answering ({type(error).__name__}). Build again.") from error


def _refuse_strangers(url: str) -> None:
    """Raise FetchError when another user listens there: who comes first gets Zotero's port, and could name files."""
    parts = urlsplit(url)
    others = find_strangers(parts.port or (443 if parts.scheme == "https" else 80))
    if others:
        raise FetchError(
            f"{url}: another user of this machine listens there (user id {min(others)}), not your own Zotero: nothing "
            "of it is taken. Start Zotero as this user; where it has another port, name that with --url."
        )


class _LocalApi:
    """The requests of one look at Zotero. What is no success raises FetchError."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def attachments(self, source: ZoteroSource) -> tuple[list[Attachment], list[str]]:
        items = {item["key"]: item for item in self._items(self._path_of(source.collection), source.tag)}
        found: list[Attachment] = []
        problems: list[str] = []
        others: list[tuple[str, str]] = []  # kind and name of what is no PDF
        for item in self._all("/api/users/0/items", itemType="attachment"):
            data = item.get("data", {})
            parent = data.get("parentItem") or item["key"]
            if parent not in items:
                continue
            name = str(data.get("filename") or data.get("title") or f"{item['key']}.pdf")
            kind = str(data.get("contentType") or "of no stated kind")
            if kind != "application/pdf":
                others.append((kind, name))
                continue
            path = self._file(item["key"])
            if path is None:
                problems.append(f"Zotero, {name}: the file is not on this machine. Have Zotero download it.")
                continue
            try:
                folder, parts = _place_of(item["key"], path, source)
                one = Attachment(item["key"], folder, parts, name, _describe(items[parent], item["key"]))
                _open_paper(one).close()
                found.append(one)
            except OSError as error:
                problems.append(f"Zotero, {name}: {path} is not taken: {error.strerror}.")
        return found, problems + [_refuse_kind("Zotero", kind, name) for kind, name in others]

    def _path_of(self, collection: str) -> str:
        if not collection:
            return "/api/users/0/items/top"
        listed = list(self._all("/api/users/0/collections"))
        named = [one["key"] for one in listed if collection in (one["key"], one.get("data", {}).get("name"))]
        if len(named) != 1:
            known = ", ".join(sorted(str(one.get("data", {}).get("name")) for one in listed)[:20])
            what = "no such collection" if not named else "several collections have this name; write the key of one"
            raise FetchError(f"{SETTINGS}: {collection[:80]}: {what}. There are: {known}.")
        return f"/api/users/0/collections/{named[0]}/items/top"

    def _items(self, path: str, tag: str) -> Iterator[Json]:
        return self._all(path, include="data,csljson", **({"tag": tag} if tag else {}))

    def _all(self, path: str, **asked: Any) -> Iterator[Json]:
        """The items of all pages of a listing."""
        start = 0
        while True:
            response = self._get(path, **asked, format="json", start=start, limit=PAGE)
            try:
                listed = response.json()
                total = int(response.headers.get("Total-Results", len(listed)))
                yield from (item for item in listed if isinstance(item["key"], str))
            except (ValueError, TypeError, KeyError) as error:
                raise FetchError(f"{response.url}: not Zotero's API. Is another program there?") from error
            start += PAGE
            if start >= total or not listed:
                return

    def _file(self, key: str) -> Path | None:
        """Where an attachment lies; None when it is not here."""
        response = self._client.get(f"/api/users/0/items/{key}/file/view/url", headers={"Zotero-API-Version": "3"})
        if response.status_code != 200:
            return None
        parts = urlsplit(response.text.strip())
        path = Path(url2pathname(unquote(parts.path) if "%" not in parts.path else parts.path))
        return path if parts.scheme == "file" and path.is_file() else None

    def _get(self, path: str, **asked: Any) -> httpx.Response:
        response = self._client.get(path, params=asked, headers={"Zotero-API-Version": "3"})
        if response.status_code == 403:
            raise FetchError(
                "Zotero does not let other programs connect. Tick Settings, Advanced, Allow other applications."
            )
        if response.status_code != 200:
            raise FetchError(f"{response.url}: Zotero answered {response.status_code}. Try again.")
        return response


def _describe(item: Json, attachment: str) -> Json:
    """The item as CSL-JSON, with its citation key and both keys of Zotero."""
    data = item.get("data", {})
    given = item.get("csljson")
    csl: Json = dict(given) if isinstance(given, dict) else {"type": "article", "title": data.get("title", "")}
    extra = re.search(r"^\s*citation key:\s*(\S+)", str(data.get("extra", "")), re.IGNORECASE | re.MULTILINE)
    key = data.get("citationKey") or csl.get("citation-key") or (extra[1] if extra else "")
    if key:
        csl["citation-key"] = str(key)
    parent = item["key"] if item["key"] != attachment else ""
    return {**csl, "id": str(key or item["key"]), "zotero": {"item": parent, "attachment": attachment}}


def _stored_attachments(source: ZoteroSource) -> tuple[list[Attachment], list[str]]:
    """The PDFs of the exported library that lie in Zotero's storage folder, and nowhere else."""
    storage, library = Path(source.storage).expanduser(), Path(source.library).expanduser()
    if not storage.is_dir() or not library.is_file():
        raise FetchError(f"{SETTINGS}: Zotero is not running, and {storage} or {library} does not exist. Correct them.")
    entries, wrong = read_bibliography(library)
    found, problems = [], list(wrong)
    for entry in entries:
        for file in entry.files:
            parts = file.replace("\\", "/").rsplit("/", 2)
            if not parts[-1].lower().endswith(".pdf"):
                problems.append(_refuse_kind(f"{library.name}, {entry.key}", Path(parts[-1]).suffix, parts[-1]))
                continue
            if len(parts) < 2:
                problems.append(
                    f"{library.name}, {entry.key}: {parts[-1]} has no folder of {storage}. Export it again."
                )
                continue
            key, name = parts[-2], parts[-1]
            csl = {**entry.csl, "citation-key": entry.key, "zotero": {"item": "", "attachment": key}}
            one = Attachment(key, storage, (key, name), name, csl)
            try:
                _open_paper(one).close()
                found.append(one)
            except FileNotFoundError:
                problems.append(f"{library.name}, {entry.key}: {key}/{name} is not in {storage}. Export it again.")
            except OSError as error:
                problems.append(f"{library.name}, {entry.key}: {key}/{name} is not taken: {error.strerror}.")
    return found, problems


def _refuse_kind(place: str, kind: str, name: str) -> str:
    known = {
        "application/epub+zip": "EPUB", ".epub": "EPUB", "text/html": "HTML", "application/xhtml+xml": "HTML",
        ".html": "HTML", ".htm": "HTML", ".xhtml": "HTML",
    }  # fmt: skip
    remedy = "Copy the file into the folder of papers" if kind in known else "Attach the paper's PDF in Zotero"
    what = known.get(kind, kind[:60] or "of no kind")
    return f"{place}, {name}: not taken, since it is no PDF ({what}). {remedy}, and build again."


def _place_of(key: str, path: Path, source: ZoteroSource) -> tuple[Path, tuple[str, ...]]:
    """The folder that may be read, and where the file lies below it. Raises OSError for a file anywhere else."""
    if source.storage:
        named = Path(source.storage).expanduser().absolute()
        for folder in (named, named.resolve()):
            if path.is_relative_to(folder):
                return folder, path.relative_to(folder).parts
    storage = path.parent.parent
    if path.parent.name == key and storage.name == "storage" and _is_own_database(storage.with_name(DATABASE)):
        return storage, (key, path.name)
    raise OSError(
        errno.EPERM,
        "it lies outside Zotero's own storage. Linked files need: rag-app zotero --storage FOLDER",
    )


def _is_own_database(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and (os.name != "posix" or status.st_uid == os.getuid())


def _open_paper(one: Attachment) -> BinaryIO:
    """A stream of the PDF. Raises OSError for a link on the way, for what is no regular file, and for no PDF."""
    if not _safe_name(one.name).lower().endswith(".pdf"):
        raise OSError(errno.EINVAL, "its name does not end with .pdf")
    stream = files.open_below(one.folder, one.parts)
    if b"%PDF-" not in stream.read(_START):
        stream.close()
        raise OSError(errno.EINVAL, "it is no PDF, whatever its name says. Replace it in Zotero")
    stream.seek(0)
    return stream


# -- our copies ---------------------------------------------------------------------------------------------------


def _update_copies(folder: Path, removed: Path, found: list[Attachment]) -> list[str]:
    """Copy what is new or changed, and put aside what is no longer there. Returns what could not be copied."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _read_sync(folder / SYNC)
    now: dict[str, Json] = {}
    works: list[Json] = []
    problems: list[str] = []
    for one in found:
        name = _safe_name(one.name)
        target = folder / _safe_name(one.key) / name
        try:
            with _open_paper(one) as stream:
                status = os.fstat(stream.fileno())
                state = {"name": name, "size": status.st_size, "modified": status.st_mtime_ns}
                if before.get(one.key) != state or not target.is_file():
                    target.parent.mkdir(exist_ok=True)
                    _copy(stream, target)
            if stat.S_IMODE(target.stat().st_mode) != MODE:  # an earlier version left copies open to others
                target.chmod(MODE)
        except OSError as error:
            problems.append(f"Zotero, {one.name}: cannot be copied ({error.strerror}). The copy from before stays.")
            state = before.get(one.key, {})
            name = str(state.get("name", ""))
        if name:
            now[one.key] = state
            works.append({**one.csl, "files": [f"{FOLDER}/{one.key}/{name}"]})
    for key, old in before.items():
        if key not in now or now[key].get("name") != old.get("name"):
            _put_aside(folder / key / str(old.get("name")), removed / key)
    files.write_bytes(folder / LIBRARY, json.dumps(works, ensure_ascii=False, indent=1).encode("utf-8", "replace"))
    files.write_bytes(folder / SYNC, json.dumps(now, indent=1).encode())
    return problems


def _read_sync(path: Path) -> dict[str, Json]:
    """What the copies were made of. Names that lead elsewhere are not ours: nothing there is put aside."""
    try:
        value = json.loads(files.read_regular(path, follow_link=False))
        return {key: state for key, state in value.items() if isinstance(state, dict) and _is_ours(key, state)}
    except (OSError, ValueError, RecursionError, AttributeError):
        return {}  # nothing is known of the copies: they are made anew, none is put aside


def _is_ours(key: str, state: Json) -> bool:
    name = str(state.get("name", ""))
    return _safe_name(key) == key and _safe_name(name) == name


def _copy(source: BinaryIO, target: Path) -> None:
    """Copy so that a file is there whole or not at all, and its owner's alone."""
    temporary = target.with_name(f".{secrets.token_hex(4)}.tmp")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, MODE), "wb") as stream:
            shutil.copyfileobj(source, stream)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _put_aside(copy: Path, folder: Path) -> None:
    """Out of the corpus; kept, since Zotero may have the file no longer."""
    if not copy.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    os.replace(copy, folder / copy.name)
    with suppress(OSError):  # not empty: another file of the same attachment
        copy.parent.rmdir()


def _safe_name(name: str) -> str:
    """A file's name that is one everywhere, and never a path."""
    plain = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", name).strip(" .") or "paper.pdf"
    return plain if len(plain.encode()) <= 200 else f"{plain.encode()[:190].decode('utf-8', 'ignore')}.pdf"
