"""A comparison answered without a model: a table of papers and aspects, each cell verbatim and cited.

Pure but for its parts. A cell holds the best sentence or table row that a search within its paper alone has found, and
key phrases of a few more that are about as good: the more of them, the fewer columns share the page. Of a
row whose heads are certain it holds the value that is asked for.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass

from rag_app.answering.quoting.one_paper import asks_overview, is_front_matter, overview_bonus
from rag_app.answering.quoting.ranking import SENTENCE_WEIGHTS, Unit, framed_share, rank_units, score_units
from rag_app.answering.quoting.reader import QuoteBuilder, remove_marks, row_head
from rag_app.answering.quoting.statements import STATEMENT_WEIGHTS, page_statement_features, statement_features
from rag_app.answering.quoting.table_value import weigh_heads
from rag_app.answering.tables.row_values import describe_row, find_cells_of
from rag_app.models.embedder import SentenceEmbedder
from rag_app.records import BETWEEN, Cell, Citation, Evidence, PageOf, Row, Statement, Table
from rag_app.retrieval.aspects import Aspect
from rag_app.retrieval.comparison import Comparison
from rag_app.retrieval.facets import Facet, facet_likeness, facets_of, is_facet_answer
from rag_app.retrieval.question_terms import QuestionTerms, Terms, TermStatistics, extract_question_terms, is_filler
from rag_app.text.terms import find_names as names_in
from rag_app.text.terms import squash

NOTHING_FOUND = "nothing found"
NEAREST = f"{NOTHING_FOUND}; nearest passage: "
STOPPED_CELL = "stopped"
STATEMENTS = (3, 3, 2)  # in a cell's text, at most: of a table of one column, of two, of more
QUOTED = (10, 8, 6)  # with those that are folded away
LONGEST_CELL = 240  # characters of the first statement in a cell: most sentences whole, with their subject
LONGEST_FURTHER = 160  # characters of each further one
HEAD = 40  # characters of a sentence's beginning that stay where it is cut: they say whose value it is
CLOSE = 0.9  # of the best unit's score: so near, one that no other cell shows is preferred
NEAR = 0.75  # of the best unit's score: so near, a further statement is worth its room in the cell
ENOUGH = 0.35  # words shared, nearby and meaning together: below, a sentence does not speak to the aspect
ALONE = 0.5  # meaning, of a sentence that shares no word
CLOSE_LOOKS = 35  # units of a cell whose meaning is compared: the best by all else
TELLS = 0.1  # what a number or a name counts where a statement is cut, beside a word that is asked for
OWN_AT_LEAST = 0.5  # what a row with the paper's name counts, however much else its label says
SAME = 0.8  # share of words that makes two sentences one

# Added to a unit's score for one question: how the authors speak there, and whether it looks like an answer.
# Measured in docs/experiments/answers.md, "Comparisons".
CELL_WEIGHTS = {
    "whole": 1.0,  # words shared with the whole question
    "row": -0.5,  # a table's row says little in a cell
    "own_row": 4.0,  # but for the row of the paper itself in a table of what is asked for, by the share that it holds
    "own_value": 4.0,  # and for one of its values below a head of what is asked for
    "label": 2.0,  # or for a row that is called as what is asked for
    "looks": 1.0,
    **STATEMENT_WEIGHTS,
}


@dataclass(frozen=True)
class RankedUnits:
    """The units of one paper for one aspect, best first."""

    asked: QuestionTerms
    units: Sequence[Unit]
    facets: tuple[Facet, ...] = ()
    overview: bool = False  # asks what the paper is about: its abstract speaks to that whatever its words


Rank = Callable[[Aspect, Sequence[Evidence]], RankedUnits]

_OURS = re.compile(r"\W*(?:ours?|this (?:work|paper))\b", re.IGNORECASE)
_TELLING = re.compile(r"\d|[A-Z]\S*[A-Z]")
_CITING = re.compile(r"\([^()]*\b(?:19|20)\d\d[a-z]?\)|\[[\d, –-]+\]")
# "trained on all K 2 , so": a formula of which the PDF's text has lost the brackets; its words stand on no page.
_TORN = re.compile(r"\b\w \d{1,2} [,.;]")


class CellMemory:
    """Cells that were ranked before, so that a table with one more column or row costs that alone. Thread-safe."""

    def __init__(self, most: int = 300) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, RankedUnits] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> RankedUnits | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, ranked: RankedUnits) -> None:
        with self._lock:
            self._kept[key] = ranked
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


class CellRanker:
    """Orders the units of one cell's evidence: by the aspect first, and by the whole question.

    `memory` keeps them for the same question on the same index, which `index` names. `called` is how each paper and
    what it presents is called: such a row of a table is its own.
    """

    def __init__(
        self,
        question: str,
        terms: Terms,
        library: TermStatistics | None,
        meaning: SentenceEmbedder | None,
        page_of: PageOf,
        memory: CellMemory | None = None,
        index: str = "",
        called: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._called = called or {}
        self._memory = memory if memory is not None else CellMemory()
        self._index = index
        self._question = question
        self._terms = terms
        self._library = library
        self._meaning = meaning
        self._page_of = page_of

        self._names = frozenset(squash(name) for name in names_in(question))

    def __call__(self, aspect: Aspect, evidence: Sequence[Evidence]) -> RankedUnits:
        """The units of the evidence for the aspect, best first."""
        places = tuple((piece.paper, piece.page, piece.start, piece.end) for piece in evidence)
        key = (self._index, self._question, aspect.asked, self._meaning is not None, places)
        known = self._memory.get(key)
        if known is None:
            known = self._rank_units(aspect, evidence)
            self._memory.put(key, known)
        return known

    def _rank_units(self, aspect: Aspect, evidence: Sequence[Evidence]) -> RankedUnits:
        asked = extract_question_terms(aspect.asked, self._terms, self._library, evidence)
        facets = facets_of(aspect.asked)
        overview = asks_overview(aspect.asked)
        whole = extract_question_terms(self._question, self._terms, self._library, evidence)
        units = rank_units(asked, evidence, self._terms, None, self._page_of)
        if overview:
            units = [unit for unit in units if not unit.row and not is_front_matter(unit)]
            added = {id(unit): overview_bonus(unit, self._page_of, self._names) for unit in units}
        else:
            added = {id(unit): self._bonus_score(unit, asked, whole, facets) for unit in units}
        units.sort(key=lambda unit: -(unit.score + added[id(unit)]))
        if self._meaning is not None and units:
            units = units[:CLOSE_LOOKS]
            for unit, vector in zip(units, self._meaning.embed_passages([u.framed_text for u in units]), strict=True):
                unit.vector = vector
            score_units(asked, units, self._meaning.embed_question(asked.text))
        for unit in units:
            # A cell has to say it itself: what stands around a sentence is not shown.
            unit.score += added[id(unit)] - SENTENCE_WEIGHTS["around"] * unit.features.get("around", 0.0)
        return RankedUnits(asked, sorted(units, key=lambda unit: -unit.score), facets, overview)

    def _bonus_score(self, unit: Unit, asked: QuestionTerms, whole: QuestionTerms, facets: tuple[Facet, ...]) -> float:
        page = self._page_of(unit.evidence.paper, unit.evidence.page)
        found = page_statement_features(unit.text, page, unit.evidence.start + unit.start, self._names)
        found["whole"] = sum(weight for term, weight in whole.weights.items() if term in unit.terms) / whole.total
        found["row"] = float(unit.row)
        found |= self._row_features(asked, unit) if unit.row else {"own_row": 0.0, "own_value": 0.0, "label": 0.0}
        found["looks"] = facet_likeness(facets, unit.text)
        return sum(weight * found[name] for name, weight in CELL_WEIGHTS.items())

    def _row_features(self, asked: QuestionTerms, unit: Unit) -> dict[str, float]:
        cells = find_cells_of(unit, self._page_of)
        label = cells[0].row if cells else _label_of(unit.text)
        own = self._own_likeness(label, unit.evidence.paper)
        headed = max(weigh_heads(asked, cells), default=0.0) / asked.total
        # A caption alone speaks of "generation" and "training" above figures that are neither.
        figures = headed > 0 or "number" in asked.kinds
        return {
            "own_row": framed_share(asked, unit) * own if figures else 0.0,
            "own_value": headed * own,
            "label": self._label_likeness(asked, label),
        }

    def _label_likeness(self, asked: QuestionTerms, text: str) -> float:
        """Words that a row's label and what is asked share, of all that either has: "Hidden size 1024 768"."""
        label = {term for term in self._terms(text) if not is_filler(term)}
        wanted = set(asked.weights)
        return len(label & wanted) / len(label | wanted) if label else 0.0

    def _own_likeness(self, label: str, paper: str) -> float:
        """How far a row is the paper's own, 0..1: its label is what the paper or its model is called, and little else.

        "DPR" is more its own than "BM25+DPR"; "Ours" is nobody else's.
        """
        whole = squash(label)
        named = (len(name) / len(whole) for name in self._called.get(paper, ()) if name in whole)
        share = max(named, default=1.0 if _OURS.match(label) else 0.0)
        return OWN_AT_LEAST + (1 - OWN_AT_LEAST) * share if share else 0.0


