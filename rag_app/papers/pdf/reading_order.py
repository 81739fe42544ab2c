"""The order in which a page is read, where the file's own order is broken.

pdfium gives the characters in the order in which they were drawn, and nearly every paper is drawn as it is read. Some
are drawn across both columns, line by line. Only such a page is sorted here: any other order keeps quotes whole for
those who look for them in the raw text.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from rag_app.papers.pdf.raw_page import RawPage

_FEWEST = 8  # rows that jump the gutter before the order counts as broken
_FEWEST_WORDS = 3.5  # of a line in one of several columns, on average: cells of tables hold fewer
_PROSE = 0.3  # of the page's width: what is wider is a line of a column and no cell of a table
_WIDEST_LABEL = 0.22  # of the page's width: a side of a row narrower than that may be a cell of a table


@dataclass(frozen=True)
class _Row:
    first: int  # words
    end: int
    x0: float
    top: float
    x1: float
    bottom: float
    size: tuple[float, float]
    bold: tuple[bool, bool]
    upright: bool


def sort_reading_order(page: RawPage) -> RawPage:
    """The page itself, or the same page with text, words and lines in the order of its columns."""
    if _runs_upward(page):
        rows = _rows(page)
        return _rebuild_page(page, sorted(rows, key=lambda row: (round((row.top + row.bottom) / 2 / 4), row.x0)))
    two, more = _may_jump(page)
    if not two and not more:
        return page
    rows = _rows(page)
    gutter = _find_gutter(page, rows) if two else None
    gutters = [gutter] if gutter is not None else _gutters(page, rows) if more else []
    if not gutters:
        return page
    for one in gutters:
        rows = _split_rows(page, rows, one)
    return _rebuild_page(page, _sort_rows(rows, gutters))


def sort_two_columns(page: RawPage) -> RawPage:
    """The same page, where it has two columns of prose, with one after the other: for lines listed from top to bottom.

    What stands above and below the columns keeps its order: cells of a table stand on both sides as well.
    """
    rows = _rows(page)
    prose = [row for row in rows if row.x1 - row.x0 > _PROSE * page.width]
    steps = np.arange(0.38, 0.62, 0.004) * page.width
    crossed = [sum(row.x0 < step < row.x1 for row in prose) for step in steps]
    gutter = float(steps[int(np.argmin(crossed))])
    left, right = [row for row in prose if row.x1 <= gutter], [row for row in prose if row.x0 >= gutter]
    if min(len(left), len(right)) < _FEWEST or min(crossed) > 0.5 * min(len(left), len(right)):
        return page
    top = max(min(row.top for row in side) for side in (left, right)) - rows[0].size[0]
    above = [row for row in rows if row.bottom <= top]
    within = [row for row in rows if row.bottom > top]
    return _rebuild_page(page, above + _sort_rows(within, [gutter]))


def _runs_upward(page: RawPage) -> bool:
    """Whether line after line stands above the one before it, as pdfium tells some pages that are turned."""
    if not page.turn or len(page.lines) < 3:
        return False
    firsts = page.boxes[page.lines[:, 0]]
    up = firsts[1:, 3] <= firsts[:-1, 1] + 0.3 * (firsts[1:, 3] - firsts[1:, 1])
    return bool(up.sum() > 0.5 * len(up))


def _may_jump(page: RawPage) -> tuple[bool, bool]:
    """A quick look at all words at once, since nearly every page is in order: over the middle, over two gutters."""
    one, two = page.boxes[:-1], page.boxes[1:]
    middle = (one[:, 2] + two[:, 0]) / 2
    level = np.minimum(one[:, 3], two[:, 3]) > np.maximum(one[:, 1], two[:, 1])
    jumps = level & (two[:, 0] - one[:, 2] > 0.01 * page.width)
    within = jumps & (middle > 0.38 * page.width) & (middle < 0.62 * page.width)
    left, right = jumps & (middle < 0.42 * page.width), jumps & (middle > 0.58 * page.width)
    return bool(within.sum() >= _FEWEST), bool(left.sum() >= _FEWEST and right.sum() >= _FEWEST)


def _rows(page: RawPage) -> list[_Row]:
    firsts = page.lines[:, 0]  # lines follow each other without a gap
    low = np.minimum.reduceat(page.boxes[:, :2], firsts, axis=0).tolist()
    high = np.maximum.reduceat(page.boxes[:, 2:], firsts, axis=0).tolist()
    columns = page.lines.tolist(), low, high, page.sizes.tolist(), page.bold.tolist(), page.upright.tolist()
    return [
        _Row(first, end, x0, top, x1, bottom, tuple(size), tuple(bold), upright)
        for (first, end), (x0, top), (x1, bottom), size, bold, upright in zip(*columns, strict=True)
    ]


def _row(
    page: RawPage, first: int, end: int, size: tuple[float, float], bold: tuple[bool, bool], upright: bool
) -> _Row:
    boxes = page.boxes[first:end]
    x0, top = boxes[:, :2].min(axis=0).tolist()
    x1, bottom = boxes[:, 2:].max(axis=0).tolist()
    return _Row(first, end, x0, top, x1, bottom, size, bold, upright)


def _find_gutter(page: RawPage, rows: list[_Row]) -> float | None:
    """The x of the strip between two columns when the drawing order keeps jumping over it; else None."""
    jumps: list[tuple[float, float]] = []  # right edge of the left side, left edge of the right side
    gaps = page.boxes[1:, 0] - page.boxes[:-1, 2]  # after each word but the last
    for row in rows:
        jumps += _jump_inside(page, row, gaps[row.first : row.end - 1])
    for one, two in pairwise(rows):
        smaller = min(one.bottom - one.top, two.bottom - two.top)
        level = min(one.bottom, two.bottom) - max(one.top, two.top) > 0.5 * smaller
        if level and _is_column_pair(page, one.x0, one.x1, two.x0, two.x1):
            jumps.append((one.x1, two.x0))
    upright = sum(row.upright for row in rows)
    if len(jumps) < _FEWEST or len(jumps) < 0.25 * upright:
        return None
    left, right = np.quantile([jump[0] for jump in jumps], 0.9), np.quantile([jump[1] for jump in jumps], 0.1)
    return float(left + right) / 2 if left < right else None


def _jump_inside(page: RawPage, row: _Row, gaps: np.ndarray) -> list[tuple[float, float]]:
    """Both sides of a row's widest gap where that is a gutter. `gaps`: between its words."""
    if not len(gaps) or gaps.max() <= 0.9 * max(row.size):
        return []
    widest = int(gaps.argmax())
    left, right = float(page.boxes[row.first + widest, 2]), float(page.boxes[row.first + widest + 1, 0])
    # In a row of a table there are several gaps of that width.
    lone = (gaps > 0.5 * gaps[widest]).sum() == 1
    return [(left, right)] if lone and _is_column_pair(page, row.x0, left, right, row.x1) else []


