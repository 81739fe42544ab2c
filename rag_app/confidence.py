"""How sure an answer is, in three plain levels: how clearly the papers speak, whether they agree, what was verified.

Pure. Weights and cuts were fitted by benchmarks/calibrate_refusal.py on public questions whose answers people marked;
`eval` prints how often each level is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Literal

from rag_app.claims import Ground, names, numbers
from rag_app.records import Answer, Evidence, Hit

Level = Literal["high", "medium", "low"]
Stated = Literal["", "high", "medium", "low"]

CONFIDENCE_BIAS = -3.0
CONFIDENCE_WEIGHTS: dict[str, float] = {"chance": 3.0, "clear": 1.0, "agreement": 0.5}
HIGH, LOW = 0.6, 0.35  # of the estimated chance that the answer is right
USUAL_CHANCE = 0.6  # that the evidence answers, where the reader does not say
USUAL_AGREEMENT = 0.5  # where there is nothing to agree on
LOOKED_AT = 10  # hits
FILLED = 0.75  # of a table's cells: with fewer its confidence is low


def clearness(hits: Sequence[Hit]) -> float:
    """1 when one passage is the best by meaning and by words, 1/n when the best common rank of the first hits is n.

    The two searches err in different ways, so what both find is seldom wrong (Lee, SIGIR 1997, on combining evidence).
    """
    ranks = [max(hit.by_meaning, hit.by_words) for hit in hits[:LOOKED_AT] if hit.by_meaning and hit.by_words]
    return 1 / min(ranks) if ranks else 0.0


def agreement(question: str, said: str, others: Sequence[str]) -> float:
    """Of the numbers and names that a quote adds to the question, the share that other pages hold too."""
    known, ground = Ground([question]), Ground(others)
    found = [ground.holds_number(number) for number in numbers(said) if not known.holds_number(number)]
    found += [ground.holds_name(name) for name in names(said) if not known.holds_name(name)]
    return sum(found) / len(found) if found else USUAL_AGREEMENT


def confidence(answer: Answer, evidence: Sequence[Evidence], clear: float, chance: float | None = None) -> Stated:
    """The level of an answer that was given, low when it cites nothing; empty for a refusal.

    `chance` is the reader's own estimate that the evidence answers. What was not verified is never high, and a table
    is not either: its cells are chosen one by one, and are right less often.
    """
    if answer.status != "answered" or not answer.citations:
        return "low" if answer.status == "answered" else ""
    verified = sum(citation.verified for citation in answer.citations) / len(answer.citations)
    if answer.table is not None:
        cells = [cell for row in answer.table.rows for cell in row.cells]
        filled = sum(bool(cell.citations) for cell in cells) / len(cells)
        return "medium" if filled >= FILLED and verified == 1 else "low"
    first = answer.citations[0]
    others = [piece.text for piece in evidence if (piece.paper, piece.page) != (first.paper, first.page)]
    grounds = {
        "chance": USUAL_CHANCE if chance is None else chance,
        "clear": clear,
        "agreement": agreement(answer.question, first.quote, others),
    }
    return level(grounds, doubtful=verified < 1 or bool(answer.unsupported), refuted=verified < 0.5)


def level(grounds: dict[str, float], doubtful: bool = False, refuted: bool = False) -> Level:
    """The level that the grounds give; what is doubtful is medium at most, what is refuted low."""
    score = CONFIDENCE_BIAS + sum(weight * grounds[name] for name, weight in CONFIDENCE_WEIGHTS.items())
    sure = 1 / (1 + exp(-score))
    if refuted or sure < LOW:
        return "low"
    return "medium" if doubtful or sure < HIGH else "high"
