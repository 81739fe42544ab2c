"""Models on torch. Alone imports torch and sentence-transformers (but for training in lab).

Importing these takes seconds and 500 MB; the fast path in models/openvino.py needs them only once, for the conversion.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag_app.errors import ModelError
from rag_app.models.batching import normalise_vectors
from rag_app.models.weights import SentenceModel

_CHARACTERS_PER_TOKEN = 64  # nothing readable has longer tokens; a string without a blank may hold megabytes
_ENDLESS = 100_000  # tokens: the window of a model that reads any length, such as a static one


def load_sentence_model(folder: Path, device: str | None = None) -> Any:
    """The SentenceTransformer of a folder in float32. No network, no code from the model. Raises ModelError."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    _silence_libraries()
    try:
        model = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"torch_dtype": "float32"},
        )
    except Exception as error:  # the library raises whatever a broken file causes
        raise ModelError(
            f"{folder}: this model cannot be loaded ({type(error).__name__}: {error}). "
            "Fetch it again, or choose another one (RAG_EMBEDDER)."
        ) from error
    return model.float().eval()


class TorchEmbedder:
    """Any sentence-transformers model, one call at a time: its tokenizer changes its own settings while it works."""

    def __init__(self, model: SentenceModel) -> None:
        self._model = load_sentence_model(model.folder)
        self._source = model
        self._lock = threading.Lock()
        self.identity = model.identity()
        self.backend = f"torch float32 on {self._model.device}"
        self.dimension = int(self._model.get_embedding_dimension())
        self._longest = int(min(self._model.max_seq_length or _ENDLESS, _ENDLESS))
        self.window = self._longest - special_tokens(self._model) - self._count_one(model.passage_prompt)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special ones that the model adds."""
        if not texts:
            return []
        with self._lock:
            return [len(numbers) for numbers in plain_tokens(self._model, list(texts))]

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, dimension), unit length, in the order of `texts`."""
        return self._embed(self._model.encode_document, list(texts), self._source.passage_prompt)

    def embed_question(self, text: str) -> np.ndarray:
        """float32 (dimension,), unit length."""
        vector: np.ndarray = self.embed_questions([text])[0]
        return vector

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, dimension), unit length, in the order of `texts`."""
        return self._embed(self._model.encode_query, list(texts), self._source.question_prompt)

    def _embed(self, encode: Callable[..., Any], texts: list[str], prompt: str) -> np.ndarray:
        """`encode` says which side it is: a few models compute questions and passages by different layers."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        capped = [text[: self._longest * _CHARACTERS_PER_TOKEN] for text in texts]
        with self._lock:
            # An empty prompt, and not None: None would let the model choose its own.
            vectors = encode(capped, prompt=prompt, batch_size=16, show_progress_bar=False)
        return normalise_vectors(vectors)

    def _count_one(self, text: str) -> int:
        return self.count_tokens([text])[0] if text else 0


class TorchReranker:
    """A cross-encoder: reads question and text together. One call at a time."""

    def __init__(self, folder: Path, name: str) -> None:
        from sentence_transformers import CrossEncoder  # noqa: PLC0415

        _silence_libraries()
        try:
            self._model = CrossEncoder(str(folder), local_files_only=True, trust_remote_code=False)
        except Exception as error:  # the library raises whatever a broken file causes
            raise ModelError(
                f"{folder}: this cross-encoder cannot be loaded ({type(error).__name__}: {error}). "
                "Fetch it again, or choose another one (RAG_RERANKER)."
            ) from error
        if self._model.num_labels != 1:
            raise ModelError(
                f"{name}: gives {self._model.num_labels} scores a text, a reranker gives one. "
                "Name a cross-encoder for retrieval (RAG_RERANKER)."
            )
        self.name = name
        self._lock = threading.Lock()

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score per text, higher is better; only comparable within one question."""
        if not texts:
            return []
        with self._lock:
            scores = self._model.predict([(question, text) for text in texts], show_progress_bar=False)
        return [float(score) for score in np.asarray(scores).reshape(-1)]


def _silence_libraries() -> None:
    """No progress bars and notes about weights between our own messages; errors still come."""
    from transformers.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def plain_tokens(model: Any, texts: list[str]) -> list[list[int]]:
    """Token numbers without special ones and without a limit."""
    tokenizer = model.tokenizer
    if hasattr(tokenizer, "encode_batch"):  # a static model carries the bare tokenizer
        return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    found: list[list[int]] = tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    return found


def special_tokens(model: Any) -> int:
    """How many tokens the model adds to every text."""
    bare = hasattr(model.tokenizer, "encode_batch")  # of a static model, which adds none
    return 0 if bare else int(model.tokenizer.num_special_tokens_to_add())


def is_two_sided(model: Any) -> bool:
    """Whether questions and passages go through different layers."""
    from sentence_transformers.base.modules import Router  # noqa: PLC0415

    return any(isinstance(part, Router) for part in model)


def make_traceable(model: Any) -> tuple[Any, dict[str, Any]]:
    """The whole model as one torch module (token numbers and mask -> vectors), and an example of its input."""
    import torch  # noqa: PLC0415

    class Whole(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList(list(model))

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            for part in self.parts:
                features = part(features)
            return features["sentence_embedding"]

    tokens = torch.tensor([[5, 6, 7, 8, 9, 10, 11], [5, 6, 7, 8, 0, 0, 0]], dtype=torch.int64)
    return Whole().eval(), {"input_ids": tokens, "attention_mask": (tokens > 0).to(torch.int64)}