def _is_column_pair(page: RawPage, x0: float, x1: float, y0: float, y1: float) -> bool:
    middle = 0.38 * page.width < (x1 + y0) / 2 < 0.62 * page.width
    return middle and x1 < y0 and min(x1 - x0, y1 - y0) > _WIDEST_LABEL * page.width


def _gutters(page: RawPage, rows: list[_Row]) -> list[float]:
    """The strips between three or four columns of prose that the lines are drawn across; empty where there are none."""
    lines = _level_lines(page, rows)
    cells = [line for line in lines if len(line) >= 3]
    if len(cells) < _FEWEST or len(cells) < 0.3 * len(lines):
        return []
    count = Counter(len(line) for line in cells).most_common(1)[0][0]
    regular = [line for line in cells if len(line) == count]
    words = sum(number for line in regular for _, _, number in line) / (count * len(regular))
    if count > 4 or len(regular) < 0.5 * len(cells) or words < _FEWEST_WORDS:
        return []
    gutters = []
    for at in range(1, count):
        left = float(np.quantile([line[at - 1][1] for line in regular], 0.9))
        right = float(np.quantile([line[at][0] for line in regular], 0.1))
        if left >= right:
            return []
        gutters.append((left + right) / 2)
    return gutters


def _level_lines(page: RawPage, rows: list[_Row]) -> list[list[tuple[float, float, int]]]:
    """The pieces of each line between wide gaps: left, right edge, and how many words; rows beside each other join."""
    lines: list[list[tuple[float, float, int]]] = []
    left, right = page.boxes[:, 0].tolist(), page.boxes[:, 2].tolist()
    gaps = (page.boxes[1:, 0] - page.boxes[:-1, 2]).tolist()  # after each word but the last
    above: _Row | None = None
    for row in rows:
        wide = 0.9 * max(row.size)
        cuts = [after + 1 for after in range(row.first, row.end - 1) if gaps[after] > wide]
        pieces = [
            (left[first], right[end - 1], end - first)
            for first, end in zip([row.first, *cuts], [*cuts, row.end], strict=True)
        ]
        level = above is not None and min(above.bottom, row.bottom) - max(above.top, row.top) > 0.5 * (
            min(above.bottom - above.top, row.bottom - row.top)
        )
        if level and lines[-1][-1][1] < row.x0:
            lines[-1] += pieces
        else:
            lines.append(pieces)
        above = row
    return lines


