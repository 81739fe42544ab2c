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


RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
"""Digits and signs above the base line, and what they are below: "10⁶" is not 106, "2.4⁴ percent" not 2.44."""
AS_RAISED = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
AS_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
RAISED_LETTERS = "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
LETTERS_AS_RAISED = str.maketrans("abcdefghijklmnoprstuvwxyz", RAISED_LETTERS)
FRACTIONS = "¼½¾⅐-⅞↉"
# Forms that NFKC opens into digits and that would then read as part of the number beside them.
_NUMERIC = f"{RAISED}{RAISED_LETTERS}₀-₉{FRACTIONS}①-⓿❶-➓"
_KEPT = re.compile(f"([{_NUMERIC}]+)")
EAST_ASIAN = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f"
"""Chinese and Japanese characters and their marks of punctuation: no blank stands between them."""
_PRINTED = re.compile(f"([{_NUMERIC}\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]+)")
_POWER = re.compile(rf"(?<![\w.])10([{RAISED}]+)")
_UNIT = re.compile(rf"(?<![^\W\d_])([^\W\d_]{{1,3}})([²³]|[⁺⁻]?[{RAISED}])(?![{RAISED}])")
_LETTER_MARK = re.compile(f"[{RAISED_LETTERS}]+")
_MARK = re.compile(f"[{RAISED}]+")
_NON_ASCII = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")


def as_searchable(text: str) -> str:
    """NFKC for comparing words and numbers, where no raised digit joins a number.

    "10⁶" is "10^6", "m²" is "m2", "2.4⁴ percent" is "2.4 4 percent", "2½" is "2 1⁄2".
    """
    if text.isascii():
        return text
    if _KEPT.search(text):
        text = _POWER.sub(lambda found: f"10^{found[1].translate(AS_PLAIN)}", text)
        text = _UNIT.sub(lambda found: found[1] + found[2].translate(AS_PLAIN), text)
        text = _LETTER_MARK.sub(" ", text)
        text = _MARK.sub(lambda found: f" {found[0].translate(AS_PLAIN)} ", text)
        text = re.sub(rf"(?<=\d)(?=[{_NUMERIC}])", " ", text)
    return unicodedata.normalize("NFKC", text)


def _normalise_compatibility(text: str) -> str:
    """NFKC, but digits above and below the line, fractions and Chinese punctuation as printed: "12½" is not 121/2."""
    if not _PRINTED.search(text):
        return unicodedata.normalize("NFKC", text)
    pieces = _PRINTED.split(text)
    return "".join(piece if at % 2 else unicodedata.normalize("NFKC", piece) for at, piece in enumerate(pieces))


def nfkc_with_offsets(raw: str) -> tuple[str, np.ndarray]:
    """NFKC of `raw` with the offset that each of its characters comes from; raised digits and fractions stay."""
    if raw.isascii() or unicodedata.is_normalized("NFKC", raw):
        return raw, np.arange(len(raw), dtype=np.int32)
    pieces: list[str] = []
    origins: list[np.ndarray] = []
    done = 0
    for match in _NON_ASCII.finditer(raw):
        run = match[0]
        opened = _normalise_compatibility(run)
        if opened == run:
            continue
        start = match.start()
        pieces += (raw[done:start], opened)
        origins.append(np.arange(done, start, dtype=np.int32))
        parts = [(at, _normalise_compatibility(cluster)) for at, cluster in _clusters(run)]
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
