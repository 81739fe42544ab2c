"""Examples of question and answer drawn from the evidence itself, the passage named before the answer (2406.13632).

DoubleDipper (section 3) lets a language model write question-answer pairs about random paragraphs of the given text and
puts them between the text and the question; each names its paragraph before it answers. Ours are made by a plain rule
from sentences of the evidence, so that they cost no call and cannot be wrong. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_app.answering.quoting.statements import statement_features
from rag_app.records import Evidence
from rag_app.text.sentences import sentences
from rag_app.text.terms import find_names, find_numbers

LONGEST = {"tiny": 130, "small": 220, "full": 300}  # characters of an example's sentence, by the model's size
FEWEST_WORDS = 7
GAP = "…"


def count_reserved_tokens(count: int, size: str) -> int:
    """Tokens that `count` examples take at most: each says its sentence twice."""
    return count * (2 * LONGEST[size] // 3 + 30)


def make_examples(evidence: Sequence[Evidence], count: int, size: str) -> list[tuple[str, str]]:
    """At most `count` pairs of question and answer, from pieces spread over the evidence; the same for any question.

    The question is a sentence with its number, else a name, left out; the answer names the piece and says the sentence.
    """
    made: list[tuple[str, str]] = []
    for piece in _spread_pieces(evidence, count):
        sentence, missing = _find_telling_sentence(piece, LONGEST[size])
        if sentence and len(made) < count:
            asked = f"What stands for {GAP} in “{sentence.replace(missing, GAP, 1)}”?"
            named = f"“{piece.title}”" if size == "tiny" else f"[{piece.number}]"  # a tiny model writes no marks
            made.append((asked, f"According to {named}: {sentence}"))
    return made


def _spread_pieces(evidence: Sequence[Evidence], count: int) -> list[Evidence]:
    """The pieces in an order that takes them from all over the evidence: every n-th first, then those between."""
    step = max(1, len(evidence) // max(1, count))
    return [piece for first in range(step) for piece in evidence[first::step]]


def _find_telling_sentence(piece: Evidence, longest: int) -> tuple[str, str]:
    """A sentence of the authors' own that states a number or a name, and that; empty where the piece has none."""
    named: tuple[str, str] = ("", "")
    for start, end in sentences(piece.text):
        sentence = " ".join(piece.text[start:end].split())
        if len(sentence) > longest or len(sentence.split()) < FEWEST_WORDS or not sentence.endswith("."):
            continue
        says = statement_features(sentence, piece.section)
        if says["about_text"] or says["others"] or says["lost"] or says["cites"] or re.search(r"[\[\]{}|=]", sentence):
            continue
        figures = [number.written for number in find_numbers(sentence)]
        if figures:
            return sentence, figures[0]
        own = [name for name in find_names(sentence) if not sentence.startswith(name)]
        if own and not named[0]:
            named = sentence, own[0]
    return named
