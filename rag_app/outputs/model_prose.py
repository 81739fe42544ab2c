"""A model's Markdown for other programs: what these would run, load or obey becomes the text that it is. Pure.

Pandoc passes commands of TeX (`\\input`, also as `^^5c`), formulas, raw code (`{=latex}`), attributes (`{onclick=...}`)
and YAML blocks on; other programs run code of their own languages, load images and insert files (`{{< include >}}`).
Parsers differ in where code and formulas end. So these are written in one form that all of them read alike, and
everything else is escaped so that it means nothing in a formula either.
"""

from __future__ import annotations

import re

from rag_app.text.formulas import LONGEST_FORMULA, is_clean_formula
from rag_app.text.sentences import word_set

_LANGUAGES = word_set(
    "awk bash bibtex c clojure console cpp cs csharp css csv cuda cython dart diff dockerfile elixir erlang fortran "
    "fsharp glsl go graphql haskell hcl html http ini java javascript js json julia kotlin lean lisp lua make "
    "makefile markdown matlab md nginx nim objectivec ocaml pascal perl php plaintext powershell prolog proto "
    "protobuf pseudocode py python r racket regex rs ruby rust sas scala scheme sh shell solidity sparql sql swift "
    "tcl text toml ts tsx txt typescript verilog vhdl vim xml yaml yml zig zsh"
)
"""Those that are only coloured: no program of notes draws, queries or runs them when a file is opened."""

_FENCE = re.compile(
    r"^(?P<indent> {0,3})(?P<marks>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>[^\n]*)\n"
    r"(?P<code>(?:.*\n)*?) {0,3}(?P=marks)[`~]*[ \t]*$",
    re.MULTILINE,
)
_CODE = re.compile(r"(?<!`)(`+)(?!`)([^\n]+?)(?<!`)\1(?!`)")  # over several lines it may be none, as in a list
_PROGRAM = re.compile(r"\s*(?:[$+!@%#]*=|\{|<%)")  # inline code that Dataview, Quarto or Templater run
_COMPUTED = re.compile(r"(?:r|py|python|jl|julia|js|ojs)[ #]")  # that R Markdown runs, without a blank before it
_TABLE = re.compile(r"^(?=.*-)[ \t>|+:=\-*]+$", re.MULTILINE)
_END_OF_CODE = re.compile(r"\\(?=end *\{(?:lstlisting|[vV]erbatim\*?|minted|frame)\}|stop(?:typing|highlighting)\b)")
_RISKY = re.compile(r"[\\^{|$<]")  # in code that a table may cut
_FORMULAS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_TICKS = re.compile(r"`+")
_TEXT_BEHIND = re.compile(r"\n[ \t]*\S")
_BEFORE = r"(?P<before>(?:[ \t]*(?:>|(?:[-*+:~]|\d{1,9}[.)]|\(?\w[.)]|\(\d+\)|\#\.)(?=[ \t])))*+[ \t]*+)"
_RULE = re.compile(rf"^{_BEFORE}-{{3,}}[ \t]*$", re.MULTILINE)  # also of YAML and of pandoc's tables
_DASHES = re.compile(rf"^{_BEFORE}(?=-[-: \t]*$|\+[-=:+]+)", re.MULTILINE)  # the lines of pandoc's other tables
_LINK = re.compile(r"\]\((?:https?://|mailto:)[^\s()<>\[\]{}\\`\"'$^|]*\)")
_SCHEME = re.compile(r"(?:javascript|vbscript|data|file|blob)$", re.IGNORECASE)  # some programs make links of these
_TAG = re.compile(r"<(?=[^\s\d.,;)])")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")  # some are dropped later, and join what they part
_OTHER_SYNTAX = re.compile(r"(?<=[\]<!])(?=[\[({:!/?A-Za-z])|(?<=\{)(?=[{%#:=])|(?<=[}%#])(?=\})|(?<=\[)(?=\^)")


def make_inert(text: str) -> str:
    """The same Markdown; what is no clean formula, code, or link to the web is shown and not run, loaded or obeyed."""
    text = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    made, done = "", 0
    for fence in _FENCE.finditer(text):
        made += _escape_prose(text[done : fence.start()])
        made = f"{made.rstrip()}\n\n" if made.strip() else made  # behind a paragraph pandoc takes some fences for text
        made += _write_fence(fence["indent"], fence["info"], fence["code"])
        done = fence.end()
        if _TEXT_BEHIND.match(text, done):
            made += "\n"
    return made + _escape_prose(text[done:])


