"""What a browser, a word processor, LaTeX or Markdown does not show of a file, by its own plain rules. Pure.

Of style sheets only rules for an element, a class or an id are read, and of them only whether something is shown.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

TINY = 1.0  # points: letters of that size are lines
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_CONDITIONAL = re.compile(r"@[\w-]{1,40}[^{};@]{0,400}\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
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
            selectors, _, declarations = rule.rpartition("{")
            said = {value.casefold() for value in _SHOWING.findall(declarations)}
            self._rules += 1
            for selector in selectors.rpartition(";")[2].split(",") if said else ():
                self._add_rule(selector.split(), not said.isdisjoint(("none", "hidden")))

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
        style = _COMMENT.sub("", attributes.get("style") or "")
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


def find_sheets(markup: str) -> list[str]:
    """What the style elements of a page hold, but for those made for print."""
    found = re.findall(r"<style\b([^<>]*)>(.*?)(?:</style|\Z)", markup, re.DOTALL | re.IGNORECASE)
    return [sheet for attributes, sheet in found if "print" not in attributes]


# -- Markdown -----------------------------------------------------------------------------------------------------

_CODE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)|(`+)[^`\n]+\2", re.DOTALL | re.MULTILINE)
_DEFINED_COMMENT = re.compile(
    r"""^\ {0,3}\[[^\]\n]{1,99}\]:[ \t]*(?:\#|<\#?>)[ \t]+(?:\((.*)\)|"(.*)"|'(.*)')[ \t]*$""",
    re.MULTILINE | re.VERBOSE,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)((?:\s[^<>]{0,2000})?)>")
_ATTRIBUTE = re.compile(r"""([\w:-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_NEVER_SHOWN = ("script", "style", "template")


def part_hidden_markup(text: str) -> tuple[str, list[str]]:
    """Markdown without comments in the form "[//]: # (...)" and HTML elements that are not shown, and those texts.

    What stands in code is shown as it is. An element that hides by its own words hides the rest where it is not closed,
    as in a browser; a mere "<template>" in prose does not.
    """
    code = [match.span() for match in _CODE.finditer(text)]
    starts = [start for start, _ in code]

    def is_code(at: int) -> bool:
        place = bisect_right(starts, at) - 1
        return place >= 0 and at < code[place][1]

    folded = text.casefold()
    closed = {one: folded.rfind(f"</{one}") for one in _NEVER_SHOWN}
    kept, left_out, at, depth, name = [], [], 0, 0, ""
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
    if depth:
        left_out.append(text[begin:])
    else:
        kept.append(text[at:])

    def leave_out(match: re.Match[str]) -> str:
        left_out.append(next(filter(None, match.groups()), ""))
        return ""

    return _DEFINED_COMMENT.sub(leave_out, " ".join(kept)), left_out


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
    """A style and those that it is based on; a file may base one on itself."""
    found: list[Any] = []
    while style is not None and all(style.style_id != one.style_id for one in found):
        found.append(style)
        style = style.base_style
    return found


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
            return {"white": "FFFFFF", "black": "000000"}.get(_attribute(element, "val"), "")
    shaded = [one for font in fonts for one in font.element.xpath("./w:rPr/w:shd")]
    shaded += [one for part in paragraphs for one in part.xpath("./w:pPr/w:shd")]
    for element in shaded:
        fill = _attribute(element, "fill").upper()
        return fill if re.fullmatch(r"[0-9A-F]{6}", fill) else "FFFFFF" if fill in ("", "AUTO") else ""
    return "FFFFFF"


def _attribute(element: Any, name: str) -> str:
    return next((str(value) for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


# -- LaTeX --------------------------------------------------------------------------------------------------------

_COMMENT_ENVIRONMENT = re.compile(r"\\begin\{comment\}(.*?)(?:\\end\{comment\}|\Z)", re.DOTALL)
_CONDITION = re.compile(r"\\(iffalse|if[a-zA-Z]*|else|fi)(?![a-zA-Z])")


def part_switched_off(source: str) -> tuple[str, list[str]]:
    """LaTeX source without what stands in the environment comment or after \\iffalse, and those texts."""
    left_out = _COMMENT_ENVIRONMENT.findall(source)
    source = _COMMENT_ENVIRONMENT.sub(" ", source)
    kept, at, begin, depth = [], 0, -1, 0
    for mark in _CONDITION.finditer(source):
        if begin < 0:
            if mark[1] == "iffalse":
                kept.append(source[at : mark.start()])
                begin, depth = mark.end(), 0
            continue
        depth += mark[1].startswith("if")
        if depth == 0 and mark[1] in ("else", "fi"):
            left_out.append(source[begin : mark.start()])
            at, begin = mark.end(), -1
        depth -= mark[1] == "fi" and depth > 0
    if begin >= 0:  # without an end LaTeX stops there
        left_out.append(source[begin:])
        return "".join(kept), left_out
    return "".join([*kept, source[at:]]), left_out
