"""Bibliographies in the corpus folder: BibTeX, RIS and CSL-JSON tell titles, authors, years and citation keys.

An entry belongs to the PDF that it names (BibTeX `file`, RIS `L1`), else to the one whose arXiv id or DOI it has, by
the file's name. Entries become CSL-JSON items (citationstyles.org, schema 1.0.2), which every style can print.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from rag_app.errors import CorpusError
from rag_app.files import read_regular
from rag_app.papers.arxiv_ids import parse_arxiv_id
from rag_app.records import Json, Paper

SUFFIXES = (".bib", ".ris", ".json")
LARGEST = 64 * 1024 * 1024  # bytes
LARGEST_TEXT = 16 * 1024 * 1024  # bytes of BibTeX and RIS, of which a MB takes up to a second to part
ALL_TOGETHER = 64 * 1024 * 1024  # bytes of all files of a folder
MOST_ENTRIES = 50_000  # of one file
MOST_PROBLEMS = 20  # named of one file
MOST_AUTHORS = 10_000  # of one work
LONGEST_AUTHORS = 30 * MOST_AUTHORS  # characters
LONGEST_FIELD = 20_000  # characters of any other field
MOST_LINES = 200  # of one field of RIS
_FIELDS = {  # CSL variable: fields of BibTeX
    "container-title": ("journal", "journaltitle", "booktitle"),
    "publisher": ("publisher", "school", "institution"),
    "volume": ("volume",),
    "issue": ("number", "issue"),
    "page": ("pages",),
    "DOI": ("doi",),
    "URL": ("url",),
    "abstract": ("abstract",),
}
_TYPES = {
    "article": "article-journal", "inproceedings": "paper-conference", "conference": "paper-conference",
    "book": "book", "incollection": "chapter", "inbook": "chapter", "phdthesis": "thesis", "mastersthesis": "thesis",
    "techreport": "report", "report": "report", "online": "webpage", "unpublished": "manuscript",
    "JOUR": "article-journal", "CONF": "paper-conference", "CPAPER": "paper-conference", "BOOK": "book",
    "CHAP": "chapter", "THES": "thesis", "RPRT": "report", "ELEC": "webpage",
}  # fmt: skip


_BEGINNING = re.compile(r"@\w*[ \t]*\{")
_TAGGED = re.compile(r"[A-Z][A-Z0-9]  -")


@dataclass(frozen=True)
class BibliographyEntry:
    """One work of a bibliography. Its LaTeX is decoded when it is asked for: few of the works are papers here."""

    key: str
    make_item: Callable[[], Json]
    files: tuple[str, ...] = ()  # names or paths, as written
    arxiv_id: str = ""
    doi: str = ""

    @cached_property
    def csl(self) -> Json:
        """A CSL-JSON item."""
        return self.make_item()

    @property
    def title(self) -> str:
        return " ".join(str(self.csl.get("title", "")).split())

    @property
    def authors(self) -> tuple[str, ...]:
        names = (author for author in self.csl.get("author", ()) if isinstance(author, dict))
        return tuple(name for author in names if (name := _full_name(author)))

    @property
    def year(self) -> int:
        parts = (self.csl.get("issued") or {}).get("date-parts") or [[0]]
        first = str(parts[0][0]) if parts and parts[0] else ""
        return int(first) if re.fullmatch(r"(?:1[5-9]|20)\d\d", first) else 0


def read_bibliography(path: Path) -> tuple[list[BibliographyEntry], tuple[str, ...]]:
    """The entries of a file, and what could not be read of it, in words. A JSON file of another kind has none.

    Raises CorpusError for a file that cannot be opened, is too large or not what its suffix says.
    """
    try:
        status = path.stat()
        largest = LARGEST if path.suffix.lower() == ".json" else LARGEST_TEXT
        if status.st_size > largest:
            raise CorpusError(f"{path.name}: larger than {largest // 2**20} MB. Export fewer entries.")
        return _read(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise CorpusError(f"{path.name}: cannot be read ({error.strerror}). Correct that.") from error


@lru_cache(maxsize=256)
def _read(path: Path, modified: int, size: int) -> tuple[list[BibliographyEntry], tuple[str, ...]]:
    text = read_regular(path).decode("utf-8-sig", "replace")
    read = {".bib": _read_bibtex, ".ris": _read_ris, ".json": _read_csl}[path.suffix.lower()]
    entries, problems = read(text, path.name)
    if len(entries) > MOST_ENTRIES:
        problems.append(_too_many(path.name))
    left = len(problems) - MOST_PROBLEMS
    more = [f"{path.name}: {left:,} more of its entries have such problems."] if left > 0 else []
    return entries[:MOST_ENTRIES], (*problems[:MOST_PROBLEMS], *more)


def _read_bibtex(text: str, name: str) -> tuple[list[BibliographyEntry], list[str]]:
    import bibtexparser  # noqa: PLC0415  # half a second with its LaTeX tables

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it cannot read is told as a problem
    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)
    beyond = next(islice(_BEGINNING.finditer(text), MOST_ENTRIES, None), None)
    plain = bibtexparser.parse_string(text[: beyond.start()] if beyond else text)
    problems = [_too_many(name)] if beyond else []
    problems += [f"{name}, line {block.start_line + 1}: not read ({_reason(block)})." for block in plain.failed_blocks]
    entries = []
    for entry in plain.entries:
        fields = {field.key.lower(): str(field.value) for field in entry.fields}
        files = _split_files(fields.get("file", ""))
        problems += [f"{name}: {entry.key} {problem}" for problem in _shorten_fields(entry)]
        make_item, doi = partial(_from_bibtex, entry), re.sub(r"[{}\\]", "", fields.get("doi", ""))
        entries.append(BibliographyEntry(entry.key, make_item, files, _arxiv_of(fields), _bare_doi(doi)))
    return entries, problems


def _too_many(name: str) -> str:
    return f"{name}: more than {MOST_ENTRIES:,} entries; the first are read. Split it."


def _shorten_fields(entry: Any) -> Iterator[str]:
    """Keep of an entry what is used of it, and no more than a work has: decoding LaTeX takes its time. What was cut."""
    used = {"title", "author", "year", "date", *chain(*_FIELDS.values())}
    entry.fields = [field for field in entry.fields if field.key.lower() in used]
    for field in entry.fields:
        value = str(field.value)
        if field.key.lower() == "author":
            names = re.split(r"\s+and\s+", value[:LONGEST_AUTHORS], maxsplit=MOST_AUTHORS)
            if len(names) > MOST_AUTHORS or len(value) > LONGEST_AUTHORS:
                field.value = " and ".join(names[:MOST_AUTHORS])
                yield f"has more than {MOST_AUTHORS:,} authors; the first are kept."
        elif len(value) > LONGEST_FIELD:
            field.value = value[:LONGEST_FIELD]
            yield f"has a field {field.key[:40]} of more than {LONGEST_FIELD:,} characters; the first are kept."


def _reason(block: Any) -> str:
    return " ".join(str(block.error).split())[:160]


def _from_bibtex(entry: Any) -> Json:
    """An entry as a CSL-JSON item, LaTeX decoded; as it is written where that fails."""
    from bibtexparser import Library, middlewares  # noqa: PLC0415

    library = Library([entry])
    for step in (
        middlewares.LatexDecodingMiddleware(allow_inplace_modification=False),
        middlewares.SeparateCoAuthors(allow_inplace_modification=False),
        middlewares.SplitNameParts(allow_inplace_modification=False),
    ):
        library = step.transform(library)
    fields = {field.key.lower(): field.value for field in (library.entries or [entry])[0].fields}
    csl: Json = {"id": entry.key, "type": _TYPES.get(entry.entry_type.lower(), "article")}
    csl["title"] = str(fields.get("title", ""))
    authors = fields.get("author", ())
    csl["author"] = (
        [{"literal": name} for name in re.split(r"\s+and\s+", authors)]
        if isinstance(authors, str)
        else [
            {"given": " ".join(name.first), "family": " ".join([*name.von, *name.last, *name.jr])} for name in authors
        ]
    )
    date = re.match(r"(\d{4})(?:-(\d\d?))?", str(fields.get("year") or fields.get("date") or ""))
    if date:
        csl["issued"] = {"date-parts": [[int(part) for part in date.groups() if part]]}
    for variable, names in _FIELDS.items():
        found = next((str(fields[one]) for one in names if fields.get(one)), "")
        if found:
            csl[variable] = found.replace("--", "–") if variable == "page" else found
    return csl


def _bare_doi(doi: str) -> str:
    return re.sub(r"^(?:https?://(?:dx\.)?doi\.org/|doi:)", "", doi.strip(), flags=re.IGNORECASE)


def _split_files(value: str) -> tuple[str, ...]:
    """The paths of a field `file`: plain, or "description:path:type" with semicolons between (JabRef, Zotero)."""
    paths = []
    for one in re.split(r"(?<!\\);", value):
        parts = re.split(r"(?<!\\):", one.strip())
        if len(parts) >= 3:
            path = ":".join(parts[1:-1])
        elif len(parts) == 2 and not re.fullmatch(r"[A-Za-z]", parts[0]):
            path = parts[0] if parts[1].lower() in ("pdf", "application/pdf") else parts[1]
        else:
            path = one.strip()
        if path:
            paths.append(re.sub(r"\\([:;\\_])", r"\1", path))
    return tuple(paths)


def _arxiv_of(fields: dict[str, Any]) -> str:
    """From eprint, or an arXiv DOI or URL."""
    for name in ("eprint", "arxivid", "doi", "url", "number"):
        found = re.search(r"(?:arxiv[.:/]|abs/|pdf/|^)(\d{4}\.\d{4,5})", str(fields.get(name, "")), re.IGNORECASE)
        parsed = parse_arxiv_id(found[1]) if found else None
        if parsed:
            return parsed.id
    return ""


def _read_ris(text: str, name: str) -> tuple[list[BibliographyEntry], list[str]]:
    import rispy  # noqa: PLC0415

    lines = list(_without_long_fields(text))
    problems = [f"{name}: {MOST_LINES:,} lines of one field are read, and no more."] if None in lines else []
    try:
        records = rispy.loads("\n".join(line for line in lines if line is not None))
    except Exception as error:  # whatever the parser stumbles over, the other files go on
        raise CorpusError(f"{name}: not RIS ({str(error)[:160]}). Export it again.") from error
    return [_from_ris(record, number) for number, record in enumerate(records, start=1)], problems


def _without_long_fields(text: str) -> Iterator[str | None]:
    """The lines of a file; None for one beyond MOST_LINES of a field, since each is joined anew with all before it."""
    untagged = 0
    for line in text.split("\n"):
        untagged = 0 if _TAGGED.match(line) else untagged + 1
        yield line if untagged <= MOST_LINES else None


def _from_ris(record: dict[str, Any], number: int) -> BibliographyEntry:
    names = [name.partition(",") for name in record.get("authors") or record.get("first_authors") or ()]
    csl: Json = {
        "id": str(record.get("id") or record.get("label") or f"ris{number}"),
        "type": _TYPES.get(str(record.get("type_of_reference")), "article"),
        "title": str(record.get("title") or record.get("primary_title") or "")[:LONGEST_FIELD],
        "author": [{"family": family.strip(), "given": given.strip()} for family, _, given in names[:MOST_AUTHORS]],
    }
    year = re.match(r"\d{4}", str(record.get("year") or record.get("publication_year") or ""))
    if year:
        csl["issued"] = {"date-parts": [[int(year[0])]]}
    pages = "–".join(str(record[one]) for one in ("start_page", "end_page") if record.get(one))
    journal = record.get("journal_name") or record.get("secondary_title")
    found = {"container-title": journal, "volume": record.get("volume"), "DOI": record.get("doi"), "page": pages}
    csl |= {variable: str(value)[:LONGEST_FIELD] for variable, value in found.items() if value}
    files = tuple(str(record[one]) for one in ("file_attachments1", "file_attachments2", "link1") if record.get(one))
    doi, urls = str(record.get("doi") or ""), " ".join(str(url) for url in record.get("urls", ()))
    return BibliographyEntry(csl["id"], lambda: csl, files, _arxiv_of({"doi": doi, "url": urls}), _bare_doi(doi))


def _read_csl(text: str, name: str) -> tuple[list[BibliographyEntry], list[str]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [], []  # some other JSON: not ours to complain of
    items = value.get("items") if isinstance(value, dict) else value
    if not isinstance(items, list):
        return [], []
    works = [item for item in items if isinstance(item, dict) and "title" in item and "type" in item and "id" in item]
    return [_from_csl(_without_malformed(item)) for item in works[: MOST_ENTRIES + 1]], []


def _without_malformed(item: Json) -> Json:
    """The item without names and dates of another form than the schema's: an export would stumble over them."""
    kept = dict(item)
    for field in ("author", "editor", "translator"):
        if field in kept:
            names = kept[field] if isinstance(kept[field], list) else []
            kept[field] = [name for name in names if isinstance(name, dict)]
    for field in ("issued", "accessed", "submitted", "event-date"):
        date = kept.get(field)
        parts = date.get("date-parts") if isinstance(date, dict) else None
        first = parts[0] if isinstance(parts, list) and parts else None
        if isinstance(first, list) and first and all(re.fullmatch(r"-?\d{1,6}", str(part)) for part in first):
            kept[field] = {"date-parts": [[int(part) for part in first]]}
        else:
            kept.pop(field, None)
    return kept