def _label_of(row: str) -> str:
    """A row's words before its first lone figure."""
    return re.split(r"\s(?=[-+±(]?\d[\d.,]*(?:\s|$))", row, maxsplit=1)[0]


def names_of_rows(comparison: Comparison, names_of: Callable[[str], Sequence[str]]) -> dict[str, frozenset[str]]:
    """For each paper what a row of its own may be called, squashed: its names, and a size in the question ("65b")."""
    found = {}
    for paper, name in zip(comparison.papers, comparison.names, strict=True):
        sizes = re.findall(r"\b\d+(?:\.\d+)?[bBmM]\b", name)
        found[paper] = frozenset(squash(one) for one in (*names_of(paper), *sizes) if len(squash(one)) > 1)
    return found


class Tabulation:
    """Fills a table cell by cell and keeps the citations. One per answer."""

    def __init__(self, comparison: Comparison, page_of: PageOf) -> None:
        self._comparison = comparison
        self._page_of = page_of
        self._quotes = QuoteBuilder(page_of)

    @property
    def citations(self) -> list[Citation]:
        return self._quotes.citations

    def fill(
        self, evidence: Mapping[tuple[str, str], Sequence[Evidence]], rank: Rank, stop: threading.Event | None = None
    ) -> Generator[Table, None, tuple[Table, str]]:
        """Yields the table after each cell; returns the whole, and the same as Markdown: the text of the answer.

        `evidence` is per paper and aspect's label, `rank` orders the units of one cell's evidence. Once `stop` is set,
        the cells that are left say so.
        """
        aspects = self._comparison.aspects
        columns = min(len(aspects), len(STATEMENTS)) - 1
        rows: list[tuple[Cell, ...]] = []
        for paper in self._comparison.papers:
            if stop is not None and stop.is_set():
                rows.append((Cell(STOPPED_CELL, (), "stopped"),) * len(aspects))
                continue
            cells: list[Cell] = []
            taken: list[Unit] = []
            for aspect in aspects:
                if stop is not None and stop.is_set():
                    break
                asked = self._comparison.find_aspect(paper, aspect)
                ranked = rank(asked, evidence.get((paper, aspect.label), ()))
                units, further = choose_cell_units(ranked, taken, STATEMENTS[columns], QUOTED[columns])
                taken += units
                cells.append(self._cell(ranked, units, further))
                yield self._table([*rows, tuple(cells)], Cell("", (), "searching"))
            rows.append(tuple(cells) + (Cell(STOPPED_CELL, (), "stopped"),) * (len(aspects) - len(cells)))
        table = self._table(rows)
        return table, table_to_markdown(table)

    def _table(self, rows: Sequence[tuple[Cell, ...]], rest: Cell | None = None) -> Table:
        """The table of these rows; `rest` stands in the cells that they do not have yet."""
        papers, names, aspects = self._comparison.papers, self._comparison.names, self._comparison.aspects
        cells = [row + (() if rest is None else (rest,) * (len(aspects) - len(row))) for row in rows]
        cells += [] if rest is None else [(rest,) * len(aspects)] * (len(papers) - len(rows))
        return Table(tuple(aspect.label for aspect in aspects), tuple(map(Row, papers, names, cells)))

    def _cell(self, ranked: RankedUnits, units: Sequence[Unit], further: Sequence[Unit]) -> Cell:
        if not units:
            return self._empty_cell(ranked)
        told: dict[str, int] = {}
        for unit in (*units, *further):
            text, number = self._quotes.quote(unit, ranked.asked.text)
            longest = LONGEST_FURTHER if told else LONGEST_CELL
            value = describe_row(ranked.asked, unit, self._page_of) if unit.row else ""
            shown = value or f"{row_head(unit)}{clip_text(text, ranked.asked, longest, ranked.facets)}"
            told.setdefault(shown, number)
        texts = list(told)
        first, rest = texts[: len(units)], texts[len(units) :]
        numbers = tuple(dict.fromkeys(told[text] for text in first))
        return Cell(BETWEEN.join(first), numbers, further=tuple(Statement(text, told[text]) for text in rest))

    def _empty_cell(self, ranked: RankedUnits) -> Cell:
        """Nothing was found, which is not that the paper is silent; the best sentence that shares a word, if any."""
        whole = (unit for unit in ranked.units if not unit.row and not _TORN.search(unit.text))
        near = next((unit for unit in whole if unit.features["own"] > 0), None)
        if near is None:
            return Cell(NOTHING_FOUND, (), "nothing found")
        text, number = self._quotes.quote(near, ranked.asked.text)
        return Cell(f"{NEAREST}{clip_text(text, ranked.asked)}", (number,), "nothing found")


