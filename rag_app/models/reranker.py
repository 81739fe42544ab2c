"""A second, closer look at the first hits: a cross-encoder that reads question and text together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag_app.models.torch_models import TorchReranker
from rag_app.models.weights import find_folder
from rag_app.settings import Settings


class Reranker(Protocol):
    """Scores texts against a question. Thread-safe."""

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score per text, in their order; higher is better, only comparable within one question."""
        ...


def open_reranker(settings: Settings) -> Reranker | None:
    """The cross-encoder that the settings name, by name or folder; None when they name none. Raises ModelError."""
    name = settings.reranker
    return TorchReranker(find_folder(name), name) if name else None
