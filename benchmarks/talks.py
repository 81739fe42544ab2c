"""Claim: a fact that is told in a talk is answered with the span of time in which it is told, in the talk's own words.

Five talks, written for this and never recorded, as SubRip, WebVTT and Whisper's JSON at 2.5 words a second, in cues of
seven words that break sentences; six questions each, without a model. Run: python -m benchmarks.talks
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag_app.assistant import Assistant
from rag_app.papers.talks import Cue, clock
from rag_app.settings import load_settings

FOLDER = Path(__file__).parent / "questions" / "talks"
WORDS_A_SECOND, WORDS_A_CUE = 2.5, 7
FORMS = (".vtt", ".srt", ".json")


def main() -> dict[str, Any]:
    """Shares of the questions whose cited span holds the fact, and of the quotes that stand in the cues."""
    questions = [json.loads(line) for line in (FOLDER / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        cues = {}
        for number, file in enumerate(sorted(FOLDER.glob("*.txt"))):
            cues[file.stem] = make_cues(file.read_text(encoding="utf-8"))
            write_talk(corpus / f"{file.stem}{FORMS[number % len(FORMS)]}", cues[file.stem])
        library = Assistant(load_settings(corpus=corpus, index=Path(folder) / "index", llm="none"))
        library.build()
        return measure(library, questions, cues)


def measure(library: Assistant, questions: Sequence[dict[str, str]], cues: dict[str, list[Cue]]) -> dict[str, Any]:
    """Ask each question."""
    right = first = quotes = verbatim = 0
    missed = []
    for asked in questions:
        answer = library.ask(asked["question"])
        held = [
            one.paper.startswith(asked["talk"]) and asked["fact"] in library.page(one.paper, one.page).text
            for one in answer.citations
        ]
        right += any(held)
        first += held[:1] == [True]
        if not any(held):
            missed.append(asked["question"])
        for one in answer.citations:
            said = " ".join(cue.text for cue in cues[one.paper.rpartition(".")[0]])
            quotes += 1
            verbatim += one.quote in said
    count = len(questions)
    return {
        "questions": count,
        "cited span holds the fact": right / count,
        "first cited span holds it": first / count,
        "quotes": quotes,
        "quotes in the cues": verbatim / max(1, quotes),
        "missed": missed,
    }


def make_cues(text: str) -> list[Cue]:
    """The words of a talk with the times at which they would be said."""
    words = text.split()
    return [
        Cue(
            at / WORDS_A_SECOND,
            min(at + WORDS_A_CUE, len(words)) / WORDS_A_SECOND,
            " ".join(words[at : at + WORDS_A_CUE]),
        )
        for at in range(0, len(words), WORDS_A_CUE)
    ]


def write_talk(path: Path, cues: Sequence[Cue]) -> None:
    """Write the cues in the form of the file's suffix."""
    if path.suffix == ".json":
        segments = [{"start": cue.start, "end": cue.end, "text": f" {cue.text}"} for cue in cues]
        value = {"segments": segments, "text": " ".join(cue.text for cue in cues)}
        path.write_text(json.dumps(value), encoding="utf-8")
        return
    mark = "," if path.suffix == ".srt" else "."
    blocks = [f"{_time(cue.start, mark)} --> {_time(cue.end, mark)}\n{cue.text}" for cue in cues]
    head = "WEBVTT\n\n" if path.suffix == ".vtt" else ""
    path.write_text(head + "\n\n".join(blocks) + "\n", encoding="utf-8")


def _time(seconds: float, mark: str) -> str:
    minutes = clock(seconds).rjust(5, "0")
    return f"00:{minutes}{mark}{round(seconds % 1 * 1000):03}"


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
