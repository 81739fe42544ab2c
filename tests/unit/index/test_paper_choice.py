"""The papers that a user names."""

from __future__ import annotations

import pytest

from rag_app.errors import QuestionError
from rag_app.index.paper_choice import choose_papers, explain_duplicates
from rag_app.records import PaperRow

ROWS = (
    PaperRow("first.pdf", "One", 1, 1, "full text", "", same=("b_copy.pdf", "old/third.pdf")),
    PaperRow("2406.15319v2.pdf", "Two", 1, 1, "full text", ""),
)


@pytest.mark.parametrize("name", ["first.pdf", "first", "b_copy.pdf", "b_copy", "B_Copy.pdf", "old/third.pdf", "third"])
def test_a_paper_is_named_by_each_of_its_files(name: str) -> None:
    assert choose_papers([name], ROWS) == ("first.pdf",)


def test_an_id_without_version_and_an_unknown_name() -> None:
    assert choose_papers(["2406.15319"], ROWS) == ("2406.15319v2.pdf",)
    with pytest.raises(QuestionError, match="no such paper"):
        choose_papers(["fourth.pdf"], ROWS)


def test_only_names_of_duplicates_are_explained() -> None:
    (sentence,) = explain_duplicates(["First.pdf,old/third.pdf", "2406.15319", "2406.15319v2"], ROWS)
    assert sentence.startswith("old/third.pdf is the same file as first.pdf")
