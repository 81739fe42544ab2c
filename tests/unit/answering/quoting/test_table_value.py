"""The value of a table that a question asks for leads the answer; the caption above the rows is the table's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_app.answering.quoting.key_words import find_key_words
from rag_app.answering.quoting.ranking import Unit, units_of
from rag_app.answering.quoting.reader import compose_answer
from rag_app.answering.quoting.table_value import find_table_value, is_blank
from rag_app.index.bm25 import extract_terms
from rag_app.papers.read import read_paper
from rag_app.records import Evidence, Page, TableCell
from rag_app.retrieval.question_terms import extract_question_terms
from tests.support.pdfs import make_raw

LEFT, COLUMNS = 72, (220, 300, 380)
SENTENCE = "We measured the drift of each probe against gravimetric samples taken every week by staff."
ROWS = (("Model", "Error", "Drift", "Cost"), ("Otter-7B", "2.4", "0.3", "11"), ("Otter-65B", "9.7", "1.8", "9"))


def table(top: int, caption: str, *rows: tuple[str, ...]) -> list[tuple[float, float, str]]:
    cells = [
        (x, top + 14 * (number + 1), cell)
        for number, row in enumerate(rows)
        for x, cell in zip((LEFT, *COLUMNS), row, strict=True)
    ]
    return [(LEFT, top - 6, caption), *cells]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Prose between two tables that have their captions above them."""
    folder: Path = tmp_path_factory.mktemp("tables")
    words = [
        *[(LEFT, 100 + 14 * number, SENTENCE) for number in range(3)],
        *table(170, "Table 1: Errors of the otter models.", *ROWS),
        *[(LEFT, 270 + 14 * number, SENTENCE) for number in range(3)],
        *table(
            340, "Table 2: Costs of badger models.", ("Model", "Price", "Hours", "Staff"), ("Badger", "7", "8", "5")
        ),
    ]
    return read_paper(make_raw(folder / "tables.pdf", [words]), "pdf").pages[0]


def rows_of(page: Page) -> list[Unit]:
    piece = Evidence(1, "otters.pdf", "Otters", 1, "1", "", 0, len(page.text), page.text)
    return [unit for unit in units_of(piece, page) if unit.row]


def value_of(page: Page, question: str) -> str | None:
    asked = extract_question_terms(question, extract_terms, None, [rows_of(page)[0].evidence])
    rows = [unit for unit in rows_of(page) if unit.text.startswith("Otter")]
    found = find_table_value(asked, rows, lambda paper, number: page)
    return found.words if found else None


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("otter 65b drift", "Otter-65B · Drift: 1.8"),
        ("What is the cost of Otter-7B?", "Otter-7B · Cost: 11"),
        ("What does Otter cost?", None),  # two rows are called so
        ("Otter-7B error and drift", None),  # two columns
        ("What share of the neurons that Otter-7B has is dead in layer 5 by the cost of a test?", None),  # little of it
    ],
)
def test_a_value_is_told_where_one_row_and_one_column_are_asked_for(
    page: Page, question: str, value: str | None
) -> None:
    assert value_of(page, question) == value


def test_the_value_leads_and_its_paper_is_named(page: Page) -> None:
    asked = extract_question_terms("otter 65b drift", extract_terms, None, [rows_of(page)[0].evidence])
    rows = rows_of(page)[:2]
    value = find_table_value(asked, rows, lambda paper, number: page)
    text = "".join(compose_answer(rows, lambda paper: "Zoo", value))
    first, _, rest = text.partition("\n\n")
    assert first == "Zoo: Otter-65B · Drift: 1.8 [1]"
    assert rest.splitlines()[0] == "Table 1: Errors of the otter models. [1]"


def test_the_caption_of_a_row_is_that_of_its_own_table(page: Page) -> None:
    badger = next(unit for unit in rows_of(page) if unit.text.startswith("Badger"))
    assert next(page.text[a:b] for a, b in badger.frame) == "Table 2: Costs of badger models."
    otter = rows_of(page)[0]
    assert next(page.text[a:b] for a, b in otter.frame) == "Table 1: Errors of the otter models."


