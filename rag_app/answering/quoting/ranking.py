"""Which sentences and table rows of the evidence speak to a question, and how strongly. Pure but for its parts.

Every unit gets a few plain features (words shared, meaning, the kind of answer asked for, rank of its passage); their
weights were fitted by benchmarks/calibrate_refusal.py on sentences that people marked as answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rag_app.answering.quoting.statements import is_no_statement
from rag_app.citations.table_cells import find_caption_span
from rag_app.models.embedder import SentenceEmbedder
from rag_app.records import BlockKind, Evidence, Page, PageOf
from rag_app.retrieval.question_terms import QuestionTerms, Terms
from rag_app.text.sentences import MARK_BEFORE, sentences
from rag_app.text.terms import find_names, find_numbers, number_words, squash

REACH = 2  # units on each side that lend a unit their context
REASON_AT = 0.3  # of the question that a sentence has to share before its "because" counts
CLOSE_LOOKS = 40  # units whose meaning is compared: the best by words and rank

_NUMERIC = re.compile(r"[(±+\-–−]?[\d.,]*\d[\d.,]*[%kKMB)]?|[-–—✓✗×±/|]+")
_CAPTION = re.compile(r"(?:Table|Figure|Fig\.|Algorithm|Listing)\s*[A-Z]?\.?\d+", re.IGNORECASE)
_SUPERSCRIPTS = "\u00b9\u00b2\u00b3\u2070\u2074-\u2079"
_MARKS_BEFORE = re.compile(rf"(?:[•▪◦‣●○∙]\s*|{MARK_BEFORE.pattern})+")
_MARKS_BEHIND = re.compile(rf"(?<=[.!?])(?:\s*[{_SUPERSCRIPTS}†‡]+)+$")
SENTENCE_WEIGHTS = {
    "own": 2.0,
    "near": 1.5,
    "number": 1.0,
    "name": 0.2,
    "row_for_number": 0.5,
    "crossing": 1.0,  # a row whose label is asked for, under a head that is asked for
    "defines": 2.0,
    "reason": 1.2,
    "caption": -0.8,
    "rank": 0.8,
    "short": -0.6,
    "open": -0.2,
    "formula": -0.5,
    "no_statement": -1.5,
    "meaning": 2.0,
    "around": 1.0,
}


_REASONS = re.compile(
    r"\b(?:because|since|due to|so that|in order to|as a result|thus|therefore|hence|thereby"
    r"|which (?:allows?|leads?|means?)"
    r"|to (?:improve|avoid|prevent|reduce|ensure|enable|allow|increase|mitigate|address|maximi[sz]e|minimi[sz]e))\b",
    re.IGNORECASE,
)


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
    place: int = 0  # among all units by words and rank, from 0: before meaning was compared
    vector: np.ndarray | None = None  # float32 (dimension,), of the likeliest units only

    @property
    def text(self) -> str:
        return self.evidence.text[self.start : self.end]

    @property
    def framed_text(self) -> str:
        """The text with what makes a row readable in front."""
        return " ".join([*(self.evidence.text[a:b] for a, b in self.frame), self.text])


def units_of(piece: Evidence, page: Page | None = None) -> list[Unit]:
    """The quotable units of one piece of evidence, in order. Rows know the caption and the head they stand under.

    The page, where it is at hand, says what is a table, a caption or a heading; else the look of a line must do.
    """
    spans = [(a, b) for a, b in sentences(piece.text) if any(c.isalnum() for c in piece.text[a:b])]
    texts = [piece.text[a:b] for a, b in spans]
    kinds = [_kind(piece, page, span, text) for span, text in zip(spans, texts, strict=True)]
    captions = _Captions(piece, page, spans)
    units = []
    for number, span in enumerate(spans):
        start, end = _trim_marks(piece.text, *span) if kinds[number] != "table" else span
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
                frame=_frame(spans, texts, kinds, number, captions) if row else (),
                before=" ".join(texts[max(0, number - REACH) : number]),
                after=" ".join(texts[number + 1 : number + 1 + REACH]),
            )
        )
    return units


def _trim_marks(text: str, start: int, end: int) -> tuple[int, int]:
    """text[start:end] without a bullet or a footnote's mark at its head, and without a footnote's mark at its tail."""
    before, behind = _MARKS_BEFORE.match(text, start, end), _MARKS_BEHIND.search(text[start:end])
    return before.end() if before else start, start + behind.start() if behind else end


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


class _Captions:
    """The captions of the tables of one piece of evidence, by where they stand on the page."""

    def __init__(self, piece: Evidence, page: Page | None, spans: Sequence[tuple[int, int]]) -> None:
        self._piece, self._page, self._spans = piece, page, spans
        self._found: dict[int, tuple[int, int] | None] = {}  # by the block in which the table stands

    def find(self, start: int) -> tuple[int, int] | None:
        """The caption's first sentence, with what names the table in front: offsets into the evidence's text.

        None where no page is at hand, and where the page does not make it certain.
        """
        if self._page is None:
            return None
        offset = self._piece.start + start
        block = next((block.start for block in self._page.blocks if block.start <= offset < block.end), -1)
        if block not in self._found:
            self._found[block] = self._read(find_caption_span(self._page, offset))
        return self._found[block]

    def _read(self, span: tuple[int, int] | None) -> tuple[int, int] | None:
        if span is None:
            return None
        start, end = span[0] - self._piece.start, span[1] - self._piece.start
        inside = [(a, b) for a, b in self._spans if start <= a and b <= end]
        if not inside or inside[0][0] != start:
            return None  # the evidence begins within it, or does not hold it
        lone = _CAPTION.fullmatch(self._piece.text[slice(*inside[0])].rstrip(".:"))
        return start, inside[min(1, len(inside) - 1) if lone else 0][1]


def _frame(
    spans: Sequence[tuple[int, int]],
    texts: Sequence[str],
    kinds: Sequence[BlockKind],
    number: int,
    captions: _Captions,
) -> tuple[tuple[int, int], ...]:
    """Caption and head of the table that row `number` stands in, as far as the evidence holds them.

    The page says which caption is the table's; where it does not, the only one that is near.
    """
    first, last = number, number
    while first and kinds[first - 1] == "table":
        first -= 1
    while last + 1 < len(kinds) and kinds[last + 1] == "table":
        last += 1
    # The caption's own sentence opens with "Table 3"; what follows it in the caption is commentary.
    nearby = (*range(first - 1, max(-1, first - 5), -1), *range(last + 1, min(len(texts), last + 5)))
    near = [place for place in nearby if _CAPTION.match(texts[place])]
    caption = captions.find(spans[number][0]) or (spans[near[0]] if len(near) == 1 else None)
    frame = [caption] if caption is not None else []
    heads = [place for place in range(first, min(number, first + 3)) if _is_head(texts[place])]
    if not heads and first and first - 1 not in near and _is_head(texts[first - 1], 80):
        heads = [first - 1]  # a head without figures, where no page says that it belongs to the table
    head = heads[0] if heads else None
    if head is not None:
        frame.append(spans[head])
    return tuple(frame)


def _is_head(text: str, longest: int = 240) -> bool:
    """Whether a line at the top of a table names its columns: short, not a row, not a sentence."""
    return len(text) < longest and not is_row(text) and not text.rstrip().endswith((".", ":", "?"))


def rank_units(
    asked: QuestionTerms,
    evidence: Sequence[Evidence],
    terms: Terms,
    meaning: SentenceEmbedder | None,
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
    for place, unit in enumerate(found):
        unit.place = place
    if meaning is not None and found:
        close = found[:CLOSE_LOOKS]
        for unit, vector in zip(close, meaning.embed_passages([unit.framed_text for unit in close]), strict=True):
            unit.vector = vector
        score_units(asked, close, meaning.embed_question(asked.text))
        found = sorted(close, key=lambda unit: -unit.score) + found[CLOSE_LOOKS:]
    return found


def score_units(asked: QuestionTerms, units: Sequence[Unit], question: np.ndarray | None = None) -> None:
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


def _features(asked: QuestionTerms, unit: Unit) -> dict[str, float]:
    own = sum(weight for term, weight in asked.weights.items() if term in unit.terms)
    near = sum(weight for term, weight in asked.weights.items() if term in unit.near and term not in unit.terms)
    length = len(unit.text.split())
    gives_reason = "reason" in asked.kinds and _REASONS.search(unit.text) is not None
    return {
        "own": own / asked.total,
        "near": near / asked.total,
        "number": float("number" in asked.kinds and _has_new_number(asked, unit)),
        "name": float("name" in asked.kinds and _has_new_name(asked, unit)),
        "row": float(unit.row),
        "row_for_number": float(unit.row and "number" in asked.kinds),
        "crossing": _crossing_share(asked, unit) if unit.row else 0.0,
        "defines": float(bool(asked.defined) and not unit.row and is_definition(asked.defined, unit.text)),
        "reason": float(gives_reason and own >= REASON_AT * asked.total),
        "caption": float(unit.caption),
        "rank": 1 / (1 + unit.rank),
        "short": float(length < 6 and not unit.row),
        "long": float(length > 50),
        "open": float(not unit.row and not unit.text.rstrip("\"'”’)]0123456789").endswith((".", "!", "?"))),
        "formula": float(_is_formula(unit)),
        "no_statement": float(not unit.row and is_no_statement(unit.text)),
        "meaning": 0.0,
        "around": 0.0,
    }


def _crossing_share(asked: QuestionTerms, unit: Unit) -> float:
    """The share of the question that a row's label and its table's head or caption hold, where both hold some of it."""
    label = fold_words(re.split(r"\s(?=[-+±(]?\d[\d.,]*(?:\s|$))", unit.text, maxsplit=1)[0])
    frame = fold_words(" ".join(unit.evidence.text[a:b] for a, b in unit.frame))
    here = {
        term for term in asked.weights if any(word.startswith(term[:6]) or is_same_size(term, word) for word in label)
    }
    there = {term for term in asked.weights if any(word.startswith(term[:6]) for word in frame)} - here
    return sum(asked.weights[term] for term in here | there) / asked.total if here and there else 0.0


def framed_share(asked: QuestionTerms, unit: Unit) -> float:
    """The share of the question that a row holds with its table's head and caption; "param" is "parameters"."""
    words = set(fold_words(unit.framed_text))
    held = (
        weight
        for term, weight in asked.weights.items()
        if any(word[:5] == term[:5] or (len(word) > 3 and term.startswith(word)) for word in words)
    )
    return sum(held) / asked.total


