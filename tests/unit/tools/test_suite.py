"""The run that CI judges by: what fails by chance gets a second chance, and nothing else does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import suite

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
ONCE = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range({number}))
def test_once(number):
    seen = pathlib.Path(__file__).with_name(f"seen-{{number}}")
    if not seen.exists():
        seen.touch()
        {trouble}

def test_fine():
    pass
"""


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer to load than these tests to run."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(folder: Path, trouble: str, number: int = 1, processes: int = 0) -> int:
    """The exit code for tests that have trouble the first time only."""
    if processes:  # who writes down that one died
        shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -q -p xdist.plugin\n", encoding="utf-8")
    (folder / "test_it.py").write_text(ONCE.format(trouble=trouble, number=number), encoding="utf-8")
    return suite.main(["-n", str(processes)], folder)


def test_what_passes_alone_has_passed_and_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "assert False") == 0
    said = capfd.readouterr().out
    assert "failed first, passed alone: test_it.py::test_once[0]\n" in said
    assert said.rstrip().rpartition("\n")[2].startswith("1 passed"), "its closing line is pytest's"


def test_what_fails_twice_has_failed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "pass\n    assert number") == 1
    said = capfd.readouterr().out
    assert "failed twice: test_it.py::test_once[0]\n" in said and "passed alone" not in said
    assert said.rstrip().rpartition("\n")[2].startswith("1 failed")


def test_many_failures_are_no_chance(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "assert False", number=suite.MOST + 1) == 1
    assert "alone" not in capfd.readouterr().out


def test_a_process_that_died_has_died(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "os._exit(3)", processes=1) == 1
    said = capfd.readouterr().out
    assert "crashed" in said and "alone" not in said


def test_what_pytest_cannot_run_is_not_run_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "assert (", number=1) == 2
    assert "alone" not in capfd.readouterr().out
