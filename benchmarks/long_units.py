"""Claim: what the reader is handed holds the evidence at few tokens. Small windows beside LongRAG's long units.

LongRAG (2406.15319, section 2) scores a long unit by the best of its small passages and reads few long units. Here a
unit is a section or a whole page; beside them stand the hits alone, and their neighbourhoods as
rag_app.retrieval.context makes them.
A fact counts as read when the words that it needs stand in what was handed over from its page.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks import plots
from benchmarks.common import PAPERS, SHARED, paper_index, questions
from benchmarks.report import Section, table
from rag_app.assistant import Assistant
from rag_app.index.generations import Generation, open_current
from rag_app.records import Hit
from rag_app.retrieval.context import CHARACTERS_PER_TOKEN, gather
from rag_app.retrieval.hybrid import Retriever
from rag_app.settings import load_settings

BUDGETS = (500, 1000, 2000, 4000, 6000, 8000)  # tokens
HITS = 40  # as many as an answer reads at most: rag_app.answering.steps

Stretch = tuple[str, int, int, int]  # paper, page, start, end
Way = Callable[[Generation, Sequence[Hit], int], list[Stretch]]


def checker() -> ModuleType:
    """The script beside the questions, whose way of comparing texts the gold was written for."""
    specification = importlib.util.spec_from_file_location("check_questions", SHARED / "check_questions.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def by_neighbourhood(generation: Generation, hits: Sequence[Hit], budget: int) -> list[Stretch]:
    """What an answer reads today."""
    pieces = gather(hits, generation.page, lambda paper: ("", False), budget)
    return [(piece.paper, piece.page, piece.start, piece.end) for piece in pieces]


def by_hit(generation: Generation, hits: Sequence[Hit], budget: int) -> list[Stretch]:
    """The small passages themselves."""
    return _fill(([_of(hit)] for hit in hits), budget)


def by_page(generation: Generation, hits: Sequence[Hit], budget: int) -> list[Stretch]:
    """The whole page of each hit: a long unit of the paper's own making."""
    places = dict.fromkeys((hit.passage.paper, hit.passage.page) for hit in hits)
    return _fill(([(paper, page, 0, len(generation.page(paper, page).text))] for paper, page in places), budget)


def by_section(generation: Generation, hits: Sequence[Hit], budget: int) -> list[Stretch]:
    """The whole section of each hit, over all its pages."""
    places = dict.fromkeys((hit.passage.paper, hit.passage.section) for hit in hits)
    return _fill((_section(generation, *place) for place in places), budget)


WAYS: dict[str, Way] = {
    "neighbourhoods (ours)": by_neighbourhood,
    "passages alone": by_hit,
    "whole sections": by_section,
    "whole pages": by_page,
}


def _of(hit: Hit) -> Stretch:
    return hit.passage.paper, hit.passage.page, hit.passage.start, hit.passage.end


def _section(generation: Generation, paper: str, section: str) -> list[Stretch]:
    return [
        (paper, page.number, block.start, block.end)
        for page in generation.get_reading(paper).pages
        for block in page.blocks
        if block.section == section and block.kind not in ("bibliography", "furniture")
    ]


def _fill(units: Iterator[list[Stretch]], budget: int) -> list[Stretch]:
    """Units in order while they fit; one too long for the room that is left is passed over, the first is cut."""
    room = budget * CHARACTERS_PER_TOKEN
    taken: list[Stretch] = []
    for unit in units:
        length = sum(end - start for _, _, start, end in unit)
        if length > room and taken:
            continue
        for paper, page, start, end in unit:
            kept = min(end, start + max(room, 0))
            if kept > start:
                taken.append((paper, page, start, kept))
                room -= kept - start
    return taken


def main(index: Path | None = None) -> dict[str, Any]:
    """{way: {budget: {"recall", "tokens", "units"}}}, means over the development questions with facts."""
    check = checker()
    settings = load_settings(corpus=PAPERS, index=index or paper_index(), llm="none")
    generation = open_current(settings.index_folder)
    retriever = Retriever(generation, Assistant(settings).embedder.embed_question)
    asked = [question for question in questions() if question["facts"]]
    found = {question["id"]: retriever.find_passages(question["question"], HITS) for question in asked}
    result: dict[str, Any] = {}
    for name, way in WAYS.items():
        for budget in BUDGETS:
            rows = []
            for question in asked:
                stretches = way(generation, found[question["id"]], budget)
                read = sum(end - start for _, _, start, end in stretches) / CHARACTERS_PER_TOKEN
                rows.append((_share_read(generation, stretches, question["facts"], check), read, len(stretches)))
            recall, tokens, pieces = np.mean(rows, axis=0)
            result.setdefault(name, {})[str(budget)] = {
                "recall": round(float(recall), 3),
                "tokens": round(float(tokens)),
                "pieces": round(float(pieces), 1),
            }
    generation.close()
    return {"questions": len(asked), "ways": result}


def _share_read(
    generation: Generation, stretches: Sequence[Stretch], facts: Sequence[Mapping[str, Any]], check: Any
) -> float:
    texts: dict[tuple[str, int], str] = {}
    for paper, page, start, end in stretches:
        texts[paper, page] = f"{texts.get((paper, page), '')} {generation.page(paper, page).text[start:end]}"
    there = {place: check.norm(text) for place, text in texts.items()}
    read = [
        all(check.norm(words) in there.get((fact["paper"], fact["page"]), "") for words in fact["must_contain"])
        for fact in facts
    ]
    return sum(read) / len(read)


def render(measured: Mapping[str, Any]) -> str:
    """The section as Markdown."""
    ways = measured["ways"]
    head = ["share of the facts read, at a budget of tokens", *BUDGETS]
    rows = [[way, *(row[str(budget)]["recall"] for budget in BUDGETS)] for way, row in ways.items()]
    pieces = [[way, *(row[str(budget)]["pieces"] for budget in BUDGETS)] for way, row in ways.items()]
    return (
        f"{measured['questions']} development questions; the same {HITS} hits for every way.\n\n"
        + table(head, rows)
        + "\n"
        + table(["pieces handed over", *BUDGETS], pieces)
    )


def plot(measured: Mapping[str, Any], folder: Path) -> list[str]:
    """Recall against tokens read."""
    series = {way: [(cell["tokens"], cell["recall"]) for cell in row.values()] for way, row in measured["ways"].items()}
    return [plots.lines(folder / "long_units.svg", "Evidence read, by tokens", "tokens read", "share of facts", series)]


SECTIONS = (Section("long_units", "What the reader is handed", main, render, plot),)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None), indent=1))
