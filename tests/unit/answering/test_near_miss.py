"""What is said when nothing answers: of what the papers speak, and what they lack."""

from __future__ import annotations

from rag_app.answering.refusal import explain_near_miss
from rag_app.citations.marks import find_nearest_citations
from rag_app.records import Evidence, Page

LYNX = "The Lynx retriever reaches 78.0 accuracy on Meadow. Training it took nine days."
FERRET = "Ferrets live in burrows. A ferret eats what it can catch. The Lynx retriever is larger than Ferret."


def piece(number: int, text: str, paper: str = "lynx.pdf") -> Evidence:
    return Evidence(number, paper, "Retrieval by Lynx", number, str(number), "", 0, len(text), text)


def test_a_name_that_is_nowhere_is_named_beside_what_is_there() -> None:
    said = explain_near_miss("What accuracy does Lynx reach on HotpotQA?", [piece(1, LYNX)])
    assert said == "The papers mention Lynx and accuracy, but the passages found do not mention HotpotQA."


def test_a_word_that_is_nowhere_is_named_too() -> None:
    said = explain_near_miss("How many kilowatts did training Lynx take?", [piece(1, LYNX)])
    assert said == "The papers mention Lynx and training, but the passages found do not mention kilowatts."


def test_names_that_are_there_but_not_together_are_said_to_be() -> None:
    said = explain_near_miss("Does Lynx beat Ferret?", [piece(1, LYNX), piece(2, "Ferret is small. It beats a few.")])
    assert said == "The papers mention Lynx and Ferret, but no passage found answers this about them together."


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert explain_near_miss("What does Lynx reach?", []) == ""
    assert explain_near_miss("How accurate?", [piece(1, "It is accurate.")]) == ""


def test_the_nearest_words_are_those_that_share_most_with_the_question() -> None:
    pieces = [piece(1, FERRET), piece(2, LYNX)]
    pages = {p.page: Page(p.page, str(p.page), 0, 0, p.text) for p in pieces}
    found = find_nearest_citations(
        "How accurate is the Lynx retriever on the Meadow test?", pieces, lambda paper, n: pages[n], top=2
    )
    assert [citation.page for citation in found] == [2, 1]
    assert "Meadow" in found[0].quote
    assert [citation.number for citation in found] == [1, 2]
    assert all(citation.verified for citation in found)
