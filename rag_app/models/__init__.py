"""Every neural model: embedders and rerankers. `embedder.open_embedder` and `reranker.open_reranker` open them."""
