"""The harness that tries to break it, with a few cases of each kind. Kills are in test_index."""

import errno

import pytest

from benchmarks import crowds, fuzz, reliability, strains
from benchmarks.tried import Section, Tried


@pytest.mark.parametrize(("name", "number", "code"), [("fsync", 4, errno.ENOSPC), ("replace", 7, errno.EROFS)])
def test_a_disk_that_fails_loses_nothing(tmp_path, name, number, code):
    assert strains.strain(tmp_path, name, number, code) == []


def test_a_cut_download_leaves_nothing():
    assert strains.cut_downloads(3).faults == ()


@pytest.mark.parametrize("trouble", [crowds.deleted, crowds.copied, crowds.other_makers])
def test_an_index_deleted_copied_or_of_other_makers(trouble):
    assert trouble().faults == ()


def test_askers_and_builds_at_once():
    tried, figures = crowds.crowd(2.0, 3, pause=0.5)
    assert tried.faults == () and figures["builds"] >= 1 and figures["asked"] >= 3


def test_mutated_papers_cost_only_themselves():
    assert fuzz.pdfs(14, seed=5).faults == ()


def test_mutated_files_are_read_or_refused_in_words():
    for tried in fuzz.files(10):
        assert tried.faults == (), tried.what


def test_odd_questions_and_lines_and_names():
    assert fuzz.questions(len(fuzz.WEIRD)).faults == ()
    assert fuzz.names().faults == ()


def test_a_fault_is_counted_named_and_kept(monkeypatch, tmp_path):
    row = Tried("x", 3, "nothing", ("it broke",))
    monkeypatch.setattr(fuzz, "section", lambda short: Section("Bad input", "About.", [row]))
    text, faults = reliability.run("fuzz", short=True)
    assert faults == ["x: it broke"] and "| x | 3 | nothing | 1 |" in text and "**fault**: x: it broke" in text
    monkeypatch.setattr(reliability, "KEPT", tmp_path / "kept.json")
    monkeypatch.setattr(reliability, "REPORT", tmp_path / "report.md")
    reliability.keep("kills", "## Kills\n")
    reliability.keep("fuzz", text)
    written = (tmp_path / "report.md").read_text()
    assert written.startswith("# Reliability") and written.index("## Kills") < written.index("## Bad input")


def test_a_harness_that_sees_no_fault_would_see_one(monkeypatch):
    """Each looks where it says: with our own messages taken away, faults are found."""
    monkeypatch.setattr(fuzz, "read_manifest", lambda folder: 1 / 0)
    assert fuzz.files(2)[0].faults
