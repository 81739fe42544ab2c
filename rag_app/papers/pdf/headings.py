"""Headings and the section each line stands in; where the bibliography begins and ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.papers.pdf.lines import Line
from rag_app.papers.pdf.raw_page import SOFT_HYPHEN, OutlineEntry
from rag_app.papers.pdf.reference_shape import find_reference_lines

_NUMBERED = re.compile(
    r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,3}|[A-Z](?:\.\d{1,2}){0,3}|[IVX]{1,5}(?=\.)|Appendix\s+[A-Z](?:\.\d{1,2}){0,3})"
    r"[.:]?\s+(?P<title>[A-Z“\"(\u4e00-\u9fff].*|[a-z]+[A-Z].*)$"
)
_KNOWN = re.compile(
    r"(?:abstract|introduction|background|related works?|methods?|methodology|experiments?|results|discussions?|"
    r"conclusions?|conclusions? and (?:future work|discussion|limitations)|limitations?|future work|references|"
    r"bibliography|literature cited|acknowledge?ments?|appendix|appendices|supplement(?:ary|al) materials?|"
    r"ethics statement|ethical considerations|broader impacts?(?: statement)?|impact statement|"
    r"reproducibility(?: statement)?|author contributions|checklist|datasheet|model card)[.:]?$",
    re.IGNORECASE,
)
_REFERENCES = re.compile(
    r"(?:references(?: and notes| cited)?|bibliography|literature(?: cited)?|works cited|literaturverzeichnis|"
    r"literatur|quellenverzeichnis|bibliographie|références(?: bibliographiques)?|referencias(?: bibliográficas)?|"
    r"bibliografía|riferimenti(?: bibliografici)?|bibliografia|referências(?: bibliográficas)?|literatuur|referenties|"
    r"список литературы|литература|参考文献|參考文獻|参考资料|参考書目|引用文献|참고\s?문헌)\s*[.:：]?$",
    re.IGNORECASE,
)
_ABSTRACT = re.compile(r"abstract\s*[—–.:-]", re.IGNORECASE)
_APPENDIX = re.compile(r"(?:appendix|appendices|supplement\w*)\b", re.IGNORECASE)
_NUMBER_BEFORE = re.compile(r"^(?:appendix\s+)?(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)*|[IVX]+)[.:]?\s+", re.IGNORECASE)
_BETWEEN, _WORD = re.compile(r"[\W_]+"), re.compile(r"[^\W\d_]{2}")
_LONGEST = 130


@dataclass(frozen=True)
class _Heading:
    number: str
    title: str
    level: int  # from 1


def mark_headings(pages: Sequence[Sequence[Line]], body: float, outline: Sequence[OutlineEntry]) -> None:
    """Set kind "heading" and "bibliography", and the section of every line in reading order."""
    finder = _HeadingFinder(body, outline)
    path: list[_Heading] = []
    in_references = False
    reference_size = 0.0
    for number, lines in enumerate(pages, 1):
        index = _abstract(lines) if number == 1 else 0
        while index < len(lines):
            line = lines[index]
            end = index + 1
            found = None
            if line.kind == "body":
                found = finder.find_heading(lines, index, number, path)
                if _ABSTRACT.match(line.text):  # the word opens the paragraph
                    path = [_Heading("", "Abstract", 1)]
            if found and in_references and not _leaves_references(found[0], line, reference_size):
                found = None
            if found:
                heading, end = found
                path = [one for one in path if one.level < heading.level] + [heading]
                in_references = bool(_REFERENCES.match(heading.title))
                reference_size = line.size
            for part in lines[index:end]:
                part.section = _section(path)
                if found:
                    part.kind = "heading"
                elif in_references and part.kind == "body":
                    part.kind = "bibliography"
            index = end
    every = [line for lines in pages for line in lines]
    if not any(line.kind == "bibliography" for line in every):
        for line in find_reference_lines([line for line in every if line.kind == "body"]):
            line.kind = "bibliography"


def numbered_heading(line: Line) -> bool:
    """Does a line look like "4.2 Results" in bold, and not like a row of a table?"""
    if not line.bold[0] or line.gaps > 1 or not _NUMBERED.match(line.text):
        return False
    return re.match(r"\d", line.text) is not None and re.search(r"\s\d+(?:\.\d+)?$", line.text) is None


def _abstract(lines: Sequence[Line]) -> int:
    """Where the abstract begins on the first page: before it stand title, authors and affiliations."""
    for index, line in enumerate(lines):
        if line.kind == "body" and re.match(r"abstract\b", line.text, re.IGNORECASE):
            return index
    return 0


def _section(path: Sequence[_Heading]) -> str:
    return " > ".join(f"{one.number} {one.title}".strip() for one in path)


def _compact(text: str) -> str:
    """Letters and digits only, without a section number: headings and bookmarks print it differently."""
    return _BETWEEN.sub("", _NUMBER_BEFORE.sub("", text.strip(), count=1)).lower()


class _HeadingFinder:
    """Finds the heading that begins at a line: by the file's bookmarks, by number, by name or by type alone."""

    def __init__(self, body: float, outline: Sequence[OutlineEntry]) -> None:
        self.body = body
        named = [entry for entry in outline if _compact(entry.title)]
        top = min((entry.level for entry in named if re.match(r"(?:\d|[IVX]+\.)", entry.title)), default=0)
        self.marked_pages = {entry.page for entry in named}
        self.bookmarks = {(entry.page, _compact(entry.title)): max(1, entry.level - top + 1) for entry in named}

    def find_heading(
        self, lines: Sequence[Line], index: int, page: int, path: Sequence[_Heading]
    ) -> tuple[_Heading, int] | None:
        """The heading and the index after its last line."""
        line = lines[index]
        if not line.upright or len(line.text) > _LONGEST or not _WORD.search(line.text) or line.gaps > 1:
            return None
        end = index + 1
        while end < len(lines) and end - index < 3 and _continues_heading(lines[end - 1], lines[end]):
            end += 1
        for stop in range(end, index, -1) if page in self.marked_pages else ():
            text = _join_lines(lines[index:stop])
            level = self.bookmarks.get((page, _compact(text)))
            if level is not None:
                return _make_heading(text, level, path), stop
        if not self._has_heading_style(line):
            plain = line.text.strip()
            known = (_KNOWN.match(plain) or _REFERENCES.match(plain)) and not plain[:1].islower()
            known = known and line.size >= 0.95 * self.body
            return (_make_heading(line.text.strip(), 1, path), index + 1) if known and line.gaps == 0 else None
        text = _join_lines(lines[index:end])
        match = _NUMBERED.match(text)
        if match and line.gaps and re.search(r"\s\d{1,3}$", text):
            return None  # a line of a table of contents
        if match and _is_next_number(match["number"], path):
            return _make_heading(text, 0, path), end
        if _KNOWN.match(text) or _REFERENCES.match(text) or _APPENDIX.match(text):
            return _make_heading(text, 1, path), end
        if match or not path or line.gaps or not self._is_standalone(lines, index, end):
            return None
        deepest = next((one.level for one in reversed(path) if one.number), 1)
        return _make_heading(text, deepest + 1, path), end

    def _has_heading_style(self, line: Line) -> bool:
        """Larger than the body, bold all along, or in small capitals."""
        capitals = line.text.upper() == line.text and line.size >= self.body
        return (all(line.bold) or line.size > 1.08 * self.body or capitals) and line.size > 0.9 * self.body

    def _is_standalone(self, lines: Sequence[Line], index: int, end: int) -> bool:
        """A bold line of its own with prose below: a heading without number, not a label in a figure."""
        text = _join_lines(lines[index:end])
        if not (lines[index].bold[0] and lines[end - 1].bold[1]) or end >= len(lines):
            return False
        below = lines[end]
        prose = below.kind == "body" and below.words >= 6 and abs(below.size - self.body) < 0.12 * self.body
        aligned = abs(below.box[0] - lines[index].box[0]) < 2.5 * self.body
        full = lines[end - 1].box[2] > below.box[2] - 4 * self.body
        if below.bold[0] and (full or below.text[:1].islower()):
            return False  # bold words that open a paragraph
        named = re.match(r"[A-Z“\"]", text) and not re.search(r"[,;:]$|^[\d\W]*$", text)
        sentence = re.search(r"[a-z]\.\s+[A-Z]", text) or (text.endswith(".") and len(text.split()) > 6)
        return bool(prose and aligned and named and not sentence)