def _from_csl(item: Json) -> BibliographyEntry:
    key = str(item.get("citation-key") or item.get("id"))
    files = item.get("files") if isinstance(item.get("files"), list) else []
    where = {"doi": item.get("DOI", ""), "url": item.get("URL", ""), "number": item.get("number", "")}
    doi = _bare_doi(str(item.get("DOI", "")))
    return BibliographyEntry(key, lambda: item, tuple(str(one) for one in files or ()), _arxiv_of(where), doi)


def _full_name(author: Json) -> str:
    parts = [author.get("given"), author.get("non-dropping-particle"), author.get("family"), author.get("suffix")]
    return " ".join(str(part) for part in parts if part) or str(author.get("literal", ""))


# -- with the papers ----------------------------------------------------------------------------------------------


def describe_papers(papers: Sequence[Paper], files: Iterable[Path]) -> tuple[tuple[Paper, ...], list[str]]:
    """The papers with what the bibliographies say of them, and what is wrong with those, in words.

    What papers.toml says of a paper stays; the first entry that names a paper counts.
    """
    problems: list[str] = []
    found: dict[str, BibliographyEntry] = {}
    places, room = _PaperPlaces(papers), ALL_TOGETHER
    for file in files:
        try:
            room -= file.stat().st_size
            if room < 0:
                limit = f"{ALL_TOGETHER // 2**20} MB"
                problems.append(f"{file.name}: not read, nor is what follows: all bibliographies are beyond {limit}.")
                break
            entries, wrong = read_bibliography(file)
        except OSError as error:
            problems.append(f"{file.name}: cannot be read ({error.strerror}). Correct that.")
            continue
        except CorpusError as error:
            problems.append(str(error))
            continue
        problems += wrong
        for entry in entries:
            for paper in places.find(entry):
                found.setdefault(paper, entry)
    return tuple(_describe(paper, found[paper.paper]) if paper.paper in found else paper for paper in papers), problems


