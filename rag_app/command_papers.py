"""`papers`: what the library holds, and what is wrong with the rest."""

from __future__ import annotations

from argparse import Namespace

from rag_app.command_library import open_assistant
from rag_app.outputs.json import papers_json
from rag_app.outputs.terminal import papers_text, print_json


def run_papers(options: Namespace) -> int:
    """Print every paper. Before the first build: what lies in the folder."""
    rows = open_assistant().papers()
    if options.json:
        print_json(papers_json(rows))
    else:
        print(papers_text(rows))
    return 0
