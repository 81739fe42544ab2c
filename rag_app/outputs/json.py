"""Answers, hits and papers as JSON values: the same from the command line, the browser and Python.

The names that stand first in each value are fixed, since others build on them; more may follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import get_args

from rag_app.index.build_report import BuildReport
from rag_app.papers.fetch import FetchResult
from rag_app.papers.talks import find_second
from rag_app.records import (
    Alternative,
    Answer,
    AnswerPlan,
    Cell,
    Citation,
    Hit,
    Json,
    ModelUse,
    PaperRow,
    Reference,
    Row,
    SearchSummary,
    Statement,
    Step,
    Support,
    Table,
    TableCell,
    Verdict,
)


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
        "verdicts": [
            {
                "sentence": verdict.sentence,
                "support": verdict.support,
                "missing": list(verdict.missing),
                "reason": verdict.reason,
            }
            for verdict in answer.verdicts
        ],
        "support": {kind: sum(v.support == kind for v in answer.verdicts) for kind in get_args(Support)},
        "repaired": answer.repaired,
        "semantic_entropy": answer.semantic_entropy,
        "asked": answer.asked,
        "confidence": answer.confidence,
        "plan": plan_json(answer.plan) if answer.plan is not None else None,
        "steps": [step_json(step) for step in answer.steps],
        "alternatives": [asdict(one) for one in answer.alternatives],
        "spent": asdict(answer.spent) if answer.spent is not None else None,
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
                "cells": list(map(_cell_json, row.cells)),
            }
            for row in table.rows
        ],
    }


def _cell_json(cell: Cell) -> Json:
    further = [{"text": one.text, "citation": one.citation} for one in cell.further]
    return {"text": cell.text, "citations": list(cell.citations), "state": cell.state, "further": further}


def parse_answer(value: Json) -> Answer:
    """The answer behind what `answer_json` gave; what an older version did not write is empty."""
    searched, table = value.get("searched") or {}, value.get("table")
    return Answer(
        id=str(value.get("id", "")),
        question=str(value["question"]),
        status=value["status"],
        answer=value["answer"],
        reader=value.get("reader", ""),
        citations=tuple(parse_citation(citation) for citation in value.get("citations", ())),
        unsupported=tuple(value.get("unsupported", ())),
        searched=SearchSummary(
            int(searched.get("papers", 0)),
            int(searched.get("read", 0)),
            int(searched.get("quoted", 0)),
            tuple(searched.get("unreadable", ())),
        ),
        milliseconds=dict(value.get("milliseconds", {})),
        nearest=tuple(parse_citation(citation) for citation in value.get("nearest", ())),
        notes=tuple(value.get("notes", ())),
        tokens=int(value.get("tokens", 0)),
        table=parse_table(table) if table else None,
        asked=value.get("asked", ""),
        confidence=value.get("confidence", ""),
        verdicts=tuple(
            Verdict(v["sentence"], v["support"], tuple(v["missing"]), v.get("reason", ""))
            for v in value.get("verdicts", ())
        ),
        semantic_entropy=value.get("semantic_entropy"),
        repaired=bool(value.get("repaired", False)),
        plan=_parse_plan(value.get("plan")),
        alternatives=tuple(Alternative(**one) for one in value.get("alternatives", ())),
        spent=ModelUse(**value["spent"]) if value.get("spent") else None,
        steps=tuple(Step(**{**step, "citations": tuple(step["citations"])}) for step in value.get("steps", ())),
    )


def _parse_plan(value: Json | None) -> AnswerPlan | None:
    if not value:
        return None
    lists = {name: tuple(value[name]) for name in ("papers", "names", "aspects")}
    return AnswerPlan(value["kind"], searched=int(value["searched"]), **lists)


def _cell(value: Json) -> Cell:
    """A cell; one that was kept before cells had a state has it by its citations."""
    citations = tuple(value["citations"])
    state = value.get("state", "found" if citations else "nothing found")
    further = tuple(Statement(one["text"], one["citation"]) for one in value.get("further", ()))
    return Cell(value["text"], citations, state, further)


def parse_table(value: Json) -> Table:
    """The comparison behind what `table_json` gave."""
    rows = tuple(Row(row["paper"], row["name"], tuple(map(_cell, row["cells"]))) for row in value["rows"])
    return Table(tuple(value["aspects"]), rows)


def parse_citation(value: Json) -> Citation:
    """The citation behind what `citation_json` gave; boxes are rounded there to a hundredth of a point."""
    known = {field.name for field in fields(Citation)}
    boxes = tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in value["boxes"])
    references = tuple(Reference(**reference) for reference in value.get("references", ()))
    kept = {name: part for name, part in value.items() if name in known}
    cells = tuple(TableCell(**cell) for cell in value.get("cells", ()))
    return Citation(**{**kept, "boxes": boxes, "references": references, "cells": cells})


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
        "references": [
            {"mark": reference.mark, "entry": reference.entry, "paper": reference.paper}
            for reference in citation.references
        ],
        "caption": citation.caption,
        "cells": [{"row": cell.row, "column": cell.column, "value": cell.value} for cell in citation.cells],
        "doubtful_signs": citation.doubtful_signs,
        "read_by_ocr": citation.read_by_ocr,
        "second": find_second(citation.paper, citation.label),
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
                "second": find_second(hit.passage.paper, hit.passage.label),
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
                "hidden": list(row.hidden),
                "same": list(row.same),
                "tags": list(row.tags),
                "language": row.language,
            }
            for row in rows
        ]
    }


def build_json(report: BuildReport) -> Json:
    """What a build did; `failed` names the papers that cannot be searched."""
    return {
        "status": "failed" if report.failed_papers else "built",
        **asdict(report),
        "failed": [paper.paper for paper in report.failed_papers],
    }


def fetch_results_json(results: Sequence[FetchResult]) -> Json:
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
