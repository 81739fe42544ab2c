"""Papers that a question means without naming them: "the nap study", "the paper on long-tail knowledge", "the oldest".

A description is a noun phrase with a word for a paper in it, or, where things are set side by side, one that a title
holds whole. Its words are looked for in titles and on first pages, and it is taken only with a margin over the next
best paper. What no title and no first page has is told as absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
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
ABSENT = 0.35  # below, with its rarest word in no title and no front: no such paper is here
LONGEST_PHRASE = 6  # words

_KIND = r"(?:papers?|surveys?|stud(?:y|ies)|articles?|reviews?|trials?|experiments?|preprints?|benchmarks?|roadmaps?)"
_BOUNDARY = word_set(
    "the a an that this these those of in on for from by with to at and or vs versus between both our is are was were "
    "do does did what which who how when where why whether compare contrast than as per about into two three four"
)
# "another paper", "the same study": they mean no paper by what it is about.
_EMPTY = word_set(
    "another other others same earlier previous different new first second third last each many oldest newest"
)
_OVERVIEWS = ("survey", "review", "roadmap")
_NUMBER = {"two": 2, "both": 2, "three": 3, "four": 4}
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_AFTER = re.compile(
    r"\b(?:paper|survey|study|article|review|trial|work)\s+(?:on|about|of|that|which|where|for)\s+"
    r"(?:(?:whether|how|why|what|the|a|an)\s+)*(?P<what>[^,;:?]+?)"
    r"(?=\s+(?:and|vs\.?|versus|or|than|with|say|says|report|reports|find|finds|use|uses|do|does|did|compare|differ)\b|[,;:?]|$)",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?:the\s+)?(?P<which>oldest|earliest|first|newest|latest|most recent|last)\s+(?:paper|study|article|one)\b"
    r"(?!\s+(?:that|to|which|on|about|in which)\b)",
    re.IGNORECASE,
)
_OLD = ("oldest", "earliest", "first")
_JOINT = re.compile(r"\s*(?:,\s*(?:and|or)?|\band\b|\bor\b|\bvs\.?(?=\s)|\bversus\b|\bto\b|\bwith\b)\s*", re.IGNORECASE)
_SETS_SIDE_BY_SIDE = re.compile(
    r"\b(?:compar\w*|differ\w*|versus|vs\.?|contrast\w*|both|between)\b|\band\b|,", re.IGNORECASE
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
    kind: str  # the word for a paper; empty where there is none


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
        for phrase in [*_with_kind(question), *_beside(question, spans)]:
            if any(start < phrase.end and phrase.start < end for start, end in spans):
                continue
            one = self._match(question, phrase, allowed)
            if one is not None:
                found.append(one)
                spans.append((one.start, one.end))
        return sorted(found, key=lambda one: one.start)

    def _match(self, question: str, phrase: _Phrase, allowed: Collection[str]) -> PaperDescription | None:
        terms = list(dict.fromkeys(extract_terms(phrase.words)))
        if not terms:
            return None
        scores = self._score(terms, phrase)
        usable = np.array([entry.paper in allowed for entry in self._papers])
        scores = np.where(usable, scores, 0.0)
        order = np.argsort(-scores, kind="stable")
        names = [self._papers[place].paper for place in order[: phrase.count + 1]]
        best = [float(scores[place]) for place in order[: phrase.count + 1]] + [0.0, 0.0]
        text = question[phrase.start : phrase.end]
        if not phrase.kind:  # nothing says that it is a paper: its words have to be those of one title, all of them
            whole = [paper for paper in allowed if _holds_words(self._generation.by_paper[paper].title, phrase.words)]
            return PaperDescription(text, phrase.start, phrase.end, (whole[0],)) if len(whole) == 1 else None
        last, ahead = best[phrase.count - 1], best[phrase.count - 1] - best[phrase.count]
        if (last >= LEAST and ahead >= MARGIN) or (last >= LEAST_ALONE and ahead >= CLEAR):
            return PaperDescription(text, phrase.start, phrase.end, tuple(names[: phrase.count]))
        if best[0] >= LEAST and phrase.count == 1:  # two about equal: the better is taken, the other is offered
            return PaperDescription(text, phrase.start, phrase.end, (names[0],), (names[1],), sure=False)
        absent = ABSENT if phrase.kind not in _OVERVIEWS else LEAST
        if names and best[0] < absent and phrase.kind not in ("benchmark", "experiment"):
            return PaperDescription(text, phrase.start, phrase.end, (), (names[0],))
        return None

    def _score(self, terms: Sequence[str], phrase: _Phrase) -> np.ndarray:
        """For each paper how well it fits the terms, 0 to about 1.5."""
        count = len(self._papers)
        held = np.zeros((len(terms), count), dtype=np.float32)
        for number, term in enumerate(terms):
            rows = self._generation.words.rows_with(term)
            owner = np.searchsorted(self._firsts, rows, side="right") - 1
            front = owner[rows - self._firsts[owner] < FRONT] if len(rows) else owner
            held[number, owner] = IN_TEXT
            held[number, front] = IN_FRONT
            held[number, [term in title for title in self._titles]] = 1.0
        spread = (held >= IN_FRONT).sum(axis=1)
        weights = np.array([log((count + 1) / (float(n) + 0.5)) for n in spread], dtype=np.float32)
        weights = np.maximum(weights, 0.05)
        scores = weights @ held / float(weights.sum())
        if self._embed is not None and self._generation.manifest.has_meaning:
            scores = scores + LIKENESS * self._likeness(phrase.words)
            scores = scores - LIKENESS * 0.3  # what unlike texts usually reach
        if phrase.kind in _OVERVIEWS:  # another paper is none, whatever it is about
            kinds = set(extract_terms(" ".join(_OVERVIEWS)))
            scores = scores - 0.4 + 0.6 * np.array([bool(kinds & title) for title in self._titles])
        elif phrase.kind in ("benchmark", "trial", "experiment"):
            kinds = set(extract_terms(phrase.kind))
            scores = scores + 0.25 * np.array([bool(kinds & title) for title in self._titles])
        return np.asarray(scores)

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


def _with_kind(question: str) -> list[_Phrase]:
    """Phrases with a word for a paper: "the nap study", "the two vision papers", "the paper on long-tail knowledge"."""
    found = []
    for match in _AFTER.finditer(question):
        start = _start_of_article(question, match.start())
        if len(extract_terms(match["what"])):
            found.append(_Phrase(start, match.end(), match["what"], 1, "paper"))
    words = list(_WORD.finditer(question))
    for place, word in enumerate(words):
        if not re.fullmatch(_KIND, word[0], re.IGNORECASE):
            continue
        first = place
        while (
            first
            and place - first < LONGEST_PHRASE
            and words[first - 1][0].casefold() not in _BOUNDARY
            and re.fullmatch(r"[\s'’-]*", question[words[first - 1].end() : words[first].start()])
        ):
            first -= 1
        if first == place or any(one[0].casefold() in _EMPTY for one in words[first:place]):
            continue
        before = words[first - 1][0].casefold() if first else ""
        many = word[0].casefold() not in ("study",) and word[0].casefold().endswith("s")
        count = _NUMBER.get(before, 0) if many else 1
        led = before in ("the", "that", "this", "of", "and", "vs", "versus", "in", "from", "by", "or", *_NUMBER)
        if count and led:
            kind = re.sub(r"ies$", "y", word[0].casefold())
            kind = kind if kind == "study" else kind.removesuffix("s")
            text = question[words[first].start() : words[place - 1].end()]
            start = _start_of_article(question, words[first - 1].start() if before in _NUMBER else words[first].start())
            found.append(_Phrase(start, word.end(), text, count, kind))
    return found


def _start_of_article(question: str, at: int) -> int:
    match = re.search(r"\b(?:the|that|this)\s+$", question[:at], re.IGNORECASE)
    return match.start() if match else at


def _beside(question: str, named: Sequence[tuple[int, int]]) -> list[_Phrase]:
    """Phrases on either side of "and", "vs" or a comma that may be a title's words: "the tunnel gravimeter"."""
    if not _SETS_SIDE_BY_SIDE.search(question):
        return []
    edges = sorted({0, len(question), *(place for m in _JOINT.finditer(question) for place in m.span())})
    found = []
    for start, end in pairwise(edges):
        piece = question[start:end]
        for match in re.finditer(r"[^:;?!.,]+", piece):
            words = list(_WORD.finditer(match[0]))
            runs: list[list[re.Match[str]]] = [[]]
            for word in words:
                if word[0].casefold() in _BOUNDARY or not extract_terms(word[0]):
                    runs.append([])
                else:
                    runs[-1].append(word)
            for run in runs:
                if 2 <= len(run) <= LONGEST_PHRASE:
                    at = start + match.start()
                    found.append(_Phrase(at + run[0].start(), at + run[-1].end(), " ".join(w[0] for w in run), 1, ""))
    return [one for one in found if not any(a < one.end and one.start < b for a, b in named)]
