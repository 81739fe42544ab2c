"""Normalising raw PDF text, finding quotes, splitting sentences: examples from papers, and laws."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag_app.records import Page, Words
from rag_app.text.normalize import is_checkable, normalise_text, words_of
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import sentences

# --- normalising -----------------------------------------------------------------------------------------------------


def test_ligatures_are_opened() -> None:
    assert normalise_text("e\ufb03cient \ufb01nal \ufb02ow").text == "efficient final flow"


def test_a_word_broken_at_a_line_end_is_joined() -> None:
    assert normalise_text("imple\ufffemented us\u00ad\r\ning pre-\r\nsented").text == "implemented using presented"


@pytest.mark.parametrize(
    ("raw", "vocabulary", "text"),
    [
        ("a Lucene\ufffeBM25 system", "", "a Lucene-BM25 system"),  # a capital never continues a word
        ("GPT-\r\n3 wins", "", "GPT-3 wins"),  # nor does a digit
        ("state-of-the-\r\nart", "", "state-of-the-art"),
        ("a dual\ufffeencoder", "dual encoder", "a dual-encoder"),  # both halves are words of the paper
        ("a dual\ufffeencoder", "dual-encoder dual encoder dualencoder", "a dualencoder"),  # the joined form is known
        ("fine\ufffetuning", "", "fine-tuning"),
        ("Rock\ufffeetQAv2 and Super\ufffeGLUE", "rocketqav2 superglue", "RocketQAv2 and SuperGLUE"),
        ("Self\ufffeRAG", "selfrag self-rag", "Self-RAG"),
        ("out\ufffeof-domain", "", "out-of-domain"),
        ("a credibility\ufffeaware model", "", "a credibility-aware model"),
        ("the proper\ufffeties", "proper ties", "the properties"),
        ("general\ufffeizing", "", "generalizing"),  # an ending of words
        ("two state\ufffements", "statement", "two statements"),  # another form of it is known
        ("to pre\ufffetrains", "pre-train", "to pre-trains"),
        ("of 50–\r\n250 ms", "", "of 50–250 ms"),
        ("Fusion–\r\nin the", "", "Fusion– in the"),
        ("some\ufffewhat", "some what", "somewhat"),  # "some" often begins a longer word
        ("LAN\ufffeGUAGE MODELS", "language", "LANGUAGE MODELS"),
    ],
)
def test_a_hyphen_that_belongs_to_the_word_stays(raw: str, vocabulary: str, text: str) -> None:
    assert normalise_text(raw, set(vocabulary.split())).text == text


def test_halves_of_broken_words_are_no_evidence() -> None:
    words = words_of("the dual\ufffeencoder of a cross-encoder, imple-\r\nmented")
    assert {"the", "of", "a", "cross-encoder"} == words


def test_unreadable_glyphs_are_dropped() -> None:
    assert normalise_text("max \uf8ee x \uf8f9\x01 y").text == "max x y"


def test_lines_become_one_paragraph_and_blocks_one_line_each() -> None:
    raw = "first line\r\nsecond line\r\nGold 127\r\nBM25 7"
    breaks = {raw.index("Gold") - 1, raw.index("BM25") - 1}
    assert normalise_text(raw, breaks=breaks).text == "first line second line\nGold 127\nBM25 7"


def test_a_break_in_the_middle_of_a_broken_word_stays_visible() -> None:
    raw = "training with mul\ufffe8 SQuAD is limited"
    assert normalise_text(raw, breaks={raw.index("\ufffe")}).text == "training with mul-\n8 SQuAD is limited"


raw_text = st.text(
    st.sampled_from("abcXYZ019 .,-'\"()%–\r\n\t")
    | st.sampled_from("\ufffe\u00ad\ufb01\ufb03é\u0301\u00a0\u2009\uf8ee\x01²½"),
    max_size=80,
)


@given(raw_text)
@example("Oguz \u02d8\r\nx")
def test_every_character_comes_from_its_place_in_the_raw_text(raw: str) -> None:
    found = normalise_text(raw)
    assert len(found.origin) == len(found.text)
    assert all(found.origin[1:] >= found.origin[:-1])
    assert all((found.origin >= 0) & (found.origin < max(1, len(raw))))
    for character, index in zip(found.text, found.origin, strict=True):
        if character.isalnum() and raw[index].isascii():
            assert raw[index] == character or unicodedata.normalize("NFKC", raw[index : index + 2]).startswith(
                character
            )


@given(raw_text)
def test_readable_text_is_normal_and_has_no_double_spaces(raw: str) -> None:
    text = normalise_text(raw).text
    # Raised and lowered digits and fractions stay: opened, they would read as part of the number beside them.
    assert all(unicodedata.is_normalized("NFKC", one) or unicodedata.category(one) == "No" for one in text)
    assert not any(left.isspace() and right.isspace() for left, right in itertools.pairwise(text))
    assert not set(text) & set("\r\t\ufffe\u00ad\uf8ee\x01")


@given(raw_text)
def test_no_letter_is_lost(raw: str) -> None:
    # Decomposed: a mark may be composed with the letter before it once a glyph between them is gone.
    before, after = (unicodedata.normalize("NFKD", text) for text in (raw, normalise_text(raw).text))
    assert [one for one in after if one.isalnum()] == [one for one in before if one.isalnum()]


# --- finding quotes --------------------------------------------------------------------------------------------------

PAGE = (
    "We use efficient passage retrieval practice2 , indicating the needs.\n"
    "Gold 127 ✓ 55.8 73.0 83.1\nOn GSM8k, LLaMA-65B outperforms the state-of-the-art since 20226 .\n"
    "The “hard” negatives don’t help: 1-3 points, not −5."
)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("e\ufb03cient  Passage\nretrieval", "efficient passage retrieval"),
        ("practice2, indicating", "practice2 , indicating"),
        ("Gold 127 ✓ 55.8 73.0", "Gold 127 ✓ 55.8 73.0"),
        ("LLaMA65B outperforms", "LLaMA-65B outperforms"),
        ("stateoftheart", "state-of-the-art"),
        ("since 2022", "since 2022"),  # the mark of a footnote stands on its heels
        ('the "hard" negatives don\'t', "The “hard” negatives don’t"),
        ("5.8 73.0", None),  # inside 55.8
        ("55.8 7", None),  # inside 73.0
        ("55.873.0", None),  # the space between two numbers counts
        ("13 points", None),  # and so does a hyphen between digits
        ("not -5", None),
        ("", None),
        ("—", None),
    ],
)
def test_a_quote_is_found_or_refused(quote: str, found: str | None) -> None:
    place = find_quote(quote, PAGE)
    assert (PAGE[slice(*place)] if place else None) == found


def test_whole_words_are_preferred() -> None:
    page = "The start of art is art."
    assert find_quote("art is", page) == (13, 19)
    assert find_quote("art", page) == (13, 16)
    assert find_quote("ß", "ßß") == (0, 1), "the second s of one and the first of the next are no word"


page_text = st.text(
    st.sampled_from("abcdeXYZ019 .,-'\"()%\n") | st.sampled_from("éß–“’αΩ²"), min_size=1, max_size=60
).map(lambda text: unicodedata.normalize("NFKC", text))


@given(page_text, st.data())
def test_every_slice_that_cuts_no_number_is_found(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    quote = text[start:end]
    inside = any(0 < at < len(text) and _numeric(text[at - 1]) and _numeric(text[at]) for at in (start, end))
    if inside or not any(one.isalnum() for one in quote):
        return
    place = find_quote(quote, text)
    assert place is not None
    assert _letters(text[slice(*place)]) == _letters(quote)


def _numeric(character: str) -> bool:
    return character.isdigit() or character in ".,"


def _letters(text: str) -> str:
    return "".join(one for one in text.casefold() if one.isalnum())


@given(page_text, page_text)
def test_what_is_found_has_the_letters_of_the_quote(quote: str, page: str) -> None:
    place = find_quote(quote, page)
    if place:
        assert _letters(page[slice(*place)]) == _letters(quote)


# --- sentences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "We follow Karpukhin et al. (2020) here. It works.",
        "See Fig. 3 and Sec. 4.2 for details. The end is near.",
        "The F1 is 55.8. Others reach 54.1 vs. 53.",
        "Methods (e.g. BM25, i.e. Lucene) differ. J. R. Smith agrees.",
        "This is shown by Lee et al. We disagree.",
        'He said "No." She left. Did they? Yes!',
        "It helps [12]. Later work [3, 4] does not.",
        "We build on earlier benchmarks.1 Others use new ones.",
        "We use the U.S. Census (cf. Table 2). Results follow.",
        "Details are in Appendix A. The code is public.",
        "Atlas outperforms T5 (57.7% c.f. 12.1%). It helps.",
    ],
)
def test_prose_has_two_sentences_or_as_many_as_it_seems(text: str) -> None:
    assert len(sentences(text)) == (4 if text.startswith("He said") else 2), [
        text[start:end] for start, end in sentences(text)
    ]


@pytest.mark.parametrize(
    "parts",
    [
        ["我们研究了农场［57］。", "However, 它很好！", "真的吗？", "是。"],
        ["误差为2.4。［57］", "这是结果。"],
        ["他说“好。”", "然后走了。"],
        ["It is here in the end. ⁵", "However, it is not."],
        ["It is here in the end.⁵", "However, it is not."],
        ["It was shown.[57]", "However, it was not."],
        ["It was shown.［5,7］", "Others differ."],
        ["The base was added.", "¹³C NMR shows it."],
        ["¹We use the base.", "² Details follow.", "³However, they do not."],
        ["We follow Fig. ²However it looks."],
        ["In Exp. 2 the phone lay outside.", "It was silent."],
        ["Мы видим.", "Это хорошо."],
    ],
)
def test_a_mark_or_a_chinese_stop_hides_no_end(parts: list[str]) -> None:
    for between in (" ", "") if parts[0].endswith(("。", ".⁵", "]", "］")) else (" ",):
        text = between.join(parts)
        assert [text[start:end] for start, end in sentences(text)] == parts


def test_rows_and_headings_are_units_of_their_own() -> None:
    text = "4.2 Results\nGold 127 55.8\nBM25 7 50.0\nIt is good. It is bad."
    assert [text[start:end] for start, end in sentences(text)] == [
        "4.2 Results",
        "Gold 127 55.8",
        "BM25 7 50.0",
        "It is good.",
        "It is bad.",
    ]


def test_a_number_at_the_beginning_is_no_sentence() -> None:
    assert len(sentences("1. We do this. 2. We do that.")) == 2


@given(st.text(st.sampled_from("abcABC.!? \n()\"'1[]é。⁵"), max_size=80))
def test_sentences_cover_the_text_in_order(text: str) -> None:
    spans = sentences(text)
    assert all(start < end for start, end in spans)
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert not any("\n" in text[start:end] for start, end in spans)


# --- what the outside can check --------------------------------------------------------------------------------------


def _page(text: str, spans: list[tuple[int, int]]) -> Page:
    starts, ends = np.array(spans, np.int32).reshape(-1, 2).T
    return Page(1, "1", 1, 1, text, words=Words(starts, ends, np.zeros((len(spans), 4), np.float32)))


def test_a_slice_with_a_joined_and_a_kept_hyphen_cannot_be_checked_outside() -> None:
    text = "implemented dual-encoder here"
    page = _page(text, [(0, 5), (5, 11), (12, 17), (17, 24), (25, 29)])
    assert is_checkable(page, 0, 11)
    assert is_checkable(page, 12, 29)
    assert not is_checkable(page, 0, 29)


def test_a_slice_over_a_glyph_without_text_cannot_be_checked_outside() -> None:
    page = _page("a b c", [(0, 1), (2, 3), (4, 4), (4, 5)])
    assert is_checkable(page, 0, 3)
    assert not is_checkable(page, 2, 5)


def test_a_page_without_boxes_is_always_checkable() -> None:
    assert is_checkable(Page(1, "1", 0, 0, "any text"), 0, 8)


def test_no_compatibility_form_changes_a_number() -> None:
    raw = "12½ % of 10⁶ probes, an area of 40 m², 2.4⁴ percent, ﬁve Ⅷ and １２"
    assert normalise_text(raw).text == "12½ % of 10⁶ probes, an area of 40 m², 2.4⁴ percent, five VIII and 12"
