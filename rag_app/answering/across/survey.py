"""Questions about all papers: "which papers use X", "what do the papers say about X"

Pure but for its parts. A paper is listed with the sentence or table row in which it speaks of X itself; papers that
only mention X in passing, of others' work, are named apart.

The answer to a question about all papers: every readable one is looked at, each is quoted that speaks of it
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag_app.answering.across.survey_topic import bare_topic
from rag_app.answering.across.topic_names import forms_in, resolve_names
from rag_app.answering.context import (
    TOKENS,
    AnswerContext,
    IndexTermStatistics,
    RetrievedEvidence,
    SurveyTopic,
    count_papers,
    find_best_rows,
    name_pattern,
    papers_in,
    short_name,
    summarise_search,
)
from rag_app.answering.quoting.ranking import Unit, score_units, units_of
from rag_app.answering.quoting.reader import NOT_IN_PAPERS, QuoteBuilder
from rag_app.answering.quoting.statements import is_no_statement, section_kind, statement_features
from rag_app.citations.marks import QUOTING, replace_marks
from rag_app.index.bm25 import extract_terms
from rag_app.index.manifest import IndexedPaper
from rag_app.models.embedder import SentenceEmbedder
from rag_app.records import Answer, AnswerPlan, Evidence, PageOf
from rag_app.retrieval.question_terms import QuestionTerms, Terms, TermStatistics, extract_question_terms

_DOING = re.compile(
    r"\b(?:evaluat|report|result|experiment|train|fine-?tun|test|score|outperform|improv|achiev|measur|compar|gain|"
    r"accurac|sampl|collect|use[sd]?\b|using)\w*",
    re.IGNORECASE,
)
_OVERVIEW = re.compile(r"\b(?:survey|review|roadmap|overview|tutorial)\b", re.IGNORECASE)

LONGEST_LIST = 40  # papers
LEAST = 1.0  # of a paper's best unit, by _worth: below, the paper only mentions the thing
# Where the topic holds no name: the share of its words in or around a sentence, the sentence's cosine with it, both.
LEAST_SHARE, LEAST_MEANING, LEAST_TOGETHER = 0.25, 0.33, 0.7
OF_BEST = 0.7  # of the nearest paper's: below, a paper does not speak of a topic without names
COMPARED = 10  # units of a paper, by meaning
SHARE_ALONE = 0.6  # of the words, where there is no meaning to compare


@dataclass(frozen=True)
class PaperFinding:
    """What one paper says of the topic: its best unit, how much that is worth, and whether it only mentions it."""

    paper: str
    unit: Unit
    worth: float
    in_passing: bool


def contains_topic(topic: SurveyTopic, text: str) -> bool:
    """Whether a text has the topic's names, in any spelling; true where the topic has none."""
    if not topic.names:
        return True
    found = [any(name_pattern(form).search(text) is not None for form in topic.spellings(name)) for name in topic.names]
    return any(found) if topic.either else all(found)


