"""What becomes of a model's answer after its check: answered, answered with a warning, or withheld. Pure.

Where the passages do not look as if they answered the question, it depends on the model how far it is believed: a tiny
one is not even asked; one of unknown size has to back every sentence; a larger one has to back one. A model that found
nothing is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rag_app.records import Answer, Citation
from rag_app.sufficiency import THRESHOLD

# Against the measure of the reader without a model: "none" is never believed, "wholly checked" where all that it says
# is backed, "checked" where something is.
Trust = Literal["none", "wholly checked", "checked"]

NOT_BACKED = "No sentence of this answer is wholly backed by the passages that it cites: read them before you use it."
WITHHELD = (
    "Not in these papers: what the model wrote was backed by none of the passages that it cites, and is left out."
)
PARTLY_WITHHELD = (
    "Not in these papers: what the model wrote was not wholly backed by the passages that it cites, and is left out."
)
NOT_ASKED = "The model was not asked: one of its size answers also what the papers do not hold."
UNLIKELY = "By the measure of the reader without a model, the passages that were found do not answer this question."
FOUND = "The model found no answer, though by the measure of the reader without a model the passages may hold one."


def is_likely(chance: float) -> bool:
    """Whether the passages look as if they answered the question; `chance` is sufficiency's, 0..1."""
    return chance >= THRESHOLD


def settled(
    answer: Answer, chance: float, near: Sequence[Citation], *, trust: Trust = "checked", whole: bool = True
) -> Answer:
    """The checked answer with its status and notes; `near` is what stands in its place where it is withheld.

    `whole`: the model came to an end; what was stopped or cut off is never withheld, only marked.
    """
    likely = is_likely(chance)
    if answer.status == "not_in_papers":
        return _noted(answer, FOUND) if likely else answer
    if answer.status == "error":
        return answer
    if likely:
        return answer if is_backed(answer) else _noted(answer, NOT_BACKED)
    if not whole:
        return _noted(answer, UNLIKELY if is_backed(answer) else NOT_BACKED)
    if not is_backed(answer):
        return _withheld(answer, WITHHELD, near)
    if trust == "checked" or (trust == "wholly checked" and not answer.unsupported):
        return _noted(answer, UNLIKELY)
    return _withheld(answer, PARTLY_WITHHELD, near)


def is_backed(answer: Answer) -> bool:
    """Whether at least one sentence is wholly supported, by a citation whose words were found on their page."""
    found = {citation.number for citation in answer.citations if citation.verified}
    return bool(found) and any(verdict.support == "supported" for verdict in answer.verdicts)


def _withheld(answer: Answer, said: str, near: Sequence[Citation]) -> Answer:
    return replace(
        answer,
        status="not_in_papers",
        answer=said,
        citations=(),
        unsupported=(),
        verdicts=(),
        repaired=False,
        nearest=tuple(near),
    )


def _noted(answer: Answer, note: str) -> Answer:
    return replace(answer, notes=(*answer.notes, note))
