"""The kind of each line (page furniture, caption, table, heading, bibliography, body) and its section."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from rag_app.papers.pdf.headings import mark_headings, numbered_heading
from rag_app.papers.pdf.lines import Line
from rag_app.papers.pdf.raw_page import OutlineEntry, RawPage

_LONGEST_KEY = 300  # characters of a line that may repeat: the search for numbers at its ends costs their square
_STAMP = re.compile(r"arXiv:\d{4}\.\d{4,5}v\d+\s+\[")
_PAGE_NUMBER = re.compile(
    r"(?:page\s*)?[-–—]?\s*(?:\d{1,4}|[ivxlc]{1,6})\s*[-–—]?(?:\s*(?:of|/)\s*\d{1,4})?$", re.IGNORECASE
)
_CAPTION = re.compile(
    r"(?:Table|Figure|Fig\.?|FIGURE|TABLE|FIG\.?|Algorithm|Listing|Box|Scheme)\s*(?:S\.?)?"
    r"(?:[IVXL]{1,6}(?![A-Za-z])|[A-Z](?![A-Za-z.])|[A-Z]\.?(?=\d))?\d{0,3}(?:\.\d+)*"
    r"(?P<mark>\s*[:.|]|\s*[-–—]\s|\s*\((?:continued|cont(?:inue|[.’'])?d?\.?)\)|$)?"
)
_NUMERIC = re.compile(r"[-+−±(~<>≈]*[$€£]?\d[\d.,]*(?:[%x×kKMB)]|\(.*\)|±.*|/.*)*[*†‡∗]*$|[-–—✓✗✔✘×∼]+$|N/?A$")
_NUMBER_FIRST = re.compile(r"\W*(?:\d+|[ivxlc]+)\W+")  # of a line, or of one read from its end
_WORD, _NUMBER_IN_CAPTION = re.compile(r"[^\W\d_]{2}"), re.compile(r"\d|[A-Z]\b")
_UNFINISHED = re.compile(r"[a-z,(]$")
_NUMBERED_EQUATION = re.compile(r".*\(\d+\)$")
_AXIS = 6  # lines
_MARGIN = 0.09  # of the page's height
_DEEP = 0.16  # of the page's height: the outermost line may be a running head down to there
_LARGER = 1.2  # of the type size of a table's rows: a heading or prose below it
_LICENCE = re.compile(
    r"^(?:authorized licensed use limited to|downloaded (?:from|on|by|at)\b.*(?:https?:|\b(?:19|20)\d\d\b)|"
    r"this content downloaded from|for personal use only|(?:copyright|©).{0,60}all rights reserved)",
    re.IGNORECASE,
)


def mark_kinds(lines: Sequence[Sequence[Line]], body: float, outline: Sequence[OutlineEntry]) -> None:
    """Decide the kind and the section of every line, page by page. `body` is the body's type size in points."""
    for on_page in lines:
        _mark_captions(on_page)
        _mark_tables(on_page)
        _mark_labels(on_page)
    mark_headings(lines, body, outline)


