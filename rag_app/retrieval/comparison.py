"""What a comparison sets side by side: the papers (rows) and the respects (columns) that a question asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag_app.errors import QuestionError
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import Mention, fold_name, title_head
from rag_app.records import AnswerPlan
from rag_app.retrieval.aspects import MOST_ASPECTS, Aspect, clip_label, list_aspects, merge_spans, parse_aspects
from rag_app.retrieval.clauses import find_parallel_clauses
from rag_app.retrieval.facets import facets_of
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.plan import SearchPlan
from rag_app.text.terms import content_words, is_name

MOST_PAPERS = 12  # rows
MOST_COLUMNS = 12  # that may be asked for outright

# Between two papers of a list: "A, B and C", "A vs B"; and what may stand before the second one.
_JOINT = r"\s*(?:,\s*(?:(?:and|or)\b)?|\b(?:and|or|vs\.?|versus|against)(?!\w)|&)\s*(?:(?:of|in|for|with|to|the)\s+)*"
_CALLED = r"[^\W_][\w.+’'-]*"
_NEXT = re.compile(rf"(?:['’]s)?(?P<joint>{_JOINT})(?P<name>{_CALLED})")
_BEFORE = re.compile(rf"(?:^|(?<!\w))(?P<name>{_CALLED})(?P<joint>{_JOINT})$")
_GOES_ON = re.compile(
    rf"(?P<listed>{_JOINT})|\s*(?:$|[?!.:;)(]|['’]s\b|(?:in|on|for|by|with|at|from|differ|compare|use|have|has|do|does|need"
    r"|report|train|get|test|evaluate|propose|say|run|choose|apply|find|handle|work|make|take|learn|beat|show|reach)\b)"
)
_ELSEWHERE = re.compile(r"\b(?:on|in|for|at|using|with|from)\s+(?:the\s+)?$", re.IGNORECASE)  # "On NQ, A and B"
_THESE = re.compile(r"\b(?:compar\w*|differ\w*|versus|contrast\w*|similarit\w*|in common)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Comparison:
    """What is set side by side: papers (rows) with what the question calls them, and aspects (columns)."""

    question: str
    papers: tuple[str, ...]
    names: tuple[str, ...]
    aspects: tuple[Aspect, ...]
    absent: tuple[str, ...] = ()  # listed among the papers, and the name of none
    left_out: tuple[str, ...] = ()  # labels of aspects for which there is no room
    own: Mapping[str, Aspect] = field(default_factory=dict)  # paper -> what is asked of it alone

    def find_aspect(self, paper: str, aspect: Aspect) -> Aspect:
        """What a column asks of a paper: its own respect where the question has one for each."""
        return self.own.get(paper, aspect)

    def plan(self, searched: int) -> AnswerPlan:
        """What the user sees, and may correct."""
        return AnswerPlan("comparison", self.papers, self.names, tuple(one.label for one in self.aspects), searched)


SpeaksOf = Callable[[str, str], bool]  # (paper, name): whether the paper's text has the name


def recognise_comparison(
    question: str,
    plan: SearchPlan,
    by_paper: Mapping[str, IndexedPaper],
    scope: Scope,
    speaks_of: SpeaksOf = lambda paper, name: True,
) -> Comparison | None:
    """The comparison that a question asks for; None when it asks for something else.

    Papers are those that it names; "how do these papers differ" means the papers that it is limited to. Where only one
    of the two sides is in the library, it has a row of its own, unless its paper speaks of the other side itself.
    """
    papers = list(plan.papers) if plan.kind == "comparison" else []
    if not plan.named and 2 <= len(scope.papers) <= MOST_PAPERS and _THESE.search(question):
        papers = list(scope.papers)
    if plan.kind == "single" and len(plan.named) == 1 and _has_absent_side(question, plan, speaks_of):
        return _build(question, plan, by_paper, plan.named, "")
    return _build(question, plan, by_paper, papers, "") if 2 <= len(papers) <= MOST_PAPERS else None


def _has_absent_side(question: str, plan: SearchPlan, speaks_of: SpeaksOf) -> bool:
    """Whether the one paper that is named is set beside something that is not in the library, nor in its text."""
    (paper,) = plan.named
    own = [mention for mention in plan.mentions if mention.paper == paper]
    gone = [(one.start, one.end) for one in plan.described if not one.papers]
    beside = [place for place in gone if any(_are_joined(question, (one.start, one.end), place) for one in own)]
    return bool(beside) or any(not speaks_of(paper, question[a:b]) for a, b in find_absent_names(question, own))


def _are_joined(question: str, one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether nothing but a joint of a list stands between two places: "A vs the B paper"."""
    first, second = sorted((one, other))
    return re.fullmatch(rf"(?:['’]s)?{_JOINT}", question[first[1] : second[0]], re.IGNORECASE) is not None


