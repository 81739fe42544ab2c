"""What a comparison is about: which papers a question sets side by side, and in which respects. Pure.

What a question asks for: one fact, a comparison of papers, or a list of papers. Pure.

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
from rag_app.retrieval.descriptions import PaperDescription
from rag_app.retrieval.facets import facets_of, related_words
from rag_app.retrieval.paper_phrases import KIND_WORD
from rag_app.text.sentences import word_set
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
    r"^(?:(?:and|but|or|while|whereas|unlike|both|each|the|a|an|its|their|of|for|in|on|as|from|to|do|does|did|whats)\s+"
    r"|(?:how|what)\s+(?:do|does|did)\s+(?:they|it|each)\s+"
    r"|(?:what|which)\s+(?:is|are|was|were)\s+(?:the\s+|their\s+|its\s+)?"
    r"|how\s+(?:do|does|did)\s+(?=\w+\s+(?:to|in|on|for|with|when|instructions)\b))+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:\s+(?:and|or|in|on|at|of|for|from|by|with|to|the|as|each|respectively|that|those|vs\.?|versus"
    r"|compared|comparison|differences?|used))+$",
    re.IGNORECASE,
)
# "What do they say about X": X is the respect.
_SAYS_ABOUT = re.compile(
    r"^.*\b(?:say|tell|find|found|conclude|think|claim|learn)s?\s+(?:about|on|for|regarding)\s+"
    r"(?P<what>.+)$",
    re.IGNORECASE,
)
# "The WikiEval set", "the FLARE authors": the noun belongs to the name.
_BELONGS = rf"{_NAME}(?:\s+(?:authors?|(?:data)?sets?|models?|systems?|methods?|frameworks?|one))?(?!\w)"
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
        "describe explain main key better best worse about there called named two three plain whats say says library"
    )
)
_JOINED = re.compile(
    r"\b(?:vs\.?|versus|against|than|between|unlike|compared (?:to|with)|relative to)\s*(?:the\s+)?$", re.I
)
_OWNER = re.compile(r"['’]s?$")
_COMPARED = re.compile(r"\b(?:compar\w*|differ\w*|contrast\w*)\b", re.IGNORECASE)
_CITED = re.compile(r"\s+(?:et\s+al\b|and\s+colleagues\b|\(?(?:19|20)\d\d\b)", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\(\s*$")  # "the rotary one (RoFormer)": what is meant
_MEASURED_ON = re.compile(r"\bon\s+(?:the\s+)?$", re.IGNORECASE)


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


# Where a question says in no respect how papers are to be compared: what papers of any field tell.
USUAL_ASPECTS = (
    Aspect("main idea", "What is the main idea that is proposed?", "we propose introduce present main idea approach"),
    Aspect("data", "Which data or participants are used?", "data dataset sample participants collected corpus"),
    Aspect("main result", "What is the main result?", "results show find improve significantly higher lower than"),
)


def parse_aspects(text: str) -> tuple[Aspect, ...]:
    """The aspects that a user has typed, with semicolons between; empty when there is none. Labels are as typed."""
    pieces = dict.fromkeys(" ".join(piece.split()) for piece in text.split(";"))
    return tuple(replace(_aspect(piece, ""), label=_clip_label(piece)) for piece in pieces if piece)


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
        return USUAL_ASPECTS if sum(1 for _ in names) > 1 else (Aspect("what the paper says", question, question),)
    return _with_own_labels([_aspect(piece, ground) for piece in found][:MOST_ASPECTS])


def _pieces(sentence: str) -> list[str]:
    """The clauses of one sentence; "and" divides a list, not the inside of a clause that asks by itself."""
    # What stands before the question proper: "As benchmarks, how do ...", "Unlike A, what ...".
    sentence = re.sub(
        rf"^(?:as|for|in|unlike)\b[^,]*,\s*(?={_QUESTION_WORD}\b)", "", sentence.strip(), flags=re.IGNORECASE
    )
    sentence = _respects_of(sentence)
    found: list[str] = []
    for clause in _CLAUSE.split(sentence.rstrip(" .?!")):
        if found and _BARE.match(clause.strip()):  # "how much was collected, by whom"
            found[-1] += f", {clause.strip()}"
            continue
        text = _ORDER.sub("", _RESPECT.sub("", clause.strip()))
        found += _split_clause(text) if _BEGINS_ASKING.match(text) else re.split(r"\band\b", text)
    return [_without_names(piece) for piece in found]


def _respects_of(sentence: str) -> str:
    """The side of a colon that has the respects: "Compare A and B: the loss, ...", "batch size: A vs B"."""
    before, colon, after = sentence.partition(": ")
    if not colon:
        return sentence
    ordered = _ORDER.match(sentence)[0]  # type: ignore[index]
    if _has_content(_without_names(after)) and (ordered or (_NAME in before and _NAME not in after)):
        return after
    if _has_content(_without_names(before)) and _NAME in after and _NAME not in before and not _ASKING.match(after):
        return before
    return sentence


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
    text = re.sub(rf"\b(?:(?:according )?to|in|of|for|from|by|with|at|between|behind)\s+{_NAME}(?=\W|$)", " ", piece)
    text = re.sub(r"\(\s*\)", " ", re.sub(_BELONGS, " ", text).replace(_NAME, " "))
    return " ".join(text.split()).strip(" ,;:.?!'’-–")


def _has_content(piece: str) -> bool:
    return any(word not in _NOTHING for word in content_words(_LEAD.sub("", piece)))


def _aspect(piece: str, ground: str) -> Aspect:
    subject = _SUBJECT.match(piece)
    piece = subject["what"] if subject else piece
    asking = _BEGINS_ASKING.match(piece) is not None
    label = _LEAD.sub("", piece) or piece
    says = _SAYS_ABOUT.match(label) if asking else None
    label = says["what"] if says and content_words(says["what"]) else label
    label = _TAIL.sub("", label) or piece
    asked = f"What is found about {label}" if says else piece if asking else f"What is the {label}"
    search = label
    if ground and _BACK.search(label):  # "that advice" means nothing without the sentence that it points back to
        asked, search = f"{asked} ({ground})", f"{label} {ground}"
    return Aspect(shorten_label(label), f"{asked}?", search)


def _with_own_labels(aspects: Sequence[Aspect]) -> tuple[Aspect, ...]:
    """The aspects, each with a label of its own: a second one of the same label keeps all its words."""
    found: list[Aspect] = []
    for one in aspects:
        taken = {other.label for other in found}
        found.append(replace(one, label=_clip_label(one.search)) if one.label in taken else one)
    return tuple({one.label: one for one in found}.values())


def shorten_label(label: str) -> str:
    """A column's head: the first noun phrase of a clause ("how many layers each has" -> "layers"), else the clause."""
    words = re.sub(r"^(?:what|which|how|where|when|who|whom|whose|why|whether)\b\s*", "", label, flags=re.IGNORECASE)
    if words == label and len(label.split()) <= LONGEST_PHRASE:
        return label
    kept: list[str] = []
    for word in words.split():
        bare = word.strip(".,;:?!").casefold()
        if not kept and (_IS_KIND.fullmatch(bare) or bare in ("more", "most", "fewer", "fewest", "less", "least")):
            continue
        if bare in _NO_NOUN:
            if kept and bare not in ("the", "a", "an", "its", "their"):
                break
            continue
        kept.append(word.strip(".,;:?!"))
    return _clip_label(" ".join(kept[:LONGEST_PHRASE])) if kept else _clip_label(label)


