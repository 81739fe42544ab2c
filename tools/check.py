"""Format, lint, types, import contracts, settings in the docs, weaknesses (bandit): the same here and in CI.

.venv/bin/python tools/check.py          looks only
.venv/bin/python tools/check.py --fix    formats, and repairs what can be repaired safely
"""

from __future__ import annotations

import subprocess
import sys
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
    failed = []
    for step in steps:
        print(f"$ {' '.join(step)}", flush=True)
        if subprocess.run([sys.executable, *step], cwd=ROOT, check=False).returncode:
            failed.append(step[1].partition(" import")[0])
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
