"""Marks that carry words: looked for on the page, taken off the text; code and formulas stay as they are."""

from __future__ import annotations

import pytest

from rag_app.citations.cited_text import CitedText
from rag_app.records import Evidence, Page

TEXT = "We use two independent encoders and take the [CLS] token as the output. NQ 78.4 63.2 is the best row."
NEXT = "It goes on over here with another otter."
PAGES = {3: Page(3, "3", 1, 1, TEXT), 4: Page(4, "4", 1, 1, NEXT)}
EVIDENCE = [
    Evidence(1, "a.md", "A", 3, "3", "", 0, len(TEXT), TEXT),
    Evidence(2, "a.md", "A", 4, "4", "", 0, len(NEXT), NEXT),
]


def cited(text: str, size: int = 1000) -> tuple[str, CitedText]:
    marks = CitedText(EVIDENCE, lambda paper, page: PAGES[page])
    shown = "".join(marks.feed(text[at : at + size]) for at in range(0, len(text), size))
    return shown + marks.finish(), marks


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_words_of_a_mark_are_the_citation(size: int) -> None:
    text, marks = cited('Two encoders [1 "two independent encoders"], the [CLS] token [1 "the [CLS] token"][2].', size)
    assert text == "Two encoders [1], the [CLS] token [2][3]."
    assert [one.quote for one in marks.citations[:2]] == ["two independent encoders", "the [CLS] token"]
    assert all(one.verified for one in marks.citations)


def test_words_that_stand_nowhere_are_cited_as_unverified() -> None:
    text, marks = cited('It has nine encoders [1 "nine encoders of gold"].')
    assert text == "It has nine encoders [1]."
    assert [(one.quote, one.verified, one.page) for one in marks.citations] == [("nine encoders of gold", False, 3)]


def test_words_on_another_page_move_the_citation_there() -> None:
    _, marks = cited('An otter [1 "another otter"].')
    assert [(one.page, one.verified) for one in marks.citations] == [(4, True)]


@pytest.mark.parametrize(
    "mark", ["[1]", "[ID:1]", "［1］", "[citation:1]", "【1:0†source】", "[^1]", r"\cite{1}", "[Source 1]", "¹"]
)
def test_every_way_of_citing_is_a_mark(mark: str) -> None:
    assert cited(f"They use two encoders{mark}.")[0] == "They use two encoders[1]."


@pytest.mark.parametrize(
    "kept", ["`x[1]`", "$[1, 2]$", r"\(a[1]\)", "```\nx[1] <b>\n```\n", "$$\na[1]\n$$\n", "the interval [0, 1]"]
)
def test_code_and_formulas_are_left_alone(kept: str) -> None:
    text, marks = cited(kept)
    assert (text, marks.citations) == (kept, [])


def test_amounts_of_money_are_no_formula() -> None:
    assert cited('It costs $5 [1 "NQ 78.4"] and $7 [1 "NQ 78.4"].')[0] == "It costs $5 [1] and $7 [1]."


def test_a_range_and_a_number_that_is_no_evidence() -> None:
    assert cited("Both name a pool [1-2]. None drops it [9].")[0] == "Both name a pool [1][2]. None drops it."


def test_no_link_can_be_made_of_a_mark() -> None:
    text, _ = cited("See [1](https://evil.example) and <img src=x>.")
    assert "](" not in text and "://" not in text and "<img" not in text


def test_a_mark_behind_an_abbreviation_belongs_to_the_whole_sentence() -> None:
    pages = {3: Page(3, "3", 1, 1, "The otter came on Dec. 20, 2018 to the river. " + "A heron was there before. " * 9)}
    piece = Evidence(1, "a.md", "A", 3, "3", "", 0, len(pages[3].text), pages[3].text)
    marks = CitedText([piece], lambda paper, page: pages[page])
    text = "After a long and tiring way through the hills the otter came to the river on Dec. 20 that year [1]. It sat."
    shown = "".join(marks.feed(letter) for letter in text) + marks.finish()
    assert shown == text and marks.citations[0].quote.startswith("The otter came on Dec. 20")
