"""`chat`: one question after another in the terminal; a follow-up is understood from what was said before."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field

from rag_app.assistant import Assistant
from rag_app.command_ask import shown
from rag_app.command_library import chosen_papers, ready_assistant
from rag_app.errors import RagError
from rag_app.outputs.json import answer_json
from rag_app.outputs.terminal import note, papers_text, print_json
from rag_app.records import Answer

PROMPT = "\n? "
HELP = """/papers             list the papers
/papers A,B         ask only these, by file name or arXiv id; /papers all: ask all again
/new                forget what was said
/quit               end (so does the end of the input)"""


@dataclass
class _Talk:
    """What a conversation knows."""

    assistant: Assistant
    options: Namespace
    papers: tuple[str, ...]
    history: list[Answer] = field(default_factory=list)


def run_chat(options: Namespace) -> int:
    """Ask until the input ends. Returns 1 when a question was answered with an error and nobody sat in front."""
    assistant = ready_assistant()
    talk = _Talk(assistant, options, chosen_papers(options, assistant))
    interactive = sys.stdin.isatty() and not options.json
    if interactive:
        print("Ask about these papers. /help shows what else can be typed.")
    failed = 0
    while (line := _line(interactive)) is not None:
        text = line.strip()
        if text.startswith("/"):
            if text.split()[0] in ("/quit", "/exit"):
                break
            _command(text, talk)
        elif text:
            failed += _asked(text, talk)
    return int(bool(failed) and not interactive)


def _line(interactive: bool) -> str | None:
    """The next line; None at the end of the input."""
    if not interactive:
        return sys.stdin.readline() or None
    try:
        return input(PROMPT)
    except EOFError:
        print()
        return None


def _asked(question: str, talk: _Talk) -> int:
    """Answer and print. Returns whether it failed."""
    if talk.options.json:
        answer = talk.assistant.ask(question, papers=talk.papers, history=talk.history)
        print_json(answer_json(answer))
    else:
        events = talk.assistant.stream(question, papers=talk.papers, history=talk.history)
        answer = shown(events)
    if answer.status != "error":
        talk.history.append(answer)
    return int(answer.status == "error")


def _command(text: str, talk: _Talk) -> None:
    name, _, rest = text.partition(" ")
    do: dict[str, Callable[[], None]] = {
        "/papers": lambda: _papers(rest.strip(), talk),
        "/new": lambda: _new(talk),
        "/help": lambda: note(f"what can be typed:\n{HELP}"),
    }
    do.get(name, lambda: note(f"{name}: no such command. What can be typed:\n{HELP}"))()


def _papers(names: str, talk: _Talk) -> None:
    if not names:
        print(papers_text(talk.assistant.papers()))
        return
    if names == "all":
        talk.papers = ()
        note("asking all papers")
        return
    try:
        talk.papers = chosen_papers(Namespace(papers=shlex.split(names)), talk.assistant)
    except (RagError, ValueError) as error:
        note(str(error))
    else:
        note(f"asking only {', '.join(talk.papers)}")


def _new(talk: _Talk) -> None:
    talk.history.clear()
    note("a new conversation")
