"""How good an answer is, measured against the gold of its question. Pure: values in, figures out.

Nothing here uses the matcher that verifies quotes for the answer: it is judged from outside, by the page's raw text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rag_app.evaluation.questions import GoldFact, GoldQuestion
from rag_app.records import Answer, Citation

RawText = Callable[[str, int], str]
"""Paper and page (from 1) -> the page's text straight from the file; empty where there is no such page."""
Place = tuple[str, int]  # paper and page
DEPTHS = (5, 10)  # distinct pages
RIGHT = 0.5  # of the facts: from here on an answer counts as right

_MARK = re.compile(r"\[\d+\]")
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "−": "-", "–": "-"})
_LINE_HYPHEN = re.compile(r"[\ufffe\ufffb\u00ad\x02]\s*|(?<=\w)-[ \t]*\n\s*")  # pdfium marks some with U+FFFE or \x02


@dataclass(frozen=True)
class ScoredAnswer:
    """One question, its answer, and how good that is. `scores` are shares, 0..1, higher is better."""

    question: GoldQuestion
    answer: Answer
    scores: dict[str, float] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)  # right, wrong, missing
    quotes: tuple[int, int, int] = (0, 0, 0)  # cited, verified by the answer, found from outside

    @property
    def right(self) -> bool:
        """Whether a user was well served: half of the facts told, or a question without answer refused."""
        if not self.question.has_gold:
            return False
        if not self.question.answerable:
            return self.answer.status == "not_in_papers"
        return self.scores["facts shown"] >= RIGHT


def score_answer(question: GoldQuestion, answer: Answer, places: Sequence[Place], raw_text: RawText) -> ScoredAnswer:
    """Measure one answer. `places` are the pages that retrieval found for the question, best first.

    recall@k: share of the facts whose page is among the first k distinct pages. fact coverage: share of the facts whose
    numbers and names all stand in the answer's words; facts shown: in its words or its quotes. citation precision:
    share of the cited pages that hold a fact. quote validity: share of the quotes that stand on their page. refused,
    answered: 1 when that was right. cells right: comparisons. papers F1: clusterings. A question without gold has only
    quote validity.
    """
    scores: dict[str, float] = {}
    cells: dict[str, int] = {}
    refused = answer.status == "not_in_papers"
    if not question.has_gold:
        pass
    elif question.answerable:
        said = f"{_MARK.sub('', answer.answer)}" if answer.status == "answered" else ""
        shown = " ".join([said, *(citation.quote for citation in answer.citations)])
        scores |= {f"recall@{depth}": page_recall(places, question.facts, depth) for depth in DEPTHS}
        scores["answered"] = float(answer.status == "answered")
        scores["fact coverage"] = _share(contains_fact(said, fact) for fact in question.facts)
        scores["facts shown"] = _share(contains_fact(shown, fact) for fact in question.facts)
        if answer.citations:
            cited = {(citation.paper, citation.page) for citation in answer.citations}
            scores["citation precision"] = len(cited & {(f.paper, f.page) for f in question.facts}) / len(cited)
    else:
        scores["refused"] = float(refused)
    if question.has_gold and question.kind == "comparison":
        cells = score_comparison(answer, question.facts)
        scores["cells right"] = cells["right"] / sum(cells.values())
    if question.has_gold and question.kind == "clustering":
        scores["papers F1"] = f1(cited_papers(answer), set(question.papers))
    valid = sum(is_on_page(citation, raw_text) for citation in answer.citations)
    if answer.citations:
        scores["quote validity"] = valid / len(answer.citations)
    verified = sum(citation.verified for citation in answer.citations)
    return ScoredAnswer(question, answer, scores, cells, (len(answer.citations), verified, valid))


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values) if values else 0.0


def page_recall(places: Sequence[Place], facts: Sequence[GoldFact], depth: int) -> float:
    """Share of the facts whose page is among the first `depth` distinct places."""
    first = list(dict.fromkeys(places))[:depth]
    return _share((fact.paper, fact.page) in first for fact in facts)


# -- words --------------------------------------------------------------------------------------------------------


