"""What is denied is told from what is said, whatever else the source denies."""

from __future__ import annotations

import pytest

from rag_app.citations.support import CitedPassages, is_denied

SOURCE = (
    "OtterNet travels on-par or better than HeronRank in deep rivers, despite its having fewer fins, and, unlike "
    "SalmonNet, no additional training delay."
)


def is_believed(claim: str) -> tuple[bool, bool]:
    """Whether a model's own word makes the claim supported, and whether words alone do."""
    passages = CitedPassages([SOURCE], ["OtterNet"])
    return not is_denied(claim, [SOURCE], ["otternet"]), passages.support(claim)[0] == "supported"


@pytest.mark.parametrize(
    "denial",
    [
        "OtterNet never travels better than HeronRank in deep rivers.",
        "OtterNet can't travel better than HeronRank in deep rivers.",
        "OtterNet doesn’t travel better than HeronRank in deep rivers.",
        "OtterNet doesnʼt travel better than HeronRank in deep rivers.",
        "OtterNet does n't travel better than HeronRank in deep rivers.",
        "OtterNet doesnt travel better than HeronRank in deep rivers.",
        "OtterNet hardly travels better than HeronRank in deep rivers.",
        "OtterNet scarcely travels better than HeronRank in deep rivers.",
        "OtterNet seldom travels better than HeronRank in deep rivers.",
        "OtterNet fails to travel better than HeronRank in deep rivers.",
        "OtterNet failed at traveling better than HeronRank in deep rivers.",
        "OtterNet is unable to travel better than HeronRank in deep rivers.",
        "OtterNet is incapable of traveling better than HeronRank in deep rivers.",
        "OtterNet refuses to travel better than HeronRank in deep rivers.",
        "OtterNet has yet to travel better than HeronRank in deep rivers.",
        "OtterNet is far from traveling better than HeronRank in deep rivers.",
        "By no means does OtterNet travel better than HeronRank in deep rivers.",
        "Nobody found OtterNet to travel better than HeronRank in deep rivers.",
        "There is no evidence that OtterNet travels better than HeronRank in deep rivers.",
        "It is false that OtterNet travels better than HeronRank in deep rivers.",
        "It's untrue that OtterNet travels better than HeronRank in deep rivers.",
        "It is a common myth that OtterNet travels better than HeronRank in deep rivers.",
        "It isn't the case that OtterNet travels better than HeronRank in deep rivers.",
        "OtterNet is claimed, wrongly, to travel better than HeronRank in deep rivers.",
        "OtterNet travels better than HeronRank in deep rivers, which is false.",
        "The claim that OtterNet travels better than HeronRank in deep rivers is wrong.",
        "False: OtterNet travels better than HeronRank in deep rivers.",
        "OtterNet never travels better than HeronRank in deep rivers with no additional training delay.",
        "It is false that OtterNet has no additional training delay.",
        "OtterNet has additional training delay.",
    ],
)
def test_a_denial_gets_no_support_from_what_else_the_source_denies(denial: str) -> None:
    assert is_believed(denial) == (False, False)


@pytest.mark.parametrize(
    "claim",
    [
        "OtterNet travels better than HeronRank in deep rivers.",
        "OtterNet has no additional training delay.",
        "OtterNet does not have additional training delay.",
        "OtterNet is not only on-par but travels better than HeronRank in deep rivers.",
        "OtterNet travels better than HeronRank in deep rivers, without additional training delay.",
    ],
)
def test_what_the_source_says_or_denies_too_is_supported(claim: str) -> None:
    assert is_believed(claim) == (True, True)
