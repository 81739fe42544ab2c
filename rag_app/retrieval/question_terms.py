"""A question taken apart: its terms and how rare they are, the names in it, the kind of answer that it wants. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal, Protocol

from rag_app.records import Evidence
from rag_app.text.terms import content_words, find_names

Terms = Callable[[str], list[str]]
Kind = Literal["number", "name", "definition", "reason", "description"]

_MEASURE = (
    r"(?:scores?|accurac(?:y|ies)|recall|precision|f1|em|ndcg\S*|mrr|auroc|auc|bleu|rouge|perplexity|percent(?:age)?|share"
    r"|fraction|proportion|number|size|rates?|thresholds?|weights?|ratio|latency|probability|steps|correlation|tau"
    r"|temperature|exact match|values?|cost|win rate|gain|improvement|speedup|length|dimension)"
)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|large|big|long|far|often|high|low|well|fast|small|deep|old|accurate|strong)\b"
    rf"|\b(?:what|which)\b[^,;?]{{0,60}}\b{_MEASURE}\b"
    # typed without a question word: "hidden size of X", "X learning rate?", "smallest rank that works"
    rf"|^(?!.*\b(?:what|which|how|who|why|where|when|is|are|does|do|did|was|were)\b).*"
    rf"\b(?:{_MEASURE}|(?:small|larg|bigg|high|low|few|long|short|old)est)\b",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"\b(?:what|which)\b[^,;?]{0,40}\b(?:datasets?|data sets?|corpora|corpus|models?|methods?|algorithms?"
    r"|optimi[sz]ers?|benchmarks?|languages?|retrievers?|encoders?|architectures?|baselines?|tools?|metrics?|tasks?|papers?)\b"
    r"|\bwho\b|\bwhere\b",
    re.IGNORECASE,
)
_ASKS_DEFINITION = re.compile(
    r"^\W*(?:what(?:['’]?s| is| are)|define|explain|what does(?=.*\bmean\W*$))\s+"
    r"(?:meant by\s+)?(?:an?\s+|the\s+term\s+)?"
    r"(?P<what>[\w-]+(?:\s+[\w-]+){0,3}?)(?:\s+mean)?\W*$",
    re.IGNORECASE,
)
_ASKS_REASON = re.compile(r"^\W*why\b|\b(?:reasons?|what causes)\b", re.IGNORECASE)


class TermStatistics(Protocol):
    """What the whole index knows about words; passages are its unit."""

    size: int

    def frequency(self, term: str) -> int:
        """In how many passages the term occurs."""
        ...

    def count_together(self, paper: str, terms: Sequence[str]) -> int:
        """In how many passages of the paper all the terms occur."""
        ...


def paper_share(paper: str, terms: Sequence[str], library: TermStatistics) -> float:
    """The share of the passages that hold the terms (the rarest of them) which is the paper's.

    1 where the paper itself never uses them: then only others call it so.
    """
    here = library.count_together(paper, terms)
    return here / max(1, min((library.frequency(term) for term in terms), default=0)) if here else 1.0


@dataclass(frozen=True)
class QuestionTerms:
    """A question taken apart: its terms with their weight, the names in it, and the kinds of answer it wants."""

    text: str
    weights: dict[str, float]  # term -> how rare it is, 0..1
    names: tuple[str, ...]
    kinds: frozenset[Kind]
    values: frozenset[str] = frozenset()  # numbers that the question itself holds, as digits
    defined: str = ""  # what is to be defined

    @property
    def total(self) -> float:
        return sum(self.weights.values()) or 1.0


def extract_question_terms(
    question: str, terms: Terms, library: TermStatistics | None, evidence: Sequence[Evidence]
) -> QuestionTerms:
    """The question as features see it. Without a library, rarity is estimated from the evidence."""
    wanted = list(dict.fromkeys(term for term in terms(question) if not is_filler(term)))
    if library is not None and library.size:
        size = library.size
        wanted = list(dict.fromkeys(_known_spelling(term, library) for term in wanted))
        counts = {term: library.frequency(term) for term in wanted}
    else:
        pieces = [set(terms(piece.text)) for piece in evidence]
        size = len(pieces) + 1
        counts = {term: sum(term in piece for piece in pieces) for term in wanted}
    weights = {term: log((size + 1) / (counts[term] + 0.5)) / log(2 * size + 2) for term in wanted}
    values = frozenset(re.findall(r"\d+(?:\.\d+)?", question))
    defined = _ASKS_DEFINITION.search(question)
    return QuestionTerms(
        question,
        weights,
        tuple(find_names(question)),
        find_answer_kinds(question),
        values,
        defined["what"] if defined else "",
    )


_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("number", _ASKS_NUMBER),
    ("name", _ASKS_NAME),
    ("definition", _ASKS_DEFINITION),
    ("reason", _ASKS_REASON),
)


def find_answer_kinds(question: str) -> frozenset[Kind]:
    """The kinds of answer that a question wants, by its own words; a description where nothing else is said."""
    return frozenset(kind for kind, pattern in _PATTERNS if pattern.search(question)) or frozenset({"description"})


_FILLERS = frozenset(
    word
    for text in ("much many compare compared differ paper papers set author authors study work reach reaches reported",)
    for words in (text.split(), content_words(text), content_words("obtain obtains achieve achieves report show shows"))
    for word in words
)


def _known_spelling(term: str, library: TermStatistics) -> str:
    """British "quantis(ed)" and "colour" as the library spells them, when it does not know the question's spelling."""
    if library.frequency(term) == 0:
        for british, american in (("is", "iz"), ("ys", "yz"), ("our", "or"), ("ll", "l")):
            other = american.join(term.rsplit(british, 1))
            if other != term and library.frequency(other):
                return other
    return term


def is_filler(term: str) -> bool:
    """Whether a term says how a question is put and nothing of what it is about: "compare", "papers"."""
    return term in _FILLERS
