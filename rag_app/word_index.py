"""The words of the passages: a persisted BM25 index. The only door of the stemmer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import Stemmer

from rag_app.errors import IndexFault
from rag_app.postings import Postings, write

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


def terms(text: str) -> list[str]:
    """The text as BM25 sees it: case folded, stemmed (Porter2), stop words out, numbers kept whole ("73.0").

    Chinese, Japanese and Korean have no blanks between words: each two neighbouring characters are a term.
    """
    found: list[str] = []
    for word in _WORD.findall(text.casefold()):
        if word.isascii():
            found += _terms_of(word)
            continue
        for part in _EAST_ASIAN.split(word):
            found += _pairs(part) if _EAST_ASIAN.fullmatch(part) else _terms_of(part) if part else ()
    return found


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def stem(words: Iterable[str]) -> list[str]:
    """Porter2 stems of single lower-case words."""
    return _STEMMER.stemWords(list(words))  # type: ignore[no-any-return]


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
        numbered = ([vocabulary.setdefault(term, len(vocabulary)) for term in terms(text)] for text in texts)
        frequency, size = write(numbered, folder, k1, b)
        np.save(folder / "frequency.npy", frequency)
        words = {"vocabulary": list(vocabulary), "size": size}
        (folder / "words.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> WordIndex:
        """Open what `build` wrote. Raises IndexFault when it is damaged or missing."""
        try:
            words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
            vocabulary = {term: number for number, term in enumerate(words["vocabulary"])}
            found = Postings.open(folder)
            frequency = np.load(folder / "frequency.npy", allow_pickle=False)
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
                holding, values = self._postings.of(number, rows)
                try:
                    total[holding if rows is None else holding - first] += weight * values
                except (IndexError, ValueError) as error:
                    raise IndexFault(f"The word index is damaged ({error}). Build again with --fresh.") from error
        return total

    def rows_with(self, term: str, rows: slice | None = None) -> np.ndarray:
        """Positions of the passages that hold the term, of those in `rows` where given: int32 (n,), increasing."""
        number = self.vocabulary.get(term)
        return self._postings.of(number, rows)[0] if number is not None else np.zeros(0, np.int32)

    def frequency(self, term: str) -> int:
        """In how many passages the term occurs."""
        number = self.vocabulary.get(term)
        return int(self._frequency[number]) if number is not None else 0
