"""Claim: what an answer's sentences are marked with is mostly right. The check of citations/support.py on public sets.

AttributionBench (2402.15089): claims of generated answers with the passages that they cite, attributable or not. WiCE
(2303.01432): claims of Wikipedia with the page that they cite: supported, partly, not. Balanced accuracy is the mean of
the classes' shares that are classed right, so that 0.5 (two classes) and 0.33 (three) are worth nothing.

The threshold on shared words is chosen on one set and judged on the other, both ways, as is a small learned check: a
logistic regression over shares of words, numbers and names and the likeness to the nearest sentence.

    python -m benchmarks.checking
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.common import SHARED as MATERIAL
from rag_app.citations.support import SHARED, BackingTexts, CitedPassages, word_coverage
from rag_app.models.embedder import Embedder, open_embedder
from rag_app.records import Support
from rag_app.settings import load_settings
from rag_app.text.sentences import sentences
from rag_app.text.terms import content_words, find_names, find_numbers

DATASETS = MATERIAL / "datasets"
CLASSES = {"supported": 2, "partially_supported": 1, "not_supported": 0, "attributable": 2, "not attributable": 0}
VERDICTS: dict[Support, int] = {"supported": 2, "partly": 1, "unchecked": 1, "not": 0}  # in doubt: neither end
CLOSE = 3  # sentences that are compared by meaning: those that share most words
LONGEST = 300  # characters of each
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Claimed:
    """One claim with what it cites, and its class: 2 supported, 1 partly, 0 not."""

    text: str
    cited: str
    asked: str
    label: int


def claims() -> dict[str, list[Claimed]]:
    """Both sets."""
    bench = _lines(DATASETS / "attributionbench" / "dev_all_subset_balanced.jsonl")
    wice = _lines(DATASETS / "wice" / "entailment_retrieval" / "claim" / "dev.jsonl")
    return {
        "AttributionBench": [
            Claimed(
                row["claim"] or row["claim_raw_string"],
                "\n".join(row["references"]),
                row["question"],
                CLASSES[row["attribution_label"]],
            )
            for row in bench
        ],
        "WiCE": [
            Claimed(
                row["claim"],
                "\n".join(row["evidence"]),
                f"{row['meta']['claim_title']} {row['meta']['claim_section']}",
                CLASSES[row["label"]],
            )
            for row in wice
        ],
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> dict[str, Any]:
    """Balanced accuracy of the check as it is, of its parts, and of a learned one."""
    sets = claims()
    measured: dict[str, Any] = {"claims": {name: len(rows) for name, rows in sets.items()}, "threshold": SHARED}
    judged = {name: [judge_claim(row) for row in rows] for name, rows in sets.items()}
    labels = {name: np.array([row.label for row in rows]) for name, rows in sets.items()}
    binary = {name: values == 2 for name, values in labels.items()}
    measured["numbers and names"] = {n: balanced(binary[n], [not missing for missing, *_ in judged[n]]) for n in sets}
    measured["with shared words"] = {n: balanced(binary[n], [kind == 2 for *_, kind in judged[n]]) for n in sets}
    measured["WiCE, three classes"] = balanced(labels["WiCE"], [kind for *_, kind in judged["WiCE"]])
    measured["threshold from the other set"] = {}
    for name, other in zip(sets, reversed(list(sets)), strict=True):
        best = max(THRESHOLDS, key=lambda t: balanced(binary[other], _above(judged[other], t)))
        measured["threshold from the other set"][name] = [best, balanced(binary[name], _above(judged[name], best))]
    with tempfile.TemporaryDirectory() as folder:
        embedder = open_embedder(load_settings(llm="none"), Path(folder))
        features = {name: _features(rows, embedder) for name, rows in sets.items()}
    measured["learned on the other set"] = {
        name: _learned(features[other], binary[other], features[name], binary[name])
        for name, other in zip(sets, reversed(list(sets)), strict=True)
    }
    measured["learned, five folds"] = {name: _folds(features[name], binary[name]) for name in sets}
    return measured


def balanced(labels: Sequence[int] | np.ndarray, said: Sequence[int] | np.ndarray) -> float:
    """Mean over the classes of the share of each that is classed right."""
    true, guess = np.asarray(labels), np.asarray(said)
    return round(float(np.mean([np.mean(guess[true == kind] == kind) for kind in np.unique(true)])), 3)


def judge_claim(claim: Claimed) -> tuple[int, float, int]:
    """How many numbers and names are missing, the share of words that is held (0 where it tells nothing), the class."""
    cited = CitedPassages([claim.cited], [claim.asked])
    kind, missing = cited.support(claim.text)
    held = frozenset(content_words(f"{claim.cited} {claim.asked}"))
    return len(missing), word_coverage(claim.text, held) or 0.0, VERDICTS[kind]


def _above(judged: Sequence[tuple[int, float, int]], threshold: float) -> list[bool]:
    return [not missing and covered >= threshold for missing, covered, _ in judged]


def _features(rows: Sequence[Claimed], embedder: Embedder) -> np.ndarray:
    """float64 (n, 9): shares of words, rare words, numbers and names; best sentence by words and by meaning."""
    held = [frozenset(content_words(row.cited)) for row in rows]
    spread: dict[str, int] = {}
    for words in held:
        for word in words:
            spread[word] = spread.get(word, 0) + 1
    rarity = {word: log((len(rows) + 1) / (count + 0.5)) for word, count in spread.items()}
    signs, texts, places = [], [], []
    for row, words in zip(rows, held, strict=True):
        some, near = _signs(row, words, rarity, log(len(rows) + 1))
        signs.append(some)
        places.append((len(texts), len(near)))
        texts += [row.text[:LONGEST], *near]
    vectors = embedder.embed_passages(texts)
    likeness = [float(np.max(vectors[at + 1 : at + 1 + count] @ vectors[at])) for at, count in places]
    return np.column_stack([np.array(signs), likeness])


def _signs(
    row: Claimed, held: Collection[str], rarity: Mapping[str, float], unknown: float
) -> tuple[list[float], list[str]]:
    """What words tell of one claim, and the sentences that share most with it."""
    words = content_words(row.text) or ["-"]
    weights = {word: max(0.0, rarity.get(word, unknown)) + 1e-6 for word in words}
    spans = [row.cited[start:end] for start, end in sentences(row.cited)] or ["-"]
    shared = [_share(weights, frozenset(content_words(span))) for span in spans]
    near = sorted(range(len(spans)), key=lambda place: -shared[place])[:CLOSE]
    rarest = sorted(weights, key=lambda word: -weights[word])[:3]
    ground, figures, named = BackingTexts([row.cited]), find_numbers(row.text), find_names(row.text)
    return [
        sum(word in held for word in words) / len(words),
        _share(weights, held),
        sum(word in held for word in rarest) / len(rarest),
        sum(map(ground.holds_number, figures)) / len(figures) if figures else 1.0,
        sum(map(ground.holds_name, named)) / len(named) if named else 1.0,
        max(shared),
        min(1.0, len(words) / 30),
        log(len(spans) + 1) / 6,
    ], [spans[place][:LONGEST] for place in near]


def _share(weights: Mapping[str, float], held: Collection[str]) -> float:
    return sum(weight for word, weight in weights.items() if word in held) / sum(weights.values())


def _model() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))


def _learned(known: np.ndarray, labels: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> float:
    return balanced(truth, _model().fit(known, labels).predict(asked))


def _folds(features: np.ndarray, labels: np.ndarray, folds: int = 5) -> float:
    """Each fifth judged by what the others taught, in a fixed random order."""
    order = np.random.default_rng(0).permutation(len(labels)) % folds
    said = np.zeros(len(labels), dtype=bool)
    for fold in range(folds):
        said[order == fold] = (
            _model().fit(features[order != fold], labels[order != fold]).predict(features[order == fold])
        )
    return balanced(labels, said)


def render(measured: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| balanced accuracy | AttributionBench | WiCE |", "|---|---|---|"]
    for name in ("numbers and names", "with shared words", "learned on the other set", "learned, five folds"):
        lines.append(f"| {name} | {measured[name]['AttributionBench']} | {measured[name]['WiCE']} |")
    chosen = measured["threshold from the other set"]
    cells = " | ".join(f"{chosen[name][1]} (at {chosen[name][0]})" for name in ("AttributionBench", "WiCE"))
    lines.insert(4, f"| the same, threshold from the other set | {cells} |")
    lines.append(f"| WiCE's three classes | | {measured['WiCE, three classes']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    result = main()
    print(json.dumps(result))
    print(render(result))
