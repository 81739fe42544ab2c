"""Pure text work: raw PDF characters to readable text with a map back, quotes found again, sentences.

Every function is deterministic and knows nothing of files or pages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from rag_app.records import Page
from rag_app.text.characters import BREAK_HYPHENS, CONTROLS, EAST_ASIAN, JOINERS, PRIVATE, nfkc_with_offsets
from rag_app.text.sentences import word_set

_HYPHENS = "\u2010\u2011-"  # the plain one last: it stands in character classes

# What changes between raw and readable text, in one pass: line-break hyphens, white space, unreadable glyphs.
_CHANGES = re.compile(
    r"(?![A-Za-z0-9.,;:()])(?! [A-Za-z0-9(\[])"  # most places are told at once
    rf"(?:(?P<soft>[{BREAK_HYPHENS}]\s*)"
    rf"|(?P<hard>(?<=\w)-[ \t]*\r?\n\s*)"
    rf"|(?P<range>(?<=\d[–—])[ \t]*\r?\n[ \t]*(?=\d))"  # "50–250", parted by a line end
    rf"|(?P<gap>[^\S ][\s{PRIVATE}{CONTROLS}]*| [\s{PRIVATE}{CONTROLS}]+)"  # a single space stays as it is
    rf"|(?P<lost>[{PRIVATE}{CONTROLS}]+|{JOINERS}))"
)
_EAST_ASIAN = re.compile(f"[{EAST_ASIAN}]")
_LAST_PART = re.compile(r"[^\W_]+$")
_FIRST_PART = re.compile(r"[^\W_]+")
_LAST_COMPOUND = re.compile(rf"[\w{_HYPHENS}]+$")
_FIRST_COMPOUND = re.compile(rf"[\w{_HYPHENS}]+")
_BROKEN = re.compile(rf"(?![A-Za-z0-9 \r\n.,])(?:[{BREAK_HYPHENS}]\s*|(?<=\w)-[ \t]*\r?\n\s*)")
_RUN = re.compile(rf"[\x02\w{_HYPHENS}]+")
_WHOLE_WORD = re.compile(rf"[^\W_]+(?:[{_HYPHENS}][^\W_]+)*(?![\x02\w])")  # from the beginning of a run

# Halves that stand alone as words and yet often begin a longer one, so they are no evidence for a compound.
_OPENERS = word_set(
    "a an any be con de dis down every for fore how in inter ion is it mis no on out over per pro re some there to "
    "under up with"
)
_INNER = word_set("and at by for in of on the to")  # words within "state-of-the-art"
# Halves that make a compound with nearly any word after them, when the joined form is unknown.
_COMPOUNDERS = word_set(
    "all cross domain data end few fine first full general hand hard high human ill in-context knowledge large long "
    "low model multi-hop near non open query question real second self short single small state sub-task task text "
    "third three time token top two well word world zero"
)
# Halves that end a compound with nearly any word before them.
_SECONDS = word_set(
    "augmented aware based by constructed driven enhanced free generated hop intensive knowledge level like of only "
    "oriented scale shot specific style the to token trained tuned tuning wise"
)
# What is far more often the end of a longer word: "proper-ties" and "general-izing" are no compounds.
_ENDINGS = word_set(
    "able ably age ages ally ant ate ation ations ed er ers ever ing ings ions isation ised ising ity ization izations "
    "ize ized izes izing less ly ment ments ness ship ties ward wards where"
)
_INFLECTION = re.compile(r"(?:s|es|d|ed|ing|ly)$")


@dataclass(frozen=True, eq=False)
class NormalisedText:
    """Readable text and, for each of its characters, the offset of the raw character it comes from."""

    text: str
    origin: np.ndarray  # int32 (len(text),), never decreasing


def words_of(*texts: str) -> set[str]:
    """The words of raw texts in lower case, compounds with their hyphens; halves of broken words are left out.

    Those of a paper's pages are the `vocabulary` that tells "dual-encoder" from "en-coder".
    """
    runs = set[str]()
    for raw in texts:
        runs.update(_RUN.findall(unicodedata.normalize("NFKC", _BROKEN.sub("\x02", raw)).lower()))
    return {word[0] for word in map(_WHOLE_WORD.match, runs) if word is not None}


def normalise_text(
    raw: str, vocabulary: Container[str] = frozenset(), breaks: Container[int] | None = None
) -> NormalisedText:
    """Raw PDF text as readable text.

    NFKC (ligatures opened), unreadable glyphs dropped, words that a line end split joined again, every run of white
    space one character: "\\n" where the run holds an offset from `breaks` (with None: a blank line), else a space.
    """
    plain, origin = nfkc_with_offsets(raw)
    offsets: list[int] = [] if breaks is None else origin.tolist()
    pieces: list[str] = []
    starts: list[int] = []
    lengths: list[int] = []

    def keep(text: str, start: int) -> None:
        if text:
            pieces.append(text)
            starts.append(start)
            lengths.append(len(text))

    done = 0
    for match in _CHANGES.finditer(plain):
        keep(plain[done : match.start()], done)
        done = match.end()
        kind = match.lastgroup
        broken = _is_broken(match, offsets, breaks)
        if kind == "gap":
            if broken or "\n" not in match[0] or not _is_east_asian(plain, match.start(), match.end()):
                keep("\n" if broken else " ", match.start())
        elif kind == "range" and broken:
            keep("\n", match.start())
        elif kind in ("soft", "hard"):
            if broken:  # the page went on with something else: a footnote, a figure
                keep("-", match.start())
                keep("\n", match.end() - 1)
            elif _keeps_hyphen(plain, match.start(), match.end(), vocabulary):
                keep("-", match.start())
    keep(plain[done:], done)
    text = "".join(pieces)
    shift = np.array(starts, np.int32) - np.cumsum([0, *lengths[:-1]], dtype=np.int32) if starts else np.zeros(0, int)
    back = np.arange(len(text), dtype=np.int32) + np.repeat(shift, lengths).astype(np.int32)
    return NormalisedText(text, origin[back])


def _is_east_asian(text: str, start: int, end: int) -> bool:
    """Whether white space parts two characters of a script that is written without it."""
    return start > 0 and end < len(text) and all(map(_EAST_ASIAN.match, (text[start - 1], text[end])))


def _is_broken(match: re.Match[str], origin: Sequence[int], breaks: Container[int] | None) -> bool:
    if breaks is None:
        return match[0].count("\n") > 1
    return any(offset in breaks for offset in origin[match.start() : match.end()])


def _keeps_hyphen(plain: str, start: int, end: int, vocabulary: Container[str]) -> bool:
    """Is the hyphen at a line end part of the word ("Lucene-BM25") rather than a break in it ("imple-mented")?"""
    before = _LAST_COMPOUND.search(plain[max(0, start - 40) : start])
    after = _FIRST_COMPOUND.match(plain[end : end + 40])
    if before is None or after is None:
        return True
    compound, left = before[0].lower(), _LAST_PART.search(before[0])
    right = _FIRST_PART.match(after[0])
    if left is None or right is None:
        return True
    first, second = left[0].lower(), right[0].lower()
    forms = (f"{first}-{second}", f"{compound}-{second}", f"{compound}-{after[0].lower()}")
    joined = first + second in vocabulary
    whole = any(form in vocabulary for form in forms)
    if not joined and not whole:
        joined = _is_inflected(first + second, vocabulary)
        whole = any(_is_inflected(form, vocabulary) for form in forms)
    if joined != whole:
        return whole
    if not right[0].islower() or first[-1].isdigit():
        # "GPT-3", "Lucene-BM25": capitals and digits seldom go on with a broken word, but "RocketQA" is one.
        return not (right[0][0].islower() and not whole and left[0].isalpha())
    if second in _ENDINGS and left[0].islower():
        return False
    if first in _COMPOUNDERS or second in _SECONDS or (len(first) > 1 and left[0].isupper()):
        return True
    if joined:
        return False
    if compound != first and (first in vocabulary or first in _OPENERS or first in _INNER):
        return True  # "state-of-the-art"
    if first in _OPENERS or len(first) < 3 or len(second) < 3:
        return False
    return first in vocabulary and second in vocabulary


def _is_inflected(word: str, vocabulary: Container[str]) -> bool:
    """Whether the vocabulary has another form of the word: "statement" for "statements", "tune" for "tuning"."""
    stem = _INFLECTION.sub("", word)
    return len(stem) > 3 and any(stem + end in vocabulary for end in ("", "e", "s", "es", "ed", "ing"))


def is_checkable(page: Page, start: int, end: int) -> bool:
    """Can a simple outside check confirm page.text[start:end] in the raw text of the PDF?

    Such a check joins the parts of all words that a line end split, or keeps all their hyphens. It cannot confirm a
    slice that needs both: one word broken at a line end ("imple-mented") and one compound ("dual-encoder").
    """
    if page.words is None:
        return True
    first, last = np.searchsorted(page.words.starts, [start, end])
    starts, ends = page.words.starts[first:last], page.words.ends[first:last]
    if np.any(starts == ends):
        return False  # a glyph that no text stands for, and that such a check expects
    kept = [page.text[row - 1] == "-" for row in ends[:-1][ends[:-1] == starts[1:]].tolist()]
    kept += [True for row in ends.tolist() if page.text[row - 1 : row + 1] in ("-\n", "-")]
    return len(set(kept)) < 2
