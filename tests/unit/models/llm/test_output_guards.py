"""Refusals, echoes, loops and sentences without marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.models.llm.output_guards import Attributor, OpeningFilter, is_refusal, loop_start
from rag_app.records import Evidence

QUESTION = "What pressure does espresso need?"
RULES = "Answer the question from the numbered evidence in one to three sentences, and cite the number of each piece."


def opened(text: str, *, by_letter: bool = False) -> tuple[str, OpeningFilter]:
    part = OpeningFilter(QUESTION, RULES)
    shown = "".join(part.feed(piece) for piece in (text if by_letter else [text]))
    return shown + part.finish(), part


@pytest.mark.parametrize(
    "text",
    [
        "NOT IN THE PAPERS",
        "NOT IN THE PAPERS.",
        "**NOT IN THE PAPERS**",
        '"Not in the papers."',
        "Answer: NOT IN THE PAPERS",
        "NOT IN THE PAPERS. The evidence is about tea.",
        "Not in the papers",
        f"Question: {QUESTION}\nAnswer: NOT IN THE PAPERS",
    ],
)
@pytest.mark.parametrize("by_letter", [False, True])
def test_a_refusal_shows_nothing(text: str, by_letter: bool) -> None:
    shown, part = opened(text, by_letter=by_letter)
    assert (shown, part.refused) == ("", True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Not all of it [1].", "Not all of it [1]."),
        (
            "Not in the papers' main text but in their appendix [1].",
            "Not in the papers' main text but in their appendix [1].",
        ),
        ("Nine bars [2].", "Nine bars [2]."),
        ("Answer: Nine bars [2].", "Nine bars [2]."),
        (f"{QUESTION}\n\nNine bars.", "Nine bars."),
        ("N", "N"),
        ("Answer", "Answer"),
        ("42", "42"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("by_letter", [False, True])
def test_an_answer_passes_without_the_repeated_question(text: str, shown: str, by_letter: bool) -> None:
    got, part = opened(text, by_letter=by_letter)
    assert (got, part.refused, part.echoed) == (shown, False, False)


@pytest.mark.parametrize("by_letter", [False, True])
def test_a_model_that_repeats_its_instructions_is_found_out(by_letter: bool) -> None:
    shown, part = opened(RULES + " And so on.", by_letter=by_letter)
    assert (shown, part.echoed) == ("", True)


def test_refusals_in_other_words_only_count_without_a_citation() -> None:
    assert is_refusal("The passages do not mention the pressure.")
    assert is_refusal("The pressure is not stated in the text.")
    assert not is_refusal("The passages do not mention tea, but espresso needs nine bars [2].")
    assert not is_refusal("Espresso needs nine bars.")


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 6" + "0" * 200,
        "1. 1." + "1." * 30,
        "Nine bars. " + "The answer is: 1.\n\n" * 9,
        "A first sentence that is fine. " + "This sentence is long enough to count as a loop of its own. " * 3,
        "One. "
        + "The method is a long and winding method of its kind [1]. Yes. " * 2
        + "Then. The method is a long and winding method of its kind [2].",
    ],
)
def test_a_loop_is_cut_after_its_first_copy(text: str) -> None:
    start = loop_start(text)
    assert start is not None
    kept = text[:start]
    assert len(kept) < len(text) - 20
    assert loop_start(kept) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "| model | score |\n| --- | --- |\n" + "".join(f"| model {n} | {n * 7} |\n" for n in range(12)),
        "-" * 80,
        "0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9",
        "It is 5 [1]. It is 6 [2]. It is 7 [3].",
    ],
)
def test_what_only_looks_regular_stays(text: str) -> None:
    assert loop_start(text) is None


@given(st.text(alphabet="ab .\n", min_size=1, max_size=30), st.integers(20, 60))
def test_every_loop_is_found(body: str, times: int) -> None:
    if len(body) * times >= 400:
        start = loop_start(body * times)
        assert start is not None
        assert start <= len(body) + 200


EVIDENCE = [
    Evidence(
        1, "tea.pdf", "Tea", 1, "1", "", 0, 10, "Green tea is brewed at 80 degrees for three minutes in porcelain."
    ),
    Evidence(
        4, "coffee.pdf", "Coffee", 2, "2", "", 0, 10, "A good espresso needs nine bars of pressure and 25 seconds."
    ),
]


def attributed(text: str, *, by_letter: bool = False) -> str:
    part = Attributor(EVIDENCE)
    return "".join(part.feed(piece) for piece in (text if by_letter else [text])) + part.finish()


@pytest.mark.parametrize("by_letter", [False, True])
def test_sentences_get_the_mark_of_the_evidence_that_has_their_words(by_letter: bool) -> None:
    text = "Espresso needs nine bars of pressure. Green tea is brewed at 80 degrees.\nThe capital of Peru is Lima."
    assert attributed(text, by_letter=by_letter) == (
        "Espresso needs nine bars of pressure [4]. Green tea is brewed at 80 degrees [1].\nThe capital of Peru is Lima."
    )


def test_a_sentence_with_a_mark_keeps_it() -> None:
    assert attributed("Espresso needs nine bars of pressure [1].") == "Espresso needs nine bars of pressure [1]."
