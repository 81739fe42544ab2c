"""For a question that the papers do not answer: of what in it they do speak, and of what not. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rag_app.citations.support import Ground
from rag_app.records import Evidence
from rag_app.retrieval.question import is_filler
from rag_app.text.terms import content_words, names, squash

MOST = 3  # things that are listed on either side
SHORTEST = 4  # letters: a shorter word alone says little about what a question wants

_EMPTY = frozenset(
    content_words(
        "obtain obtains reach reached achieve take took taken make made went goes need needed cost costs happen "
        "happens become became come came keep kept find found tell told call called described given into onto does"
    )
)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def near_miss(question: str, evidence: Sequence[Evidence]) -> str:
    """A sentence: "The papers speak of DPR, but what was found says nothing of HotpotQA." Empty when nothing is known.

    `evidence` is all that was found, best first. Names are looked for in any spelling, words by their roots.
    """
    if not evidence:
        return ""
    texts = [f"{piece.title}\n{piece.text}" for piece in evidence]
    ground = Ground(texts)
    held = Counter(root for text in texts for root in content_words(text))
    called = [name for name in names(question) if not name[0].islower()]  # "top-20" is no name to speak of
    there = [name for name in called if ground.holds_name(name)]
    absent = [name for name in called if name not in there]
    known, unknown = _words(question, called, held)
    missing = _listed([*absent, *unknown])
    speaks = _listed([*there, *known])
    if missing and speaks:
        return f"The papers speak of {speaks}, but what was found says nothing of {missing}."
    if missing:
        return f"What was found in the papers says nothing of {missing}."
    if len(there) > 1:
        return f"The papers speak of {_listed(there)}, but nothing that was found answers this about them together."
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


def _listed(things: Sequence[str]) -> str:
    kept = list(things[:MOST])
    return " and ".join([", ".join(kept[:-1]), kept[-1]] if len(kept) > 1 else kept)
