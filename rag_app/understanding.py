"""What a question means in its conversation: a follow-up made to stand alone, by the language model or without one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import reduce
from typing import Protocol

import numpy as np

from rag_app.called import Mention, title_head
from rag_app.ellipsis import Library, depends
from rag_app.errors import ModelError
from rag_app.followup import stand_alone
from rag_app.name_kinds import names_in, used_as_dataset
from rag_app.prompts import rewriting_prompt
from rag_app.records import Answer
from rag_app.retrieval import Retriever
from rag_app.word_index import terms

LOOKED_AT = 80  # passages that hold a name, to see how it is used
LONGER = 3.0  # a rewriting of more than so many times the question and the one before is not one


class Writer(Protocol):
    """A reader that can also be asked for a few words."""

    def say(self, system: str, user: str, stop: threading.Event) -> str:
        """One short answer; empty where the model is too small for it. Raises ModelError."""


class LibraryNames:
    """What the papers of one generation can say about names. Safe to share between threads."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._generation = retriever.generation
        self._known: dict[str, bool] = {}

    def mentions(self, question: str) -> Sequence[Mention]:
        """Where the question names papers."""
        return self._retriever.mentions(question)

    def name(self, paper: str) -> str:
        """What people call the paper: its short name, else its title."""
        entry = self._generation.by_paper[paper]
        return next(iter(entry.short_names), "") or title_head(entry.title) or entry.title or paper

    def is_dataset(self, name: str) -> bool:
        """Whether the papers use the name as one of data to measure on."""
        if name not in self._known:
            holding = [self._generation.words.rows_with(term) for term in terms(name)]
            rows = reduce(np.intersect1d, holding)[:LOOKED_AT].tolist() if holding else []
            texts = [passage.text for passage in self._generation.passages(rows)] if rows else []
            self._known[name] = used_as_dataset(name, texts)
        return self._known[name]

    def is_title(self, words: str) -> bool:
        """Whether exactly one paper's title holds the words."""
        wanted = f" {' '.join(terms(words))} "
        titles = [f" {' '.join(terms(entry.title))} " for entry in self._generation.manifest.papers]
        return len(wanted) > 2 and sum(wanted in title for title in titles) == 1


def understood(
    question: str, history: Sequence[Answer], library: Library, writer: Writer | None, stop: threading.Event
) -> str:
    """The question standing alone; empty when it already does. `history`: the answers before it, oldest first.

    The model is asked when there is one, and only about a question that means something said before; what it says is
    taken when it keeps the question's own names and numbers.
    """
    if not history or not depends(question, library):
        return ""
    plain = stand_alone(question, history, library)
    if writer is not None:
        said = ""
        with suppress(ModelError):  # the answer itself will say what is wrong with the model
            said = " ".join(writer.say(*rewriting_prompt(question, history), stop).split()).strip('"“” ')
        if _is_rewriting(said, question, history[-1].asked or history[-1].question):
            return said if said.casefold() != question.casefold() else plain
    return plain


def _is_rewriting(said: str, question: str, before: str) -> bool:
    if not said or len(said) > LONGER * (len(question) + len(before)):
        return False
    return all(name.text.casefold() in said.casefold() for name in names_in(question, []))


__all__ = ["LibraryNames", "Writer", "understood"]
