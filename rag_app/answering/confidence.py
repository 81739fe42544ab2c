"""How sure an answer is, in three levels: clearness of the evidence, agreement of sources, verified quotes.

Pure. Weights and thresholds were fitted by benchmarks/calibrate_refusal.py on public questions with marked answers;
`eval` prints how often each level is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp
from typing import Literal

from rag_app.records import Answer, Hit
from rag_app.text.terms import content_words

Level = Literal["high", "medium", "low"]
Quote = tuple[str, int, str]  # paper, page, words

CONFIDENCE_BIAS = -4.63
CONFIDENCE_WEIGHTS: dict[str, float] = {"chance": 0.79, "clear": 1.18, "shared": 1.96, "agreement": 1.72}
HIGH, LOW = 0.4, 0.15  # of the estimated chance that the answer is right
USUAL_CHANCE = 0.6  # that the evidence answers, where the reader does not say
LOOKED_AT = 10  # hits
FILLED = 0.75  # of a table's cells: with fewer its confidence is low


def retrieval_clearness(hits: Sequence[Hit]) -> float:
    """1 when one passage is the best by meaning and by words, 1/n when the best common rank of the first hits is n.

    The two searches err in different ways: what both find is seldom wrong (Lee, SIGIR 1997, on combining evidence).
    """
    ranks = [max(hit.by_meaning, hit.by_words) for hit in hits[:LOOKED_AT] if hit.by_meaning and hit.by_words]
    return 1 / min(ranks) if ranks else 0.0


def confidence_features(question: str, quotes: Sequence[Quote], clear: float, chance: float | None) -> dict[str, float]:
    """What the level rests on, each 0..1; needs at least one quote.

    chance: the reader's own estimate that the evidence answers. clear: see clearness. shared: of the question's words,
    the share that one quote holds. agreement: of the quotes, the share that stands on one and the same page.
    """
    wanted = set(content_words(question))
    shared = max(len(wanted & set(content_words(words))) for _, _, words in quotes) / (len(wanted) or 1)
    pages = Counter((paper, page) for paper, page, _ in quotes)
    return {
        "chance": USUAL_CHANCE if chance is None else chance,
        "clear": clear,
        "shared": shared,
        "agreement": max(pages.values()) / len(quotes),
    }


def estimate_correctness(given: Mapping[str, float]) -> float:
    """The estimated chance that an answer with these grounds is right."""
    score = CONFIDENCE_BIAS + sum(weight * given[name] for name, weight in CONFIDENCE_WEIGHTS.items())
    return 1 / (1 + exp(-score))


def confidence_level(likely: float) -> Level:
    """The plain word for it."""
    return "high" if likely >= HIGH else "low" if likely < LOW else "medium"


def rate_confidence(answer: Answer, clear: float, chance: float | None = None) -> Literal["", "high", "medium", "low"]:
    """The level of an answer that was given, low when it cites nothing; empty for a refusal and an error.

    What is not verified in full is medium at most, and low when less than half is. A table is medium at most too: its
    cells are chosen one by one, and are right less often.
    """
    if answer.status != "answered":
        return ""
    if not answer.citations:
        return "low"
    verified = sum(citation.verified for citation in answer.citations) / len(answer.citations)
    if verified < 0.5:
        return "low"
    doubtful = verified < 1 or bool(answer.unsupported)
    if answer.table is not None:
        cells = [cell for row in answer.table.rows for cell in row.cells]
        filled = sum(bool(cell.citations) and cell.state == "found" for cell in cells) / len(cells)
        return "medium" if filled >= FILLED and not doubtful else "low"
    quotes = [(citation.paper, citation.page, citation.quote) for citation in answer.citations]
    said = confidence_level(estimate_correctness(confidence_features(answer.question, quotes, clear, chance)))
    return "medium" if said == "high" and doubtful else said
