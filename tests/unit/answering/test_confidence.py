"""How sure an answer is said to be: more grounds never lower it, what was not verified always does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.answering.confidence import (
    CONFIDENCE_WEIGHTS,
    HIGH,
    LOW,
    confidence_features,
    confidence_level,
    estimate_correctness,
    rate_confidence,
    retrieval_clearness,
)
from rag_app.outputs.json import answer_json
from rag_app.outputs.terminal import answer_text
from rag_app.records import Answer, Cell, Citation, Hit, Passage, Row, Table

QUESTION = "What accuracy does the Lynx retriever reach on Meadow?"
SHARE = st.floats(0, 1)


def cited(number: int, quote: str, page: int = 3, verified: bool = True) -> Citation:
    return Citation(number, "lynx.pdf", "Lynx", page, str(page), "", quote, verified)


CLEAR = Answer(
    "",
    QUESTION,
    "answered",
    "78.0 [1]",
    "quoting",
    (cited(1, "The Lynx retriever does reach an accuracy of 78.0 on Meadow."), cited(2, "Lynx was trained for days.")),
)


def hit(by_meaning: int, by_words: int) -> Hit:
    return Hit(Passage("p", "lynx.pdf", 1, "1", "", 0, 1, "x"), 1.0, by_meaning, by_words)


def test_a_clear_answer_is_sure_and_a_scattered_one_is_not() -> None:
    assert rate_confidence(CLEAR, clear=1.0, chance=0.9) == "high"
    far = (cited(1, "Ferrets sleep."), cited(2, "Otters swim.", 4), cited(3, "Herons fly.", 5))
    assert rate_confidence(replace(CLEAR, citations=far), clear=0.1, chance=0.4) == "low"


def test_what_was_not_verified_is_never_high_and_mostly_unverified_is_low() -> None:
    good, other = CLEAR.citations
    assert rate_confidence(replace(CLEAR, citations=(good, replace(other, verified=False))), 1.0, 0.9) == "medium"
    assert rate_confidence(replace(CLEAR, citations=(replace(good, verified=False),)), 1.0, 0.9) == "low"
    assert rate_confidence(replace(CLEAR, unsupported=("79.0",)), 1.0, 0.9) == "medium"


def test_a_refusal_has_none_and_an_answer_without_a_source_is_low() -> None:
    assert rate_confidence(replace(CLEAR, status="not_in_papers", citations=()), 1.0, 0.9) == ""
    assert rate_confidence(replace(CLEAR, status="error"), 1.0, 0.9) == ""
    assert rate_confidence(replace(CLEAR, citations=()), 1.0, 0.9) == "low"


@pytest.mark.parametrize(("empty", "level"), [(0, "medium"), (1, "medium"), (2, "low")])
def test_a_table_is_as_sure_as_it_is_full(empty: int, level: str) -> None:
    cells = [Cell("nothing found; nearest passage: x", (1,), "nothing found")] * empty + [Cell("78.0", (1,))] * (
        4 - empty
    )
    table = Table(("x", "y"), (Row("a", "A", tuple(cells[:2])), Row("b", "B", tuple(cells[2:]))))
    assert rate_confidence(replace(CLEAR, table=table), 1.0, 0.9) == level


@given(SHARE, SHARE, SHARE, SHARE, st.sampled_from(sorted(CONFIDENCE_WEIGHTS)), SHARE)
def test_more_grounds_never_make_it_less_likely(
    chance: float, clear: float, shared: float, agreement: float, name: str, more: float
) -> None:
    given_now = {"chance": chance, "clear": clear, "shared": shared, "agreement": agreement}
    assert estimate_correctness({**given_now, name: max(given_now[name], more)}) >= estimate_correctness(given_now)


def test_the_levels_are_ordered() -> None:
    assert [confidence_level(value) for value in (0.0, LOW, HIGH, 1.0)] == ["low", "medium", "high", "high"]


def test_a_search_is_clear_when_both_lists_put_the_same_passage_first() -> None:
    assert retrieval_clearness([hit(3, 0), hit(1, 1)]) == 1.0
    assert retrieval_clearness([hit(2, 7), hit(4, 1)]) == 0.25
    assert retrieval_clearness([hit(1, 0), hit(0, 1)]) == 0.0
    assert retrieval_clearness([]) == 0.0


def test_agreement_is_of_the_quotes_and_shared_of_the_best_one() -> None:
    quotes = [("a", 1, "The Lynx retriever"), ("a", 1, "x"), ("b", 1, "y"), ("a", 2, "z")]
    found = confidence_features("Lynx retriever accuracy?", quotes, clear=0.5, chance=None)
    assert found["agreement"] == 0.5
    assert found["shared"] == pytest.approx(2 / 3)


def test_the_level_is_told_everywhere() -> None:
    answer = replace(CLEAR, confidence="medium")
    assert answer_json(answer)["confidence"] == "medium"
    assert "confidence: medium" in answer_text(answer)
    assert "confidence" not in answer_text(CLEAR)
