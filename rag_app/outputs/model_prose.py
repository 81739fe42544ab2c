"""A model's Markdown for other programs: what pandoc and notebooks would run as TeX becomes the text that it is. Pure.

Pandoc passes commands (`\\input`), formulas, code marked as raw (`{=latex}`) and YAML blocks on to LaTeX as they are.
"""

from __future__ import annotations

import re

from rag_app.text.formulas import LONGEST_FORMULA, is_clean_formula

_FENCE = re.compile(
    r"^(?P<indent> {0,3})(?P<marks>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>[^\n]*)\n"
    r"(?P<code>(?:.*\n)*?) {0,3}(?P=marks)[`~]*[ \t]*$",
    re.MULTILINE,
)
_LANGUAGE = re.compile(r"[ \t]*([A-Za-z][\w+#-]*)?")
_CODE = re.compile(r"(?<!`)(`+)(?!`)[^\n]+?(?<!`)\1(?!`)")  # over several lines it may be none, as in a list
_TABLE = re.compile(r"^(?=.*--)[ \t>|+:=-]+$", re.MULTILINE)
_FORMULAS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_TICKS = re.compile(r"`+")
_RAW = re.compile(r"\{(?=\s*=)")
_YAML = re.compile(r"^(?P<before>[ \t>*+-]*|[ \t>]*\d+[.)][ \t]+)(?<!-)---[ \t]*$", re.MULTILINE)  # also a rule


def make_tex_plain(text: str) -> str:
    """The same Markdown; TeX in it that is no clean formula, and no code, is shown and not run."""
    made, done = "", 0
    for fence in _FENCE.finditer(text):
        language = _LANGUAGE.match(fence["info"])
        head = f"{fence['indent']}{fence['marks']}{(language and language[1]) or ''}\n"
        made += _make_prose_plain(text[done : fence.start()]) + head + text[fence.start("code") : fence.end()]
        done = fence.end()
    return made + _make_prose_plain(text[done:])


def _make_prose_plain(text: str) -> str:
    """Text without fences: spans of code and clean formulas stay."""
    text = _YAML.sub(lambda rule: f"{rule['before']}* * *", text)
    tables = bool(_TABLE.search(text))  # whose columns may end within what looks like code
    made, at = "", 0
    while at < len(text):
        kept = _kept_end(text, at, tables)
        if kept:
            made, at = made + text[at:kept], kept
            continue
        letter = text[at]
        if letter == "\\" and at + 1 < len(text):
            after = text[at + 1]
            made += f"\\\\{after}" if after.isalpha() else f"\\{after}"
            at += 2
            continue
        made += f"\\{letter}" if letter == "$" or _RAW.match(text, at) else letter
        at += 1
    return made


def _kept_end(text: str, at: int, tables: bool) -> int:
    """Where the code or the clean formula ends that begins here; 0 for none."""
    if text[at] == "`":
        code = _CODE.match(text, at)
        if code and not (tables and "\\" in code[0]):
            return code.end()
        return _TICKS.match(text, at).end()  # type: ignore[union-attr]  # there is one
    for left, right in _FORMULAS:
        if text.startswith(left, at):
            start = at + len(left)
            end = text.find(right, start, start + LONGEST_FORMULA + len(right))
            if end > start and is_clean_formula(text[start:end]):
                return end + len(right)
    return 0
