"""Claim: each step of retrieval earns its place. Every step taken out, or another put in its place, by itself.

Measured where choices may be made: SciFact's training claims, the evidence paragraphs of other QASPER papers, every
second paper of COVID-QA, and the development questions. The reported test figures (datasets.py) choose nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plots
from benchmarks.common import PAPERS, paper_index, questions
from benchmarks.datasets import run_of, score
from benchmarks.library_sets import SET_READERS, Asked
from benchmarks.report import Section, table
from benchmarks.retrieval import recall
from benchmarks.set_index import SetIndex, open_set
from rag_app.assistant import Assistant
from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import open_current
from rag_app.records import Hit
from rag_app.retrieval import hybrid
from rag_app.retrieval.hybrid import EVERYTHING, Retriever, Scope
from rag_app.retrieval.plan import SearchPlan
from rag_app.settings import load_settings

# Where steps are judged: the set, its split, the measure, and how many questions at most.
CHOOSING = {
    "scifact": ("train", "nDCG@10", 300),
    "qasper_partial": ("dev", "nDCG@10", 300),
    "covid_qa": ("dev", "Success@5", 300),
}
DEVELOPMENT = "development questions"
FEEDBACK = 5  # hits that are taken for relevant
EXPANSION = 20  # terms that are added to the question
SAME = 0.95  # cosine from which two passages count as the same


class VectorFeedback(Retriever):
    """Rocchio on vectors: the question moves half-way to the mean of the first hits (Rocchio, 1971)."""

    def _query(self, text: str, name_weight: float = 1.0) -> hybrid._Query:
        query = super()._query(text, name_weight)
        if query.vector is None:
            return query
        rows = _first_rows(self, query, text)
        vector = query.vector + 0.5 * self.generation.vectors[rows].mean(axis=0)
        return replace(query, vector=vector / np.linalg.norm(vector))


class WordFeedback(Retriever):
    """RM3: terms of the first hits beside the question's own, a fifth of the weight (Abdul-Jaleel et al., 2004)."""

    def _query(self, text: str, name_weight: float = 1.0) -> hybrid._Query:
        query = super()._query(text, name_weight)
        words, size = self.generation.words, self.generation.manifest.passages
        total: Counter[str] = Counter()
        for passage in self.generation.passages(_first_rows(self, query, text).tolist()):
            counts = Counter(extract_terms(passage.text))
            for term, count in counts.items():
                rarity = np.log(1 + size / (1 + words.frequency(term)))
                total[term] += count / counts.total() * rarity
        best = total.most_common(EXPANSION)
        whole = sum(weight for _, weight in best) or 1.0
        added = [0.25 * sum(query.weights) * weight / whole for _, weight in best]
        return replace(query, terms=[*query.terms, *(term for term, _ in best)], weights=[*query.weights, *added])


def _first_rows(retriever: Retriever, query: hybrid._Query, text: str) -> np.ndarray:
    return retriever._rank_rows(query, retriever.plan(text), None).rows[:FEEDBACK]


class Capped(Retriever):
    """Three passages of a paper at most before the others come."""

    def find_passages(
        self, question: str, top: int = 10, scope: Scope = EVERYTHING, planned: SearchPlan | None = None
    ) -> list[Hit]:
        hits, seen = super().find_passages(question, top, scope, planned), Counter[str]()
        late = []
        for hit in hits:
            seen[hit.passage.paper] += 1
            late.append(seen[hit.passage.paper] > 3)
        return [hit for _, hit in sorted(zip(late, hits, strict=True), key=lambda pair: pair[0])]


class Different(Retriever):
    """Passages that say nearly the same as an earlier one are left out."""

    def find_passages(
        self, question: str, top: int = 10, scope: Scope = EVERYTHING, planned: SearchPlan | None = None
    ) -> list[Hit]:
        hits = super().find_passages(question, top, scope, planned)
        by_paper = self.generation.by_paper
        rows = [by_paper[hit.passage.paper].first + int(hit.passage.id.rsplit("-", 1)[1]) for hit in hits]
        vectors = np.array(self.generation.vectors[rows])
        kept: list[int] = []
        for place in range(len(hits)):
            if not kept or float((vectors[kept] @ vectors[place]).max()) < SAME:
                kept.append(place)
        return [hits[place] for place in kept]


