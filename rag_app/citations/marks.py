"""A draft with [n] marks that name evidence -> an Answer whose every mark leads to exact words on a page.

Pure but for the pages it is given. One class, MarkStream, turns marks into citations piece by piece; the whole answer
goes through the same class, so what was streamed and what is kept are the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_app.citations.asides import find_asides
from rag_app.citations.quotes import Claim, best_quote, is_verified, quote_boxes, section_at
from rag_app.citations.signs import has_doubtful_signs
from rag_app.citations.support import (
    ENOUGH_WORDS,
    NamesOf,
    judge_sentences,
    no_names,
    says_nothing,
    unsupported_sentences,
)
from rag_app.citations.table_cells import find_row_cells
from rag_app.papers.talks import clock
from rag_app.records import PARAGRAPH, Answer, Citation, Draft, Evidence, Page, PageOf, Verdict
from rag_app.text.sentences import sentences
from rag_app.text.terms import content_words, find_names, number_values, squash

QUOTING = "quoting"  # the name of the reader that only quotes
NOTHING_CHECKED = "Nothing of this answer was checked."
REPAIRED = (
    "Repaired: sentences that the cited pages did not support were sent back to the model once and checked again."
)
LONGEST_MARK = 40  # characters that are held back while they may become a mark
FEWEST_WORDS = 3  # in small letters that a nearest quote has, where there is another
LOOKED_AT = 12  # pieces of evidence among which the nearest words are looked for

_MARK = re.compile(r"\[\s*\d+(?:\s*(?:[,;–-]|and)\s*\d+)*\s*\]")
_MARK_BEGUN = re.compile(r"\[[\s\d,;–\-and]*$")
_SENTENCE_END = re.compile(r"[.!?。！？][\"'”’)\]*_]*(?=\s|$)|[。！？]|\n|\|")


class MarkStream:
    """Turns [evidence number] into [shown number] while the pieces come; collects the citations.

    Numbers outside the evidence vanish with their brackets. The same place cited twice keeps its number.
    Feeding a text in any pieces gives the same characters as feeding it whole.
    """

    def __init__(self, evidence: Sequence[Evidence], page_of: PageOf) -> None:
        self._evidence = {piece.number: piece for piece in evidence}
        self._page_of = page_of
        self._held = ""  # not yet decided
        self._plain = ""  # what was decided, without marks
        self._claim_from = 0  # where in _plain the clause after the last mark begins
        self._claim = Claim("")
        self._cluster: list[int] = []  # numbers shown since the last word
        self._places: dict[tuple[str, int, int, int], int] = {}
        self.citations: list[Citation] = []
        self.backing: dict[int, list[Evidence]] = {}  # shown number -> the evidence that was cited under it

    def feed(self, piece: str) -> str:
        """The next characters to show; may be empty while a mark is incomplete."""
        self._held += piece
        return self._drain(final=False)

    def finish(self) -> str:
        """What is left when the text has ended."""
        return self._drain(final=True)

    def _drain(self, final: bool) -> str:
        shown: list[str] = []
        while self._held:
            step = self._step(final)
            if step is None:
                break
            shown.append(step)
        return "".join(shown)

    def _step(self, final: bool) -> str | None:
        """Decide about the start of the held text; None to wait for more."""
        plain = re.match(r"[^\[\s]+", self._held)
        if plain:
            return self._pass_on(plain.end())
        space = len(self._held) - len(self._held.lstrip())
        if space == len(self._held):
            return self._drop(space) if final else None
        if space and not self._plain:
            return self._drop(space)  # an answer neither begins nor ends with blanks
        if self._held[space] != "[":
            return self._pass_on(space)
        mark = _MARK.match(self._held, space)
        if mark:
            return self._mark(self._held[:space], mark, final)
        if not final and len(self._held) - space < LONGEST_MARK and _MARK_BEGUN.match(self._held, space):
            return None
        return self._pass_on(space + 1)

    def _pass_on(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        if text.strip():
            self._cluster = []
        self._plain += text
        return text

    def _drop(self, length: int) -> str:
        self._held = self._held[length:]
        return ""

    def _mark(self, space: str, mark: re.Match[str], final: bool) -> str | None:
        wanted = [self._evidence[number] for number in _mark_numbers(mark.group()) if number in self._evidence]
        if wanted:
            claim = self._claim_at(self._held[mark.end() :], final)
            if claim is None:
                return None
            self._claim = claim
            if says_nothing(claim.text):
                wanted = []  # a quote would be about something else
        self._held = self._held[mark.end() :]
        shown = dict.fromkeys(self._cite(piece) for piece in wanted)
        new = [number for number in shown if number not in self._cluster]
        # The blank before a mark goes with a mark that goes, and between two marks; a line break always stays.
        gap = space if new and not self._cluster else space.rstrip(" \t")
        self._cluster += new
        self._plain += gap
        if wanted:
            self._claim_from = len(self._plain)
        return gap + "".join(f"[{number}]" for number in new)

    def _claim_at(self, following: str, final: bool) -> Claim | None:
        """What the mark here backs: the clause before it; None while too little of its sentence is known."""
        if self._cluster:
            return self._claim
        line = self._plain[self._plain.rfind("\n", 0, len(self._plain.rstrip())) + 1 :]
        spans = [span for span in sentences(line) if content_words(line[span[0] : span[1]])]
        while len(spans) > 1 and says_nothing(line[spans[-1][0] : spans[-1][1]]):
            spans.pop()  # "It has 110 million parameters. The paper says so [1]."
        sentence = line[spans[-1][0] :] if spans else line
        after_mark = max(0, self._claim_from - (len(self._plain) - len(sentence)))
        clause = sentence[after_mark:] if content_words(sentence[after_mark:]) else sentence
        ended = bool(re.search(r"[.!?。！？]\W*$", sentence))
        if ended or len(content_words(clause)) >= ENOUGH_WORDS:
            return Claim(clause.strip(), sentence[: len(sentence) - len(clause)].strip())
        end = _SENTENCE_END.search(following)
        # "$" also matches before the text has ended: a final stop at the very edge must wait for what follows it.
        if not final and (end is None or end.end() == len(following)):
            return None
        rest = _MARK.sub("", following[: end.end()] if end else following)
        return Claim(f"{clause} {rest}".strip(" \n|"), sentence[: len(sentence) - len(clause)].strip())

    def _cite(self, piece: Evidence) -> int:
        page = self._page_of(piece.paper, piece.page)
        start, end = best_quote(self._claim, page, piece.start, piece.end)
        place = (piece.paper, piece.page, start, end)
        if place not in self._places:
            self._places[place] = len(self.citations) + 1
            self.citations.append(citation_at(len(self.citations) + 1, piece, page, start, end))
        self.backing.setdefault(self._places[place], []).append(piece)
        return self._places[place]


def replace_marks(text: str) -> str:
    """A paper's own "[12]" or "[1 and 2]" in other brackets: nothing that a paper writes may be taken for our marks."""
    return _MARK.sub(lambda mark: f"［{mark.group()[1:-1]}］", text)


