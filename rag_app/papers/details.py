"""What the user corrected about papers, and their tags: the file .paper-details.json of the corpus folder.

It counts before papers.toml, the bibliographies and the paper itself, and outlives every build. A field that is left
empty there is as it was found.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from rag_app.errors import CorpusError
from rag_app.files import read_regular, refuse_link, write_bytes
from rag_app.papers.manifest import YEARS
from rag_app.records import Json, Paper

DETAILS = ".paper-details.json"  # of the corpus folder; hidden, so that it is not taken for a bibliography
LONGEST_TEXT = 500  # characters of a title, an author or a venue
LONGEST_TAG = 40
MOST_AUTHORS, MOST_TAGS = 200, 20
_LINK_REMEDY = "Put the file itself there."
_writing = threading.Lock()


@dataclass(frozen=True)
class PaperDetails:
    """What the user said of one paper."""

    title: str = ""
    authors: tuple[str, ...] = ()
    year: int = 0
    venue: str = ""  # the journal, or the conference
    topic: str = ""
    tags: tuple[str, ...] = ()


def parse_details(value: Mapping[str, Any]) -> PaperDetails:
    """Details from a JSON object or a form. Raises CorpusError for a value that cannot be."""
    year = value.get("year") or 0
    try:
        number = int(year)
    except (TypeError, ValueError):
        number = -1
    if number and number not in YEARS:
        raise CorpusError(f"{str(year)[:20]}: no year. Write one from {YEARS[0]} to {YEARS[-1]}, or leave it empty.")
    return PaperDetails(
        title=_text(value.get("title")),
        authors=_texts(value.get("authors"), LONGEST_TEXT)[:MOST_AUTHORS],
        year=number,
        venue=_text(value.get("venue")),
        topic=_text(value.get("topic")),
        tags=_texts(value.get("tags"), LONGEST_TAG)[:MOST_TAGS],
    )


def read_details(corpus: Path) -> Mapping[str, PaperDetails]:
    """What the user said, by paper; nothing where the folder has no such file.

    Raises CorpusError, with the file, when it is damaged or a link.
    """
    path = corpus.expanduser() / DETAILS
    refuse_link(path, CorpusError, _LINK_REMEDY)
    try:
        status = path.stat()
        return _read(path, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). Correct its permissions.") from error


def save_details(corpus: Path, paper: str, details: PaperDetails) -> None:
    """Keep what the user said of one paper; empty details are forgotten. Raises CorpusError where it cannot be kept."""
    path = corpus.expanduser() / DETAILS
    with _writing:
        known = {name: asdict(one) for name, one in read_details(corpus).items()}
        known.pop(paper, None)
        if details != PaperDetails():
            known[paper] = asdict(details)
        try:
            write_bytes(path, (json.dumps({"papers": known}, ensure_ascii=False, indent=1) + "\n").encode())
        except OSError as error:
            raise CorpusError(f"{path}: cannot be written ({error.strerror}). Correct the permissions.") from error


def correct_papers(papers: Sequence[Paper], details: Mapping[str, PaperDetails]) -> tuple[Paper, ...]:
    """The papers as the user corrected them."""
    return tuple(_correct(paper, details[paper.paper]) if paper.paper in details else paper for paper in papers)


@lru_cache(maxsize=16)
def _read(path: Path, modified: int, size: int) -> Mapping[str, PaperDetails]:
    try:
        papers = json.loads(read_regular(path).decode("utf-8"))["papers"]
        return {str(paper): parse_details(value) for paper, value in papers.items()}
    except (AttributeError, CorpusError, KeyError, RecursionError, TypeError, ValueError) as error:
        remedy = "Correct it, or remove it: then papers are described as they were found"
        raise CorpusError(f"{path}: damaged ({type(error).__name__}: {error}). {remedy}.") from error


def _text(value: object) -> str:
    return " ".join(value.split())[:LONGEST_TEXT] if isinstance(value, str) else ""


def _texts(value: object, longest: int) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else []
    return tuple(dict.fromkeys(text[:longest] for one in listed if (text := _text(one))))


def _correct(paper: Paper, details: PaperDetails) -> Paper:
    told = {name: value for name in ("title", "authors", "year", "topic") if (value := getattr(details, name))}
    corrected = replace(paper, **told)
    if details.year and details.year != paper.year:
        corrected = replace(corrected, month=0)
    if not (details.title or details.authors or details.year or details.venue):
        return corrected
    return replace(corrected, bibliography=_corrected_entry(corrected, details))


def _corrected_entry(paper: Paper, details: PaperDetails) -> str:
    """The paper's CSL-JSON item with the corrections, for exports and citation styles."""
    item: Json = json.loads(paper.bibliography) if paper.bibliography else {"id": paper.paper, "type": "article"}
    if paper.title:
        item["title"] = paper.title
    if details.authors or "author" not in item:
        item["author"] = [_name(author) for author in paper.authors]
    if paper.year:
        item["issued"] = {"date-parts": [[paper.year]]}
    if details.venue:
        item["container-title"] = details.venue
    return json.dumps(item, ensure_ascii=False, sort_keys=True)


def _name(author: str) -> dict[str, str]:
    given, _, family = author.rpartition(" ")
    return {"given": given, "family": family} if given else {"literal": author}
