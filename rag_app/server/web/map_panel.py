"""The map of the library: each paper as a point, and its pages that answers quoted."""

from __future__ import annotations

from typing import Any, Protocol

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from rag_app.errors import HistoryFault, IndexMissing, RagError
from rag_app.outputs.history import History
from rag_app.records import LibraryMap
from rag_app.server.i18n import translate
from rag_app.server.web.reading_panel import PREFIX, OpaqueIds, PageSource

MOST_PAGES = 12  # of one paper, the ones that were quoted most


class MapSource(PageSource, Protocol):
    """Where pages come from, and a map of them."""

    def map(self) -> LibraryMap: ...


def map_json(library: MapSource, ids: OpaqueIds, history: History) -> dict[str, Any]:
    """Groups in the order of their size, and a point for each paper; its "pages" are [number, times quoted].

    "problem" says why there is nothing to show.
    """
    try:
        points = library.map().points
    except IndexMissing:
        points = ()
    except RagError as error:
        return {"groups": [], "points": [], "problem": str(error)}
    try:
        cited = history.cited_pages()
    except HistoryFault:
        cited = {}  # the list of conversations says what is wrong
    sizes: dict[str, int] = {}
    for point in points:
        sizes[point.group] = sizes.get(point.group, 0) + 1
    return {
        "groups": sorted(sizes, key=lambda group: (-sizes[group], group)),
        "points": [
            {
                "paper": ids.name_paper(point.paper),
                "title": point.title or point.paper,
                "name": point.name,
                "group": point.group,
                "x": round(point.x, 4),
                "y": round(point.y, 4),
                "pages": _most_cited(cited.get(point.paper, {})),
            }
            for point in points
        ],
        "problem": "" if points else translate("map.not-yet"),
    }


def find_alike_papers(library: MapSource) -> list[str]:
    """Names of the two papers that are nearest to each other; empty while that is not known."""
    try:
        found = library.map()
    except RagError:
        return []
    return [point.name for point in found.points if point.paper in found.alike]


def find_paper_names(library: MapSource) -> dict[str, str]:
    """What papers are called, of those that give themselves a name; empty while that is not known."""
    try:
        return {point.paper: point.name for point in library.map().points if point.name}
    except RagError:
        return {}


def _most_cited(pages: dict[int, int]) -> list[list[int]]:
    most = sorted(pages, key=lambda page: -pages[page])[:MOST_PAGES]
    return [[page, pages[page]] for page in sorted(most)]


def map_routes(library: MapSource, ids: OpaqueIds, history: History) -> APIRouter:
    """The route that the map is fetched from."""
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)

    @routes.get("/map")
    def get_map() -> JSONResponse:
        return JSONResponse(map_json(library, ids, history), headers={"Cache-Control": "no-store"})

    return routes
