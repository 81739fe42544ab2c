"""Characters that PDFs hold and readers do not want, and compatibility forms with a map back. Pure."""

from __future__ import annotations

import re
import unicodedata

import numpy as np

# Characters that PDFs hold for a hyphen at a line end: pdfium's U+FFFE, the soft hyphen, and TeX's own.
BREAK_HYPHENS = "\ufffe\ufffb\u00ad\u0002"
PRIVATE = "\ue000-\uf8ff\ufffd"
# Without width or a look of their own: they part words unseen, turn the direction of reading, carry letters (tags).
UNSEEN = (
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9\ufffa"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
CONTROLS = f"\x00\x01\x03-\x08\x0e-\x1b\x7f\x80-\x84\x86-\x9f{UNSEEN}"
JOINERS = "(?<=[A-Za-z])[\u200c\u200d]+(?=[A-Za-z])"  # other scripts need them
UNSEEN_ONE = re.compile(f"[{CONTROLS}]")
INVISIBLE = re.compile(f"[{CONTROLS}]+|{JOINERS}")
LOST = re.compile(rf"[{PRIVATE}{CONTROLS}]")
"""A glyph that no readable text stands for."""


def without_invisible(text: str) -> str:
    """The text as it looks: without control characters, marks of direction, and what has no width."""
    return text if text.isascii() and text.isprintable() else INVISIBLE.sub("", text)


_NON_ASCII = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")


def nfkc_with_offsets(raw: str) -> tuple[str, np.ndarray]:
    """NFKC of `raw` with the offset that each of its characters comes from."""
    if raw.isascii() or unicodedata.is_normalized("NFKC", raw):
        return raw, np.arange(len(raw), dtype=np.int32)
    pieces: list[str] = []
    origins: list[np.ndarray] = []
    done = 0
    for match in _NON_ASCII.finditer(raw):
        run = match[0]
        opened = unicodedata.normalize("NFKC", run)
        if opened == run:
            continue
        start = match.start()
        pieces += (raw[done:start], opened)
        origins.append(np.arange(done, start, dtype=np.int32))
        parts = [(at, unicodedata.normalize("NFKC", cluster)) for at, cluster in _clusters(run)]
        if "".join(part for _, part in parts) == opened:
            origins.append(np.repeat([start + at for at, _ in parts], [len(part) for _, part in parts]))
        else:  # composed beyond its marks (Hangul): spread the offsets evenly, in order
            origins.append(np.linspace(start, match.end() - 1, len(opened)).astype(np.int32))
        done = match.end()
    pieces.append(raw[done:])
    origins.append(np.arange(done, len(raw), dtype=np.int32))
    return "".join(pieces), np.concatenate(origins).astype(np.int32)


def _clusters(run: str) -> list[tuple[int, str]]:
    """Each character with the combining marks after it, and where it begins."""
    starts = [at for at, character in enumerate(run) if at == 0 or not unicodedata.combining(character)]
    return [(start, run[start:end]) for start, end in zip(starts, [*starts[1:], len(run)], strict=True)]
