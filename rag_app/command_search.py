"""`search`: the passages for one question or a batch of them."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence

from rag_app.command_batch import Asked, run_batch
from rag_app.command_library import chosen_papers, ready_assistant
from rag_app.outputs.json import error_json, hits_json
from rag_app.outputs.terminal import hits_text, print_json
from rag_app.records import Hit, Json


def run_search(options: Namespace) -> int:
    """Search and print. Returns 1 when a line of a batch was answered with an error."""
    assistant = ready_assistant()
    papers = chosen_papers(options, assistant)

    def find(question: str) -> Sequence[Hit]:
        return assistant.search(question, top=options.top, papers=papers, years=options.years, section=options.section)

    def find_json(asked: Asked) -> Json:
        began = time.perf_counter()
        hits = find(asked.question)
        return hits_json(asked.question, hits, assistant.title, (time.perf_counter() - began) * 1000, id=asked.id)

    if options.batch is not None:
        return run_batch(options.batch, find_json, _search_error_json)
    if options.json:
        print_json(find_json(Asked("", options.question)))
    else:
        print(hits_text(find(options.question), assistant.title))
    return 0


def _search_error_json(asked: Asked, message: str) -> Json:
    return {"id": asked.id, "question": asked.question, "hits": [], "milliseconds": 0.0, **error_json(message)}
