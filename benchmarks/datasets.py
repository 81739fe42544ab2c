"""Claim: what is asked for is found, also on public sets: SciFact, QASPER and COVID-QA, beside simpler searches.

Each set is written as files (library_sets.py), built by rag_app like any folder and searched by its Retriever. Beside
it, on the same passages: words alone (BM25), meaning alone (MiniLM, cosine), plain reciprocal rank fusion of the two
(Cormack et al., 2009, k = 60), a random order; and the starter recipe, 1024-token chunks of which MiniLM reads the
first 256. nDCG, recall and success are computed by ir-measures. Sets are built below BENCHMARK_SETS, where that is
set, and kept there.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plots
from benchmarks.library_sets import SET_READERS, Asked
from benchmarks.report import Section, Target, table
from benchmarks.set_index import SetIndex, chunks_of_starter, open_set

REPORTED = ("scifact", "qasper_mini", "covid_qa")
DEEP = 300  # passages taken from each way
SMALL_K = (1, 3, 5, 10)

Run = dict[str, dict[str, float]]  # question -> unit -> score
Search = Callable[[Asked, np.ndarray], Sequence[int]]  # question, rows in scope -> rows, best first


def ways(index: SetIndex) -> dict[str, Search]:
    """The ways of searching that are compared. Each gives rows of passages, best first."""
    vectors: dict[str, np.ndarray] = {}

    def vector(asked: Asked) -> np.ndarray:
        if asked.id not in vectors:
            vectors[asked.id] = index.embed(asked.text)
        return vectors[asked.id]

    def by_words(asked: Asked, rows: np.ndarray) -> list[int]:
        return _best(rows, index.word_scores(asked.text)[rows])

    def by_meaning(asked: Asked, rows: np.ndarray) -> list[int]:
        return _best(rows, index.generation.vectors[rows] @ vector(asked))

    def fused(asked: Asked, rows: np.ndarray) -> list[int]:
        total: dict[int, float] = {}
        for ranked in (by_words(asked, rows), by_meaning(asked, rows)):
            for place, row in enumerate(ranked, start=1):
                total[row] = total.get(row, 0.0) + 1.0 / (60 + place)
        return sorted(total, key=lambda row: -total[row])[:DEEP]

    def at_random(asked: Asked, rows: np.ndarray) -> list[int]:
        return random.Random(asked.id).sample(rows.tolist(), min(DEEP, len(rows)))

    has_meaning = index.generation.manifest.has_meaning
    found: dict[str, Search] = {
        "ours" if has_meaning else "ours, words only": lambda asked, rows: index.ours(
            asked.text, asked.paper if len(rows) < index.size else "", DEEP
        ),
        "words alone": by_words,
    }
    if has_meaning:
        found |= {"meaning alone": by_meaning, "rank fusion": fused}
    return {**found, "random": at_random}


def _best(rows: np.ndarray, scores: np.ndarray) -> list[int]:
    count = min(DEEP, len(rows))
    first = np.argpartition(-scores, count - 1)[:count] if count else np.zeros(0, dtype=np.int64)
    return rows[first[np.argsort(-scores[first], kind="stable")]].tolist()


def run_of(index: SetIndex, questions: Sequence[Asked], search: Search, within: bool) -> Run:
    """Each question's units in the order in which the way's passages lead to them."""
    found: Run = {}
    for asked in questions:
        rows = index.rows_of(asked.paper) if within else np.arange(index.size)
        units = dict.fromkeys(unit for row in search(asked, rows) for unit in index.units_of(int(row)))
        found[asked.id] = {unit: 1.0 / place for place, unit in enumerate(units, start=1)}
    return found


def score(
    questions: Sequence[Asked], run: Run, measures: Sequence[str], gold: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """The mean of each measure, in ir-measures' notation ("nDCG@10"). A question without gold counts as missed."""
    import ir_measures  # noqa: PLC0415  # of the extra `bench`

    wanted = [ir_measures.Qrel(asked.id, unit, 1) for asked in questions for unit in (gold[asked.id] or ("nowhere",))]
    ranked = [ir_measures.ScoredDoc(id, unit, value) for id, units in run.items() for unit, value in units.items()]
    parsed = [ir_measures.parse_measure(measure) for measure in measures]
    means = ir_measures.calc_aggregate(parsed, wanted, ranked)
    return {str(measure): round(float(means[measure]), 4) for measure in parsed}


def measure_set(index: SetIndex, split: str = "test", only: Sequence[str] = ()) -> dict[str, Any]:
    """Every way on the questions of one split: {scope: {way: {measure: mean}}}, over all papers or in one."""
    questions = [asked for asked in index.set.questions if asked.split == split]
    spans = index.set.name == "covid_qa"
    measures = [f"Success@{k}" for k in SMALL_K] if spans else ["nDCG@10", "R@100"]
    gold = {asked.id: index.gold(asked) for asked in questions}
    scopes = {"across": False} | ({"within the paper": True} if index.set.units else {})
    result: dict[str, Any] = {"questions": len(questions), "passages": index.size}
    if not index.generation.manifest.has_meaning:
        result["without vectors"] = True
    for name, within in scopes.items():
        result[name] = {
            way: score(questions, run_of(index, questions, search, within), measures, gold)
            for way, search in ways(index).items()
            if not only or way in only
        }
    if spans:
        result["spans that some passage holds"] = round(sum(map(bool, gold.values())) / len(gold), 4)
    return result


