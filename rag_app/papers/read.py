"""Paper -> Reading: a file becomes pages of readable text with sections, kinds of blocks and the place of each word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag_app.errors import PaperError
from rag_app.papers.front_matter import front_matter, title_lines
from rag_app.papers.office import read_office
from rag_app.papers.pdf import file
from rag_app.papers.pdf.bibliography import bibliography_entries, mark_entries, release_appendix_lines
from rag_app.papers.pdf.lines import Line, body_size, mark_breaks, visual_lines
from rag_app.papers.pdf.raw_page import RawPage
from rag_app.papers.pdf.reading_order import sort_reading_order
from rag_app.papers.pdf.structure import mark_kinds
from rag_app.papers.plain_text import hidden_line, read_plain
from rag_app.papers.talks import read_talk
from rag_app.records import Block, Kind, Page, Reading, Words
from rag_app.text.characters import LOST
from rag_app.text.normalize import NormalisedText, normalise_text, words_of

READING_VERSION = 4
"""Raised whenever the same file would give another Reading: what was read before is then read again."""

_FEW = 10  # characters: a page with fewer is a picture, or blank


def read_paper(path: Path, kind: Kind, title: str = "", *, keep_hidden: bool = False) -> Reading:
    """Read one paper. `title` is the manifest's, if it has one. A pure function of the file and READING_VERSION.

    Text that nobody can see is named in Reading.hidden and left out, unless `keep_hidden`.
    Never raises for a bad file: an encrypted, broken, empty or scanned one comes back with its state and the remedy.
    """
    try:
        if not path.is_file():
            raise PaperError(f"{path.name}: no such file. Put it back or build again.")
        if path.stat().st_size == 0:
            raise PaperError(f"{path.name}: the file is empty. Fetch or export it again.")
        if kind == "document":
            return read_office(path, title, keep_hidden=keep_hidden)
        if kind == "talk":
            return read_talk(path, title)
        if kind != "pdf":
            return read_plain(path, kind, title, keep_hidden=keep_hidden)
        return _read_pdf(path, title, keep_hidden)
    except (PaperError, OSError) as error:
        return Reading(title or path.stem, (), "unreadable", problem=str(error))
    except Exception as error:  # one odd file must not cost the others; what went wrong is said where papers are listed
        problem = f"{path.name}: could not be read ({type(error).__name__}: {error}). Fetch or export it again."
        return Reading(title or path.stem, (), "unreadable", problem=problem)


def _read_pdf(path: Path, title: str, keep_hidden: bool) -> Reading:
    document = file.read_document(path)
    read = file.read_pages(path, keep_hidden=keep_hidden, layers_off=document.layers_off)
    raw = [sort_reading_order(page) for page in read]
    if not raw:
        raise PaperError(f"{path.name}: has no pages. Fetch or export it again.")
    lines = [visual_lines(page) for page in raw]
    title_parts = title_lines(lines[0], raw[0].height)
    for line in title_parts:
        line.kind = "heading"
    mark_kinds(raw, lines, body_size(lines), document.outline)
    vocabulary: set[str] = set()
    for page in raw:
        vocabulary |= words_of(page.text)
    for page, on_page in zip(raw, lines, strict=True):
        release_appendix_lines(on_page)
        mark_entries(on_page, page.width)
        mark_breaks(on_page)
    pages = tuple(_page(page, on_page, vocabulary) for page, on_page in zip(raw, lines, strict=True))
    empty = [page.number for page in raw if len(page.text.strip()) < _FEW]
    front = front_matter(document, title_parts, lines[0], pages, title, path)
    scanned = len(empty) == len(raw)
    problem = f"{path.name}: no text layer on any page. Run OCR on the file (for instance ocrmypdf), then build again."
    return Reading(
        title=front.title,
        pages=pages,
        state="no text" if scanned else "full text",
        problem=problem if scanned else "",
        warnings=document.warnings + (() if scanned else _empty_pages(path, empty)),
        authors=front.authors,
        year=front.year,
        arxiv_id=front.arxiv_id,
        bibliography=bibliography_entries(pages),
        abbreviations=front.abbreviations,
        hidden=tuple(hidden_line(page.number, page.why_hidden, page.hidden) for page in raw if page.hidden),
    )


def _empty_pages(path: Path, empty: Sequence[int]) -> tuple[str, ...]:
    if not empty:
        return ()
    named = ", ".join(str(number) for number in empty[:12]) + (", ..." if len(empty) > 12 else "")
    return (f"{path.name}: no text on page {named}: blank or a picture. If words are missing, run OCR on the file.",)


def _page(raw: RawPage, lines: Sequence[Line], vocabulary: set[str]) -> Page:
    breaks = {offset for line in lines if line.breaks for offset in range(max(0, line.start - 3), line.start)}
    normalised = normalise_text(raw.text, vocabulary, breaks)
    text = normalised.text.strip()
    skipped = len(normalised.text) - len(normalised.text.lstrip())
    normalised = NormalisedText(text, normalised.origin[skipped : skipped + len(text)])
    return Page(
        number=raw.number,
        label=raw.label,
        width=raw.shown_size[0],
        height=raw.shown_size[1],
        text=text,
        blocks=tuple(_blocks(lines, normalised)),
        words=_words(raw, normalised),
    )


def _blocks(lines: Sequence[Line], normalised: NormalisedText) -> list[Block]:
    """Runs of lines of one kind and section. A caption or a heading that begins anew is a block of its own."""
    origin, text = normalised.origin, normalised.text
    blocks: list[Block] = []
    starts: list[tuple[int, Line]] = []
    for line in lines:
        alone = line.breaks and line.kind in ("caption", "heading")
        if not starts or alone or (starts[-1][1].kind, starts[-1][1].section) != (line.kind, line.section):
            starts.append((int(np.searchsorted(origin, line.start)), line))
    for (start, line), (end, _) in zip(starts, [*starts[1:], (len(text), None)], strict=False):
        begin = 0 if not blocks else start
        stop = begin + len(text[begin:end].rstrip())
        if stop > begin:
            blocks.append(Block(begin, stop, line.kind, line.section))
    return blocks


def _words(raw: RawPage, normalised: NormalisedText) -> Words:
    """One row for each word of the raw text; an empty row (start == end) is a glyph that no text stands for."""
    starts = np.searchsorted(normalised.origin, raw.words[:, 0]).astype(np.int32)
    ends = np.searchsorted(normalised.origin, raw.words[:, 1]).astype(np.int32)
    # "˘" becomes a space and a mark; a hyphen before a break holds the break; a lost glyph may be part of a word.
    codes = np.frombuffer(normalised.text.encode("utf-32-le", "surrogatepass"), np.uint32)
    spaces = np.concatenate([[0], np.cumsum((codes == ord(" ")) | (codes == ord("\n")))])
    odd = spaces[ends] > spaces[starts]
    for match in LOST.finditer(raw.text):
        odd[max(0, int(np.searchsorted(raw.words[:, 0], match.start(), side="right")) - 1)] = True
    if not odd.any():
        return Words(starts, ends, raw.shown_boxes)
    rows: list[tuple[int, int, int]] = []  # start, end, row of the box
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        rows += [(left, right, row) for left, right in _parts(normalised.text, start, end, bool(odd[row]))]
        if odd[row] and start < end and LOST.search(raw.text[raw.words[row, 0] : raw.words[row, 1]]):
            rows.append((end, end, row))
    table = np.array(rows, np.int32).reshape(-1, 3)
    return Words(table[:, 0], table[:, 1], raw.shown_boxes[table[:, 2]])


def _parts(text: str, start: int, end: int, odd: bool) -> list[tuple[int, int]]:
    if not odd or start == end:
        return [(start, end)]
    return [(start + match.start(), start + match.end()) for match in re.finditer(r"\S+", text[start:end])]
