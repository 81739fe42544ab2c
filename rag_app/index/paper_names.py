"""Whether a question calls a paper by one of its names. Pure.

What a paper is called among the papers of one library: names that mean it, and names that it coined.

A name means a paper when its title, its abstract or its introduction gives it ("ColBERTv2: ...", "we present TART").
What first comes up later is the paper's own only where it says so ("our model OtterNet") or where the name goes on from
one of these ("RAG-Token"), since the models that a paper tests are named there, too. Where several papers give the same
name, the one whose title holds it, else the earliest. Besides, a paper coins the names that it uses a lot, earlier than
others, without citing anybody: data sets and models that it merely uses are cited where they come up ("BEIR (Thakur et
al., 2021)").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from rag_app.papers.front_matter import is_common
from rag_app.records import Reading


@lru_cache(maxsize=4096)
def _pattern(name: str) -> re.Pattern[str] | None:
    parts = [re.escape(part) for part in re.split(r"[\s-]+", name) if part]
    if not parts:
        return None
    words = r"[\s-]*".join(parts)
    return re.compile(rf"(?<![\w-]){words}(?:['’]?s)?(?!\w)", re.IGNORECASE)


def contains_name(question: str, name: str) -> bool:
    """Whether the question holds the name as words of its own; hyphens and blanks are one."""
    name = name.strip()
    pattern = _pattern(name)
    if pattern is None:
        return False
    found = (match.group() for match in pattern.finditer(question))
    if len(name) <= 5 and name.isupper():  # "LoRA" is "LORA", but "are" is not "ARE", nor is "pal" "PAL"
        return any(sum(letter.isupper() for letter in match) > 1 for match in found)
    return any(found)


USAGE_VERSION = 6  # of what usage() counts, which is kept per paper
LEAST_USES = 6
LEAST_RATE = 1.0  # uses per thousand words
COMPARABLE = 0.25  # of the highest rate in any paper: the earlier of two comparable users is the origin
FRONT_PAGES = 2  # where a paper presents what it introduces
SPREAD = 5  # papers, or a tenth of all: a name that more papers use often, and nobody cites, is common property
MOST_OF_TITLE = 0.6  # of its words
PLAIN_USES = 3  # in lower case: a name written so as often is an ordinary word in capitals
LONGEST_WORD = 80  # characters that are looked at before a name
LONGEST_NAME = 40  # words of a question that are tried as one name: a whole title

_NAME = re.compile(r"(?<![\w-])(?=[\w-]*[A-Z])[A-Za-z]\w+(?:-\w+)*")
_BETWEEN_WORDS = re.compile(r"[-–—:]")  # "Demonstrate–Search–Predict" is three words
_INSIDE = re.compile(r"[\w-]")  # goes on with a word
_CAPITAL = re.compile(r"[A-Z]")
_LAST_NAME = re.compile(r" [\w-]*[A-Z](?![\w-])")  # of a text read backwards: it ends with a capitalised word
_GOES_ON = re.compile(r"[a-z,]")
_CITATION = re.compile(
    r"['’]?s?\W{0,2}(?:\w+\s)?[(\[](?:e\.g\.,?\s|see\s)?(?:\d{1,3}[,\]]|[A-Z][^()\[\]]{2,60}?(?:19|20)\d\d)"
)
_OURS_BEFORE = re.compile(r"\b[Oo]urs?\b(?:\W+[\w-]+){0,5}\W+$")
# "Our best retriever, called Contriever", "which we name Guanaco": the authors give the name.
_NAMED_BEFORE = re.compile(
    r"\b(?:[Ww]e (?:call|name|dub|term)(?: (?:it|this|our|the)(?: [\w-]+){0,3})?"
    r"|[Oo]ur\b[^.;()]{0,60}?,? (?:called|named|dubbed))\W{1,3}$"
)
_OURS_BEHIND = re.compile(r"['’]?s?,? (?:is )?our\b")
_SMALL = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "is",
        "of",
        "on",
        "or",
        "the",
        "to",
        "via",
        "with",
    ]
)


@dataclass(frozen=True)
class NameUsage:
    """How one paper uses names that could be its own."""

    given: tuple[str, ...]  # by its title or introduction
    coined: tuple[str, ...]  # used often, not cited
    rates: dict[str, float]  # every frequent name -> uses per thousand words
    cited: tuple[str, ...]  # frequent names for which it cites somebody
    named: tuple[str, ...] = ()  # coined names of which it says that it gives them


@dataclass(frozen=True)
class PaperNames:
    """The names of one paper, as a question may write them."""

    names: tuple[str, ...]
    coined: tuple[str, ...]


def count_name_usage(reading: Reading) -> NameUsage:
    """Count the names in one paper's text; the bibliography and page furniture do not count."""
    texts = [
        "\n".join(page.text[b.start : b.end] for b in page.blocks if b.kind not in ("bibliography", "furniture"))
        for page in reading.pages
    ]
    text = "\n".join(texts)
    thousands = max(1, len(text.split())) / 1000
    places: dict[str, list[int]] = {}
    for match in _NAME.finditer(text):
        places.setdefault(match[0], []).append(match.start())
    frequent = {name: len(starts) for name, starts in places.items() if len(starts) >= LEAST_USES}
    front_ends = len("\n".join(texts[:FRONT_PAGES]))
    front = {name for name in frequent if places[name][0] < front_ends}
    in_title = {*_NAME.findall(reading.title), *(letters for letters, _, _ in _acronyms(reading.title))}
    names = {
        name: count
        for name, count in frequent.items()
        if _is_name(name, text, places[name])
        and (name in in_title or not (_is_part(name, text, count) or _is_ordinary(name, text)))
    }
    cited = {name: _times_cited(name, text) for name in names}
    given = tuple(
        name
        for name in reading.abbreviations
        if name in in_title
        or (not _is_ordinary(name, text) and (-1 < text.find(name) < front_ends or _is_called_ours(name, text)))
    )
    heads = tuple(name for name in (*in_title, *given) if len(name) > 2)
    coined = tuple(
        name
        for name in names
        if cited[name] <= (1 if name in front else 0)
        and (name in front or name.startswith(heads) or _is_called_ours(name, text))
        and not is_common(name)
    )
    named = tuple(name for name in coined if _is_named_by_authors(name, text))
    rates = {name: count / thousands for name, count in frequent.items()}
    return NameUsage(given, coined, rates, tuple(name for name, times in cited.items() if times), named)


