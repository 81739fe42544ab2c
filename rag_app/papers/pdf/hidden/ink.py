"""What can be seen of a page's words: the page is drawn, and the pixels in a word's place are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pypdfium2

CONTRAST = 40  # of 255 in one channel: less is no difference to the eye
LEAST_CONTRAST = (
    1.3  # to 1, of two light colours by luminance: a pale yellow is far from white in one channel, and unread
)
TINT = 102  # of 255: the least channel of a light colour; stronger ones are seen by their hue
INK = 0.75  # of the way from background to the text's colour: some pixel of a visible word is nearer than that
CHANGED = 0.04  # of the pixels in a word's place: fewer are dots at its rim
SCALE = 1.5  # pixels per point where a page is drawn
PRINTED = 0.8  # of a line's words have ink in their place where OCR has read it
MOVED, MOVED_GAPS = 0.8, 4  # of so many gaps at least hold no ink once all words are moved by the same


@dataclass(frozen=True, eq=False)
class Picture:
    pixels: np.ndarray  # uint8 (height, width, 3)
    scale: float  # pixels per point
    left: float  # points: where on the page the picture begins
    top: float

    def under(self, box: np.ndarray) -> np.ndarray:
        """The pixels in a word's box, int16 (k, 3); none where the box lies outside."""
        x0, y0, x1, y1 = ((box - [self.left, self.top, self.left, self.top]) * self.scale).tolist()
        left, top = max(int(x0), 0), max(int(y0), 0)
        part = self.pixels[top : max(int(y1 + 1), top), left : max(int(x1 + 1), left)]
        return part.reshape(-1, 3).astype(np.int16)


def draw_part(page: pypdfium2.PdfPage, boxes: np.ndarray) -> Picture:
    """The part of the page that holds these boxes: most of what a page costs to draw is outside."""
    width, height = page.get_size()
    left, top = (max(0.0, float(edge) - 2) for edge in boxes[:, :2].min(axis=0))
    right, bottom = (
        max(0.0, far - float(edge) - 2) for far, edge in zip((width, height), boxes[:, 2:].max(0), strict=True)
    )
    if left + right >= width - 1 or top + bottom >= height - 1:  # boxes beside the page
        left, top, right, bottom = 0.0, 0.0, 0.0, 0.0
    scale = min(SCALE, 3000 / max(width, height, 1.0))
    bitmap = page.render(scale=scale, crop=(left, bottom, right, top), rev_byteorder=True)
    try:
        return Picture(np.array(bitmap.to_numpy()[:, :, :3]), scale, left, top)
    finally:
        bitmap.close()


