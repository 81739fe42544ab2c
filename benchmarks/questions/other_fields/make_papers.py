"""Make the papers of other fields as PDFs: python -m benchmarks.questions.other_fields.make_papers FOLDER

Each file of text/ and text_third/ is one paper: a head of `name: value` lines, a line of three hyphens, then
headings (#, ##), paragraphs of one line each, tables and figures. Same text, same bytes: no date and no font of the
machine goes into a file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos

TEXTS = Path(__file__).resolve().parent / "text"
THIRD_TEXTS = TEXTS.with_name("text_third")
LAST_LINE = "The text, the names and the numbers of this paper are invented to test software."
MARGIN, GAP, TOP, BOTTOM, BODY = 22.0, 7.0, 24.0, 24.0, 11.5


class Paper(FPDF):
    """A page of one or two columns, with the journal above and the page number below."""

    def __init__(self, head: dict[str, list[str]]) -> None:
        super().__init__(format="A4")
        self.head = head
        self.columns, self.column, self.column_top = int(head["columns"][0]), 0, TOP
        self.set_auto_page_break(True, BOTTOM)
        self.set_margins(MARGIN, TOP, MARGIN)
        self.set_creation_date(datetime(int(head["year"][0]), 3, 1, tzinfo=UTC))
        self.set_title(head["title"][0])
        self.set_author(", ".join(head["authors"]))

    @property
    def width(self) -> float:
        """The width of a column."""
        return (self.w - 2 * MARGIN - GAP * (self.columns - 1)) / self.columns

    def header(self) -> None:
        self.set_font("Times", "I", 8)
        self.set_xy(MARGIN, 11)
        self.cell(self.w - 2 * MARGIN, 4, self.head["journal"][0], align="R")
        self.set_y(TOP)

    def footer(self) -> None:
        self.set_font("Times", "", 8)
        self.set_xy(MARGIN, self.h - 13)
        self.cell(self.w - 2 * MARGIN, 4, str(self.page_no()), align="C")

    @property
    def accept_page_break(self) -> bool:
        """The next column of the page if there is one, otherwise a page."""
        if self.column + 1 < self.columns:
            self._go_to(self.column + 1)
            self.set_y(self.column_top)
            return False
        self._go_to(0)
        self.column_top = TOP
        return True

    def _go_to(self, column: int) -> None:
        self.column = column
        left = MARGIN + column * (self.width + GAP)
        self.set_left_margin(left)
        self.set_right_margin(self.w - left - self.width)
        self.set_x(left)

    def room(self, height: float) -> None:
        """Go on in the next column where this much does not fit in this one."""
        if self.get_y() + height > self.h - BOTTOM and self.accept_page_break:
            self.add_page()

    def front(self) -> None:
        """Title, authors and affiliations over the whole width."""
        whole = self.w - 2 * MARGIN
        self.add_page()
        for style, size, texts in (
            ("B", 15, self.head["title"]),
            ("", 11, self.head["authors"]),
            ("I", 9, self.head["affiliation"]),
        ):
            self.set_font("Times", style, size)
            for text in texts:
                self.multi_cell(whole, size * 0.46, text, align="C", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self.ln(2)
        self.column_top = self.get_y() + 1
        self._go_to(0)

    def heading(self, text: str, size: int) -> None:
        """A heading, kept with the first lines below it."""
        self.room(18)
        self.ln(1.5)
        self.set_font("Times", "B", size)
        self.multi_cell(self.width, size * 0.45, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def paragraph(self, text: str, size: float = BODY) -> None:
        """A justified paragraph."""
        self.set_font("Times", "", size)
        self.multi_cell(self.width, size * 0.5, text, align="J", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1.4)

    def table_of(self, caption: str, rows: list[list[str]]) -> None:
        """A table with rules above, below and under its first row; the first column is twice as wide as another."""
        size = 9.5 if self.columns == 1 else 8.6
        line, unit = size * 0.47, self.width / (len(rows[0]) + 1)
        self.room(line * (len(rows) * 1.6 + 5))
        self.ln(1.5)
        self.set_font("Times", "B", size)
        self.multi_cell(self.width, line, caption, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        for number, row in enumerate(rows):
            self.set_font("Times", "B" if number == 0 else "", size)
            if number < 2:
                self.line(self.l_margin, self.get_y() + 0.4, self.l_margin + self.width, self.get_y() + 0.4)
            top, lowest, left = self.get_y() + 0.8, 0.0, self.l_margin
            for place, text in enumerate(row):
                wide = unit * (2 if place == 0 else 1)
                self.set_xy(left, top)
                self.multi_cell(wide, line, text, align="L" if place == 0 else "C", new_y=YPos.NEXT)
                lowest, left = max(lowest, self.get_y()), left + wide
            self.set_xy(self.l_margin, lowest)
        self.line(self.l_margin, self.get_y() + 0.4, self.l_margin + self.width, self.get_y() + 0.4)
        self.ln(3)

    def figure_of(self, caption: str, points: list[list[float]]) -> None:
        """A plot of lines: each point is a place on the horizontal axis and one height per line."""
        high = 32.0
        self.room(high + 14)
        self.ln(1.4)
        left, top = self.l_margin + 8, self.get_y()
        self.rect(left, top, self.width - 12, high)
        most = max(max(point[1:]) for point in points) * 1.1
        steps = (self.width - 24) / max(1, len(points) - 1)
        for series in range(1, len(points[0])):
            places = [(left + 6 + n * steps, top + high * (1 - p[series] / most)) for n, p in enumerate(points)]
            for start, end in pairwise(places):
                self.line(*start, *end)
        self.set_font("Times", "", 7)
        for number, point in enumerate(points):
            self.set_xy(left + number * steps, top + high + 0.5)
            self.cell(12, 3, f"{point[0]:g}", align="C")
        self.set_xy(self.l_margin, top + high + 4)
        self.set_font("Times", "", 8.5)
        self.multi_cell(self.width, 3.8, caption, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)


def head_and_body(text: str) -> tuple[dict[str, list[str]], Iterator[str]]:
    """The head's values by name, and the lines of the body."""
    front, body = text.split("\n---\n", 1)
    head: dict[str, list[str]] = {}
    for line in front.splitlines():
        name, value = line.split(": ", 1)
        head.setdefault(name, []).append(value)
    return head, iter(body.splitlines())


def write(text: str, to: Path) -> None:
    """Write one paper as a PDF."""
    head, lines = head_and_body(text)
    paper = Paper(head)
    paper.front()
    size = BODY
    for line in lines:
        if line.startswith(("[table] ", "[figure] ")):
            inside = list(iter(lambda: next(lines), "[end]"))
            caption = line.split("] ", 1)[1]
            if line.startswith("[table]"):
                paper.table_of(caption, [row.split(" | ") for row in inside])
            else:
                paper.figure_of(caption, [[float(value) for value in row.split()] for row in inside])
        elif line.startswith("#"):
            paper.heading(line.lstrip("# "), 12 if line.startswith("# ") else 11)
            size = 9.5 if "References" in line else BODY
        elif line.strip():
            paper.paragraph(line, size)
    paper.paragraph(LAST_LINE, 8)
    paper.output(str(to))


def main(folder: Path, texts: Path = TEXTS) -> list[Path]:
    """Write the papers of a folder of texts into another folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for source in sorted(texts.glob("*.txt")):
        made.append(folder / f"{source.stem}.pdf")
        write(source.read_text(encoding="utf-8"), made[-1])
    return made


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print("\n".join(str(made) for texts in (TEXTS, THIRD_TEXTS) for made in main(Path(sys.argv[1]), texts)))
