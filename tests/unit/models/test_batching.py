"""Laws of packing: every text once, few shapes, bounded batches."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag_app.models.batching import normalise_vectors, pack, pad

lengths = st.lists(st.integers(0, 256), max_size=200)


@given(lengths, st.integers(1, 2000), st.sampled_from([1, 8, 16]))
def test_every_text_is_in_exactly_one_batch(lengths: list[int], budget: int, bucket: int) -> None:
    rows = [row for batch in pack(lengths, 256, budget, bucket) for row in batch.rows]
    assert sorted(rows) == list(range(len(lengths)))


@given(lengths, st.integers(1, 2000), st.sampled_from([1, 8, 16]))
def test_batches_hold_their_texts_and_keep_the_budget(lengths: list[int], budget: int, bucket: int) -> None:
    for batch in pack(lengths, 256, budget, bucket):
        longest = max(lengths[row] for row in batch.rows)
        assert longest <= batch.length < max(longest, 1) + bucket
        assert batch.length <= 256
        assert batch.length * len(batch.rows) <= budget or len(batch.rows) == 1


def test_longest_first() -> None:
    assert [batch.length for batch in pack([3, 200, 40], 256, budget=1, bucket=16)] == [208, 48, 16]


def test_padding_keeps_tokens_and_masks_the_rest() -> None:
    tokens, mask = pad([[7, 8, 9], [], [5]], 4, filler=1)
    assert tokens.tolist() == [[7, 8, 9, 1], [1, 1, 1, 1], [5, 1, 1, 1]]
    assert mask.tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert tokens.dtype == mask.dtype == np.int64


@given(st.lists(st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4), min_size=1, max_size=5))
def test_unit_vectors_have_length_one_or_zero(rows: list[list[float]]) -> None:
    given_rows = np.array(rows, dtype=np.float32)
    for before, after in zip(given_rows, normalise_vectors(given_rows), strict=True):
        length = float(np.linalg.norm(after))
        assert abs(length - 1) < 1e-3 or np.linalg.norm(before) < 1e-9
