"""Text from papers made safe for a prompt: fences, control markup; token estimates and model sizes."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

Size = Literal["tiny", "small", "full"]

SMALL_WINDOW = 4096
SMALL_PARAMETERS = 4e9
TINY_PARAMETERS = 1e9

_PARAMETERS = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?) ?([bm])(?![a-z0-9])")
_TURNS = re.compile(
    r"<[|｜]|[|｜]>|<(?=/?(?:s|think|bos|eos|(?:start|end)_of_turn|tool_(?:call|response|use|result)s?|system|user|assistant)>)"
    r"|\[(?=/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\])|<(?=</?SYS>>)",
    re.IGNORECASE,
)
_CITED_NUMBERS = re.compile(r"\[(\s*[1-9]\d{0,3}(?:\s*[,;–-]\s*[1-9]\d{0,3})*\s*)\]")


def model_size(parameters: float, window: int) -> Size:
    """How much a model can be asked to do, by the number of its parameters and its window in tokens."""
    if parameters < TINY_PARAMETERS:
        return "tiny"
    return "small" if parameters <= SMALL_PARAMETERS or window <= SMALL_WINDOW else "full"


def make_fence(pieces: str, question: str) -> str:
    """A line that no text holds and no author can foresee: writing it into a paper changes what it is made of."""
    salt = 0
    while True:
        fence = f"=== {hashlib.sha256(f'{salt}{pieces}'.encode()).hexdigest()[:32]} ==="
        if fence not in pieces + question:
            return fence
        salt += 1


def strip_template_marks(text: str) -> str:
    """The text without what a chat template would take for a turn, and with its own [12] as (12).

    The paper's reference numbers would read as numbers of evidence.
    """
    text = _TURNS.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)
    return _CITED_NUMBERS.sub(r"(\1)", text)


def estimate_tokens(text: str) -> int:
    """An estimate that is rather too high: three and a half characters a token, one outside ASCII."""
    plain = sum(letter.isascii() for letter in text)
    return int(plain / 3.5) + len(text) - plain + 1


def parameters_from_name(name: str) -> float:
    """How many parameters the model's name tells, infinity where it does not: "SmolLM2-135M" has 135 million."""
    found = [float(number) * (1e9 if unit == "b" else 1e6) for number, unit in _PARAMETERS.findall(name.lower())]
    return next((size for size in found if size >= 1e7), float("inf"))  # "1m" is a window, not a size
