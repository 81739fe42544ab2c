"""Measure what the cells of comparisons show first: python -m benchmarks.questions.cells INDEX PAPERS [FILE]

FILE (judged_cells.jsonl) says which candidate sentences and rows answer each cell best, and which in part.
PAPERS with INDEX hold the cells' papers; cells of other papers are passed over.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.questions.measure import read_rows
from rag_app.assistant import Assistant
from rag_app.records import Answer, Citation
from rag_app.settings import load_settings

PLACES = (1, 2, 3)


def list_quotes(answer: Answer, paper: str, column: str) -> list[Citation]:
    """The quotes of one cell in their order; of the only column where the question's wording gives it another label."""
    if answer.table is None:
        return []
    row = next((one for one in answer.table.rows if one.paper == paper), None)
    columns = answer.table.aspects
    if row is None or (column not in columns and len(columns) > 1):
        return []
    cell = row.cells[columns.index(column) if column in columns else 0]
    numbers = cell.citations
    by_number = {citation.number: citation for citation in answer.citations}
    return [by_number[number] for number in dict.fromkeys(numbers)]


def find_place(quotes: Sequence[Citation], wanted: Sequence[dict[str, Any]]) -> int | None:
    """The place, from 1, of the first quote that holds one of the wanted texts or stands in it."""
    texts = [" ".join(one["text"].split()) for one in wanted]
    for place, citation in enumerate(quotes, start=1):
        quote = " ".join(citation.quote.split())
        if any(text in quote or quote in text for text in texts):
            return place
    return None


def main(arguments: Sequence[str]) -> int:
    """Ask each question once, and print how often a cell begins with what was judged best."""
    parser = argparse.ArgumentParser(prog="benchmarks.questions.cells", description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("papers", type=Path)
    parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_name("judged_cells.jsonl"))
    options = parser.parse_args(arguments)
    assistant = Assistant(load_settings(corpus=options.papers, index=options.index, llm="none"))
    judged = [one for one in read_rows(options.file) if (options.papers / one["paper"]).is_file() and one["best"]]
    answers = {question: assistant.ask(question) for question in dict.fromkeys(one["question"] for one in judged)}
    best, part = [], []
    for one in judged:
        quotes = list_quotes(answers[one["question"]], one["paper"], one["column"])
        best.append(find_place(quotes, one["best"]))
        part.append(find_place(quotes, [*one["best"], *one["good"]]))
    print(
        f"{len(judged)} cells of {len(answers)} questions; tables: {sum(a.table is not None for a in answers.values())}"
    )
    for name, places in (("answers it best", best), ("at least in part", part)):
        shares = (sum(place is not None and place <= most for place in places) / len(places) for most in PLACES)
        print(f"  {name:18} among the first {', '.join(map(str, PLACES))}: {', '.join(f'{one:.3f}' for one in shares)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
