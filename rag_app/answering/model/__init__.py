"""Answers that a language model writes and our code checks."""
