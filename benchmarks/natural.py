"""Claim: questions as people ask them are answered better where the one paper that they are about is searched for them.

ARAGOG's questions (107 over 15 of the PDFs, most name one paper) with reference answers in free words, and QASPER's
(189 with marked evidence, each asked of its own paper) whose right sentences people marked.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.common import PAPERS, paper_index
from benchmarks.refusal_material import DATASETS, lines, qasper_library
from benchmarks.report import Section, table
from rag_app.answering import steps
from rag_app.assistant import Assistant
from rag_app.evaluation.scoring import fold_text
from rag_app.records import Answer
from rag_app.settings import load_settings
from rag_app.text.terms import content_words, find_numbers

WAYS = {"ours": True, "without": False}  # whether the one paper that a question is about is looked for


def main() -> dict[str, Any]:
    """{set: {way: {measure: mean}}}; the QASPER library is kept below BENCHMARK_SETS where that is set."""
    kept = os.environ.get("BENCHMARK_SETS", "")
    with tempfile.TemporaryDirectory() as folder:
        papers = Assistant(load_settings(corpus=PAPERS, index=paper_index(), llm="none"))
        qasper = qasper_library(Path(kept or folder))
        return {
            "ARAGOG": {way: _with(sought, lambda: aragog(papers)) for way, sought in WAYS.items()},
            "QASPER": {way: _with(sought, lambda: marked(qasper)) for way, sought in WAYS.items()},
        }


def _with(sought: bool, measure: Any) -> dict[str, float]:
    with contextlib.nullcontext() if sought else _nobodys():
        found: dict[str, float] = measure()
    return found


@contextlib.contextmanager
def _nobodys() -> Iterator[None]:
    """No question is about one paper."""
    before, steps.subject_of = steps.subject_of, lambda *about: None
    try:
        yield
    finally:
        steps.subject_of = before


def aragog(assistant: Assistant) -> dict[str, float]:
    """Of the reference answer's words and numbers that are not the question's, the share that the quotes hold."""
    material = json.loads((DATASETS / "aragog" / "benchmark.json").read_text(encoding="utf-8"))
    words, values, said, refused = [], [], [], 0
    for question, gold in zip(material["questions"], material["ground_truths"], strict=True):
        answer = assistant.ask(question)
        refused += answer.status == "not_in_papers"
        quoted = _quoted(answer)
        wanted = set(content_words(gold)) - set(content_words(question))
        words.append(len(wanted & set(content_words(quoted))) / max(1, len(wanted)))
        if figures := set(find_numbers(gold)) - set(find_numbers(question)):
            values.append(len(figures & set(find_numbers(quoted))) / len(figures))
        said.append(len(quoted.split()))
    return {
        "questions": len(words),
        "words held": round(mean(words), 3),
        "numbers held": round(mean(values), 3),
        "refused": round(refused / len(words), 3),
        "words an answer": round(mean(said)),
    }


def marked(assistant: Assistant) -> dict[str, float]:
    """The share of questions of which some marked sentence is quoted, and of the marked ones that are."""
    some, share, said, refused = [], [], [], 0
    for one in lines(DATASETS / "qasper_mini" / "questions.jsonl"):
        gold = [text for text in map(fold_text, (*one["extractive_spans"], *one["highlighted"])) if text]
        if one["unanswerable"] or not one["evidence_idx"] or not gold:
            continue
        answer = assistant.ask(one["question"], papers=[f"{one['paper_id']}.md"])
        refused += answer.status == "not_in_papers"
        quoted = _quoted(answer)
        held = [text in fold_text(quoted) for text in gold]
        some.append(any(held))
        share.append(mean(held))
        said.append(len(quoted.split()))
    return {
        "questions": len(some),
        "some marked text quoted": round(mean(some), 3),
        "marked texts quoted": round(mean(share), 3),
        "refused": round(refused / len(some), 3),
        "words an answer": round(mean(said)),
    }


def _quoted(answer: Answer) -> str:
    return " ".join(citation.quote for citation in answer.citations) if answer.status == "answered" else ""


def render(measured: dict[str, Any]) -> str:
    """The section as Markdown."""
    parts = []
    for name in ("ARAGOG", "QASPER"):
        ways = measured[name]
        names = list(ways["ours"])
        parts.append(table([name, *names], ([way, *(row[one] for one in names)] for way, row in ways.items())))
    return "\n".join(parts)


SECTIONS = (Section("natural", "Questions as people ask them, without a model", main, render),)


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