def _mark_numbers(mark: str) -> list[int]:
    """Of "[1, 3-5]" the numbers 1, 3, 4, 5. A backward or endless range gives its two ends only."""
    found: list[int] = []
    for low, high in re.findall(r"(\d+)(?:\s*[–-]\s*(\d+))?", mark):
        first, last = int(low[:9]), int((high or low)[:9])
        found += range(first, last + 1) if first <= last <= first + 50 else [first, last]
    return found


def label_at(page: Page, offset: int) -> str:
    """What the page prints as its number; of a talk the time; in a file without pages the paragraph, from 1."""
    if page.cues:
        return clock(max(second for start, second in page.cues if start <= max(offset, 0)))
    if page.label != PARAGRAPH:
        return page.label
    before = sum(block.kind != "heading" and block.start <= offset for block in page.blocks)
    return f"{PARAGRAPH} {max(1, before)}"


def citation_at(number: int, piece: Evidence, page: Page, start: int, end: int) -> Citation:
    """The words page.text[start:end] as a citation shown under `number`: checked, and with their boxes."""
    quote = page.text[start:end]
    caption, cells = find_row_cells(page, start, end)
    return Citation(
        number=number,
        paper=piece.paper,
        title=piece.title,
        page=page.number,
        label=label_at(page, start),
        section=section_at(page, start, piece.section),
        quote=quote,
        verified=is_verified(quote, page.text),
        boxes=quote_boxes(page, start, end),
        digest=piece.digest,
        caption=caption,
        cells=cells,
        doubtful_signs=has_doubtful_signs(page, start, end),
        read_by_ocr=page.ocr,
    )


