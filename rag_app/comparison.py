"""A comparison answered without a model: a table of papers and aspects, each cell verbatim and cited.

Pure but for its parts. A cell holds the best sentence or table row that a search within its paper alone has found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rag_app.comparison_question import Aspect
from rag_app.quotes import Claim, best_quote, boxes, is_verified, section_at
from rag_app.records import Cell, Citation, Evidence, Row, Table
from rag_app.sentence_ranking import Asked, PageOf, Unit

NOT_REPORTED = "not reported"
LONGEST_CELL = 200  # characters
LONGEST_HEAD = 80  # characters of a table's own head, shown in front of one of its rows
CLOSE = 0.9  # of the best unit's score: so near, one that no other cell shows is preferred
BESIDE = 2  # further sentences of each paper, below the table
SAME = 0.8  # share of words that makes two sentences one

Place = tuple[str, int, int, int]  # paper, page, start, end


@dataclass(frozen=True)
class Comparison:
    """What is set side by side: papers (rows) with what the question calls them, and aspects (columns)."""

    question: str
    papers: tuple[str, ...]
    names: tuple[str, ...]
    aspects: tuple[Aspect, ...]


@dataclass(frozen=True)
class Ranked:
    """The units of one paper for one aspect, best first."""

    asked: Asked
    units: Sequence[Unit]


Rank = Callable[[Aspect, Sequence[Evidence]], Ranked]


class Tabulation:
    """Fills a table cell by cell and keeps the citations. One per answer."""

    def __init__(self, comparison: Comparison, page_of: PageOf) -> None:
        self._comparison = comparison
        self._page_of = page_of
        self._places: dict[Place, int] = {}
        self.citations: list[Citation] = []

    def fill(self, evidence: Mapping[tuple[str, str], Sequence[Evidence]], rank: Rank) -> tuple[Table, str]:
        """The table, and the whole text of the answer: the table as Markdown, and a few further sentences.

        `evidence` is per paper and aspect's label, `rank` orders the units of one cell's evidence.
        """
        rows, beside = [], []
        for paper, name in zip(self._comparison.papers, self._comparison.names, strict=True):
            ranked = [rank(aspect, evidence.get((paper, aspect.label), ())) for aspect in self._comparison.aspects]
            chosen = choose(ranked)
            rows.append(Row(paper, name, tuple(map(self._cell, ranked, chosen))))
            beside.append((name, ranked, further(ranked, chosen)))
        table = Table(tuple(aspect.label for aspect in self._comparison.aspects), tuple(rows))
        return table, "\n\n".join([markdown(table), *(self._sentences(*one) for one in beside if one[2])])

    def _cell(self, ranked: Ranked, unit: Unit | None) -> Cell:
        if unit is None:
            return Cell(NOT_REPORTED)
        text, number = self._quote(ranked.asked, unit)
        head = " ".join(unit.evidence.text[slice(*unit.frame[-1])].split()) if unit.frame else ""
        if head and len(head) <= LONGEST_HEAD:
            text = f"{head} / {text}"
        return Cell(text, (number,))

    def _sentences(self, name: str, ranked: Sequence[Ranked], units: Sequence[Unit]) -> str:
        quoted = [self._quote(ranked[0].asked, unit, clip=False) for unit in units]
        return "\n\n".join([f"{name}, further:", *(f"{plain(text)} [{number}]" for text, number in quoted)])

    def _quote(self, asked: Asked, unit: Unit, clip: bool = True) -> tuple[str, int]:
        """The unit's words for a cell, and the number of the citation that shows them on their page."""
        piece = unit.evidence
        page = self._page_of(piece.paper, piece.page)
        start, end = best_quote(Claim(asked.text), page, piece.start + unit.start, piece.start + unit.end)
        place = (piece.paper, piece.page, start, end)
        quote = page.text[start:end]
        if place not in self._places:
            self._places[place] = len(self.citations) + 1
            self.citations.append(
                Citation(
                    number=len(self.citations) + 1,
                    paper=piece.paper,
                    title=piece.title,
                    page=page.number,
                    label=page.label,
                    section=section_at(page, start, piece.section),
                    quote=quote,
                    verified=is_verified(quote, page.text),
                    boxes=boxes(page, start, end),
                    digest=piece.digest,
                )
            )
        text = " ".join(quote.split())
        return (clipped(text, asked) if clip else text), self._places[place]


