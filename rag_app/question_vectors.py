"""The vectors of questions, each embedded once: one question is searched several times on its way to an answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

QUESTIONS_REMEMBERED = 256  # texts

EmbedQuestion = Callable[[str], np.ndarray]
EmbedQuestions = Callable[[Sequence[str]], np.ndarray]


class QuestionVectors:
    """Text -> its vector, float32 (dimension,); the last ones are remembered. Safe to share between threads."""

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

    def ahead(self, texts: Sequence[str]) -> None:
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
