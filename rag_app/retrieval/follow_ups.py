"""Whether a question leaves something out that was said before it: an ellipsis, or a word that points back. Pure.

A pronoun, "that paper" or "the second one" points back only where nothing earlier in the same question can be meant.

A follow-up question ("and on HotpotQA?", "how large is it?") -> a question that stands alone. Pure.

What it leaves out is taken from the questions and answers before it. A question that stands alone is left
as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rag_app.index.paper_names import Mention
from rag_app.records import Answer
from rag_app.retrieval.question_names import QuestionName, find_question_names

LONGEST_FRAGMENT = 8  # words of a question without a verb

_AUX = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might)"
_HEAD = r"(?:paper|method|model|approach|work|study|article|system|technique|framework|data ?set|benchmark|one)"
_ORDINAL = r"(?:first|second|third|fourth|fifth|sixth|last|former|latter|other)"
_COURTESY = r"(?:(?:ok(?:ay)?|so|well|thanks|thank you|great|hm+)\b[,.!]*\s+)*"
_LEAD = re.compile(
    rf"{_COURTESY}(?P<joint>(?:and|but|or|also|then)\b,?\s+)?"
    r"(?P<about>(?:(?:what|how)\s+about|(?:the\s+)?same(?:\s+question)?(?=\s+(?:for|on|with|in)\b))\s+)?",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    rf"\b{_AUX}\b|^(?:compare|list|explain|describe|tell|show|give|summari[sz]e|name)\b"
    r"|^(?:what|how|which|who|where|when|why)\b.*\b\w+(?:es|s|ed)\b\s+\w",
    re.IGNORECASE,
)
# Nothing but a question word, its noun and an auxiliary stands before the pronoun, so that only an earlier question can
# say what it means.
_ASKING = (
    rf"^{_COURTESY}(?:(?:and|but|or|also)\b,?\s+)?"
    rf"(?:(?:(?:in|on|for|by|with|from|to|at|of)\s+)?(?:what|which|how|who|whom|whose|where|when|why)\b"
    rf"(?:(?!\b{_AUX}\b)[^,;:?.])*?\s)?{_AUX}(?:n['’]t)?\s+"
)
_TELLING = (
    rf"^{_COURTESY}(?:compare|explain|describe|summari[sz]e|tell me (?:more )?about|who (?:wrote|proposed|made))\s+"
)
_EXPLETIVE = (  # "is it likely that", "how long does it take to" mean nothing that was said before
    r"(?!\s+(?:\w+ly\s+)?(?:possible|true|necessary|better|worth|known|clear|(?:un)?likely|important|useful|proposed"
    r"|assumed|believed|thought|said|argued|take|that)\b(?:\s+\w+)?\s+(?:that|to|for|if)\b|\s+that\b)"
)
_PRONOUN = re.compile(
    rf"(?:{_ASKING}|{_TELLING})(?P<word>it{_EXPLETIVE}|its|they|their|them)\b(?!\s*['’])", re.IGNORECASE
)
_THEM = re.compile(
    rf"^{_COURTESY}(?:and\s+)?which(?: one)? of (?P<word>them|(?:those|these|the two)(?=\s+{_AUX}))\b", re.IGNORECASE
)
_OF_THEM = re.compile(
    rf"^{_COURTESY}(?:and\s+)?how (?:many|much) of (?P<word>them|(?:those|these)(?=\s+{_AUX}))\b", re.I
)
_THAT = re.compile(
    rf"\b(?P<word>(?:this|that|the same) {_HEAD}"
    rf"|(?:these|those|the) two(?: {_HEAD}s)?(?=\W*$|\s+{_AUX}|\s+differ)|both of them)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    rf"(?P<word>\bthe (?P<ordinal>{_ORDINAL})(?P<head> {_HEAD}| citation| source| row)?"
    r"(?:\s+of (?:them|these|those))?\b"
    r"|\b(?:citation|source|reference|number)\s+\[?(?P<number>\d{1,2})\]?|\[(?P<mark>\d{1,2})\])"
    r"(?P<rest>\W*$|['’]s?\b|\s+\w+)",
    re.IGNORECASE,
)
_VERB = re.compile(
    rf"{_AUX}|(?:use|need|read|say|report|reach|achieve|require|propose|perform|score|get|rely|retrieve)s?|on"
)
_RELATIVE = frozenset(["that", "which", "who", "whose", "to", "in", "of", "from", "where", "when", "for"])
PREPOSITION = re.compile(r"(on|for|in|with|without|at|by|from|of|under|against|using)\s+(?:the\s+(?=[A-Z]))?", re.I)
BARE = re.compile(r"(?:why|how so|how come|how|where|when|by how much|compared to what)", re.IGNORECASE)
_ANY_PAPER = re.compile(
    r"\b(?:papers?|study|work|articles?|methods?|models?|systems?|data ?sets?|benchmarks?)\b", re.IGNORECASE
)


class NameLookup(Protocol):
    """What the papers can say about names."""

    def find_mentions(self, question: str) -> Sequence[Mention]:
        """Where a question names papers."""
        ...

    def name(self, paper: str) -> str:
        """What to call a paper in a question."""
        ...

    def is_dataset(self, name: str) -> bool:
        """Whether the papers use the name as one of data to measure on."""
        ...

    def is_title(self, words: str) -> bool:
        """Whether exactly one paper's title holds the words."""
        ...


