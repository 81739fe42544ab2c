"""What the commands that need papers have in common: the assistant, an index to ask, and the papers that are meant."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from difflib import get_close_matches

from rag_app.assistant import Assistant
from rag_app.errors import QuestionError
from rag_app.index import generations
from rag_app.outputs.terminal import ProgressLine, print_note
from rag_app.records import PaperRow
from rag_app.settings import load_settings


def open_assistant(**overrides: object) -> Assistant:
    """The assistant that the settings describe; nothing is loaded yet. Raises SettingsError."""
    return Assistant(load_settings(**overrides))


def ready_assistant() -> Assistant:
    """An assistant with an index to ask: built first where there is none, with a note where the folder has changed."""
    assistant = open_assistant()
    if not generations.current_name(assistant.settings.index_folder):
        _build_first(assistant)
    elif assistant.is_stale():
        print_note(
            "the folder has changed since the index was built. Bring it up to date with: python -m rag_app build"
        )
    return assistant


def _build_first(assistant: Assistant) -> None:
    print_note("there is no index of this folder yet; building it first")
    progress = ProgressLine()
    try:
        report = assistant.build(on_progress=progress.build)
    finally:
        progress.close()
    if report.failed:
        print_note(
            f"not searchable: {', '.join(paper.paper for paper in report.failed)}. See: python -m rag_app papers"
        )


def chosen_papers(options: Namespace, assistant: Assistant) -> tuple[str, ...]:
    """The papers that --papers names, by file name, file name without suffix, or arXiv id. Raises QuestionError."""
    if not options.papers:
        return ()
    rows = assistant.papers()
    names: list[str] = []
    for given in options.papers:
        # A file's name may hold a comma, so the whole is tried before its parts.
        parts = [given] if _match_papers(given, rows) else [part.strip() for part in given.split(",") if part.strip()]
        for part in parts:
            found = _match_papers(part, rows)
            if not found:
                raise QuestionError(_unknown_paper_message(part, rows))
            names += found
    return tuple(dict.fromkeys(names))


def _match_papers(given: str, rows: Sequence[PaperRow]) -> list[str]:
    wanted = given.casefold()
    exact = [row.paper for row in rows if wanted in (row.paper.casefold(), _stem(row.paper))]
    # An arXiv id without its version.
    return exact or [row.paper for row in rows if _stem(row.paper).rpartition("v")[0] == wanted]


def _stem(paper: str) -> str:
    name = paper.casefold().rpartition("/")[2]
    return name.rpartition(".")[0] or name


def _unknown_paper_message(part: str, rows: Sequence[PaperRow]) -> str:
    close = get_close_matches(part, [row.paper for row in rows], n=3, cutoff=0.5)
    hint = f"Do you mean {' or '.join(close)}?" if close else "See: python -m rag_app papers"
    return f"--papers {part}: no such paper in the index. {hint}"
