"""Sentences are embedded once while they are remembered, and get the vectors that the embedder gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag_app.models.vector_cache import SentenceVectors
from tests.support.doubles import WordEmbedder


class Counting(WordEmbedder):
    """Notes what it is asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return super().embed_passages(texts)


def test_each_sentence_is_embedded_once_and_its_vector_is_the_embedders() -> None:
    embedder = Counting()
    vectors = SentenceVectors(lambda: embedder)
    texts = ["the otter", "a heron", "the otter"]
    assert np.array_equal(vectors.embed_passages(texts), WordEmbedder().embed_passages(texts))
    assert np.array_equal(vectors.embed_passages(["a heron"]), WordEmbedder().embed_passages(["a heron"]))
    assert embedder.asked == ["the otter", "a heron"]


def test_only_the_latest_are_remembered() -> None:
    embedder = Counting()
    vectors = SentenceVectors(lambda: embedder, 2)
    for text in ("one", "two", "one", "three", "one", "two"):
        vectors.embed_passages([text])
    assert embedder.asked == ["one", "two", "three", "two"]
