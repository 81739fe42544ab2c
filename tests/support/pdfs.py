"""PDFs for the tests, made on the spot: papers with one or two columns, tables, references, and files with faults.

    make_paper(path, title="Ours: A Method", sections=[("1 Introduction", ["First paragraph.", Table(...)])])
    make_scanned(path)      pages that are pictures only
    make_encrypted(path)    opens with a password only
    make_broken(path)       begins as a PDF and ends in rubbish
    make_raw(path, pages)   words put exactly where a test wants them, also ligatures
    make_signs(path, lines) signs that their font calls something else

A soft hyphen (U+00AD) in a paragraph is a place where a line may break the word; the break prints a hyphen.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpdf import FPDF
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 612.0, 792.0
_LEFT, _TOP, _GUTTER = 72.0, 72.0, 24.0
_SIZE, _LEADING = 10.0, 12.0


@dataclass(frozen=True)
class Table:
    """Rows of cells, with the caption set below them."""

    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class NewPage:
    """What follows begins on a new page."""


Content = str | Table | NewPage
Section = tuple[str, Sequence[Content]]


def make_paper(
    path: Path,
    title: str = "Ours: A Method for Testing",
    sections: Sequence[Section] = (("1 Introduction", ["We test what we write."]),),
    *,
    columns: int = 1,
    authors: str = "Ada Lovelace, Alan Turing",
    abstract: str = "",
    references: Sequence[str] = (),
    references_heading: str = "References",
    appendix: Sequence[Section] = (),
    running_head: str = "",
    row_by_row: bool = False,
    labels_from: int = 0,
    metadata_title: str = "",
    outline: bool = False,
) -> Path:
    """Write a paper and return its path.

    `columns`: 1 or 2. `row_by_row`: draw two columns line by line across both, as some programs do (a broken order).
    `labels_from`: the printed label of the first page, in roman numerals for the first page and then in digits.
    `outline`: bookmarks for the headings. `references`: entries, hanging, below `references_heading`.
    """
    setter = _Setter(columns, running_head, row_by_row)
    if metadata_title:
        setter.pdf.set_title(metadata_title)
    setter.label(labels_from)
    setter.line(title, 16, bold=True, across=True)
    setter.line(authors, 11, across=True)
    if abstract:
        setter.heading("Abstract", False)
        setter.paragraph(abstract)
    for heading, contents in sections:
        setter.section(heading, contents, outline)
    if references:
        if references_heading:
            setter.heading(references_heading, outline)
        for entry in references:
            setter.paragraph(entry, indent=0, hanging=12)
    for heading, contents in appendix:
        setter.section(heading, contents, outline)
    setter.finish()
    setter.pdf.output(str(path))
    return path


class _Setter:
    """Sets lines from the top of each column to its foot."""

    def __init__(self, columns: int, running_head: str, row_by_row: bool) -> None:
        self.pdf = FPDF(unit="pt", format=(WIDTH, HEIGHT))
        self.pdf.set_auto_page_break(False)
        self.columns, self.running_head, self.row_by_row = columns, running_head, row_by_row
        self.width = (WIDTH - 2 * _LEFT - (columns - 1) * _GUTTER) / columns
        self.waiting: list[tuple[int, float, float, str, float, str]] = []
        self.labels_from = 0
        self.new_page()

    def label(self, first: int) -> None:
        if first:
            self.labels_from = first
            self.pdf.set_page_label(label_style="r", label_start=first)

    def new_page(self) -> None:
        self.flush()
        if self.labels_from and self.pdf.page == 1:
            self.pdf.add_page(label_style="D", label_start=1)
        else:
            self.pdf.add_page()
        self.column, self.top, self.y = 0, _TOP, _TOP
        if self.running_head:
            self.draw(_LEFT, 40, self.running_head, 8, "")
        self.draw(WIDTH / 2, HEIGHT - 36, str(self.pdf.page), 8, "")

    def draw(self, x: float, y: float, text: str, size: float, style: str) -> None:
        self.pdf.set_font("Times", style, size)
        self.pdf.text(x, y, text.replace("\u00ad", ""))

    def flush(self) -> None:
        """Draw what waits: column after column, or row by row across the columns."""
        key = (lambda item: (item[2], item[0])) if self.row_by_row else (lambda item: item[0])
        for _, x, y, text, size, style in sorted(self.waiting, key=key):
            self.draw(x, y, text, size, style)
        self.waiting = []

    finish = flush

    def room(self, height: float) -> None:
        if self.y + height <= HEIGHT - _TOP:
            return
        if self.column + 1 < self.columns:
            self.column, self.y = self.column + 1, self.top
        else:
            self.new_page()

    def line(self, text: str, size: float, *, bold: bool = False, across: bool = False, indent: float = 0) -> None:
        self.room(size * 1.2)
        self.y += size * 1.2
        x = _LEFT + self.column * (self.width + _GUTTER) + indent
        if across:
            self.draw(x, self.y, text, size, "B" if bold else "")
            self.top = self.y + 6
        else:
            self.waiting.append((self.column, x, self.y, text, size, "B" if bold else ""))

    def heading(self, text: str, outline: bool) -> None:
        self.y += 10
        self.room(30)
        if outline:
            self.flush()
            self.pdf.set_y(self.y)
            self.pdf.set_font("Times", "B", 12)
            self.pdf.start_section(text, level=text.split(" ")[0].count("."), strict=False)
        self.line(text, 12, bold=True)
        self.y += 4

    def section(self, heading: str, contents: Sequence[Content], outline: bool) -> None:
        self.heading(heading, outline)
        for content in contents:
            if isinstance(content, NewPage):
                self.new_page()
            elif isinstance(content, Table):
                self.table(content)
            else:
                self.paragraph(content)

    def paragraph(self, text: str, *, indent: float = 12, hanging: float = 0) -> None:
        self.pdf.set_font("Times", "", _SIZE)
        for number, line in enumerate(self.wrapped(text, indent, hanging)):
            self.line(line, _SIZE, indent=hanging if number else indent)

    def wrapped(self, text: str, indent: float, hanging: float) -> Iterator[str]:
        line, used = "", indent
        for word in text.split():
            parts = word.split("\u00ad")
            start = f"{line} " if line else ""
            fitting = len(parts)
            while fitting and not self.fits(start + "".join(parts[:fitting]) + "-" * (fitting < len(parts)), used):
                fitting -= 1
            if fitting == len(parts):
                line = start + "".join(parts)
                continue
            if fitting:
                yield start + "".join(parts[:fitting]) + "-"
            elif line:
                yield line
            line, used = "".join(parts[fitting:]), hanging
        yield line

    def fits(self, text: str, indent: float) -> bool:
        return bool(self.pdf.get_string_width(text) <= self.width - indent)

    def table(self, table: Table) -> None:
        self.y += 6
        self.room((len(table.rows) + 3) * _LEADING)
        step = self.width / max(len(row) for row in table.rows)
        for row in table.rows:
            self.y += _LEADING
            for number, cell in enumerate(row):
                x = _LEFT + self.column * (self.width + _GUTTER) + number * step
                self.waiting.append((self.column, x, self.y, cell, 9, ""))
        self.y += 6
        if table.caption:
            self.paragraph(table.caption, indent=0)
        self.y += 10


def make_scanned(path: Path, pages: int = 2, words: str = "a page that was scanned") -> Path:
    """Pages that are pictures: a reader sees words, the file holds none."""
    pdf = FPDF(unit="pt", format=(WIDTH, HEIGHT))
    for _ in range(pages):
        picture = Image.new("L", (306, 396), 255)
        ImageDraw.Draw(picture).text((40, 60), words, fill=0)
        pdf.add_page()
        pdf.image(picture, 0, 0, WIDTH, HEIGHT)
    pdf.output(str(path))
    return path


def make_encrypted(path: Path, password: str = "secret", text: str = "Nobody reads this.") -> Path:
    """A file that opens only with the password; with password="" anybody may open it, though it is encrypted."""
    pdf = FPDF(unit="pt", format=(WIDTH, HEIGHT))
    pdf.set_encryption(owner_password="owner", user_password=password)
    pdf.add_page()
    pdf.set_font("Times", "", 12)
    pdf.text(_LEFT, _TOP, text)
    pdf.output(str(path))
    return path


def make_broken(path: Path) -> Path:
    """Begins as a PDF and is none."""
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 8)
    return path


Placed = tuple[float, float, str]
"""x and y of a word's beginning from the top left, in points, and the word."""


