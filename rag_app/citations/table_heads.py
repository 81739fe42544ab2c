"""The lines of a table as cells, its columns of values, and the head of each column, by where the words stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

WIDEST_HEAD = 6.0  # of the width of a lone column: what is wider stands over other columns too
OFF_MIDDLE = 0.25  # of the distance of two columns: how far a head may stand from the middle of what it is said of
MOST_GROUPS = 2 / 3  # of the rows: as many labels are those of groups, and no names of the rows themselves
SPACE = 1.12  # of the distance of two rows: rows of two groups stand further apart
RULE = 1.015  # lines that a rule parts are set so much further apart than others, at the least
_GAP = 0.55  # of a word's height: cells of one row stand further apart than words of one cell
_VALUE = re.compile(
    r"[-+−–±(~∼<>≤≥≈]*[$€£]?\d[\d.,]*(?:e[-−]?\d+|(?<=\.\d)[a-e]$|[%x×kKMGTB]+|\(.*\)|[±/].*)*[*†‡∗)]*$|[-–—✓✗✔✘]+$|N/?A$"
)
_SIZE = re.compile(r"\d+(?:\.\d+)?[KMBT]$")


@dataclass(frozen=True)
class Word:
    text: str
    x0: float
    x1: float
    y0: float
    y1: float


Line = list[Word]
Columns = Sequence[tuple[float, float]]


@dataclass
class Grid:
    """A table's lines, their cells, which of them hold values, and left and right edge of each column of values."""

    lines: Sequence[Line]
    cells: list[list[Line]] = field(init=False)
    data: list[bool] = field(init=False)
    columns: Columns = field(init=False)
    names_rows: bool = field(init=False)
    """Whether the first column holds the rows' names, and the labels before it are those of groups of rows."""

    def __post_init__(self) -> None:
        self.cells = [find_cells(line) for line in self.lines]
        self.data = [_is_data(cells) for cells in self.cells]
        self.columns = _find_columns([cells for cells, data in zip(self.cells, self.data, strict=True) if data])
        first = next((at for at, data in enumerate(self.data) if data), None)
        if first is not None and self._is_line_of_sizes(first):
            self.data[first] = False
        self.names_rows = self._has_names_in_first_column()

    def _has_names_in_first_column(self) -> bool:
        rows = [at for at, data in enumerate(self.data) if data]
        labels = [join(self.label_of(at)) for at in rows]
        named = [[cell for cell in self.cells[at] if self.over(cell) == [0]] for at in rows]
        words = all(len(cells) == 1 and not _is_value(cells[0][0]) for cells in named)
        groups = len(set(labels) - {""})
        return words and 0 < groups <= MOST_GROUPS * len(rows) and len({join(one) for (one,) in named}) > 1

    def label_of(self, at: int) -> Line:
        """The cell of a line that stands left of the first column of values; empty where there is none."""
        cells = self.cells[at]
        return cells[0] if cells and cells[0][-1].x1 <= self.columns[0][0] else []

    def find_group(self, number: int) -> Line | None:
        """The label that stands in another row of the group of this one; empty where it has its own.

        None where neither is certain.
        """
        own = self.label_of(number)
        rows = self._rows_beside(number)
        labelled = [at for at in rows if self.label_of(at)]
        if len(labelled) in (0, len(rows)) or (own and not self.names_rows):
            return []
        if len(labelled) == 1:
            label = self.label_of(labelled[0])
            middle = (self.cells[rows[0]][-1][0].y0 + self.cells[rows[-1]][-1][0].y0) / 2
            centred = abs(label[0].y0 - middle) < 0.25 * (label[0].y1 - label[0].y0)
            if centred or (labelled == rows[:1] and self._is_level(labelled[0])):
                return [] if own else label
        if not own or labelled[0] != rows[0] or any(low - high == 1 for high, low in pairwise(labelled)):
            return None  # a label on several lines, or one that may stand beside the middle of its rows
        return [] if self._is_level(number) else None

    def _is_level(self, number: int) -> bool:
        """Whether a row and its label stand on one line."""
        label = self.label_of(number)[0]
        return abs(label.y0 - self.cells[number][-1][0].y0) < 0.1 * (label.y1 - label.y0)

    def _rows_beside(self, number: int) -> list[int]:
        """The rows of values around one that no rule, no line of words and no wider space parts from it."""
        places = {at: self.cells[at][-1][0].y0 for at, data in enumerate(self.data) if data}
        steps = [places[at + 1] - places[at] for at in places if at + 1 in places]
        most = SPACE * min((step for step in steps if step > 0), default=0.0)
        first = last = number
        while first - 1 in places and places[first] - places[first - 1] <= most:
            first -= 1
        while last + 1 in places and places[last + 1] - places[last] <= most:
            last += 1
        return list(range(first, last + 1))

    def _is_line_of_sizes(self, first: int) -> bool:
        """Whether the first line of values names the columns by sizes of models, "7B 13B": no other has such."""
        rows = [cells for cells, data in zip(self.cells[first + 1 :], self.data[first + 1 :], strict=True) if data]
        sizes = [cell for cell in self.cells[first] if find_overlaps(cell, self.columns)]
        used = {column for cells in rows for cell in cells[1:] if _is_value(cell[0]) for column in self.over(cell)}
        over = [self.over(cell) for cell in sizes]
        values = [cell for cells in rows for cell in cells if _is_value(cell[0])]
        above = {column for cells in self.cells[:first] for cell in cells for column in self.over(cell)}
        return (
            len(rows) > 1 < len(sizes)
            and (len(sizes) == len(self.cells[first]) or len(above) < 0.5 * len(used))
            and all(len(cell) == 1 and _SIZE.match(cell[0].text) for cell in sizes)
            and sorted(column for one in over for column in one) == sorted(used)
            and not any(_SIZE.match(cell[0].text) for cell in values)
        )

    def over(self, words: Line) -> list[int]:
        return find_overlaps(words, self.columns)


