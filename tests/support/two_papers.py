"""Two papers to compare, and what holds for every table that compares them."""

from __future__ import annotations

import re

from rag_app.answering.tables.comparison import NOTHING_FOUND
from rag_app.assistant import Assistant
from rag_app.records import Answer, Table

OTTER = """# OtterNet: Finding Fish in Rivers

We present OtterNet, a swimmer. OtterNet swims by day. OtterNet likes rivers. OtterNet is quick. OtterNet eats fish.

## 1 Training

The batch size of OtterNet is 512 fish for every step of the training.

## 2 Habitat

OtterNet was evaluated in the rivers of Scotland during nine winters.
"""
HERON = """# HeronRank: Ranking by Patience

We present HeronRank, a stander. HeronRank stands by night. HeronRank likes ponds. HeronRank is slow. HeronRank waits.

## 1 Training

The batch size of HeronRank is 64 frogs for every step of the training.

## 2 Food

HeronRank prefers frogs | and newts [3] of the shallow water.
"""


def check(answer: Answer, assistant: Assistant) -> Table:
    """The table of an answer, after a look at each of its citations."""
    assert answer.status == "answered", answer
    assert answer.table is not None
    for citation in answer.citations:
        assert citation.verified
        assert citation.quote in assistant.page(citation.paper, citation.page).text
    cited = {citation.number: citation.paper for citation in answer.citations}
    assert list(cited) == list(range(1, len(cited) + 1))
    for row in answer.table.rows:
        assert len(row.cells) == len(answer.table.aspects)
        for cell in row.cells:
            assert bool(cell.citations) == (cell.text != NOTHING_FOUND)
            assert all(cited[number] == row.paper for number in cell.citations)
    marks = [int(number) for number in re.findall(r"\[(\d+)\]", answer.answer)]
    assert list(dict.fromkeys(marks)) == list(cited), "numbered by first use, and nothing else is a mark"
    return answer.table
