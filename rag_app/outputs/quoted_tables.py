"""Rows that an answer quotes from a table of a paper, put together to a table again. Pure.

Where the page makes certain which value stands below which head (Citation.cells), the heads are split so; else by the
figures at the end of each row, where every row has as many.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from rag_app.records import Citation

FEWEST_ROWS = 2  # lines in a row, of one page, that are taken for rows of one table
LONGEST_UNIT = 4  # letters of a word behind a figure: MWh
_NAMED = 0.5  # of the rows that are no heads: fewer with certain cells, and the heads may be wrong for the others
CITED_LINE = re.compile(r"(?P<text>.*\S)\s*\[(?P<number>\d{1,4})\]")
_SENTENCE_END = (".", "!", "?", ":", ";", ".”", ")")
_FIGURE = re.compile(r"[-−+±~<>≈]?\d[\d.,/%±×xkKMB–-]*|[-–—✓✗]")
_WITH_UNIT = re.compile(r"(?=.*\d)[\w.,/%±×–-]+")  # 400W, A100-80GB, v1.5

Line = tuple[str, Citation]
"""A quoted row without its mark, and what it cites."""


@dataclass(frozen=True)
class QuotedRow:
    """A row: its label and values, or one text that stands over the whole width. A head names the columns."""

    cells: tuple[str, ...]
    citations: tuple[Citation, ...]
    head: bool = False


@dataclass(frozen=True)
class QuotedTable:
    """Rows of a paper's table under each other; `width` counts the label's column."""

    width: int
    rows: tuple[QuotedRow, ...]


def find_rows(paragraph: str, citations: Mapping[int, Citation]) -> list[list[Line] | str]:
    """The lines of a quoted paragraph; those that are rows of one table come together as a list."""
    parts: list[list[Line] | str] = []
    lines = [(line, _row_of(line, citations)) for line in paragraph.split("\n")]
    for page, group in groupby(lines, key=lambda one: one[1] and (one[1][1].paper, one[1][1].page)):
        found = list(group)
        rows = [row for _, row in found if row is not None]
        if page is not None and len(rows) >= FEWEST_ROWS:
            parts.append(rows)
        else:
            parts += [line for line, _ in found]
    return parts


def _row_of(line: str, citations: Mapping[int, Citation]) -> Line | None:
    match = CITED_LINE.fullmatch(line.strip())
    if match is None or int(match["number"]) not in citations or match["text"].endswith(_SENTENCE_END):
        return None
    return match["text"], citations[int(match["number"])]


def arrange_rows(lines: Sequence[Line]) -> QuotedTable:
    """The rows in columns, as far as it is known which value belongs to which."""
    return _arrange_by_place(lines) or _arrange_by_figures(lines)


# -- by what stands where on the page ----------------------------------------------------------------------------


def _arrange_by_place(lines: Sequence[Line]) -> QuotedTable | None:
    columns = max((_columns_of(citation) for _, citation in lines), key=len, default=())
    first = next((at for at, (_, citation) in enumerate(lines) if citation.cells), len(lines))
    corners = [_corner_of(text, citation, columns) for text, citation in lines[:first]]
    rest = [line for line, corner in zip(lines, corners, strict=False) if corner is None] + list(lines[first:])
    named = [line for line in rest if _is_part(_columns_of(line[1]), columns)]
    if not columns or len(named) < _NAMED * len(rest):
        return None
    heads = [line for line, corner in zip(lines, corners, strict=False) if corner is not None]
    corner = " ".join(corner for corner in corners if corner)
    head = QuotedRow((corner, *columns), tuple(citation for _, citation in heads), head=True)
    rows = [head]
    for text, citation in rest:
        values = {cell.column: cell.value for cell in citation.cells}
        if _is_part(tuple(values), columns):
            label = f"{_lead_of(text, citation)}{citation.cells[0].row}"
            rows.append(QuotedRow((label, *(values.get(name, "") for name in columns)), (citation,)))
        else:
            rows.append(QuotedRow((text,), (citation,)))
    return QuotedTable(1 + len(columns), tuple(rows))


def _columns_of(citation: Citation) -> tuple[str, ...]:
    return tuple(cell.column for cell in citation.cells)


def _is_part(some: Sequence[str], columns: Sequence[str]) -> bool:
    """Whether these are some of the columns, in their order."""
    left = iter(columns)
    return bool(some) and all(name in left for name in some)


def _corner_of(text: str, citation: Citation, columns: Sequence[str]) -> str | None:
    """What a line of heads says besides the heads of the columns: of the labels. None where it is no such line."""
    words, known = text.split(), {word for name in columns for word in name.split()}
    at = len(words)
    while at and words[at - 1] in known:
        at -= 1
    return " ".join(words[:at]) if at < len(words) and not any(map(_FIGURE.fullmatch, words[:at])) else None


def _lead_of(text: str, citation: Citation) -> str:
    """What the answer says before the quoted words: the paper's name, where it quotes several."""
    quote = " ".join(citation.quote.split())
    return text[: -len(quote)] if text.endswith(quote) else ""


# -- by the figures of the rows ------------------------------------------------------------------------------------


def _arrange_by_figures(lines: Sequence[Line]) -> QuotedTable:
    texts = [text for text, _ in lines]
    units = _units(texts)
    split = [_split_figures(text, units) for text in texts]
    # A row is called something, be it "GPT-3".
    width = min((min(len(figures), len(words + figures) - 1) for words, figures in split if figures), default=0)
    if width < 2:
        return QuotedTable(1, tuple(QuotedRow((text,), (citation,)) for text, citation in lines))
    return QuotedTable(1 + width, tuple(_row_by_figures(text, citation, width, units) for text, citation in lines))


def _units(rows: Sequence[str]) -> set[str]:
    """Short words that stand behind a figure in every row that has figures: "356 MWh"."""
    behind = []
    for words in map(str.split, rows):
        if any(map(_FIGURE.fullmatch, words)):
            pairs = pairwise(words)
            short = {word for one, word in pairs if _FIGURE.fullmatch(one) and word.isalpha()}
            behind.append({word for word in short if len(word) <= LONGEST_UNIT})
    return set.intersection(*behind) if behind else set()


def _split_figures(row: str, units: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """A row's words, and the figures at its end, those of `units` with them."""
    words: list[str] = []
    for word in row.split():
        if words and word in units and _FIGURE.fullmatch(words[-1]):
            words[-1] += f" {word}"
        else:
            words.append(word)
    at = len(words)
    while at and any(form.fullmatch(words[at - 1].split()[0]) for form in (_FIGURE, _WITH_UNIT)):
        at -= 1
    if not any(_FIGURE.fullmatch(word.split()[0]) for word in words[at:]):  # the head of a table: "Top-1 Top-5"
        return words, []
    return words[:at], words[at:]


def _row_by_figures(text: str, citation: Citation, width: int, units: Collection[str]) -> QuotedRow:
    words, figures = _split_figures(text, units)
    whole = words + figures
    label, last = whole[:-width], whole[-width:]
    if len(last) < width or (not figures and len(whole) > width + 1):  # which words name a column, is not known
        return QuotedRow((text,), (citation,), head=not figures)
    return QuotedRow((" ".join(label), *last), (citation,), head=not figures)
