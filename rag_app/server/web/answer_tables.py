"""Tables of an answer as HTML: rows quoted from one table of a paper as one block, and comparisons of papers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from rag_app.answering.tables.comparison import NEAREST, NOT_REPORTED
from rag_app.records import BETWEEN, Cell, Citation, Table
from rag_app.server.i18n import translate, translate_core
from rag_app.server.web.markdown import escape_html
from rag_app.server.web.sources import CitedPlace

FEWEST_ROWS = 2  # lines in a row, of one page, that are taken for rows of one table
_CITED_LINE = re.compile(r"(?P<text>.*\S)\s*\[(?P<number>\d{1,4})\]")
_SENTENCE_END = (".", "!", "?", ":", ";", ".”", ")")
_FIGURE = re.compile(r"[-−+±~<>≈]?\d[\d.,/%±×xkKMB–-]*|[-–—✓✗]")
_WITH_UNIT = re.compile(r"(?=.*\d)[\w.,/%±×–-]+")  # 400W, A100-80GB, v1.5
LONGEST_UNIT = 4  # letters of a word behind a figure: MWh

# A cell's state -> its look, its words, and what they mean.
_STATES = {
    "nothing found": ("cell-nothing", "answer.cell-nothing", "answer.cell-nothing-hint"),
    "not searched": ("cell-unsearched", "answer.cell-unsearched", "answer.cell-unsearched-hint"),
    "stopped": ("cell-stopped", "answer.cell-stopped", "answer.cell-stopped-hint"),
    "searching": ("cell-searching", "answer.cell-searching", "answer.cell-searching-hint"),
}
_PLAIN_STATES = ("", NOT_REPORTED, *_STATES)  # what the core writes into such a cell

Line = tuple[str, Citation]
"""A quoted row without its mark, and what it cites."""


def quoted_rows(paragraph: str, citations: Mapping[int, Citation]) -> list[list[Line] | str]:
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
    match = _CITED_LINE.fullmatch(line.strip())
    if match is None or int(match["number"]) not in citations or match["text"].endswith(_SENTENCE_END):
        return None
    return match["text"], citations[int(match["number"])]


def merge_rows(rows: Sequence[Line], counted: Collection[int] = ()) -> CitedPlace:
    """One place for all rows of a block: their words and their boxes together. `counted`: numbers of earlier blocks."""
    cited = list({citation.number: citation for _, citation in rows}.values())
    numbers = sorted(citation.number for citation in cited)
    whole = replace(
        cited[0],
        quote="\n".join(citation.quote for citation in cited),
        boxes=tuple(box for citation in cited for box in citation.boxes),
        verified=all(citation.verified for citation in cited),
        references=tuple(reference for citation in cited for reference in citation.references),
    )
    in_a_row = numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 1
    label = f"{numbers[0]}–{numbers[-1]}" if in_a_row else str(cited[0].number)
    return CitedPlace(whole, label, len(set(numbers) - set(counted)))


def quoted_table_html(rows: Sequence[str], mark: str) -> str:
    """Rows of a paper's table under each other, figures in columns where every row has as many; and one mark."""
    units = _units(rows)
    split = [_split_figures(row, units) for row in rows]
    # A row is called something, be it "GPT-3".
    width = min((min(len(figures), len(words + figures) - 1) for words, figures in split if figures), default=0)
    if width < 2:
        body = "".join(f"<tr><td>{escape_html(row)}</td></tr>" for row in rows)
    else:
        body = "".join(_table_row(row, width, units) for row in rows)
    return f'<div class="quoted-table"><div class="table"><table><tbody>{body}</tbody></table></div>{mark}</div>'


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


def _table_row(row: str, width: int, units: Collection[str]) -> str:
    words, figures = _split_figures(row, units)
    tag = "td" if figures else "th"
    whole = words + figures
    label, last = whole[:-width], whole[-width:]
    if len(last) < width or (not figures and len(whole) > width + 1):  # which words name a column, is not known
        return f'<tr><{tag} colspan="{width + 1}">{escape_html(row)}</{tag}></tr>'
    cells = "".join(f"<{tag}>{escape_html(cell)}</{tag}>" for cell in last)
    return f"<tr><th>{escape_html(' '.join(label))}</th>{cells}</tr>"


def comparison_html(table: Table, cite: Callable[[int], str], name: str = "") -> str:
    """A comparison: head and first column stay in sight; buttons sort by an aspect, fill the screen and add to it.

    `name`: of the answer on the page, so that its table can be kept in a note.
    """
    tools = "".join(
        f'<button type="button" class="text-button {kind}">{translate(key)}</button>'
        for kind, key in (
            ("fill-screen", "answer.full-screen"),
            ("copy-table", "answer.copy-table"),
            ("add-paper", "answer.add-paper"),
            ("add-aspect", "answer.add-aspect"),
        )
    )
    if name:
        words, hint = translate("notes.keep"), translate("notes.keep-hint")
        tools += f'<button type="button" class="keep-note" value="table/{name}" title="{hint}">{words}</button>'
    return (
        f'<div class="comparison"><div class="table-tools">{tools}</div>{table_html(table, cite, sortable=True)}</div>'
    )


def table_html(table: Table, cite: Callable[[int], str], *, sortable: bool = False) -> str:
    """The rows and columns of a comparison alone."""
    before, after = "", ""
    if sortable:
        before, after = f'<button type="button" class="sort-column" title="{translate("answer.sort")}">', "</button>"
    heads = (f"{before}{escape_html(translate_core(aspect))}{after}" for aspect in table.aspects)
    head = "".join(f'<th scope="col">{words}</th>' for words in heads)
    rows = "".join(
        f'<tr><th scope="row">{escape_html(row.name)}</th>{"".join(_cell_html(cell, cite) for cell in row.cells)}</tr>'
        for row in table.rows
    )
    return (
        f'<div class="table compared" tabindex="0" role="region" aria-label="{translate("answer.comparison")}"><table>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell_html(cell: Cell, cite: Callable[[int], str]) -> str:
    """What the paper says, with its marks; where it says nothing, why there is nothing."""
    if cell.state in _STATES:
        kind, words, hint = _STATES[cell.state]
        shown = f'<span class="cell-state" title="{translate(hint)}">{translate(words)}</span>'
        if cell.text.startswith(NEAREST):
            said = _nearest_passage(cell, cite)
        else:
            said = "" if cell.text in _PLAIN_STATES else f"<p>{escape_html(cell.text)}</p>"
        return f'<td class="none {kind}">{shown}{said}</td>'
    if not cell.citations:
        return f'<td class="none">{escape_html(translate_core(cell.text))}</td>'
    return f"<td>{_statements(cell, cite)}</td>"


def _nearest_passage(cell: Cell, cite: Callable[[int], str]) -> str:
    """What comes nearest to what was not found, folded away."""
    text, marks = escape_html(cell.text.removeprefix(NEAREST)), "".join(map(cite, cell.citations))
    words = translate("answer.cell-nearest")
    return f'<details><summary>{words}</summary><span class="phrase">{text}</span> {marks}</details>'


def _statements(cell: Cell, cite: Callable[[int], str]) -> str:
    """Each statement of a cell on lines of its own with its mark, where each has one; else the whole and all marks."""
    texts = cell.text.split(BETWEEN)
    if len(texts) != len(cell.citations):
        marks = "".join(map(cite, cell.citations))
        return f'<span class="phrase">{escape_html(cell.text)}</span> {marks}'
    return "".join(
        f'<p><span class="phrase">{escape_html(text)}</span> {cite(number)}</p>'
        for text, number in zip(texts, cell.citations, strict=True)
    )