def choose_cell_units(
    ranked: RankedUnits, taken: Sequence[Unit], most: int = STATEMENTS[-1], quoted: int = QUOTED[-1]
) -> tuple[list[Unit], list[Unit]]:
    """The units to show in one cell, none where nothing speaks to its aspect; and those to fold away.

    `taken` are those of the cells before it in its row: two cells differ where they well can.
    """
    # Where the paper speaks to the aspect at all, the score decides: "V100 GPUs" shares no word with "hardware".
    speaks = ranked.overview or any(is_reported(u) or is_facet_answer(ranked.facets, u.text) for u in ranked.units)
    good = [u for u in ranked.units if not _TORN.search(u.text)] if speaks else []
    fresh = [unit for unit in good if not any(are_alike(unit, other) for other in taken)]
    if not good:
        return [], []
    best = fresh[0] if fresh and fresh[0].score >= CLOSE * good[0].score else good[0]
    units = [best]
    for unit in fresh:
        if len(units) == quoted:
            break
        if not any(are_alike(unit, other) for other in units):
            units.append(unit)
    near = [unit for unit in units[:most] if unit is best or unit.score >= NEAR * best.score]
    # "X is highly effective" is no statement to begin a cell with.
    return sorted(near, key=lambda unit: statement_features(unit.text)["praise"]), units[len(near) :]


