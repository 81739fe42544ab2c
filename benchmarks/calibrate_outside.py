"""Fits weights and threshold of answering/outside.py: questions of public sets, asked of each other's libraries.

    python -m benchmarks.calibrate_outside [FOLDER]   # FOLDER keeps corpora and indexes for the next run

Inside is a question asked of its own library; outside one of another field. A question of the same field and another
set ("related") may go either way and takes no part. What to believe is "held out": each library is judged by weights
and threshold of the other libraries. Writes docs/experiments/plots/outside.svg. Two minutes once the indexes are built.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks import plots
from benchmarks.common import PAPERS, ROOT
from benchmarks.library_sets import covid_qa, scifact
from benchmarks.refusal_material import DATASETS, build_library, lines, qasper_library, squad_library
from rag_app.answering.outside import WEIGHTS, measure_relatedness
from rag_app.assistant import Assistant
from rag_app.index import generations

PLOT = ROOT / "docs" / "experiments" / "plots" / "outside.svg"
AIMS = {"OUTSIDE": 0.01, "ABSENT": 0.02}  # of the inside questions of each library that lie below, on average
SHARES = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)  # of inside questions refused, on the curve
SAMPLE = 200  # questions of a set
FIELDS = {
    "SQuAD": "any", "QASPER": "language", "ARAGOG": "language", "QASA": "language", "COVID-QA": "medicine",
    "PubMedQA": "medicine", "SciFact": "medicine", "LLMBar": "life", "FeTaQA": "tables",
}  # fmt: skip
PAPERS_SET = "ARAGOG"  # the questions whose library are the papers


@dataclass(frozen=True)
class Judged:
    """One question asked of one library."""

    library: str  # by the name of its own questions
    questions: str
    signs: Mapping[str, float]

    @property
    def kind(self) -> str:
        if self.library == self.questions:
            return "inside"
        return "related" if FIELDS[self.library] == FIELDS[self.questions] else "outside"


def main(folder: Path) -> dict[str, Any]:
    """Ask every set of every library, fit, report."""
    asked = read_questions()
    seen = [one for name, assistant in libraries(folder) for one in ask_all(name, assistant, asked)]
    return report(seen)


def read_questions() -> dict[str, list[str]]:
    """The questions of each set, a sample drawn by chance."""
    squad = json.loads((DATASETS / "squad" / "dev-v2.0.rebuilt.json").read_text(encoding="utf-8"))["data"]
    qasa = json.loads((DATASETS / "qasa" / "testset_unanswerable_244_v1.1.json").read_text(encoding="utf-8"))
    bar = sorted((DATASETS / "llmbar" / "LLMBar").rglob("dataset.json"))
    orders = {one["input"].strip() for path in bar for one in json.loads(path.read_text(encoding="utf-8"))}
    found = {
        "SQuAD": [q["question"] for a in squad for p in a["paragraphs"] for q in p["qas"] if not q["is_impossible"]],
        "QASPER": [q["question"] for q in lines(DATASETS / "qasper_mini" / "questions.jsonl") if q["evidence_idx"]],
        "ARAGOG": json.loads((DATASETS / "aragog" / "benchmark.json").read_text(encoding="utf-8"))["questions"],
        "QASA": [one["question"] for one in qasa.values()],
        "COVID-QA": [one.text for one in _covid_files()[1]],
        "PubMedQA": [one["QUESTION"] for one in _pubmed().values()],
        "SciFact": [one.text for one in scifact().questions if one.split == "test"],
        # What people ask of an assistant, of any subject: only what is one short line.
        "LLMBar": sorted(one for one in orders if len(one) < 110 and "\n" not in one),
        "FeTaQA": [one["question"] for one in lines(DATASETS / "tables" / "fetaqa.jsonl.gz")],
    }
    chance = random.Random(1)
    return {name: chance.sample(asked, min(SAMPLE, len(asked))) for name, asked in found.items()}


def libraries(folder: Path) -> Iterator[tuple[str, Assistant]]:
    """Each library under the name of its questions. What is built stays in the folder."""
    yield "SQuAD", squad_library(folder)
    yield "QASPER", qasper_library(folder)
    yield PAPERS_SET, build_library(PAPERS, folder / "papers-index")
    abstracts = {f"{name}.md": f"# {name}\n\n" + "\n\n".join(one["CONTEXTS"]) for name, one in _pubmed().items()}
    whole = scifact()
    gold = {paper for one in whole.questions if one.split == "test" for paper in one.gold}
    more = islice((name for name in whole.files if name not in gold), 300)
    for name, files in (
        ("COVID-QA", _covid_files()[0]),
        ("PubMedQA", abstracts),
        ("SciFact", {name: whole.files[name] for name in (*sorted(gold), *more)}),
    ):
        corpus = folder / name
        if not corpus.is_dir():
            corpus.mkdir(parents=True)
            for file, text in files.items():
                (corpus / file).write_text(text, encoding="utf-8")
        yield name, build_library(corpus, folder / f"{name}-index")


def _covid_files() -> tuple[dict[str, str], list[Any]]:
    """The first 35 papers of COVID-QA, and their questions."""
    whole = covid_qa()
    files = dict(islice(whole.files.items(), 35))
    return files, [one for one in whole.questions if one.paper in files]


def _pubmed() -> dict[str, Any]:
    """500 abstracts of PubMedQA (Jin et al., 2019), each with its question."""
    whole = json.loads((DATASETS / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8"))
    return dict(islice(sorted(whole.items()), 500))


def ask_all(name: str, assistant: Assistant, asked: Mapping[str, Sequence[str]]) -> Iterator[Judged]:
    """The signs of every question in one library."""
    print(f"asking the library of {name}", file=sys.stderr, flush=True)
    generation = generations.open_current(assistant.settings.index_folder)
    try:
        for questions, texts in asked.items():
            for text, vector in zip(texts, assistant.embedder.embed_questions(texts), strict=True):
                signs = measure_relatedness(text, vector, generation)
                if signs:
                    yield Judged(name, questions, signs)
    finally:
        generation.close()


# -- fit and report -------------------------------------------------------------------------------------------------


Curve = list[tuple[float, float]]  # shares of inside and of outside questions refused, one for each of SHARES


def report(seen: Sequence[Judged]) -> dict[str, Any]:
    """What was fitted to all, and how each library fares by what was fitted to the others."""
    names = sorted({one.library for one in seen})
    weights, bias = fit(seen)
    both = {name: curve(name, seen, tuple(WEIGHTS)) for name in names}
    alone = {name: curve(name, seen, ("likeness",)) for name in names}
    means = {"both signs": _mean_curve(both), "likeness alone": _mean_curve(alone)}
    draw(both, means)
    aim = SHARES.index(AIMS["OUTSIDE"])
    return {
        "WEIGHTS": weights,
        "BIAS": bias,
        **{name: round(threshold_of(seen, weights, bias, share), 2) for name, share in AIMS.items()},
        "held-out libraries: inside refused, outside refused": {
            name: np.round(points[aim], 3).tolist() for name, points in both.items()
        },
        "held-out libraries: refused by set": _refused_by_set(seen),
        "mean curve of held-out libraries: aim -> inside refused, outside refused": {
            told: dict(zip(map(str, SHARES), np.round(points, 3).tolist(), strict=True))
            for told, points in means.items()
        },
        "area under the curve, each sign alone": {
            sign: {name: round(_area([one for one in seen if one.library == name], sign), 3) for name in names}
            for sign in WEIGHTS
        },
    }


def curve(library: str, seen: Sequence[Judged], signs: Sequence[str]) -> Curve:
    """How one library fares by these signs, fitted to the others, for each share of inside questions refused there."""
    own = [one for one in seen if one.library == library]
    others = [one for one in seen if one.library != library]
    fitted = fit(others, signs)
    return [_refused(own, *fitted, threshold_of(others, *fitted, share)) for share in SHARES]


def _mean_curve(curves: Mapping[str, Curve]) -> Curve:
    whole = np.mean([curves[name] for name in curves], axis=0)
    return [(float(inside), float(outside)) for inside, outside in whole]


def _refused_by_set(seen: Sequence[Judged]) -> dict[str, float]:
    """The share of each set's questions that libraries of other fields refuse, each fitted to the others."""
    found: dict[str, list[float]] = {}
    for library in {one.library for one in seen}:
        others = [one for one in seen if one.library != library]
        fitted = fit(others)
        cut = threshold_of(others, *fitted, AIMS["OUTSIDE"])
        for name in FIELDS:
            asked = [one for one in seen if (one.library, one.questions, one.kind) == (library, name, "outside")]
            if asked:
                found.setdefault(name, []).append(float((scored(asked, *fitted) < cut).mean()))
    return {name: round(float(np.mean(shares)), 3) for name, shares in found.items()}


