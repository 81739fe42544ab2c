"""Finished work, kept per paper: what was read from a file, its passages, their vectors.

A part is named by what made it (the file's bytes, the versions and settings of the steps), so it never changes and is
shared by generations: a killed build loses nothing, an unchanged paper is never read or embedded again. Building a part
needs nothing but the file and the settings, so it can run anywhere. Formats are JSON and NumPy arrays without pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rag_app.errors import IndexFault
from rag_app.records import Block, Page, Passage, Reading, Words


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Write so that `path` is either absent, the old file or the whole new one, even through a power cut."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    write_bytes(path, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IndexFault(f"{path}: damaged or missing ({error}). Build again with --fresh.") from error


def write_array(path: Path, array: np.ndarray) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as stream:
            np.save(stream, array, allow_pickle=False)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_reading(folder: Path, reading: Reading) -> None:
    """Write one reading: words as arrays first, then reading.json, whose presence means that the part is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [page.words for page in reading.pages if page.words is not None]
    if words:
        write_array(folder / "places.npy", np.concatenate([np.stack([part.starts, part.ends], 1) for part in words]))
        write_array(folder / "boxes.npy", np.concatenate([part.boxes for part in words]))
    pages = [
        {
            "number": page.number,
            "label": page.label,
            "width": page.width,
            "height": page.height,
            "text": page.text,
            "blocks": [[block.start, block.end, block.kind, block.section] for block in page.blocks],
            "words": None if page.words is None else len(page.words.starts),
        }
        for page in reading.pages
    ]
    fields = {name: getattr(reading, name) for name in Reading.__dataclass_fields__ if name != "pages"}
    write_json(folder / "reading.json", {**fields, "pages": pages})


def load_reading(folder: Path) -> Reading:
    """Read what save_reading wrote. Raises IndexFault when it is damaged or missing."""
    value = read_json(folder / "reading.json")
    try:
        return _reading(folder, value)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise IndexFault(f"{folder}: damaged ({error}). Build again with --fresh.") from error


def _reading(folder: Path, value: dict[str, Any]) -> Reading:
    places = boxes = None
    if any(page["words"] for page in value["pages"]):
        places = np.load(folder / "places.npy", allow_pickle=False)
        boxes = np.load(folder / "boxes.npy", allow_pickle=False)
    pages, at = [], 0
    for page in value.pop("pages"):
        count, words = page.pop("words"), None
        if count is not None and places is not None and boxes is not None:
            words = Words(places[at : at + count, 0], places[at : at + count, 1], boxes[at : at + count])
            at += count
        pages.append(Page(**{**page, "blocks": tuple(Block(*block) for block in page["blocks"]), "words": words}))
    fields = {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}
    return Reading(pages=tuple(pages), **fields)


def save_passages(path: Path, passages: Sequence[Passage]) -> None:
    write_json(path, [list(asdict(passage).values()) for passage in passages])


def load_passages(path: Path) -> list[Passage]:
    try:
        return [Passage(*row) for row in read_json(path)]
    except TypeError as error:
        raise IndexFault(f"{path}: damaged ({error}). Build again with --fresh.") from error


def remove_unused(root: Path, used: set[str]) -> int:
    """Delete the parts that no generation names. Returns how many files and folders went."""
    gone = 0
    for folder in root.iterdir() if root.is_dir() else ():
        if not any(name == folder.name or name.startswith(folder.name + "/") for name in used):
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
            continue
        wanted = {name.split("/", 1)[1] for name in used if name.startswith(folder.name + "/")}
        for file in folder.iterdir():
            if file.stem.split("-")[0] in ("passages", "vectors") and file.stem.split("-", 1)[1] not in wanted:
                file.unlink(missing_ok=True)
                gone += 1
    return gone
