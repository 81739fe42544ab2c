"""Kinds of files that were once read wrong: each holds the value that a reader of the page would find."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_app.papers.read import read_paper
from rag_app.records import Reading


def fault(shared: Path, name: str) -> Reading:
    path = shared / "faults" / "pdf" / f"{name}.pdf"
    if not path.is_file():
        pytest.skip("needs the faulty files in shared/faults beside the checkout")
    return read_paper(path, "pdf")


def whole_text(reading: Reading) -> str:
    return "\n".join(page.text for page in reading.pages)


@pytest.mark.parametrize("name", ["negative_size", "real_pdfjs_issue14415"])
def test_a_negative_type_size_is_its_absolute_value(shared: Path, name: str) -> None:
    reading = fault(shared, name)
    assert reading.state == "full text" and reading.title
    assert len(whole_text(reading)) > 300


def test_a_table_that_is_set_sideways_is_a_table_with_places_as_shown(shared: Path) -> None:
    page = next(page for page in fault(shared, "sideways_table").pages if "Farm 21" in page.text)
    start = page.text.index("Farm 21 silt 31 11.1 4.1")
    (kind,) = (block.kind for block in page.blocks if block.start <= start < block.end)
    assert kind == "table"
    assert page.words is not None
    row = page.words.boxes[(page.words.starts >= start) & (page.words.ends <= start + 24)]
    assert (page.width, page.height) == (612, 792)
    assert row[:, 3].max() - row[:, 1].min() > 5 * (row[:, 2].max() - row[:, 0].min())  # it runs up the page


def test_lines_of_a_turned_page_keep_their_order(shared: Path) -> None:
    text = whole_text(fault(shared, "rot90"))
    assert "whereas uncalibrated probes drifted to 9.7 percent in the same period." in " ".join(text.split())


def test_type_3_letters_and_a_turned_page_give_title_prose_and_table(shared: Path) -> None:
    reading = fault(shared, "real_complex_p2_15_17")
    assert reading.title == "Heavy Mesons In A Relativistic Model"
    assert "predictive" in whole_text(reading) or "Despite the power inherent in HQET" in whole_text(reading)
    assert "1³S1 9.46 9.5315 -0.0602 0.0122" in whole_text(reading)


@pytest.mark.parametrize(
    "name",
    [
        "ocr_under_picture",
        "ocr_white_under_picture",
        "scan_ocr_smallpicture",
        "real_white_ocr_ff518b",
        "real_2104.08773_p14",
    ],
)
def test_what_was_read_from_a_picture_stays_and_the_rest_is_told(shared: Path, name: str) -> None:
    reading = fault(shared, name)
    text = " ".join(whole_text(reading).split())
    wanted = {
        "real_white_ocr_ff518b": "the periodical",
        "real_2104.08773_p14": "Writing questions that involve commonsense",
    }
    assert wanted.get(name, "farms rarely recalibrate them.") in text
    if name == "ocr_under_picture":  # half of its words lie where nothing is printed
        assert "The calibrated probes" not in text and "The calibr" in reading.hidden[0]


def test_raised_marks_are_no_digits_of_a_number(shared: Path) -> None:
    text = whole_text(fault(shared, "nature_sup"))
    assert "an error of 2.4⁴ percent over ninety days¹–³, whereas others drifted. An area of 12 m² was" in text
    assert "proposed in 2015³ . The calibrated" in text


def test_a_layer_that_is_switched_off_is_no_text(shared: Path) -> None:
    reading = fault(shared, "ocg_off")
    assert "8.8 percent" not in whole_text(reading)
    assert reading.hidden[0].startswith("page 1 (in a layer that is switched off): “The earlier draft")


def test_three_columns_are_read_column_by_column(shared: Path) -> None:
    text = " ".join(whole_text(fault(shared, "threecol_across")).split())
    assert "Soil moisture sensors lose calibration when the probe is moved between plots, and farms rarely" in text
    assert "The calibrated probes kept an error of 2.4 percent over ninety days, whereas uncalibrated" in text


def test_an_invisible_copy_is_left_out(shared: Path) -> None:
    reading = fault(shared, "duplayer")
    assert whole_text(reading).count("lose calibration") == 1
    assert reading.hidden == ()
