"""The benchmark report: what it says of a target that was met, missed or not measured; and its parts in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.report import Section, Target, report, table

ABOUT = {"machine": {"processor": "P", "cores": 2, "system": "S", "python": "3"}, "versions": {"bm25s": "0.3"}}


def test_a_target_says_whether_it_was_met_and_by_how_much_it_was_missed() -> None:
    assert Target("recall", 0.9, 0.95).row() == ["recall", "≥ 0.9", "0.95", "met"]
    assert Target("recall", 0.9, 0.9).row()[-1] == "met"
    assert Target("recall", 0.9, 0.85, why="few questions").row()[-1] == "**0.05**: few questions"
    assert Target("seconds", 2, 2.5, at_most=True).row()[1:] == ["≤ 2", "2.5", "**0.5**"]
    assert Target("seconds", 2, 1, at_most=True).row()[-1] == "met"
    assert Target("recall", 0.9, None).row()[2:] == ["not measured", ""]


def test_the_report_has_each_measured_section_with_its_plot_and_its_targets(tmp_path: Path) -> None:
    def plot(measured: dict[str, Any], folder: Path) -> list[str]:
        (folder / "one.svg").write_text("<svg/>", encoding="utf-8")
        return ["one.svg"]

    def section(name: str, title: str, **more: Any) -> Section:
        return Section(name, title, dict, lambda measured: f"figure {measured['value']}\n", **more)

    sections = [
        section("second", "Second claim"),
        section("first", "First claim", plot=plot, targets=lambda measured: [Target("one", 1, measured["value"])]),
        section("third", "Never measured"),
    ]
    measured = {**ABOUT, "first": {"date": "d1", "value": 7}, "second": {"date": "d2", "value": 8}}
    text = report(sections, measured, tmp_path / "plots")
    assert "| one | ≥ 1 | 7 | met |" in text
    places = [text.index(part) for part in ("## Second claim", "figure 8", "## First claim", "figure 7")]
    assert places == sorted(places)
    assert "![First claim](plots/one.svg)" in text and (tmp_path / "plots" / "one.svg").is_file()
    assert "Never measured" not in text


def test_a_table_leaves_missing_cells_empty() -> None:
    assert table(["a", "b"], [[1, None]]) == "| a | b |\n| --- | --- |\n| 1 |  |\n"
