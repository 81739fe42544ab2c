"""`ask`: one question or a batch of them."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rag_app.answering.whole_papers import NEEDS_MODEL
from rag_app.assistant import Assistant
from rag_app.command_batch import Asked, run_batch
from rag_app.command_library import chosen_papers, ready_assistant
from rag_app.errors import ExportError, QuestionError, RagError
from rag_app.outputs.json import answer_json
from rag_app.outputs.save import checked_files, save_answers
from rag_app.outputs.terminal import ProgressLine, answer_text, harmless, note, print_json
from rag_app.records import Answer, Event, Json, Piece, Progress


def run_ask(options: Namespace) -> int:
    """Answer, print and export. Returns 1 when a question was answered with an error."""
    files = checked_files(options.export)  # before anything that takes long
    assistant = ready_assistant()
    papers = chosen_papers(options, assistant)
    whole = options.whole_papers or assistant.settings.whole_papers
    if options.dry_run:
        return _dry_run(assistant, options, papers, whole)

    answers: list[Answer] = []

    def ask(asked: Asked) -> Answer:
        if whole:
            _tell_sending(assistant, asked.question, options, papers)
        answer = assistant.ask(
            asked.question,
            id=str(asked.id),
            papers=papers,
            years=options.years,
            section=options.section,
            whole_papers=whole,
        )
        answers.append(answer)
        return answer

    def ask_json(asked: Asked) -> Json:
        return {**answer_json(ask(asked)), "id": asked.id}

    if options.batch is not None:
        code = run_batch(options.batch, ask_json, _error_json)
    elif options.json:
        answer = ask(Asked("", options.question))
        print_json(answer_json(answer))
        code = int(answer.status == "error")
    else:
        if whole:
            _tell_sending(assistant, options.question, options, papers)
        events = assistant.stream(
            options.question, papers=papers, years=options.years, section=options.section, whole_papers=whole
        )
        answers = [shown(events)]
        code = int(answers[0].status == "error")
    return max(code, _export(assistant, answers, files))


def _export(assistant: Assistant, answers: Sequence[Answer], files: Sequence[Path]) -> int:
    """Write what was answered, each file by itself: the answer took long. Returns 1 when one could not be written."""
    answered = [answer for answer in answers if answer.status != "error"]
    failed = 0
    for file in files if answered else ():
        try:
            save_answers(assistant, answered, file)
            note(f"written: {file}")
        except ExportError as error:
            failed = 1
            note(f"not written: {file}. {error}")
    return failed


def _dry_run(assistant: Assistant, options: Namespace, papers: tuple[str, ...], whole: bool) -> int:
    """Print what asking would send. Raises QuestionError where that is not what was meant."""
    if not whole or options.batch is not None:
        raise QuestionError("--dry-run says what one question to --whole-papers would send: give it both.")
    plan = assistant.sending(options.question, papers=papers, years=options.years)
    if options.json:
        print_json({"status": "planned", "sending": {**asdict(plan), "fits": plan.fits} if plan else None})
    else:
        print(f"would send {plan.words}" if plan else NEEDS_MODEL)
    return 0


def _tell_sending(assistant: Assistant, question: str, options: Namespace, papers: tuple[str, ...]) -> None:
    """A note before anything is sent; what is wrong with the question or the index is said by asking it."""
    with suppress(RagError):
        plan = assistant.sending(question, papers=papers, years=options.years)
        if plan:
            note(f"sending {plan.words}" if plan.fits else plan.words)


def _error_json(asked: Asked, message: str) -> Json:
    return {**answer_json(Answer("", asked.question, "error", message, "")), "id": asked.id}


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
