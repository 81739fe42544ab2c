"""A paper's summary on its card: sentences of its own; on request what a model writes, checked as any answer."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from typing import Any, Protocol

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from rag_app.answering.quoting.summary import quote_summary
from rag_app.citations.support import find_doubts
from rag_app.records import Answer, Citation
from rag_app.server.i18n import current_language, translate, translate_core
from rag_app.server.web.reading_panel import NOT_KEPT, PREFIX, OpaqueIds, PageSource, find_or_404
from rag_app.server.web.render import VERBATIM_READERS

KEPT = 300  # summaries
_MARK = re.compile(r"\s*\[(\d+)\]")
_LAYOUT = re.compile(r"^\s*(?:[-*#>]+|\d+\.)\s+|\*\*|`")


class AskedLibrary(PageSource, Protocol):
    """A library that can be asked about one paper."""

    def ask(self, question: str, *, papers: tuple[str, ...]) -> Answer: ...


class NamedReader(Protocol):
    @property
    def name(self) -> str: ...


class PaperSummaries:
    """Makes each summary once, for as long as the paper's file and the reader stay. Thread-safe."""

    def __init__(self, library: AskedLibrary, ids: OpaqueIds, reader: NamedReader) -> None:
        self._library = library
        self._ids = ids
        self._reader = reader
        self._known: OrderedDict[tuple[str, ...], dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def describe(self, paper: str, by_model: bool) -> dict[str, Any]:
        """Lines of pieces, each a text or a citation's number and place. Raises KeyError for an unknown paper.

        "offer" names the model that could write one; "problem" says why there is none.
        """
        reader = self._reader.name
        offer = "" if reader in VERBATIM_READERS else reader
        by_model = by_model and bool(offer)
        key = (paper, self._ids.file_version(paper), reader if by_model else "", current_language())
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = self._ask(paper) if by_model else self._quote(paper)
            if not known["problem"]:
                with self._lock:
                    self._known[key] = known
                    while len(self._known) > KEPT:
                        self._known.popitem(last=False)
        return {**known, "offer": "" if by_model else offer}

    def _quote(self, paper: str) -> dict[str, Any]:
        row = next((row for row in self._library.papers() if row.paper == paper), None)
        if row is None:
            raise KeyError(paper)
        pages = [self._library.page(paper, number) for number in range(1, row.pages + 1)]
        found = quote_summary(paper, row.title or paper, pages)
        lines = [[{"text": " ".join(one.quote.split())}, self._mark(one)] for one in found]
        return {"lines": lines, "by": translate("library.summary-quoted"), "doubts": "", "problem": ""}

    def _ask(self, paper: str) -> dict[str, Any]:
        answer = self._library.ask(translate("library.summary-question"), papers=(paper,))
        if answer.status != "answered":
            return {"lines": [], "by": "", "doubts": "", "problem": translate_core(answer.answer)}
        doubts = len(find_doubts(answer))
        said = translate("answer.unsupported", n=doubts) if doubts else ""
        by = translate("library.summary-by", model=answer.reader)
        return {"lines": self._lines(answer), "by": by, "doubts": said, "problem": ""}

    def _lines(self, answer: Answer) -> list[list[dict[str, Any]]]:
        """The paragraphs of the answer, without their layout, parted at their marks."""
        cited = {one.number: one for one in answer.citations}
        lines = []
        for paragraph in filter(str.strip, answer.answer.splitlines()):
            pieces: list[dict[str, Any]] = []
            for at, piece in enumerate(_MARK.split(_LAYOUT.sub("", paragraph))):
                if at % 2 and int(piece) in cited:
                    pieces.append(self._mark(cited[int(piece)]))
                elif not at % 2 and piece.strip():
                    pieces.append({"text": piece})
            lines.append(pieces)
        return lines

    def _mark(self, citation: Citation) -> dict[str, Any]:
        hint = translate("answer.page", page=citation.label or citation.page)
        return {"number": citation.number, "place": self._ids.name_place(citation), "hint": hint}


def summary_routes(library: AskedLibrary, ids: OpaqueIds, reader: NamedReader) -> APIRouter:
    """The route of a paper's summary; a model is asked only where that is wanted."""
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)
    summaries = PaperSummaries(library, ids, reader)

    @routes.get("/paper/{name}/summary")
    def summary(name: str, model: bool = False) -> JSONResponse:
        return JSONResponse(find_or_404(lambda: summaries.describe(ids.paper(name), model)), headers=NOT_KEPT)

    return routes
