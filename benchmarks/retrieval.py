"""Claim: the right page is found. Evidence-page recall on the development questions, by kind of question.

A fact counts as found at k when its page is among the first k distinct pages. Rows for words alone, meaning alone and
random order stand beside ours, so that a broken measure shows.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import PAPERS, questions
from rag_app.assistant import Assistant
from rag_app.index import Generation, open_current
from rag_app.retrieval import Retriever
from rag_app.settings import load_settings
from rag_app.word_index import terms

DEPTHS = (5, 10, 20)
Place = tuple[str, int]


def recall(places: Sequence[Place], facts: Sequence[dict[str, Any]], depth: int) -> float:
    """Share of the facts whose page is among the first `depth` distinct places."""
    first = list(dict.fromkeys(places))[:depth]
    return sum((fact["paper"], fact["page"]) in first for fact in facts) / len(facts)


def _table(find: Callable[[str], list[Place]]) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, list[float]]] = {}
    for question in questions():
        if not question["facts"]:
            continue
        places = find(question["question"])
        for kind in ("all", question["kind"], *(_where(question) if question["kind"] == "spotlight" else ())):
            for depth in DEPTHS:
                rows.setdefault(kind, {}).setdefault(f"@{depth}", []).append(recall(places, question["facts"], depth))
    return {kind: {k: round(float(np.mean(v)), 3) for k, v in row.items()} for kind, row in rows.items()}


def _where(question: dict[str, Any]) -> tuple[str]:
    late = "appendix" in question["note"] or any(fact["page"] > 8 for fact in question["facts"])
    return ("spotlight, table or appendix" if late or "table" in question["note"] else "spotlight, elsewhere",)


def _places(generation: Generation, rows: Sequence[int]) -> list[Place]:
    papers = generation.manifest.papers
    return [(papers[int(generation.rows[row, 0])].paper, int(generation.rows[row, 1])) for row in rows]


def main(index: Path | None = None) -> dict[str, Any]:
    """Recall of each way of searching, and the milliseconds of ours. `index` is a built one; default: build anew."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(corpus=PAPERS, index=index or Path(folder), llm="none")
        assistant = Assistant(settings)
        if assistant.is_stale():
            assistant.build()
        generation = open_current(settings.index_folder)
        embed = assistant.embedder.embed_question
        retriever = Retriever(generation, embed)
        milliseconds: list[float] = []

        def ours(question: str) -> list[Place]:
            began = time.perf_counter()
            hits = retriever.find(question, 100)
            milliseconds.append((time.perf_counter() - began) * 1000)
            return [(hit.passage.paper, hit.passage.page) for hit in hits]

        def by_words(question: str) -> list[Place]:
            return _places(generation, np.argsort(-generation.words.scores(terms(question)), kind="stable")[:300])

        def by_meaning(question: str) -> list[Place]:
            return _places(generation, np.argsort(-(generation.vectors @ embed(question)), kind="stable")[:300])

        def at_random(question: str) -> list[Place]:
            return _places(generation, random.Random(question).sample(range(generation.manifest.passages), 300))

        tables = {
            "ours": _table(ours),
            "words alone": _table(by_words),
            "meaning alone": _table(by_meaning),
            "random": _table(at_random),
        }
        generation.close()
    return {
        "recall": tables,
        "query_ms": {
            "p50": round(float(np.percentile(milliseconds, 50)), 1),
            "p95": round(float(np.percentile(milliseconds, 95)), 1),
        },
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
