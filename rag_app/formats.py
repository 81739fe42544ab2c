"""Answers, hits and papers as JSON values: the same from the command line, the browser and Python.

The names that stand first in each value are fixed, since others build on them; more may follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rag_app.assistant import PaperRow
from rag_app.build_report import BuildReport
from rag_app.fetch import Fetched
from rag_app.records import Answer, AnswerPlan, Citation, Hit, Step, Table

Json = dict[str, Any]


def answer_json(answer: Answer) -> Json:
    """The answer as a JSON value. Boxes are x0, y0, x1, y1 in PDF points from the page's top left."""
    value: Json = {
        "id": answer.id,
        "question": answer.question,
        "status": answer.status,
        "answer": answer.answer,
        "reader": answer.reader,
        "citations": [citation_json(citation) for citation in answer.citations],
        "unsupported": list(answer.unsupported),
        "searched": {
            "papers": answer.searched.papers,
            "read": answer.searched.read,
            "quoted": answer.searched.quoted,
            "unreadable": list(answer.searched.unreadable),
        },
        "milliseconds": {name: float(answer.milliseconds.get(name, 0.0)) for name in ("retrieve", "read", "total")},
        "nearest": [citation_json(citation) for citation in answer.nearest],
        "notes": list(answer.notes),
        "tokens": answer.tokens,
        "table": table_json(answer.table) if answer.table is not None else None,
        "plan": plan_json(answer.plan) if answer.plan is not None else None,
        "steps": [step_json(step) for step in answer.steps],
    }
    if answer.status == "error":
        value["error"] = answer.answer
    return value


def plan_json(plan: AnswerPlan) -> Json:
    """How a question was understood: its kind, the papers with their short names, the aspects."""
    return {
        "kind": plan.kind,
        "papers": list(plan.papers),
        "names": list(plan.names),
        "aspects": list(plan.aspects),
        "searched": plan.searched,
    }


def step_json(step: Step) -> Json:
    """One step from paper to paper: what was asked of which paper, what was found, and the citations for it."""
    return {
        "question": step.question,
        "paper": step.paper,
        "found": step.found,
        "citations": list(step.citations),
    }


def table_json(table: Table) -> Json:
    """A comparison: the columns' heads, and per paper a cell for each with the numbers of its citations."""
    return {
        "aspects": list(table.aspects),
        "rows": [
            {
                "paper": row.paper,
                "name": row.name,
                "cells": [{"text": cell.text, "citations": list(cell.citations)} for cell in row.cells],
            }
            for row in table.rows
        ],
    }


def citation_json(citation: Citation) -> Json:
    """One citation. `page` counts as a PDF viewer does, `label` is what the page prints."""
    return {
        "number": citation.number,
        "paper": citation.paper,
        "title": citation.title,
        "page": citation.page,
        "label": citation.label,
        "section": citation.section,
        "quote": citation.quote,
        "verified": citation.verified,
        "boxes": [[round(float(edge), 2) for edge in box] for box in citation.boxes],
        "digest": citation.digest,
    }


def hits_json(
    question: str, hits: Sequence[Hit], title: Callable[[str], str], milliseconds: float, *, id: object = ""
) -> Json:
    """The hits of one search, best first; scores compare within one search only."""
    return {
        "id": id,
        "question": question,
        "hits": [
            {
                "rank": rank,
                "paper": hit.passage.paper,
                "title": title(hit.passage.paper),
                "page": hit.passage.page,
                "section": hit.passage.section,
                "text": hit.passage.text,
                "score": round(float(hit.score), 6),
                "label": hit.passage.label,
            }
            for rank, hit in enumerate(hits, start=1)
        ],
        "milliseconds": round(milliseconds, 1),
    }


def papers_json(rows: Sequence[PaperRow]) -> Json:
    """What the library holds."""
    return {
        "papers": [
            {
                "paper": row.paper,
                "title": row.title,
                "pages": row.pages,
                "passages": row.passages,
                "state": row.state,
                "problem": row.problem,
                "year": row.year,
                "topic": row.topic,
                "warnings": list(row.warnings),
            }
            for row in rows
        ]
    }


def build_json(report: BuildReport) -> Json:
    """What a build did; `failed` names the papers that cannot be searched."""
    return {
        "status": "failed" if report.failed else "built",
        **asdict(report),
        "failed": [paper.paper for paper in report.failed],
    }


def fetched_json(results: Sequence[Fetched]) -> Json:
    """What became of each paper that was asked for."""
    failed = [result.id for result in results if result.state == "failed"]
    return {
        "status": "failed" if failed else "fetched",
        "papers": [
            {
                "id": result.id,
                "state": result.state,
                "file": result.path.name if result.path else "",
                "bytes": result.size,
                "problem": result.problem,
            }
            for result in results
        ],
        "failed": failed,
    }


def error_json(message: str) -> Json:
    """An error where an answer was asked for."""
    return {"status": "error", "error": message}
