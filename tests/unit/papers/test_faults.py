"""Kinds of files that were once read wrong: each holds the value that a reader of the page would find."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag_app.citations.references import PaperRegistry, find_references
from rag_app.citations.signs import has_doubtful_signs
from rag_app.citations.table_cells import find_row_cells
from rag_app.papers.pdf.file import render_page
from rag_app.papers.read import read_paper
from rag_app.records import Reading
from tests.support.pdfs import make_paper, make_raw


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


def test_each_part_of_a_sideways_table_has_its_caption_head_and_values(shared: Path) -> None:
    for number, farm, values in ((2, "Farm 3", "silt 13 9.3 2.3"), (3, "Farm 21", "silt 31 11.1 4.1")):
        page = fault(shared, "sideways_table").pages[number - 1]
        start = page.text.index(f"{farm} {values}")
        end = start + len(f"{farm} {values}")
        caption, cells = find_row_cells(page, start, end)
        assert caption.startswith("Table 1")
        assert [(cell.row, cell.column) for cell in cells] == [
            (farm, column) for column in ("Soil", "Probes", "Error before", "Error after")
        ]
        assert " ".join(cell.value for cell in cells) == values
        assert not has_doubtful_signs(page, start, end)


def test_bytes_before_the_header_are_skipped(shared: Path, tmp_path: Path) -> None:
    whole = (shared / "faults" / "pdf" / "negative_size.pdf").read_bytes()
    for filling in (b" ", b"\n"):
        (tmp_path / "late.pdf").write_bytes(filling * 1100 + whole)
        reading = read_paper(tmp_path / "late.pdf", "pdf")
        assert (reading.state, reading.warnings) == ("full text", ())
        assert render_page(tmp_path / "late.pdf", 1)[1] > 0


def test_lines_of_a_turned_page_keep_their_order(shared: Path) -> None:
    text = whole_text(fault(shared, "rot90"))
    assert "whereas uncalibrated probes drifted to 9.7 percent in the same period." in " ".join(text.split())


def test_type_3_letters_and_a_turned_page_give_title_prose_and_table(shared: Path) -> None:
    reading = fault(shared, "real_complex_p2_15_17")
    assert reading.title == "Heavy Mesons In A Relativistic Model"
    assert "predictive" in whole_text(reading) or "Despite the power inherent in HQET" in whole_text(reading)
    for words in (  # codes of TeX's text fonts, and of its font for formulas
        "of the heavy quark effective theory, and",
        "based on scalar confining and vector",
        "b-flavored mesons",
        "energies to order 1/mQ in",
    ):
        assert words in whole_text(reading)
    page = reading.pages[2]
    row = "1³S1 9.46 9.5315 -0.0602 0.0122 0.0000 0.0072 -0.0297 -0.0224"
    start = page.text.index(row)
    caption, cells = find_row_cells(page, start, start + len(row))
    assert caption.startswith("TABLE V. Zeroth order and various first order")
    assert [cell.column for cell in cells] == ["W", "W(0)", "Ec", "Ehyp", "Eso", "ESR", "EVR", "ESR + EVR"]
    assert [cell.row for cell in cells] == ["1³S1"] * 8
    assert page.words is not None  # though the fonts say that their letters are 240 points high
    heights = page.words.boxes[:, 3] - page.words.boxes[:, 1]
    assert heights.max() < 25


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
    if not name.startswith("real"):  # OCR has put this line half a letter off
        assert reading.authors == ("Maria Keller", "Tomas Lindqvist", "Aiko Hayashi")


def test_raised_marks_are_no_digits_of_a_number(shared: Path) -> None:
    reading = fault(shared, "nature_sup")
    text = whole_text(reading)
    assert "an error of 2.4⁴ percent over ninety days¹–³, whereas others drifted. An area of 12 m² was" in text
    assert "proposed in 2015³ . The calibrated" in text
    (quote,) = re.findall(r"The calibrated probes kept an error.*?others drifted\.", text)
    found = find_references(quote, reading.bibliography, PaperRegistry([]))
    assert {reference.mark: reference.entry[:5] for reference in found} == {
        "[4]": "Evans",  # raised behind a number
        "[1]": "Adams",
        "[2]": "Brown",
        "[3]": "Dunn,",
    }


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


def test_line_numbers_in_the_margin_are_no_text(shared: Path) -> None:
    reading = fault(shared, "linenumbers_inline")
    assert reading.title == "Recalibrating Soil Moisture Probes on Small Farms"
    assert "farms rarely recalibrate them. We studied" in " ".join(whole_text(reading).split())
    assert len(reading.bibliography) == 3


def test_fonts_without_letters_are_a_warning_with_the_page(shared: Path) -> None:
    (warning,) = fault(shared, "real_TAMReview_p2").warnings
    assert "the fonts on page 1 do not say which letters they print" in warning and "ocrmypdf" in warning


def test_a_text_in_one_type_is_read_and_has_no_title_of_a_paragraph(shared: Path) -> None:
    reading = fault(shared, "uniform_type")
    assert len(reading.title) < 100
    body = [
        page.text[block.start : block.end] for page in reading.pages for block in page.blocks if block.kind == "body"
    ]
    assert body[0].startswith("Soil moisture sensors lose calibration")


def test_a_portfolio_names_its_attachments(shared: Path) -> None:
    assert "is a portfolio; its attachments are paper.pdf, supp.pdf" in fault(shared, "portfolio").problem


def test_encrypted_with_aes_and_no_password_is_read_with_its_metadata(shared: Path) -> None:
    reading = fault(shared, "enc_empty_R6")
    assert reading.warnings == () and reading.state == "full text"


@pytest.mark.parametrize("name", ["draft_first", "article_type_larger", "fpsyg.2012.00123", "authors_superscript"])
def test_title_authors_and_ids_are_those_of_the_page(shared: Path, name: str) -> None:
    reading = fault(shared, name)
    assert reading.title == "Recalibrating Soil Moisture Probes on Small Farms"
    assert (reading.arxiv_id, reading.year) == ("", 0)  # nothing on the page tells them
    wanted = (
        ("Patrick N. Lane", "Alice Best", "Klaus Hickel", "Lu Zhang")
        if name == "authors_superscript"
        else ("Maria Keller", "Tomas Lindqvist", "Aiko Hayashi")
    )
    assert reading.authors == wanted


def test_the_printed_year_counts_and_not_the_files_date(shared: Path) -> None:
    assert fault(shared, "deep_header").year == 2021


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("deep_header", "Journal of Farm Sensing"),
        ("thesis300", "CHAPTER"),
        ("downloaded_stamp", "Downloaded"),
        ("draft_first", "DRAFT"),
    ],
)
def test_running_heads_and_stamps_are_furniture_on_every_page(shared: Path, name: str, head: str) -> None:
    pages = fault(shared, name).pages
    kinds = [block.kind for page in pages for block in page.blocks if head in page.text[block.start : block.end]]
    assert len(kinds) >= len(pages) and set(kinds) == {"furniture"}
    if name == "thesis300":  # sentences that differ in a number only are no running heads
        body = "\n".join(
            page.text[block.start : block.end] for page in pages for block in page.blocks if block.kind == "body"
        )
        assert body.count("of this thesis we note that probe") == len(pages)


def test_a_word_that_the_pages_end_cuts_is_in_no_quote(shared: Path) -> None:
    before, page, _ = fault(shared, "hyphen_pages").pages
    kinds = {one.text[block.start : block.end][:4]: block.kind for one in (before, page) for block in one.blocks}
    assert (kinds["Mari"], kinds["Ever"], kinds["ule "], kinds["The "]) == ("body", "furniture", "furniture", "body")


def test_a_word_that_a_footnote_parts_is_in_no_quote(tmp_path: Path) -> None:
    lines = [
        (72, 100, "The attention of the decoder is wide. Finally, the decoder performs atten-"),
        (72, 160, "Twelve farms were part of it."),
        (72, 220, "tion over the results of all passages. The rest of the season was dry."),
        (72, 280, "It is used by the model GPT-"),
        (72, 292, "3) which is the largest of them."),
    ]
    first = [(72, 100, "We measured the drift of each probe every week.")]
    page = read_paper(make_raw(tmp_path / "parted.pdf", [first, lines]), "pdf").pages[1]
    kinds = {page.text[block.start : block.end]: block.kind for block in page.blocks}
    assert kinds["Finally, the decoder performs atten-"] == "furniture"
    assert kinds["tion over the results of all passages."] == "furniture"
    assert any(kind == "body" and text.endswith("decoder is wide.") for text, kind in kinds.items())
    assert "by the model GPT-3) which is" in page.text


def test_references_are_found_one_by_one_and_by_other_headings(shared: Path) -> None:
    assert [entry[:9] for entry in fault(shared, "supp_after_refs").bibliography] == [
        "Adams, J.",
        "Brown, K.",
        "Dunn, P. ",
    ]
    chinese = fault(shared, "chinese")
    assert [entry[:6] for entry in chinese.bibliography] == ["[1] 陈刚", "[2] 刘洋"]
    assert chinese.authors == ("王小明", "李华", "张伟")
    assert "1 引言" in {block.section for block in chinese.pages[0].blocks}
    assert "我们在两个季节研究了四十个农场，并且每周用烘干称重法" in chinese.pages[0].text


def test_references_stand_below_a_german_heading_and_names_begin_with_letters_of_other_languages(
    tmp_path: Path,
) -> None:
    prose = "Probes kept their calibration over ninety days in silt and lost it in clay within a week of rain."
    entries = ["Adams, J. Soil probes. Farm Press, 2011.", "Brown, K. Drift of probes. Farm Press, 2013."]
    sections = [("1 Einleitung", [prose] * 3), ("Literaturverzeichnis", entries)]
    path = make_paper(tmp_path / "a.pdf", sections=sections, authors="Øystein Berg, Élodie Martin")
    reading = read_paper(path, "pdf")
    assert [entry[:5] for entry in reading.bibliography] == ["Adams", "Brown"]
    assert reading.authors == ("Øystein Berg", "Élodie Martin")


def test_names_begin_with_letters_that_latin_1_does_not_have(tmp_path: Path) -> None:
    authors = ("Łukasz Nowak", "Żaneta Król", "Šárka Novák", "Čestmír Malý", "İpek Demir")
    prose = [(72, 220 + 12 * row, "Probes kept their calibration over ninety days in silt.") for row in range(3)]
    head = [(72, 100, "Drift of Probes in Wet Soil"), (72, 130, ", ".join(authors)), (72, 160, "Abstract")]
    reading = read_paper(make_raw(tmp_path / "a.pdf", [[*head, *prose]]), "pdf")
    assert reading.title == "Drift of Probes in Wet Soil"
    assert reading.authors == authors
