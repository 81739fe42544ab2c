"""Marks that are printed above the line are no digits of the word beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fpdf import FPDF

from rag_app.papers.read import read_paper

ADDRESS = "https://example.org/a/long/address/of/a/data/set/with/many/parts/12"


def write_marked(path: Path, parts: list[tuple[str, float, float]]) -> Path:
    """One line: each part with its size and its rise in points, set right after the one before it."""
    pdf = FPDF(unit="pt", format=(612, 792))
    pdf.add_page()
    x = 72.0
    for text, size, rise in parts:
        pdf.set_font("Times", "", size)
        pdf.text(x, 100 - rise, text)
        x += pdf.get_string_width(text)
    pdf.set_font("Times", "", 10)
    pdf.text(72, 130, "The probes were moved in 2015, and each of them was read by two persons.")
    pdf.output(str(path))
    return path


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([("10", 7, 4), (ADDRESS, 10, 0)], f"¹⁰{ADDRESS}"),
        ([("10", 10, 0), (ADDRESS, 10, 0)], f"10{ADDRESS}"),
        ([("an error of 2.4", 10, 0), ("4", 7, 4), (" percent", 10, 0)], "an error of 2.4⁴ percent"),
        ([("an area of 12 m", 10, 0), ("2", 7, 4), (" was sown", 10, 0)], "an area of 12 m² was sown"),
        ([("an error of 2.4", 10, 0), ("4", 10, 0), (" percent", 10, 0)], "an error of 2.44 percent"),
    ],
)
def test_raised_digits_are_told_from_those_of_a_word(
    tmp_path: Path, parts: list[tuple[str, float, float]], text: str
) -> None:
    (page,) = read_paper(write_marked(tmp_path / "a.pdf", parts), "pdf").pages
    assert " ".join(page.text.split()).startswith(f"{text} The probes")
