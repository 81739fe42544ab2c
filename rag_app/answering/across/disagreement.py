"""Where papers disagree: pairs of quoted claims that say opposite things of the same matter.

Pure but for its parts. Careful: better no pair than a false one. Two claims are a pair only when they share what they
speak of, nearly all of it, or are measured against the same by name, and one says that it helps where the other says
that it does not.

The answer to where papers disagree: pairs of opposed claims, each quoted, with the conditions that differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag_app.answering.across.table_figures import (
    Figure,
    extract_figures,
    find_named_things,
    name_initials,
    pair_figures,
)
from rag_app.answering.context import (
    TOKENS,
    AnswerContext,
    IndexTermStatistics,
    SurveyTopic,
    count_papers,
    find_best_rows,
    papers_in,
    rows_with_name,
    short_name,
    summarise_search,
)
from rag_app.answering.quoting.ranking import Unit, rank_units, units_of
from rag_app.answering.quoting.reader import QuoteBuilder, remove_marks
from rag_app.answering.quoting.statements import statement_features, without_citations
from rag_app.citations.marks import QUOTING, replace_marks
from rag_app.index.bm25 import extract_terms
from rag_app.index.manifest import IndexedPaper
from rag_app.records import Answer, AnswerPlan, Evidence
from rag_app.retrieval.question_terms import extract_question_terms
from rag_app.text.terms import content_words, find_names, light_stem, number_values, squash

_ASKS = re.compile(
    r"\b(?:disagree\w*|contradict\w*|conflict(?:ing|s)?|inconsisten\w+|(?:say|claim|report|find) (?:the )?opposite)\b",
    re.IGNORECASE,
)
_TOPIC = re.compile(r"\b(?:about|on|over|regarding|concerning|whether|as to)\s+(?P<topic>[^?]+)", re.IGNORECASE)
_UP = re.compile(
    r"\b(?:improv\w+|increas\w+|outperform\w*|help(?:s|ed|ful)?|benefi\w+|better|boost\w*|gain\w*|higher|superior|effective|"
    r"enhanc\w+|useful|positively|surpass\w*|exceed\w*|essential|necessary|crucial)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:degrad\w+|decreas\w+|reduc\w+|hurt\w*|harm\w*|wors\w+|underperform\w*|drop\w*|declin\w+|lower|inferior|"
    r"ineffective|detrimental|negatively|fail\w*|useless|deteriorat\w+|unnecessary|unhelpful)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not(?! only)|no|never|cannot|without|hardly|little|less|least|neither|nor|fails? to|does ?n[o’']t|"
    r"do ?n[o’']t)\b",
    re.I,
)
# "contexts that are unhelpful": the word tells which ones are meant, and not what is claimed of them.
_TELLS_WHICH = re.compile(r"\b(?:that|which|who)\s+(?:is|are|was|were|may be|can be)\s+(?:\w+ly\s+)?$", re.IGNORECASE)
_BY = re.compile(r"(?:outperformed|surpassed|exceeded)\s+(?:\w+\s+)?by\b", re.IGNORECASE)  # "are outperformed by BM25"
_AGAINST = re.compile(
    r"\b(?:than|outperform(?:s|ing)?|surpass(?:es|ing)?|exceed(?:s|ing)?|underperform(?:s|ing)?|"
    r"(?:outperformed|surpassed|exceeded)\s+by)\s+(?P<what>[^,;:.]{1,60})",
    re.IGNORECASE,
)
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
_VERSUS = re.compile(r"\b(?:versus|vs\.?|against|compared (?:to|with)|instead of)\b", re.IGNORECASE)
# "increasing the number of passages hurts": what is changed, and not what comes of it.
_CHANGED = re.compile(
    r"(?:\b(?:by|when|while|of|as|with|if)\s+|^\W*(?:\w+,\s+)?)(?:increas|decreas|reduc|boost|improv|enhanc)ing\b", re.I
)
# A fall in these is good news: the words of direction then say nothing of who is right.
_COSTS = re.compile(
    r"\b(?:error|loss|perplexity|latency|cost|time|memory|hallucinat\w*|toxic\w*|parameters|overhead|"
    r"dispar\w+|gaps?|varian\w+|variab\w+|bias\w*|sensitiv\w*|nois[ey]\w*|risks?|burden|reliance|dependen\w+|"
    r"redundan\w+|complexity|effort|ambigu\w+|uncertain\w*|expens\w+)\b",
    re.I,
)
# "removing the NSP loss slightly improves": what is done, to what, and shortly after what comes of it.
_ACT = re.compile(r"\b(?P<done>[a-z]{3,}ing)\s+(?=(?P<rest>(?:[\w-]+\s+){1,9}[\w-]+))")
# "In Table 5", "in contrast to Devlin et al.", "SQuAD 1.1": no condition of a claim.
_ELSEWHERE = re.compile(
    r"\b(?:Table|Figure|Fig\.|Section|Appendix)\s?[\dA-Z][\d.]*|\b[A-Z][\w-]+(?:\s+and\s+[A-Z][\w-]+)?(?=\s+et al\b)"
    r"|(?<=[a-z][A-Z]\s)\d+\.\d+\b"
)
_NAMED_LOSS = re.compile(r"\b[A-Z][A-Z\d]+ loss(?:es)?\b")  # "removing the NSP loss": a part of the method
_GUARDED = re.compile(
    r"\b(?:may|might|could|whether|if|would|hypothes\w+|expect\w*|assum\w+|question|misconceptions?|myth|"
    r"beliefs?|believed?|suppos\w+|intuiti\w+|goal|aim\w*|in order to|designed to)\b",
    re.IGNORECASE,
)

LEAST_SHARED = 3  # words of the matter that both claims hold, beside the words of direction
LONGEST_OBJECT = 4  # words behind "removing" that may name what is removed
LEAST_ALIKE = 0.62  # cosine of the two claims
MOST_PAIRS = 5


@dataclass(frozen=True)
class DirectedClaim:
    """A claim of one paper, and its direction: 1 for better, -1 for worse."""

    unit: Unit
    direction: int
    words: frozenset[str]
    against: frozenset[str] = frozenset()  # what it is better or worse than, by name
    acts: frozenset[tuple[str, str]] = frozenset()  # what was done to what, by name, that is said to help or to hurt


@dataclass(frozen=True)
class OpposedPair:
    """Two claims of different papers that point in opposite directions, and how their conditions differ."""

    one: Unit
    other: Unit
    conditions: tuple[str, str]  # names and numbers that only the one, only the other, holds


def asks_for_disagreement(question: str) -> bool:
    """Whether a question asks where papers disagree."""
    return _ASKS.search(question) is not None


def disagreement_topic(question: str) -> str:
    """What the papers may disagree about; the whole question when it does not say."""
    found = _TOPIC.search(question)
    return found["topic"].strip(" .?!") if found else question


def direction_of(text: str) -> int:
    """1 when a claim says better, -1 when worse, 0 when it says both, neither, or only perhaps."""
    bare = without_citations(text)
    if _GUARDED.search(bare) or _COSTS.search(_NAMED_LOSS.sub(" ", bare)):
        return 0
    bare = _CHANGED.sub(" ", bare)
    up, down = _find_direction_word(_UP, bare), _find_direction_word(_DOWN, bare)
    if (up is None) == (down is None):
        return 0
    found = up or down
    assert found is not None
    before = re.split(r"[,;:]", bare[max(0, found.start() - 40) : found.start()])[-1]
    turned = (_NOT.search(before) is not None) != (_BY.match(bare, found.start()) is not None)
    return (1 if up else -1) * (-1 if turned else 1)


def find_baselines(text: str) -> frozenset[str]:
    """The names that a claim is better or worse than: BM25 in "DPR is better than BM25", as they are compared."""
    bare = without_citations(text)
    return frozenset(squash(name) for match in _AGAINST.finditer(bare) for name in find_names(f"x {match['what']}"))


def _find_direction_word(direction: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first word of direction that is claimed of something."""
    return next((m for m in direction.finditer(text) if not _TELLS_WHICH.search(text[: m.start()])), None)