def is_dependent(question: str, library: NameLookup) -> bool:
    """Whether the question means something that was said before it."""
    words = without_end(question)
    return bool(
        find_reference(words, library) or find_ellipsis(words, library) is not None or is_continuation(words, library)
    )


def without_end(question: str) -> str:
    """The question without the marks at its end and without needless blanks."""
    return " ".join(question.split()).rstrip(" ?.!…")


def known_names(question: str, library: NameLookup) -> tuple[list[QuestionName], tuple[str, ...]]:
    mentions = library.find_mentions(question)
    texts = {name.text for name in find_question_names(question, mentions)}
    names = find_question_names(question, mentions, {text for text in texts if library.is_dataset(text)})
    places = {(name.start) for name in names if name.kind == "paper"}
    return names, tuple(dict.fromkeys(mention.paper for mention in mentions if mention.start in places))


def find_reference(words: str, library: NameLookup) -> re.Match[str] | None:
    """The first word that means something outside the question."""
    found = _PRONOUN.search(words) or _THEM.search(words) or _OF_THEM.search(words)
    if found:
        return found
    for pattern in (_NUMBERED, _THAT):
        for match in pattern.finditer(words):
            before = words[: match.start()]
            named = bool(library.find_mentions(before)) or _ANY_PAPER.search(before) is not None
            if not named and not (pattern is _NUMBERED and _is_described(match)):
                return match
    return None


def _is_described(match: re.Match[str]) -> bool:
    """Whether "the first paper" goes on with what it is the first of, or is no paper at all ("the first token")."""
    if match["ordinal"] is None:
        return False
    following = match["rest"].strip().casefold()
    head = (match["head"] or "").strip()
    if head in ("one", "citation", "source", "row"):
        return False
    if not head:
        pointing = match["ordinal"].casefold() in ("former", "latter")
        return bool(re.match(r"\w", following)) and not pointing and not _VERB.fullmatch(following)
    return following in _RELATIVE


def find_ellipsis(words: str, library: NameLookup) -> str | None:
    """What is left of a question without a verb, without its lead; None where the question is whole."""
    lead = _LEAD.match(words)
    rest = words[lead.end() :] if lead else words
    led = bool(lead and (lead["joint"] or lead["about"]))
    if not rest or _CLAUSE.search(rest) or len(rest.split()) > LONGEST_FRAGMENT * (2 if led else 1):
        return rest if rest and BARE.fullmatch(rest) else None
    if led or BARE.fullmatch(rest):
        return rest
    names, _ = known_names(rest, library)
    if PREPOSITION.match(rest):
        return rest
    if re.match(r"(?:how many|how much|which|what)\s+\w+(?:\s+\w+)?$", rest, re.IGNORECASE) and not names:
        return rest
    return None


def is_continuation(words: str, library: NameLookup) -> bool:
    """Whether it is a whole question that goes on with the one before ("and how large is the index?")."""
    lead = _LEAD.match(words)
    if not lead or not lead["joint"] or not _CLAUSE.search(words):
        return False
    return not library.find_mentions(words) and not _ANY_PAPER.search(words)


def without_lead(words: str) -> str:
    lead = _LEAD.match(words)
    return words[lead.end() :] if lead and not lead["about"] else words


