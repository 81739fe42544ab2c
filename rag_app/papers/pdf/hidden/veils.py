"""Words of a PDF page that many thin or half transparent areas may cover together. The picture of the page decides."""

from __future__ import annotations

import numpy as np
import pypdfium2

from rag_app.papers.pdf.hidden.ink import CONTRAST

COVERING = 4.0  # points: one area that is narrower hides no line of text
FEWEST = 4  # words: fewer are no sentence
MANY = 200  # areas: of more it is quicker to add them up than to ask which word they touch
VEILED = -float(np.log(CONTRAST / 255))  # in a cell: more leave black on white no contrast
CELL = 2.0  # points: of the grid
MOST_CELLS = 2_000  # along a side
HALF = 0.5  # of the cells under a word


Matrix = tuple[float, ...]
"""a, b, c, d, e, f of ISO 32000-1, 8.3.3."""
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def transform_box(box: tuple[float, ...], matrix: Matrix | None) -> tuple[float, ...]:
    """The box around what `matrix` makes of a box: left, bottom, right, top."""
    if matrix is None:
        return box
    left, bottom, right, top = box
    a, b, c, d, e, f = matrix
    xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
    ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
    return min(xs), min(ys), max(xs), max(ys)


def transform_boxes(boxes: np.ndarray, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Boxes of forms, float64 (n, 4), as they are drawn by the matrices, float64 (n, 6), where they are `moved`."""
    found = boxes.copy()
    x, y = boxes[moved][:, [0, 2, 0, 2]], boxes[moved][:, [1, 1, 3, 3]]  # the corners
    a, b, c, d, e, f = (matrices[moved, column, None] for column in range(6))
    across, up = a * x + c * y + e, b * x + d * y + f
    found[moved] = np.stack([across.min(1), up.min(1), across.max(1), up.max(1)], axis=1)
    return found


def find_veiled(page: pypdfium2.PdfPage, own: np.ndarray, veils: np.ndarray) -> np.ndarray:
    """Which words thin or half transparent areas may cover together, bool (n,). `own`: their boxes on the page.

    `veils`: left, bottom, right, top and alpha of the areas, float64 (n, 5).

    Each area adds -log(1 - alpha) to the cells of a grid that it touches: so much layers of glass swallow together.
    """
    return _add_up(page, own, veils) if _may_cover(veils, own) else np.zeros(len(own), bool)


def _may_cover(areas: np.ndarray, own: np.ndarray) -> bool:
    """Whether some words touch two thin areas or a half transparent one: those of a table touch one rule at most."""
    if len(areas) > MANY:
        return True
    left, bottom, right, top = (areas[:, side, None] for side in range(4))
    touches = (left < own[:, 2]) & (right > own[:, 0]) & (bottom < own[:, 3]) & (top > own[:, 1])
    wide = (right - left >= COVERING) & (top - bottom >= COVERING)
    return int(((touches * (1 + wide)).sum(axis=0) >= 2).sum()) >= FEWEST


def _add_up(page: pypdfium2.PdfPage, own: np.ndarray, areas: np.ndarray) -> np.ndarray:
    corner = np.array(page.get_mediabox()[:2])
    side = min(int(max(page.get_size()) / CELL) + 2, MOST_CELLS)  # of a square: a page may be turned

    def cells_of(boxes: np.ndarray) -> tuple[np.ndarray, ...]:
        near = np.floor((boxes[:, :2] - corner) / CELL)
        far = np.maximum(np.ceil((boxes[:, 2:4] - corner) / CELL), near + 1)
        x0, y0, x1, y1 = (np.clip(one, 0, side).astype(int) for one in (*near.T, *far.T))
        return x0, y0, x1, y1

    weights = -np.log(np.maximum(1 - areas[:, 4] / 255, 1e-3))
    x0, y0, x1, y1 = cells_of(areas)
    left, low = int(x0.min()), int(y0.min())  # the grid reaches as far as the areas do
    wide, high = int(x1.max()) - left + 1, int(y1.max()) - low + 1
    places = [wide * (row - low) + column - left for row, column in ((y0, x0), (y1, x1), (y0, x1), (y1, x0))]
    signed = np.concatenate([weights, weights, -weights, -weights])
    steps = np.bincount(np.concatenate(places), signed, wide * high).reshape(high, wide)
    veiled = np.zeros((high, wide), np.int32)  # how many cells up to here
    veiled[1:, 1:] = (steps.cumsum(0).cumsum(1)[:-1, :-1] > VEILED).cumsum(0).cumsum(1)
    x0, y0, x1, y1 = cells_of(own)
    cells = np.maximum((x1 - x0) * (y1 - y0), 1)
    x0, x1 = (np.clip(one - left, 0, wide - 1) for one in (x0, x1))
    y0, y1 = (np.clip(one - low, 0, high - 1) for one in (y0, y1))
    inside = veiled[y1, x1] - veiled[y0, x1] - veiled[y1, x0] + veiled[y0, x0]
    found: np.ndarray = inside >= HALF * cells
    return found
