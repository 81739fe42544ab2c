"""The list of references of a paper that has no heading for it, known by the look of its entries. Words only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag_app.papers.pdf.lines import Line

_YEAR = re.compile(r"\b(?:19|20)\d\d[a-z]?\b|arxiv:|doi\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?:[\[［](?P<bracket>\d{1,3})[\]］]|(?P<point>\d{1,3})\.|(?P<raised>[⁰¹²³⁴-⁹]{1,3}))\s*(?=\S)")
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_CITATION = re.compile(r"[^\W\d_]{2,}(?: et al\.?| (?:and|&) [A-ZÀ-Þ][\w’'-]+)?,? \(?(?:19|20)\d\d[a-z]?[);]")
_CAPITAL = "[A-ZÀ-ÞŁŻŠČĆŚŹİĐŘŽА-ЯЁ]"
_INITIAL = rf"{_CAPITAL}(?:\.|(?= ))"
_NAME = rf"{_CAPITAL}[\w’'-]+"
_NAMES = re.compile(
    rf"{_NAME},? {_INITIAL}|{_INITIAL}[ -]?(?:{_INITIAL}[ -]?)*{_NAME}|"
    rf"{_NAME}(?: {_INITIAL}| {_NAME})+(?:,| and|\.(?: |$))|[\u4e00-\u9fff]{{2,4}}[,，、.．]"
)
_END = re.compile(r"(?:[.)\]/\d”\"]|[a-z]{2,}/\S+|\d{4}[a-z]?)$")
_YEAR_LAST = re.compile(r"\b(?:19|20)\d\d[a-z]?\)?\.$")
_LONGEST = 25  # lines of an entry
_FEWEST = 3  # entries of a list with numbers; one without needs one more


@dataclass(frozen=True)
class _Entry:
    lines: Sequence[Line]
    number: int  # 0 without
    listed: bool  # does it hold what an entry holds?
    named: bool  # does it begin with names?


def find_reference_lines(lines: Sequence[Line]) -> Sequence[Line]:
    """The lines of the list, empty without one. `lines`: the paper's body in reading order."""
    found: list[Sequence[_Entry]] = []
    for kind in ("bracket", "point", "raised", ""):
        best = _longest_run(_entries(lines, kind))
        if kind:
            first = next((at for at, entry in enumerate(best) if entry.number == 1), len(best))
            best = best[first:]
            if sum(one.number < after.number for one, after in pairwise(best)) < 0.8 * (len(best) - 1):
                continue
        fewest = _FEWEST if kind else _FEWEST + 1
        if sum(one.listed for one in best) >= fewest and sum(one.named for one in best) >= 0.5 * len(best):
            found.append(best)
    longest = max(found, key=lambda run: sum(len(entry.lines) for entry in run), default=())
    if not longest:
        return ()
    years_last = sum(_YEAR_LAST.search(one.lines[-1].text.rstrip()) is not None for one in longest[:-1])
    last = _entry_lines(longest[-1].lines, years_last > 0.5 * (len(longest) - 1))
    return [line for entry in longest[:-1] for line in entry.lines] + list(last)


def _entries(lines: Sequence[Line], kind: str) -> list[_Entry]:
    """The text parted where an entry may begin: at a number of one kind, or at names below a line that ends one."""
    starts: list[tuple[int, int]] = []
    for index, line in enumerate(lines):
        text = line.text.strip()
        if kind:
            match = _NUMBER.match(text)
            if match and match[kind]:
                starts.append((index, int(match[kind].translate(_DIGITS))))
        elif _NAMES.match(text) and (index == 0 or _END.search(lines[index - 1].text.rstrip())):
            starts.append((index, 0))
    ends = [*(index for index, _ in starts[1:]), len(lines)] if starts else []
    found: list[_Entry] = []
    for (start, number), end in zip(starts, ends, strict=True):
        found += _cut(lines[start:end], number)
    return found


def _cut(lines: Sequence[Line], number: int) -> list[_Entry]:
    """One entry; where more lines follow than it can have, the entry and the other text below it."""
    own = lines if len(lines) <= _LONGEST else _entry_lines(lines)
    entry = _Entry(own, number, _is_entry(own), _begins_with_names(own[0]))
    return [entry, _Entry(lines[len(own) :], 0, False, False)] if len(own) < len(lines) else [entry]


def _entry_lines(lines: Sequence[Line], year_last: bool = False) -> Sequence[Line]:
    """An entry whose end nothing shows: up to the line behind its year that ends with a point, within its section.

    `year_last`: the year is what the list's entries end with. Else more follows below "A. Lovelace. 1843."
    """
    lines = [line for line in lines[:_LONGEST] if line.section == lines[0].section]
    year = next((at for at, line in enumerate(lines) if _YEAR.search(line.text)), 0)
    ends = [at for at, line in enumerate(lines) if at >= year and line.text.rstrip().endswith(".")]
    nearest = max((at for at in ends if at <= year + 2), default=year)
    end = next((at for at in ends if year_last or not _YEAR_LAST.search(lines[at].text.rstrip())), nearest)
    return lines[: end + 1]


def _is_entry(lines: Sequence[Line]) -> bool:
    text = " ".join(line.text for line in lines)
    return bool(_YEAR.search(text)) and len(_CITATION.findall(text)) < 2


def _begins_with_names(line: Line) -> bool:
    return _NAMES.match(_NUMBER.sub("", line.text.strip(), count=1)) is not None


def _longest_run(entries: Sequence[_Entry]) -> Sequence[_Entry]:
    """The run with the most lines of entries over lines of other text, from an entry to an entry."""
    best, total, start, span = 0, 0, 0, (0, 0)
    for at, entry in enumerate(entries):
        total += len(entry.lines) if entry.listed else -2 * len(entry.lines)
        if total <= 0:
            total, start = 0, at + 1
        elif total > best:
            best, span = total, (start, at + 1)
    return entries[slice(*span)]
