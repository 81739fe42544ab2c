"""The passages of one paper, kept on disk; and the removal of what no index uses any more."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rag_app.errors import IndexFault
from rag_app.files import TEMPORARY_NAME, is_link, read_json, write_json
from rag_app.records import Passage

# The names that we give, and so may remove: of a part's folder (inventory.File.part), and of what is kept per title.
PART_NAME = re.compile(r"(?:[0-9a-f]{24}|closed-[0-9a-f]{17})-[a-z]+-r\d+(?:-all)?(?:-ocr)?")
_KEPT_NAME = re.compile(r"(?:passages-(?P<passages>[0-9a-f]{16})\.json|vectors-(?P<vectors>[0-9a-f]{16})\.npy)")


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

    Only what has a name that we give is deleted, and nothing behind a link. Returns how many files and folders went.
    """
    if is_link(root) or not root.is_dir():
        return 0
    keys: dict[str, set[str]] = {}
    for part, key in used:
        keys.setdefault(part, set()).add(key)
    gone = 0
    for folder in root.iterdir():
        if not PART_NAME.fullmatch(folder.name) or is_link(folder) or not folder.is_dir():
            continue
        if folder.name not in keys:
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
            continue
        for file in folder.iterdir():
            kept = _KEPT_NAME.fullmatch(file.name)
            key = (kept["passages"] or kept["vectors"]) if kept else ""
            if TEMPORARY_NAME.fullmatch(file.name) or (kept and key not in keys[folder.name]):
                file.unlink(missing_ok=True)
                gone += 1
    return gone
