"""Texts -> vectors. Chooses how a model runs: converted for this processor, or on torch.

weights.py knows which model is meant, openvino.py runs it fast, torch_models.py runs it plainly.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from rag_app.errors import ModelError, SettingsError
from rag_app.models.openvino import CacheReadOnly, open_converted
from rag_app.models.torch_models import TorchEmbedder
from rag_app.models.weights import SentenceModel, find_model
from rag_app.settings import Settings

BACKENDS = ("auto", "openvino", "torch")

_log = logging.getLogger(__name__)


class Embedder(Protocol):
    """Turns texts into vectors of unit length, whose dot product says how near their meanings are. Thread-safe.

    `identity` names everything that decides the vectors' values (weights, prompts); `backend` says how they are
    computed, which does not matter to an index. A passage of up to `window` tokens, as `count_tokens` counts them, is
    read whole.
    """

    identity: str
    backend: str
    dimension: int
    window: int

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text alone: without special tokens and prompts, so that counts of parts add up."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, dimension), unit length, in the order of `texts`."""
        ...

    def embed_question(self, text: str) -> np.ndarray:
        """float32 (dimension,), unit length."""
        ...

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, dimension): the same for several at once, which takes half the time."""
        ...


def open_embedder(settings: Settings, *caches: Path) -> Embedder:
    """The embedder that the settings name. `caches` are folders for converted models, made when needed.

    The first that can be written is used, or that holds the model already.

    The first call with a model converts it (seconds); later ones take a fraction of a second. Raises ModelError when
    the model cannot be had or run, SettingsError for an unknown backend.
    """
    backend = settings.embedder_backend
    if backend not in BACKENDS:
        raise SettingsError(f"RAG_EMBEDDER_BACKEND={backend}: no such backend. Choose one of {', '.join(BACKENDS)}.")
    model = find_model(settings.embedder)
    if backend == "torch":
        return TorchEmbedder(model)
    try:
        return _open_converted(model, caches)
    except ModelError as error:
        if backend == "openvino":
            raise
        _log.warning("%s The embedder runs on torch instead, which is slower.", error)
        return TorchEmbedder(model)


def _open_converted(model: SentenceModel, caches: Sequence[Path]) -> Embedder:
    for cache in caches[:-1]:
        try:
            return open_converted(model, cache)
        except CacheReadOnly as error:
            _log.info(error)
    return open_converted(model, caches[-1])


class SentenceEmbedder(Protocol):
    """The part of an embedder that is needed here."""

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray: ...

    def embed_question(self, text: str) -> np.ndarray: ...