def attach_citations(
    draft: Draft,
    question: str,
    evidence: Sequence[Evidence],
    page_of: PageOf,
    *,
    id: str = "",
    reader: str = "",
    names_of: NamesOf = no_names,
) -> Answer:
    """The checked answer: marks renumbered by first use, a quote behind each, unsupported sentences named.

    A refused draft comes with the nearest passages. What `page_of` raises is passed on.
    """
    marks = MarkStream(evidence, page_of)
    text = marks.feed(draft.text) + marks.finish()
    # What the quoting reader says is verbatim; only a model's sentences can hold more than their passages.
    plain = draft.refused or reader == QUOTING
    judged = () if plain else judge_sentences(text, marks.backing, question, names_of)
    known = {verdict.sentence for verdict in judged}
    held = " ".join([question, *(f"{one.title} {one.section} {one.text}" for one in evidence)])
    found = () if plain else dict.fromkeys(find_asides(text, content_words(held), number_values(held)))
    asides = [one for one in found if one not in known]
    judged = (*judged, *(Verdict(one, "unchecked") for one in asides))
    nothing = NOTHING_CHECKED if text.strip() and not plain and not judged else ""
    return Answer(
        id=id,
        question=question,
        status="not_in_papers" if draft.refused else "answered",
        answer=text,
        reader=reader,
        citations=tuple(marks.citations),
        unsupported=unsupported_sentences(judged),
        nearest=find_nearest_citations(question, evidence, page_of) if draft.refused else (),
        notes=tuple(note for note in (draft.problem, REPAIRED if draft.repaired else "", nothing) if note),
        tokens=draft.tokens,
        verdicts=judged,
        repaired=draft.repaired,
    )


def _says_little(words: str) -> bool:
    """Whether a quote has hardly a word in small letters: "Top-1 Top-5 Top-20"."""
    return sum(word.isalpha() and word.islower() for word in words.split()) < FEWEST_WORDS


NEAR_PASSAGES = 2  # shown with a refusal


def find_nearest_citations(
    question: str, evidence: Sequence[Evidence], page_of: PageOf, top: int = NEAR_PASSAGES
) -> tuple[Citation, ...]:
    """The words that come closest to a question that nothing answers: of the best pieces the `top` sentences.

    Close is what shares most of the question's words and names; among equals the better piece comes first.
    """
    wanted = {*content_words(question), *map(squash, find_names(question))}
    found: list[tuple[float, Evidence, Page, tuple[int, int]]] = []
    for piece in evidence[:LOOKED_AT]:
        page = page_of(piece.paper, piece.page)
        start, end = best_quote(Claim(question), page, piece.start, piece.end)
        words = page.text[start:end]
        shared = wanted & {*content_words(words), *map(squash, find_names(words))}
        found.append((len(shared) / (len(wanted) or 1), piece, page, (start, end)))
    # The head of a table shares its words, and says nothing.
    found.sort(key=lambda one: (_says_little(one[2].text[slice(*one[3])]), -one[0]))
    return tuple(citation_at(n, piece, page, *span) for n, (_, piece, page, span) in enumerate(found[:top], start=1))
