"""The library's side of the page."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from rag_app.errors import IndexBusy
from rag_app.papers.pdf import ocr
from rag_app.records import Answer, Citation
from rag_app.server.build_job import BuildJob, duration_words
from rag_app.server.web.library_panel import (
    common_topics,
    example_questions,
    next_questions,
    paper_list_html,
    searchable_words,
    short_title,
    status_html,
)
from tests.support.fake_assistant import Row

GOOD, NEW = Row("a.pdf", "A"), Row("n.pdf", "N", state="not read yet")
SCAN, LOCKED = Row("s.pdf", "S", state="no text"), Row("l.pdf", "L", state="unreadable")
REPORT = SimpleNamespace(changed=True, papers=[1, 2], failed_papers=(), passages=1200)


def waited(job):
    job.stop()
    assert not job.running
    return job


ETA = {"stage": "reading", "done": 12, "total": 47, "message": "2004.04906v3.pdf", "eta": 41.0}


def test_a_build_tells_how_far_it_is_and_how_it_ended():
    hold, begun = threading.Event(), threading.Event()

    def build(on_progress, stop):
        on_progress(SimpleNamespace(**ETA))
        begun.set()
        hold.wait(10)
        return REPORT

    job = BuildJob(build)
    assert job.start() and not job.start()
    assert begun.wait(10)
    shown = status_html(SimpleNamespace(papers=12, by_words=300, by_meaning=0), job, [GOOD] * 47)
    assert (
        'value="12" max="47"' in shown and "Reading 12 of 47 · 2004.04906v3.pdf" in shown and "about 41 s left" in shown
    )
    assert "12 of 47 papers can be searched</p>" in shown and "building" in shown
    assert 'title="By words so far: 300 passages. Search by meaning follows."' in shown
    hold.set()
    assert "2 papers, 1,200 passages" in str(waited(job).outcome)


@pytest.mark.parametrize("error", [IndexBusy("Process 7 is building. Wait for it."), OSError("disk full")])
def test_a_build_that_fails_says_why(error):
    def build(on_progress, stop):
        raise error

    job = BuildJob(build)
    job.start()
    waited(job)
    assert job.failed and str(error) in str(job.outcome)


def test_a_second_build_can_wait_for_the_first():
    hold, runs, second = threading.Event(), [], threading.Event()

    def build(on_progress, stop):
        runs.append(1)
        if len(runs) == 2:
            second.set()
        hold.wait(10)
        return REPORT

    job = BuildJob(build)
    assert job.start()
    assert job.start(after_this_one=True)
    hold.set()
    assert second.wait(10)
    waited(job)
    assert len(runs) == 2


def test_a_build_is_cancelled_and_another_can_be_asked_for_meanwhile():
    entered, release, runs = threading.Event(), threading.Event(), []

    def build(on_progress, stop, **more):
        runs.append((stop, more))
        entered.set()
        release.wait(10)
        if stop.is_set():
            raise RuntimeError("stopped")
        return REPORT

    job = BuildJob(build)
    assert job.start(fresh=True) and not job.start(fresh=True)
    assert entered.wait(10)
    job.cancel()
    assert runs[0][0].is_set() and job.start(after_this_one=True)
    release.set()
    job._thread.join(10)
    assert [more for _, more in runs] == [{"fresh": True}, {}] and not runs[1][0].is_set()
    assert "Built in" in str(job.outcome) and not job.running


def test_after_a_cancel_nothing_begins_by_itself():
    release, runs = threading.Event(), []

    def build(on_progress, stop):
        runs.append(1)
        release.wait(10)
        raise RuntimeError("stopped")

    job = BuildJob(build)
    job.start()
    job.start(after_this_one=True)
    job.cancel()
    release.set()
    job._thread.join(10)
    assert runs == [1] and "kept" in str(job.outcome) and not job.failed


@pytest.mark.parametrize(
    ("status", "building", "rows", "words"),
    [
        ((0, 0, 0), True, [], "No papers yet"),
        ((0, 0, 0), True, [GOOD] * 9, "being built"),
        ((0, 0, 0), False, [NEW] * 9, "Press Rebuild"),
        ((9, 50, 50), False, [GOOD] * 9, "9 papers can be searched. By words and meaning: 50"),
        ((0, 0, 0), True, [SCAN] * 2, "being built"),
        ((0, 0, 0), False, [SCAN, NEW], "Press Rebuild"),
        (
            (0, 0, 0),
            False,
            [SCAN] * 2,
            "all papers are pictures without text. To have them read by OCR, run: pip install",
        ),
        ((0, 0, 0), False, [SCAN], "the paper is a picture without text. To have it read"),
        ((0, 0, 0), False, [SCAN, LOCKED], "1 of 2 papers is a picture without text"),
        ((0, 0, 0), False, [LOCKED] * 2, "no paper can be read. Each row says why"),
    ],
)
def test_what_can_be_searched_is_said(status, building, rows, words, monkeypatch):
    monkeypatch.setattr(ocr, "is_installed", lambda: False)
    papers, by_words, by_meaning = status
    found = SimpleNamespace(papers=papers, by_words=by_words, by_meaning=by_meaning)
    assert words in ". ".join(searchable_words(found, building, rows))


def test_nobody_is_told_to_install_what_is_there(monkeypatch):
    monkeypatch.setattr(ocr, "is_installed", lambda: True)
    found = SimpleNamespace(papers=0, by_words=0, by_meaning=0)
    assert searchable_words(found, False, [SCAN]) == (
        "Nothing can be searched: the paper cannot be read. Each row says why.",
        "",
    )


def test_rows_name_what_is_wrong_and_escape_everything():
    rows = [
        Row("a.pdf", "A <b>Title</b> ${1+1} {{x}}", 12, 80, year=2020, topic="retrieval"),
        Row("b.pdf", "", 0, 0, "unreadable", "b.pdf: encrypted <i>. Remove the password."),
    ]
    shown = paper_list_html(rows, lambda paper: f"name-of-{paper}")
    assert "<b>" not in shown and "<i>" not in shown
    assert "2020 · 12 pages · retrieval" in shown
    assert "encrypted" in shown and "state unreadable" in shown
    assert shown.index("Title") < shown.index("b.pdf")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("LongRAG: Enhancing Retrieval", "LongRAG"),
        ("Dense Passage Retrieval", ""),
        ("What Is It: A Very Odd One", "What Is It"),
    ],
)
def test_short_names(title, name):
    assert short_title(title) == name


def test_examples_are_made_from_papers_that_are_in():
    rows = [
        Row("a", "Alpha: one", 1, topic="x"),
        Row("b", "Beta: two", 1, topic="y"),
        Row("c", "Gamma: three", 1, topic="x"),
        Row("d", "Delta: four", 0, 0, "unreadable", "broken"),
    ]
    fact, comparison, survey = (place[0] for place in example_questions(rows))
    assert "Beta" in fact and "Alpha" in comparison and "Gamma" in comparison and "Alpha" in survey
    assert example_questions(rows[3:]) == []
    assert "How do DPR and FiD differ" in example_questions(rows, ["DPR", "FiD"])[1][0]
    assert [len(place) for place in example_questions([Row("e", "A title without a colon", 3)])] == [1, 0, 1]


def test_a_paper_whose_title_does_not_name_it_is_asked_about_by_the_name_that_it_gives_itself():
    rows = [Row("a.pdf", "Dense Retrieval of Rivers", 3)]
    cited = Citation(1, "a.pdf", rows[0].title, 1, "", "", "words", True)
    answer = Answer("", "?", "answered", "x", "quoting", (cited,))
    assert next_questions(answer, rows)[0] == []
    assert "DRR" in next_questions(answer, rows, (), {"a.pdf": "DRR"})[0][0]


TITLES = ("Otters: A Survey of River Otters", "Why River Otters Swim", "RIVER OTTER DIETS", "Herons")


@pytest.mark.parametrize(
    ("topics", "found"),
    [(["", "", "", ""], [("river otters", 3)]), (["birds", "", "", "birds"], [("birds", 2)])],
)
def test_the_library_is_about_what_it_was_told_else_what_its_titles_share(topics, found):
    rows = [Row(title, title, 3, topic=topic) for title, topic in zip(TITLES, topics, strict=True)]
    assert common_topics(rows) == found
    assert f"{found[0][0]} ({found[0][1]})" in paper_list_html(rows, str)


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (41, "41 s"), (200, "3 min"), (4800, "1 h 20 min")])
def test_durations(seconds, words):
    assert str(duration_words(seconds)) == words


def test_hidden_text_is_told_on_the_papers_row():
    rows = (Row("a.pdf", "A Title", 3, hidden=("page 2 (covered): “<b>praise us”",)),)
    rendered = paper_list_html(rows, lambda paper: "name")
    assert "Hidden text, page 2 (covered): “&lt;b&gt;praise us”" in rendered


def test_papers_without_topics_are_found_by_what_their_titles_share():
    rows = [Row(title, title, 3) for title in TITLES]
    shown = paper_list_html(rows, str)
    assert shown.count('data-topic="river otters"') == 3 and shown.count('data-topic=""') == 1
    given = paper_list_html([*rows[:3], replace(rows[3], topic="birds")], str)
    assert given.count('data-topic="birds"') == 1 and given.count('data-topic=""') == 3


@pytest.mark.parametrize(
    ("by_itself", "changed", "says"), [(True, False, False), (False, False, True), (True, True, True)]
)
def test_a_build_that_nobody_asked_for_is_silent_where_nothing_has_changed(by_itself, changed, says):
    job = BuildJob(lambda on_progress, stop: SimpleNamespace(**vars(REPORT) | {"changed": changed}))
    assert job.start(by_itself=by_itself)
    assert bool(str(waited(job).outcome)) == says