def measure_starter(index: SetIndex, split: str = "test") -> dict[str, Any]:
    """The starter recipe on the same files: its chunks, its embedder, plain cosine."""
    questions = [asked for asked in index.set.questions if asked.split == split]
    spans = index.set.name == "covid_qa"
    measures = [f"Success@{k}" for k in SMALL_K] if spans else ["nDCG@10", "R@100"]
    chunks = chunks_of_starter(index)
    vectors = index.embedder.embed_passages([chunk.read for chunk in chunks])
    gold = {asked.id: list(asked.gold) for asked in questions}
    if spans:
        for asked in questions:
            holding = (n for n, one in enumerate(chunks) if index.holds(asked, one.paper, one.start, one.end))
            gold[asked.id] = [str(number) for number in holding]
    result: dict[str, Any] = {"chunks": len(chunks)}
    for name, within in ({"across": False} | ({"within the paper": True} if index.set.units else {})).items():
        run: Run = {}
        for asked in questions:
            scores = vectors @ index.embed(asked.text)
            order = np.argsort(-scores, kind="stable").tolist()
            if within:
                order = [number for number in order if chunks[number].paper == asked.paper]
            units: dict[str, None] = {}
            for number in order[:DEEP]:
                one = chunks[number]
                units |= dict.fromkeys([str(number)] if spans else index.units_in(one.paper, one.start, one.end))
            run[asked.id] = {unit: 1.0 / place for place, unit in enumerate(units, start=1)}
        result[name] = score(questions, run, measures, gold)
    return result


def main(names: Sequence[str] = REPORTED, starter: bool = True) -> dict[str, Any]:
    """Every set's figures, the starter's beside them. Sets that are not there yet are built."""
    kept = os.environ.get("BENCHMARK_SETS", "")
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, Any] = {}
        for name in names:
            index = open_set(SET_READERS[name](), Path(kept or folder) / name)
            result[name] = measure_set(index)
            if starter:
                measured = measure_starter(index)
                result[name]["chunks of the starter"] = measured.pop("chunks")
                for scope, values in measured.items():
                    result[name][scope]["starter recipe"] = values
            index.close()
            print(f"measured: {name}", file=sys.stderr)
    return result


def render(measured: Mapping[str, Any]) -> str:
    """The section as Markdown: one table per set and scope."""
    parts = []
    for name in REPORTED:
        if name not in measured:
            parts.append(f"### {name}\n\nNot measured yet.\n")
            continue
        about = measured[name]
        words = f"{about['questions']} questions, {about['passages']} passages."
        if "spans that some passage holds" in about:
            words += f" A passage holds the whole span for {about['spans that some passage holds']} of the questions."
        if about.get("without vectors"):
            words += " **The index held words only**: the rows with meaning are not measured yet."
        parts.append(f"### {name}\n\n{words}\n")
        for scope in ("across", "within the paper"):
            if scope in about:
                measures = list(next(iter(about[scope].values())))
                rows = [[way, *(row[one] for one in measures)] for way, row in about[scope].items()]
                parts.append(table([scope, *measures], rows))
    return "\n".join(parts)


def targets(measured: Mapping[str, Any]) -> list[Target]:
    """SciFact's figure, and QASPER across papers beside the better of its two halves."""
    ranker = "a learned ranker is missing: no weights are to be had here, and ours did not carry over (training.md)"
    found = [Target("SciFact test, nDCG@10", 0.745, _cell(measured, "scifact", "ours"), why=ranker)]
    ours = _cell(measured, "qasper_mini", "ours")
    halves = [_cell(measured, "qasper_mini", way) or 0.0 for way in ("words alone", "meaning alone")]
    times = round(ours / max(halves), 2) if ours and all(halves) else None
    what = "QASPER across papers, nDCG@10: times the better of words and meaning"
    found.append(Target(what, 1.5, times, why=f"its questions seldom say which paper they mean; {ranker}"))
    return found


def _cell(measured: Mapping[str, Any], name: str, way: str) -> float | None:
    about = measured.get(name, {})
    if about.get("without vectors"):
        return None
    value = about.get("across", {}).get(way, {}).get("nDCG@10")
    return None if value is None else float(value)


def plot(measured: Mapping[str, Any], folder: Path) -> list[str]:
    """One picture: each way on each set."""
    there = [name for name in REPORTED if name in measured]
    cells = {
        f"{name}, {scope}": measured[name][scope]
        for name in there
        for scope in ("across", "within the paper")
        if scope in measured[name]
    }
    shown = ["Success@5" if "Success@5" in next(iter(cell.values())) else "nDCG@10" for cell in cells.values()]
    names = list(dict.fromkeys(way for cell in cells.values() for way in cell))
    series = {
        way: [cell.get(way, {}).get(one) for cell, one in zip(cells.values(), shown, strict=True)] for way in names
    }
    labels = [f"{group}\n{one}" for group, one in zip(cells, shown, strict=True)]
    return [plots.bars(folder / "datasets.svg", "Public sets", labels, series)] if cells else []


SECTIONS = (Section("datasets", "Finding the right passage on public sets", main, render, plot, targets),)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:] or REPORTED), indent=1))
