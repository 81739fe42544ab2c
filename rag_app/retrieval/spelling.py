"""Misspelt words of a question: a word that no paper has is tried as the nearest word that the papers have.

The distance is Damerau's (one letter more, less, other, or two that changed places), as in Damerau, 1964.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation
from rag_app.index.paper_names import fold_name

SHORTEST = 5  # letters of a word that is corrected: shorter ones have too many neighbours
LEAST_PASSAGES = 3  # that hold a word which is taken for right
OFTENER = 20  # times as many passages as the word as typed, which a paper may have misspelt too
LOOKED_AT = 5  # passages, to see how a stem is written

_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?![\w-])")
_LOWER = re.compile(r"(?<![\w.-])[a-z][a-z0-9]+(?:-[a-z0-9]+)*(?![\w-])")
_QUOTED = re.compile(r"[\"“][^\"”]*[\"”]")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def correct_spelling(
    text: str, generation: Generation, known: Iterable[str] = ()
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text with its misspelt words corrected, and each (as typed, as corrected). `known` are folded names.

    A word in quotes, in capitals, with a capital inside or of another script stays as it is.
    """
    names = set(known)
    kept = [match.span() for match in _QUOTED.finditer(text)]
    changed: list[tuple[str, str]] = []

    def correct(match: re.Match[str]) -> str:
        word = match[0]
        if any(start <= match.start() < end for start, end in kept):
            return word
        if len(word) < SHORTEST or not word.isascii() or not word[1:].islower() or fold_name(word) in names:
            return word
        better = _nearest(word.casefold(), generation, names)
        if not better:
            return word
        better = better.capitalize() if word[0].isupper() and better.islower() else better
        changed.append((word, better))
        return better

    return _WORD.sub(correct, text), tuple(changed)


def restore_capitals(text: str, spelling_of: Callable[[str], str]) -> str:
    """The text with names that are typed in lower case as the papers write them: "lora" -> "LoRA"."""

    def restore(match: re.Match[str]) -> str:
        word = match[0]
        return spelling_of(word) or word if word.islower() else word

    return _LOWER.sub(restore, text)


def _nearest(word: str, generation: Generation, names: set[str]) -> str:
    """The nearest word that the papers have, as they write it; empty where they have this one, or none is near."""
    frequency = generation.words.frequency
    terms = extract_terms(word)
    if len(terms) != 1 or frequency(terms[0]) >= LEAST_PASSAGES:
        return ""
    least = max(LEAST_PASSAGES, OFTENER * frequency(terms[0]))
    best: dict[str, int] = {}
    for other in set(_neighbours(word)):
        if other in names:
            return other
        for term in extract_terms(other):
            if frequency(term) >= least:
                best[other] = max(best.get(other, 0), frequency(term))
    for other in sorted(best, key=lambda one: (-best[one], one)):
        if _is_written(other, generation):
            return other
    return ""


def _neighbours(word: str) -> Iterator[str]:
    """All texts at distance one; the first letter stays, since it is seldom the one that is wrong."""
    for at in range(1, len(word)):
        yield word[:at] + word[at + 1 :]
        if at + 1 < len(word):
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        for letter in _LETTERS:
            yield word[:at] + letter + word[at + 1 :]
            yield word[:at] + letter + word[at:]
    for letter in _LETTERS:
        yield word + letter


def _is_written(word: str, generation: Generation) -> bool:
    """Whether the papers write this very word, and not only one with the same stem."""
    (term,) = extract_terms(word)
    rows = generation.words.rows_with(term)[:: max(1, generation.words.frequency(term) // LOOKED_AT)][:LOOKED_AT]
    text = " ".join(passage.text for passage in generation.passages(rows.tolist()))
    return re.search(rf"(?<![\w-]){re.escape(word)}\w{{0,3}}(?!\w)", text, re.IGNORECASE) is not None
