"""Whether a question calls a paper by one of its names. Pure."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _pattern(name: str) -> re.Pattern[str] | None:
    parts = [re.escape(part) for part in re.split(r"[\s-]+", name) if part]
    if not parts:
        return None
    words = r"[\s-]*".join(parts)
    return re.compile(rf"(?<![\w-]){words}(?:['’]?s)?(?!\w)", re.IGNORECASE)


def holds_name(question: str, name: str) -> bool:
    """Whether the question holds the name as words of its own; hyphens and blanks are one."""
    name = name.strip()
    pattern = _pattern(name)
    if pattern is None:
        return False
    found = (match.group() for match in pattern.finditer(question))
    if len(name) <= 5 and name.isupper():  # "LoRA" is "LORA", but "are" is not "ARE", nor is "pal" "PAL"
        return any(sum(letter.isupper() for letter in match) > 1 for match in found)
    return any(found)
