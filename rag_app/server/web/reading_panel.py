"""What the reading pane shows: pages, pictures and files, each behind a name that cannot be guessed.

Nothing is served by path. A paper and a cited place get a name when the page first shows them; a name that was never
given out opens nothing. The names are made anew by every process.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from rag_app.citations.marks import label_at
from rag_app.citations.quotes import quote_boxes, section_at
from rag_app.citations.signs import has_doubtful_signs
from rag_app.citations.table_cells import describe_cells
from rag_app.errors import PaperError, RagError
from rag_app.outputs.markdown import FORMS, ExportFormat, export_file_name
from rag_app.outputs.save import collect_export
from rag_app.papers.pdf.file import render_page
from rag_app.papers.talks import find_recording, find_second, find_slides, is_talk
from rag_app.records import Answer, Box, Citation, Page, Source
from rag_app.server.i18n import translate, translate_core
from rag_app.text.quote_matching import find_quote

if TYPE_CHECKING:
    from rag_app.records import PaperRow


PREFIX = "/reading"
SCALES = (1.5, 2.0, 3.0)  # pixels per point; a few sizes only, or the store of pictures would never be hit
PICTURES_BYTES = 96 * 1024 * 1024
ANSWERS_KEPT = 4_000  # that can still be exported
PLACES_KEPT = 20_000  # cited places that can still be opened; about 1 KB each

LONGEST_WORDS = 2_000  # characters of an address that are looked for
LONGEST_SIDE = 4_500  # pixels; a page may claim to be a kilometre wide

Picture = tuple[bytes, int, int]  # PNG, width and height in pixels
Result = TypeVar("Result")


class PageSource(Protocol):
    """Where pages come from."""

    def papers(self) -> Sequence[PaperRow]: ...
    def page(self, paper: str, number: int) -> Page: ...
    def path(self, paper: str) -> Path: ...
    def file_problem(self, paper: str) -> str: ...
    def sources(self, papers: Iterable[str]) -> Mapping[str, Source]: ...


class OpaqueIds:
    """The papers and places that the page may open, by name. Thread-safe."""

    def __init__(self, library: PageSource, render: Callable[[Path, int, float], Picture] = render_page) -> None:
        self._library = library
        self._render = render
        self._secret = secrets.token_bytes(32)
        self._papers: dict[str, str] = {}
        self._places: OrderedDict[str, Citation] = OrderedDict()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._pictures_size = 0
        self._lock = threading.Lock()

    def _name(self, *parts: object) -> str:
        return hmac.new(self._secret, repr(parts).encode(), hashlib.sha256).hexdigest()[:32]

    def name_paper(self, paper: str) -> str:
        """The paper's name on the page."""
        name = self._name("paper", paper)
        with self._lock:
            self._papers[name] = paper
        return name

    def name_place(self, citation: Citation) -> str:
        """The cited place's name on the page."""
        name = self._name("place", citation)
        with self._lock:
            self._places[name] = citation
            self._places.move_to_end(name)
            while len(self._places) > PLACES_KEPT:
                self._places.popitem(last=False)
        return name

    def name_answer(self, answer: Answer) -> str:
        """The answer's name on the page, under which it can be exported."""
        name = self._name("answer", answer)
        with self._lock:
            self._answers[name] = answer
            self._answers.move_to_end(name)
            while len(self._answers) > ANSWERS_KEPT:
                self._answers.popitem(last=False)
        return name

    def answer(self, name: str) -> Answer:
        """The answer behind a name. Raises KeyError when the name was never given out or is too long ago."""
        with self._lock:
            return self._answers[name]

    def export_answer(self, name: str, suffix: str) -> tuple[str, ExportFormat, str]:
        """The answer in the form of that suffix: its text, the form, and a file's name.

        Raises KeyError when the name was never given out or there is no such form, ExportError when the answer has
        nothing of the form.
        """
        answer = self.answer(name)
        form = FORMS[suffix]
        return form.make(collect_export(self._library, [answer])), form, f"{export_file_name(answer.question)}.{suffix}"

    def paper(self, name: str) -> str:
        """The paper behind a name. Raises KeyError when the name was never given out."""
        with self._lock:
            return self._papers[name]

    def place(self, name: str) -> Citation:
        """The place behind a name. Raises KeyError when the name was never given out or is too long ago."""
        with self._lock:
            return self._places[name]

    def path(self, paper: str) -> Path:
        """The paper's file. Raises KeyError when the library does not have it, PaperError when it is gone."""
        try:
            path = self._library.path(paper)
        except KeyError:
            problem = self.file_problem(paper)
            if not problem:
                raise
            raise PaperError(problem) from None
        return path

    def file_problem(self, paper: str) -> str:
        """Why the file is not the one that was read, in words; empty also for an unknown paper."""
        try:
            return self._library.file_problem(paper)
        except KeyError:
            return ""

    def describe_page(self, paper: str, number: int, citation: Citation | None = None) -> dict[str, object]:
        """What the reading pane shows of one page. Raises KeyError when there is no such paper or page."""
        page = self._library.page(paper, number)
        row = next((row for row in self._library.papers() if row.paper == paper), None)
        section = next((block.section for block in page.blocks if block.section), "")
        problem = self.file_problem(paper)
        found: dict[str, object] = {
            "paper": self.name_paper(paper),
            "file": paper,
            "title": citation.title if citation else (row.title if row else paper),
            "page": page.number,
            "label": citation.label if citation else page.label,
            "second": find_second(paper, citation.label if citation else page.label),
            "pages": row.pages if row else page.number,
            "section": citation.section if citation else section,
            "width": page.width,
            "height": page.height,
            "picture": page.words is not None,
            "marks": [],
        }
        if citation is not None:
            marks = percent_boxes(citation.boxes, page.width, page.height) if citation.verified else []
            marks = [] if problem else marks  # the picture would be of another file
            located = (bool(marks) or page.words is None) and not problem
            found |= {
                "quote": citation.quote,
                "verified": citation.verified,
                "digest": citation.digest,
                "marks": marks,
                "located": located,
                "note": place_note(citation, located, translate_core(problem)),
                "references": [
                    {
                        "mark": reference.mark,
                        "entry": reference.entry,
                        "paper": self.name_paper(reference.paper) if reference.paper else "",
                    }
                    for reference in citation.references
                ],
            }
        found["text"] = marked_text(page.text, citation.quote if citation and citation.verified else "")
        return found

    def describe_words(self, paper: str, number: int, words: str) -> dict[str, object]:
        """As `describe_page`, with the words marked that an address names; they may stand no longer there.

        Raises KeyError when there is no such paper or page.
        """
        page = self._library.page(paper, number)
        span = find_quote(words, page.text) if words else None
        row = next((row for row in self._library.papers() if row.paper == paper), None)
        if not words:
            return self.describe_page(paper, number)
        citation = Citation(
            number=0,
            paper=paper,
            title=row.title if row else paper,
            page=number,
            label=label_at(page, span[0]) if span else page.label,
            section=section_at(page, span[0], "") if span else "",
            quote=page.text[span[0] : span[1]] if span else words,
            verified=span is not None,
            boxes=quote_boxes(page, *span) if span else (),
            doubtful_signs=span is not None and has_doubtful_signs(page, *span),
            read_by_ocr=page.ocr,
        )
        return self.describe_page(paper, number, citation)

    def file_version(self, paper: str) -> str:
        """Another one whenever the paper's file has changed; empty where there is none."""
        try:
            path = self._library.path(paper)
            status = path.stat()
        except (KeyError, FileNotFoundError):
            return ""
        return self._name("version", str(path), status.st_mtime_ns, status.st_size)[:12]

    def recording(self, paper: str) -> Path:
        """The recording beside a talk's transcript. Raises KeyError where there is none."""
        found = find_recording(self._library.path(paper)) if is_talk(paper) else None
        if found is None:
            raise KeyError(paper)
        return found

    def describe_talk(self, paper: str) -> dict[str, str]:
        """The address of a talk's recording and the name of its slides on the page; empty where there are none."""
        nothing = {"recording": "", "slides": ""}
        if not is_talk(paper):
            return nothing
        try:
            path = self._library.path(paper)
        except KeyError:  # the file is gone
            return nothing
        slides = find_slides(path)
        return {
            "recording": f"recording?{urlencode({'paper': paper})}" if find_recording(path) else "",
            "slides": self._name_file(slides, paper) if slides else "",
        }

    def _name_file(self, path: Path, beside: str) -> str:
        """The name on the page of the paper with that file, beside another one's; empty where it is no paper."""
        known = {row.paper for row in self._library.papers()}
        # A paper is called by its path where another has its file's name.
        for name in (f"{beside.rpartition('/')[0]}/{path.name}", path.name):
            if name in known and self._library.path(name) == path:
                return self.name_paper(name)
        return ""

    def picture(self, paper: str, number: int, scale: float) -> tuple[bytes, str]:
        """Page `number` as PNG and its entity tag. Raises KeyError and PaperError."""
        page = self._library.page(paper, number)
        scale = min(scale, LONGEST_SIDE / max(page.width, page.height, 1.0))
        path = self.path(paper)
        status = path.stat()
        key = self._name("picture", str(path), status.st_mtime_ns, status.st_size, number, scale)
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key], key
        data = self._render(path, number, scale)[0]
        with self._lock:
            if key not in self._pictures:
                self._pictures[key] = data
                self._pictures_size += len(data)
            while self._pictures_size > PICTURES_BYTES and len(self._pictures) > 1:
                self._pictures_size -= len(self._pictures.popitem(last=False)[1])
        return data, key


