"""Short forms that a text itself defines: "byte-pair encoding (BPE)", "WoW (Wizard of Wikipedia)". Pure.

The letters of the short form stand in the long form in their order, the first one at the beginning of a word (Schwartz
and Hearst, A Simple Algorithm for Identifying Abbreviation Definitions in Biomedical Text, 2003).
"""

from __future__ import annotations

import re

from rag_app.text.terms import squash

LONGEST = 10  # letters of a short form
_IN_BRACKETS = re.compile(r"\s?[(\[]\s*([^()\[\],;]{2,80}?)\s*(?:[,;][^()\[\]]*)?[)\]]")
_SHORT = re.compile(r"(?=[\w-]*[A-Z])[A-Za-z\d][\w-]*")
_WORDS_BEFORE = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")


def is_short_form(short: str, long: str) -> bool:
    """Whether the letters of `short` stand in `long` in order, the first of them at the beginning of `long`."""
    letters, text = squash(short), long.casefold()
    if not 2 <= len(letters) <= LONGEST or len(squash(long)) <= len(letters) + 1 or letters[0] != squash(long)[:1]:
        return False
    at = len(text)
    for number, letter in reversed(list(enumerate(letters))):
        at = text.rfind(letter, 0, at)
        while number == 0 and at > 0 and text[at - 1].isalnum():
            at = text.rfind(letter, 0, at)
        if at < 0:
            return False
    return at == 0 or not any(letter.isalnum() for letter in text[:at])


def find_forms(name: str, spelled: re.Pattern[str], text: str) -> set[str]:
    """The other forms of a name that a text gives beside it; `spelled` matches the name as the text may write it."""
    found: set[str] = set()
    short = _SHORT.fullmatch(name) is not None and len(squash(name)) <= LONGEST
    for match in spelled.finditer(text):
        behind = _IN_BRACKETS.match(text, match.end())
        if behind is not None:
            other = behind[1].strip("“”\"'’ ")
            if _SHORT.fullmatch(other) and is_short_form(other.removesuffix("s"), match[0]):
                found.add(other.removesuffix("s"))
            elif short and is_short_form(name, other):
                found.add(other)
        if short and text[: match.start()].rstrip()[-1:] in ("(", "["):
            long = _long_form(name, text[: match.start()].rstrip()[:-1])
            if long:
                found.add(long)
    return found


def _long_form(short: str, before: str) -> str:
    """The fewest words at the end of a text whose letters spell the short form."""
    words = list(_WORDS_BEFORE.finditer(before[-120:]))
    most = min(len(squash(short)) + 5, 2 * len(squash(short)))
    for word in reversed(words[-most:]):
        long = before[-120:][word.start() :].strip()
        if is_short_form(short, long):
            return " ".join(long.split())
    return ""