def choose(ranked: Sequence[Ranked]) -> list[Unit | None]:
    """For each aspect the unit to show, or None where nothing speaks to it. Two cells differ where they well can."""
    chosen: list[Unit | None] = []
    for one in ranked:
        good = [unit for unit in one.units if reported(unit)]
        taken = [unit for unit in chosen if unit is not None]
        fresh = [unit for unit in good if not any(alike(unit, other) for other in taken)]
        best = next(iter(good), None)
        if best is not None and fresh and fresh[0].score >= CLOSE * best.score:
            best = fresh[0]
        chosen.append(best)
    return chosen


def further(ranked: Sequence[Ranked], chosen: Sequence[Unit | None]) -> list[Unit]:
    """The best units that no cell shows, at most BESIDE, each from another column."""
    taken = [unit for unit in chosen if unit is not None]
    found: list[Unit] = []
    for one in ranked:
        fresh = (u for u in one.units if reported(u) and not any(alike(u, other) for other in [*taken, *found]))
        unit = next(fresh, None)
        if unit is not None:
            found.append(unit)
    return sorted(found, key=lambda unit: -unit.score)[:BESIDE]


def reported(unit: Unit) -> bool:
    """Whether a unit speaks to its aspect at all."""
    return unit.features["own"] + unit.features["near"] + unit.features["meaning"] >= 0.6


def alike(one: Unit, other: Unit) -> bool:
    """Whether two units say the same in the same words."""
    if one.text == other.text:
        return True
    both, fewest = len(one.terms & other.terms), min(len(one.terms), len(other.terms))
    return not one.row and not other.row and fewest > 3 and both >= SAME * fewest


def clipped(text: str, asked: Asked, longest: int = LONGEST_CELL) -> str:
    """The run of whole words, at most `longest` characters, that holds most of what is asked; … where it was cut."""
    if len(text) <= longest:
        return text
    words = [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
    best, best_score = (0, longest), -1.0
    for first, (start, _) in enumerate(words):
        last = max((end for _, end in words[first:] if end - start <= longest), default=start + longest)
        score = _worth(text[start:last], asked)
        if score > best_score + 1e-9:
            best, best_score = (start, last), score
        if last == len(text):
            break
    start, end = best
    return f"{'… ' if start else ''}{text[start:end]}{' …' if end < len(text) else ''}"


def _worth(text: str, asked: Asked) -> float:
    folded = text.casefold()
    words = sum(weight for term, weight in asked.weights.items() if term.casefold()[:6] in folded)
    return words + (0.5 if "number" in asked.kinds and re.search(r"\d", text) else 0.0)


def markdown(table: Table) -> str:
    """The table in Markdown, with [n] marks."""
    lines = [("", *table.aspects), ("---",) * (len(table.aspects) + 1)]
    lines += [(row.name, *(_marked(cell) for cell in row.cells)) for row in table.rows]
    return "\n".join(f"| {' | '.join(escaped(cell) for cell in line)} |" for line in lines)


def _marked(cell: Cell) -> str:
    return " ".join([plain(cell.text), *(f"[{number}]" for number in cell.citations)])


def escaped(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    return " ".join(text.split()).replace("|", r"\|")


def plain(text: str) -> str:
    """A paper's own "[12]" in other brackets: it must not be taken for one of our marks."""
    return re.sub(r"\[(\s*\d[\d\s,;–-]*)\]", r"［\1］", text)
