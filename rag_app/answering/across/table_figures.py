"""The figures of a table's row: of which system, on which data set, by which measure, where that is certain. Pure.

A row is read only where its head names as many columns as the row has figures; what the table does not say stays
unsaid.

The same quantity with another number in another paper: figures of tables set against each other. Pure.

Careful: better no pair than a false one. Two figures are a pair when system and data set have the same names, the
tables do not tell different measures, parts of the data or states of the system, and no other figure of either paper
explains the difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from rag_app.answering.quoting.ranking import Unit
from rag_app.records import Page
from rag_app.text.sentences import sentences, word_set
from rag_app.text.terms import is_name, squash

_CITED = re.compile(r"\s*(?:\([^()]*\b(?:19|20)\d\d[a-z]?[^()]*\)|\[\d+(?:\s*[,;–-]\s*\d+)*\]|［[^］]*］)")
_FIGURE = r"\d{1,3}(?:\.\d+)?%?"
_VALUE = re.compile(rf"{_FIGURE}(?:/{_FIGURE}|/[-–—])?|[-–—]/{_FIGURE}|[-–—]+")
_CAPTION = re.compile(r"\W*(?:Table|Figure|Fig\.|Algorithm|Listing)\b", re.IGNORECASE)
_VERSION = re.compile(r"v?\d+(?:\.\d+)?|\([^()]*\)")
_QUALIFIER = re.compile(r"^(?:single|multi|our|ours)[\s:]+", re.IGNORECASE)
# What heads a column of labels, and what is no name of a system or a data set.
_LABELS = word_set("model models method methods system systems retriever reader training approach name task")
_NO_NAME = word_set(
    "ours avg average total human baseline random oracle dev test train val valid validation open official local eval "
    "full set unseen seen hard easy all size params parameters overall mean std data dataset datasets type best"
)
_MEASURES = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "exact match": r"\bexact match\b|\bEM\b",
        "F1": r"\bF1\b",
        "nDCG": r"\bn?DCG(?:\s?@\s?(?P<k>\d+))?",
        "MRR": r"\bMRR(?:\s?@\s?(?P<k>\d+))?",
        "BLEU": r"\bBLEU\b",
        "perplexity": r"\bperplexity\b|\bppl\b",
        "accuracy": r"\baccurac(?:y|ies)\b|\bacc\b",
        "recall": r"\b(?:recall|R(?=\s?@))(?:\s?@\s?(?P<k>\d+k?))?|\btop-(?P<top>\d+)\b",
        "precision": r"\bprecision(?:\s?@\s?(?P<k>\d+))?|\bP\s?@\s?(?P<top>\d+)",
        "correlation": r"\bcorrelations?\b",
        "ROUGE": r"\bROUGE\b",
    }.items()
}
OPENING = 3  # sentences of a caption, "Table 3" among them, that tell in which state the systems are
_AT_A_DEPTH = ("nDCG", "MRR", "recall")  # without its depth such a measure is not known
_SPLIT = {"dev": re.compile(r"\b(?:dev|development|validation)\b", re.I), "test": re.compile(r"\btest\b", re.I)}
_STATE = re.compile(
    r"\b(?P<state>fine-?tun|zero-?shot|few-?shot|unsupervised|self-?supervised|ensembl|ablat|distill|quanti[sz])", re.I
)


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure of a table: what its row and its column are called, and what the table says of how it was got."""

    unit: Unit
    row: str
    column: str
    measure: str  # empty where the table names none or several
    splits: frozenset[str]  # dev, test
    states: frozenset[str]  # "finetun", "zeroshot"
    written: str

    @property
    def value(self) -> Decimal:
        return Decimal(self.written.rstrip("%"))


