"""Known weaknesses of the versions in constraints.txt, by pip-audit (extra `audit`), where its database can be reached.

.venv/bin/python -m tools.audit    exit code 1 when a weakness is known that is not among those looked at

Without its database (no network, or an index that does not have it) it says so and passes: a change is not to blame
for that. pip-audit itself then reports "no known vulnerabilities" for packages of which it learned nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "constraints.txt"
COMMAND = (sys.executable, "-m", "pip_audit")
PROBE, WHOLE = 20.0, 180.0  # seconds for one package, and for all of them
LOOKED_AT: dict[str, str] = {}
"""Weaknesses that do not concern us: their id and why. Remove an entry with the version that fixes it."""


def ask(lines: Sequence[str], seconds: float, command: Sequence[str] = COMMAND) -> list[dict[str, Any]] | str:
    """What pip-audit says of each pinned package; in words, why it could not say anything."""
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        file = Path(folder) / "pinned.txt"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        options = ["--requirement", str(file), "--no-deps", "--disable-pip", "--timeout", "5"]
        whole = [*command, *options, "--progress-spinner", "off", "--format", "json"]
        try:
            done = subprocess.run(whole, capture_output=True, text=True, timeout=seconds)
            found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]  # also with exit code 1, of findings
        except subprocess.TimeoutExpired:
            return f"pip-audit was not done after {seconds:.0f} s"
        except OSError as error:
            return f"pip-audit cannot be started ({error.strerror})"
        except (ValueError, KeyError, TypeError):
            return (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    if not found or all("vulns" not in one for one in found):
        return "the database knows none of these packages"
    return found


def report(found: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """The weaknesses, a line each, and the names of packages of which nothing was learned."""
    weak = [
        f"{one['name']} {one['version']}: {each['id']}, fixed in {', '.join(each['fix_versions']) or 'no version yet'}"
        for one in found
        for each in one.get("vulns", [])
        if not {each["id"], *each.get("aliases", [])} & LOOKED_AT.keys()
    ]
    return weak, [one["name"] for one in found if "vulns" not in one]


def main(command: Sequence[str] = COMMAND) -> int:
    """Ask about one package, then about all; 1 when a weakness is known."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    found = ask(lines[:1], PROBE, command)
    if not isinstance(found, str):
        found = ask(lines, WHOLE, command)
    if isinstance(found, str):
        print(f"known weaknesses were not looked up, the database is not reachable: {found}")
        return 0
    weak, unknown = report(found)
    print("\n".join(weak) or f"no weakness is known of {len(found) - len(unknown)} packages")
    if unknown:
        print(f"nothing was learned of: {', '.join(unknown)}")
    return int(bool(weak))


if __name__ == "__main__":
    sys.exit(main())