def select_claims(units: Sequence[Unit]) -> list[DirectedClaim]:
    """The units that are claims of the authors' own with a direction."""
    found = []
    for unit in units:
        says = statement_features(unit.text, unit.evidence.section)
        if unit.row or unit.caption or says["others"] or says["lost"] or says["about_text"]:
            continue
        direction = direction_of(unit.text)
        if direction:
            bare = _DOWN.sub(" ", _UP.sub(" ", without_citations(unit.text)))
            found.append(DirectedClaim(unit, direction, _words(bare), find_baselines(unit.text), find_acts(unit.text)))
    return found


def find_acts(text: str) -> frozenset[tuple[str, str]]:
    """What is done to what by name, with a word of direction shortly behind: ("remov", "nsp")."""
    found = set()
    for match in _ACT.finditer(without_citations(text)):
        said = _find_direction_word(_UP, match["rest"]) or _find_direction_word(_DOWN, match["rest"])
        what = match["rest"][: said.start()].split()[:LONGEST_OBJECT] if said else []
        found |= {(light_stem(match["done"]), squash(name)) for name in find_names(f"x {' '.join(what)}")}
    return frozenset(found)


def _words(text: str) -> frozenset[str]:
    """The content words; "fine-tuning" is one, else two claims would share two words by sharing it."""
    return frozenset(content_words(_HYPHEN.sub("", text)))


