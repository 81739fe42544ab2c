"""Whether a question leaves something out that was said before it: an ellipsis, or a word that points back. Pure.

A pronoun, "that paper" or "the second one" points back only where nothing earlier in the same question can be meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from rag_app.index.paper_names import Mention
from rag_app.name_kinds import Name, names_in

LONGEST_FRAGMENT = 8  # words of a question without a verb

_AUX = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might)"
_HEAD = r"(?:paper|method|model|approach|work|study|article|system|technique|framework|data ?set|benchmark|one)"
_ORDINAL = r"(?:first|second|third|fourth|fifth|sixth|last|former|latter|other)"
_COURTESY = r"(?:(?:ok(?:ay)?|so|well|thanks|thank you|great|hm+)\b[,.!]*\s+)*"
_LEAD = re.compile(
    rf"{_COURTESY}(?P<joint>(?:and|but|or|also|then)\b,?\s+)?"
    r"(?P<about>(?:(?:what|how)\s+about|(?:the\s+)?same(?:\s+question)?(?=\s+(?:for|on|with|in)\b))\s+)?",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    rf"\b{_AUX}\b|^(?:compare|list|explain|describe|tell|show|give|summari[sz]e|name)\b"
    r"|^(?:what|how|which|who|where|when|why)\b.*\b\w+(?:es|s|ed)\b\s+\w",
    re.IGNORECASE,
)
# Nothing but a question word, its noun and an auxiliary stands before the pronoun, so that only an earlier question can
# say what it means.
_ASKING = (
    rf"^{_COURTESY}(?:(?:and|but|or|also)\b,?\s+)?"
    rf"(?:(?:(?:in|on|for|by|with|from|to|at|of)\s+)?(?:what|which|how|who|whom|whose|where|when|why)\b"
    rf"(?:(?!\b{_AUX}\b)[^,;:?.])*?\s)?{_AUX}(?:n['’]t)?\s+"
)
_TELLING = (
    rf"^{_COURTESY}(?:compare|explain|describe|summari[sz]e|tell me (?:more )?about|who (?:wrote|proposed|made))\s+"
)
_EXPLETIVE = (  # "is it likely that", "how long does it take to" mean nothing that was said before
    r"(?!\s+(?:\w+ly\s+)?(?:possible|true|necessary|better|worth|known|clear|(?:un)?likely|important|useful|proposed"
    r"|assumed|believed|thought|said|argued|take|that)\b(?:\s+\w+)?\s+(?:that|to|for|if)\b|\s+that\b)"
)
_PRONOUN = re.compile(
    rf"(?:{_ASKING}|{_TELLING})(?P<word>it{_EXPLETIVE}|its|they|their|them)\b(?!\s*['’])", re.IGNORECASE
)
_THEM = re.compile(
    rf"^{_COURTESY}(?:and\s+)?which(?: one)? of (?P<word>them|(?:those|these|the two)(?=\s+{_AUX}))\b", re.IGNORECASE
)
_OF_THEM = re.compile(
    rf"^{_COURTESY}(?:and\s+)?how (?:many|much) of (?P<word>them|(?:those|these)(?=\s+{_AUX}))\b", re.I
)
_THAT = re.compile(
    rf"\b(?P<word>(?:this|that|the same) {_HEAD}"
    rf"|(?:these|those|the) two(?: {_HEAD}s)?(?=\W*$|\s+{_AUX}|\s+differ)|both of them)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    rf"(?P<word>\bthe (?P<ordinal>{_ORDINAL})(?P<head> {_HEAD}| citation| source| row)?"
    r"(?:\s+of (?:them|these|those))?\b"
    r"|\b(?:citation|source|reference|number)\s+\[?(?P<number>\d{1,2})\]?|\[(?P<mark>\d{1,2})\])"
    r"(?P<rest>\W*$|['’]s?\b|\s+\w+)",
    re.IGNORECASE,
)
_VERB = re.compile(
    rf"{_AUX}|(?:use|need|read|say|report|reach|achieve|require|propose|perform|score|get|rely|retrieve)s?|on"
)
_RELATIVE = frozenset(["that", "which", "who", "whose", "to", "in", "of", "from", "where", "when", "for"])
PREPOSITION = re.compile(r"(on|for|in|with|without|at|by|from|of|under|against|using)\s+(?:the\s+(?=[A-Z]))?", re.I)
BARE = re.compile(r"(?:why|how so|how come|how|where|when|by how much|compared to what)", re.IGNORECASE)
_ANY_PAPER = re.compile(
    r"\b(?:papers?|study|work|articles?|methods?|models?|systems?|data ?sets?|benchmarks?)\b", re.IGNORECASE
)


class Library(Protocol):
    """What the papers can say about names."""

    def mentions(self, question: str) -> Sequence[Mention]:
        """Where a question names papers."""
        ...

    def name(self, paper: str) -> str:
        """What to call a paper in a question."""
        ...

    def is_dataset(self, name: str) -> bool:
        """Whether the papers use the name as one of data to measure on."""
        ...

    def is_title(self, words: str) -> bool:
        """Whether exactly one paper's title holds the words."""
        ...


