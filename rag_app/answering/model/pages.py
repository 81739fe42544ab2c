"""What a model reads of a paper: its pages in reading order, without bibliography and furniture.

The unit is the page: it is cited by its number, no sentence is cut but where the page itself cuts it, and pages that
follow each other stand together (LongRAG, 2406.15319, section 2: units long enough to be read alone).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper
from rag_app.models.llm.prompt_safety import estimate_tokens
from rag_app.records import Block, Evidence, Page

LEFT_OUT = ("bibliography", "furniture")
SHORTEST_PIECE = 40  # characters
LONG_FURNITURE = 200  # characters: a running head within a paragraph does not cut it


def paper_pieces(generation: Generation, entry: IndexedPaper, pages: Iterable[int] | None = None) -> list[Evidence]:
    """The pages of a paper, or those of these numbers, as evidence numbered 0: a piece for each run of text."""
    wanted = None if pages is None else set(pages)
    found: list[Evidence] = []
    for page in generation.get_reading(entry.paper).pages:
        if wanted is None or page.number in wanted:
            found += [_piece(entry, page, blocks) for blocks in _runs(page)]
    return [piece for piece in found if len(piece.text.strip()) >= SHORTEST_PIECE or wanted is not None]


def _runs(page: Page) -> list[tuple[int, int, str]]:
    """Start, end and first section of each run of blocks; a bibliography or the lettering of a figure ends a run."""
    if not page.blocks:
        return [(0, len(page.text), "")] if page.text.strip() else []
    runs: list[list[Block]] = [[]]
    for block in page.blocks:
        if block.kind not in LEFT_OUT:
            runs[-1].append(block)
        elif block.kind == "bibliography" or block.end - block.start > LONG_FURNITURE:
            runs.append([])
    return [
        (run[0].start, run[-1].end, next((block.section for block in run if block.section), "")) for run in runs if run
    ]


def _piece(entry: IndexedPaper, page: Page, run: tuple[int, int, str]) -> Evidence:
    start, end, section = run
    digest = entry.state == "digest only"
    text = page.text[start:end]
    return Evidence(0, entry.paper, entry.title, page.number, page.label, section, start, end, text, digest)


def tokens_in(pieces: Iterable[Evidence]) -> int:
    """Tokens of the pieces, estimated, with their heads."""
    return sum(estimate_tokens(piece.text) + 30 for piece in pieces)


def best_pages(generation: Generation, entry: IndexedPaper, ranked: Sequence[int], budget: int) -> list[Evidence]:
    """The paper in whole where it fits `budget` tokens, else its first page and the best of `ranked`, in reading order.

    At least the best page is given, however small the budget.
    """
    whole = paper_pieces(generation, entry)
    if tokens_in(whole) <= budget or not ranked:
        return whole if tokens_in(whole) <= budget else _within(whole, budget)
    kept: set[int] = set()
    for number in dict.fromkeys([ranked[0], 1, *ranked[1:]]):
        cost = tokens_in(piece for piece in whole if piece.page == number)
        if not kept or cost <= budget:
            kept.add(number)
            budget -= cost
    return [piece for piece in whole if piece.page in kept]


def _within(pieces: Sequence[Evidence], budget: int) -> list[Evidence]:
    kept: list[Evidence] = []
    for piece in pieces:
        budget -= tokens_in([piece])
        if kept and budget < 0:
            break
        kept.append(piece)
    return kept


def pages_named(text: str, last: int) -> list[int]:
    """Of "4-6, 9" the pages 4, 5, 6 and 9, as far as the paper has them."""
    found: list[int] = []
    for low, high in re.findall(r"(\d{1,5})(?:\s*(?:-|–|to)\s*(\d{1,5}))?", text):
        first = int(low)
        found += range(first, min(int(high or low), first + 200) + 1)
    return [number for number in dict.fromkeys(found) if 1 <= number <= last]


def pages_of_section(generation: Generation, entry: IndexedPaper, name: str) -> list[int]:
    """The pages with a section whose heading holds these words."""
    wanted = " ".join(name.casefold().split())
    return [
        page.number
        for page in generation.get_reading(entry.paper).pages
        if any(wanted in block.section.casefold() for block in page.blocks if block.kind not in LEFT_OUT)
    ]
