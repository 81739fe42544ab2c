"""What the values of a table's row are: their columns' heads and the table's caption, by where they stand. Pure.

Only what geometry makes certain is said: a value that stands under no head, or between two, gets no name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag_app.records import Block, Citation, Page, TableCell

MOST_CELLS, LONGEST_CAPTION = 16, 160  # cells, characters
REST = 160  # characters: a text of a cell that is longer is a paragraph
WIDEST_HEAD = 6.0  # of the width of a lone column: what is wider stands over other columns too
_GAP = 0.55  # of a word's height: cells of one row stand further apart than words of one cell
_CAPTION = re.compile(r"(?:(?:Supplementary|Extended Data|Appendix)\s+)?Tab(?:le|\.)\b", re.IGNORECASE)
_VALUE = re.compile(
    r"[-+−–±(~∼<>≤≥≈]*[$€£]?\d[\d.,]*(?:e[-−]?\d+|(?<=\.\d)[a-e]$|[%x×kKMGTB]+|\(.*\)|[±/].*)*[*†‡∗)]*$|[-–—✓✗✔✘]+$|N/?A$"
)


@dataclass(frozen=True)
class _Word:
    text: str
    x0: float
    x1: float
    y0: float
    y1: float


_Line = list[_Word]


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


def _read_lines(page: Page, block: Block) -> list[_Line]:
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
    lines: list[_Line] = [[] for _ in ends]
    for row, (x0, y0, x1, y1) in zip(rows.tolist(), boxes.tolist(), strict=True):
        first, last = int(page.words.starts[row]), int(page.words.ends[row])
        if first < last:
            line = int(np.searchsorted(ends, first, side="right"))
            lines[min(line, len(lines) - 1)].append(_Word(page.text[first:last], x0, x1, y0, y1))
    return lines


def _is_sideways(boxes: np.ndarray) -> bool:
    """Whether the text of a table runs up or down the page: most words stand above or below the one before them."""
    steps = np.abs(np.diff(boxes[:, :2] + boxes[:, 2:], axis=0))
    return len(steps) > 0 and bool((steps[:, 1] > steps[:, 0]).mean() > 0.5)


def _name_cells(lines: Sequence[_Line], number: int) -> list[TableCell]:
    columns = _find_columns(lines)
    cells = _cells(lines[number])
    if not columns or len(cells) < 2 or len(cells) - 1 < 0.5 * len(columns):
        return []  # a value that is centred below several heads is that of all of them
    if not any(_is_data(_cells(line)) for line in lines[: number + 1]):
        return []  # the row may be one of heads
    heads = _find_heads(lines, number, columns)
    if not heads:
        return []
    labels = [cell for cell in cells if not _overlaps(cell, columns) and cell[-1].x1 <= columns[-1][0]]
    if not heads.get(0) and len(heads) == len(columns) - 1 > 0:  # a second column of labels: "GPT-3 175B"
        labels += [cell for cell in cells if cell not in labels and _overlaps(cell, columns) == [0]]
    label = " ".join([*_find_group(lines, number), *(word.text for cell in labels for word in cell)])
    named: list[TableCell] = []
    for cell in cells:
        if cell in labels:
            continue
        over = _overlaps(cell, columns)
        head = heads.get(over[0], "") if len(over) == 1 else ""
        value = _join(cell)
        if not head or any(one.column == head for one in named) or value.count("(") != value.count(")"):
            return []  # below no head or below two, two below one, or cut by the line's end: nothing is certain
        named.append(TableCell(label, head, value))
    return named[:MOST_CELLS] if label else []


def _find_group(lines: Sequence[_Line], number: int) -> list[str]:
    """The words of a label beside the middle of several rows, this one among them; empty where there is none."""
    edge = lines[number][0].x0

    def begins_left(at: int) -> bool:
        return bool(lines[at]) and _cells(lines[at])[0][-1].x1 <= edge

    above = next((at for at in range(number - 1, -1, -1) if begins_left(at)), None)
    if above is None or len(_cells(lines[above])) > 1:
        return []
    end = next((at for at in range(number, len(lines)) if begins_left(at)), len(lines))
    first, last, label = lines[above + 1][0], lines[end - 1][0], lines[above][0]
    apart = abs((first.y0 + last.y1) - (label.y0 + label.y1)) / 2
    return [word.text for word in lines[above]] if apart < 0.6 * (label.y1 - label.y0) else []


def _join(words: Sequence[_Word]) -> str:
    return " ".join(word.text for word in words)


def _cells(line: _Line) -> list[list[_Word]]:
    """The words between gaps; a value after a value, and what stands higher or lower, is a cell of its own.

    What stands in brackets behind a value is not.
    """
    found: list[list[_Word]] = []
    for word in line:
        last = found[-1][-1] if found else None
        if last is not None and _goes_on(last, word) and (_is_aside(word, last) or not (_value(word) and _value(last))):
            found[-1].append(word)
        else:
            found.append([word])
    return found


def _is_aside(word: _Word, last: _Word) -> bool:
    """Whether a value says more of the one before it: "1.8 (0.6)", "12.7 ±0.5"."""
    return word.text[0] in "([±" and last.text[0] not in "([±"


def _goes_on(last: _Word, word: _Word) -> bool:
    height = word.y1 - word.y0
    return -height < word.x0 - last.x1 <= _GAP * height and abs(word.y0 - last.y0) < 0.5 * height


def _value(word: _Word) -> bool:
    return bool(_VALUE.match(word.text))


def _is_data(cells: Sequence[Sequence[_Word]]) -> bool:
    """Whether at least half of the cells behind the first are values."""
    values = sum(_value(cell[0]) for cell in cells[1:])
    return values >= max(1, 0.5 * len(cells[1:]))


def _find_columns(lines: Sequence[_Line]) -> list[tuple[float, float]]:
    """Left and right edge of each column of values: what the values of all rows cover, one below the other."""
    rows = [cells for line in lines if _is_data(cells := _cells(line))]
    edges = sorted((cell[0].x0, cell[-1].x1) for cells in rows for cell in cells[1:])
    columns: list[tuple[float, float]] = []
    for x0, x1 in edges:
        if columns and x0 < columns[-1][1]:
            columns[-1] = columns[-1][0], max(columns[-1][1], x1)
        else:
            columns.append((x0, x1))
    return columns


def _overlaps(words: Sequence[_Word], columns: Sequence[tuple[float, float]]) -> list[int]:
    x0, x1 = min(word.x0 for word in words), max(word.x1 for word in words)
    return [at for at, (left, right) in enumerate(columns) if min(x1, right) - max(x0, left) > 0]


def _find_heads(lines: Sequence[_Line], number: int, columns: Sequence[tuple[float, float]]) -> dict[int, str]:
    """The head of each column: of the last lines above the row that hold no values and stand over the columns.

    Below the first rows such a line is a head only where it has no label of its own: else it is a row of words.
    """
    labels = [cells[0] for line in lines if _is_data(cells := _cells(line)) and cells[0][-1].x1 <= columns[0][0]]
    right = max((cell[-1].x1 for cell in labels), default=float("-inf"))
    heads: dict[int, list[str]] = {}
    within, named = True, False  # the lines of one head follow each other; one of them names the labels
    for at, line in enumerate(lines[:number]):
        cells = _cells(line)
        if _is_data(cells):
            within = False
            continue
        if len(cells) == 1 and line[-1].text.endswith("."):
            continue  # the end of a sentence or a formula above the table
        labelled = line[0].x0 < min(right, columns[0][0])
        if (at and len(cells) == 1 and not _stands_over_all(line, columns)) or (labelled and (named or not within)):
            continue  # what the rows below have in common, or a row of words
        beside = _count_label_heads(cells, columns, right) if labelled else 0
        words = [word for cell in cells[beside:] for word in cell]
        kept = [word for word in words if beside or not labelled or word.x0 >= right or _overlaps([word], columns)]
        over = _assign_heads(kept, columns, last=_is_data(_cells(lines[at + 1])) or len(_cells(lines[at + 1])) == 1)
        if not within:
            if len(over) < 0.5 * len(columns):
                continue
            heads, within = {}, True
        named = named or labelled
        for column, text in over.items():
            heads.setdefault(column, []).append(text)
    return {at: " ".join(parts) for at, parts in heads.items()}


def _count_label_heads(cells: Sequence[_Line], columns: Sequence[tuple[float, float]], right: float) -> int:
    """How many of the first cells of a line of heads are those of the labels: they stand over no column of values.

    `right`: where the labels end. The first cell is that of a label in any case.
    """
    stands = [not _overlaps(cell, columns) and (at == 0 or cell[0].x0 < right) for at, cell in enumerate(cells)]
    return stands.index(False) if False in stands else len(cells)


def _stands_over_all(line: _Line, columns: Sequence[tuple[float, float]]) -> bool:
    """Whether the words of a line stand closely over nearly all columns, one or more over each."""
    return len({_nearest(word, columns) for word in line if _overlaps([word], columns)}) >= max(2, 0.8 * len(columns))


def _assign_heads(line: _Line, columns: Sequence[tuple[float, float]], last: bool) -> dict[int, str]:
    """The words of a line of heads by the column they stand over.

    What stands over several is said of each. Of a line that does not stand over all of them only the `last` counts:
    how far a head above others reaches is then not certain.
    """
    cells = [cell for cell in _cells(line) if len(columns) > 1 or _width(cell) < WIDEST_HEAD * _width_of(columns[0])]
    found: dict[int, list[str]] = {}
    if last and len(cells) == 1 and len(columns) > 2 and _stands_over_all(line, columns):
        cells = [[word] for word in line]
    places = [_overlaps(cell, columns) or [_nearest(cell[len(cell) // 2], columns)] for cell in cells]
    whole = len({column for over in places for column in over}) == len(columns)
    for cell, over in zip(cells, places, strict=True):
        nearest = [_nearest(word, columns) for word in cell]
        if last and len(over) > 2 and set(over) <= set(nearest):  # closely set, a head each
            for word, column in zip(cell, nearest, strict=True):
                found.setdefault(column, []).append(word.text)
        elif whole or (last and len(over) == 1):
            for column in over:
                found.setdefault(column, []).append(_join(cell))
    return {column: " ".join(parts) for column, parts in found.items()}


def _width(words: Sequence[_Word]) -> float:
    return words[-1].x1 - words[0].x0


def _width_of(column: tuple[float, float]) -> float:
    return column[1] - column[0]


def _nearest(word: _Word, columns: Sequence[tuple[float, float]]) -> int:
    """The column whose middle is nearest."""
    middle = (word.x0 + word.x1) / 2
    return min(range(len(columns)), key=lambda at: abs((columns[at][0] + columns[at][1]) / 2 - middle))


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
