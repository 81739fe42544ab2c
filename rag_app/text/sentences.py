"""Where the sentences of scientific prose begin and end. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator


def word_set(words: str) -> frozenset[str]:
    """The words of a text that white space parts."""
    return frozenset(words.split())


_RAISED = "[⁰¹²³⁴-⁹]+(?:[,–⁻-][⁰¹²³⁴-⁹]+)*"  # a reference's or a footnote's mark
_CITED = r"(?:[\[［]\d{1,3}(?:\s?[,，、;–-]\s?\d{1,3})*[\]］])+"
_CAPITALS = "A-ZÀ-ÞΑ-ΩА-ЯЁ"
_CHINESE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# A possible end. Where the stop is a point: closing quotes or brackets, perhaps a mark, white space, perhaps a mark
# that the page sets before the next sentence, and a possible beginning; or a raised mark alone before a capital. A
# Chinese stop needs no white space.
_STOP = re.compile(
    rf"""(?<![.!?…])(?P<stop>[.!?…]+)(?P<closing>["'”’)\]]*)(?:
        (?P<mark>(?<=[^\W\d]\.)\d{{1,2}}|{_RAISED}|{_CITED})?\s+
        (?:(?P<late>{_RAISED})\s?(?=["'“‘(]*[{_CAPITALS}]))?(?=["'“‘(\[•∗*†‡]*[{_CAPITALS}0-9{_CHINESE}])
        |(?P<between>{_RAISED}|(?<=[^\W\d]\.){_CITED})(?=[{_CAPITALS}])
    )|(?P<chinese_stop>[。！？]+)["'”’)\]」』》）〕]*(?:{_RAISED}|{_CITED})?""",
    re.VERBOSE,
)
_FOOTNOTE = re.compile(rf"{_RAISED}|[∗*†‡]")
MARK_BEFORE = re.compile(r"[⁰¹²³⁴-⁹†‡]+(?:\s+|(?=[A-Z][a-z]{2}|(?:A|An|By|If|It|To|We)\s|https?:|www\.))")
"""A footnote's mark at the head of a sentence, before white space or what no symbol of an element is like: "⁷⁵As"."""
LONGEST_WORD = 60  # characters; a search from the beginning of a long line costs the square of its length
_LAST_WORD = re.compile(r"[\w.&’'-]+$")

# Never an end, whatever follows.
_ABBREVIATIONS = word_set(
    "jan feb mar apr jun jul aug sept sep oct nov dec "
    "e.g i.e cf c.f vs viz ca approx resp fig figs eq eqs eqn eqns sec secs sect tab tabs ref refs app appx ch chap "
    "no nos vol pp p dr mr mrs ms prof st def thm lem prop cor alg ex exp expt dept univ assoc proc conf intl w.r.t "
    "a.k.a s.t i.i.d"
)
# An end only before a word that usually begins a sentence.
_UNDECIDED = word_set("al etc inc ltd co corp u.s u.k d.c ph.d jr sr ed eds")
_BEGINNERS = word_set(
    "a additionally after all also although an and another as at based both but by compared consequently despite "
    "different due during each even finally first for from furthermore given hence here how however i if in indeed "
    "instead it its moreover most no note notably on one only other our overall recent recently second secondly "
    "similarly since so some specifically such that the their then there therefore these they third this those thus to "
    "unlike using we what when where whereas whether which while with you"
)
_LIST_MARK = re.compile(r"[(\[]?(?:\d{1,3}(?:\.\d+)*|[A-Za-z]|[ivxIVX]+)[.)\]]+$")


def sentences(text: str) -> list[tuple[int, int]]:
    """Offsets (start, end) of the sentences of `text`, in order, without the white space around them.

    A line is never joined with the next: rows of a table, headings and captions are units of their own. Together the
    sentences hold every character that is not white space.
    """
    spans: list[tuple[int, int]] = []
    for line in re.finditer(r"[^\n]+", text):
        start = line.start()
        for end in (*_ends(line[0], line.start()), line.end()):
            piece = text[start:end]
            left, right = start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
            if left < right:
                spans.append((left, right))
            start = end
    return spans


def ends_sentence(text: str) -> bool:
    """Whether a text that goes on after a blank may end a sentence here: not at "Dec.", "vs." or a list's number."""
    match = re.search(r"[.!?…]+[\"'”’)\]*_]*$", text)
    if match is None or not match[0].startswith(".") or match[0].startswith(".."):
        return True
    word = _LAST_WORD.search(text[max(0, match.start() - LONGEST_WORD) : match.start()])
    last = word[0].lower().lstrip("'’-") if word else ""
    listed = _LIST_MARK.fullmatch(text[text.rfind("\n") + 1 : match.start() + 1].strip())
    return not (listed or last in _ABBREVIATIONS or last in _UNDECIDED or last.endswith((".e.g", ".i.e")))


def _ends(line: str, offset: int) -> Iterator[int]:
    start = 0
    for match in _STOP.finditer(line):
        if _is_end(line, start, match):
            start = _end_of(line, match)
            yield offset + start


def _end_of(line: str, match: re.Match[str]) -> int:
    """Where the sentence ends: behind its marks.

    A raised number before a symbol, as in "¹³C NMR", is the symbol's; among footnotes, a mark opens the next one.
    """
    if match["chinese_stop"]:
        return match.end()
    if match["late"] and not _FOOTNOTE.match(line):
        following = _following_word(line, match.end())
        if len(following) > 2 or following.lower() in _BEGINNERS:
            return match.end("late")
    return max(match.end(part) for part in ("closing", "mark", "between"))


def _following_word(line: str, at: int) -> str:
    found = re.compile(r"\W*(\w*)").match(line, at)
    return found[1] if found else ""


def _is_end(line: str, start: int, match: re.Match[str]) -> bool:
    stop = match["stop"]
    whole = match.start() - start <= LONGEST_WORD  # a list's mark is short, and a long line is not to be read each time
    before = line[start if whole else match.start() - LONGEST_WORD : match.start()]
    if stop != ".":
        return bool(before.strip()) or not whole
    begins = _following_word(line, match.end()).lower() in _BEGINNERS
    if match["closing"] or match["mark"] or match["between"]:
        return not (whole and _LIST_MARK.fullmatch(before.strip() + stop + match["closing"]))
    word = _LAST_WORD.search(before[-LONGEST_WORD:])
    if word is None:
        return bool(before.strip()) or not whole
    last = word[0].lower().lstrip("'’-")
    if whole and _LIST_MARK.fullmatch(before.strip() + stop):
        return False
    if last in _ABBREVIATIONS or last.endswith((".e.g", ".i.e")):
        return False
    if last in _UNDECIDED or (len(last) == 1 and last.isalpha()):
        return begins
    return True
