"""HTML, EPUB, DOCX, LaTeX and JATS files as a Reading. They have no pages: a place is a section and a paragraph.

The whole file is one page whose label is PARAGRAPH; blocks are its headings and paragraphs, in order. Text that a
browser or word processor does not show (hidden elements, hidden runs) is hidden text, as on a PDF's page.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from urllib.parse import unquote

from rag_app.errors import PaperError
from rag_app.papers.plain_text import decode_file, hidden_line, most_characters
from rag_app.papers.unseen import StyleRules, find_sheets, is_unseen_run, part_switched_off
from rag_app.records import LONGEST_SECTION, PARAGRAPH, Block, BlockKind, Page, Reading
from rag_app.text.characters import LOST, without_invisible

SUFFIXES = (".html", ".htm", ".xhtml", ".epub", ".docx", ".tex", ".xml", ".nxml")
MOST_NAMED = 50  # files that a source includes
DEEPEST = 75  # sections within sections: the name of more is longer than what is kept of one
WIDEST = 63  # columns of a table in Word
MOST_STYLES = 8 * 1024 * 1024  # characters of style sheets that are read for the chapters of one file
LARGEST = 64 * 1024 * 1024  # bytes of all that an archive holds
_REFERENCES = re.compile(
    r"(?:\d+\.?\s*)?(?:references|bibliography|works cited|literatur(?:verzeichnis)?|参考文献)$", re.I
)


class OutlineFull(Exception):
    """More text than a file of this size holds: what was gathered so far is kept."""


@dataclass
class Outline:
    """What is gathered of a file: paragraphs with kind and section, in order."""

    title: str = ""
    authors: list[str] = field(default_factory=list)
    pieces: list[tuple[str, BlockKind, str]] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    room: int = LARGEST  # characters that may still be added
    _path: list[tuple[int, str]] = field(default_factory=list)

    def add_heading(self, text: str, level: int) -> None:
        """Begin a section. The first heading of level 1 is the title, where there is none."""
        text = " ".join(text.split())
        if not text:
            return
        if level == 1 and not self.title:
            self.title = text
        if level == 1 and text == self.title:
            self.pieces.append((text, "heading", ""))
            self._path = []
            return
        around = [one for one in self._path if one[0] < level][-DEEPEST:]
        self._path = [*around, (level, text[:LONGEST_SECTION])]
        self._keep(text, "heading")

    def add(self, text: str, kind: BlockKind = "body") -> None:
        """A paragraph, or the rows of a table with line ends between."""
        text = "\n".join(line for line in (" ".join(part.split()) for part in text.split("\n")) if line)
        if text:
            in_references = bool(self._path) and _REFERENCES.match(self._path[-1][1]) is not None
            self._keep(text, "bibliography" if in_references else kind)

    def _keep(self, text: str, kind: BlockKind) -> None:
        self.pieces.append((text[: self.room], kind, self.section))
        self.room -= len(text) + 1
        if self.room <= 0:
            raise OutlineFull

    @property
    def section(self) -> str:
        return " > ".join(name for _, name in self._path)


def read_office(path: Path, title: str = "", *, keep_hidden: bool = False) -> Reading:
    """Read a file of one of SUFFIXES. Raises PaperError when it is broken, too large, or holds no text."""
    readers: dict[str, Callable[[Path, bool, Outline], None]] = {
        ".epub": _read_epub, ".docx": _read_docx, ".tex": _read_latex, ".xml": _read_jats, ".nxml": _read_jats,
    }  # fmt: skip
    most = most_characters(path)
    outline = Outline(room=most)
    try:
        readers.get(path.suffix.lower(), _read_html)(path, keep_hidden, outline)
    except OutlineFull:
        outline.warnings.append(
            f"page 1 not read after paragraph {len(outline.pieces)}: more than {most:,} characters come out of a file "
            "of this size. Split it, or save it again with another program."
        )
    pieces = [(LOST.sub("", without_invisible(text)), kind, section) for text, kind, section in outline.pieces]
    if not any(text for text, kind, _ in pieces if kind != "heading"):
        raise PaperError(f"{path.name}: contains no text. Export it again, or remove it.")
    blocks: list[Block] = []
    start = 0
    for text, kind, section in pieces:
        blocks.append(Block(start, start + len(text), kind, section))
        start += len(text) + 1
    hidden = " ".join(outline.hidden)
    return Reading(
        title or outline.title or path.stem,
        (Page(1, PARAGRAPH, 0.0, 0.0, "\n".join(text for text, _, _ in pieces), tuple(blocks)),),
        "full text",
        warnings=tuple(f"{path.name}: {warning}" for warning in outline.warnings),
        authors=tuple(outline.authors),
        bibliography=tuple(line for text, kind, _ in pieces if kind == "bibliography" for line in text.split("\n")),
        hidden=(hidden_line(1, "not shown", hidden),) if hidden.strip() else (),
    )


# -- HTML, and JATS, whose elements are others --------------------------------------------------------------------

_SKIPPED = {"script", "style", "head", "noscript", "template", "nav", "svg", "math", "annotation"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class _Markup(HTMLParser):
    """Gathers paragraphs. `kinds`: what ends and begins at an element; `headings`: elements that are headings."""

    kinds: ClassVar[dict[str, BlockKind]] = {
        "p": "body", "li": "body", "dd": "body", "dt": "body", "blockquote": "body", "pre": "body", "div": "body",
        "section": "body", "article": "body", "figcaption": "caption", "caption": "caption", "td": "table",
    }  # fmt: skip

    def __init__(self, outline: Outline, keep_hidden: bool, rules: StyleRules | None = None) -> None:
        super().__init__(convert_charrefs=True)
        self._rules = rules or StyleRules()
        self.outline = outline
        self._keep_hidden = keep_hidden
        self._text: list[str] = []
        self._rows: list[list[str]] = []
        self._open: list[tuple[str, bool]] = []  # elements, and whether what they hold is left out
        self._names = Counter[str]()  # of the open elements: pages may nest a hundred thousand
        self._left_out = 0  # of the open elements
        self._unseen: list[str] = []
        self._title: list[str] = []

    def parse_comment(self, i: int, report: bool = True) -> int:
        """As the base class does; a comment without an end goes to the end of the page, as in browsers."""
        end = super().parse_comment(i, report)
        return end if end >= 0 else len(self.rawdata)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self._text.append(" " if tag == "br" else "")
            return
        unseen = not self._keep_hidden and self._rules.hide(tag, dict(attrs))
        self._open.append((tag, tag in _SKIPPED or unseen))
        self._names[tag] += 1
        self._left_out += self._open[-1][1]
        if self._is_heading(tag) or tag in self.kinds or tag in ("tr", "table", "th"):
            self._flush()
        if tag == "tr":
            self._rows.append([])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._names[tag]:
            return
        if self._is_heading(tag):
            level = self.level(tag)
            text, self._text = "".join(self._text), []
            self.outline.add_heading(text, level)
        elif tag in ("td", "th"):
            text, self._text = " ".join("".join(self._text).split()), []
            if self._rows:
                self._rows[-1].append(text)
        elif tag == "table":
            self.outline.add("\n".join(f"| {' | '.join(row)} |" for row in self._rows if any(row)), "table")
            self._rows = []
        elif tag in self.kinds:
            self._flush(self.kinds[tag])
        closed = ""
        while closed != tag:
            closed, left_out = self._open.pop()
            self._names[closed] -= 1
            self._left_out -= left_out

    def handle_data(self, data: str) -> None:
        if self._names["title"] and self._names["head"]:
            self._title.append(data)
        elif not self._left_out:
            self._text.append(data)
        elif data.strip() and not any(self._names[tag] for tag in _SKIPPED):
            self.outline.hidden.append(data.strip())

    def close(self) -> None:
        super().close()
        self._flush()
        if not self.outline.title:
            self.outline.title = " ".join("".join(self._title).split())

    def level(self, tag: str) -> int:
        return int(tag[1])

    def _is_heading(self, tag: str) -> bool:
        return re.fullmatch(r"h[1-6]", tag) is not None

    def _flush(self, kind: BlockKind = "body") -> None:
        text, self._text = "".join(self._text), []
        if self._rows and kind != "caption":  # within a table: the cell takes it
            self._text = [text]
            return
        self.outline.add(text.replace("\n", " "), kind)


def _read_html(path: Path, keep_hidden: bool, outline: Outline) -> None:
    text = decode_file(path)
    _feed(_Markup(outline, keep_hidden, _rules_of(text)), text)


def _rules_of(markup: str) -> StyleRules:
    """The rules of a page's own style sheets."""
    rules = StyleRules()
    for sheet in find_sheets(markup):
        rules.add(sheet)
    return rules


