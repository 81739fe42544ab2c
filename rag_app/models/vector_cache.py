"""Vectors of questions and sentences that are remembered, so that each text is embedded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from rag_app.models.embedder import SentenceEmbedder

QUESTIONS_REMEMBERED = 256  # texts

EmbedQuestion = Callable[[str], np.ndarray]
EmbedQuestions = Callable[[Sequence[str]], np.ndarray]


class QuestionVectors:
    """Text -> its vector, float32 (dimension,); the last ones are remembered. Thread-safe."""

    def __init__(self, one: EmbedQuestion, several: EmbedQuestions | None) -> None:
        self._one = one
        self._several = several
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> np.ndarray:
        """The vector of one text."""
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
                return self._known[text]
        return self._keep(text, self._one(text))

    def embed_ahead(self, texts: Sequence[str]) -> None:
        """Embed those of the texts that are new, together: that takes half the time."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if self._several is not None and len(new) > 1:
            for text, vector in zip(new, self._several(new), strict=True):
                self._keep(text, vector)

    def _keep(self, text: str, vector: np.ndarray) -> np.ndarray:
        with self._lock:
            self._known[text] = vector
            while len(self._known) > QUESTIONS_REMEMBERED:
                self._known.popitem(last=False)
        return vector


SENTENCES_REMEMBERED = 20_000  # sentences, 31 MB of MiniLM's vectors


class SentenceVectors:
    """An embedder that remembers sentences and questions: many cells and questions look at the same. Thread-safe.

    `embedder` gives the one that embeds, which is opened when it is first needed.
    """

    def __init__(self, embedder: Callable[[], SentenceEmbedder], remembered: int = SENTENCES_REMEMBERED) -> None:
        self._embedder = embedder
        self._most = remembered
        self._questions = QuestionVectors(lambda text: self._embedder().embed_question(text), None)
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, dimension), unit length, in the order of `texts`."""
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
            for text in found:
                self._known.move_to_end(text)
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            found.update(zip(new, self._embedder().embed_passages(new), strict=True))
            self._keep(new, found)
        return np.stack([found[text] for text in texts]) if texts else self._embedder().embed_passages([])

    def embed_question(self, text: str) -> np.ndarray:
        """float32 (dimension,), unit length."""
        return self._questions(text)

    def _keep(self, new: Sequence[str], vectors: dict[str, np.ndarray]) -> None:
        with self._lock:
            for text in new:
                self._known[text] = np.array(vectors[text])  # its own memory, not a view of all that came with it
            while len(self._known) > self._most:
                self._known.popitem(last=False)
