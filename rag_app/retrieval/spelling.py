"""Misspelt words of a question: a word that no paper has is tried as the nearest word that the papers have.

The distance is Damerau's (one letter more, less, other, or two that changed places), as in Damerau, 1964.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation
from rag_app.index.paper_names import fold_name
from rag_app.retrieval.paper_phrases import KIND_WORD
from rag_app.text.terms import STOPWORDS

SHORTEST = 5  # letters of a word that is corrected: shorter ones have too many neighbours
LEAST_PASSAGES = 3  # that hold a word which is taken for right
OFTENER = 20  # times as many passages as the word as typed, which a paper may have misspelt too
LONGEST = 40  # letters of a word: each has fifty neighbours, and a chain of letters is no misspelt word
LOOKED_AT = 40  # passages at most, to see how a stem is written

_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?![\w-])")
_LOWER = re.compile(r"(?<![\w.-])[a-z][a-z0-9]+(?:-[a-z0-9]+)*(?![\w-])")
_TWO_PARTS = re.compile(r"(?<![\w-])(?P<first>[^\W\d_]{2,})[\s-](?P<second>[^\W_]{2,})(?![\w-])")
_QUOTED = re.compile(r"[\"“][^\"”]*[\"”]")
_IS_KIND = re.compile(KIND_WORD)
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
        usual = SHORTEST <= len(word) <= LONGEST and word.isascii() and word[1:].islower()
        if not usual or fold_name(word) in names:
            return word
        better = _nearest(word.casefold(), generation, names)
        if not better:
            return word
        better = better.capitalize() if word[0].isupper() and better.islower() else better
        changed.append((word, better))
        return better

    return _WORD.sub(correct, text), tuple(changed)


def restore_capitals(text: str, spelling_of: Callable[[str], str]) -> str:
    """The text with names that are typed in lower case as the papers write them: "lora" -> "LoRA".

    A word for a paper stays: "Experiment 2" makes no name of "the nap experiment".
    """

    def restore(match: re.Match[str]) -> str:
        word = match[0]
        if _IS_KIND.fullmatch(word):
            return word
        return spelling_of(word) or word if word.islower() else word

    return _LOWER.sub(restore, text)


def join_spellings(text: str, generation: Generation, spelling_of: Callable[[str], str]) -> str:
    """The text with a name in two parts as the papers write it in one: "hotpot QA", "Hotpot-QA" -> "HotpotQA".

    Only where they have the one word oftener than its two parts together.
    """

    def join(match: re.Match[str]) -> str:
        whole = match["first"] + match["second"]
        terms, parts = extract_terms(whole), extract_terms(match[0])
        if len(terms) != 1 or not parts or not any(letter.isupper() for letter in spelling_of(whole.casefold())[1:]):
            return match[0]
        together = min(generation.words.frequency(part) for part in parts)
        return spelling_of(whole.casefold()) if generation.words.frequency(terms[0]) > together else match[0]

    at, found = 0, text
    while (match := _TWO_PARTS.search(found, at)) is not None:
        joined = join(match)
        found = found[: match.start()] + joined + found[match.end() :]
        at = match.start() + (len(joined) if joined != match[0] else len(match["first"]) + 1)
    return found


def _nearest(word: str, generation: Generation, names: set[str]) -> str:
    """The nearest word that the papers have, as they write it; empty where they have this one, or none is near."""
    frequency = generation.words.frequency
    terms = extract_terms(word)
    if len(terms) != 1 or word in STOPWORDS or frequency(terms[0]) >= LEAST_PASSAGES:
        return ""
    for other in _neighbours(word):
        if len(other) > max(len(word), SHORTEST) and other in STOPWORDS:  # "shoud": a letter is missing
            return other
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