def _split_rows(page: RawPage, rows: list[_Row], gutter: float) -> list[_Row]:
    """Rows that reach over the gutter without a word upon it, cut where they cross it."""
    parts: list[_Row] = []
    for row in rows:
        boxes = page.boxes[row.first : row.end]
        over = ((boxes[:, 0] < gutter) & (boxes[:, 2] > gutter)).any()
        right = boxes[:, 0] >= gutter
        cuts = (np.flatnonzero(right[1:] != right[:-1]) + row.first + 1).tolist()
        if over or not cuts or not row.upright:
            parts.append(row)
            continue
        for first, end in zip([row.first, *cuts], [*cuts, row.end], strict=True):
            parts.append(_row(page, first, end, row.size, row.bold, True))
    return parts


def _sort_rows(rows: list[_Row], gutters: list[float]) -> list[_Row]:
    """Bands from top to bottom, separated by rows across columns; in each the columns from left to right."""

    def is_across(row: _Row) -> bool:
        return any(row.x0 < gutter - 5 and row.x1 > gutter + 5 for gutter in gutters)

    across = sorted((row for row in rows if is_across(row)), key=lambda row: row.top)
    sides = [row for row in rows if not is_across(row)]
    found: list[_Row] = []
    for limit in [*across, None]:
        above = [row for row in sides if limit is None or row.top < limit.top]
        sides = [row for row in sides if row not in above]
        # Pieces of one line (superscripts) keep their order from left to right.
        for side in range(len(gutters) + 1):
            column = [row for row in above if sum(row.x0 >= gutter - 5 for gutter in gutters) == side]
            found += sorted(column, key=lambda row: (round((row.top + row.bottom) / 2 / 4), row.x0))
        if limit is not None:
            found.append(limit)
    return found


def _rebuild_page(page: RawPage, rows: list[_Row]) -> RawPage:
    pieces: list[str] = []
    words: list[np.ndarray] = []
    doubtful: list[int] = []
    length = 0
    for row in rows:
        start, end = int(page.words[row.first, 0]), int(page.words[row.end - 1, 1])
        doubtful += [at - start + length for at in page.doubtful if start <= at < end]
        pieces.append(page.text[start:end])
        words.append(page.words[row.first : row.end] - start + length)
        length += end - start + 2
    counts = np.cumsum([0, *(row.end - row.first for row in rows)])
    return replace(
        page,
        text="\r\n".join(pieces),
        doubtful=tuple(doubtful),
        words=np.concatenate(words).astype(np.int32),
        boxes=np.concatenate([page.boxes[row.first : row.end] for row in rows]),
        lines=np.stack([counts[:-1], counts[1:]], axis=1).astype(np.int32),
        sizes=np.array([row.size for row in rows], np.float32),
        bold=np.array([row.bold for row in rows], bool),
        upright=np.array([row.upright for row in rows], bool),
    )
