"""What a paper proposes and finds, in two or three sentences of its own: from its abstract and its conclusion. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag_app.answering.quoting.one_paper import is_byline
from rag_app.answering.quoting.statements import does_propose, is_about_files, section_kind, statement_features
from rag_app.citations.marks import citation_at
from rag_app.records import Citation, Evidence, Page
from rag_app.text.sentences import sentences

SHORTEST, LONGEST = 40, 500  # characters of a sentence that is quoted
SAME = 0.6  # share of words that makes two sentences one
_FINDS = re.compile(
    r"\b(?:show(?:s|n|ed|ing)?|demonstrat\w+|find(?:s|ings?)?|found|achiev\w+|outperform\w*|improv\w+|reduc\w+|surpass\w*|"
    r"exceed\w*|obtain\w*|results?|conclu\w+|reveal\w*|observ\w+|suggest\w*)\b",
    re.IGNORECASE,
)
_LATER = re.compile(r"\b(?:future|further (?:research|work|study)|plan to|envision|leave)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Sentence:
    page: Page
    start: int  # offsets into page.text
    end: int
    section: str
    of_abstract: bool

    @property
    def text(self) -> str:
        return " ".join(self.page.text[self.start : self.end].split())


def quote_summary(paper: str, title: str, pages: Sequence[Page], digest: bool = False) -> list[Citation]:
    """At most three citations: what the paper proposes, what it finds, what it concludes; each once, in this order.

    `pages` is the whole paper. Empty where it says none of these in a sentence of its own.
    """
    every = list(_sentences(pages))
    front = [one for one in every if one.of_abstract]
    closing = [one for one in every if not one.of_abstract]
    proposal = next((one for one in front if does_propose(one.text)), None)
    after = front[front.index(proposal) + 1 :] if proposal else front
    finding = max(after, key=_finding_worth, default=None)
    conclusion = max(closing, key=_finding_worth, default=None)
    candidates = [proposal, *(one for one in (finding, conclusion) if one and _finding_worth(one) > 0)]
    chosen: list[_Sentence] = []
    for one in candidates:
        if one is not None and not any(_is_same(one.text, other.text) for other in chosen):
            chosen.append(one)
    return [_cite(number, paper, title, one, digest) for number, one in enumerate(chosen, start=1)]


def _sentences(pages: Sequence[Page]) -> Iterator[_Sentence]:
    """The sentences of the abstract and of the conclusion. Text of the first page below no heading is abstract."""
    for page in pages:
        for block in page.blocks:
            heading = block.section.casefold()
            of_abstract = "abstract" in heading or (page.number == 1 and not heading)
            if block.kind != "body" or not (
                of_abstract or (section_kind(heading) == "closing" and "conclu" in heading)
            ):
                continue
            for start, end in sentences(page.text[block.start : block.end]):
                one = _Sentence(page, block.start + start, block.start + end, block.section, of_abstract)
                if _is_quotable(one.text):
                    yield one


def _is_quotable(text: str) -> bool:
    whole = text[:1].isupper() and text.endswith((".", "!"))
    return whole and SHORTEST <= len(text) <= LONGEST and not is_byline(text) and not is_about_files(text)


def _finding_worth(one: _Sentence) -> float:
    """How surely a sentence says what the authors found: their own voice, figures, and a verb of finding."""
    if _FINDS.search(one.text) is None or _LATER.search(one.text):
        return 0.0
    said = statement_features(one.text, one.section)
    return 1.0 + said["own_voice"] + said["values"] - said["others"] - said["cites"] - 2 * said["about_text"]


def _is_same(one: str, other: str) -> bool:
    words, others = (set(re.findall(r"\w+", text.casefold())) for text in (one, other))
    return len(words & others) >= SAME * min(len(words), len(others))


def _cite(number: int, paper: str, title: str, one: _Sentence, digest: bool) -> Citation:
    page, text = one.page, one.page.text[one.start : one.end]
    piece = Evidence(number, paper, title, page.number, page.label, one.section, one.start, one.end, text, digest)
    return citation_at(number, piece, page, one.start, one.end)
