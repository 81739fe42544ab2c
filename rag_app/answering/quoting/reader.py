"""Sentences and table rows that are shown as they stand, each with the citation that opens it on its page.

The reader without a model: the best sentences and table rows of the evidence, verbatim, each with its mark.

It never invents: every word between two marks stands in the evidence. When nothing there answers, it says so.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Iterator, Sequence

from rag_app.answering.quoting.answerability import (
    SEVERAL,
    THRESHOLD,
    estimate_answer_chance,
    find_lacking_papers,
    measure_signs,
)
from rag_app.answering.quoting.one_paper import Subject, rank_about
from rag_app.answering.quoting.ranking import Unit, rank_units
from rag_app.answering.quoting.table_value import TableValue, find_table_value
from rag_app.citations.marks import NEAR_PASSAGES, citation_at, replace_marks
from rag_app.citations.quotes import Claim, best_quote
from rag_app.index.paper_names import contains_name
from rag_app.models.embedder import SentenceEmbedder
from rag_app.records import Citation, Draft, Evidence, PageOf
from rag_app.retrieval.facets import facets_of
from rag_app.retrieval.question_terms import QuestionTerms, Terms, TermStatistics, extract_question_terms
from rag_app.text.terms import content_words

LONGEST_HEAD = 80  # characters of a table's own head, shown in front of one of its rows

Place = tuple[str, int, int, int]  # paper, page, start, end


class QuoteBuilder:
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

    def quote_line(self, unit: Unit, asked: str) -> str:
        """One line of an answer: a table's head in front of a row, the words, the mark."""
        text, number = self.quote(unit, asked)
        return f"{row_head(unit)}{remove_marks(text)} [{number}]"


def row_head(unit: Unit) -> str:
    """What names the columns of a row, when that is short, with a mark behind it; else nothing."""
    head = " ".join(unit.evidence.text[slice(*unit.frame[-1])].split()) if unit.frame else ""
    return f"{remove_marks(head)} / " if head and len(head) <= LONGEST_HEAD else ""


def remove_marks(text: str) -> str:
    """A paper's words without what would be taken for one of our marks."""
    return replace_marks(text)


NOT_IN_PAPERS = "Not in these papers: no passage found answers this question."
STOPPED = "Stopped before the answer was complete."

NamesOf = Callable[[str], Sequence[str]]  # paper -> what people call it

USUAL = 4  # items quoted for a plain question: sentences, or tables with their best rows
MOST = 12  # items at most, however many papers are asked for
OF_NAMED = 2  # items of the only paper that a question names, before the others
PER_PAPER = 3  # items of each paper that a question names besides others
ROWS = 6  # of one table
WORTH = 0.55  # of the best item's score: below, a further one is not worth reading
MOST_LACKING = 0.8  # of what is asked of one paper: beyond, the paper does not speak of it
LACKING = 0.6  # taken from the score of sentences whose paper never uses a name that the question has
SAME = 0.8  # share of words that makes two sentences one

_ASKS_TABLE = re.compile(r"\b(?:table|fig(?:ure)?|caption|diagram|plot|chart)s?\b|[表图]\s?\d|表格|图表", re.IGNORECASE)

Item = list[Unit]  # one sentence, or rows of one table


