"""Claim: answers can be checked. `rag_app eval` over the development questions, on an index of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import PAPERS, QUESTIONS
from rag_app.assistant import Assistant
from rag_app.command_eval import measure
from rag_app.evaluation_questions import read_questions
from rag_app.evaluation_summary import summary
from rag_app.settings import load_settings


def main(index: Path | None = None, llm: str = "none", path: Path = QUESTIONS) -> dict[str, Any]:
    """The report of evaluation_summary.summary, without the line of each question."""
    with tempfile.TemporaryDirectory() as folder:
        assistant = Assistant(load_settings(corpus=PAPERS, index=index or Path(folder), llm=llm))
        if assistant.is_stale():
            assistant.build()
        report = summary(list(measure(assistant, read_questions(path))))
    return {name: value for name, value in report.items() if name != "each"}


if __name__ == "__main__":
    print(json.dumps(main(llm=sys.argv[1] if len(sys.argv) > 1 else "none"), indent=1))
