"""The exact nearest vectors in a small collection, nearly all of them in a large one, none that a filter forbids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.errors import IndexFault
from rag_app.index import vector_search
from rag_app.index.vector_search import VectorSearch, dot, top_indices


def vectors(count: int, dimension: int = 32, seed: int = 5) -> np.ndarray:
    """Unit vectors that lie mostly along a few directions, as those of texts do."""
    found = np.random.default_rng(seed).standard_normal((count, dimension)) * 0.88 ** np.arange(dimension)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def by_hand(found: np.ndarray, vector: np.ndarray, count: int, allowed: np.ndarray | None) -> list[int]:
    cosine = found.astype(np.float64) @ vector
    order = [int(row) for row in np.argsort(-cosine, kind="stable") if allowed is None or allowed[row]]
    return order[:count]


@given(st.integers(0, 60), st.integers(1, 80), st.integers(0, 9), st.sampled_from([None, 0.0, 0.1, 0.9]))
@settings(max_examples=120, deadline=None)
def test_it_finds_the_nearest_exactly(size: int, count: int, seed: int, share: float | None) -> None:
    found, vector = vectors(size, seed=seed), vectors(1, seed=seed + 100)[0]
    allowed = None if share is None else np.random.default_rng(seed).random(size) < share
    search = VectorSearch(found)
    rows, scores = search.nearest(vector, count, allowed)
    assert search.is_exact
    assert rows.tolist() == by_hand(found, vector, count, allowed)
    assert np.allclose(scores, found[rows] @ vector, atol=1e-6)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, VectorSearch]:
    """A collection that is searched by its shorter copy, with the limits of a smaller one."""
    for name, value in {
        "WHOLE": 500,
        "SHORT": 16,
        "RESCORED": 300,
        "PICKED": 200,
        "SAMPLE": 1000,
        "_BLOCK": 256,
    }.items():
        monkeypatch.setattr(vector_search, name, value)
    found = vectors(5000)
    vector_search.write_short_vectors(tmp_path, found)
    return found, VectorSearch.open(tmp_path, found)


def test_a_large_collection_is_searched_by_a_shorter_copy(large: tuple[np.ndarray, VectorSearch]) -> None:
    found, search = large
    assert not search.is_exact
    shares = []
    for vector in vectors(40, seed=9):
        rows, scores = search.nearest(vector, 10)
        shares.append(len(set(rows.tolist()) & set(by_hand(found, vector, 10, None))) / 10)
        assert np.allclose(scores, found[rows] @ vector, atol=1e-6), "scores are exact, whichever rows are found"
        assert (np.diff(scores) <= 0).all()
    assert np.mean(shares) > 0.97


@pytest.mark.parametrize("allowed", [0, 5, 150, 1000, 4000])
def test_a_filter_never_leaks_and_leaves_as_many_as_there_are(
    large: tuple[np.ndarray, VectorSearch], allowed: int
) -> None:
    found, search = large
    may = np.zeros(len(found), dtype=bool)
    may[np.random.default_rng(2).permutation(len(found))[:allowed]] = True
    for vector in vectors(5, seed=3):
        rows, _ = search.nearest(vector, 20, may)
        assert may[rows].all() and len(set(rows.tolist())) == min(20, allowed)
        if allowed <= 200:  # so few are all compared in full
            assert rows.tolist() == by_hand(found, vector, 20, may)


def test_a_small_collection_has_no_shorter_copy(tmp_path: Path) -> None:
    vector_search.write_short_vectors(tmp_path, vectors(300))
    assert not list(tmp_path.iterdir())
    assert VectorSearch.open(tmp_path, vectors(300)).is_exact


def test_a_copy_of_other_vectors_and_a_vector_of_another_size_are_errors(
    large: tuple[np.ndarray, VectorSearch], tmp_path: Path
) -> None:
    with pytest.raises(IndexFault, match="--fresh"):
        VectorSearch.open(tmp_path, vectors(4999))
    (tmp_path / "short.npy").write_bytes(b"rubbish")
    with pytest.raises(IndexFault, match="--fresh"):
        VectorSearch.open(tmp_path, large[0])
    with pytest.raises(IndexFault, match="dimension"):
        large[1].nearest(np.ones(5, dtype=np.float32), 3)


def test_a_product_that_is_shared_among_cores_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found, vector = vectors(1003), vectors(1, seed=1)[0]
    alone = dot(found, vector)
    monkeypatch.setattr(vector_search, "_SHARED", 1)
    assert np.array_equal(dot(found, vector), alone)
    assert np.allclose(alone, found @ vector, atol=1e-6)


@given(st.lists(st.integers(-5, 5), max_size=20), st.integers(0, 25))
@settings(deadline=None)
def test_highest(values: list[int], count: int) -> None:
    scores = np.array(values, dtype=np.float32)
    places = top_indices(scores, count)
    assert len(set(places.tolist())) == min(count, len(values))
    assert sorted(scores[places], reverse=True) == sorted(values, reverse=True)[:count]
