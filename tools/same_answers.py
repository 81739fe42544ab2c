"""Whether questions are answered as before: for a change that may move code and must not change an answer.

.venv/bin/python -m tools.same_answers write FILE.jsonl --papers FOLDER QUESTIONS.jsonl [QUESTIONS.jsonl ...]
.venv/bin/python -m tools.same_answers compare BEFORE.jsonl AFTER.jsonl

`write` builds an index in a temporary folder, answers every question without a language model and keeps the JSON of
each answer but for its times. `compare` prints the answers that differ; exit code 1 when one does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def write_answers(target: Path, papers: Path, questions: list[Path]) -> int:
    """Answer all questions over the papers, in the order of the files, and keep the answers. Returns their number."""
    with tempfile.TemporaryDirectory(prefix="same-answers-") as folder:
        batch = Path(folder) / "questions.jsonl"
        batch.write_text("".join(file.read_text(encoding="utf-8") for file in questions), encoding="utf-8")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAG_")},
            "RAG_CORPUS": str(papers.resolve()),
            "RAG_INDEX": str(Path(folder) / "index"),
            "RAG_LLM": "none",
            "XDG_CONFIG_HOME": folder,
        }
        command = [sys.executable, "-m", "rag_app"]
        subprocess.run([*command, "build"], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        asking = [*command, "ask", "--json", "--batch", str(batch)]
        printed = subprocess.run(asking, cwd=ROOT, env=environment, check=False, stdout=subprocess.PIPE).stdout
    rows = [json.loads(line) for line in printed.decode().splitlines()]
    for row in rows:
        row.pop("milliseconds", None)
    target.write_text("".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows), "utf-8")
    return len(rows)


def list_differences(before: Path, after: Path) -> list[str]:
    """A line for each question whose answer differs, with the names of the fields that do."""
    old, new = (_read_answers(file) for file in (before, after))
    lines = [f"{key}: only in one of the files" for key in old.keys() ^ new.keys()]
    for key in old.keys() & new.keys():
        fields = sorted(name for name in old[key].keys() | new[key].keys() if old[key].get(name) != new[key].get(name))
        if fields:
            lines.append(f"{key}: {', '.join(fields)}")
    return sorted(lines)


def _read_answers(file: Path) -> dict[str, dict[str, Any]]:
    return {str(row["id"]): row for row in map(json.loads, file.read_text(encoding="utf-8").splitlines())}


def main(arguments: list[str]) -> int:
    """Write answers, or compare two files of them."""
    parser = argparse.ArgumentParser(prog="tools.same_answers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write")
    write.add_argument("target", type=Path)
    write.add_argument("--papers", type=Path, required=True)
    write.add_argument("questions", type=Path, nargs="+")
    compare = commands.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "write":
        print(f"{write_answers(options.target, options.papers, options.questions)} answers in {options.target}")
        return 0
    differences = list_differences(options.before, options.after)
    print("\n".join(differences) or "all answers are the same")
    return int(bool(differences))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
