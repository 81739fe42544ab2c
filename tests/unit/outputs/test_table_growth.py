"""A saved table grows by a column or a row, and only what is new is searched for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from rag_app.answering.quoting.reader import QuotingReader
from rag_app.assistant import Assistant
from rag_app.errors import QuestionError
from rag_app.outputs.json import answer_json
from rag_app.outputs.markdown import table_markdown
from rag_app.outputs.table_growth import parse_saved_comparison, with_columns, with_rows
from rag_app.outputs.terminal import table_text
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.two_papers import HERON, OTTER, check

LYNX = OTTER.replace("OtterNet", "LynxReader").replace("512", "128")
QUESTION = "Compare OtterNet and HeronRank"
SIZES = (
    ("Tay", 16), ("Dee and its upper lochs", 32), ("Spey", 64), ("Clyde below the old mill", 128), ("Forth", 256),
    ("Tweed near its mouth", 512), ("Ness", 1024), ("Don", 2048),
)  # fmt: skip


class Counting(WordEmbedder):
    """Remembers which texts were embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return super().embed_passages(texts)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    folder = tmp_path_factory.mktemp("growing")
    corpus: Path = folder / "corpus"
    corpus.mkdir()
    for name, text in (("otter.md", OTTER), ("heron.md", HERON), ("lynx.md", LYNX)):
        (corpus / name).write_text(text, encoding="utf-8")
    ready = Assistant(settings_for(folder), embedder=Counting(), reader=QuotingReader())
    ready.build()
    yield ready


def test_a_column_is_put_beside_the_others(assistant: Assistant) -> None:
    saved = parse_saved_comparison(
        json.loads(json.dumps(answer_json(assistant.compare(QUESTION, aspects="batch size"))))
    )
    more = assistant.compare(QUESTION, papers=("otter.md", "heron.md"), aspects="winters")
    grown = with_columns(saved, more)
    assert grown.table is not None
    assert grown.table.aspects == ("batch size", "winters")
    assert grown.table.rows[0].cells[0] == saved.table.rows[0].cells[0]  # type: ignore[union-attr]
    cited = {citation.number: citation for citation in grown.citations}
    assert list(cited) == list(range(1, len(cited) + 1))
    for row in grown.table.rows:
        assert all(cited[number].paper == row.paper for cell in row.cells for number in cell.citations)
    assert any("nine winters" in cited[number].quote for number in grown.table.rows[0].cells[1].citations)


def test_a_row_is_put_below_the_others(assistant: Assistant) -> None:
    saved = assistant.compare(QUESTION, aspects="batch size")
    grown = with_rows(saved, assistant.compare(QUESTION, papers=("lynx.md",), aspects="batch size"))
    assert grown.table is not None
    assert [row.paper for row in grown.table.rows] == ["otter.md", "heron.md", "lynx.md"]
    assert "128 fish" in grown.table.rows[2].cells[0].text
    with pytest.raises(QuestionError, match="already has that paper"):
        with_rows(saved, saved)


def test_what_is_no_table_does_not_grow(assistant: Assistant) -> None:
    with pytest.raises(QuestionError, match="not a saved comparison"):
        parse_saved_comparison({"answer": "no"})
    saved = assistant.compare(QUESTION, aspects="batch size")
    with pytest.raises(QuestionError, match="other papers"):
        with_columns(saved, assistant.compare(QUESTION, papers=("lynx.md",), aspects="winters"))


def test_a_column_that_was_asked_for_before_costs_nothing_again(assistant: Assistant) -> None:
    embedder = assistant.embedder
    assert isinstance(embedder, Counting)
    first = check(assistant.compare(QUESTION, aspects="rivers of Scotland"), assistant)
    embedder.texts.clear()
    again = check(assistant.compare(QUESTION, aspects="rivers of Scotland"), assistant)
    assert again == first
    assert not embedder.texts, "nothing is ranked a second time"


def test_papers_by_what_they_are_called(assistant: Assistant) -> None:
    assert assistant.resolve_papers("HeronRank, otter.md") == ["heron.md", "otter.md"]
    with pytest.raises(QuestionError, match="BadgerNet"):
        assistant.resolve_papers("BadgerNet")


def test_what_is_folded_away_keeps_its_quotes(tmp_path: Path) -> None:
    """Also saved, grown, and written as Markdown and for the terminal."""
    (tmp_path / "corpus").mkdir()
    told = [f"In river {place} we train OtterNet with a batch size of {size} fish." for place, size in SIZES]
    (tmp_path / "corpus" / "otter.md").write_text("# OtterNet: Swimmers\n\n## 1 Training\n\n" + "\n\n".join(told))
    ready = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=QuotingReader())
    ready.build()
    first = ready.compare("OtterNet", papers=("otter.md",), aspects="batch size")
    saved = parse_saved_comparison(json.loads(json.dumps(answer_json(first))))
    assert saved.table == first.table
    grown = with_columns(saved, ready.compare("OtterNet", papers=("otter.md",), aspects="fish"))
    quotes = {citation.number: citation.quote for citation in grown.citations}
    for cell in grown.table.rows[0].cells:  # type: ignore[union-attr]
        assert cell.further
        assert all(one.text in quotes[one.citation] for one in cell.further)
    last = grown.table.rows[0].cells[-1].further[-1].citation  # type: ignore[union-attr]
    assert f"… [{saved.table.rows[0].cells[0].further[0].citation}]" in first.answer  # type: ignore[union-attr]
    assert f"[{last}]" in table_text(grown.table)  # type: ignore[arg-type]
    assert f"[{last}]" in table_markdown(grown.table)  # type: ignore[arg-type]
