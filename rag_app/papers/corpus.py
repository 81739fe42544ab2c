"""Lists the papers of the corpus folder, with its manifest papers.toml and its notes.

Only names are looked at here, no file but the manifest is opened: a folder of ten thousand papers lists in a moment.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_app.errors import CorpusError
from rag_app.papers.arxiv_ids import ArxivId, arxiv_id_of_file
from rag_app.papers.bibliography_import import SUFFIXES as BIBLIOGRAPHIES
from rag_app.papers.bibliography_import import describe_papers
from rag_app.papers.details import correct_papers, read_details
from rag_app.papers.manifest import MANIFEST, PaperEntry, read_corpus_manifest
from rag_app.papers.office import SUFFIXES as OFFICE
from rag_app.papers.talks import SUFFIXES as TALKS
from rag_app.papers.talks import is_transcript
from rag_app.records import Kind, Paper
from rag_app.text.sentences import word_set

NOTES = "notes"
_KINDS: dict[str, Kind] = {
    ".pdf": "pdf", ".md": "markdown", ".markdown": "markdown", ".txt": "text", ".text": "text",
    **dict.fromkeys(OFFICE, "document"), **dict.fromkeys(TALKS, "talk"),
}  # fmt: skip


# What people keep papers in and we do not read; without an ending a file may be a PDF from a browser.
_OTHER_DOCUMENTS = frozenset(
    [
        "",
        *word_set(
            ".doc .docx .odt .rtf .pages .htm .html .xhtml .mht .tex .epub .mobi .ps .eps .djvu .xps .ppt .pptx .odp "
            ".key .tif .tiff .xml .rst .org"
        ),
    ]
) - frozenset(_KINDS)
_NO_PAPERS = frozenset(["readme", "license", "licence", "copying", "makefile", "changelog", "authors", "notice"])
MOST_NAMED = 8


@dataclass(frozen=True)
class CorpusListing:
    """What lies in a corpus folder: its papers in the order of their paths, and what could not be taken, in words."""

    papers: tuple[Paper, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _FoundFile:
    path: Path
    inside: str  # the path below the corpus, with slashes
    kind: Kind

    @property
    def name(self) -> str:
        return self.path.name


def list_papers(corpus: Path) -> CorpusListing:
    """Every PDF, Markdown and text file in the folder and its sub-folders, with what the manifest and
    bibliographies (.bib, .ris, CSL-JSON) know about it, as the user corrected it on the page (details.py).

    Left out: hidden files and folders, README files, the manifest, and links that lead out of the folder (a problem).
    A note `notes/<arxiv-id>.md` of a manifest entry counts as a paper of kind "digest" while no PDF of that id is
    there. A paper's name is its file's name, or its path below the folder for all files that share a name.
    Raises CorpusError when the folder or its manifest cannot be used.
    """
    root = _root(corpus)
    entries = {entry.arxiv_id: entry for entry in read_corpus_manifest(root)}
    problems: list[str] = []
    skipped: list[str] = []
    files = sorted(_walk(root, problems, skipped), key=lambda file: (file.inside.casefold(), file.inside))
    pdf_ids = {found.id for file in files if (found := _pdf_id(file, entries))}
    noted = {file.inside: entry for file in files if (entry := _note_entry(file, entries))}
    kept = [file for file in files if file.inside not in noted or noted[file.inside].arxiv_id not in pdf_ids]
    papers = tuple(_make_paper(file, name, noted.get(file.inside), entries) for file, name in _assign_names(kept))
    missing = entries.keys() - pdf_ids - {entry.arxiv_id for entry in noted.values()}
    if missing:
        problems.append(
            f"{MANIFEST}: neither a PDF nor a note is here for {', '.join(sorted(missing))}. "
            f"Get them with: python -m rag_app fetch"
        )
    if skipped:
        named = ", ".join(sorted(skipped)[:MOST_NAMED]) + (", ..." if len(skipped) > MOST_NAMED else "")
        problems.append(
            f"{len(skipped)} file{'s' if len(skipped) > 1 else ''} of other kinds not read: {named}. "
            f"Save each as PDF, with its file ending."
        )
    papers, wrong = describe_papers(papers, _bibliographies(root))
    papers = correct_papers(papers, read_details(root))
    return CorpusListing(papers, tuple(sorted([*problems, *wrong])))


def list_fetched_papers(corpus: Path) -> tuple[tuple[ArxivId, Path], ...]:
    """The PDFs of the folder whose names are arXiv ids. Raises CorpusError as list_papers does."""
    papers = (paper for paper in list_papers(corpus).papers if paper.kind == "pdf" and paper.arxiv_id)
    return tuple((found[0], paper.path) for paper in papers if (found := arxiv_id_of_file(paper.path.stem)))


# -- the folder -------------------------------------------------------------------------------------------------


def _root(corpus: Path) -> Path:
    root = corpus.expanduser().resolve()
    if not root.exists():
        raise CorpusError(f"{root}: no such folder. Create it and put papers in, or set RAG_CORPUS to the right one.")
    if not root.is_dir():
        raise CorpusError(f"{root}: is a file. RAG_CORPUS has to name the folder that holds the papers.")
    return root


def _walk(root: Path, problems: list[str], skipped: list[str]) -> Iterator[_FoundFile]:
    """The files below `root` that can be papers. Folders behind links are not entered: they could lead in circles."""
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as listed:
                found = list(listed)
        except OSError as error:
            where = _printable_name(folder.relative_to(root).as_posix())
            problems.append(f"{where}: this folder cannot be listed ({error.strerror}). Correct its permissions.")
            continue
        for item in found:
            if item.name.startswith("."):
                continue
            if item.is_dir(follow_symlinks=False):
                folders.append(Path(item.path))
            elif file := _file(item, root, problems, skipped):
                yield file


def _bibliographies(root: Path) -> list[Path]:
    """The files below `root` that may hold entries about its papers, in the order of their names."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in files if name.lower().endswith(BIBLIOGRAPHIES)]
    return sorted(path for path in found if not path.name.startswith(".") and not path.is_symlink())


