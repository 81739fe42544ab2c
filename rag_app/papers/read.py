"""Paper -> Reading: a file becomes pages of readable text with sections, kinds of blocks and the place of each word."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from rag_app.errors import PaperError
from rag_app.papers.front_matter import front_matter, title_lines
from rag_app.papers.office import read_office
from rag_app.papers.pdf import file, ocr
from rag_app.papers.pdf.bibliography import bibliography_entries, mark_entries, release_appendix_lines
from rag_app.papers.pdf.line_numbers import without_line_numbers
from rag_app.papers.pdf.lines import Line, body_size, mark_breaks, visual_lines
from rag_app.papers.pdf.raw_page import DocumentInfo, RawPage
from rag_app.papers.pdf.reading_order import sort_reading_order
from rag_app.papers.pdf.structure import mark_furniture, mark_kinds
from rag_app.papers.plain_text import MOST_ON_PAGE, hidden_line, most_characters, read_plain
from rag_app.papers.talks import read_talk
from rag_app.records import LONGEST_SECTION, Block, Kind, Page, Reading, Words
from rag_app.text.characters import LOST
from rag_app.text.normalize import NormalisedText, normalise_text, words_of
from rag_app.text.sentences import sentences

READING_VERSION = 18
"""Raised whenever the same file would give another Reading: what was read before is then read again."""

_HALF_WORD = re.compile(r"-(?<=[^\W\d_]-)\s*(?:\n|\Z)")  # sentences end there or at a stop
LONGEST_TITLE, MOST_AUTHORS = 1_000, 10_000  # characters; collaborations at accelerators have three thousand authors
MOST_OF_FILE = 20 * MOST_ON_PAGE  # characters of a file without pages: a book of two thousand
MOST_PARTS = MOST_OF_FILE // 300  # of such a file: as many passages as a text of that length has at most
_MOST_UNMAPPED = 0.2  # of a page's characters: with more, its words are looked at


def read_paper(
    path: Path, kind: Kind, title: str = "", *, keep_hidden: bool = False, on_ocr: Callable[[], None] = lambda: None
) -> Reading:
    """Read one paper. `title` is the manifest's, if it has one. A pure function of the file and READING_VERSION.

    So it is of whether pages without text can be read by OCR; `on_ocr` is called after each of these.

    Text that nobody can see is named in Reading.hidden and left out, unless `keep_hidden`.
    Never raises for a bad file: an encrypted, broken, empty or scanned one comes back with its state and the remedy.
    """
    try:
        if not path.is_file():
            raise PaperError(f"{path.name}: no such file. Put it back or build again.")
        if path.stat().st_size == 0:
            raise PaperError(f"{path.name}: the file is empty. Fetch or export it again.")
        reading = _shorten_names(_read(path, kind, title, keep_hidden, on_ocr))
        return reading if kind == "pdf" else _shorten_text(reading, path.name)
    except (PaperError, OSError) as error:
        return Reading(title or path.stem, (), "unreadable", problem=str(error))
    except Exception as error:  # one odd file must not cost the others; what went wrong is said where papers are listed
        problem = f"{path.name}: could not be read ({type(error).__name__}: {error}). Fetch or export it again."
        return Reading(title or path.stem, (), "unreadable", problem=problem)


def _read(path: Path, kind: Kind, title: str, keep_hidden: bool, on_ocr: Callable[[], None]) -> Reading:
    if kind == "document":
        return read_office(path, title, keep_hidden=keep_hidden)
    if kind == "talk":
        return read_talk(path, title)
    if kind != "pdf":
        return read_plain(path, kind, title, keep_hidden=keep_hidden)
    return _read_pdf(path, title, keep_hidden, on_ocr)


def _shorten_names(reading: Reading) -> Reading:
    """The reading, with the end of each section's name and the beginning of its title where these are long.

    They go with each passage: a heading of a million letters would be written as often. Its text stays whole.
    """
    if len(reading.title) > LONGEST_TITLE or len(reading.authors) > MOST_AUTHORS:
        reading = replace(reading, title=reading.title[:LONGEST_TITLE], authors=reading.authors[:MOST_AUTHORS])
    if all(len(block.section) <= LONGEST_SECTION for page in reading.pages for block in page.blocks):
        return reading
    pages = [
        replace(page, blocks=tuple(replace(one, section=one.section[-LONGEST_SECTION:]) for one in page.blocks))
        for page in reading.pages
    ]
    return replace(reading, pages=tuple(pages))


def _shorten_text(reading: Reading, name: str) -> Reading:
    """The reading of a file without pages, with no more text and no more parts than a build can embed in two minutes.

    A part is what begins a passage of its own: text after a heading, of another section or another kind.
    """
    pages: list[Page] = []
    room, parts = MOST_OF_FILE, MOST_PARTS
    for page in reading.pages:
        kept: list[Block] = []
        for block in page.blocks:
            before = kept[-1] if kept else None
            begins = before is None or (before.kind, before.section) != (block.kind, block.section)
            parts -= begins and block.kind != "heading"
            if parts < 0 or block.start >= room:
                break
            kept.append(replace(block, end=min(block.end, room)))
        end = kept[-1].end if kept else 0
        room -= end
        if kept and kept[-1].end == page.blocks[len(kept) - 1].end and len(kept) == len(page.blocks):
            pages.append(page)
            continue
        pages += [replace(page, text=page.text[:end], blocks=tuple(kept))] if kept else []
        warning = (
            f"{name}: not read to the end: of a file without pages {MOST_OF_FILE:,} characters and {MOST_PARTS:,} "
            "sections are read. Split it, then build again."
        )
        return replace(reading, pages=tuple(pages), warnings=(*reading.warnings, warning))
    return reading


def _read_pdf(path: Path, title: str, keep_hidden: bool, on_ocr: Callable[[], None]) -> Reading:
    document = file.read_document(path)
    reach = file.Reach(keep_hidden, MOST_ON_PAGE, most_characters(path))
    read = file.read_pages(path, reach, document.undrawn)
    scans = ocr.read_scans(path, read, on_ocr)
    raw = [without_line_numbers(sort_reading_order(page)) for page in scans.pages]
    if not raw:
        raise PaperError(f"{path.name}: has no pages. Fetch or export it again.")
    lines = [visual_lines(page) for page in raw]
    mark_furniture(raw, lines)
    size = body_size(lines)
    title_parts = title_lines(lines[0], raw[0].height, size)
    for line in title_parts:
        line.kind = "heading"
    mark_kinds(lines, size, document.outline)
    vocabulary = words_of(*(page.text for page in raw))
    for page, on_page in zip(raw, lines, strict=True):
        release_appendix_lines(on_page)
        mark_entries(on_page, page.width)
        mark_breaks(on_page)
    pages = tuple(_page(page, on_page, vocabulary) for page, on_page in zip(raw, lines, strict=True))
    pages = tuple(_without_parted_sentences(page, vocabulary) for page in pages)
    pages = _without_cut_sentences(pages)
    empty = [page.number for page in raw if len(page.text.strip()) < ocr.FEW and not page.cut]
    front = front_matter(document, title_parts, lines[0], raw[0], pages, title, path)
    scanned = len(empty) == len(raw)
    return Reading(
        title=front.title,
        pages=pages,
        state="no text" if scanned else "full text",
        problem=_no_text(path, document) if scanned else "",
        warnings=(
            document.warnings
            + _unmapped_pages(path, raw)
            + _cut_pages(path, raw)
            + _tell_scans(path, scans)
            + (() if scanned else _empty_pages(path, empty))
        ),
        authors=front.authors,
        year=front.year,
        arxiv_id=front.arxiv_id,
        bibliography=bibliography_entries(pages),
        abbreviations=front.abbreviations,
        hidden=tuple(hidden_line(page.number, page.why_hidden, page.hidden) for page in raw if page.hidden),
    )


def _no_text(path: Path, document: DocumentInfo) -> str:
    if document.portfolio and document.attachments:
        listed = _list_names(document.attachments)
        return (
            f"{path.name}: this PDF is a portfolio; its attachments are {listed}. Save them from a PDF viewer into the "
            "corpus, then build again."
        )
    if ocr.is_installed():
        return (
            f"{path.name}: no text layer on any page, and OCR found no words. Save a sharper scan in its place, then "
            "build again."
        )
    return f"{path.name}: no text layer on any page. To have them read by OCR, run: {ocr.INSTALL}; then build again."


def _tell_scans(path: Path, scans: ocr.Scans) -> tuple[str, ...]:
    """The pages that OCR has read, and those that it has not."""
    told = []
    if scans.by_ocr:
        told.append(f"{path.name}: page {_list_numbers(scans.by_ocr)} read by OCR: compare quotes with the page.")
    if scans.beyond:
        told.append(
            f"{path.name}: page {_list_numbers(scans.beyond)} not read: OCR reads {ocr.MOST_PAGES} pages of a paper. "
            "Split the file, then build again."
        )
    told += [f"{path.name}: page {number} could not be read by OCR ({why})." for number, why in scans.failures]
    return tuple(told)


def _cut_pages(path: Path, raw: Sequence[RawPage]) -> tuple[str, ...]:
    """Pages from which more text comes out than can be meant: forms within forms draw one text a thousand times."""
    pages = [page.number for page in raw if page.cut]
    if not pages:
        return ()
    return (
        f"{path.name}: page {_list_numbers(pages)} not read to the end: more than {MOST_ON_PAGE:,} characters come out "
        f"of one page, or {most_characters(path):,} of the file. Print it to a new PDF and see what it shows.",
    )


def _unmapped_pages(path: Path, raw: Sequence[RawPage]) -> tuple[str, ...]:
    """Pages whose fonts do not say which letters they print: what was read there may be gibberish."""
    pages = [str(page.number) for page in raw if page.unmapped > _MOST_UNMAPPED and not _reads_as_text(page.text)]
    if not pages:
        return ()
    return (
        f"{path.name}: the fonts on page {_list_names(pages)} do not say which letters they print, so what was "
        "read there is wrong. Run OCR on the file (ocrmypdf --force-ocr), then build again.",
    )


def _reads_as_text(text: str) -> bool:
    """Whether most of the text is words: letters with vowels, of any script."""
    pieces = [piece for piece in text.split() if not re.search(r"\d", piece)]
    words = [piece for piece in pieces if re.fullmatch(r"\W*[^\W\d_]{2,}\W*", piece)]
    return len(words) >= 0.45 * len(pieces)


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def _list_numbers(numbers: Sequence[int]) -> str:
    return _list_names([str(number) for number in numbers])


def _empty_pages(path: Path, empty: Sequence[int]) -> tuple[str, ...]:
    if not empty:
        return ()
    said = f"{path.name}: no text on page {_list_numbers(empty)}: blank or a picture."
    remedy = "" if ocr.is_installed() else f" If words are missing, have them read by OCR: {ocr.INSTALL}"
    return (said + remedy,)


def _page(raw: RawPage, lines: Sequence[Line], vocabulary: set[str]) -> Page:
    breaks = {offset for line in lines if line.breaks for offset in range(max(0, line.start - 3), line.start)}
    normalised = normalise_text(_with_line_ends(raw.text, lines), vocabulary, breaks)
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
        ocr=raw.ocr,
        doubtful=tuple(np.searchsorted(normalised.origin, raw.doubtful).tolist()) if raw.doubtful else (),
    )


def _with_line_ends(text: str, lines: Sequence[Line]) -> str:
    """The text with a line break for the blank before a row that pdfium takes for the end of the row above it.

    Every offset stays.
    """
    places = [line.start - 1 for line in lines if line.kind == "table" and text[line.start - 1 : line.start] == " "]
    if not places:
        return text
    characters = list(text)
    for place in places:
        characters[place] = "\n"
    return "".join(characters)


def _without_cut_sentences(pages: Sequence[Page]) -> tuple[Page, ...]:
    """The pages, where a sentence of which the page's end cuts a word in two is not to be quoted, in either half."""
    found = list(pages)
    for at, (before, page) in enumerate(pairwise(pages)):
        last = _first_body(before.blocks, range(len(before.blocks) - 1, -1, -1))
        first = _first_body(page.blocks, range(len(page.blocks)))
        if last < 0 or first < 0:
            continue
        begins, ends = page.blocks[first], before.blocks[last]
        if before.text[: ends.end].endswith("-") and page.text[begins.start].islower():
            cut = ends.start + sentences(before.text[ends.start : ends.end])[-1][0]
            rest = begins.start + sentences(page.text[begins.start : begins.end])[0][1]
            last = len(found[at].blocks) - len(before.blocks) + last  # an opening may have been parted before
            found[at] = _mark_cut(found[at], last, cut, found[at].blocks[last].end)
            found[at + 1] = _mark_cut(found[at + 1], first, begins.start, rest)
    return tuple(found)


