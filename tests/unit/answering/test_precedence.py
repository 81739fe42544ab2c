"""What is tried in the background waits for the questions that somebody asked."""

from __future__ import annotations

import threading
from pathlib import Path

from rag_app.answering.precedence import Precedence
from rag_app.answering.quoting.reader import QuotingReader
from rag_app.assistant import Assistant
from rag_app.records import Answer
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.two_papers import HERON, OTTER
from tests.support.waiting import eventually

PATIENCE = 30  # seconds


def test_examples_wait_until_a_question_is_answered(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for name, text in (("otter.md", OTTER), ("heron.md", HERON)):
        (tmp_path / "corpus" / name).write_text(text, encoding="utf-8")
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=QuotingReader())
    assistant.build()
    found: list[str] = []
    asked = assistant.stream("What is the batch size of OtterNet?")
    next(asked)
    trying = threading.Thread(target=lambda: found.extend(assistant.suggest_questions(1)))
    trying.start()
    assert eventually(lambda: assistant.precedence.waiting == 1)
    assert not found
    *_, answer = asked
    trying.join(PATIENCE)
    assert isinstance(answer, Answer) and found


def test_a_question_that_takes_long_holds_nothing_up_for_ever() -> None:
    precedence = Precedence()
    with precedence.question():
        precedence.let_questions_pass(patience=0.01)
    precedence.let_questions_pass()
