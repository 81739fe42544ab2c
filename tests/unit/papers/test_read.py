"""Papers made on the spot, and where they are present the real ones, as pages."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.papers import plain_text, read
from rag_app.papers.pdf import ocr
from rag_app.papers.plain_text import MOST_ON_PAGE
from rag_app.papers.read import LONGEST_TITLE, read_paper
from rag_app.records import LONGEST_SECTION, Kind, Page, Reading
from rag_app.text.characters import AS_PLAIN
from rag_app.text.normalize import is_checkable
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import sentences
from tests.support.pdfs import (
    NewPage,
    Table,
    make_broken,
    make_encrypted,
    make_nested,
    make_paper,
    make_raw,
    make_scanned,
)

pytestmark = pytest.mark.slow

SHARED = Path(__file__).resolve().parents[4] / "shared"
PAPERS = SHARED / "papers"
needs_papers = pytest.mark.usefixtures("papers_folder")

SENTENCE = (
    "Retrieval helps language models an\u00adswer questions whose facts lie outside of their pa\u00adram\u00adeters. "
)
LONG = SENTENCE * 8
PLAIN = LONG.replace("\u00ad", "").strip()
REFERENCES = (
    "Vladimir Karpukhin and Barlas Oguz. 2020. Dense passage retrieval for open-domain question answering. In "
    "Proceedings of EMNLP, pages 1-9.",
    "Patrick Lewis. 2020. Retrieval-augmented generation for knowledge-intensive tasks. In NeurIPS 2020, pages 9-24.",
    "Edouard Grave and Gautier Izacard. 2021. Leveraging passage retrieval with generative models. In EACL 2021.",
)
TABLE = Table(
    [["Model", "NQ", "TQA"], ["DPR", "41.5", "57.9"], ["Ours", "44.5", "61.0"], ["BM25", "32.6", "52.4"]],
    "Table 1: Results on two test sets.",
)


def _kinds(page: Page) -> list[tuple[str, str]]:
    return [(block.kind, page.text[block.start : block.end]) for block in page.blocks]


def _texts(reading: Reading, kind: str) -> str:
    return "\n".join(text for page in reading.pages for found, text in _kinds(page) if found == kind)


def _check_laws(reading: Reading) -> None:
    """What every page keeps, whatever was read."""
    for page in reading.pages:
        last = 0
        for block in page.blocks:
            assert last <= block.start < block.end <= len(page.text)
            assert not page.text[last : block.start].strip()
            last = block.end
        assert not page.text[last:].strip()
        if page.words is not None:
            starts, ends, boxes = page.words.starts, page.words.ends, page.words.boxes
            assert len(starts) == len(ends) == len(boxes)
            assert (starts <= ends).all() and (np.diff(starts) >= 0).all() and (ends[:-1] <= starts[1:]).all()
            assert not any(set(page.text[start:end]) & set(" \n") for start, end in zip(starts, ends, strict=True))
            assert "".join(page.text[start:end] for start, end in zip(starts, ends, strict=True)) == "".join(
                page.text.split()
            )


@pytest.mark.parametrize("columns", [1, 2])
def test_a_paper_is_read_with_sections_tables_and_references(tmp_path: Path, columns: int) -> None:
    path = make_paper(
        tmp_path / "a.pdf",
        "Ours: A Method for Testing",
        [("1 Introduction", [LONG] * 5), ("2 Experiments", [LONG] * 4), ("2.1 Results", [LONG, TABLE, LONG])],
        columns=columns,
        abstract="We propose OURS, a method.",
        references=REFERENCES,
        appendix=[("A Training Details", ["We trained for 37 epochs on eight machines. " * 3])],
        running_head="Preprint. Under review.",
    )
    reading = read_paper(path, "pdf")
    _check_laws(reading)
    assert (reading.state, reading.problem, reading.warnings) == ("full text", "", ())
    assert reading.title == "Ours: A Method for Testing"
    assert reading.authors == ("Ada Lovelace", "Alan Turing")
    sections = list(dict.fromkeys(block.section for page in reading.pages for block in page.blocks))
    assert [one for one in sections if one] == [
        "Abstract",
        "1 Introduction",
        "2 Experiments",
        "2 Experiments > 2.1 Results",
        "References",
        "A Training Details",
    ]
    assert reading.bibliography == REFERENCES
    assert _texts(reading, "bibliography") == "\n".join(REFERENCES)
    assert "Table 1: Results on two test sets." in _texts(reading, "caption")
    assert _texts(reading, "table") == "Model NQ TQA\nDPR 41.5 57.9\nOurs 44.5 61.0\nBM25 32.6 52.4"
    body = _texts(reading, "body")
    assert PLAIN in body.replace("\n", " ")
    assert "37 epochs" in body
    assert "Preprint" not in body and "Preprint" in _texts(reading, "furniture")
    assert "answer questions" in body and "an-" not in body and "an swer" not in body


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("mark", ["[{}] ", "{}. ", "¹²³⁴", ""])
def test_references_without_a_heading_are_known_by_their_look(tmp_path: Path, mark: str, columns: int) -> None:
    entries = (*REFERENCES, "Wen-tau Yih, Mike Lewis, and Sebastian Riedel. 2022. Reading more pages. In ACL 2022.")
    marks = list(mark) if mark == "¹²³⁴" else [mark.format(number) for number in range(1, 5)]
    if mark == "¹²³⁴":  # the last is in no core font
        marks, entries = marks[:3], entries[:3]
    references = tuple(f"{one}{entry}" for one, entry in zip(marks, entries, strict=True))
    path = make_paper(
        tmp_path / "a.pdf",
        sections=[("1 Introduction", [LONG] * 2), ("2 Results", [LONG, "As Lewis et al. (2020) say, it helps. " * 3])],
        columns=columns,
        references=references,
        references_heading="",
        appendix=[("A Training Details", ["Ada Lovelace trained it in 2020 for 37 epochs on eight machines. " * 3])],
    )
    reading = read_paper(path, "pdf")
    assert reading.bibliography == references
    body = _texts(reading, "body")
    assert body.count(PLAIN[:40]) == 24 and body.count("37 epochs") == 3 and "it helps" in body


def test_a_list_of_dated_items_is_no_list_of_references(tmp_path: Path) -> None:
    items = [f"{number}. In {2015 + number} we measured the farms again." for number in range(1, 7)]
    reading = read_paper(make_paper(tmp_path / "a.pdf", sections=[("1 History", [LONG, *items])]), "pdf")
    assert reading.bibliography == () and "6. In 2021 we measured" in _texts(reading, "body")


def test_two_columns_drawn_row_by_row_are_read_column_by_column(tmp_path: Path) -> None:
    path = make_paper(tmp_path / "a.pdf", sections=[("1 Introduction", [LONG] * 9)], columns=2, row_by_row=True)
    reading = read_paper(path, "pdf")
    _check_laws(reading)
    assert _texts(reading, "body").replace("\n", " ").count(PLAIN) >= 7


def test_ligatures_are_opened_and_keep_their_place(tmp_path: Path) -> None:
    words = [(72.0, 100.0, "An e\ufb03cient \ufb01nal \ufb02ow".replace("\ufb03", "f\ufb01"))]
    (page,) = read_paper(make_raw(tmp_path / "a.pdf", [words]), "pdf").pages
    assert page.text == "An efficient final flow"
    assert page.words is not None
    row = int(np.searchsorted(page.words.starts, page.text.index("efficient")))
    x0, _, x1, _ = page.words.boxes[row].tolist()
    assert 80 < x0 < x1 < 130


def test_an_axis_whose_minus_is_drawn_as_a_picture_is_no_text(tmp_path: Path) -> None:
    sentence = "The loss was measured for each of the learning rates and is plotted below."
    prose = [(72.0, 100.0 + 12 * row, sentence) for row in range(3)]
    upward = [(72.0, 200.0 + 20 * row, f"0.{6 - row}") for row in range(6)]

    def read_body(name: str, values: str) -> str:
        across = [(100.0 + 60 * column, 330.0, value) for column, value in enumerate(values.split())]
        lines = [[*prose, *upward, *across, (200.0, 350.0, "Change of the score")]]
        return _texts(read_paper(make_raw(tmp_path / name, lines), "pdf"), "body")

    axis = read_body("axis.pdf", "2.4 2.2 2.0 1.8 1.6")  # the page shows -2.4 to -1.6
    assert axis.endswith(sentence) and "2.2" not in axis
    middle = read_body("middle.pdf", "0.1 0.0 0.1 0.2")  # the page shows -0.1 to 0.2
    assert middle.endswith(sentence) and "0.2" not in middle
    assert "0.1 0.0 0.1 0.3" in read_body("uneven.pdf", "0.1 0.0 0.1 0.3")
    assert "2.4 2.3 1.9 1.8 1.1" in read_body("row.pdf", "2.4 2.3 1.9 1.8 1.1")


def test_a_caption_goes_on_with_the_name_of_a_figure_and_over_a_stretched_line(tmp_path: Path) -> None:
    prose = [
        (72.0, 100.0 + 12 * row, "The loss was measured for each of the rates and is plotted.") for row in range(6)
    ]
    stretched = zip((72.0, 110.0, 170.0, 250.0, 300.0), ("a", "prompt", "which", "was", "in"), strict=True)
    caption = [
        *((72.0, 300.0, "Figure 3: The heat of the example that is shown"), (300.0, 300.0, "in")),
        *((72.0, 311.0, "Figure 2, relative to the answer that is given"), (300.0, 311.0, "in")),
        *((72.0, 322.0, "reply to each of the questions that are asked"), (300.0, 322.0, "in")),
        *((x, 333.0, word) for x, word in stretched),
        (72.0, 344.0, "the middle of it."),
    ]
    reading = read_paper(make_raw(tmp_path / "a.pdf", [[*prose, *caption]]), "pdf")
    assert _texts(reading, "caption") == (
        "Figure 3: The heat of the example that is shown in Figure 2, relative to the answer that is given in reply to "
        "each of the questions that are asked in a prompt which was in the middle of it."
    )
    cells = [(72.0, 311.0, "Model"), (170.0, 311.0, "Loss"), (300.0, 311.0, "Rate")]
    table = [(72.0, 300.0, "Table 3: The loss of the models with each rate"), *cells]
    reading = read_paper(make_raw(tmp_path / "b.pdf", [[*prose, *table]]), "pdf")
    assert _texts(reading, "caption") == "Table 3: The loss of the models with each rate"


def test_a_word_over_two_lines_is_two_rows(tmp_path: Path) -> None:
    lines = [(450.0, 100.0, "its imple-"), (72.0, 112.0, "mentation is small")]
    (page,) = read_paper(make_raw(tmp_path / "a.pdf", [lines]), "pdf").pages
    start = page.text.index("implementation")
    assert page.words is not None
    rows = np.flatnonzero((page.words.starts >= start) & (page.words.starts < start + len("implementation")))
    assert len(rows) == 2
    assert page.words.boxes[rows[1], 1] > page.words.boxes[rows[0], 1] + 8
    assert page.words.boxes[rows[0], 0] > 400 and page.words.boxes[rows[1], 0] < 100


def test_labels_and_numbers_are_kept_apart(tmp_path: Path) -> None:
    path = make_paper(tmp_path / "a.pdf", sections=[("1 Introduction", [LONG, NewPage(), LONG])], labels_from=4)
    assert [(page.number, page.label) for page in read_paper(path, "pdf").pages] == [(1, "iv"), (2, "1")]


def test_the_title_comes_from_the_page_unless_it_is_given(tmp_path: Path) -> None:
    path = make_paper(
        tmp_path / "2401.00001v2.pdf", "A Study of Careful Reading", metadata_title="Microsoft Word - draft.doc"
    )
    reading = read_paper(path, "pdf")
    assert (reading.title, reading.arxiv_id, reading.year) == ("A Study of Careful Reading", "2401.00001", 2024)
    assert read_paper(path, "pdf", "Given Title").title == "Given Title"


@pytest.mark.parametrize(
    ("title", "text", "names"),
    [
        ("Ours: A Method for Testing", "We like tests.", ("Ours",)),
        ("Dense Passage Retrieval", "We propose the dense passage retriever (DPR). " + "DPR is good. " * 8, ("DPR",)),
        ("A Study", "In our study we train a retriever called Contriever. " + "Contriever wins. " * 8, ("Contriever",)),
        ("A Study", "We compare with DPR (Karpukhin et al., 2020). " + "DPR is good. " * 8, ()),
    ],
)
def test_the_names_that_a_paper_gives_its_method(tmp_path: Path, title: str, text: str, names: tuple[str, ...]) -> None:
    path = make_paper(tmp_path / "a.pdf", title, [("1 Introduction", [text])])
    assert read_paper(path, "pdf").abbreviations == names


# --- files with faults -----------------------------------------------------------------------------------------------


def test_a_scanned_paper_says_so_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "is_installed", lambda: False)
    reading = read_paper(make_scanned(tmp_path / "scan.pdf"), "pdf")
    assert reading.state == "no text"
    assert len(reading.pages) == 2
    assert reading.problem.startswith("scan.pdf: no text layer") and ocr.INSTALL in reading.problem


def test_a_scanned_page_among_others_is_a_warning_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr, "is_installed", lambda: False)
    path = make_raw(tmp_path / "part.pdf", [[(72, 100, "A page with quite some words on it.")], []])
    reading = read_paper(path, "pdf")
    assert reading.state == "full text"
    assert any("no text on page 2" in warning and ocr.INSTALL in warning for warning in reading.warnings)


@pytest.mark.parametrize("kind", ["encrypted", "broken", "empty", "cut", "gone", "folder"])
def test_a_bad_file_is_a_reading_that_says_what_to_do(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.pdf"
    if kind == "encrypted":
        make_encrypted(path)
    elif kind == "broken":
        make_broken(path)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(make_paper(tmp_path / "whole.pdf").read_bytes()[:400])
    elif kind == "folder":
        path.mkdir()
    reading = read_paper(path, "pdf", "A Known Title")
    assert (reading.state, reading.pages, reading.title) == ("unreadable", (), "A Known Title")
    assert reading.problem.startswith("bad.pdf: ")
    assert re.search(r"\b(Save|Fetch|Put)\b", reading.problem)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_file_never_raises(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = make_paper(Path(folder) / "a.pdf", sections=[("1 Introduction", [SENTENCE])], outline=True)
        content = bytearray(path.read_bytes())
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=30)):
            content[place] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
        reading = read_paper(path, "pdf")
        assert reading.problem.startswith("a.pdf: ") or reading.state == "full text"
        assert "could not be read" not in reading.problem
        _check_laws(reading)


def test_an_encrypted_file_without_password_is_read(tmp_path: Path) -> None:
    path = make_encrypted(tmp_path / "a.pdf", password="", text="Anybody may read this page.")
    assert read_paper(path, "pdf").pages[0].text == "Anybody may read this page."


# --- Markdown and text -----------------------------------------------------------------------------------------------


def test_markdown_has_sections_from_its_headings(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text(
        "# LongRAG: a note\n\nIt reads **long**\nunits.\n\n## Results\n\n- NQ: 62.7\n- Wiki: 64.3\n\n"
        "| Model | NQ |\n|---|---|\n| Ours | 62.7 |\n\n### Detail\nMore.\n\n## References\n\nSomebody. 2024.\n",
        encoding="utf-8",
    )
    reading = read_paper(path, "digest")
    _check_laws(reading)
    assert (reading.title, reading.state) == ("LongRAG: a note", "digest only")
    (page,) = reading.pages
    assert page.words is None
    found = [(block.kind, block.section, page.text[block.start : block.end]) for block in page.blocks]
    assert ("body", "", "It reads **long** units.") in found
    assert ("body", "Results", "- NQ: 62.7") in found
    assert any(kind == "table" and text.endswith("| Ours | 62.7 |") for kind, _, text in found)
    assert ("body", "Results > Detail", "More.") in found
    assert reading.bibliography == ("Somebody. 2024.",)


def test_text_of_any_encoding_is_read(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16"):
        path = tmp_path / f"{encoding}.txt"
        path.write_bytes("A naïve title\n\nGödel’s text.\r\nIt goes on.".encode(encoding))
        reading = read_paper(path, "text")
        assert reading.title == "A naïve title"
        assert reading.pages[0].text == "A naïve title\nGödel’s text. It goes on."


@pytest.mark.parametrize("data", [b"", b"   \n\n", b"\x00\x01\x02" * 50])
def test_a_text_file_without_text_is_unreadable(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    reading = read_paper(path, "text")
    assert reading.state == "unreadable"
    assert reading.problem.startswith("a.txt: ")


# --- the real papers -------------------------------------------------------------------------------------------------


@cache
def _reading(name: str) -> Reading:
    return read_paper(PAPERS / name, "pdf")


def _questions() -> list[dict[str, object]]:
    path = SHARED / "questions_dev.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


SAMPLE = ("2004.04906v3.pdf", "2310.11511v1.pdf", "2106.09685v2.pdf", "2112.01488v3.pdf", "2312.06674v1.pdf")


@needs_papers
@pytest.mark.parametrize("name", SAMPLE)
def test_real_papers_keep_the_laws(name: str) -> None:
    reading = _reading(name)
    _check_laws(reading)
    assert reading.state == "full text"
    assert len(reading.bibliography) > 25


@needs_papers
def test_real_titles_names_and_sections() -> None:
    assert _reading("2004.04906v3.pdf").title == "Dense Passage Retrieval for Open-Domain Question Answering"
    assert _reading("2106.09685v2.pdf").title == "LORA: LOW-RANK ADAPTATION OF LARGE LANGUAGE MODELS"
    assert _reading("2004.04906v3.pdf").abbreviations[0] == "DPR"
    assert _reading("2106.09685v2.pdf").abbreviations[0] == "LoRA"
    assert (_reading("2310.11511v1.pdf").year, _reading("2310.11511v1.pdf").arxiv_id) == (2023, "2310.11511")
    sections = {block.section for page in _reading("2004.04906v3.pdf").pages for block in page.blocks}
    assert "5 Experiments: Passage Retrieval > 5.2 Ablation Study on Model Training" in sections
    assert "A Distant Supervision" in sections


@needs_papers
def test_the_evidence_of_real_questions_is_in_what_is_searched() -> None:
    for question in _questions():
        for fact in question["facts"]:  # type: ignore[attr-defined]
            page = _reading(fact["paper"]).pages[fact["page"] - 1]
            # The file's quotes were taken from the raw characters, where "10¹⁸" is "1018".
            place = find_quote(fact["quote"], page.text.translate(AS_PLAIN))
            assert place is not None, fact
            kinds = {block.kind for block in page.blocks if block.start < place[1] and block.end > place[0]}
            assert not kinds & {"bibliography", "furniture"}, (fact, kinds)


def _outside_form(text: str, keep_hyphens: bool) -> str:
    """How a simple outside check sees a text: all line-break hyphens kept, or all gone."""
    text = unicodedata.normalize("NFKC", text).replace("\r", "")
    text = re.sub(r"[\ufffe\ufffb\u00ad\u0002]\s*|(?<=\w)-[ \t]*\n\s*", "-" if keep_hyphens else "", text)
    return re.sub(r"\s+", " ", text).strip().casefold()


def _raw_pages(name: str) -> Sequence[str]:
    document = pypdfium2.PdfDocument(PAPERS / name)
    return [page.get_textpage().get_text_range() for page in document]


@needs_papers
@pytest.mark.parametrize("name", SAMPLE)
def test_what_counts_as_checkable_is_found_in_the_raw_text(name: str) -> None:
    total = found = 0
    for page, raw in zip(_reading(name).pages, _raw_pages(name), strict=True):
        forms = [_outside_form(raw, keep) for keep in (False, True)]
        for block in page.blocks:
            if block.kind not in ("body", "table", "caption"):
                continue
            for start, end in sentences(page.text[block.start : block.end]):
                sentence = _outside_form(page.text[block.start + start : block.start + end], False)
                # A sign that is drawn and called something else is another character in the raw text.
                if is_checkable(page, block.start + start, block.start + end) and set(sentence) <= set(forms[0]):
                    total += 1
                    found += any(sentence in one for one in forms)
    assert total > 100
    assert found >= 0.99 * total


@needs_papers
def test_reading_is_a_pure_function_of_the_file() -> None:
    one, two = _reading(SAMPLE[0]), read_paper(PAPERS / SAMPLE[0], "pdf")
    assert [page.text for page in one.pages] == [page.text for page in two.pages]
    assert [page.blocks for page in one.pages] == [page.blocks for page in two.pages]
    assert (one.title, one.bibliography, one.abbreviations) == (two.title, two.bibliography, two.abbreviations)


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("long.md", "{}\n---"),
        ("long.html", "<h1>On</h1><h2>{}</h2>"),
        ("nested.md", f"## {'heron ' * 60}\n\n### {{}}"),  # each name is short enough, their path is not
    ],
)
def test_the_name_of_a_section_is_not_repeated_without_end(tmp_path: Path, name: str, heading: str) -> None:
    path = tmp_path / name
    long = "otter " * 5_000 + "end"
    path.write_text(f"# On\n\n{heading.format(long)}\n\nWords of the body.\n", encoding="utf-8")
    (page,) = read_paper(path, "document" if path.suffix == ".html" else "markdown").pages
    assert long in page.text, "the heading itself stays whole"
    assert 0 < max(len(block.section) for block in page.blocks) <= LONGEST_SECTION


def test_of_a_page_no_more_is_read_than_a_page_holds(tmp_path: Path) -> None:
    """A small file may draw one text a million times: forms within forms."""
    path = make_nested(tmp_path / "nested.pdf", 13, "Otters sleep at night and hunt by day near the mill.")
    reading = read_paper(path, "pdf")
    assert path.stat().st_size < 6_000 and reading.state == "full text"
    assert len(reading.pages[0].text) <= MOST_ON_PAGE and "Otters sleep at night" in reading.pages[0].text
    assert "nested.pdf: page 1 not read to the end: more than 300,000 characters" in reading.warnings[0]


def test_of_the_pages_of_a_file_no_more_is_read_than_a_file_of_its_size_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "PER_BYTE", 0)
    content = [(50, 40 + 7 * (at % 100), "Otters sleep at night. " * 400) for at in range(30)]
    path = make_raw(tmp_path / "many.pdf", [content] * 3, size=0.2)
    reading = read_paper(path, "pdf", keep_hidden=True)
    assert [bool(page.text) for page in reading.pages] == [True, True, False]
    assert "many.pdf: page 2, 3 not read to the end" in reading.warnings[0] and "no text" not in str(reading.warnings)


def test_a_title_of_a_thousand_letters_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "long.md").write_text(f"# {'otter ' * 5_000}\n\nThey sleep.\n", encoding="utf-8")
    reading = read_paper(tmp_path / "long.md", "markdown")
    assert len(reading.title) == LONGEST_TITLE and len(reading.pages[0].text) > 29_000


@pytest.mark.parametrize(
    ("head", "year"),
    [
        ("Shore and Shelf 9 (2021) 140-149", 2021),
        ("Breathing and Health 31(2), 5-12 (2023)", 2023),
        ("Woodland Ecology 2019; 22: 88-93", 2019),
        ("Surveys of 2019 and 2021", 0),
    ],
)
def test_the_year_is_that_of_the_journals_head_whatever_its_name(tmp_path: Path, head: str, year: int) -> None:
    words = "In 2016 and 2017 the boxes were drawn by lot and fitted with a thermometer by the staff."
    page = [(330.0, 40.0, head), *((72.0, 120.0 + 14 * line, words) for line in range(6))]
    reference = (72.0, 740.0, "Blanc, M. Keeping water out. Thin Light 11 (2012) 201-209.")
    assert read_paper(make_raw(tmp_path / "a.pdf", [[*page, reference]]), "pdf").year == year


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("a.md", "markdown", "".join(f"# Part {at}\n\nOtters swim in {at} rivers.\n\n" for at in range(30))),
        ("a.html", "document", "".join(f"<h2>Part {at}</h2><p>Otters swim in {at} rivers.</p>" for at in range(30))),
        (
            "a.tex",
            "document",
            "".join(f"\\section{{Part {at}}}\n\nOtters swim in {at} rivers.\n\n" for at in range(30)),
        ),
        ("a.md", "markdown", "# Part\n\n" + "Otters swim in 0 rivers. " * 400),
    ],
)
def test_of_a_file_without_pages_no_more_is_read_than_a_build_embeds_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: Kind, text: str
) -> None:
    monkeypatch.setattr(read, "MOST_PARTS", 20)
    monkeypatch.setattr(read, "MOST_OF_FILE", 6_000)
    (tmp_path / name).write_text(text, encoding="utf-8")
    reading = read_paper(tmp_path / name, kind)
    (page,) = reading.pages
    assert reading.state == "full text" and "Otters swim in 0 rivers." in page.text
    assert len(page.text) <= 6_000 and page.blocks[-1].end == len(page.text)
    assert sum(block.kind == "body" for block in page.blocks) <= 20
    assert reading.warnings[-1].startswith(f"{name}: not read to the end")