class Surveyor:
    """Looks at one paper after the other."""

    def __init__(
        self,
        topic: SurveyTopic,
        terms: Terms,
        library: TermStatistics | None,
        meaning: SentenceEmbedder | None,
        page_of: PageOf,
    ) -> None:
        self.topic = topic
        self.asked: QuestionTerms = extract_question_terms(bare_topic(topic.text), terms, library, ())
        self._terms = terms
        self._meaning = meaning
        self._page_of = page_of
        self._vector = meaning.embed_question(topic.text) if meaning is not None else None

    def survey_paper(self, paper: str, title: str, evidence: Sequence[Evidence]) -> PaperFinding | None:
        """The paper's best unit on the topic; None where it does not speak of it."""
        if not self.topic.names and not any(self._could_hold(piece) for piece in evidence):
            return None  # whichever unit is the best
        every = self._units(evidence)
        units = [unit for unit in every if contains_topic(self.topic, unit.framed_text)]
        if not units and len(self.topic.names) > 1:  # the paper names them all, though not in one breath
            units = [unit for unit in every if contains_topic(replace(self.topic, either=True), unit.framed_text)]
        if not units:
            return None
        self._add_terms(units)
        score_units(self.asked, units)
        if not self.topic.names:
            return self._find_nearest(paper, title, units) if _has_topic_words(units) else None
        best = max(units, key=self._worth)
        found = self._worth(best)
        if _OVERVIEW.search(title):
            found -= 1.6  # an overview lists what others do
        return PaperFinding(paper, best, found, in_passing=not self.topic.mentioned and found < LEAST)

    def _find_nearest(self, paper: str, title: str, units: Sequence[Unit]) -> PaperFinding | None:
        """The unit of a topic without names that is nearest to it by words and meaning; None where none is near."""
        close = sorted(units, key=lambda unit: -self._likeness(unit))[:COMPARED]
        if self._meaning is None or self._vector is None:
            best = close[0]
            return PaperFinding(paper, best, _nearness(best), False) if _topic_share(best) >= SHARE_ALONE else None
        for unit, vector in zip(close, self._meaning.embed_passages([unit.text for unit in close]), strict=True):
            unit.features["meaning"] = float(vector @ self._vector)
        near = [
            unit
            for unit in close
            if _topic_share(unit) >= LEAST_SHARE
            and unit.features["meaning"] >= LEAST_MEANING
            and _nearness(unit) >= LEAST_TOGETHER
        ]
        if not near:
            return None
        best = max(near, key=self._likeness)
        says = statement_features(best.text, best.evidence.section)
        others = says["others"] or (says["cites"] and not says["own_voice"]) or _OVERVIEW.search(title) is not None
        return PaperFinding(paper, best, _nearness(best), in_passing=bool(others) and not self.topic.mentioned)

    def _units(self, evidence: Sequence[Evidence]) -> list[Unit]:
        found = []
        for rank, piece in enumerate(evidence):
            for unit in units_of(piece, self._page_of(piece.paper, piece.page)):
                unit.rank = rank
                found.append(unit)
        return found

    def _add_terms(self, units: Sequence[Unit]) -> None:
        for unit in units:
            unit.terms = frozenset(self._terms(unit.text)) | self._meant_terms(unit)
            unit.near = frozenset(self._terms(f"{unit.before} {unit.after} {unit.evidence.section}"))

    def _meant_terms(self, unit: Unit) -> frozenset[str]:
        """The terms of names that the unit has in another form."""
        meant = (
            name
            for name, forms in self.topic.forms.items()
            if any(name_pattern(form).search(unit.framed_text) for form in forms)
        )
        return frozenset(term for name in meant for term in self._terms(name))

    def _could_hold(self, piece: Evidence) -> bool:
        """Whether a unit of the piece can have LEAST_SHARE of the topic's words: the piece has them all together."""
        here = frozenset(self._terms(f"{piece.text} {piece.section}"))
        weight = sum(weight for term, weight in self.asked.weights.items() if term in here)
        return weight / self.asked.total >= LEAST_SHARE

    def _worth(self, unit: Unit) -> float:
        """How surely the authors themselves do something with what the unit names."""
        page = self._page_of(unit.evidence.paper, unit.evidence.page)
        place = unit.evidence.start + unit.start
        section = next((block.section for block in page.blocks if block.start <= place < block.end), "")
        says = statement_features(unit.text, section)
        kind = section_kind(section)
        worth = unit.features["own"] + 0.3 * unit.features["near"]
        worth += 0.8 * says["own_voice"] + 0.3 * says["values"] + 0.7 * (kind == "doing") + 0.4 * (kind == "abstract")
        worth += 0.5 * bool(_DOING.search(unit.text)) + 0.7 * (unit.row or unit.caption)
        worth -= 1.0 * says["others"] + 0.8 * (kind == "related") + 0.3 * (kind == "opening") + 0.3 * says["cites"]
        worth -= 0.7 * is_no_statement(unit.text) * (not unit.row)
        return worth - 0.3 * says["lost"] * (not unit.row) - 0.5 * unit.features["short"]

    def _likeness(self, unit: Unit) -> float:
        says = statement_features(unit.text, unit.evidence.section)
        liked = 2 * unit.features["own"] + unit.features["near"] + 2 * unit.features["meaning"]
        return liked + 0.2 * says["own_voice"] - 0.4 * says["others"] - 0.4 * says["lost"] - 0.3 * says["about_text"]


