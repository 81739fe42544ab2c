"""A paper's summary in its own words: what is chosen, from where, and in which order."""

from __future__ import annotations

import pytest

from rag_app.answering.quoting.summary import quote_summary
from rag_app.records import Block, Page

CONTEXT = "Search engines have been used by millions of readers for a long time."
PROPOSES = "In this paper, we propose Quokka, a reader that learns from its own mistakes."
FINDS = "Experiments show that Quokka reduces the error by 12% on seven data sets."
CODE = "We show the code and models that are publicly available at the usual place."
CONCLUDES = "We found that readers of every size gain from seeing what they got wrong."
PLANS = "Future work will show whether 100% of the errors can be found by other means."


def page(number: int, *blocks: tuple[str, str, str]) -> Page:
    """A page of blocks: kind, section, text."""
    text, made = "", []
    for kind, section, words in blocks:
        made.append(Block(len(text), len(text) + len(words), kind, section))
        text += words + "\n"
    return Page(number, str(number), 600, 800, text, tuple(made))


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (
            [
                page(
                    1, ("heading", "Abstract", "Abstract"), ("body", "Abstract", f"{CONTEXT} {PROPOSES} {FINDS} {CODE}")
                ),
                page(2, ("body", "2 Method", f"{PROPOSES} {FINDS}")),
                page(3, ("body", "6 Conclusion", f"{CONCLUDES} {PLANS}")),
            ],
            [(1, PROPOSES), (1, FINDS), (3, CONCLUDES)],
        ),
        (
            [page(1, ("body", "", f"{CONTEXT} {PROPOSES}")), page(2, ("body", "3 Conclusion", FINDS))],
            [(1, PROPOSES), (2, FINDS)],
        ),
        # what a conclusion repeats is said once
        ([page(1, ("body", "Abstract", FINDS)), page(2, ("body", "Conclusions", FINDS))], [(1, FINDS)]),
        ([page(1, ("body", "1 Introduction", f"{PROPOSES} {FINDS}"))], []),
        ([page(1, ("caption", "Abstract", FINDS))], []),
    ],
)
def test_a_summary_is_what_the_abstract_proposes_and_finds_and_what_the_conclusion_adds(pages, expected):
    found = quote_summary("quokka.pdf", "Quokka", pages)

    assert [(one.page, one.quote) for one in found] == expected
    assert all(one.verified for one in found) and [one.number for one in found] == list(range(1, len(found) + 1))