def _is_name(name: str, text: str, places: Sequence[int]) -> bool:
    """Names have a capital that a sentence's beginning does not explain: within, or in the middle of a sentence."""
    if any(letter.isupper() or letter.isdigit() for letter in name[1:]):
        return True
    inside = sum(
        text[start - 1] == " " and _GOES_ON.match(text[start - 2]) is not None for start in places if start > 1
    )
    return inside * 4 >= len(places) and text.count(f" {name.lower()} ") * 20 <= len(places)


def _is_ordinary(name: str, text: str) -> bool:
    """Whether the text also writes the name as a plain word: "SEARCH" is a step that searches, no paper's name."""
    if not name.isupper():
        return False
    plain = name.lower()
    whole = (
        not _INSIDE.match(text[max(0, start - 1) : start])
        and not _INSIDE.match(text[start + len(plain) : start + len(plain) + 1])
        for start in _find_places(plain, text)
    )
    return sum(whole) >= PLAIN_USES


def _is_called_ours(name: str, text: str) -> bool:
    """Whether the paper says somewhere that what bears the name is its own: "our model OtterNet", "OtterNet, our"."""
    return any(
        _OURS_BEFORE.search(text[max(0, start - LONGEST_WORD) : start])
        or _OURS_BEHIND.match(text[start + len(name) : start + len(name) + LONGEST_WORD])
        for start in _find_places(name, text)
    )


def _is_named_by_authors(name: str, text: str) -> bool:
    """Whether the authors give the name to something of theirs: "which we call OtterNet"."""
    return any(
        _NAMED_BEFORE.search(text[max(0, start - LONGEST_WORD) : start].replace("\n", " "))
        for start in _find_places(name, text)
        if not _INSIDE.match(text[start + len(name) : start + len(name) + 1])
    )


def _is_part(name: str, text: str, uses: int) -> bool:
    """Whether the name mostly stands beside another one: "MS" and "MARCO", "York", "Joe"."""
    beside = 0
    for start in _find_places(name, text):
        end = start + len(name)
        behind = _LAST_NAME.match(text[max(0, start - LONGEST_WORD) : start][::-1])
        if behind and not _INSIDE.match(text[end : end + 1]):
            beside += 1
        elif text[end : end + 1] == " " and _CAPITAL.match(text[end + 1 : end + 2]):
            beside += not _INSIDE.match(text[max(0, start - 1) : start])
    return beside * 2 > uses


