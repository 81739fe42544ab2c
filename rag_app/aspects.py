"""A comparison taken apart: what is asked of each paper, and the sentences that answer each part. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from rag_app.claims import content_words
from rag_app.sentence_ranking import Asked, Unit, score_units

MOST_ASPECTS = 5

COMPARES = re.compile(
    r"(?:^|[.:;]\s+)(?:compare|contrast)\b|\bhow (?:do|does|did|is|are)\b.{3,80}\bdiffer", re.IGNORECASE
)
_SPLIT = re.compile(
    r"[,;:?]\s*(?:and\s+|or\s+)?|\s+and\s+(?=how\b|what\b|which\b|where\b|when\b|the\b|whether\b|is\b|do\b)"
)
_LEAD = re.compile(r"^(?:how do|how does|what did|compare|as \w+|both)\b", re.IGNORECASE)


def aspects(question: str, names: Sequence[str] = ()) -> list[str]:
    """The parts of a comparative question, without the papers' names: what is to be compared, in order.

    "Compare A and B: how many encoders each uses, and where negatives come from." has two. A question that is not in
    parts is one aspect.
    """
    _, colon, after = question.partition(":")
    text = after if colon and len(content_words(after)) > 1 else question
    parts = [part.strip(" .?!") for part in _SPLIT.split(text)]
    own = {word for name in names for word in content_words(name)}
    found = [part for part in parts if [word for word in content_words(_LEAD.sub("", part)) if word not in own]]
    # "masking rate, positional information and corpus": the last comma-free pair is two aspects as well
    if len(found) > 1 and len(found[-1].split()) <= 6 and " and " in found[-1]:
        found[-1:] = [part.strip() for part in found[-1].split(" and ")]
    return found[:MOST_ASPECTS] or [question]


def best_for_aspects(
    parts: Sequence[str],
    units: Sequence[Unit],
    take_apart: Callable[[str], Asked],
    embed: Callable[[str], np.ndarray] | None,
    alike: Callable[[Unit, Unit], bool],
) -> list[Unit]:
    """For each aspect the unit of one paper that speaks to it best; one that was taken already is not repeated."""
    chosen: list[Unit] = []
    for part in parts:
        score_units(take_apart(part), units, embed(part) if embed else None)
        ranked = sorted(units, key=lambda unit: -unit.score)
        best = next((unit for unit in ranked if not any(alike(unit, other) for other in chosen)), None)
        if best is not None:
            chosen.append(best)
    return chosen
