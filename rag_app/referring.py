"""What an index knows of the papers behind an answer: the works that its quotes cite, and how to cite the papers."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from rag_app.errors import IndexFault
from rag_app.index.generations import Generation
from rag_app.records import Answer, Citation, Source
from rag_app.references import Known, Shelf, may_refer, references

_STAMP = re.compile(r"arXiv:(\S+?)(?:v\d+)?\s+\[([a-z-]+(?:\.[A-Za-z-]{2,})?)\]")
_SHELVES: weakref.WeakKeyDictionary[Generation, Shelf] = weakref.WeakKeyDictionary()


def referring(answer: Answer, generation: Generation) -> Answer:
    """The answer with the references of its quotes.

    A paper's bibliography is read from its part, and only for a quote that may hold a mark.
    """
    return replace(
        answer,
        citations=_each(answer.citations, generation),
        nearest=_each(answer.nearest, generation),
    )


def _each(citations: Sequence[Citation], generation: Generation) -> tuple[Citation, ...]:
    return tuple(_one(citation, generation) for citation in citations)


def _one(citation: Citation, generation: Generation) -> Citation:
    if not citation.verified or not may_refer(citation.quote):
        return citation
    with suppress(IndexFault):  # a part that has gone meanwhile costs the references, not the answer
        entries = generation.reading(citation.paper).bibliography
        return replace(citation, references=references(citation.quote, entries, _shelf(generation)))
    return citation


def _shelf(generation: Generation) -> Shelf:
    if generation not in _SHELVES:
        _SHELVES[generation] = Shelf(
            Known(entry.paper, entry.title, entry.arxiv_id, entry.year, entry.authors)
            for entry in generation.manifest.papers
        )
    return _SHELVES[generation]


def sources_in(generation: Generation, papers: Iterable[str]) -> dict[str, Source]:
    """What is known of these papers, by paper; those that the index does not have are left out."""
    known = (generation.by_paper[paper] for paper in papers if paper in generation.by_paper)
    return {
        entry.paper: Source(
            paper=entry.paper,
            title=entry.title,
            digest=entry.digest,
            authors=entry.authors,
            arxiv_id=entry.arxiv_id,
            primary_class=_primary_class(generation, entry.paper, entry.arxiv_id),
        )
        for entry in known
    }


def _primary_class(generation: Generation, paper: str, arxiv_id: str) -> str:
    """As arXiv has stamped it on the first page beside this paper's own id; "" where it has not."""
    with suppress(IndexFault):
        pages = generation.reading(paper).pages
        stamp = _STAMP.search(pages[0].text) if arxiv_id and pages else None
        if stamp and stamp[1] == arxiv_id:
            return stamp[2]
    return ""
