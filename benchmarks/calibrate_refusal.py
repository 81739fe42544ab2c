"""Fits the weights of answering/quoting/answerability.py and the cuts of answering/confidence.py.

    python -m benchmarks.calibrate_refusal [FOLDER]   # FOLDER keeps corpora, indexes and signs for the next run

The questions are made by benchmarks/refusal_material.py from public sets; whether a question belongs to the library at
all is fitted apart, by benchmarks/calibrate_outside.py. Draws docs/experiments/plots/refusal.svg.

What to believe: "held out" is judged by weights and a threshold from other papers (two folds of the papers within each
set), "left out" by those of the other sets altogether. The development questions and QASPER's full set take no part in
fit or threshold: they are only measured. (The older signs were designed while looking at the former, so that even this
figure is somewhat optimistic.)
"""

from __future__ import annotations

import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks import plots
from benchmarks.common import ROOT
from benchmarks.refusal_material import QASPER_FULL, Asking, libraries
from rag_app.answering.confidence import CONFIDENCE_WEIGHTS, confidence_features, confidence_level
from rag_app.answering.outside import ABSENT, measure_relatedness, score_relatedness
from rag_app.answering.quoting import ranking
from rag_app.answering.quoting.answerability import LOOKED_AT, WEIGHTS
from rag_app.answering.quoting.reader import QuotingReader, select_quotes
from rag_app.answering.steps import find_evidence, quoting_reader
from rag_app.assistant import Assistant
from rag_app.evaluation.scoring import fold_text
from rag_app.index import generations
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.question import analyse_part

FALSE_REFUSALS = 0.04  # of the answerable questions, averaged over their sets: the threshold's aim
SHARES = (0.02, 0.05, 0.08, 0.10, 0.15, 0.20, 0.30)  # of false refusals, on the curve
DEVELOPMENT = "development"
MEASURED_ONLY = (DEVELOPMENT, QASPER_FULL, f"{QASPER_FULL} unanswerable")
PLOT = ROOT / "docs" / "experiments" / "plots" / "refusal.svg"


@dataclass(frozen=True)
class Seen:
    """One question after its evidence was weighed."""

    group: str
    answerable: bool
    signs: dict[str, float]
    grounds: dict[str, float]  # what confidence looks at
    absent: bool  # no paper is about it: refused whatever the signs say
    right: bool | None  # whether the quoted units hold the marked words; None where nobody marked any


Sets = Mapping[str, Sequence[Seen]]
Score = Callable[[Sequence[Seen]], np.ndarray]


def main(folder: Path) -> dict[str, Any]:
    """Ask all sets, fit, choose the threshold, report."""
    ranking.CLOSE_LOOKS = LOOKED_AT  # the signs look no further, and comparing by meaning takes longest
    seen: dict[str, list[Seen]] = {}
    for assistant, sets in libraries(folder):
        for name, asked in sets.items():
            print(f"asking: {name}, {len(asked)} questions", file=sys.stderr)
            seen[name] = ask_all(assistant, asked)
    return report(seen)


def ask_all(assistant: Assistant, asked: Iterable[Asking]) -> list[Seen]:
    """Search for each question and weigh what was found. Questions that find nothing are left out."""
    result: list[Seen] = []
    generation = generations.open_current(assistant.settings.index_folder)
    try:
        retriever = Retriever(generation, assistant.embedder.embed_question)
        for asking in asked:
            found = find_evidence(
                retriever, analyse_part(asking.text, retriever, Scope(asking.papers)), QuotingReader.budget
            )
            reader = quoting_reader(found, assistant.embedder)
            question, ranked, signs = reader.weigh_evidence(asking.text, found.evidence)
            if signs:
                units = select_quotes(question, ranked)
                quotes = [(unit.evidence.paper, unit.evidence.page, unit.text) for unit in units]
                said = fold_text(" ".join(words for _, _, words in quotes))
                right = any(fold_text(gold) in said for gold in asking.gold) if asking.gold else None
                given = confidence_features(asking.text, quotes, found.clear, None)
                absent = False
                if found.subject is None and not asking.papers:
                    vector = assistant.embedder.embed_question(asking.text)
                    related = measure_relatedness(asking.text, vector, generation)
                    absent = bool(related) and score_relatedness(related) < ABSENT
                right = right if asking.answerable else False
                result.append(Seen(asking.group, asking.answerable, signs, given, absent, right))
    finally:
        generation.close()
    return result


