"""The questions that thumbs on the page became, as a file of questions that `eval` reads."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag_app.errors import QuestionError
from rag_app.outputs.feedback import latest, usable
from rag_app.outputs.history import History, all_history_files
from rag_app.outputs.terminal import count, note
from rag_app.records import Json


@contextmanager
def feedback_file(index_folder: Path, keep: str | None = None) -> Iterator[Path]:
    """The rated questions about this index, a JSON line each: in the file `keep`, or in one that is gone afterwards.

    Raises QuestionError where nothing was rated or the file cannot be written, HistoryFault for damaged conversations.
    """
    rated = rated_questions(index_folder)
    asked = [question for question in rated if usable(question)]
    ups = sum(question["verdict"] == "up" for question in asked)
    left = len(rated) - len(asked)
    if not asked:
        why = " Of the answers with a thumb up none has a verified quote." if left else ""
        raise QuestionError(
            f"No answer about these papers was rated yet.{why} Rate some with the thumbs below an answer on the page."
        )
    note(f"{count(ups, 'thumb')} up with known facts, {len(asked) - ups} down" + (_left_out(left) if left else ""))
    text = "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in asked)
    if keep:
        try:
            Path(keep).write_text(text, encoding="utf-8")
        except OSError as error:
            raise QuestionError(
                f"{keep}: cannot be written ({error.strerror}). Correct the path after --keep."
            ) from error
        yield Path(keep)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "feedback.jsonl"
        file.write_text(text, encoding="utf-8")
        yield file


def rated_questions(index_folder: Path) -> list[Json]:
    """What every user rated, the latest thumb for a question counts; ids say whose where users log in."""
    found: list[Json] = []
    for user, file in all_history_files(index_folder).items():
        for question in latest(History(file).feedback_questions()):
            found.append({**question, "id": f"{user}-{question['id']}" if user else question["id"]})
    return found


def _left_out(left: int) -> str:
    return f"; {count(left, 'thumb')} up left out, whose answer has no verified quote"
