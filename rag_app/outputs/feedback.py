"""Thumbs on answers -> questions with known answers, for `eval --from-feedback`. Pure.

A thumb up makes the verified quotes of the answer the facts that a later answer has to tell. A thumb down tells only
that this answer was not good: the question is kept with its reason and that answer, and without facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from rag_app.records import Answer, Citation, Json
from rag_app.text.terms import find_names, find_numbers, squash

Verdict = Literal["up", "down"]
LONGEST_QUOTE = 30  # words of a fact's quote
MOST_WORDS = 3  # that tell a fact which has neither number nor name
MOST_COMPARED = 4  # papers of a comparison
_MARK = re.compile(r"\[\d+\]")
_LONG_WORD = re.compile(r"[^\W\d_]{6,}")


def as_question(id: str, answer: Answer, verdict: Verdict, reason: str) -> Json:
    """A rated answer in the form of a gold question set, with "verdict" besides, and after a thumb down "disliked".

    That is the answer as it was. A refusal with a thumb up makes the question unanswerable.
    """
    up = verdict == "up"
    refused = answer.status == "not_in_papers"
    facts = (
        [_fact(citation, answer) for citation in answer.citations if citation.verified] if up and not refused else []
    )
    papers = list(dict.fromkeys(fact["paper"] for fact in facts) or dict.fromkeys(c.paper for c in answer.citations))
    question = {
        "id": id,
        "kind": "unanswerable" if refused and up else _kind(answer, papers),
        "question": answer.asked or answer.question,
        "papers": papers,
        "answer": answer.answer if up else "",
        "facts": facts,
        "note": reason,
        "verdict": verdict,
    }
    return question if up else {**question, "disliked": answer.answer}


def is_usable(question: Json) -> bool:
    """Whether it can be asked again: a thumb up for an answer without a verified quote tells no fact."""
    return bool(question["facts"]) or question["verdict"] == "down" or question["kind"] == "unanswerable"


def keep_latest(questions: Iterable[Json]) -> list[Json]:
    """One user's questions, oldest first, without those that the same user rated again later."""
    last = {" ".join(question["question"].split()).casefold(): question for question in questions}
    return list(last.values())


def is_same_answer(one: str, other: str) -> bool:
    """Whether two answers say the same words, whatever their marks and spaces."""
    return _strip_marks(one) == _strip_marks(other)


def _strip_marks(text: str) -> str:
    return " ".join(_MARK.sub("", text).split())


def _kind(answer: Answer, papers: Sequence[str]) -> str:
    if len(papers) < 2:
        return "spotlight"
    if answer.table is not None and len(papers) <= MOST_COMPARED:
        return "comparison"
    return "chain" if answer.plan is not None and answer.plan.kind == "chain" else "clustering"


def _fact(citation: Citation, answer: Answer) -> Json:
    quote = " ".join(citation.quote.split()[:LONGEST_QUOTE])
    return {
        "paper": citation.paper,
        "page": citation.page,
        "quote": quote,
        "must_contain": _find_key_terms(quote, answer),
    }


def _find_key_terms(quote: str, answer: Answer) -> list[str]:
    """What tells the quote's fact: its numbers, else its names, else its longest words; of them what the answer says.

    Where the answer says none of them, those of the quote: then it showed the fact only by quoting it.
    """
    finders: Sequence[Callable[[str], list[str]]] = (_numbers, find_names, _long_words)
    said = squash(_MARK.sub("", answer.answer))
    for everything in (False, True):
        for find in finders:
            found = [piece for piece in dict.fromkeys(find(quote)) if everything or squash(piece) in said]
            if found:
                return found
    return [quote]


def _numbers(text: str) -> list[str]:
    return [number.written for number in find_numbers(text)]


def _long_words(text: str) -> list[str]:
    return sorted(dict.fromkeys(_LONG_WORD.findall(text)), key=len, reverse=True)[:MOST_WORDS]
