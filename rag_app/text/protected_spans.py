"""Where the code and the formulas of a Markdown text stand: nothing in them is a mark or a link. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"[ \t>]*(```+|~~~+|\$\$|\\\[)")
_CLOSING = {"\\[": "\\]"}
_INLINE = re.compile(
    r"(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)"
    r"|\$\$.+?\$\$"
    r"|(?<![\\$\w])\$(?![\s$])(?:\\.|[^$\n\\])+?(?<![\s\\])\$(?![\d$])"
    r"|\\\(.+?\\\)|\\\[.+?\\\]"
)
_QUOTED_MARK = re.compile(r"\[\s*\d+\s*[\"“]")


def protected_spans(line: str) -> list[tuple[int, int]]:
    """Offsets (start, end) of inline code and formulas in one line, in order.

    "costs $5 [1] and $7" holds no formula: between two amounts stands a mark that carries words, or a digit follows.
    """
    return [match.span() for match in _INLINE.finditer(line) if match[0][0] == "`" or not _QUOTED_MARK.search(match[0])]


def closing_of(line: str) -> str:
    """What ends the block of code or mathematics that begins in a line and goes on in the next; empty for none."""
    opens = _FENCE.match(line)
    if opens is None:
        return ""
    closing = _CLOSING.get(opens[1], opens[1])
    sign = "`" if closing[0] == "`" else closing
    return "" if closing[0] != "~" and sign in line[opens.end() :] else closing


def end_of_block(line: str, closing: str) -> int | None:
    """Where in a line a block ends; None where it goes on. Behind a formula the line may go on, behind code not."""
    if closing[0] in "`~":
        return len(line) if line.strip().endswith(closing) else None
    at = line.find(closing)
    return at + len(closing) if at >= 0 else None


@dataclass(frozen=True)
class Block:
    """A block of code or mathematics: its offsets with and without the fences. One without an end goes to the last."""

    start: int
    end: int
    inner: tuple[int, int]
    is_code: bool


def find_blocks(text: str) -> Iterator[Block]:
    """The blocks of code and mathematics of several lines, in order."""
    closing, start, first, offset = "", 0, 0, 0
    for line in text.split("\n"):
        after = offset + len(line) + 1
        if closing:
            end = end_of_block(line, closing)
            if end is not None:
                yield Block(start, offset + end, (first, offset + line.rfind(closing, 0, end)), closing[0] in "`~")
                closing = ""
        elif closing := closing_of(line):
            code = closing[0] in "`~"
            start, first = offset, min(len(text), after) if code else offset + line.find(closing[0]) + 2
        offset = after
    if closing:
        yield Block(start, len(text), (first, len(text)), closing[0] in "`~")
