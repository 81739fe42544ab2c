"""Opening PDF files, with PDFs made on the spot."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from PIL import Image

from rag_app.errors import PaperError
from rag_app.papers.pdf import file
from rag_app.papers.pdf.raw_page import RawPage
from tests.support.pdfs import HEIGHT, WIDTH, make_broken, make_encrypted, make_paper, make_raw, make_scanned


def _word(page: RawPage, word: str) -> tuple[float, ...]:
    for (start, end), box in zip(page.words.tolist(), page.boxes.tolist(), strict=True):
        if page.text[start:end] == word:
            return tuple(box)
    raise AssertionError(f"{word} is not among the words of {page.text!r}")


def test_words_have_boxes_from_the_top_left(tmp_path: Path) -> None:
    path = make_raw(tmp_path / "a.pdf", [[(100, 200, "Hello"), (300, 700, "world")]])
    (page,) = file.read_pages(path)
    x0, y0, x1, y1 = _word(page, "Hello")
    assert x0 == pytest.approx(100, abs=1)
    assert y0 < 200 < y1 + 1
    assert y0 > 190
    assert x0 < x1 < 130
    assert _word(page, "world")[1] > 680
    assert (page.width, page.height) == (WIDTH, HEIGHT)


def test_a_cropped_page_is_measured_from_what_is_shown(tmp_path: Path) -> None:
    (page,) = file.read_pages(make_raw(tmp_path / "a.pdf", [[(100, 200, "Hello")]], crop=36))
    x0, y0, _, _ = _word(page, "Hello")
    assert x0 == pytest.approx(64, abs=1)
    assert y0 == pytest.approx(200 - 36 - 9, abs=4)
    assert (page.width, page.height) == (WIDTH - 36, HEIGHT - 36)


def test_a_turned_page_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    (page,) = file.read_pages(make_raw(tmp_path / "a.pdf", [[(100, 200, "Hello")]], rotate=90))
    assert [page.text[start:end] for start, end in page.words.tolist()] == ["Hello"]
    ((x0, y0, x1, y1),) = page.shown_boxes.tolist()
    assert page.shown_size == (HEIGHT, WIDTH)
    assert (page.width, page.height) == (WIDTH, HEIGHT)  # turned so that it can be read
    assert y0 == pytest.approx(100, abs=1)  # what was left is now at the top
    assert y1 - y0 > x1 - x0
    assert x0 == pytest.approx(HEIGHT - 200, abs=4)


def test_the_boxes_lie_on_the_ink_of_the_picture(tmp_path: Path) -> None:
    path = make_raw(tmp_path / "a.pdf", [[(100, 200, "Hello")]], size=20)
    (page,) = file.read_pages(path)
    data, width, height = file.render_page(path, 1, scale=2)
    picture = Image.open(io.BytesIO(data)).convert("L")
    assert picture.size == (width, height) == (round(2 * WIDTH), round(2 * HEIGHT))
    ink = picture.point(lambda value: 255 if value < 128 else 0).getbbox()
    assert ink is not None
    x0, y0, x1, y1 = (2 * edge for edge in _word(page, "Hello"))
    assert x0 - 3 <= ink[0] and y0 - 3 <= ink[1] and ink[2] <= x1 + 3 and ink[3] <= y1 + 3


def test_lines_carry_their_type_size_and_weight(tmp_path: Path) -> None:
    path = make_paper(tmp_path / "a.pdf", "A Title of the Paper", [("1 Introduction", ["Some words in a row."])])
    (page,) = file.read_pages(path)
    found = {}
    for row, (first, end) in enumerate(page.lines.tolist()):
        text = page.text[page.words[first, 0] : page.words[end - 1, 1]]
        found[text] = (float(page.sizes[row, 0]), bool(page.bold[row, 0]))
    assert found["A Title of the Paper"] == (16, True)
    assert found["1 Introduction"] == (12, True)
    assert found["Some words in a row."] == (10, False)


def test_labels_outline_and_metadata(tmp_path: Path) -> None:
    long = "A sentence that fills the page. " * 200
    path = make_paper(
        tmp_path / "a.pdf",
        sections=[("1 Introduction", [long]), ("1.1 Setup", [long])],
        labels_from=3,
        metadata_title="From the Metadata",
        outline=True,
    )
    assert [page.label for page in file.read_pages(path)][:3] == ["iii", "1", "2"]
    document = file.read_document(path)
    assert document.title == "From the Metadata"
    assert [(entry.title, entry.level) for entry in document.outline] == [("1 Introduction", 0), ("1.1 Setup", 1)]
    assert document.outline[0].page == 1


def test_a_page_without_labels_is_numbered(tmp_path: Path) -> None:
    assert [page.label for page in file.read_pages(make_scanned(tmp_path / "a.pdf"))] == ["1", "2"]


def test_a_password_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    path = make_encrypted(tmp_path / "locked.pdf")
    for read in (file.read_document, file.read_pages, lambda path: file.render_page(path, 1)):
        with pytest.raises(PaperError, match=r"locked\.pdf: encrypted .* without the password"):
            read(path)


def test_a_file_that_anybody_may_open_is_read_though_encrypted(tmp_path: Path) -> None:
    path = make_encrypted(tmp_path / "open.pdf", password="")
    assert "Nobody reads this." in file.read_pages(path)[0].text
    assert file.read_document(path).warnings == ()


def test_a_broken_file_is_an_error_for_pages_and_a_warning_for_metadata(tmp_path: Path) -> None:
    path = make_broken(tmp_path / "broken.pdf")
    with pytest.raises(PaperError, match=r"broken\.pdf: not a readable PDF"):
        file.read_pages(path)
    assert "could not be read" in file.read_document(path).warnings[0]


def test_a_page_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    path = make_scanned(tmp_path / "a.pdf")
    with pytest.raises(PaperError, match="no page 3; its pages are 1 to 2"):
        file.render_page(path, 3)


def test_many_threads_may_draw_and_read_at_once(tmp_path: Path) -> None:
    path = make_paper(tmp_path / "a.pdf")
    results: list[bytes] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                results.append(file.render_page(path, 1)[0])
                file.read_pages(path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(results) == 40
    assert len(set(results)) == 1