def _topic_share(unit: Unit) -> float:
    """How much of the topic's words, by rarity, stand in the unit or, for half, around it."""
    return unit.features["own"] + 0.5 * unit.features["near"]


def _nearness(unit: Unit) -> float:
    """How near a unit is to a topic without names, by words and by meaning: 0 to 2."""
    return _topic_share(unit) + unit.features["meaning"]


def _has_topic_words(units: Sequence[Unit]) -> bool:
    return any(_topic_share(unit) >= LEAST_SHARE for unit in units)


def answer_survey(context: AnswerContext, topic: SurveyTopic) -> Answer:
    """Without id and times; "not_in_papers" when no paper speaks of the topic."""
    found, generation = context.evidence, context.generation
    entries = papers_in(generation, found.scope)
    readable = [entry for entry in entries if entry.passages and entry.paper not in topic.besides]
    topic = resolve_names(generation, topic)
    surveyor = Surveyor(topic, extract_terms, IndexTermStatistics(generation), context.meaning, found.page_of)
    rows_of = find_best_rows(context, topic)
    findings = []
    for entry in readable:
        if context.stop.is_set():
            break
        rows = rows_of(entry)
        surveyor.topic = forms_in(generation, topic, entry)
        finding = surveyor.survey_paper(entry.paper, entry.title, context.read_passages(rows, TOKENS)) if rows else None
        if finding is not None:
            findings.append(finding)
    if not topic.names:  # what one paper says outright, others only touch
        best = max((one.worth for one in findings), default=0.0)
        findings = [one for one in findings if one.worth >= OF_BEST * best]
    return _compose_list(found, topic, entries, len(readable), findings)


def _compose_list(
    found: RetrievedEvidence,
    topic: SurveyTopic,
    entries: Sequence[IndexedPaper],
    looked: int,
    findings: Sequence[PaperFinding],
) -> Answer:
    said = sorted((one for one in findings if not one.in_passing), key=lambda one: -one.worth)
    quotes = QuoteBuilder(found.page_of)
    names = {entry.paper: short_name(entry) for entry in entries}
    blocks = [
        f"{replace_marks(names[one.paper])}: {quotes.quote_line(one.unit, found.question)}"
        for one in said[:LONGEST_LIST]
    ]
    notes = [f"Looked at {count_papers(looked)}, one by one; listed: {len(said)}."] if said else []
    passing = [names[one.paper] for one in findings if one.in_passing]
    if passing:
        notes.append(f"Mentioned only in passing, or in others' work, in: {', '.join(passing)}.")
    unreadable = [entry.paper for entry in entries if not entry.passages]
    if unreadable:
        notes.append(f"Not readable, so not searched: {', '.join(unreadable)}.")
    plan = AnswerPlan(
        "survey", tuple(one.paper for one in said), tuple(names[one.paper] for one in said), (topic.text,), looked
    )
    answer = Answer("", found.question, "answered", "\n\n".join(blocks), QUOTING, tuple(quotes.citations), plan=plan)
    if not said:
        answer = Answer("", found.question, "not_in_papers", NOT_IN_PAPERS, QUOTING, plan=plan)
    return replace(answer, notes=tuple(notes), searched=summarise_search(entries, looked, answer))
