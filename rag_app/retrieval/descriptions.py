"""Papers that a question means without naming them: "the nap study", "the paper on long-tail knowledge", "the oldest".

A description is a noun phrase with a word for a paper in it ("the nap study", "the nap and phone studies"), or, where
things are set side by side, one that a title speaks of. Its words are looked for in titles, among authors and on first
pages, and it is taken only with a margin over the next best paper. What no title and no first page has is told as
absent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import permutations
from math import log

import numpy as np

from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import Mention, find_mentions, fold_name, spell_title, spelled_names
from rag_app.retrieval.paper_phrases import (
    BY_AUTHOR,
    MOST_DESCRIBED,
    WORD,
    Phrase,
    asks_for_several,
    find_counted_phrases,
    find_kind_phrases,
    find_respects,
    find_sides,
)

FRONT = 5  # passages of a paper's beginning
IN_FRONT, IN_TEXT = 0.75, 0.3  # what a word counts there, beside 1 in the title
LIKENESS = 0.5  # of the cosine of the description with the likeliest passage of the beginning
LEAST = 0.62  # of a description's weight: below, no paper is meant
MARGIN = 0.12  # over the next best paper
LEAST_ALONE, CLEAR = 0.45, 0.25  # with so much more than the next best one, less is enough
NEAR_MEANING, CLEAR_MEANING = 0.28, 0.14  # cosine with the beginning of a paper, and more than of the next best one
ABSENT = 0.35  # below, with its rarest word in no title and no front: no such paper is here
THROUGHOUT = 0.1  # of a paper's passages have a word of a description of which its title has none
TELLING = 4  # times as many passages as the rarest word has: a commoner one describes nothing
LEAST_FREE, MARGIN_FREE = 0.7, 0.18  # where nothing says that a paper is meant
MOST_HOLDING = 120  # passages that hold all words of a long name
LEAST_AHEAD = 1.0  # nats, of what a question's words tell for one of several papers of a name
OWNS = 2  # times as often as any other paper
SPEAKS = 0.5  # of the share of passages in which another paper does
SAME_FIT = 0.1  # readings of one description that fit about equally well
SAME_FIT_BESIDE = 0.4  # of a side of "vs": a part of it that fits better leaves out what tells it from others

_MAY_BE_ABSENT = ("paper", "survey", "article", "review", "roadmap", "preprint")  # a study may be a part of a paper
IN_TITLE_ALONE = 0.5  # of the weight of words with no word for a paper: so much stands in the title
WORD_PART = re.compile(r"[^\W_]+")
_OVERVIEWS = ("survey", "review", "roadmap")
_TIME = re.compile(
    r"\b(?:the\s+)?(?P<which>oldest|earliest|first|newest|latest|most recent|last)\s+(?:paper|study|article|one)\b"
    r"(?!\s+(?:that|to|which|on|about|in which)\b)",
    re.IGNORECASE,
)
_OLD = ("oldest", "earliest", "first")


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
        named = [(one.start, one.end) for one in taken]
        found = self._share_names(question, allowed)
        found += [one for one in self._by_author(question, allowed) if one.near or not _overlaps(one, named)]
        spans = [*named, *((one.start, one.end) for one in found)]
        for match in _TIME.finditer(question):
            paper = self._at_time(match["which"].casefold() in _OLD, allowed)
            if paper and not any(start < match.end() and match.start() < end for start, end in spans):
                found.append(PaperDescription(match[0], match.start(), match.end(), (paper,)))
                spans.append(match.span())
        for readings in [*find_kind_phrases(question), *find_counted_phrases(question)][:MOST_DESCRIBED]:
            free = [one for one in readings if not _overlaps(one, spans)]
            told = self._best_reading(question, free, allowed)
            if told is not None:
                found.append(told)
                spans.append((told.start, told.end))
        absent = [(one.start, one.end) for one in found if not one.papers]
        known = [*taken, *(mention for one in found for mention in one.mentions)]
        found += self._beside(question, known, allowed, absent)
        return sorted(found, key=lambda one: one.start)

    def _by_author(self, question: str, allowed: Collection[str]) -> list[PaperDescription]:
        """ "Liu et al.", "Petrescu 2023": of several first authors of a name the one whose paper fits the rest best.

        A year may be one off, since a preprint is older than its publication; where no year is known, any will do.
        """
        found = []
        for match in BY_AUTHOR.finditer(question):
            who = set(extract_terms(match["who"]))
            by = [e for e, names in zip(self._papers, self._first_authors, strict=True) if names and names <= who]
            own = [entry for entry in by if entry.paper in allowed]
            if match["year"]:
                year = int(match["year"])
                exact = [entry for entry in own if entry.year == year]
                own = exact or [entry for entry in own if not entry.year or abs(entry.year - year) == 1]
            papers = [entry.paper for entry in own]
            if len(papers) > 1:
                fits = self._fit(question, [match.span()], 0, papers)
                order = np.argsort(-fits, kind="stable").tolist()
                if fits[order[0]] - fits[order[1]] < LEAST_AHEAD:
                    continue  # nothing tells which of them is meant
                papers = [papers[place] for place in order]
            if papers:
                found.append(PaperDescription(match[0], match.start(), match.end(), (papers[0],), tuple(papers[1:2])))
        return found

    @cached_property
    def _shared_names(self) -> dict[str, tuple[str, ...]]:
        """Folded names that mean one paper by right and that another one's title spells as well."""
        named: dict[str, list[str]] = {}
        for entry in self._papers:
            for name in entry.short_names:
                named.setdefault(fold_name(name), []).append(entry.paper)
        spelled: dict[str, list[str]] = {}
        for entry in self._papers:
            name = fold_name(spell_title(entry.title))
            if name in named and entry.paper not in named[name]:
                spelled.setdefault(name, []).append(entry.paper)
        return {name: (*named[name], *others) for name, others in spelled.items()}

    def _share_names(self, question: str, allowed: Collection[str]) -> list[PaperDescription]:
        """Names that several papers have: all of them where several are asked for, else the one that fits best."""
        there = {
            name: own
            for name, papers in self._shared_names.items()
            if len(own := [p for p in papers if p in allowed]) > 1
        }
        places: dict[str, list[tuple[int, int]]] = {}
        for one in find_mentions(question, there):
            name = fold_name(question[one.start : one.end])
            places.setdefault(name if name in there else name.removesuffix("s"), []).append((one.start, one.end))
        found = []
        for name, spans in places.items():
            papers = there[name]
            spans = sorted(set(spans))
            start, end = spans[0]
            if len(spans) == 1 and asks_for_several(question, start, end):
                found.append(PaperDescription(question[start:end], start, end, tuple(papers)))
                continue
            fits = [self._fit(question, spans, number, papers) for number in range(len(spans))]
            if len(spans) > 1:  # each is another one
                orders = list(permutations(range(len(papers)), min(len(spans), len(papers))))
                best = max(orders, key=lambda order: sum(fits[at][paper] for at, paper in enumerate(order)))
                for (start, end), paper in zip(spans, best, strict=False):
                    found.append(PaperDescription(question[start:end], start, end, (papers[paper],)))
                continue
            order = np.argsort(-fits[0], kind="stable").tolist()
            first, *others = (papers[place] for place in order)
            found.append(PaperDescription(question[start:end], start, end, (first,), tuple(others[:1])))
        return found

    def _fit(self, question: str, spans: Sequence[tuple[int, int]], number: int, papers: Sequence[str]) -> np.ndarray:
        """float (papers,): how well the words around one place of a shared name fit each paper that bears it."""
        before = spans[number - 1][1] if number else 0
        behind = spans[number + 1][0] if number + 1 < len(spans) else len(question)
        around = f"{question[before : spans[number][0]]} {question[spans[number][1] : behind]}"
        fits = np.zeros(len(papers), dtype=np.float64)
        for term in dict.fromkeys(extract_terms(around)):
            rows = self._generation.words.rows_with(term)
            entries = [self._generation.by_paper[paper] for paper in papers]
            shares = np.array(
                [((e.first <= rows) & (rows < e.first + e.passages)).mean() if len(rows) else 0.0 for e in entries]
            )
            fits += log(self._generation.manifest.passages / max(len(rows), 1)) * shares / max(shares.sum(), 1e-9)
        return fits

    def _best_reading(
        self, question: str, readings: Sequence[Phrase], allowed: Collection[str]
    ) -> PaperDescription | None:
        """Of several readings of one description the one that fits its paper best; of about equal ones the longest."""
        matched = [one for one in (self._match(question, phrase, allowed) for phrase in readings) if one is not None]
        meant = [one for one in matched if one[1].papers]
        if not meant:
            return matched[0][1] if matched else None
        sure = [one for one in meant if one[1].sure] or meant
        best, told = max(sure, key=lambda one: (one[0], one[1].end - one[1].start))
        if not readings[0].kind:  # a longer one that means another paper leaves less out
            longer = [
                (score, one)
                for score, one in sure
                if one.papers != told.papers and one.start <= told.start and told.end <= one.end
            ]
            best, told = max(
                [(best, told), *((s, one) for s, one in longer if s >= best - SAME_FIT_BESIDE)], key=_length
            )
        same = [one for score, one in sure if one.papers == told.papers and score >= best - SAME_FIT]
        return max(same, key=lambda one: one.end - one.start)

    def _beside(
        self, question: str, taken: Sequence[Mention], allowed: Collection[str], absent: Sequence[tuple[int, int]]
    ) -> list[PaperDescription]:
        """What stands on either side of "vs", "or" or a comma and is no name: kept where both sides mean papers.

        A part of an `absent` description means none: of "the volcano survey" that is not here "survey" is no other.
        """
        found: dict[tuple[int, int], PaperDescription] = {}
        spans = [*((one.start, one.end) for one in taken), *absent]
        named_already = {one.paper for one in taken}
        ends = sorted({one.paper: one.end for one in reversed(taken)}.values())
        named = ends[1] if len(ends) > 1 else len(question)
        for left, right in find_sides(question[: find_respects(question, taken)], named):
            sides: list[set[str]] = []
            told: list[PaperDescription] = []
            for readings in (left, right):
                near = [one for one in readings if not one.free] or readings
                start, end = min(one.start for one in near), max(one.end for one in near)
                here = {one.paper for one in taken if one.start < end and start < one.end}
                free = [one for one in readings if not _overlaps(one, absent)]
                one = None if here else self._best_reading(question, free, allowed)
                if one is not None and not _overlaps(one, spans) and named_already.isdisjoint(one.papers):
                    told.append(one)
                sides.append(here or set(one.papers if one else ()))
            apart = all(sides) and not sides[0] & sides[1]
            if apart and not any(self._speaks_of(paper, one) for paper in sides[0] | sides[1] for one in told):
                found |= {(one.start, one.end): one for one in told}
        kept: list[PaperDescription] = []
        for one in sorted(found.values(), key=lambda one: one.start - one.end):
            if not _overlaps(one, [(other.start, other.end) for other in kept]):
                kept.append(one)
        return kept

    def _speaks_of(self, paper: str, one: PaperDescription) -> bool:
        """Whether a paper itself speaks of what seems to describe another one: its "BM25" is its own baseline."""
        if paper in one.papers:
            return False
        rows = reduce(np.intersect1d, [self._generation.words.rows_with(term) for term in extract_terms(one.text)])
        own, other = (self._generation.by_paper[name] for name in (paper, one.papers[0]))
        mine, its = (((e.first <= rows) & (rows < e.first + e.passages)).sum() / e.passages for e in (own, other))
        titled = set(extract_terms(one.text)) <= set(extract_terms(other.title))
        return not titled and bool(mine >= SPEAKS * its) and bool(mine)

    def _match(self, question: str, phrase: Phrase, allowed: Collection[str]) -> tuple[float, PaperDescription] | None:
        """How well a phrase fits the paper that it means best, and what it describes; None where that is nothing."""
        terms = list(dict.fromkeys(extract_terms(phrase.words)))
        if not terms or (phrase.whole and len(phrase.words.split()) < 2):  # one word beside "and" is no description
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

        called = self._find_called(phrase, allowed)
        if called:
            return max(best[0], 1.0) + SAME_FIT, PaperDescription(text, phrase.start, phrase.end, (called,))
        if phrase.free:
            owner = self._owner_of(phrase.words, allowed)
            if owner:
                return max(best[0], 1.0) + SAME_FIT, PaperDescription(text, phrase.start, phrase.end, (owner,))
            clear = last >= LEAST_FREE and ahead >= MARGIN_FREE
            return describe(names[:1]) if clear else None
        if phrase.count > 1 and not phrase.kind:
            clear = last >= LEAST and ahead >= MARGIN and min(titled[order[: phrase.count]]) >= IN_TITLE_ALONE
            return describe(names[: phrase.count]) if clear else None
        if not phrase.kind:  # nothing says that it is a paper: its words have to be those of one title
            whole = [paper for paper in allowed if _holds_words(self._generation.by_paper[paper].title, phrase.words)]
            if len(whole) == 1:
                return describe(whole)
            clear = not phrase.whole and last >= LEAST and ahead >= CLEAR and titled[order[0]] >= IN_TITLE_ALONE
            return describe(names[:1]) if clear else None
        # An abstract that names "speech recognition" once does not make the speech recognition paper.
        speaks = phrase.count > 1 or bool(titled[order[0]]) or self._speaks_throughout(terms, self._papers[order[0]])
        if speaks and ((last >= LEAST and ahead >= MARGIN) or (last >= LEAST_ALONE and ahead >= CLEAR)):
            return describe(names[: phrase.count])
        alone = self._alone_in_kind(phrase, order) or self._alone_in_meaning(phrase, allowed)
        if alone:
            return describe(alone)
        if (
            speaks and best[0] >= LEAST and phrase.count == 1
        ):  # two about equal: the better is taken, the other is offered
            return describe(names[:1], names[1:2], sure=False)
        absent = ABSENT if phrase.kind not in _OVERVIEWS else LEAST
        if names and (best[0] < absent or not speaks) and phrase.kind in _MAY_BE_ABSENT:
            return describe((), names[:1])
        return None

    def _speaks_throughout(self, terms: Sequence[str], entry: IndexedPaper) -> bool:
        """Whether a paper whose title has none of the terms speaks of one of the rarer ones in many of its passages."""
        rows = {term: self._generation.words.rows_with(term) for term in terms}
        rarest = min(len(one) for one in rows.values())
        telling = [one for one in rows.values() if len(one) <= TELLING * rarest]
        return any(
            ((entry.first <= one) & (one < entry.first + entry.passages)).sum() >= THROUGHOUT * entry.passages
            for one in telling
        )

    def _find_called(self, phrase: Phrase, allowed: Collection[str]) -> str:
        """The one paper that is called so by its short name: "the RAG paper" is no other one about RAG."""
        if phrase.kind != "paper":
            return ""
        name = fold_name(phrase.words)
        papers = [one.paper for one in self._papers if name in map(fold_name, one.short_names)]
        return papers[0] if len(papers) == 1 and papers[0] in allowed else ""

    def _owner_of(self, words: str, allowed: Collection[str]) -> str:
        """The one paper that presents these words at its beginning and uses them by far most; empty where none does.

        So a method is found by its long name: "hypothetical document embeddings".
        """
        spelled = fold_name(words)
        for entry in self._papers:
            names = spelled_names(entry.title)
            if any(name in names and fold_name(names[name]) == spelled for name in entry.short_names):
                return entry.paper if entry.paper in allowed else ""
        holding = [self._generation.words.rows_with(term) for term in extract_terms(words)]
        rows = reduce(np.intersect1d, holding)
        if len(holding) < 2 or not 0 < len(rows) <= MOST_HOLDING:
            return ""
        pattern = re.compile(r"\W+".join(map(re.escape, WORD_PART.findall(words))), re.IGNORECASE)
        uses: Counter[str] = Counter()
        fronts = set()
        for row, passage in zip(rows.tolist(), self._generation.passages(rows.tolist()), strict=True):
            times = len(pattern.findall(passage.text))
            uses[passage.paper] += times
            if times and row - self._generation.by_paper[passage.paper].first < FRONT:
                fronts.add(passage.paper)
        (owner, most), (_, next_most) = [*uses.most_common(2), ("", 0), ("", 0)][:2]
        return owner if owner in fronts and owner in allowed and most >= OWNS * max(next_most, 1) else ""

    def _alone_in_kind(self, phrase: Phrase, order: np.ndarray) -> list[str]:
        """ "The two drug trials": as many papers as are asked for call themselves trials, whatever the other words."""
        kinds = set(extract_terms(phrase.kind))
        if phrase.count < 2 or phrase.kind in ("paper", "study", "article", "one"):
            return []
        found = [int(place) for place in order if kinds & self._titles[place]]
        return [self._papers[place].paper for place in found] if len(found) == phrase.count else []

    def _alone_in_meaning(self, phrase: Phrase, allowed: Collection[str]) -> list[str]:
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

    def _score(self, terms: Sequence[str], phrase: Phrase) -> tuple[np.ndarray, np.ndarray]:
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
        if (
            (phrase.kind or phrase.free or phrase.count > 1)
            and self._embed is not None
            and self._generation.manifest.has_meaning
        ):
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
    held = {word.casefold().removesuffix("s") for word in WORD.findall(title)}
    return all(word.casefold().removesuffix("s") in held for word in WORD.findall(words))


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


def _length(scored: tuple[float, PaperDescription]) -> int:
    return scored[1].end - scored[1].start


def _overlaps(one: Phrase | PaperDescription, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start < one.end and one.start < end for start, end in spans)
