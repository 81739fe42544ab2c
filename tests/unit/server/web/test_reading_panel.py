"""The reading pane's names, pictures and marks."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.records import Citation
from rag_app.server.web.reading_panel import OpaqueIds, marked_text, percent_boxes, place_note
from tests.support.fake_assistant import FakeAssistant
from tests.support.pdfs import make_paper

QUOTE = "The reader has 220 million parameters."


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    make_paper(folder / "ours.pdf", sections=[("1 Method", ["We describe it.", QUOTE])])
    (folder / "note.md").write_text(f"# Note\n\nBefore. {QUOTE} After.\n", encoding="utf-8")
    return FakeAssistant(folder)


class Renderer:
    def __init__(self, size: int = 10) -> None:
        self.calls: list[tuple[str, int, float]] = []
        self.size = size

    def __call__(self, path: Path, number: int, scale: float) -> tuple[bytes, int, int]:
        self.calls.append((path.name, number, scale))
        return hashlib.sha256(repr((path, number, scale)).encode()).digest() * self.size, 1, 1


box = st.tuples(*[st.floats(-100, 2000, allow_nan=False)] * 4)


@given(st.lists(box, max_size=5), st.floats(1, 3000), st.floats(1, 3000))
def test_marks_lie_on_the_page(boxes, width, height):
    for left, top, wide, high in percent_boxes(boxes, width, height):
        assert 0 <= left <= 100 and 0 <= top <= 100
        assert wide >= 0 and left + wide <= 100.01
        assert high >= 0 and top + high <= 100.01


def test_marks_are_the_boxes_in_percent():
    assert percent_boxes([(61.2, 79.2, 122.4, 158.4)], 612, 792) == [[10.0, 10.0, 10.0, 10.0]]
    assert percent_boxes([(1, 1, 2, 2)], 0, 0) == []


def test_a_name_that_was_never_given_out_opens_nothing(library):
    ids, other = OpaqueIds(library), OpaqueIds(library)
    name = other.name_paper("ours.pdf")
    with pytest.raises(KeyError):
        ids.paper(name)
    assert other.paper(name) == "ours.pdf"
    assert "ours" not in name
    with pytest.raises(KeyError):
        ids.place(ids.name_paper("ours.pdf"))


def test_a_place_is_described_with_its_marks(library):
    ids = OpaqueIds(library)
    citation = library.cite(1, "ours.pdf", 1, QUOTE)
    said = ids.describe_page("ours.pdf", 1, citation)
    assert said["quote"] == QUOTE and said["verified"] is True and said["picture"] is True
    assert said["marks"] == percent_boxes(citation.boxes, said["width"], said["height"]) != []
    assert said["note"] == "Verified: these words are on page 1."


def test_what_is_not_verified_is_not_marked(library):
    citation = library.cite(1, "ours.pdf", 1, "Other words.", verified=False, boxes=((1.0, 1.0, 9.0, 9.0),))
    said = OpaqueIds(library).describe_page("ours.pdf", 1, citation)
    assert said["marks"] == []
    assert "Not verified" in said["note"] and "nothing is marked" in said["note"]


def test_a_place_without_boxes_says_that_nothing_is_marked():
    citation = Citation(1, "a.pdf", "A", 1, "1", "", "words", True)
    assert "could not be determined" in place_note(citation, marked=False)


def test_a_note_is_shown_as_text_with_the_quote_marked(library):
    said = OpaqueIds(library).describe_page("note.md", 1, library.cite(1, "note.md", 1, QUOTE, digest=True))
    before, marked, after = said["text"]
    assert marked == QUOTE and before.endswith("Before. ") and after.strip() == "After."
    assert said["picture"] is False and "digest" in said["note"]
    assert marked_text("abc", "") == ["abc", "", ""]


def test_pages_that_do_not_exist_are_not_drawn(library):
    render = Renderer()
    for paper, number in (("ours.pdf", 0), ("ours.pdf", 99), ("../secret.pdf", 1)):
        with pytest.raises(KeyError):
            OpaqueIds(library, render).picture(paper, number, 2.0)
    assert render.calls == []


def test_a_picture_is_drawn_once(library):
    render = Renderer()
    ids = OpaqueIds(library, render)
    first, again = ids.picture("ours.pdf", 1, 2.0), ids.picture("ours.pdf", 1, 2.0)
    assert first == again and len(render.calls) == 1
    assert ids.picture("ours.pdf", 1, 3.0)[1] != first[1]


def test_a_changed_file_is_drawn_anew(tmp_path):
    path = make_paper(tmp_path / "a.pdf")
    render = Renderer()
    ids = OpaqueIds(FakeAssistant(tmp_path), render)
    tag = ids.picture("a.pdf", 1, 2.0)[1]
    path.write_bytes(path.read_bytes() + b"\n")
    assert ids.picture("a.pdf", 1, 2.0)[1] != tag


def test_the_store_of_pictures_is_bounded(library, monkeypatch):
    monkeypatch.setattr("rag_app.server.web.reading_panel.PICTURES_BYTES", 1000)
    render = Renderer(size=20)  # 640 bytes each
    ids = OpaqueIds(library, render)
    for scale in (1.5, 2.0, 1.5):
        ids.picture("ours.pdf", 1, scale)
    assert len(render.calls) == 3


def test_a_page_of_monstrous_size_is_drawn_small(library, monkeypatch):
    monkeypatch.setattr("rag_app.server.web.reading_panel.LONGEST_SIDE", 100)
    render = Renderer()
    OpaqueIds(library, render).picture("ours.pdf", 1, 3.0)
    assert render.calls[0][2] * 792 <= 101
