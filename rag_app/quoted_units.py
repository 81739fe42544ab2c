"""Sentences and table rows that are shown as they stand, each with the citation that opens it on its page."""

from __future__ import annotations

from rag_app.citations.marks import citation_at, unmarked
from rag_app.citations.quotes import Claim, best_quote
from rag_app.records import Citation, PageOf
from rag_app.sentence_ranking import Unit

LONGEST_HEAD = 80  # characters of a table's own head, shown in front of one of its rows

Place = tuple[str, int, int, int]  # paper, page, start, end


class QuotedUnits:
    """Makes the citations of one answer; the same place keeps its number."""

    def __init__(self, page_of: PageOf) -> None:
        self._page_of = page_of
        self._places: dict[Place, int] = {}
        self.citations: list[Citation] = []

    def quote(self, unit: Unit, asked: str) -> tuple[str, int]:
        """The unit's words, the part of them that answers `asked` when they are many, and their citation's number."""
        piece = unit.evidence
        page = self._page_of(piece.paper, piece.page)
        start, end = best_quote(Claim(asked), page, piece.start + unit.start, piece.start + unit.end)
        place = (piece.paper, piece.page, start, end)
        if place not in self._places:
            self._places[place] = len(self.citations) + 1
            self.citations.append(citation_at(len(self.citations) + 1, piece, page, start, end))
        return " ".join(page.text[start:end].split()), self._places[place]

    def line(self, unit: Unit, asked: str) -> str:
        """One line of an answer: a table's head in front of a row, the words, the mark."""
        text, number = self.quote(unit, asked)
        return f"{head_of(unit)}{plain(text)} [{number}]"


def head_of(unit: Unit) -> str:
    """What names the columns of a row, when that is short, with a mark behind it; else nothing."""
    head = " ".join(unit.evidence.text[slice(*unit.frame[-1])].split()) if unit.frame else ""
    return f"{plain(head)} / " if head and len(head) <= LONGEST_HEAD else ""


def plain(text: str) -> str:
    """A paper's words without what would be taken for one of our marks."""
    return unmarked(text)
