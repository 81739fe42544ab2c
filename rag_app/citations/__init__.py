"""Marks of an answer -> exact words on the exact page, and whether they support it."""
