"""How often a follow-up is understood, without a model: `python -m benchmarks.followups INDEX QUESTIONS.jsonl`.

`followups.jsonl` holds follow-ups, each with the question before it, the papers that its answer cited, and what the
rewritten question must hold and must not. QUESTIONS.jsonl holds questions that stand alone: none may be changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rag_app.index.generations import open_current
from rag_app.records import Answer, Citation
from rag_app.retrieval.follow_ups import resolve_follow_up
from rag_app.retrieval.hybrid import Retriever
from rag_app.retrieval.understanding import LibraryNames

OWN = Path(__file__).with_suffix(".jsonl")


def answered(question: str, papers: list[str]) -> Answer:
    """An answer that cites the papers in this order."""
    cited = [Citation(number, paper, "", 1, "1", "", "", True) for number, paper in enumerate(papers, start=1)]
    return Answer("", question, "answered", "", "quoting", tuple(cited))


def is_right(row: dict[str, Any], found: str) -> bool:
    """Whether the rewritten question holds and lacks what it should."""
    if row.get("unchanged"):
        return not found
    some = row.get("holds_any") or [""]
    holds = all(text in found for text in row["holds"]) and any(text in found for text in some)
    return bool(found) and holds and not any(text in found for text in row["lacks"])


def main(index: Path, questions: Path) -> None:
    """Print what went wrong, and the shares."""
    names = LibraryNames(Retriever(open_current(index), None))
    rows = [json.loads(line) for line in OWN.read_text(encoding="utf-8").splitlines()]
    right = 0
    for row in rows:
        found = resolve_follow_up(row["question"], [answered(row["before"], row["shown"])], names)
        good = is_right(row, found)
        right += good
        if not good:
            print(f"wrong: {row['before']}\n    {row['question']}\n    {found or '(unchanged)'}")
    alone = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines()]
    changed = 0
    for number, row in enumerate(alone):
        before = alone[number - 1]
        found = resolve_follow_up(row["question"], [answered(before["question"], before.get("papers", []))], names)
        changed += bool(found)
    print(f"follow-ups right: {right} of {len(rows)}; stand-alone questions changed: {changed} of {len(alone)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
