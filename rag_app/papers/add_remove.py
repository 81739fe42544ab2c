"""Adds files to the corpus folder and removes them: complete files under safe names, nothing twice, nothing lost."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag_app.errors import CorpusError, PaperError
from rag_app.files import file_digest, refuse_link, refuse_links
from rag_app.papers.corpus import list_papers
from rag_app.papers.talks import is_transcript
from rag_app.records import Paper

LARGEST_PDF = 200 * 1024 * 1024  # bytes, as for fetching
LARGEST_TEXT = 20 * 1024 * 1024  # bytes; what the reading takes
MOST_AT_ONCE = 200  # files or ids in one go
LONGEST_NAME = 120  # characters of a stored file's name without its suffix
TEMPORARY = ".adding-"  # hidden, so that half a file never counts as a paper
REMOVED = ".removed"  # in the corpus folder: on the same disk, and hidden from the listing of papers
TEXTS = frozenset({
    ".md", ".markdown", ".txt", ".text", ".html", ".htm", ".xhtml", ".tex", ".xml", ".nxml", ".srt", ".vtt", ".json",
})  # fmt: skip
ARCHIVES = frozenset({".docx", ".epub"})  # opened only where papers are read: in a process with limits of its own
_ARCHIVE = b"PK\x03\x04"  # how they begin
_PRINT = "Open it in its own program and save or print it as PDF."
_LINK_REMEDY = "Remove it, and put the files themselves there."
_LEFTOVER_AGE = 24 * 3600.0  # seconds after which half a file belongs to nobody
_START = 1024  # bytes within which a PDF says that it is one
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # device names of Windows
_moving = threading.Lock()  # looking for a free name and taking it is one step


@dataclass(frozen=True)
class AddResult:
    """What became of one file that was given. `paper` is the name of the file that holds its bytes now."""

    name: str  # as it was given, for showing only
    state: Literal["added", "already there", "refused"]
    paper: str = ""
    problem: str = ""  # what is wrong, and the remedy


class IncomingFile:
    """A file on its way into the corpus folder: written piece by piece beside the papers, then kept or thrown away."""

    def __init__(self, corpus: Path, name: str, limit: int = LARGEST_PDF) -> None:
        """Raises CorpusError when the folder cannot be written to."""
        self.name = display_name(name)
        self.corpus = ensure_writable_folder(corpus)
        self.size = 0
        self._limit = limit
        self._start = b""
        self._digest = hashlib.sha256()
        self._path = self.corpus / f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            self._file = open(self._path, "xb")  # noqa: SIM115  # closed by keep() or drop()
        except OSError as error:
            raise _unwritable_error(self.corpus, error) from error

    def write(self, piece: bytes) -> None:
        """Take the next bytes. Raises PaperError when it has become too large, CorpusError when the disk is full."""
        self.size += len(piece)
        if self.size > self._limit:
            raise PaperError(f"{self.name}: larger than {self._limit / 2**20:g} MB. Make it smaller or split it.")
        self._start += piece[: _START - len(self._start)]
        self._digest.update(piece)
        try:
            self._file.write(piece)
        except OSError as error:
            raise _unwritable_error(self.corpus, error) from error

    def drop(self) -> None:
        """Throw away what came, if it was not kept. May be called again."""
        self._file.close()
        with suppress(OSError):  # a virus scanner may hold it; a later run sweeps it up
            self._path.unlink(missing_ok=True)

    def keep(self) -> AddResult:
        """Check what came and make it a paper of the folder. Never raises PaperError: a refusal is the result."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            suffix = self._suffix()
            with _moving:
                there = _same_bytes(self.corpus, self.size, self._digest.hexdigest())
                if there is not None:
                    return AddResult(self.name, "already there", there.paper)
                return AddResult(self.name, "added", self._move_into_place(safe_name(self.name, suffix)).name)
        except PaperError as error:
            return AddResult(self.name, "refused", problem=str(error))
        except OSError as error:
            raise _unwritable_error(self.corpus, error) from error
        finally:
            self.drop()

    def _move_into_place(self, name: str) -> Path:
        """Give the file its name; one that another program takes meanwhile is never overwritten."""
        while True:
            target = free_name(self.corpus, name)
            try:
                os.link(self._path, target)  # unlike rename, it never replaces anything
            except FileExistsError:
                continue
            except OSError:  # a disk without links
                os.rename(self._path, target)
            return target

    def _suffix(self) -> str:
        """The suffix that suits the bytes. Raises PaperError when they are no paper."""
        given = Path(self.name).suffix.lower()
        if not self.size:
            raise PaperError(f"{self.name}: is empty. Choose the file again once it is complete.")
        if b"%PDF-" in self._start:
            return ".pdf"
        if given in TEXTS and (given != ".json" or is_transcript(self._path)):
            self._check_text()
        elif given in ARCHIVES and not self._start.startswith(_ARCHIVE):
            raise PaperError(f"{self.name}: is damaged or no {given[1:].upper()} file. {_PRINT}")
        elif given == ".pdf":
            raise PaperError(f"{self.name}: does not begin like a PDF (%PDF). {_PRINT}")
        elif given not in ARCHIVES:
            raise PaperError(
                f"{self.name}: is not a PDF, Word (.docx), EPUB, HTML, LaTeX, JATS, Markdown or text file, or a "
                f"transcript. {_PRINT}"
            )
        return given

    def _check_text(self) -> None:
        """Raises PaperError when it is too large, or no text."""
        if self.size > LARGEST_TEXT:
            limit = f"{LARGEST_TEXT / 2**20:g} MB"
            raise PaperError(f"{self.name}: larger than {limit}, too large for a text file. Split it.")
        if not _is_text(self._path):
            raise PaperError(f"{self.name}: contains binary data, not text. Save it as UTF-8 text or print it as PDF.")


