"""Questions with known answers: a file with a JSON line for each, read and checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_app.errors import QuestionError

KINDS = ("spotlight", "comparison", "clustering", "chain", "unanswerable")
"""The families of Loong (2406.17419, section 3), and questions that the papers do not answer."""


@dataclass(frozen=True)
class GoldFact:
    """One fact that the answer needs: where it stands, and the numbers and names that tell it."""

    paper: str
    page: int  # as a PDF viewer counts: from 1
    quote: str
    must_contain: tuple[str, ...]


@dataclass(frozen=True)
class GoldQuestion:
    """One question with its gold. Unanswerable questions have no facts."""

    id: str
    kind: str
    question: str
    papers: tuple[str, ...]
    answer: str
    facts: tuple[GoldFact, ...]
    disliked: str | None = None  # an answer that a user gave a thumb down; such a question has no gold
    reason: str = ""  # the user's, for the thumb

    @property
    def answerable(self) -> bool:
        return self.kind != "unanswerable"

    @property
    def has_gold(self) -> bool:
        """Whether there is gold to judge an answer by."""
        return self.disliked is None


def read_questions(path: Path, kinds: Sequence[str] = (), limit: int = 0) -> list[GoldQuestion]:
    """The questions of a file, of these kinds only (empty: all), at most `limit` of each kind (0: all).

    Raises QuestionError, naming file and line, for a file that cannot be read or that holds no such question.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise QuestionError(f"{path}: cannot be opened ({error.strerror}). Correct the path.") from error
    except UnicodeDecodeError as error:
        raise QuestionError(f"{path}: not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    found = [_question(line, f"{path.name}, line {n}") for n, line in enumerate(lines, start=1) if line.strip()]
    twice = {question.id for question in found if sum(other.id == question.id for other in found) > 1}
    if twice:
        raise QuestionError(
            f"{path}: ids used more than once: {', '.join(sorted(twice))}. Each question needs its own."
        )
    chosen = _first(found, kinds, limit)
    if not chosen:
        wanted = f" of the kind {' or '.join(kinds)}" if kinds else ""
        raise QuestionError(f"{path}: no questions{wanted}. Nothing to run.")
    return chosen


def _first(questions: Iterable[GoldQuestion], kinds: Sequence[str], limit: int) -> list[GoldQuestion]:
    kept: list[GoldQuestion] = []
    counts: dict[str, int] = {}
    for question in questions:
        counts[question.kind] = counts.get(question.kind, 0) + 1
        if (not kinds or question.kind in kinds) and (not limit or counts[question.kind] <= limit):
            kept.append(question)
    return kept


def _question(line: str, where: str) -> GoldQuestion:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QuestionError(f"{where}: not JSON. Each line is one question as a JSON object.") from error
    if not isinstance(value, dict):
        raise QuestionError(f"{where}: not a JSON object. Each line is one question.")
    return parse_question(value, where)


def parse_question(value: dict[str, Any], where: str) -> GoldQuestion:
    """A question from its JSON value. Raises QuestionError; `where` says which one it was."""
    for field in ("id", "kind", "question"):
        if not isinstance(value.get(field), str) or not value[field].strip():
            raise QuestionError(f'{where}: "{field}" has to be a text.')
    if value["kind"] not in KINDS:
        raise QuestionError(f"{where}: kind {value['kind']!r} is unknown; the kinds are {', '.join(KINDS)}.")
    facts = value.get("facts", [])
    papers = value.get("papers", [])
    if not isinstance(facts, list) or not _texts(papers):
        raise QuestionError(f'{where}: "facts" and "papers" have to be lists.')
    down = value.get("verdict") == "down"
    if down and facts:
        raise QuestionError(f'{where}: a thumb down gives no facts, so "facts" has to be empty.')
    if not down and (value["kind"] == "unanswerable") == bool(facts):
        raise QuestionError(f"{where}: an unanswerable question has no facts, any other has some.")
    return GoldQuestion(
        value["id"],
        value["kind"],
        value["question"],
        tuple(papers),
        str(value.get("answer", "")),
        tuple(_fact(fact, where) for fact in facts),
        str(value.get("disliked", "")) if down else None,
        str(value.get("note", "")),
    )


def _fact(value: object, where: str) -> GoldFact:
    if isinstance(value, dict):
        paper, page, quote, needed = (value.get(name) for name in ("paper", "page", "quote", "must_contain"))
        if isinstance(paper, str) and isinstance(page, int) and isinstance(quote, str) and needed and _texts(needed):
            return GoldFact(paper, page, quote, tuple(needed))
    raise QuestionError(f"{where}: a fact needs paper (text), page (number), quote (text) and must_contain (texts).")


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
