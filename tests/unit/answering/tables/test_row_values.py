"""A table's row in a cell of a comparison: the value that is asked for, under the head that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_app.answering.quoting.ranking import Unit, units_of
from rag_app.answering.tables.comparison import CellRanker
from rag_app.answering.tables.row_values import describe_row
from rag_app.index.bm25 import extract_terms
from rag_app.papers.read import read_paper
from rag_app.records import Evidence, Page
from rag_app.retrieval.aspects import Aspect
from rag_app.retrieval.question_terms import extract_question_terms
from tests.support.pdfs import make_raw

LEFT, COLUMNS = 72, (260, 320, 380, 440)
SENTENCE = "We measured the drift of each probe against gravimetric samples taken every week by staff."
ROWS = (
    ("Model", "Error", "Drift", "Cost", "Hours"),
    ("Badger+Otter", "3.1", "0.7", "8", "5"),
    ("Badger", "5.2", "0.9", "6", "4"),
    ("Otter", "2.4", "0.3", "11", "7"),
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A table of otters and badgers below its caption."""
    folder: Path = tmp_path_factory.mktemp("rows")
    cells = [
        (x, 180 + 14 * number, cell)
        for number, row in enumerate(ROWS)
        for x, cell in zip((LEFT, *COLUMNS), row, strict=True)
    ]
    words = [
        *[(LEFT, 100 + 14 * number, SENTENCE) for number in range(3)],
        (LEFT, 160, "Table 1: Weather of all the animals."),
        *cells,
        *[(LEFT, 270 + 14 * number, SENTENCE) for number in range(3)],
    ]
    return read_paper(make_raw(folder / "rows.pdf", [words]), "pdf").pages[0]


def evidence_of(page: Page) -> Evidence:
    return Evidence(1, "otters.pdf", "Otters", 1, "1", "", 0, len(page.text), page.text)


def row_of(page: Page, begins: str) -> Unit:
    return next(unit for unit in units_of(evidence_of(page), page) if unit.row and unit.text.startswith(begins))


@pytest.mark.parametrize(
    ("asked", "row", "told"),
    [
        ("drift", "Otter", "Otter, Drift: 0.3 (Table 1)"),
        ("hours of work", "Badger ", "Badger, Hours: 4 (Table 1)"),
        ("drift and cost", "Otter", "Otter, Drift: 0.3, Cost: 11 (Table 1)"),
        ("weather", "Otter", ""),  # no head is called so: the row is shown as it stands
    ],
)
def test_the_values_that_are_asked_for_stand_with_their_heads(page: Page, asked: str, row: str, told: str) -> None:
    terms = extract_question_terms(f"What is the {asked}?", extract_terms, None, [evidence_of(page)])
    assert describe_row(terms, row_of(page, row), lambda paper, number: page) == told


@pytest.mark.parametrize(("called", "first"), [("otter", "Otter "), ("badger", "Badger ")])
def test_the_row_that_is_the_papers_own_and_little_else_comes_first(page: Page, called: str, first: str) -> None:
    ranker = CellRanker(
        "error of the two", extract_terms, None, None, lambda paper, number: page, called={"otters.pdf": {called}}
    )
    aspect = Aspect("error", "What is the error?", "error")
    units = ranker(aspect, [evidence_of(page)]).units
    assert units[0].text.startswith(first)


def test_a_word_of_the_caption_alone_brings_no_row_of_figures_to_the_front(page: Page) -> None:
    ranker = CellRanker(
        "weather of the two", extract_terms, None, None, lambda paper, number: page, called={"otters.pdf": {"otter"}}
    )
    units = ranker(Aspect("weather", "Which weather is there?", "weather"), [evidence_of(page)]).units
    assert not units[0].row
