"""The sentences of an answer, each with what it cites and with the words of its code and formulas. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rag_app.text.formula_text import inner_text, reads_as_prose, spell_words
from rag_app.text.protected_spans import Block, find_blocks, protected_spans
from rag_app.text.sentences import sentences

_SHOWN = re.compile(r"\[(\d+)\]")
_EAST_ASIAN_STOP = re.compile(r"[。！？][”’」』）*_]*")
_PAIRED = re.compile(r"(?<![\w*_])([*_])(?=\S)([^*_\n]+?)(?<=\S)\1(?![\w*_])")
_MARKS_BEHIND = re.compile(r"[ \t]*\n?[ \t]*\n?[ \t>]*((?:\[\d+\][ \t]*)+)[.。]?[ \t]*(?=\n|$)")
_FIRST, _MORE = "\ufdd0", "\ufdd1"  # in place of the characters of code and formulas
_MASKED = re.compile(f"{_FIRST}{_MORE}*")


@dataclass(frozen=True)
class Statement:
    """A sentence of an answer with what it cites; so is a block of code or mathematics that cites or reads as prose.

    A line of code or a formula with figures is one without prose.
    """

    text: str  # as it stands in the answer
    plain: str  # without marks and emphasis
    cited: tuple[int, ...]
    without_code: str | None = None  # `plain` without code and formulas that do not read as prose, where it has any
    holds_prose: bool = False  # in code or a formula

    @property
    def prose(self) -> str:
        return self.plain if self.without_code is None else self.without_code


def without_emphasis(text: str) -> str:
    """The text without Markdown's marks of bold and italics, also where only one of a pair stands in it."""
    return _PAIRED.sub(r"\2", re.sub(r"\*\*+|__+", "", text))


def find_statements(answer: str) -> Iterable[Statement]:
    """The sentences of an answer, each with what it cites; no headings, rules, heads of tables.

    Code and formulas in a sentence belong to it. A block is one where it cites something or reads as prose, and where
    it holds figures.
    """
    done = 0
    for block in find_blocks(answer):
        yield from _statements_of_lines(answer, done, block.start)
        yield from _statements_of_block(answer, block)
        done = block.end
    yield from _statements_of_lines(answer, done, len(answer))


def find_headings(answer: str) -> Iterable[Statement]:
    """The headings and bold lines of an answer that cite nothing, each without the signs that make it one."""
    done = 0
    ends = [(block.start, block.end) for block in find_blocks(answer)]
    for start, end in [*ends, (len(answer), len(answer))]:
        for line in answer[done:start].split("\n"):
            text = line.strip()
            if text and not text.startswith("|") and _is_frame(text, "") and not _SHOWN.search(line):
                plain = re.sub(r"^(?:[-*•>]\s+|#{1,6}\s+|\d{1,3}[.)]\s+)*", "", text)
                yield Statement(text, without_emphasis(plain.replace("`", "")).strip(" #"), ())
        done = end


def _statements_of_lines(answer: str, start: int, end: int) -> Iterable[Statement]:
    masked = [_mask_line(line) for line in answer[start:end].split("\n")]
    offset = start
    for number, line in enumerate(masked):
        following = masked[number + 1] if number + 1 < len(masked) else ""
        if not _is_frame(line, following) or _SHOWN.search(line):  # a heading that cites something claims something
            yield from _line_sentences(answer, line, offset)
        offset += len(line) + 1


def _mask_line(line: str) -> str:
    line = line.replace(_FIRST, " ").replace(_MORE, " ")
    for start, end in protected_spans(line):
        line = line[:start] + _FIRST + _MORE * (end - start - 1) + line[end:]
    return line


def _statements_of_block(answer: str, block: Block) -> Iterable[Statement]:
    text, inner = answer[block.start : block.end], answer[slice(*block.inner)]
    behind = _MARKS_BEHIND.match(answer, block.end)
    cited = tuple(int(number) for number in _SHOWN.findall(behind[1])) if behind else ()
    words = " ".join(inner.split())
    plain = words if block.is_code else f"$${words}$$"
    lines = [line.strip() for line in inner.split("\n") if reads_as_prose(line)]
    is_prose = not block.is_code if lines else _is_broken_prose(inner) or (not block.is_code and spell_words(inner))
    if (cited and words) or is_prose:
        yield Statement(text.strip(), plain, cited, holds_prose=True)
        return
    for piece in inner.split("\n") if block.is_code else [text]:
        piece = piece.strip()
        if piece in lines:
            yield Statement(piece, piece, (), holds_prose=True)
        elif re.search(r"\d", piece):
            yield Statement(piece, piece if block.is_code else plain, (), without_code="")


