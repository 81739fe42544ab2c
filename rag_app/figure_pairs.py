"""The same quantity with another number in another paper: figures of tables set against each other. Pure.

Careful: better no pair than a false one. Two figures are a pair when system and data set have the same names, the
tables do not tell different measures, parts of the data or states of the system, and no other figure of either paper
explains the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from rag_app.figures import Figure, is_measure, measure_of, same_name
from rag_app.text.terms import is_name

LEAST_APART = 0.005  # of the larger: below, it is rounding or another run
NEAR = 0.05  # of the larger: so near, figures of which a table tells no measure are taken to have the same


@dataclass(frozen=True, eq=False)
class FigurePair:
    """Two figures of different papers for one quantity."""

    one: Figure
    other: Figure

    @property
    def measure(self) -> str:
        return self.one.measure or self.other.measure

    @property
    def title(self) -> str:
        """What has another number, and the two numbers."""
        measure = f", {self.measure}" if self.measure else ""
        return f"{self.one.row}, {self.one.column}{measure}: {self.one.written} against {self.other.written}"

    def conditions(self, of: Figure) -> str:
        """What only this figure's table says, or does not say."""
        against = self.other if of is self.one else self.one
        said = [f"{split} set" for split in sorted(of.splits - against.splits)]
        if not of.measure:
            said.append("the table names no measure")
        return ", ".join(said)


def things_in(topic: str) -> list[str]:
    """The systems and data sets that a topic names; neighbouring names are one: "Natural Questions"."""
    found: list[list[str]] = [[]]
    for word in topic.split():
        bare = word.strip(".,;:?!()\"'’“”").removesuffix("'s").removesuffix("’s")
        if is_name(bare) and not is_measure(bare):
            found[-1].append(bare)
            if bare == word:
                continue
        found.append([])
    return [" ".join(words) for words in found if words]


def figure_pairs(figures: Iterable[Figure], topic: str) -> list[FigurePair]:
    """Pairs about the topic: every system and data set that it names, and its measure where it names one."""
    wanted, measure = things_in(topic), measure_of(topic)
    if not wanted:
        return []
    about = [
        figure
        for figure in figures
        if all(same_name(thing, figure.row) or same_name(thing, figure.column) for thing in wanted)
        and (not measure or figure.measure in ("", measure))
    ]
    groups: list[list[Figure]] = []
    for figure in about:
        group = next((one for one in groups if _same_quantity(one[0], figure)), None)
        if group is None:
            groups.append([figure])
        else:
            group.append(figure)
    return [pair for group in groups for pair in _pairs_in(group)]


def _same_quantity(one: Figure, other: Figure) -> bool:
    straight = same_name(one.row, other.row) and same_name(one.column, other.column)
    return straight or (same_name(one.row, other.column) and same_name(one.column, other.row))


def _pairs_in(group: Sequence[Figure]) -> Iterator[FigurePair]:
    """At most one pair for two papers and a measure, and none where several figures could be meant."""
    papers = list(dict.fromkeys(figure.unit.evidence.paper for figure in group))
    for one, other in combinations(papers, 2):
        left = [figure for figure in group if figure.unit.evidence.paper == one]
        right = [figure for figure in group if figure.unit.evidence.paper == other]
        alone = [figure for figure in left if not any(_agree(figure, against) for against in right)]
        against = [figure for figure in right if not any(_agree(figure, against) for against in left)]
        pairs = [FigurePair(a, b) for a in alone for b in against if _comparable(a, b)]
        for measure in dict.fromkeys(pair.measure for pair in pairs):
            same = [pair for pair in pairs if pair.measure == measure]
            if len({(pair.one.value, pair.other.value) for pair in same}) == 1:
                yield same[0]


def _agree(one: Figure, other: Figure) -> bool:
    """Whether two figures may be one: the same number as far as both write it, and no other measure."""
    places = min(_places(one), _places(other))
    return _measures_fit(one, other) and round(one.value, places) == round(other.value, places)


def _places(figure: Figure) -> int:
    return len(figure.written.rstrip("%").partition(".")[2])


def _measures_fit(one: Figure, other: Figure) -> bool:
    return not one.measure or not other.measure or one.measure == other.measure


def _comparable(one: Figure, other: Figure) -> bool:
    apart = abs(one.value - other.value) / (max(one.value, other.value) or 1)
    if not _measures_fit(one, other) or one.states != other.states or apart < LEAST_APART:
        return False
    if one.splits and other.splits and one.splits.isdisjoint(other.splits):
        return False
    return apart <= NEAR or bool(one.measure and other.measure)
