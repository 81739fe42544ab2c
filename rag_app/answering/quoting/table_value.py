"""The one value of a quoted table that a question asks for, by the row's label and the column's head. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.answering.quoting.ranking import Unit, fold_words, is_same_size
from rag_app.citations.table_cells import find_row_cells
from rag_app.records import PageOf, TableCell
from rag_app.retrieval.question_terms import QuestionTerms

LEAST = 0.4  # of the weight of what is asked, that label, head and caption hold together
_SAYING = ("Sm", "So")  # kinds of signs that are a value ("✓", "×")
_STEM = 6  # letters by which a word of a table and a term of a question are one


@dataclass(frozen=True)
class TableValue:
    """A value, and the row in which it stands."""

    unit: Unit
    cell: TableCell

    @property
    def words(self) -> str:
        """As a line of an answer: "LLaMA-65B · Carbon emitted (tCO2eq): 173"."""
        return f"{self.cell.row} · {self.cell.column}: {self.cell.value}"


def find_table_value(asked: QuestionTerms, rows: Sequence[Unit], page_of: PageOf) -> TableValue | None:
    """The value of one of `rows`, which stand in one table, that is asked for.

    Only where one label and one head hold more of the question's words than all others do, and with the caption enough
    of the question; else None.
    """
    found: list[tuple[Unit, str, tuple[TableCell, ...]]] = []
    for unit in rows:
        page, start = page_of(unit.evidence.paper, unit.evidence.page), unit.evidence.start
        caption, cells = find_row_cells(page, start + unit.start, start + unit.end)
        if cells:
            found.append((unit, caption, cells))
    row = _find_most([_weigh_shared(asked, cells[0].row) for _, _, cells in found])
    if row is None:
        return None
    unit, caption, cells = found[row]
    column = _find_most(weigh_heads(asked, cells))
    if column is None:
        return None
    told = _terms_of(asked, " ".join([cells[column].row, cells[column].column, caption]))
    enough = sum(asked.weights[term] for term in told) >= LEAST * asked.total
    return TableValue(unit, cells[column]) if enough and not is_blank(cells[column].value) else None


def weigh_heads(asked: QuestionTerms, cells: Sequence[TableCell]) -> list[float]:
    """How much of what is asked the head over each cell of one row holds, beside what the row's label holds."""
    label = _terms_of(asked, cells[0].row) if cells else frozenset()
    return [_weigh_shared(asked, cell.column, label) for cell in cells]


def is_blank(value: str) -> bool:
    """Whether a value of a table says nothing: empty, or dashes and points alone."""
    return not any(letter.isalnum() or unicodedata.category(letter) in _SAYING for letter in value)


def _find_most(weights: Sequence[float]) -> int | None:
    """Where the greatest weight stands; None where it is nothing, and where two weigh as much."""
    most = max(weights, default=0.0)
    return weights.index(most) if most > 0 and sum(weight > most - 1e-9 for weight in weights) == 1 else None


def _weigh_shared(asked: QuestionTerms, text: str, but: frozenset[str] = frozenset()) -> float:
    """The weight of the question's terms that a label or a head holds, less a little for each other word of it."""
    terms = _terms_of(asked, text) - but
    others = max(0, len(fold_words(text)) - len(terms))
    return sum(asked.weights[term] for term in terms) * 0.98**others


def _terms_of(asked: QuestionTerms, text: str) -> frozenset[str]:
    words = fold_words(text)
    return frozenset(
        term
        for term in asked.weights
        if not term.isdigit() and any(word.startswith(term[:_STEM]) or is_same_size(term, word) for word in words)
    )
