"""Answers without a language model: the papers' own sentences."""