def _feed(parser: HTMLParser, text: str) -> None:
    parser.feed(text)
    parser.close()


class _Jats(_Markup):
    """Journal articles (JATS, NISO Z39.96): sections nest, a title belongs to the section around it."""

    kinds: ClassVar[dict[str, BlockKind]] = {
        "p": "body",
        "caption": "caption",
        "mixed-citation": "bibliography",
        "ref": "bibliography",
    }

    def level(self, tag: str) -> int:
        return (
            1
            if tag == "article-title"
            else 1 + max(1, sum(self._names[one] for one in ("sec", "abstract", "ref-list", "app")))
        )

    def _is_heading(self, tag: str) -> bool:
        if any(self._names[one] for one in ("ref", "journal-meta", "caption")):
            return False
        return (tag == "article-title" and self._names["title-group"] > 0) or tag == "title"

    def unknown_decl(self, data: str) -> None:
        """What stands in CDATA is text in XML; in HTML it is a comment."""
        if data.startswith("CDATA["):
            self.handle_data(data.removeprefix("CDATA["))

    def handle_data(self, data: str) -> None:
        if self._names["article-meta"] and self._names["contrib"]:
            if self._names["surname"]:
                self.outline.authors.append(data.strip())
            elif self._names["given-names"] and self.outline.authors:
                self.outline.authors[-1] = f"{data.strip()} {self.outline.authors[-1]}"[:LONGEST_SECTION]
        elif any(self._names[one] for one in ("title-group", "abstract", "body", "back", "ref-list")):
            super().handle_data(data)