# -- refusal ------------------------------------------------------------------------------------------------------


def report(seen: Sets) -> dict[str, Any]:
    """What was fitted, and how well it does on what it was not fitted to."""
    public = {name: asked for name, asked in seen.items() if name not in MEASURED_ONLY}
    weights, bias = fit(public)
    chance = scored(weights, bias)
    threshold = threshold_of(public, chance)
    held = held_out(public)
    draw(public, held)
    return {
        "WEIGHTS": weights,
        "BIAS": bias,
        "THRESHOLD": round(threshold, 3),
        "refused, held out": {name: round(float((scores < 0).mean()), 3) for name, scores in held.items()},
        "the same, absent subjects too": {
            name: round(float(((scores < 0) | [one.absent for one in order_by_fold(public[name])]).mean()), 3)
            for name, scores in held.items()
        },
        "QASPER full, measured only": _measured(
            [*seen[QASPER_FULL], *seen[f"{QASPER_FULL} unanswerable"]], chance, threshold
        ),
        "curve, held out: falsely refused -> refused": curve(public, held),
        "refused, left out": {name: _left_out(name, public) for name in public},
        "development, measured only": _measured(seen[DEVELOPMENT], chance, threshold),
        "confidence": confidence_report(public, chance, threshold),
    }


def fit(sets: Sets) -> tuple[dict[str, float], float]:
    """Weights and bias. Each set counts as much as any other, and both answers as much as each other."""
    rows = [(one, 1 / len(asked)) for asked in sets.values() for one in asked]
    signs = np.array([[one.signs[name] for name in WEIGHTS] for one, _ in rows])
    labels = np.array([one.answerable for one, _ in rows])
    share = np.array([part for _, part in rows])
    for label in (True, False):
        share[labels == label] /= share[labels == label].sum()
    model = LogisticRegression(C=0.3, max_iter=2000).fit(signs, labels, sample_weight=share * len(rows) / 2)
    return dict(zip(WEIGHTS, np.round(model.coef_[0], 2).tolist(), strict=True)), round(float(model.intercept_[0]), 2)


def scored(weights: Mapping[str, float], bias: float) -> Score:
    """The chance of an answer as these weights see it."""

    def chance(asked: Sequence[Seen]) -> np.ndarray:
        scores = np.array([bias + sum(weights[name] * one.signs[name] for name in weights) for one in asked])
        return 1 / (1 + np.exp(-scores))

    return chance


def threshold_of(sets: Sets, chance: Score, share: float = FALSE_REFUSALS) -> float:
    """Below it lies that share of each answerable set, on average."""
    return float(np.mean([np.quantile(chance(asked), share) for asked in sets.values() if asked and _good(asked)]))


def held_out(sets: Sets) -> dict[str, np.ndarray]:
    """Each question's chance minus the threshold, both by the papers of the other fold."""
    result: dict[str, list[np.ndarray]] = {name: [] for name in sets}
    for fold in (0, 1):
        known = {name: [one for one in asked if _fold(one) != fold] for name, asked in sets.items()}
        chance = scored(*fit({name: asked for name, asked in known.items() if asked}))
        threshold = threshold_of(known, chance)
        for name, asked in sets.items():
            other = [one for one in asked if _fold(one) == fold]
            if other:
                result[name].append(chance(other) - threshold)
    return {name: np.concatenate(parts) for name, parts in result.items()}


def order_by_fold(asked: Sequence[Seen]) -> list[Seen]:
    """The questions in the order of `held_out`: fold after fold."""
    return [one for fold in (0, 1) for one in asked if _fold(one) == fold]


def draw(sets: Sets, held: Mapping[str, np.ndarray]) -> None:
    """For each set without answers how much of it is refused, against the answerable questions refused."""
    cuts = [
        float(np.mean([np.quantile(held[name], share) for name, asked in sets.items() if _good(asked)]))
        for share in SHARES
    ]
    series = {
        name: [(share, float((held[name] < cut).mean())) for share, cut in zip(SHARES, cuts, strict=True)]
        for name, asked in sets.items()
        if not _good(asked)
    }
    title = "Near misses, by weights from other papers"
    plots.lines(PLOT, title, "answerable questions refused", "unanswerable questions refused", series)