def mark_furniture(pages: Sequence[RawPage], lines: Sequence[Sequence[Line]]) -> None:
    """Running heads and feet, page numbers, stamps and watermarks, text that runs up the margin.

    What repeats is told by the same words, whatever number stands before or after them, near an edge of several pages
    or in the same place of most. A title is often the running head of the pages that follow: large type on the first
    page stays.
    """
    seen: Counter[str] = Counter()  # on how many pages
    margins: list[tuple[Line, str]] = []
    for page, on_page in zip(pages, lines, strict=True):
        here: set[str] = set()
        ends = _outermost(on_page, page.height)
        usual = sorted(line.size for line in on_page)[len(on_page) // 2] if on_page else 0.0
        heads = _table_heads(on_page)
        for line in on_page:
            if line in heads:
                continue
            if _STAMP.match(line.text) or (not line.upright and line.box[2] < 0.1 * page.width):
                line.kind = "furniture"
                continue
            key = _repeating_key(line, page, ends)
            if key.startswith(("top", "foot")) and _PAGE_NUMBER.match(line.text.strip()):
                line.kind = "furniture"
            headline = page.number == 1 and line.size > 1.15 * usual and not key.startswith("at ")
            if line.words <= 40 and _WORD.search(line.text) and not _CAPTION.match(line.text):
                here.add(key)
                if not headline:
                    margins.append((line, key))
        seen.update(here)
    often = 2 if len(pages) < 6 else 3
    for line, key in margins:
        repeated = seen[key] >= often and (not key.startswith("at ") or seen[key] >= 0.5 * len(pages))
        if repeated or _LICENCE.search(line.text):
            line.kind = "furniture"


def _table_heads(lines: Sequence[Line]) -> list[Line]:
    """The rows that stand over rows with as many cells: a table that goes on over pages repeats its head."""
    return [
        line
        for line, below in pairwise(lines)
        if line.gaps >= 2 and below.gaps >= 2 and abs(line.gaps - below.gaps) <= 1 and not _is_far(line, below)
    ]


def _repeating_key(line: Line, page: RawPage, ends: tuple[Line | None, Line | None]) -> str:
    """Where a line stands, and its words without a number at either end."""
    words = line.text.lower().strip()[:_LONGEST_KEY]
    first, last = _NUMBER_FIRST.match(words), _NUMBER_FIRST.match(words[::-1])
    words = words[first.end() if first else 0 : len(words) - (last.end() if last else 0)]
    if line.box[1] < _MARGIN * page.height or line is ends[0]:
        return f"top {words}"
    if line.box[3] > (1 - _MARGIN) * page.height or line is ends[1]:
        return f"foot {words}"
    return f"at {round(line.box[0] / 8)} {round(line.box[1] / 4)} {words}"


def _outermost(lines: Sequence[Line], height: float) -> tuple[Line | None, Line | None]:
    """The first and the last line of a page where they stand within an eighth of its height from the edge."""
    upright = [line for line in lines if line.upright]
    if not upright:
        return None, None
    first, last = min(upright, key=lambda line: line.box[1]), max(upright, key=lambda line: line.box[3])
    return (
        first if first.box[1] < _DEEP * height else None,
        last if last.box[3] > (1 - _DEEP) * height else None,
    )


def _mark_captions(lines: Sequence[Line]) -> None:
    for index, line in enumerate(lines):
        if line.kind != "body" or not _begins_caption(lines, index):
            continue
        line.kind = "caption"
        above = line
        for at, below in enumerate(lines[index + 1 :], index + 1):
            cells = below.gaps >= 2 and not _is_justified(lines, at)
            if below.kind != "body" or cells or not _is_same_caption(above, below):
                break
            below.kind = "caption"
            above = below


def _begins_caption(lines: Sequence[Line], index: int) -> bool:
    line = lines[index]
    match = _CAPTION.match(line.text)
    if not match or not _NUMBER_IN_CAPTION.search(match[0][3:]):
        return False
    if index and _is_continued(lines[index - 1], line):
        return False
    if match["mark"] is not None:
        return True
    # "Table 3 shows ..." continues a sentence; a caption without colon stands apart from what is above it.
    if index == 0 or line.bold[0]:
        return bool(re.match(r"\s+[A-Z]", line.text[match.end() :]))
    return False


def _is_continued(above: Line, line: Line) -> bool:
    """Does a line go on with the sentence above it: "... as shown in / Table 6. There ..."?"""
    near = -0.3 * line.height < line.box[1] - above.box[3] < 0.6 * line.height
    alike = abs(above.size - line.size) < 0.06 * line.size and abs(above.box[0] - line.box[0]) < 2 * line.size
    unfinished = _UNFINISHED.search(above.text.rstrip()) is not None
    return above.kind == "body" and near and alike and unfinished and above.words >= 5


def _is_same_caption(above: Line, below: Line) -> bool:
    if abs(below.size - above.size) > 0.06 * above.size:
        return False
    if below.gaps == 1 and below.words < 9 and above.text.rstrip().endswith("."):  # a head of two cells, no sentence
        return False
    distance = below.box[1] - above.box[3]
    overlap = min(above.box[2], below.box[2]) - max(above.box[0], below.box[0])
    if not -0.6 * above.height < distance < 0.55 * above.height or overlap <= 0:
        return False
    begins = _CAPTION.match(below.text)
    named = begins is not None and begins["mark"] is None and _UNFINISHED.search(above.text.rstrip())
    return begins is None or bool(named) or below.text[0].islower()  # "... the example shown in / Figure 2, ..."


def _is_tabular(line: Line) -> bool:
    if numbered_heading(line):
        return False
    if line.gaps >= 2:
        return True
    tokens = line.text.split()
    numeric = sum(map(_is_numeric, tokens))
    if line.gaps == 1 and numeric >= max(1, 0.3 * len(tokens)) and not _NUMBERED_EQUATION.match(line.text):
        return True
    return numeric >= 3 and numeric >= 0.45 * len(tokens)


def _mark_tables(lines: Sequence[Line]) -> None:
    """Runs of lines with cells. Between two rows with cells a few short lines belong to the table as well."""
    rows = [
        line.kind == "body" and line.upright and _is_tabular(line) and not _is_justified(lines, index)
        for index, line in enumerate(lines)
    ]
    index = 0
    while index < len(lines):
        if not rows[index]:
            index += 1
            continue
        end = _table_end(lines, rows, index)
        start = index
        while start > 0 and _joins_table(lines[start - 1], _next_row(lines, start)):
            start -= 1
        beside = [lines[at] for at in (start - 1, end) if 0 <= at < len(lines)]
        captioned = any(line.kind == "caption" and line.text[:3].lower() == "tab" for line in beside)
        if sum(rows[start:end]) >= (1 if captioned else 2):
            for line in lines[start:end]:
                line.kind = "table"
        index = end


def _is_justified(lines: Sequence[Line], index: int) -> bool:
    """A line of prose that was stretched to its column's width: it ends where its neighbour does, and begins there."""
    line = lines[index]
    tokens = line.text.split()
    if len(tokens) < 4 or any(_is_numeric(token) for token in tokens):
        return False
    small = sum(token[0].islower() for token in tokens) >= 0.5 * len(tokens)
    for above, below in pairwise(lines[max(index - 1, 0) : index + 2]):
        other = below if above is line else above
        ends = abs(other.box[2] - line.box[2]) < 1.5 and abs(other.size - line.size) < 0.5
        begins = abs(other.box[0] - line.box[0]) < 1.5
        numbers = any(_is_numeric(token) for token in other.text.split())
        if ends and (begins or small) and not numbers and not _is_far(above, below):
            return True
    return False


def _table_end(lines: Sequence[Line], rows: Sequence[bool], start: int) -> int:
    end = start + 1
    index = start + 1
    size = lines[start].size  # of the largest row
    while index < len(lines) and index - end < 3:
        if lines[index].kind != "body" or numbered_heading(lines[index]):
            break
        if _is_far(lines[index - 1], _next_row(lines, index)):
            break
        if lines[index].size > _LARGER * size and lines[index].words > 1:  # one word may be large by an index: "D∅"
            break
        if rows[index]:
            end = index + 1
            size = max(size, lines[index].size)
        elif _is_prose(lines[index]) and not _names_group(lines, rows, index, lines[end - 1]):
            break
        index += 1
    return end


def _next_row(lines: Sequence[Line], index: int) -> Line:
    """The line itself, or the row after it where it is a label that stands beside the middle of several rows."""
    line = lines[index]
    after = lines[index + 1] if index + 1 < len(lines) else line
    beside = line.gaps == 0 and line.words <= 4 and line.box[2] < after.box[0]
    return after if beside and after.box[1] < line.box[1] < after.box[3] + 4 * line.height else line


def _names_group(lines: Sequence[Line], rows: Sequence[bool], index: int, row: Line) -> bool:
    """A line between two rows that says what the rows below it have in common: "Ensembles on test (from ...)"."""
    line, within = lines[index], lines[index].box[0] >= row.box[0] - 3 and lines[index].box[2] <= row.box[2] + 3
    below = index + 1 < len(lines) and rows[index + 1] and not _is_far(line, lines[index + 1])
    return bool(within and below and not line.text.rstrip().endswith(".") and not line.text[:1].islower())


def _joins_table(line: Line, row: Line) -> bool:
    return (
        line.kind == "body"
        and not numbered_heading(line)
        and not _is_prose(line)
        and not _is_far(line, row)
        and line.size <= row.size * 1.1
    )


def _mark_labels(lines: Sequence[Line]) -> None:
    """Axis labels and other loose words of a figure, beside its caption: no text to read, so furniture."""
    for index, line in enumerate(lines):
        if line.kind != "caption" or line.text[:3].lower() != "fig" or (index and lines[index - 1].kind == "caption"):
            continue
        after = index
        while after < len(lines) and lines[after].kind == "caption":
            after += 1
        above = _find_labels(lines, range(index - 1, -1, -1))
        for label in above or _find_labels(lines, range(after, len(lines))):
            label.kind = "furniture"
    _mark_axes(lines)


def _mark_axes(lines: Sequence[Line]) -> None:
    """Long runs of lone numbers and short words, wherever they stand: the axes of a chart."""
    run: list[Line] = []
    for line in [*lines, None]:
        if line and line.kind in ("body", "furniture") and not numbered_heading(line) and _is_label(line):
            run.append(line)
            continue
        numbers = sum(1 for one in run if all(_is_numeric(token) for token in one.text.split()))
        if len(run) >= _AXIS and numbers >= 0.5 * len(run):
            for label in run:
                label.kind = "furniture"
        run = []


def _find_labels(lines: Sequence[Line], indices: range) -> list[Line]:
    """The run of loose short lines along `indices`; empty when there are too few to be a figure's."""
    found: list[Line] = []
    for index in indices:
        line = lines[index]
        if line.kind not in ("body", "table") or numbered_heading(line) or not _is_label(line):
            break
        found.append(line)
    return found if len(found) >= 3 else []


def _is_label(line: Line) -> bool:
    """Words or ticks of a chart: short, no sentence, and no row of a table set as a figure."""
    if not line.upright:
        return True
    if line.text.endswith(tuple(".:,;?")):
        return False
    tokens = line.text.split()
    numeric = [token for token in tokens if _is_numeric(token)]
    if (len(numeric) >= 3 and not _are_ticks(numeric)) or (len(numeric) >= 2 and tokens[0][:1].isalpha()):
        return False
    return len(tokens) <= 5 or len(numeric) >= 0.6 * len(tokens)


@lru_cache(maxsize=20_000)  # the same words come on every page
def _is_numeric(token: str) -> bool:
    """A value of a table or a tick of an axis."""
    return _NUMERIC.match(token) is not None


def _are_ticks(numeric: Sequence[str]) -> bool:
    """Ticks of an axis grow, or go by equal steps once those before the least have the minus that a chart draws.

    The figures of a row seldom do.
    """
    values = [float(token) for token in numeric if re.fullmatch(r"\d+(?:\.\d+)?", token)]
    if len(values) < len(numeric):
        return False
    least = values.index(min(values))
    signed = [-value for value in values[:least]] + values[least:]
    grow = all(one < two for one, two in pairwise(values))
    return grow or (len(values) > 3 and (_are_even(values) or _are_even(signed)))


def _are_even(values: Sequence[float]) -> bool:
    steps = [two - one for one, two in pairwise(values)]
    return all(math.isclose(step, steps[0], rel_tol=0.01) for step in steps)


def _is_prose(line: Line) -> bool:
    """A line that reads as part of a paragraph."""
    ended = bool(re.search(r"[a-z][.:]$", line.text))
    return line.gaps == 0 and (line.words >= 9 or ended or (line.words >= 6 and line.text[:1].islower()))


def _is_far(above: Line, below: Line) -> bool:
    distance = below.box[1] - above.box[3]
    return distance > 2.2 * above.height or distance < -4 * above.height
