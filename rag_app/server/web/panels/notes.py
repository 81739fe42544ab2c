"""Notes on the page: kept answers, quotes and tables, which the user writes on in, and takes away as Markdown."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from rag_app.errors import NoteConflict, RagError
from rag_app.outputs.markdown import export_file_name
from rag_app.outputs.notebook import (
    CITED_PLACE,
    Note,
    Notebook,
    answer_as_note,
    cited_place,
    quote_as_note,
    table_as_note,
)
from rag_app.server.i18n import translate
from rag_app.server.web.markdown import escape_html, markdown_html
from rag_app.server.web.reading_panel import PREFIX, OpaqueIds
from rag_app.server.web.upload_routes import json_response, read_json_body

FIRST_MARK = 1_000  # a link to a place becomes a mark of this number or a higher one while the note is rendered
LAST_MARK = 9_999  # of four digits, as marks are
_BACKSLASH = re.compile(r"\\(.)")


def note_html(text: str) -> str:
    """The note's Markdown as HTML; each link to a page of a paper opens it at the quoted words, in the page itself."""
    taken = {int(number) for number in re.findall(r"\[(\d{1,4})\]", text)}
    free = (number for number in range(FIRST_MARK, LAST_MARK + 1) if number not in taken)
    links: dict[int, str] = {}
    lines = []
    for line in text.split("\n"):
        place, link = cited_place(line), CITED_PLACE.search(line)
        number = next(free, None) if place and link else None
        if place and link and number is not None:
            links[number] = _place_link(*place, _BACKSLASH.sub(r"\1", link["words"]))
            line = f"{line[: link.start()]}[{number}]{line[link.end() :]}"
        lines.append(line)
    return markdown_html("\n".join(lines), links.__getitem__, links, escaped_brackets=True)


def _place_link(paper: str, page: int, words: str, label: str) -> str:
    told = f'data-paper="{escape_html(paper)}" data-page="{page}" data-words="{escape_html(words)}"'
    # A link, not a button: its words break within a line as those before it do.
    return f'<a href="#reading" class="note-place" {told}>{escape_html(label)}</a>'


class NotesPanel:
    """What the page asks of the notes. Methods raise KeyError for what is not there, RagError for what cannot be."""

    def __init__(self, notebook: Notebook, ids: OpaqueIds) -> None:
        self._notebook = notebook
        self._ids = ids

    def list_notes(self, text: str) -> dict[str, Any]:
        """The rows of the list, the last changed first."""
        return {"notes": [_row(note) for note in self._notebook.list_notes(text)]}

    def show(self, id: str) -> dict[str, Any]:
        """A note with its text, and as it is read."""
        return _whole(self._notebook.load(id))

    def write(self, value: dict[str, Any]) -> dict[str, Any]:
        """Write a note, or begin one where no id is given."""
        title, text = str(value.get("title", "")).strip(), str(value.get("text", ""))
        title = title or translate("notes.untitled")
        if not value.get("id"):
            return _whole(self._notebook.create(title, text))
        return _whole(self._notebook.save(str(value["id"]), title, text, int(value.get("revision", 0))))

    def keep(self, value: dict[str, Any]) -> dict[str, Any]:
        """Add an answer, its table, or a quote to a note, or to a new one that is named after it."""
        kind, name = str(value.get("kind", "")), str(value.get("name", ""))
        if kind == "quote":
            citation = self._ids.place(name)
            title, text = citation.title, quote_as_note(citation)
        else:
            answer = self._ids.answer(name)
            write = table_as_note if kind == "table" else answer_as_note
            title, text = answer.question, write(answer, headed=bool(value.get("id")))
        if value.get("id"):
            return _row(self._notebook.append(str(value["id"]), text))
        return _row(self._notebook.create(title, f"{text}\n"))

    def delete(self, value: dict[str, Any]) -> dict[str, Any]:
        """Forget a note."""
        self._notebook.delete(str(value.get("id", "")))
        return self.list_notes("")

    def take_away(self, id: str) -> tuple[str, str]:
        """The note as a Markdown file: its name and its text."""
        note = self._notebook.load(id)
        return f"{export_file_name(note.title, 'note')}.md", f"# {note.title}\n\n{note.text.rstrip()}\n"


def notes_routes(notebook: Notebook, ids: OpaqueIds) -> APIRouter:
    """The routes of the notes; `notebook` is the one of the user whose page this is."""
    routes = APIRouter(prefix=f"{PREFIX}/notes", include_in_schema=False)
    panel = NotesPanel(notebook, ids)
    actions = {"write": panel.write, "keep": panel.keep, "delete": panel.delete}

    @routes.get("")
    def notes(find: str = "") -> JSONResponse:
        return json_response(_answer(lambda: panel.list_notes(find)))

    @routes.get("/{id}")
    def note(id: str) -> JSONResponse:
        return json_response(_answer(lambda: panel.show(id)))

    @routes.get("/{id}/file")
    def file(id: str) -> Response:
        name, text = _answer(lambda: panel.take_away(id))
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(text.encode("utf-8", "replace"), media_type="text/markdown; charset=utf-8", headers=headers)

    @routes.post("/do/{action}")
    async def do(action: str, request: Request) -> JSONResponse:
        if action not in actions:
            raise HTTPException(404, translate("adding.nothing-such"))
        value = await read_json_body(request)
        return json_response(await run_in_threadpool(lambda: _answer(lambda: actions[action](value))))

    return routes


def _answer(make: Any) -> Any:
    """The outermost edge: what is not there is 404, what was changed elsewhere 409, what cannot be says why."""
    try:
        return make()
    except KeyError as error:
        raise HTTPException(404, translate("notes.gone")) from error
    except NoteConflict as error:
        raise HTTPException(409, str(error)) from error
    except RagError as error:
        raise HTTPException(422, str(error)) from error
    except (TypeError, ValueError) as error:
        raise HTTPException(400, translate("adding.not-ours")) from error


def _row(note: Note) -> dict[str, Any]:
    return {"id": note.id, "title": note.title, "updated": note.updated, "revision": note.revision}


def _whole(note: Note) -> dict[str, Any]:
    return _row(note) | {"text": note.text, "html": note_html(note.text)}
