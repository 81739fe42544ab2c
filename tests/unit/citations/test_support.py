"""Each sentence of an answer is judged by what it cites."""

from __future__ import annotations

import pytest

from rag_app.citations.directions import added_bound
from rag_app.citations.support import is_claim, judge_sentences, unsupported_sentences, word_coverage
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


@pytest.mark.parametrize(
    "sentence",
    [
        "While the training time is not reported, the authors found the units harmful.",
        "Although the papers do not report the accuracy, longer units are worse.",
        "The papers do not say whether it is faster, which was tuned on the test set.",
        "The paper does not specify the rate, where LongRAG fails.",
        "The evidence does not report latency; in practice it doubles.",
        "I could not find the exact latency: it doubles.",
        "The authors do not state the licence (it is GPL).",
        "The paper does not report p-values, so the gains are noise.",
        "The papers do not mention this, as LongRAG was abandoned.",
        "The papers do not say that it needs less; rather, it needs more.",
        "The evidence does not mention latency and LongRAG was later shown to double it.",
        "This is not discussed because the authors refused it.",
        "The evidence does not mention latency, however LongRAG doubles it.",
        "The paper does not report the accuracy, only that it is below that of tuning.",
        "The paper does not report details, except that the authors used the test set.",
    ],
)
def test_what_is_said_besides_that_nothing_is_reported_is_a_claim(sentence: str) -> None:
    assert is_claim(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The papers do not report the batch size, the learning rate schedule, and the number of warmup steps.",
        "The paper does not say how the data was made, which optimizer was used, and whether it is fast.",
        "The training time (in GPU hours) is not reported.",
        "While these are listed, the paper does not report how long it took.",
        "The evidence does not mention the following: batch size, epochs, dropout.",
        "No paper reports the latency or the memory of such a system.",
        "The passages do not describe where the texts come from and how they were cleaned.",
        "As far as the evidence goes, nothing is said about energy use.",
    ],
)
def test_that_nothing_is_reported_of_many_things_is_no_claim(sentence: str) -> None:
    assert not is_claim(sentence)


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
