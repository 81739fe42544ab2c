"""Questions that a newcomer may press: made from the library's own papers, and offered only where they are answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest

from rag_app.answering.context import short_name
from rag_app.index.manifest import IndexedPaper


def candidate_questions(entries: Sequence[IndexedPaper]) -> Iterator[str]:
    """Questions of three kinds in turn: what a paper is about, how two differ, which papers mention a name."""
    named = [entry for entry in entries if entry.passages and entry.short_names]
    plain = [entry for entry in entries if entry.passages and not entry.short_names]
    about = (f"What is {short_name(entry)}?" for entry in named)
    differ = (f"How do {short_name(one)} and {short_name(other)} differ?" for one, other in pairwise(named))
    listed = (f"Which papers mention {short_name(entry)}?" for entry in named)
    for turn in zip_longest(about, differ, listed):
        yield from (question for question in turn if question is not None)
    yield from (f"What is “{entry.title}” about?" for entry in plain if entry.title)
