"""The harness that tries to break it, with a few cases of each kind. Kills are in test_index."""

import errno
import json
import random

import pytest

from benchmarks import crowds, fuzz, fuzz_pdfs, heavy_pdfs, hostile, hostile_control, reliability, servers, strains
from benchmarks.tried import Section, Tried, section_of
from rag_app.cli.ask import run_batch
from rag_app.index import generations
from rag_app.lab.redteam.archive import REACHES, AttackAttempt
from rag_app.lab.redteam.documents import Attack
from rag_app.lab.redteam.run import RedTeamResult
from rag_app.lab.redteam.seeds import BENIGN

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "number", "code"), [("fsync", 4, errno.ENOSPC), ("replace", 7, errno.EROFS)])
def test_a_disk_that_fails_loses_nothing(tmp_path, name, number, code):
    assert strains.strain(tmp_path, name, number, code) == []


def test_a_cut_download_leaves_nothing():
    assert strains.cut_downloads(3).faults == ()


@pytest.mark.parametrize("trouble", [crowds.deleted, crowds.copied, crowds.other_makers])
def test_an_index_deleted_copied_or_of_other_makers(trouble):
    assert trouble().faults == ()


def test_what_was_opened_is_let_go_after_a_build(monkeypatch):
    assert crowds.swapped(3).faults == ()
    kept: list[object] = []
    monkeypatch.setattr(generations, "_close_unused", kept.append)  # whoever keeps them open is found out
    assert any("of PassageStore" in fault for fault in crowds.swapped(3).faults)


def test_askers_and_builds_at_once():
    tried, figures = crowds.crowd(2.0, 3, pause=0.5)
    assert tried.faults == () and figures["builds"] >= 1 and figures["asked"] >= 3


def test_three_servers_answer_while_the_command_line_builds():
    tried = servers.together(1)
    assert tried.faults == () and tried.times >= servers.SERVERS


def test_mutated_papers_cost_only_themselves():
    assert fuzz.pdfs(14, seed=5).faults == ()


@pytest.mark.parametrize("what", heavy_pdfs.kinds(short=True))
def test_a_pdf_made_to_hurt_costs_itself_alone(what):
    assert heavy_pdfs.tried(what, heavy_pdfs.kinds(short=True)[what]()).faults == ()


def test_objects_of_a_pdf_change_places():
    content = b"%PDF-1.4\n1 0 obj\n<< /A 1 >>\nendobj\n2 0 obj\n(two)\nendobj\ntrailer\n"
    found = {fuzz_pdfs.swapped_objects(content, random.Random(seed)) for seed in range(8)}
    assert found == {
        b"%PDF-1.4\n1 0 obj\n(two)\nendobj\n2 0 obj\n<< /A 1 >>\nendobj\ntrailer\n",
        b"%PDF-1.4\n2 0 obj\n(two)\nendobj\n1 0 obj\n<< /A 1 >>\nendobj\ntrailer\n",
    }


def test_mutated_files_are_read_or_refused_in_words():
    for tried in fuzz.files(10):
        assert tried.faults == (), tried.what


def test_odd_questions_and_lines_and_names():
    assert fuzz.questions(len(fuzz.WEIRD)).faults == ()
    assert fuzz.names().faults == ()


def test_a_fault_is_counted_named_and_kept(monkeypatch, tmp_path):
    row = Tried("x", 3, "nothing | much", ("it broke",))
    found = Section("Bad input", "About.", [row], ("A note.",))
    monkeypatch.setattr(fuzz, "section", lambda short: found)
    text = reliability.run("fuzz", short=True).text()
    assert (
        found.faults == ["x: it broke"]
        and "| x | 3 | nothing / much | 1 |" in text
        and "**fault**: x: it broke" in text
    )
    assert text.endswith("\nA note.\n") and section_of(json.loads(json.dumps(found.value()))) == found
    monkeypatch.setattr(reliability, "KEPT", tmp_path / "kept.json")
    monkeypatch.setattr(reliability, "REPORT", tmp_path / "report.md")
    reliability.keep("fuzz", found, "Short version.")
    reliability.keep("kills", Section("Kills", "About.", []), "Long version.")
    written = (tmp_path / "report.md").read_text()
    assert written.startswith("# Reliability") and written.index("## Kills") < written.index("## Bad input")
    assert text in written and "_Short version._" in written


def test_the_report_is_what_its_figures_give():
    """No line of docs/experiments/reliability.md was written by hand."""
    kept = json.loads(reliability.KEPT.read_text(encoding="utf-8"))
    assert reliability.report(kept) == reliability.REPORT.read_text(encoding="utf-8")
    assert set(kept) <= {"machine", *reliability.MODULES}


def test_a_model_that_is_misled_is_counted_and_a_broken_promise_is_a_fault():
    trials = [
        AttackAttempt(Attack(name, "command", "terse", "x"), REACHES[3], (why,))
        for name, why in (("a", "live on the page"), ("b", "honest answer withheld"))
    ]
    refused = AttackAttempt(Attack("c", "command", "terse", "x", benign="?"), REACHES[1], denied=True)
    outcome = RedTeamResult(tuple(trials), (refused,), "small")
    strict, believing = (hostile.rows_of(outcome, believes) for believes in (False, True))
    assert strict[0].faults == ("a: live on the page", "b: honest answer withheld")
    assert believing[0].faults == ("a: live on the page",) and "1 misled it" in believing[0].happened
    assert strict[1].faults == ("c: not answered",) and believing[1].happened == "0 answered, 1 not"


def test_a_harness_that_sees_no_fault_would_see_one(monkeypatch):
    """Each looks where it says: without our own messages, faults are found."""
    read, looked = fuzz.read_corpus_manifest, []

    def broken(folder):
        looked.append(folder)
        return read(folder) if len(looked) == 1 else 1 / 0  # the file as it is can be read

    monkeypatch.setattr(fuzz, "read_corpus_manifest", broken)
    assert [row.what for row in fuzz.files(2) if row.faults] == ["mutated papers.toml"]


def test_look_alikes_are_asked_again_in_plain_words():
    """The control of the small model: pairs that differ in their papers' words, and what a split of them tells."""
    asked = hostile_control.pairs(only_one_each=False)
    assert len(asked) == len(BENIGN) and all("{fact}" in plain.payload for _, plain in asked)
    assert all(alike.id == plain.id and alike.benign == plain.benign for alike, plain in asked)
    found = hostile_control.section(short=True, reader="none")
    assert [row.happened.partition(",")[0] for row in found.rows] == ["3 answered", "3 answered"]
    told = hostile_control.compared(["refused", "answered", "refused"], ["answered", "answered", "refused"])
    assert told.startswith("Of 3 pairs 1 were answered in both words, 1 in plain words only, 0 in the other words only")
    assert hostile_control.chance_of(0, 6) == 2 / 64 and hostile_control.chance_of(2, 2) == 1.0


def test_ten_thousand_questions_and_one_bad_line(tmp_path, capsys):
    lines = [json.dumps({"id": number, "question": f"q{number}?"}) for number in range(10_000)]
    lines[4321] = '{"id": 4321, "question": '
    (tmp_path / "batch.jsonl").write_text("\n".join(lines), encoding="utf-8")
    failed = run_batch(
        str(tmp_path / "batch.jsonl"),
        lambda asked: {"id": asked.id, "status": "answered"},
        lambda asked, why: {"status": "error", "error": why},
    )
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    bad = told.pop(4321)
    assert failed == 1 and bad["status"] == "error" and bad["error"].startswith("line 4322: not JSON")
    assert [one["id"] for one in told] == [number for number in range(10_000) if number != 4321]