class QuotingReader:
    """Answers with the evidence's own words. The parts are optional: each makes the choice of sentences better.

    `terms` turns text into comparable terms (stems), `library` knows how rare a term is, `meaning` compares sentences
    with the question, `page_of` tells tables from prose, `names_of` tells what people call a paper, `called` what it is
    called in an answer. With
    `one_paper` no other was searched. `subject` is the one paper that the question is about; whether there is an answer
    is then judged by `wide`, what was found without knowing that.
    """

    name = "quoting"
    budget = 6000  # tokens of evidence: more pages hold more answers, and no model has to read them

    def __init__(
        self,
        terms: Terms = content_words,
        library: TermStatistics | None = None,
        meaning: SentenceEmbedder | None = None,
        page_of: PageOf | None = None,
        names_of: NamesOf = lambda paper: (),
        one_paper: bool = False,
        subject: Subject | None = None,
        wide: Sequence[Evidence] = (),
        called: Callable[[str], str] = lambda paper: "",
    ) -> None:
        self._terms = terms
        self._library = library
        self._meaning = meaning
        self._page_of = page_of
        self._names_of = names_of
        self._one_paper = one_paper
        self._called = called
        self._subject = subject if page_of is not None else None
        self._wide = wide if self._subject is not None else ()  # else marks would name pieces of other evidence

    def read(self, question: str, evidence: Sequence[Evidence], stop: threading.Event) -> Generator[str, None, Draft]:
        """Yields the answer in pieces, with [n] marks that name evidence; returns the whole as a Draft."""
        asked, ranked, found = self.weigh_evidence(question, self._wide or evidence)
        chance = self._chance(found)
        if chance < THRESHOLD:
            yield NOT_IN_PAPERS
            return Draft(NOT_IN_PAPERS, refused=True, chance=chance)
        if self._subject is not None and self._page_of is not None:
            asked, ranked = rank_about(
                self._subject, question, evidence, self._terms, self._library, self._meaning, self._page_of
            )
        else:
            without = find_lacking_papers(asked, evidence, self._terms, self._library, self._names_of)
            for unit in ranked:
                unit.score -= LACKING * (unit.evidence.paper in without)
            ranked = sorted(ranked, key=lambda unit: -unit.score)
        text = ""
        for piece in self._compose(asked, ranked, self._named_papers(question, evidence)):
            if stop.is_set():
                return Draft(text, problem=STOPPED, chance=chance)
            text += piece
            yield piece
        return Draft(text, chance=chance)

    def _compose(self, asked: QuestionTerms, ranked: Sequence[Unit], named: Sequence[str]) -> Iterator[str]:
        """The answer's text in pieces: as a list where one is asked for."""
        if self._subject is None or not self._subject.items:
            chosen = select_quotes(asked, ranked, named)
            value = self._find_value(asked, chosen, ranked)
            chosen += [value.unit] if value is not None and value.unit not in chosen else []
            return compose_answer(chosen, self._called, value, bool(_ASKS_TABLE.search(asked.text)))
        units = [
            unit for item in _pick([unit for unit in ranked if not unit.row], self._subject.items) for unit in item
        ]
        lines = [f"- {replace_marks(unit.text)} [{unit.evidence.number}]" for unit in _in_reading_order(units)]
        return iter([lines[0], *(f"\n{line}" for line in lines[1:])] if lines else [])

    def _find_value(self, asked: QuestionTerms, chosen: Sequence[Unit], ranked: Sequence[Unit]) -> TableValue | None:
        """The value that is asked for, where the answer begins with the rows of a table."""
        if self._page_of is None or not chosen or not chosen[0].row:
            return None
        first = chosen[0].evidence.number, chosen[0].frame
        rows = [unit for unit in ranked if unit.row and (unit.evidence.number, unit.frame) == first]
        return find_table_value(asked, rows, self._page_of)

    def find_nearest(self, question: str, evidence: Sequence[Evidence]) -> list[Unit]:
        """The sentences that come nearest to a question that none of them answers, best first; no rows of tables."""
        if self._subject is not None and self._page_of is not None:
            ranked = rank_about(
                self._subject, question, evidence, self._terms, self._library, self._meaning, self._page_of
            )[1]
        else:
            ranked = self.weigh_evidence(question, evidence)[1]
        return [unit for item in _pick([unit for unit in ranked if not unit.row], NEAR_PASSAGES) for unit in item]

    def chance(self, question: str, evidence: Sequence[Evidence]) -> float:
        """How likely the evidence holds an answer, 0..1."""
        return self._chance(self.weigh_evidence(question, evidence)[2])

    def _chance(self, found: dict[str, float]) -> float:
        chance = estimate_answer_chance(found)
        if self._subject is not None and not self._subject.overview and self._lacking(self._subject) > MOST_LACKING:
            return min(chance, THRESHOLD / 2)
        # What a paper is about it always tells itself.
        return max(chance, THRESHOLD) if self._subject is not None and self._subject.overview else chance

    def weigh_evidence(
        self, question: str, evidence: Sequence[Evidence]
    ) -> tuple[QuestionTerms, list[Unit], dict[str, float]]:
        """The question taken apart, the units of the evidence best first, and the signs that they answer it."""
        asked = extract_question_terms(question, self._terms, self._library, evidence)
        ranked = rank_units(asked, evidence, self._terms, self._meaning, self._page_of)
        return (
            asked,
            ranked,
            measure_signs(asked, ranked, evidence, self._terms, self._library, self._names_of, self._one_paper),
        )

    def _lacking(self, subject: Subject) -> float:
        """Of what is asked of the one paper, the share of the words' weight that the paper nowhere has."""
        if self._library is None:
            return 0.0
        asked = extract_question_terms(subject.asked, self._terms, self._library, ())
        total = sum(asked.weights.values())
        told = self._told_otherwise(subject)
        gone = (weight for term, weight in asked.weights.items() if term not in told and not self._has(subject, term))
        return sum(gone) / total if total else 0.0

    def _told_otherwise(self, subject: Subject) -> set[str]:
        """Terms of what is asked that the paper answers in other words: "hardware" by the names of GPUs."""
        return {
            term
            for facet in facets_of(subject.asked)
            if facet.alone and any(self._has(subject, word) for word in self._terms(facet.also))
            for match in facet.asks.finditer(subject.asked)
            for term in self._terms(match[0])
        }

    def _has(self, subject: Subject, term: str) -> bool:
        return self._library is not None and self._library.count_together(subject.paper, [term]) > 0

    def _named_papers(self, question: str, evidence: Sequence[Evidence]) -> list[str]:
        """Papers of the evidence that the question calls by name, in the evidence's order."""
        papers = dict.fromkeys(piece.paper for piece in evidence)
        return [paper for paper in papers if any(contains_name(question, name) for name in self._names_of(paper))]