def percent_boxes(boxes: Sequence[Box], width: float, height: float) -> list[list[float]]:
    """Boxes in points -> left, top, width, height in percent of the page, so that zooming keeps them right."""
    if width <= 0 or height <= 0:
        return []
    found = []
    for x0, y0, x1, y1 in boxes:
        left, right = (min(max(x / width * 100, 0.0), 100.0) for x in (x0, x1))
        top, bottom = (min(max(y / height * 100, 0.0), 100.0) for y in (y0, y1))
        if right > left and bottom > top:
            found.append([round(value, 3) for value in (left, top, right - left, bottom - top)])
    return found


def place_note(citation: Citation, marked: bool, problem: str = "") -> str:
    """One or two sentences: how sure this place is, and why nothing is marked where nothing is.

    `problem` says why the file is not the one that was read.
    """
    parts, page = [], str(citation.page)
    if citation.digest:
        parts.append(translate("reading.digest"))
    if not citation.verified:
        parts.append(translate("reading.not-verified", page=page))
    if problem:
        parts.append(problem)
    elif not citation.verified:
        pass
    elif not marked:
        parts.append(translate("reading.not-placed", page=page))
    elif not citation.digest:
        parts.append(translate("reading.verified", page=page))
    if row := describe_cells(citation):
        parts.append(row)
    if citation.doubtful_signs:
        parts.append(translate("reading.doubtful-signs"))
    if citation.read_by_ocr:
        parts.append(translate("reading.read-by-ocr"))
    return " ".join(parts)