def _file(item: os.DirEntry[str], root: Path, problems: list[str], skipped: list[str]) -> _FoundFile | None:
    path = Path(item.path)
    inside = path.relative_to(root).as_posix()
    kind = _KINDS.get(path.suffix.lower())
    if path.suffix.lower() == ".json" and not item.is_symlink() and is_transcript(path):
        kind = "talk"
    if kind in {"markdown", "text"} and path.stem.casefold() == "readme":
        return None
    if item.is_symlink():
        is_folder = path.is_dir()
        problem = _link_problem(path, root) if is_folder or kind is not None else ""
        if problem:
            problems.append(f"{_printable_name(inside)}: {problem}")
        if problem or is_folder:
            return None
    if kind is None:
        if path.suffix.lower() in _OTHER_DOCUMENTS and path.stem.casefold() not in _NO_PAPERS and not item.is_symlink():
            skipped.append(_printable_name(inside))
        return None
    if not item.is_file():
        problems.append(f"{_printable_name(inside)}: not a regular file. Put the paper itself there.")
        return None
    if not _is_text(inside):
        problems.append(f"{_printable_name(inside)}: the file's name is not valid Unicode. Rename it.")
        return None
    return _FoundFile(path, inside, kind)


def _link_problem(path: Path, root: Path) -> str:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a link to itself, before Python 3.13
        return "this link leads nowhere. Remove it or put the file there."
    if not target.is_relative_to(root):
        return "this link leads out of the corpus folder and was not followed. Copy the file in instead."
    return ""


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _printable_name(name: str) -> str:
    """A file's name as one line of plain text: bytes that are no Unicode and control characters become "?"."""
    name = name.encode("utf-8", "replace").decode("utf-8")
    return "".join("?" if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character for character in name)


# -- files and manifest together --------------------------------------------------------------------------------


def _pdf_id(file: _FoundFile, entries: Mapping[str, PaperEntry]) -> ArxivId | None:
    """The arXiv id in a PDF's name. More may follow it in the name only where the manifest knows the id."""
    found = arxiv_id_of_file(file.path.stem) if file.kind == "pdf" else None
    if found is None:
        return None
    arxiv_id, nothing_more = found
    return arxiv_id if nothing_more or arxiv_id.id in entries else None


def _note_entry(file: _FoundFile, entries: Mapping[str, PaperEntry]) -> PaperEntry | None:
    """The manifest entry that this file is the note of."""
    folder, _, name = file.inside.rpartition("/")
    if folder != NOTES or file.kind != "markdown":
        return None
    found = arxiv_id_of_file(Path(name).stem)
    return entries.get(found[0].id) if found and found[1] else None


def _assign_names(files: Sequence[_FoundFile]) -> Iterator[tuple[_FoundFile, str]]:
    """Each file with its paper's name. Names count as the same when a disk that ignores case would say so."""
    keys = [unicodedata.normalize("NFC", unicodedata.normalize("NFC", file.name).casefold()) for file in files]
    times = Counter(keys)
    for file, key in zip(files, keys, strict=True):
        yield file, file.inside if times[key] > 1 else file.name


def _make_paper(file: _FoundFile, name: str, noted: PaperEntry | None, entries: Mapping[str, PaperEntry]) -> Paper:
    found = _pdf_id(file, entries)
    entry = noted or (entries.get(found.id) if found else None)
    kind: Kind = "digest" if noted else file.kind
    if entry is None:
        known = (found.id, found.year, found.month) if found else ("", 0, 0)
        return Paper(name, file.path, kind, arxiv_id=known[0], year=known[1], month=known[2])
    return Paper(
        paper=name,
        path=file.path,
        kind=kind,
        title=entry.title,
        short_names=entry.short_names,
        arxiv_id=entry.arxiv_id,
        year=entry.year,
        month=entry.month,
        topic=entry.topic,
        authors=entry.authors,
    )
