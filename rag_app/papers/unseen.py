"""What a browser, a word processor, LaTeX or Markdown does not show of a file, by its own plain rules. Pure.

Of style sheets only rules for an element, a class or an id are read, and of them only whether something is shown.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

DEEPEST_STYLE = 20  # styles based on each other; Word allows eleven
TINY = 1.0  # points: letters of that size are lines
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_CONDITIONAL = re.compile(r"@[\w-]{1,40}[^{};@]{0,400}\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})[ \t\n\f]?|([^\n0-9a-fA-F]))")
_SHOWING = re.compile(r"(?<![\w-])(?:display|visibility)\s*:\s*([\w-]+)", re.IGNORECASE)
_NAME = re.compile(r"[.#][\w-]+")
_SIMPLE = re.compile(r"([a-z][\w-]*)?((?:[.#][\w-]+)*)", re.IGNORECASE)
_ZERO = r"0+(?:\.0*)?(?![.\d])"
_UNSEEN = re.compile(
    rf"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*{_ZERO}"
    rf"|font-size\s*:\s*(?:{_ZERO}|0*\.\d+p[xt])|(?<![\w-])font\s*:\s*(?:\w+\s+)?{_ZERO}",
    re.IGNORECASE,
)
_NO_SIZE = re.compile(rf"(?<![\w-])(?:max-)?(?:width|height)\s*:\s*{_ZERO}(?:[a-z]+|%)?\s*(?:!|;|$)", re.IGNORECASE)
_CUT = re.compile(r"(?<![\w-])overflow(?:-[xy])?\s*:\s*(?:hidden|clip)", re.IGNORECASE)


# -- style sheets -------------------------------------------------------------------------------------------------


@dataclass
class StyleRules:
    """Which elements, classes and ids style sheets hide. Under doubt, an element is shown."""

    _rules: int = 0
    _hiding: dict[str, dict[tuple[str, frozenset[str]], int]] = field(default_factory=dict)  # by a name, else the tag
    _showing: dict[str, int] = field(default_factory=dict)  # name or tag -> the last rule that shows it

    def add(self, sheet: str) -> None:
        """Read one style sheet; what holds for print or under a condition is left out."""
        for rule in _CONDITIONAL.sub(" ", _COMMENT.sub(" ", sheet)).split("}"):
            rule = _resolve_escapes(rule)
            selectors, _, declarations = rule.rpartition("{")
            said = {value.casefold() for value in _SHOWING.findall(declarations)}
            self._rules += 1
            for selector in selectors.rpartition(";")[2].split(",") if said else ():
                self._add_rule(selector.split(), not said.isdisjoint(("none", "hidden", "collapse")))

    def _add_rule(self, parts: list[str], hides: bool) -> None:
        """Of a selector of several parts, ".menu .note", only what shows something is taken."""
        names = frozenset(_NAME.findall(parts[-1])) if parts else frozenset()
        if parts and not hides:
            self._showing |= dict.fromkeys(names or (parts[-1].casefold(),), self._rules)
        elif len(parts) == 1 and (simple := _SIMPLE.fullmatch(parts[0])) and simple[0]:
            tag = (simple[1] or "").casefold()
            self._hiding.setdefault(min(names, default=tag), {})[tag, names] = self._rules

    def hide(self, tag: str, attributes: dict[str, str | None]) -> bool:
        """Whether an element is not shown, by its own attributes or by these rules."""
        style = _resolve_escapes(_COMMENT.sub("", attributes.get("style") or ""))
        if "hidden" in attributes or _UNSEEN.search(style) or (_CUT.search(style) and _NO_SIZE.search(style)):
            return True
        if not self._hiding or _SHOWING.search(style):
            return False
        own = {f".{name}" for name in (attributes.get("class") or "").split()} | {f"#{attributes.get('id')}"}
        shown = max(self._showing.get(one, 0) for one in (tag, *own))
        return any(
            rule > shown and element in ("", tag) and names <= own
            for key in (tag, *own)
            for (element, names), rule in self._hiding.get(key, {}).items()
        )


def _resolve_escapes(css: str) -> str:
    r"""Style text with letters, digits and hyphens for their escapes: "d\\69splay" is display (CSS Syntax, 4.3.7)."""

    def resolve(match: re.Match[str]) -> str:
        code = int(match[1], 16) if match[1] else ord(match[2])
        sign = chr(code) if code < 0x110000 else ""
        return sign if re.fullmatch(r"[\w-]", sign) else match[0]

    return _ESCAPE.sub(resolve, css) if "\\" in css else css


def find_sheets(markup: str) -> list[str]:
    """What the style elements of a page hold, but for those made for print."""
    found = re.findall(r"<style\b([^<>]*)>(.*?)(?:</style|\Z)", markup, re.DOTALL | re.IGNORECASE)
    return [sheet for attributes, sheet in found if "print" not in attributes]


# -- Markdown -----------------------------------------------------------------------------------------------------

_CODE = re.compile(
    r"^ {0,3}(?P<fence>(?P<sign>[`~])(?P=sign){2,})(?:(?<=`)[^`\n]*|(?<=~)[^\n]*)\n"
    r"(?:.*?^ {0,3}(?P=fence)(?P=sign)*[ \t]*$|.*\Z)|(?<!`)(?P<mark>`{1,9})(?!`)[^`\n]+(?P=mark)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_RAW = re.compile(r"<(/?)(?:pre|script|style|textarea)\b", re.IGNORECASE)
_BLOCK_LINE = re.compile(r"^(?:[ \t]*$| {0,3}(<)[a-zA-Z/!?])", re.MULTILINE)  # a blank line, or one that begins a block
_DECLARED = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)|<!([a-zA-Z][^>]*)(?:>|\Z)|<\?([^>]*)(?:>|\Z)", re.DOTALL)
_DEFINITION = re.compile(  # a title is shown by no program; CommonMark 4.7, on one line or its title on the next
    r"""^\ {0,3}\[[^\]\n]{1,99}\]:[ \t]*\n?[ \t]*(?:<[^<>\n]*>|[^\s<][^\s]*)(?:[ \t]+|[ \t]*\n[ \t]*)"""
    r"""(?:\((.*)\)|"(.*)"|'(.*)')[ \t]*$""",
    re.MULTILINE | re.VERBOSE,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)((?:\s[^<>]{0,2000})?)>")
_ATTRIBUTE = re.compile(r"""([\w:-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_NEVER_SHOWN = ("script", "style", "template")


def part_hidden_markup(text: str) -> tuple[str, list[str]]:
    """Markdown without declarations, comments in the form "[//]: # (...)" and hidden elements of HTML, and those texts.

    What stands in code is shown as it is. An element that hides by its own words hides the rest where it is not closed,
    as in a browser; a mere "<template>" in prose does not.
    """
    left_out: list[str] = []
    for form in (_DECLARED, _DEFINITION):
        text = _leave_out(form, text, left_out)
    is_code = _find_code(text)
    folded = text.casefold()
    closed = {one: folded.rfind(f"</{one}") for one in _NEVER_SHOWN}
    kept, at, depth, name = [], 0, 0, ""
    begin = 0
    for tag in _TAG.finditer(text):
        if is_code(tag.start()):
            continue
        own = tag[2].casefold()
        if depth:
            depth += own == name and not tag[3].endswith("/") and (-1 if tag[1] else 1)
            if not depth:
                left_out.append(text[begin : tag.start()])
                at = tag.end()
        elif not tag[1] and not tag[3].endswith("/") and (tag.start() < closed.get(own, 0) or _hides(own, tag[3])):
            kept.append(text[at : tag.start()])
            begin, depth, name = tag.end(), 1, own
    (left_out if depth else kept).append(text[begin if depth else at :])
    return " ".join(kept), left_out


def _leave_out(form: re.Pattern[str], text: str, left_out: list[str]) -> str:
    """The text without what has a form and stands in no code; what a group of the form holds is noted."""
    if not form.search(text):
        return text
    is_code = _find_code(text)

    def take(match: re.Match[str]) -> str:
        if is_code(match.start()):
            return match[0]
        left_out.append(next(filter(None, match.groups()), ""))
        return ""

    return form.sub(take, text)


def _find_code(text: str) -> Callable[[int], bool]:
    """Whether a place of Markdown stands in code. A fence within a block of HTML is none: browsers see its elements."""
    raw = [(match.start(), -1 if match[1] else 1) for match in _RAW.finditer(text)]
    open_raw = list(accumulate(step for _, step in raw))
    lines = [(match.start(), match[1] is not None) for match in _BLOCK_LINE.finditer(text)]

    def is_markdown(match: re.Match[str]) -> bool:
        before, above = bisect_left(raw, (match.start(),)), bisect_left(lines, (match.start(),))
        in_block = (before and open_raw[before - 1] > 0) or (above and lines[above - 1][1])
        return bool(match["mark"]) or not in_block

    code = [match.span() for match in _CODE.finditer(text) if is_markdown(match)]
    starts = [start for start, _ in code]

    def is_code(at: int) -> bool:
        place = bisect_right(starts, at) - 1
        return place >= 0 and at < code[place][1]

    return is_code


def _hides(tag: str, attributes: str) -> bool:
    found = {name.casefold(): one or two or three for name, one, two, three in _ATTRIBUTE.findall(attributes)}
    return StyleRules().hide(tag, dict(found))


# -- Word ---------------------------------------------------------------------------------------------------------


def is_unseen_run(run: Any, paragraph: Any, *, in_table: bool) -> bool:
    """Whether a run of python-docx is hidden, tiny or of its background's colour, by itself or by its styles.

    A table's style may colour cells, so that colours tell nothing there.
    """
    styles = _with_bases(paragraph.style)
    fonts = [run.font, *(style.font for style in [*_with_bases(run.style), *styles])]
    if next((font.hidden for font in fonts if font.hidden is not None), False):
        return True
    size = next((font.size for font in fonts if font.size is not None), None)
    if size is not None and size.pt <= TINY:
        return True
    if in_table:
        return False
    colour = next(filter(None, (_colour(font) for font in fonts)), "")
    return bool(colour) and colour == _background(fonts, [paragraph._p, *(style.element for style in styles)])


def _with_bases(style: Any) -> list[Any]:
    """A style and those that it is based on; a file may base one on itself, or many on each other."""
    found: list[Any] = []
    while style is not None and len(found) < DEEPEST_STYLE and all(style.style_id != one.style_id for one in found):
        found.append(style)
        style = style.base_style
    return found


_MARKERS = {
    **{"white": "FFFFFF", "black": "000000", "red": "FF0000", "green": "00FF00", "blue": "0000FF", "yellow": "FFFF00"},
    **{"cyan": "00FFFF", "magenta": "FF00FF", "darkRed": "800000", "darkGreen": "008000", "darkBlue": "000080"},
    **{"darkYellow": "808000", "darkCyan": "008080", "darkMagenta": "800080", "darkGray": "808080"},
    **{"lightGray": "C0C0C0"},
}


def _colour(font: Any) -> str:
    """The colour of letters as RRGGBB; empty where the word processor chooses it."""
    for element in font.element.xpath("./w:rPr/w:color"):
        if _attribute(element, "themeColor") in ("background1", "light1"):
            return "FFFFFF"
        value = _attribute(element, "val").upper()
        return value if re.fullmatch(r"[0-9A-F]{6}", value) else ""
    return ""


def _background(fonts: Sequence[Any], paragraphs: Sequence[Any]) -> str:
    """The colour behind letters: their marker's or shading's, the paragraph's, else white; empty where unknown."""
    for font in fonts:
        for element in font.element.xpath("./w:rPr/w:highlight"):
            return _MARKERS.get(_attribute(element, "val"), "")
    shaded = [one for font in fonts for one in font.element.xpath("./w:rPr/w:shd")]
    shaded += [one for part in paragraphs for one in part.xpath("./w:pPr/w:shd")]
    for element in shaded:
        solid = _attribute(element, "val") == "solid"  # a pattern of its own colour alone
        fill = _attribute(element, "color" if solid else "fill").upper()
        return fill if re.fullmatch(r"[0-9A-F]{6}", fill) else "FFFFFF" if fill in ("", "AUTO") else ""
    return "FFFFFF"


def _attribute(element: Any, name: str) -> str:
    return next((str(value) for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


# -- LaTeX --------------------------------------------------------------------------------------------------------

_COMMENT_ENVIRONMENT = re.compile(r"\\begin\{comment\}(.*?)(?:\\end\{comment\}|\Z)", re.DOTALL)
_MARK = re.compile(
    r"\\begin\{(?P<verbatim>verbatim|lstlisting|minted)\}|(?P<verb>\\verb\*?([^a-zA-Z\s*])[^\n]{0,300}?\3)"
    r"|\\newif\s*\\if(?P<new>[a-zA-Z]+)"
    r"|\\let\s*\\if(?P<let>[a-zA-Z]+)\s*=?\s*\\if(?P<like>true|false)(?![a-zA-Z])"
    r"|(?P<unless>\\unless\s*)?\\(?P<word>if[a-zA-Z]*|else|or|fi)(?![a-zA-Z])"
    r"|\\(?P<set>[a-zA-Z]{1,60})(?P<to>true|false)(?![a-zA-Z])"
)
_INTEGER = (
    r"""\s*([-+]?(?:\d{1,9}|"[0-9A-F]{1,7}|'[0-7]{1,9}|`\\?[^\s\\]))\s*"""  # decimal, hexadecimal, octal, a character
)
_RELAX = r"(?:\\relax(?![a-zA-Z])\s*)?"  # ends a number
_NUMBERS = re.compile(rf"{_INTEGER}([<=>]){_INTEGER}({_RELAX})")
_POINTS = {"pt": 1.0, "in": 72.27, "cm": 28.4528, "mm": 2.84528, "bp": 1.00375, "pc": 12.0, "sp": 1 / 65_536}
_LENGTHS = re.compile(
    r"\s*([-+]?\d{1,6}(?:\.\d{1,6})?)\s*([a-z]{2})\s*([<=>])\s*([-+]?\d{1,6}(?:\.\d{1,6})?)\s*([a-z]{2})\s?"
)
_ONE_NUMBER = re.compile(rf"{_INTEGER}{_RELAX}")
_TWO_SIGNS = re.compile(r"\s*([^\\\s{}#%&~])\s*([^\\\s{}#%&~])")


@dataclass
class _Condition:
    """An open condition. `chosen`: the number of the branch that is shown, 0 the first; None where it is not known."""

    chosen: int | None
    branch: int = 0
    with_else: bool = False  # its last branch, \else, is shown where no other is

    @property
    def hides(self) -> bool:
        return self.chosen is not None and self.branch != self.chosen


def part_switched_off(source: str) -> tuple[str, list[str]]:
    """LaTeX source without the environment comment and branches that are never taken, and those texts.

    A condition that depends on macros is not judged: both of its branches count as shown.
    """
    left_out = [text for text in _COMMENT_ENVIRONMENT.findall(source) if text.strip()]
    reader = _Reader(_COMMENT_ENVIRONMENT.sub(" ", source))
    reader.read()
    return "".join(reader.kept), left_out + [text for text in ("".join(reader.left_out),) if text.strip()]


class _Reader:
    """Walks through conditions in one pass."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._open: list[_Condition] = []
        self._switches: dict[str, bool | None] = {}
        # A switch may be set in a file that is read in, and is only followed where there is none.
        self._is_whole = re.search(r"\\(?:input|include)\b", source) is None
        self._hiding = 0  # of the open conditions
        self.kept: list[str] = []
        self.left_out: list[str] = []

    def read(self) -> None:
        at = 0
        while mark := _MARK.search(self._source, at):
            self._put(self._source[at : mark.start()])
            at = mark.end()
            if mark["word"]:
                at = self._follow(mark)
                continue
            self._put(mark[0])
            if mark["verbatim"] and not self._hiding:  # what is skipped holds no verbatim text
                end = self._source.find(rf"\end{{{mark['verbatim']}}}", at)
                self._put(self._source[at : len(self._source) if end < 0 else end])
                at = len(self._source) if end < 0 else end
            elif mark["verb"] and self._hiding:
                at = mark.start() + len(r"\verb")
                self.left_out[-1] = r"\verb"
            elif not mark["verbatim"] and not mark["verb"]:
                self._set(mark)
        self._put(self._source[at:])

    def _put(self, text: str) -> None:
        (self.left_out if self._hiding else self.kept).append(text)

    def _set(self, mark: re.Match[str]) -> None:
        if self._hiding:
            return
        value: bool | None = "true" in (mark["to"], mark["like"])
        if any(one.chosen is None for one in self._open):
            value = None
        name = mark["new"] or mark["let"] or mark["set"]
        if mark["new"]:
            self._switches[name] = False if self._is_whole else None
        elif mark["let"] or name in self._switches:
            self._switches[name] = value

    def _follow(self, mark: re.Match[str]) -> int:
        """Open a condition, or go to the next branch, or close it. Where the text goes on."""
        word, end = mark["word"], mark.end()
        if word.startswith("if"):
            chosen, after = self._judge(word, end)
            if word == "iff" or (after < 0 and re.match(r"\s*\{", self._source[end : end + 20])):
                self._put(mark[0])  # a sign, or a command with the branches as its arguments
                return end
            if mark["unless"] and chosen is not None and word != "ifcase":
                chosen = 1 - chosen
            self._open.append(_Condition(chosen))
            self._hiding += self._open[-1].hides
            if chosen is None:
                self._put(mark[0])
            return end if after < 0 else after
        if not self._open:
            self._put(mark[0])
            return end
        last = self._open[-1]
        self._hiding -= last.hides
        if word == "fi":
            self._open.pop()
        else:
            last.branch += 1
            if word == "else" and last.chosen is not None and last.chosen > last.branch:
                last.chosen = last.branch  # \ifcase beyond its last number
            self._hiding += last.hides
        if last.chosen is None:
            self._put(mark[0])
        return end

    def _judge(self, word: str, end: int) -> tuple[int | None, int]:
        """Which branch of a condition is shown (None: not known), and where its text begins (-1: not known)."""
        rest = self._source[end : end + 60]
        if word in ("iftrue", "iffalse"):
            return int(word == "iffalse"), end
        if word.removeprefix("if") in self._switches:
            value = self._switches[word.removeprefix("if")]
            return (None if value is None else int(not value)), end
        if word == "ifcase" and (found := _ONE_NUMBER.match(rest)):
            number = _integer(found[1])
            return (number if number >= 0 else 10**9), end + found.end()
        if word == "ifodd" and (found := _ONE_NUMBER.match(rest)):
            return int(_integer(found[1]) % 2 == 0), end + found.end()
        if word == "ifnum" and (found := _NUMBERS.match(rest)) and (found[4] or rest[found.end() :][:1] != "\\"):
            return int(not _holds(_integer(found[1]), found[2], _integer(found[3]))), end + found.end()
        if (
            word == "ifdim"
            and (found := _LENGTHS.match(rest))
            and (found[2] == found[5] or {found[2], found[5]} <= _POINTS.keys())
        ):
            one, two = (
                _POINTS.get(unit, 1.0) * float(number) for number, unit in (found.group(1, 2), found.group(4, 5))
            )
            return int(not _holds(one, found[3], two)), end + found.end()
        if word == "if" and (found := _TWO_SIGNS.match(rest)):
            return int(found[1] != found[2]), end + found.end()
        return None, -1


def _integer(written: str) -> int:
    """An integer as TeX writes one: 10, "A, '12 and `a are ten, ten, ten and 97."""
    sign, digits = (-1 if written[0] == "-" else 1), written.lstrip("+-")
    if digits[0] == "`":
        return sign * ord(digits[-1])
    return sign * int(digits.lstrip("\"'"), {'"': 16, "'": 8}.get(digits[0], 10))


def _holds(one: float, sign: str, two: float) -> bool:
    return one < two if sign == "<" else one > two if sign == ">" else one == two
