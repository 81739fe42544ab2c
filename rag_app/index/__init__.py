"""Readings -> passages, vectors, BM25 and Chroma, in generations on disk."""
