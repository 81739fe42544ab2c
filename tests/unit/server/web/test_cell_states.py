"""A cell says whether nothing was found, nothing was searched, or it was stopped, and each looks different."""

import re

import pytest

from rag_app.records import Cell, Row, Statement, Table
from rag_app.server.web.answer_tables import comparison_html

STATES = {
    "nothing found": "cell-nothing",
    "not reported": "cell-unreported",
    "not searched": "cell-unsearched",
    "stopped": "cell-stopped",
    "searching": "cell-searching",
}


@pytest.mark.parametrize("state", STATES)
def test_a_cell_without_words_says_why(state):
    html = comparison_html(Table(("size",), (Row("a.pdf", "A", (Cell(state, (), state),)),)), str)
    assert f'<td class="none {STATES[state]}">' in html and f">{state}</span></td>" in html


def test_a_cell_with_words_has_its_mark():
    html = comparison_html(Table(("size",), (Row("a.pdf", "A", (Cell("220", (1,)),)),)), lambda n: f"<i>{n}</i>")
    assert '<span class="phrase">220</span> <i>1</i>' in html and "cell-state" not in html


def test_a_papers_own_number_is_shown_as_the_paper_prints_it() -> None:
    cell = Cell("220, as by others ［38］", (1,))
    html = comparison_html(Table(("size",), (Row("a.pdf", "A", (cell,)),)), lambda n: f"<i>{n}</i>")
    assert "220, as by others [38]" in html


def test_a_cell_shows_two_statements_and_folds_the_others_away() -> None:
    cell = Cell("one · two · three", (1, 2, 3), further=(Statement("four", 4), Statement("five", 5)))
    html = comparison_html(Table(("size",), (Row("a.pdf", "A", (cell,)),)), lambda n: f"<i>{n}</i>")
    shown, _, folded = html.partition('<details class="further">')
    assert [word in shown for word in ("one", "two", "three", "four", "five")] == [True, True, False, False, False]
    assert "3 more" in folded
    assert all(f"<i>{number}</i>" in folded for number in (3, 4, 5))


LONG = (
    "In the appendix it is told at length and with many words of all kinds that {}, which is less than the others do, "
    "as the table of the section after this one shows to everybody who looks for it"
)


def test_of_a_long_statement_the_words_on_the_aspect_are_seen_and_all_are_there() -> None:
    text = LONG.format("the batch size is 512 images")
    cell = Cell(text, (1,))
    html = comparison_html(Table(("batch size",), (Row("a.pdf", "A", (cell,)),)), lambda n: f"<i>{n}</i>")
    phrase = html.partition('<span class="phrase">')[2].partition(" <i>1</i>")[0]
    seen = re.sub(r'<span class="cut[^>]*>.*?</span>', "…", phrase)
    assert "batch size is 512 images" in seen and seen.startswith('<span class="begins">In the') and len(seen) < 150
    assert re.sub(r"<[^>]+>", "", phrase) == text


def test_what_denies_the_words_that_are_seen_is_seen_too() -> None:
    text = LONG.format("none of what was measured there, in all those many weeks, was with a batch size of 512 images")
    html = comparison_html(Table(("batch size",), (Row("a.pdf", "A", (Cell(text, (1,)),)),)), str)
    assert ">none of what" in html


def test_one_statement_more_is_not_folded_away() -> None:
    html = comparison_html(Table(("size",), (Row("a.pdf", "A", (Cell("1 · 2 · 3", (1, 2, 3)),)),)), str)
    assert "<details" not in html
