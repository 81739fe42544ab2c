"""The values of a quoted table row that one cell of a comparison asks for, in words. Pure."""

from __future__ import annotations

import re

from rag_app.answering.quoting.ranking import Unit
from rag_app.answering.quoting.table_value import is_blank, weigh_heads
from rag_app.citations.table_cells import find_row_cells
from rag_app.records import PageOf, TableCell
from rag_app.retrieval.question_terms import QuestionTerms

_TABLE = re.compile(r"Tab(?:le|\.)\s*[A-Z]?\.?\d+", re.IGNORECASE)  # two rows of one name stand in two tables
_DIGIT = re.compile(r"\d")
MOST_VALUES = 3  # of one row, where no head is called as what is asked


def describe_row(asked: QuestionTerms, unit: Unit, page_of: PageOf) -> str:
    """A row as "DPR, NQ: 41.5 (Table 4)": the values whose heads hold most of what is asked; of a short row all.

    Empty where the page does not make certain what the values are, and where a long row has no such head: the row is
    then shown as it stands.
    """
    caption, found = _read_row(unit, page_of)
    cells = [cell for cell in found if not is_blank(cell.value)]
    weights = weigh_heads(asked, cells)
    most = max(weights, default=0.0)
    chosen = [cell for cell, weight in zip(cells, weights, strict=True) if weight > most - 1e-9]
    if not chosen or len(chosen) > MOST_VALUES:
        return ""
    told = [cell.value for cell in cells if cell not in chosen and not _DIGIT.search(cell.value)]  # "Single", "DPR"
    text = ", ".join([chosen[0].row, *told[:1], *(f"{cell.column}: {cell.value}" for cell in chosen)])
    table = _TABLE.match(caption)
    return f"{text} ({table[0]})" if table else text


def find_cells_of(unit: Unit, page_of: PageOf) -> tuple[TableCell, ...]:
    """The values of the row with their heads; empty where the page does not make them certain."""
    return _read_row(unit, page_of)[1]


def _read_row(unit: Unit, page_of: PageOf) -> tuple[str, tuple[TableCell, ...]]:
    page, start = page_of(unit.evidence.paper, unit.evidence.page), unit.evidence.start
    return find_row_cells(page, start + unit.start, start + unit.end)
