"""Attacks on the assistant, and how they are judged."""
