"""Whether the answer is "not in these papers", and what is then said of the question's names and words. Pure.

Without a model, quoting/reader.py asks quoting/answerability.py and this module words the refusal. With a small model,
`decide_status` decides after its check: answered, answered with a warning, or withheld.

If the passages do not seem to answer the question, it depends on the model how far it is believed: a tiny one is not
asked, and a small one has to support at least one sentence. What a larger one or one of unknown size wrote is marked,
never taken away. A model that found nothing is believed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rag_app.answering.quoting.answerability import THRESHOLD
from rag_app.citations.support import BackingTexts
from rag_app.records import Answer, Citation, Evidence
from rag_app.retrieval.question_terms import is_filler
from rag_app.text.terms import content_words, find_names, squash

MOST = 3  # things that are listed on either side
SHORTEST = 4  # letters: a shorter word alone says little about what a question wants

_EMPTY = frozenset(
    content_words(
        "obtain obtains reach reached achieve take took taken make made went goes need needed cost costs happen "
        "happens become became come came keep kept find found tell told call called described given into onto does"
    )
)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def explain_near_miss(question: str, evidence: Sequence[Evidence]) -> str:
    """A sentence: "The papers mention DPR, but the passages found do not mention HotpotQA." "" when nothing is known.

    `evidence` is all that was found, best first. Names are looked for in any spelling, words by their roots.
    """
    if not evidence:
        return ""
    texts = [f"{piece.title}\n{piece.text}" for piece in evidence]
    ground = BackingTexts(texts)
    held = Counter(root for text in texts for root in content_words(text))
    called = [name for name in find_names(question) if not name[0].islower()]  # "top-20" is no name to speak of
    there = [name for name in called if ground.holds_name(name)]
    absent = [name for name in called if name not in there]
    known, unknown = _words(question, called, held)
    missing = _join_words([*absent, *unknown])
    speaks = _join_words([*there, *known])
    if missing and speaks:
        return f"The papers mention {speaks}, but the passages found do not mention {missing}."
    if missing:
        return f"The passages found do not mention {missing}."
    if len(there) > 1:
        return f"The papers mention {_join_words(there)}, but no passage found answers this about them together."
    return ""


def _words(question: str, called: Sequence[str], held: Counter[str]) -> tuple[list[str], list[str]]:
    """The question's other words: those that the evidence holds, rarest there first, and those that it does not."""
    inside = {squash(part) for name in called for part in [name, *re.split(r"[-/]", name)]}
    known: dict[str, int] = {}
    unknown: list[str] = []
    for word in dict.fromkeys(_WORD.findall(question)):
        roots = content_words(word)
        if squash(word) in inside or len(word) < SHORTEST or not roots or _says_little(roots):
            continue
        if all(root in held for root in roots):
            known[word] = min(held[root] for root in roots)
        else:
            unknown.append(word)
    return sorted(known, key=lambda word: known[word]), unknown


def _says_little(roots: Sequence[str]) -> bool:
    return any(root in _EMPTY or is_filler(root) for root in roots)


def _join_words(things: Sequence[str]) -> str:
    kept = list(things[:MOST])
    return " and ".join([", ".join(kept[:-1]), kept[-1]] if len(kept) > 1 else kept)


# Against the measure of the reader without a model: "none" is never believed, "checked" where something of what it says
# is backed, "full" always: what it wrote is marked, and never taken away.
Trust = Literal["none", "checked", "full"]

NOT_BACKED = "The cited passages do not fully support any sentence of this answer. Read them before you use it."
OUTSIDE = "Not in these papers: none of them seems to be about this."
WITHHELD = "Not in these papers: what the model wrote is not shown, because the cited passages do not support it."
NOT_ASKED = "The model was not asked: models of this size also answer when the papers do not."
UNLIKELY = "A check without the model suggests that the passages found do not answer this question."
FOUND = "The model found no answer, but a check without the model suggests that the passages contain one."


def is_likely(chance: float) -> bool:
    """Whether the passages look as if they answered the question; `chance` is sufficiency's, 0..1."""
    return chance >= THRESHOLD


def decide_status(
    answer: Answer, chance: float, near: Sequence[Citation], *, trust: Trust = "checked", whole: bool = True
) -> Answer:
    """The checked answer with its status and notes; `near` is what stands in its place where it is withheld.

    `whole`: the model came to an end; what was stopped or cut off is never withheld, only marked.
    """
    likely = is_likely(chance)
    if answer.status == "not_in_papers":
        return _add_note(answer, FOUND) if likely else answer
    if answer.status == "error":
        return answer
    if likely:
        return answer if is_backed(answer) else _add_note(answer, NOT_BACKED)
    if not whole or trust == "full":
        return _add_note(answer, UNLIKELY if is_backed(answer) else NOT_BACKED)
    if trust == "none" or not is_backed(answer):
        return _withhold_answer(answer, WITHHELD, near)
    return _add_note(answer, UNLIKELY)


def is_backed(answer: Answer) -> bool:
    """Whether at least one sentence is wholly supported, by a citation whose words were found on their page."""
    found = {citation.number for citation in answer.citations if citation.verified}
    return bool(found) and any(verdict.support in ("supported", "unchecked") for verdict in answer.verdicts)


def _withhold_answer(answer: Answer, said: str, near: Sequence[Citation]) -> Answer:
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


def _add_note(answer: Answer, note: str) -> Answer:
    return replace(answer, notes=(*answer.notes, note))
