"""Untrusted text -> HTML that is safe to show. Pure, and the only module that imports markdown-it.

What reaches the screen is built here from escaped text: no HTML, link or picture of a text survives, and mathematics
is handed on only where it is clean. The page renders mathematics between backslash-brackets and nothing else, so a
price such as $5 can never become a formula.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from rag_app.records import Support
from rag_app.server.i18n import translate
from rag_app.text.characters import without_invisible
from rag_app.text.formulas import LONGEST_FORMULA, is_clean_formula

Cite = Callable[[int], str]
"""A citation's number -> the HTML that stands for its mark."""

MATH_DELIMITERS: tuple[dict[str, str | bool], ...] = (
    {"left": r"\(", "right": r"\)", "display": False},
    {"left": r"\[", "right": r"\]", "display": True},
)
LONGEST_WORD = 24  # characters of a cell that is kept on one line
_DELIMITER = re.compile(r"\\([()\[\]])")
_MARK = re.compile(r"\[(\d{1,4})\]")
_OWN_NUMBER = re.compile(r"［([^［］]*)］")
_LABEL = re.compile(r"\*\*([^*\n]+)\*\*")
_END = "\ue001"  # private use: it can stand for nothing in a text, nor can the four that begin a doubt
_BEGINS: dict[str, Support] = {"\ue000": "not", "\ue002": "partly", "\ue003": "unchecked", "\ue004": "contradicted"}
_HINTS: dict[Support, str] = {
    "not": "answer.unsupported-hint",
    "partly": "answer.partly-hint",
    "unchecked": "answer.unchecked-hint",
    "contradicted": "answer.contradicted-hint",
}
_SENTINELS = dict.fromkeys(map(ord, (_END, *_BEGINS)))
_DOUBT = re.compile(f"([{''.join(_BEGINS)}])([^{''.join(_BEGINS)}{_END}]*){_END}")
_BLOCK_TAG = re.compile(r"</?(?:p|ul|ol|li|h[1-6]|table|thead|tbody|tr|td|th|pre|blockquote|hr)\b")
_LINE_START = re.compile(r"\s*(?:(?:[-*+>]|#{1,6}|\d{1,3}[.)])\s+)*")
_FORMULA_STARTS = ((r"\(", r"\)", False), (r"\[", r"\]", True), ("$$", "$$", True), ("$", "$", False))


def escape_html(text: str) -> str:
    """`text` as HTML that shows exactly its visible characters: escaped, and never taken for a formula."""
    return _DELIMITER.sub(r"\\<wbr>\1", html.escape(without_invisible(text), quote=True))


def quote_html(text: str) -> str:
    """A paper's own words, where no mark of ours can stand: its own numbers ("［38］" until here) as it prints them."""
    return escape_html(_OWN_NUMBER.sub(r"[\1]", text))


def plain_html(
    text: str,
    cite: Cite,
    numbers: Iterable[int],
    doubts: Mapping[str, Support] = MappingProxyType({}),
    key_words: Sequence[str] = (),
) -> str:
    """Verbatim text: paragraphs, marks, and a line that is **a label** as a whole; nothing else is interpreted.

    `key_words` are set in bold wherever they stand as words of their own.
    """
    known = set(numbers)
    source = _with_sentinels(text.translate(_SENTINELS), doubts)
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", source.strip()):
        label = _LABEL.fullmatch(paragraph)
        if label:
            paragraphs.append(f'<p class="label"><strong>{escape_html(label[1])}</strong></p>')
            continue
        pieces, end = [], 0
        for mark in _MARK.finditer(paragraph):
            if int(mark[1]) in known:
                pieces += [_with_key_words(paragraph[end : mark.start()], key_words), cite(int(mark[1]))]
                end = mark.end()
        pieces.append(_with_key_words(paragraph[end:], key_words))
        paragraphs.append("<p>" + "".join(pieces).replace("\n", "<br>") + "</p>")
    return _spans("\n".join(paragraphs))


def _with_key_words(text: str, key_words: Sequence[str]) -> str:
    """The text, escaped, with its key words in bold."""
    if not key_words:
        return escape_html(text)
    longest_first = "|".join(re.escape(word) for word in sorted(key_words, key=len, reverse=True))
    parts = re.split(rf"(?<![\w.,])({longest_first})(?!\w)", text)
    return "".join(
        f"<strong>{escape_html(part)}</strong>" if at % 2 else escape_html(part) for at, part in enumerate(parts)
    )


def markdown_html(
    text: str,
    cite: Cite,
    numbers: Iterable[int],
    doubts: Mapping[str, Support] = MappingProxyType({}),
    *,
    escaped_brackets: bool = False,
) -> str:
    """Markdown with marks: emphasis, lists, tables, code and clean mathematics.

    The sentences of `doubts` get a span, with a look and words of its own for each kind of doubt. With
    `escaped_brackets` a backslash before a square bracket makes a bracket of it, as in what this program exports; only
    a line that is a formula as a whole is one.
    """
    environment = {"cite": cite, "numbers": set(numbers), "escaped_brackets": escaped_brackets}
    source = _with_sentinels(text.translate(_SENTINELS), doubts)
    return _spans(str(_parser().render(source, environment)))