def make_raw(
    path: Path, pages: Sequence[Sequence[Placed]], *, size: float = 10, rotate: int = 0, crop: float = 0
) -> Path:
    """Each text exactly where it is put, in this order. U+FB01, U+FB02 and U+FB00 are set as ligatures.

    `rotate`: degrees by which a viewer turns the page; `crop`: points cut off on the left and at the top.
    """
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", _FONT]
    kids: list[str] = []
    for words in pages:
        content = (
            "BT "
            + " ".join(
                f"/F1 {size} Tf 1 0 0 1 {x:.2f} {HEIGHT - y:.2f} Tm ({_escaped(text)}) Tj" for x, y, text in words
            )
            + " ET"
        )
        packed = zlib.compress(content.encode("latin-1"))
        objects.append(
            f"<</Length {len(packed)}/Filter/FlateDecode>>stream\n" + packed.decode("latin-1") + "\nendstream"
        )
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/CropBox[{crop} 0 {WIDTH} {HEIGHT - crop}]"
            f"/Rotate {rotate}/Resources<</Font<</F1 3 0 R>>>>/Contents {len(objects)} 0 R>>"
        )
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>"
    path.write_bytes(_file(objects))
    return path


def make_nested(path: Path, depth: int, text: str = "Otters sleep at night.") -> Path:
    """A page whose form draws another one twice, and so on: two to the power of `depth` times the text."""
    forms = [f"{number} 0 R" for number in range(6, 7 + depth)]
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[4 0 R]/Count 1>>",
        _FONT,
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/Resources<</XObject<</X {forms[0]}>>>>"
        "/Contents 5 0 R>>",
        "<</Length 5>>stream\n/X Do\nendstream",
    ]
    for level in range(depth + 1):
        last = level == depth
        inner = f"BT /F1 10 Tf 50 500 Td ({_escaped(text)}) Tj ET" if last else "/X Do /X Do"
        holds = "/Font<</F1 3 0 R>>" if last else f"/XObject<</X {forms[level + 1]}>>"
        head = f"/Type/XObject/Subtype/Form/BBox[0 0 {WIDTH} {HEIGHT}]/Resources<<{holds}>>"
        objects.append(f"<</Length {len(inner)}{head}>>stream\n{inner}\nendstream")
    path.write_bytes(_file(objects))
    return path


