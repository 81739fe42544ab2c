"""Where a text of a PDF page may be drawn: within its clip path, which pdfium gives a form's edges, too."""

from __future__ import annotations

import numpy as np
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""

NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)
_RECTANGLE = 5  # points of a closed one
_MOST_POINTS = 64  # of a clip path that is looked at: of a longer one only the picture can tell


_clip_of = direct(pdfium.FPDFPageObj_GetClipPath, ADDRESS, ADDRESS)
_path_count = direct(pdfium.FPDFClipPath_CountPaths, INTEGER, ADDRESS)
_point_count = direct(pdfium.FPDFClipPath_CountPathSegments, INTEGER, ADDRESS, INTEGER)
_point_at = direct(pdfium.FPDFClipPath_GetPathSegment, ADDRESS, ADDRESS, INTEGER, INTEGER)
_place_of = direct(pdfium.FPDFPathSegment_GetPoint, INTEGER, ADDRESS, ADDRESS, ADDRESS)


class ClipPaths:
    """The areas that clip paths leave. Texts that follow each other mostly share one, which is looked at once."""

    def __init__(self) -> None:
        self._last: tuple[int, int] = (0, 0)
        self._area: Box | None = None

    def find_area(self, address: int) -> Box | None:
        """The box that clip paths leave to an object, in the coordinates of the page or form that holds it.

        None where nothing is cut off; NOWHERE where nothing is left, and where the paths are no rectangles.
        """
        clip = _clip_of(address)
        count = _path_count(clip) if clip else 0
        if count <= 0:
            return None
        shared = count, _point_at(clip, count - 1, 0) or 0
        if shared != self._last or not shared[1]:
            self._last, self._area = shared, _measure_area(clip, count)
        return self._area


def _measure_area(clip: int, count: int) -> Box:
    """What all the paths leave together."""
    left, bottom, right, top = -np.inf, -np.inf, np.inf, np.inf
    for index in range(count):
        points = _read_points(clip, index)
        if not _is_rectangle(points):
            return NOWHERE
        low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        left, bottom = max(left, low[0]), max(bottom, low[1])
        right, top = min(right, high[0]), min(top, high[1])
    return (left, bottom, right, top) if left < right and bottom < top else NOWHERE


def _read_points(clip: int, index: int) -> np.ndarray:
    """The points of one path, float32 (n, 2): none where there are too many."""
    count = _point_count(clip, index)
    points = np.zeros((count if 0 < count <= _MOST_POINTS else 0, 2), np.float32)
    place = points.ctypes.data
    for row in range(len(points)):
        _place_of(_point_at(clip, index, row), place + 8 * row, place + 8 * row + 4)
    return points


def _is_rectangle(points: np.ndarray) -> bool:
    """Whether a path goes along the edges of an upright rectangle from corner to corner."""
    if not 4 <= len(points) <= _RECTANGLE:
        return False
    corners = (points == points.min(axis=0)) | (points == points.max(axis=0))
    moved = points[1:4] != points[:3]
    return bool(corners.all() and (moved.sum(axis=1) == 1).all() and (moved[1:] != moved[:-1]).all())
