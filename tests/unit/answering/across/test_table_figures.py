"""Figures of tables: read where row and column are certain, and set against those of other papers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rag_app.answering.across.table_figures import (
    Figure,
    column_names,
    extract_figures,
    find_measure,
    find_named_things,
    is_same_name,
    is_thing,
    pair_figures,
)
from rag_app.answering.quoting.ranking import units_of
from rag_app.records import Block, BlockKind, Evidence, Page


def page_of(*parts: tuple[BlockKind, str]) -> Page:
    """A page of blocks, each a few lines."""
    text, blocks = "", []
    for kind, lines in parts:
        blocks.append(Block(len(text), len(text) + len(lines), kind))
        text += f"{lines}\n"
    return Page(1, "1", 600, 800, text, tuple(blocks))


def figures_on(page: Page, paper: str = "a.pdf") -> list[Figure]:
    piece = Evidence(1, paper, "Paddles", 1, "1", "", 0, len(page.text), page.text)
    return [figure for unit in units_of(piece, page) for figure in extract_figures(unit, page)]


BEIR = page_of(
    ("caption", "Table 2: Results. We report nDCG@10 on the test sets."),
    (
        "table",
        "BM25 OtterNet Splash v2 HeronRank\nFishQA 23.6 11.2 29.5 30.0\nPondQA 65.6 33.2 - 48.1\n"
        "Avg. 44.0 26.3 1.0 2.0",
    ),
)
LOW = page_of(
    (
        "table",
        "FishQA PondQA\nnDCG@10\nw/o judgement\nBM25 23.6 59.5\nOtterNet (Lutra et al., 2020) 29.5 33.2\n"
        "Recall@100\nBM25 54.0 49.8",
    ),
    ("caption", "Table 7: Tasks with few resources."),
)


def test_rows_are_systems_or_data_sets() -> None:
    found = {(one.row, one.column): (one.written, one.measure) for one in figures_on(BEIR)}
    assert found["FishQA", "OtterNet"] == ("11.2", "nDCG@10")
    assert found["FishQA", "HeronRank"] == ("30.0", "nDCG@10"), "a version belongs to the name before it"
    assert ("PondQA", "Splash v2") not in found, "nothing stands there"
    assert not any(row.startswith("Avg") for row, _ in found)


def test_a_line_above_rows_tells_their_measure_and_the_caption_may_stand_below() -> None:
    found = [(one.row, one.column, one.written, one.measure) for one in figures_on(LOW)]
    assert ("BM25", "FishQA", "23.6", "nDCG@10") in found
    assert ("OtterNet", "FishQA", "29.5", "nDCG@10") in found, "its citation is no part of the name"
    assert ("BM25", "FishQA", "54.0", "recall@100") in found


@pytest.mark.parametrize(
    ("head", "count", "columns"),
    [
        ("Training Model NQ TriviaQA WQ", 3, ["NQ", "TriviaQA", "WQ"]),
        ("Model NQ TriviaQA SQuAD Open", 5, []),  # two figures stand under one name
        ("Model NQ TriviaQA", 1, []),  # a column is missing
        ("Model BM25 Splade v2", 2, ["BM25", "Splade v2"]),
        ("", 0, []),
    ],
)
def test_columns_that_are_certain(head: str, count: int, columns: list[str]) -> None:
    assert column_names(head, count) == columns


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("End-to-end QA (Exact Match) Accuracy.", "exact match"),
        ("We report nDCG@10.", "nDCG@10"),
        ("Recall of our model", ""),  # at which depth is not said
        ("EM and F1", ""),
        ("Comparison to state-of-the-art.", ""),
    ],
)
def test_the_measure_of_a_table(text: str, measure: str) -> None:
    assert find_measure(text) == measure


def test_names_are_one_in_any_spelling_and_by_their_capitals() -> None:
    assert is_same_name("Trec-COVID", "TREC-Covid")
    assert is_same_name("TriviaQA", "TQA") and is_same_name("NQ", "Natural Questions")
    assert not is_same_name("BERT", "BERT-base") and not is_same_name("SST", "SST-2")
    assert is_thing("TriviaQA") and not is_thing("Top-20") and not is_thing("Dev") and not is_thing("k 5")


def test_what_a_topic_names() -> None:
    assert find_named_things("DPR's exact match on Natural Questions") == ["DPR", "Natural Questions"]
    assert find_named_things("the nDCG@10 of BM25 on TREC-COVID") == ["BM25", "TREC-COVID"]
    assert find_named_things("whether longer contexts help") == []


def told(topic: str, *pages: Page) -> list[tuple[str, Decimal, Decimal]]:
    figures = [figure for number, page in enumerate(pages) for figure in figures_on(page, f"{number}.pdf")]
    return [(pair.title, pair.one.value, pair.other.value) for pair in pair_figures(figures, topic)]


def test_another_number_for_the_same_quantity() -> None:
    assert told("BM25 on PondQA", BEIR, LOW) == [
        ("PondQA, BM25, nDCG@10: 65.6 against 59.5", Decimal("65.6"), Decimal("59.5"))
    ]
    assert [title for title, _, _ in told("OtterNet", BEIR, LOW)] == ["FishQA, OtterNet, nDCG@10: 11.2 against 29.5"]
    assert told("BM25 on FishQA", BEIR, LOW) == [], "the same number, and recall has none to be set against"
    assert told("the recall@100 of BM25", BEIR, LOW) == [], "only one paper reports it"
    assert told("random stones", BEIR, LOW) == []


@pytest.mark.parametrize(
    ("caption", "row", "found"),
    [
        ("Table 1: Exact match.", "DPR 56.8", True),
        ("Table 1: Scores.", "DPR 56.8", True),  # no measure, but near
        ("Table 1: Scores.", "DPR 79.4", False),  # no measure, and far
        ("Table 1: F1.", "DPR 56.8", False),  # another measure
        ("Table 1: Exact match.", "DPR 57.92", False),  # the same, rounded
        ("Table 1: Exact match on the development set.", "DPR 56.8", False),  # another part of the data
        ("Table 1: Exact match after fine-tuning.", "DPR 56.8", False),  # another state of the system
        ("Table 1: Exact match.", "BM25+DPR 56.8", False),  # another system
        ("Table 1: Exact match.", "Multi DPR 56.8\nDPR 50.1", False),  # which of the two is meant is not certain
        ("Table 1: Exact match.", "Multi DPR 57.9\nDPR 50.1", False),  # one of the two is the same
    ],
)
def test_no_pair_but_for_one_quantity(caption: str, row: str, found: bool) -> None:
    one = page_of(("caption", caption), ("table", f"Model TriviaQA WQ\n{row.replace(chr(10), ' 3 ' + chr(10))} 3"))
    other = page_of(("caption", "Table 1: Exact match on the test set."), ("table", "Model TQA CT\nDPR [26] 57.9 5"))
    assert bool(told("DPR on TriviaQA", one, other)) is found


def test_what_only_one_table_says_is_the_condition() -> None:
    other = page_of(("caption", "Table 1: Test scores."), ("table", "Model TQA CT\nDPR [26] 57.9/ - 5"))
    one = page_of(("caption", "Table 1: Exact match."), ("table", "Model TriviaQA WQ\nDPR 56.8 3"))
    (pair,) = pair_figures([*figures_on(one, "a.pdf"), *figures_on(other, "b.pdf")], "TriviaQA")
    assert (pair.conditions(pair.one), pair.conditions(pair.other)) == ("", "test set, the table names no measure")
