"""Signs that a font draws and calls something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_app.citations.signs import has_doubtful_signs
from rag_app.papers.pdf.file import raw_text
from rag_app.papers.read import read_paper
from rag_app.papers.reading_store import load_reading, save_reading
from rag_app.records import Page
from tests.support.pdfs import make_signs

INTERVAL = "The change was 4.2 (95% CI: −0.40 to 18.66; p = 0.03; n = 12) and the"
LEVEL = "level was 3.1 µg/l in 5 + 7 farms, r = −0.4, of ≤ 34% of them."


def test_signs_are_read_as_they_are_drawn(tmp_path: Path) -> None:
    path = make_signs(tmp_path / "signs.pdf", [INTERVAL, LEVEL])
    assert "CI: 0.40 to" in raw_text(path, 1) and "p ¼ 0.03" in raw_text(path, 1) and "3.1 mg/l" in raw_text(path, 1)
    (page,) = read_paper(path, "pdf").pages
    assert page.text == f"{INTERVAL} {LEVEL}".replace("µ", "μ")
    assert page.doubtful == ()


def test_a_box_lies_on_its_word_where_a_sign_was_put_back(tmp_path: Path) -> None:
    (page,) = read_paper(make_signs(tmp_path / "signs.pdf", [INTERVAL]), "pdf").pages
    assert page.words is not None
    words = [page.text[start:end] for start, end in zip(page.words.starts, page.words.ends, strict=True)]
    assert words == INTERVAL.split()
    assert (page.words.boxes[1:, 0] > page.words.boxes[:-1, 2]).all()


def test_a_sign_that_is_not_known_is_told_and_kept(tmp_path: Path) -> None:
    path = make_signs(tmp_path / "odd.pdf", ["The change was 4.2 = 3.4 there.", "It is 5 percent."], {"=": "spade"})
    reading = read_paper(path, "pdf")
    save_reading(tmp_path / "part", reading)
    (page,) = load_reading(tmp_path / "part").pages
    assert "4.2 ¼ 3.4" in page.text
    start = page.text.index("It is")
    assert has_doubtful_signs(page, 0, start - 1) and not has_doubtful_signs(page, start, len(page.text))


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("an increase of 9.1 (95% CI 0.40 to 18.66)", False),
        ("an increase of 9.1 (95% CI −0.40 to 18.66)", False),
        ("a change of 0.2 (95% CI 0.40 to 0.10)", True),
        ("a change of −3.2 (95% CI: 4.1, 2.2)", True),
        ("a change of 3.2 (95% CI: −4.1, −2.2)", True),
        ("the effect was small (p = 0.03)", False),
        ("the effect was small (p = 14)", True),
        ("group 7 = 3 of them", False),
    ],
)
def test_numbers_that_make_no_sense_are_doubted(text: str, doubtful: bool) -> None:
    assert has_doubtful_signs(Page(1, "1", 100, 100, text), 0, len(text)) == doubtful


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("1905.07830v1.pdf", 1, "state-of-the-art models struggle (<48%)"),
        ("1905.07830v1.pdf", 1, "trivial for humans (>95% accuracy)"),
        ("2406.04744v2.pdf", 1, "achieve ≤ 34% accuracy"),
        ("2406.04744v2.pdf", 7, "system with 1, −1, 0 for accurate"),  # mathabx calls it ´
        ("2406.04744v2.pdf", 20, "05/12/2024∼05/16/2024"),
        ("1905.07830v1.pdf", 12, "to estimate P(answer i is right|worker rates i as best). We"),
        ("1810.04805v2.pdf", 4, "(e.g., ⟨Question, Answer⟩)"),
        ("2211.10435v2.pdf", 3, "p ≡ ⟨x1·t1·y1⟩∥⟨x2·t2·y2⟩∥. . .∥⟨xk·tk·yk⟩."),
        ("2208.03299v3.pdf", 4, "(dk | q) ] , where"),  # Latin Modern calls this bracket #
        ("2401.14887v4.pdf", 3, "s(q, di) = q\u20d7 · \u20d7di"),  # an arrow over a letter, called ®
        ("2404.12457v1.pdf", 6, "while ∑"),
        ("2211.09260v2.pdf", 24, "TART-full ✓ ✓ 72.8"),  # its font calls the tick X
    ],
)
def test_signs_of_real_papers(papers_folder: Path, name: str, number: int, words: str) -> None:
    text = read_paper(papers_folder / name, "pdf").pages[number - 1].text
    assert words.replace(" ", "") in text.replace(" ", "").replace("\n", "")


@pytest.mark.parametrize(
    ("name", "number", "words", "doubtful"),
    [
        ("2104.09864v5.pdf", 5, "we set θi = 10000−2i/d", True),  # 10000 to the power of -2i/d
        ("2310.19923v4.pdf", 3, "a = 2⌊log2 n⌋", True),
        ("2201.11903v6.pdf", 20, "N/A (finetuning) 55a 57.4b", True),  # marks of notes
        ("2112.01488v3.pdf", 19, "candidates = probe ∗ 2 ¹²", False),  # a raised number is written as one
        ("2310.19923v4.pdf", 3, "For the feedforward sublayers within the attention blocks", False),
    ],
)
def test_a_power_that_cannot_be_written_is_told(
    papers_folder: Path, name: str, number: int, words: str, doubtful: bool
) -> None:
    page = read_paper(papers_folder / name, "pdf").pages[number - 1]
    start = page.text.index(words)
    assert has_doubtful_signs(page, start, start + len(words)) == doubtful
