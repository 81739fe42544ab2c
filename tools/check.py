"""Format, lint, types, import contracts, settings in the docs, weaknesses (bandit): the same here and in CI.

.venv/bin/python tools/check.py          looks only
.venv/bin/python tools/check.py --fix    formats, and repairs what can be repaired safely
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Run every check, also after one has failed. Returns 1 when one failed, 2 for a wrong argument."""
    if arguments not in ([], ["--fix"]):
        print(f"usage: {Path(__file__).name} [--fix]", file=sys.stderr)
        return 2
    fix = bool(arguments)
    steps = [
        ["-m", "ruff", "format", *([] if fix else ["--check"]), "."],
        ["-m", "ruff", "check", *(["--fix"] if fix else []), "."],
        ["-m", "mypy"],
        ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-logo"],
        ["-m", "tools.settings_table", *(["--write"] if fix else [])],
        ["-m", "bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", "rag_app"],
    ]
    with ThreadPoolExecutor(1 if fix else 2) as pool:  # a repair has to be over before the next step looks
        ran = list(pool.map(_run, steps))
    for words, _, output in ran:
        print(f"$ {words}\n{output}", end="", flush=True)
    failed = [words.removeprefix("-m ").removeprefix("-c ").partition(" ")[0] for words, code, _ in ran if code]
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return int(bool(failed))


def _run(step: list[str]) -> tuple[str, int, str]:
    """A step's command, its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, *step], cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return " ".join(step), done.returncode, done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