TURNS_READ = 6  # back: what was said longer ago is seldom meant
_JOINS = re.compile(r"(?:['’]s)?\s*(?:,|,?\s*\b(?:and|or|vs\.?|versus)\b|&)\s*", re.IGNORECASE)
_ORDINALS = "first second third fourth fifth sixth"
_PLACES = {word: place for place, word in enumerate(_ORDINALS.split())} | {"former": 0, "latter": 1, "other": 1}


@dataclass(frozen=True)
class _EarlierTurn:
    """One earlier question, standing alone, and the papers that its answer showed."""

    question: str
    names: list[QuestionName]
    papers: tuple[str, ...]  # named in the question
    shown: tuple[str, ...]  # of the answer: rows of its table, else papers by citation
    numbered: dict[int, str]  # citation -> paper


def resolve_follow_up(question: str, history: Sequence[Answer], library: NameLookup) -> str:
    """The question with what it leaves out; empty when it stands alone or nothing before says what it means.

    `history` are the answers to the questions before it, oldest first.
    """
    words = without_end(question)
    turns = [_describe_turn(answer, library) for answer in history[-TURNS_READ:] if answer.status != "error"]
    if not turns or not is_dependent(question, library):
        return ""
    resolved = _replace_references(words, turns, library)
    rest = find_ellipsis(resolved if resolved else words, library)
    if rest is not None:
        found = _complete_ellipsis(rest, turns, library)
    elif resolved:
        found = without_lead(resolved)
    elif is_continuation(words, library):
        focus = _focus(turns, library)
        found = f"{without_lead(words)} in {' and '.join(focus)}" if focus else ""
    else:
        found = ""
    return f"{found[0].upper()}{found[1:]}?" if found and found != words else ""


def _describe_turn(answer: Answer, library: NameLookup) -> _EarlierTurn:
    question = without_end(answer.asked or answer.question)
    names, papers = known_names(question, library)
    numbered = {citation.number: citation.paper for citation in (answer.citations or answer.nearest)}
    rows = [row.paper for row in answer.table.rows] if answer.table else []
    shown = tuple(dict.fromkeys(rows or numbered.values()))
    if answer.citations and not set(papers) & set(shown):  # "a RAG scorer" is not about the paper that coined RAG
        papers = ()
    return _EarlierTurn(question, names, papers, shown, numbered)


def _replace_references(words: str, turns: Sequence[_EarlierTurn], library: NameLookup) -> str:
    """The words with every reference in them replaced by a name; empty where there is none or none is known."""
    found = ""
    for _ in range(3):
        match = find_reference(words, library)
        if match is None:
            return found
        name = _resolve_reference(match, turns, library)
        start, end = match.span("word")
        if not name:
            return found
        words = found = f"{words[:start]}{name}{words[end:]}"
    return found


def _resolve_reference(match: re.Match[str], turns: Sequence[_EarlierTurn], library: NameLookup) -> str:
    groups = match.groupdict()
    if groups.get("ordinal"):
        return _paper_at_place(match["ordinal"].casefold(), turns, library)
    number = groups.get("number") or groups.get("mark")
    if number:
        paper = turns[-1].numbered.get(int(number))
        return library.name(paper) if paper else ""
    word = match["word"].casefold()
    many = word in ("they", "their", "them", "those", "these") or "two" in word or "both" in word
    focus = _focus(turns, library)
    if not focus:
        return ""
    name = _join_names(focus) if many else focus[0]
    if word in ("they", "their") and len(focus) == 1:
        name = f"the authors of {name}" if word == "they" else name
    return f"{name}{'’' if name.endswith('s') else '’s'}" if word in ("its", "their") else name


