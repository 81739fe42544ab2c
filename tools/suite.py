"""All tests, as CI runs them: the few that failed are run once more, alone, and have to pass then.

.venv/bin/python -m tools.suite [what pytest takes]    exit code 0: everything passed, if need be the second time

No second run where more than a few failed, a process of the tests died, or pytest itself could not do its work.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST = 5  # failed tests that may be the machine's doing; more are not
FAILED = 1  # pytest's exit code for tests that failed; the others are its own trouble
ALONE = ("--last-failed", "--last-failed-no-failures", "none", "-n", "0")


def main(arguments: Sequence[str] = (), root: Path = ROOT) -> int:
    """Run the tests below `root`; returns pytest's exit code of the last run, or that a process died."""
    with tempfile.TemporaryDirectory(prefix="suite-") as cache:
        command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments]
        code = subprocess.run(command, cwd=root, check=False).returncode
        failed = _kept(cache, "cache/lastfailed")
        if code != FAILED or not 0 < len(failed) <= MOST or _kept(cache, "suite/died"):
            return code
        print(f"\n== once more, alone: {', '.join(failed)}", flush=True)
        second = subprocess.run([*command, *ALONE], cwd=root, check=False, stdout=subprocess.PIPE, text=True)
        left = _kept(cache, "cache/lastfailed")
    code = second.returncode or int(bool(left))  # one that was not run has not passed
    if passed := [test for test in failed if test not in left]:
        print(f"failed first, passed alone: {', '.join(passed)}")
    if left:
        print(f"failed twice: {', '.join(left)}")
    print(second.stdout, end="", flush=True)  # last, as pytest's closing line is what is read
    return code


def _kept(cache: str, name: str) -> list[str]:
    """What a run wrote down: the tests that failed, or where a process died (tests/conftest.py)."""
    file = Path(cache) / "v" / name
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
