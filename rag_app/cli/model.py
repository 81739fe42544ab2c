"""`reader`: which reader answers, tried with one tiny call, and kept on this machine with its key."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace
from dataclasses import replace

from rag_app.models.llm.choice import (
    choice_of,
    forget_reader,
    keep_reader,
    key_source,
    overriding_variables,
    try_reader,
    with_choice,
)
from rag_app.outputs.terminal import print_json, sanitise_text
from rag_app.settings import load_settings, reader_file


def run(options: Namespace) -> int:
    """Say, try, keep or forget. Returns 1 when the model does not answer."""
    if options.forget:
        there = forget_reader()
        return _print_findings(
            options, {"status": "forgotten" if there else "nothing was kept", "file": str(reader_file())}
        )
    settings = load_settings()
    choice = choice_of(settings)
    changes = {"name": options.name, "base_url": options.base_url, "model": options.model}
    given = {name: value for name, value in changes.items() if value is not None}
    if given or options.key:
        if "name" in given and given["name"] != choice.name:  # the old one's address and model are of no use to it
            choice = replace(choice, base_url="", model="", key="")
        settings = with_choice(settings, replace(choice, **given, key=_prompt_for_key() if options.key else ""))
        choice = choice_of(settings)
    found: dict[str, object] = {
        "status": "ready",
        "reader": choice.name,
        "base_url": choice.base_url,
        "model": choice.model,
        "key": key_source(settings, choice.name, choice.base_url),
    }
    works = True
    if options.attempt:
        trial = try_reader(settings)
        works = trial.works
        found |= {"status": "works" if works else "failed", "message": trial.message, "models": list(trial.models)}
    if options.keep and works:
        found["kept"] = str(keep_reader(settings))
        found["overridden"] = list(overriding_variables())
    _print_findings(options, found)
    return int(not works)


def _prompt_for_key() -> str:
    """The key, typed unseen or from a pipe: an argument would stand in the list of processes."""
    return getpass.getpass("Key: ") if sys.stdin.isatty() else sys.stdin.readline().strip()


def _print_findings(options: Namespace, found: dict[str, object]) -> int:
    if options.json:
        print_json(found)
    else:
        texts = {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in found.items()}
        print("\n".join(sanitise_text(f"{name}: {text}") for name, text in texts.items() if text))
    return 0
