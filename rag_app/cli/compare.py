"""`compare`: papers side by side in a table, printed or as CSV, Markdown or LaTeX."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from rag_app.assistant import Assistant
from rag_app.cli.session import chosen_papers, ready_assistant
from rag_app.errors import QuestionError
from rag_app.outputs.json import answer_json
from rag_app.outputs.markdown import export_markdown
from rag_app.outputs.save import collect_export
from rag_app.outputs.table_growth import parse_saved_comparison, with_columns, with_rows
from rag_app.outputs.tables import as_csv, as_latex
from rag_app.outputs.terminal import answer_text, print_json, print_note, sanitise_text
from rag_app.records import Answer


def run(options: Namespace) -> int:
    """Compare and print. Returns 1 when there is no table to print."""
    assistant = ready_assistant()
    answer = _extend_comparison(options, assistant) if options.onto else _make_comparison(options, assistant)
    if options.json:
        print_json(answer_json(answer))
        return int(answer.status == "error")
    if answer.status == "error":
        print(f"rag-app: {sanitise_text(answer.answer)}", file=sys.stderr)
        return 1
    if not options.form:
        print(answer_text(answer))
        return 0
    if answer.table is None:
        print_note(answer.answer)
        return 1
    print(sanitise_text(FORMS[options.form](assistant, answer)), end="")
    return 0


def _make_comparison(options: Namespace, assistant: Assistant) -> Answer:
    return assistant.compare(options.question, papers=chosen_papers(options, assistant), aspects=options.aspects)


def _extend_comparison(options: Namespace, assistant: Assistant) -> Answer:
    """A saved table with the columns of --aspects or the rows of --papers beside its own; only they are searched."""
    try:
        saved = parse_saved_comparison(json.loads(Path(options.onto).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise QuestionError(f"{options.onto}: cannot be read as a saved table ({error}).") from error
    papers = chosen_papers(options, assistant)
    if bool(papers) == bool(options.aspects):
        raise QuestionError("--onto adds columns (--aspects) or rows (--papers) to a table: give one of them.")
    assert saved.table is not None
    rows = papers or tuple(row.paper for row in saved.table.rows)
    aspects = options.aspects or ";".join(saved.table.aspects)
    fresh = assistant.compare(saved.question, papers=rows, aspects=aspects)
    if fresh.table is None:
        return fresh
    return with_rows(saved, fresh) if papers else with_columns(saved, fresh)


def as_markdown(assistant: Assistant, answer: Answer) -> str:
    """The answer with its sources as footnotes."""
    return export_markdown(collect_export(assistant, [answer]))


FORMS: dict[str, Callable[[Assistant, Answer], str]] = {
    "csv": lambda assistant, answer: as_csv(answer),
    "markdown": as_markdown,
    "latex": lambda assistant, answer: as_latex(answer),
}
