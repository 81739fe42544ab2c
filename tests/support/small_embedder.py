"""A tiny embedder of sentence-transformers, saved in a folder: fast to load, and its vectors mean nothing."""

from __future__ import annotations

from pathlib import Path

from rag_app.models.weights import find_model


def save_small_model(path: Path, prompts: dict[str, str] | None = None, seed: int = 0) -> Path:
    """A sentence-transformers model of one random layer, with the default's tokenizer."""
    import torch  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer  # noqa: PLC0415
    from transformers import AutoTokenizer, BertConfig, BertModel  # noqa: PLC0415

    torch.manual_seed(seed)
    # Large random weights: with the usual small ones all texts come out alike.
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "initializer_range": 0.5}
    encoder = path / "encoder"
    BertModel(BertConfig(vocab_size=30522, intermediate_size=64, max_position_embeddings=64, **sizes)).save_pretrained(
        encoder
    )
    AutoTokenizer.from_pretrained(find_model("all-MiniLM-L6-v2").folder).save_pretrained(encoder)
    parts = [Transformer(str(encoder), max_seq_length=48), Pooling(32, "mean")]
    SentenceTransformer(modules=parts, prompts=prompts).save(str(path / "model"))
    return path / "model"