def visible(picture: Picture, shown: np.ndarray, colours: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which of the words stand out from their background in their own colour: bool (n,)."""
    found = np.zeros(len(shown), bool)
    for row in np.flatnonzero(rows).tolist():
        under = picture.under(shown[row])
        if not len(under):
            continue
        ordered, half = np.sort(under, axis=0), len(under) // 2
        background = (ordered[half] + ordered[(len(under) - 1) // 2]) // 2  # median: letters cover less than half
        apart = int(_distance(background, colours[row]))
        nearest = int(_distance(under, colours[row]).min())
        found[row] = apart >= CONTRAST and nearest < INK * apart and not _both_pale(background, colours[row])
    return found


def is_tint(colours: np.ndarray | list[int]) -> np.ndarray:
    """Which light colours hardly differ from white paper by luminance, bool (...) of 0 to 255 (..., 3)."""
    found: np.ndarray = (np.min(colours, axis=-1) >= TINT) & (contrast(colours, [255, 255, 255]) < LEAST_CONTRAST)
    return found


def _both_pale(one: np.ndarray, two: np.ndarray) -> bool:
    return bool(min(one.min(), two.min()) >= TINT and contrast(one, two) < LEAST_CONTRAST)


def contrast(one: np.ndarray | list[int], two: np.ndarray | list[int]) -> np.ndarray:
    """The contrast of colours, 0 to 255 (..., 3), as WCAG 2.2 counts it: 1 for equal ones, 21 for black on white."""

    def luminance(colours: np.ndarray | list[int]) -> np.ndarray:
        share = np.clip(np.asarray(colours) / 255, 0, 1)
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        bright: np.ndarray = linear @ np.array([0.2126, 0.7152, 0.0722])
        return bright

    first, second = luminance(one), luminance(two)
    found: np.ndarray = (np.maximum(first, second) + 0.05) / (np.minimum(first, second) + 0.05)
    return found


def find_inked(picture: Picture, shown: np.ndarray) -> np.ndarray:
    """Which words have something printed in their place, bool (n,): what OCR has read there."""
    found = np.zeros(len(shown), bool)
    for row in range(len(shown)):
        under = picture.under(shown[row])
        found[row] = len(under) > 0 and int((under.max(axis=0) - under.min(axis=0)).max()) >= CONTRAST
    return found


def changes(
    page: pypdfium2.PdfPage,
    before: Picture,
    shown: np.ndarray,
    rows: np.ndarray,
    addresses: Iterable[int],
    activate: Callable[[int, int], int],
) -> np.ndarray:
    """Where the page looks different without these text objects: bool (n,), True only for words in `rows`.

    `before`: the picture of those words, with all objects. `activate` switches an object off (0) and on (1).
    """
    listed = list(addresses)
    for address in listed:
        activate(address, 0)
    try:
        after = draw_part(page, shown[rows])
    finally:
        for address in listed:
            activate(address, 1)
    found = np.zeros(len(shown), bool)
    for row in np.flatnonzero(rows).tolist():
        one, two = before.under(shown[row]), after.under(shown[row])
        found[row] = bool(len(one)) and bool((_distance(one, two) >= CONTRAST).mean() >= CHANGED)
    return found


def read_by_ocr(picture: Picture, shown: np.ndarray, rows: np.ndarray, aligned: float) -> np.ndarray:
    """Which of these words stand on print that they spell, as far as ink can tell: bool (n,), whole lines.

    Who reads print puts each word where it stands: there is ink under it and none beside it. `aligned`: the share of
    the gaps between words with ink that must hold none; where words lie over other print, some do by chance.
    """
    found = np.zeros(len(shown), bool)
    judged = [(line, *_judge(picture, shown[line])) for line in _lines_of(shown, np.flatnonzero(rows))]
    blank = sum(blank for _, _, blank, _, _ in judged)
    gaps = sum(gaps for _, _, _, gaps, _ in judged)
    if not gaps or blank < aligned * gaps:
        return found
    for line, inked, own_blank, own_gaps, edges in judged:
        share = own_blank / own_gaps if own_gaps else blank / gaps
        stands = share >= 0.5 or (edges and share >= 0.2) or _is_moved(picture, shown[line])
        found[line] = inked >= PRINTED and stands
    return found


def _is_moved(picture: Picture, boxes: np.ndarray) -> bool:
    """Whether the words of a line spell print that begins a little before or after them: other letters are wider."""
    height = float((boxes[:, 3] - boxes[:, 1]).max())
    for step in (-0.4, -0.3, -0.2, 0.2, 0.3, 0.4):
        _, blank, gaps, edges = _judge(picture, boxes + np.array([step, 0, step, 0]) * height)
        if edges and gaps >= MOVED_GAPS and blank >= MOVED * gaps:
            return True
    return False


def _lines_of(shown: np.ndarray, listed: np.ndarray) -> list[np.ndarray]:
    """The rows `listed`, cut where a word does not go on to the right of the one before it."""
    boxes = shown[listed]
    level = np.minimum(boxes[1:, 3], boxes[:-1, 3]) - np.maximum(boxes[1:, 1], boxes[:-1, 1])
    goes_on = (level > 0.5 * (boxes[1:, 3] - boxes[1:, 1])) & (boxes[1:, 0] > boxes[:-1, 0])
    return np.split(listed, np.flatnonzero(~(goes_on & (np.diff(listed) == 1))) + 1) if len(listed) else []


def _judge(picture: Picture, boxes: np.ndarray) -> tuple[float, int, int, bool]:
    """Of the words of one line: the share with ink, blank gaps, all gaps, and whether the print ends where they end."""
    band = 0.25 * (boxes[:, 3] - boxes[:, 1])  # letters fill the middle; what is above and below may touch the rim
    inner = np.stack([boxes[:, 0], boxes[:, 1] + band, boxes[:, 2], boxes[:, 3] - band], axis=1)
    ink = [_ink(picture.under(box)) for box in inner]
    blank, gaps = 0, 0
    for one, two, least in zip(inner, inner[1:], map(min, ink, ink[1:]), strict=False):
        inset = 0.25 * (two[0] - one[2])
        if two[0] - one[2] >= 1.5 and least >= CONTRAST:
            gaps += 1
            between = np.array([one[2] + inset, min(one[1], two[1]), two[0] - inset, max(one[3], two[3])])
            blank += _ink(picture.under(between)) < 0.5 * least
    height = float((boxes[:, 3] - boxes[:, 1]).max())
    before, after = inner[0].copy(), inner[-1].copy()
    before[[0, 2]] = inner[0, 0] - 2.5 * height, inner[0, 0] - height
    after[[0, 2]] = inner[-1, 2] + height, inner[-1, 2] + 2.5 * height
    edges = max(_ink(picture.under(before)), _ink(picture.under(after))) < 0.5 * max(ink)
    return sum(one >= CONTRAST for one in ink) / len(ink), blank, gaps, edges


def _ink(pixels: np.ndarray) -> int:
    """By how much the darkest and the lightest pixel differ; 0 where both are pale."""
    if not len(pixels):
        return 0
    light, dark = pixels.max(axis=0), pixels.min(axis=0)
    return 0 if _both_pale(light, dark) else int((light - dark).max())


def _distance(colours: np.ndarray, other: np.ndarray) -> np.ndarray:
    largest: np.ndarray = np.abs(colours.astype(np.int16) - other.astype(np.int16)).max(axis=-1)
    return largest
