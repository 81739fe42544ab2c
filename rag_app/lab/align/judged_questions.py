"""Questions with judged passages: which texts answer each one and which do not. Read from a file, split by paper."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_app.errors import QuestionError

_WANTED = '{"question": "…", "positives": ["…"], "negatives": ["…"], "paper": "…"}'


@dataclass(frozen=True)
class JudgedQuestion:
    """One question; `papers` are those that its positives come from, so that a paper can be held out as a whole."""

    question: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainTestSplit:
    """Questions to learn from and questions to measure on: no paper is in both."""

    learned: tuple[JudgedQuestion, ...]
    held: tuple[JudgedQuestion, ...]
    left_out: int  # questions about papers of both sides


OfFacts = Callable[[str, Sequence[dict[str, Any]]], JudgedQuestion | None]
"""A question and its facts ({"paper", "page", "quote"}) -> what an index says of them; None: it has no such page."""


def read_judged_questions(path: Path, of_facts: OfFacts) -> list[JudgedQuestion]:
    """The questions of a JSON lines file that have an answer. Lines with "facts" go through `of_facts`.

    Raises QuestionError naming the line that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise QuestionError(f"{path}: cannot be read ({error}). Name a file of UTF-8 JSON lines.") from error
    found = [
        _line(line, f"{path.name}, line {number}", of_facts) for number, line in enumerate(lines, 1) if line.strip()
    ]
    judged = [one for one in found if one is not None]
    if not judged:
        raise QuestionError(f"{path}: no question with a passage that answers it. Write lines like {_WANTED}.")
    return judged


def _line(line: str, where: str, of_facts: OfFacts) -> JudgedQuestion | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QuestionError(f"{where}: not JSON. Write {_WANTED}.") from error
    if not isinstance(value, dict) or not isinstance(value.get("question"), str) or not value["question"].strip():
        raise QuestionError(f'{where}: no "question" with a text. Write {_WANTED}.')
    if "facts" in value and "positives" not in value:
        return of_facts(value["question"], _facts(value["facts"], where))
    positives, negatives = _texts(value, "positives", where), _texts(value, "negatives", where)
    papers = _texts(value, "papers", where) or _texts(value, "paper", where)
    if not positives:
        return None
    # Without a paper's name a text counts as its own paper: it is never learned from and measured on at once.
    return JudgedQuestion(
        value["question"], positives, tuple(t for t in negatives if t not in positives), papers or positives
    )


def _facts(value: Any, where: str) -> list[dict[str, Any]]:
    good = isinstance(value, list) and all(
        isinstance(fact, dict) and isinstance(fact.get("paper"), str) and type(fact.get("page")) is int
        for fact in value
    )
    if not good:
        raise QuestionError(f'{where}: "facts" has to be a list of {{"paper": "…", "page": 1, "quote": "…"}}.')
    return value  # type: ignore[no-any-return]


def _texts(value: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    given = value.get(key) or []
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise QuestionError(f'{where}: "{key}" has to be a list of texts. Write {_WANTED}.')
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


def split_train_test(judged: Sequence[JudgedQuestion], share: float = 0.25, seed: int = 0) -> TrainTestSplit:
    """Part the questions by paper: whole papers are held out, in random order, until `share` of the questions is.

    A question about papers of both sides is left out of both. Raises QuestionError when a side would be empty.
    """
    order = sorted({paper for one in judged for paper in one.papers})
    random.Random(seed).shuffle(order)
    held_papers: set[str] = set()
    held: list[JudgedQuestion] = []
    for paper in order:
        if len(held) >= share * len(judged):
            break
        held_papers.add(paper)
        held = [one for one in judged if held_papers.issuperset(one.papers)]
    learned = [one for one in judged if held_papers.isdisjoint(one.papers)]
    if not learned or not held:
        raise QuestionError(
            f"{len(judged)} questions about {len(order)} papers cannot be split by paper: all of them share papers. "
            "Judge passages of more papers."
        )
    return TrainTestSplit(tuple(learned), tuple(held), len(judged) - len(learned) - len(held))


def all_texts(judged: Iterable[JudgedQuestion]) -> list[str]:
    """Every different text that was judged, in the order of the questions."""
    return list(dict.fromkeys(text for one in judged for text in (*one.positives, *one.negatives)))
