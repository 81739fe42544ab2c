"""Noun phrases of a question that may describe a paper: "the nap study", "the paper on X", either side of "vs". Pure.

What a phrase means is looked for elsewhere (descriptions.py); here is only the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.index.bm25 import extract_terms
from rag_app.index.paper_names import Mention
from rag_app.text.sentences import word_set

LONGEST_PHRASE = 6  # words
MOST_DESCRIBED = 24  # descriptions of a question that are looked up, and pairs of sides; a page of "or"s has a thousand
KIND_WORD = (
    r"(?:papers?|surveys?|stud(?:y|ies)|articles?|reviews?|trials?|experiments?|preprints?|benchmarks?|roadmaps?)"
)
_BOUNDARY = word_set(
    "the a an that this these those of in on for from by with to at and or vs versus between both our is are was were "
    "do does did what which who how when where why whether compare contrast than as per about into two three four"
)
# "another paper", "the same study": they mean no paper by what it is about.
_EMPTY = word_set(
    "another other others same earlier previous different new first second third last each many oldest newest any every"
)
_ANY = word_set("a an what which who how when where why whether about into per")  # "a nap study": no certain one
_NUMBER = {"two": 2, "both": 2, "three": 3, "four": 4}
WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_AFTER = re.compile(
    r"\b(?:paper|survey|study|article|review|trial|work)\s+(?:on|about|of|that|which|where|for)\s+"
    r"(?:(?:whether|how|why|what|the|a|an)\s+)*(?P<what>[^,;:?]+)",
    re.IGNORECASE,
)
BY_AUTHOR = re.compile(
    r"\b(?P<who>[^\W\d_]{2,})(?=\s+et\s+al\b|\s+and\s+colleagues\b|,?\s+\(?(?:19|20)\d\d\b)"
    r"(?:\s+et\s+al\b\.?|\s+and\s+colleagues\b)?(?:,?\s+\(?(?P<year>(?:19|20)\d\d)\b\)?)?",
    re.IGNORECASE,
)
_AFTER_ENDS = re.compile(r"\b(?:and|vs\.?|versus|or|than)\b", re.IGNORECASE)
_JOINT = re.compile(
    r"\s*(?:,\s*(?:and|or)?|\band\b|&|(?P<sure>\bor\b|\bvs\.?(?=\s)|\bversus\b|\bagainst\b|\bthan\b)|\bto\b"
    r"|\bwith\b)\s*",
    re.IGNORECASE,
)
_COMPARES = re.compile(r"\b(?:compar\w*|differ\w*|contrast\w*)\b", re.IGNORECASE)
_RESPECTS = re.compile(r"\b(?:in|on|by|regarding|concerning|with respect to|with regard to)\b", re.IGNORECASE)
_SETS_SIDE_BY_SIDE = re.compile(
    r"\b(?:compar\w*|differ\w*|versus|vs\.?|against|contrast\w*|both|between|or|than|and)\b|[,&]", re.IGNORECASE
)
_LONGEST_SIDE = 8  # words of a side of "vs"
_STOPS = re.compile(r"[,:;?!]|\.(?=\s|$)|\s[-–—]\s")  # a side of "vs" ends there


@dataclass(frozen=True)
class Phrase:
    """A candidate: text[start:end] of the question, the words that describe, how many papers, how sure its form is."""

    start: int
    end: int
    words: str
    count: int
    kind: str  # the word for a paper; empty where there is none: then words alone tell
    whole: bool = False  # without a word for a paper: one title has to hold all words
    free: bool = False  # a side of "vs" at any length: what it is about tells as well


_SEVERAL = re.compile(
    r"\b(?:papers|ones|works|studies)\s+(?:are\s+)?(?:both\s+)?(?:called|named|titled)\s+\W*$", re.IGNORECASE
)
_KINDS = re.compile(r"\W?\s+(?:papers|ones|works|studies)\b", re.IGNORECASE)


def asks_for_several(question: str, start: int, end: int) -> bool:
    """Whether the name at question[start:end] is asked for in the plural: "the two Xs", "papers called X"."""
    if _SEVERAL.search(question[:start]) or _KINDS.match(question, end):
        return True
    counted = re.search(r"\b(?:two|both|three)\s+(?:the\s+|different\s+)?$", question[:start], re.IGNORECASE)
    return question[start:end].endswith("s") and counted is not None


_COUNTED = re.compile(
    r"\b(?P<count>two|both|three|four)\s+(?P<what>(?:[\w-]+\s+){1,4}[\w-]+s)\b(?!\s+of\b)"
    r"(?P<of>\s+(?:for|on|about)\s+(?:[\w-]+\s+){0,2}[\w-]+)?",
    re.IGNORECASE,
)


def find_counted_phrases(question: str) -> list[list[Phrase]]:
    """ "Both evaluation frameworks for RAG": things of which each is a paper's subject, with what is said of them."""
    found = []
    for match in _COUNTED.finditer(question):
        words = [word[0].casefold() for word in WORD.finditer(match["what"])]
        if (
            _BOUNDARY.isdisjoint(words)
            and not re.fullmatch(KIND_WORD, words[-1])
            and len(extract_terms(match["what"])) > 1
        ):
            start, count = match.start("what"), _NUMBER[match["count"].casefold()]
            ends = dict.fromkeys(end for end in (match.end("what"), match.end("of")) if end > 0)
            found.append([Phrase(start, end, question[start:end], count, "") for end in ends])
    return found


