"""Which passages hold a term, and its BM25 weight there, as arrays on disk: written in blocks, mapped when read.

Weights are those of Lucene (Kamphuis et al., Which BM25 Do You Mean?, 2020, section 2), computed once when the index is
written, as bm25s does (Lù, BM25S, 2024), and laid out in the same arrays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

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
        starts = np.load(folder / _STARTS, allow_pickle=False)
        mode: Literal["r"] | None = "r" if starts[-1] else None  # nothing cannot be mapped
        # Plain views: the memory map's own class makes every slice slow.
        rows, weights = (np.asarray(np.load(folder / name, mode, allow_pickle=False)) for name in (_ROWS, _WEIGHTS))
        if not len(rows) == len(weights) == int(starts[-1]):
            raise ValueError("its arrays do not fit each other")
        return cls(starts, rows, weights)

    def of(self, number: int, within: slice | None = None) -> tuple[np.ndarray, np.ndarray]:
        """One term's passages and weights; `within`: those of a range of passages."""
        start, end = int(self.starts[number]), int(self.starts[number + 1])
        if within is not None:
            limits = np.array([within.start, within.stop], dtype=self.rows.dtype)  # another type would copy the column
            first, last = np.searchsorted(self.rows[start:end], limits)
            start, end = start + int(first), start + int(last)
        return self.rows[start:end], self.weights[start:end]


@dataclass(frozen=True)
class _Block:
    """The counted terms of some texts, by term and then by text, in a file until all texts are counted."""

    place: Path
    first: int  # text
    lengths: np.ndarray  # int32 (texts,), in terms

    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Term, text within the block, and how often it holds the term."""
        term, text, times = np.load(self.place, allow_pickle=False)
        return term, text, times


def write(texts: Iterable[Sequence[int]], folder: Path, k1: float, b: float) -> tuple[np.ndarray, int]:
    """Write the postings of texts, each given as its terms' numbers, to `folder`.

    Returns in how many texts each term occurs, int32 (highest number + 1,), and how many texts there are.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".counts-") as scratch:
        blocks = list(_counted(texts, Path(scratch)))
        lengths = np.concatenate([block.lengths for block in blocks]) if blocks else np.zeros(0, np.int32)
        frequency = np.zeros(0, dtype=np.int32)
        for block in blocks:
            held = np.bincount(block.counts()[0], minlength=len(frequency)).astype(np.int32)
            held[: len(frequency)] += frequency
            frequency = held
        _merge(blocks, frequency, lengths, folder, k1, b)
    return frequency, len(lengths)


def _counted(texts: Iterable[Sequence[int]], scratch: Path) -> Iterator[_Block]:
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


def _count(texts: Sequence[np.ndarray], scratch: Path, first: int) -> _Block:
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    owner = np.repeat(np.arange(len(texts)), lengths)
    pairs, times = np.unique(np.concatenate(texts).astype(np.int64) << 32 | owner, return_counts=True)
    place = scratch / f"{first}.npy"
    np.save(place, np.stack([pairs >> 32, pairs & 0xFFFFFFFF, times]).astype(np.int32))
    return _Block(place, first, lengths)


def _merge(
    blocks: Sequence[_Block], frequency: np.ndarray, lengths: np.ndarray, folder: Path, k1: float, b: float
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
