"""A comparison answered without a model: a table of papers and aspects, each cell verbatim and cited.

Pure but for its parts. A cell holds the best sentence or table row that a search within its paper alone has found.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag_app.called import title_head
from rag_app.citations import citation_at
from rag_app.comparison_question import Aspect, aspects_given, aspects_of, compared
from rag_app.errors import QuestionError
from rag_app.quotes import Claim, best_quote
from rag_app.records import Cell, Citation, Evidence, Row, Table
from rag_app.retrieval import Retriever, Scope
from rag_app.sentence_ranking import Asked, Library, Meaning, PageOf, Terms, Unit, rank_units, take_apart

NOT_REPORTED = "not reported"
LONGEST_CELL = 200  # characters
LONGEST_HEAD = 80  # characters of a table's own head, shown in front of one of its rows
CLOSE = 0.9  # of the best unit's score: so near, one that no other cell shows is preferred
ENOUGH = 0.55  # words shared, nearby and meaning together: below, a sentence does not speak to the aspect
QUESTION_WEIGHT = 1.0  # of the words that a sentence shares with the whole question, beside its aspect
ROW_WEIGHT = -0.5  # a table's row says little in a cell
MOST_PAPERS = 12  # rows
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

_THESE = re.compile(r"\b(?:compar\w*|differ\w*|versus|contrast\w*|similarit\w*|in common)\b", re.IGNORECASE)


def recognised(question: str, retriever: Retriever, scope: Scope) -> Comparison | None:
    """The comparison that a question asks for; None when it asks for something else.

    Papers are those that it names; "how do these papers differ" means the papers that it is limited to.
    """
    plan = retriever.plan(question, scope)
    mentions = retriever.mentions(question)
    papers = compared(question, mentions, plan.papers, plan.named) if plan.kind == "comparison" else []
    if not plan.named and 2 <= len(scope.papers) <= MOST_PAPERS and _THESE.search(question):
        papers = list(scope.papers)
    return _of(question, retriever, papers, "") if 2 <= len(papers) <= MOST_PAPERS else None


def demanded(question: str, retriever: Retriever, scope: Scope, aspects: str) -> Comparison:
    """The comparison that a user asks for outright: of the papers in scope when it is limited, else of those named.

    `aspects` have semicolons between; empty: as the question says. Raises QuestionError without a paper.
    """
    plan = retriever.plan(question, scope)
    papers = list(scope.papers or plan.papers or plan.named)
    if not papers:
        raise QuestionError(
            "The question names no paper of this library. Name two papers in it, or give them: --papers A,B"
        )
    if len(papers) > MOST_PAPERS:
        raise QuestionError(f"{len(papers)} papers are too many for a table; compare at most {MOST_PAPERS}.")
    return _of(question, retriever, papers, aspects)


def _of(question: str, retriever: Retriever, papers: Sequence[str], aspects: str) -> Comparison:
    mentions = [mention for mention in retriever.mentions(question) if mention.paper in papers]
    called = {mention.paper: question[mention.start : mention.end] for mention in reversed(mentions)}
    names = []
    for paper in papers:
        entry = retriever.generation.by_paper[paper]
        name = called.get(paper) or next(iter(entry.short_names), "") or title_head(entry.title) or entry.title or paper
        names.append(re.sub(r"['’]s?$", "", name))
    spans = [(mention.start, mention.end) for mention in mentions]
    return Comparison(question, tuple(papers), tuple(names), aspects_given(aspects) or aspects_of(question, spans))


class CellRanker:
    """Orders the units of one cell's evidence: by the aspect first, and by the whole question."""

    def __init__(
        self, question: str, terms: Terms, library: Library | None, meaning: Meaning | None, page_of: PageOf
    ) -> None:
        self._question = question
        self._terms = terms
        self._library = library
        self._meaning = _Remembering(meaning) if meaning is not None else None
        self._page_of = page_of

    def __call__(self, aspect: Aspect, evidence: Sequence[Evidence]) -> Ranked:
        asked = take_apart(aspect.asked, self._terms, self._library, evidence)
        whole = take_apart(self._question, self._terms, self._library, evidence)
        units = rank_units(asked, evidence, self._terms, self._meaning, self._page_of)
        for unit in units:
            shared = sum(weight for term, weight in whole.weights.items() if term in unit.terms) / whole.total
            unit.score += QUESTION_WEIGHT * shared + ROW_WEIGHT * unit.row
        return Ranked(asked, sorted(units, key=lambda unit: -unit.score))


class _Remembering:
    """Embeds each sentence once, though many cells look at it."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._known: dict[str, np.ndarray] = {}

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._meaning.embed_passages(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def embed_question(self, text: str) -> np.ndarray:
        return self._meaning.embed_question(text)


class Tabulation:
    """Fills a table cell by cell and keeps the citations. One per answer."""

    def __init__(self, comparison: Comparison, page_of: PageOf) -> None:
        self._comparison = comparison
        self._page_of = page_of
        self._places: dict[Place, int] = {}
        self.citations: list[Citation] = []

    def fill(
        self, evidence: Mapping[tuple[str, str], Sequence[Evidence]], rank: Rank, stop: threading.Event | None = None
    ) -> tuple[Table, str]:
        """The table, and the whole text of the answer: the table as Markdown, and a few further sentences.

        `evidence` is per paper and aspect's label, `rank` orders the units of one cell's evidence. Once `stop` is set,
        the papers that are left get empty rows.
        """
        rows, beside = [], []
        for paper, name in zip(self._comparison.papers, self._comparison.names, strict=True):
            given = {} if stop is not None and stop.is_set() else evidence
            ranked = [rank(aspect, given.get((paper, aspect.label), ())) for aspect in self._comparison.aspects]
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
        if place not in self._places:
            self._places[place] = len(self.citations) + 1
            self.citations.append(citation_at(len(self.citations) + 1, piece, page, start, end))
        text = " ".join(page.text[start:end].split())
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
    return unit.features["own"] + unit.features["near"] + unit.features["meaning"] >= ENOUGH


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
