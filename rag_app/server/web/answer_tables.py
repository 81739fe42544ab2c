"""Tables of an answer as HTML: rows quoted from one table of a paper as one block, and comparisons of papers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import lru_cache

from rag_app.answering.tables.comparison import NEAREST, find_clip
from rag_app.outputs.quoted_tables import Line, QuotedRow, arrange_rows
from rag_app.records import BETWEEN, Cell, Table
from rag_app.retrieval.facets import facets_of
from rag_app.retrieval.question_terms import extract_question_terms
from rag_app.server.i18n import translate, translate_core
from rag_app.server.web.markdown import escape_html, quote_html
from rag_app.server.web.sources import CitedPlace
from rag_app.text.terms import content_words

UNFOLDED = 2  # statements of a cell that are read at once
AT_A_GLANCE = (84, 54)  # characters that are seen of a cell's first statement, and of each further one
MOST_KEPT = 2000  # statements whose cut is remembered: a table is drawn anew for each cell that comes
# What turns the words behind it round: without it they would say what the paper does not.
_TURNS = re.compile(
    r"\b(?:not|no|never|neither|nor|none|cannot|without|hardly|fail(?:s|ed)? to|except\w*|unlike|instead|rather)\b"
    r"|\b\w+n['’]t\b",
    re.IGNORECASE,
)
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
        f'<tr><th scope="row">{escape_html(row.name)}</th>'
        + "".join(_cell_html(cell, cite, aspect) for cell, aspect in zip(row.cells, table.aspects, strict=True))
        + "</tr>"
        for row in table.rows
    )
    columns = f"of-{len(table.aspects)}"
    return (
        f'<div class="table compared {columns}" tabindex="0" role="region" '
        f'aria-label="{translate("answer.comparison")}"><table>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell_html(cell: Cell, cite: Callable[[int], str], aspect: str) -> str:
    """What the paper says, with its marks; where it says nothing, why there is nothing."""
    if cell.state in _STATES:
        kind, words, hint = _STATES[cell.state]
        shown = f'<span class="cell-state" title="{translate(hint)}">{translate(words)}</span>'
        said = _nearest_passage(cell, cite) if cell.citations else ""
        return f'<td class="none {kind}">{shown}{said}</td>'
    if not cell.citations:
        return f'<td class="none">{escape_html(translate_core(cell.text))}</td>'
    return f"<td>{_statements(cell, cite, aspect)}</td>"


def _nearest_passage(cell: Cell, cite: Callable[[int], str]) -> str:
    """What comes nearest to what was not found, folded away."""
    text, marks = quote_html(cell.text.removeprefix(NEAREST)), "".join(map(cite, cell.citations))
    words = translate("answer.cell-nearest")
    return f'<details><summary>{words}</summary><span class="phrase">{text}</span> {marks}</details>'


def _statements(cell: Cell, cite: Callable[[int], str], aspect: str) -> str:
    """The first statements of a cell on lines of their own, each with its mark, and what tells less folded away."""
    texts = cell.text.split(BETWEEN)
    if len(texts) != len(cell.citations):
        marks = "".join(map(cite, cell.citations))
        return f'<span class="phrase">{_glance_html(cell.text, aspect, sum(AT_A_GLANCE))}</span> {marks}'
    own = zip(texts, cell.citations, strict=True)
    told = [(text, number, "") for text, number in own] + [(one.text, one.citation, "far") for one in cell.further]
    lines: list[str] = []
    for text, number, kind in told:
        words = _glance_html(text, aspect, AT_A_GLANCE[bool(lines)])
        kind = f' class="{kind}"' if kind else ""
        lines.append(f'<p{kind}><span class="phrase">{words}</span> {cite(number)}</p>')
    shown = len(lines) if len(lines) <= UNFOLDED + 1 else UNFOLDED
    rest = lines[shown:]
    words = translate("answer.cell-further", n=len(rest))
    folded = f'<details class="further"><summary>{words}</summary>{"".join(rest)}</details>' if rest else ""
    return "".join(lines[:shown]) + folded


def _glance_html(text: str, aspect: str, longest: int) -> str:
    """All of the text; what is not seen before the pointer or a press asks for it is marked as cut.

    What stays is how it begins, so that a value keeps its owner, and the run that tells most of the aspect.
    """
    head, start, end = _find_glance(text, aspect, longest)
    begins = f'<span class="begins">{quote_html(text[:head])}</span>' if head else ""
    cut = f'<span class="cut">{quote_html(text[head:start])}</span>' if start else ""
    rest = f'<span class="cut rest">{quote_html(text[end:])}</span>' if end < len(text) else ""
    return f"{begins}{cut}{quote_html(text[start:end])}{rest}"


@lru_cache(maxsize=MOST_KEPT)
def _find_glance(text: str, aspect: str, longest: int) -> tuple[int, int, int]:
    asked = extract_question_terms(aspect, content_words, None, ())
    head, start, end = find_clip(text, asked, longest, facets_of(aspect))
    turn = _TURNS.search(text, head, start) if start else None
    return (head, turn.start(), end) if turn else (head, start, end)
