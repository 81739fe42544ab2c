"""Bibliographies in the corpus folder: BibTeX, RIS and CSL-JSON tell titles, authors, years and citation keys.

An entry belongs to the PDF that it names (BibTeX `file`, RIS `L1`), else to the one whose arXiv id or DOI it has, by
the file's name. Entries become CSL-JSON items (citationstyles.org, schema 1.0.2), which every style can print.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from rag_app.errors import CorpusError
from rag_app.files import read_regular
from rag_app.papers.arxiv_ids import parse_arxiv_id
from rag_app.records import Json, Paper

SUFFIXES = (".bib", ".ris", ".json")
LARGEST = 64 * 1024 * 1024  # bytes
MOST_AUTHORS = 10_000  # of one work
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


@dataclass(frozen=True)
class BibliographyEntry:
    """One work of a bibliography."""

    key: str
    csl: Json  # a CSL-JSON item
    files: tuple[str, ...] = ()  # names or paths, as written
    arxiv_id: str = ""

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

    @property
    def doi(self) -> str:
        return re.sub(r"^(?:https?://(?:dx\.)?doi\.org/|doi:)", "", str(self.csl.get("DOI", "")).strip(), flags=re.I)


def read_bibliography(path: Path) -> tuple[list[BibliographyEntry], tuple[str, ...]]:
    """The entries of a file, and what could not be read of it, in words. A JSON file of another kind has none.

    Raises CorpusError for a file that cannot be opened, is too large or not what its suffix says.
    """
    try:
        status = path.stat()
        if status.st_size > LARGEST:
            raise CorpusError(f"{path.name}: larger than {LARGEST // 2**20} MB. Export fewer entries.")
        return _read(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise CorpusError(f"{path.name}: cannot be read ({error.strerror}). Correct that.") from error


@lru_cache(maxsize=32)
def _read(path: Path, modified: int, size: int) -> tuple[list[BibliographyEntry], tuple[str, ...]]:
    text = read_regular(path).decode("utf-8-sig", "replace")
    return {".bib": _read_bibtex, ".ris": _read_ris, ".json": _read_csl}[path.suffix.lower()](text, path.name)


def _read_bibtex(text: str, name: str) -> tuple[list[BibliographyEntry], tuple[str, ...]]:
    import bibtexparser  # noqa: PLC0415  # half a second with its LaTeX tables
    from bibtexparser import middlewares  # noqa: PLC0415

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it cannot read is told as a problem
    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)
    plain = bibtexparser.parse_string(text)
    files = {entry.key: str(entry.get("file").value) for entry in plain.entries if entry.get("file")}
    cut = [f"{name}: {key} has more than {MOST_AUTHORS:,} authors; the first are kept." for key in _cut_authors(plain)]
    library = plain
    for step in (middlewares.LatexDecodingMiddleware(), middlewares.SeparateCoAuthors(), middlewares.SplitNameParts()):
        library = step.transform(library)
    entries = [
        _from_bibtex(entry.key, entry.entry_type, {field.key.lower(): field.value for field in entry.fields}, files)
        for entry in library.entries
    ]
    problems = [f"{name}, line {block.start_line + 1}: not read ({_reason(block)})." for block in library.failed_blocks]
    return entries, (*problems, *cut)


def _cut_authors(library: Any) -> Iterator[str]:
    """Shorten lists of authors without end, which take seconds to part; the keys of their entries."""
    for entry in library.entries:
        for field in entry.fields:
            if field.key.lower() in ("author", "editor", "translator"):
                names = re.split(r"\s+and\s+", str(field.value), maxsplit=MOST_AUTHORS)
                if len(names) > MOST_AUTHORS:
                    field.value = " and ".join(names[:MOST_AUTHORS])
                    yield entry.key


def _reason(block: Any) -> str:
    return " ".join(str(block.error).split())[:160]


def _from_bibtex(key: str, kind: str, fields: dict[str, Any], files: dict[str, str]) -> BibliographyEntry:
    csl: Json = {"id": key, "type": _TYPES.get(kind.lower(), "article"), "title": str(fields.get("title", ""))}
    csl["author"] = [
        {"given": " ".join(name.first), "family": " ".join([*name.von, *name.last, *name.jr])}
        for name in fields.get("author", ())
    ]
    date = re.match(r"(\d{4})(?:-(\d\d?))?", str(fields.get("year") or fields.get("date") or ""))
    if date:
        csl["issued"] = {"date-parts": [[int(part) for part in date.groups() if part]]}
    for variable, names in _FIELDS.items():
        found = next((str(fields[one]) for one in names if fields.get(one)), "")
        if found:
            csl[variable] = found.replace("--", "–") if variable == "page" else found
    return BibliographyEntry(key, csl, _split_files(files.get(key, "")), _arxiv_of(fields))


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


def _read_ris(text: str, name: str) -> tuple[list[BibliographyEntry], tuple[str, ...]]:
    import rispy  # noqa: PLC0415

    try:
        records = rispy.loads(text)
    except Exception as error:  # whatever the parser stumbles over, the other files go on
        raise CorpusError(f"{name}: not RIS ({error}). Export it again.") from error
    return [_from_ris(record, number) for number, record in enumerate(records, start=1)], ()


def _from_ris(record: dict[str, Any], number: int) -> BibliographyEntry:
    names = [name.partition(",") for name in record.get("authors") or record.get("first_authors") or ()]
    csl: Json = {
        "id": str(record.get("id") or record.get("label") or f"ris{number}"),
        "type": _TYPES.get(str(record.get("type_of_reference")), "article"),
        "title": str(record.get("title") or record.get("primary_title") or ""),
        "author": [{"family": family.strip(), "given": given.strip()} for family, _, given in names],
    }
    year = re.match(r"\d{4}", str(record.get("year") or record.get("publication_year") or ""))
    if year:
        csl["issued"] = {"date-parts": [[int(year[0])]]}
    pages = "–".join(str(record[one]) for one in ("start_page", "end_page") if record.get(one))
    journal = record.get("journal_name") or record.get("secondary_title")
    found = {"container-title": journal, "volume": record.get("volume"), "DOI": record.get("doi"), "page": pages}
    csl |= {variable: str(value) for variable, value in found.items() if value}
    files = [str(record[one]) for one in ("file_attachments1", "file_attachments2", "link1") if record.get(one)]
    urls = " ".join(str(url) for url in record.get("urls", ()))
    return BibliographyEntry(csl["id"], csl, tuple(files), _arxiv_of({"doi": record.get("doi", ""), "url": urls}))


def _read_csl(text: str, name: str) -> tuple[list[BibliographyEntry], tuple[str, ...]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [], ()  # some other JSON: not ours to complain of
    items = value.get("items") if isinstance(value, dict) else value
    if not isinstance(items, list):
        return [], ()
    works = [item for item in items if isinstance(item, dict) and "title" in item and "type" in item and "id" in item]
    return [_from_csl(_without_malformed(item)) for item in works], ()


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
    return BibliographyEntry(key, item, tuple(str(one) for one in files or ()), _arxiv_of(where))


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
    by_name = _unique({paper.path.name.casefold(): paper.paper for paper in papers}, papers)
    for file in files:
        try:
            entries, wrong = read_bibliography(file)
        except CorpusError as error:
            problems.append(str(error))
            continue
        problems += wrong
        for entry in entries:
            for paper in _papers_of(entry, papers, by_name):
                found.setdefault(paper, entry)
    return tuple(_describe(paper, found[paper.paper]) if paper.paper in found else paper for paper in papers), problems


def _unique(names: dict[str, str], papers: Sequence[Paper]) -> dict[str, str]:
    """File names that one paper only has."""
    twice = [name for name in names if sum(paper.path.name.casefold() == name for paper in papers) > 1]
    return {name: paper for name, paper in names.items() if name not in twice}


def _papers_of(entry: BibliographyEntry, papers: Sequence[Paper], by_name: dict[str, str]) -> Iterator[str]:
    for file in entry.files:
        inside = file.replace("\\", "/")
        name = inside.rpartition("/")[2].casefold()
        exact = [paper.paper for paper in papers if inside and paper.path.as_posix().endswith(f"/{inside.lstrip('/')}")]
        if len(exact) == 1:
            yield exact[0]
        elif name in by_name:
            yield by_name[name]
    doi = re.sub(r"[^\w.()-]+", "_", entry.doi).casefold()
    for paper in papers:
        if (entry.arxiv_id and paper.arxiv_id == entry.arxiv_id) or (doi and paper.path.stem.casefold() == doi):
            yield paper.paper


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
