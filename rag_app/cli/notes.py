"""`notes`: a Markdown note for each paper, for Obsidian, with the quotes of kept conversations."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from rag_app.cli.session import ready_assistant
from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.outputs.obsidian import write_notes
from rag_app.outputs.terminal import pluralise, print_json, print_note
from rag_app.server.api.links import base_of, place_url


def run(options: Namespace) -> int:
    """Write the notes. Returns 1 when one had to be left alone."""
    assistant = ready_assistant()
    history = History(history_file(assistant.settings.index_folder, options.user))
    conversations = [history.load(saved.id) for saved in reversed(history.list_conversations())]
    base = options.page or base_of(assistant.settings)
    rows = assistant.papers()
    report = write_notes(
        Path(options.folder).expanduser(),
        rows,
        assistant.sources(row.paper for row in rows),
        [turn.answer for turns in conversations for turn in turns],
        lambda paper, page, words: place_url(base, paper, page, words),
    )
    for problem in report.problems:
        print_note(problem)
    if options.json:
        written = [path.name for path in report.written]
        print_json({"written": written, "unchanged": report.unchanged, "problems": list(report.problems)})
    else:
        print(f"{pluralise(len(report.written), 'note')} written, {report.unchanged} unchanged, in {options.folder}")
    return int(bool(report.problems))