def select_quotes(asked: QuestionTerms, ranked: Sequence[Unit], named: Sequence[str] = ()) -> list[Unit]:
    """The units to quote, best first: a few for a plain question, of each paper some when several are asked for."""
    if len(named) > 1:
        items = [item for paper in named for item in _pick(_units_of(paper, ranked), PER_PAPER)][:MOST]
    elif SEVERAL.search(asked.text):
        firsts = [_units_of(paper, ranked)[:1] for paper in dict.fromkeys(unit.evidence.paper for unit in ranked)]
        items = [item for item in firsts if item[0].score >= WORTH * firsts[0][0].score][:MOST]
    else:
        items = _pick(ranked, USUAL)
        if named and items:
            items = _of_named_paper(_units_of(named[0], ranked), items)
    units = [unit for item in items for unit in item]
    framed = {(unit.evidence.number, *span) for unit in units for span in unit.frame}  # shown above the rows anyway
    return [
        unit
        for unit in units
        if not any(unit.evidence.number == n and a <= unit.start and unit.end <= b for n, a, b in framed)
    ]


def _of_named_paper(ranked: Sequence[Unit], items: list[Item]) -> list[Item]:
    """The items with the best ones of the only paper that the question names in front, be they among them or not.

    "What batch size does RoBERTa use?" asks RoBERTa's paper first, though another has more tables of batch sizes.
    """
    worth = [unit for unit in ranked if unit.score >= WORTH * items[0][0].score]
    own = _pick(worth, OF_NAMED)
    shown = {id(unit) for item in own for unit in item}
    return (own + [item for item in items if not any(id(unit) in shown for unit in item)])[:USUAL]


def _units_of(paper: str, ranked: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in ranked if unit.evidence.paper == paper]


