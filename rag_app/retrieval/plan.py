"""What a comparison is about: which papers a question sets side by side, and in which respects. Pure.

What a question asks for: one fact, a comparison of papers, or a list of papers. Pure.

A comparison cannot be searched by one query: it is split into the papers that it names and the aspects that it asks
for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import Mention, find_mentions, fold_name
from rag_app.retrieval.facets import facets_of, related_words
from rag_app.text.terms import content_words

MOST_ASPECTS = 5  # columns: more would not fit beside each other
LONGEST_LABEL = 60  # characters of a column's head

_NAME = "\ue000"  # private use: stands for a paper's name while a question is taken apart
_NAMES = re.compile(
    rf"(?:\b(?:between|both|the)\s+)?{_NAME}(?:['’]s?\b)?"
    rf"(?:(?:\s*\(\s*{_NAME}\s*\)|\s*(?:,|,?\s*\b(?:and|or|vs\.?|versus)\b|&)\s*"
    rf"(?:(?:in|of|for|from|by|with|to|the)\s+)*{_NAME})(?:['’]s?\b)?)*",
    re.IGNORECASE,
)
_QUESTION_WORD = r"(?:how|what|which|where|when|whether|who|whom|whose|why|is|are|was|were|do|does|did|can)"
_ASKING = re.compile(
    rf"^\W*(?:(?:as|in|for|on|among|unlike)\b[^,]*,\s*)?"
    rf"(?:{_QUESTION_WORD}|please|compare|contrast|describe|explain|tell|list|name)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[\"“A-Z\ue000])")
_CLAUSE = re.compile(rf"[,;:](?=\s)(?:\s*and\b)?|\band\b(?=\s+{_QUESTION_WORD}\b)", re.IGNORECASE)
_BARE = re.compile(
    r"^(?:and\s+)?(?:by|for|to|from|in|on|with|at)?\s*(?:whom|which|what|where|when|how|why)$", re.IGNORECASE
)
_BEGINS_ASKING = re.compile(rf"^{_QUESTION_WORD}\b", re.IGNORECASE)
# "How do A and B differ in generator": the respects come after the preposition.
_RESPECT = re.compile(
    r"^.*\b(?:compar\w*|differ\w*|chang\w*|relative to|versus|vs\.?|contrast\w*|similar\w*|alike)(?!\w)"
    rf"(?:[\s,]|{_NAME}|['’]s?\b|\b(?:with|from|to|relative|between|and|both|each|other|the|most|mainly)\b)*"
    r"\b(?:in terms of|with respect to|with regard to|regarding|concerning|in|on|by)\s+(?=\w)",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"^(?:(?:and|but|please|also|then)\s+)*(?:(?:compare|contrast|describe|explain|tell me|list)\s+)?", re.IGNORECASE
)
# "How does the retriever differ": it is the retriever that is asked for.
_SUBJECT = re.compile(r"^how (?:do|does|did) (?:the )?(?P<what>.+?)\s+(?:differ|compare)$", re.IGNORECASE)
_LEAD = re.compile(
    r"^(?:(?:and|but|or|while|whereas|unlike|both|each|the|a|an|its|their|of|for|in|on|as|from|to|do|does|did)\s+"
    r"|(?:how|what)\s+(?:do|does|did)\s+(?:they|it|each)\s+"
    r"|(?:what|which)\s+(?:is|are|was|were)\s+(?:the\s+|their\s+|its\s+)?"
    r"|how\s+(?:do|does|did)\s+(?=\w+\s+(?:to|in|on|for|with|when|instructions)\b))+",
    re.IGNORECASE,
)
_TAIL = re.compile(r"(?:\s+(?:and|or|in|of|for|from|by|with|to|the|as|each|respectively))+$", re.IGNORECASE)
_BACK = re.compile(r"^(?:that|this|these|those|such)\b|\b(?:it|that|this|them)$", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:the|its|their)\s", re.IGNORECASE)
# A question that needs nothing more: "where X comes from", "how X is trained", "how many X each uses", "what is the X".
_COMPLETE = re.compile(
    r"\b(?:from|for|on|in|with|by|at|to|is|are|was|were|\w+ed|built|chosen|made|drawn|split|fed|taken|given|"
    r"(?:each|it|they|both|one)\s+\w+s?)$|^(?:what|which) (?:is|are|was|were) the \w+(?: \w+)?$",
    re.IGNORECASE,
)
# "how X is trained and the queries are encoded", "where X comes from and the documents go to": one more question.
_OWN_VERB = re.compile(
    r"\b(?:is|are|was|were|be|do|does|did|has|have|had|can|comes?|goes?|go|gets?|uses?|works?)\b"
    r"|\b(?:from|for|on|in|with|by|at|to)$|^(?:(?:the|its|their)\s+)?(?:\w+\s+)*\w+ed$",
    re.IGNORECASE,
)
# Said of the comparison itself, not of what is compared.
_NOTHING = frozenset(
    content_words(
        "compare compared comparison differ differs different difference differences similar similarity contrast "
        "versus both paper papers unlike approach approaches method methods way ways work works respect respects "
        "describe explain main key"
    )
)
# "mock RAG systems", "the MS MARCO dev set": the name only describes the noun that follows it.
_OF_A_KIND = re.compile(
    r"[-\s]+(?:systems?|pipelines?|benchmarks?|applications?|techniques|community|literature|style|based)\b",
    re.IGNORECASE,
)
_OF_DATA = re.compile(
    r"[-\s]+(?:(?:dev|test|training|train|validation)\s+)?(?:sets?|datasets?|splits?|questions|corpus|tasks?|rerankers?)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(r"(?:,|\b(?:and|or|vs\.?|versus|to|than|with|from|between|unlike))\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Aspect:
    """One respect in which papers are compared: a column."""

    label: str  # short, for the head
    asked: str  # as a question of its own, for choosing sentences
    search: str  # what is searched within each paper

    @property
    def also(self) -> str:
        """A second search, in the words in which papers speak of it: "V100 GPUs" for "hardware"."""
        return f"{self.search} {related_words(self.asked)}".strip()


def select_compared_papers(
    question: str, found: Sequence[Mention], papers: Iterable[str], certain: Iterable[str]
) -> list[str]:
    """Those of a plan's papers that the question really sets side by side, not those whose name describes a thing."""
    sure, wanted = set(certain), set(papers)

    def is_compared(mention: Mention) -> bool:
        end = mention.end
        while (right := next((m.end for m in found if question[end : m.start] == " "), None)) is not None:
            end = right  # "MS MARCO dev set": the noun follows the whole name
        before, after = question[: mention.start], question[end:]
        if _JOINED.search(before):
            return True
        if _OF_A_KIND.match(after):
            return False
        return mention.paper in sure or not _OF_DATA.match(after)

    return list(dict.fromkeys(m.paper for m in found if m.paper in wanted and is_compared(m)))


