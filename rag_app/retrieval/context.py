"""Retrieve small, read large: the neighbourhood of each hit, up to a budget of tokens (LongRAG, 2406.15319, section 2).

Pure but for the pages it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rag_app.records import Block, Evidence, Hit, Page, PageOf

CHARACTERS_PER_TOKEN = 4  # the usual rate of English prose; only for budgets, never for what an embedder reads
UNIT_CHARACTERS = 2400  # of one piece of evidence: a long paragraph with its neighbours

TitleOf = Callable[[str], tuple[str, bool]]  # paper -> title, and whether it is a digest


@dataclass
class _Window:
    paper: str
    page: Page
    start: int
    end: int


def gather(hits: Sequence[Hit], page_of: PageOf, title_of: TitleOf, budget: int) -> list[Evidence]:
    """The hits with their neighbourhoods, best first, numbered from 1; `budget` is in tokens for all together.

    Windows of one page that touch become one. At least one piece is given, however small the budget.
    """
    windows: list[_Window] = []
    room = budget * CHARACTERS_PER_TOKEN
    unit = max(400, min(UNIT_CHARACTERS, room // 6))
    for hit in hits:
        passage = hit.passage
        page = page_of(passage.paper, passage.page)
        start, end = find_neighbourhood(page, passage.start, passage.end, unit)
        touching = next(
            (
                w
                for w in windows
                if w.paper == passage.paper and w.page.number == page.number and start <= w.end and w.start <= end
            ),
            None,
        )
        gain = (
            end - start
            if touching is None
            else max(end, touching.end) - min(start, touching.start) - (touching.end - touching.start)
        )
        if windows and gain > room:
            continue
        room -= gain
        if touching is None:
            windows.append(_Window(passage.paper, page, start, end))
        else:
            touching.start, touching.end = min(start, touching.start), max(end, touching.end)
    return [_evidence(number, window, title_of) for number, window in enumerate(windows, start=1)]


def interleave_hits(*lists: Sequence[Hit]) -> list[Hit]:
    """The hits of all lists, taking turns; each passage once, at its last turn: what one list alone has comes first."""
    turns = [hit for hits in zip_longest(*lists) for hit in hits if hit is not None]
    return list({hit.passage.id: hit for hit in reversed(turns)}.values())[::-1]


def find_neighbourhood(page: Page, start: int, end: int, unit: int) -> tuple[int, int]:
    """The run of whole blocks around [start, end) within `unit` characters, without bibliography and furniture."""
    blocks = [block for block in page.blocks if block.kind not in ("bibliography", "furniture")]
    inside = [number for number, block in enumerate(blocks) if block.start < end and start < block.end]
    if not inside:
        return start, end
    first, last = inside[0], inside[-1]
    low, high = _clip(blocks[first].start, start, end, unit), _clip(blocks[last].end, start, end, unit)
    while high - low < unit:
        after = blocks[last + 1] if last + 1 < len(blocks) and _are_adjacent(blocks[last], blocks[last + 1]) else None
        before = blocks[first - 1] if first and _are_adjacent(blocks[first - 1], blocks[first]) else None
        if after is not None and after.end - low <= unit:
            last, high = last + 1, after.end
        elif before is not None and high - before.start <= unit:
            first, low = first - 1, before.start
        else:
            break
    return low, high


def _clip(edge: int, start: int, end: int, unit: int) -> int:
    """The block's edge, unless that is farther from the passage than half a unit: then the passage's own edge."""
    spare = max(0, unit - (end - start)) // 2
    if edge < start - spare:
        return start
    return end if edge > end + spare else edge


def _are_adjacent(one: Block, two: Block) -> bool:
    return two.start - one.end <= 2


def _evidence(number: int, window: _Window, title_of: TitleOf) -> Evidence:
    title, digest = title_of(window.paper)
    section = next((b.section for b in window.page.blocks if b.start < window.end and window.start < b.end), "")
    return Evidence(
        number=number,
        paper=window.paper,
        title=title,
        page=window.page.number,
        label=window.page.label,
        section=section,
        start=window.start,
        end=window.end,
        text=window.page.text[window.start : window.end],
        digest=digest,
    )