def _is_broken_prose(inner: str) -> bool:
    """Whether a block has hardly anything but words, with few in each line."""
    tokens = inner.split()
    words = [token for token in tokens if re.fullmatch(r"[^\W\d_]+[.,;:!?]?", token)]
    return len(words) >= 0.8 * len(tokens) and reads_as_prose(inner)


def _is_frame(line: str, following: str) -> bool:
    """Headings, bold labels, rules, and the head of a table carry no claim; a bold item of a list may."""
    text = line.strip()
    rule = r"\|?[\s:|-]+\|?"
    if (
        not text
        or text.startswith("#")
        or re.fullmatch(rule, text)
        or re.fullmatch(r"(?:\d{1,3}[.)]\s+)?\*\*[^*]+\*\*:?|[-*•]\s+(?:\*\*[^*]+:\*\*|\*\*[^*]+\*\*:)", text)
    ):
        return True
    return text.startswith("|") and re.fullmatch(rule, following.strip() or "x") is not None


def _line_sentences(answer: str, masked: str, offset: int) -> Iterable[Statement]:
    """The sentences of one line. A mark belongs to the sentence that ends at it, also when it stands after the stop."""
    bullet = re.match(r"\s*(?:[-*•>]\s+|#{1,6}\s+|\d{1,3}[.)]\s+)*", masked)
    position = bullet.end() if bullet else 0
    plain = ""
    origin: list[int] = []  # of each character of `plain`, its offset in the line
    marks: list[tuple[int, int]] = []
    for match in [*_SHOWN.finditer(masked, position), None]:
        stop = match.start() if match else len(masked)
        plain += masked[position:stop]
        origin += range(position, stop)
        if match:
            marks.append((len(plain.rstrip()), int(match.group(1))))
            position = match.end()
    readable = plain.replace(_FIRST, "X").replace(_MORE, "x")  # code may begin a sentence
    spans = [one for span in sentences(readable) for one in _east_asian(plain, *span)]
    spans = [span for span in spans if plain[slice(*span)].strip()]
    for number, (low, high) in enumerate(spans):
        until = spans[number + 1][0] if number + 1 < len(spans) else len(plain)
        cited = tuple(shown for place, shown in marks if low < place <= until or (number == 0 and place <= low))
        part = plain[low:high]
        low, high = low + len(part) - len(part.lstrip()), low + len(part.rstrip())
        first, last = offset + origin[low], offset + origin[high - 1] + 1
        codes = [
            answer[offset + origin[m.start()] : offset + origin[m.end() - 1] + 1]
            for m in _MASKED.finditer(plain, low, high)
        ]
        yield _make_statement(answer[first:last], without_emphasis(plain[low:high]), codes, cited)


def _make_statement(text: str, masked: str, codes: list[str], cited: tuple[int, ...]) -> Statement:
    if not codes:
        return Statement(text, masked, cited)
    prose = [_read_prose(code) for code in codes]
    all_codes, all_prose = iter(codes), iter(prose)
    plain = _MASKED.sub(lambda _: next(all_codes), masked)
    without_code = _MASKED.sub(lambda _: next(all_prose) or " ", masked)
    return Statement(text, plain, cited, without_code, any(prose))


def _read_prose(span: str) -> str:
    """What inline code or a formula says where it reads as prose, else nothing."""
    inner = inner_text(span)
    spelled = "" if span.startswith("`") else spell_words(inner)
    return spelled or (inner if reads_as_prose(inner) else "")


def _east_asian(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """The span cut behind each full stop of Chinese and Japanese, after which no blank stands."""
    for match in _EAST_ASIAN_STOP.finditer(text, start, end):
        yield start, match.end()
        start = match.end()
    if start < end:
        yield start, end
