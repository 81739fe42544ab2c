"""Pages of a PDF whose text may be drawn as nothing, by what their resources hold. The picture of the page decides.

A page that draws text may use: conditions on layers, gradients, tiles without a colour of their own, masks, ways of
blending.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST = 50_000  # resources of a file that are looked at: pages after that are all drawn
_KINDS = ("/Properties", "/Pattern", "/ExtGState")
_SETS_PATTERN = (b"scn", b"SCN")  # operators
_PLAIN = ("/Normal", "/Compatible", "/Multiply", "/Darken")  # blend modes that leave black on white as it is


def find_undrawn(reader: Any) -> frozenset[int]:
    """Numbers of those pages, from 1, and of those with damaged resources. `reader`: a pypdf.PdfReader."""
    left, found = MOST, set()
    for number, page in enumerate(reader.pages, start=1):
        try:
            tiles = False
            for resources in _resources_of(page):
                left -= 1
                if left < 0 or any(map(_leaves_undrawn, _conditions(resources))):
                    found.add(number)
                    break
                tiles = tiles or any(map(_is_colourless, _entries(resources, "/Pattern")))
            if tiles and number not in found and _sets_pattern(page):  # LaTeX names its tiles on every page
                found.add(number)
        except Exception:  # pypdf raises many kinds on damaged files
            found.add(number)
    return frozenset(found)


def _resources_of(page: Any) -> Iterator[dict[Any, Any]]:
    """The resources of a page and of the forms that it may draw, each once."""
    seen: dict[int, object] = {}  # by identity, and held so that it stays the object's own
    waiting = [page.get("/Resources")]
    while waiting:
        resources = _resolve(waiting.pop())
        if isinstance(resources, dict) and id(resources) not in seen:
            seen[id(resources)] = resources
            yield resources
            waiting += [one.get("/Resources") for one in _entries(resources, "/XObject") if _is_form(one)]


def _conditions(resources: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    for kind in _KINDS:
        yield from _entries(resources, kind)
    for form in _entries(resources, "/XObject"):
        condition = _resolve(form.get("/OC")) if _is_form(form) else None
        if isinstance(condition, dict):
            yield condition


def _leaves_undrawn(entry: Any) -> bool:
    """Whether text can be drawn as nothing by this layer's condition, pattern or graphics state.

    ISO 32000-1: a membership dictionary with an expression, AllOff or AnyOff hides while its layers are on (8.11.2.2);
    of a gradient (8.7.4) pdfium tells as of white; 11.6.4 and 11.3.5.
    """
    if "/VE" in entry or _resolve(entry.get("/P")) in ("/AllOff", "/AnyOff"):
        return True
    if _resolve(entry.get("/PatternType")) == 2:
        return True
    blend = _resolve(entry.get("/BM"))
    modes: list[Any] = blend if isinstance(blend, list) else [blend]
    masked: bool = isinstance(_resolve(entry.get("/SMask")), dict)
    return masked or not all(mode is None or _resolve(mode) in _PLAIN for mode in modes)


def _is_colourless(entry: dict[Any, Any]) -> bool:
    """Whether a pattern is one of tiles, which may hold nothing, and of which pdfium tells as of a plain colour."""
    return bool(_resolve(entry.get("/PaintType")) == 2)  # ISO 32000-1, 8.7.3.3


def _sets_pattern(page: Any) -> bool:
    """Whether the content of a page or of a form that it may draw chooses a colour as patterns are chosen."""
    contents = page.get_contents()
    forms = [one for resources in _resources_of(page) for one in _entries(resources, "/XObject") if _is_form(one)]
    streams = (one.get_data() for one in ([contents] if contents is not None else []) + forms)
    return any(operator in data for data in streams for operator in _SETS_PATTERN)


def _is_form(entry: dict[Any, Any]) -> bool:
    return bool(_resolve(entry.get("/Subtype")) == "/Form")


def _entries(resources: dict[Any, Any], kind: str) -> list[dict[Any, Any]]:
    """The dictionaries and streams of one kind among a page's resources."""
    named = _resolve(resources.get(kind))
    found = [_resolve(entry) for entry in named.values()] if isinstance(named, dict) else []
    return [entry for entry in found if isinstance(entry, dict)]


def _resolve(entry: Any) -> Any:
    return entry.get_object() if hasattr(entry, "get_object") else entry
