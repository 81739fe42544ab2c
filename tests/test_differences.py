"""What differs between papers, said only where every number is beyond doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.differences import difference, patterns_of

NAMES = ["DPR", "ANCE", "RAG"]


def said(label: str, *cells: str) -> str:
    stated = [[(cell, "4 Training", number)] if cell else [] for number, cell in enumerate(cells, start=1)]
    return difference(label, NAMES[: len(cells)], stated)


def test_the_numbers_of_a_quantity_with_their_marks() -> None:
    found = said(
        "batch size", "We train with a batch size of 128 and Adam.", "The batch size is 1,024 on all sets.", ""
    )
    assert found == "Batch size: 128 in DPR [1], 1,024 in ANCE [2]; not reported in RAG."


def test_what_is_the_same_is_said_to_be() -> None:
    found = said("batch size", "We train with a batch size of 1024.", "Our batch size is 1,024.", "We train on GPUs.")
    assert found == "Batch size: 1024 in DPR [1] and ANCE [2] alike; no single number in the cell of RAG."


@pytest.mark.parametrize(
    ("label", "one", "other", "numbers"),
    [
        (
            "number of layers",
            "We use 12 transformer layers.",
            "Our model has twelve layers.",
            "12 in DPR [1] and ANCE [2]",
        ),
        (
            "how many layers each has",
            "We use 12 layers.",
            "The number of layers is 24.",
            "12 in DPR [1], 24 in ANCE [2]",
        ),
        (
            "masking rate",
            "We use a 30% masking rate.",
            "A masking rate of 15% is used.",
            "30% in DPR [1], 15% in ANCE [2]",
        ),
        ("learning rate", "The learning rate is 1e-4.", "A learning rate of 10−5 is used.", "1e-4 in DPR [1], 10−5 in"),
        ("learning rate", "Our learning rate is 3 × 10−5.", "A learning rate of 1e-4.", "3 × 10−5 in DPR [1], 1e-4"),
        (
            "batch size",
            "A batch size of 256 sequences.",
            "A batch size of 512 sequences.",
            "256 sequences in DPR [1], 512",
        ),
    ],
)
def test_quantities_in_their_ways_of_speaking(label: str, one: str, other: str, numbers: str) -> None:
    assert numbers in said(label, one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("We use a batch size of 128.", "We use large batches."),  # only one number
        ("We use a batch size of 128.", "Lee et al. (2019) use a batch size of 256."),  # somebody else's
        ("We use a batch size of 128.", "DPR has a batch size of 256."),  # of another row
        ("We use a batch size of 128.", "A batch size of 256 works better than others."),  # of a comparison
        ("We use a batch size of 128.", "A batch size of 256, and a batch size of 512 on NQ."),  # which one?
        ("We use a batch size of 128.", "We use a batch size of 4096 tokens."),  # of something else
        ("We pre-train with a batch size of 128.", "We fine-tune with a batch size of 256."),  # of another stage
        ("We use a batch size of 128.", "The batch size is one of 16/32."),
        ("We use a batch size of 128.", "The batch size grows by 30 a day."),
        ("We use a batch size of 128.", "See Table 4 for the batch size."),
    ],
)
def test_nothing_is_said_where_it_is_not_certain(one: str, other: str) -> None:
    assert said("batch size", one, other) == ""
    assert said("batch size", other, one) == "" or "DPR" in other


@pytest.mark.parametrize(
    "label", ["what the paper says", "loss", "that advice", "how texts are pooled into a vector", ""]
)
def test_heads_that_are_no_quantities_say_nothing(label: str) -> None:
    assert said(label, "We use 12 of them.", "We use 13 of them.") == ""


@given(st.text(max_size=60))
def test_any_head_is_taken(label: str) -> None:
    patterns_of(label)
