"""Marks, markup and thoughts of a model's answer, while it streams."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.models.llm.output_filter import WITHHELD, AnswerFilter, ThoughtFilter, filter_secrets


def filtered(text: str, numbers: tuple[int, ...] = (1, 2, 3)) -> str:
    part = AnswerFilter(numbers)
    return part.feed(text) + part.finish()


def in_pieces(part: AnswerFilter | ThoughtFilter, pieces: list[str]) -> str:
    return "".join(part.feed(piece) for piece in pieces) + part.finish()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("A claim [1].", "A claim [1]."),
        ("A claim [1, 2].", "A claim [1][2]."),
        ("A claim [1; 2 and 3].", "A claim [1][2][3]."),
        ("A claim [1][2].", "A claim [1][2]."),
        ("A claim 【1】.", "A claim [1]."),
        ("A claim 【2†source】.", "A claim [2]."),
        ("A claim [^3].", "A claim [3]."),
        ("A claim [1-3].", "A claim [1][2][3]."),
        ("A claim [2–9].", "A claim [2][3]."),
        ("A claim [Evidence 2].", "A claim [2]."),
        ("A claim [1, p. 7].", "A claim [1]."),
        ("A claim [1, 1].", "A claim [1]."),
        ("A claim [4].", "A claim."),
        ("A claim [12] and more.", "A claim and more."),
        ("A claim [3, 12].", "A claim [3]."),
        ("x in [0, 1] holds [1]", "x in [0, 1] holds [1]"),
        ("the [CLS] token [2]", "the [CLS] token [2]"),
        ("Line\n[9]\nnext", "Line\n\nnext"),
        ("[1-999999]", "[1]"),
        ("[7[9]] and [7[9]]", "[7 and [7"),
    ],
)
def test_marks(written: str, shown: str) -> None:
    assert filtered(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<script>alert(1)</script>", "< script>alert(1)< /script>"),
        ("<!-- x --> <?php", "< !-- x --> < ?php"),
        ("![chart](https://evil.example/x.png)", "![chart] (evil.example/x.png)"),
        ("[text](javascript:alert(1))", "[text] (javascript:alert(1))"),
        ("[a]: https://evil.example", "[a] : evil.example"),
        ("> [a]: /x", "> [a] : /x"),
        ("two\nlines]: /x", "two\nlines] : /x"),
        ("<https://evil.example>", "< evil.example>"),
        ("see http://evil.example/a?b=c#d.", "see evil.example/a?b=c#d."),
        ("www.evil.example, ww[9]w.evil.example", "evil.example, wwwevil.example"),
        ("As [1]: the claim", "As [1]: the claim"),
        ("a < b and 3 <4, p <= 0.05", "a < b and 3 <4, p <= 0.05"),
        ("ratio 3:1, 9:30 and C:\\x", "ratio 3:1, 9:30 and C:\\x"),
        ("htt[9]ps://evil.example", "httevil.example"),
        ("https:[9]//evil.example", "https:/evil.example"),
    ],
)
def test_markup_is_disarmed_and_the_words_stay(written: str, shown: str) -> None:
    assert filtered(written) == shown


PARTS = "[ ] 【 】 1 2 12 - ^ ( ) < img / : :// https www . word [1] [7] [1,7] evidence † 0 ! 的 `"
TOKENS = PARTS.split()
ANSWERISH = st.lists(st.one_of(st.sampled_from([*TOKENS, ", ", " ", "\n"]), st.text(max_size=4)), max_size=40)


@given(ANSWERISH)
def test_pieces_make_no_difference(pieces: list[str]) -> None:
    assert in_pieces(AnswerFilter((1, 2)), pieces) == filtered("".join(pieces), (1, 2))


@given(ANSWERISH)
def test_no_number_outside_the_evidence_and_no_active_markup(pieces: list[str]) -> None:
    shown = in_pieces(AnswerFilter((1, 2)), pieces)
    assert {int(number) for number in re.findall(r"\[(\d{1,6})\]", shown)} <= {1, 2}
    assert not re.search(
        r"\[\s*\d{1,4}(\s*[,;-]\s*\d{1,4})+\s*\]", re.sub(r"\[\s*\^?[\d,;\s–—-]*\b0+\b[^\]]*\]", "", shown)
    )
    assert not re.search(r"<[A-Za-z/!?]", shown)
    assert "](" not in shown
    assert "://" not in shown
    assert not re.search(r"(?m)^\s*\[[^\]]*\]:", shown)


@given(st.text(alphabet="abc .,;\n", max_size=80))
def test_plain_prose_passes_unchanged(text: str) -> None:
    assert filtered(text) == text.rstrip()


@given(ANSWERISH)
def test_thoughts_are_left_out_in_any_pieces(pieces: list[str]) -> None:
    text = "".join(pieces)
    thought = ["<th", "ink>", "a [1] thought", "</thi", "nk>", *pieces]
    assert in_pieces(ThoughtFilter(), thought) == text.lstrip()


@pytest.mark.parametrize("text", ["<", "<thin", "<b>x", "  plain", "<thinker", "a `<think>` b `</think>`"])
def test_what_is_no_thought_stays(text: str) -> None:
    assert in_pieces(ThoughtFilter(), list(text)) == text


def test_an_unfinished_thought_is_no_answer() -> None:
    assert in_pieces(ThoughtFilter(), ["<think>", "so", " far"]) == ""


@given(st.lists(st.text(alphabet="sk-abc ", max_size=9), max_size=8), st.booleans())
def test_a_secret_is_blotted_out_however_it_is_cut(pieces, cut):
    secret = "sk-abcab"
    pieces = [*pieces, *(secret if cut else [secret]), "end"]

    def said():
        yield from pieces
        return 7

    def read():
        found.append((yield from filter_secrets(said(), (secret,))))

    found = []
    text = "".join(read())
    assert text == "".join(pieces).replace(secret, WITHHELD) and found == [7]
    assert "".join(filter_secrets(said(), ("short",))) == "".join(pieces)


def test_what_came_before_a_fault_is_kept():
    def said():
        yield "some words"
        raise ValueError

    found = []
    with pytest.raises(ValueError):
        found.extend(filter_secrets(said(), ("s-is-a-secret",)))
    assert "".join(found) == "some words"
