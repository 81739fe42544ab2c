"""The words of an answer's first line that answer a question of its kind: its amounts, or its names. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rag_app.records import TableCell
from rag_app.retrieval.question_terms import find_answer_kinds
from rag_app.text.terms import find_names, find_numbers, squash

MOST = 4  # a sentence with more amounts or names does not say which of them answers


def find_key_words(question: str, line: str, cells: Sequence[TableCell] = ()) -> list[str]:
    """The pieces of a line that answer the question, as they stand there; empty where that is not clear.

    Of a line that tells one of the `cells` of its row, that cell's value. Else, where an amount is asked for, the
    amounts that the question does not hold already; where a name is, the names.
    """
    value = next((cell.value for cell in cells if line.endswith(f"{cell.column}: {cell.value}")), "")
    if value:
        return [value]
    kinds = find_answer_kinds(question)
    if "number" in kinds:
        known = {value for number in find_numbers(question) for value in number.values}
        found = [number.written for number in find_numbers(line) if not number.values & known]
    elif "name" in kinds:
        asked = squash(question)
        found = [name for name in find_names(line) if squash(name) not in asked]
    else:
        return []
    pieces = list(dict.fromkeys(found))
    return pieces if len(pieces) <= MOST else []
