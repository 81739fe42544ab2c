"""Notes for Obsidian: one Markdown note per paper, with front matter, the quotes of our answers, and links back.

What stands below MARKER in a note is the user's: it is never changed. A file without the marker is not ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_app import files
from rag_app.errors import ExportError
from rag_app.outputs.bibtex import key_of
from rag_app.outputs.places import name_place
from rag_app.papers.arxiv_ids import parse_arxiv_id
from rag_app.records import Answer, Citation, PaperRow, Source

MARKER = "<!-- rag-app: above is written by rag-app, below is yours -->"
Link = Callable[[str, int, str], str]
"""Paper, page, words -> the address that opens them."""


@dataclass(frozen=True)
class NotesReport:
    """What was written, and which files were left alone and why."""

    written: tuple[Path, ...]
    unchanged: int
    problems: tuple[str, ...]


def write_notes(
    folder: Path, rows: Sequence[PaperRow], sources: Mapping[str, Source], answers: Iterable[Answer], link: Link
) -> NotesReport:
    """A note for each paper, in an existing folder; named by the citation key. Raises ExportError.

    `answers` are those whose quotes the notes hold, oldest first.
    """
    if not folder.is_dir():
        raise ExportError(f"{folder}: no such folder. Name a folder of your vault.")
    quotes: dict[str, list[tuple[str, Citation]]] = {}
    for answer in answers:
        for citation in answer.citations:
            if citation.verified:
                quotes.setdefault(citation.paper, []).append((answer.question, citation))
    names = note_names([sources[row.paper] for row in rows if row.paper in sources])
    written, problems, unchanged = [], [], 0
    for row in rows:
        if row.paper not in names:
            continue
        path = folder / f"{names[row.paper]}.md"
        text = make_note(row, sources[row.paper], quotes.get(row.paper, ()), link)
        try:
            before = files.read_regular(path).decode("utf-8") if path.exists() else None
            if before is not None and MARKER not in before:
                problems.append(f"{path.name}: is not a note of ours (it lacks the marker), so it was left alone.")
                continue
            whole = text + (before.partition(MARKER)[2] if before is not None else "\n")
            if whole == before:
                unchanged += 1
                continue
            files.write_bytes(path, whole.encode("utf-8", "replace"), files.PRIVATE)
            written.append(path)
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path.name}: cannot be read or written ({error}). It was left alone.")
    return NotesReport(tuple(written), unchanged, tuple(problems))


def note_names(sources: Sequence[Source]) -> dict[str, str]:
    """A file's name for each paper: its citation key, with part of its hash where several have the same."""
    keys = {source.paper: re.sub(r'[\\/:*?"<>|#^\[\]]+', "-", key_of(source))[:100] or "paper" for source in sources}
    folded = [key.casefold() for key in keys.values()]
    return {
        source.paper: f"{keys[source.paper]}-{source.digest[:8]}"
        if folded.count(keys[source.paper].casefold()) > 1
        else keys[source.paper]
        for source in sources
    }


def make_note(row: PaperRow, source: Source, quotes: Sequence[tuple[str, Citation]], link: Link) -> str:
    """The part of a note that is ours, to the marker."""
    arxiv = parse_arxiv_id(source.arxiv_id)
    matter: dict[str, object] = {
        "citekey": key_of(source),
        "title": source.title,
        "authors": list(source.authors),
        "year": row.year or source.year or None,
        "arxiv": arxiv.id if arxiv else None,
        "tags": ["paper", *([_tag(row.topic)] if row.topic else [])],
        "file": row.paper,
    }
    # JSON texts and lists are YAML too.
    lines = ["---", *(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in matter.items() if value)]
    lines += ["---", "", f"# {_escape(source.title)}", "", f"[Open in rag-app]({link(row.paper, 1, '')})", ""]
    asked = ""
    for question, citation in dict.fromkeys(quotes):
        if question != asked:
            lines += [f"## {_escape(question)}", ""]
            asked = question
        named = name_place(row.paper, citation.page, citation.label)
        where = named + (f", {citation.section}" if citation.section else "")
        place = f"[{_escape(where)}]({link(row.paper, citation.page, citation.quote)})"
        lines += [*(f"> {_escape(part)}" for part in citation.quote.split("\n")), ">", f"> — {place}", ""]
    ours = "\n".join(lines).replace("<!--", "<\\!--")  # a title or a file's name that holds the marker is not it
    return f"{ours}\n{MARKER}"


def _tag(topic: str) -> str:
    return re.sub(r"[^\w/-]+", "-", topic.strip()).strip("-").lower()


def _escape(text: str) -> str:
    """Text of papers as text: no links, embeds, tags or HTML of its own."""
    return re.sub(r"([\\`*_\[\]<>#|$%^=~])", r"\\\1", " ".join(text.split()))
