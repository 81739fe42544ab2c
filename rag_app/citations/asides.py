"""What an answer asserts in passing: in headings, bold lines, lead-ins and questions. Pure.

They cite nothing, and "The papers differ in three points:" asserts nothing. A line asserts where it has a verb with
something to say; a question or "X: Y", "X = Y" in a heading, too, where it has a word that neither the question nor
the passages have: what it speaks of comes from the model. A mere title ("Bottom line") asserts nothing. English only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from decimal import Decimal

from rag_app.citations.statements import find_headings, find_statements
from rag_app.citations.support import CLAIM_WORDS, is_claim, is_formula
from rag_app.text.formula_text import read_spans
from rag_app.text.language import ENGLISH, language_of
from rag_app.text.sentences import word_set
from rag_app.text.terms import content_words, find_claimed_numbers

FEWEST_WORDS = 2  # content words of a heading that asserts
FEWEST_COUNTED = 20  # a smaller whole number may say how many points follow
LONG_QUESTION = 5  # content words of a "Why …?" that tells what it asks about

_FINITE = word_set(
    "is are was were has have had does did will can cannot could would should must may might isn't aren't wasn't "
    "weren't hasn't haven't doesn't didn't won't can't couldn't wins won beats outperforms outperformed exceeds "
    "surpasses surpassed causes caused kills killed fails failed lies lied cheats steals stole proves proved shows "
    "showed achieves achieved reaches reached makes made gives gave gets got becomes became needs remains loses lost "
    "leads led improves improved reduces reduced doubles doubled halves dominates destroys copies copied works "
    "requires contains invented"
)
_OBJECT = re.compile(
    r"\b[a-z]{2,}(?:s|ed) (?:the|a|an|every|all|any|no|its|their|most|more|less|fewer|nothing|nobody|everything)\b"
)
_LISTS = re.compile(
    r"\b(?:following|follows?|these|this|below|here|two|three|four|five|six|seven|eight|nine|ten|\d+|several|some|"
    r"both|many|ways?|points?|respects?|aspects?|steps?|stages?|parts?|reasons?|that|which|such as|including|are|is)"
    r"\W*:$",
    re.IGNORECASE,
)
_LISTED = re.compile(
    r"^(?:here|below)\b|\b(?:following|as follows|two|three|four|five|six|seven|eight|nine|ten|several|some|these)\b"
)
_SETS_EQUAL = re.compile(r"\w\s*[:=]\s*\w|\?$")
_TO_READER = re.compile(r"\b(?:you|your|I)\b")
_GENERIC = frozenset(  # what parts of answers are called
    content_words("answer summary overview result finding method data step note example limitation difference question")
)
_WH = re.compile(r"(?:how|what|which|when|where|who|whose|whether)\b", re.IGNORECASE)
_TELLING = re.compile(
    r"\b(?:know|knew|known|heard|aware|true|believe|deny|doubt|reali[sz]e\w*|surpris\w+)\b.*\bthat\b|"
    r"^(?:is|are|was|were|do|does|did|has|have|can|could|would|will)n['’]t\b|"
    r",\s*(?:right|no|(?:is|are|was|were|do|does|did|has|have|can|could|would|will)n['’]t \w+)\s*\?$",
    re.IGNORECASE,
)


def find_asides(answer: str, held: Collection[str], values: Collection[Decimal] = ()) -> Iterable[str]:
    """The headings, bold lines, lead-ins and questions of an answer that assert something and cite nothing.

    So do formulas, the single words that answer a question, and lines too short to be checked with a number of their
    own ("By 99.9 %."), also where it stands in a formula or in code. `held` and `values`: content words and numbers of
    the question and the passages.
    """
    english = language_of(answer) == ENGLISH  # the papers hold no words of other languages
    known = frozenset(held) | _GENERIC

    def foreign(text: str) -> bool:
        return english and not known.issuperset(content_words(text))

    for heading in find_headings(answer):
        plain = heading.plain.rstrip("*_ ")
        asserts = _question_asserts(plain) if plain.endswith("?") else _asserts(plain)
        if (
            asserts
            or _has_own_number(plain, values)
            or (_SETS_EQUAL.search(plain) and foreign(plain) and not _is_harmless(plain))
        ):
            yield heading.text
    asked = False
    for statement in find_statements(answer):
        text = statement.prose.strip()
        shown = text if statement.without_code is None else read_spans(statement.plain)[0]
        before, asked = asked, text.endswith("?")
        if statement.cited:
            continue
        if asked:
            asserts = _question_asserts(text) or (foreign(text) and not _is_harmless(text))
        elif text.endswith((":", "：")):
            asserts = _asserts(text) or _has_own_number(shown, values)
        else:
            short = not is_claim(text)
            asserts = (is_formula(text) and foreign(text)) or (before and len(content_words(text)) < CLAIM_WORDS)
            asserts = asserts or (short and _has_own_number(shown, values))
        if asserts:
            yield statement.text


def _has_own_number(text: str, values: Collection[Decimal]) -> bool:
    """Whether a line holds a number that is in none of the texts, from 20 on or with a fraction: no count of a list."""
    if not values:
        return False
    plain = re.sub(r"^\d{1,2}[.)]\s", "", text)
    return any(
        one.values.isdisjoint(values) and any(value >= FEWEST_COUNTED or value % 1 for value in one.values)
        for one in find_claimed_numbers(plain)
    )


def _is_harmless(text: str) -> bool:
    """Whether a line with words of its own only leads to a list, or asks the reader something."""
    if text.endswith("?"):
        return _TO_READER.search(text) is not None
    return text.endswith(":") and bool(_LISTS.search(text) or _LISTED.search(text.casefold()))


def _asserts(text: str) -> bool:
    """Whether a line holds a verb with something to say of: no noun phrase, no question, no lead-in to a list."""
    plain = re.sub(r"^[\d.\s)]+", "", text.strip())
    if _WH.match(plain) or len(content_words(plain)) < FEWEST_WORDS:
        return False
    if _is_harmless(plain):
        return False
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", plain.casefold().replace("’", "'"))
    verb = any(word in _FINITE for word in words[1:-1]) or (len(words) > 1 and words[-1] in ("lies", "cheats", "fails"))
    return verb or _OBJECT.search(plain) is not None


def _question_asserts(text: str) -> bool:
    """Whether a question tells what it asks about: "Did you know that …?", "Isn't it …?", "Why is X so …?"."""
    plain = text.strip(" *_")
    if _TELLING.search(plain):
        return True
    return plain.casefold().startswith("why ") and len(content_words(plain)) >= LONG_QUESTION