def _join_lines(lines: Sequence[Line]) -> str:
    text = " ".join(" ".join(line.text.split()) for line in lines)
    return re.sub(f"{SOFT_HYPHEN}\\s*", "", text)


def _make_heading(text: str, level: int, path: Sequence[_Heading]) -> _Heading:
    """`level` is that of the bookmark, or 0. A number with points says its level itself."""
    match = _NUMBERED.match(text)
    if not match:
        return _Heading("", text.rstrip(".:"), max(1, level))
    number = match["number"].removeprefix("Appendix").strip()
    by_number = number.count(".") + 1
    roman = bool(path) and bool(re.fullmatch(r"[IVX]+", path[0].number))
    if roman and number.isalpha() and len(number) == 1 and _roman(number) != _roman(path[0].number) + 1:
        by_number = 2  # "A." below "IV."
    return _Heading(number, match["title"].rstrip(".:"), by_number)


def _roman(number: str) -> int:
    """The value of a Roman numeral up to XXXIX; 0 for anything else."""
    values = {"I": 1, "V": 5, "X": 10}
    if not number or any(letter not in values for letter in number):
        return 0
    digits = [values[letter] for letter in number]
    return sum(-one if one < after else one for one, after in zip(digits, [*digits[1:], 0], strict=True))


def _continues_heading(above: Line, line: Line) -> bool:
    distance = line.box[1] - above.box[3]
    return (
        line.kind == "body"
        and line.upright
        and abs(line.size - above.size) < 0.2
        and all(line.bold)
        and all(above.bold)
        and -0.3 * above.height < distance < 0.6 * above.height
        and not _NUMBERED.match(line.text)
        and not _KNOWN.match(line.text)
    )


def _is_next_number(number: str, path: Sequence[_Heading]) -> bool:
    """Is `number` a plausible next one: 3.2 after 3.1 or 3, 4 after 3.2, A after anything?"""
    first = number.removeprefix("Appendix").strip().split(".")[0]
    if not first.isdigit() or "." in number:
        return True
    known = [one.number.split(".")[0] for one in path if one.number]
    before = int(known[0]) if known and known[0].isdigit() else 0
    return 0 < int(first) - before <= 3


def _leaves_references(heading: _Heading, line: Line, size: float) -> bool:
    if heading.number and not heading.number[0].isdigit():
        return True
    if _KNOWN.match(heading.title) or _APPENDIX.match(heading.title):
        return True
    return line.size >= size - 0.3 and all(line.bold)
