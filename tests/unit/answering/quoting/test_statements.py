"""What kind of statement a sentence is, and how an answer to a facet looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.answering.quoting.statements import (
    does_propose,
    is_about_files,
    section_kind,
    statement_features,
    without_citations,
)
from rag_app.retrieval.facets import FACETS, facet_likeness, facets_of, is_facet_answer, related_words


@pytest.mark.parametrize(
    ("text", "praise"),
    [
        ("OtterNet is highly effective.", 1.0),
        ("Our approach is flexible and shows superior results on many tasks.", 1.0),
        ("OtterNet is highly effective: it finds 9 of 10 fish.", 0.0),  # says how much
        ("OtterNet swims upstream with a paddle.", 0.0),
        (
            "A strong current turns the paddle of the boat towards the bank where reeds grow, otters sleep, herons "
            "fish, frogs sing, beavers build, and children throw random stones into cold water.",
            0.0,
        ),
    ],
)
def test_praise_that_says_little_else(text: str, praise: float) -> None:
    assert statement_features(text)["praise"] == praise


def test_whose_voice_a_sentence_speaks_with() -> None:
    own = statement_features("We train OtterNet on 512 fish.")
    others = statement_features("Lutra et al. (2019) propose a swimmer without fins.")
    prior = statement_features("Many existing approaches need a boat.")
    assert own["own_voice"] and not own["others"]
    assert others["others"] and not others["own_voice"]
    assert prior["others"]
    assert not statement_features("Unlike prior work, we need no boat.")["others"], "the authors speak of themselves"


def test_citations_are_no_values_and_no_names() -> None:
    cited = statement_features("It follows others (Lutra et al., 2019; Meles, 2020) and [12, 14].")
    assert cited["values"] == 0.0
    assert cited["named"] == 0.0
    assert cited["cites"] > 0.0
    assert "2019" not in without_citations("so they say (Lutra et al., 2019).")
    assert statement_features("It takes 40 hours on 8 V100 GPUs.")["values"] == 1.0


def test_what_the_question_names_is_no_news() -> None:
    text = "Here OtterNet swims."
    assert statement_features(text)["named"] > statement_features(text, known={"otternet"})["named"]


@pytest.mark.parametrize(
    "text", ["Table 3 shows the results.", "In this section, we describe the pond.", "This is left for future work."]
)
def test_sentences_about_the_text_itself(text: str) -> None:
    assert statement_features(text)["about_text"] == 1.0


def test_sections_by_their_heading() -> None:
    assert section_kind("2 Related Work") == "related"
    assert section_kind("4.1 Experimental Setup") == "doing"
    assert section_kind("Conclusion") == "closing"
    assert section_kind("Otters") == ""


@given(st.text(), st.text())
def test_every_feature_is_a_share(text: str, section: str) -> None:
    assert all(0.0 <= value <= 1.0 for value in statement_features(text, section).values())


@pytest.mark.parametrize(
    ("asked", "answer", "other"),
    [
        ("What is the hardware?", "It ran on 8 V100 GPUs.", "It ran well."),
        ("how often the index is rebuilt", "We refresh it every 500 steps.", "We refresh the index."),
        ("optimizer", "AdamW with a warmup", "a careful choice"),
        ("by whom", "Forty contractors wrote them.", "They were written."),
        ("sample sizes", "we tested 210 adults", "we tested adults"),
        ("the confidence interval", "-0.8 (95% CI -2.2 to 0.6)", "a small difference"),
    ],
)
def test_an_answer_looks_like_one(asked: str, answer: str, other: str) -> None:
    facets = facets_of(asked)
    assert facet_likeness(facets, answer) > facet_likeness(facets, other)


def test_a_facet_is_searched_in_the_words_of_papers() -> None:
    assert "GPU" in related_words("hardware")
    assert related_words("otters") == ""
    assert facet_likeness(facets_of("otters"), "8 V100 GPUs") == 0.0
    assert len({facet.name for facet in FACETS}) == len(FACETS)


def test_some_looks_are_an_answer_by_themselves() -> None:
    assert is_facet_answer(facets_of("What is the hardware?"), "Our code runs on 2048 A100 GPUs.")
    assert not is_facet_answer(facets_of("What is the hardware?"), "Our code runs on 2048 machines of our own.")
    assert not is_facet_answer(facets_of("how long is the training"), "We show 300 examples in Table 3.")


@pytest.mark.parametrize(
    ("text", "proposes"),
    [
        ("We propose OtterNet, a network that swims.", True),
        ("In this study we examined 40 otters.", True),
        ("We also introduce a dataset of ponds.", False),  # never the first thing that they did
        ("Earlier swimmers sink.", False),
    ],
)
def test_a_sentence_that_says_what_the_authors_set_out_to_do(text: str, proposes: bool) -> None:
    assert does_propose(text) is proposes


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("We release our models and code to the public.", True),
        ("Permission to make digital copies of this work is granted.", True),
        ("The code of the otter has 40 words.", False),
        ("The river model is public art.", True),  # at worst another sentence of the abstract comes first
        ("We train models on two rivers.", False),
    ],
)
def test_a_sentence_about_files_says_nothing_of_the_matter(text: str, files: bool) -> None:
    assert is_about_files(text) is files
