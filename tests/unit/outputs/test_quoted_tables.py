"""Rows that an answer quotes from a table of a paper stand in columns again, each under its own head."""

from __future__ import annotations

from rag_app.outputs.markdown import text_as_markdown
from rag_app.outputs.notebook import answer_as_note, cited_place
from rag_app.outputs.quoted_tables import arrange_rows
from rag_app.records import Answer, Citation, TableCell

HEAD = "Model GPU type GPU hours"


def cited(number: int, quote: str, row: str = "", **values: str) -> Citation:
    cells = tuple(TableCell(row, name.replace("_", " "), value) for name, value in values.items())
    return Citation(number, "a.pdf", "A", 4, "4", "", quote, True, cells=cells)


CITED = (
    cited(1, HEAD),
    cited(2, "Small A100 80GB 36", "Small", GPU_type="A100 80GB", GPU_hours="36"),
    cited(3, "Large V100 449", "Large", GPU_type="V100", GPU_hours="449"),
    cited(4, "Huge 512", "Huge", GPU_hours="512"),
)
TEXT = f"Ours: {HEAD} [1]\nSmall A100 80GB 36 [2]\nLarge V100 449 [3]\nHuge 512 [4]"
ANSWER = Answer("", "How long?", "answered", f"It took long. [1]\n\n{TEXT}", "quoting", CITED)


def rows_of(*lines: Citation) -> list[tuple[str, ...]]:
    return [row.cells for row in arrange_rows([(one.quote, one) for one in lines]).rows]


def test_heads_are_split_where_the_page_tells_what_stands_below_which() -> None:
    assert rows_of(*CITED) == [
        ("Model", "GPU type", "GPU hours"),
        ("Small", "A100 80GB", "36"),
        ("Large", "V100", "449"),
        ("Huge", "", "512"),
    ]


def test_heads_that_fit_few_rows_are_not_taken() -> None:
    others = [cited(number, f"Row{number} 1 2") for number in (5, 6)]
    assert rows_of(CITED[1], *others)[0] == ("Small A100", "80GB", "36")


def test_a_row_that_is_not_certain_stands_in_the_table_as_one_text() -> None:
    assert rows_of(*CITED[:3], cited(5, "Odd + more 7"))[-1] == ("Odd + more 7",)


def test_exports_and_notes_have_the_table_with_a_mark_for_each_row() -> None:
    table = text_as_markdown(ANSWER).split("\n\n")[1]
    assert table.split("\n") == [
        "| Ours: Model | GPU type | GPU hours [1] |",
        "| --- | --- | --- |",
        "| Small | A100 80GB | 36 [2] |",
        "| Large | V100 | 449 [3] |",
        "| Huge |  | 512 [4] |",
    ]


def test_a_note_does_not_repeat_its_title_nor_each_row_below_the_table() -> None:
    assert answer_as_note(ANSWER).startswith("## How long?\n\nIt took long. [1]")
    text = answer_as_note(ANSWER, headed=False)
    assert text.startswith("It took long. [1]")
    quotes = text.split("\n\n")[-1].split("\n")
    assert len(quotes) == 1 and quotes[0].startswith("- [1]–[4] “Model GPU") and cited_place(quotes[0]) is not None
