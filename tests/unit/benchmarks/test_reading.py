"""The measure of reading, on papers made on the spot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reading import main, measure_boxes, score_file
from rag_app.papers.read import read_paper
from tests.support.pdfs import make_paper, make_scanned


def test_a_plain_paper_is_whole_and_in_order(tmp_path: Path) -> None:
    words = "Probes kept their calibration over ninety days in silt and lost it in clay within a week of rain."
    path = make_paper(tmp_path / "a.pdf", sections=[("1 Introduction", [words] * 4)], columns=2)
    score = score_file(path)
    assert score.boxes == 1.0 and score.title == "Ours: A Method for Testing"
    assert score.words is None or (score.words == 1.0 and (score.order or 0) > 0.9)
    assert score.faults == ("no references",)


@pytest.mark.parametrize(("moved", "most"), [((9, 0, 9, 0), 0.6), ((0, 14, 0, 14), 0.1), ((-300, -300, 300, 300), 0.0)])
def test_boxes_beside_their_words_or_around_many_are_told(
    tmp_path: Path, moved: tuple[float, ...], most: float
) -> None:
    words = (
        "Probes kept their calibration over ninety days in silt and lost it in clay within a week of rain. "
        "Farms that were asked twice a season measured moisture more often, whereas others saw larger errors."
    )
    path = make_paper(tmp_path / "a.pdf", sections=[("1 Introduction", [words])])
    reading = read_paper(path, "pdf")
    (page,) = reading.pages
    assert page.words is not None and measure_boxes(path, reading) == 1.0
    elsewhere = replace(page, words=replace(page.words, boxes=page.words.boxes + np.array(moved)))
    share = measure_boxes(path, replace(reading, pages=(elsewhere,)))
    assert share is not None and share <= most


def test_outliers_are_named_and_an_empty_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    make_paper(tmp_path / "a.pdf")
    make_scanned(tmp_path / "b.pdf")
    assert main([str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "a.pdf: no references" in told and "2 files, 1 with something out of the ordinary" in told
