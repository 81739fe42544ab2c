"""A cell says whether nothing was found, nothing was searched, or it was stopped, and each looks different."""

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


def test_one_statement_more_is_not_folded_away() -> None:
    html = comparison_html(Table(("size",), (Row("a.pdf", "A", (Cell("1 · 2 · 3", (1, 2, 3)),)),)), str)
    assert "<details" not in html
