"""What a sentence denies: the words that its "not", "unable to" or "it is false that" speaks of. Pure. English only.

A word of denial reaches from where it stands to the end of its clause; "it is false that" to the end of the sentence,
and what has nothing behind it ("…, which is wrong") back to its beginning. A word that two of them reach is not denied.
How often that is wrong about claims that people found supported is in docs/experiments/answers.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rag_app.text.terms import content_words

_WITHOUT_APOSTROPHE = (
    "cant|dont|doesnt|didnt|isnt|arent|wasnt|werent|wont|couldnt|wouldnt|shouldnt|mustnt|hasnt|havent|hadnt|aint"
)
_SAID = r"(?:claimed|said|stated|reported|believed|thought|alleged|assumed|held|presented|described|shown|found)"
_BE = (
    r"(?:(?:is|are|was|were|be|been|being|seems?|appears?|remains?|proved)\s+(?:\w+ly\s+|simply\s+|just\s+|quite\s+)?)"
)
_UNTRUE = (
    r"(?:false|untrue|wrong|incorrect|an?\s+(?:\w+\s+)?(?:myth|lie|fiction|misconception|falsehood|fabrication)|"
    r"(?:not|\w*n['’]t)\s+(?:at\s+all\s+)?(?:true|so|correct|right|the\s+case))"
)
# To the end of the sentence: what is false is all that follows, with its commas.
_OF_ALL = (
    rf"^\W*{_UNTRUE}\s*[:,–—-]|{_BE}?{_UNTRUE}\s+(?:that\b|to\s+(?:say|claim|state|think|believe|assume|conclude)(?:\s+that\b)?)|"
    r"\bno\s+(?:evidence|proof|support|indication|sign)\s+(?:(?:shows?|suggests?|indicates?|exists?)\s+)?(?:that|for|of)\b|"
    r"\b(?:den(?:y|ies|ied|ying)|refut(?:e|es|ed|ing)|disprov(?:e|es|ed|en|ing)|debunk(?:s|ed|ing)?|"
    r"rebut(?:s|ted)?|disput(?:e|es|ed)|doubt(?:s|ed|ful)?|contradict(?:s|ed)?)\s+that\b|"
    rf"\b(?:{_BE}?{_SAID}\s*,?\s*)?(?:wrongly|falsely|mistakenly|erroneously|incorrectly|untruthfully)\s*,?"
    rf"(?:\s*{_SAID})?"
)
_OF_CLAUSE = (
    r"\b(?:by|in)\s+no\s+(?:means|ways?|respects?|case)\b|\bunder\s+no\s+circumstances\b|\bno\s+longer\b|"
    r"\b(?:far|nowhere\s+near)(?:\s+from)?\b(?<=from|near)|\banything\s+but\b|\bcontrary\s+to\b|\bthe\s+opposite\s+of\b|"
    rf"[-–—,:;(]\s*{_UNTRUE}(?=[\s.!)]*$)|{_BE}{_UNTRUE}\b|\w+n['’]t\s+(?:true|so|correct|right|the\s+case)\b|"
    r"\b(?:is|are|was|were|be|been|being|proves?|proved|remains?)?\s*"
    r"(?:unable|incapable|impossible|unwilling|powerless|reluctant)\b(?:\s+(?:to|of|for))?|"
    r"\b(?:fail(?:s|ed|ing)?|refus(?:e|es|ed|ing)|declin(?:e|es|ed|ing)|neglect(?:s|ed|ing)?|ceas(?:e|es|ed|ing)|"
    r"yet)\s+to\b|\bfail(?:s|ed|ing)?\s+(?:at|in)\b|\bstop(?:s|ped)?(?=\s+\w+ing\b)|\bfailure\s+to\b|\binabilit(?:y|ies)\s+to\b|"
    r"\b(?:den(?:y|ies|ied)|retract(?:s|ed)?|refut(?:e|es|ed)|disprov(?:e|es|ed|en)|debunk(?:s|ed)?)\b|"
    r"\b(?:not|no)\b(?!\s+(?:only|just|merely|least|surprising\w*|doubt|to\s+mention|less\s+than|fewer\s+than))|"
    r"\b(?:never|none|neither|nor|nobody|no\s+one|nothing|nowhere|cannot|without|hardly|barely|scarcely|rarely|seldom)\b|"
    rf"\b(?:{_WITHOUT_APOSTROPHE})\b|\b\w*n\s?['’ʼ´`＇‘′]t\b|\bne['’]er\b"
)
_DENIAL = re.compile(rf"(?P<all>{_OF_ALL})|(?P<clause>{_OF_CLAUSE})", re.IGNORECASE)
_END_OF_CLAUSE = re.compile(
    r"[.;:,()!?–—]|\s-\s|\b(?:but|while|whereas|although|though|because|since|which|who|however|yet|unless)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Denial:
    """The content words of a sentence but for its words of denial, and those of them that it denies."""

    words: frozenset[str]
    denied: frozenset[str]


@lru_cache(maxsize=4_096)
def find_denial(text: str) -> Denial:
    """What a sentence says, and what of it it denies."""
    denied: frozenset[str] = frozenset()
    for found in _DENIAL.finditer(text):
        end = _END_OF_CLAUSE.search(text, found.end())
        until = len(text) if found["all"] or end is None else end.start()
        reached = _said_words(text[found.end() : until])
        denied ^= reached or _said_words(text[: found.start()])
    return Denial(_said_words(text), denied)


def _said_words(text: str) -> frozenset[str]:
    return frozenset(content_words(_DENIAL.sub(" ", text)))


def is_opposite(one: Denial, other: Denial) -> bool:
    """Whether of two sentences of the same words one denies what the other does not, as far as `one` speaks of it."""
    return one.denied.isdisjoint(other.denied) and bool(one.denied or not other.denied.isdisjoint(one.words))
