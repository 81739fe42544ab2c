"""The respects in which a question compares papers: the columns of its table, each with a short label. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    r"^(?:(?:and|but|or|while|whereas|unlike|both|each|the|a|an|its|their|of|for|in|on|as|from|to|do|does|did|can|it|they|whats)\s+"
    r"|(?:how|what)\s+(?:do|does|did)\s+(?:they|it|each)\s+"
    r"|(?:(?:what|which)\s+(?:is|are|was|were)|what['’]s)\s+(?:the\s+|their\s+|its\s+)?"
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
_BELONGS = (
    rf"{_NAME}(?:['’]s?(?!\w))?(?:\s+(?:authors?|(?:data)?sets?|models?|systems?|methods?|frameworks?|one))?(?!\w)"
)
# "Which function do A and B use": without a subject it is no question.
_DOES_NAME = re.compile(rf"\b(do|does|did|can)\s+(?!{_NAME}['’]){_BELONGS}\s+(?=\w)", re.IGNORECASE)
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
LONGEST_PHRASE = 4  # words of a label
# Ends a noun phrase, or stands before one.
_NO_NOUN = word_set(
    "is are was were do does did can could has have had be been being will would should may might must each both they "
    "it them their its the a an to of in on for from by with at as into than that which who many much long far often "
    "large big high low well fast deep old differ compare use uses used say says report reports propose proposes go "
    "goes come comes get gets run runs take takes need needs make makes work works behind give gives reach reaches "
    "people authors researchers someone you we one"
)
# "Did people build a deeper nest": who and the verb.
_ANYBODY_DOES = re.compile(
    r"\b(?:do|does|did)\s+(?:the\s+)?(?:people|authors|researchers|they|you|we|one)\s+\w+\s+(?=\w)", re.IGNORECASE
)
_IS_KIND = re.compile(KIND_WORD, re.IGNORECASE)


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
    return tuple(replace(_aspect(piece, ""), label=clip_label(piece)) for piece in pieces if piece)


def extract_aspects(question: str, names: Sequence[tuple[int, int]]) -> tuple[Aspect, ...]:
    """The respects that a question asks for, at most MOST_ASPECTS; the whole question when none can be made out.

    `names` are where papers are named: start and end of each.
    """
    return list_aspects(question, names)[:MOST_ASPECTS]


def list_aspects(question: str, names: Sequence[tuple[int, int]]) -> tuple[Aspect, ...]:
    """All respects that a question asks for, also those for which a table has no room."""
    marked = question.replace(_NAME, " ")
    for start, end in reversed(merge_spans(names)):
        owner = re.search(r"['’]s?$", marked[start:end])
        marked = f"{marked[:start]}{_NAME}{owner[0] if owner else ''}{marked[end:]}"
    sentences = _SENTENCE.split(_NAMES.sub(_as_one_name, marked))
    asking = [sentence for sentence in sentences if _ASKING.match(sentence)] or sentences
    # A statement before the question is its ground: "A and B both do X. Compare ..." asks nothing about X.
    ground = " ".join(_without_names(sentence) for sentence in sentences if sentence not in asking)
    pieces = [piece for sentence in asking for piece in _pieces(sentence)]
    found = dict.fromkeys(piece for piece in pieces if _has_content(piece))
    if not found:
        return USUAL_ASPECTS if sum(1 for _ in names) > 1 else (Aspect("what the paper says", question, question),)
    return _with_own_labels([_aspect(piece, ground) for piece in found])


def _as_one_name(listed: re.Match[str]) -> str:
    """One name in place of a list of them; what belongs to the last one still does."""
    return f"{_NAME}'s" if re.search(r"['’]s?$", listed[0]) else _NAME


def merge_spans(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The places in order, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


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
    piece = _DOES_NAME.sub(lambda match: f"{match[1]} {'it' if match[1] == 'does' else 'they'} ", piece)
    text = re.sub(rf"\b(?:(?:according )?to|in|of|for|from|by|with|at|between|behind)\s+{_BELONGS}", " ", piece)
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
        found.append(replace(one, label=clip_label(one.search)) if one.label in taken else one)
    return tuple({one.label: one for one in found}.values())


def shorten_label(label: str) -> str:
    """A column's head: the first noun phrase of a clause ("how many layers each has" -> "layers"), else the clause."""
    words = re.sub(r"^(?:what|which|how|where|when|who|whom|whose|why|whether)\b\s*", "", label, flags=re.IGNORECASE)
    if words == label and len(label.split()) <= LONGEST_PHRASE:
        return label
    words = _ANYBODY_DOES.sub("", words)
    kept: list[str] = []
    for word, after in zip(words.split(), [*words.split()[1:], ""], strict=True):
        bare = word.strip(".,;:?!").casefold()
        if not kept and (_IS_KIND.fullmatch(bare) or bare in ("more", "most", "fewer", "fewest", "less", "least")):
            continue
        if bare in _NO_NOUN:
            if bare == "of" and len(kept) == 1 and after.strip(".,;:?!").casefold() not in _NO_NOUN | {""}:
                kept.append(word)  # "GB of text"
                continue
            if kept and bare not in ("the", "a", "an", "its", "their"):
                break
            continue
        kept.append(word.strip(".,;:?!"))
    return clip_label(" ".join(kept[:LONGEST_PHRASE])) if kept else clip_label(label)


def clip_label(label: str) -> str:
    """The label as a column's head has room for it."""
    return label if len(label) <= LONGEST_LABEL else label[:LONGEST_LABEL].rsplit(" ", 1)[0] + " …"
