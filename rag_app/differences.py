"""What differs between the papers of a table, in plain words, where it is certain: the same quantity with its numbers.

Pure. Only what a cell's own statement says of the column by name counts: "batch size of 128" for "batch size", "12
layers" for "number of layers". Whose number it is must be beyond doubt, and one paper must give one number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag_app.claims import number_values, squash
from rag_app.statements import section_kind, statement, without_citations

Stated = Sequence[tuple[str, str, int]]  # of one cell: each statement's words, its section, its citation's number

LONGEST_PHRASE = 4  # words of a column's head that can be a quantity's name

_WORDED = "two|three|four|five|six|seven|eight|nine|ten|twelve"
_NUMBER = (
    r"(?P<number>(?<![\w.,/–−^×-])(?:\d(?:\.\d+)?\s?[×x*·]\s?10\s?\^?\{?[-−–]?\d+\}?|10\s?\^?\{?[-−–]\d+\}?"
    r"|\d[\d,]*(?:\.\d+)?(?:e[-−–]?\d+)?(?:\s?%|\s?(?:million|billion|thousand)\b|[kKMB]\b)?"
    rf"|(?:{_WORDED})\b)(?![\w/–−^×-]|\.\d))"
)
_UNIT = (
    r"(?:\s+(?P<unit>sequences|tokens|examples|samples|instances|words|wordpieces|steps|epochs|hours|days|GPUs|TPUs|"
    r"documents|passages|questions|pairs|sentences|points|parameters|bits)\b)?"
)
_BETWEEN = r"(?:\s*\([^()]*\))?\s*(?:of|is|was|to|=|:|at)?\s*(?:about|around|approximately|roughly|~)?\s*"
_NOT_OWN = re.compile(
    r"\b(?:than|compared|versus|unlike|instead|whereas|baselines?|original(?:ly)?|respectively)\b", re.I
)
_STATE = re.compile(r"\b(?P<state>pre-?train|fine-?tun|inference|test|evaluat|dev|ablat)", re.IGNORECASE)
_COUNT = re.compile(r"^(?:how many|(?:the )?numbers? of)\s+(?P<what>.+)$", re.IGNORECASE)
_TAIL = re.compile(
    r"\s+(?:(?:each|it|they|both|the|are|is|were|was|do|does|has|have|uses?|per|in|on|for|of)\b.*)$", re.IGNORECASE
)
_PHRASE = re.compile(r"[A-Za-z][\w@-]*(?: [A-Za-z][\w@-]*)*")
_QUESTION = re.compile(r"^(?:what|how|which|where|when|who|why|whether|that|this)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Quantity:
    """One number of a cell, as written, and what has to be the same for two of them to be comparable."""

    written: str
    unit: str
    states: frozenset[str]
    citation: int

    @property
    def comparable(self) -> tuple[str, frozenset[str], bool]:
        return self.unit, self.states, "%" in self.written

    @property
    def text(self) -> str:
        return f"{self.written} {self.unit}".strip()


def difference(label: str, names: Sequence[str], cells: Sequence[Stated]) -> str:
    """A sentence on a column, with marks: "Batch size: 128 in DPR [1], 256 in BERT [2]."; empty where none is certain.

    `cells` are the statements of the column, a list for each of the papers that `names` names.
    """
    patterns = patterns_of(label)
    if not patterns:
        return ""
    found = [
        _quantity(patterns, cell, [n for n in names if n != name]) for name, cell in zip(names, cells, strict=True)
    ]
    given = [(name, one) for name, one in zip(names, found, strict=True) if one is not None]
    if len(given) < 2 or len({one.comparable for _, one in given}) > 1:
        return ""
    if len({_value(one) for _, one in given}) == 1:
        said = f"{given[0][1].text} in {_listed([f'{name} [{one.citation}]' for name, one in given])} alike"
    else:
        said = ", ".join(f"{one.text} in {name} [{one.citation}]" for name, one in given)
    empty = [name for name, cell in zip(names, cells, strict=True) if not cell]
    left_out = [name for name, one, cell in zip(names, found, cells, strict=True) if one is None and cell]
    rest = [f"not reported in {_listed(empty)}"] if empty else []
    rest += [f"no single number in the cell of {_listed(left_out)}"] if left_out else []
    return "; ".join([f"{label[:1].upper()}{label[1:]}: {said}", *rest]) + "."


@lru_cache(maxsize=256)
def patterns_of(label: str) -> tuple[re.Pattern[str], ...]:
    """How a statement gives the number that a column's head names; none where the head is no quantity's name."""
    count = _COUNT.match(label)
    what = _TAIL.sub("", count["what"] if count else re.sub(r"^(?:the|its|their)\s+", "", label)).strip()
    if not _PHRASE.fullmatch(what) or _QUESTION.match(what) or len(what.split()) > LONGEST_PHRASE:
        return ()
    words = re.sub(r"\\?\s+", r"\\s+", re.escape(what.removesuffix("s") if count else what))
    if count:
        # "12 layers", "24 transformer layers"; of "128 dimensions and layers" nothing is certain.
        between = r"(?:\s+(?!and\b|or\b|of\b|in\b|for\b|with\b|to\b|the\b)[\w-]+){0,2}?"
        patterns = [
            rf"{_NUMBER}(?P<unit>){between}\s+{words}s?\b",
            rf"\bnumber\s+of\s+{words}s?{_BETWEEN}{_NUMBER}(?P<unit>)",
        ]
    else:
        patterns = [rf"\b{words}s?{_BETWEEN}{_NUMBER}{_UNIT}", rf"{_NUMBER}(?P<unit>)\s+{words}\b"]
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


def _quantity(patterns: Sequence[re.Pattern[str]], cell: Stated, others: Sequence[str]) -> Quantity | None:
    """The one number that a cell's statements give; None where they give none, several, or somebody else's."""
    found: list[Quantity] = []
    for text, section, citation in cell:
        matches = [match for pattern in patterns for match in pattern.finditer(text)]
        if matches and not _is_own(text, section, others):
            return None
        states = frozenset(squash(match["state"]) for match in _STATE.finditer(text))
        found += [Quantity(match["number"], match["unit"] or "", states, citation) for match in matches]
    return found[0] if len({_value(one) for one in found}) == 1 else None


def _is_own(text: str, section: str, others: Sequence[str]) -> bool:
    """Whether a statement is of the paper's own work and nothing else."""
    if without_citations(text) != text or _NOT_OWN.search(text) or section_kind(section) == "related":
        return False
    squashed = squash(text)
    return not statement(text, section)["others"] and not any(
        squash(name) in squashed for name in others if squash(name)
    )


def _value(one: Quantity) -> tuple[str, object]:
    """What makes two numbers one: 1,024 is 1024, "twelve" is 12; a power of ten is compared as it is written."""
    values = (
        () if re.search(r"[-−–^×*·e]", one.written[1:]) and one.written[0].isdigit() else number_values(one.written)
    )
    return one.unit, max(values) if values else "".join(one.written.split())


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
