"""The files of the corpus and their hashes, and whether an index was made of exactly these."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rag_app.errors import CorpusError, IndexOfOtherFolder
from rag_app.files import file_digest
from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper, Manifest
from rag_app.papers.arxiv_ids import arxiv_id_of_file
from rag_app.papers.corpus import list_papers
from rag_app.papers.pdf import ocr
from rag_app.papers.read import READING_VERSION
from rag_app.records import Paper

CLOSED = "closed-"  # in front of the digest of a file that could not be opened


@dataclass(frozen=True)
class CorpusFile:
    """A paper with what identifies its bytes. `problem` says why its bytes are unknown."""

    paper: Paper
    digest: str
    size: int
    modified: int
    problem: str = ""
    keep_hidden: bool = False  # read it with the text that nobody can see
    older: tuple[str, ...] = ()  # files of earlier versions of this paper, left out for this one
    same: tuple[str, ...] = ()  # files of the same bytes, left out for this one

    @property
    def part(self) -> str:
        """The folder of its finished work below parts/."""
        return f"{self.digest[:24]}-{self.paper.kind}-{reading_key(self.keep_hidden)}"


def reading_key(keep_hidden: bool) -> str:
    """How papers are read, as the end of a part's name."""
    return f"r{READING_VERSION}" + ("-all" if keep_hidden else "") + ("-ocr" if ocr.is_installed() else "")


@dataclass(frozen=True)
class Inventory:
    """The files to index, and those left out for another of the same bytes or a later version: name, size, time."""

    files: tuple[CorpusFile, ...]
    doubles: tuple[tuple[str, int, int], ...]
    problems: tuple[str, ...]


def take_inventory(papers: Sequence[Paper], before: Generation | None, keep_hidden: bool = False) -> Inventory:
    """Identify every paper; a file whose size and time are as in the index `before` is not read for that.

    `keep_hidden`: they are to be read with the text that nobody can see.
    """
    files: dict[str, CorpusFile] = {}  # by digest
    doubles: list[tuple[str, int, int]] = []
    same: dict[str, list[str]] = {}
    problems: list[str] = []
    for paper in papers:
        try:
            file = _identify_file(paper, before.by_paper.get(paper.paper) if before else None)
        except FileNotFoundError:  # removed since the folder was listed
            continue
        first = files.setdefault(file.digest, file)
        if first is not file:
            doubles.append((paper.paper, file.size, file.modified))
            same.setdefault(file.digest, []).append(paper.paper)
            problems.append(f"{paper.paper}: identical to {first.paper.paper}; indexed once.")
    newer = _find_newer(files.values())
    older: dict[str, list[str]] = {}
    for file in files.values():
        if file.paper.paper in newer:
            name, stays = file.paper.paper, newer[file.paper.paper]
            older.setdefault(stays, []).append(name)
            doubles.append((name, file.size, file.modified))
            problems.append(f"{name}: an earlier version of {stays}, which supersedes it; not indexed.")
    read = tuple(
        replace(
            file,
            keep_hidden=keep_hidden,
            older=tuple(older.get(file.paper.paper, ())),
            same=tuple(same.get(file.digest, ())),
        )
        for file in files.values()
        if file.paper.paper not in newer
    )
    return Inventory(read, tuple(doubles), tuple(problems))


def _find_newer(files: Iterable[CorpusFile]) -> dict[str, str]:
    """The PDFs that a later version of the same arXiv paper supersedes, each with that one: names of papers.

    The file's name tells the version. One without a version may be any; only a first version is surely not newer.
    """
    versions: dict[str, dict[str, int]] = {}
    for file in files:
        found = arxiv_id_of_file(file.paper.path.stem) if file.paper.kind == "pdf" else None
        if found is not None and found[0].id == file.paper.arxiv_id and not file.problem:
            versions.setdefault(found[0].id, {})[file.paper.paper] = found[0].version
    newer: dict[str, str] = {}
    for of_paper in versions.values():
        latest = max(of_paper.values())
        stays = [name for name, version in of_paper.items() if version == (latest if latest > 1 else 0)]
        for name, version in of_paper.items():
            if stays and (0 < version < latest or (version == 1 and name not in stays)):
                newer[name] = stays[0]
    return newer


def _identify_file(paper: Paper, entry: IndexedPaper | None) -> CorpusFile:
    status = paper.path.stat()
    size, modified = status.st_size, change_time(status)
    if entry and (entry.size, entry.modified) == (size, modified) and not entry.digest.startswith(CLOSED):
        return CorpusFile(paper, entry.digest, size, modified)
    try:
        return CorpusFile(paper, file_digest(paper.path), size, modified)
    except FileNotFoundError:
        raise
    except OSError as error:
        problem = f"{paper.paper}: cannot be opened ({error.strerror}). Correct its permissions, then build again."
        # Not of its bytes, so that it is looked at again by every build.
        digest = CLOSED + hashlib.sha256(problem.encode()).hexdigest()
        return CorpusFile(paper, digest, size, modified, problem)


