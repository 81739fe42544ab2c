"""A paper's summary on its card: quoted without a model, written and checked with one, and made once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rag_app.records import Answer, Block, Citation, Page
from rag_app.server.web.panels.summary import PaperSummaries

WORDS = "We propose Quokka, a reader that learns from its own mistakes."
CITED = Citation(1, "q.pdf", "Quokka", 1, "1", "Abstract", WORDS, True)
WRITTEN = Answer("", "?", "answered", "- **Quokka** learns [1].\n- It flies.", "big-model", (CITED,), ("It flies.",))
FAILED = Answer("", "?", "error", "The model did not answer.", "")


class Library:
    def __init__(self, answer: Answer) -> None:
        self.asked = 0
        self._answer = answer

    def papers(self):
        return [SimpleNamespace(paper="q.pdf", title="Quokka", pages=1)]

    def page(self, paper: str, number: int) -> Page:
        return Page(1, "1", 600, 800, WORDS, (Block(0, len(WORDS), "body", "Abstract"),))

    def ask(self, question: str, *, papers: tuple[str, ...]) -> Answer:
        assert papers == ("q.pdf",)
        self.asked += 1
        return self._answer


IDS = SimpleNamespace(file_version=lambda paper: "v1", name_place=lambda citation: f"place-of-{citation.number}")


@pytest.mark.parametrize(("reader", "by_model"), [("quoting", False), ("quoting", True), ("big-model", False)])
def test_a_summary_is_quoted_unless_a_model_reads_and_is_wanted(reader, by_model):
    library = Library(WRITTEN)
    said = PaperSummaries(library, IDS, SimpleNamespace(name=reader)).describe("q.pdf", by_model)

    assert [piece.get("text") or piece["place"] for piece in said["lines"][0]] == [WORDS, "place-of-1"]
    assert library.asked == 0 and said["offer"] == ("big-model" if reader == "big-model" else "")


def test_what_a_model_wrote_is_parted_at_its_marks_its_doubts_are_told_and_it_is_asked_once():
    library = Library(WRITTEN)
    summaries = PaperSummaries(library, IDS, SimpleNamespace(name="big-model"))
    said = [summaries.describe("q.pdf", True) for _ in range(2)][-1]

    assert [[piece.get("text") or piece["place"] for piece in line] for line in said["lines"]] == [
        ["Quokka learns", "place-of-1", "."],
        ["It flies."],
    ]
    assert "big-model" in said["by"] and "1 sentence" in said["doubts"] and library.asked == 1 and not said["offer"]


def test_a_summary_that_failed_says_why_and_is_tried_again():
    library = Library(FAILED)
    summaries = PaperSummaries(library, IDS, SimpleNamespace(name="big-model"))

    assert [summaries.describe("q.pdf", True)["problem"] for _ in range(2)] == ["The model did not answer."] * 2
    assert library.asked == 2
    with pytest.raises(KeyError):
        summaries.describe("other.pdf", False)