def is_same_size(one: str, other: str) -> bool:
    """Whether two sizes of a model are one, rounded: "65b" and "65.2B"."""
    sizes = [re.fullmatch(r"(\d+(?:\.\d+)?)([bm])", size.casefold()) for size in (one, other)]
    return all(sizes) and len({(round(float(size[1])), size[2]) for size in sizes if size}) == 1


def fold_words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:\.\d+[^\W_]*)?", text.casefold())


def is_definition(what: str, text: str) -> bool:
    """Whether a sentence says what something is: "X is a", "X, which", "called X", "we introduce X, a"."""
    name = r"[\s-]+".join(re.escape(word.removesuffix("s")) for word in re.split(r"[\s-]+", what)) + "s?"
    after = (
        rf"\b{name}[\"”’)]*\s*(?:\([^)]*\)\s*)?"
        r"(?:(?:is|are)\s+(?:an?|the|defined|called|any|those|\w+\s+that)\b|refers?\s+to|means\b|denotes?\b"
        r"|(?:,|[—–:])\s*(?:an?|the|which|where|that|i\.e\.)\b)"
    )
    before = (
        rf"\b(?:called|termed|named|known as|dubbed|referred to as|we (?:introduce|propose|present|define|call))\s+"
        rf"(?:[\w“\"‘'-]+\s+){{0,3}}?[“\"‘']?{name}\b"
    )
    return re.search(f"{after}|{before}", text, re.IGNORECASE) is not None


def _is_formula(unit: Unit) -> bool:
    """Whether single characters make up much of a sentence: mathematics that PDF text has taken apart."""
    words = unit.text.split()
    return not unit.row and sum(len(word) == 1 for word in words) > 0.3 * len(words)


def _has_new_number(asked: QuestionTerms, unit: Unit) -> bool:
    """Whether the unit holds a number, in digits or words, that the question does not already have."""
    if number_words(unit.text) - number_words(asked.text):
        return True
    digits = re.findall(r"\d+(?:\.\d+)?", unit.text)
    return bool(find_numbers(unit.text)) and any(value not in asked.values for value in digits)


def _has_new_name(asked: QuestionTerms, unit: Unit) -> bool:
    known = {squash(name) for name in asked.names}
    return any(squash(name) not in known for name in find_names(unit.text))