def extract_figures(unit: Unit, page: Page | None = None) -> Iterator[Figure]:
    """The figures of a row whose columns are certain; none for a sentence."""
    head = _head(unit) if unit.row else ""
    if not head:
        return
    label, values = _cells(unit.text)
    columns = column_names(head, len(values))
    if not columns or not is_thing(label):
        return
    above, caption = _lines_above(unit), _caption(unit, page)
    told = f"{caption} {' '.join(above)}"
    measure = next(filter(None, map(find_measure, (*above, f"{caption} {head}"))), "")
    splits = frozenset(name for name, pattern in _SPLIT.items() if pattern.search(told))
    # What a long caption goes on to say is often of other rows.
    opening = " ".join([*(caption[a:b] for a, b in sentences(caption)[:OPENING]), *above])
    states = frozenset(squash(match["state"]) for match in _STATE.finditer(opening))
    for column, written in zip(columns, values, strict=True):
        figures = re.findall(_FIGURE, written)
        if len(figures) == 1 and is_thing(column):
            yield Figure(unit, label, column, measure, splits, states, figures[0])


def find_measure(text: str) -> str:
    """The measure that a text names, with its depth where it has one; empty where it names none or several."""
    found = set()
    for name, pattern in _MEASURES.items():
        for match in pattern.finditer(text):
            depth = next((value for value in match.groupdict().values() if value), "")
            found.add(f"{name}@{depth}" if depth else "" if name in _AT_A_DEPTH else name)
    if "exact match" in found:  # "Exact Match accuracy" is one measure
        found.discard("accuracy")
    return found.pop() if len(found) == 1 else ""


def is_measure(text: str) -> bool:
    """Whether a text names a measure, with or without its depth."""
    return any(pattern.search(text) for pattern in _MEASURES.values())


def is_thing(name: str) -> bool:
    """Whether a label names a system or a data set, and not a measure or a part of the data."""
    bare = squash(name)
    if len(bare) < 2 or bare in _NO_NAME or is_measure(name):
        return False
    return all(is_name(word) or _VERSION.fullmatch(word) for word in name.split())


def column_names(head: str, count: int) -> list[str]:
    """The names of `count` columns of figures; empty where the head does not tell them for certain."""
    words: list[str] = []
    for word in head.split():
        if words and _VERSION.fullmatch(word):  # "Splade v2", "Dev (7k)"
            words[-1] += f" {word}"
        else:
            words.append(word)
    if not count or len(words) < count:
        return []
    before, columns = words[: len(words) - count], words[len(words) - count :]
    known = all(word.casefold() in _LABELS for word in before)
    return columns if known and not any(word.casefold() in _LABELS for word in columns) else []


def is_same_name(one: str, other: str) -> bool:
    """Whether two labels are one name, in any spelling, or one is the other's capitals: TQA, TriviaQA."""
    if squash(one) == squash(other):
        return True
    short, long = sorted((one, other), key=len)
    if len(short) < 2 or not short.isupper() or squash(short) in squash(long):
        return False
    return short == name_initials(long)


def name_initials(name: str) -> str:
    """The capitals of a name, by which papers shorten it: NQ for Natural Questions."""
    return "".join(re.findall(r"[A-Z]", name))


def _head(unit: Unit) -> str:
    """The line that names the columns; empty where the row has only a caption."""
    texts = [" ".join(unit.evidence.text[a:b].split()) for a, b in unit.frame]
    heads = [text for text in texts if not _CAPTION.match(text)]
    return _CITED.sub("", heads[-1].replace("|", " ")) if heads else ""


def _cells(text: str) -> tuple[str, Sequence[str]]:
    """A row's label without citation and qualifier, and its figures."""
    words = re.sub(r"(?<=[\d–—-])\s*/\s*(?=[\d–—-])", "/", _CITED.sub(" ", text.replace("|", " "))).split()
    first = len(words)
    while first and _VALUE.fullmatch(words[first - 1]):
        first -= 1
    return _QUALIFIER.sub("", " ".join(words[:first])).strip(" :*†‡"), words[first:]


