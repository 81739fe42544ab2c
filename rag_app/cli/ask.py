"""`ask`, `chat` and `search`: one question, a conversation in the terminal, or a batch of questions.

In a batch each line of JSON gives one line of JSON; a bad line fails alone.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from rag_app.answering.whole_papers import NEEDS_MODEL
from rag_app.assistant import Assistant
from rag_app.cli.session import chosen_papers, ready_assistant
from rag_app.errors import ExportError, QuestionError, RagError
from rag_app.outputs.json import answer_json, error_json, hits_json
from rag_app.outputs.save import check_files, save_answers
from rag_app.outputs.terminal import (
    ProgressLine,
    answer_text,
    hits_text,
    papers_text,
    print_json,
    print_note,
    sanitise_text,
)
from rag_app.records import Answer, Event, Hit, Json, Piece, Progress


@dataclass(frozen=True)
class BatchQuestion:
    """One question of a batch. `id` is given back as it came."""

    id: str | int | float
    question: str


def run_batch(file: str, answer: Callable[[BatchQuestion], Json], error: Callable[[BatchQuestion, str], Json]) -> int:
    """Answer every line of the file ("-": standard input). Returns 1 when a line was answered with an error, else 0.

    `error` makes what is printed for a line that cannot be answered. Each value is printed as soon as it is there.
    Raises QuestionError when the file cannot be read.
    """
    failed = 0
    with nullcontext(sys.stdin) if file == "-" else _open(file) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                value = _answer_line(line, number, answer, error)
                failed += value.get("status") == "error"
                print_json(value)
    return 1 if failed else 0


def _answer_line(
    line: str, number: int, answer: Callable[[BatchQuestion], Json], error: Callable[[BatchQuestion, str], Json]
) -> Json:
    asked = BatchQuestion("", "")
    try:
        asked = read_line(line, number)
        return answer(asked)
    except RagError as fault:
        return error(asked, str(fault))
    except Exception as fault:  # the outermost edge of one question: the others still want their answer
        return error(asked, f"{type(fault).__name__}: {fault}. This is a bug in the program.")


def read_line(line: str, number: int) -> BatchQuestion:
    """The question on line `number`. Raises QuestionError that says what is wrong with it."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise QuestionError(f'line {number}: not JSON ({said}). Write {{"id": "1", "question": "…"}}.') from error
    if not isinstance(value, dict) or not isinstance(value.get("question"), str):
        raise QuestionError(f'line {number}: no "question" with a text. Write {{"id": "1", "question": "…"}}.')
    id = value.get("id", "")
    if isinstance(id, bool) or not isinstance(id, str | int | float):
        raise QuestionError(f'line {number}: "id" has to be a text or a number.')
    return BatchQuestion(id, value["question"])


def _open(file: str) -> TextIO:
    try:
        # utf-8-sig: Windows editors put a mark in front. A byte that is no UTF-8 spoils its own line only.
        return Path(file).open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise QuestionError(f"{file}: cannot be opened ({error.strerror}). Correct the path after --batch.") from error


def run_search(options: Namespace) -> int:
    """Search and print. Returns 1 when a line of a batch was answered with an error."""
    assistant = ready_assistant()
    papers = chosen_papers(options, assistant)

    def find(question: str) -> Sequence[Hit]:
        return assistant.search(question, top=options.top, papers=papers, years=options.years, section=options.section)

    def find_json(asked: BatchQuestion) -> Json:
        began = time.perf_counter()
        hits = find(asked.question)
        return hits_json(asked.question, hits, assistant.title, (time.perf_counter() - began) * 1000, id=asked.id)

    if options.batch is not None:
        return run_batch(options.batch, find_json, _search_error_json)
    if options.json:
        print_json(find_json(BatchQuestion("", options.question)))
    else:
        print(hits_text(find(options.question), assistant.title))
    return 0


def _search_error_json(asked: BatchQuestion, message: str) -> Json:
    return {"id": asked.id, "question": asked.question, "hits": [], "milliseconds": 0.0, **error_json(message)}


PROMPT = "\n? "
HELP = """/papers             list the papers
/papers A,B         ask only these, by file name or arXiv id; /papers all: ask all again
/new                start a new conversation
/quit               end (so does the end of the input)"""


@dataclass
class _ChatSession:
    """What a conversation knows."""

    assistant: Assistant
    options: Namespace
    papers: tuple[str, ...]
    history: list[Answer] = field(default_factory=list)


def run_chat(options: Namespace) -> int:
    """Ask until the input ends. Returns 1 when a question was answered with an error and nobody sat in front."""
    assistant = ready_assistant()
    talk = _ChatSession(assistant, options, chosen_papers(options, assistant))
    interactive = sys.stdin.isatty() and not options.json
    if interactive:
        print("Ask about these papers. /help lists the commands.")
    failed = 0
    while (line := _read_input(interactive)) is not None:
        text = line.strip()
        if text.startswith("/"):
            if text.split()[0] in ("/quit", "/exit"):
                break
            _run_command(text, talk)
        elif text:
            failed += _answer_and_print(text, talk)
    return int(bool(failed) and not interactive)


def _read_input(interactive: bool) -> str | None:
    """The next line; None at the end of the input."""
    if not interactive:
        return sys.stdin.readline() or None
    try:
        return input(PROMPT)
    except EOFError:
        print()
        return None


