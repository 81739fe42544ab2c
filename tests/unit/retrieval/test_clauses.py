"""Clauses that ask something of one paper each, and questions that ask the same of all."""

from __future__ import annotations

import pytest

from rag_app.index.paper_names import find_mentions
from rag_app.retrieval.clauses import find_parallel_clauses

NAMES = {"otternet": ("otter.md",), "heronrank": ("heron.md",), "lynxreader": ("lynx.md",)}


def clauses(question: str) -> list[str]:
    places = [(one.start, one.end) for one in find_mentions(question, NAMES)]
    return [question[one.start : one.end] for one in find_parallel_clauses(question, places)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "what does OtterNet catch and what does HeronRank spear?",
            ["what does OtterNet catch", "what does HeronRank spear"],
        ),
        ("fins of OtterNet vs the wings of HeronRank", ["fins of OtterNet", "the wings of HeronRank"]),
        (
            "otter size in OtterNet; nest material in HeronRank",
            ["otter size in OtterNet", "nest material in HeronRank"],
        ),
        (
            "what is OtterNet's source of fish, HeronRank's source of frogs, and LynxReader's source of hares",
            ["what is OtterNet's source of fish", "HeronRank's source of frogs", "LynxReader's source of hares"],
        ),
        (
            "which river does OtterNet use and which does HeronRank use most",
            ["which river does OtterNet use", "which does HeronRank use most"],
        ),
        (
            "what fish and frogs does OtterNet eat, and where does HeronRank stand",
            ["what fish and frogs does OtterNet eat", "where does HeronRank stand"],
        ),
    ],
)
def test_each_paper_is_asked_in_a_clause_of_its_own(question: str, expected: list[str]) -> None:
    assert clauses(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "What do OtterNet and HeronRank eat?",
        "number of fish in OtterNet and HeronRank",
        "Compare OtterNet and HeronRank: fins, wings and nests",
        "how many fins does OtterNet have vs HeronRank's largest wing",
        "Is OtterNet quicker than HeronRank, and by how much?",
        "OtterNet eats fish, and HeronRank?",
        "What is a river?",
    ],
)
def test_what_is_asked_of_all_is_no_clause_of_one(question: str) -> None:
    assert clauses(question) == []