def _lines_above(unit: Unit) -> list[str]:
    """The lines between head and row that have no figures, the nearest first: they group the rows below them."""
    head = max((end for _, end in unit.frame if end <= unit.start), default=unit.start)
    lines = unit.evidence.text[head : unit.start].split("\n")
    return [line for line in reversed(lines) if line.strip("|:- ") and not any(map(_VALUE.fullmatch, line.split()))]


def _caption(unit: Unit, page: Page | None) -> str:
    """The whole caption of the row's table; empty where it is not certain which one that is.

    A page whose first table stands above the first caption has its captions below the tables, else above.
    """
    kinds = [block.kind for block in page.blocks] if page else []
    if page is None or "caption" not in kinds:  # plain text: the line's own look must do
        texts = (unit.evidence.text[a:b] for a, b in unit.frame)
        return next((text for text in texts if _CAPTION.match(text)), "")
    place = unit.evidence.start + unit.start
    at = next((number for number, block in enumerate(page.blocks) if block.start <= place < block.end), None)
    if at is None or kinds[at] != "table":
        return ""
    step = -1 if kinds.index("caption") < kinds.index("table") else 1
    while 0 <= at < len(kinds) and kinds[at] == "table":
        at += step
    if not 0 <= at < len(kinds) or kinds[at] != "caption":
        return ""
    return page.text[page.blocks[at].start : page.blocks[at].end]


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


def find_named_things(topic: str) -> list[str]:
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


def pair_figures(figures: Iterable[Figure], topic: str) -> list[FigurePair]:
    """Pairs about the topic: every system and data set that it names, and its measure where it names one."""
    wanted, measure = find_named_things(topic), find_measure(topic)
    if not wanted:
        return []
    about = [
        figure
        for figure in figures
        if all(is_same_name(thing, figure.row) or is_same_name(thing, figure.column) for thing in wanted)
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
    straight = is_same_name(one.row, other.row) and is_same_name(one.column, other.column)
    return straight or (is_same_name(one.row, other.column) and is_same_name(one.column, other.row))


def _pairs_in(group: Sequence[Figure]) -> Iterator[FigurePair]:
    """At most one pair for two papers and a measure, and none where several figures could be meant."""
    papers = list(dict.fromkeys(figure.unit.evidence.paper for figure in group))
    for one, other in combinations(papers, 2):
        left = [figure for figure in group if figure.unit.evidence.paper == one]
        right = [figure for figure in group if figure.unit.evidence.paper == other]
        alone = [figure for figure in left if not any(_are_same_figure(figure, against) for against in right)]
        against = [figure for figure in right if not any(_are_same_figure(figure, against) for against in left)]
        pairs = [FigurePair(a, b) for a in alone for b in against if _are_comparable(a, b)]
        for measure in dict.fromkeys(pair.measure for pair in pairs):
            same = [pair for pair in pairs if pair.measure == measure]
            if len({(pair.one.value, pair.other.value) for pair in same}) == 1:
                yield same[0]


def _are_same_figure(one: Figure, other: Figure) -> bool:
    """Whether two figures may be one: the same number as far as both write it, and no other measure."""
    places = min(_places(one), _places(other))
    return _measures_fit(one, other) and round(one.value, places) == round(other.value, places)


def _places(figure: Figure) -> int:
    return len(figure.written.rstrip("%").partition(".")[2])


def _measures_fit(one: Figure, other: Figure) -> bool:
    return not one.measure or not other.measure or one.measure == other.measure


def _are_comparable(one: Figure, other: Figure) -> bool:
    apart = abs(one.value - other.value) / (max(one.value, other.value) or 1)
    if not _measures_fit(one, other) or one.states != other.states or apart < LEAST_APART:
        return False
    if one.splits and other.splits and one.splits.isdisjoint(other.splits):
        return False
    return apart <= NEAR or bool(one.measure and other.measure)
