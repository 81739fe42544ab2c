"""What was read from one paper, kept on disk: words and boxes as arrays, the rest as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rag_app.errors import IndexFault
from rag_app.files import read_array, read_json, write_array, write_json
from rag_app.records import Block, Page, Reading, Words


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
            "doubtful": page.doubtful,
            **({"ocr": True} if page.ocr else {}),
            **({"cues": page.cues} if page.cues else {}),
        }
        for page in reading.pages
    ]
    fields = {name: getattr(reading, name) for name in Reading.__dataclass_fields__ if name != "pages"}
    write_json(folder / "reading.json", {**fields, "pages": pages})


def load_reading(folder: Path) -> Reading:
    """Read what save_reading wrote. Raises IndexFault when it is damaged or missing."""
    value = read_json(folder / "reading.json")
    try:
        return _parse_reading(folder, value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise IndexFault(f"{folder}: damaged ({error}). Build again with --fresh.") from error


def _parse_reading(folder: Path, value: dict[str, Any]) -> Reading:
    places, boxes = np.zeros((0, 2), np.int32), np.zeros((0, 4), np.float32)
    if any(page["words"] is not None for page in value["pages"]):
        places, boxes = read_array(folder / "places.npy"), read_array(folder / "boxes.npy")
    if not len(places) == len(boxes) == sum(page["words"] or 0 for page in value["pages"]):
        raise ValueError("words and boxes do not match the pages")
    pages, at = [], 0
    for page in value.pop("pages"):
        count, words = page.pop("words"), None
        if count is not None:  # 0 on a page that has a picture but no words
            words = Words(places[at : at + count, 0], places[at : at + count, 1], boxes[at : at + count])
            at += count
        blocks = tuple(Block(*block) for block in page["blocks"])
        doubtful = tuple(page["doubtful"])
        cues = tuple((int(start), float(second)) for start, second in page.get("cues", ()))
        pages.append(Page(**{**page, "blocks": blocks, "words": words, "cues": cues, "doubtful": doubtful}))
    fields: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}
    return Reading(pages=tuple(pages), **fields)
