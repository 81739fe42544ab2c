"""The list of references: where each entry begins, and the entries over all pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rag_app.papers.pdf.lines import Line
from rag_app.records import Page

_NUMBERED = re.compile(r"[\[［]\d{1,3}[\]］]|\[[A-Z][\w+]{1,9}\]")
_POINTED = re.compile(r"\d{1,3}\.\s+[A-Z]")
_RAISED = re.compile(r"[⁰¹²³⁴-⁹]{1,3}\s?[^\W\d_]")
_AUTHOR = re.compile(r"(?:[A-ZÀ-Þ][\w’'-]+,? (?:[A-Z]\.|[A-Z][\w’'-]+)|[A-Z]\. ?[A-ZÀ-Þ]|[A-Z][A-Za-z]+\. )")
_AUTHOR_YEAR = re.compile(r"[^\W\d_][\w’'-]+, (?:[A-ZÀ-Þ]\.[ -]?)+.{0,80}?\((?:19|20)\d\d[a-z]?\)")
_ENTRY_END = re.compile(r"(?:\.|\d{4}[a-z]?|/|\d|\)|[a-z]{2,}/\S+)$")


_SOURCE = re.compile(r"\b(?:19|20)\d\d[a-z]?\b|arxiv|https?:|doi\b|proceedings|\bpp?\.|\bpages\b|\bvol", re.IGNORECASE)
_PROSE_RUN = 8  # so many lines without year, source or names are no entry


def release_appendix_lines(lines: Sequence[Line]) -> None:
    """Give lines back to the body where no reference can be seen for a long while: an appendix without a heading."""
    listed = [line for line in lines if line.kind == "bibliography"]
    if len(listed) >= _PROSE_RUN and sum(bool(_SOURCE.search(line.text)) for line in listed) < 0.05 * len(listed):
        for line in listed:
            line.kind = "body"
    run: list[Line] = []
    for line in lines:
        if line.kind in ("furniture", "caption", "table"):
            continue
        if line.kind == "bibliography" and not _is_like_reference(line):
            run.append(line)
            continue
        _end_run(run)
        run = []
    _end_run(run)


def _end_run(run: Sequence[Line]) -> None:
    if len(run) >= _PROSE_RUN:
        for line in run:
            line.kind = "body"


def _is_like_reference(line: Line) -> bool:
    words = [word for word in line.text.split() if word[:1].isalpha()]
    capitals = sum(word[0].isupper() for word in words)
    return bool(_SOURCE.search(line.text)) or capitals >= 0.5 * len(words)


def mark_entries(lines: Sequence[Line], width: float) -> None:
    """Set `opens` of the lines of the bibliography on one page of `width` points.

    By numbers in brackets, before a point or raised, else by a hanging indent in each column, else by a line that
    ends an entry above one that begins with a name.
    """
    listed = [line for line in lines if line.kind == "bibliography"]
    for style in (_NUMBERED, _POINTED, _RAISED):
        marked = [line for line in listed if style.match(line.text)]
        if len(marked) >= 3 or (marked and len(marked) >= 0.2 * len(listed)):
            for line in listed:
                line.opens = line in marked
            return
    for side in (False, True):
        column = [line for line in listed if (line.box[0] > 0.45 * width) == side]
        if column:
            _mark_column(column)


def _mark_column(column: Sequence[Line]) -> None:
    left = min(line.box[0] for line in column)
    indented = sum(4 < line.box[0] - left < 40 for line in column)
    hanging = 0.2 * len(column) <= indented <= 0.95 * len(column)
    if hanging:
        for line in column:
            line.opens = line.box[0] - left <= 2
        return
    opening = [line for line in column if _AUTHOR_YEAR.match(line.text)]
    for above, line in pairwise(column):
        if len(opening) >= 2 and len(opening) >= 0.25 * len(column):  # "Adams, J. (2011)." says it by itself
            line.opens = line in opening and _ENTRY_END.search(above.text.rstrip()) is not None
            continue
        ended = _ENTRY_END.search(above.text.rstrip()) and _AUTHOR.match(line.text)
        spaced = line.box[1] - above.box[3] > 0.35 * line.height
        line.opens = bool(ended) and (spaced or above.box[2] < line.box[2] - line.size)


def bibliography_entries(pages: Sequence[Page]) -> tuple[str, ...]:
    """The entries of all pages, in order; one that a page or a column ends is joined with its rest."""
    found: list[str] = []
    for page in pages:
        for block in page.blocks:
            if block.kind == "bibliography":
                for text in page.text[block.start : block.end].split("\n"):
                    if found and _is_rest(found[-1], text):
                        found[-1] += " " + text
                    elif text.strip():
                        found.append(text)
    return tuple(found)


def _is_rest(entry: str, text: str) -> bool:
    if any(style.match(text) for style in (_NUMBERED, _POINTED, _RAISED)):
        return False
    return text[:1].islower() or not _ENTRY_END.search(entry)