class _PaperPlaces:
    """Papers by what an entry may call them: the end of their path, their file's name, arXiv id or DOI."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        self._by_path: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        self._by_id: dict[str, list[str]] = {}
        for paper in papers:
            parts = paper.path.as_posix().split("/")
            for first in range(len(parts)):
                self._by_path.setdefault("/".join(parts[first:]).lstrip("/"), []).append(paper.paper)
            self._by_name.setdefault(paper.path.name.casefold(), []).append(paper.paper)
            for name in {paper.arxiv_id, paper.path.stem.casefold()} - {""}:
                self._by_id.setdefault(name, []).append(paper.paper)

    def find(self, entry: BibliographyEntry) -> Iterator[str]:
        """The papers that an entry is of; a path or name that two papers have is no proof."""
        for file in entry.files:
            inside = file.replace("\\", "/")
            exact = self._by_path.get(inside.lstrip("/"), []) if inside else []
            named = self._by_name.get(inside.rpartition("/")[2].casefold(), [])
            yield from exact if len(exact) == 1 else named if len(named) == 1 else ()
        yield from self._by_id.get(entry.arxiv_id, ())
        yield from self._by_id.get(re.sub(r"[^\w.()-]+", "_", entry.doi).casefold(), ())


def _describe(paper: Paper, entry: BibliographyEntry) -> Paper:
    arxiv = parse_arxiv_id(entry.arxiv_id) if entry.arxiv_id else None
    return replace(
        paper,
        title=paper.title or entry.title,
        authors=paper.authors or entry.authors,
        year=paper.year or entry.year,
        month=paper.month or (arxiv.month if arxiv and not entry.year else 0),
        arxiv_id=paper.arxiv_id or entry.arxiv_id,
        citation_key=entry.key,
        bibliography=json.dumps(entry.csl, ensure_ascii=False, sort_keys=True),
    )
