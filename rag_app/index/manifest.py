"""What a generation was made of and by what: the file manifest.json in its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePath
from typing import Any, TypeVar

from rag_app import files
from rag_app.errors import IndexFault, IndexMismatch

FORMAT = 1  # of the index folder's layout; another number asks for a rebuild


@dataclass(frozen=True)
class IndexedPaper:
    """What the manifest says of one paper. Its passages are the rows [first, first + passages)."""

    paper: str
    title: str
    kind: str
    state: str
    problem: str
    digest: str  # SHA-256 of the file
    size: int  # bytes and the time of the last change, to see quickly that nothing changed
    modified: int  # nanoseconds
    part: str  # folder below parts/
    key: str  # of its passages and vectors within the part
    pages: int
    passages: int
    first: int
    seconds: float
    warnings: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()  # that mean this paper (paper_names.py)
    coined: tuple[str, ...] = ()  # names that it uses first and most
    authors: tuple[str, ...] = ()
    arxiv_id: str = ""
    year: int = 0
    month: int = 0
    topic: str = ""
    hidden: tuple[str, ...] = ()  # text that nobody can see
    citation_key: str = ""  # of the bibliography that describes it
    bibliography: str = ""  # its entry there, as a CSL-JSON item
    older: tuple[str, ...] = ()  # files of earlier versions of it, which are not indexed
    same: tuple[str, ...] = ()  # files of the same bytes, by which it can be named too
    language: str = ""  # ISO 639-1, of its passages; empty without any, and in an index of before it was noted

    @property
    def rows(self) -> slice:
        """Of its passages in everything that has a row per passage."""
        return slice(self.first, self.first + self.passages)


@dataclass(frozen=True)
class Manifest:
    """What a generation was made of, and by what."""

    format: int
    created: str  # UTC, ISO 8601
    embedder: str  # identity; "" while only words are searchable
    dimension: int
    splitter: str
    reading: int  # READING_VERSION
    versions: dict[str, str]  # of the packages that matter
    papers: tuple[IndexedPaper, ...]
    passages: int
    doubles: tuple[tuple[str, int, int], ...] = ()  # files left out for another of the same bytes or a later version
    warnings: tuple[str, ...] = ()  # about the folder, not about one paper
    corpus: str = ""  # the folder of the papers; empty in an index of before it was noted

    @property
    def has_meaning(self) -> bool:
        return bool(self.embedder)


def read_manifest(folder: Path) -> Manifest:
    """Read a generation's manifest. Raises IndexMismatch for another format, IndexFault when it is damaged."""
    value = files.read_json(folder / "manifest.json")
    try:
        if value["format"] != FORMAT:
            raise IndexMismatch(
                f"{folder}: this index has format {value['format']}, this program writes {FORMAT}. Build again."
            )
        papers = tuple(_check_fields(IndexedPaper(**{**entry, **_tuples(entry)})) for entry in value.pop("papers"))
        manifest = _check_fields(Manifest(papers=papers, **{**value, **_tuples(value)}))
        _check_rows(manifest)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise IndexFault(f"{folder}: manifest damaged ({error}). Build again with --fresh.") from error
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    files.write_json(folder / "manifest.json", asdict(manifest))


# The names of a part's folder and of a paper's key in it lead to files, so that they must not hold a path.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def _tuples(value: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists only; the records hold tuples."""
    return {
        name: tuple(tuple(inner) if isinstance(inner, list) else inner for inner in part)
        for name, part in value.items()
        if isinstance(part, list)
    }


def _names_of_papers(manifest: Manifest) -> Iterator[str]:
    for entry in manifest.papers:
        yield from (entry.paper, *entry.older, *entry.same)


def is_inside(name: str) -> bool:
    """Whether a paper's name, with "/" between folders, stays in the folder of the papers."""
    path = PurePath(name)
    return bool(name) and not path.is_absolute() and not path.anchor and ".." not in path.parts and "\0" not in name


def _check_rows(manifest: Manifest) -> None:
    at = 0
    for name in _names_of_papers(manifest):
        if not is_inside(name):
            raise ValueError(f"the paper {name!r} leads out of the folder of the papers")
    for entry in manifest.papers:
        if not (_PLAIN_NAME.fullmatch(entry.part) and _PLAIN_NAME.fullmatch(entry.key)):
            raise ValueError(f"the part of {entry.paper} is not a plain name")
        if entry.first != at or entry.passages < 0:
            raise ValueError(f"the passages of {entry.paper} are out of place")
        at += entry.passages
    if at != manifest.passages:
        raise ValueError("the papers' passages do not add up")


Record = TypeVar("Record", IndexedPaper, Manifest)
_TYPES: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float)}


def _check_fields(record: Record) -> Record:
    """The record, if every field has the type that it says. A damaged file must not surprise a search much later."""
    for field in fields(record):
        kind, value = str(field.type), getattr(record, field.name)
        wanted = _TYPES.get(kind, dict if kind.startswith("dict") else tuple)
        if not isinstance(value, wanted) or not _has_item_types(kind, value):
            raise TypeError(f"{field.name} is not {field.type}")
    return record


def _has_item_types(kind: str, value: Any) -> bool:
    """Whether a field that holds several values holds those that it says."""
    if kind.startswith("dict"):
        return all(isinstance(one, str) for one in value.values())
    if kind == "tuple[str, ...]":
        return all(isinstance(one, str) for one in value)
    if kind == "tuple[tuple[str, int, int], ...]":
        return all(isinstance(one, tuple) and tuple(map(type, one)) == (str, int, int) for one in value)
    return True
