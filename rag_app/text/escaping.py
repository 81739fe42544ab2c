"""Text of strangers in one line of a terminal. Pure, and quick to import."""

from __future__ import annotations

import unicodedata


def escape_controls(text: str) -> str:
    """`text` in one line: line breaks, control and direction characters are written out, as in "a\\nb".

    For names of files in a terminal, where they could begin a line that looks like one of ours, or command it.
    """
    strange = ("Cc", "Cf", "Zl", "Zp", "Cs")
    return "".join(
        letter.encode("unicode_escape").decode("ascii") if unicodedata.category(letter) in strange else letter
        for letter in text
    )
