"""The words on a page that back a claim: which sentence or table row, where exactly, and its boxes.

Pure. A quote is always one contiguous slice of Page.text, so that anybody can find it on the page again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

import numpy as np

from rag_app.records import Box, Page
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import MARK_BEFORE, sentences
from rag_app.text.terms import content_words, find_names, find_numbers, number_values, squash

LONGEST_QUOTE = 60  # words
SHORTEST_QUOTE = 2  # words: below that a match on the page proves nothing
NUMBER_WEIGHT, NAME_WEIGHT, CONTEXT_WEIGHT = 3.0, 2.0, 0.35
SECOND_SENTENCE = 2.5  # what a second sentence must add: a number, a name or two words, else one is enough
NOT_QUOTED = ("bibliography", "furniture", "heading")

Span = tuple[int, int]


def find_quotable_spans(page: Page, start: int, end: int) -> list[Span]:
    """The sentences, and in tables the rows, of page.text[start:end]; the bibliography and page furniture stay out."""
    regions = [
        (max(start, block.start), min(end, block.end))
        for block in page.blocks
        if block.kind not in NOT_QUOTED and block.start < end and start < block.end
    ]
    found = [span for low, high in regions or [(start, end)] for span in _units(page.text, low, high)]
    return found or list(_units(page.text, start, end))


def _units(text: str, start: int, end: int) -> Iterator[Span]:
    for low, high in sentences(text[start:end]):
        part = text[start + low : start + high]
        stripped = part.strip()
        if stripped:
            first = start + low + part.index(stripped[0])
            mark = MARK_BEFORE.match(stripped)
            yield first + (mark.end() if mark and mark.end() < len(stripped) else 0), first + len(stripped)


@dataclass(frozen=True)
class Claim:
    """What a quote is wanted for: the clause before a mark, and the rest of its sentence."""

    focus: str
    context: str = ""

    @property
    def text(self) -> str:
        return f"{self.context} {self.focus}".strip()


class _WantedItems:
    """The items of a claim, weighted: what a good quote would hold."""

    def __init__(self, claim: Claim, units: Sequence[str]) -> None:
        spread = Counter(word for unit in units for word in set(content_words(unit)))
        self.words: dict[str, float] = {}
        self.values: list[tuple[frozenset[object], float]] = []
        self.names: dict[str, float] = {}
        for text, weight in ((claim.context, CONTEXT_WEIGHT), (claim.focus, 1.0)):
            for word in content_words(text):
                rarity = log(1 + (len(units) + 1) / (spread[word] + 0.5)) / log(len(units) + 3)
                self.words[word] = weight * rarity
            self.values += [(frozenset(number.values), weight * NUMBER_WEIGHT) for number in find_numbers(text)]
            self.names |= {squash(name): weight * NAME_WEIGHT for name in find_names(text)}

    def score(self, text: str) -> float:
        words = set(content_words(text))
        total = sum(weight for word, weight in self.words.items() if word in words)
        values = number_values(text) if self.values else frozenset()
        total += sum(weight for wanted, weight in self.values if not wanted.isdisjoint(values))
        squashed = squash(text) if self.names else ""
        return total + sum(weight for name, weight in self.names.items() if name in squashed)


def best_quote(claim: Claim, page: Page, start: int, end: int) -> Span:
    """The one or two sentences of page.text[start:end] that back the claim best, at most LONGEST_QUOTE words.

    Words that the claim repeats verbatim are themselves the quote. The range must hold text.
    """
    units = find_quotable_spans(page, start, end)
    texts = [page.text[low:high] for low, high in units]
    wanted = _WantedItems(claim, texts)
    low, high = _find_verbatim(claim, page, start, end) or _best_span(units, texts, wanted, page)
    return _checkable_span(page, *_trim_quote(page.text, low, high, wanted), wanted)


def _best_span(units: Sequence[Span], texts: Sequence[str], wanted: _WantedItems, page: Page) -> Span:
    # Length breaks ties: of two sentences that say as much, the shorter is read sooner.
    scores = [wanted.score(text) - len(text) / 2000 for text in texts]
    best = max(range(len(units)), key=lambda position: scores[position])
    low, high = units[best]
    pairs = [(units[i][0], units[i + 1][1]) for i in (best - 1, best) if 0 <= i < len(units) - 1]
    for pair in pairs:
        text = page.text[pair[0] : pair[1]]
        if "\n" in text.strip() or len(text.split()) > LONGEST_QUOTE:
            continue
        if wanted.score(text) >= wanted.score(page.text[low:high]) + SECOND_SENTENCE:
            return pair
    return low, high


def _find_verbatim(claim: Claim, page: Page, start: int, end: int) -> Span | None:
    """Where the claim's own words stand in the range, widened to their sentence where that is not too long."""
    after_name = claim.focus.partition(": ")[2]  # a line of an answer may begin with the paper's name
    for text in (claim.text, claim.focus, after_name):
        plain = text.strip().strip('*_"“”').lstrip("-•>").strip()
        place = find_quote(plain, page.text[start:end]) if len(plain.split()) >= SHORTEST_QUOTE else None
        if place is None:
            continue
        low, high = start + place[0], start + place[1]
        for first, last in find_quotable_spans(page, start, end):
            if first <= low and high <= last and len(page.text[first:last].split()) <= LONGEST_QUOTE:
                return first, last
        return low, high
    return None


