"""The measure of the check of claims knows every verdict that the check can give."""

from __future__ import annotations

from benchmarks.checking import Claimed, judge_claim


def test_what_words_cannot_check_counts_as_in_doubt() -> None:
    negated = Claimed(
        "The otter reader was never trained on river sounds.", "The otter reader was trained on river sounds.", "", 0
    )
    assert judge_claim(negated)[2] == 1
    short = Claimed("Neptune.", "Otters swim.", "", 0)
    assert judge_claim(short)[1] == 0.0, "whose words are too few to tell"
