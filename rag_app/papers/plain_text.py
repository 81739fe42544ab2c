"""Markdown and text files as a Reading: one page, sections from the headings. No picture, so no word boxes."""

from __future__ import annotations

import re
from pathlib import Path

from rag_app.errors import PaperError
from rag_app.files import read_regular
from rag_app.papers.unseen import part_hidden_markup
from rag_app.records import LONGEST_SECTION, Block, BlockKind, Kind, Page, Reading
from rag_app.text.characters import INVISIBLE, LOST, without_invisible

_LARGEST = 20 * 1024 * 1024  # bytes: a text file beyond that is data, not a paper
MOST_ON_PAGE = 300_000  # characters: twenty times as many as on the fullest page of 62 papers
PER_BYTE = 8  # characters of a packed file: text is packed to a third, and forms within forms to a thousandth
EXCERPT = 80  # characters of hidden text that are told
_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_HEADING = re.compile(r"(#{1,6})\s+(.+)$")
_UNDERLINE = re.compile(r"(=+|-{3,})\s*$")
_ROW = re.compile(r"\s*\|.*\|\s*$")
_REFERENCES = re.compile(r"(?:\d+\.?\s*)?(?:references|bibliography)$", re.IGNORECASE)


def hidden_line(page: int, why: str, text: str) -> str:
    """Where text stands that nobody can see, how it was hidden, and its beginning: one line for the user."""
    words = " ".join(INVISIBLE.sub("", text).split())
    return f"page {page} ({why}): “{words[:EXCERPT]}{'…' if len(words) > EXCERPT else ''}”"


def most_characters(path: Path) -> int:
    """How many characters of a packed file (PDF, EPUB, Word) are read, at most; of a page, MOST_ON_PAGE."""
    return MOST_ON_PAGE + PER_BYTE * path.stat().st_size


def read_plain(path: Path, kind: Kind, title: str, *, keep_hidden: bool = False) -> Reading:
    """Read a UTF-8 text or Markdown file. Raises PaperError when it is too large, binary or blank.

    Comments and hidden HTML of Markdown are hidden text: no renderer shows them. Left out unless `keep_hidden`.
    """
    text = LOST.sub("", without_invisible(decode_file(path)))  # private characters stand for nothing in a text
    markdown = kind in ("markdown", "digest") or path.suffix.lower() in (".md", ".markdown")
    shown, unseen, why = _part_unseen(text) if markdown else (text, "", "")
    text = text if keep_hidden else shown
    found, pieces = _pieces(text, markdown)
    if not pieces:
        raise PaperError(f"{path.name}: contains no text. Add some or remove the file.")
    blocks: list[Block] = []
    bibliography: list[str] = []
    start = 0
    for piece, block_kind, section in pieces:
        blocks.append(Block(start, start + len(piece), block_kind, section))
        start += len(piece) + 1
        if block_kind == "bibliography":
            bibliography += piece.split("\n")
    page = Page(1, "1", 0.0, 0.0, "\n".join(piece for piece, _, _ in pieces), tuple(blocks))
    name = title or found or pieces[0][0].split("\n")[0][:200]
    return Reading(
        name,
        (page,),
        "digest only" if kind == "digest" else "full text",
        bibliography=tuple(bibliography),
        hidden=(hidden_line(1, why, unseen),) if unseen else (),
    )


def _part_unseen(text: str) -> tuple[str, str, str]:
    """Markdown without what no renderer shows, that, and why: comments, and elements of HTML that are hidden."""
    comments = [match[1].strip() for match in _COMMENT.finditer(text)]
    shown, elements = part_hidden_markup(_COMMENT.sub(" ", text) if comments else text)
    parts = [" ".join(part.split()) for part in (*comments, *elements)]
    return shown, " ".join(filter(None, parts)), "not shown" if any(parts[len(comments) :]) else "in a comment"


def decode_file(path: Path) -> str:
    """The text of a file, in UTF-8, UTF-16 or Windows' code page. Raises PaperError for a large or binary one."""
    if path.stat().st_size > _LARGEST:
        limit = f"{_LARGEST // 2**20} MB"
        raise PaperError(f"{path.name}: larger than {limit}, too large for a text file. Split it or remove it.")
    data = read_regular(path)
    if b"\x00" in data[:8192] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise PaperError(f"{path.name}: contains binary data, not text. Remove it or correct its file extension.")
    for encoding in ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")


def _pieces(text: str, markdown: bool) -> tuple[str, list[tuple[str, BlockKind, str]]]:
    """The first heading, and the paragraphs with kind and section; lines of a paragraph joined, rows kept."""
    pieces: list[tuple[str, BlockKind, str]] = []
    path: list[tuple[int, str]] = []
    title = ""
    for paragraph in _paragraphs(text, markdown):
        heading = _HEADING.match(paragraph) if markdown else None
        section = " > ".join(name for _, name in path)
        if heading:
            level, name = len(heading[1]), _strip_markup(heading[2].rstrip("#") or "#")
            if not title:
                title = name
                pieces.append((name, "heading", ""))
                continue
            path = [one for one in path if one[0] < level] + [(level, name[:LONGEST_SECTION])]
            pieces.append((name, "heading", " > ".join(one for _, one in path)))
            continue
        kind: BlockKind = "body"
        if path and _REFERENCES.match(path[-1][1]):
            kind = "bibliography"
        elif markdown and _ROW.match(paragraph.split("\n")[0]):
            kind = "table"
        pieces.append((paragraph, kind, section))
    return title, pieces


def _strip_markup(heading: str) -> str:
    return re.sub(r"[*_`]{1,3}", "", heading).strip()


def _paragraphs(text: str, markdown: bool) -> list[str]:
    """Paragraphs, headings, rows of a table (together) and items, in order, white space collapsed."""
    found: list[list[list[str]]] = [[]]  # lines, each of parts that are joined once
    fenced = False
    for raw in text.split("\n"):
        line = " ".join(raw.split())
        if markdown and line.startswith("```"):
            fenced = not fenced
            found.append([])
            continue
        if not line:
            found.append([])
            continue
        above = found[-1][-1] if found[-1] else [""]
        lone = len(found[-1]) == 1 and above[0][:1] not in "|#"
        if markdown and not fenced and lone and _UNDERLINE.fullmatch(line):
            above[0] = ("# " if line[0] == "=" else "## ") + above[0]
            found.append([])
            continue
        rows = fenced or (_ROW.match(line) and _ROW.match(" ".join(above)))
        starts = markdown and (_HEADING.match(line) or re.match(r"(?:[-*+]|\d+[.)])\s", line) or _ROW.match(line))
        if starts and not rows:
            found.append([])
        if found[-1] and not rows:
            above.append(line)
        else:
            found[-1].append([line])
        if markdown and not fenced and _HEADING.match(line):
            found.append([])
    return ["\n".join(" ".join(parts) for parts in lines) for lines in found if lines]