def _trim_quote(text: str, start: int, end: int, wanted: _WantedItems) -> Span:
    """The window of LONGEST_QUOTE words that holds most of what is wanted; the first of equals."""
    words = [(start + match.start(), start + match.end()) for match in re.finditer(r"\S+", text[start:end])]
    if len(words) <= LONGEST_QUOTE:
        return start, end
    step = 5  # words: finer steps change nothing a reader would notice
    first = max(
        range(0, len(words) - LONGEST_QUOTE + step, step),
        key=lambda i: (wanted.score(text[words[i][0] : words[min(i + LONGEST_QUOTE, len(words)) - 1][1]]), -i),
    )
    return words[first][0], words[min(first + LONGEST_QUOTE, len(words)) - 1][1]


def _checkable_span(page: Page, start: int, end: int, wanted: _WantedItems) -> Span:
    """The part of a quote that others can check too.

    A reader who looks for the quote in the PDF's raw text either joins all words that a line end split, or keeps all
    hyphens there. A quote that needs both ("self-/attention" and "under-/lying") is cut to its better part.
    """
    splits = _line_splits(page, start, end)
    if len({kept for _, kept in splits}) < 2:
        return start, end
    parts = []
    for kept in (True, False):
        edges = [start, *(place for place, other in splits if other != kept), end]
        for low, high in pairwise(edges):
            first = low if low == start else low + len(re.match(r"\S*\s*", page.text[low:high])[0])  # type: ignore[index]
            last = high if high == end else low + len(re.sub(r"\s*\S*$", "", page.text[low:high]))
            if last - first > 0:
                parts.append((first, last))
    if not parts:
        return start, end
    return max(parts, key=lambda part: (wanted.score(page.text[part[0] : part[1]]), part[1] - part[0]))


def _line_splits(page: Page, start: int, end: int) -> list[tuple[int, bool]]:
    """Where a line end splits a word of page.text[start:end], and whether its hyphen stands in the text."""
    if page.words is None:
        return []
    starts, ends, places = page.words.starts, page.words.ends, page.words.boxes
    rows = np.flatnonzero((starts[1:] == ends[:-1]) & (starts[1:] > start) & (ends[:-1] < end))
    return [
        (int(ends[row]), page.text[ends[row] - 1] in "-\u2010\u2011")
        for row in rows.tolist()
        if not _same_line(places[row].tolist(), places[row + 1].tolist())
    ]


def is_verified(quote: str, page_text: str) -> bool:
    """Whether the deterministic matcher finds the quote on the page, and it is long enough to prove something."""
    if len(quote.split()) < SHORTEST_QUOTE and len(squash(quote)) < 8:
        return False
    return find_quote(quote, page_text) is not None


def section_at(page: Page, offset: int, otherwise: str) -> str:
    """The section path of the block that holds the offset."""
    holding = (block.section for block in page.blocks if block.start <= offset < block.end and block.section)
    return next(holding, otherwise)


def quote_boxes(page: Page, start: int, end: int) -> tuple[Box, ...]:
    """One box per line of page.text[start:end]: PDF points from the page's top left. Empty where words have none."""
    if page.words is None:
        return ()
    inside = (page.words.starts < end) & (page.words.ends > start)
    lines: list[list[float]] = []
    for x0, y0, x1, y1 in page.words.boxes[inside].tolist():
        last = lines[-1] if lines else None
        if last is not None and _same_line(last, (x0, y0, x1, y1)):
            lines[-1] = [min(last[0], x0), min(last[1], y0), max(last[2], x1), max(last[3], y1)]
        else:
            lines.append([x0, y0, x1, y1])
    return tuple((round(a, 2), round(b, 2), round(c, 2), round(d, 2)) for a, b, c, d in lines)


def _same_line(line: Sequence[float], word: Sequence[float]) -> bool:
    """Whether a word goes on the line: most of the lower one of the two overlaps, and it does not jump back."""
    overlap = min(line[3], word[3]) - max(line[1], word[1])
    lower = min(line[3] - line[1], word[3] - word[1])
    return overlap > 0.5 * lower and word[0] > line[0] - 1.0