def parse_aspects(text: str) -> tuple[Aspect, ...]:
    """The aspects that a user has typed, with semicolons between; empty when there is none."""
    pieces = (" ".join(piece.split()) for piece in text.split(";"))
    return tuple(_aspect(piece, "") for piece in dict.fromkeys(pieces) if piece)


def extract_aspects(question: str, names: Sequence[tuple[int, int]]) -> tuple[Aspect, ...]:
    """The respects that a question asks for, at most MOST_ASPECTS; the whole question when none can be made out.

    `names` are where papers are named: start and end of each.
    """
    marked = question.replace(_NAME, " ")
    for start, end in sorted(set(names), reverse=True):
        marked = f"{marked[:start]}{_NAME}{marked[end:]}"
    sentences = _SENTENCE.split(_NAMES.sub(_NAME, marked))
    asking = [sentence for sentence in sentences if _ASKING.match(sentence)] or sentences
    # A statement before the question is its ground: "A and B both do X. Compare ..." asks nothing about X.
    ground = " ".join(_without_names(sentence) for sentence in sentences if sentence not in asking)
    pieces = [piece for sentence in asking for piece in _pieces(sentence)]
    found = dict.fromkeys(piece for piece in pieces if _has_content(piece))
    if not found:
        return (Aspect("what the paper says", question, question),)
    return tuple(_aspect(piece, ground) for piece in found)[:MOST_ASPECTS]


def _pieces(sentence: str) -> list[str]:
    """The clauses of one sentence; "and" divides a list, not the inside of a clause that asks by itself."""
    # What stands before the question proper: "As benchmarks, how do ...", "Unlike A, what ...".
    sentence = re.sub(
        rf"^(?:as|for|in|unlike)\b[^,]*,\s*(?={_QUESTION_WORD}\b)", "", sentence.strip(), flags=re.IGNORECASE
    )
    # "Compare A and B: the loss, ...": before the colon stands what is compared.
    _, colon, after = sentence.partition(": ")
    if colon and _ORDER.match(sentence)[0] and _has_content(_without_names(after)):  # type: ignore[index]
        sentence = after
    found: list[str] = []
    for clause in _CLAUSE.split(sentence.rstrip(" .?!")):
        if found and _BARE.match(clause.strip()):  # "how much was collected, by whom"
            found[-1] += f", {clause.strip()}"
            continue
        text = _ORDER.sub("", _RESPECT.sub("", clause.strip()))
        found += _split_clause(text) if _BEGINS_ASKING.match(text) else re.split(r"\band\b", text)
    return [_without_names(piece) for piece in found]