def curve(sets: Sets, held: Mapping[str, np.ndarray]) -> dict[str, float]:
    """For shares of false refusals, the share of refusals; each set counts as much as any other. A plot's data."""
    return {f"{share:.2f}": round(_refused_at(sets, held, share), 3) for share in SHARES}


def _refused_at(sets: Sets, held: Mapping[str, np.ndarray], share: float) -> float:
    cut = float(np.mean([np.quantile(held[name], share) for name, asked in sets.items() if _good(asked)]))
    return float(np.mean([(held[name] < cut).mean() for name, asked in sets.items() if not _good(asked)]))


def _left_out(name: str, sets: Sets) -> float:
    """The share of one set that weights and threshold of the other sets refuse."""
    others = {other: asked for other, asked in sets.items() if other != name}
    chance = scored(*fit(others))
    return round(float((chance(sets[name]) < threshold_of(others, chance)).mean()), 3)


def _measured(asked: Sequence[Seen], chance: Score, threshold: float) -> dict[str, Any]:
    scores, answerable = chance(asked), np.array([one.answerable for one in asked])
    return {
        "refused": round(float((scores[~answerable] < threshold).mean()), 3),
        "falsely refused": round(float((scores[answerable] < threshold).mean()), 3),
        "area under the curve": round(float(roc_auc_score(answerable, scores)), 3),
        "curve: falsely refused -> refused": {
            f"{share:.2f}": round(float((scores[~answerable] < np.quantile(scores[answerable], share)).mean()), 3)
            for share in SHARES
        },
    }


def _good(asked: Sequence[Seen]) -> bool:
    return asked[0].answerable


def _fold(one: Seen) -> int:
    return zlib.crc32(one.group.encode()) % 2


# -- confidence ---------------------------------------------------------------------------------------------------


def confidence_report(public: Sets, chance: Score, threshold: float) -> dict[str, Any]:
    """Weights for the chance that an answer is right, and on the other fold the share right at each level.

    Of the questions that are answered at this threshold, and whose answer people marked or that have none.
    """
    marked = [one for asked in public.values() for one in asked if one.right is not None]
    answered = [one for one, sure in zip(marked, chance(marked), strict=True) if sure >= threshold]
    levels: dict[str, list[bool]] = {"high": [], "medium": [], "low": []}
    for fold in (0, 1):
        model = _fit_confidence([one for one in answered if _fold(one) != fold], chance)
        other = [one for one in answered if _fold(one) == fold]
        for one, sure in zip(other, model.predict_proba(_grounds(other, chance))[:, 1], strict=True):
            levels[confidence_level(sure)].append(bool(one.right))
    whole = _fit_confidence(answered, chance)
    return {
        "CONFIDENCE_WEIGHTS": dict(zip(CONFIDENCE_WEIGHTS, np.round(whole.coef_[0], 2).tolist(), strict=True)),
        "CONFIDENCE_BIAS": round(float(whole.intercept_[0]), 2),
        "held out: answers, share right": {
            name: [len(rights), round(float(np.mean(rights)), 3) if rights else None] for name, rights in levels.items()
        },
    }


def _grounds(asked: Sequence[Seen], chance: Score) -> np.ndarray:
    given = [{**one.grounds, "chance": sure} for one, sure in zip(asked, chance(asked), strict=True)]
    return np.array([[one[name] for name in CONFIDENCE_WEIGHTS] for one in given])


def _fit_confidence(asked: Sequence[Seen], chance: Score) -> LogisticRegression:
    """Questions with an answer count as much as those without: the sets hold more of the latter than people ask."""
    good = np.array([one.answerable for one in asked])
    weights = np.where(good, 0.5 / max(1, good.sum()), 0.5 / max(1, (~good).sum())) * len(asked)
    model = LogisticRegression(C=1.0, max_iter=2000)
    return model.fit(_grounds(asked, chance), [one.right for one in asked], sample_weight=weights)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(main(Path(sys.argv[1])), indent=1))
    else:
        with tempfile.TemporaryDirectory(prefix="refusal-") as temporary:
            print(json.dumps(main(Path(temporary)), indent=1))