def request_comparison(
    question: str, plan: SearchPlan, by_paper: Mapping[str, IndexedPaper], scope: Scope, aspects: str
) -> Comparison:
    """The comparison that a user asks for outright: of the papers in scope when it is limited, else of those named.

    `aspects` have semicolons between; empty: as the question says. Raises QuestionError without a paper, and for more
    than MOST_PAPERS or MOST_COLUMNS.
    """
    papers = list(scope.papers or plan.papers or plan.named)
    if not papers:
        raise QuestionError(
            "The question names no paper of this library. Name two papers in it, or give them: --papers A,B"
        )
    if len(papers) > MOST_PAPERS:
        raise QuestionError(f"{len(papers)} papers are too many for a table; compare at most {MOST_PAPERS}.")
    columns = len(parse_aspects(aspects))
    if columns > MOST_COLUMNS:
        raise QuestionError(f"{columns} aspects are too many for a table; name at most {MOST_COLUMNS}.")
    return _build(question, plan, by_paper, papers, aspects)


def resolve_papers(text: str, retriever: Retriever) -> list[str]:
    """The papers of a list with commas between: file names, or what a paper is called. Raises QuestionError."""
    found: list[str] = []
    for piece in (" ".join(piece.split()) for piece in re.split(r"[,;]", text)):
        if not piece:
            continue
        named = [piece] if piece in retriever.generation.by_paper else [m.paper for m in retriever.find_mentions(piece)]
        if not named:
            raise QuestionError(f"No paper of this library is called {piece!r}. Give its file name, or its short name.")
        found += named
    return list(dict.fromkeys(found))


def find_absent_names(question: str, mentions: Sequence[Mention]) -> list[tuple[int, int]]:
    """Where a list of papers names one that is not here: "XLNet" in "BERT, XLNet and RoBERTa".

    `mentions` are all places of known names. A name behind a bare comma counts only where the list goes on to a
    known one: in "A and B, NQ and TriviaQA" what is compared by stands there.
    """
    known = sorted({(one.start, one.end) for one in mentions})
    found: list[tuple[int, int]] = []
    for start, end in known:
        after = _NEXT.match(question, end)
        while after is not None and _is_new_name(question, after.span("name"), known):
            goes_on = _GOES_ON.match(question, after.end())
            ends = {first for first, _ in known}
            listed = goes_on is not None and goes_on["listed"] and goes_on.end() in ends
            if not listed and (after["joint"].strip() == "," or (goes_on is None and "v" not in after["joint"])):
                break
            found.append(after.span("name"))
            after = _NEXT.match(question, after.end())
        before = _BEFORE.search(question[:start])
        if (
            before is not None
            and _is_new_name(question, before.span("name"), known)
            and not _ELSEWHERE.search(question[: before.start("name")])
        ):
            found.append(before.span("name"))
    return sorted(set(found))


def _is_new_name(question: str, place: tuple[int, int], known: Sequence[tuple[int, int]]) -> bool:
    """Whether a word looks like a name, is none of the known ones, and asks for nothing that papers are compared by."""
    start, end = place
    word = question[start:end]
    if any(start < last and first < end for first, last in known) or facets_of(word):
        return False
    return is_name(word.rstrip("+.-"), starts=not question[:start].strip(" \"'“‘"))


