"""The table of all settings, made of the fields of Settings: docs/reference/settings.md.

.venv/bin/python -m tools.settings_table            says whether the file is up to date
.venv/bin/python -m tools.settings_table --write    writes it
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from rag_app.settings import SETTINGS_FILE, Settings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "settings.md"
HEAD = f"""# Settings

Written by `python -m tools.settings_table --write` from `rag_app/settings.py`.

Each setting is an environment variable, or the same name in lower case without `RAG_` in a file `{SETTINGS_FILE}` in
the current folder. Variables take precedence over the file. A misspelt name is refused, with the right one proposed.

| Variable | Default | Meaning |
|---|---|---|
"""
# what cannot be read from a field: defaults that depend on the folder
DEFAULTS = {"corpus": "`corpus/`", "index": "a folder below `index/`", "users": "`users.json` beside the index"}


def render_page() -> str:
    """The page as Markdown."""
    rows = [
        f"| `RAG_{name.upper()}` | {_default(name, field)} | {_meaning(field)} |"
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEFAULTS:
        return DEFAULTS[name]
    value = field.default
    if value is None or value == "" or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _meaning(field: FieldInfo) -> str:
    words = field.description or ""
    missing = [choice for choice in get_args(field.annotation) if isinstance(choice, str) and choice not in words]
    if missing:
        words += f" ({', '.join(f'`{choice}`' for choice in get_args(field.annotation))})"
    return words.replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is up to date (exit code 1 when it is not)."""
    if arguments not in ([], ["--write"]):
        print("usage: python -m tools.settings_table [--write]", file=sys.stderr)
        return 2
    if arguments:
        PAGE.write_text(render_page(), encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != render_page():
        print(f"{PAGE}: out of date. Run: python -m tools.settings_table --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
