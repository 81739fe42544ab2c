"""The first line of a model's answer, which says whether the papers answer the question. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["answered", "partly", "not in the papers", "chat"]

_LINE = re.compile(
    r"\s*(?:[*_`#>]{0,3}\s*)STATUS\s*[*_`]{0,3}\s*[:：]\s*[*_`]{0,3}\s*"
    r"(?P<kind>answered|partly|not in (?:the|these) papers?|chat)\b[*_`.]{0,3}[ \t]*"
    r"(?:[-–—:,(][ \t]*(?P<more>[^\n]*))?(?:\n|\Z)",
    re.IGNORECASE,
)
LOOKED_AT = 400  # characters in which the line must begin, behind a remark of the model


@dataclass(frozen=True)
class Status:
    """What the model says of its answer. `missing`: what the papers do not say, where they answer in part."""

    kind: Kind
    missing: str = ""


def split_status(text: str, *, final: bool) -> tuple[Status | None, str]:
    """The status and the text behind its line; None where there is none (yet), with all of the text.

    `final`: nothing more comes. What stands before the line is no part of the answer.
    """
    for match in re.finditer(
        r"(?:\A|\n)(?=[^\w\n]{0,6}status\s*[*_`]{0,3}\s*[:：])", text[: LOOKED_AT * 4], re.IGNORECASE
    ):
        line = _LINE.match(text, match.end())
        if line is not None and (final or "\n" in text[match.end() : line.end()]):
            said = line["kind"].casefold()
            kind: Kind = "not in the papers" if said.startswith("not") else said  # type: ignore[assignment]
            missing = (line["more"] or "").strip().strip("*_` )") if kind == "partly" else ""
            return Status(kind, missing), text[line.end() :].lstrip("\n")
        return None, text
    return None, text


def may_begin(text: str) -> bool:
    """Whether a status line may still come: too little of the text is there."""
    return len(text) < LOOKED_AT