def _by_rank(scores: np.ndarray, places: np.ndarray | slice = slice(None)) -> np.ndarray:
    """In place of normalised scores: reciprocal ranks, the best 1 (Cormack et al., 2009); of all, those at `places`."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return (61.0 / (60.0 + ranks))[places]


@dataclass(frozen=True)
class Step:
    """A change to the retriever: other values in rag_app.retrieval.hybrid, or another class."""

    values: Mapping[str, Any] = field(default_factory=dict)
    kind: type[Retriever] = Retriever

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        before = {name: getattr(hybrid, name) for name in self.values}
        try:
            for name, value in self.values.items():
                setattr(hybrid, name, value)
            yield
        finally:
            for name, value in before.items():
                setattr(hybrid, name, value)


STEPS: dict[str, Step] = {
    "as it is": Step(),
    "without meaning": Step({"MEANING_WEIGHT": 0.0, "SURVEY_MEANING_WEIGHT": 0.0}),
    "meaning 0.3": Step({"MEANING_WEIGHT": 0.3}),
    "meaning 0.6": Step({"MEANING_WEIGHT": 0.6}),
    "ranks, not scores": Step({"_normalised": _by_rank}),
    "without the page's BM25": Step({"PAGE_WEIGHT": 0.0}),
    "page's BM25 0.3": Step({"PAGE_WEIGHT": 0.3}),
    "page's BM25 0.9": Step({"PAGE_WEIGHT": 0.9}),
    "without the paper's score": Step({"PAPER_WEIGHT": 0.0}),
    "paper's score 0.6": Step({"PAPER_WEIGHT": 0.6}),
    "without the names' bonus": Step({"NAMED_BONUS": 0.0}),
    "names' bonus 0.3": Step({"NAMED_BONUS": 0.3}),
    "feedback on vectors": Step(kind=VectorFeedback),
    "feedback on words (RM3)": Step(kind=WordFeedback),
    "three passages a paper": Step(kind=Capped),
    "near-duplicates left out": Step(kind=Different),
}


def development(steps: Mapping[str, Step], index: Path) -> dict[str, float]:
    """Evidence-page recall at 10 on the development questions, by step."""
    settings = load_settings(corpus=PAPERS, index=index, llm="none")
    generation = open_current(settings.index_folder)
    embed = _remembering(Assistant(settings).embedder.embed_question)
    asked = [question for question in questions() if question["facts"]]
    result = {}
    for name, step in steps.items():
        retriever = step.kind(generation, embed)
        with step.applied():
            hits = [retriever.find_passages(question["question"], 60) for question in asked]
        shares = [
            recall([(hit.passage.paper, hit.passage.page) for hit in found], question["facts"], 10)
            for found, question in zip(hits, asked, strict=True)
        ]
        result[name] = round(float(np.mean(shares)), 4)
        print(f"{DEVELOPMENT}: {name} {result[name]}", file=sys.stderr)
    generation.close()
    return result


def on_set(steps: Mapping[str, Step], index: SetIndex, split: str, measure: str, most: int) -> dict[str, float]:
    """The measure on one set's split, by step."""
    asked = [question for question in index.set.questions if question.split == split][:most]
    gold = {question.id: index.gold(question) for question in asked}
    result = {}
    for name, step in steps.items():
        index.retriever = step.kind(index.generation, index.embed)

        def search(question: Asked, rows: np.ndarray) -> Sequence[int]:
            return index.ours(question.text, "", 100)

        with step.applied():
            run = run_of(index, asked, search, within=False)
        result[name] = score(asked, run, [measure], gold)[measure]
        print(f"{index.set.name}: {name} {result[name]}", file=sys.stderr)
    return result


def _remembering(embed: Callable[[str], np.ndarray]) -> Callable[[str], np.ndarray]:
    known: dict[str, np.ndarray] = {}

    def remembered(text: str) -> np.ndarray:
        if text not in known:
            known[text] = embed(text)
        return known[text]

    return remembered


def main(names: Sequence[str] = (DEVELOPMENT, *CHOOSING), index: Path | None = None) -> dict[str, Any]:
    """{set: {step: figure}}. Sets are kept below BENCHMARK_SETS where that is set."""
    result: dict[str, Any] = {}
    kept = os.environ.get("BENCHMARK_SETS", "")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if name == DEVELOPMENT:
                result[name] = development(STEPS, index or paper_index())
                continue
            opened = open_set(SET_READERS[name](), Path(kept or folder) / name)
            result[name] = on_set(STEPS, opened, *CHOOSING[name])
            opened.close()
    return {"steps": result}


def render(measured: Mapping[str, Any]) -> str:
    """The section as Markdown: the figure as it is, and what each step changes."""
    sets = measured["steps"]
    names = {name: f"{name}, page recall at 10" for name in sets}
    names |= {name: f"{name}, {CHOOSING[name][0]}, {CHOOSING[name][1]}" for name in sets if name in CHOOSING}
    rows: list[list[Any]] = [["as it is", *(values["as it is"] for values in sets.values()), None]]
    for step, changes in _changes(sets).items():
        mean = sum(changes.values()) / len(changes)
        cells = (f"{changes[name]:+.4f}" if name in changes else None for name in sets)
        rows.append([step, *cells, f"{mean:+.4f}"])
    text = table(["step", *names.values(), "mean change"], rows)
    missing = [name for name in CHOOSING if name not in sets]
    return text + (f"\nNot measured yet: {', '.join(missing)}.\n" if missing else "")


def _changes(sets: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Step -> set -> what the step changes there, as far as it was measured."""
    return {
        step: changes
        for step in STEPS
        if step != "as it is"
        and (changes := {name: row[step] - row["as it is"] for name, row in sets.items() if step in row})
    }


def plot(measured: Mapping[str, Any], folder: Path) -> list[str]:
    """What each step changes on the mean of all sets."""
    means = {step: sum(row.values()) / len(row) for step, row in _changes(measured["steps"]).items()}
    return [plots.differences(folder / "ablation.svg", "Mean change over the sets measured", means)]


SECTIONS = (Section("ablation", "What each step of retrieval brings", main, render, plot),)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:] or (DEVELOPMENT, *CHOOSING)), indent=1))
