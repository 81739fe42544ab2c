"""The words of the passages: a persisted BM25 index. The only module that imports the stemmer.

Which passages hold a term, and its BM25 weight there, as arrays on disk: written in blocks, mapped when read.

Weights are those of Lucene (Kamphuis et al., Which BM25 Do You Mean?, 2020, section 2), computed once when the index is
written, as bm25s does (Lù, BM25S, 2024), and laid out in the same arrays.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import Stemmer

from rag_app import files
from rag_app.errors import IndexFault
from rag_app.text.characters import as_searchable

_STEMMER = Stemmer.Stemmer("english")
_WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|[^\W_]+(?:[.'’][^\W_]+)*")
_EAST_ASIAN = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+)")
_STOPWORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "for",
        "from",
        "had",
        "has",
        "have",
        "having",
        "how",
        "however",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "let",
        "may",
        "me",
        "might",
        "must",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "on",
        "or",
        "our",
        "ours",
        "same",
        "shall",
        "she",
        "he",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


@lru_cache(maxsize=200_000)
def _terms_of(word: str) -> tuple[str, ...]:
    """A word as index terms: its stem, or nothing for a stop word; "13,997" and "13997" are one number."""
    if word in _STOPWORDS:
        return ()
    return (_STEMMER.stemWord(word.replace(",", "").removesuffix("'s").removesuffix("’s")),)


def extract_terms(text: str) -> list[str]:
    """The text as BM25 sees it: case folded, stemmed (Porter2), stop words out, numbers kept whole ("73.0").

    Chinese, Japanese and Korean have no blanks between words: each two neighbouring characters are a term.
    """
    found: list[str] = []
    for word in _WORD.findall(as_searchable(text).casefold()):
        if word.isascii():
            found += _terms_of(word)
            continue
        for part in _EAST_ASIAN.split(word):
            found += _pairs(part) if _EAST_ASIAN.fullmatch(part) else _terms_of(part) if part else ()
    return found


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


class WordIndex:
    """BM25 over passages, addressed by their position. Saved as arrays and JSON: loading it runs no code."""

    def __init__(
        self, postings: Postings, vocabulary: dict[str, int], document_frequency: np.ndarray, size: int
    ) -> None:
        self._postings = postings
        self.vocabulary = vocabulary
        self._frequency = document_frequency
        self.size = size

    @classmethod
    def build(cls, texts: Iterable[str], folder: Path, k1: float = 1.2, b: float = 0.75) -> None:
        """Index the texts and write the index to `folder`, which must exist and be empty.

        The texts may come one by one: the memory that it takes grows with the vocabulary alone.
        """
        vocabulary: dict[str, int] = {}
        numbered = ([vocabulary.setdefault(term, len(vocabulary)) for term in extract_terms(text)] for text in texts)
        frequency, size = write_postings(numbered, folder, k1, b)
        np.save(folder / "frequency.npy", frequency)
        words = {"vocabulary": list(vocabulary), "size": size}
        (folder / "words.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> WordIndex:
        """Open what `build` wrote. Raises IndexFault when it is damaged or missing."""
        try:
            words = json.loads(files.read_regular(folder / "words.json"))
            vocabulary = {term: number for number, term in enumerate(words["vocabulary"])}
            found = Postings.open(folder)
            frequency = files.load_array(folder / "frequency.npy")
            size = int(words["size"])
        except Exception as error:  # NumPy raises another type for each kind of damage
            raise IndexFault(f"{folder}: damaged or missing ({error}). Build again with --fresh.") from error
        # An index of an earlier version has a column more, which bm25s had added.
        if not len(frequency) == len(vocabulary) < len(found.starts):
            raise IndexFault(f"{folder}: damaged, its files do not belong together. Build again with --fresh.")
        return cls(found, vocabulary, frequency, size)

    def scores(
        self, query: Sequence[str], weights: Sequence[float] | None = None, rows: slice | None = None
    ) -> np.ndarray:
        """BM25 of every passage for the query's terms: float32 (size,). `weights` scale each term's part.

        `rows`: the scores of these alone, float32 (stop - start,); it costs what these rows hold, whatever the size.
        """
        first, stop = (0, self.size) if rows is None else (rows.start, rows.stop)
        total = np.zeros(stop - first, dtype=np.float32)
        for term, weight in zip(query, weights or [1.0] * len(query), strict=True):
            number = self.vocabulary.get(term)
            if number is not None:
                holding, values = self._postings.get_postings(number, rows)
                try:
                    total[holding if rows is None else holding - first] += weight * values
                except (IndexError, ValueError) as error:
                    raise IndexFault(f"The word index is damaged ({error}). Build again with --fresh.") from error
        return total

    def rows_with(self, term: str, rows: slice | None = None) -> np.ndarray:
        """Positions of the passages that hold the term, of those in `rows` where given: int32 (n,), increasing."""
        number = self.vocabulary.get(term)
        return self._postings.get_postings(number, rows)[0] if number is not None else np.zeros(0, np.int32)

    def frequency(self, term: str) -> int:
        """In how many passages the term occurs."""
        number = self.vocabulary.get(term)
        return int(self._frequency[number]) if number is not None else 0


BLOCK = 20_000  # texts that are counted at once: the memory that writing takes is theirs, whatever the number of texts
_STARTS, _ROWS, _WEIGHTS = (f"{name}.csc.index.npy" for name in ("indptr", "indices", "data"))


@dataclass(frozen=True)
class Postings:
    """For each term the passages that hold it, increasing, and its weight in each: the columns of a sparse matrix."""

    starts: np.ndarray  # int64 (terms + 1,): where each term's column begins
    rows: np.ndarray  # int32 (n,)
    weights: np.ndarray  # float32 (n,)

    @classmethod
    def open(cls, folder: Path) -> Postings:
        """Map what `write` wrote. Raises OSError or ValueError when it is damaged or missing."""
        starts = files.load_array(folder / _STARTS)
        mode: Literal["r"] | None = "r" if starts[-1] else None  # nothing cannot be mapped
        # Plain views: the memory map's own class makes every slice slow.
        rows, weights = (np.asarray(files.load_array(folder / name, mode=mode)) for name in (_ROWS, _WEIGHTS))
        if not len(rows) == len(weights) == int(starts[-1]):
            raise ValueError("its arrays do not fit each other")
        return cls(starts, rows, weights)

    def get_postings(self, number: int, within: slice | None = None) -> tuple[np.ndarray, np.ndarray]:
        """One term's passages and weights; `within`: those of a range of passages."""
        start, end = int(self.starts[number]), int(self.starts[number + 1])
        if within is not None:
            limits = np.array([within.start, within.stop], dtype=self.rows.dtype)  # another type would copy the column
            first, last = np.searchsorted(self.rows[start:end], limits)
            start, end = start + int(first), start + int(last)
        return self.rows[start:end], self.weights[start:end]


