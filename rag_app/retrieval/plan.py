"""What a question asks for: one fact, a comparison of papers, or a list of papers. Pure.

A comparison cannot be searched by one query: it is split into the papers that it names and the aspects that it asks
for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import Mention, find_mentions, fold_name
from rag_app.retrieval.aspects import extract_aspects
from rag_app.retrieval.clauses import find_parallel_clauses
from rag_app.retrieval.descriptions import PaperDescription
from rag_app.retrieval.paper_phrases import KIND_WORD
from rag_app.text.terms import content_words

_JOINED = re.compile(
    r"\b(?:vs\.?|versus|against|than|between|unlike|compared (?:to|with)|relative to)\s*(?:the\s+)?$", re.I
)
_OWNER = re.compile(r"['’]s?$")
_COMPARED = re.compile(r"\b(?:compar\w*|differ\w*|contrast\w*)\b", re.IGNORECASE)
_CITED = re.compile(r"\s+(?:et\s+al\b|and\s+colleagues\b|\(?(?:19|20)\d\d\b)", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\(\s*$")  # "the rotary one (RoFormer)": what is meant
_MEASURED_ON = re.compile(r"\bon\s+(?:the\s+)?$", re.IGNORECASE)


_SURVEY = re.compile(
    r"\b(?:which|what)(?: \w+)?(?: of)?(?: the| these| those)? "
    r"(?:papers|studies|works|articles|authors|methods|approaches|systems|models|publications)\b",
    re.IGNORECASE,
)
# Between two of a list.
_LIST = re.compile(
    r"(?:\s*\([^()]{1,40}\))?\s*(?:,|,?\s*(?:and|or|vs\.?|versus|against|than)\b|&|/)\s*"
    r"(?:(?:the|just|only|plain|simple|vanilla|standard|ordinary|regular|normal|usual|original)\s+)*",
    re.IGNORECASE,
)
# One paper is named to find another: its second part is asked of a paper that is not named.
_ANOTHER = re.compile(
    r"\b(?:another|other|earlier|previous|different) (?:\w+ ){0,3}(?:paper|work|article|study|\w+er)\b", re.I
)
# A sentence that asks nothing is a claim whose evidence is looked for, whatever it names: "NAC destabilizes NO."
_ASKS = re.compile(
    r"\?|\b(?:how|what|which|where|when|whether|who|whom|whose|why|explain|describe|list|tell|give|show|name|find|"
    r"summari[sz]e|discuss|compare|contrast)\b",
    re.IGNORECASE,
)


# "BERT large", "LLaMA-65B's", "Jina embeddings v2": which size or version of what is named; or only that it is a paper.
_SIZE = re.compile(
    r"(?:[\s-]+(?:(?:embeddings?|models?)(?=\s+v?\d|\s+(?:vs\.?|versus|and|or|encode|use)\b)|v?\d+(?:\.\d+)?[bm]?"
    rf"|base|large|small|xx?l|tiny|mini|{KIND_WORD})(?![\w-]|\s+of\b))+",
    re.IGNORECASE,
)
_WHICH_OF = re.compile(
    r"\b(?:the\s+)?(?:first|second|third|original|new|newer|older|biggest|bigger|largest|larger|smallest|smaller|full)\s+$",
    re.IGNORECASE,
)
LEADS_UP = 60  # characters before a name: a question may hold a thousand names
_IS_KIND = re.compile(KIND_WORD, re.IGNORECASE)
_VERSION = re.compile(r"[\s-]?(?P<version>v\d+(?:\.\d+)?)\b", re.IGNORECASE)


@dataclass(frozen=True)
class SearchPlan:
    """How a question will be searched. `papers` are in the order in which the question names them."""

    kind: Literal["single", "comparison", "survey"]
    named: tuple[str, ...]  # papers that the question names for certain
    papers: tuple[str, ...] = ()  # of a comparison
    aspects: tuple[str, ...] = ()  # of a comparison: what each paper is searched for
    mentions: tuple[Mention, ...] = ()  # every place of a name, coined ones too, whatever the scope
    described: tuple[PaperDescription, ...] = ()  # papers that are described and not named


@dataclass(frozen=True)
class NameIndex:
    """Folded names -> papers: those that mean a paper, and those that a paper coined besides."""

    sure: Mapping[str, tuple[str, ...]]
    all: Mapping[str, tuple[str, ...]]
    heads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # "megatron" for "Megatron-LM"
    beginnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of titles: "chain of thought"

    def search(
        self, question: str, is_written_small: Callable[[str], bool] = lambda word: False
    ) -> tuple[list[Mention], list[Mention]]:
        """Where the question names papers: by names that mean one, and by all names."""
        sure = find_mentions(question, self.sure, is_written_small)
        every = []
        for one in find_mentions(question, self.all, is_written_small):
            inside = [other for other in sure if other.start < one.end and one.start < other.end and other != one]
            if any(other.start <= one.start for other in inside):
                continue  # "BERT large" means BERT, also where another paper coined "BERT-Large"
            sure = [other for other in sure if other not in inside]  # "Jina BERT" means not BERT
            if one in sure or not _CITED.match(
                question, one.end
            ):  # "Radford et al." are authors, whoever speaks of them
                every.append(one)
        for match in re.finditer(r"[^\W\d_]{4,}", question):
            word = match[0]
            papers = self.heads.get(fold_name(word), ())
            free = not any(one.start < match.end() and match.start() < one.end for one in every)
            if papers and free and is_written_small(word.casefold()):
                sure += [Mention(paper, *match.span()) for paper in papers]
                every += [Mention(paper, *match.span()) for paper in papers]
        order = lambda one: one.start  # noqa: E731
        return sorted(sure, key=order), sorted([*every, *(one for one in sure if one not in every)], key=order)


def index_names(entries: Sequence[IndexedPaper]) -> NameIndex:
    """Everything that the papers of a library can be called in a question. A name of many papers means none."""
    sure: dict[str, list[str]] = {}
    coined: dict[str, list[str]] = {}
    for entry in entries:
        for name in _certain_names(entry):
            sure.setdefault(fold_name(name), []).append(entry.paper)
        for name in entry.coined:
            coined.setdefault(fold_name(name), []).append(entry.paper)
    kept = {
        name: tuple(dict.fromkeys(papers)) for name, papers in sure.items() if len(name) > 1 and len(set(papers)) <= 2
    }
    both = {
        name: tuple(dict.fromkeys(papers)) for name, papers in coined.items() if len(name) > 1 and len(set(papers)) <= 2
    }
    heads: dict[str, set[str]] = {}
    for entry in entries:
        for name in (*entry.short_names, entry.title.split(":")[0]):
            head, *rest = re.split(r"[\s-]+", name)
            if rest and len(head) > 3:
                heads.setdefault(fold_name(head), set()).add(entry.paper)
    alone = {head: tuple(papers) for head, papers in heads.items() if len(papers) == 1}
    begun: dict[str, set[str]] = {}
    for entry in entries:
        for name in _title_beginnings(entry.title):
            begun.setdefault(fold_name(name), set()).add(entry.paper)
    beginnings = {name: tuple(papers) for name, papers in begun.items() if len(papers) == 1}
    return NameIndex(kept, {**both, **kept}, alone, beginnings)


def _title_beginnings(title: str) -> Iterable[str]:
    """The first words of a title, two to five of them, a compound at least: "Chain-of-Thought", "Red teaming"."""
    ends = [match.end() for match in re.finditer(r"\S+", title)][:5]
    for end in ends:
        name = title[:end].rstrip(".,:;?!")
        if len(content_words(name)) > 1 and content_words(re.split(r"[\s-]", name)[-1]):
            yield name


def _certain_names(entry: IndexedPaper) -> Iterable[str]:
    yield from entry.short_names
    head = entry.title.split(":")[0]
    yield from (entry.arxiv_id, entry.title, head, re.sub(r"^(?:the|an?)\s", "", head, flags=re.I), entry.paper)
    yield entry.paper.rsplit(".", 1)[0]
    if entry.authors:
        first, *others = (author.split()[-1] for author in entry.authors if author.split())
        forms = [f"{first} et al", f"{first} and colleagues"]
        if len(others) == 1:
            forms += [f"{first} and {others[0]}", f"{first} & {others[0]}"]
        yield from forms
        if entry.year:
            yield from (f"{form} {entry.year}" for form in (first, *forms))


Describe = Callable[[str, Sequence[Mention], Collection[str]], Sequence[PaperDescription]]


def _describe_none(question: str, taken: Sequence[Mention], allowed: Collection[str]) -> Sequence[PaperDescription]:
    return ()


def plan_search(
    question: str,
    names: NameIndex,
    allowed: Iterable[str],
    describe: Describe = _describe_none,
    is_written_small: Callable[[str], bool] = lambda word: False,
    is_owned: Callable[[str, str], bool] = lambda paper, name: True,
    holds_most: Callable[[str, str], bool] = lambda paper, words: True,
) -> SearchPlan:
    """Decide how to search. `allowed` are the papers that the question may be asked of.

    `describe` finds papers that are described and not named, `is_written_small` tells a name in lower case from an
    ordinary word, `is_owned` whether a name speaks of its paper, and not of a whole field, `holds_most` whether most of
    what the library says of some words stands in one paper, whose title they begin.
    """
    there = set(allowed)
    certain, every = names.search(question, is_written_small)
    other_versions = _other_versions(question, every, names)
    certain, every = (
        [one for one in found if not _IS_KIND.fullmatch(question[one.start : one.end])] for found in (certain, every)
    )
    owned = [one for one in every if is_owned(one.paper, question[one.start : one.end])]
    certain, every = (
        [_with_size(question, one) if one in owned else one for one in found] for found in (certain, every)
    )
    every = _join_compounds(question, every, certain)
    certain = [one for one in certain if any(one.paper == other.paper and one.start == other.start for other in every)]
    spans = [_with_size(question, one) for one in owned]
    described = [*describe(question, spans, there), *other_versions]
    held = [one for one in described if one.papers]
    taken = [*((one.start, one.end) for one in every), *((one.start, one.end) for one in described)]
    every += [
        one
        for one in find_mentions(question, names.beginnings, is_written_small)
        if not any(start < one.end and one.start < end for start, end in taken)
        and holds_most(one.paper, question[one.start : one.end])
    ]
    inside = [*held, *other_versions]  # neither a name within a description nor an absent version means a paper
    certain, every = (  # "meta's RAG benchmark": what it is about is no name of another paper
        [m for m in found if m.paper in there and not any(d.start <= m.start and m.end <= d.end for d in inside)]
        for found in (certain, every)
    )
    others = {one.paper for one in certain} | {paper for one in held for paper in one.papers}
    told = [mention for one in held if one.sure or len(others) > 1 for mention in one.mentions]
    certain, likely = (sorted([*found, *told], key=lambda one: one.start) for found in (certain, every))
    mentions = tuple(likely)
    named = tuple(dict.fromkeys(mention.paper for mention in certain))
    if _SURVEY.search(question) and len(named) < 2:
        return SearchPlan("survey", named, mentions=mentions, described=tuple(described))
    asking = not question.rstrip().endswith(".") or _ASKS.search(question) is not None
    papers = _compared_papers(question, likely, named, is_owned) if asking else []
    if len(papers) >= 2 and not _ANOTHER.search(question):
        places = [(mention.start, mention.end) for mention in likely if mention.paper in papers]
        aspects = dict.fromkeys(aspect.also for aspect in extract_aspects(question, places))
        return SearchPlan("comparison", named, tuple(papers), tuple(aspects), mentions, tuple(described))
    return SearchPlan("single", named, mentions=mentions, described=tuple(described))


def _just_before(mention: Mention) -> tuple[int, int]:
    """Where the few words stand that may lead up to a name."""
    return max(0, mention.start - LEADS_UP), mention.start


def _with_size(question: str, mention: Mention) -> Mention:
    """The mention with what only says which of its kind, or that it is a paper: "BERT large", "the second ColBERT"."""
    behind, before = _SIZE.match(question, mention.end), _WHICH_OF.search(question, *_just_before(mention))
    return replace(
        mention, start=before.start() if before else mention.start, end=behind.end() if behind else mention.end
    )


def _join_compounds(question: str, found: Sequence[Mention], certain: Sequence[Mention]) -> list[Mention]:
    """The mentions; a name that a paper coined makes one with the name behind it: "Jina BERT" is Jina's."""
    kept: list[Mention] = []
    for one in sorted(found, key=lambda mention: mention.start):
        last = kept[-1] if kept else None
        coined = last is not None and all(last.paper != other.paper for other in certain)
        joined = (
            last is not None
            and coined
            and question[last.end : one.start] == " "
            and not _OWNER.search(question[max(0, last.end - 2) : last.end])
        )
        if last is not None and last.paper != one.paper and joined:
            kept[-1] = replace(last, end=one.end)
        elif last is None or last.end <= one.start or last.start == one.start:
            kept.append(one)
    return kept


