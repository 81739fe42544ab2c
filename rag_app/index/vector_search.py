"""The vectors nearest to a question's: all are compared, in a large collection by a shorter copy of each first.

The copy holds each vector's first principal components (Jolliffe, Principal Component Analysis, 2002, chapter 2), which
carry most of every dot product; the best by the copy are then compared in full. Scores are exact either way.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from rag_app import files
from rag_app.errors import IndexFault

WHOLE = 100_000  # vectors: up to here each is compared in full (docs/experiments/index.md: times and recall by size)
SHORT = 128  # components of the copy
RESCORED = 4_000  # the best by the copy, compared in full
PICKED = 20_000  # rows: so few are gathered, where a filter leaves no more
SAMPLE = 50_000  # vectors that the principal axes are computed from
_BLOCK = 16_384  # rows at a time, so that writing takes the same memory for every size
_SHARED = 8_000_000  # numbers: from here a product is shared among the cores
_COPY, _AXES = "short.npy", "axes.npy"


def write_short_vectors(folder: Path, vectors: np.ndarray) -> None:
    """Write the shorter copy of `vectors` (n, dimension) to `folder`, where there are enough of them to need it."""
    if len(vectors) <= WHOLE or vectors.shape[1] <= SHORT:
        return
    axes = principal_axes(vectors, SHORT)
    short = np.lib.format.open_memmap(folder / _COPY, "w+", dtype=np.float32, shape=(len(vectors), SHORT))
    for start in range(0, len(vectors), _BLOCK):
        short[start : start + _BLOCK] = vectors[start : start + _BLOCK] @ axes
    short.flush()
    files.write_array(folder / _AXES, axes)


def principal_axes(vectors: np.ndarray, count: int) -> np.ndarray:
    """float32 (dimension, count): the directions along which the vectors have most of their squared length."""
    step = max(1, len(vectors) // SAMPLE)
    total = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), _BLOCK * step):
        block = np.asarray(vectors[start : start + _BLOCK * step : step])
        total += block.T @ block
    _, axes = np.linalg.eigh(total)
    return np.ascontiguousarray(axes[:, ::-1][:, :count], dtype=np.float32)


class VectorSearch:
    """Searches one generation's vectors. Thread-safe."""

    def __init__(self, vectors: np.ndarray, short: np.ndarray | None = None, axes: np.ndarray | None = None) -> None:
        self._vectors = np.asarray(vectors)  # without the memory map's own, slow way of slicing
        self._short = None if short is None else np.asarray(short)
        self._axes = axes

    @classmethod
    def open(cls, folder: Path, vectors: np.ndarray) -> VectorSearch:
        """Searches `vectors`, by the shorter copy where `folder` has one. Raises IndexFault when that is damaged."""
        if not (folder / _AXES).is_file():
            return cls(vectors)
        short, axes = files.read_array(folder / _COPY, mapped=True), files.read_array(folder / _AXES)
        if axes.shape[:1] != vectors.shape[1:] or short.shape != (len(vectors), *axes.shape[1:]):
            raise IndexFault(f"{folder / _COPY}: does not fit the vectors. Build again with --fresh.")
        return cls(vectors, short, axes)

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared in full."""
        return self._short is None

    def nearest(
        self, vector: np.ndarray, count: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rows closest in meaning, best first, and their cosine similarity: int64 (k,), float32 (k,).

        `allowed`: bool (n,), the rows that may be found. Raises IndexFault for a vector of another dimension.
        """
        if vector.shape != self._vectors.shape[1:]:
            wanted = self._vectors.shape[1]
            raise IndexFault(
                f"The index has vectors of dimension {wanted}, not {len(vector)}. Build again with --fresh."
            )
        rows = self._candidates(vector, count, allowed)
        if rows is None:
            scores = dot(self._vectors, vector)
            if allowed is not None:
                scores[~allowed] = -np.inf
            rows = top_indices(scores, min(count, len(scores) if allowed is None else int(allowed.sum())))
            scores = scores[rows]
        else:
            scores = dot(self._vectors[rows], vector)
            best = top_indices(scores, min(count, len(scores)))
            rows, scores = rows[best], scores[best]
        order = np.argsort(-scores, kind="stable")
        return rows[order], scores[order]

    def _candidates(self, vector: np.ndarray, count: int, allowed: np.ndarray | None) -> np.ndarray | None:
        """The rows to compare in full, in their order; None: all of them."""
        left = len(self._vectors) if allowed is None else int(np.count_nonzero(allowed))
        wanted = max(RESCORED, 4 * count)
        if allowed is not None and (left <= PICKED or left <= wanted) and 4 * left <= len(self._vectors):
            return np.flatnonzero(allowed)
        if self._short is None or self._axes is None or left <= wanted:
            return None
        rough = dot(self._short, dot(self._axes.T, vector))
        if allowed is not None:
            rough[~allowed] = -np.inf
        return np.sort(top_indices(rough, wanted))


def dot(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """vectors @ vector: float32 (n,).

    Not by BLAS: that waits for all its threads at every product, which takes a hundred times as long as the product of
    a few thousand vectors where other work keeps the cores busy, and the last digits would depend on their number.
    """
    if vectors.size < _SHARED:
        return np.einsum("ij,j->i", vectors, vector)  # type: ignore[no-any-return]
    step = -(-len(vectors) // (4 * _cores()))  # several pieces for each: one core may be slower than another
    pieces = [vectors[start : start + step] for start in range(0, len(vectors), step)]
    return np.concatenate(list(_pool().map(lambda piece: np.einsum("ij,j->i", piece, vector), pieces)))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores(), "vectors")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def top_indices(scores: np.ndarray, count: int) -> np.ndarray:
    """int64 (count,): where the highest scores stand, in no particular order."""
    if count >= len(scores):
        return np.arange(len(scores))
    return np.argpartition(-scores, count - 1)[:count] if count else np.zeros(0, dtype=np.int64)