def _find_places(part: str, text: str) -> Iterator[int]:
    """Where `part` begins in the text, also within words; far faster than a pattern that begins with a choice."""
    start = text.find(part)
    while start >= 0:
        yield start
        start = text.find(part, start + len(part))


def _times_cited(name: str, text: str) -> int:
    """How many of the first ten uses are followed by a citation; a citation at the very first counts for all ten."""
    cited = [_CITATION.match(text, start + len(name)) is not None for start in islice(_find_places(name, text), 10)]
    return 10 if cited[0] else sum(cited)


def fold_name(name: str) -> str:
    """How names are compared: "Self-RAG", "SELF RAG" and "SelfRAG" are one."""
    return re.sub(r"[\W_]+", "", name.casefold())


def title_head(title: str) -> str:
    """The name before a title's colon or dash ("BERT: Pre-training of ..."), or an empty string."""
    head, mark, _ = re.split(r"(:|,|\s[–—-]\s|$)", title, maxsplit=1)
    return head.strip() if mark and len(head.split()) <= 5 else ""


def _acronyms(title: str) -> Iterator[tuple[str, int, int]]:
    """Acronyms that a title's words spell, and the words [first, end) that spell them; small words do not count.

    An acronym stands for the title when it begins with it ("Dense Passage Retrieval for ...") or covers most of it.
    """
    words = _BETWEEN_WORDS.sub(" ", title).split()
    counted = [place for place, word in enumerate(words) if word.casefold() not in _SMALL and word[0].isalpha()]
    for at, first in enumerate(counted):
        letters = ""
        for place in counted[at:]:
            letters += words[place][0].upper()
            if len(letters) >= 3 and (at == 0 or len(letters) >= MOST_OF_TITLE * len(counted)):
                yield letters, first, place + 1


@lru_cache(maxsize=4096)
def spelled_names(title: str) -> Mapping[str, str]:
    """The acronyms that a title's words spell, each with these words: RAG for "Retrieval-Augmented Generation"."""
    words = _BETWEEN_WORDS.sub(" ", title).split()
    return {letters: " ".join(words[first:end]) for letters, first, end in _acronyms(title)}


def spell_title(title: str) -> str:
    """The acronym of all words of a title, or of its part before the colon; empty where there is none."""
    head = re.split(r":|\s[–—-]\s", title)[0]
    words = [word for word in _BETWEEN_WORDS.sub(" ", head).split() if word.casefold() not in _SMALL]
    letters = "".join(word[0].upper() for word in words)
    return letters if len(letters) >= 3 and letters.isalpha() else ""


def name_papers(titles: Sequence[str], usages: Sequence[NameUsage], order: Sequence[str]) -> list[PaperNames]:
    """Name the papers of one library. `order` sorts them by time (an arXiv id, or a year)."""
    spelled = [{letters for letters, _, _ in _acronyms(title)} if title else set() for title in titles]
    claims: dict[str, list[tuple[int, str, int]]] = {}  # folded name -> (strength, name, paper)
    for number, (title, one) in enumerate(zip(titles, usages, strict=True)):
        head = title_head(title)
        for name in dict.fromkeys(name for name in (head, *one.given, *one.named) if len(name) > 1):
            theirs = _is_mostly_here(name, number, usages) and (
                name in spelled[number] or not _is_common_name(name, usages)
            )
            if name != head and name not in one.named and not theirs:
                continue
            strength = 3 if name == head else 1 + (name in spelled[number])
            claims.setdefault(fold_name(name), []).append((strength, name, number))
    known = {name for one in usages for name in one.rates if name.isupper()}
    for number, letters in enumerate(spelled):
        for name in letters & known:
            if name in usages[number].cited or (
                _is_common_name(name, usages) and not _is_comparable_rate(name, number, usages)
            ):
                continue
            claims.setdefault(fold_name(name), []).append((1, name, number))
    names: list[list[str]] = [[] for _ in titles]
    for claimed in claims.values():
        strongest = max(strength for strength, _, _ in claimed)
        _, name, owner = min((claim for claim in claimed if claim[0] == strongest), key=lambda claim: order[claim[2]])
        names[owner] += [name, *_short_forms(name)]
    acronyms = {name for claimed in claims.values() for _, name, _ in claimed if name.isupper()}
    for kept, title in zip(names, titles, strict=True):
        kept += _with_acronyms(title, acronyms)
    coined = _assign_coined_names(usages, order, set(claims))
    return [PaperNames(tuple(dict.fromkeys(own)), tuple(also)) for own, also in zip(names, coined, strict=True)]


