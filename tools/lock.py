"""Exact versions of everything that an installation brings, for whoever wants the same as the tests: constraints.txt.

.venv/bin/python -m tools.lock            says whether the file fits pyproject.toml; exit code 1 when it does not
.venv/bin/python -m tools.lock --write    writes it anew from the environment that this runs in

Versions only: no host, no hash, and no tag of one build (torch==2.13.0, not 2.13.0+cpu), so that it holds on each
system and with each package index. What only another system needs is not in it, and stays free within its bounds.
"""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools.licences import needed

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "constraints.txt"
EXTRAS = ("align", "audit", "local", "smollm2", "test")  # the peer's packages for benchmarks stay free
HEAD = """\
# What the tests ran with. Install the same: pip install -c constraints.txt -e .
# Written by: python -m tools.lock --write
"""


def asked(project: dict[str, object]) -> list[Requirement]:
    """What pyproject.toml asks for by itself, with the extras that are locked."""
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict) and isinstance(project["dependencies"], list)
    return [Requirement(line) for line in (*project["dependencies"], *(x for name in EXTRAS for x in extras[name]))]


def installed(requirements: list[Requirement]) -> dict[str, Version]:
    """The version of each package that they need, by canonical name, without the tag of a build."""
    versions = {name: Version(importlib.metadata.version(name)) for name in needed(*requirements) - {"pip"}}
    return {name: Version(version.public) for name, version in sorted(versions.items())}


def written(text: str) -> dict[str, Version]:
    """What a file of constraints says. Raises ValueError for a line that is no exact version."""
    found: dict[str, Version] = {}
    for line in text.splitlines():
        if line.partition("#")[0].strip():
            one = Requirement(line)
            exact = list(one.specifier)
            if [each.operator for each in exact] != ["=="] or one.extras:
                raise ValueError(f"{line}: no exact version")
            found[canonicalize_name(one.name)] = Version(exact[0].version)
    return found


def misfits(requirements: list[Requirement], locked: dict[str, Version]) -> list[str]:
    """What is asked for and not locked, or locked at a version that is not asked for."""
    faults = []
    for one in requirements:
        version = locked.get(canonicalize_name(one.name))
        if version is None:
            faults.append(f"{one.name} is not locked")
        elif not one.specifier.contains(version, prereleases=True):
            faults.append(f"{one} is asked for, {version} is locked")
        elif version.local:
            faults.append(f"{one.name} {version} is the build of one system")
    return faults


def main(arguments: list[str]) -> int:
    """Write the file, or say whether it fits."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = asked(project)
    if "--write" in arguments:
        lines = [f"{name}=={version}\n" for name, version in installed(requirements).items()]
        FILE.write_text(HEAD + "".join(lines), encoding="utf-8")
    faults = misfits(requirements, written(FILE.read_text(encoding="utf-8")))
    print("\n".join(faults) or f"{FILE.name} fits pyproject.toml")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