def _read_jats(path: Path, keep_hidden: bool, outline: Outline) -> None:
    text = decode_file(path)
    if "<article" not in text[:20_000]:
        raise PaperError(f"{path.name}: XML, but not a journal article (JATS). Convert it, or remove it.")
    _feed(_Jats(outline, keep_hidden), text)


# -- EPUB ---------------------------------------------------------------------------------------------------------


def _read_epub(path: Path, keep_hidden: bool, outline: Outline) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive, path)
            package = _attribute(
                archive.read("META-INF/container.xml").decode("utf-8", "replace"), "rootfile", "full-path"
            )
            opf = archive.read(package).decode("utf-8", "replace")
            outline.title = _element(opf, "dc:title")
            outline.authors = [_element(opf, "dc:creator")] if _element(opf, "dc:creator") else []
            rules = _ChapterRules(archive, path.name)
            for name in _spine(opf, PurePosixPath(package).parent):
                chapter = archive.read(name).decode("utf-8", "replace")
                _feed(_Markup(outline, keep_hidden, rules.of(chapter, PurePosixPath(name).parent)), chapter)
    except (zipfile.BadZipFile, KeyError, StopIteration, OSError, RuntimeError, NotImplementedError) as error:
        raise PaperError(f"{path.name}: not a readable EPUB ({error}). Export it again.") from error


