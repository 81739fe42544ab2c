"""What the viewer of a whole paper asks for: the sizes of its pages, the lines of one, found words, cited places."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from rag_app.records import Page
from rag_app.server.i18n import translate, translate_core
from rag_app.server.web.page_view import abstract, find_words, outline, page_sizes, text_lines, word_boxes
from rag_app.server.web.panels.details import DescribedLibrary, details_json
from rag_app.server.web.reading_panel import (
    NOT_KEPT,
    PREFIX,
    OpaqueIds,
    cache_control,
    find_or_404,
    percent_boxes,
)

MOST_PLACES = 200  # of one answer
LONGEST_SOUGHT = 200  # characters


class PaperViewer:
    """Describes whole papers to the browser. Thread-safe."""

    def __init__(self, library: DescribedLibrary, ids: OpaqueIds) -> None:
        self._library = library
        self.ids = ids

    def describe_layout(self, paper: str) -> dict[str, object]:
        """What is needed before any page is drawn. Raises KeyError for an unknown paper."""
        pages = self._pages(paper)
        row = next((row for row in self._library.papers() if row.paper == paper), None)
        version = self.ids.file_version(paper)
        return {
            "paper": self.ids.name_paper(paper),
            "file": paper,
            "title": row.title if row else paper,
            "pages": page_sizes(pages),
            "outline": outline(pages),
            "picture": any(page.words is not None for page in pages) and bool(version),
            "problem": translate_core(self.ids.file_problem(paper)),
            "version": version,
            **self.ids.describe_talk(paper),
        }

    def describe_card(self, paper: str) -> dict[str, object]:
        """What one wants to know of a paper before reading it. Raises KeyError for an unknown paper."""
        row = next((row for row in self._library.papers() if row.paper == paper), None)
        if row is None:
            raise KeyError(paper)
        known = details_json(self._library, paper)["now"]
        pages = translate("library.pages", pages=row.pages) if row.pages else ""
        return {
            "title": row.title or paper,
            "file": paper,
            "authors": ", ".join(known["authors"]),
            "venue": known["venue"],
            "tags": known["tags"],
            "facts": " · ".join(part for part in (str(row.year or ""), pages, row.topic) if part),
            "abstract": abstract(self._pages(paper)[:2]),
            "problem": translate_core(row.problem),
            "hidden": list(row.hidden),
        }

    def page_lines(self, paper: str, number: int) -> list[list[object]]:
        """The lines of one page, for the text over its picture. Raises KeyError for an unknown page."""
        return text_lines(self._library.page(paper, number))

    def find(self, paper: str, words: str) -> list[dict[str, object]]:
        """The places where the words stand: page, and marks in percent of it. Raises KeyError."""
        pages = self._pages(paper)
        found: list[dict[str, object]] = []
        for number, start, end in find_words(pages, words):
            page = pages[number - 1]
            marks = percent_boxes(word_boxes(page, start, end), page.width, page.height)
            found.append({"page": number, "marks": marks})
        return found

    def describe_places(self, names: Iterable[str]) -> dict[str, dict[str, object]]:
        """The cited places by name, without the text of their pages. A name that opens nothing is left out."""
        described = {}
        for name in names:
            try:
                citation = self.ids.place(name)
                place = self.ids.describe_page(citation.paper, citation.page, citation)
            except (KeyError, FileNotFoundError):
                continue
            del place["text"]
            described[name] = place
        return described

    def _pages(self, paper: str) -> list[Page]:
        row = next((row for row in self._library.papers() if row.paper == paper), None)
        if row is None:
            raise KeyError(paper)
        return [self._library.page(paper, number) for number in range(1, row.pages + 1)]


def viewer_routes(library: DescribedLibrary, ids: OpaqueIds) -> APIRouter:
    """The routes of the viewer; a paper is known by the name that the page was given for it."""
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)
    viewer = PaperViewer(library, ids)

    @routes.get("/places")
    def places(names: str) -> JSONResponse:
        return JSONResponse(viewer.describe_places(names.split(",")[:MOST_PLACES]), headers=NOT_KEPT)

    @routes.get("/paper/{name}/layout")
    def layout(name: str) -> JSONResponse:
        return JSONResponse(find_or_404(lambda: viewer.describe_layout(ids.paper(name))), headers=NOT_KEPT)

    @routes.get("/paper/{name}/card")
    def card(name: str) -> JSONResponse:
        return JSONResponse(find_or_404(lambda: viewer.describe_card(ids.paper(name))), headers=NOT_KEPT)

    @routes.get("/paper/{name}/find")
    def find(name: str, words: str) -> JSONResponse:
        found = find_or_404(lambda: viewer.find(ids.paper(name), words[:LONGEST_SOUGHT]))
        return JSONResponse(found, headers=NOT_KEPT)

    @routes.get("/paper/{name}/{number:int}/lines")
    def lines(name: str, number: int, version: str = "") -> JSONResponse:
        found = find_or_404(lambda: viewer.page_lines(ids.paper(name), number))
        return JSONResponse(found, headers=cache_control(ids, name, version))

    return routes
