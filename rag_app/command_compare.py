"""`compare`: papers set side by side, for reading or to be taken away as CSV, Markdown or LaTeX."""

from __future__ import annotations

import csv
import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from rag_app.assistant import Assistant
from rag_app.command_library import chosen_papers, ready_assistant
from rag_app.command_terminal import answer_text, harmless, note, print_json
from rag_app.errors import QuestionError
from rag_app.formats import answer_json
from rag_app.quoted_units import plain
from rag_app.records import Answer, Cell, Citation, Table
from rag_app.table_growth import answer_of, with_columns, with_rows

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def run(options: Namespace) -> int:
    """Compare and print. Returns 1 when there is no table to print."""
    assistant = ready_assistant()
    answer = _grown(options, assistant) if options.onto else _made(options, assistant)
    if options.json:
        print_json(answer_json(answer))
        return int(answer.status == "error")
    if answer.status == "error":
        print(f"rag-app: {harmless(answer.answer)}", file=sys.stderr)
        return 1
    if not options.form:
        print(answer_text(answer))
        return 0
    if answer.table is None:
        note(answer.answer)
        return 1
    print(harmless(FORMS[options.form](answer)), end="")
    return 0


def _made(options: Namespace, assistant: Assistant) -> Answer:
    return assistant.compare(options.question, papers=chosen_papers(options, assistant), aspects=options.aspects)


def _grown(options: Namespace, assistant: Assistant) -> Answer:
    """A saved table with the columns of --aspects or the rows of --papers beside its own; only they are searched."""
    try:
        saved = answer_of(json.loads(Path(options.onto).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise QuestionError(f"{options.onto}: cannot be read as a saved table ({error}).") from error
    papers = chosen_papers(options, assistant)
    if bool(papers) == bool(options.aspects):
        raise QuestionError("--onto grows a table by columns (--aspects) or by rows (--papers): give one of them.")
    assert saved.table is not None
    rows = papers or tuple(row.paper for row in saved.table.rows)
    aspects = options.aspects or ";".join(saved.table.aspects)
    fresh = assistant.compare(saved.question, papers=rows, aspects=aspects)
    if fresh.table is None:
        return fresh
    return with_rows(saved, fresh) if papers else with_columns(saved, fresh)


def as_csv(answer: Answer) -> str:
    """The table with a line per paper: its file, its name, and its cells with the pages they are from."""
    table = _table(answer)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_unrun(field) for field in ("paper", "name", *table.aspects)])
    for row in table.rows:
        cells = [f"{cell.text}{_pages(cell, answer)}" for cell in row.cells]
        writer.writerow([_unrun(field) for field in (row.paper, row.name, *cells)])
    return text.getvalue()


def as_markdown(answer: Answer) -> str:
    """The answer's text with its sources as footnotes."""
    notes = [f"{c.number}. {_source(c)}: “{plain(c.quote)}”" for c in answer.citations]
    return "\n\n".join([answer.answer, "\n".join(" ".join(line.split()) for line in notes)]) + "\n"


def as_latex(answer: Answer) -> str:
    """A tabular of the standard classes, for a text width; each cell names its pages."""
    table = _table(answer)
    columns = "l" + f"p{{{0.85 / max(1, len(table.aspects)):.2f}\\linewidth}}" * len(table.aspects)
    lines = [("", *table.aspects)]
    lines += [(row.name, *(f"{cell.text}{_pages(cell, answer)}" for cell in row.cells)) for row in table.rows]
    head, *body = (" & ".join(map(latex, line)) + r" \\" for line in lines)
    begin, rule = rf"\begin{{tabular}}{{{columns}}}", r"\hline"
    return "\n".join([begin, rule, head, rule, *body, rule, r"\end{tabular}", ""])


FORMS: dict[str, Callable[[Answer], str]] = {"csv": as_csv, "markdown": as_markdown, "latex": as_latex}


def latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def _table(answer: Answer) -> Table:
    assert answer.table is not None
    return answer.table


def _pages(cell: Cell, answer: Answer) -> str:
    pages = sorted({c.page for c in answer.citations if c.number in cell.citations})
    return f" (p. {', '.join(map(str, pages))})" if pages else ""


def _source(citation: Citation) -> str:
    return f"{citation.title} ({citation.paper}), page {citation.page}"


def _unrun(field: str) -> str:
    """A field that no spreadsheet takes for a formula."""
    return f"'{field}" if field[:1] in ("=", "+", "-", "@", "\t") else field