def is_reported(unit: Unit) -> bool:
    """Whether a unit speaks to its aspect at all."""
    if _TORN.search(unit.text):
        return False
    words, meaning = unit.features["own"] + unit.features["near"], unit.features["meaning"]
    return words + meaning >= ENOUGH and (words > 0 or meaning >= ALONE)


def are_alike(one: Unit, other: Unit) -> bool:
    """Whether two units say the same in the same words."""
    if one.text == other.text:
        return True
    both, fewest = len(one.terms & other.terms), min(len(one.terms), len(other.terms))
    return not one.row and not other.row and fewest > 3 and both >= SAME * fewest


def clip_text(text: str, asked: QuestionTerms, longest: int = LONGEST_CELL, facets: tuple[Facet, ...] = ()) -> str:
    """The run of whole words that tells most, behind the words that the sentence begins with; … where it was cut.

    Both together have at most `longest` characters. The run is that with most of what is asked, and of names and
    numbers; of equal ones the last, since what is new stands at the end of a sentence (docs/experiments/answers.md,
    "Comparisons"). Without its beginning a value would seem to be that of the paper itself.
    """
    head, start, end = find_clip(text, asked, longest, facets)
    begun = f"{text[:head]} … ".lstrip() if start else ""
    return f"{begun}{text[start:end]}{' …' if end < len(text) else ''}"


def find_clip(
    text: str, asked: QuestionTerms, longest: int = LONGEST_CELL, facets: tuple[Facet, ...] = ()
) -> tuple[int, int, int]:
    """What `clip_text` keeps: the end of the beginning, and where the run starts and ends."""
    if len(text) <= longest:
        return 0, 0, len(text)
    head_end = len(text[: min(HEAD, longest // 4)].rpartition(" ")[0])
    head = f"{text[:head_end]} … ".lstrip()
    words = [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
    best, best_score = (0, longest), -1.0
    for first, (start, _) in enumerate(words):
        room = longest - min(start, len(head))  # what stands before the run: the head, or all that is not cut
        last = max((end for _, end in words[first:] if end - start <= room), default=start + room)
        score = _score_text(text[start:last], asked) + facet_likeness(facets, text[start:last])
        if score >= best_score - 1e-9:
            best, best_score = (start, last), score
        if last == len(text):
            break
    start, end = best
    return (head_end, start, end) if start > len(head) else (0, 0, end)


def _score_text(text: str, asked: QuestionTerms) -> float:
    folded = text.casefold()
    words = sum(weight for term, weight in asked.weights.items() if term.casefold()[:6] in folded)
    telling = {word for word in _CITING.sub("", text).split() if _TELLING.search(word)}
    return words + TELLS * len(telling) + (0.5 if "number" in asked.kinds and re.search(r"\d", text) else 0.0)


def table_to_markdown(table: Table) -> str:
    """The table in Markdown, with [n] marks."""
    lines = [("", *table.aspects), ("---",) * (len(table.aspects) + 1)]
    lines += [(row.name, *(_cell_with_marks(cell) for cell in row.cells)) for row in table.rows]
    return "\n".join(f"| {' | '.join(escape_cell(cell) for cell in line)} |" for line in lines)


def _cell_with_marks(cell: Cell) -> str:
    return remove_marks(cell.text) + cell.write_marks(" [{}]".format)


def escape_cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    return " ".join(text.split()).replace("|", r"\|")