def marked_text(text: str, quote: str) -> list[str]:
    """The text before, in and after the quote; the last two are empty when the quote is not in it."""
    span = find_quote(quote, text) if quote else None
    if span is None:
        return [text, "", ""]
    return [text[: span[0]], text[span[0] : span[1]], text[span[1] :]]


# -- routes -----------------------------------------------------------------------------------------------------

NOT_KEPT = {"Cache-Control": "no-store"}
_KINDS = {".pdf": "application/pdf"}


def reading_routes(ids: OpaqueIds) -> APIRouter:
    """The routes of the reading pane: a place, a page, its picture, the file."""
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)

    @routes.get("/place/{name}")
    def place(name: str) -> JSONResponse:
        citation = find_or_404(lambda: ids.place(name))
        return _json_response(find_or_404(lambda: ids.describe_page(citation.paper, citation.page, citation)))

    @routes.get("/at")
    def at(paper: str, page: int = 1, words: str = "") -> JSONResponse:
        # An address that was given to another program: by the paper's own name, since it has to last.
        return _json_response(find_or_404(lambda: ids.describe_words(paper, page, words[:LONGEST_WORDS])))

    @routes.get("/paper/{name}/{number:int}")
    def page(name: str, number: int) -> JSONResponse:
        return _json_response(find_or_404(lambda: ids.describe_page(ids.paper(name), number)))

    @routes.get("/paper/{name}/{number:int}/picture")
    def picture(name: str, number: int, request: Request, scale: float = SCALES[1], version: str = "") -> Response:
        wanted = min(SCALES, key=lambda allowed: abs(allowed - scale))
        data, tag = find_or_404(lambda: ids.picture(ids.paper(name), number, wanted))
        headers = {"ETag": f'"{tag}"', **cache_control(ids, name, version)}
        if f'"{tag}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(data, media_type="image/png", headers=headers)

    @routes.get("/paper/{name}/{number:int}/file")
    def file(name: str, number: int) -> FileResponse:
        path = find_or_404(lambda: ids.path(ids.paper(name)))
        kind = _KINDS.get(path.suffix.lower(), "text/plain; charset=utf-8")
        return FileResponse(path, media_type=kind, filename=path.name, content_disposition_type="inline")

    @routes.get("/recording")
    def recording(paper: str) -> FileResponse:
        # By the paper's own name, as /at: the address is given to other programs. A request may ask for a range.
        return FileResponse(find_or_404(lambda: ids.recording(paper)), content_disposition_type="inline")

    @routes.get("/answer/{name}/{suffix}")
    def answer(name: str, suffix: str) -> Response:
        text, form, file_name = find_or_404(lambda: ids.export_answer(name, suffix))
        headers = {"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": "no-store"}
        return Response(text.encode("utf-8", "replace"), media_type=form.media_type, headers=headers)

    return routes


def _json_response(content: dict[str, object]) -> JSONResponse:
    return JSONResponse(content, headers=NOT_KEPT)


def cache_control(ids: OpaqueIds, name: str, version: str) -> dict[str, str]:
    """The browser may keep what it gets while the paper's file is of the version that it asks for."""
    kept = bool(version) and version == ids.file_version(ids.paper(name))
    return {"Cache-Control": "private, max-age=3600, immutable" if kept else "private, no-cache"}


def find_or_404(look: Callable[[], Result]) -> Result:
    """The outermost edge of a request: what is not there is 404, what cannot be read says why."""
    try:
        return look()
    except (KeyError, FileNotFoundError, IndexError) as error:
        raise HTTPException(404, translate("reading.no-place")) from error
    except RagError as error:
        raise HTTPException(422, translate_core(str(error))) from error
