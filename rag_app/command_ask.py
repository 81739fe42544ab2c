"""`ask`: one question or a batch of them."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator

from rag_app.assistant import Assistant
from rag_app.command_batch import Asked, run_batch
from rag_app.command_library import chosen_papers, ready_assistant
from rag_app.command_terminal import ProgressLine, answer_text, harmless, print_json
from rag_app.formats import Json, answer_json
from rag_app.records import Answer, Event, Piece, Progress


def run(options: Namespace) -> int:
    """Answer and print. Returns 1 when a question was answered with an error."""
    assistant = ready_assistant()
    papers = chosen_papers(options, assistant)

    def ask(asked: Asked) -> Answer:
        return assistant.ask(
            asked.question, id=str(asked.id), papers=papers, years=options.years, section=options.section
        )

    def ask_json(asked: Asked) -> Json:
        return {**answer_json(ask(asked)), "id": asked.id}

    if options.batch is not None:
        return run_batch(options.batch, ask_json, _error_json)
    if options.json:
        answer = ask(Asked("", options.question))
        print_json(answer_json(answer))
        return int(answer.status == "error")
    return _shown(assistant, options, papers)


def _error_json(asked: Asked, message: str) -> Json:
    return {**answer_json(Answer("", asked.question, "error", message, "")), "id": asked.id}


def _shown(assistant: Assistant, options: Namespace, papers: tuple[str, ...]) -> int:
    """Print for a person."""
    events = assistant.stream(options.question, papers=papers, years=options.years, section=options.section)
    return int(shown(events).status == "error")


def shown(events: Iterator[Event]) -> Answer:
    """Print an answer for a person: on a terminal the words as they come, then what backs them. Returns it."""
    progress = ProgressLine()
    live = sys.stdout.isatty()
    came = ""
    try:
        for event in events:
            if isinstance(event, Progress):
                if event.stage == "planning":  # what was understood is read before the answer
                    progress.close()
                    print(f"{harmless(event.message)}\n", flush=True)
                elif not came and live:
                    progress.show(event.message, event.stage)
            elif isinstance(event, Piece):
                if live:
                    progress.close()
                    print(harmless(event.text), end="", flush=True)
                came += event.text
            else:
                progress.close()
                _finished(event, came if live else "")
                return event
    finally:
        progress.close()
    raise AssertionError("the stream ended without an answer")


def _finished(answer: Answer, came: str) -> None:
    if answer.status == "error":
        print(f"{chr(10) if came else ''}rag-app: {harmless(answer.answer)}", file=sys.stderr)
        return
    if came:
        print("\n")
    # Checking may have changed the words (a mark dropped, a sentence withdrawn): then the checked ones are shown.
    print(answer_text(answer, body=came.strip() != answer.answer.strip()))