def add_file(corpus: Path, source: Path) -> AddResult:
    """Copy one file into the folder; see Incoming. Raises CorpusError when the folder cannot be written to."""
    incoming = IncomingFile(corpus, source.name)
    try:
        with open(source, "rb") as file:
            while piece := file.read(2**20):
                incoming.write(piece)
        return incoming.keep()
    except PaperError as error:
        return AddResult(incoming.name, "refused", problem=str(error))
    except OSError as error:
        problem = f"{incoming.name}: cannot be read ({error.strerror}). Correct its name or permissions."
        return AddResult(incoming.name, "refused", problem=problem)
    finally:
        incoming.drop()


def _same_bytes(corpus: Path, size: int, digest: str) -> Paper | None:
    for paper in list_papers(corpus).papers:
        with suppress(OSError):  # removed meanwhile, or closed to us: then it cannot be compared
            if paper.path.stat().st_size == size and file_digest(paper.path) == digest:
                return paper
    return None


def _is_text(path: Path) -> bool:
    """Whether it can be read as text: UTF-8, UTF-16 with its mark, or an old Windows file without control bytes."""
    data = path.read_bytes()
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        strange = sum(1 for letter in text if letter < " " and letter not in "\t\n\r\f\v\x1b")
        return "\0" not in text and strange * 200 <= len(text)
    return False


# -- names --------------------------------------------------------------------------------------------------------


