"""Where the sentences of scientific prose begin and end. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator


def word_set(words: str) -> frozenset[str]:
    """The words of a text that white space parts."""
    return frozenset(words.split())


# A possible end: the stop, closing quotes or brackets, perhaps a footnote mark, white space, and a possible beginning.
_STOP = re.compile(
    r"""(?P<stop>[.!?…]+)(?P<closing>["'”’)\]]*)(?P<mark>(?<=[^\W\d]\.)\d{1,2}|[⁰¹²³⁴-⁹]+(?:[,–⁻-][⁰¹²³⁴-⁹]+)*)?\s+(?=["'“‘(\[•∗*†‡]*[A-Z0-9À-ÞΑ-Ω])"""
)
LONGEST_WORD = 60  # characters; a search from the beginning of a long line costs the square of its length
_LAST_WORD = re.compile(r"[\w.&’'-]+$")

# Never an end, whatever follows.
_ABBREVIATIONS = word_set(
    "jan feb mar apr jun jul aug sept sep oct nov dec "
    "e.g i.e cf vs viz ca approx resp fig figs eq eqs eqn eqns sec secs sect tab tabs ref refs app appx ch chap no nos "
    "vol pp p dr mr mrs ms prof st def thm lem prop cor alg ex dept univ assoc proc conf intl w.r.t a.k.a s.t i.i.d"
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
            end = match.end("mark") if match["mark"] else match.end("closing")
            yield offset + end
            start = end


def _is_end(line: str, start: int, match: re.Match[str]) -> bool:
    stop = match["stop"]
    before = line[start : match.start()]
    following = re.match(r"\W*(\w*)", line[match.end() :])
    begins = following is not None and following[1].lower() in _BEGINNERS
    if stop != ".":
        return bool(before.strip())
    if match["closing"] or match["mark"]:
        return not _LIST_MARK.fullmatch(before.strip() + stop + match["closing"])
    word = _LAST_WORD.search(before[-LONGEST_WORD:])
    if word is None:
        return bool(before.strip())
    last = word[0].lower().lstrip("'’-")
    if _LIST_MARK.fullmatch(before.strip() + stop):
        return False
    if last in _ABBREVIATIONS or last.endswith((".e.g", ".i.e")):
        return False
    if last in _UNDECIDED or (len(last) == 1 and last.isalpha()):
        return begins
    return True
