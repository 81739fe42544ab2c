"""Writes the map of the modules into README.md: the first line of each, so ordered that each imports only from above.

.venv/bin/python tools/module_map.py          says whether the map is true
.venv/bin/python tools/module_map.py --fix    writes it anew
"""

from __future__ import annotations

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EDGES = re.compile(r"ui(_.*)?|commands?(_.*)?|doctor(_.*)?")
BEGIN, END = "<!-- map: written by tools/module_map.py -->", "<!-- end of map -->"


def main(arguments: list[str]) -> int:
    """Returns 1 when the map in the README is not that of the modules."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    true = f"{before}{BEGIN}\n{module_map()}\n{END}{after}"
    if true == text:
        return 0
    if "--fix" in arguments:
        readme.write_text(true, encoding="utf-8", newline="\n")
        return 0
    print("README.md: the map of the modules is out of date. Write it anew: python tools/module_map.py --fix")
    return 1


def module_map() -> str:
    """A table with one line per module."""
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "rag_app").glob("*.py")}
    trees = {name: tree for name, tree in trees.items() if not name.startswith("__")}
    graph = {name: _imports(tree) & trees.keys() - {name} for name, tree in trees.items()}
    lines = ["| `rag_app/` | |", "|---|---|"]
    for name in _in_order(graph):
        told = (ast.get_docstring(trees[name]) or "").partition("\n")[0].rstrip(".")
        lines.append(f"| `{name}` | {told} |")
    return "\n".join(lines)


def _imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "rag_app":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rag_app."):
            found.add(node.module.split(".")[1])
    return found


def _in_order(graph: dict[str, set[str]]) -> list[str]:
    """Layer by layer, each module as high as what it imports allows; the page and the command line last."""
    layer: dict[str, int] = {}
    for name in TopologicalSorter(graph).static_order():
        layer[name] = 1 + max((layer[below] for below in graph[name]), default=0)
    return sorted(graph, key=lambda name: (bool(EDGES.fullmatch(name)), layer[name], name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