def _split_clause(clause: str) -> list[str]:
    """A clause that asks by itself, and a respect named behind it: "where the text comes from and the batch size".

    Divided only where the clause is complete before "and" and what follows has no verb of its own.
    """
    for joint in reversed(list(re.finditer(r"\band\b", clause, re.IGNORECASE))):
        left, right = clause[: joint.start()].strip(), clause[joint.end() :].strip()
        named = _ARTICLE.match(right) is not None or bool(facets_of(right))
        if named and _COMPLETE.search(left) and not _OWN_VERB.search(right):
            return [*_split_clause(left), right]
    return [clause]


def _without_names(piece: str) -> str:
    text = re.sub(rf"\b(?:in|of|for|from|by|with|to|at|between)\s+{_NAME}(?=\W|$)", " ", piece)
    text = re.sub(r"\(\s*\)", " ", text.replace(_NAME, " "))
    return " ".join(text.split()).strip(" ,;:.?!'’-–")


def _has_content(piece: str) -> bool:
    return any(word not in _NOTHING for word in content_words(_LEAD.sub("", piece)))


def _aspect(piece: str, ground: str) -> Aspect:
    subject = _SUBJECT.match(piece)
    piece = subject["what"] if subject else piece
    asking = _BEGINS_ASKING.match(piece) is not None
    label = _LEAD.sub("", piece) or piece
    label = label if asking else _TAIL.sub("", label) or piece
    asked = piece if asking else f"What is the {label}"
    search = label
    if ground and _BACK.search(label):  # "that advice" means nothing without the sentence that it points back to
        asked, search = f"{asked} ({ground})", f"{label} {ground}"
    return Aspect(_clip_label(label), f"{asked}?", search)


def _clip_label(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[:LONGEST_LABEL].rsplit(" ", 1)[0] + " …"


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
class SearchPlan:
    """How a question will be searched. `papers` are in the order in which the question names them."""

    kind: Literal["single", "comparison", "survey"]
    named: tuple[str, ...]  # papers that the question names for certain
    papers: tuple[str, ...] = ()  # of a comparison
    aspects: tuple[str, ...] = ()  # of a comparison: what each paper is searched for
    mentions: tuple[Mention, ...] = ()  # every place of a name, coined ones too, whatever the scope


@dataclass(frozen=True)
class NameIndex:
    """Folded names -> papers: those that mean a paper, and those that a paper coined besides."""

    sure: Mapping[str, tuple[str, ...]]
    all: Mapping[str, tuple[str, ...]]

    def search(self, question: str) -> tuple[list[Mention], list[Mention]]:
        """Where the question names papers: by names that mean one, and by all names."""
        return find_mentions(question, self.sure), find_mentions(question, self.all)


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
    return NameIndex(kept, {**both, **kept})


def _certain_names(entry: IndexedPaper) -> Iterable[str]:
    yield from entry.short_names
    yield from (entry.arxiv_id, entry.title, entry.title.split(":")[0], entry.paper)
    yield entry.paper.rsplit(".", 1)[0]
    if entry.authors and entry.year:
        author = entry.authors[0].split()[-1]
        for joint in ("", " et al", " and colleagues"):
            yield f"{author}{joint} {entry.year}"


def plan_search(question: str, names: NameIndex, allowed: Iterable[str]) -> SearchPlan:
    """Decide how to search. `allowed` are the papers that the question may be asked of."""
    there = set(allowed)
    certain, every = names.search(question)
    certain = [mention for mention in certain if mention.paper in there]
    likely = [mention for mention in every if mention.paper in there]
    mentions = tuple(every)
    named = tuple(dict.fromkeys(mention.paper for mention in certain))
    possible = tuple(dict.fromkeys(mention.paper for mention in likely))
    if _SURVEY.search(question) and len(named) < 2:
        return SearchPlan("survey", named, mentions=mentions)
    asking = _ASKS.search(question) is not None or len(question.split()) <= KEYWORDS
    comparing = bool(named) and len(possible) >= 2
    comparing = comparing and (
        _COMPARING.search(question) is not None or (asking and _stands_beside(question, likely, named))
    )
    if (comparing or (len(named) >= 2 and asking)) and not _ANOTHER.search(question):
        papers = possible if comparing else named
        spans = [(mention.start, mention.end) for mention in likely if mention.paper in papers]
        aspects = dict.fromkeys(aspect.also for aspect in extract_aspects(question, spans))
        return SearchPlan("comparison", named, papers, tuple(aspects), mentions)
    return SearchPlan("single", named, mentions=mentions)


def _stands_beside(question: str, found: Sequence[Mention], named: Sequence[str]) -> bool:
    """Whether a paper that is named for certain stands in one list with another: "ColBERTv2 and Contriever"."""
    return any(
        one.paper != other.paper
        and (one.paper in named or other.paper in named)
        and _LIST.fullmatch(question[one.end : other.start]) is not None
        for one in found
        for other in found
        if one.end <= other.start
    )
