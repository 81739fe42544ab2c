"""A number of another kind than its source's is seen, and the same kind in other words is not."""

from __future__ import annotations

import pytest

from rag_app.citations.amounts import changed_fraction, changed_kind
from rag_app.citations.directions import opposite_direction

OTHER_KINDS = [
    ("It swims 25x faster.", "25% faster"),
    ("It swims 25 times faster.", "25% faster"),
    ("A 25-fold gain.", "a gain of 25%"),
    ("Errors fell 6.3 times.", "errors fell to 6.3 %"),
    ("It is 48x faster.", "48 hours of swimming"),
    ("It needs 3% of the fish.", "3 times the fish"),
    ("It needs 3 GB.", "3 times the memory"),
    ("It gains 4.2 percent.", "a gain of 4.2 percentage points"),
    ("It trains 0.3% of the weights.", "0.3M weights"),
    ("It holds 1.5 documents.", "1.5 million documents"),
    ("It moves 900 GB per second.", "900 tokens per second"),
    ("It moves 900 tokens per minute.", "900 tokens/s"),
    ("It fails in 8% of all rivers.", "in 8 of 20 rivers"),
    ("25 otters drowned.", "25% of the otters drowned"),
    ("It costs EUR 250.", "a price of $250"),
    ("It costs 250 hours.", "a price of $250"),
    ("Errors fell to 0.063%.", "errors fell to 6.3%"),
    ("Errors of 9.1 permille.", "errors of 9.1%"),
    ("It takes 15 s.", "it takes 15 ms"),
    ("They got 20 mcg.", "a dose of 20 mg"),
    ("It weighs 30 kg.", "otters of 30 g"),
    ("It swims 5 m.", "a swim of 5 km"),
    ("At 37 °F.", "at 37 °C"),
]


@pytest.mark.parametrize(("text", "quotes"), OTHER_KINDS)
def test_a_number_of_another_kind_is_seen(text: str, quotes: str) -> None:
    assert changed_kind(text, quotes) is not None
    assert changed_kind(text, f"{quotes}, and {text}") is None
    assert opposite_direction(text, quotes) is not None


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("It swims 25x faster.", "25 times faster"),
        ("It swims 3x faster.", "faster by a factor of 3 compared to herons"),
        ("It gains 4.2 points.", "a gain of 4.2 percentage points"),
        ("It gains 4.2 percentage points.", "a gain of 4.2% absolute"),
        ("It reaches 64.8%.", "Exact match 64.8 EM"),
        ("A share of 0.063.", "a share of 6.3%"),
        ("It has 175 billion weights.", "OtterNet 175B"),
        ("It costs 5 million dollars.", "a price of $5 million"),
        ("It moves 900 tokens per second.", "900 tokens/s"),
        ("It took 3 hours.", "3 heron hours, 5 days"),
        ("The 8 otters swim.", "8 old otters"),
        ("Nets of 3 x 3 cells.", "3x3 cells, 3 times"),
        ("It takes 15 ms.", "it takes 15 milliseconds, 15 s at most"),
    ],
)
def test_the_same_kind_in_other_words_is_none(text: str, quotes: str) -> None:
    assert changed_kind(text, quotes) is None


@pytest.mark.parametrize(
    ("text", "quotes", "found"),
    [
        ("It eats 1/3 of the fish.", "2/3 of the fish", ("1/3", "2/3")),
        ("It eats one third of the fish.", "two-thirds of the fish", ("one third", "two-thirds")),
        ("40 of 60 otters drowned.", "20 out of 60 otters drowned", ("40 of 60", "20 out of 60")),
        ("It eats two thirds of the fish.", "2/3 of the fish", None),
        ("It eats 1/3 of the fish.", "2/3 of the fish, and one third of the snails", None),
        ("It eats 1/3 of the fish.", "much of the fish", None),
        ("In a ratio of 3/2, 1/2/2020.", "2/3 of the fish", None),
    ],
)
def test_another_part_of_a_whole_is_seen(text: str, quotes: str, found: tuple[str, str] | None) -> None:
    assert changed_fraction(text, quotes) == found
    assert opposite_direction(text, quotes) == found or found is None


def test_up_to_a_number_is_still_a_step() -> None:
    assert opposite_direction("It falls to 20.", "it falls by up to 20") == ("to 20", "by 20")
