"""A question that leads from one paper to another: "A uses the retriever of another paper. How was that trained?"

Pure. The question is taken apart into what it says of the paper that it names, and what it asks of the paper that it
does not. The second paper is the one that the first speaks of, by a name that the library knows, where it speaks of
what is described; nothing is decided where two papers fit about as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag_app.index.paper_names import find_mentions, folded
from rag_app.statements import statement

# The paper that is asked about is not named: "another paper here", "the retriever that A uses was introduced by B".
_UNNAMED = re.compile(
    r"\b(?:another|other|a different|an? earlier|an? previous) (?:\w+ ){0,4}?"
    r"(?:papers?|works?|articles?|study|studies)\b"
    r"|\ban (?:earlier|older) (?:[\w-]+ ){1,5}?(?:from|of|in) th(?:is|e) (?:set|library|collection)\b"
    r"|\b(?:papers?|works?) (?:here|(?:of|in|from) th(?:is|e) (?:set|library|collection))\b"
    r"|\b(?:that|which) [\w-]+ (?:uses?|builds? (?:up)?on|starts? from|relies on|extends?|adopts?|employs?)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"(?<=[.?!])\s+(?=[A-Z])|:\s+(?=(?:how|what|which|where|when|who|why|on|in|from)\b)", re.IGNORECASE
)
_ASKING = re.compile(
    r"^\W*(?:(?:in|on|for|from|by|with|at|of|to|under)\s+)?(?:how|what|which|where|when|who|why|is|are|does|do|did|was)\b",
    re.IGNORECASE,
)
# Of the description only what describes: "an earlier automatic scorer from this set" -> "automatic scorer".
_EMPTY = re.compile(
    r"\b(?:another|other|a different|an? (?:earlier|previous|older)|papers?|works?|articles?|here|described|introduced|"
    r"proposed|presented|comes?|(?:of|in|from) th(?:is|e) (?:set|library|collection))\b",
    re.IGNORECASE,
)
# What "that paper" stands for is not searched for.
_BACK = re.compile(
    r"\b(?:th(?:at|is|e) (?:other )?(?:paper|work)(?:['’]s)?|(?:that|this) (?=\w)|of them|there|it|its|their)\b",
    re.IGNORECASE,
)
COINED = 0.6  # of a link by a name that the other paper only coined
MARGIN = 1.15  # the best second paper must be this much better than the next, else nothing is certain
LEAST = 0.25  # of the link's worth: below, the first paper merely names the second


@dataclass(frozen=True)
class Chain:
    """What is said of the named paper, and what is asked of the one that it leads to."""

    first: str  # paper
    link: str  # what the question says of it
    asks: str  # what is asked of the other


@dataclass(frozen=True)
class Link:
    """A place where the first paper speaks of another one of the library."""

    paper: str  # the other
    text: str
    passage: int  # of the first paper
    name: str  # as written there
    sure: bool  # a name that means the other paper, not one that it only coined


def chain_of(question: str, named: Sequence[str], spans: Sequence[tuple[int, int]]) -> Chain | None:
    """The chain that a question asks for; None when it names no paper or several, or needs no second one.

    `named` are the papers that it names for certain, one for each of `spans`, the places of their names.
    """
    unnamed = _UNNAMED.search(question)
    if unnamed is None:
        return None
    # "an earlier RAG scorer from this set": a name within the description describes, it names nobody.
    outside = [
        (paper, span)
        for paper, span in zip(named, spans, strict=True)
        if not unnamed.start() <= span[0] < unnamed.end()
    ]
    if len({paper for paper, _ in outside}) != 1:
        return None
    first, spans = outside[0][0], [span for _, span in outside]
    pieces = _SENTENCE.split(question)
    asking = [piece for piece in pieces if _ASKING.match(piece)]
    telling = [piece for piece in pieces if piece not in asking]
    if not asking or not telling:
        return None
    name = question[spans[0][0] : spans[0][1]]
    if not any(name in piece for piece in telling):
        return None
    link = _EMPTY.sub(" ", " ".join(telling).replace(name, " "))
    asks = _BACK.sub(" ", " ".join(asking))
    link = re.sub(r"(?:\s+(?:of|from|by|in|with))*\s*[.,;]*\s*$", "", link)  # "uses the retriever of ." is no question
    return Chain(first, " ".join(link.split()), " ".join(asks.split()))


def links_in(
    first: str,
    passages: Sequence[str],
    names: Mapping[str, Sequence[str]],
    sure: Collection[str],
    ignore: Callable[[str, str], bool],
) -> Iterator[Link]:
    """Where the passages of the first paper name other papers of the library.

    `names` maps folded names to papers; a name of several papers leads nowhere. `sure` are those of them that mean a
    paper for certain, `ignore` says whether a name means nothing, though
    it is a paper's.
    """
    alone = {name: papers for name, papers in names.items() if len(set(papers)) == 1 and papers[0] != first}
    for number, text in enumerate(passages):
        for mention in find_mentions(text, alone):
            name = text[mention.start : mention.end]
            if not ignore(name, mention.paper):
                yield Link(mention.paper, text, number, name, folded(name) in sure)


def second_paper(
    links: Sequence[Link], described: Mapping[str, float], nearness: np.ndarray, answers: Mapping[str, float]
) -> str | None:
    """The paper that the links lead to; None when that is not certain.

    `nearness` is how near each passage of the first paper is to what the question says of it, `described` how much a
    paper is itself like that, `answers` how well its best passage fits what is asked; each 0 to 1.
    """
    worth: dict[str, float] = {}
    for paper in dict.fromkeys(link.paper for link in links):
        own = [link for link in links if link.paper == paper]
        near = max(float(nearness[link.passage]) * _does(link.text) * (1.0 if link.sure else COINED) for link in own)
        often = min(1.0, len({link.passage for link in own}) / 6) * (1.0 if any(link.sure for link in own) else COINED)
        worth[paper] = 0.8 * near + 0.4 * often + described.get(paper, 0.0) + 0.8 * answers.get(paper, 0.0)
    ranked = sorted(worth, key=lambda paper: -worth[paper])
    if not ranked or worth[ranked[0]] < LEAST:
        return None
    if len(ranked) > 1 and worth[ranked[0]] < MARGIN * worth[ranked[1]]:
        return None
    return ranked[0]


def _does(text: str) -> float:
    """The authors tell what they themselves use; else the passage counts half."""
    return 1.0 if statement(text)["own_voice"] else 0.5