def find_kind_phrases(question: str) -> list[list[Phrase]]:
    """Phrases with a word for a paper: "the nap study", "the two vision papers", "the paper on long-tail knowledge".

    Of each its possible readings: where it begins or ends is not always plain.
    """
    found = [readings for match in _AFTER.finditer(question) if (readings := _after_kind(question, match))]
    words = list(WORD.finditer(question))
    for place, word in enumerate(words):
        if re.fullmatch(rf"(?:{KIND_WORD}|ones?)(?:['’]s?)?", word[0], re.IGNORECASE):
            found += _before_kind(question, words, place)
    return found


def _after_kind(question: str, match: re.Match[str]) -> list[Phrase]:
    """ "the paper on X ...": X may end behind each of its words."""
    start = _start_of_article(question, match.start())
    ends = _AFTER_ENDS.search(match["what"])
    words = list(WORD.finditer(match["what"][: ends.start()] if ends else match["what"]))[:LONGEST_PHRASE]
    at = match.start("what")
    return [
        Phrase(start, at + last.end(), match["what"][: last.end()], 1, "paper")
        for last in words
        if last[0].casefold() not in _BOUNDARY and extract_terms(match["what"][: last.end()])
    ]


def _before_kind(question: str, words: Sequence[re.Match[str]], place: int) -> list[list[Phrase]]:
    """ "the X study", "the X of Y study", "the two X studies"; of "the X and Y studies" each."""
    word = words[place]
    name = re.sub(r"['’]s?$", "", word[0].casefold())  # "the X survey's"
    first = _first_of_run(question, words, place)
    if first == place or any(one[0].casefold() in _EMPTY for one in words[first:place]):
        return []
    before = words[first - 1][0].casefold() if first else ""
    many = name != "study" and name.endswith("s")
    kind = re.sub(r"ies$", "y", name)
    kind = kind if kind == "study" else kind.removesuffix("s")
    count = _NUMBER.get(before, 0) if many else 1
    if kind == "one" and before not in ("the", "both"):
        return []
    if many and not count:
        return _read_list_before_kind(question, words, place, kind)
    begins = not first or re.search(r"[,;:.?!]\s*$", question[: words[first].start()]) is not None
    if not begins and before in _ANY:
        return []
    starts = [first]
    if before == "of":  # "the chain of thought paper"
        starts.append(_first_of_run(question, words, first - 1))
    readings = []
    for at in dict.fromkeys(starts):
        text = question[words[at].start() : words[place - 1].end()]
        edge = words[at - 1].start() if before in _NUMBER else words[at].start()
        readings.append(Phrase(_start_of_article(question, edge), word.end(), text, count, kind))
    return [readings]


def _read_list_before_kind(question: str, words: Sequence[re.Match[str]], place: int, kind: str) -> list[list[Phrase]]:
    """ "the nap and notification papers": one phrase of each, where there are several."""
    runs: list[tuple[int, int]] = []  # words of each, the last one first
    end = place
    while True:
        first = _first_of_run(question, words, end)
        if first == end:
            break
        runs.append((first, end))
        between = question[words[first - 2].end() : words[first].start()] if first > 1 else ""
        if re.fullmatch(r"\s*,?\s*and\s+", between, re.IGNORECASE):
            end = first - 1
        elif first and re.fullmatch(r"\s*,\s*", question[words[first - 1].end() : words[first].start()]):
            end = first
        else:
            break
    if len(runs) < 2:
        return []
    return [
        [
            Phrase(
                words[a].start(),
                words[place].end() if b == place else words[b - 1].end(),
                question[words[a].start() : words[b - 1].end()],
                1,
                kind,
            )
        ]
        for a, b in reversed(runs)
    ]


