"""The page's own style and script: one file each, named by its content, so that a browser fetches it once."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib import resources

from fastapi import APIRouter, HTTPException, Response

from rag_app.server.i18n import current_language, fill_markup, page_texts
from rag_app.server.web.reading_panel import PREFIX

FOLDER = "page"
STYLES = ("icons.css", "page.css", "reader.css", "answers.css", "library.css", "notes.css", "details.css", "grow.css")
SCRIPTS = (
    "reader.js", "library.js", "page.js", "answers.js", "question.js", "talk.js", "live.js", "card.js", "map.js",
    "notes.js", "details.js", "quotes.js", "adding.js", "settings.js", "take.js",
)  # fmt: skip
_TYPES = {"css": "text/css", "js": "text/javascript"}
# The name changes with the content. Only who may see the page may keep it.
_KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}


def static_text(name: str) -> str:
    """One of our own files for the browser."""
    return (resources.files("rag_app.server.web") / "static" / name).read_text(encoding="utf-8")


def page_file_routes() -> APIRouter:
    """The route of both files."""
    routes = APIRouter(prefix=f"{PREFIX}/{FOLDER}", include_in_schema=False)

    @routes.get("/{name}")
    def page_file(name: str) -> Response:
        stem, _, kind = name.rpartition(".")
        if kind not in _TYPES or stem != _name(kind, current_language()):
            raise HTTPException(404)  # of another version of the program
        return Response(_content(kind, current_language()), media_type=_TYPES[kind], headers=_KEPT)

    return routes


def page_file_tags() -> str:
    """The elements that load both files, in the language of this context; addresses are relative to the page."""
    address = f"{PREFIX.strip('/')}/{FOLDER}"
    style, script = (f"{address}/{_name(kind, current_language())}.{kind}" for kind in ("css", "js"))
    return f'<script defer src="{script}"></script><link rel="stylesheet" href="{style}">'


@cache
def _content(kind: str, language: str) -> bytes:
    """A file of ours; `language` is that of this context."""
    if kind == "css":
        text = fill_markup("".join(_shorten_style(static_text(name)) for name in STYLES))
    else:
        table = json.dumps(page_texts(), ensure_ascii=False)
        text = f"window.texts={table};" + "".join(_shorten_script(static_text(name)) for name in SCRIPTS)
    return text.encode("utf-8")


@cache
def _name(kind: str, language: str) -> str:
    return f"{language}-{hashlib.sha256(_content(kind, language)).hexdigest()[:16]}"


def _shorten_style(text: str) -> str:
    """A style sheet without its comments and indents."""
    return _shorten_lines(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))


def _shorten_script(text: str) -> str:
    """A script without its indents and the lines that are comments. No string of ours spans lines that begin so."""
    return _shorten_lines(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def _shorten_lines(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)