def _papers_at(mentions: Sequence[Mention]) -> dict[tuple[int, int], set[str]]:
    """The papers that each place of a question means."""
    found: dict[tuple[int, int], set[str]] = {}
    for one in mentions:
        found.setdefault((one.start, one.end), set()).add(one.paper)
    return found


def _build(
    question: str, plan: SearchPlan, by_paper: Mapping[str, IndexedPaper], papers: Sequence[str], aspects: str
) -> Comparison:
    mentions = [mention for mention in plan.mentions if mention.paper in papers]
    shared = {place for place, papers in _papers_at(mentions).items() if len(papers) > 1}  # "the two vision papers"
    alone = [mention for mention in mentions if (mention.start, mention.end) not in shared]
    by_place = sorted(alone, key=lambda one: _is_by_the_way(question, one, by_paper[one.paper]))
    called = {one.paper: question[one.start : one.end] for one in reversed(by_place)}
    described = {paper for one in plan.described for paper in one.papers}
    names = []
    for paper in papers:
        entry = by_paper[paper]
        short = next(iter(entry.short_names), "") or title_head(entry.title)
        said = called.get(paper, "")
        name = (short or said) if paper in described else (said or short)
        name = name or entry.title or paper
        names.append(re.sub(r"['’]s?$", "", name))
    spans = [(mention.start, mention.end) for mention in mentions]
    absent = find_absent_names(question, plan.mentions) if spans else []
    absent = [place for place in absent if not any(one.start <= place[0] < one.end for one in plan.described)]
    gone = [(one.start, one.end) for one in plan.described if not one.papers]
    listed = list_aspects(question, [*spans, *absent, *gone])
    not_here = tuple(question[a:b] for a, b in absent)
    own = {} if aspects else _find_own_aspects(question, mentions, papers)
    if own:
        labels = " / ".join(dict.fromkeys(own[paper].label for paper in papers))
        column = replace(own[papers[0]], label=clip_label(labels))
        return Comparison(question, tuple(papers), tuple(names), (column,), not_here, own=own)
    asked = parse_aspects(aspects) or listed[:MOST_ASPECTS]
    left_out = () if aspects else tuple(one.label for one in listed[MOST_ASPECTS:])
    return Comparison(question, tuple(papers), tuple(names), asked, not_here, left_out)


def _is_by_the_way(question: str, mention: Mention, entry: IndexedPaper) -> bool:
    """Whether a place rather names what a paper measures or is measured on: "the AUROC of X", "accuracy on Y"."""
    short = fold_name(question[mention.start : mention.end]) in map(fold_name, entry.short_names)
    return not short and (bool(entry.short_names) or _ELSEWHERE.search(question[: mention.start]) is not None)


def _find_own_aspects(question: str, mentions: Sequence[Mention], papers: Sequence[str]) -> dict[str, Aspect]:
    """What the question asks of each paper alone, in a clause of its own; empty where it asks the same of all.

    A clause that says no more than the first is short for it: "what does A need X for, and what does B need?"
    """
    found: dict[str, Aspect] = {}
    places = _papers_at(mentions)
    for clause in find_parallel_clauses(question, merge_spans(list(places))):
        spans = [(start, end) for start, end in places if clause.start <= start and end <= clause.end]
        here = {paper for span in spans for paper in places[span]}
        shifted = [(start - clause.start, end - clause.start) for start, end in spans]
        asked = list_aspects(question[clause.start : clause.end], shifted)
        if len(asked) != 1 or here & found.keys():
            return {}
        first = next(iter(found.values()), asked[0])
        short = set(content_words(clause.read_rest(question))) <= set(content_words(first.search))
        found |= dict.fromkeys(here, first if short else asked[0])
    return found if found.keys() == set(papers) else {}
