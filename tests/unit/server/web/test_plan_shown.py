"""The plan of a comparison on the page: shown after one, corrected and asked again, gone after anything else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rag_app.answering.quoting.reader import QuotingReader
from rag_app.assistant import Assistant
from rag_app.outputs.history import History
from rag_app.server.web.reading_panel import OpaqueIds
from rag_app.server.web.screen import Screen
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.two_papers import HERON, OTTER

REQUEST: Any = SimpleNamespace(session_hash="tab", request=SimpleNamespace(scope={"language": "en"}))


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "otter.md").write_text(OTTER, encoding="utf-8")
    (corpus / "heron.md").write_text(HERON, encoding="utf-8")
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=QuotingReader())
    assistant.build()
    note: Any = SimpleNamespace(name="quoting", html=lambda: "")
    nothing: Any = None
    yield Screen(assistant, OpaqueIds(assistant), nothing, note, History(tmp_path / "history.sqlite"))


def last(screen: Screen) -> str:
    return screen.asking.sessions.of("tab").turns[-1].answer


def test_a_plan_is_shown_and_corrected(screen: Screen) -> None:
    list(screen.ask("Compare OtterNet and HeronRank: the batch size of the training.", "[]", "", REQUEST))
    row, papers, aspects = screen.plan(REQUEST)
    assert row["visible"]
    assert (papers, aspects) == ("OtterNet, HeronRank", "batch size")
    assert "Compared: OtterNet, HeronRank" in last(screen)
    list(screen.correct("HeronRank", "batch size; newts", REQUEST))
    assert '<th scope="row">HeronRank</th>' in last(screen)
    assert "OtterNet</th>" not in last(screen)
    assert "newts</button></th>" in last(screen)
    assert screen.plan(REQUEST)[1:] == ("HeronRank", "batch size; newts")


def test_a_paper_that_is_not_there_is_said(screen: Screen) -> None:
    list(screen.ask("Compare OtterNet and HeronRank: the batch size of the training.", "[]", "", REQUEST))
    list(screen.correct("BadgerNet", "batch size", REQUEST))
    assert "BadgerNet" in last(screen)
    assert "Could not answer" in last(screen)


def test_no_plan_after_another_answer(screen: Screen) -> None:
    list(screen.ask("What is the batch size of OtterNet?", "[]", "", REQUEST))
    row, _, _ = screen.plan(REQUEST)
    assert not row["visible"]
    assert list(screen.correct("OtterNet", "batch size", REQUEST)), "nothing to correct, and no fault"