def join(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def find_cells(line: Line) -> list[Line]:
    """The words between gaps; a value after a value, and what stands higher or lower, is a cell of its own.

    What stands in brackets behind a value is not.
    """
    found: list[Line] = []
    for word in line:
        last = found[-1][-1] if found else None
        if (
            last is not None
            and _goes_on(last, word)
            and (_is_aside(word, last) or not (_is_value(word) and _is_value(last)))
        ):
            found[-1].append(word)
        else:
            found.append([word])
    return found


def _is_aside(word: Word, last: Word) -> bool:
    """Whether a value says more of the one before it: "1.8 (0.6)", "12.7 ±0.5"."""
    return word.text[0] in "([±" and last.text[0] not in "([±"


def _goes_on(last: Word, word: Word) -> bool:
    height = word.y1 - word.y0
    return -height < word.x0 - last.x1 <= _GAP * height and abs(word.y0 - last.y0) < 0.5 * height


def _is_value(word: Word) -> bool:
    return bool(_VALUE.match(word.text))


def _is_data(cells: Sequence[Line]) -> bool:
    """Whether at least half of the cells behind the first are values."""
    values = sum(_is_value(cell[0]) for cell in cells[1:])
    return values >= max(1, 0.5 * len(cells[1:]))


def _find_columns(rows: Sequence[Sequence[Line]]) -> list[tuple[float, float]]:
    """Left and right edge of each column of values: what the values of all rows cover, one below the other."""
    edges = sorted((cell[0].x0, cell[-1].x1) for cells in rows for cell in cells[1:])
    columns: list[tuple[float, float]] = []
    for x0, x1 in edges:
        if columns and x0 < columns[-1][1]:
            columns[-1] = columns[-1][0], max(columns[-1][1], x1)
        else:
            columns.append((x0, x1))
    return columns


def find_overlaps(words: Sequence[Word], columns: Columns) -> list[int]:
    x0, x1 = min(word.x0 for word in words), max(word.x1 for word in words)
    return [at for at, (left, right) in enumerate(columns) if min(x1, right) - max(x0, left) > 0]


def find_heads(grid: Grid, number: int) -> dict[int, str]:
    """The head of each column: of the last lines above the row that hold no values and stand over the columns.

    Below the first rows such a line is a head only where it has no label of its own: else it is a row of words.
    """
    columns, right = grid.columns, _end_of_labels(grid)
    heads: dict[int, Line] = {}
    within, named, last = True, False, -1  # the lines of one head follow each other; one of them names the labels
    for at, (line, cells) in enumerate(zip(grid.lines[:number], grid.cells[:number], strict=True)):
        if grid.data[at]:
            within = False
            continue
        if len(cells) == 1 and line[-1].text.endswith("."):
            continue  # the end of a sentence or a formula above the table
        labelled = line[0].x0 < min(right, columns[0][0])
        if (at and len(cells) == 1 and not _stands_over_all(line, columns)) or (labelled and (named or not within)):
            continue  # what the rows below have in common, or a row of words
        beside = _count_label_heads(cells, columns, right) if labelled else 0
        words = [word for cell in cells[beside:] for word in cell]
        kept = [word for word in words if beside or not labelled or word.x0 >= right or grid.over([word])]
        over = _assign_heads(kept, columns, last=grid.data[at + 1] or len(grid.cells[at + 1]) == 1, alone=not heads)
        if not within:
            if len(over) < 0.5 * len(columns):
                continue
            heads, within = {}, True
        named, last = named or labelled, at
        for column, cell in over.items():
            heads.setdefault(column, []).extend(cell)
    stacked = _read_stacked_heads(grid, last)
    if stacked is not None:
        return stacked
    return _name_groups(grid, last, heads)


def _end_of_labels(grid: Grid) -> float:
    rows = [cells for cells, data in zip(grid.cells, grid.data, strict=True) if data]
    return max((cells[0][-1].x1 for cells in rows if cells[0][-1].x1 <= grid.columns[0][0]), default=float("-inf"))


def _count_label_heads(cells: Sequence[Line], columns: Columns, right: float) -> int:
    """How many of the first cells of a line of heads are those of the labels: they stand over no column of values.

    `right`: where the labels end. The first cell is that of a label in any case.
    """
    stands = [not find_overlaps(cell, columns) and (at == 0 or cell[0].x0 < right) for at, cell in enumerate(cells)]
    return stands.index(False) if False in stands else len(cells)


def _stands_over_all(line: Line, columns: Columns) -> bool:
    """Whether the words of a line stand closely over nearly all columns, one or more over each."""
    return len({_nearest(word, columns) for word in line if find_overlaps([word], columns)}) >= max(
        2, 0.8 * len(columns)
    )


def _assign_heads(line: Line, columns: Columns, last: bool, alone: bool) -> dict[int, Line]:
    """The words of a line of heads by the column they stand over.

    What stands over several is said of each. Of a line that does not stand over all of them only the `last` counts:
    how far a head above others reaches is then not certain. `alone`: no line above it names columns.
    """
    cells = [
        cell for cell in find_cells(line) if len(columns) > 1 or _width(cell) < WIDEST_HEAD * _width_of(columns[0])
    ]
    found: dict[int, Line] = {}
    if last and len(cells) == 1 and len(columns) > 2 and _stands_over_all(line, columns):
        cells = [[word] for word in line]
    places = [find_overlaps(cell, columns) or [_nearest(cell[len(cell) // 2], columns)] for cell in cells]
    whole = len({column for over in places for column in over}) == len(columns)
    for cell, over in zip(cells, places, strict=True):
        nearest = [_nearest(word, columns) for word in cell]
        closely = len(over) > 2 and set(over) <= set(nearest)
        if last and (closely or (alone and len(over) > 1 and nearest == over and _stand_in_the_middle(cell, columns))):
            for word, column in zip(cell, nearest, strict=True):  # closely set, a head each
                found.setdefault(column, []).append(word)
        elif whole or (last and len(over) == 1):
            for column in over:
                found.setdefault(column, []).extend(cell)
    return found


def _stand_in_the_middle(words: Line, columns: Columns) -> bool:
    """Whether each word stands over the middle of its column, and not beside the others as in a head of several."""
    middles = [_middle(columns[_nearest(word, columns)]) for word in words]
    most = 0.1 * (middles[-1] - middles[0]) / (len(words) - 1)
    return all(abs(_middle((word.x0, word.x1)) - middle) < most for word, middle in zip(words, middles, strict=True))


def _name_groups(grid: Grid, last: int, heads: dict[int, Line]) -> dict[int, str]:
    """The heads, those that stand under several groups alike with the name of their group: "Dev EM", "Test EM".

    `last`: the last line of the heads. The groups are named by a line above it, in the middle of each.
    """
    names = {column: join(words) for column, words in heads.items()}
    sizes = [at for at, name in names.items() if _SIZE.match(name)]
    if len(set(names.values())) == len(names) != len(sizes):
        return names
    edges = [
        (min([left, *(word.x0 for word in heads.get(at, ()))]), max([right, *(word.x1 for word in heads.get(at, ()))]))
        for at, (left, right) in enumerate(grid.columns)
    ]
    for at in range(last - 1, -1, -1):
        if grid.data[at]:
            break
        found = _match_groups(grid.cells[at], names, edges) or _share_sizes(grid.cells[at], names, edges)
        if len(found) == 1:
            return found[0]
    return names


def _match_groups(cells: Sequence[Line], names: dict[int, str], edges: Columns) -> list[dict[int, str]]:
    """Every way to give the columns of the same heads, in the same order, to cells that stand over their middle."""
    found = []
    for first in range(len(edges)):
        over = [cell for cell in cells if cell[-1].x1 > edges[first][0]]
        for count in range(len(over), 1, -1):
            groups = over[:count]
            for size in range(2, (len(edges) - first) // count + 1):
                end = first + count * size
                named = _name_columns(groups, names, edges, range(first, end))
                rest = over[count:]
                if named and all(cell[0].x0 >= edges[end - 1][1] for cell in rest):
                    found.append(named)
    return found


def _share_sizes(cells: Sequence[Line], names: dict[int, str], edges: Columns) -> list[dict[int, str]]:
    """Every way to share all columns with the size of a model as their head among the models above: "LLaMA 7B"."""
    columns = sorted(names)
    if not all(_SIZE.match(name) for name in names.values()) or columns != list(range(columns[0], columns[-1] + 1)):
        return []
    over = [cell for cell in cells if cell[-1].x1 > edges[columns[0]][0]]
    ways: list[tuple[int, dict[int, str]]] = [(columns[0], {})]
    for cell in over:
        ways = [
            (end, {**named, **{at: f"{join(cell)} {names[at]}" for at in range(first, end)}})
            for first, named in ways
            for end in range(first + 1, columns[-1] + 2)
            if _is_in_the_middle(cell, edges, range(first, end))
        ]
    whole = [named for end, named in ways if end == columns[-1] + 1]
    return [named for named in whole if len(set(named.values())) == len(named)]


def _name_columns(groups: Sequence[Line], names: dict[int, str], edges: Columns, columns: range) -> dict[int, str]:
    """The names of all columns where `columns` are groups of the same heads, each in the middle under its cell."""
    size = len(columns) // len(groups)
    one = [names.get(at, "") for at in columns[:size]]
    others = [name for at, name in names.items() if at not in columns]
    if (
        [names.get(at, "") for at in columns] != one * len(groups)
        or "" in one
        or len({*one, *others}) < size + len(others)
    ):
        return {}
    named = dict(names)
    for number, cell in enumerate(groups):
        inside = columns[number * size : (number + 1) * size]
        if not _is_in_the_middle(cell, edges, inside):
            return {}
        named |= {at: f"{join(cell)} {names[at]}" for at in inside}
    return named


def _is_in_the_middle(cell: Line, edges: Columns, columns: range) -> bool:
    left, right = edges[columns[0]][0], edges[columns[-1]][1]
    off = abs(_middle((cell[0].x0, cell[-1].x1)) - _middle((left, right)))
    return off <= OFF_MIDDLE * (right - left) / len(columns)


def _read_stacked_heads(grid: Grid, last: int) -> dict[int, str] | None:
    """The heads where the labels' own head is set on several lines, closer to each other than to the first row.

    None where the heads are not set so; empty where a word of them stands over no column or over two.
    """
    rows = next((at for at in range(max(last, 0), len(grid.data)) if grid.data[at]), None)
    if last < 0 or rows is None:
        return None
    first = rows
    while first and not grid.data[first - 1] and grid.lines[first - 1]:
        first -= 1
    tops = [grid.lines[at][0].y0 for at in range(first, rows + 1)]
    steps = [low - high for high, low in pairwise(tops)]
    if len(steps) < 2 or steps[-1] < RULE * max(steps[:-1]) or min(steps) <= 0:
        return None
    stacks: dict[int, list[tuple[int, Line]]] = {}
    labels: list[int] = []
    for at in range(first, rows):
        for cell in grid.cells[at]:
            over = grid.over(cell)
            if not over and cell[-1].x1 <= grid.columns[0][0]:
                labels.append(at)
            elif len(over) == 1:
                stacks.setdefault(over[0], []).append((at, cell))
            else:
                return None
    if len(set(labels)) < 2 or len(labels) > len(set(labels)) or not _are_whole(stacks, range(first, rows)):
        return None
    return {column: " ".join(join(cell) for _, cell in parts) for column, parts in stacks.items()}


def _are_whole(stacks: dict[int, list[tuple[int, Line]]], lines: range) -> bool:
    """Whether each head has one cell on each of the lines that follow each other, the more the higher it begins."""
    for parts in stacks.values():
        own = [at for at, _ in parts]
        if own != list(range(own[0], own[-1] + 1)):
            return False
        if abs((own[0] + own[-1]) - (lines[0] + lines[-1])) > 1 and own[-1] != lines[-1]:
            return False  # neither in the middle nor at the foot of the lines
    return True


def _width(words: Sequence[Word]) -> float:
    return words[-1].x1 - words[0].x0


def _width_of(column: tuple[float, float]) -> float:
    return column[1] - column[0]


def _middle(edges: tuple[float, float]) -> float:
    return (edges[0] + edges[1]) / 2


def _nearest(word: Word, columns: Columns) -> int:
    """The column whose middle is nearest."""
    return min(range(len(columns)), key=lambda at: abs(_middle(columns[at]) - _middle((word.x0, word.x1))))
