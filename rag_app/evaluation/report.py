"""Scored answers -> one report; and whether a report is worse than an accepted one by more than noise. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag_app.errors import QuestionError
from rag_app.evaluation.questions import KINDS
from rag_app.evaluation.scoring import ScoredAnswer
from rag_app.outputs.feedback import is_same_answer
from rag_app.records import Json

SCORES = (
    "recall@5",
    "recall@10",
    "fact coverage",
    "facts shown",
    "citation precision",
    "quote validity",
    "answered",
    "refused",
    "cells right",
    "papers F1",
)
LEVELS = ("high", "medium", "low")
RESAMPLES = 2000
CERTAINTY = 0.95  # a drop counts when so many of the resamples drop


def summarise_answers(outcomes: Sequence[ScoredAnswer]) -> Json:
    """The report as a JSON value: shares by kind and over all, and each question's own line.

    "falsely refused" is the share of the answerable questions that were refused; errors are counted apart.
    """
    disliked = [o for o in outcomes if not o.question.has_gold]
    outcomes, everything = [o for o in outcomes if o.question.has_gold], outcomes
    by_kind = {kind: [o for o in outcomes if o.question.kind == kind] for kind in KINDS}
    answerable = [o for o in outcomes if o.question.answerable]
    unanswerable = by_kind["unanswerable"]
    seconds = [o.answer.milliseconds.get("total", 0.0) / 1000 for o in everything]
    cells = [o.cells for o in outcomes if o.cells]
    return {
        "questions": len(outcomes),
        "reader": " ".join(dict.fromkeys(o.answer.reader for o in everything if o.answer.reader)),
        "kinds": {kind: {"questions": len(of), **_means(of)} for kind, of in by_kind.items() if of},
        "all": _means(outcomes),
        "refusal": {
            "refused of the unanswerable": _refusal_rate(unanswerable),
            "falsely refused of the answerable": _refusal_rate(answerable),
        },
        "quotes": dict(
            zip(
                ("cited", "verified", "on the page"),
                (sum(o.quotes[place] for o in everything) for place in range(3)),
                strict=True,
            )
        ),
        "cells": {name: sum(c[name] for c in cells) for name in ("right", "wrong", "missing")} if cells else {},
        "confidence": calibration((o.answer.confidence, o.right) for o in outcomes if o.answer.status == "answered"),
        "errors": sum(o.answer.status == "error" for o in everything),
        "seconds": _percentiles(seconds),
        "tokens": {
            "total": sum(o.answer.tokens for o in everything),
            "mean": _mean([o.answer.tokens for o in everything]),
        },
        "each": [_line(outcome) for outcome in outcomes],
        **({"disliked": compare_disliked(disliked)} if disliked else {}),
    }


def compare_disliked(outcomes: Sequence[ScoredAnswer]) -> Json:
    """Questions whose answer got a thumb down, asked again: nothing is known of what is right, so nothing is scored.

    Told is only whether today's answer still says the words that were disliked.
    """
    lines = [
        {
            "id": o.question.id,
            "question": o.question.question,
            "reason": o.question.reason,
            "status": o.answer.status,
            "same answer": is_same_answer(o.question.disliked or "", o.answer.answer),
            "answer": o.answer.answer,
        }
        for o in outcomes
    ]
    return {"questions": len(lines), "same answer": sum(line["same answer"] for line in lines), "each": lines}


def calibration(answers: Iterable[tuple[str, bool]]) -> Json:
    """Per level of confidence how many answers have it, and which share of them is right; levels nobody has are absent.

    `answers` are level and whether the answer was right.
    """
    given = list(answers)
    found = {level: [right for said, right in given if said == level] for level in LEVELS}
    return {
        level: {"answers": len(rights), "right": round(sum(rights) / len(rights), 3)}
        for level, rights in found.items()
        if rights
    }


def _means(outcomes: Sequence[ScoredAnswer]) -> dict[str, float]:
    values = {name: [o.scores[name] for o in outcomes if name in o.scores] for name in SCORES}
    return {name: _mean(found) for name, found in values.items() if found}


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 3) if values else 0.0


def _refusal_rate(outcomes: Sequence[ScoredAnswer]) -> float | None:
    return _mean([o.answer.status == "not_in_papers" for o in outcomes]) if outcomes else None


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{share}": round(float(np.percentile(values, share)), 2) if values else 0.0 for share in (50, 95)}


def _line(outcome: ScoredAnswer) -> Json:
    question, answer = outcome.question, outcome.answer
    return {
        "id": question.id,
        "kind": question.kind,
        "question": question.question,
        "status": answer.status,
        "right": outcome.right,
        "confidence": answer.confidence,
        "scores": {name: round(value, 4) for name, value in outcome.scores.items()},
        "cells": outcome.cells,
        "seconds": round(answer.milliseconds.get("total", 0.0) / 1000, 3),
        "tokens": answer.tokens,
    }


# -- the gate -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MetricChange:
    """One measure of the same questions, accepted and now."""

    name: str
    questions: int
    accepted: float
    now: float
    noise: float  # how far below the accepted value chance alone may take it
    worse: bool


def read_accepted_report(path: Path) -> Json:
    """A report that was kept. Raises QuestionError when the file is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        for line in value["each"]:
            _ = line["id"], {**line["scores"]}
    except OSError as error:
        raise QuestionError(
            f"{path}: cannot be opened ({error.strerror}). Correct the path after --baseline."
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise QuestionError(
            f"{path}: not a report of `eval --json`. Write one: rag-app eval FILE --json > …"
        ) from error
    return dict(value)


def compare_reports(report: Json, accepted: Json) -> list[MetricChange]:
    """Every measure of the questions that both reports have, overall and by kind.

    A measure is worse when it dropped by more than noise: a paired bootstrap over the questions (Efron and Tibshirani,
    1993, section 16.4; as for retrieval in Sakai, SIGIR 2006), where 95 % of the resamples have to drop. Raises
    QuestionError when the reports share no question.
    """
    before = {line["id"]: line for line in accepted["each"]}
    pairs = [(before[line["id"]], line) for line in report["each"] if line["id"] in before]
    if not pairs:
        raise QuestionError("The accepted report and this one share no question. Make a new one: eval FILE --json")
    found = []
    for kind in ("all", *KINDS):
        of = [pair for pair in pairs if kind in ("all", pair[1]["kind"])]
        for name in SCORES:
            both = [(old["scores"][name], new["scores"].get(name)) for old, new in of if name in old["scores"]]
            # Nothing cited any more: what then has no citation precision is no drop of it.
            kept = [(old, new) for old, new in both if new is not None]
            if kept:
                found.append(_change(f"{kind}: {name}", kept))
    return found


def _change(name: str, pairs: Sequence[tuple[float, float]]) -> MetricChange:
    old, new = np.array(pairs, dtype=float).T
    drops = old - new
    chance = np.random.default_rng(17)
    means = drops[chance.integers(0, len(drops), (RESAMPLES, len(drops)))].mean(axis=1)
    low = float(np.quantile(means, 1 - CERTAINTY))  # of the drop
    drop = float(drops.mean())
    return MetricChange(
        name, len(pairs), round(float(old.mean()), 3), round(float(new.mean()), 3), drop - low, low > 1e-9
    )


def find_faults(report: Json, found: Sequence[MetricChange]) -> list[str]:
    """Why a report is not acceptable, in sentences; empty when it is."""
    quotes: Mapping[str, int] = report["quotes"]
    said = []
    if quotes["on the page"] < quotes["cited"]:
        said.append(f"{quotes['cited'] - quotes['on the page']} of {quotes['cited']} quotes are not on their page.")
    if report["errors"]:
        said.append(f"{report['errors']} questions ended with an error.")
    said += [
        f"{change.name}: {change.now:.3f}, accepted {change.accepted:.3f} ({change.questions} questions, noise "
        f"{change.noise:.3f})."
        for change in found
        if change.worse
    ]
    return said