def _without_parted_sentences(page: Page, vocabulary: set[str]) -> Page:
    """The page, where a sentence of which a footnote or a figure parts a word in two is not to be quoted."""
    if not any(_HALF_WORD.search(page.text, block.start, block.end) for block in page.blocks if block.kind == "body"):
        return page
    units = [
        (block.start + start, block.start + end)
        for block in page.blocks
        if block.kind == "body"
        for start, end in sentences(page.text[block.start : block.end])
    ]
    cut: list[tuple[int, int]] = []
    for at, (start, end) in enumerate(units):
        half = re.search(r"[^\W\d_]+-$", page.text[start:end])
        if not half:
            continue
        rests = [(one, two) for one, two in units[at + 1 :] if page.text[one].islower()]
        rest = next((span for span in rests if _is_word(half[0], page.text[slice(*span)], vocabulary)), None)
        cut += [(start, end), rest] if rest else []
    for start, end in cut:
        block = next(at for at, one in enumerate(page.blocks) if one.start <= start < one.end)
        page = _mark_cut(page, block, start, end)
    return page


def _is_word(half: str, text: str, vocabulary: set[str]) -> bool:
    """Whether the paper has the word that `half`, with its hyphen, and the beginning of a text make."""
    rest = re.match(r"[^\W\d_]+", text)
    return rest is not None and bool(vocabulary & {f"{half[:-1]}{rest[0]}".lower(), f"{half}{rest[0]}".lower()})


def _first_body(blocks: Sequence[Block], order: range) -> int:
    return next((at for at in order if blocks[at].kind == "body"), -1)


def _mark_cut(page: Page, at: int, start: int, end: int) -> Page:
    """The page, with one part of its block number `at` made furniture."""
    block = page.blocks[at]
    before = block.start + len(page.text[block.start : start].rstrip())
    after = end + len(page.text[end : block.end]) - len(page.text[end : block.end].lstrip())
    parts = [replace(block, end=before)] if before > block.start else []
    parts.append(replace(block, start=start, end=end, kind="furniture"))
    if after < block.end:
        parts.append(replace(block, start=after))
    return replace(page, blocks=(*page.blocks[:at], *parts, *page.blocks[at + 1 :]))


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
