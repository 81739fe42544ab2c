"""What a quoted row of a table says, column by column, by where its words stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from fpdf import FPDF

from rag_app.citations.signs import has_doubtful_signs
from rag_app.citations.table_cells import find_row_cells
from rag_app.papers.read import read_paper
from rag_app.records import Page, TableCell
from tests.support.pdfs import make_raw

LEFT, COLUMNS = 72, (220, 300, 380)
SENTENCE = "We measured the drift of each probe against gravimetric samples taken every week by staff."


def table(*rows: tuple[str, ...], top: int = 200) -> list[tuple[float, float, str]]:
    return [
        (x, top + 14 * number, cell)
        for number, row in enumerate(rows)
        for x, cell in zip((LEFT, *COLUMNS), row, strict=False)
        if cell
    ]


def make_page(tmp_path: Path, *words: tuple[float, float, str]) -> Page:
    prose = [(LEFT, 100 + 14 * number, SENTENCE) for number in range(3)]
    return read_paper(make_raw(tmp_path / "table.pdf", [[*prose, *words]]), "pdf").pages[0]


def cells_of(page: Page, row: str) -> tuple[str, tuple[TableCell, ...]]:
    start = page.text.index(row)
    return find_row_cells(page, start, start + len(row))


HEAD = ("Model", "Error", "Drift", "Cost")
ROWS = (("Ours", "2.4", "0.3", "11"), ("Base model", "9.7", "1.8", "9"), ("Optimiser", "Adam", "AdamW", "none"))


def test_a_row_is_said_with_its_columns_and_its_caption(tmp_path: Path) -> None:
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors of two models."), *table(HEAD, *ROWS))
    caption, cells = cells_of(page, "Base model 9.7 1.8 9")
    assert caption == "Table 1: Errors of two models."
    assert cells == tuple(
        TableCell("Base model", column, value) for column, value in zip(HEAD[1:], ("9.7", "1.8", "9"), strict=True)
    )
    assert [cell.column for cell in cells_of(page, "Optimiser Adam AdamW none")[1]] == ["Error", "Drift", "Cost"]


def test_a_head_above_others_is_said_of_each_where_it_reaches_over_all(tmp_path: Path) -> None:
    rows = table(("Model", "Error", "Drift", ""), ("Ours", "2.4", "0.3", ""))
    page = make_page(tmp_path, (LEFT, 170, "Table 1: Errors."), (215, 186, "Season 2019 after staff left it"), *rows)
    assert [cell.column for cell in cells_of(page, "Ours 2.4 0.3")[1]] == [
        "Season 2019 after staff left it Error",
        "Season 2019 after staff left it Drift",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [("Ours", "2.4", "0.3", "11"), ("Base model", "9.7", "1.8", "9")],  # no heads
        [
            ("Model", "Error", "", "Cost"),
            ("Ours", "2.4", "0.3", "11"),
            ("Base model", "9.7", "1.8", "9"),
        ],  # a gap
        [("Model", "Error", "Error", "Cost"), ("Ours", "2.4", "0.3", "11"), ("Base model", "9.7", "1.8", "9")],
    ],
)
def test_what_is_not_certain_is_not_said(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors of two models."), *table(*rows))
    assert cells_of(page, "Base model 9.7 1.8 9")[1] == ()


def test_prose_has_no_cells(tmp_path: Path) -> None:
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors of two models."), *table(HEAD, *ROWS))
    assert cells_of(page, SENTENCE) == ("", ())


def test_a_caption_between_two_tables_belongs_to_the_one_on_its_side(tmp_path: Path) -> None:
    page = make_page(
        tmp_path,
        *table(HEAD, *ROWS[:2]),
        (LEFT, 248, "Table 1: Errors of two models."),
        *table(("Model", "Size", "Layers", "Heads"), ("Ours", "7", "12", "16"), ("Base model", "5", "6", "8"), top=280),
        (LEFT, 328, "Table 2: Sizes of two models."),
    )
    assert cells_of(page, "Base model 9.7 1.8 9")[0].startswith("Table 1")
    assert cells_of(page, "Base model 5 6 8")[0].startswith("Table 2")
    assert [cell.column for cell in cells_of(page, "Base model 5 6 8")[1]] == ["Size", "Layers", "Heads"]


def test_a_caption_is_not_said_of_a_table_whose_own_stands_behind_the_text_of_a_cell(tmp_path: Path) -> None:
    page = make_page(
        tmp_path,
        (LEFT, 190, "Table 8: Sets of questions about objects."),
        *table(("Set", "Size", "Kind", "Source"), ("Counting", "1000", "short", "our own two"), top=220),
        (LEFT, 250, "staff wrote them by hand within the season of that year and read them again."),
        (LEFT, 266, "Table 9: Sets of questions about algorithms."),
    )
    assert cells_of(page, "Counting 1000 short") == ("", ())


def test_the_label_of_several_rows_and_a_second_column_of_labels_are_said(tmp_path: Path) -> None:
    rows = [(160, 200 + 14 * at, size) for at, size in enumerate(("7B", "13B", "33B"))]
    values = [(x, 200 + 14 * at, f"{at}.{x}") for at in range(3) for x in COLUMNS[:2]]
    heads = [(x, 186, head) for x, head in zip(COLUMNS, ("Error", "Drift"), strict=False)]
    lines = [sorted(word for word in rows + values if word[1] == 200 + 14 * at) for at in range(3)]
    drawn = [*heads, (LEFT, 214, "Ours"), *(word for line in lines for word in line)]
    page = make_page(tmp_path, (LEFT, 170, "Table 1: Errors of two models."), *drawn)
    assert [(cell.row, cell.column) for cell in cells_of(page, "33B 2.220")[1]] == [
        ("Ours 33B", "Error"),
        ("Ours 33B", "Drift"),
    ]


@pytest.mark.parametrize(
    ("name", "number", "row", "caption", "cell"),
    [
        ("1907.11692v1.pdf", 13, "Dropout 0.1 0.1", "Table 9:", TableCell("Dropout", "RoBERTaLARGE", "0.1")),
        ("1907.11692v1.pdf", 13, "Max Epochs 4 2 10", "Table 10:", TableCell("Max Epochs", "RACE", "4")),
        ("1907.11692v1.pdf", 9, "RoBERTa 86.8 89.8", "Table 6:", TableCell("RoBERTa", "SQuAD 2.0 EM", "86.8")),
        ("1907.11692v1.pdf", 8, "RoBERTa 90.8/90.2 98.9", "Table 5:", TableCell("RoBERTa", "MNLI", "90.8/90.2")),
        ("1810.04805v2.pdf", 7, "Human 86.3 89.0 86.9 89.5", "Table 3:", TableCell("Human", "Dev EM", "86.3")),
        ("1909.08053v4.pdf", 15, "24 128 80%", "Table 7.", TableCell("24", "Hidden size per head", "128")),
        ("2302.13971v1.pdf", 4, "Gopher 280B 79.3", "Table 3:", TableCell("Gopher 280B", "BoolQ", "79.3")),
        ("2302.13971v1.pdf", 5, "62B 64.3 47.5", "Table 6:", TableCell("PaLM 62B", "RACE-middle", "64.3")),
        ("1909.08053v4.pdf", 7, "355M 24 1024", "Table 2.", TableCell("355M", "Layers", "24")),
        ("2004.04906v3.pdf", 5, "BM25 + DPR 76.6", "Table 2:", TableCell("Single BM25 + DPR", "Top-20 NQ", "76.6")),
        ("2005.11401v4.pdf", 8, "RAG-Sequence-BM25 31.8", "Table 6:", TableCell("RAG-Sequence-BM25", "NQ", "31.8")),
        ("2302.13971v1.pdf", 18, "Anatomy STEM", "Table 16:", TableCell("Anatomy STEM", "GPT-3 175B", "48.0")),
        ("2201.11903v6.pdf", 21, "UL2 20B 4.1", "Table 2:", TableCell("UL2 20B", "GSM8K standard", "4.1")),
        ("2301.12867v4.pdf", 5, "GPT-3 0.651", "TABLE II:", TableCell("GPT-3", "STrace ↓", "0.651")),
    ],
)
def test_rows_of_real_papers(
    papers_folder: Path, name: str, number: int, row: str, caption: str, cell: TableCell
) -> None:
    page = read_paper(papers_folder / name, "pdf").pages[number - 1]
    start = page.text.index(row)
    found, cells = find_row_cells(page, start, page.text.index("\n", start))
    assert found.startswith(caption) and cells[0] == cell


GROUPS = [
    *((x, 200, head) for x, head in zip((220, 260, 320, 360), ("EM", "F1", "EM", "F1"), strict=True)),
    *(
        (x, 216, value)
        for x, value in zip((LEFT, 220, 260, 320, 360), ("Ours", "86.3", "89.0", "86.9", "89.5"), strict=True)
    ),
]


def test_the_same_heads_below_several_groups_are_said_with_the_name_of_their_group(tmp_path: Path) -> None:
    above = [(LEFT, 170, "Table 1: Errors."), (240, 186, "Dev"), (340, 186, "Test")]
    page = make_page(tmp_path, *above, *GROUPS)
    cells = cells_of(page, "Ours 86.3 89.0 86.9 89.5")[1]
    assert [cell.column for cell in cells] == ["Dev EM", "Dev F1", "Test EM", "Test F1"]


@pytest.mark.parametrize("places", [(215, 340), (240, 366), (222, 262)])
def test_a_group_whose_name_is_not_over_its_middle_is_not_said(tmp_path: Path, places: tuple[int, int]) -> None:
    above = [
        (LEFT, 170, "Table 1: Errors."),
        *((x, 186, name) for x, name in zip(places, ("Dev", "Test"), strict=True)),
    ]
    page = make_page(tmp_path, *above, *GROUPS)
    assert cells_of(page, "Ours 86.3 89.0 86.9 89.5")[1] == ()


SIZES = [
    (x, 200 + 14 * number, cell)
    for number, row in enumerate(
        (("", "7B", "13B", "7B"), ("Ours", "2.4", "0.3", "1.1"), ("Base", "9.7", "1.8", "0.9"))
    )
    for x, cell in zip((LEFT, 220, 260, 320), row, strict=True)
    if cell
]


def test_sizes_of_models_above_the_rows_are_heads_with_the_model_above_them(tmp_path: Path) -> None:
    above = [(LEFT, 170, "Table 1: Errors."), (231, 186, "LLaMA"), (316, 186, "OPT")]
    page = make_page(tmp_path, *above, *SIZES)
    assert [cell.column for cell in cells_of(page, "Base 9.7 1.8 0.9")[1]] == ["LLaMA 7B", "LLaMA 13B", "OPT 7B"]


def test_sizes_below_heads_are_values(tmp_path: Path) -> None:
    rows = (("Size", "7B", "13B", "33B"), *ROWS)
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors of two models."), *table(HEAD, *rows))
    assert [cell.value for cell in cells_of(page, "Size 7B 13B 33B")[1]] == ["7B", "13B", "33B"]
    assert [cell.column for cell in cells_of(page, "Base model 9.7 1.8 9")[1]] == list(HEAD[1:])


def write_stack(second: float, first_row: float) -> list[tuple[float, float, str]]:
    lines = (("Number of", "Hidden", "Heads", "Drift"), ("layers", "size", "", ""), ("24", "1024", "16", "0.3"))
    tops = (200.0, second, first_row, first_row + 12)
    return [
        (x, top, cell)
        for top, line in zip(tops, (*lines, ("48", "2560", "40", "0.9")), strict=True)
        for x, cell in zip((LEFT, *COLUMNS), line, strict=True)
        if cell
    ]


@pytest.mark.parametrize(("second", "first_row", "head"), [(212, 226, "Hidden size"), (214, 226, "Hidden")])
def test_heads_on_several_lines_are_whole_where_a_rule_parts_them_from_the_rows(
    tmp_path: Path, second: float, first_row: float, head: str
) -> None:
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors."), *write_stack(second, first_row))
    assert [cell.column for cell in cells_of(page, "48 2560 40 0.9")[1]] == [head, "Heads", "Drift"]


def write_groups(gap: float, *lines: tuple[float, str, str]) -> list[tuple[float, float, str]]:
    """Rows "name, two values" with the label of a group before some, each so many points lower than its row.

    `gap`: points between the first two rows and the others.
    """
    words = [(130, 200, "Model"), (220, 200, "Error"), (300, 200, "Drift")]
    for number, (off, label, name) in enumerate(lines):
        top = 220 + 12 * number + gap * (number > 1)
        words += [(LEFT, top + off, label)] if label else []
        words += [(130, top, name), (220, top, f"{number}.1"), (300, top, f"{number}.2")]
    return words


@pytest.mark.parametrize(
    ("gap", "lines", "names"),
    [
        (6, ((0, "One", "Ours"), (0, "One", "Base"), (0, "Two", "Ours"), (0, "Two", "Base")), ["One Base", "Two Base"]),
        (6, ((6, "One", "Ours"), (0, "", "Base"), (6, "Two", "Ours"), (0, "", "Base")), ["One Base", "Two Base"]),
        (6, ((0, "One", "Ours"), (0, "", "Base"), (0, "Two", "Ours"), (0, "", "Base")), ["One Base", "Two Base"]),
        (0, ((0, "One", "Ours"), (0, "", "Base"), (0, "Two", "Ours"), (0, "", "Base")), []),  # groups without a space
        (
            0,
            ((0, "One", "Ours"), (0, "at once", "Base"), (0, "", "Old"), (0, "", "Base"), (0, "", "New")),
            [],
        ),  # one label
    ],
)
def test_a_row_has_its_own_name_behind_that_of_its_group(
    tmp_path: Path, gap: float, lines: tuple[tuple[float, str, str], ...], names: list[str]
) -> None:
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors."), *write_groups(gap, *lines))
    found = [cells_of(page, f"Base {number}.1 {number}.2")[1] for number in (1, 3)]
    assert [cells[0].row for cells in found if cells] == names
    assert all([cell.column for cell in cells] == ["Error", "Drift"] for cells in found if cells)


def test_a_value_that_the_lines_end_cuts_is_not_said(tmp_path: Path) -> None:
    rows = (("Ours", "2.4", "0.3", "silt, clay,"), ("Base model", "9.7", "1.8", "silt"))
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors of two models."), *table(HEAD, *rows))
    assert cells_of(page, "Ours 2.4 0.3 silt, clay,")[1] == ()
    assert [cell.value for cell in cells_of(page, "Base model 9.7 1.8 silt")[1]] == ["9.7", "1.8", "silt"]


def test_two_rows_beside_one_value_are_two_lines(tmp_path: Path) -> None:
    rows = [(LEFT, 220, "Ours"), (220, 220, "2.4"), (300, 220, "0.3"), (380, 226, "11")]
    rows += [(LEFT, 232, "Base"), (220, 232, "9.7"), (300, 232, "1.8")]
    heads = [(x, 200, head) for x, head in zip((LEFT, *COLUMNS), HEAD, strict=True)]
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors of two models."), *heads, *rows)
    assert "Ours 2.4 0.3 11\nBase 9.7 1.8" in page.text
    assert [cell.value for cell in cells_of(page, "Base 9.7 1.8")[1]] == ["9.7", "1.8"]


def test_a_fraction_in_a_line_of_text_has_to_be_looked_at(tmp_path: Path) -> None:
    words = [(LEFT, 200, "The share is"), (140, 205, "sum"), (138, 197, "part"), (170, 200, "of all.")]
    page = make_page(tmp_path, *words)
    start = page.text.index("The share")
    assert has_doubtful_signs(page, start, len(page.text))
    assert not has_doubtful_signs(page, 0, start - 1)


def test_brackets_behind_a_value_belong_to_it_and_those_cut_by_the_lines_end_are_not_said(tmp_path: Path) -> None:
    rows = (("Ours", "2.4 (0.6)", "0.3 ±0.1", "11 (-9 to 15)"), ("Base", "9.7 (1.8)", "1.8 ±0.2", "9 (-0.1"))
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors of two models."), *table(HEAD, *rows))
    assert [cell.value for cell in cells_of(page, "Ours 2.4 (0.6) 0.3 ±0.1 11 (-9 to 15)")[1]] == list(rows[0][1:])
    assert cells_of(page, "Base 9.7 (1.8) 1.8 ±0.2 9 (-0.1")[1] == ()


def test_values_with_the_letter_of_a_note_are_no_heads(tmp_path: Path) -> None:
    rows = (("Prior best", "5.5a", "1.4b", "19"), *ROWS)
    page = make_page(tmp_path, (LEFT, 180, "Table 1: Errors of two models."), *table(HEAD, *rows))
    assert [cell.column for cell in cells_of(page, "Base model 9.7 1.8 9")[1]] == list(HEAD[1:])
    assert [cell.value for cell in cells_of(page, "Prior best 5.5a 1.4b 19")[1]] == ["5.5a", "1.4b", "19"]


def test_a_table_of_two_columns_is_no_part_of_its_caption(tmp_path: Path) -> None:
    rows = table(
        ("Outcome", "Effect"), ("Pass-through, %", "87 (81 to 93)"), ("Volume, %", "-9.6 (-12.1 to -7.1)"), top=192
    )
    page = make_page(tmp_path, (LEFT, 180, "Table 1. Effects of the levy (95% CI)."), *rows)
    caption, cells = cells_of(page, "Volume, % -9.6 (-12.1 to -7.1)")
    assert caption == "Table 1. Effects of the levy (95% CI)."
    assert cells == (TableCell("Volume, %", "Effect", "-9.6 (-12.1 to -7.1)"),)


def test_larger_prose_below_a_table_is_no_row_of_it(tmp_path: Path) -> None:
    """Words that are set far apart to fill their line stand under the columns by chance."""
    words = [(LEFT, 180, "Table 1: Errors of two models."), *table(HEAD, *ROWS)]
    prose = [
        (LEFT, 250, "Probes"),
        (225, 250, "hardly"),
        (305, 250, "ever"),
        (385, 250, "drift"),
        *((LEFT, 264 + 14 * number, SENTENCE) for number in range(8)),
    ]
    path = write_sizes(tmp_path / "a.pdf", [(8, words), (11, prose)])
    page = read_paper(path, "pdf").pages[0]
    start = page.text.index("Probes hardly ever drift")
    assert {block.kind for block in page.blocks if block.start <= start < block.end} == {"body"}
    assert [cell.value for cell in cells_of(page, "Ours 2.4 0.3 11")[1]] == ["2.4", "0.3", "11"]


def write_sizes(path: Path, parts: list[tuple[int, list[tuple[float, float, str]]]]) -> Path:
    """Words of several type sizes."""
    pdf = FPDF(unit="pt", format=(612, 792))
    pdf.add_page()
    for size, words in parts:
        pdf.set_font("Times", "", size)
        for x, y, text in words:
            pdf.text(x, y, text)
    pdf.output(str(path))
    return path
