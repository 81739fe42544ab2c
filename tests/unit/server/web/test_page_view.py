"""What the viewer is told of a page: lines where its words stand, headings, found words."""

import pytest

from rag_app.papers.read import read_paper
from rag_app.server.web.page_view import find_words, outline, page_sizes, text_lines, word_boxes
from rag_app.server.web.reading_panel import OpaqueIds
from rag_app.server.web.viewer import PaperViewer
from tests.support.fake_assistant import FakeAssistant
from tests.support.pdfs import make_paper

QUOTE = "The reader has 220 million parameters."
FILLER = [f"Filler sentence {number} says nothing of interest to anybody." for number in range(60)]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    sections = [("1 Method", ["We describe it.", QUOTE, *FILLER]), ("2 Results", FILLER)]
    make_paper(folder / "ours.pdf", sections=sections, columns=2)
    (folder / "note.md").write_text(f"# Note\n\nBefore. {QUOTE} After.\n", encoding="utf-8")
    return FakeAssistant(folder)


@pytest.fixture(scope="module")
def pages(library):
    return read_paper(library.path("ours.pdf"), "pdf").pages


def test_the_lines_hold_every_word_once_and_keep_to_their_column(pages):
    for page in pages:
        lines = text_lines(page)
        assert " ".join(line[0] for line in lines).split() == [
            page.text[start:end] for start, end in zip(page.words.starts, page.words.ends, strict=True)
        ]
        body = [line for line in lines if len(line[0]) > 20 and line[2] > page.height / 4]
        assert all(left + width < page.width / 2 + 5 or left > page.width / 2 - 5 for _, left, _, width, _ in body)


def test_a_page_without_a_picture_has_no_lines(library):
    assert text_lines(library.page("note.md", 1)) == []
    assert word_boxes(library.page("note.md", 1), 0, 5) == []


def test_sections_begin_where_they_are_first_met(pages):
    headings = outline(pages)
    assert [title for title, depth, _ in headings if depth == 0][-2:] == ["1 Method", "2 Results"]
    numbers = [page for _, _, page in headings]
    assert numbers == sorted(numbers)
    assert len(page_sizes(pages)) == len(pages)


def test_words_are_found_whatever_their_case_and_line_breaks(pages):
    page, start, end = find_words(pages, "  FILLER sentence 7   says ")[0]
    assert " ".join(pages[page - 1].text[start:end].split()) == "Filler sentence 7 says"
    boxes = word_boxes(pages[page - 1], start, end)
    assert boxes and all(x1 > x0 and y1 > y0 for x0, y0, x1, y1 in boxes)
    assert find_words(pages, "[a-z]+") == [] and find_words(pages, "  ") == []


def test_places_are_described_together_and_unknown_ones_left_out(library):
    ids = OpaqueIds(library)
    viewer = PaperViewer(library, ids)
    name = ids.name_place(library.cite(1, "ours.pdf", 1, QUOTE))
    described = viewer.describe_places([name, "0" * 32])
    assert list(described) == [name]
    assert described[name]["marks"] and "text" not in described[name]
    with pytest.raises(KeyError):
        viewer.describe_layout("missing.pdf")
    assert viewer.describe_layout("note.md")["picture"] is False
