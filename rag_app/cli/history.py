"""`history`: the conversations that the page keeps: list, print, export."""

from __future__ import annotations

import time
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from rag_app.cli.session import ready_assistant
from rag_app.errors import HistoryFault
from rag_app.outputs.history import History, SavedConversation, SavedTurn
from rag_app.outputs.history_file import all_history_files
from rag_app.outputs.json import answer_json
from rag_app.outputs.save import check_files, save_answers
from rag_app.outputs.terminal import answer_text, pluralise, print_json, print_note, sanitise_text
from rag_app.settings import Settings, load_settings
from rag_app.text.escaping import escape_controls


def run(options: Namespace) -> int:
    """List the conversations, or print one of them and write it to the files that are named."""
    files = check_files(options.export)
    settings = load_settings()
    history = _history(settings, options.user)
    listed = history.search(options.find)
    if not options.which:
        if files:
            raise HistoryFault("--export: say which conversation, by its number in the list. 1 is the newest.")
        _print_list(listed, options.json)
        return 0
    saved = _which(options.which, listed)
    turns = history.load(saved.id)
    if options.json:
        print_json({"status": "good", "conversation": asdict(saved), "turns": [_turn_json(turn) for turn in turns]})
    elif not files:
        print("\n\n".join(_turn_text(turn) for turn in turns))
    if files:
        answers = [turn.answer for turn in turns if turn.answer.status != "error"]
        for file in save_answers(ready_assistant(), answers, *files):
            print_note(f"written: {file} ({pluralise(len(answers), 'answer')})")
    return 0


def _history(settings: Settings, user: str) -> History:
    files: dict[str, Path] = all_history_files(settings.index_folder)
    if user not in files:
        whose = f"of {user} " if user else ""
        known = ", ".join(name for name in files if name)
        others = f" There are conversations of: {known} (--user)." if known else ""
        raise HistoryFault(
            f"No conversation {whose}about these papers has been kept yet. The page keeps them: serve.{others}"
        )
    return History(files[user])


def _which(given: str, listed: list[SavedConversation]) -> SavedConversation:
    if given.isascii() and given.isdigit() and 1 <= int(given) <= len(listed):
        return listed[int(given) - 1]
    found = [saved for saved in listed if saved.id == given]
    if not found:
        raise HistoryFault(f"history {given}: no such conversation. See the numbers: python -m rag_app history")
    return found[0]


def _print_list(listed: list[SavedConversation], as_json: bool) -> None:
    if as_json:
        print_json({"status": "good", "conversations": [asdict(saved) for saved in listed]})
        return
    for number, saved in enumerate(listed, start=1):
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(saved.updated))
        print(escape_controls(f"{number:4}  {when}  {pluralise(saved.turns, 'question'):>13}  {saved.title}"))
    if not listed:
        print("no conversations")


def _turn_json(turn: SavedTurn) -> dict[str, object]:
    return {**answer_json(turn.answer), "verdict": turn.verdict, "reason": turn.reason}


def _turn_text(turn: SavedTurn) -> str:
    thumb = f"\nthumb {turn.verdict}{': ' if turn.reason else ''}{turn.reason}" if turn.verdict else ""
    return f"> {sanitise_text(turn.answer.question)}\n\n{answer_text(turn.answer)}{sanitise_text(thumb)}"
