"""What the values of a table's row are: their columns' heads and the table's caption, by where they stand. Pure.

Only what geometry makes certain is said: a value that stands under no head, or between two, gets no name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rag_app.citations.table_heads import Grid, Line, Word, find_heads, join
from rag_app.records import Block, Citation, Page, TableCell

MOST_CELLS, LONGEST_CAPTION = 16, 160  # cells, characters
REST = 160  # characters: a text of a cell that is longer is a paragraph
_CAPTION = re.compile(r"(?:(?:Supplementary|Extended Data|Appendix)\s+)?Tab(?:le|\.)\b", re.IGNORECASE)


def find_row_cells(page: Page, start: int, end: int) -> tuple[str, tuple[TableCell, ...]]:
    """The caption of the table that page.text[start:end] is a row of, and the row's values with row and column.

    Both are empty for other text, for more than one row, and where the page does not make them certain.
    """
    at = next((at for at, block in enumerate(page.blocks) if block.start <= start and end <= block.end), None)
    if at is None or page.blocks[at].kind != "table" or page.words is None:
        return "", ()
    if "\n" in page.text[start:end].strip():
        return "", ()
    block = page.blocks[at]
    lines = _read_lines(page, block)
    number = page.text.count("\n", block.start, start)
    if number >= len(lines) or not lines[number]:
        return "", ()
    found = _find_caption(page, at)
    return (_text(page, found), tuple(_name_cells(lines, number))) if found is not None else ("", ())


def find_caption_span(page: Page, offset: int) -> tuple[int, int] | None:
    """Where the caption of the table at page.text[offset] stands, as offsets into page.text; None where not certain."""
    at = next((at for at, block in enumerate(page.blocks) if block.start <= offset < block.end), None)
    if at is None or page.blocks[at].kind != "table":
        return None
    found = _find_caption(page, at)
    return (page.blocks[found].start, page.blocks[found].end) if found is not None else None


def describe_cells(citation: Citation) -> str:
    """A quoted row in words: "RoBERTa · EM: 86.8 · F1: 89.8", and the table's caption; empty for any other quote."""
    values = [f"{cell.column}: {cell.value}" for cell in citation.cells]
    row = " · ".join([citation.cells[0].row, *values]) if citation.cells else ""
    caption = citation.caption if len(citation.caption) <= LONGEST_CAPTION else citation.caption[:LONGEST_CAPTION] + "…"
    return " — ".join(part for part in (row, caption) if part)


def _read_lines(page: Page, block: Block) -> list[Line]:
    """The words of each line of a table, in a frame where its lines run from left to right."""
    assert page.words is not None
    text = page.text[block.start : block.end]
    ends = [block.start + match.start() for match in re.finditer("\n", text)] + [block.end]
    rows = np.flatnonzero((page.words.starts >= block.start) & (page.words.ends <= block.end))
    boxes = page.words.boxes[rows]
    if len(boxes) and _is_sideways(boxes):
        up = (boxes[1:, 3] < boxes[:-1, 1]).sum() > 0.5 * (len(boxes) - 1)
        x0, y0, x1, y1 = boxes.T
        boxes = np.stack([-y1, x0, -y0, x1] if up else [y0, -x1, y1, -x0], axis=1)
    lines: list[Line] = [[] for _ in ends]
    for row, (x0, y0, x1, y1) in zip(rows.tolist(), boxes.tolist(), strict=True):
        first, last = int(page.words.starts[row]), int(page.words.ends[row])
        if first < last:
            line = int(np.searchsorted(ends, first, side="right"))
            lines[min(line, len(lines) - 1)].append(Word(page.text[first:last], x0, x1, y0, y1))
    return lines


def _is_sideways(boxes: np.ndarray) -> bool:
    """Whether the text of a table runs up or down the page: most words stand above or below the one before them."""
    steps = np.abs(np.diff(boxes[:, :2] + boxes[:, 2:], axis=0))
    return len(steps) > 0 and bool((steps[:, 1] > steps[:, 0]).mean() > 0.5)