def display_name(name: str) -> str:
    """The last part of a given name as one line of plain text; never used as a path."""
    last = re.split(r"[/\\]", name)[-1]
    # Cf are marks that cannot be seen, among them those that turn the direction of writing: "fdp.exe".
    kept = (" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in last)
    return " ".join("".join(kept).split())[:200] or "a file without a name"


def safe_name(name: str, suffix: str) -> str:
    """A file's name for any disk: no path, no hidden or reserved name, none that the listing leaves out."""
    stem = name[: -len(Path(name).suffix)] if Path(name).suffix else name
    stem = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", unicodedata.normalize("NFC", display_name(stem))).strip(" .")
    stem = stem.encode("utf-8", "ignore").decode("utf-8")[:LONGEST_NAME]
    while len(stem.encode("utf-8")) > 2 * LONGEST_NAME:  # a disk counts bytes, 255 of them
        stem = stem[:-1]
    stem = stem.strip(" .") or "paper"
    if _RESERVED.fullmatch(stem) or stem.casefold() == "readme":
        stem = f"paper {stem}"
    return stem + suffix


def free_name(corpus: Path, name: str, folder: Path | None = None) -> Path:
    """A path in `folder` (the corpus itself by default) that is free, and whose name no paper of the corpus has."""
    taken = {_key(paper.path.name) for paper in list_papers(corpus).papers}
    place = folder or corpus
    stem, suffix = Path(name).stem, Path(name).suffix
    number = 1
    while _key(name) in taken or os.path.lexists(place / name):
        number += 1
        name = f"{stem} ({number}){suffix}"
    return place / name


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


# -- taking out and putting back -------------------------------------------------------------------------------------


def remove_paper(corpus: Path, paper: str) -> Path:
    """Move a paper's file into the folder `.removed`, where it keeps its place; returns where it lies now.

    Raises PaperError when the library has no such paper, CorpusError when it cannot be moved.
    """
    root = ensure_writable_folder(corpus)
    with _moving:
        found = next((one for one in list_papers(root).papers if one.paper == paper), None)
        if found is None:
            raise PaperError(
                f"{display_name(paper)}: not in the folder of papers. The list may be old: build again to renew it."
            )
        _refuse_links_to(root, (root / REMOVED / found.path.relative_to(root)).parent)
        inside = found.path.relative_to(root)
        return _move_file(found.path, lambda: _find_free_path(root / REMOVED / inside))


def removed_papers(corpus: Path) -> tuple[str, ...]:
    """The files that were removed and are kept, as paths below `.removed`, the latest first.

    Raises CorpusError when that folder is a link or holds one.
    """
    kept = corpus.expanduser().resolve() / REMOVED
    refuse_link(kept, CorpusError, _LINK_REMEDY)
    refuse_links(kept, CorpusError, _LINK_REMEDY)
    files = [path for path in kept.rglob("*") if path.is_file() and _is_unicode(path)] if kept.is_dir() else []
    return tuple(path.relative_to(kept).as_posix() for path in sorted(files, key=_change_time, reverse=True))


def restore_paper(corpus: Path, kept: str) -> Path:
    """Put a removed file back to where it was, under another name where that is taken; returns where it lies now.

    `kept` is one of removed_papers. Raises PaperError when it is not, CorpusError when it cannot be moved.
    """
    root = ensure_writable_folder(corpus)
    with _moving:
        if kept not in removed_papers(root):
            raise PaperError(f"{display_name(kept)}: no such removed file. See: python -m rag_app remove")
        target = root / kept
        _refuse_links_to(root, target.parent)
        return _move_file(root / REMOVED / kept, lambda: free_name(root, target.name, target.parent))


def find_replacement_digest(corpus: Path, path: Path) -> str:
    """The digest of papers.toml that answers now that the PDF `path` is gone; empty where there is none."""
    stem = path.stem.casefold()
    papers = [one for one in list_papers(corpus).papers if one.kind == "digest" and one.arxiv_id]
    return next((one.paper for one in papers if stem.startswith(one.arxiv_id.replace("/", "_"))), "")


def _refuse_links_to(root: Path, folder: Path) -> None:
    """Raise CorpusError when a folder on the way from `root` to `folder` is a link: a file would leave the corpus."""
    for part in (folder, *folder.parents):
        if part == root:
            return
        refuse_link(part, CorpusError, _LINK_REMEDY)


def _find_free_path(path: Path) -> Path:
    number, wanted = 1, path
    while os.path.lexists(wanted):
        number += 1
        wanted = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return wanted


def _move_file(path: Path, where: Callable[[], Path]) -> Path:
    try:
        target = where()
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(path, target)
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be moved ({error.strerror}). Close the program that has it open, or correct permissions."
        ) from error
    return target


def _is_unicode(path: Path) -> bool:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _change_time(path: Path) -> float:
    try:
        return path.lstat().st_ctime
    except OSError:
        return 0.0


# -- the folder ----------------------------------------------------------------------------------------------------


def ensure_writable_folder(corpus: Path) -> Path:
    """The corpus folder, made where it is missing. Raises CorpusError when that cannot be."""
    root = corpus.expanduser().resolve()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _delete_leftovers(root.glob(f"{TEMPORARY}*"))
    except OSError as error:
        raise _unwritable_error(root, error) from error
    return root


def _delete_leftovers(files: Iterable[Path]) -> None:
    """Delete partial files of a run that was killed; another process may still write the recent ones."""
    for path in files:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFTOVER_AGE:
                path.unlink()


def _unwritable_error(corpus: Path, error: OSError) -> CorpusError:
    reason = error.strerror or str(error)
    return CorpusError(
        f"{corpus}: cannot be written to ({reason}). Free some space, or correct RAG_CORPUS or its permissions."
    )