def _with_sentinels(text: str, doubts: Mapping[str, Support]) -> str:
    """Put a sentinel before and after each doubtful sentence that stands in one line of the text."""
    begins = {support: sentinel for sentinel, support in _BEGINS.items()}
    for sentence in sorted(doubts, key=len, reverse=True):
        wanted = sentence.strip()
        if not wanted or "\n" in wanted or "|" in wanted or wanted not in text:
            continue
        head = _LINE_START.match(wanted)
        skip = head.end() if head else 0
        begin = begins.get(doubts[sentence], begins["not"])
        text = text.replace(wanted, wanted[:skip] + begin + wanted[skip:] + _END, 1)
    return text


def _spans(rendered: str) -> str:
    """Sentinels -> spans, where the two of a pair enclose no border of a block."""

    def span(match: re.Match[str]) -> str:
        inner = match[2]
        if _BLOCK_TAG.search(inner) or not _is_balanced(inner):
            return inner
        kind = _BEGINS[match[1]]
        names = "unsupported" if kind == "not" else f"unsupported {kind}"
        return f'<span class="{names}" title="{translate(_HINTS[kind])}">{inner}</span>'

    rendered = _DOUBT.sub(span, rendered)
    return rendered.translate(_SENTINELS)


def _is_balanced(fragment: str) -> bool:
    depth = 0
    for tag in re.findall(r"<(/?)(?:em|strong|s|code|span|button)\b", fragment):
        depth += -1 if tag else 1
        if depth < 0:
            return False
    return depth == 0


def render_unrestricted(text: str) -> str:
    """Markdown as HTML by a renderer that allows everything: what another program may make of an export."""
    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


# -- the Markdown parser ----------------------------------------------------------------------------------------


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    parser.disable(["link", "image", "autolink", "html_inline", "html_block", "reference"])
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.inline.ruler.before("escape", "citation", _citation)
    parser.add_render_rule("formula", _render_formula)
    parser.add_render_rule("citation", _render_citation)
    parser.add_render_rule("text", _render_text)
    parser.add_render_rule("fence", _render_code)
    parser.add_render_rule("table_open", _render_table_open)
    parser.add_render_rule("table_close", _render_table_close)
    parser.add_render_rule("td_open", _render_cell_open)
    parser.add_render_rule("th_open", _render_cell_open)
    return parser


def _formula(state: StateInline, silent: bool) -> bool:
    for left, right, display in _FORMULA_STARTS:
        if not state.src.startswith(left, state.pos):
            continue
        start = state.pos + len(left)
        end = state.src.find(right, start, min(state.posMax, start + LONGEST_FORMULA + 1))
        content = state.src[start:end] if end > start else ""
        if not is_clean_formula(content) or (left == "$" and not _is_dollar_formula(state.src, start, end)):
            continue
        if left == r"\[" and state.env["escaped_brackets"] and (state.src[: state.pos] + state.src[end + 2 :]).strip():
            continue
        if not silent:
            token = state.push("formula", "math", 0)
            token.content, token.meta = content, {"display": display}
        state.pos = end + len(right)
        return True
    return False


def _is_dollar_formula(source: str, start: int, end: int) -> bool:
    """Pandoc's rule: no blank inside either dollar, no digit after the second; and a bare amount is a price."""
    content, after = source[start:end], source[end + 1 : end + 2]
    if content[0].isspace() or content[-1].isspace() or after.isdigit():
        return False
    return re.match(r"\d[\d.,]*\s", content) is None


def _citation(state: StateInline, silent: bool) -> bool:
    mark = _MARK.match(state.src, state.pos, state.posMax)
    if mark is None or int(mark[1]) not in state.env["numbers"]:
        return False
    if not silent:
        token = state.push("citation", "", 0)
        token.meta = {"number": int(mark[1])}
    state.pos = mark.end()
    return True


def _render_formula(renderer: Any, tokens: Any, index: int, options: Any, environment: Any) -> str:
    token = tokens[index]
    left, right = (r"\[", r"\]") if token.meta["display"] else (r"\(", r"\)")
    return f'<span class="formula">{left}{html.escape(token.content)}{right}</span>'


def _render_citation(renderer: Any, tokens: Any, index: int, options: Any, environment: Any) -> str:
    return str(environment["cite"](tokens[index].meta["number"]))


def _render_text(renderer: Any, tokens: Any, index: int, options: Any, environment: Any) -> str:
    return escape_html(tokens[index].content)


def _render_code(renderer: Any, tokens: Any, index: int, options: Any, environment: Any) -> str:
    # Without the language's class: nothing on the page may take a text for a diagram to draw.
    return f"<pre><code>{html.escape(tokens[index].content)}</code></pre>\n"


def _render_table_open(renderer: Any, tokens: Any, index: int, options: Any, environment: Any) -> str:
    return '<div class="table"><table>\n'


def _render_table_close(renderer: Any, tokens: Any, index: int, options: Any, environment: Any) -> str:
    return "</table></div>\n"


def _render_cell_open(renderer: Any, tokens: Any, index: int, options: Any, environment: Any) -> str:
    # A name like OPT-175B is kept in one piece: a browser breaks a line behind a hyphen.
    name = tokens[index + 1].content
    kind = ' class="short"' if 0 < len(name) <= LONGEST_WORD and " " not in name else ""
    return f"<{tokens[index].tag}{kind}>"
