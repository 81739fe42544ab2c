"""Numbers that stand above each other in a line of text."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_app.papers.read import read_paper

CONTENT = """%%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 4 0 R>>>>/Contents 5 0 R>>endobj
4 0 obj<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>endobj
5 0 obj<</Length %d>>stream
%s
endstream endobj
trailer<</Root 1 0 R>>
"""
BEFORE = "BT /F1 10 Tf 72 700 Td (We use a dimension of) Tj ET"
NUMBERS = "BT /F1 7 Tf 173 704 Td (2) Tj ET BT /F1 7 Tf 173 695.5 Td (3) Tj ET"
AFTER = "BT /F1 10 Tf 180 700 Td (of the width, as they do.) Tj ET"
BAR = "0.4 w 172.5 702.3 m 177.5 702.3 l S"


@pytest.mark.parametrize(
    ("bar", "words"),
    [
        (BAR, "a dimension of 2/3 of the width, as they do."),
        ("172.5 702.1 5 0.4 re f", "a dimension of 2/3 of the width, as they do."),
        ("", ""),  # two numbers, one above the other, may be anything
        ("0.4 w 72 702.3 m 400 702.3 l S", ""),  # the line of a table
    ],
)
def test_a_fraction_is_one_word_where_a_bar_is_drawn(tmp_path: Path, bar: str, words: str) -> None:
    drawn, path = f"{BEFORE} {NUMBERS} {bar} {AFTER}", tmp_path / "paper.pdf"
    path.write_text(CONTENT % (len(drawn), drawn), encoding="ascii")
    (page,) = read_paper(path, "pdf").pages
    assert words in page.text and ("2/3" in page.text) == bool(words)
    if words:
        assert page.words is not None
        row = [page.text[start:end] for start, end in zip(page.words.starts, page.words.ends, strict=True)].index("2/3")
        left, top, right, bottom = page.words.boxes[row].tolist()
        assert left < 174 and right > 176 and bottom - top > 12, "the mark lies on both numbers"


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("2302.13971v1.pdf", 3, "We use a dimension of 2/3 4d instead of 4d as in PaLM."),
        ("2208.03299v3.pdf", 6, "Plm ≈ 1/25"),
        ("2305.14314v1.pdf", 4, "qi = 1/2 ("),
    ],
)
def test_fractions_of_real_papers(papers_folder: Path, name: str, number: int, words: str) -> None:
    assert words in read_paper(papers_folder / name, "pdf").pages[number - 1].text
