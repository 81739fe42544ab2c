"""How well questions are answered by a strong model, and what is flagged of what it wrote.

`groups` writes lists of questions, `ask` asks one list, one question after another, `report` makes the table of what
was recorded, and `plant` has altered statements checked. The model is any OpenAI-compatible server, also one whose
replies are written by people: a reply may take an hour.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import threading
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.common import PAPERS, QUESTIONS, SHARED, paper_index, questions
from rag_app.answering.model.checking import AnswerClaim, Material, check_claims
from rag_app.answering.model.reader import ModelReader
from rag_app.assistant import Assistant
from rag_app.citations.statements import Statement
from rag_app.evaluation.questions import GoldQuestion, parse_question
from rag_app.evaluation.scoring import contains_fact, score_comparison
from rag_app.index.generations import open_current
from rag_app.models.llm.chat import Message, Tool
from rag_app.models.llm.client import OpenAIModel, StreamEnd, open_language_model
from rag_app.outputs.json import answer_json, parse_answer
from rag_app.records import Answer, Citation, Progress
from rag_app.settings import load_settings
from rag_app.text.terms import squash

NATURAL = SHARED / "questions_natural.jsonl"
WANTED = {"comparison": 12, "clustering": 4, "chain": 4, "unanswerable": 6, "chinese": 2, "spotlight": 17}
PATIENCE = 3_600.0  # seconds that a reply may take
# Two of the questions in Chinese; their gold is that of the same questions in English.
CHINESE = (
    ("zh-01", "DPR在Natural Questions上的top-20检索准确率是多少?", "2004.04906v3.pdf", "78.4"),
    ("zh-02", "RoBERTa对BERT的掩码策略和批量大小做了什么改变?", "1907.11692v1.pdf", "8K"),
)
SEED = 20261129


class WatchedModel(OpenAIModel):
    """A model that remembers what it was shown."""

    def __init__(self, *about: Any, **more: Any) -> None:
        super().__init__(*about, **more)
        self.shown: list[str] = []

    def chat(
        self, messages: Sequence[Message], stop: threading.Event, tools: Sequence[Tool] = (), *, json: bool = False
    ) -> Generator[str, None, StreamEnd]:
        self.shown += [message.text for message in messages if message.role != "system"]
        return (yield from super().chat(messages, stop, tools, json=json))


def choose_questions() -> list[dict[str, Any]]:
    """The questions of the measure: of each kind as many as WANTED says, drawn once and for all."""
    known = [*questions(QUESTIONS), *questions(NATURAL)]
    for id, text, paper, piece in CHINESE:
        fact = {"paper": paper, "page": 0, "quote": "", "must_contain": [piece]}
        known.append(
            {"id": id, "kind": "chinese", "question": text, "papers": [paper], "answer": piece, "facts": [fact]}
        )
    chosen = []
    for kind, number in WANTED.items():
        of_kind = [one for one in known if one["kind"] == kind]
        chosen += random.Random(SEED).sample(of_kind, min(number, len(of_kind)))
    return chosen


def write_groups(folder: Path, number: int) -> None:
    """The questions in `number` lists of about the same kinds."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in range(number):
        lines = [json.dumps(one, ensure_ascii=False) for one in choose_questions()[place::number]]
        (folder / f"group{place + 1}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def open_assistant(url: str) -> tuple[Assistant, WatchedModel]:
    """The product with its default settings, but for the time that a reply may take."""
    settings = load_settings(
        corpus=PAPERS, index=paper_index(), llm_base_url=url, llm_timeout=PATIENCE, llm_question_seconds=PATIENCE * 10
    )
    opened = open_language_model(settings)
    assert opened is not None
    model = WatchedModel(opened.endpoint, settings)
    return Assistant(settings, reader=ModelReader(model, settings)), model


def ask_questions(file: Path, url: str, out: Path) -> None:
    """Ask the questions of a list that `out` does not hold yet; each answer is a line of it."""
    done = {one["question"]["id"] for one in questions(out)} if out.exists() else set()
    assistant, model = open_assistant(url)
    for value in questions(file):
        if value["id"] in done:
            continue
        model.shown.clear()
        steps: list[str] = []
        answer: Answer | None = None
        for event in assistant.stream(value["question"]):
            if isinstance(event, Progress):
                steps.append(event.message)
            elif isinstance(event, Answer):
                answer = event
        assert answer is not None
        seen = squash("\n".join(model.shown))
        held = [bool(fact["quote"]) and squash(fact["quote"]) in seen for fact in value["facts"]]
        row = {
            "question": value,
            "answer": answer_json(answer),
            "seen": held,
            "steps": steps,
            "asked": len(model.shown),
        }
        with out.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(f"{value['id']}: {answer.status}, {answer.tokens:,} tokens", file=sys.stderr, flush=True)


# -- what came of it --------------------------------------------------------------------------------------------------


def report(files: Iterable[Path], right: frozenset[str]) -> str:
    """The table, and each statement that was flagged. `right` are statements that people found right all the same."""
    rows = [row for file in files for row in questions(file)]
    kinds = [kind for kind in WANTED if any(row["question"]["kind"] == kind for row in rows)]
    measured = {kind: _measure([row for row in rows if row["question"]["kind"] == kind]) for kind in kinds}
    names = list(next(iter(measured.values())))
    lines = [f"| Measure | {' | '.join(kinds)} |", f"|---|{'---|' * len(kinds)}"]
    lines += [f"| {name} | {' | '.join(measured[kind][name] for kind in kinds)} |" for name in names]
    verdicts = [(row, one) for row in rows for one in row["answer"]["verdicts"]]
    flagged = [(row, one) for row, one in verdicts if one["support"] not in ("supported", "unchecked")]
    false = [one for _, one in flagged if one["sentence"] in right]
    unchecked = sum(one["support"] == "unchecked" for _, one in verdicts)
    lines.append(
        f"\nstatements {len(verdicts)}, flagged {len(flagged)}, of these right {len(false)}, not judged {unchecked}\n"
    )
    for row, one in flagged:
        mark = "right" if one["sentence"] in right else "?"
        missing = ", ".join(one["missing"])
        why = f"[{missing}] {one.get('reason', '')}"
        lines.append(f"- {row['question']['id']} {one['support']} ({mark}) {why}: {one['sentence']}")
    return "\n".join(lines)


def _measure(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    pairs = [(_gold(row), parse_answer(row["answer"])) for row in rows]
    facts = [(fact, answer) for gold, answer in pairs for fact in gold.facts]
    told = [
        contains_fact(" ".join([answer.answer, *(one.quote for one in answer.citations)]), f) for f, answer in facts
    ]
    seen = [
        held for row in rows for fact, held in zip(row["question"]["facts"], row["seen"], strict=True) if fact["quote"]
    ]
    cells = [score_comparison(answer, gold.facts)["right"] for gold, answer in pairs if gold.kind == "comparison"]
    refused = sum(answer.status == "not_in_papers" for _, answer in pairs)
    quotes = [one.verified for _, answer in pairs for one in answer.citations]
    calls = [sum("call" in note and _calls(note) for note in answer.notes) for _, answer in pairs]
    outside = [answer.milliseconds.get("retrieve", 0.0) for _, answer in pairs]
    return {
        "Questions": str(len(rows)),
        "Gold evidence in what the model saw": _of(seen),
        "Gold facts told (in the answer or its quotes)": _of(told),
        "Cells right": f"{sum(cells)}/{len(facts)}" if cells else "–",
        "Refused": f"{refused}",
        "Errors": str(sum(answer.status == "error" for _, answer in pairs)),
        "Calls, median": f"{statistics.median(calls):g}",
        "Tokens, median": f"{statistics.median(answer.tokens for _, answer in pairs):,.0f}",
        "Milliseconds outside the model, median": f"{statistics.median(outside):.0f}",
        "Quotes shown as verified / all": _of(quotes),
    }


def _gold(row: dict[str, Any]) -> GoldQuestion:
    value = row["question"]
    if value["kind"] == "chinese":  # its fact names no page
        facts = [{**fact, "page": 1, "quote": fact["must_contain"][0]} for fact in value["facts"]]
        value = {**value, "kind": "spotlight", "facts": facts}
    return parse_question(value, value["id"])


def _calls(note: str) -> int:
    head = note.split(" ", 1)[0]
    return int(head) if head.isdigit() and " call" in note[:12] else 0


def _of(found: Sequence[bool]) -> str:
    return f"{sum(found)}/{len(found)}" if found else "–"


# -- planted errors ---------------------------------------------------------------------------------------------------


def check_planted(plan: Path, files: Iterable[Path], url: str) -> str:
    """The verdicts on altered statements and on right ones, in one check, by the model and by words alone.

    A line of `plan`: {"id", "cited": [number], "text", "kind"}: of which answer, what it cites there, the statement.
    """
    rows = {row["question"]["id"]: row for file in files for row in questions(file)}
    _, model = open_assistant(url)
    page_of = cache(open_current(paper_index()).page)
    planted = questions(plan)
    random.Random(SEED).shuffle(planted)
    citations: list[Citation] = []
    claims: list[AnswerClaim] = []
    for one in planted:
        own = [c for c in parse_answer(rows[one["id"]]["answer"]).citations if c.number in one["cited"]]
        numbers = tuple(range(len(citations) + 1, len(citations) + len(own) + 1))
        citations += [replace(citation, number=number) for citation, number in zip(own, numbers, strict=True)]
        claims.append(AnswerClaim(Statement(one["text"], one["text"], numbers), one["text"]))
    material = Material("What do the papers say?", citations, page_of)
    lines = []
    for way, asked in (("meaning", model), ("words", None)):
        verdicts = check_claims(claims, material, asked, threading.Event()).verdicts
        lines += [
            f"{way} | {one['kind']} | {verdict.support} | {one['text']} | {verdict.reason}"
            for one, verdict in zip(planted, verdicts, strict=True)
        ]
    return "\n".join(sorted(lines))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strong_model", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    groups = commands.add_parser("groups", help="write lists of questions into a folder")
    groups.add_argument("folder", type=Path)
    groups.add_argument("--number", type=int, default=3)
    ask = commands.add_parser("ask", help="ask the questions of a list")
    ask.add_argument("file", type=Path)
    ask.add_argument("--url", required=True, help="of the server, as http://127.0.0.1:8131/v1")
    ask.add_argument("--out", type=Path, required=True)
    told = commands.add_parser("report", help="the table of what was recorded")
    told.add_argument("files", type=Path, nargs="+")
    told.add_argument("--right", type=Path, help="statements that were flagged and are right, one a line")
    plant = commands.add_parser("plant", help="have altered statements checked")
    plant.add_argument("plan", type=Path)
    plant.add_argument("files", type=Path, nargs="+")
    plant.add_argument("--url", required=True)
    wanted = parser.parse_args()
    if wanted.command == "groups":
        write_groups(wanted.folder, wanted.number)
    elif wanted.command == "ask":
        ask_questions(wanted.file, wanted.url, wanted.out)
    elif wanted.command == "report":
        right = wanted.right.read_text(encoding="utf-8").splitlines() if wanted.right else []
        print(report(wanted.files, frozenset(line.strip() for line in right)))
    else:
        print(check_planted(wanted.plan, wanted.files, wanted.url))


if __name__ == "__main__":
    main()