def _is_mostly_here(name: str, number: int, usages: Sequence[NameUsage]) -> bool:
    """Whether the paper is among those that use the name most, and does not cite it."""
    highest = max(one.rates.get(name, 0.0) for one in usages)
    return name not in usages[number].cited and usages[number].rates.get(name, 0.0) * 2 >= highest


def _is_comparable_rate(name: str, number: int, usages: Sequence[NameUsage]) -> bool:
    """Whether the paper uses the name at a rate that comes near the highest."""
    return usages[number].rates.get(name, 0.0) >= COMPARABLE * max(one.rates.get(name, 0.0) for one in usages)


def _is_common_name(name: str, usages: Sequence[NameUsage]) -> bool:
    """Whether many papers use the name often and few cite anybody for it: "LLM", "GPU"."""
    often = [one for one in usages if name in one.rates]
    return len(often) > max(SPREAD, len(usages) // 10) and sum(name in one.cited for one in often) * 2 < len(often) - 1


def _assign_coined_names(usages: Sequence[NameUsage], order: Sequence[str], claimed: set[str]) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in usages]
    for name in sorted({name for one in usages for name in one.coined}):
        rates = {number: one.rates[name] for number, one in enumerate(usages) if name in one.rates}
        if _is_common_name(name, usages):
            continue
        least = max(LEAST_RATE, COMPARABLE * max(rates.values()))
        first = min((number for number, rate in rates.items() if rate >= least), key=lambda n: order[n], default=None)
        if first is not None and name in usages[first].coined and fold_name(name) not in claimed:
            found[first] += [name, *_short_forms(name)]
    return found


def _short_forms(name: str) -> list[str]:
    """ "Fusion-in-Decoder" is also called "FiD"."""
    parts = name.split("-")
    return ["".join(part[0] for part in parts)] if len(parts) >= 3 and all(part.isalpha() for part in parts) else []


def _with_acronyms(title: str, acronyms: set[str]) -> list[str]:
    """ "Corrective Retrieval Augmented Generation" is also called "Corrective RAG"."""
    head = re.split(r":|\s[–—-]\s", title)[0]
    words = _BETWEEN_WORDS.sub(" ", head).split()
    return [
        " ".join([*words[:first], letters, *words[end:]])
        for letters, first, end in _acronyms(head)
        if letters in acronyms and 1 <= len(words) - (end - first) <= 3
    ]


@dataclass(frozen=True)
class Mention:
    """A paper that a question names, and where."""

    paper: str
    start: int
    end: int


def find_mentions(
    question: str, names: Mapping[str, Iterable[str]], is_written_small: Callable[[str], bool] = lambda word: False
) -> list[Mention]:
    """Papers that a question names, in order. `names` maps folded names to papers.

    A name must hold a capital letter or a digit in the question, or be several words long, or `is_written_small` tells
    that the word is no ordinary one ("lora"); the longest match wins.
    """
    words = [(match.start(), match.end()) for match in re.finditer(r"[\w.]+(?:-[\w.]+)*", question)]
    folded = [fold_name(question[start:end]) for start, end in words]
    found: list[Mention] = []
    at = 0
    while at < len(words):
        for length in range(min(LONGEST_NAME, len(words) - at), 0, -1):
            name = "".join(folded[at : at + length])  # what stands between words does not count
            start, end = words[at][0], words[at + length - 1][1]
            text = question[start:end].rstrip(".")
            papers = names.get(name) or (names.get(name[:-1]) if text.endswith("s") else None)
            if papers and (
                length > 1
                or any(mark in text for mark in "-._")
                or any(letter.isupper() or letter.isdigit() for letter in text)
                or is_written_small(text)
            ):
                found += [Mention(paper, start, end) for paper in papers]
                at += length - 1
                break
        at += 1
    return found
