"""Laws of splitting: everything in its place, nothing too long, nothing lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.index.chunking import Splitter, heading_texts, split_paper, texts_to_embed
from rag_app.models.embedder import open_embedder
from rag_app.papers.read import read_paper
from rag_app.records import Block, Page, Passage, Reading
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder

count = WordEmbedder().count_tokens
INDEXED = ("body", "table", "caption")

word = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=1, max_size=12
)
line = st.lists(word, min_size=1, max_size=30).map(" ".join)
body = st.lists(line, min_size=1, max_size=6).map("\n".join)
kinds = st.sampled_from([*INDEXED, "heading", "bibliography", "furniture"])
splitters = st.builds(Splitter, target=st.integers(8, 60), overlap=st.integers(0, 2), window=st.integers(40, 120))


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    pages = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        written, blocks = "", []
        for kind, piece in draw(st.lists(st.tuples(kinds, body), max_size=6)):
            section = draw(st.sampled_from(["", "1 Results", "2 A > 2.1 " + "very long heading " * 20]))
            blocks.append(Block(len(written), len(written) + len(piece), kind, section))
            written += piece + "\n"
        pages.append(Page(number, str(number), 612, 792, written.rstrip("\n"), tuple(blocks)))
    return Reading(draw(st.sampled_from(["", "A Title", "a title without end " * 30])), tuple(pages), "full text")


def passages_of(reading: Reading, splitter: Splitter) -> tuple[Passage, ...]:
    return split_paper(reading, "p.pdf", "d" * 64, splitter, count)


@given(readings(), splitters)
@settings(max_examples=120, deadline=None)
def test_every_passage_stands_where_it_says(reading: Reading, splitter: Splitter) -> None:
    for passage in passages_of(reading, splitter):
        page = reading.pages[passage.page - 1]
        assert page.text[passage.start : passage.end] == passage.text
        assert passage.text == passage.text.strip() != ""
        touched = [block for block in page.blocks if block.start < passage.end and passage.start < block.end]
        assert all(block.kind in INDEXED and block.section == passage.section for block in touched)


@given(readings(), splitters)
@settings(max_examples=120, deadline=None)
def test_no_passage_is_longer_than_the_window_as_it_is_embedded(reading: Reading, splitter: Splitter) -> None:
    passages = passages_of(reading, splitter)
    texts = texts_to_embed(passages, splitter, count)
    assert all(tokens <= splitter.window for tokens in count(texts))
    ends: dict[int, int] = {}  # of each page, how far it was read before: no token is embedded twice
    for passage, embedded in zip(passages, texts, strict=True):
        own = passage.text[max(0, ends.get(passage.page, 0) - passage.start) :].strip()
        assert own and embedded.endswith(own) and len(embedded) <= len(passage.context) + 1 + len(own)
        ends[passage.page] = passage.end
    assert all(tokens <= splitter.window for tokens in count(heading_texts(passages, reading.title, splitter, count)))


@given(readings(), splitters)
@settings(max_examples=120, deadline=None)
def test_nothing_that_is_indexed_is_lost_and_order_is_kept(reading: Reading, splitter: Splitter) -> None:
    passages = passages_of(reading, splitter)
    assert [passage.id for passage in passages] == [f"{'d' * 16}-{number:05d}" for number in range(len(passages))]
    for page in reading.pages:
        here = [passage for passage in passages if passage.page == page.number]
        assert all(one.start < two.start for one, two in pairwise(here))
        covered = {place for passage in here for place in range(passage.start, passage.end)}
        for block in page.blocks:
            wanted = {place for place in range(block.start, block.end) if page.text[place].strip()}
            assert wanted <= covered if block.kind in INDEXED else not wanted & covered


@given(readings(), splitters)
@settings(max_examples=40, deadline=None)
def test_splitting_is_a_function_of_its_arguments(reading: Reading, splitter: Splitter) -> None:
    assert passages_of(reading, splitter) == passages_of(reading, splitter)


def page_of(*pieces: tuple[str, str, str]) -> Reading:
    written, blocks = "", []
    for kind, piece, section in pieces:
        blocks.append(Block(len(written), len(written) + len(piece), kind, section))  # type: ignore[arg-type]
        written += piece + "\n"
    return Reading("T", (Page(1, "iv", 612, 792, written, tuple(blocks)),), "full text")


def test_sentences_stay_whole_and_neighbours_share_one() -> None:
    said = [f"Sentence number {number} has seven words here." for number in range(12)]
    passages = passages_of(page_of(("body", " ".join(said), "1 A")), Splitter(target=30, overlap=1))
    assert len(passages) > 2
    for one, two in pairwise(passages):
        assert one.text.endswith(".") and two.text.startswith("Sentence")
        shared = [sentence for sentence in said if sentence in one.text and sentence in two.text]
        assert len(shared) == 1
    assert {(passage.section, passage.label) for passage in passages} == {("1 A", "iv")}


def test_sections_are_not_mixed() -> None:
    passages = passages_of(page_of(("body", "First.", "1 A"), ("body", "Second.", "2 B")), Splitter())
    assert [(passage.text, passage.section) for passage in passages] == [("First.", "1 A"), ("Second.", "2 B")]


def test_rows_further_down_know_their_caption_and_header() -> None:
    rows = "Model | Score\n" + "\n".join(f"Otter {number} | {number}.5" for number in range(30))
    reading = page_of(("caption", "Table 3: Scores of otters.", "4 R"), ("table", rows, "4 R"))
    first, *later = passages_of(reading, Splitter(target=40))
    assert first.kind == "table" and first.text.startswith("Table 3") and first.context == ""
    assert later and all(passage.kind == "table" for passage in later)
    assert all(
        "Table 3: Scores of otters." in passage.context and "Model | Score" in passage.context for passage in later
    )


def test_two_captions_are_two_passages() -> None:
    reading = page_of(("caption", "Figure 1: One.", "1 A"), ("caption", "Figure 2: Two.", "1 A"))
    assert [(passage.text, passage.kind) for passage in passages_of(reading, Splitter())] == [
        ("Figure 1: One.", "caption"),
        ("Figure 2: Two.", "caption"),
    ]


def test_a_wall_of_digits_is_cut_and_kept() -> None:
    wall = "3" + ".1" * 5000
    passages = passages_of(page_of(("body", wall, "")), Splitter(target=50))
    assert "".join(passage.text for passage in passages) == wall


@pytest.fixture(scope="module")
def minilm(models: Path) -> object:
    return open_embedder(Settings(), models)


HARD = [
    "The quick brown fox. " * 40,
    "超长的中文句子没有空格" * 60,
    "🦦🧪" * 200,
    "∑∫∂αβγδ≈≤≥±√∞" * 60,
    "x" * 4000,
    " ".join(f"{number}.{number}%" for number in range(600)),
    "áéíóúñüß" * 100,
    "a\u0301" * 500,
]


def test_the_real_embedder_never_gets_more_than_it_reads(minilm: object) -> None:
    embedder = minilm
    for hard in HARD:
        reading = page_of(("body", hard, "9 " + hard[:300]), ("table", hard.replace(" ", " | "), "9 Z"))
        reading = Reading(hard[:400], reading.pages, "full text")
        splitter = Splitter(window=embedder.window)  # type: ignore[attr-defined]
        passages = split_paper(reading, "p.pdf", "d" * 64, splitter, embedder.count_tokens)  # type: ignore[attr-defined]
        texts = texts_to_embed(passages, splitter, embedder.count_tokens)  # type: ignore[attr-defined]
        texts += heading_texts(passages, reading.title, splitter, embedder.count_tokens)  # type: ignore[attr-defined]
        assert max(embedder.count_tokens(texts)) <= embedder.window  # type: ignore[attr-defined]


def test_a_real_paper_is_split_within_the_window(minilm: object, papers_folder: Path) -> None:
    reading = read_paper(sorted(papers_folder.glob("*.pdf"))[0], "pdf")
    splitter = Splitter(window=minilm.window)  # type: ignore[attr-defined]
    passages = split_paper(reading, "p.pdf", "d" * 64, splitter, minilm.count_tokens)  # type: ignore[attr-defined]
    texts = texts_to_embed(passages, splitter, minilm.count_tokens)  # type: ignore[attr-defined]
    assert len(passages) > 20 and max(minilm.count_tokens(texts)) <= minilm.window  # type: ignore[attr-defined]
    assert all(reading.pages[one.page - 1].text[one.start : one.end] == one.text for one in passages)


TWO_TABLES = [
    ("table", "Model NQ TQA\nDPR 41.5 57.9\nOurs 44.5 61.0", "4 R"),
    ("caption", "Table 8: Scores of otters.", "4 R"),
    ("table", "Model Learning rate\nDPR 1e-5\nOurs 2e-5", "4 R"),
    ("caption", "Table 9: Settings of beavers.", "4 R"),
]


@pytest.mark.parametrize("below", [True, False])
def test_rows_stand_under_the_caption_on_the_side_where_the_paper_sets_them(below: bool) -> None:
    blocks = TWO_TABLES if below else [TWO_TABLES[1], TWO_TABLES[0], TWO_TABLES[3], TWO_TABLES[2]]
    tables = [passage for passage in passages_of(page_of(*blocks), Splitter()) if passage.kind == "table"]
    assert len(tables) == 2
    assert ["otters" in passage.text for passage in tables] == ["44.5" in passage.text for passage in tables]
    assert ["beavers" in passage.text for passage in tables] == ["2e-5" in passage.text for passage in tables]