LONGEST_PHRASE = 4  # words of a label
# Ends a noun phrase, or stands before one.
_NO_NOUN = word_set(
    "is are was were do does did can could has have had be been being will would should may might must each both they "
    "it them their its the a an to of in on for from by with at as into than that which who many much long far often "
    "large big high low well fast deep old differ compare use uses used say says report reports propose proposes go "
    "goes come comes get gets run runs take takes need needs make makes work works behind give gives reach reaches"
)


def _clip_label(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[:LONGEST_LABEL].rsplit(" ", 1)[0] + " …"


_SURVEY = re.compile(
    r"\b(?:which|what)(?: \w+)?(?: of)?(?: the| these| those)? "
    r"(?:papers|studies|works|articles|authors|methods|approaches|systems|models|publications)\b",
    re.IGNORECASE,
)
# Between two of a list.
_LIST = re.compile(
    r"\s*(?:,|,?\s*(?:and|or|vs\.?|versus|against|than)\b|&|/)\s*"
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
    return NameIndex(kept, {**both, **kept}, alone)


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
) -> SearchPlan:
    """Decide how to search. `allowed` are the papers that the question may be asked of.

    `describe` finds papers that are described and not named, `is_written_small` tells a name in lower case from an
    ordinary word, `is_owned` whether a name speaks of its paper, and not of a whole field.
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
    papers = _compared_papers(question, likely, named, is_owned) if asking and named else []
    if len(papers) >= 2 and not _ANOTHER.search(question):
        places = [(mention.start, mention.end) for mention in likely if mention.paper in papers]
        aspects = dict.fromkeys(aspect.also for aspect in extract_aspects(question, places))
        return SearchPlan("comparison", named, tuple(papers), tuple(aspects), mentions, tuple(described))
    return SearchPlan("single", named, mentions=mentions, described=tuple(described))


def _with_size(question: str, mention: Mention) -> Mention:
    """The mention with what only says which of its kind, or that it is a paper: "BERT large", "the second ColBERT"."""
    behind, before = _SIZE.match(question, mention.end), _WHICH_OF.search(question[: mention.start])
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
            and not _OWNER.search(question[: last.end])
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
        before, text = question[: mention.start], question[mention.start : mention.end]
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
        if _IN_BRACKETS.search(before) and question[mention.end :].lstrip().startswith(")"):
            return True
        return _OWNER.search(text) is not None and _COMPARED.search(question) is not None

    rows = {mention.paper for mention in likely}
    found = list(dict.fromkeys(mention.paper for mention in likely if stands(mention)))
    return found if any(paper in named for paper in found) else []


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
