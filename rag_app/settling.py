"""What becomes of a model's answer after its check: answered, answered with a warning, or withheld. Pure.

The model is always asked first. A model that found nothing is believed; an answer without a single sentence that its
citations wholly back is not shown as one where the passages do not look as if they answered the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_app.records import Answer, Citation
from rag_app.sufficiency import THRESHOLD

NOT_BACKED = "No sentence of this answer is wholly backed by the passages that it cites: read them before you use it."
WITHHELD = (
    "Not in these papers: what the model wrote was backed by none of the passages that it cites, and is left out."
)
UNLIKELY = "By the measure of the reader without a model, the passages that were found do not answer this question."
FOUND = "The model found no answer, though by the measure of the reader without a model the passages may hold one."


def settled(answer: Answer, chance: float, near: Sequence[Citation], *, whole: bool = True) -> Answer:
    """The checked answer with its status and notes; `chance` is sufficiency's, 0..1, `near` what stands in its place.

    `whole`: the model came to an end; what was stopped or cut off is never withheld, only marked.
    """
    likely = chance >= THRESHOLD
    if answer.status == "not_in_papers":
        return _noted(answer, FOUND) if likely else answer
    if answer.status == "error":
        return answer
    if is_backed(answer):
        return answer if likely else _noted(answer, UNLIKELY)
    if likely or not whole:
        return _noted(answer, NOT_BACKED)
    return replace(
        answer,
        status="not_in_papers",
        answer=WITHHELD,
        citations=(),
        unsupported=(),
        verdicts=(),
        repaired=False,
        nearest=tuple(near),
    )


def is_backed(answer: Answer) -> bool:
    """Whether at least one sentence is wholly supported, by a citation whose words were found on their page."""
    found = {citation.number for citation in answer.citations if citation.verified}
    return bool(found) and any(verdict.support == "supported" for verdict in answer.verdicts)


def _noted(answer: Answer, note: str) -> Answer:
    return replace(answer, notes=(*answer.notes, note))
