"""A short crowd of real browsers: the benchmark's own way, two of them for a few seconds."""

from benchmarks.browsers import SECTIONS, crowd, targets

ASKED = ["How many parameters?", "What is the weather?", "compare them"]


def test_two_browsers_ask_and_open_pages_without_an_error(served, chromium):
    seen = crowd(served.url, chromium, ASKED, browsers=2, seconds=1.0, patience=120.0)
    assert seen["errors"] == 0, seen["what"]
    assert seen["asked"] >= 4
    assert seen["shown"]["times"] == seen["first text"]["times"] == seen["answer"]["times"] == seen["asked"]
    assert seen["page up"]["times"] == 2 and seen["citation to mark"]["times"] >= 1
    assert seen["shown"]["p50"] <= seen["first text"]["p50"] <= seen["answer"]["p50"]


def test_what_goes_wrong_is_counted(served, chromium):
    seen = crowd(served.url, chromium, ["This fails"], browsers=1, seconds=1.0, patience=120.0)
    assert seen["errors"] >= 1 and "This fails" in seen["what"][0]


def test_the_section_says_what_was_missed():
    measured = {"errors": 1, "first paint": 900, "citation to mark": {"p95": 700}}
    assert [target.row()[3] == "met" for target in targets(measured)] == [False, True, False]
    assert SECTIONS[0].name == "browsers"
