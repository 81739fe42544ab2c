"""Training an embedder on judged passages (DPA-RAG)."""
