"""Which sentences and table rows of the evidence speak to a question, and how strongly. Pure but for its parts.

Every unit gets a few plain features (words shared, meaning, the kind of answer asked for, rank of its passage); their
weights were fitted by benchmarks/calibrate_refusal.py on sentences that people marked as answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Literal, Protocol

import numpy as np

from rag_app.claims import content_words, names, numbers, squash
from rag_app.records import BlockKind, Evidence, Page
from rag_app.text import sentences

PageOf = Callable[[str, int], Page]
Terms = Callable[[str], list[str]]
Kind = Literal["number", "name", "date", "description"]

REACH = 2  # units on each side that lend a unit their context
CLOSE_LOOKS = 80  # units whose meaning is compared: the best by words and rank

_NUMERIC = re.compile(r"[(±+\-–−]?[\d.,]*\d[\d.,]*[%kKMB)]?|[-–—✓✗×±/|]+")
_CAPTION = re.compile(r"(?:Table|Figure|Fig\.|Algorithm|Listing)\s*[A-Z]?\.?\d+", re.IGNORECASE)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|large|big|long|far|often|high|low|well|fast|small|deep|old|accurate|strong)\b"
    r"|\b(?:what|which)\b[^,;?]{0,60}\b(?:scores?|accurac(?:y|ies)|recall|precision|f1|em|ndcg\S*|mrr|bleu|rouge|perplexity"
    r"|percent(?:age)?|share|fraction|proportion|number|size|rates?|thresholds?|weights?|ratio|latency|probability|steps"
    r"|correlation|tau|temperature|exact match|values?|cost|win rate|gain|improvement|speedup|length|dimension)\b",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"\b(?:what|which)\b[^,;?]{0,40}\b(?:datasets?|data sets?|corpora|corpus|models?|methods?|algorithms?|optimi[sz]ers?"
    r"|benchmarks?|languages?|retrievers?|encoders?|architectures?|baselines?|tools?|metrics?|tasks?|papers?)\b"
    r"|\bwho\b|\bwhere\b",
    re.IGNORECASE,
)
_ASKS_DATE = re.compile(r"\bwhen\b(?=.{0,10}\b(?:was|were|did|is)\b)|\b(?:what|which|in which) year\b", re.IGNORECASE)


SENTENCE_WEIGHTS = {
    "own": 2.0,
    "near": 1.5,
    "number": 1.0,
    "name": 0.2,
    "row_for_number": 0.5,
    "caption": -0.8,
    "rank": 0.8,
    "short": -0.6,
    "open": -0.2,
    "formula": -0.5,
    "meaning": 2.0,
    "around": 1.0,
}


class Library(Protocol):
    """What the whole index knows about words; passages are its unit."""

    size: int

    def frequency(self, term: str) -> int:
        """In how many passages the term occurs."""
        ...

    def together(self, paper: str, terms: Sequence[str]) -> int:
        """In how many passages of the paper all the terms occur."""
        ...


class Meaning(Protocol):
    """The part of an embedder that is needed here."""

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray: ...

    def embed_question(self, text: str) -> np.ndarray: ...


@dataclass(frozen=True)
class Asked:
    """A question taken apart: its terms with their weight, the names in it, and the kinds of answer it wants."""

    text: str
    weights: dict[str, float]  # term -> how rare it is, 0..1
    names: tuple[str, ...]
    kinds: frozenset[Kind]
    values: frozenset[str] = frozenset()  # numbers that the question itself holds, as digits

    @property
    def total(self) -> float:
        return sum(self.weights.values()) or 1.0


def take_apart(question: str, terms: Terms, library: Library | None, evidence: Sequence[Evidence]) -> Asked:
    """The question as features see it. Without a library, rarity is estimated from the evidence."""
    wanted = list(dict.fromkeys(term for term in terms(question) if not _is_filler(term)))
    if library is not None and library.size:
        size = library.size
        wanted = list(dict.fromkeys(_known_spelling(term, library) for term in wanted))
        counts = {term: library.frequency(term) for term in wanted}
    else:
        pieces = [set(terms(piece.text)) for piece in evidence]
        size = len(pieces) + 1
        counts = {term: sum(term in piece for piece in pieces) for term in wanted}
    weights = {term: log((size + 1) / (counts[term] + 0.5)) / log(2 * size + 2) for term in wanted}
    kinds: set[Kind] = set()
    for kind, pattern in _PATTERNS:
        if pattern.search(question):
            kinds.add(kind)
    values = frozenset(re.findall(r"\d+(?:\.\d+)?", question))
    return Asked(question, weights, tuple(names(question)), frozenset(kinds or {"description"}), values)


_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("number", _ASKS_NUMBER),
    ("name", _ASKS_NAME),
    ("date", _ASKS_DATE),
)
_FILLERS = frozenset(
    word
    for text in ("much many compare compared differ paper papers set author authors study work reach reaches reported",)
    for words in (text.split(), content_words(text), content_words("obtain obtains achieve achieves report show shows"))
    for word in words
)


def _known_spelling(term: str, library: Library) -> str:
    """British "quantis(ed)" and "colour" as the library spells them, when it does not know the question's spelling."""
    if library.frequency(term) == 0:
        for british, american in (("is", "iz"), ("ys", "yz"), ("our", "or"), ("ll", "l")):
            other = american.join(term.rsplit(british, 1))
            if other != term and library.frequency(other):
                return other
    return term