def fold_text(text: str, hyphen: str = "") -> str:
    """Text as it is compared: NFKC, hyphens at line ends joined (or kept, as `hyphen` says), one blank, no case."""
    text = _LINE_HYPHEN.sub(hyphen, unicodedata.normalize("NFKC", text).replace("\r", ""))
    text = re.sub(r"(?<=\d[–—])\s+(?=\d)", "", text)  # a range over a line's end
    return re.sub(r"\s+", " ", text).strip().casefold().translate(_STRAIGHT)


def contains_fact(text: str, fact: GoldFact) -> bool:
    """Whether a text has all numbers and names of a fact; a number has to stand alone: 8 is not in 78.0."""
    said = _ungroup_digits(fold_text(text))
    return all(_pattern(piece).search(said) for piece in fact.must_contain)


def _pattern(piece: str) -> re.Pattern[str]:
    wanted = _ungroup_digits(fold_text(piece))
    before = r"(?<!\d)(?<!\d[.,])" if wanted[:1].isdigit() else ""
    after = r"(?!\d)(?![.,]\d)" if wanted[-1:].isdigit() else ""
    return re.compile(before + re.escape(wanted) + after)


def _ungroup_digits(text: str) -> str:
    """Without the commas that group digits: 21,015,324 is 21015324."""
    return re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)


# TeX's font of large signs (CMEX): codes of round brackets of three sizes.
_LARGE_BRACKETS = {0: "(", 1: ")", 16: "(", 17: ")", 18: "(", 19: ")"}


def is_on_page(citation: Citation, raw_text: RawText) -> bool:
    """Whether a quote stands on its page, by the page's raw text alone: every letter and digit, in order.

    A sign of a formula may be another one there, or none: fonts call "≪" nothing, "∥" k, "<" ă, "−" ´ and a large
    bracket a control character; the numbers of a fraction may stand on two lines.
    """
    raw, wanted = raw_text(citation.paper, citation.page).translate(_LARGE_BRACKETS), citation.quote
    if not wanted.strip():
        return False
    for hyphen in ("", "-"):
        sought, held = fold_text(wanted, hyphen), fold_text(raw, hyphen)
        if sought in held or re.search(_without_signs(sought), held):
            return True
    return False


def _without_signs(text: str) -> str:
    """A pattern for folded text, in which any one character or none may stand for each sign that is no punctuation."""
    pieces = re.split(r"\s?(?:[^\w\s.,;:!?()\[\]\"'%/-]|(?<![\w.])-(?=\d)|(?<=\d)/(?=\d))\s?", text)
    words = sum(len(piece.split()) for piece in pieces)
    return r"\s?\S?\s?".join(map(re.escape, pieces)) if words >= len(pieces) else re.escape(text)


# -- several papers -----------------------------------------------------------------------------------------------


def score_comparison(answer: Answer, facts: Sequence[GoldFact]) -> dict[str, int]:
    """For every fact of a comparison, what the answer has in its place: it, something else, or nothing on that paper.

    The place is the paper's row; in an answer without a table, the sentences that cite the paper.
    """
    counts = {"right": 0, "wrong": 0, "missing": 0}
    for fact in facts:
        said = _text_about(fact.paper, answer)
        counts["missing" if not said.strip() else "right" if contains_fact(said, fact) else "wrong"] += 1
    return counts


def _text_about(paper: str, answer: Answer) -> str:
    if answer.status != "answered":
        return ""
    quotes = {citation.number: citation.quote for citation in answer.citations if citation.paper == paper}
    if answer.table is not None:
        own = [cell for row in answer.table.rows if row.paper == paper for cell in row.cells]
        cells = [cell for cell in own if cell.citations and cell.state == "found"]
        return " ".join(text for cell in cells for text in (cell.text, *(quotes.get(n, "") for n in cell.numbers)))
    parts = []
    for sentence in re.split(r"\n|(?<=\])(?!\[)\s", answer.answer):
        cited = [int(number) for number in re.findall(r"\[(\d+)\]", sentence)]
        if quotes.keys() & cited:
            parts += [_MARK.sub("", sentence), *(quotes[number] for number in cited if number in quotes)]
    return " ".join(parts)


def cited_papers(answer: Answer) -> set[str]:
    """The papers that an answer names as its result: those that it cites."""
    return {citation.paper for citation in answer.citations} if answer.status == "answered" else set()


def f1(found: set[str], gold: set[str]) -> float:
    """The harmonic mean of precision and recall of a set."""
    return 2 * len(found & gold) / (len(found) + len(gold)) if found or gold else 0.0
