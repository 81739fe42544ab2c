"""What a question asks for: one fact, a comparison of papers, or a list of papers. Pure.

A comparison cannot be searched by one query: it is split into the papers that it names and the aspects that it asks
for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag_app.comparison_question import aspects_of
from rag_app.index.manifest import Entry
from rag_app.index.paper_names import Mention, find_mentions, folded

# Words that ask for a comparison when two papers are named.
_COMPARING = re.compile(
    r"\b(compar\w*|differ\w*|versus|vs\.?|contrast\w*|both|whereas|while|each|respectively|relative to|similarit\w*|"
    r"unlike|between)\b",
    re.IGNORECASE,
)
_SURVEY = re.compile(
    r"\b(?:which|what)(?: \w+)?(?: of)?(?: the| these| those)? "
    r"(?:papers|studies|works|articles|authors|methods|approaches|systems|models|publications)\b",
    re.IGNORECASE,
)
_LIST = re.compile(r"\s*(?:,|,?\s*(?:and|or|vs\.?|versus)\b|&|/)\s*(?:the\s+)?", re.IGNORECASE)  # between two of a list
# One paper is named to find another: its second part is asked of a paper that is not named.
_ANOTHER = re.compile(
    r"\b(?:another|other|earlier|previous|different) (?:\w+ ){0,3}(?:paper|work|article|study|\w+er)\b", re.I
)
# A sentence that asks nothing is a claim whose evidence is looked for, whatever it names: "NAC destabilizes NO."
_ASKS = re.compile(
    r"\?|\b(?:how|what|which|where|when|whether|who|whom|whose|why|explain|describe|list|tell|give|show|name|find|"
    r"summari[sz]e|discuss)\b",
    re.IGNORECASE,
)
KEYWORDS = 6  # words at most that are typed as one types into a search box: they ask without a word that asks


@dataclass(frozen=True)
class Plan:
    """How a question will be searched. `papers` are in the order in which the question names them."""

    kind: Literal["single", "comparison", "survey"]
    named: tuple[str, ...]  # papers that the question names for certain
    papers: tuple[str, ...] = ()  # of a comparison
    aspects: tuple[str, ...] = ()  # of a comparison: what each paper is searched for


@dataclass(frozen=True)
class Names:
    """Folded names -> papers: those that mean a paper, and those that a paper coined besides."""

    sure: Mapping[str, tuple[str, ...]]
    all: Mapping[str, tuple[str, ...]]


def names_of(entries: Sequence[Entry]) -> Names:
    """Everything that the papers of a library can be called in a question. A name of many papers means none."""
    sure: dict[str, list[str]] = {}
    coined: dict[str, list[str]] = {}
    for entry in entries:
        for name in _certain(entry):
            sure.setdefault(folded(name), []).append(entry.paper)
        for name in entry.coined:
            coined.setdefault(folded(name), []).append(entry.paper)
    kept = {
        name: tuple(dict.fromkeys(papers)) for name, papers in sure.items() if len(name) > 1 and len(set(papers)) <= 2
    }
    both = {
        name: tuple(dict.fromkeys(papers)) for name, papers in coined.items() if len(name) > 1 and len(set(papers)) <= 2
    }
    return Names(kept, {**both, **kept})


def _certain(entry: Entry) -> Iterable[str]:
    yield from entry.short_names
    yield from (entry.arxiv_id, entry.title, entry.title.split(":")[0], entry.paper)
    yield entry.paper.rsplit(".", 1)[0]
    if entry.authors and entry.year:
        author = entry.authors[0].split()[-1]
        for joint in ("", " et al", " and colleagues"):
            yield f"{author}{joint} {entry.year}"


def plan(question: str, names: Names, allowed: Iterable[str]) -> Plan:
    """Decide how to search. `allowed` are the papers that the question may be asked of."""
    there = set(allowed)
    certain = [mention for mention in find_mentions(question, names.sure) if mention.paper in there]
    likely = [mention for mention in find_mentions(question, names.all) if mention.paper in there]
    named = tuple(dict.fromkeys(mention.paper for mention in certain))
    possible = tuple(dict.fromkeys(mention.paper for mention in likely))
    if _SURVEY.search(question) and len(named) < 2:
        return Plan("survey", named)
    asking = _ASKS.search(question) is not None or len(question.split()) <= KEYWORDS
    comparing = bool(named) and len(possible) >= 2
    comparing = comparing and (
        _COMPARING.search(question) is not None or (asking and _stand_together(question, likely, named))
    )
    if (comparing or (len(named) >= 2 and asking)) and not _ANOTHER.search(question):
        papers = possible if comparing else named
        spans = [(mention.start, mention.end) for mention in likely if mention.paper in papers]
        aspects = dict.fromkeys(aspect.also for aspect in aspects_of(question, spans))
        return Plan("comparison", named, papers, tuple(aspects))
    return Plan("single", named)


def _stand_together(question: str, found: Sequence[Mention], named: Sequence[str]) -> bool:
    """Whether a paper that is named for certain stands in one list with another: "ColBERTv2 and Contriever"."""
    return any(
        one.paper != other.paper
        and (one.paper in named or other.paper in named)
        and _LIST.fullmatch(question[one.end : other.start]) is not None
        for one in found
        for other in found
        if one.end <= other.start
    )