SIGN_CODES = {"=": (188, "¼"), "+": (254, "þ"), "−": (2, ""), "µ": (109, "m"), "≤": (15, "ď")}
"""Signs as a journal's font of signs has them: the code, and what the font says it is (nothing: U+0002)."""
_GLYPHS = {"=": "equal", "+": "plus", "−": "minus", "µ": "mu", "≤": "lessequal"}


def make_signs(path: Path, lines: Sequence[str], glyphs: Mapping[str, str] | None = None) -> Path:
    """Lines whose signs (those of SIGN_CODES) are drawn right by a font that calls them something else.

    `glyphs`: draws another glyph of the font Symbol for a sign.
    """
    names = {**_GLYPHS, **(glyphs or {})}
    differences = " ".join(f"{code}/{names[sign]}" for sign, (code, _) in SIGN_CODES.items())
    mapped = "\n".join(f"<{code:02X}> <{ord(called or chr(2)):04X}>" for code, called in SIGN_CODES.values())
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Signs def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <FF> endcodespacerange\n{len(SIGN_CODES)} beginbfchar\n{mapped}\nendbfchar\n"
        "endcmap end end"
    )
    shown = []
    for number, line in enumerate(lines):
        runs = re.findall(f"[{''.join(SIGN_CODES)}]|[^{''.join(SIGN_CODES)}]+", line)
        drawn = " ".join(
            f"/F2 10 Tf <{SIGN_CODES[run][0]:02X}> Tj" if run in SIGN_CODES else f"/F1 10 Tf ({_escaped(run)}) Tj"
            for run in runs
        )
        shown.append(f"1 0 0 1 {_LEFT} {HEIGHT - _TOP - 14 * number} Tm {drawn}")
    content = f"BT {' '.join(shown)} ET"
    page = (
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/Contents 6 0 R"
        "/Resources<</Font<</F1 3 0 R/F2 4 0 R>>>>>>"
    )
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[7 0 R]/Count 1>>",
        _FONT,
        "<</Type/Font/Subtype/Type1/BaseFont/Symbol/ToUnicode 5 0 R"
        f"/Encoding<</Type/Encoding/Differences[{differences}]>>>>",
        f"<</Length {len(cmap)}>>stream\n{cmap}\nendstream",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        page,
    ]
    path.write_bytes(_file(objects))
    return path


_NAMED_GLYPHS = {  # what WinAnsiEncoding does not have, or calls by no name
    "\ufb01": "fi", "\ufb02": "fl", "\ufb00": "ff",
    "Ł": "Lslash", "ł": "lslash", "Ż": "Zdotaccent", "Š": "Scaron", "Č": "Ccaron", "İ": "Idotaccent",
}  # fmt: skip
_FONT = (
    "<</Type/Font/Subtype/Type1/BaseFont/Times-Roman"
    f"/Encoding<</Type/Encoding/BaseEncoding/WinAnsiEncoding/Differences[1/{'/'.join(_NAMED_GLYPHS.values())}]>>>>"
)


def _escaped(text: str) -> str:
    for sign in ("\\", "(", ")"):
        text = text.replace(sign, "\\" + sign)
    for code, glyph in enumerate(_NAMED_GLYPHS, 1):
        text = text.replace(glyph, f"\\{code:03o}")
    return text


def _file(objects: Sequence[str]) -> bytes:
    data = b"%PDF-1.4\n"
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj".encode() + content.encode("latin-1") + b"endobj\n"
    start = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    data += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    return data + f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()