def depends(question: str, library: Library) -> bool:
    """Whether the question means something that was said before it."""
    words = without_end(question)
    return bool(reference(words, library) or ellipsis(words, library) is not None or continues(words, library))


def without_end(question: str) -> str:
    """The question without the marks at its end and without needless blanks."""
    return " ".join(question.split()).rstrip(" ?.!…")


def known_names(question: str, library: Library) -> tuple[list[Name], tuple[str, ...]]:
    mentions = library.mentions(question)
    texts = {name.text for name in names_in(question, mentions)}
    names = names_in(question, mentions, {text for text in texts if library.is_dataset(text)})
    places = {(name.start) for name in names if name.kind == "paper"}
    return names, tuple(dict.fromkeys(mention.paper for mention in mentions if mention.start in places))


def reference(words: str, library: Library) -> re.Match[str] | None:
    """The first word that means something outside the question."""
    found = _PRONOUN.search(words) or _THEM.search(words) or _OF_THEM.search(words)
    if found:
        return found
    for pattern in (_NUMBERED, _THAT):
        for match in pattern.finditer(words):
            before = words[: match.start()]
            named = bool(library.mentions(before)) or _ANY_PAPER.search(before) is not None
            if not named and not (pattern is _NUMBERED and _is_described(match)):
                return match
    return None


def _is_described(match: re.Match[str]) -> bool:
    """Whether "the first paper" goes on with what it is the first of, or is no paper at all ("the first token")."""
    if match["ordinal"] is None:
        return False
    following = match["rest"].strip().casefold()
    head = (match["head"] or "").strip()
    if head in ("one", "citation", "source", "row"):
        return False
    if not head:
        pointing = match["ordinal"].casefold() in ("former", "latter")
        return bool(re.match(r"\w", following)) and not pointing and not _VERB.fullmatch(following)
    return following in _RELATIVE


def ellipsis(words: str, library: Library) -> str | None:
    """What is left of a question without a verb, without its lead; None where the question is whole."""
    lead = _LEAD.match(words)
    rest = words[lead.end() :] if lead else words
    led = bool(lead and (lead["joint"] or lead["about"]))
    if not rest or _CLAUSE.search(rest) or len(rest.split()) > LONGEST_FRAGMENT * (2 if led else 1):
        return rest if rest and BARE.fullmatch(rest) else None
    if led or BARE.fullmatch(rest):
        return rest
    names, _ = known_names(rest, library)
    if PREPOSITION.match(rest):
        return rest
    if re.match(r"(?:how many|how much|which|what)\s+\w+(?:\s+\w+)?$", rest, re.IGNORECASE) and not names:
        return rest
    return None


def continues(words: str, library: Library) -> bool:
    """Whether it is a whole question that goes on with the one before ("and how large is the index?")."""
    lead = _LEAD.match(words)
    if not lead or not lead["joint"] or not _CLAUSE.search(words):
        return False
    return not library.mentions(words) and not _ANY_PAPER.search(words)


def without_lead(words: str) -> str:
    lead = _LEAD.match(words)
    return words[lead.end() :] if lead and not lead["about"] else words
