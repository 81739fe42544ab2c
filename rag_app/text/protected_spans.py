"""Where the code and the formulas of a Markdown text stand: nothing in them is prose, a mark or a link. Pure."""

from __future__ import annotations

import re

FENCE = re.compile(r"[ \t>]*(```+|~~~+|\$\$|\\\[)")
"""The beginning of a line that opens a block of code or mathematics."""

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


def without_protected(text: str) -> str:
    """The text with a blank for every character of code and formulas: the offsets stay."""
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        opens = FENCE.match(line)
        if fence:
            if line.strip().endswith(fence):
                fence = ""
            lines.append(" " * len(line))
            continue
        if opens:
            mark = {"\\[": "\\]"}.get(opens[1], opens[1])
            if not line[opens.end() :].strip().endswith(mark):
                fence = mark
            lines.append(" " * len(line))
            continue
        for start, end in protected_spans(line):
            line = line[:start] + " " * (end - start) + line[end:]
        lines.append(line)
    return "\n".join(lines)
