"""Measure answers without a model on files of questions: python -m benchmarks.questions.measure INDEX PAPERS FILE ...

--each prints a line for each question: for a file that may be looked at. --write FILE keeps the answers as JSON.
INDEX is a folder of an index that is built already; PAPERS are its files. The lists that people read are the totals.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pypdfium2

from rag_app.assistant import Assistant
from rag_app.evaluation.questions import GoldFact
from rag_app.evaluation.scoring import contains_fact, is_on_page
from rag_app.outputs.json import answer_json
from rag_app.records import BETWEEN, Answer
from rag_app.settings import load_settings

REFUSED = "not_in_papers"
WITHOUT_CITATION = ("small_talk",)


def shown_text(answer: Answer) -> str:
    """The words of an answer and of its quotes; empty where it was refused."""
    if answer.status != "answered":
        return ""
    return " ".join([answer.answer, *(citation.quote for citation in answer.citations)])


def facts_told(row: dict[str, Any], answer: Answer) -> float:
    """The share of the gold facts whose short strings all stand in the answer or its quotes."""
    text = shown_text(answer)
    facts = [GoldFact(f["paper"], f["page"], f["quote"], tuple(f["must_contain"])) for f in row["facts"]]
    return statistics.mean(contains_fact(text, fact) for fact in facts)


def first_facts_told(row: dict[str, Any], answer: Answer) -> float:
    """The share of the gold facts that a reader meets first: told by the first statement of a cell of their paper.

    Only the words shown count, not the quotes behind them.
    """
    firsts: dict[str, list[str]] = {}
    for one in answer.table.rows if answer.table is not None else ():
        firsts[one.paper] = [cell.text.split(BETWEEN)[0] for cell in one.cells if cell.state == "found"]
    facts = [GoldFact(f["paper"], f["page"], f["quote"], tuple(f["must_contain"])) for f in row["facts"]]
    return statistics.mean(any(contains_fact(text, fact) for text in firsts.get(fact.paper, ())) for fact in facts)


def listed_papers(answer: Answer) -> set[str]:
    """The papers that an answer names as its result."""
    if answer.status != "answered":
        return set()
    return set(answer.plan.papers) if answer.plan is not None else {one.paper for one in answer.citations}


def measure_question(row: dict[str, Any], answer: Answer, raw_text: Callable[[str, int], str]) -> dict[str, float]:
    """The figures of one question, 0..1, by name; a figure that does not concern it is left out."""
    kind, found = row["kind"], {}
    refused = answer.status == REFUSED
    if answer.status == "answered":
        found["words"] = float(len(answer.answer.split()))
    if answer.citations:
        found["quotes on their page"] = statistics.mean(is_on_page(c, raw_text) for c in answer.citations)
    if kind == "unanswerable":
        found["unanswerable refused"] = float(refused)
        found["near passages at most two"] = float(len(answer.nearest) <= 2)
    elif kind == "outside":
        found["outside refused"] = float(not answer.citations and answer.status != "error")
        found["near passages at most two"] = float(len(answer.nearest) <= 2)
    elif kind == "inside":
        found["inside refused"] = float(refused)
    elif kind == "small_talk":
        found["small talk without a quote"] = float(answer.status == "answered" and not answer.citations)
    elif kind == "library":
        text = " ".join(shown_text(answer).split()).casefold()
        wanted = [piece for fact in row["facts"] for piece in fact["must_contain"]] + row.get("answer_contains", [])
        found["library right"] = float(all(piece.casefold() in text for piece in wanted))
    elif kind == "other":
        found["no table where none is asked"] = float(answer.table is None)
    else:
        found["answerable refused"] = float(refused)
    if kind == "comparison":
        rows = {one.paper for one in answer.table.rows} if answer.table is not None else set()
        found["comparison: a table"] = float(bool(rows))
        found["comparison: right papers"] = float(rows == set(row["papers"]))
        if row.get("facts"):
            found["comparison: facts told"] = facts_told(row, answer)
            found["comparison: first statements"] = first_facts_told(row, answer)
        if answer.table is not None:
            found["words in a cell"] = statistics.mean(
                len(cell.text.split()) for one in answer.table.rows for cell in one.cells
            )
    elif kind in ("spotlight", "chain"):
        found[f"{'single' if kind == 'spotlight' else 'chain'} facts told"] = facts_told(row, answer)
    elif kind == "clustering":
        gold, said = set(row["papers"]), listed_papers(answer) - set(row.get("mentions", ()))
        found["list precision"] = len(said & gold) / len(said) if said else 0.0
        found["list recall"] = len(said & gold) / len(gold)
    return found


def summarise(scores: Iterable[dict[str, float]]) -> dict[str, str]:
    """Each figure's mean and how many questions it rests on; of words the median."""
    by_name: dict[str, list[float]] = {}
    for one in scores:
        for name, value in one.items():
            by_name.setdefault(name, []).append(value)
    middle = {name: statistics.median if name == "words" else statistics.mean for name in by_name}
    return {name: f"{middle[name](values):.3f} of {len(values)}" for name, values in sorted(by_name.items())}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The questions of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main(arguments: Sequence[str]) -> int:
    """Ask and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks.questions.measure", description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("papers", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    assistant = Assistant(load_settings(corpus=options.papers, index=options.index, llm="none"))

    @lru_cache(maxsize=2_000)
    def raw_text(paper: str, page: int) -> str:
        with pypdfium2.PdfDocument(options.papers / paper) as pdf:
            return str(pdf[page - 1].get_textpage().get_text_range())

    kept = []
    for path in options.files:
        scores = []
        for row in read_rows(path):
            answer = assistant.ask(row["question"], id=row["id"])
            if answer.status == "error":  # figures of questions that were never asked would look like refusals
                parser.exit(1, f"{row['id']}: {answer.answer}\n")
            found = measure_question(row, answer, raw_text)
            scores.append(found)
            kept.append({"file": path.name, "scores": found, **answer_json(answer)})
            if options.each:
                told = {name: round(value, 2) for name, value in found.items()}
                print(row["id"], row["kind"], row["question"], told, sep=" | ", flush=True)
        print(f"\n{path.name}: {len(scores)} questions")
        for name, value in summarise(scores).items():
            print(f"  {name:32} {value}", flush=True)
    if options.write:
        options.write.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in kept), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
