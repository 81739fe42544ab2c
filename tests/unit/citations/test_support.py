"""Each sentence of an answer is judged by what it cites."""

from __future__ import annotations

import pytest

from rag_app.citations.directions import added_bound
from rag_app.citations.support import judge_sentences, unsupported_sentences, word_coverage
from rag_app.records import Evidence, Verdict

TEXTS = {
    1: "LongRAG groups related documents into units of 4K tokens. This reduces the corpus from 22M to 600K units.",
    2: "The dense retriever of DPR outperforms Lucene-BM25 by 9%-19% absolute in top-20 passage retrieval accuracy.",
}
BACKING = {
    number: [Evidence(number, f"{number}.pdf", "A title", 1, "1", "", 0, len(text), text)]
    for number, text in TEXTS.items()
}


def support(sentence: str) -> str:
    (verdict,) = judge_sentences(sentence, BACKING)
    return verdict.support


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("LongRAG groups related documents into units of 4K tokens [1].", "supported"),
        ("The corpus shrinks to 600K units [1].", "supported"),
        ("The corpus shrinks to 700K units [1].", "not"),
        ("It is false that LongRAG groups related documents into units of 4K tokens [1].", "unchecked"),
        ("LongRAG hardly groups related documents into units of 4K tokens [1].", "unchecked"),
        ("LongRAG fails to group related documents into units of 4K tokens [1].", "unchecked"),
        ("LongRAG groups documents into units of under 4K tokens [1].", "unchecked"),
        ("LongRAG groups documents into units of at least 4K tokens [1].", "unchecked"),
        ("LongRAG groups related documents into units of 4K tokens, which was withdrawn [1].", "unchecked"),
        ("LongRAG groups documents into units of 4K tokens, although its authors lied about that [1].", "unchecked"),
        ("LongRAG groups related documents into units of 4K tokens, ruining several hospitals [1].", "unchecked"),
        ("LongRAG groups documents into units of 4K tokens, which reduces the corpus [1].", "supported"),
        ("LongRAG reduces the corpus, from 22M units to 600K [1].", "supported"),
        ("LongRAG reduces the corpus from 22M units to 700K units [1].", "partly"),
        ("LongRAG reduces the corpus to 600K units on Wikipedia [1].", "partly"),
        ("LongRAG reduces the corpus to 600K units [2].", "not"),
        ("LongRAG groups related documents into units of 4K tokens.", "not"),
        ("The retriever was trained for several weeks by volunteers with colourful laptops [2].", "not"),
        ("Das System verkleinert die Sammlung auf 600K Einheiten [1].", "unchecked"),
        ("Zeta不如Omega。", "not"),
        ("Das System verkleinert die Sammlung auf 700K Einheiten [1].", "not"),
    ],
)
def test_a_sentence_is_supported_partly_or_not(sentence: str, expected: str) -> None:
    assert support(sentence) == expected


def test_a_bound_that_the_source_has_in_other_words_is_no_new_one() -> None:
    for quotes in ("It has more than 1,200 rivers.", "It has ≥ 1200 rivers.", "It has 1,200+ rivers."):
        assert added_bound("There are over 1200 rivers.", quotes) == ""
        assert added_bound("There are under 1200 rivers.", quotes) == "1200"
    assert added_bound("There are over 1200 rivers.", "It has 1,200 rivers.") == "1200"
    assert added_bound("There are about 1200 rivers, over 3 lakes.", "It has 1,200 rivers.") == ""


def test_what_claims_nothing_gets_no_verdict() -> None:
    assert judge_sentences("# Results\n\nThe papers do not say why.\n\nIs that so?", BACKING) == ()


def test_a_verdict_names_what_is_missing_and_where_it_stands() -> None:
    answer = "LongRAG groups related documents into units of 4K tokens [1]. It needs 31 GB on HotpotQA [1]."
    found = judge_sentences(answer, BACKING)
    assert found[0] == Verdict("LongRAG groups related documents into units of 4K tokens [1].", "supported")
    assert (found[1].sentence, found[1].support, found[1].missing) == (
        "It needs 31 GB on HotpotQA [1].",
        "not",
        ("31", "GB", "HotpotQA"),
    )
    assert unsupported_sentences(found) == ("It needs 31 GB on HotpotQA [1].",)


def test_words_are_only_counted_where_that_says_something() -> None:
    assert word_coverage("the units of the corpus were grouped by related documents", {"unit", "corpu"}) < 0.6
    assert word_coverage("die Einheiten des Korpus wurden nach verwandten Dokumenten gruppiert", set()) is None
    assert word_coverage("it is so", set()) is None
