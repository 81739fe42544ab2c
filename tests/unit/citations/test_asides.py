"""Headings, lead-ins and questions that assert something are told apart from those that do not."""

from __future__ import annotations

import pytest

from rag_app.citations.asides import find_asides
from rag_app.citations.directions import opposite_direction
from rag_app.text.terms import content_words, number_values

HELD = content_words(
    "otter reader heron data train evaluate benchmark win build retrieval help differ say price Martians"
)


@pytest.mark.parametrize(
    "line",
    [
        "**Key result: Neptune wins every benchmark**",
        "# Otters were built by Martians",
        "1. **Otters cheat their readers and are a fraud**",
        "Otters are a fraud:",
        "Did you know that otters cause war?",
        "Isn't the otter reader a fraud?",
        "## Why is the otter reader a fraud that steals the data of children?",
        "The otter reader is a fraud, isn't it?",
        "**Fraud: the data of herons**",
        "Otter = fraud",
        "Why did the otter reader crash?",
    ],
)
def test_what_asserts_in_passing_is_found(line: str) -> None:
    assert list(find_asides(f"Otters swim [1].\n\n{line}\n\nHerons fly [1].", HELD)) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "Training data",
        "## Bottom line",
        "**Trade-offs of the otter reader**",
        "**Results:**",
        "# Training data of both models",
        "### How the two models were trained",
        "1. **Training and evaluation of both models**",
        "## Methods used in the papers",
        "**Not reported**",
        "**Key differences**",
        "Would you like to know more of anything?",
        "Otter = heron",
        "The papers differ in three points:",
        "The main results are:",
        "The otter reader is trained as follows:",
        "Here is what the paper says about training:",
        "What is an otter reader?",
        "Why does retrieval help?",
        "**Otters were built by Martians [1]**",
        "The paper does not report the price.",
    ],
)
def test_what_asserts_nothing_is_no_aside(line: str) -> None:
    assert list(find_asides(line, HELD)) == []


@pytest.mark.parametrize(
    "line", ["99 GB:", "By 99.9 %.", "99", "**99 GB**", "# 99 GB", "Here is how 3,000 otters drowned:"]
)
def test_a_short_line_with_a_number_of_its_own_asserts(line: str) -> None:
    answer, values = f"Otters swim [1].\n\n{line}\n\nHerons fly [1].", number_values("12 otters, 2 herons")
    assert list(find_asides(answer, HELD, values)) == [line]
    assert list(find_asides(answer, HELD, values | number_values(line))) == []
    assert list(find_asides(answer.replace(line, "The papers differ in 3 points:"), HELD, values)) == []


@pytest.mark.parametrize(
    "line",
    [
        r"The price is $99.9\%$.",
        r"Price: $99.9\%$",
        r"**Price:** $99.9\%$",
        r"By $99.9\%$.",
        r"Price: \(99.9\%\)",
        r"The price was $r = 99$.",
        r"The price is `99.9%`.",
        r"$$\text{Price} = 99.9\%$$",
        r"\[ p = 99.9 \]",
        "| Price | $99.9$ |",
        r"Otters win by $99.9\%$:",
    ],
)
def test_a_number_in_a_formula_or_in_code_is_a_number(line: str) -> None:
    answer, values = f"Otters swim [1].\n\n{line}\n\nHerons fly [1].", number_values("12 otters, 2 herons")
    assert list(find_asides(answer, HELD, values)) == [line]
    assert list(find_asides(answer, HELD, values | number_values("99.9 99"))) == []


def test_of_a_block_of_code_the_lines_with_foreign_numbers_assert() -> None:
    code = "```python\nfor otter in range(12):\n    price = 99.9\n    swim(otter)\n```"
    answer, values = f"Otters swim [1].\n\n{code}", number_values("12 otters, 2 herons")
    assert list(find_asides(answer, HELD, values)) == ["price = 99.9"]
    assert list(find_asides(answer, HELD, values | number_values("99.9"))) == []


def test_a_word_that_answers_a_question_asserts() -> None:
    held = [*HELD, *content_words("Omega wins")]
    assert list(find_asides("Which reader wins? Omega.", held)) == ["Omega."]
    assert list(find_asides("Omega. Herons win [1].", held)) == []


@pytest.mark.parametrize(
    ("text", "quotes", "found"),
    [
        ("It has 40% more parameters.", "40% fewer parameters", ("more", "fewer")),
        ("It is slower.", "60% faster", ("slower", "faster")),
        ("Its loss increased.", "the loss decreased", ("increased", "decreased")),
        ("It is worse than BERT.", "better than BERT", ("worse", "better")),
        ("It has 40% less.", "40% fewer", None),
        ("It is larger.", "it is larger, with a lower loss", None),
        ("It has fewer parameters and more speed.", "40% fewer parameters", None),
        ("It is faster.", "it runs quickly", None),
        ("It lowers survival in mice.", "the treatment increases survival in mice", ("lowers", "increases")),
        ("It worsens recall.", "it improves recall", ("worsens", "improves")),
        ("It costs 0.4 cents per query.", "a cost of 0.4 dollars per query", ("0.4 cents", "0.4 dollars")),
        ("It has 1.2 billion questions.", "1.2 million questions", ("1.2 billion", "1.2 million")),
        ("It took 3 months.", "after 3 days", ("3 months", "3 days")),
        ("It gains 12.5 %.", "by 12.5 points", None),
        ("It gains 12.5 percent.", "by 12.5%", None),
        ("It takes 1,200 ms.", "1200 milliseconds", None),
        ("It reaches 64.8%.", "Exact match 64.8", None),
        ("It took 3 days.", "3 days on 3 GPUs, 5 months", None),
        ("Its 7 billion weights.", "a 7B model", None),
        ("It took 3 hours.", "3 GPU hours", None),
    ],
)
def test_a_word_that_turns_its_quotes_around_is_seen(text: str, quotes: str, found: tuple[str, str] | None) -> None:
    assert opposite_direction(text, quotes) == found
