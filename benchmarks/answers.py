"""Claim: answers can be checked. `rag_app eval` over the development questions, on an index of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import PAPERS, QUESTIONS, paper_index
from benchmarks.report import Section, Target, table
from rag_app.assistant import Assistant
from rag_app.cli.evaluate import measure
from rag_app.evaluation.questions import read_questions
from rag_app.evaluation.report import SCORES, summarise_answers
from rag_app.settings import load_settings
from rag_app.text.sentences import sentences


def main(index: Path | None = None, llm: str = "none", path: Path = QUESTIONS) -> dict[str, Any]:
    """The report of evaluation_summary.summary, without the line of each question.

    Besides, where a model wrote: how many sentences it wrote, and how many of these are marked as unsupported.
    """
    with tempfile.TemporaryDirectory() as folder:
        assistant = Assistant(load_settings(corpus=PAPERS, index=index or Path(folder), llm=llm))
        if assistant.is_stale():
            assistant.build()
        outcomes = list(measure(assistant, read_questions(path)))
    report = {name: value for name, value in summarise_answers(outcomes).items() if name != "each"}
    answers = [outcome.answer for outcome in outcomes if outcome.answer.status == "answered"]
    if llm != "none":
        report["sentences"] = {
            "written": sum(len(sentences(answer.answer)) for answer in answers),
            "marked": sum(len(answer.unsupported) for answer in answers),
            "answers": len(answers),
            "with marks": sum(bool(answer.unsupported) for answer in answers),
        }
    return report


def render(measured: dict[str, Any]) -> str:
    """The section as Markdown."""
    kinds = measured["kinds"]
    names = [name for name in SCORES if any(name in row for row in kinds.values()) and not name.startswith("recall")]
    rows = [[kind, *(row.get(name) for name in names)] for kind, row in kinds.items()]
    quotes, seconds, refusal = measured["quotes"], measured["seconds"], measured["refusal"]
    levels = [f"{level} {row['right']} of {row['answers']}" for level, row in measured["confidence"].items()]
    cells = ", ".join(f"{count} {name}" for name, count in measured["cells"].items())
    return "".join(
        [
            table(["kind", *names], rows),
            f"\nQuotes cited: {quotes['cited']}; verified by us: {quotes['verified']}; found from outside in the ",
            f"raw text of the cited page: {quotes['on the page']}. ",
            f"Of the unanswerable questions {refusal['refused of the unanswerable']} were refused, ",
            f"of the answerable {refusal['falsely refused of the answerable']}. ",
            f"Cells of comparisons: {cells}. " if cells else "",
            f"Right answers by stated confidence: {', '.join(levels)}. " if levels else "",
            f"Seconds per answer: p50 {seconds['p50']}, p95 {seconds['p95']}.\n",
            _invented(measured),
            "\nWhat each column counts: [measuring](../guide/measuring.md). Some signs of the refusal and of the ",
            "comparison were chosen while looking at these questions; held-out figures: "
            "[answers](answers.md#refusal-and-confidence).\n",
        ]
    )


def _invented(measured: dict[str, Any]) -> str:
    if "sentences" not in measured:
        return ""
    told = measured["sentences"]
    return (
        f"\nOf about {told['written']} sentences in {told['answers']} answers {told['marked']} are marked as not "
        f"supported by what they cite, in {told['with marks']} answers.\n"
    )


def targets(measured: dict[str, Any]) -> list[Target]:
    """What was aimed at without a model."""
    kinds, cells, refusal = measured["kinds"], measured["cells"], measured["refusal"]
    quotes = measured["quotes"]
    valid = round(quotes["on the page"] / quotes["cited"], 4) if quotes["cited"] else None
    choice = "the sentence that says it is among ten candidates for most facts; words and vectors do not tell it first"
    return [
        Target("quotes that stand on their page", 1, valid),
        Target("spotlight: share of facts told", 0.7, kinds["spotlight"]["fact coverage"], why=choice),
        Target("comparison: share of cells right", 0.6, kinds["comparison"]["cells right"], why=choice),
        Target("cells missing in a comparison", 0, cells["missing"], at_most=True),
        Target("clustering: F1 of the papers", 0.6, kinds["clustering"]["papers F1"]),
        Target("unanswerable questions refused", 0.85, refusal["refused of the unanswerable"]),
        Target("answerable questions refused", 0.1, refusal["falsely refused of the answerable"], at_most=True),
    ]


def _small_model() -> dict[str, Any]:
    return main(paper_index(), llm="local")


SECTIONS = (
    Section("answers", "Answers of the quoting reader", lambda: main(paper_index()), render, targets=targets),
    Section("model", "Answers of SmolLM2-135M behind llama.cpp", _small_model, render),
)


if __name__ == "__main__":
    print(json.dumps(main(llm=sys.argv[1] if len(sys.argv) > 1 else "none"), indent=1))