class _ChapterRules:
    """The rules of an EPUB's style sheets. Chapters mostly link the same ones, which are read once."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive = archive
        self._name = name
        self._held = set(archive.namelist())
        self._texts: dict[str, str] = {}
        self._rules: dict[tuple[str, ...], StyleRules] = {}
        self._room = MOST_STYLES

    def of(self, chapter: str, folder: PurePosixPath) -> StyleRules:
        """The rules that hold in a chapter. Raises PaperError where there are more than any book has."""
        sheets = (*self._find_linked(chapter, folder), *find_sheets(chapter))
        if sheets not in self._rules:
            self._room -= sum(map(len, sheets))
            if self._room < 0:
                raise PaperError(
                    f"{self._name}: its chapters have more than {MOST_STYLES // 2**20} MB of style sheets. Save it "
                    "again with another program."
                )
            self._rules[sheets] = StyleRules()
            for sheet in sheets:
                self._rules[sheets].add(sheet)
        return self._rules[sheets]

    def _find_linked(self, chapter: str, folder: PurePosixPath) -> list[str]:
        links = [
            tag for tag in _tags(chapter, "link") if "stylesheet" in tag.get("rel", "") and tag.get("media") != "print"
        ]
        names = [posixpath.normpath(str(folder / unquote(tag.get("href", "")))) for tag in links]
        found = [name for name in dict.fromkeys(names) if name in self._held]
        for name in found:
            if name not in self._texts:
                self._texts[name] = self._archive.read(name).decode("utf-8", "replace")
        return [self._texts[name] for name in found]


def _check_size(archive: zipfile.ZipFile, path: Path) -> None:
    if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
        raise PaperError(f"{path.name}: unpacks to more than {LARGEST // 2**20} MB. Split it or remove it.")


def _tags(text: str, name: str) -> Iterator[dict[str, str]]:
    for match in re.finditer(rf"<(?:\w+:)?{name}\b([^>]*)>", text):
        yield dict(re.findall(r"""([\w:-]+)\s*=\s*["']([^"']*)["']""", match[1]))


def _attribute(text: str, element: str, name: str) -> str:
    return next(tag[name] for tag in _tags(text, element) if name in tag)


def _element(text: str, name: str) -> str:
    found = re.search(rf"<{name}\b[^>]*>(.*?)</{name}>", text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split()) if found else ""


def _spine(opf: str, folder: PurePosixPath) -> list[str]:
    """The chapters, in reading order, as names in the archive."""
    files = {tag["id"]: tag["href"] for tag in _tags(opf, "item") if "id" in tag and "href" in tag}
    order = [files[tag["idref"]] for tag in _tags(opf, "itemref") if tag.get("idref") in files]
    return [str(folder / unquote(href.partition("#")[0])).removeprefix("./") for href in order]


# -- DOCX ---------------------------------------------------------------------------------------------------------


def _read_docx(path: Path, keep_hidden: bool, outline: Outline) -> None:
    import docx  # noqa: PLC0415  # with lxml, a fifth of a second
    from docx.opc.exceptions import PackageNotFoundError  # noqa: PLC0415
    from docx.oxml.ns import qn  # noqa: PLC0415

    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive, path)
        document = docx.Document(str(path))
        # python-docx looks through all styles for each paragraph and run: three milliseconds each time.
        document.part.get_style = cache(document.part.get_style)
    except (PackageNotFoundError, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise PaperError(f"{path.name}: not a readable Word file ({error}). Save it again as .docx.") from error
    for name in ("gridSpan", "gridBefore", "gridAfter"):  # python-docx makes as many cells of one as it says
        for element in document.element.xpath(f".//w:{name}"):
            width = element.get(qn("w:val"), "")
            if not re.fullmatch(r"\d{1,2}", width) or int(width) > WIDEST:
                element.set(qn("w:val"), "1")
    outline.title = document.core_properties.title or ""
    author = document.core_properties.author or ""
    outline.authors = [author] if author and author != "python-docx" else []
    for part in document.iter_inner_content():
        if hasattr(part, "rows"):
            rows = [[_cell_text(cell, outline, keep_hidden) for cell in row.cells] for row in part.rows]
            outline.add("\n".join(f"| {' | '.join(row)} |" for row in rows if any(row)), "table")
            continue
        text = _paragraph_text(part, outline, keep_hidden)
        style = (part.style.name if part.style is not None else "") or ""
        level = re.fullmatch(r"Heading (\d)", style)
        if style == "Title":
            outline.title = outline.title or " ".join(text.split())
            outline.add_heading(text, 1)
        elif level:
            outline.add_heading(text, int(level[1]) + 1)
        else:
            outline.add(text.replace("\n", " "), "caption" if style == "Caption" else "body")


def _paragraph_text(paragraph: Any, outline: Outline, keep_hidden: bool, *, in_table: bool = False) -> str:
    """What a paragraph shows; the rest is noted as hidden."""
    if keep_hidden:
        return str(paragraph.text)
    shown: list[str] = []
    for part in paragraph.iter_inner_content():
        for run in getattr(part, "runs", [part]):  # a link holds several
            unseen = is_unseen_run(run, paragraph, in_table=in_table) and run.text.strip()
            (outline.hidden if unseen else shown).append(run.text)
    return "".join(shown)


def _cell_text(cell: Any, outline: Outline, keep_hidden: bool) -> str:
    texts = (_paragraph_text(one, outline, keep_hidden, in_table=True) for one in cell.paragraphs)
    return " ".join(" ".join(texts).split())


# -- LaTeX --------------------------------------------------------------------------------------------------------

_SECTION = re.compile(r"\\(part|chapter|section|subsection|subsubsection|paragraph)\*?\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_LEVELS = {"part": 2, "chapter": 2, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_FLOAT = re.compile(r"\\(begin|end)\{(figure|table|algorithm|tikzpicture)\*?\}")
_CAPTION = re.compile(r"\\caption\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_ENTRY = re.compile(r"\\bibitem(?:\[[^\]]{0,500}\])?\{[^}]{0,200}\}")


def _read_latex(path: Path, keep_hidden: bool, outline: Outline) -> None:
    """The text of LaTeX source; formulas stay as they are written. Comments are no text of the paper."""
    from pylatexenc.latex2text import LatexNodes2Text  # noqa: PLC0415

    source = re.sub(r"(?<!\\)%.*", "", decode_file(path))
    source, switched_off = (source, []) if keep_hidden else part_switched_off(source)
    convert = LatexNodes2Text(math_mode="verbatim", keep_comments=False, strict_latex_spaces=False).latex_to_text
    outline.title = _plain(convert, _argument(source, "title"))
    outline.hidden += [_plain(convert, one) for one in switched_off]
    authors = re.split(r"\\and\b|\\And\b|\\AND\b", _argument(source, "author"))
    outline.authors = [name for one in authors if (name := _plain(convert, re.split(r"\\\\|\\thanks", one)[0]))]
    for name in list(dict.fromkeys(re.findall(r"\\(?:input|include)\{([^}]{0,200})\}", source)))[:MOST_NAMED]:
        outline.warnings.append(
            f"\\input{{{name}}} is not followed. Put {name} into the folder, or flatten the source."
        )
    body = source.partition(r"\begin{document}")[2].partition(r"\end{document}")[0] or source
    if outline.title:
        outline.add_heading(outline.title, 1)
    for front in (r"\\maketitle", _argument_pattern("title"), _argument_pattern("author")):
        body = re.sub(front, "", body, count=1)
    body = body.replace(r"\begin{abstract}", "\n\n\\section{Abstract}\n\n").replace(r"\end{abstract}", "\n\n")
    body = re.sub(r"\\begin\{thebibliography\}(?:\{[^}]*\})?", "\n\n\\\\section{References}\n\n", body)
    body = _ENTRY.sub("\n\n", body.replace(r"\end{thebibliography}", ""))
    captions: list[str] = []
    body = _without_floats(body, captions)
    at = 0
    for match in _SECTION.finditer(body):
        _add_paragraphs(outline, convert, body[at : match.start()])
        outline.add_heading(_plain(convert, match[2]), _LEVELS[match[1]])
        at = match.end()
    _add_paragraphs(outline, convert, body[at:])
    for caption in captions:
        outline.pieces.append((_plain(convert, caption), "caption", ""))
    outline.pieces = [piece for piece in outline.pieces if piece[0]]


def _without_floats(body: str, captions: list[str]) -> str:
    """The text without figures and tables, whose captions are added. One that does not end is none."""
    kept, at = [], 0
    begun: re.Match[str] | None = None
    ends = {mark[2]: mark.start() for mark in _FLOAT.finditer(body) if mark[1] == "end"}  # the last of each kind
    for mark in _FLOAT.finditer(body):
        if mark[1] == "begin":
            begun = begun or (mark if mark.start() < ends.get(mark[2], 0) else None)
        elif begun is not None and mark[2] == begun[2]:
            kept.append(body[at : begun.start()])
            captions.append(_captions(body[begun.end() : mark.start()]))
            at, begun = mark.end(), None
    return "\n\n".join([*kept, body[at:]])


def _captions(text: str) -> str:
    return " ".join(match[1] for match in _CAPTION.finditer(text))


def _add_paragraphs(outline: Outline, convert: Callable[[str], str], source: str) -> None:
    for paragraph in re.split(r"\n\s*\n|\\item\b", source):
        outline.add(_plain(convert, paragraph))


def _plain(convert: Callable[[str], str], source: str) -> str:
    if not source.strip():
        return ""
    try:
        return " ".join(convert(source).split())
    except Exception:  # one odd command must not cost the paper: its source stands there instead
        return " ".join(source.split())


def _argument(source: str, command: str) -> str:
    found = re.search(_argument_pattern(command), source)
    return found[1] if found else ""


def _argument_pattern(command: str) -> str:
    r"""A command with what stands in its braces; a short form may stand before them: \title[Short]{Long}."""
    within = r"(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*"
    return rf"\\{command}\s*(?:\[[^\]]{{0,500}}\]\s*)?\{{({within})\}}"
