"""The licences of everything that an installation brings, by pip-licenses: docs/licences.md.

.venv/bin/python tools/licences.py            prints the report; exit code 1 when a licence is unknown or not a free one
.venv/bin/python tools/licences.py --write    writes it to docs/licences.md
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "licences.md"
KNOWN = re.compile(
    r"MIT|BSD|0BSD|Apache|ISC|PSF|Python Software|MPL|Mozilla|Zlib|Unlicense|Public Domain|CC0|HPND|AFL|DFSG|CNRI", re.I
)
STRONG = re.compile(r"(?<!L)(?<!LESSER )\b(AGPL|GPL)", re.I)  # what would bind whoever passes the whole on


def needed(*asked: Requirement) -> set[str]:
    """The canonical names of all packages that are installed here and that an installation of these needs."""
    found: set[str] = set()
    todo = [(canonicalize_name(one.name), frozenset(one.extras)) for one in asked]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system
        found.add(name)
        for one in map(Requirement, lines):
            where = [{"extra": extra} for extra in (*extras, "")]
            if one.marker is None or any(one.marker.evaluate(each) for each in where):
                todo.append((canonicalize_name(one.name), frozenset(one.extras)))
    return found


def licences() -> list[tuple[str, str, str]]:
    """Name, version and licence of each needed package."""
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json"]
    listed = json.loads(subprocess.check_output(command, encoding="utf-8"))
    names = needed(Requirement("rag-app")) - {"rag-app"}
    rows = [(one["Name"], one["Version"], " ".join(one["License"].split())[:80]) for one in listed]
    return sorted((row for row in rows if canonicalize_name(row[0]) in names), key=lambda row: row[0].casefold())


def main(arguments: list[str]) -> int:
    """Print or write the report."""
    rows = licences()
    odd = [name for name, _, licence in rows if STRONG.search(licence) or not KNOWN.search(licence)]
    lines = [f"| {name} | {version} | {licence} |" for name, version, licence in rows]
    head = f"# Licences\n\nOf the {len(rows)} packages that an installation brought, by `tools/licences.py`.\n\n"
    text = head + "\n".join(["| Package | Version | Licence |", "|---|---|---|", *lines]) + "\n"
    if "--write" in arguments:
        REPORT.write_text(text, encoding="utf-8")
    print(text if not odd else f"{text}\nlook at: {', '.join(odd)}")
    return int(bool(odd))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
