"""The quotes of any text, looked for in papers: what counts as a quote, what is read around it, what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.errors import EvidenceError
from rag_app.outputs.verify_text import MOST_PARTS, MOST_QUOTES, TextCheck, find_quoted, text_checks_json, verify_text
from rag_app.records import Page, PaperRow
from tests.support.doubles import write_paper

PAGES = {
    "lora.pdf": (
        "LoRA: Low-Rank Adaptation",
        ["We freeze the pretrained weights and inject rank decomposition matrices.", "It needs 10,000 times fewer."],
    ),
    "bert.pdf": ("BERT: Pre-training of Transformers", ["BERT has 340M parameters.", "We mask 15% of all tokens."]),
}


class PaperPages:
    """A library of pages given as text; the printed label of page 1 is "i"."""

    def __init__(self, papers: Mapping[str, tuple[str, list[str]]]) -> None:
        self._papers = papers

    def papers(self) -> list[PaperRow]:
        return [PaperRow(name, title, len(pages), 1, "full text", "") for name, (title, pages) in self._papers.items()]

    def page(self, paper: str, number: int) -> Page:
        label = "i" if number == 1 else str(number)
        return Page(number, label, 0.0, 0.0, self._papers[paper][1][number - 1])


def check(text: str) -> list[TextCheck]:
    return verify_text(text, PaperPages(PAGES))


@pytest.mark.parametrize(
    ("text", "state", "page"),
    [
        ('"We freeze the pretrained weights" (LoRA, p. 1)', "on the page", 1),
        ("“We freeze the pre-trained   weights” (lora.pdf, page 1).", "on the page", 1),
        ("It says „We freeze the pretrained weights“ (lora, S. 2).", "other page", 1),
        ("«We mask 15% of all tokens» (LoRA, p. 1)", "other paper", 2),
        ('"We mask 15% of all tokens" is what they do.', "found", 2),
        ('"We mask 25% of all tokens" (BERT, p. 2)', "not found", 0),
        ('"We mask 15% of all tokens" (BERT, p. 9)', "no such page", 2),
        ('"We freeze … rank decomposition matrices" [1]\n\n[1] LoRA: Low-Rank Adaptation, page 1', "on the page", 1),
        ("> We freeze the pretrained weights\n\n(LoRA, page 1)", "on the page", 1),
        ("As LoRA, p. 1, has it: “We freeze the pretrained weights”", "on the page", 1),
    ],
)
def test_a_quote_is_judged_by_the_page_it_names(text: str, state: str, page: int) -> None:
    (found,) = check(text)
    assert found.state == state
    assert (found.places[0].page if found.places else 0) == page
    assert found.holds == (state in ("on the page", "found"))
    assert found.message


@pytest.mark.parametrize(
    ("quote", "holds"),
    [
        ("the learning rate was 1e-4", True),
        ("the learning rate was 1e−4", True),
        ("the learning rate was 1E–4", True),
        ("the learning rate was 1e4", False),
        ("the learning rate was 1-e4", False),
        ("with a decay of 5e-10", True),
        ("with a decay of 5e10", False),
        ("and then of 2e-5", True),
        ("and then of 2e5", False),
        ("or of 3e-6", True),
        ("for a pretrained net", True),
    ],
)
def test_the_minus_of_an_exponent_counts(quote: str, holds: bool) -> None:
    page = (
        "Here the learning rate was 1e-4, with a decay of 5e-10, and then of 2e−5 or of 3e- 6, for a pre-trained net."
    )
    (found,) = verify_text(f'"{quote}"', PaperPages({"a.pdf": ("A title", [page])}))
    assert found.holds == holds


def test_a_sentence_that_names_a_page_is_checked_with_its_exponents() -> None:
    pages = PaperPages({"a.pdf": ("A title of a paper", ["The rate was 1e-4."])})
    for rate, missing in (("1e-4", ()), ("1e4", ("1e4",))):
        (found,) = verify_text(f"The rate was {rate} (a.pdf, p. 1).", pages)
        assert found.missing == missing


def test_parts_of_a_quote_must_stand_in_their_order() -> None:
    (found,) = check('"rank decomposition matrices … We freeze the pretrained" (LoRA, p. 1)')
    assert found.state == "not found"


@pytest.mark.parametrize(
    ("quote", "state"),
    [
        ("LoRA … less … than fine-tuning", "pieces of different sentences"),
        ("LoRA … than fine-tuning … in quality", "on the page"),
        ("LoRA performs on par … adds no less … It has adapters", "on the page"),
        ("It … adapters … not … slow", "on the page"),
    ],
)
def test_single_words_between_ellipses_stand_in_neighbouring_sentences(quote: str, state: str) -> None:
    page = (
        "LoRA performs on par or better than fine-tuning in quality. Nobody knew. It adds no less to the theory. "
        "A longer run costs more than fine-tuning. It has adapters. They are not slow."
    )
    (found,) = verify_text(f'"{quote}" (lora.pdf, p. 1)', PaperPages({"lora.pdf": ("A long enough title", [page])}))
    assert (found.state, found.holds) == (state, state == "on the page")
    assert state in found.message or found.holds


def test_a_sentence_with_a_page_and_no_quote_is_judged_by_its_numbers() -> None:
    right, wrong = check("BERT has 340M parameters (BERT, p. 1). It has 110M parameters (BERT, p. 1).")
    assert (right.state, right.holds) == ("not a quote", True)
    assert (wrong.holds, wrong.missing) == (False, ("110M",))


def test_terms_in_quotation_marks_and_plain_text_are_left_alone() -> None:
    assert check('The so-called "rank" of a matrix. Nothing is quoted here, and no page is named.') == []
    assert text_checks_json([])["status"] == "nothing to verify"


def test_a_text_of_too_many_quotes_is_refused() -> None:
    with pytest.raises(EvidenceError, match="Split it"):
        find_quoted('"one two three four" and ' * (MOST_QUOTES + 1), [])


def test_a_quote_of_too_many_parts_is_refused() -> None:
    with pytest.raises(EvidenceError, match="Split the text"):
        check('"We … freeze ' + "… the " * MOST_PARTS + '"')


def test_a_long_gap_in_a_quote_is_read_once() -> None:
    """Each blank was once taken for the beginning of an ellipsis: this took ten minutes."""
    (found,) = check('"We freeze the' + " " * 300_000 + 'pretrained" (LoRA, p. 1)')
    assert found.state == "on the page"


@given(st.text(alphabet='ab c".“”>[]()1p\n…', max_size=200))
def test_any_text_is_read_and_offsets_are_within_it(text: str) -> None:
    for quoted in find_quoted(text, PaperPages(PAGES).papers()):
        assert 0 <= quoted.start < quoted.end <= len(text)


def test_the_command_reads_a_text(
    tmp_path: Path,
    put_models: Callable[[Path], Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from rag_app.cli.main import main  # noqa: PLC0415

    monkeypatch.setenv("RAG_CORPUS", str(tmp_path / "corpus"))
    monkeypatch.setenv("RAG_INDEX", str(put_models(tmp_path) / "index"))
    monkeypatch.setenv("RAG_WORKERS", "1")
    write_paper(tmp_path / "corpus", "lynx.md", "lynx", secret="The lynx of Harz weighs 21.7 stones.")
    draft = tmp_path / "draft.txt"
    draft.write_text('Our source says "The lynx of Harz weighs 21.7 stones" (lynx.md, p. 1).', encoding="utf-8")
    assert main(["verify", str(draft)]) == 0
    assert "found on lynx.md, page 1" in capsys.readouterr().out
    draft.write_text('Our source says "The lynx of Harz weighs 31.7 stones" (lynx.md, p. 1).', encoding="utf-8")
    assert main(["verify", str(draft), "--json"]) == 1
    assert '"not found"' in capsys.readouterr().out


@pytest.mark.parametrize("piece", ["[^1]: ", "[^1]: x y p. 3 ", "p. 3 ", "a/b-c.", "Fig. 3 of X. ", "1234.12345v"])
def test_a_text_that_repeats_itself_is_read_once(piece: str) -> None:
    """Looking for the source of each mark in the whole line took minutes here."""
    assert not any(one.is_quote for one in find_quoted(piece * 10_000, []))
