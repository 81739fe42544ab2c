"""The rules that all tests live under: nothing gets out, and nothing is skipped where everything is provided."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
SKIPPING = """
import pytest
{module_level}
def test_one():
    pytest.skip("{reason}")
"""


def outcome(folder: Path, reason: str, module_level: str, no_skips: str) -> int:
    """The exit code of a run of one test that skips itself, under our conftest."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    content = SKIPPING.format(reason=reason, module_level=module_level)
    (folder / "test_one.py").write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    environment = {**os.environ, "NO_SKIPS": no_skips, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a second less each
    return subprocess.run(command, env=environment, capture_output=True, check=False, cwd=folder).returncode


@pytest.mark.parametrize(
    ("reason", "module_level", "no_skips", "code"),
    [
        ("needs Chromium", "", "", 0),
        ("needs Chromium", "", "1", 1),
        ("needs the papers in shared/papers", "", "1", 1),
        ("no such pipes on Windows", "", "1", 0),
        ("x", "pytest.importorskip('xllamacpp_that_is_missing')", "1", 2),
        ("x", "pytest.importorskip('xllamacpp_that_is_missing')", "", 5),  # 5: no test was run
    ],
)
def test_a_skip_is_a_failure_where_everything_is_provided(
    reason: str, module_level: str, no_skips: str, code: int, tmp_path: Path
) -> None:
    assert outcome(tmp_path, reason, module_level, no_skips) == code


def test_loopback_is_open(loopback_only: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()[:2]).close()
    assert loopback_only == []


def test_everything_else_is_refused(loopback_only: list[str]) -> None:
    with pytest.raises(OSError, match="lets nothing out"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(OSError, match="lets nothing out"):
        socket.getaddrinfo("example.org", 80)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        pytest.raises(OSError, match="lets nothing out"),
    ):
        datagrams.sendto(b"x", ("192.0.2.1", 53))
    assert loopback_only == ["192.0.2.1", "example.org", "192.0.2.1"]
    loopback_only.clear()