def _is_filler(term: str) -> bool:
    return term in _FILLERS


@dataclass(eq=False)
class Unit:
    """A sentence, or a table row with its caption and head, of one piece of evidence."""

    evidence: Evidence
    start: int  # offsets into evidence.text
    end: int
    row: bool = False
    caption: bool = False
    frame: tuple[tuple[int, int], ...] = ()  # of a row: its caption and head, as offsets into evidence.text
    before: str = ""  # the neighbouring units, REACH of them on each side
    after: str = ""
    terms: frozenset[str] = frozenset()
    near: frozenset[str] = frozenset()  # terms of the neighbours, the frame, the section and the title
    features: dict[str, float] = field(default_factory=dict)
    score: float = 0.0
    rank: int = 0  # of its piece of evidence, from 0
    vector: np.ndarray | None = None  # float32 (dimension,), of the likeliest units only

    @property
    def text(self) -> str:
        return self.evidence.text[self.start : self.end]

    @property
    def framed(self) -> str:
        """The text with what makes a row readable in front."""
        return " ".join([*(self.evidence.text[a:b] for a, b in self.frame), self.text])


def units_of(piece: Evidence, page: Page | None = None) -> list[Unit]:
    """The quotable units of one piece of evidence, in order. Rows know the caption and the head they stand under.

    The page, where it is at hand, says what is a table, a caption or a heading; else the look of a line must do.
    """
    spans = [(a, b) for a, b in sentences(piece.text) if any(c.isalnum() for c in piece.text[a:b])]
    texts = [piece.text[a:b] for a, b in spans]
    kinds = [_kind(piece, page, span, text) for span, text in zip(spans, texts, strict=True)]
    units = []
    for number, (start, end) in enumerate(spans):
        if kinds[number] in ("heading", "bibliography", "furniture") or len(texts[number].split()) < 2:
            continue  # a lone cell of a table proves nothing
        row = kinds[number] == "table" and any(c.isdigit() for c in texts[number])
        units.append(
            Unit(
                piece,
                start,
                end,
                row,
                caption=kinds[number] == "caption",
                frame=_frame(spans, texts, kinds, number) if row else (),
                before=" ".join(texts[max(0, number - REACH) : number]),
                after=" ".join(texts[number + 1 : number + 1 + REACH]),
            )
        )
    return units


def _kind(piece: Evidence, page: Page | None, span: tuple[int, int], text: str) -> BlockKind:
    place = piece.start + span[0]
    if page is not None:
        for block in page.blocks:
            if block.start <= place < block.end:
                return block.kind
    if is_row(text):
        return "table"
    return "caption" if _CAPTION.match(text) else "body"


def is_row(text: str) -> bool:
    """Whether a line looks like a row of a table: at least two numbers, and every third word is one."""
    words = text.split()
    figures = sum(1 for word in words if _NUMERIC.fullmatch(word))
    return figures >= 2 and any(c.isdigit() for c in text) and figures * 3 >= len(words)