def _first_of_run(question: str, words: Sequence[re.Match[str]], end: int) -> int:
    """Where the run of words that describe begins, which ends before word `end`."""
    first = end
    while (
        first
        and end - first < LONGEST_PHRASE
        and words[first - 1][0].casefold() not in _BOUNDARY
        and (first == end or re.fullmatch(r"[\s'’-]*", question[words[first - 1].end() : words[first].start()]))
    ):
        first -= 1
    return first


def _start_of_article(question: str, at: int) -> int:
    match = re.search(r"\b(?:the|that|this)\s+$", question[:at], re.IGNORECASE)
    return match.start() if match else at


def find_respects(question: str, taken: Sequence[Mention]) -> int:
    """Where the list of what named papers are compared in begins, "in size, cost and speed": these are no papers."""
    for match in _RESPECTS.finditer(question):
        if len({one.paper for one in taken if one.end <= match.start()}) > 1:
            return match.start()
    return len(question)


def find_sides(question: str, named: int) -> list[tuple[list[Phrase], list[Phrase]]]:
    """What stands on either side of "and", "vs", "or" or a comma, in its possible readings: "the tunnel gravimeter".

    Behind `named` two papers are named, so that a clause beside "and" is a respect rather than one more paper.
    """
    if not _SETS_SIDE_BY_SIDE.search(question):
        return []
    compares = _COMPARES.search(question) is not None
    listed = question.find(":") + 1 or len(question)  # "two benchmarks: X, Y"
    joints = list(_JOINT.finditer(question))
    found = []
    for number, joint in enumerate(joints[:MOST_DESCRIBED]):
        start = joints[number - 1].end() if number else 0
        end = joints[number + 1].start() if number + 1 < len(joints) else len(question)
        sets_apart = joint["sure"] is not None or compares
        left = _runs(question, start, joint.start(), not sets_apart, last=True)
        right = _runs(question, joint.end(), end, not sets_apart, last=False)
        if joint["sure"] or (joint.start() < named and (compares or joint.start() >= listed)):
            left += _free_readings(question, 0, joint.start(), last=True)
            right += _free_readings(question, joint.end(), len(question), last=False)
        if left and right:
            found.append((left, right))
    return found


def _free_readings(question: str, start: int, end: int, *, last: bool) -> list[Phrase]:
    """The readings of a side of "vs" that go on over small words: "retrieval with reflection tokens"."""
    text = question[start:end]
    stops = list(_STOPS.finditer(text))
    begin, until = (stops[-1].end(), len(text)) if last and stops else (0, stops[0].start() if stops else len(text))
    if last:
        until = len(text)
    words = list(WORD.finditer(text, begin, until))
    words = words[-_LONGEST_SIDE:] if last else words[:_LONGEST_SIDE]
    content = [word for word in words if word[0].casefold() not in _BOUNDARY and extract_terms(word[0])]
    if not content:
        return []
    edge = content[-1] if last else content[0]
    ends = [(one, edge) if last else (edge, one) for one in content]
    return [
        Phrase(start + a.start(), start + b.end(), text[a.start() : b.end()], 1, "", free=True)
        for a, b in ends
        if len(extract_terms(text[a.start() : b.end()])) > 1
    ]


def _runs(question: str, start: int, end: int, whole: bool, *, last: bool) -> list[Phrase]:
    """The readings of a side: its words next to the joint, up to a word that describes nothing."""
    text = question[start:end]
    parts = [part for part in re.finditer(r"[^:;?!.]+", text) if part[0].strip()]
    if not parts:
        return []
    part = parts[-1 if last else 0]
    words = list(WORD.finditer(part[0]))
    if not last and words and words[0][0].casefold() in ("the", "a", "an", "that", "in", "of", "for", "by", "on"):
        words = [word for word in words if word.start() >= words[0].end()]
    run: list[re.Match[str]] = []
    for word in reversed(words) if last else words:
        if word[0].casefold() in _BOUNDARY or (not run and not extract_terms(word[0])):
            break
        run.append(word)
    run = sorted(run[:LONGEST_PHRASE], key=lambda word: word.start())
    at = start + part.start()
    readings = []
    for number in range(len(run)):
        kept = run[number:] if last else run[: len(run) - number]
        span = part[0][kept[0].start() : kept[-1].end()]
        readings.append(Phrase(at + kept[0].start(), at + kept[-1].end(), span, 1, "", whole))
    return readings
