"""Papers that crash, hang or swell cost themselves alone, and the report names them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rag_app import files
from rag_app.errors import IndexFault
from rag_app.papers import reading_store, worker_pool
from rag_app.papers.worker_pool import Job, ReadResult, read_all

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
BAD_CHILD = str(ROOT / "tests" / "support" / "bad_child.py")


@pytest.fixture
def bad_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "CHILD", (BAD_CHILD,))


def job(folder: Path, name: str, content: str) -> Job:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return Job(path, "text", files.file_digest(path), folder / "parts" / name)


def read(*jobs: Job, count: int = 2) -> dict[str, ReadResult]:
    done: list[ReadResult] = []
    read_all(jobs, count, done.append, threading.Event())
    return {one.job.path.name: one for one in done}


def problem(one: Job) -> str:
    reading = reading_store.load_reading(one.folder)
    assert (reading.state == "unreadable") == bool(reading.problem)
    return reading.problem


def test_every_file_is_read_once_and_reported(tmp_path: Path) -> None:
    jobs = [job(tmp_path, f"{number}.txt", f"Otter number {number}. " * (number + 1)) for number in range(7)]
    done = read(*jobs, count=3)
    assert set(done) == {f"{number}.txt" for number in range(7)}
    for number, one in enumerate(jobs):
        assert f"Otter number {number}" in reading_store.load_reading(one.folder).pages[0].text
        assert done[one.path.name].seconds >= 0 and not done[one.path.name].changed


def test_no_jobs_at_all() -> None:
    assert read() == {}


@pytest.mark.usefixtures("bad_child")
@pytest.mark.parametrize("count", [1, 2])
def test_a_crash_costs_that_file_alone(tmp_path: Path, count: int) -> None:
    good = [job(tmp_path, f"good{number}.txt", "All is well. " * (10 + number)) for number in range(3)]
    bad = job(tmp_path, "bad.txt", "CRASH " * 40)
    read(*good, bad, count=count)
    assert "bad.txt" in problem(bad) and "crashed" in problem(bad) and "build again" in problem(bad)
    assert not any(problem(one) for one in good)


@pytest.mark.usefixtures("bad_child")
def test_a_hang_is_ended_and_costs_that_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "SECONDS_PER_PAPER", 1.0)
    bad, good = job(tmp_path, "bad.txt", "HANG " * 40), job(tmp_path, "good.txt", "All is well.")
    read(bad, good, count=1)
    assert "bad.txt" in problem(bad) and "took longer than 1 s" in problem(bad)
    assert not problem(good)


@pytest.mark.usefixtures("bad_child")
def test_a_paper_that_spins_is_ended_by_its_processor_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes as long by the clock as other work leaves it: nothing waits for that."""
    pytest.importorskip("resource", reason="Windows has no limit on a process's time to test")
    monkeypatch.setattr(worker_pool, "PROCESSOR_SECONDS", 1.0)
    bad, good = job(tmp_path, "bad.txt", "SPIN " * 40), job(tmp_path, "good.txt", "All is well.")
    read(bad, good, count=1)
    assert "bad.txt: reading it needed more than 1 s of processor time and was ended" in problem(bad)
    assert not problem(good)


@pytest.mark.usefixtures("bad_child")
def test_a_paper_that_swells_costs_that_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resource", reason="Windows has no limit on a process's memory to test")
    monkeypatch.setattr(worker_pool, "MEMORY_BYTES", 2**30)
    bad, good = job(tmp_path, "bad.txt", "SWELL " * 40), job(tmp_path, "good.txt", "All is well.")
    read(bad, good, count=1)
    assert "bad.txt" in problem(bad) and "memory" in problem(bad)
    assert not problem(good)


@pytest.mark.usefixtures("bad_child")
def test_an_error_of_the_parser_is_the_papers_problem(tmp_path: Path) -> None:
    bad = job(tmp_path, "bad.txt", "RAISE it")
    read(bad)
    assert "bad.txt: cannot be read (RecursionError: nested too deep)" in problem(bad)


@pytest.mark.usefixtures("bad_child")
def test_what_a_library_prints_and_pages_of_a_scan_do_not_break_the_protocol(tmp_path: Path) -> None:
    jobs = [job(tmp_path, f"{number}.txt", f"{word} this") for number, word in enumerate(("PRINT", "SCAN", "PRINT"))]
    read(*jobs, count=1)
    assert not any(problem(one) for one in jobs)


@pytest.mark.usefixtures("bad_child")
def test_a_full_disk_is_not_the_papers_fault(tmp_path: Path) -> None:
    bad = job(tmp_path, "bad.txt", "FULL disk")
    with pytest.raises(IndexFault, match="No space left"):
        read(bad)
    assert not (bad.folder / "reading.json").exists()


def test_children_that_do_not_start_blame_no_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "CHILD", (BAD_CHILD, "unwanted"))
    one = job(tmp_path, "good.txt", "All is well.")
    with pytest.raises(IndexFault, match=r"does not start \(ModuleNotFoundError: no parser here\)"):
        read(one)
    assert not one.folder.exists()


def test_a_child_that_the_system_ended_meanwhile_is_replaced(tmp_path: Path) -> None:
    child = worker_pool._Child(threading.Event())
    first, second = job(tmp_path, "1.txt", "First."), job(tmp_path, "2.txt", "Second.")
    assert not child.read_file(first)["problem"]
    assert child._process is not None
    child._process.kill()
    child._process.wait()
    assert not child.read_file(second)["problem"] and not problem(second)
    child.end()


def test_a_file_that_is_not_the_one_meant_leaves_no_part(tmp_path: Path) -> None:
    one, gone = job(tmp_path, "1.txt", "First."), job(tmp_path, "2.txt", "Second.")
    one.path.write_text("Something else.", encoding="utf-8")
    gone.path.unlink()
    done = read(one, gone)
    assert done["1.txt"].changed and done["2.txt"].changed
    assert not one.folder.exists() and not gone.folder.exists()


@pytest.mark.usefixtures("bad_child")
def test_stopping_does_not_wait_for_a_hang(tmp_path: Path) -> None:
    stop = threading.Event()
    done: list[ReadResult] = []

    def finished(one: ReadResult) -> None:
        done.append(one)
        stop.set()

    good, bad = job(tmp_path, "good.txt", "All is well. " * 9), job(tmp_path, "bad.txt", "HANG")
    read_all([good, bad], 1, finished, stop)
    assert [one.job for one in done] == [good] and not bad.folder.exists()


def test_reading_a_folder_of_its_own_imports_runs_none_of_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json.py", "numpy.py", "rag_app.py"):
        (tmp_path / name).write_text("raise SystemExit('ran code of the folder')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    one = job(tmp_path, "good.txt", "All is well.")
    read(one)
    assert not problem(one)
