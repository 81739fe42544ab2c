"""The files of the corpus and their hashes, and whether an index was made of exactly these."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rag_app.files import file_digest
from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper, Manifest
from rag_app.papers.corpus import list_papers
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

    @property
    def part(self) -> str:
        """The folder of its finished work below parts/."""
        return f"{self.digest[:24]}-{self.paper.kind}-{reading_key(self.keep_hidden)}"


def reading_key(keep_hidden: bool) -> str:
    """How papers are read, as the end of a part's name."""
    return f"r{READING_VERSION}" + ("-all" if keep_hidden else "")


@dataclass(frozen=True)
class Inventory:
    """The files to index, and those left out since another has the same bytes: name, size and time of each."""

    files: tuple[CorpusFile, ...]
    doubles: tuple[tuple[str, int, int], ...]
    problems: tuple[str, ...]


def take_inventory(papers: Sequence[Paper], before: Generation | None, keep_hidden: bool = False) -> Inventory:
    """Identify every paper; a file whose size and time are as in the index `before` is not read for that.

    `keep_hidden`: they are to be read with the text that nobody can see.
    """
    files: dict[str, CorpusFile] = {}  # by digest
    doubles: list[tuple[str, int, int]] = []
    problems: list[str] = []
    for paper in papers:
        try:
            file = _identify_file(paper, before.by_paper.get(paper.paper) if before else None)
        except FileNotFoundError:  # removed since the folder was listed
            continue
        first = files.setdefault(file.digest, file)
        if first is not file:
            doubles.append((paper.paper, file.size, file.modified))
            problems.append(f"{paper.paper}: identical to {first.paper.paper}; indexed once.")
    read = tuple(replace(file, keep_hidden=keep_hidden) for file in files.values())
    return Inventory(read, tuple(doubles), tuple(problems))


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


def is_built_from(manifest: Manifest, files: Sequence[CorpusFile]) -> bool:
    """Whether the index holds exactly these files, described as they are now."""
    by_paper = {entry.paper: entry for entry in manifest.papers}
    return len(by_paper) == len(files) and all(_is_entry_of(by_paper.get(file.paper.paper), file) for file in files)


def _is_entry_of(entry: IndexedPaper | None, file: CorpusFile) -> bool:
    """Whether the manifest's entry was made from this file with this description.

    What papers.toml leaves open was filled in from the paper itself, so only what it states is compared.
    """
    if entry is None or (entry.digest, entry.part) != (file.digest, file.part):
        return False
    paper = file.paper
    stated = ("title", "authors", "arxiv_id", "year", "month", "topic", "citation_key", "bibliography")
    return all(not getattr(paper, name) or getattr(paper, name) == getattr(entry, name) for name in stated) and set(
        paper.short_names
    ) <= set(entry.short_names)
