"""Quotes with numbers, drawn at random, each beside its place on the page: to be compared by eye.

python -m benchmarks.quote_pictures FOLDER OUT [--count 200] [--seed 16] [--tables]

Writes OUT/01.png and so on, ten quotes each: the number, the part of the page that the program would mark, with the
words framed, and below it the text that it would quote. With --tables, rows of tables with the heads and the caption
that are said of them. Nothing is judged here: open the pictures, and compare number by number.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rag_app.citations.table_cells import find_row_cells
from rag_app.papers.pdf.file import draw_pixels
from rag_app.papers.read import read_paper
from rag_app.records import Page
from rag_app.text.sentences import sentences

SCALE = 2.2  # pixels per point
RIM = 5.0  # points around the words
EACH = 10  # quotes on a picture
WIDTH = 1250  # pixels


@dataclass(frozen=True)
class Quote:
    """One unit that may be quoted, and what is said of it beside its words."""

    paper: Path
    page: Page
    start: int
    end: int
    about: str = ""

    @property
    def text(self) -> str:
        return self.page.text[self.start : self.end]


def find_quotes(paper: Path, tables: bool) -> Iterator[Quote]:
    """The sentences with a digit of a paper's body and captions, or the rows of its tables."""
    for page in read_paper(paper, "pdf").pages:
        for block in page.blocks:
            if block.kind not in (("table",) if tables else ("body", "caption", "table")):
                continue
            for start, end in sentences(page.text[block.start : block.end]):
                quote = Quote(paper, page, block.start + start, block.start + end)
                if re.search(r"\d", quote.text):
                    yield Quote(paper, page, quote.start, quote.end, _describe(quote))


def _describe(quote: Quote) -> str:
    caption, cells = find_row_cells(quote.page, quote.start, quote.end)
    row = " · ".join([cells[0].row, *(f"{cell.column}: {cell.value}" for cell in cells)]) if cells else ""
    return " — ".join(part for part in (row, caption[:120]) if part)


def draw_quote(quote: Quote, number: int) -> Image.Image:
    """The quote's place on the page, its words framed, and its text below."""
    assert quote.page.words is not None
    rows = (quote.page.words.starts >= quote.start) & (quote.page.words.ends <= quote.end)
    boxes = quote.page.words.boxes[rows]
    pixels, scale = draw_pixels(quote.paper, quote.page.number, SCALE)
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    for part in _pieces(boxes):
        pen.rectangle([float(value) * scale for value in _around(part, 1.0)], outline=(255, 120, 0))
    parts = [picture.crop([int(value * scale) for value in _around(part, RIM)]) for part in _pieces(boxes)]
    font = _open_font()
    lines = textwrap.wrap(f"{number}. {quote.text}", 140) + textwrap.wrap(quote.about, 140)
    lines.append(f"[{quote.paper.name}, page {quote.page.number}]")
    height = sum(part.height for part in parts) + 21 * len(lines) + 8
    sheet = Image.new("RGB", (max([WIDTH, *(part.width for part in parts)]), height), "white")
    at = 0
    for part in parts:
        sheet.paste(part, (0, at))
        at += part.height
    pen = ImageDraw.Draw(sheet)
    for line in lines:
        pen.text((4, at), line, fill=(0, 0, 160), font=font)
        at += 21
    pen.line([0, height - 2, WIDTH, height - 2], fill=(160, 160, 160))
    return sheet


def _open_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font with the signs of formulas, where there is one."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", 15)
    except OSError:
        return ImageFont.load_default(16)


def _pieces(boxes: np.ndarray) -> list[np.ndarray]:
    """The words column by column: cut where the next word stands far above the one before it."""
    cuts = np.flatnonzero(boxes[1:, 1] < boxes[:-1, 1] - 60) + 1
    return [part for part in np.split(boxes, cuts) if len(part)]


def _around(boxes: np.ndarray, rim: float) -> list[float]:
    left, top = boxes[:, :2].min(axis=0) - rim
    right, bottom = boxes[:, 2:].max(axis=0) + rim
    return [max(float(left), 0.0), max(float(top), 0.0), float(right), float(bottom)]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Quotes with numbers beside their places on the pages.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--tables", action="store_true", help="rows of tables only")
    options = parser.parse_args(arguments)
    found = [quote for paper in sorted(options.folder.glob("*.pdf")) for quote in find_quotes(paper, options.tables)]
    chosen = random.Random(options.seed).sample(found, min(options.count, len(found)))
    options.out.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(chosen), EACH):
        drawn = [draw_quote(quote, first + at + 1) for at, quote in enumerate(chosen[first : first + EACH])]
        sheet = Image.new("RGB", (max(one.width for one in drawn), sum(one.height for one in drawn)), "white")
        at = 0
        for one in drawn:
            sheet.paste(one, (0, at))
            at += one.height
        sheet.save(options.out / f"{first // EACH + 1:02}.png")
    print(f"{len(chosen)} of {len(found)} quotes with numbers, from {options.folder}")
    return 0 if chosen else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