@dataclass(frozen=True)
class _TermBlock:
    """The counted terms of some texts, by term and then by text, in a file until all texts are counted."""

    place: Path
    first: int  # text
    lengths: np.ndarray  # int32 (texts,), in terms

    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Term, text within the block, and how often it holds the term."""
        term, text, times = np.load(self.place, allow_pickle=False)
        return term, text, times


def write_postings(texts: Iterable[Sequence[int]], folder: Path, k1: float, b: float) -> tuple[np.ndarray, int]:
    """Write the postings of texts, each given as its terms' numbers, to `folder`.

    Returns in how many texts each term occurs, int32 (highest number + 1,), and how many texts there are.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".counts-") as scratch:
        blocks = list(_count_blocks(texts, Path(scratch)))
        lengths = np.concatenate([block.lengths for block in blocks]) if blocks else np.zeros(0, np.int32)
        frequency = np.zeros(0, dtype=np.int32)
        for block in blocks:
            held = np.bincount(block.counts()[0], minlength=len(frequency)).astype(np.int32)
            held[: len(frequency)] += frequency
            frequency = held
        _merge(blocks, frequency, lengths, folder, k1, b)
    return frequency, len(lengths)


def _count_blocks(texts: Iterable[Sequence[int]], scratch: Path) -> Iterator[_TermBlock]:
    waiting: list[np.ndarray] = []
    first = 0
    for text in texts:
        waiting.append(np.array(text, dtype=np.int32))
        if len(waiting) == BLOCK:
            yield _count(waiting, scratch, first)
            first += len(waiting)
            waiting = []
    if waiting:
        yield _count(waiting, scratch, first)


def _count(texts: Sequence[np.ndarray], scratch: Path, first: int) -> _TermBlock:
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    owner = np.repeat(np.arange(len(texts)), lengths)
    pairs, times = np.unique(np.concatenate(texts).astype(np.int64) << 32 | owner, return_counts=True)
    place = scratch / f"{first}.npy"
    np.save(place, np.stack([pairs >> 32, pairs & 0xFFFFFFFF, times]).astype(np.int32))
    return _TermBlock(place, first, lengths)


def _merge(
    blocks: Sequence[_TermBlock], frequency: np.ndarray, lengths: np.ndarray, folder: Path, k1: float, b: float
) -> None:
    """Each block's postings to their places in the whole: a term's column takes them block after block."""
    starts = np.concatenate([[0], np.cumsum(frequency, dtype=np.int64)])
    np.save(folder / _STARTS, starts)
    if not starts[-1]:  # nothing cannot be mapped
        np.save(folder / _ROWS, np.zeros(0, np.int32))
        np.save(folder / _WEIGHTS, np.zeros(0, np.float32))
        return
    shape = (int(starts[-1]),)
    rows = np.lib.format.open_memmap(folder / _ROWS, "w+", dtype=np.int32, shape=shape)
    weights = np.lib.format.open_memmap(folder / _WEIGHTS, "w+", dtype=np.float32, shape=shape)
    rarity = np.log(1 + (len(lengths) - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
    dampening = k1 * ((1 - b) + b * lengths / lengths.mean())
    filled = starts[:-1].copy()
    for block in blocks:
        term, text, times = block.counts()
        held = np.bincount(term, minlength=len(frequency))
        place = filled[term] + np.arange(len(term)) - np.repeat(np.cumsum(held) - held, held)
        rows[place] = text + block.first
        weights[place] = rarity[term] * (times / (dampening[text + block.first] + times))
        filled += held
    rows.flush()
    weights.flush()