def _pick(ranked: Sequence[Unit], count: int) -> list[Item]:
    """The best items. Rows come with the other good rows of their table; what was said already is left out."""
    items: list[Item] = []
    tables: dict[tuple[int, object], Item] = {}
    for unit in ranked:
        table = (unit.evidence.number, unit.frame)
        if unit.row and table in tables:
            if len(tables[table]) < ROWS and unit.score >= WORTH * items[0][0].score:
                tables[table].append(unit)
            continue
        if len(items) == count or (items and unit.score < WORTH * items[0][0].score):
            continue  # later rows may still belong to a table that was picked
        if items and unit.row and unit.evidence.paper != items[0][0].evidence.paper:
            continue  # a row says little without its paper: those of other papers than the best one's only distract
        if any(_are_alike(unit, other) for item in items for other in item):
            continue
        items.append([unit])
        if unit.row:
            tables[table] = items[-1]
    return items


def _are_alike(one: Unit, other: Unit) -> bool:
    """Whether two units say the same in the same words (an abstract and its introduction often do)."""
    if one.text == other.text and one.evidence.paper == other.evidence.paper:
        return True
    both, fewest = len(one.terms & other.terms), min(len(one.terms), len(other.terms))
    return not one.row and not other.row and fewest > 3 and both >= SAME * fewest


def compose_answer(
    chosen: Sequence[Unit],
    called: Callable[[str], str] = lambda paper: "",
    value: TableValue | None = None,
    asks_table: bool = False,
) -> Iterator[str]:
    """The answer's text: the `value` that is asked for, then a mark a line, table rows below their caption.

    Of several papers each is led by what it is `called`, by its title where that is empty. A table begins the answer
    where it is asked for, and where no sentence says as much.
    """
    papers = list(dict.fromkeys(unit.evidence.paper for unit in chosen))
    gap = ""
    if value is not None:
        yield f"{_lead_of(value, called)}{replace_marks(value.words)} [{value.unit.evidence.number}]"
        gap = "\n\n"
    for paper in papers:
        units = [unit for unit in chosen if unit.evidence.paper == paper]
        name = called(paper) or units[0].evidence.title or paper
        lead = f"{replace_marks(name)}: " if len(papers) > 1 else ""
        frame: list[str] = []
        for unit in _in_reading_order(units, with_table=asks_table or value is not None):
            # Also a caption and a table's head are a paper's words: each line has a mark that opens it.
            # A lone word ("Method") says nothing of a table, and is too little to be looked for on a page.
            lines = [line for a, b in unit.frame if len((line := unit.evidence.text[a:b]).split()) > 1]
            head = [f"{replace_marks(line)} [{unit.evidence.number}]" for line in lines]
            if head and head[0] in frame:
                gap = "\n"  # rows of one table stay together
            if new := [line for line in head if line not in frame]:
                yield gap + lead + "\n".join(new)
                gap, lead = "\n", ""
            frame = head
            yield f"{gap}{lead}{replace_marks(unit.text)} [{unit.evidence.number}]"
            gap, lead = "\n\n", ""


def _lead_of(value: TableValue, called: Callable[[str], str]) -> str:
    """The paper's name before a value, where the row's label does not say it: "LLaMA: 65.2B · learning rate"."""
    name = called(value.unit.evidence.paper)
    return f"{replace_marks(name)}: " if name and not contains_name(value.cell.row, name) else ""


def _in_reading_order(units: Sequence[Unit], with_table: bool = False) -> list[Unit]:
    """The best sentence first; then pages by their best unit, on one page as they stand there.

    `with_table`: a table stays in front of it where it is better.
    """
    best = units[0]
    stays = with_table or not (best.row or best.caption)
    sentence = next((unit for unit in units if not unit.row and not unit.caption), best)
    lead = sentence if not stays and _may_lead(sentence, best) else best
    pages = list(dict.fromkeys(unit.evidence.page for unit in units))
    return sorted(
        units,
        key=lambda unit: (
            unit is not lead or unit.row,
            pages.index(unit.evidence.page),
            unit.evidence.start + unit.start,
        ),
    )


def _may_lead(unit: Unit, best: Unit) -> bool:
    """Whether the best sentence stands before the better row or caption: it says as much of what is asked."""
    return _words_shared(unit) >= _words_shared(best) and not unit.text.rstrip().endswith(":")


def _words_shared(unit: Unit) -> float:
    return unit.features.get("own", 0.0) + unit.features.get("near", 0.0)
