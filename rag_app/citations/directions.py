"""Words of direction, which turn a statement around: "40% more" against a quote of "40% fewer". Pure. English only."""

from __future__ import annotations

import re

from rag_app.text.sentences import word_set

# Each pair: the words of one direction, and those of the other.
_OPPOSITES = (
    (
        word_set(
            "more higher larger bigger greater above increase increases increased increasing rise rises rose grows grew"
        ),
        word_set(
            "fewer less lower smaller below decrease decreases decreased decreasing reduce reduces reduced reducing "
            "drops dropped falls fell shrinks shrank"
        ),
    ),
    (word_set("better best improves improved outperforms"), word_set("worse worst degrades degraded underperforms")),
    (word_set("faster quicker"), word_set("slower")),
    (word_set("longer"), word_set("shorter")),
)


def opposite_direction(text: str, quotes: str) -> tuple[str, str] | None:
    """The word of a text that turns its quotes around, and the word of the quotes; None where no word does.

    It does where the quotes have words of the other direction only, and the text has none of these.
    """
    said, quoted = _words(text), _words(quotes)
    for pair in _OPPOSITES:
        for one, other in (pair, pair[::-1]):
            told, held = [word for word in said if word in one], [word for word in quoted if word in other]
            if told and held and one.isdisjoint(quoted) and other.isdisjoint(said):
                return told[0], held[0]
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.casefold())