def find_opposed_pairs(claims: Sequence[DirectedClaim], topic: str) -> list[OpposedPair]:
    """Opposed claims of different papers about the topic, the surest first, at most MOST_PAIRS; each claim once."""
    bare = _VERSUS.sub(" ", topic)
    # "whether removing NSP hurts": that it hurts is what they disagree on, and one of them says the opposite.
    wanted = _words(_DOWN.sub(" ", _UP.sub(" ", bare))) or _words(bare)
    found = sorted(_score_opposed_pairs(claims, wanted), key=lambda one: -one[0])
    used: set[int] = set()
    kept: list[OpposedPair] = []
    for _, one, other in found:
        if id(one.unit) in used or id(other.unit) in used:
            continue
        used |= {id(one.unit), id(other.unit)}
        kept.append(
            OpposedPair(
                one.unit,
                other.unit,
                (_distinct_conditions(one.unit, other.unit), _distinct_conditions(other.unit, one.unit)),
            )
        )
    return kept[:MOST_PAIRS]


def _score_opposed_pairs(
    claims: Sequence[DirectedClaim], wanted: frozenset[str]
) -> Iterator[tuple[float, DirectedClaim, DirectedClaim]]:
    for place, one in enumerate(claims):
        for other in claims[place + 1 :]:
            if one.unit.evidence.paper == other.unit.evidence.paper or one.direction == other.direction:
                continue
            shared = one.words & other.words
            same = one.acts & other.acts or _have_same_baseline(one, other, wanted)
            if same and _is_about(one, wanted) and _is_about(other, wanted):
                yield 1.0 + 0.05 * len(shared), one, other
                continue
            if len(shared) < LEAST_SHARED or not wanted or not wanted <= shared:
                continue
            if one.unit.vector is None or other.unit.vector is None:
                continue
            alike = float(one.unit.vector @ other.unit.vector)
            if alike >= LEAST_ALIKE:
                yield alike + 0.05 * len(shared), one, other


def _have_same_baseline(one: DirectedClaim, other: DirectedClaim, wanted: frozenset[str]) -> bool:
    """Whether both are measured against the same, and the topic says what is: "GPT-3" alone does not."""
    same = one.against & other.against
    return bool(same) and not all(any(squash(word) in name for name in same) for word in wanted)


def _is_about(claim: DirectedClaim, wanted: frozenset[str]) -> bool:
    """Whether a claim speaks of the whole topic, in its own words or by its paper's title."""
    return wanted <= claim.words | _words(claim.unit.evidence.title)


def _distinct_conditions(one: Unit, other: Unit) -> str:
    """The names and numbers by which one claim's conditions differ from the other's."""
    bare, against = (without_citations(_ELSEWHERE.sub(" ", unit.text)) for unit in (one, other))
    held = squash(against)
    own = [name for name in find_names(bare) if squash(name) not in held]
    numbers = [
        text for text in re.findall(r"\d+(?:\.\d+)?\s?%?", bare) if not number_values(text) & number_values(against)
    ]
    return ", ".join(dict.fromkeys([*own, *(number.strip() for number in numbers)]))


