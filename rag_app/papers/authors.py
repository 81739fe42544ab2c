"""Who wrote a paper: the names between its title and its abstract, as the first page sets them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from rag_app.papers.pdf.lines import Line
from rag_app.papers.pdf.raw_page import DocumentInfo, RawPage
from rag_app.text.characters import RAISED, RAISED_LETTERS
from rag_app.text.normalize import normalise_text
from rag_app.text.sentences import word_set

MOST_LINES = 60  # between title and abstract: large groups list each member on a line
WIDE = 1.0  # of the type size: a gap that parts two names

_ENDS = re.compile(
    r"(?:\W*|\d\.?\s*|i\.\s*)(?:abstract|summary|introduction|keywords|index terms|摘要|关键词|引言)(?=\W|$)",
    re.IGNORECASE,
)
_AFFILIATION = re.compile(
    r"universi|institut|research|college|school|laborator|\blabs?\b|department|academy|\bgoogle|facebook|microsoft|"
    r"\bmeta\b|openai|amazon|\bibm\b|nvidia|deepmind|\bai\b|\binc\b|corporation|@|https?:|www\.|alibaba|tencent|huawei|"
    r"\bgroup|cent(?:er|re)\b|contribut|\bversion|anonymous|hugging|github|salesforce|anthropic|\bltd|\bco\b|gmbh|"
    r"technolog|\bscience|hospital|\bfaculty|\bclinic|foundation|agency|ministry|\bteam\b|\baws\b|correspond|"
    r"\b(?:19|20)\d\d\b|\bequal|\bwork (?:done|was)|\bthe\b|\bof\b|\bfor\b|\bat\b",
    re.IGNORECASE,
)
_NO_NAME = re.compile(
    r"^(?:united (?:kingdom|states)|south (?:korea|africa)|north korea|new (?:york|zealand|delhi|jersey)|hong kong|"
    r"saudi arabia|san \w+|los angeles|mountain view|menlo park|palo alto|(?:senior |student |life |graduate )*"
    r"(?:member|fellow)|ieee|acm|et al|research article|original article|review article|open access|project page)\b"
    r"|’s\b|'s\b",
    re.IGNORECASE,
)
_MARKS = re.compile(rf"[{RAISED}{RAISED_LETTERS}∗*†‡§¶♠♢♣♦♡♥⋄⋆⋆◇◦•∥|#?✝✉\d()\[\]{{}}]+(?:\s*[,˚])?")
_ACCENTS = re.compile(r"\s?[\u0300-\u036f˘ˇ´`¨˜¯˙˝¸˚^]+")
_ADDRESS = re.compile(r"(?:\{[^}]*\}|\S+)\s?@\S+")
_PARTICLES = word_set("van von der de den di da del della dos la le el al bin ben ter ten zu af av")
_TITLES = re.compile(
    r",?\s*\b(?:Ph\.?D\.?|M\.?D\.?|MSc|BSc|Dr\.|Prof\.|(?:Senior |Student |Life )?(?:Member|Fellow),? IEEE)(?=\W|$)"
)


def find_authors(
    info: DocumentInfo, page: RawPage, lines: Sequence[Line], title_parts: Sequence[Line], title: str
) -> tuple[str, ...]:
    """The authors in the order of the first page; of the file's metadata where the page lists none or fewer.

    `lines` are those of the first page `page`; `title_parts` those of its title. Empty where nobody can be told.
    """
    printed = tuple(
        name for name in _read_printed_authors(page, lines, title_parts) if name.casefold() not in title.casefold()
    )
    told = [" ".join(name.split()) for name in re.split(r"[,;]|\band\b", info.author) if name.strip()]
    believed = bool(told) and all(_is_person(name) for name in told) and not _AFFILIATION.search(info.author)
    if believed and (len(told) > len(printed) or not printed):
        return tuple(told)
    return printed


def _read_printed_authors(page: RawPage, lines: Sequence[Line], title_parts: Sequence[Line]) -> list[str]:
    if not title_parts:
        return []
    after = lines[lines.index(title_parts[-1]) + 1 :][:MOST_LINES]
    found: list[str] = []
    style: tuple[float, bool] | None = None
    rest = ""  # a name that the line's end has cut
    for line in after:
        plain = " ".join(line.text.split())
        if _ENDS.match(plain) or (line.words > 12 and _is_prose(plain)):
            break
        own = (line.size, any(line.bold))
        if line.kind == "furniture" or not line.upright or (style and not _alike(style, own)):
            rest = ""
            continue
        pieces = list(_pieces(page, line, rest))
        names = [piece for piece in pieces if _is_person(piece)]
        if not names or (len(names) < 0.5 * len([piece for piece in pieces if len(piece) > 2]) and not found):
            rest = ""
            continue
        style = style or own
        rest = pieces[-1] if pieces and pieces[-1] not in names and re.fullmatch(r"[^\W\d_]+", pieces[-1]) else ""
        found += [name for name in names if name not in found]
    return found


def _alike(style: tuple[float, bool], own: tuple[float, bool]) -> bool:
    return abs(style[0] - own[0]) < 0.08 * style[0] and style[1] == own[1]


def _is_prose(text: str) -> bool:
    words = [word for word in text.split() if word[:1].isalpha()]
    return sum(word[0].islower() for word in words) > 0.5 * len(words)


def _pieces(page: RawPage, line: Line, rest: str) -> Iterator[str]:
    """What stands between commas, marks of affiliations and wide gaps; `rest` opens the first piece."""
    text = _TITLES.sub("", f"{rest} {_with_gaps(page, line)}".strip())
    text = _ACCENTS.sub("", _ADDRESS.sub(" , ", normalise_text(text, breaks=()).text))
    if _AFFILIATION.search(text):
        return
    for piece in re.split(r"\s*[,;·，；、]\s*|\s+and\s+|\s*&\s*|\s{2,}", _MARKS.sub(" , ", text)):
        name = re.sub(r"^and\s+|\s+[a-z]$", "", " ".join(piece.split()).strip(" ."))
        if name:
            yield name


def _with_gaps(page: RawPage, line: Line) -> str:
    """The line's text with a comma at each gap that is as wide as between columns."""
    first, last = np.searchsorted(page.words[:, 0], [line.start, line.end])
    words, boxes = page.words[first:last].tolist(), page.boxes[first:last]
    gaps = np.append(boxes[1:, 0] - boxes[:-1, 2], 0.0) > WIDE * line.size
    return " ".join(page.text[start:end] + (" ," if gap else "") for (start, end), gap in zip(words, gaps, strict=True))


def _is_person(name: str) -> bool:
    """Whether this looks like the name of a person: two to five words with capitals, particles between."""
    words = name.split()
    if re.fullmatch(r"[\u4e00-\u9fff]{2,4}", name):  # a Chinese name is written without a blank
        return not re.search(r"大学|学院|研究|摘要|公司|中心", name)
    if not 2 <= len(words) <= 5 or _NO_NAME.search(name) or _AFFILIATION.search(name):
        return False
    if not all(re.fullmatch(r"[^\W\d_][^\W\d_.’'‐-]*(?:[.’'‐-][^\W\d_]*)*", word) for word in words):
        return False
    large = [word for word in words if word[0].isupper()]
    small = [word for word in words if not word[0].isupper()]
    return (
        len(large) >= 2
        and all(word in _PARTICLES for word in small)
        and any(len(word.strip(".")) > 1 for word in large)
    )
