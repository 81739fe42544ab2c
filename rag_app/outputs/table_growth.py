"""Adds columns or rows to the table of a saved answer.

Pure. Only what is new has to be searched for; the rest stays as it was, its citations included.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from rag_app.answering.tables.comparison import table_to_markdown
from rag_app.errors import QuestionError
from rag_app.outputs.json import parse_answer
from rag_app.records import Answer, AnswerPlan, Cell, Table

_SHOWN = re.compile(r"\[(\d+)\]")


def with_columns(answer: Answer, more: Answer) -> Answer:
    """The answer with the columns of another one about the same papers. Raises QuestionError where they differ."""
    one, other = _table(answer), _table(more)
    papers = [row.paper for row in one.rows]
    if papers != [row.paper for row in other.rows]:
        raise QuestionError("The new columns are about other papers than the table. Give the table's own papers.")
    shift = len(answer.citations)
    rows = tuple(
        replace(row, cells=(*row.cells, *(_shift_citations(cell, shift) for cell in fresh.cells)))
        for row, fresh in zip(one.rows, other.rows, strict=True)
    )
    return _extend_answer(answer, more, Table((*one.aspects, *other.aspects), rows))


def with_rows(answer: Answer, more: Answer) -> Answer:
    """The answer with the rows of another one on the same aspects. Raises QuestionError where they differ."""
    one, other = _table(answer), _table(more)
    if len(one.aspects) != len(other.aspects):
        raise QuestionError("The new rows are on other aspects than the table. Give the table's own aspects.")
    there = {row.paper for row in one.rows}
    if any(row.paper in there for row in other.rows):
        raise QuestionError("The table already has that paper. Name one that it lacks.")
    shift = len(answer.citations)
    rows = tuple(replace(row, cells=tuple(_shift_citations(cell, shift) for cell in row.cells)) for row in other.rows)
    return _extend_answer(answer, more, Table(one.aspects, (*one.rows, *rows)))


def _extend_answer(answer: Answer, more: Answer, table: Table) -> Answer:
    shift = len(answer.citations)
    citations = (*answer.citations, *(replace(one, number=one.number + shift) for one in more.citations))
    below = [
        answer.answer.partition("\n\n")[2],
        _SHOWN.sub(lambda mark: f"[{int(mark[1]) + shift}]", _text_below(more)),
    ]
    papers = tuple(row.paper for row in table.rows)
    names = tuple(row.name for row in table.rows)
    return replace(
        answer,
        answer="\n\n".join([table_to_markdown(table), *(text for text in below if text)]),
        citations=citations,
        table=table,
        plan=AnswerPlan("comparison", papers, names, table.aspects, len(papers)),
        notes=tuple(dict.fromkeys([*answer.notes, *more.notes])),
        searched=replace(
            answer.searched,
            read=max(answer.searched.read, more.searched.read, len(papers)),
            quoted=len({citation.paper for citation in citations}),
        ),
        milliseconds=more.milliseconds,
    )


def _text_below(answer: Answer) -> str:
    return answer.answer.partition("\n\n")[2]


def _shift_citations(cell: Cell, shift: int) -> Cell:
    return cell.renumber(lambda number: number + shift)


def _table(answer: Answer) -> Table:
    if answer.table is None:
        raise QuestionError("There is no table in that answer. Make one first: compare … --json")
    return answer.table


def parse_saved_comparison(value: Any) -> Answer:
    """An Answer from its JSON, as `compare --json` has printed it. Raises QuestionError for anything else."""
    try:
        answer = parse_answer(value)
        return replace(answer, table=_table(answer))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise QuestionError("That is not a saved comparison. Save one first: compare … --json > table.json") from error
