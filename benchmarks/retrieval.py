"""Claim: the right page is found. Evidence-page recall on the development questions, by kind of question.

A fact counts as found at k when its page is among the first k distinct pages. Rows for words alone, meaning alone and
random order stand beside ours, so that a broken measure shows. Paper recall at 5 is the share of the papers that are
among the first five distinct ones.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plots
from benchmarks.common import PAPERS, paper_index, questions
from benchmarks.report import Section, Target, table
from rag_app.assistant import Assistant
from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation, open_current
from rag_app.retrieval.hybrid import Retriever
from rag_app.settings import load_settings

DEPTHS = (5, 10, 20)
Place = tuple[str, int]


def recall(places: Sequence[Place], facts: Sequence[dict[str, Any]], depth: int) -> float:
    """Share of the facts whose page is among the first `depth` distinct places."""
    first = list(dict.fromkeys(places))[:depth]
    return sum((fact["paper"], fact["page"]) in first for fact in facts) / len(facts)


def _paper_recall(places: Sequence[Place], facts: Sequence[dict[str, Any]]) -> float:
    first = list(dict.fromkeys(paper for paper, _ in places))[:5]
    wanted = {fact["paper"] for fact in facts}
    return len(wanted & set(first)) / len(wanted)


def _table(find: Callable[[str], list[Place]]) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, list[float]]] = {}
    for question in questions():
        if not question["facts"]:
            continue
        places = find(question["question"])
        for kind in ("all", question["kind"], *(_where(question) if question["kind"] == "spotlight" else ())):
            for depth in DEPTHS:
                rows.setdefault(kind, {}).setdefault(f"@{depth}", []).append(recall(places, question["facts"], depth))
            rows[kind].setdefault("papers @5", []).append(_paper_recall(places, question["facts"]))
    return {kind: {k: round(float(np.mean(v)), 3) for k, v in row.items()} for kind, row in rows.items()}


def _where(question: dict[str, Any]) -> tuple[str]:
    late = "appendix" in question["note"] or any(fact["page"] > 8 for fact in question["facts"])
    return ("spotlight, table or appendix" if late or "table" in question["note"] else "spotlight, elsewhere",)


def _places(generation: Generation, rows: Sequence[int]) -> list[Place]:
    papers = generation.manifest.papers
    return [(papers[int(generation.rows[row, 0])].paper, int(generation.rows[row, 1])) for row in rows]


def main(index: Path | None = None) -> dict[str, Any]:
    """Recall of each way of searching, and the milliseconds of ours. `index` is a built one of the papers."""
    settings = load_settings(corpus=PAPERS, index=index or paper_index(), llm="none")
    generation = open_current(settings.index_folder)
    embed = Assistant(settings).embedder.embed_question
    retriever = Retriever(generation, embed)
    milliseconds: list[float] = []

    def ours(question: str) -> list[Place]:
        began = time.perf_counter()
        hits = retriever.find_passages(question, 100)
        milliseconds.append((time.perf_counter() - began) * 1000)
        return [(hit.passage.paper, hit.passage.page) for hit in hits]

    def by_words(question: str) -> list[Place]:
        return _places(generation, np.argsort(-generation.words.scores(extract_terms(question)), kind="stable")[:300])

    def by_meaning(question: str) -> list[Place]:
        return _places(generation, np.argsort(-(generation.vectors @ embed(question)), kind="stable")[:300])

    def at_random(question: str) -> list[Place]:
        return _places(generation, random.Random(question).sample(range(generation.manifest.passages), 300))

    ways = {"ours": ours, "words alone": by_words, "meaning alone": by_meaning, "random": at_random}
    tables = {name: _table(find) for name, find in ways.items()}
    generation.close()
    return {
        "recall": tables,
        "query_ms": {
            "p50": round(float(np.percentile(milliseconds, 50)), 1),
            "p95": round(float(np.percentile(milliseconds, 95)), 1),
        },
    }


def render(measured: Mapping[str, Any]) -> str:
    """The section as Markdown."""
    tables = measured["recall"]
    text = "Evidence-page recall: share of the facts whose page is among the first 5, 10 or 20 distinct pages.\n\n"
    depths = [f"@{depth}" for depth in DEPTHS]
    head = ["kind", *(f"{way} {depth}" for way in tables for depth in depths)]
    rows = [[kind, *(tables[way][kind][depth] for way in tables for depth in depths)] for kind in tables["ours"]]
    of_papers = table(
        ["papers among the first five", *tables],
        ([kind, *(tables[way][kind].get("papers @5") for way in tables)] for kind in tables["ours"]),
    )
    took = measured["query_ms"]
    timing = f"\nOne query on a warm process: p50 {took['p50']} ms, p95 {took['p95']} ms.\n"
    return text + table(head, rows) + "\n" + of_papers + timing


def targets(measured: Mapping[str, Any]) -> list[Target]:
    """What was aimed at for each kind."""
    ours = measured["recall"]["ours"]
    tables, others = ours["spotlight, table or appendix"]["@10"], ours["spotlight, elsewhere"]["@10"]
    return [
        Target("development questions, all kinds, evidence pages at 10", 0.87, ours["all"]["@10"]),
        Target("spotlight, evidence page at 5", 0.93, ours["spotlight"]["@5"]),
        Target("comparison, evidence pages at 20", 0.92, ours["comparison"]["@20"]),
        Target("tables and appendices behind the rest, at 10", 0.05, round(others - tables, 3), at_most=True),
    ]


def plot(measured: Mapping[str, Any], folder: Path) -> list[str]:
    """Recall at 10 by kind, beside the baselines."""
    tables = measured["recall"]
    kinds = list(tables["ours"])
    series = {way: [rows[kind]["@10"] for kind in kinds] for way, rows in tables.items()}
    return [plots.bars(folder / "recall_by_kind.svg", "Evidence-page recall at 10", kinds, series)]


SECTIONS = (Section("retrieval", "Finding the right page", main, render, plot, targets),)


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