def _answer_and_print(question: str, talk: _ChatSession) -> int:
    """Answer and print. Returns whether it failed."""
    if talk.options.json:
        answer = talk.assistant.ask(question, papers=talk.papers, history=talk.history)
        print_json(answer_json(answer))
    else:
        events = talk.assistant.stream(question, papers=talk.papers, history=talk.history)
        answer = print_answer_stream(events)
    if answer.status != "error":
        talk.history.append(answer)
    return int(answer.status == "error")


def _run_command(text: str, talk: _ChatSession) -> None:
    name, _, rest = text.partition(" ")
    do: dict[str, Callable[[], None]] = {
        "/papers": lambda: _set_papers(rest.strip(), talk),
        "/new": lambda: _start_conversation(talk),
        "/help": lambda: print_note(f"what can be typed:\n{HELP}"),
    }
    do.get(name, lambda: print_note(f"{name}: no such command. What can be typed:\n{HELP}"))()


def _set_papers(names: str, talk: _ChatSession) -> None:
    if not names:
        print(papers_text(talk.assistant.papers()))
        return
    if names == "all":
        talk.papers = ()
        print_note("asking all papers")
        return
    try:
        talk.papers = chosen_papers(Namespace(papers=shlex.split(names)), talk.assistant)
    except (RagError, ValueError) as error:
        print_note(str(error))
    else:
        print_note(f"asking only {', '.join(talk.papers)}")


def _start_conversation(talk: _ChatSession) -> None:
    talk.history.clear()
    print_note("a new conversation")


def run_ask(options: Namespace) -> int:
    """Answer, print and export. Returns 1 when a question was answered with an error."""
    files = check_files(options.export)  # before anything that takes long
    assistant = ready_assistant()
    papers = chosen_papers(options, assistant)
    whole = options.whole_papers or assistant.settings.whole_papers
    if options.dry_run:
        return _dry_run(assistant, options, papers, whole)

    answers: list[Answer] = []

    def ask(asked: BatchQuestion) -> Answer:
        if whole:
            _print_sending_note(assistant, asked.question, options, papers)
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

    def ask_json(asked: BatchQuestion) -> Json:
        return {**answer_json(ask(asked)), "id": asked.id}

    if options.batch is not None:
        code = run_batch(options.batch, ask_json, _error_json)
    elif options.json:
        answer = ask(BatchQuestion("", options.question))
        print_json(answer_json(answer))
        code = int(answer.status == "error")
    else:
        if whole:
            _print_sending_note(assistant, options.question, options, papers)
        events = assistant.stream(
            options.question, papers=papers, years=options.years, section=options.section, whole_papers=whole
        )
        answers = [print_answer_stream(events)]
        code = int(answers[0].status == "error")
    return max(code, _export(assistant, answers, files))


def _export(assistant: Assistant, answers: Sequence[Answer], files: Sequence[Path]) -> int:
    """Write what was answered, each file by itself: the answer took long. Returns 1 when one could not be written."""
    answered = [answer for answer in answers if answer.status != "error"]
    failed = 0
    for file in files if answered else ():
        try:
            save_answers(assistant, answered, file)
            print_note(f"written: {file}")
        except ExportError as error:
            failed = 1
            print_note(f"not written: {file}. {error}")
    return failed


def _dry_run(assistant: Assistant, options: Namespace, papers: tuple[str, ...], whole: bool) -> int:
    """Print what asking would send. Raises QuestionError where that is not what was meant."""
    if not whole or options.batch is not None:
        raise QuestionError("--dry-run shows what one question with --whole-papers would send: give both.")
    plan = assistant.estimate_whole_papers(options.question, papers=papers, years=options.years)
    if options.json:
        print_json({"status": "planned", "sending": {**asdict(plan), "fits": plan.fits} if plan else None})
    else:
        print(f"would send {plan.words}" if plan else NEEDS_MODEL)
    return 0


def _print_sending_note(assistant: Assistant, question: str, options: Namespace, papers: tuple[str, ...]) -> None:
    """A note before anything is sent; what is wrong with the question or the index is said by asking it."""
    with suppress(RagError):
        plan = assistant.estimate_whole_papers(question, papers=papers, years=options.years)
        if plan:
            print_note(f"sending {plan.words}" if plan.fits else plan.words)


def _error_json(asked: BatchQuestion, message: str) -> Json:
    return {**answer_json(Answer("", asked.question, "error", message, "")), "id": asked.id}


def print_answer_stream(events: Iterator[Event]) -> Answer:
    """Print an answer for a person: on a terminal the words as they come, then what backs them. Returns it."""
    progress = ProgressLine()
    live = sys.stdout.isatty()
    came = ""
    try:
        for event in events:
            if isinstance(event, Progress):
                if event.stage == "planning":  # what was understood is read before the answer
                    progress.close()
                    print(f"{sanitise_text(event.message)}\n", flush=True)
                elif not came and live:
                    progress.show(event.message, event.stage)
            elif isinstance(event, Piece):
                if live:
                    progress.close()
                    print(sanitise_text(event.text), end="", flush=True)
                came += event.text
            else:
                progress.close()
                _print_finished(event, came if live else "")
                return event
    finally:
        progress.close()
    raise AssertionError("the stream ended without an answer")


def _print_finished(answer: Answer, came: str) -> None:
    if answer.status == "error":
        print(f"{chr(10) if came else ''}rag-app: {sanitise_text(answer.answer)}", file=sys.stderr)
        return
    if came:
        print("\n")
    # Checking may have changed the words (a mark dropped, a sentence withdrawn): then the checked ones are shown.
    print(answer_text(answer, body=came.strip() != answer.answer.strip()))
