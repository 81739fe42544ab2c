"""`build`: the index brought up to date with the folder."""

from __future__ import annotations

from argparse import Namespace

from rag_app.assistant import Assistant
from rag_app.command_library import open_assistant
from rag_app.index import generations
from rag_app.outputs.json import build_json
from rag_app.outputs.terminal import ProgressLine, build_text, print_json


def run_build(options: Namespace) -> int:
    """Build and report. Returns 1 when a paper cannot be searched, and names it."""
    assistant = open_assistant()
    if options.rollback:
        return _rolled_back(assistant, options)
    progress = ProgressLine()
    try:
        report = assistant.build(fresh=options.fresh, on_progress=progress.build)
    finally:
        progress.close()
    if options.json:
        print_json(build_json(report))
    else:
        print(build_text(report))
    return int(bool(report.failed))


def _rolled_back(assistant: Assistant, options: Namespace) -> int:
    name = generations.rollback(assistant.settings.index_folder)
    if options.json:
        print_json({"status": "rolled back", "generation": name})
    else:
        print(f"{name} answers now")
    return 0