def _other_versions(question: str, mentions: Sequence[Mention], names: NameIndex) -> list[PaperDescription]:
    """Names with a version behind them that no paper has: "P-Tuning v2", where only P-Tuning is here."""
    found = []
    for mention in mentions:
        version = _VERSION.match(question, mention.end)
        name = question[mention.start : mention.end]
        if version and fold_name(name + version["version"]) not in names.all:
            folded, number = fold_name(name), version["version"].lstrip("vV")
            longer = (key for key, papers in names.sure.items() if mention.paper in papers and key.startswith(folded))
            if not any(number in key[len(folded) :] for key in longer):
                text = question[mention.start : version.end()]
                found.append(PaperDescription(text, mention.start, version.end(), (), (mention.paper,)))
    return found


def _compared_papers(
    question: str, likely: Sequence[Mention], named: Sequence[str], is_owned: Callable[[str, str], bool]
) -> list[str]:
    """The papers that the question sets side by side.

    A name that speaks of its paper stands there for it; one of a whole field ("RAG systems"), or one that a paper only
    coined, where it stands in one list with another paper, or behind a word that compares. What all are measured on
    ("on MMLU") is no row.
    """

    def stands(mention: Mention) -> bool:
        before, text = question[slice(*_just_before(mention))], question[mention.start : mention.end]
        if (
            _MEASURED_ON.search(before)
            and len(rows - {mention.paper}) > 1
            and not _stands_in_list(question, mention, likely)
        ):
            return False
        if mention.paper in named and is_owned(mention.paper, text):
            return True
        if _stands_in_list(question, mention, likely) or _JOINED.search(before) is not None:
            return True
        if (mention.start, mention.end) in asked_apart:
            return True
        if _IN_BRACKETS.search(before) and question[mention.end :].lstrip().startswith(")"):
            return True
        return _OWNER.search(text) is not None and _COMPARED.search(question) is not None

    rows = {mention.paper for mention in likely}
    clauses = find_parallel_clauses(question, {(mention.start, mention.end) for mention in likely})
    asked_apart = {place for clause in clauses for place in clause.names} | _find_bare_list(question, likely)
    found = list(dict.fromkeys(mention.paper for mention in likely if stands(mention)))
    own = {mention.paper for mention in likely if is_owned(mention.paper, question[mention.start : mention.end])}
    return found if any(paper in named for paper in found) or len(own.intersection(found)) > 1 else []


def _find_bare_list(question: str, found: Sequence[Mention]) -> set[tuple[int, int]]:
    """The names behind a colon where nothing else stands there: "batch size: BERT RoBERTa Contriever"."""
    begins = question.rfind(":") + 1
    listed = [(one.start, one.end) for one in found if one.start >= begins]
    rest = question[begins:]
    for start, end in listed:
        rest = rest[: start - begins] + " " * (end - start) + rest[end - begins :]
    return set(listed) if begins and not re.search(r"\w", rest) else set()


def _stands_in_list(question: str, mention: Mention, found: Sequence[Mention]) -> bool:
    """Whether a name stands in one list with another paper: "ColBERTv2 and Contriever"."""
    return any(
        other.paper != mention.paper
        and (
            _LIST.fullmatch(question[mention.end : other.start]) is not None
            if mention.end <= other.start
            else other.end <= mention.start and _LIST.fullmatch(question[other.end : mention.start]) is not None
        )
        for other in found
    )
