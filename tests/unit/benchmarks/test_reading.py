"""The measure of reading, on papers made on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reading import main, score_file
from tests.support.pdfs import make_paper, make_scanned


def test_a_plain_paper_is_whole_and_in_order(tmp_path: Path) -> None:
    words = "Probes kept their calibration over ninety days in silt and lost it in clay within a week of rain."
    path = make_paper(tmp_path / "a.pdf", sections=[("1 Introduction", [words] * 4)], columns=2)
    score = score_file(path)
    assert score.boxes == 1.0 and score.title == "Ours: A Method for Testing"
    assert score.words is None or (score.words == 1.0 and (score.order or 0) > 0.9)
    assert score.faults == ("no references",)


def test_outliers_are_named_and_an_empty_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    make_paper(tmp_path / "a.pdf")
    make_scanned(tmp_path / "b.pdf")
    assert main([str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "a.pdf: no references" in told and "2 files, 1 with something out of the ordinary" in told