def fit(seen: Sequence[Judged], signs: Sequence[str] = tuple(WEIGHTS)) -> tuple[dict[str, float], float]:
    """Weights and bias. Each set in each library counts as much as any other, inside as much as outside."""
    rows = [one for one in seen if one.kind != "related"]
    labels = np.array([one.kind == "inside" for one in rows])
    sizes = Counter((one.library, one.questions) for one in rows)
    share = np.array([1 / sizes[one.library, one.questions] for one in rows])
    for label in (True, False):
        share[labels == label] /= share[labels == label].sum()
    model = LogisticRegression(C=10, max_iter=5000)
    model.fit([[one.signs[name] for name in signs] for one in rows], labels, sample_weight=share * len(rows) / 2)
    return dict(zip(signs, np.round(model.coef_[0], 2).tolist(), strict=True)), round(float(model.intercept_[0]), 2)


def scored(asked: Sequence[Judged], weights: Mapping[str, float], bias: float) -> np.ndarray:
    """The weighted sum of each question's signs."""
    return np.array([bias + sum(weight * one.signs[name] for name, weight in weights.items()) for one in asked])


def threshold_of(seen: Sequence[Judged], weights: Mapping[str, float], bias: float, share: float) -> float:
    """Below it lies that share of the inside questions of each library, on average."""
    inside: dict[str, list[Judged]] = {}
    for one in seen:
        if one.kind == "inside":
            inside.setdefault(one.library, []).append(one)
    return float(np.mean([np.quantile(scored(asked, weights, bias), share) for asked in inside.values()]))


