"""papers.toml: what the owner of a corpus folder says about its papers. It is optional."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rag_app.errors import CorpusError
from rag_app.files import read_regular
from rag_app.papers.arxiv_ids import parse_arxiv_id

MANIFEST = "papers.toml"
YEARS = range(1900, 2101)


@dataclass(frozen=True)
class PaperEntry:
    """What the manifest says of one paper: a [[paper]] table whose keys are these fields."""

    arxiv_id: str  # without version
    title: str
    short_names: tuple[str, ...] = ()
    year: int = 0  # 0 when not told; then the arXiv id tells
    month: int = 0
    topic: str = ""
    authors: tuple[str, ...] = ()


_KEYS = tuple(PaperEntry.__dataclass_fields__)


def read_corpus_manifest(corpus: Path) -> tuple[PaperEntry, ...]:
    """The entries of papers.toml in their order; none when the folder has no manifest.

    Raises CorpusError with file and line when it is not TOML, not UTF-8, misspells a key or has a wrong value.
    """
    path = corpus / MANIFEST
    if path.is_symlink() and not path.resolve().is_relative_to(corpus.resolve()):
        raise CorpusError(f"{path}: this link leads out of the folder and was not followed. Copy the file in instead.")
    try:
        text = read_regular(path).decode("utf-8-sig")
        table = tomllib.loads(text)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). Correct that.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CorpusError(f"{path}, line {line}: not UTF-8. Save the file as UTF-8.") from error
    except RecursionError as error:
        raise CorpusError(f"{path}: nested too deeply to be a list of papers. Write one [[paper]] for each.") from error
    except ValueError as error:  # tomllib's own error, and Python's for a number or date that cannot be
        raise CorpusError(f"{path}: not valid TOML: {error}. Correct that line.") from error
    return _ManifestChecker(path, re.split(r"\r?\n", text)).entries(table)


class _ManifestChecker:
    """Turns the parsed table into entries; knows the lines, so that each complaint can name one."""

    def __init__(self, path: Path, lines: Sequence[str]) -> None:
        self.path = path
        self.lines = lines
        self.headers = [at for at, line in enumerate(lines) if re.match(r"\s*\[\[\s*paper\s*\]\]", line)]

    def entries(self, table: Mapping[str, object]) -> tuple[PaperEntry, ...]:
        for key in table:
            if key != "paper":
                self._raise_error(
                    f'"{_short(key)}" is not a key of this file. Write each paper as a [[paper]] table', 0, key
                )
        papers = table.get("paper", [])
        if not isinstance(papers, list) or not all(isinstance(paper, dict) for paper in papers):
            self._raise_error('"paper" has to be a list. Write each paper as a [[paper]] table', 0, "paper")
        if len(self.headers) != len(papers):  # written as one inline list: its lines cannot be told apart
            self.headers = [0] * len(papers)
        entries: dict[str, PaperEntry] = {}
        for at, paper in zip(self.headers, papers, strict=True):
            entry = self._entry(paper, at)
            if entry.arxiv_id in entries:
                self._raise_error(f"{entry.arxiv_id} is listed twice. Remove one of the two", at, "arxiv_id")
            entries[entry.arxiv_id] = entry
        return tuple(entries.values())

    def _entry(self, paper: Mapping[str, object], at: int) -> PaperEntry:
        for key in paper:
            if key not in _KEYS:
                near = difflib.get_close_matches(key, _KEYS, n=1)
                meant = f'; did you mean "{near[0]}"?' if near else ""
                self._raise_error(
                    f'"{_short(key)}" is not a key of a paper{meant} The keys are {", ".join(_KEYS)}', at, key
                )
        written = self._text(paper, "arxiv_id", at)
        found = parse_arxiv_id(written)
        if found is None:
            self._raise_error(
                f'arxiv_id "{_short(written)}" is not an arXiv id. Use one like "2406.15319"', at, "arxiv_id"
            )
        title = self._text(paper, "title", at)
        if not title:
            self._raise_error(f'{found.id} has no title. Add title = "..."', at, "title")
        return PaperEntry(
            arxiv_id=found.id,
            title=title,
            short_names=self._texts(paper, "short_names", at),
            year=self._number(paper, "year", at, YEARS) or found.year,
            month=self._number(paper, "month", at, range(1, 13)) or (0 if "year" in paper else found.month),
            topic=self._text(paper, "topic", at),
            authors=self._texts(paper, "authors", at),
        )

    def _text(self, paper: Mapping[str, object], key: str, at: int) -> str:
        value = paper.get(key, "")
        if not isinstance(value, str):
            self._raise_error(f"{key} has to be a text in quotes", at, key)
        return " ".join(value.split())

    def _texts(self, paper: Mapping[str, object], key: str, at: int) -> tuple[str, ...]:
        value = paper.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._raise_error(f'{key} has to be a list of texts, like ["one", "two"]', at, key)
        return tuple(cleaned for item in value if (cleaned := " ".join(item.split())))

    def _number(self, paper: Mapping[str, object], key: str, at: int, allowed: range) -> int:
        value = paper.get(key)
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            self._raise_error(f"{key} has to be a whole number from {allowed[0]} to {allowed[-1]}", at, key)
        return value

    def _raise_error(self, complaint: str, at: int, key: str) -> NoReturn:
        """Raise CorpusError at the line of `key` in the table that starts at line index `at`."""
        following = [header for header in self.headers if header > at]
        end = following[0] if following else len(self.lines)
        wanted = re.compile(rf"""\s*(?:\[+\s*)?["']?{re.escape(key)}["']?\s*[]=.]""")
        line = next((number for number in range(at, end) if wanted.match(self.lines[number])), at)
        raise CorpusError(f"{self.path}, line {line + 1}: {complaint}.")


def _short(text: str) -> str:
    """At most 60 characters of a wrong value, for a message."""
    return text if len(text) <= 60 else text[:60] + "…"
