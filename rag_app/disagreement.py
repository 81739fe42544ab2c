"""Where papers disagree: pairs of quoted claims that say opposite things of the same matter.

Pure but for its parts. Careful: better no pair than a false one. Two claims are a pair only when they share what they
speak of, nearly all of it, and one says that it helps where the other says that it does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag_app.claims import content_words, names, number_values, squash
from rag_app.sentence_ranking import Unit
from rag_app.statements import statement, without_citations

_ASKS = re.compile(
    r"\b(?:disagree\w*|contradict\w*|conflict(?:ing|s)?|inconsisten\w+|(?:say|claim|report|find) (?:the )?opposite)\b",
    re.IGNORECASE,
)
_TOPIC = re.compile(r"\b(?:about|on|over|regarding|concerning|whether|as to)\s+(?P<topic>[^?]+)", re.IGNORECASE)
_UP = re.compile(
    r"\b(?:improv\w+|increas\w+|outperform\w*|help(?:s|ed|ful)?|benefi\w+|better|boost\w*|gain\w*|higher|superior|effective|"
    r"enhanc\w+|useful|positive(?:ly)?|surpass\w*|exceed\w*|essential|necessary|crucial)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:degrad\w+|decreas\w+|reduc\w+|hurt\w*|harm\w*|wors\w+|underperform\w*|drop\w*|declin\w+|lower|inferior|"
    r"ineffective|detrimental|negative(?:ly)?|fail\w*|useless|deteriorat\w+|unnecessary|unhelpful)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not|no|never|cannot|without|hardly|little|neither|nor|fails? to|does ?n[o’']t|do ?n[o’']t)\b", re.I
)
# A fall in these is good news: the words of direction then say nothing of who is right.
_COSTS = re.compile(
    r"\b(?:error|loss|perplexity|latency|cost|time|memory|hallucinat\w*|toxic\w*|parameters|overhead)\b", re.I
)
_GUARDED = re.compile(
    r"\b(?:may|might|could|whether|if|would|hypothes\w+|expect\w*|assum\w+|question)\b", re.IGNORECASE
)

LEAST_SHARED = 3  # words of the matter that both claims hold, beside the words of direction
LEAST_ALIKE = 0.62  # cosine of the two claims
MOST_PAIRS = 5


@dataclass(frozen=True)
class Claimed:
    """A claim of one paper, and its direction: 1 for better, -1 for worse."""

    unit: Unit
    direction: int
    words: frozenset[str]


@dataclass(frozen=True)
class Pair:
    """Two claims of different papers that point in opposite directions, and how their conditions differ."""

    one: Unit
    other: Unit
    conditions: tuple[str, str]  # names and numbers that only the one, only the other, holds


def asks_for_disagreement(question: str) -> bool:
    """Whether a question asks where papers disagree."""
    return _ASKS.search(question) is not None


def topic_of(question: str) -> str:
    """What the papers may disagree about; the whole question when it does not say."""
    found = _TOPIC.search(question)
    return found["topic"].strip(" .?!") if found else question


def direction_of(text: str) -> int:
    """1 when a claim says better, -1 when worse, 0 when it says both, neither, or only perhaps."""
    bare = without_citations(text)
    if _GUARDED.search(bare) or _COSTS.search(bare):
        return 0
    up, down = _UP.search(bare), _DOWN.search(bare)
    if (up is None) == (down is None):
        return 0
    found = up or down
    assert found is not None
    negated = _NOT.search(bare[max(0, found.start() - 40) : found.start()]) is not None
    return (1 if up else -1) * (-1 if negated else 1)


def claims_in(units: Sequence[Unit]) -> list[Claimed]:
    """The units that are claims of the authors' own with a direction."""
    found = []
    for unit in units:
        says = statement(unit.text, unit.evidence.section)
        if unit.row or unit.caption or says["others"] or says["lost"] or says["about_text"]:
            continue
        direction = direction_of(unit.text)
        if direction:
            bare = _DOWN.sub(" ", _UP.sub(" ", without_citations(unit.text)))
            found.append(Claimed(unit, direction, frozenset(content_words(bare))))
    return found


def pairs(claims: Sequence[Claimed], topic: str) -> list[Pair]:
    """Opposed claims of different papers about the topic, the surest first, at most MOST_PAIRS; each claim once."""
    wanted = frozenset(content_words(topic))
    found = sorted(_opposed(claims, wanted), key=lambda one: -one[0])
    used: set[int] = set()
    kept: list[Pair] = []
    for _, one, other in found:
        if id(one.unit) in used or id(other.unit) in used:
            continue
        used |= {id(one.unit), id(other.unit)}
        kept.append(Pair(one.unit, other.unit, (_only(one.unit, other.unit), _only(other.unit, one.unit))))
    return kept[:MOST_PAIRS]


def _opposed(claims: Sequence[Claimed], wanted: frozenset[str]) -> Iterator[tuple[float, Claimed, Claimed]]:
    for place, one in enumerate(claims):
        for other in claims[place + 1 :]:
            if one.unit.evidence.paper == other.unit.evidence.paper or one.direction == other.direction:
                continue
            shared = one.words & other.words
            if len(shared) < LEAST_SHARED or not wanted <= shared | (wanted - one.words - other.words):
                continue
            if len(shared & wanted) < min(2, len(wanted)):
                continue
            if one.unit.vector is None or other.unit.vector is None:
                continue
            alike = float(one.unit.vector @ other.unit.vector)
            if alike >= LEAST_ALIKE:
                yield alike + 0.05 * len(shared), one, other


def _only(one: Unit, other: Unit) -> str:
    """The names and numbers by which one claim's conditions differ from the other's."""
    bare, against = without_citations(one.text), without_citations(other.text)
    held = squash(against)
    own = [name for name in names(bare) if squash(name) not in held]
    numbers = [
        text for text in re.findall(r"\d+(?:\.\d+)?\s?%?", bare) if not number_values(text) & number_values(against)
    ]
    return ", ".join(dict.fromkeys([*own, *(number.strip() for number in numbers)]))