def _write_fence(indent: str, info: str, code: str) -> str:
    """A block of code whose lines all stand as far in as its fence, so that no list ends within it."""
    code = _END_OF_CODE.sub(r"\\ ", code)  # pandoc may write it into listings, which end there
    marks = "`" * max([3, *(len(run) + 1 for run in _TICKS.findall(code))])
    name = info.strip().split(maxsplit=1)[0] if info.strip() else ""
    language = name if name.casefold() in _LANGUAGES else ""
    lines = [line.removeprefix(indent) if line.startswith(indent) else line.lstrip() for line in code.split("\n")[:-1]]
    return "\n".join(f"{indent}{line}" if line else "" for line in [marks + language, *lines, marks])


def _escape_prose(text: str) -> str:
    """Text without fences: spans of code, clean formulas and links to the web stay."""
    text = _RULE.sub(lambda rule: f"{rule['before']}* * *", text)
    text = _DASHES.sub(lambda dashes: f"{dashes['before']}\\", text)
    tables = bool(_TABLE.search(text))  # whose columns may end within what looks like code
    made, at = "", 0
    while at < len(text):
        kept, end = _keep_span(text, at, tables, made[-1:])
        if not end:
            kept, end = _escape_sign(text, at, made[-1:])
        made, at = made + kept, end
    return made


def _escape_sign(text: str, at: int, before: str) -> tuple[str, int]:
    """What is written for the sign that stands at an offset, and the offset behind it."""
    sign, after = text[at], text[at + 1 : at + 2]
    if sign == "\\":
        if after.isalnum() or after in ("", "\\"):
            return "&#92;", at + (2 if after == "\\" else 1)
        if after in "()<^":
            return f"&#{ord(after)};" if after in "<^" or before == "]" else after, at + 2
        return f"\\{after}", at + 2
    if (sign == "(" and before == "]") or _TAG.match(text, at):
        return f"&#{ord(sign)};", at + 1
    if sign == "`":
        run = _TICKS.match(text, at).end()  # type: ignore[union-attr]  # there is one
        return "\\`" * (run - at), run
    if sign == "^":
        return "&#94;", at + 1
    if sign == "~" and text.startswith("~~", at) and not text.startswith("~~~", at):
        return "~~", at + 2
    if sign == "{" and after in ("%", "#"):
        return f"\\{{\\{after}", at + 2
    if sign == ":" and (before == "]" or text.startswith(":::", at) or _SCHEME.search(text, max(0, at - 10), at)):
        return "\\:", at + 1
    escaped = sign in "${~" or (sign == "!" and after == "[")
    return f"\\{sign}" if escaped else sign, at + 1


def _keep_span(text: str, at: int, tables: bool, before: str) -> tuple[str, int]:
    """What is written for the code, clean formula or link that begins here, and the offset behind it; 0 for none."""
    if text[at] == "`":
        code = _CODE.match(text, at)
        if not code:
            return "", 0
        if _PROGRAM.match(code[2]) or (tables and _RISKY.search(code[2])):
            marks = "\\`" * len(code[1])
            return marks + _escape_prose(code[2]) + marks, code.end()
        return f"{code[1]} {code[2]} {code[1]}" if _COMPUTED.match(code[2]) else code[0], code.end()
    if text[at] == "]":
        link = _LINK.match(text, at)
        return (link[0], link.end()) if link else ("", 0)
    for left, right in _FORMULAS if re.match(r"[$\\]", text[at]) and not re.match(r"[\w\\$`]", before) else ():
        if text.startswith(left, at):
            start = at + len(left)
            end = text.find(right, start, start + LONGEST_FORMULA + len(right))
            content = text[start:end]
            behind = text[end + len(right) : end + len(right) + 1]
            if end > start and _is_formula_of_all(left, content) and not re.match(r"[\w$`]", behind):
                mark = "$" if left in ("$", r"\(") else "$$"
                return f"{mark}{_write_formula(content)}{mark}", end + len(right)
    return "", 0


def _is_formula_of_all(left: str, content: str) -> bool:
    """Whether what stands between two delimiters is a formula to every program: clean, in one block, without code."""
    one_block = not re.search(r"\n[ \t>]*(?:\n|[-+*#|]|\d+[.)])", content)
    edges = left != "$" or content.strip() == content
    return one_block and edges and "`" not in content and is_clean_formula(content)


def _write_formula(content: str) -> str:
    """A clean formula in one line, where it means nothing else to programs that know no formulas."""
    line = " ".join(re.sub(r"\n[ \t]*>", "\n", content).split())
    line = re.sub(r"(?<!\\)((?:\\\\)*)%", r"\1\\%", line)  # a comment would swallow the end of the formula
    return _OTHER_SYNTAX.sub(" ", line)
