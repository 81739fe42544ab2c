"""A model's text with marks that carry words, [3 "exact words"] -> the text with shown numbers and checked citations.

The words after a number are looked for on the page that the number names, and are the citation; a mark without words
gets the words that back its sentence best. Code and formulas are left alone. Feeding a text in any pieces gives the
same characters as feeding it whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rag_app.citations.marks import citation_at
from rag_app.citations.quotes import Claim, best_quote, is_verified
from rag_app.citations.support import says_nothing
from rag_app.models.llm.output_filter import disarm_markup
from rag_app.records import Citation, Evidence, Page, PageOf
from rag_app.text.protected_spans import closing_of, end_of_block, protected_spans
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import ends_sentence, sentences
from rag_app.text.terms import content_words

LONGEST_HELD = 4_000  # characters of one line without an end of a sentence
LONGEST_WORDS = 1_200  # characters of the words that a mark carries

_HEAD = re.compile(
    r"[\[［【]\s*(?:(?:evidence|passage|source|reference|document|citation|cite|doc|id|ref)s?\s*[:#]?\s*)?"
    r"(?P<numbers>\^?\d{1,6}(?:\s*(?:[,;&]|[-–—]|and|to)\s*\^?\d{1,6})*)"
    r"\s*(?:†[^\]］】\n]*|:\d+(?:†[^\]］】\n]*)?|,\s*(?:pp?\.?|pages?)\s*\d+(?:[-–]\d+)?)?\s*",
    re.IGNORECASE,
)
_LATEX = re.compile(r"\\cite[a-z]*\{\s*(?P<numbers>\d{1,6}(?:\s*,\s*\d{1,6})*)\s*\}")
_RAISED = re.compile(
    r"(?:(?<=[^\W\d_][^\W\d_])|(?<=[.,;:!?)”\"]))(?P<numbers>[¹²³⁰⁴-⁹]{1,3}(?:[ʼ˒,]?[¹²³⁰⁴-⁹]{1,3})*)(?!\w)"
)
_NUMBERS = re.compile(r"(\d+)(?:\s*(?:[-–—]|to)\s*\^?(\d+))?", re.IGNORECASE)
_QUOTE_BEGINS = re.compile(r"[:：,]?\s*[\"“”„«‘']\s*")
_QUOTE_ENDS = re.compile(r"\s*[\"“”»’']\s*(?:(?P<more>[,;]\s*(?=\^?\d{1,6}\s*[:：]?\s*[\"“”„«‘]))|(?P<end>[\]］】]))")
_NEXT = re.compile(r"\^?(\d{1,6})\s*")
_PAUSE = re.compile(r"\s*(?:\[?\s*(?:\.\s?){3,}\]?|\[?…\]?)\s*")  # … in place of words
_SENTENCE_BREAK = re.compile(r"[.!?。！？][\"'”’)*_]*(?:\s*[\[［【][^\]］】\n]*[\]］】])*\s+(?=\S)|[。！？](?=\S)")


@dataclass(frozen=True)
class Mark:
    """One number of a mark, with the words that it carries; empty where it carries none."""

    number: int
    words: str = ""


def mark_at(text: str, start: int) -> tuple[int, list[Mark]] | None:
    """The mark that begins at `start` of the text: where it ends, and what it cites. None where there is none."""
    head = _HEAD.match(text, start)
    if head is None:
        return None
    marks = [Mark(number) for number in cited_numbers(head["numbers"])]
    at = head.end()
    if text[at : at + 1] in ("]", "］", "】"):
        return at + 1, marks
    number = marks[-1].number
    while (begins := _QUOTE_BEGINS.match(text, at)) is not None:
        ends = _QUOTE_ENDS.search(text, begins.end(), begins.end() + LONGEST_WORDS)
        if ends is None or "\n" in text[begins.end() : ends.start()]:
            return None
        marks = [one for one in marks if one.number != number or one.words]
        marks.append(Mark(number, text[begins.end() : ends.start()].strip()))
        at = ends.end()
        if ends["end"]:
            return at, marks
        following = _NEXT.match(text, at)
        if following is None:
            return None
        number, at = int(following[1]), following.end()
    return None


def cited_numbers(numbers: str) -> list[int]:
    """Of "1, 3-5" the numbers 1, 3, 4, 5. A backward or endless range gives its two ends only."""
    found: list[int] = []
    for low, high in _NUMBERS.findall(numbers):
        first, last = int(low), int(high or low)
        found += range(first, last + 1) if first <= last <= first + 50 else [first, last]
    return list(dict.fromkeys(found))


class CitedText:
    """Turns marks into shown numbers while a text comes, and collects what they cite.

    `backing` has for each shown number the evidence, `quoted` the words that the model gave. A mark that names no
    evidence goes with its brackets; nothing else of the text is changed.
    """

    def __init__(self, evidence: Sequence[Evidence], page_of: PageOf, first: int = 1) -> None:
        self._evidence = {piece.number: piece for piece in evidence}
        self._page_of = page_of
        self._held = ""
        self._line = ""  # shown of the line that goes on
        self._fenced = ""  # the fence that ends the code or formula block
        self._places: dict[tuple[str, int, str], int] = {}
        self._first = first
        self.citations: list[Citation] = []
        self.backing: dict[int, list[Evidence]] = {}

    def feed(self, piece: str) -> str:
        """The next characters to show: whole sentences and lines."""
        self._held += piece
        shown = ""
        while (end := self._end_of_unit()) is not None:
            unit, self._held = self._held[:end], self._held[end:]
            shown += self._unit(unit)
        return shown

    def finish(self) -> str:
        """What is left when the text has ended."""
        unit, self._held = self._held, ""
        return self._unit(unit) if unit else ""

    def _end_of_unit(self) -> int | None:
        line = self._held.find("\n")
        if line >= 0:
            return line + 1
        if self._fenced or len(self._held) < 80:
            return None
        for match in _SENTENCE_BREAK.finditer(self._held):
            head = self._held[: match.end()]
            whole = head.count("`") % 2 == 0 and head.count("$") % 2 == 0 and _brackets_closed(head)
            if whole and ends_sentence(self._held[: match.start() + 1]):
                return match.end()
        return len(self._held) if len(self._held) > LONGEST_HELD else None

    def _unit(self, unit: str) -> str:
        if self._fenced:
            end = end_of_block(unit, self._fenced)
            if end is None:
                return unit
            self._fenced = ""
            return unit[:end] + self._prose(unit[end:])
        self._fenced = closing_of(unit)
        if self._fenced:
            return unit
        shown = self._prose(unit)
        self._line = "" if unit.endswith("\n") else self._line + shown
        return shown

    def _prose(self, unit: str) -> str:
        shown, done = "", 0
        for start, end in [*protected_spans(unit), (len(unit), len(unit))]:
            at = plain = done
            while at < start:
                found = self._mark(unit, at)
                if found is None:
                    at += 1
                    continue
                until, marks = found
                shown = self._put(shown + disarm_markup(unit[plain:at]), marks, unit[until:])
                at = plain = until
            shown += disarm_markup(unit[plain:start]) + unit[max(at, start) : end]
            done = max(at, end)
        return shown

    def _mark(self, unit: str, at: int) -> tuple[int, list[Mark]] | None:
        letter = unit[at]
        if letter in "[［【":
            found = mark_at(unit, at)
            # "[0, 1]" is an interval: evidence counts from 1.
            return None if found is None or (0 in [m.number for m in found[1]] and len(found[1]) > 1) else found
        match = (
            _LATEX.match(unit, at) if letter == "\\" else _RAISED.match(unit, at) if letter in "¹²³⁰⁴⁵⁶⁷⁸⁹" else None
        )
        if match is None:
            return None
        plain = match["numbers"].translate(str.maketrans("¹²³⁰⁴⁵⁶⁷⁸⁹", "1230456789"))
        numbers = cited_numbers(plain)
        if letter != "\\" and not all(number in self._evidence for number in numbers):
            return None
        return match.end(), [Mark(number) for number in numbers]

    def _put(self, shown: str, marks: Sequence[Mark], following: str) -> str:
        """The text with the shown numbers of the marks; without the blanks before a mark that cites nothing."""
        known = [mark for mark in marks if mark.number in self._evidence]
        claim = self._claim(self._line + shown, following)
        if says_nothing(claim):
            known = [mark for mark in known if mark.words]  # a quote of our choice would be about something else
        if not known:
            return shown.rstrip(" \t") if shown.strip() else shown
        cluster = re.search(r"(?:\[\d+\])+$", shown.rstrip(" \t"))
        before = {int(number) for number in re.findall(r"\d+", cluster[0])} if cluster else set()
        numbers = dict.fromkeys(self._cite(mark, claim) for mark in known)
        added = "".join(f"[{number}]" for number in numbers if number not in before)
        if following[:1] in ("(", ":"):  # "[1](" would be a link, "[1]:" the definition of one
            added += " "
        return (shown.rstrip(" \t") if cluster or not added else shown) + added

    def _cite(self, mark: Mark, claim: str) -> int:
        piece = self._evidence[mark.number]
        found = self._find(mark.words, piece) if mark.words else self._choose(piece, claim)
        place = (found.paper, found.page, found.quote)
        if place not in self._places:
            self._places[place] = self._first + len(self.citations)
            self.citations.append(replace(found, number=self._places[place]))
        number = self._places[place]
        at = next((one for one in self._evidence.values() if (one.paper, one.page) == place[:2]), piece)
        if at not in self.backing.setdefault(number, []):
            self.backing[number].append(at)
        return number

    def _claim(self, shown: str, following: str) -> str:
        """The sentence that a mark belongs to; where that says nothing of its own, the one before it in the line."""
        line = re.sub(r"\[\d+\]", "", shown[shown.rstrip().rfind("\n") + 1 :])
        spans = sentences(line)
        claim = line[spans[-1][0] :] if spans else line
        if len(content_words(claim)) < 4:
            claim = f"{claim} {re.split(r'[.!?|]', following, maxsplit=1)[0]}"
        while says_nothing(claim) and len(spans) > 1:
            spans.pop()
            claim = line[slice(*spans[-1])]
        return claim

    def _choose(self, piece: Evidence, claim: str) -> Citation:
        """For a mark without words: what backs its sentence best on the piece."""
        page = self._page_of(piece.paper, piece.page)
        start, end = best_quote(Claim(claim.strip() or piece.title), page, piece.start, piece.end)
        return citation_at(0, piece, page, start, end)

    def _find(self, words: str, piece: Evidence) -> Citation:
        """The words where they stand: on the piece, its page, another page that the model saw; else unverified."""
        others = sorted(
            (one for one in self._evidence.values() if one.number != piece.number),
            key=lambda one: (one.paper != piece.paper, abs(one.page - piece.page), one.number),
        )
        for one in (piece, *others):
            page = self._page_of(one.paper, one.page)
            span = locate(words, page, one.start, one.end)
            if span is not None:
                return citation_at(0, one, page, *span)
        turned = self._over_the_page(words, piece)
        if turned is not None:
            return turned
        page = self._page_of(piece.paper, piece.page)
        return replace(citation_at(0, piece, page, piece.start, piece.start), quote=words, verified=False, boxes=())

    def _over_the_page(self, words: str, piece: Evidence) -> Citation | None:
        """Words that begin on one page and end on the next: the longer part is the quote."""
        parts = words.split()
        for first, second in pairwise(
            sorted((p for p in self._evidence.values() if p.paper == piece.paper), key=_place)
        ):
            if second.page != first.page + 1 or abs(first.page - piece.page) > 1:
                continue
            for cut in range(2, len(parts) - 1):
                one, two = " ".join(parts[:cut]), " ".join(parts[cut:])
                pages = self._page_of(first.paper, first.page), self._page_of(second.paper, second.page)
                spans = find_quote(one, pages[0].text), find_quote(two, pages[1].text)
                if spans[0] and spans[1]:
                    longer = 0 if len(one) >= len(two) else 1
                    at = (first, second)[longer]
                    span = spans[longer]
                    assert span is not None
                    return citation_at(0, at, pages[longer], *span)
        return None


def _place(piece: Evidence) -> tuple[int, int]:
    return piece.page, piece.start


def _brackets_closed(text: str) -> bool:
    return (
        text.count("[") <= text.count("]")
        and text.count("【") <= text.count("】")
        and text.count("［") <= text.count("］")
    )


def locate(words: str, page: Page, start: int, end: int) -> tuple[int, int] | None:
    """Where the words stand on the page, first within [start, end); of words with … the span of all their parts."""
    parts = [part for part in _PAUSE.split(words.strip(" \"'“”.…")) if part.strip()]
    if not parts:
        return None
    spans: list[tuple[int, int]] = []
    for part in parts:
        found = _within(part, page.text, start, end) or find_quote(part, page.text) or _without_marks(part, page.text)
        if found is None or not is_verified(page.text[found[0] : found[1]], page.text):
            return None
        spans.append(found)
    low, high = min(first for first, _ in spans), max(last for _, last in spans)
    if len(spans) > 1 and (spans != sorted(spans) or high - low > 700):
        return max(spans, key=lambda span: span[1] - span[0])
    return low, high


def _within(words: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    found = find_quote(words, text[start:end])
    return None if found is None else (start + found[0], start + found[1])


def _without_marks(words: str, text: str) -> tuple[int, int] | None:
    """The same where the model saw the paper's own "[12]" as "(12)": numbers of references were defused for it."""
    undone = re.sub(r"\((\s*\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\s*)\)", r"[\1]", words)
    return find_quote(undone, text) if undone != words else None
