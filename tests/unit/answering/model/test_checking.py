"""What of an answer is a claim, what is held against it, and what a right statement is not blamed for."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pytest

from rag_app.answering.model.checking import Material, PaperRecord, check_claims, find_claims
from rag_app.answering.model.comparing import read_cells
from rag_app.answering.model.surveying import read_notes
from rag_app.citations.support import find_doubts, find_worst_verdicts
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Answer, Citation, Page, Verdict
from rag_app.text.arithmetic import follows, share_values
from tests.support.doubles import settings_for
from tests.support.provider import Provider, Reply

PAGE = (
    "OtterNet beats HeronRank by far. It swims 2,817,000 metres. "
    + "The river is long. " * 100
    + "Salmon costs 37.5 coins."
)
RECORD = PaperRecord(
    ("OtterNet: Finding Fish in 12 Rivers", "OtterNet"), "- OtterNet; Ada Heron, Bo Lynx; 2021; 9 pages", ("FishBank",)
)

OTHER_RECORD = PaperRecord(("Badger: 2 Cats", "Badger", "GPT-4"), "- Badger; Cy Cat; 2022; 8 pages", ("CatBank",))


def citation(quote: str, number: int = 1, verified: bool = True) -> Citation:
    return Citation(number, "otter.md", "OtterNet: Finding Fish in 12 Rivers", 1, "1", "", quote, verified)


def judge(
    answer: str, reply: str = "", quotes: tuple[str, ...] = ("OtterNet beats HeronRank",), text: str = PAGE
) -> tuple[list[Verdict], str]:
    """The verdicts, and what the model was asked; without a reply it is not asked."""
    citations = [citation(quote, number) for number, quote in enumerate(quotes, start=1)]
    page = Page(1, "1", 1, 1, text)
    records = {"otter.md": RECORD, "badger.md": OTHER_RECORD}
    material = Material("Which net is better?", citations, lambda paper, number: page, records)
    claims = find_claims(answer)
    if not reply:
        return list(check_claims(claims, material, None, threading.Event()).verdicts), ""
    with Provider(Reply(pieces=(reply,))) as provider:
        model = OpenAIModel(Endpoint("test", provider.url, "big", window=32_000), settings_for(Path("x")))
        checked = check_claims(claims, material, model, threading.Event())
    return list(checked.verdicts), str(provider.requests[0].body["messages"][1]["content"])


@pytest.mark.parametrize(
    "line",
    [
        "No paper in this library mentions the price of coffee beans.",
        "None of the papers reports how long the training took.",
        "The authors do not report the energy that was used for training.",
        "The training time of the model is not reported in the paper.",
        "I could not find the price of coffee beans.",
        "The catalogue contains nothing about the price of coffee beans.",
        "There is no mention of coffee beans or of their price.",
        "Here is a short summary of both methods and their results.",
        "The two methods differ in several important ways:",
        "attention = softmax(Q K^T / sqrt(d)) V",
        "1. **Training and evaluation of both models**",
        "### How the two models were trained",
        "这些论文均未提到咖啡豆的价格。",
        "没有任何论文讨论咖啡豆的价格是多少。",
    ],
)
def test_what_says_nothing_of_the_papers_is_no_claim(line: str) -> None:
    assert find_claims(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "Omega wins!",
        "Zeta died.",
        "Retracted in 2022.",
        "Never use Zeta.",
        "zeta was retracted in 2022",
        "(Omega wins on Helios)",
        "- Helios: Omega wins",
        "- **Winner:** Omega",
        "- **Beats GPT-4 on every task**",
        "* No other model comes close",
        "- [x] Omega wins on Helios",
        "> **Warning** Zeta is toxic",
        "| Status | retracted |",
    ],
)
def test_what_is_said_in_few_words_is_a_claim(line: str) -> None:
    assert len(find_claims(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "OtterNet outperforms HeronRank on every river that was tested.",
        "OtterNet was not found to help HeronRank catch more salmon.",
        "OtterNet does not include a second encoder for the river.",
        "OtterNet is trained on eight rivers, but the paper does not report for how long.",
        "batch size = 512 [1]",
        "**512** fish [1]",
        "OtterNet 在八条河流上训练，效果优于 HeronRank。",
    ],
)
def test_what_asserts_something_is_a_claim(line: str) -> None:
    assert len(find_claims(line)) == 1


def test_a_claim_is_free_of_marks_of_bold_and_whole_at_an_abbreviation() -> None:
    answer = "**OtterNet** uses *two* nets [1]. It was released on Dec. 20, 2018 by Lynx et al. in the north [1]."
    assert [claim.text for claim in find_claims(answer)] == [
        "OtterNet uses two nets.",
        "It was released on Dec. 20, 2018 by Lynx et al. in the north.",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "OtterNet (Heron and Lynx, 2021) beats HeronRank [1].",
        "OtterNet, a paper of 9 pages by Ada Heron, beats HeronRank [1].",
        "Finding Fish in 12 Rivers shows that OtterNet beats HeronRank [1].",
        "FishBank is where OtterNet beats HeronRank [1].",
    ],
)
def test_what_the_library_knows_of_a_paper_needs_no_quote(statement: str) -> None:
    verdicts, asked = judge(statement, "1: SUPPORTED")
    assert [verdict.support for verdict in verdicts] == ["supported"]
    assert "- OtterNet; Ada Heron, Bo Lynx; 2021; 9 pages" in asked
    assert [verdict.support for verdict in judge(statement)[0]] == ["supported"]


@pytest.mark.parametrize("reply", ["", "1: SUPPORTED"])
@pytest.mark.parametrize("name", ["Badger", "The Badger", "GPT-4"])
def test_another_paper_of_the_library_is_no_subject_of_these_pages(name: str, reply: str) -> None:
    quotes, statement = ("OtterNet beats HeronRank by far",), f"{name} beats HeronRank by far [1]."
    doubted = [verdict.support for verdict in judge(statement, reply, quotes)[0]]
    assert doubted in (["unchecked"], ["partly"])
    named = f"So does {name}, of version 4. {PAGE}"
    assert [verdict.support for verdict in judge(statement, reply, quotes, named)[0]] == ["supported"]


@pytest.mark.parametrize(("name", "support"), [("CatBank", "partly"), ("GPT-4", "partly"), ("FishBank", "supported")])
def test_only_names_of_the_papers_that_are_quoted_need_no_quote(name: str, support: str) -> None:
    (verdict,), _ = judge(
        f"OtterNet beats HeronRank by far, 4 times, on {name} [1].", "", text=f"4 times as GPT does. {PAGE}"
    )
    assert verdict.support == support


@pytest.mark.parametrize(
    ("statement", "support"),
    [
        ("It swims about 2.8 million metres [1].", "supported"),
        ("It costs 37.5 coins, as the end of the page says [1].", "supported"),
        ("The 3B-Otter model beats HeronRank [1].", "supported"),
        ("It costs 38.9 coins, as no page says [1].", "partly"),
    ],
)
def test_a_number_is_wrong_only_where_the_cited_page_has_it_nowhere(statement: str, support: str) -> None:
    assert [verdict.support for verdict in judge(statement, "1: SUPPORTED")[0]] == [support]


@pytest.mark.parametrize(
    ("statement", "support", "told"),
    [
        ("OtterNet reduces the number of nets tenfold [1].", "supported", ""),
        (
            "OtterNet increases the number of nets tenfold [1].",
            "unchecked",
            'the quotes say "reduces", not "increases"',
        ),
        ("OtterNet was tested on salmon and trout [2].", "supported", ""),
        ("OtterNet was never tested on salmon and trout [2].", "unchecked", "the quotes say the opposite"),
        ("OtterNet does not harm the trout [3].", "supported", ""),
        ("OtterNet was withdrawn after a fraud.", "unchecked", "it cites nothing"),
        (
            "OtterNet was tested on salmon and trout, which embarrassed its fraudulent inventors [2].",
            "unchecked",
            'nothing that it cites speaks of "embarrassed its fraudulent inventors"',
        ),
        (
            "OtterNet was tested on salmon and trout, and the police arrested three authors [2].",
            "unchecked",
            'nothing that it cites speaks of "and the police arrested three authors"',
        ),
        ("OtterNet was tested on salmon, which is a fish, and on trout, which it does not harm [2].", "supported", ""),
        ("OtterNet wurde an Lachs und Forelle getestet, was die Polizei mit Betrug verband [2].", "supported", ""),
    ],
)
def test_a_model_alone_supports_no_plain_opposite_and_nothing_uncited(statement: str, support: str, told: str) -> None:
    quotes = ("the number of nets tenfold", "tested on salmon and trout", "harm the trout")
    page = "OtterNet reduces the number of nets tenfold. It was tested on salmon and trout. It does not harm the trout."
    (verdict,), _ = judge(statement, "1: SUPPORTED", quotes, page)
    assert verdict.support == support and told in verdict.reason


@pytest.mark.parametrize("reply", ["", "1: SUPPORTED"])
@pytest.mark.parametrize(
    ("statement", "support"),
    [
        ("OtterNet increases the number of nets by 40 percent [1].", "unchecked"),
        ("The baseline did outperform OtterNet [2].", "unchecked"),
        ("OtterNet reduces the number of nets by at most 40 percent [3].", "unchecked"),
        ("OtterNet reduces the number of nets by 40 percent [1].", "supported"),
        ("The baseline did not outperform OtterNet [2].", "supported"),
    ],
)
def test_a_quote_that_leaves_out_the_word_that_matters_supports_no_opposite(
    statement: str, support: str, reply: str
) -> None:
    quotes = ("the number of nets by 40 percent", "outperform OtterNet", "reduces the number of nets by 40 percent")
    page = "OtterNet reduces the number of nets by 40 percent. The baseline did not outperform OtterNet."
    (verdict,), _ = judge(statement, reply, quotes, page)
    assert verdict.support == support


NUMBERS_PAGE = (
    "It is trained on text that totals 16GB of uncompressed text. Adam has a peak value of 1e-4. "
    "Nets cost 0.1 coins on 2 coasts."
)
NUMBERS_QUOTES = ("totals 16GB of uncompressed text", "a peak value of 1e-4", "Nets cost 0.1 coins")


@pytest.mark.parametrize("reply", ["", "1: SUPPORTED"])
@pytest.mark.parametrize(
    ("statement", "holds"),
    [
        ("It is trained on 16GB of uncompressed text [1].", True),
        *((f"It is trained on {made_up} of uncompressed text [1].", False) for made_up in ("8731GB", "17GB", "99TB")),
        *((f"It is trained on {made_up} of uncompressed text [1].", False) for made_up in ("8731ms", "0.16GB")),
        ("It is trained on 8731Zorks of uncompressed text [1].", False),
        ("Its uncompressed text totals 16k GB [1].", False),
        ("Its uncompressed text totals 16^2 GB [1].", False),
        ("Its uncompressed text totals 16² GB [1].", False),
        ("Its uncompressed text totals 16 bytes [1].", False),
        ("Its uncompressed text totals sixteen GB [1].", True),
        ("Its uncompressed text totals seventeen GB [1].", False),
        ("Its uncompressed text totals two hundred and five GB [1].", False),
        *((f"Adam has a peak value of {same} [2].", True) for same in ("1e-4", "1e−4", "1E-4", "0.0001", "10^-4")),
        *((f"Adam has a peak value of {same} [2].", True) for same in ("1 × 10⁻⁴", "10⁻⁴", "1 × 10−4", "$10^{-4}$")),
        *((f"Adam has a peak value of {other} [2].", False) for other in ("1e4", "1e+4", "10^4", "1 × 10⁴")),
        *((f"Adam has a peak value of {other} [2].", False) for other in ("1e-7", "2e-4", "①", "seven", "4", "8e9")),
    ],
)
def test_a_number_is_read_whole_with_its_exponent_and_unit(statement: str, holds: bool, reply: str) -> None:
    (verdict,), _ = judge(statement, reply, NUMBERS_QUOTES, NUMBERS_PAGE)
    assert (verdict.support == "supported") == holds


SCALED = (
    "500 billion", "500 million", "500-million", "500 Trillion", "500k", "500 M", "500bn", "500mn",
    "500 quadrillion", "500 dozen", "500 millions", "5 hundred thousand", "five hundred million", "500千", "500 lakh",
)  # fmt: skip


@pytest.mark.parametrize("reply", ["", "1: SUPPORTED"])
@pytest.mark.parametrize(
    ("statement", "holds"),
    [
        ("The model is evaluated on 500 questions [1].", True),
        *((f"The model is evaluated on {amount} questions [1].", False) for amount in SCALED),
        ("The model has 12 thousand layers [2].", False),
        ("The model has 12 percent layers [2].", False),
        ("The model gains 7.4 million points [3].", False),
        ("The model has a rate of 1e-4 % [4].", False),
        ("The model has 110 million parameters [5].", True),  # the head of the table tells the scale
        ("The model has 110 billion parameters [5].", False),
        ("The model reads 5 million tokens [6].", True),  # the scale is of both ends
        ("The model reads 5 billion tokens [6].", False),
        *(
            (f"The model is evaluated on {amount} questions [1].", False)
            for amount in ("seven million", "seven thousand")
        ),
        *(
            (f"The model reads {amount} tokens [6].", False)
            for amount in ("a million", "one million", "a hundred million")
        ),
        *((f"The model gains {amount} points [3].", False) for amount in ("five hundred billion", "a hundred million")),
    ],
)
def test_a_scale_behind_a_number_counts(statement: str, holds: bool, reply: str) -> None:
    quotes = (
        "the model is evaluated on 500 questions", "the model has 12 layers", "the model gains 7.4 points",
        "the model has a rate of 1e-4", "Params (M) of the model 110", "the model reads 5 to 10 million tokens",
    )  # fmt: skip
    (verdict,), _ = judge(statement, reply, quotes, ". ".join(quotes))
    assert (verdict.support == "supported") == holds, verdict


@pytest.mark.parametrize("reply", ["", "1: SUPPORTED"])
@pytest.mark.parametrize("amount", ["二万", "一百", "Ⅿ", "a million", "a thousand", "፳"])
def test_a_number_of_another_script_or_in_words_has_to_stand_there_too(amount: str, reply: str) -> None:
    verdicts, _ = judge(f"OtterNet beats HeronRank {amount} times [1].", reply)
    assert [verdict.support for verdict in verdicts] == ["partly"]
    assert amount in verdicts[0].missing


@pytest.mark.parametrize(
    "formula", [r"A d a \; H e r o n \; l i e d", r"Ada\ Heron\ lied", r"\mathit{Ada}\;Heron\;lied"]
)
def test_a_sentence_in_a_formula_is_a_claim(formula: str) -> None:
    verdicts, _ = judge(f"OtterNet beats HeronRank [1].\n\n${formula}$", "1: SUPPORTED\n2: SUPPORTED")
    assert [verdict.support for verdict in verdicts] == ["supported", "unchecked"]


def test_a_number_that_begins_a_name_needs_no_page() -> None:
    page = Page(1, "1", 1, 1, "OtterNet beats HeronRank.")
    material = Material("And on 2WikiFish?", [citation("OtterNet beats HeronRank")], lambda paper, number: page)
    for name, missing in (("2WikiFish", ()), ("3WikiFish", ("3WikiFish",))):
        claims = find_claims(f"OtterNet beats HeronRank on {name} [1].")
        assert [one.missing for one in check_claims(claims, material, None, threading.Event()).verdicts] == [missing]


def test_a_ratio_of_figures_of_the_same_statement_holds() -> None:
    quotes = ("8 GPUs for approximately 90 hours", "1024 GPUs for 24 hours")
    page = Page(1, "1", 1, 1, " and ".join(quotes))
    citations = [citation(quote, number) for number, quote in enumerate(quotes, start=1)]
    for times, missing in (("34", ()), ("43", ("43",))):
        claims = find_claims(f"It took 720 hours of a GPU against about 24,600, some {times} times less [1][2].")
        material = Material("Q?", citations, lambda paper, number: page)
        assert [one.missing for one in check_claims(claims, material, None, threading.Event()).verdicts] == [missing]


def test_the_text_around_a_quote_is_shown_once_and_counts() -> None:
    answer = "OtterNet beats HeronRank [1]. It swims far [2]. Nobody cited this sentence about the long river."
    _, asked = judge(answer, "1: SUPPORTED", ("OtterNet beats HeronRank", "2,817,000 metres"))
    assert asked.count("Text 1 - OtterNet") == 1 and "Text 2" not in asked
    assert asked.count("Quote from text 1:") == 4 and "cites nothing itself" in asked


def test_words_that_stand_nowhere_are_shown_as_such() -> None:
    page = Page(1, "1", 1, 1, PAGE)
    material = Material("Q?", [citation("no such words", verified=False)], lambda paper, number: page)
    verdicts = check_claims(find_claims("OtterNet sings [1]."), material, None, threading.Event()).verdicts
    assert [(one.support, one.reason) for one in verdicts] == [
        ("not", "the words that it cites are on none of the pages")
    ]


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("它游了大约 281.7 万米，成绩优于 HeronRank [1]。", ()),
        ("OtterNet有64个网，优于HeronRank [1]。", ("64",)),
    ],
)
def test_the_numbers_of_a_chinese_sentence_are_compared(statement: str, missing: tuple[str, ...]) -> None:
    assert [verdict.missing for verdict in judge(statement)[0]] == [missing]


@pytest.mark.parametrize(
    ("value", "held", "cited", "expected"),
    [
        ("15", ["15.2"], [], True),
        ("2800000", ["2817000"], [], True),
        ("2900000", ["2817000"], [], False),
        ("7", ["7.4"], [], False),
        ("5.0", [], ["73.0", "78.0"], True),
        ("75.5", [], ["73.0", "78.0"], True),
        ("79.5", [], ["73.0", "78.0"], False),
        ("0.25", [], ["0.1", "0.351"], True),
        ("0.0002", [], ["0.0001", "0.1"], False),
        ("1", [], ["0.1"], False),
        ("5", [], ["1e999"], False),
        ("0e999", [], ["3"], False),
    ],
)
def test_a_number_follows_by_rounding_or_one_step(
    value: str, held: list[str], cited: list[str], expected: bool
) -> None:
    assert follows({Decimal(value)}, [Decimal(one) for one in held], [Decimal(one) for one in cited]) is expected


@pytest.mark.parametrize(
    ("text", "figure", "expected"),
    [
        ("half of the batches come from each", "50", True),
        ("in equal parts", "0.5", True),
        ("it was halved", "50", False),
        ("a quarter of the fish", "25", True),
        ("behalf of the authors", "50", False),
    ],
)
def test_a_share_in_words_holds_its_figure(text: str, figure: str, expected: bool) -> None:
    assert (Decimal(figure) in share_values(text)) is expected


def test_how_many_papers_there_are_needs_no_quote() -> None:
    page = Page(1, "1", 1, 1, PAGE)
    claims = find_claims("OtterNet beats HeronRank in 47 of the papers that were read [1].")
    for counts, support in ((frozenset({Decimal(47)}), "supported"), (frozenset[Decimal](), "partly")):
        material = Material("Q?", [citation("OtterNet beats HeronRank")], lambda paper, number: page, counts=counts)
        assert [one.support for one in check_claims(claims, material, None, threading.Event()).verdicts] == [support]


@pytest.mark.parametrize(
    ("reply", "notes"),
    [
        ("P1: YES - it swims [1]\nP2: NO", [("P1", "YES", "it swims [1]"), ("P2", "NO", "")]),
        ("- **P1** (OtterNet): **PARTLY** - it swims", [("P1", "PARTLY", "it swims")]),
        ("P1: it swims in the river [1]", [("P1", "PARTLY", "it swims in the river [1]")]),
        ("P1: YES - it swims\n  and dives [1]\n\nP2: No.", [("P1", "YES", "it swims and dives [1]"), ("P2", "NO", "")]),
        ("P1: YES - it swims\nP1: YES - it dives", [("P1", "YES", "it swims it dives")]),
        ("P1 swims far. YES", [("P1", "YES", "swims far.")]),
    ],
)
def test_every_line_about_a_paper_is_read(reply: str, notes: list[tuple[str, str, str]]) -> None:
    assert [(id, verdict, text.strip()) for id, verdict, text in read_notes(reply)] == notes


@pytest.mark.parametrize(
    ("reply", "cells"),
    [
        ("1: 512\n2: NOT REPORTED", {0: "512", 1: "NOT REPORTED"}),
        ("1: nets:\n- a\n- b\n2: 64", {0: "nets:; a; b", 1: "64"}),
        ("1: nets:\n1. a\n2. b\n2: 64", {0: "nets:; 1. a; 2. b", 1: "64"}),
        ("**1**: 512\n2) 64", {0: "512; 2) 64"}),
        ("1. 512\n2. 64", {0: "512", 1: "64"}),
        ("1: -40 points\n2:\n- -7 points", {0: "-40 points", 1: "-7 points"}),  # a sign is no bullet
    ],
)
def test_every_line_of_a_row_is_read(reply: str, cells: dict[int, str]) -> None:
    assert read_cells(reply, 2) == cells


@pytest.mark.parametrize(
    ("reply", "columns", "cells"),
    [
        ("512 fish\n64 frogs\n90 hours", 2, {}),
        ("512 fish\nand 64 frogs", 1, {0: "512 fish; and 64 frogs"}),
        ("so\nI read\n2: 64 frogs\nof FrogBank", 2, {1: "64 frogs; of FrogBank"}),
        ("3: 90 hours", 2, {}),
        ("", 2, {}),
        ("", 0, {}),
    ],
)
def test_a_row_that_is_no_row_stops_nothing(reply: str, columns: int, cells: dict[int, str]) -> None:
    assert read_cells(reply, columns) == cells


def test_of_equal_sentences_the_worst_verdict_counts() -> None:
    """A reader cannot tell them apart; the last verdict hid a contradiction of an equal cell."""
    good, bad = Verdict("It swims far.", "supported"), Verdict("It swims far.", "contradicted", reason="it does not")
    for verdicts in ((good, bad), (bad, good)):
        assert find_worst_verdicts(verdicts) == {"It swims far.": bad}
        answer = Answer("", "q", "answered", "It swims far.", "m", unsupported=("It swims far.",), verdicts=verdicts)
        assert find_doubts(answer) == {"It swims far.": "contradicted"}


@pytest.mark.parametrize(
    ("word", "support"),
    [
        ("NOT SUPPORTED", "not"),
        ("UNSUPPORTED", "not"),
        ("NOT-STATED", "not"),
        ("NOT MENTIONED", "not"),
        ("PARTIALLY SUPPORTED", "not"),
        ("REFUTED", "contradicted"),
        ("SUPPORTED", "supported"),
    ],
)
def test_a_verdict_in_other_words_counts(word: str, support: str) -> None:
    verdicts, _ = judge("OtterNet beats HeronRank by far [1].", f"1: {word} - so it is")
    assert [one.support for one in verdicts] == [support]
