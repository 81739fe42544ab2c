"""The passages of one paper, kept on disk; and the removal of what no index uses any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rag_app.errors import IndexFault
from rag_app.files import read_json, write_json
from rag_app.records import Passage


def save_passages(path: Path, passages: Sequence[Passage]) -> None:
    """Write one paper's passages without its name: a renamed paper keeps its part."""
    write_json(path, [list(asdict(replace(passage, paper="")).values()) for passage in passages])


def load_passages(path: Path, paper: str) -> list[Passage]:
    """Read what save_passages wrote, as passages of `paper`. Raises IndexFault when it is damaged or missing."""
    try:
        return [replace(Passage(*row), paper=paper) for row in read_json(path)]
    except TypeError as error:
        raise IndexFault(f"{path}: damaged ({error}). Build again with --fresh.") from error


def remove_unused(root: Path, used: Iterable[tuple[str, str]]) -> int:
    """Delete what no generation names and what a killed build left half-written; `used` are pairs of part and key.

    Returns how many files and folders went.
    """
    keys: dict[str, set[str]] = {}
    for part, key in used:
        keys.setdefault(part, set()).add(key)
    gone = 0
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name not in keys:
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
            continue
        for file in folder.iterdir():
            made, _, key = file.stem.partition("-")
            if file.suffix == ".tmp" or (made in ("passages", "vectors") and key not in keys[folder.name]):
                file.unlink(missing_ok=True)
                gone += 1
    return gone