def _refused(own: Sequence[Judged], weights: Mapping[str, float], bias: float, cut: float) -> tuple[float, float]:
    """The shares of one library's inside and outside questions that are refused; of the latter each set alike."""
    sets: dict[str, list[Judged]] = {}
    for one in own:
        if one.kind != "related":
            sets.setdefault(one.questions, []).append(one)
    shares = {name: float((scored(asked, weights, bias) < cut).mean()) for name, asked in sets.items()}
    inside = shares.pop(own[0].library)
    return inside, float(np.mean(list(shares.values())))


def _area(own: Sequence[Judged], sign: str) -> float:
    rows = [one for one in own if one.kind != "related"]
    return float(roc_auc_score([one.kind == "inside" for one in rows], [one.signs[sign] for one in rows]))


def draw(each: Mapping[str, Curve], means: Mapping[str, Curve]) -> None:
    """The curves of the held-out libraries, one by one, and their means with and without the words."""
    series = {f"library of {name}": points for name, points in each.items()}
    series |= {f"mean, {told}": points for told, points in means.items()}
    title = "Questions of another field, by libraries that took no part in the fit"
    plots.lines(PLOT, title, "inside questions refused", "outside questions refused", series)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(main(Path(sys.argv[1])), indent=1))
    else:
        with tempfile.TemporaryDirectory(prefix="outside-") as temporary:
            print(json.dumps(main(Path(temporary)), indent=1))
