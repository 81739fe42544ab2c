"""Writes small PDFs with text at given places and of given visibility, for hostile papers.

A page is a list of texts and filled areas in the order of drawing. One font (Times), characters of Latin-1.
"""

from __future__ import annotations

import textwrap
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT = 612.0, 792.0  # points
LEFT, TOP, BOTTOM = 72.0, 72.0, 720.0
SIZE, LEADING = 10.0, 13.0
LINE = 92  # characters of text at SIZE between the margins

Colour = tuple[float, float, float]
BLACK: Colour = (0.0, 0.0, 0.0)
WHITE: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Text:
    """One line of text. x and y are points from the top left corner to the beginning of its base line."""

    text: str
    x: float
    y: float
    size: float = SIZE
    colour: Colour = BLACK
    mode: int = 0  # PDF's text render mode: 3 is invisible
    alpha: float = 1.0


@dataclass(frozen=True)
class Area:
    """A filled rectangle; x and y are its top left corner."""

    x: float
    y: float
    width: float
    height: float
    colour: Colour = BLACK


Mark = Text | Area


def write_pdf(path: Path, pages: Sequence[Sequence[Mark]], *, title: str = "") -> Path:
    """Write the pages, each mark drawn over those before it. `title` goes into the metadata."""
    alphas = sorted({mark.alpha for page in pages for mark in page if isinstance(mark, Text)})
    states = " ".join(f"/A{number} <</ca {alpha} /CA {alpha}>>" for number, alpha in enumerate(alphas))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "",
        "<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/WinAnsiEncoding>>",
        f"<</Font<</F1 3 0 R>>/ExtGState<<{states}>>>>",
        f"<</Title({_escape_text(title)})>>",
    ]
    kids = []
    for page in pages:
        content = "\n".join(_draw_mark(mark, alphas) for mark in page)
        packed = zlib.compress(content.encode("cp1252", "replace")).decode("latin-1")
        objects.append(f"<</Length {len(packed)}/Filter/FlateDecode>>stream\n{packed}\nendstream")
        box = f"/MediaBox[0 0 {WIDTH} {HEIGHT}]"
        objects.append(f"<</Type/Page/Parent 2 0 R{box}/Resources 4 0 R/Contents {len(objects)} 0 R>>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>"
    path.write_bytes(_assemble_file(objects))
    return path


def paragraphs(blocks: Sequence[tuple[str, float]], title: str) -> list[list[Mark]]:
    """A plain paper: the title, then each block's text in its size, one below the other over as many pages as it takes.

    A block that begins with a form feed begins a new page.
    """
    pages: list[list[Mark]] = [[Text(title, LEFT, TOP, 17)]]
    y = TOP + 30
    for text, size in blocks:
        if text.startswith("\f"):
            pages.append([])
            y = TOP
        for line in textwrap.wrap(text.strip(), int(LINE * SIZE / size)):
            if y > BOTTOM:
                pages.append([])
                y = TOP
            pages[-1].append(Text(line, LEFT, y, size))
            y += LEADING * size / SIZE
        y += 9
    return pages


def lines(text: str, y: float, *, size: float = SIZE, x: float = LEFT, **how: object) -> Iterator[Text]:
    """The text in lines from y on; `how`: colour, mode, alpha."""
    for number, line in enumerate(textwrap.wrap(text, int(LINE * SIZE / max(size, 4.0)))):
        yield Text(line, x, y + number * size * 1.3, size, **how)  # type: ignore[arg-type]


def _draw_mark(mark: Mark, alphas: Sequence[float]) -> str:
    red, green, blue = mark.colour
    if isinstance(mark, Area):
        return f"q {red} {green} {blue} rg {mark.x} {HEIGHT - mark.y - mark.height} {mark.width} {mark.height} re f Q"
    return (
        f"q /A{alphas.index(mark.alpha)} gs {red} {green} {blue} rg BT {mark.mode} Tr /F1 {mark.size} Tf "
        f"1 0 0 1 {mark.x} {HEIGHT - mark.y} Tm ({_escape_text(mark.text)}) Tj ET Q"
    )


def _escape_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _assemble_file(objects: Sequence[str]) -> bytes:
    data = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj".encode() + content.encode("latin-1", "replace") + b"endobj\n"
    start = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    data += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    return data + f"trailer<</Size {len(objects) + 1}/Root 1 0 R/Info 5 0 R>>\nstartxref\n{start}\n%%EOF".encode()
