"""Whether a question calls a paper by one of its names. Pure."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _pattern(name: str) -> re.Pattern[str] | None:
    parts = [re.escape(part) for part in re.split(r"[\s-]+", name) if part]
    if not parts:
        return None
    # Short all-capital names must match in case: "ARES" is not "are", "PAL" is not "pal".
    flags = 0 if len(name) <= 5 and name.isupper() else re.IGNORECASE
    words = r"[\s-]*".join(parts)
    return re.compile(rf"(?<![\w-]){words}(?:['’]?s)?(?!\w)", flags)


def mentions(question: str, name: str) -> bool:
    """Whether the question holds the name as words of its own; hyphens and blanks are one."""
    pattern = _pattern(name.strip())
    return pattern is not None and pattern.search(question) is not None
