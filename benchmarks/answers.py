"""Claim: answers can be checked. The quoting reader on the development questions.

Quote validity is judged from outside: the quote is looked for in the raw text that pypdfium2 extracts from the cited
page.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.common import PAPERS, SHARED, paper_index, questions
from benchmarks.report import Section, table
from rag_app.assistant import Assistant
from rag_app.records import Answer
from rag_app.settings import load_settings


def checker() -> ModuleType:
    specification = importlib.util.spec_from_file_location("check_questions", SHARED / "check_questions.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def main(index: Path | None = None, llm: str = "none", path: Path | None = None) -> dict[str, Any]:
    """By kind of question: refused, fact coverage, citation precision; over all: quote validity, seconds."""
    check = checker()
    pages = check.Pages(str(PAPERS))
    rows: dict[str, dict[str, list[float]]] = {}
    quotes = {"cited": 0, "verified": 0, "on the page": 0}
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        assistant = Assistant(load_settings(corpus=PAPERS, index=index or Path(folder), llm=llm))
        if assistant.is_stale():
            assistant.build()
        for question in questions(path) if path else questions():
            answer = assistant.ask(question["question"], id=question["id"])
            seconds.append(answer.milliseconds["total"] / 1000)
            row = rows.setdefault(question["kind"], {})
            row.setdefault("refused", []).append(answer.status == "not_in_papers")
            for name, value in _facts(answer, question["facts"], check).items():
                row.setdefault(name, []).append(value)
            for citation in answer.citations:
                quotes["cited"] += 1
                quotes["verified"] += citation.verified
                quotes["on the page"] += pages.on_page(citation.paper, citation.page, citation.quote)
    kinds = {
        kind: {name: round(float(np.mean(values)), 3) for name, values in row.items()} for kind, row in rows.items()
    }
    answerable = [value for kind, row in rows.items() if kind != "unanswerable" for value in row["refused"]]
    return {
        "reader": llm,
        "kinds": kinds,
        "refused of the unanswerable": kinds.get("unanswerable", {}).get("refused"),
        "refused of the answerable": round(float(np.mean(answerable)), 3) if answerable else None,
        "quotes": quotes,
        "seconds": {
            "p50": round(float(np.percentile(seconds, 50)), 2),
            "p95": round(float(np.percentile(seconds, 95)), 2),
        },
    }


def _facts(answer: Answer, facts: list[dict[str, Any]], checker: ModuleType) -> dict[str, float]:
    if not facts:
        return {}
    text = checker.norm(" ".join([answer.answer, *(citation.quote for citation in answer.citations)]))
    found = [all(checker.norm(piece) in text for piece in fact["must_contain"]) for fact in facts]
    measured = {"fact coverage": sum(found) / len(found)}
    cited = {(citation.paper, citation.page) for citation in answer.citations}
    if cited:
        gold = {(fact["paper"], fact["page"]) for fact in facts}
        measured["citation precision (page)"] = len(cited & gold) / len(cited)
    return measured


def render(measured: dict[str, Any]) -> str:
    """The section as Markdown."""
    names = ["refused", "fact coverage", "citation precision (page)"]
    rows = [[kind, *(row.get(name) for name in names)] for kind, row in measured["kinds"].items()]
    quotes, seconds = measured["quotes"], measured["seconds"]
    return (
        table(["kind", *names], rows)
        + f"\nQuotes cited: {quotes['cited']}; verified by us: {quotes['verified']}; found from outside in the raw "
        + f"text of the cited page: {quotes['on the page']}. Of the unanswerable questions "
        + f"{measured['refused of the unanswerable']} were refused, of the answerable "
        + f"{measured['refused of the answerable']}. "
        + f"Seconds per answer: p50 {seconds['p50']}, p95 {seconds['p95']}.\n"
        + "\nThese questions were looked at while the refusal and the comparison were tuned; held-out figures: "
        + "`choices.md`, Answers.\n"
    )


SECTIONS = (
    Section("answers", "Answers of the quoting reader", lambda: main(paper_index()), render),
    Section("model", "Answers of SmolLM2-135M behind llama.cpp", lambda: main(paper_index(), llm="local"), render),
)


if __name__ == "__main__":
    print(json.dumps(main(llm=sys.argv[1] if len(sys.argv) > 1 else "none"), indent=1))
