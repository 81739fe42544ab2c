"""Tables of an answer as HTML: rows quoted from one table of a paper as one block, and comparisons of papers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from rag_app.answering.tables.comparison import NEAREST
from rag_app.outputs.quoted_tables import Line, QuotedRow, arrange_rows
from rag_app.records import BETWEEN, Cell, Table
from rag_app.server.i18n import translate, translate_core
from rag_app.server.web.markdown import escape_html, quote_html
from rag_app.server.web.sources import CitedPlace

UNFOLDED = 2  # statements of a cell that are read at once
SHORT_LABEL = 24  # characters of a row's label that is kept on one line
# A cell's state -> its look, its words, and what they mean.
_STATES = {
    "nothing found": ("cell-nothing", "answer.cell-nothing", "answer.cell-nothing-hint"),
    "not reported": ("cell-unreported", "answer.cell-unreported", "answer.cell-unreported-hint"),
    "not searched": ("cell-unsearched", "answer.cell-unsearched", "answer.cell-unsearched-hint"),
    "stopped": ("cell-stopped", "answer.cell-stopped", "answer.cell-stopped-hint"),
    "searching": ("cell-searching", "answer.cell-searching", "answer.cell-searching-hint"),
}


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


def quoted_table_html(lines: Sequence[Line], mark: str) -> str:
    """Rows of a paper's table under each other, in columns where these are known; and one mark."""
    table = arrange_rows(lines)
    rows = [_quoted_row_html(row, table.width) for row in table.rows]
    heads = next((at for at, row in enumerate(table.rows) if not row.head), len(rows))
    head = f"<thead>{''.join(rows[:heads])}</thead>" if heads else ""
    shown = f"<table>{head}<tbody>{''.join(rows[heads:])}</tbody></table>"
    return f'<div class="quoted-table"><div class="table">{shown}</div>{mark}</div>'


def _quoted_row_html(row: QuotedRow, width: int) -> str:
    tag = "th" if row.head else "td"
    if len(row.cells) == 1:
        span = f' colspan="{width}"' if width > 1 else ""
        return f"<tr><{tag}{span}>{quote_html(row.cells[0])}</{tag}></tr>"
    first, *others = map(quote_html, row.cells)
    short = ' class="short"' if 0 < len(row.cells[0]) <= SHORT_LABEL else ""
    return f"<tr><th{short}>{first}</th>{''.join(f'<{tag}>{cell}</{tag}>' for cell in others)}</tr>"


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
        said = _nearest_passage(cell, cite) if cell.citations else ""
        return f'<td class="none {kind}">{shown}{said}</td>'
    if not cell.citations:
        return f'<td class="none">{escape_html(translate_core(cell.text))}</td>'
    return f"<td>{_statements(cell, cite)}</td>"


def _nearest_passage(cell: Cell, cite: Callable[[int], str]) -> str:
    """What comes nearest to what was not found, folded away."""
    text, marks = quote_html(cell.text.removeprefix(NEAREST)), "".join(map(cite, cell.citations))
    words = translate("answer.cell-nearest")
    return f'<details><summary>{words}</summary><span class="phrase">{text}</span> {marks}</details>'


def _statements(cell: Cell, cite: Callable[[int], str]) -> str:
    """The first statements of a cell on lines of their own, each with its mark, and what tells less folded away."""
    texts = cell.text.split(BETWEEN)
    if len(texts) != len(cell.citations):
        marks = "".join(map(cite, cell.citations))
        return f'<span class="phrase">{quote_html(cell.text)}</span> {marks}'
    lines = [_statement_html(text, number, cite) for text, number in zip(texts, cell.citations, strict=True)]
    lines += [_statement_html(one.text, one.citation, cite, ' class="far"') for one in cell.further]
    shown = len(lines) if len(lines) <= UNFOLDED + 1 else UNFOLDED
    rest = lines[shown:]
    words = translate("answer.cell-further", n=len(rest))
    folded = f'<details class="further"><summary>{words}</summary>{"".join(rest)}</details>' if rest else ""
    return "".join(lines[:shown]) + folded


def _statement_html(text: str, number: int, cite: Callable[[int], str], kind: str = "") -> str:
    return f'<p{kind}><span class="phrase">{quote_html(text)}</span> {cite(number)}</p>'
