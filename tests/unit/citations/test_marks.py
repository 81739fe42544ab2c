"""Marks, quotes and checks: every mark leads to exact words, and what the words do not hold is named."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag_app.citations.marks import MarkStream, attach_citations, citation_at, find_nearest_citations
from rag_app.citations.quotes import (
    LONGEST_QUOTE,
    SHORTEST_QUOTE,
    Claim,
    best_quote,
    find_quotable_spans,
    is_verified,
    quote_boxes,
)
from rag_app.citations.support import BackingTexts, judge_sentences, unsupported_sentences
from rag_app.papers.read import read_paper
from rag_app.records import Answer, Block, Draft, Evidence, Page, Words
from rag_app.text.sentences import sentences
from rag_app.text.terms import find_names, find_numbers, number_values

SHARED = Path(__file__).resolve().parents[4] / "shared"

BODY = (
    "DPR uses two independent BERT networks. "
    "It retrieves 100 passages of 100 words each from 21,015,324 in total. "
    "The weather in Paris was fine on Monday. "
    "On Natural Questions the top-20 accuracy rises from 73.0 to 78.0 with one BM25 negative."
)
TABLE = "\nTable 3: Comparison of training schemes.\nGold 127 ✓ 55.8 73.0 83.1\nG.+BM25(1) 127+128 ✓ 65.8 78.0 84.9"
OTHER = "Fusion-in-Decoder reads each passage on its own. The decoder attends over 100 of them and reaches 51.4 EM."


def _page(text: str, number: int, label: str = "", blocks: tuple[Block, ...] = ()) -> Page:
    return Page(number=number, label=label or str(number), width=600, height=800, text=text, blocks=blocks)


FIRST = _page(
    BODY + TABLE,
    6,
    "1245",
    (
        Block(0, len(BODY), "body", "5 Experiments"),
        Block(len(BODY), len(BODY) + 41, "caption", "5 Experiments > 5.2 Ablation"),
        Block(len(BODY) + 41, len(BODY + TABLE), "table", "5 Experiments > 5.2 Ablation"),
    ),
)
SECOND = _page(OTHER, 2)
PAGES = {("dpr.pdf", 6): FIRST, ("fid.pdf", 2): SECOND}


def page_of(paper: str, number: int) -> Page:
    return PAGES[(paper, number)]


def _evidence(number: int, paper: str, page: Page, title: str) -> Evidence:
    return Evidence(number, paper, title, page.number, page.label, "", 0, len(page.text), page.text)


EVIDENCE = [
    _evidence(1, "fid.pdf", SECOND, "Leveraging Passage Retrieval"),
    _evidence(2, "dpr.pdf", FIRST, "Dense Passage Retrieval"),
]


def answer_to(text: str, question: str = "", **other: object) -> Answer:
    return attach_citations(Draft(text), question, EVIDENCE, page_of, names_of=lambda paper: ("DPR",), **other)  # type: ignore[arg-type]


# -- marks ------------------------------------------------------------------------------------------------------------


def test_marks_are_renumbered_by_first_use_and_lead_to_the_sentence_that_backs_them() -> None:
    answer = answer_to("Accuracy rises to 78.0 on Natural Questions [2]. FiD attends over 100 passages [1].")
    assert answer.answer == "Accuracy rises to 78.0 on Natural Questions [1]. FiD attends over 100 passages [2]."
    first, second = answer.citations
    assert first.quote.startswith("On Natural Questions the top-20 accuracy")
    assert (first.paper, first.page, first.label, first.section) == ("dpr.pdf", 6, "1245", "5 Experiments")
    assert second.quote == "The decoder attends over 100 of them and reaches 51.4 EM."
    assert first.verified and second.verified


def test_one_place_cited_twice_is_one_citation_and_two_places_of_one_passage_are_two() -> None:
    answer = answer_to(
        "DPR uses two independent BERT networks [2]. It searches 21,015,324 passages in total [2]. "
        "Two independent BERT networks are used by it [2]."
    )
    assert re.findall(r"\[\d+\]", answer.answer) == ["[1]", "[2]", "[1]"]
    assert len(answer.citations) == 2


def test_numbers_outside_the_evidence_vanish_and_their_sentence_is_uncited() -> None:
    answer = answer_to("The moon is made of green cheese [7]. DPR uses two independent BERT networks [2].")
    assert answer.answer == "The moon is made of green cheese. DPR uses two independent BERT networks [1]."
    assert answer.unsupported == ("The moon is made of green cheese.",)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Both read 100 passages in total [1][2].", "Both read 100 passages in total [1][2]."),
        ("Both read 100 passages in total [1] [2].", "Both read 100 passages in total [1][2]."),
        ("Both read 100 passages in total [1, 2, 9].", "Both read 100 passages in total [1][2]."),
        ("Both read 100 passages in total [1-2].", "Both read 100 passages in total [1][2]."),
        ("Both read 100 passages in total. [1]", "Both read 100 passages in total. [1]"),
        ("Both read 100 passages in total [1][1].", "Both read 100 passages in total [1]."),
        ("Array[CLS] and [a] and [ 12", "Array[CLS] and [a] and [ 12"),
        ("Nothing here [8]\nand here", "Nothing here\nand here"),
    ],
)
def test_forms_of_marks(written: str, shown: str) -> None:
    assert answer_to(written).answer == shown


def test_a_mark_before_its_claim_waits_for_the_sentence() -> None:
    answer = answer_to("According to [2], accuracy rises from 73.0 to 78.0. More text follows.")
    assert answer.citations[0].quote.startswith("On Natural Questions")


def test_a_mark_after_the_stop_belongs_to_the_sentence_before_it() -> None:
    answer = answer_to("It searches 21,015,324 passages in total. [2] DPR uses two independent BERT networks. [2]")
    assert [c.quote[:12] for c in answer.citations] == ["It retrieves", "DPR uses two"]
    assert answer.unsupported == ()


TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "[1]",
                "[2]",
                "[3]",
                "[1, 2]",
                "[",
                "]",
                "[1",
                " ",
                "\n",
                ". ",
                ".",
                "78.0",
                "DPR uses two",
                "- ",
                "| ",
                "12]",
                "。",
            ]
        ),
        st.text(alphabet="ab [12].,", max_size=6),
        st.sampled_from(BODY.split(". ")),
    ),
    max_size=14,
).map("".join)


def _streamed(pieces: list[str]) -> tuple[str, MarkStream]:
    marks = MarkStream(EVIDENCE, page_of)
    shown = "".join(marks.feed(piece) for piece in pieces)
    return shown + marks.finish(), marks


@given(TEXTS, st.data())
@example("According to [2], x. y", None)
def test_how_a_text_is_cut_into_pieces_changes_nothing(text: str, data: st.DataObject | None) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text))))) if data else list(range(len(text)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert _streamed(pieces)[0] == _streamed([text])[0] == answer_to(text).answer
    assert _streamed(pieces)[1].citations == _streamed([text])[1].citations


@given(TEXTS)
def test_every_shown_mark_has_a_citation_and_every_quote_stands_on_its_page(text: str) -> None:
    answer = answer_to(text)
    shown = [int(number) for number in re.findall(r"\[(\d+)\]", answer.answer)]
    assert set(shown) >= {citation.number for citation in answer.citations}
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    first_uses = list(dict.fromkeys(number for number in shown if number <= len(answer.citations)))
    assert first_uses == sorted(first_uses)
    for citation in answer.citations:
        assert citation.quote in page_of(citation.paper, citation.page).text
        assert len(citation.quote.split()) <= LONGEST_QUOTE
    places = [(c.paper, c.page, c.quote) for c in answer.citations]
    assert len(places) == len(set(places))


@given(TEXTS)
def test_unsupported_sentences_are_slices_of_the_answer(text: str) -> None:
    answer = answer_to(text)
    assert all(sentence and sentence in answer.answer for sentence in answer.unsupported)


# -- quotes -----------------------------------------------------------------------------------------------------------


@given(st.sampled_from(sentences(FIRST.text)))
def test_a_verbatim_sentence_is_its_own_quote(span: tuple[int, int]) -> None:
    text = FIRST.text[span[0] : span[1]]
    start, end = best_quote(Claim(text), FIRST, 0, len(FIRST.text))
    assert FIRST.text[start:end] == text


@given(st.sampled_from(sentences(FIRST.text)))
def test_a_paper_s_name_before_its_words_does_not_lead_to_other_words(span: tuple[int, int]) -> None:
    text = FIRST.text[span[0] : span[1]]
    if len(text.split()) >= SHORTEST_QUOTE:
        start, end = best_quote(Claim(f"A Survey of the Weather: {text}"), FIRST, 0, len(FIRST.text))
        assert FIRST.text[start:end] == text


def test_a_number_that_stands_in_a_table_row_is_quoted_from_the_row() -> None:
    start, end = best_quote(Claim("BM25 negatives give 84.9 for top-100"), FIRST, 0, len(FIRST.text))
    assert FIRST.text[start:end] == "G.+BM25(1) 127+128 ✓ 65.8 78.0 84.9"


def test_a_second_sentence_is_quoted_when_it_adds_a_number() -> None:
    claim = Claim("DPR retrieves 100 passages from 21,015,324 with two independent BERT networks")
    start, end = best_quote(claim, FIRST, 0, len(FIRST.text))
    assert FIRST.text[start:end] == BODY.split(" The weather")[0]


def test_long_sentences_are_trimmed_to_whole_words_around_what_is_claimed() -> None:
    text = " ".join(
        [f"filler{n}" for n in range(100)] + ["accuracy", "42.5", "here"] + [f"more{n}" for n in range(100)]
    )
    start, end = best_quote(Claim("The accuracy is 42.5"), _page(text, 1), 0, len(text))
    quote = text[start:end]
    assert "accuracy 42.5" in quote
    assert len(quote.split()) <= LONGEST_QUOTE
    assert set(quote.split()) <= set(text.split())


def test_quotes_never_come_from_the_bibliography_while_there_is_a_body() -> None:
    text = "We train on data.\nKarpukhin. Dense passage retrieval accuracy 78.0."
    page = _page(text, 1, blocks=(Block(0, 17, "body"), Block(17, len(text), "bibliography")))
    start, end = best_quote(Claim("Dense passage retrieval accuracy is 78.0"), page, 0, 17)
    assert text[start:end] == "We train on data."


def test_a_quote_that_proves_nothing_is_not_verified() -> None:
    assert not is_verified("100", FIRST.text)
    assert not is_verified("Nobody ever wrote these words", FIRST.text)
    assert is_verified("two independent BERT networks", FIRST.text)


def test_boxes_are_one_per_line_of_the_quote() -> None:
    text = "one two three four"
    places = [(0, 3), (4, 7), (8, 13), (14, 18)]
    rows = [(10, 100, 30, 110), (35, 100, 60, 111), (10, 115, 40, 125), (45, 115, 70, 125)]
    words = Words(
        np.array([a for a, _ in places], np.int32),
        np.array([b for _, b in places], np.int32),
        np.array(rows, np.float32),
    )
    page = Page(1, "1", 600, 800, text, (), words)
    assert quote_boxes(page, 4, 13) == ((35, 100, 60, 111), (10, 115, 40, 125))
    assert quote_boxes(page, 0, 7) == ((10, 100, 60, 111),)
    assert quote_boxes(_page(text, 1), 0, 7) == ()


def test_a_quote_never_needs_two_ways_of_joining_lines() -> None:
    text = "Under self-attention the layers keep the underlying order of words for good."
    split = {"self-attention": 5, "underlying": 5}  # the first keeps its hyphen, the second lost one
    starts, ends, rows, line = [], [], [], 0
    for match in re.finditer(r"\S+", text):
        cut = match.start() + split.get(match.group(), 0)
        for start, end in [(match.start(), cut), (cut, match.end())] if cut > match.start() else [match.span()]:
            starts.append(start)
            ends.append(end)
            rows.append((float(start), line * 20.0, float(end), line * 20.0 + 10))
            line += end == cut
    words = Words(np.array(starts, np.int32), np.array(ends, np.int32), np.array(rows, np.float32))
    page = Page(1, "1", 600, 800, text, (), words)
    start, end = best_quote(Claim("the order of words is kept"), page, 0, len(text))
    quote = text[start:end]
    assert ("self-attention" in quote) != ("underlying" in quote)
    assert "order of words" in quote


@pytest.mark.usefixtures("papers_folder")
@pytest.mark.parametrize("name", ["2305.06983v2.pdf", "2004.04906v3.pdf"])
def test_quotes_of_real_pages_stand_in_the_raw_text_of_the_pdf(name: str) -> None:
    specification = importlib.util.spec_from_file_location("check_questions", SHARED / "check_questions.py")
    assert specification and specification.loader
    checker = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(checker)
    pages = checker.Pages(str(SHARED / "papers"))
    quotes = []
    for page in read_paper(SHARED / "papers" / name, "pdf").pages[:5]:
        for low, high in find_quotable_spans(page, 0, len(page.text)):
            start, end = best_quote(Claim(page.text[low:high]), page, low, high)
            quotes.append(
                len(page.text[low:high].split()) > 4 and not pages.on_page(name, page.number, page.text[start:end])
            )
    assert len(quotes) > 80
    assert sum(quotes) <= 0.02 * len(quotes)  # glyphs without text, and signs that the raw text has wrong


def test_a_refusal_comes_with_the_nearest_passages() -> None:
    answer = attach_citations(
        Draft("This is not in these papers.", refused=True), "How many passages?", EVIDENCE, page_of
    )
    assert answer.status == "not_in_papers"
    assert answer.unsupported == ()
    assert len(answer.nearest) == 2 and all(place.verified for place in answer.nearest)
    assert find_nearest_citations("anything", [], page_of) == ()


# -- numbers and names ------------------------------------------------------------------------------------------------


def test_sentences_with_inventions_are_named() -> None:
    answer = answer_to(
        "Accuracy rises to 78.0 on Natural Questions [2]. DPR reaches 99.9 on Natural Questions [2]. "
        "DPR beats ColBERT in accuracy [2]. It retrieves 100 passages of 100 words each [2]."
    )
    assert [re.sub(r" \[\d\]", "", sentence) for sentence in answer.unsupported] == [
        "DPR reaches 99.9 on Natural Questions.",
        "DPR beats ColBERT in accuracy.",
    ]


def test_names_of_the_question_and_of_the_cited_paper_need_no_backing() -> None:
    text = "DPR of Dense Passage Retrieval beats HotpotQA baselines with 78.0 [2]."
    assert answer_to(text).unsupported != ()
    assert answer_to(text, "What about HotpotQA?").unsupported == ()
    assert answer_to(text, "What about HotpotQA and 12.3?").unsupported == ()
    assert answer_to(text.replace("78.0", "12.3"), "Is it 12.3 on HotpotQA?").unsupported != ()


def test_claims_that_cite_nothing_are_named_but_not_headings_lead_ins_or_disclaimers() -> None:
    answer = answer_to(
        "## Results of the two systems compared\n**Dense passage retrieval compared**\n"
        "The two systems differ in these aspects:\n- DPR uses two independent BERT networks [2]\n"
        "- Retrieval always makes generation much better\n\nThe papers do not say how the training data was made."
    )
    assert answer.unsupported == ("Retrieval always makes generation much better",)


def test_table_rows_are_checked_and_their_head_is_not() -> None:
    answer = answer_to(
        "| Paper | Accuracy on HotpotQA |\n| --- | --- |\n| DPR | 78.0 top-20 accuracy [2] |\n| DPR | 61.7 [2] |"
    )
    assert len(answer.unsupported) == 1
    assert "61.7" in answer.unsupported[0]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("1,000", "we use 1000 of them"),
        ("1000", "1,000 questions"),
        ("73%", "rises to 73.0 percent"),
        ("73.0 %", "73.0"),
        ("0.73", "73%"),
        ("10", "ten papers"),
        ("13 million", "13M chunks"),
        ("13,000,000", "13 million chunks"),
        ("4k", "4k-20k examples"),
        ("20,000", "4k-20k examples"),
        ("10^18", "over 1018 (one quintillion) parameters"),
        ("2.5", "–2.5 points"),
    ],
)
def test_numbers_are_compared_by_value(text: str, source: str) -> None:
    (number,) = find_numbers(text)
    assert BackingTexts([source]).holds_number(number)


@pytest.mark.parametrize(("text", "source"), [("7.3", "73"), ("78", "78.4"), ("100", "1,000"), ("0.5", "50")])
def test_other_numbers_are_other_numbers(text: str, source: str) -> None:
    assert not BackingTexts([source]).holds_number(find_numbers(text)[0])


@given(st.integers(0, 10**9))
def test_a_number_is_found_however_it_is_grouped(value: int) -> None:
    assert BackingTexts([f"there are {value:,} of them"]).holds_number(find_numbers(f"{value} here")[0])
    assert BackingTexts([f"there are {value} of them"]).holds_number(find_numbers(f"{value:,} here")[0])


@given(st.text(max_size=60))
def test_every_number_and_name_of_a_text_stands_in_that_text(text: str) -> None:
    ground = BackingTexts([text])
    assert all(ground.holds_number(number) for number in find_numbers(text))
    assert all(number.values & number_values(text) for number in find_numbers(text))
    assert all(ground.holds_name(name) for name in find_names(text) if name.isascii())


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("Fusion-in-Decoder", "fusion in decoder"),
        ("LLaMA-2", "Llama 2 models"),
        ("Llama2-7b", "Llama 2 7B"),
        ("RAGs", "the RAG model"),
        ("DPR's", "DPR is"),
        ("nDCG@10", "NDCG@10"),
        ("GPT-3.5-Turbo", "gpt-3.5-turbo"),
        ("BM25/DPR", "BM25 and DPR"),
    ],
)
def test_names_are_compared_without_hyphens_case_and_plural(name: str, source: str) -> None:
    assert BackingTexts([source]).holds_name(name)


def test_what_counts_as_a_name() -> None:
    found = find_names(
        "The model RoBERTa beats BERT on TriviaQA and Natural Questions with GPT-4 in Table 3. Retrieval helps."
    )
    assert found == ["RoBERTa", "BERT", "TriviaQA", "Natural", "Questions", "GPT-4"]
    assert not BackingTexts(["a program"]).holds_name("RAM")


def test_unsupported_without_backing() -> None:
    assert unsupported_sentences(judge_sentences("It scores 5.0 points.", {})) == ("It scores 5.0 points.",)
    assert unsupported_sentences(judge_sentences("", {})) == ()


def test_a_citation_is_verified_by_the_matcher_and_by_nothing_else() -> None:
    text = "The reader has 770 million parameters. "
    page = Page(1, "1", 600.0, 800.0, text, (Block(0, len(text), "body"),))
    piece = Evidence(1, "a.pdf", "A", 1, "1", "", 0, len(text), text)
    assert citation_at(1, piece, page, 0, 38).verified
    assert not citation_at(1, piece, page, 38, 39).verified  # nothing but a blank is no quote


def test_the_head_of_a_table_is_not_the_nearest_where_a_sentence_is() -> None:
    texts = ["Top-1 Top-5 Top-20 Accuracy", "The accuracy of the top passages is not given for this set of questions."]
    pages = {number: Page(number, str(number), 600, 800, text) for number, text in enumerate(texts, start=1)}
    pieces = [
        Evidence(number, "p.pdf", "P", number, str(number), "", 0, len(page.text), page.text)
        for number, page in pages.items()
    ]
    near = find_nearest_citations(
        "What is the top-20 accuracy, top-5 accuracy and top-1 accuracy?", pieces, lambda _, n: pages[n]
    )
    assert [citation.page for citation in near] == [2, 1]


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("¹Code of the otter model is open to all.", "Code of the otter model is open to all."),
        ("² https://otters.org has the data.", "https://otters.org has the data."),
        ("¹⁴C dating gave 3 000 years.", "¹⁴C dating gave 3 000 years."),
    ],
)
def test_a_quote_begins_behind_a_footnotes_mark(text: str, quote: str) -> None:
    page = Page(1, "1", 612, 792, text)
    assert [text[low:high] for low, high in find_quotable_spans(page, 0, len(text))] == [quote]