def answer_disagreement(context: AnswerContext) -> Answer:
    """Without id and times; "not_in_papers" when no two claims oppose each other."""
    found, generation = context.evidence, context.generation
    topic = disagreement_topic(found.question)
    named = context.question.named_papers
    entries = papers_in(generation, found.scope)
    looked = [entry for entry in entries if entry.passages and (len(named) < 2 or entry.paper in named)]
    rows_of = find_best_rows(context, SurveyTopic(topic, (), either=False, mentioned=True))
    claims = select_claims(list(_units_on(context, topic, looked, rows_of)))
    for claim, vector in zip(claims, _vectors(context, [claim.unit.text for claim in claims]), strict=True):
        claim.unit.vector = vector
    figures = [figure for entry in looked for figure in _figures_on(context, topic, entry)]
    quotes = QuoteBuilder(found.page_of)

    def lines(*said: tuple[Unit, str]) -> str:
        shown = []
        for unit, condition in said:
            name = replace_marks(short_name(generation.by_paper[unit.evidence.paper]))
            told = [part for part in condition.split(", ") if part and squash(part) != squash(name)]
            only = f" (only here: {remove_marks(', '.join(told))})" if told else ""
            shown.append(f"{name}{only}:\n{quotes.quote_line(unit, topic)}")
        return "\n".join(shown)

    blocks = [
        f"{remove_marks(pair.title)}:\n{lines(*((f.unit, pair.conditions(f)) for f in (pair.one, pair.other)))}"
        for pair in pair_figures(figures, topic)[:MOST_PAIRS]
    ]
    blocks += [
        lines((pair.one, pair.conditions[0]), (pair.other, pair.conditions[1]))
        for pair in find_opposed_pairs(claims, topic)
    ]
    plan = AnswerPlan(
        "disagreement", tuple(e.paper for e in looked), tuple(map(short_name, looked)), (topic,), len(looked)
    )
    notes = (
        f"Looked at {count_papers(len(looked))}, {len(claims)} claims and {len(figures)} table figures: "
        f"{len(blocks)} opposed {'pair' if len(blocks) == 1 else 'pairs'}. Only claims in similar words were compared, "
        "and table figures with similar names.",
    )
    if not blocks:
        text = "No contradictory claims were found."
        answer = Answer("", found.question, "not_in_papers", text, QUOTING, plan=plan, notes=notes)
    else:
        text = "\n\n".join(blocks)
        answer = Answer("", found.question, "answered", text, QUOTING, tuple(quotes.citations), plan=plan, notes=notes)
    return replace(answer, searched=summarise_search(entries, len(looked), answer))


def _figures_on(context: AnswerContext, topic: str, entry: IndexedPaper) -> Iterator[Figure]:
    """The figures of the paper's tables, on the pages where it names what the topic names."""
    things = find_named_things(topic)
    if not things:
        return
    rows = np.unique(
        np.concatenate([rows_with_name(context.generation, name) for name in (*things, *map(name_initials, things))])
    )
    own = rows[(entry.first <= rows) & (rows < entry.first + entry.passages)]
    pages = dict.fromkeys(passage.page for passage in context.generation.passages([int(row) for row in own]))
    for number in pages:
        page = context.evidence.page_of(entry.paper, number)
        if not any(block.kind == "table" for block in page.blocks):
            continue
        title, digest = context.title_of(entry.paper)
        piece = Evidence(number, entry.paper, title, number, page.label, "", 0, len(page.text), page.text, digest)
        for unit in units_of(piece, page):
            yield from extract_figures(unit, page)


def _units_on(
    context: AnswerContext, topic: str, entries: Iterable[IndexedPaper], rows_of: Callable[[IndexedPaper], list[int]]
) -> Iterable[Unit]:
    for entry in entries:
        evidence = context.read_passages(rows_of(entry), TOKENS)
        asked = extract_question_terms(topic, extract_terms, IndexTermStatistics(context.generation), evidence)
        yield from (
            u
            for u in rank_units(asked, evidence, extract_terms, None, context.evidence.page_of)[:30]
            if u.features["own"] > 0
        )


def _vectors(context: AnswerContext, texts: Sequence[str]) -> Sequence[np.ndarray]:
    return list(context.meaning.embed_passages(texts)) if texts else []