def _name_cells(lines: Sequence[Line], number: int) -> list[TableCell]:
    grid = Grid(lines)
    columns, cells = grid.columns, grid.cells[number]
    if not columns or len(cells) < 2 or len(cells) - 1 < 0.5 * len(columns):
        return []  # a value that is centred below several heads is that of all of them
    if not any(grid.data[: number + 1]):
        return []  # the row may be one of heads
    heads = find_heads(grid, number)
    if not heads:
        return []
    labels = [cell for cell in cells if not grid.over(cell) and cell[-1].x1 <= columns[-1][0]]
    group: Line | None = _find_group(grid, number)
    if grid.names_rows or (not heads.get(0) and len(heads) == len(columns) - 1 > 0):  # labels: "GPT-3 175B"
        labels += [cell for cell in cells if cell not in labels and grid.over(cell) == [0]]
        if grid.names_rows or len(labels) < 2:
            group = group or grid.find_group(number)
    if group is None:
        return []
    label = join([*group, *(word for cell in labels for word in cell)])
    named: list[TableCell] = []
    for cell in cells:
        if cell in labels:
            continue
        over = grid.over(cell)
        head = heads.get(over[0], "") if len(over) == 1 else ""
        value = join(cell)
        cut = value.count("(") != value.count(")") or value.endswith(",")
        if cut or not head or any(one.column == head for one in named):
            return []  # below no head or below two, two below one, or cut by the line's end: nothing is certain
        named.append(TableCell(label, head, value))
    return named[:MOST_CELLS] if label else []


def _find_group(grid: Grid, number: int) -> Line:
    """The label on a line of its own beside the middle of several rows, this one among them; empty for none."""
    lines, edge = grid.lines, grid.lines[number][0].x0

    def begins_left(at: int) -> bool:
        return bool(lines[at]) and grid.cells[at][0][-1].x1 <= edge

    above = next((at for at in range(number - 1, -1, -1) if begins_left(at)), None)
    if above is None or len(grid.cells[above]) > 1:
        return []
    end = next((at for at in range(number, len(lines)) if begins_left(at)), len(lines))
    first, last, label = lines[above + 1][0], lines[end - 1][0], lines[above][0]
    apart = abs((first.y0 + last.y1) - (label.y0 + label.y1)) / 2
    return lines[above] if apart < 0.6 * (label.y1 - label.y0) else []


def _find_caption(page: Page, at: int) -> int | None:
    """The caption beside the table, on the side where the tables of this page have theirs; None where both may be.

    As the number of its block.
    """
    captions = [number for number, block in enumerate(page.blocks) if _is_caption(page, block)]
    above = next((number for number in reversed(captions) if number < at and _reaches(page, number, at)), None)
    below = next((number for number in captions if number > at and _reaches(page, at, number)), None)
    near = [number for number in (above, below) if number is not None and _adjoins(page, number, at)]
    unsure = above is not None and below is not None and len(near) == 1  # the text of a cell stands before the other
    votes = sum(_side(page, number) for number in captions if not (unsure and number in (above, below)))
    if above is not None and below is not None:
        found = None if not votes else above if votes > 0 else below
    else:
        found = above if above is not None else below
        if found is None or (votes < 0 and found == above) or (votes > 0 and found == below):
            return None
    if found not in near or found is None:
        return None
    # A caption between two tables may be the other one's.
    return found if votes or _side(page, found) else None


def _is_caption(page: Page, block: Block) -> bool:
    return block.kind == "caption" and _CAPTION.match(page.text[block.start : block.end]) is not None


def _reaches(page: Page, one: int, two: int) -> bool:
    """Whether nothing but rests of a table, the text of a cell and furniture stands between two blocks."""
    between = page.blocks[one + 1 : two]
    return all(
        block.kind in ("table", "furniture") or (block.kind == "body" and block.end - block.start <= REST)
        for block in between
    )


def _adjoins(page: Page, one: int, two: int) -> bool:
    """Whether nothing but rests of a table and furniture stands between two blocks, in either order."""
    return all(block.kind in ("table", "furniture") for block in page.blocks[min(one, two) + 1 : max(one, two)])


def _side(page: Page, number: int) -> int:
    """1 for a caption with a table below it only, -1 for one with a table above it only."""
    kinds = [block.kind for block in page.blocks]
    before = number > 0 and kinds[number - 1] == "table"
    after = number + 1 < len(kinds) and kinds[number + 1] == "table"
    return int(after) - int(before)


def _text(page: Page, number: int) -> str:
    block = page.blocks[number]
    return " ".join(page.text[block.start : block.end].split())