def test_a_bullet_and_a_footnotes_mark_are_no_part_of_a_sentence() -> None:
    text = "• We train the otter for a week. ³ It then swims well in cold water. ⁴"
    piece = Evidence(1, "otters.pdf", "Otters", 1, "1", "", 0, len(text), text)
    assert [unit.text for unit in units_of(piece)] == [
        "We train the otter for a week.",
        "It then swims well in cold water.",
    ]


@pytest.mark.parametrize("text", ["Large ponds froze.", "We saw 3 otters.", "https://otters.org is theirs."])
def test_a_footnotes_mark_right_before_a_word_is_no_part_of_the_sentence(text: str) -> None:
    whole = f"¹²{text}"
    (unit,) = units_of(Evidence(1, "otters.pdf", "Otters", 1, "1", "", 0, len(whole), whole))
    assert unit.text == text


@pytest.mark.parametrize("text", ["¹⁴C dating of the lodge gave 3 000 years.", "⁷⁵As was found in the water."])
def test_an_isotope_at_the_head_of_a_sentence_is_a_part_of_it(text: str) -> None:
    assert [unit.text for unit in units_of(Evidence(1, "otters.pdf", "Otters", 1, "1", "", 0, len(text), text))] == [
        text
    ]


@pytest.mark.parametrize(
    ("question", "line", "bold"),
    [
        ("How many otters were trained?", "We trained 40 otters in 3 ponds.", ["40", "3"]),
        ("How many of the 40 otters swam?", "Of 40 otters 31 swam.", ["31"]),
        ("How many otters swam?", "Of 40, 31, 22, 19 and 5 otters few swam.", []),  # which of them answers?
        ("Which model does the otter use?", "The otter uses LynxNet.", ["LynxNet"]),
        ("Why do otters swim?", "Otters swim in 3 ponds.", []),
    ],
)
def test_the_words_that_answer_are_told(question: str, line: str, bold: list[str]) -> None:
    assert find_key_words(question, line) == bold


def test_of_a_row_the_value_is_the_answer() -> None:
    cells = (TableCell("Otter 65B", "Drift", "1.8"), TableCell("Otter 65B", "Cost", "9"))
    assert find_key_words("otter 65b drift", "Otter 65B · Drift: 1.8", cells) == ["1.8"]


def test_a_caption_between_two_tables_belongs_to_the_one_that_it_stands_above(tmp_path: Path) -> None:
    words = [
        *table(100, "Table 1: Errors of the otter models.", *ROWS),
        *table(
            190, "Table 2: Costs of badger models.", ("Model", "Price", "Hours", "Staff"), ("Badger", "7", "8", "5")
        ),
        *[(LEFT, 270 + 14 * number, SENTENCE) for number in range(3)],
    ]
    page = read_paper(make_raw(tmp_path / "two.pdf", [words]), "pdf").pages[0]
    captions = {unit.text.split()[0]: next(page.text[a:b] for a, b in unit.frame) for unit in rows_of(page)}
    assert captions["Otter-7B"] == captions["Otter-65B"] == "Table 1: Errors of the otter models."
    assert captions["Badger"] == "Table 2: Costs of badger models."


@pytest.mark.parametrize("value", ["-", "...", "n.a."])
def test_a_blank_value_leads_nothing(tmp_path: Path, value: str) -> None:
    words = table(170, "Table 1: Errors.", ROWS[0], ROWS[1], ("Otter-65B", "9.7", value, "9"))
    page = read_paper(make_raw(tmp_path / "blank.pdf", [words]), "pdf").pages[0]
    told = value_of(page, "otter 65b drift")
    assert told is None if is_blank(value) else told == f"Otter-65B · Drift: {value}"


def test_which_values_are_blank() -> None:
    assert [is_blank(value) for value in ("", "-", "—", "…", "0", "n/a", "✓", "×")] == [True] * 4 + [False] * 4
