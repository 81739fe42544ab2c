"""A sign, a step and a verb of direction that a claim changes are seen; what says the same in other words is not."""

from __future__ import annotations

import pytest

from rag_app.citations.directions import opposite_direction
from rag_app.citations.statements import find_statements
from rag_app.citations.support import CitedPassages


@pytest.mark.parametrize(
    ("text", "quotes", "found"),
    [
        ("The shift is -40 points.", "a shift of 40 points", ("-40", "40")),
        ("The shift is minus 40 points.", "a shift of 40 points", ("-40", "40")),
        ("The shift is 40 points.", "a shift of −40 points", ("40", "-40")),
        ("The score falls by 40 points.", "a change of −40 points", None),
        ("Between 30-40 otters, or 30 -40.", "from 30 to 40 otters", None),
        ("GPT-4 has 40 layers.", "the model of version 4 has 40 layers", None),
        ("The rate is 10^-4, or 10^{-4}.", "a rate of 1e-4", None),
        ("The gap is -0.3 (p < 0.05).", "a gap of –0.3 with p < 0.05", None),
    ],
)
def test_the_sign_of_a_number_belongs_to_it(text: str, quotes: str, found: tuple[str, str] | None) -> None:
    assert opposite_direction(text, quotes) == found


@pytest.mark.parametrize(
    ("text", "quotes", "found"),
    [
        ("Recall rises by 93.5 %.", "recall rises to 93.5 %", ("by 93.5", "to 93.5")),
        ("Recall rises to about 12 %.", "recall rises by 12 %", ("to 12", "by 12")),
        ("Recall goes from 10 % to 5 %.", "recall goes from 5 % to 10 %", ("from 10", "to 10")),
        ("Recall rises by 93.5 %.", "recall rises to 93.5 %, by 93.5 % of all", None),
        ("Recall rises by 93.5 %.", "recall is 93.5 %", None),
        ("Recall rises by 5 %.", "recall rises by 3 % to 5 %", None),
        ("It served from 2020.", "it served to 2020", None),
        ("It takes 3 to 5 days.", "it takes from 3 to 5 days", None),
    ],
)
def test_a_step_is_not_an_end(text: str, quotes: str, found: tuple[str, str] | None) -> None:
    assert opposite_direction(text, quotes) == found


@pytest.mark.parametrize(
    ("text", "quotes", "found"),
    [
        ("Two annotators read it.", "three annotators read it", ("two annotators", "three annotators")),
        ("A two-stage reader.", "a reader of 3 stages", ("two stage", "3 stages")),
        ("Twelve otters swim.", "22 otters swim", ("twelve otters", "22 otters")),
        ("Two otters swim.", "three otters, two of them old, swim", None),
        ("Two otters swim.", "2 otters and three otters swim", None),
        ("The final two otters swim.", "three otters swim", None),
        ("Two of the three otters swim.", "three otters", None),
        ("Two otters swim.", "three herons swim", None),
        ("Two otters swim.", "one otter swims", None),
        ("Two hundred otters swim.", "300 otters, hundred by hundred, swim", None),
    ],
)
def test_the_same_thing_counted_otherwise_is_seen(text: str, quotes: str, found: tuple[str, str] | None) -> None:
    assert opposite_direction(text, quotes) == found


def test_watts_are_no_gigabytes() -> None:
    assert opposite_direction("It needs 16W.", "it needs 16GB") == ("16W", "16GB")


@pytest.mark.parametrize(
    ("text", "quotes", "found"),
    [
        ("It worsens hallucinations.", "it reduces hallucinations", ("worsens", "reduces")),
        ("It reduces robustness.", "it enhances the robustness of otters", ("reduces", "enhances")),
        ("It raises cost and lowers accuracy.", "it raises accuracy and lowers cost", ("raises", "lowers")),
        (
            "It boosts the number of herons.",
            "the river boosts otters and cuts the number of herons",
            ("boosts", "cuts"),
        ),
        ("The reader worsens the gait of otters.", "The reader reduces the gait of otters.", ("worsens", "reduces")),
        ("It improves latency.", "it reduces latency", None),
        ("It improves accuracy.", "it increases accuracy", None),
        ("It degrades quality.", "it lowers quality", None),
        ("It raises accuracy.", "it raises accuracy and lowers cost", None),
    ],
)
def test_what_rises_does_not_fall(text: str, quotes: str, found: tuple[str, str] | None) -> None:
    assert opposite_direction(text, quotes) == found


@pytest.mark.parametrize(
    "claim",
    [
        "Retrieval reduces hallucination of otters by -40 percent.",
        "Retrieval worsens hallucination of otters by 40 percent.",
        "Retrieval reduces hallucination of otters to 40 percent.",
    ],
)
def test_such_a_claim_is_not_supported(claim: str) -> None:
    cited = CitedPassages(["Retrieval reduces hallucination of otters by 40 percent."], [])
    verdicts = [cited.judge(statement) for statement in find_statements(claim)]
    assert [verdict.support for verdict in verdicts if verdict] == ["not"]


PASSAGE = (
    "First of all, LoRA+PE significantly outperforms both LoRA and prefix-embedding tuning on WikiSQL. "
    "On MultiNLI, the combination of LoRA+PE doesn't perform better than LoRA. Secondly, we notice that LoRA+PL "
    "performs slightly worse than LoRA even with more trainable parameters. We attribute this to the fact that "
    "prefix-layer tuning is very sensitive to the choice of learning rate. We use lp = 8 for prefix-layer tuning "
    "with 20.2M trainable parameters. We present two parameter budgets for LoRA: 4.7M and 37.7M."
)


@pytest.mark.parametrize(
    ("claim", "support"),
    [
        ("LoRA+PL performs slightly better than LoRA even with more trainable parameters [1].", "not"),
        ("LoRA+PE significantly underperforms both LoRA and prefix-embedding tuning on WikiSQL [1].", "not"),
        ("On MultiNLI, the combination of LoRA+PE performs better than LoRA [1].", "unchecked"),
        ("Prefix-layer tuning is very insensitive to the choice of learning rate [1].", "not"),
        ("They use lp = 8 for prefix-layer tuning with 37.7M trainable parameters [1].", "not"),
        ("LoRA+PL performs slightly worse than LoRA even with more trainable parameters [1].", "supported"),
        ("They use lp = 8 for prefix-layer tuning with 20.2M trainable parameters [1].", "supported"),
        ("On MultiNLI, LoRA+PE doesn't perform better than LoRA [1].", "supported"),
        ("Prefix-layer tuning is very sensitive to the learning rate [1].", "supported"),
    ],
)
def test_what_says_a_sentence_again_is_compared_with_that_alone(claim: str, support: str) -> None:
    """Other sentences of a passage have the word of something else: "better", "outperforms", 37.7M."""
    (sentence,) = find_statements(claim)
    verdict = CitedPassages([PASSAGE], []).judge(sentence)
    assert verdict is not None and verdict.support == support
