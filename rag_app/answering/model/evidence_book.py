"""All that one question has put before a model: numbered pieces of pages, each piece once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_app.models.llm.prompt_safety import strip_template_marks
from rag_app.records import Evidence


class EvidenceBook:
    """Numbers pieces from 1 in the order in which the model got them. Not thread-safe: one question, one thread."""

    def __init__(self) -> None:
        self.pieces: list[Evidence] = []
        self._numbers: dict[tuple[str, int, int, int], int] = {}

    def add(self, pieces: Sequence[Evidence]) -> tuple[list[Evidence], list[Evidence]]:
        """Number the pieces: those that are new, and those that the model already has."""
        new: list[Evidence] = []
        known: list[Evidence] = []
        for piece in pieces:
            place = (piece.paper, piece.page, piece.start, piece.end)
            if place in self._numbers:
                known.append(self.pieces[self._numbers[place] - 1])
                continue
            numbered = replace(piece, number=len(self.pieces) + 1)
            self._numbers[place] = numbered.number
            self.pieces.append(numbered)
            new.append(numbered)
        return new, known

    @property
    def papers(self) -> list[str]:
        """The papers that stand in it, in order."""
        return list(dict.fromkeys(piece.paper for piece in self.pieces))


def shown_pieces(pieces: Sequence[Evidence], id_of: dict[str, str] | None = None) -> str:
    """The pieces for a prompt: a head where a paper begins, a line with number and page before each piece."""
    lines: list[str] = []
    before: Evidence | None = None
    for piece in pieces:
        if before is None or piece.paper != before.paper:
            id = (id_of or {}).get(piece.paper, "")
            kind = " (digest, not the paper itself)" if piece.digest else ""
            lines.append(f"## {f'{id} ' if id else ''}{strip_template_marks(piece.title or piece.paper)}{kind}")
            before = None
        turns = before is not None and piece.page == before.page + 1
        section = f" — {strip_template_marks(piece.section)}" if piece.section else ""
        lines.append(f"[{piece.number}] page {piece.page}{' (goes on from the page before)' if turns else ''}{section}")
        lines.append(strip_template_marks(piece.text))
        before = piece
    return "\n".join(lines)