def _frame(
    spans: Sequence[tuple[int, int]], texts: Sequence[str], kinds: Sequence[BlockKind], number: int
) -> tuple[tuple[int, int], ...]:
    """Caption and head of the table that row `number` stands in, as far as the evidence holds them."""
    first, last = number, number
    while first and kinds[first - 1] == "table":
        first -= 1
    while last + 1 < len(kinds) and kinds[last + 1] == "table":
        last += 1
    # The caption's own sentence opens with "Table 3"; what follows it in the caption is commentary.
    nearby = (*range(first - 1, max(-1, first - 5), -1), *range(last + 1, min(len(texts), last + 5)))
    captions = [place for place in nearby if _CAPTION.match(texts[place])]
    frame = [spans[place] for place in captions[:1]]
    head = next((place for place in range(first, min(number, first + 3)) if not is_row(texts[place])), None)
    if head is not None and len(texts[head]) < 240:
        frame.append(spans[head])
    return tuple(frame)


def rank_units(
    asked: Asked,
    evidence: Sequence[Evidence],
    terms: Terms,
    meaning: Meaning | None,
    page_of: PageOf | None = None,
) -> list[Unit]:
    """All units of the evidence with features and score, best first. Only the likeliest are compared by meaning."""
    found: list[Unit] = []
    for rank, piece in enumerate(evidence):
        around = frozenset(terms(f"{piece.title} {piece.section}"))
        for unit in units_of(piece, page_of(piece.paper, piece.page) if page_of else None):
            unit.rank = rank
            unit.terms = frozenset(terms(unit.text))
            near = terms(f"{unit.before} {unit.after} {' '.join(piece.text[a:b] for a, b in unit.frame)}")
            unit.near = frozenset(near) | around
            found.append(unit)
    score_units(asked, found)
    found.sort(key=lambda unit: -unit.score)
    if meaning is not None and found:
        close = found[:CLOSE_LOOKS]
        for unit, vector in zip(close, meaning.embed_passages([unit.framed for unit in close]), strict=True):
            unit.vector = vector
        score_units(asked, close, meaning.embed_question(asked.text))
        found = sorted(close, key=lambda unit: -unit.score) + found[CLOSE_LOOKS:]
    return found


def score_units(asked: Asked, units: Sequence[Unit], question: np.ndarray | None = None) -> None:
    """Give the units features and score for a question; `question` is its vector, float32 (dimension,)."""
    for unit in units:
        unit.features = _features(asked, unit)
        if question is not None and unit.vector is not None:
            unit.features["meaning"] = float(unit.vector @ question)
    for unit in units:
        if question is not None:
            unit.features["around"] = max(
                (other.features["meaning"] for other in units if _are_neighbours(unit, other)), default=0.0
            )
        unit.score = sum(SENTENCE_WEIGHTS.get(name, 0.0) * value for name, value in unit.features.items())


def _are_neighbours(one: Unit, other: Unit) -> bool:
    return one is not other and one.evidence is other.evidence and -300 < other.start - one.start < 300


def _features(asked: Asked, unit: Unit) -> dict[str, float]:
    own = sum(weight for term, weight in asked.weights.items() if term in unit.terms)
    near = sum(weight for term, weight in asked.weights.items() if term in unit.near and term not in unit.terms)
    length = len(unit.text.split())
    return {
        "own": own / asked.total,
        "near": near / asked.total,
        "number": float("number" in asked.kinds and _has_new_number(asked, unit)),
        "name": float("name" in asked.kinds and _has_new_name(asked, unit)),
        "date": float("date" in asked.kinds and bool(re.search(r"\b(?:1[5-9]|20)\d\d\b|\bcentury\b", unit.text))),
        "row": float(unit.row),
        "row_for_number": float(unit.row and "number" in asked.kinds),
        "caption": float(unit.caption),
        "rank": 1 / (1 + unit.rank),
        "short": float(length < 6 and not unit.row),
        "long": float(length > 50),
        "open": float(not unit.row and not unit.text.rstrip("\"'”’)]0123456789").endswith((".", "!", "?"))),
        "formula": float(_is_formula(unit)),
        "meaning": 0.0,
        "around": 0.0,
    }


def _is_formula(unit: Unit) -> bool:
    """Whether single characters make up much of a sentence: mathematics that PDF text has taken apart."""
    words = unit.text.split()
    return not unit.row and sum(len(word) == 1 for word in words) > 0.3 * len(words)


def _has_new_number(asked: Asked, unit: Unit) -> bool:
    """Whether the unit holds a number that the question does not already have."""
    digits = re.findall(r"\d+(?:\.\d+)?", unit.text)
    return bool(numbers(unit.text)) and any(value not in asked.values for value in digits)


def _has_new_name(asked: Asked, unit: Unit) -> bool:
    known = {squash(name) for name in asked.names}
    return any(squash(name) not in known for name in names(unit.text))
