"""Finding a quote on a page: deterministic, and blind to what a PDF or a model changes without changing words. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache

from rag_app.text.characters import BREAK_HYPHENS, CONTROLS, PRIVATE, RAISED, nfkc_with_offsets

_STRAIGHT = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'}
    | {"‐": "-", "‑": "-", "\u00a0": " "}
)
_IGNORED = re.compile(
    # a hyphen inside a word, which a line end may have made or lost; one between digits counts
    r"(?<=[^\W\d_])-\s*(?=[^\W_])|(?<=\d)-\s*(?=[^\W\d_])"
    rf"|[{BREAK_HYPHENS}{PRIVATE}{CONTROLS}]+"
    r"|\s+"  # white space, except what parts two numbers
)


@lru_cache(maxsize=64)
def matching_form(text: str) -> tuple[str, tuple[int, ...]]:
    """`text` without what must not decide whether a quote stands on a page, and where each character comes from.

    Gone or made equal: compatibility forms and ligatures, case, curly quotes, white space (but not between digits),
    hyphens between letters. Numbers and signs stay as they are, but that any minus may stand in "1e−4".
    """
    characters: list[str] = []
    origin: list[int] = []
    folded, back = _fold_text(text)
    done = 0
    for match in _IGNORED.finditer(folded):
        characters.append(folded[done : match.start()])
        origin.extend(back[done : match.start()])
        done = match.end()
        if match[0].isspace() and _between_digits(folded, match.start(), match.end()):
            characters.append(" ")
            origin.append(back[match.start()])
        elif match[0][0] == "-" and _is_of_exponent(folded, match.start(), match.end()):
            characters.append("-")
            origin.append(back[match.start()])
    characters.append(folded[done:])
    origin.extend(back[done:])
    return "".join(characters), tuple(origin)


def _is_of_exponent(text: str, start: int, end: int) -> bool:
    """Whether a hyphen is the minus of "1e-4"; only for a slip is it "1-e4"."""
    before, after = text[max(0, start - 8) : start], text[end : end + 5]
    return bool((_BEFORE_EXPONENT.search(before) and after[:1].isdigit()) or _SLIPPED.match(before[-1:] + after))


def _between_digits(text: str, start: int, end: int) -> bool:
    return start > 0 and end < len(text) and text[start - 1].isdigit() and text[end].isdigit()


def _fold_text(text: str) -> tuple[str, list[int]]:
    """NFKC, case folded, straight quotes; with the offset each character comes from."""
    plain, origin = nfkc_with_offsets(text)
    straight = _MINUS_OF_EXPONENT.sub("-", plain.translate(_STRAIGHT))
    folded = straight.casefold()
    if len(folded) == len(straight):
        return folded, [int(index) for index in origin]
    parts = [character.casefold() for character in straight]
    return "".join(parts), [int(origin[index]) for index, part in enumerate(parts) for _ in part]


def find_quote(quote: str, page_text: str, begin: int = 0) -> tuple[int, int] | None:
    """Where `quote` stands in `page_text` from `begin` on: offsets (start, end), or None. An empty one: nowhere.

    Compared in `matching_form`. A place where the quote begins and ends with whole words is preferred; a place that
    begins or ends inside a number is refused, since "5.8" does not stand in "55.8".
    """
    form, origin = matching_form(page_text)
    for wanted, signed in _quote_forms(quote):
        second_best: tuple[int, int] | None = None
        at = form.find(wanted, bisect_left(origin, begin))
        while at >= 0:
            after = at + len(wanted)
            start, end = origin[at], origin[after - 1] + 1
            if not signed or page_text[:start].endswith("-"):
                is_split = start in origin[at - 1 : at] or end - 1 in origin[after : after + 1]  # in "ß", which is "ss"
                if not is_split and _is_whole_words(page_text, start, end):
                    return start, end
                if second_best is None and not _cuts_number(page_text, start, end):
                    second_best = start, end
            at = form.find(wanted, at + 1)
        if second_best:
            return second_best
    return None


def _quote_forms(quote: str) -> Iterator[tuple[str, bool]]:
    """The quote's matching form; then without the hyphens at its ends, which a slice of a page may have kept.

    True with a form whose number lost its sign: it must stand after a hyphen.
    """
    form = matching_form(quote)[0].strip()
    shorter = form.rstrip("-").strip()
    trimmed = shorter.lstrip("-").strip()
    forms = {form: False, shorter: False}
    forms.setdefault(trimmed, trimmed[:1].isdigit())
    yield from ((one, signed) for one, signed in forms.items() if one)


def _is_whole_words(text: str, start: int, end: int) -> bool:
    begins = start == 0 or not (text[start].isalnum() and text[start - 1].isalnum())
    ends = end >= len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
    return begins and ends and not _cuts_number(text, start, end)


def _cuts_number(text: str, start: int, end: int) -> bool:
    """Does the slice begin or end within a number: "5.8" in "55.8", "1,0" in "1,000"?"""
    if _YEAR.search(text[max(start, end - 5) : end]) and _FOOTNOTE.match(text[end : end + 3]):
        return _inside_number(text, start)  # "2022" in "since 20226": the mark of a footnote
    return _inside_number(text, start) or _inside_number(text, end)


def _inside_number(text: str, at: int) -> bool:
    if not 0 < at < len(text):
        return False
    left, right = text[max(0, at - 2) : at], text[at : at + 2]
    if right[0] in RAISED:  # a mark, unless "10" is cut from "10⁶"
        return text[:at].endswith("10") and not text[:at].endswith(".10")
    if right[0].isdigit():
        return left[-1].isdigit() or (len(left) == 2 and left[0].isdigit() and left[1] in ".,")
    return left[-1].isdigit() and right[0] in ".," and right[1:].isdigit()


_BEFORE_EXPONENT = re.compile(r"\d\.?\s*e\s*$")
_SLIPPED = re.compile(r"\de\d{1,3}(?!\w)")
_MINUS_OF_EXPONENT = re.compile(r"(?<=\de)[−–](?=\d)", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d$")
_FOOTNOTE = re.compile(r"\d{1,2}(?!\d)")