def _join_names(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _paper_at_place(ordinal: str, turns: Sequence[_EarlierTurn], library: NameLookup) -> str:
    """The paper at that place of the last question, or of the rows or citations of its answer."""
    last = turns[-1]
    papers = last.papers if len(last.papers) > 1 else last.shown
    if ordinal == "other" and len(papers) != 2:
        return ""
    place = len(papers) - 1 if ordinal == "last" else _PLACES[ordinal]
    return library.name(papers[place]) if 0 <= place < len(papers) else ""


def _focus(turns: Sequence[_EarlierTurn], library: NameLookup) -> list[str]:
    """What was talked about last: the papers that a question named, else what it was about, else the paper cited."""
    for turn in reversed(turns):
        if turn.papers:
            return list(dict.fromkeys(name.text for name in turn.names if name.kind == "paper"))
        if re.match(r"(?:what|who) (?:is|are|was|were) ", turn.question, re.IGNORECASE) and turn.names:
            return [turn.names[0].text]
        if turn.shown:
            return [library.name(turn.shown[0])]
    return []


def _complete_ellipsis(rest: str, turns: Sequence[_EarlierTurn], library: NameLookup) -> str:
    """The question before with the new term in place of the one of the same kind."""
    last = turns[-1]
    if BARE.fullmatch(rest):
        return f"{rest}: {last.question}"
    led = PREPOSITION.match(rest)
    term = rest[led.end() :] if led else rest
    names, _ = known_names(term, library)
    whole = [name for name in names if len(name.text) * 2 >= len(term)] or [n for n in names if n.kind == "number"]
    if not whole and library.is_title(term):
        whole = [QuestionName(term, 0, len(term), "paper")]
    if not whole:
        return _apply_plain_term(rest, term, led, turns, library)
    kind = whole[0].kind
    if kind == "paper" and len(whole) == 1 and whole[0].text in {name.text for name in last.names}:
        return _narrow_to_paper(whole[0].text, last)
    old = _same_kind(last, kind, led[1].casefold() if led else "", whole[0].text)
    if not old:
        return _append_condition(last.question, f"{led[1] if led else 'for'} {term}")
    start, end = old[0].start, old[-1].end
    if kind in ("metric", "number"):
        term = whole[0].text  # without "the"
    if kind == "paper" and len(old) > 1 and led is None:  # a comparison takes in one more paper
        return f"{last.question[:end]} and {term}{last.question[end:]}"
    return f"{last.question[:start]}{term}{last.question[end:]}"


def _narrow_to_paper(name: str, turn: _EarlierTurn) -> str:
    """The question of several papers, asked of one of them."""
    old = _same_kind(turn, "paper", "", name)
    return f"{turn.question[: old[0].start]}{name}{turn.question[old[-1].end :]}"


def _same_kind(turn: _EarlierTurn, kind: str, preposition: str, term: str) -> list[QuestionName]:
    """Names of the question before, side by side, that the new one takes the place of."""
    kinds = {"dataset": ("dataset",), "other": ("other", "dataset"), "number": ("number",)}.get(kind, (kind,))
    alike = [name for name in turn.names if name.kind in kinds]
    if kind == "number":
        shape = re.sub(r"\d+", "0", term.casefold())
        return [name for name in alike if re.sub(r"\d+", "0", name.text.casefold()) == shape][-1:]
    if preposition:
        joined = re.compile(rf"\b{preposition}\s+(?:the\s+|both\s+)?$", re.IGNORECASE)
        after = [name for name in turn.names if joined.search(turn.question[: name.start])]
        alike = [name for name in after if name in alike] or alike or [name for name in after if name.kind != "paper"]
    if not alike:
        return []
    first = alike[0] if kind == "paper" else alike[-1]
    group = [first]
    for name in turn.names:
        between = turn.question[group[-1].end : name.start]
        if name.start > group[-1].start and name.kind == first.kind and _JOINS.fullmatch(between):
            group.append(name)
    for name in reversed(turn.names):
        between = turn.question[name.end : group[0].start]
        if name.start < group[0].start and name.kind == first.kind and _JOINS.fullmatch(between):
            group.insert(0, name)
    return group


def _apply_plain_term(
    rest: str, term: str, led: re.Match[str] | None, turns: Sequence[_EarlierTurn], library: NameLookup
) -> str:
    """A term that is no name: another thing asked about the same paper, or a further condition."""
    focus = _focus(turns, library)
    if led and led[1].casefold() not in ("of", "by"):
        return _append_condition(turns[-1].question, rest)
    if re.match(r"(?:how|which|what|whose)\b", rest, re.IGNORECASE):
        return f"{rest} in {_join_names(focus)}" if focus else ""
    thing = re.sub(r"^(?:the|its|their)\s+", "", term)
    return f"what is the {thing} of {_join_names(focus)}" if focus else ""


def _append_condition(question: str, condition: str) -> str:
    return f"{question} {condition}"
