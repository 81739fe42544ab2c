"""The tools around an installation: exact versions, and what is known of them."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tools import audit, lock

PROJECT = tomllib.loads((lock.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_lock_fits_what_is_asked_for_and_names_no_build() -> None:
    text = lock.FILE.read_text(encoding="utf-8")
    assert all("==" in line for line in text.splitlines() if not line.startswith("#")) and "//" not in text
    locked = lock.written(text)
    assert lock.misfits(lock.asked(PROJECT), locked) == []
    assert not [name for name, version in locked.items() if version.local]


def test_what_does_not_fit_is_told() -> None:
    asked = [Requirement("torch>=2.13,<2.14"), Requirement("numpy>=2"), Requirement("gradio>=6,<7")]
    locked = {"torch": Version("2.13.1+cpu"), "gradio": Version("7.0")}
    assert [fault.split()[0] for fault in lock.misfits(asked, locked)] == ["torch", "numpy", "gradio<7,>=6"]
    for line in ("torch>=2", "torch", "a @ file:///b"):
        with pytest.raises(ValueError):
            lock.written(line)


def test_it_is_written_from_what_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lock, "FILE", tmp_path / "constraints.txt")
    assert lock.main(["--write"]) == 0
    found = lock.written(lock.FILE.read_text(encoding="utf-8"))
    assert {"torch", "chromadb", "pytest"} <= found.keys()
    assert len(found) > len(lock.asked(PROJECT))  # also what those need
    assert "pip" not in found and not any(version.local for version in found.values())


# -- known weaknesses: a double of pip-audit that says what it is told to ------------------------------------------


def double(folder: Path, said: str, code: int = 0, sleep: float = 0.0) -> tuple[str, ...]:
    script = folder / "pip_audit_double.py"
    script.write_text(
        f"import sys, time\ntime.sleep({sleep})\n"
        "asked = open(sys.argv[sys.argv.index('--requirement') + 1]).read()\n"
        f"open({str(folder / 'asked')!r}, 'a').write(asked + '---')\n"
        f"print({said!r})\nprint('no route to host', file=sys.stderr)\nsys.exit({code})\n",
        encoding="utf-8",
    )
    return sys.executable, str(script)


def told(*vulns: str, skipped: int = 0) -> str:
    found = [{"id": one, "fix_versions": ["9.9"], "aliases": ["CVE-1"]} for one in vulns]
    more = [{"name": f"s{number}", "skip_reason": "not found"} for number in range(skipped)]
    return json.dumps({"dependencies": [{"name": "numpy", "version": "2.0", "vulns": found}, *more], "fixes": []})


def test_nothing_known_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(double(tmp_path, told(skipped=1))) == 0
    said = capsys.readouterr().out
    assert "no weakness is known of 1 packages" in said and "nothing was learned of: s0" in said
    probe, whole, _ = (tmp_path / "asked").read_text().split("---")
    assert probe.count("==") == 1 and whole.count("==") == len(lock.written(lock.FILE.read_text()))


def test_a_known_weakness_fails_unless_it_was_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = double(tmp_path, told("PYSEC-1"), code=1)
    assert audit.main(command) == 1
    assert "numpy 2.0: PYSEC-1, fixed in 9.9" in capsys.readouterr().out
    monkeypatch.setitem(audit.LOOKED_AT, "CVE-1", "we do not call it")
    assert audit.main(command) == 0


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        ("", 1, "no route to host"),
        (json.dumps({"dependencies": [{"name": "numpy", "skip_reason": "not found"}]}), 0, "knows none of these"),
        ("[]", 0, "no route to host"),
    ],
)
def test_without_its_database_it_says_so_and_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str, code: int, why: str
) -> None:
    assert audit.main(double(tmp_path, said, code)) == 0
    shown = capsys.readouterr().out
    assert "not reachable" in shown and why in shown
    assert (tmp_path / "asked").read_text().count("---") == 1  # the whole is not asked for


def test_it_waits_only_so_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PROBE", 0.2)
    assert audit.main(double(tmp_path, told(), sleep=30)) == 0
    assert "was not done after" in capsys.readouterr().out
    assert audit.main((str(tmp_path / "nothing"),)) == 0
    assert "cannot be started" in capsys.readouterr().out
