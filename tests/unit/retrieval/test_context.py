"""Laws of the evidence: it stands on its page, never overlaps, keeps to its budget, and holds what was found."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.records import Block, Evidence, Hit, Page, Passage
from rag_app.retrieval.context import CHARACTERS_PER_TOKEN, gather

TEXTS = st.text(st.sampled_from("abc. "), min_size=1, max_size=900)


@st.composite
def pages(draw: st.DrawFn) -> dict[tuple[str, int], Page]:
    found = {}
    for paper in ("a.pdf", "b.pdf"):
        for number in (1, 2):
            written, blocks = "", []
            for kind, text in draw(
                st.lists(st.tuples(st.sampled_from(["body", "table", "furniture"]), TEXTS), min_size=1, max_size=6)
            ):
                blocks.append(Block(len(written), len(written) + len(text), kind, f"{len(blocks)} S"))
                written += text + "\n"
            found[paper, number] = Page(number, "i", 612, 792, written, tuple(blocks))
    return found


@st.composite
def searches(draw: st.DrawFn) -> tuple[dict[tuple[str, int], Page], list[Hit], int]:
    library = draw(pages())
    hits = []
    for place in range(draw(st.integers(0, 12))):
        paper, number = draw(st.sampled_from(sorted(library)))
        page = library[paper, number]
        blocks = [block for block in page.blocks if block.kind != "furniture"]
        if not blocks:
            continue
        block = draw(st.sampled_from(blocks))
        start = draw(st.integers(block.start, block.end - 1))
        end = draw(st.integers(start + 1, block.end))
        passage = Passage(f"{place}", paper, number, "i", block.section, start, end, page.text[start:end])
        hits.append(Hit(passage, 1.0 / (place + 1)))
    return library, hits, draw(st.sampled_from([1, 60, 300, 1000, 6000]))


def gathered(library: dict[tuple[str, int], Page], hits: list[Hit], budget: int) -> list[Evidence]:
    return gather(
        hits, lambda paper, number: library[paper, number], lambda paper: (f"Title {paper}", paper == "b.pdf"), budget
    )


@given(searches())
@settings(max_examples=200, deadline=None)
def test_evidence_is_a_slice_of_its_page_numbered_from_one(
    searched: tuple[dict[tuple[str, int], Page], list[Hit], int],
) -> None:
    library, hits, budget = searched
    evidence = gathered(library, hits, budget)
    assert [piece.number for piece in evidence] == list(range(1, len(evidence) + 1))
    for piece in evidence:
        page = library[piece.paper, piece.page]
        assert 0 <= piece.start < piece.end and page.text[piece.start : piece.end] == piece.text
        assert (piece.title, piece.digest, piece.label) == (f"Title {piece.paper}", piece.paper == "b.pdf", "i")
        covered = [block for block in page.blocks if block.start < piece.end and piece.start < block.end]
        assert all(block.kind != "furniture" for block in covered)
    assert bool(evidence) == bool(hits), "at least one piece, however small the budget"


@given(searches())
@settings(max_examples=200, deadline=None)
def test_the_best_hit_is_in_the_first_piece_and_the_budget_is_kept(
    searched: tuple[dict[tuple[str, int], Page], list[Hit], int],
) -> None:
    library, hits, budget = searched
    evidence = gathered(library, hits, budget)
    if hits:
        best, first = hits[0].passage, evidence[0]
        assert (first.paper, first.page) == (best.paper, best.page)
        assert first.start <= best.start and best.end <= first.end
    assert len(evidence) <= 1 or sum(len(piece.text) for piece in evidence) <= budget * CHARACTERS_PER_TOKEN + 2400
    if budget == 6000:
        for hit in hits:
            assert any(
                (piece.paper, piece.page) == (hit.passage.paper, hit.passage.page)
                and piece.start <= hit.passage.start
                and hit.passage.end <= piece.end
                for piece in evidence
            )


@given(searches())
@settings(max_examples=300, deadline=None)
def test_no_two_pieces_overlap(searched: tuple[dict[tuple[str, int], Page], list[Hit], int]) -> None:
    for one, two in combinations(gathered(*searched), 2):
        same = (one.paper, one.page) == (two.paper, two.page)
        assert not same or one.end <= two.start or two.end <= one.start


def test_a_short_hit_is_read_with_its_neighbours() -> None:
    text = "First paragraph.\nSecond paragraph.\nThird paragraph.\n"
    blocks = tuple(Block(start, end, "body", "1 A") for start, end in ((0, 16), (17, 34), (35, 51)))
    library = {("a.pdf", 1): Page(1, "i", 612, 792, text, blocks)}
    (piece,) = gathered(library, [Hit(Passage("0", "a.pdf", 1, "i", "1 A", 17, 34, text[17:34]), 1.0)], 1000)
    assert piece.text == text.rstrip("\n") and piece.section == "1 A"
