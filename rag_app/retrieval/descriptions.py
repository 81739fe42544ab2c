"""Papers that a question means without naming them: "the nap study", "the paper on long-tail knowledge", "the oldest".

A description is a noun phrase with a word for a paper in it ("the nap study", "the nap and phone studies"), or, where
things are set side by side, one that a title speaks of. Its words are looked for in titles, among authors and on first
pages, and it is taken only with a margin over the next best paper. What no title and no first page has is told as
absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np

from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import Mention
from rag_app.text.sentences import word_set

FRONT = 5  # passages of a paper's beginning
IN_FRONT, IN_TEXT = 0.75, 0.3  # what a word counts there, beside 1 in the title
LIKENESS = 0.5  # of the cosine of the description with the likeliest passage of the beginning
LEAST = 0.62  # of a description's weight: below, no paper is meant
MARGIN = 0.12  # over the next best paper
LEAST_ALONE, CLEAR = 0.45, 0.25  # with so much more than the next best one, less is enough
NEAR_MEANING, CLEAR_MEANING = 0.28, 0.14  # cosine with the beginning of a paper, and more than of the next best one
ABSENT = 0.35  # below, with its rarest word in no title and no front: no such paper is here
LONGEST_PHRASE = 6  # words
SAME_FIT = 0.1  # readings of one description that fit about equally well

KIND_WORD = (
    r"(?:papers?|surveys?|stud(?:y|ies)|articles?|reviews?|trials?|experiments?|preprints?|benchmarks?|roadmaps?)"
)
_MAY_BE_ABSENT = ("paper", "survey", "article", "review", "roadmap", "preprint")  # a study may be a part of a paper
IN_TITLE_ALONE = 0.5  # of the weight of words with no word for a paper: so much stands in the title
_BOUNDARY = word_set(
    "the a an that this these those of in on for from by with to at and or vs versus between both our is are was were "
    "do does did what which who how when where why whether compare contrast than as per about into two three four"
)
# "another paper", "the same study": they mean no paper by what it is about.
_EMPTY = word_set(
    "another other others same earlier previous different new first second third last each many oldest newest any every"
)
_OVERVIEWS = ("survey", "review", "roadmap")
_NUMBER = {"two": 2, "both": 2, "three": 3, "four": 4}
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_AFTER = re.compile(
    r"\b(?:paper|survey|study|article|review|trial|work)\s+(?:on|about|of|that|which|where|for)\s+"
    r"(?:(?:whether|how|why|what|the|a|an)\s+)*(?P<what>[^,;:?]+)",
    re.IGNORECASE,
)
_AFTER_ENDS = re.compile(r"\b(?:and|vs\.?|versus|or|than)\b", re.IGNORECASE)
_TIME = re.compile(
    r"\b(?:the\s+)?(?P<which>oldest|earliest|first|newest|latest|most recent|last)\s+(?:paper|study|article|one)\b"
    r"(?!\s+(?:that|to|which|on|about|in which)\b)",
    re.IGNORECASE,
)
_OLD = ("oldest", "earliest", "first")
_JOINT = re.compile(
    r"\s*(?:,\s*(?:and|or)?|\band\b|(?P<sure>\bor\b|\bvs\.?(?=\s)|\bversus\b|\bthan\b)|\bto\b|\bwith\b)\s*",
    re.IGNORECASE,
)
_COMPARES = re.compile(r"\b(?:compar\w*|differ\w*|contrast\w*)\b", re.IGNORECASE)
_RESPECTS = re.compile(r"\b(?:in|on|by|regarding|concerning|with respect to|with regard to)\b", re.IGNORECASE)
_SETS_SIDE_BY_SIDE = re.compile(
    r"\b(?:compar\w*|differ\w*|versus|vs\.?|contrast\w*|both|between|or|than)\b|\band\b|,", re.IGNORECASE
)


@dataclass(frozen=True)
class PaperDescription:
    """A description in a question: text[start:end], the papers that it means, and those that come near."""

    text: str
    start: int
    end: int
    papers: tuple[str, ...]
    near: tuple[str, ...] = ()  # about as likely, or where none is meant the likeliest
    sure: bool = True  # no other paper is about as likely

    @property
    def mentions(self) -> list[Mention]:
        return [Mention(paper, self.start, self.end) for paper in self.papers]


@dataclass(frozen=True)
class _Phrase:
    """A candidate: text[start:end] of the question, the words that describe, how many papers, how sure its form is."""

    start: int
    end: int
    words: str
    count: int
    kind: str  # the word for a paper; empty where there is none: then words alone tell
    whole: bool = False  # without a word for a paper: one title has to hold all words


class DescriptionMatcher:
    """Finds the papers of one generation that descriptions mean. Safe to share between threads."""

    def __init__(self, generation: Generation, embed: Callable[[str], np.ndarray] | None) -> None:
        self._generation = generation
        self._embed = embed
        self._papers = [entry for entry in generation.manifest.papers if entry.passages]

    @cached_property
    def _titles(self) -> list[frozenset[str]]:
        return [frozenset(extract_terms(entry.title)) for entry in self._papers]

    @cached_property
    def _first_authors(self) -> list[frozenset[str]]:
        return [
            frozenset(extract_terms(entry.authors[0].split()[-1]) if entry.authors else ()) for entry in self._papers
        ]

    @cached_property
    def _firsts(self) -> np.ndarray:
        """int64 (papers,): the first row of each paper."""
        return np.array([entry.first for entry in self._papers], dtype=np.int64)

    def find(self, question: str, taken: Sequence[Mention], allowed: Collection[str]) -> list[PaperDescription]:
        """The descriptions in the question, in order; `taken` are its names, `allowed` the papers that may be meant."""
        found: list[PaperDescription] = []
        spans = [(one.start, one.end) for one in taken]
        for match in _TIME.finditer(question):
            paper = self._at_time(match["which"].casefold() in _OLD, allowed)
            if paper and not any(start < match.end() and match.start() < end for start, end in spans):
                found.append(PaperDescription(match[0], match.start(), match.end(), (paper,)))
                spans.append(match.span())
        for readings in _with_kind(question):
            free = [one for one in readings if not _overlaps(one, spans)]
            told = self._best_reading(question, free, allowed)
            if told is not None:
                found.append(told)
                spans.append((told.start, told.end))
        found += self._beside(question, [*taken, *(mention for one in found for mention in one.mentions)], allowed)
        return sorted(found, key=lambda one: one.start)

    def _best_reading(
        self, question: str, readings: Sequence[_Phrase], allowed: Collection[str]
    ) -> PaperDescription | None:
        """Of several readings of one description the one that fits its paper best; of about equal ones the longest."""
        matched = [one for one in (self._match(question, phrase, allowed) for phrase in readings) if one is not None]
        meant = [one for one in matched if one[1].papers]
        if not meant:
            return matched[0][1] if matched else None
        sure = [one for one in meant if one[1].sure] or meant
        best = max(score for score, _ in sure)
        return max((one for score, one in sure if score >= best - SAME_FIT), key=lambda one: one.end - one.start)

    def _beside(self, question: str, taken: Sequence[Mention], allowed: Collection[str]) -> list[PaperDescription]:
        """What stands on either side of "vs", "or" or a comma and is no name: kept where both sides mean papers."""
        found: dict[tuple[int, int], PaperDescription] = {}
        spans = [(one.start, one.end) for one in taken]
        for left, right in _sides(question[: _start_of_respects(question, taken)]):
            sides: list[set[str]] = []
            told: list[PaperDescription] = []
            for readings in (left, right):
                start, end = min(one.start for one in readings), max(one.end for one in readings)
                here = {one.paper for one in taken if one.start < end and start < one.end}
                one = None if here else self._best_reading(question, readings, allowed)
                if one is not None and not _overlaps(one, spans):
                    told.append(one)
                sides.append(here or set(one.papers if one else ()))
            if all(sides) and not sides[0] & sides[1]:
                found |= {(one.start, one.end): one for one in told}
        kept: list[PaperDescription] = []
        for one in sorted(found.values(), key=lambda one: one.start - one.end):
            if not _overlaps(one, [(other.start, other.end) for other in kept]):
                kept.append(one)
        return kept

    def _match(self, question: str, phrase: _Phrase, allowed: Collection[str]) -> tuple[float, PaperDescription] | None:
        """How well a phrase fits the paper that it means best, and what it describes; None where that is nothing."""
        terms = list(dict.fromkeys(extract_terms(phrase.words)))
        if not terms:
            return None
        scores, titled = self._score(terms, phrase)
        scores = np.where([entry.paper in allowed for entry in self._papers], scores, 0.0)
        order = np.argsort(-scores, kind="stable")
        names = [self._papers[place].paper for place in order[: phrase.count + 1]]
        best = [float(scores[place]) for place in order[: phrase.count + 1]] + [0.0, 0.0]
        text = question[phrase.start : phrase.end]
        last, ahead = best[phrase.count - 1], best[phrase.count - 1] - best[phrase.count]

        def describe(
            papers: Sequence[str], near: Sequence[str] = (), sure: bool = True
        ) -> tuple[float, PaperDescription]:
            return best[0], PaperDescription(text, phrase.start, phrase.end, tuple(papers), tuple(near), sure)

        if not phrase.kind:  # nothing says that it is a paper: its words have to be those of one title
            whole = [paper for paper in allowed if _holds_words(self._generation.by_paper[paper].title, phrase.words)]
            if len(whole) == 1:
                return describe(whole)
            clear = not phrase.whole and last >= LEAST and ahead >= CLEAR and titled[order[0]] >= IN_TITLE_ALONE
            return describe(names[:1]) if clear else None
        if (last >= LEAST and ahead >= MARGIN) or (last >= LEAST_ALONE and ahead >= CLEAR):
            return describe(names[: phrase.count])
        alone = self._alone_in_kind(phrase, order) or self._alone_in_meaning(phrase, allowed)
        if alone:
            return describe(alone)
        if best[0] >= LEAST and phrase.count == 1:  # two about equal: the better is taken, the other is offered
            return describe(names[:1], names[1:2], sure=False)
        absent = ABSENT if phrase.kind not in _OVERVIEWS else LEAST
        if names and best[0] < absent and phrase.kind in _MAY_BE_ABSENT:
            return describe((), names[:1])
        return None

    def _alone_in_kind(self, phrase: _Phrase, order: np.ndarray) -> list[str]:
        """ "The two drug trials": as many papers as are asked for call themselves trials, whatever the other words."""
        kinds = set(extract_terms(phrase.kind))
        if phrase.count < 2 or phrase.kind in ("paper", "study", "article", "one"):
            return []
        found = [int(place) for place in order if kinds & self._titles[place]]
        return [self._papers[place].paper for place in found] if len(found) == phrase.count else []

    def _alone_in_meaning(self, phrase: _Phrase, allowed: Collection[str]) -> list[str]:
        """ "The two ecology studies": no title has the word; the beginnings of so many papers are far nearer to it."""
        if self._embed is None or not self._generation.manifest.has_meaning:
            return []
        near = np.where([entry.paper in allowed for entry in self._papers], self._likeness(phrase.words), -1.0)
        order = np.argsort(-near, kind="stable")[: phrase.count + 1]
        if len(order) <= phrase.count:
            return []
        last, following = float(near[order[phrase.count - 1]]), float(near[order[phrase.count]])
        clear = last >= NEAR_MEANING and last - following >= CLEAR_MEANING
        return [self._papers[place].paper for place in order[: phrase.count]] if clear else []

    def _score(self, terms: Sequence[str], phrase: _Phrase) -> tuple[np.ndarray, np.ndarray]:
        """For each paper how well it fits the terms, 0 to about 1.5, and their share by weight in its title."""
        count = len(self._papers)
        held = np.zeros((len(terms), count), dtype=np.float32)
        for number, term in enumerate(terms):
            rows = self._generation.words.rows_with(term)
            owner = np.searchsorted(self._firsts, rows, side="right") - 1
            front = owner[rows - self._firsts[owner] < FRONT] if len(rows) else owner
            held[number, owner] = IN_TEXT
            held[number, front] = IN_FRONT
            held[number, [term in title for title in self._titles]] = 1.0
            if phrase.kind:
                held[number, [term in name for name in self._first_authors]] = 1.0
        spread = (held >= IN_FRONT).sum(axis=1)
        weights = np.array([log((count + 1) / (float(n) + 0.5)) for n in spread], dtype=np.float32)
        weights = np.maximum(weights, 0.05)
        scores = weights @ held / float(weights.sum())
        titled = weights @ (held == 1.0).astype(np.float32) / float(weights.sum())
        if phrase.kind and self._embed is not None and self._generation.manifest.has_meaning:
            scores = scores + LIKENESS * self._likeness(phrase.words)
            scores = scores - LIKENESS * 0.3  # what unlike texts usually reach
        if phrase.kind in _OVERVIEWS:  # another paper is none, whatever it is about
            kinds = set(extract_terms(" ".join(_OVERVIEWS)))
            scores = scores - 0.4 + 0.6 * np.array([bool(kinds & title) for title in self._titles])
        elif phrase.kind in ("benchmark", "trial", "experiment"):
            kinds = set(extract_terms(phrase.kind))
            scores = scores + 0.25 * np.array([bool(kinds & title) for title in self._titles])
        return np.asarray(scores), np.asarray(titled)

    def _likeness(self, text: str) -> np.ndarray:
        assert self._embed is not None
        vector = self._embed(text)
        rows = [np.arange(e.first, e.first + min(FRONT, e.passages)) for e in self._papers]
        near = self._generation.vectors[np.concatenate(rows)] @ vector
        ends = np.cumsum([len(one) for one in rows])[:-1]
        return np.array([part.max() for part in np.split(near, ends)], dtype=np.float32)

    def _at_time(self, oldest: bool, allowed: Collection[str]) -> str:
        return next(iter(in_time_order([e for e in self._papers if e.paper in allowed], oldest)), "")


def _holds_words(title: str, words: str) -> bool:
    """Whether a title holds all of the words as they stand; a plural is its singular."""
    held = {word.casefold().removesuffix("s") for word in _WORD.findall(title)}
    return all(word.casefold().removesuffix("s") in held for word in _WORD.findall(words))


def in_time_order(entries: Sequence[IndexedPaper], oldest: bool) -> list[str]:
    """The papers whose time is known, by their arXiv number, else by year and month; the oldest or the newest first."""
    dated = [(when_published(entry), entry.paper) for entry in entries if when_published(entry) > (0, 0, "")]
    return [paper for _, paper in sorted(dated, reverse=not oldest)]


def when_published(entry: IndexedPaper) -> tuple[int, int, str]:
    """Year, month (0: unknown) and arXiv number of a paper; the number tells when its first version came."""
    match = re.match(r"(\d\d)(0[1-9]|1[0-2])\.\d{4,5}", entry.arxiv_id)
    if match:
        return 2000 + int(match[1]), int(match[2]), entry.arxiv_id
    return entry.year, entry.month, ""


def _overlaps(one: _Phrase | PaperDescription, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start < one.end and one.start < end for start, end in spans)


def _with_kind(question: str) -> list[list[_Phrase]]:
    """Phrases with a word for a paper: "the nap study", "the two vision papers", "the paper on long-tail knowledge".

    Of each its possible readings: where it begins or ends is not always plain.
    """
    found = [readings for match in _AFTER.finditer(question) if (readings := _after_kind(question, match))]
    words = list(_WORD.finditer(question))
    for place, word in enumerate(words):
        if re.fullmatch(f"{KIND_WORD}|ones?", word[0], re.IGNORECASE):
            found += _before_kind(question, words, place)
    return found


def _after_kind(question: str, match: re.Match[str]) -> list[_Phrase]:
    """ "the paper on X ...": X may end behind each of its words."""
    start = _start_of_article(question, match.start())
    ends = _AFTER_ENDS.search(match["what"])
    words = list(_WORD.finditer(match["what"][: ends.start()] if ends else match["what"]))[:LONGEST_PHRASE]
    at = match.start("what")
    return [
        _Phrase(start, at + last.end(), match["what"][: last.end()], 1, "paper")
        for last in words
        if last[0].casefold() not in _BOUNDARY and extract_terms(match["what"][: last.end()])
    ]


def _before_kind(question: str, words: Sequence[re.Match[str]], place: int) -> list[list[_Phrase]]:
    """ "the X study", "the X of Y study", "the two X studies"; of "the X and Y studies" each."""
    word = words[place]
    first = _first_of_run(question, words, place)
    if first == place or any(one[0].casefold() in _EMPTY for one in words[first:place]):
        return []
    before = words[first - 1][0].casefold() if first else ""
    many = word[0].casefold() != "study" and word[0].casefold().endswith("s")
    kind = re.sub(r"ies$", "y", word[0].casefold())
    kind = kind if kind == "study" else kind.removesuffix("s")
    count = _NUMBER.get(before, 0) if many else 1
    if kind == "one" and before not in ("the", "both"):
        return []
    if many and not count:
        return _read_list_before_kind(question, words, place, kind)
    begins = not first or re.search(r"[,;:.?!]\s*$", question[: words[first].start()]) is not None
    if not begins and before not in (
        "the",
        "that",
        "this",
        "of",
        "and",
        "vs",
        "versus",
        "in",
        "from",
        "by",
        "or",
        *_NUMBER,
    ):
        return []
    starts = [first]
    if before == "of":  # "the chain of thought paper"
        starts.append(_first_of_run(question, words, first - 1))
    readings = []
    for at in dict.fromkeys(starts):
        text = question[words[at].start() : words[place - 1].end()]
        edge = words[at - 1].start() if before in _NUMBER else words[at].start()
        readings.append(_Phrase(_start_of_article(question, edge), word.end(), text, count, kind))
    return [readings]


def _read_list_before_kind(question: str, words: Sequence[re.Match[str]], place: int, kind: str) -> list[list[_Phrase]]:
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
            _Phrase(
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


def _start_of_respects(question: str, taken: Sequence[Mention]) -> int:
    """Where the list of what named papers are compared in begins, "in size, cost and speed": these are no papers."""
    for match in _RESPECTS.finditer(question):
        if len({one.paper for one in taken if one.end <= match.start()}) > 1:
            return match.start()
    return len(question)


def _sides(question: str) -> list[tuple[list[_Phrase], list[_Phrase]]]:
    """What stands on either side of "and", "vs", "or" or a comma, in its possible readings: "the tunnel gravimeter"."""
    if not _SETS_SIDE_BY_SIDE.search(question):
        return []
    compares = _COMPARES.search(question) is not None
    joints = list(_JOINT.finditer(question))
    found = []
    for number, joint in enumerate(joints):
        start = joints[number - 1].end() if number else 0
        end = joints[number + 1].start() if number + 1 < len(joints) else len(question)
        whole = not (joint["sure"] or compares)
        left = _runs(question, start, joint.start(), whole, last=True)
        right = _runs(question, joint.end(), end, whole, last=False)
        if left and right:
            found.append((left, right))
    return found


def _runs(question: str, start: int, end: int, whole: bool, *, last: bool) -> list[_Phrase]:
    """The readings of a side: its words next to the joint, up to a word that describes nothing."""
    text = question[start:end]
    parts = [part for part in re.finditer(r"[^:;?!.]+", text) if part[0].strip()]
    if not parts:
        return []
    part = parts[-1 if last else 0]
    words = list(_WORD.finditer(part[0]))
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
        if whole and len(kept) < 2:
            continue  # a single word on both sides of "and" is no description
        span = part[0][kept[0].start() : kept[-1].end()]
        readings.append(_Phrase(at + kept[0].start(), at + kept[-1].end(), span, 1, "", whole))
    return readings