def change_time(status: os.stat_result) -> int:
    """Nanoseconds: when the file's bytes or its entry were last changed.

    A program may set back the first after an edit; the system keeps the second (on Windows it is the creation).
    """
    return max(status.st_mtime_ns, status.st_ctime_ns)


def list_files(corpus: Path) -> set[tuple[str, int, int]]:
    """Name, size and time of every paper's file; none of them is read."""
    there = set()
    for paper in list_papers(corpus).papers:
        with suppress(FileNotFoundError):  # removed since the folder was listed
            status = paper.path.stat()
            there.add((paper.paper, status.st_size, change_time(status)))
    return there


def folder_name(corpus: Path) -> str:
    """The folder of papers as a manifest notes it."""
    return str(corpus.expanduser().resolve())


def refuse_other_folder(manifest: Manifest, corpus: Path) -> None:
    """Raise IndexOfOtherFolder where the index answers from papers of another folder, which `corpus` does not hold.

    A folder that was moved or mounted elsewhere with its papers stays the same: their names and sizes tell.
    """
    here = folder_name(corpus)
    if manifest.corpus == here:
        return
    there = {name: size for name, size, _ in list_files(corpus)}
    if manifest.corpus:
        strangers = [entry.paper for entry in manifest.papers if there.get(entry.paper) != entry.size]
    else:  # an older index does not say of which folder it is: papers may be taken out or edited, but not all
        strangers = [entry.paper for entry in manifest.papers if entry.paper not in there]
        strangers = strangers if len(strangers) == len(manifest.papers) else []
    if strangers:
        raise IndexOfOtherFolder(
            f"The index was built from {manifest.corpus or 'another folder'}, and {here} does not hold its papers "
            f"({strangers[0]}). Set RAG_INDEX to another folder to keep both, or build this one anew: "
            "python -m rag_app build"
        )


def explain_file_changes(entries: Sequence[IndexedPaper], built: str, corpus: Path) -> tuple[str, ...]:
    """For each of these papers whose file is not the one that was read: why, and the remedy.

    `built`: when the index was made, ISO 8601 in UTC.
    """
    when = f"{built[:16].replace('T', ' ')} UTC"
    # A name tells the place, but for a file of a sub-folder.
    paths = {entry.paper: path for entry in entries if (path := corpus.expanduser() / entry.paper).is_file()}
    if len(paths) < len(entries):
        with suppress(CorpusError):  # the whole folder is gone
            paths = {paper.paper: paper.path for paper in list_papers(corpus).papers}
    return tuple(problem for entry in entries if (problem := _explain_file_change(entry, when, paths.get(entry.paper))))


def _explain_file_change(entry: IndexedPaper, when: str, path: Path | None) -> str:
    try:
        status = path.stat() if path else None
        if path and status:
            same = (status.st_size, change_time(status)) == (entry.size, entry.modified)
            if same or entry.digest.startswith(CLOSED) or file_digest(path) == entry.digest:
                return ""
    except OSError:
        status = None
    if status is None:
        return (
            f"{entry.paper}: the file is gone; it was there when the index was built ({when}), and the words are those "
            "that were read then. Put it back or build again."
        )
    return (
        f"{entry.paper}: the file has changed since the index was built ({when}), and the words are those that were "
        "read then. Build again."
    )


def is_built_from(manifest: Manifest, files: Sequence[CorpusFile]) -> bool:
    """Whether the index holds exactly these files, described as they are now."""
    by_paper = {entry.paper: entry for entry in manifest.papers}
    return len(by_paper) == len(files) and all(_is_entry_of(by_paper.get(file.paper.paper), file) for file in files)


def _is_entry_of(entry: IndexedPaper | None, file: CorpusFile) -> bool:
    """Whether the manifest's entry was made from this file with this description.

    What papers.toml leaves open was filled in from the paper itself, so only what it states is compared.
    """
    if entry is None or (entry.digest, entry.part, entry.older, entry.same) != (
        file.digest,
        file.part,
        file.older,
        file.same,
    ):
        return False
    paper = file.paper
    stated = ("title", "authors", "arxiv_id", "year", "month", "topic", "citation_key", "bibliography")
    return all(not getattr(paper, name) or getattr(paper, name) == getattr(entry, name) for name in stated) and set(
        paper.short_names
    ) <= set(entry.short_names)
