"""A question that leads from one paper to another: "A uses the retriever of another paper. How was that trained?"

Pure. The question is taken apart into what it says of the paper that it names, and what it asks of the paper that it
does not. The second paper is the one that the first speaks of, by a name that the library knows, where it speaks of
what is described; nothing is decided where two papers fit about as well.

The answer to a question that leads from one paper to another: each step with the words that it rests on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag_app.answering.context import (
    AnswerContext,
    IndexTermStatistics,
    RetrievedEvidence,
    papers_in,
    rows_with_name,
    short_name,
    summarise_search,
)
from rag_app.answering.quoting.ranking import Unit, rank_units
from rag_app.answering.quoting.reader import QuoteBuilder
from rag_app.answering.quoting.statements import statement_features
from rag_app.answering.steps import answer_from_evidence, find_evidence, quoting_reader
from rag_app.citations.marks import replace_marks
from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation
from rag_app.index.paper_names import find_mentions, fold_name
from rag_app.records import Answer, AnswerPlan, Event, Progress, Step
from rag_app.retrieval.hybrid import Scope
from rag_app.retrieval.plan import index_names
from rag_app.retrieval.question import analyse_part
from rag_app.retrieval.question_terms import extract_question_terms
from rag_app.text.terms import squash

# The paper that is asked about is not named: "another paper here", "the retriever that A uses was introduced by B".
_UNNAMED = re.compile(
    r"\b(?:another|other|a different|an? earlier|an? previous) (?:\w+ ){0,4}?"
    r"(?:papers?|works?|articles?|study|studies)\b"
    r"|\ban (?:earlier|older) (?:[\w-]+ ){1,5}?(?:from|of|in) th(?:is|e) (?:set|library|collection)\b"
    r"|\b(?:papers?|works?) (?:here|(?:of|in|from) th(?:is|e) (?:set|library|collection))\b"
    r"|\b(?:that|which) [\w-]+ (?:uses?|builds? (?:up)?on|starts? from|relies on|extends?|adopts?|employs?)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"(?<=[.?!])\s+(?=[A-Z])|:\s+(?=(?:how|what|which|where|when|who|why|on|in|from)\b)", re.IGNORECASE
)
_ASKING = re.compile(
    r"^\W*(?:(?:in|on|for|from|by|with|at|of|to|under)\s+)?(?:how|what|which|where|when|who|why|is|are|does|do|did|was)\b",
    re.IGNORECASE,
)
# Of the description only what describes: "an earlier automatic scorer from this set" -> "automatic scorer".
_EMPTY = re.compile(
    r"\b(?:another|other|a different|an? (?:earlier|previous|older)|papers?|works?|articles?|here|described|introduced|"
    r"proposed|presented|comes?|(?:of|in|from) th(?:is|e) (?:set|library|collection))\b",
    re.IGNORECASE,
)
# What "that paper" stands for is not searched for.
_BACK = re.compile(
    r"\b(?:th(?:at|is|e) (?:other )?(?:paper|work)(?:['’]s)?|(?:that|this) (?=\w)|of them|there|it|its|their)\b",
    re.IGNORECASE,
)
COINED = 0.6  # of a link by a name that the other paper only coined
MARGIN = 1.15  # the best second paper must be this much better than the next, else nothing is certain
LEAST = 0.25  # of the link's worth: below, the first paper merely names the second


@dataclass(frozen=True)
class Chain:
    """What is said of the named paper, and what is asked of the one that it leads to."""

    first: str  # paper
    link: str  # what the question says of it
    asks: str  # what is asked of the other


@dataclass(frozen=True)
class Link:
    """A place where the first paper speaks of another one of the library."""

    paper: str  # the other
    text: str
    passage: int  # of the first paper
    name: str  # as written there
    sure: bool  # a name that means the other paper, not one that it only coined


def parse_chain(question: str, named: Sequence[str], spans: Sequence[tuple[int, int]]) -> Chain | None:
    """The chain that a question asks for; None when it names no paper or several, or needs no second one.

    `named` are the papers that it names for certain, one for each of `spans`, the places of their names.
    """
    unnamed = _UNNAMED.search(question)
    if unnamed is None:
        return None
    # "an earlier RAG scorer from this set": a name within the description describes, it names nobody.
    outside = [
        (paper, span)
        for paper, span in zip(named, spans, strict=True)
        if not unnamed.start() <= span[0] < unnamed.end()
    ]
    if len({paper for paper, _ in outside}) != 1:
        return None
    first, spans = outside[0][0], [span for _, span in outside]
    pieces = _SENTENCE.split(question)
    asking = [piece for piece in pieces if _ASKING.match(piece)]
    telling = [piece for piece in pieces if piece not in asking]
    if not asking or not telling:
        return None
    name = question[spans[0][0] : spans[0][1]]
    if not any(name in piece for piece in telling):
        return None
    link = _EMPTY.sub(" ", " ".join(telling).replace(name, " "))
    asks = _BACK.sub(" ", " ".join(asking))
    link = re.sub(r"(?:\s+(?:of|from|by|in|with))*\s*[.,;]*\s*$", "", link)  # "uses the retriever of ." is no question
    return Chain(first, " ".join(link.split()), " ".join(asks.split()))


def find_links(
    first: str,
    passages: Sequence[str],
    names: Mapping[str, Sequence[str]],
    sure: Collection[str],
    ignore: Callable[[str, str], bool],
) -> Iterator[Link]:
    """Where the passages of the first paper name other papers of the library.

    `names` maps folded names to papers; a name of several papers leads nowhere. `sure` are those of them that mean a
    paper for certain, `ignore` says whether a name means nothing, though
    it is a paper's.
    """
    alone = {name: papers for name, papers in names.items() if len(set(papers)) == 1 and papers[0] != first}
    for number, text in enumerate(passages):
        for mention in find_mentions(text, alone):
            name = text[mention.start : mention.end]
            if not ignore(name, mention.paper):
                yield Link(mention.paper, text, number, name, fold_name(name) in sure)


def find_second_paper(
    links: Sequence[Link], described: Mapping[str, float], nearness: np.ndarray, answers: Mapping[str, float]
) -> str | None:
    """The paper that the links lead to; None when that is not certain.

    `nearness` is how near each passage of the first paper is to what the question says of it, `described` how much a
    paper is itself like that, `answers` how well its best passage fits what is asked; each 0 to 1.
    """
    worth: dict[str, float] = {}
    for paper in dict.fromkeys(link.paper for link in links):
        own = [link for link in links if link.paper == paper]
        near = max(
            float(nearness[link.passage]) * _use_weight(link.text) * (1.0 if link.sure else COINED) for link in own
        )
        often = min(1.0, len({link.passage for link in own}) / 6) * (1.0 if any(link.sure for link in own) else COINED)
        worth[paper] = 0.8 * near + 0.4 * often + described.get(paper, 0.0) + 0.8 * answers.get(paper, 0.0)
    ranked = sorted(worth, key=lambda paper: -worth[paper])
    if not ranked or worth[ranked[0]] < LEAST:
        return None
    if len(ranked) > 1 and worth[ranked[0]] < MARGIN * worth[ranked[1]]:
        return None
    return ranked[0]


def _use_weight(text: str) -> float:
    """The authors tell what they themselves use; else the passage counts half."""
    return 1.0 if statement_features(text)["own_voice"] else 0.5


WIDESPREAD = 0.3  # of all papers: a coined name that more of them use leads to no paper
EVERYWHERE = 0.5  # the same for a name that means a paper ("LLM")
BUDGET = 6_000  # tokens of the second paper

_MARK = re.compile(r"\[(\d+)\]")


def find_chain(context: AnswerContext) -> Chain | None:
    """The chain that the question asks for."""
    plan = context.question.plan
    named = [one for one in plan.mentions if one.paper in plan.named]
    return parse_chain(context.question.search, [one.paper for one in named], [(one.start, one.end) for one in named])


def answer_chain(context: AnswerContext, chain: Chain) -> Generator[Event, None, Answer | None]:
    """The chain's second paper asked what the question asks; None where either step is not certain."""
    generation, scope = context.generation, context.question.scope
    entry = generation.by_paper[chain.first]
    rows = range(entry.first, entry.first + entry.passages)
    passages = [passage.text for passage in generation.passages(list(rows))]
    names = index_names(papers_in(generation, scope))
    links = list(find_links(chain.first, passages, names.all, names.sure, _common_names(generation)))
    if not links:
        return None
    yield Progress("searching", f"looking for the paper that {short_name(entry)} leads to")
    others = list(dict.fromkeys(link.paper for link in links))
    link_vector = context.meaning.embed_question(chain.link)
    words = generation.words.scores(extract_terms(chain.link))[rows.start : rows.stop]
    nearness = words / (float(words.max()) or 1.0)
    if generation.manifest.has_meaning:
        nearness = 0.5 * nearness + 0.5 * np.clip(generation.vectors[rows.start : rows.stop] @ link_vector, 0, 1)
    titles = context.meaning.embed_passages([generation.by_paper[paper].title for paper in others])
    described = {paper: max(0.0, float(vector @ link_vector)) for paper, vector in zip(others, titles, strict=True)}
    second = find_second_paper(links, described, nearness, _answer_nearness(context, chain.asks, others))
    if second is None:
        return None
    naming = [link for link in links if link.paper == second]
    best = max(naming, key=lambda link: float(nearness[link.passage]))
    unit = _find_link_unit(context, chain, rows[best.passage], {link.name for link in naming})
    if unit is None:
        return None
    narrowed = replace(scope, papers=(second,))
    found = find_evidence(context.retriever, analyse_part(chain.asks, context.retriever, narrowed), BUDGET)
    answer = yield from _answer_quietly(found, context)
    if answer.status != "answered" or not answer.citations:
        return None
    return _join_chain_answers(context, chain, second, unit, answer)


def _common_names(generation: Generation) -> Callable[[str, str], bool]:
    """Whether a name is used by so many papers, and not in its paper's title, that it means none of them."""
    readable = [entry for entry in generation.manifest.papers if entry.passages]
    titles = {entry.paper: squash(entry.title) for entry in generation.manifest.papers}
    certain = {squash(name) for entry in readable for name in entry.short_names}
    spelled = {name for entry in readable for name in (*entry.short_names, *entry.coined)}
    known: dict[tuple[str, str], bool] = {}

    def common(name: str, paper: str) -> bool:
        if (name, paper) not in known:
            rows = rows_with_name(generation, name)
            papers = len(np.unique(generation.rows[rows, 0])) if len(rows) else 0
            most = (EVERYWHERE if squash(name) in certain else WIDESPREAD) * len(readable)
            # "Search" is a word, though a paper has a method SEARCH.
            word = name[:1].isupper() and name[1:].islower() and name not in spelled
            known[name, paper] = (
                word or len(squash(name)) < 3 or (squash(name) not in titles[paper] and papers > max(2, most))
            )
        return known[name, paper]

    return common


def _answer_nearness(context: AnswerContext, asks: str, papers: Sequence[str]) -> dict[str, float]:
    """How well the best passage of each paper fits what is asked, 1 for the best of all."""
    hits = context.retriever.find_passages(asks, 60, Scope(tuple(papers)))
    best: dict[str, float] = {}
    for hit in hits:
        best.setdefault(hit.passage.paper, hit.score)
    top = max(best.values(), default=1.0) or 1.0
    return {paper: max(0.0, score / top) for paper, score in best.items()}


def _find_link_unit(context: AnswerContext, chain: Chain, row: int, names: set[str]) -> Unit | None:
    """The sentence of the first paper that names the second, where it speaks of what is described."""
    evidence = context.read_passages([row], 800)
    asked = extract_question_terms(chain.link, extract_terms, IndexTermStatistics(context.generation), evidence)
    units = rank_units(asked, evidence, extract_terms, None, context.evidence.page_of)
    return next((unit for unit in units if any(name in unit.text for name in names)), None)


def _answer_quietly(found: RetrievedEvidence, context: AnswerContext) -> Generator[Event, None, Answer]:
    """The quoting reader's answer; its pieces are not passed on, since their marks are numbered anew."""
    told = answer_from_evidence(found, quoting_reader(found, context.meaning), context.stop)
    while True:
        try:
            event = next(told)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        if isinstance(event, Progress):
            yield event


def _join_chain_answers(context: AnswerContext, chain: Chain, second: str, unit: Unit, answer: Answer) -> Answer:
    generation = context.generation
    quotes = QuoteBuilder(context.evidence.page_of)
    leading = quotes.quote_line(unit, chain.link)
    text = _MARK.sub(lambda mark: f"[{int(mark[1]) + 1}]", answer.answer)
    citations = [*quotes.citations, *(replace(one, number=one.number + 1) for one in answer.citations)]
    one, other = (generation.by_paper[paper] for paper in (chain.first, second))
    steps = (
        Step(f"{short_name(one)}: {chain.link}", chain.first, short_name(other), (1,)),
        Step(f"{short_name(other)}: {chain.asks}", second, citations[1].quote, tuple(c.number for c in citations[1:])),
    )
    plan = AnswerPlan("chain", (chain.first, second), (short_name(one), short_name(other)), (chain.link, chain.asks), 2)
    whole = f"{replace_marks(one.title or chain.first)}:\n{leading}\n\n{replace_marks(other.title or second)}:\n{text}"
    entries = papers_in(generation, context.evidence.scope)
    answer = replace(
        answer, question=context.evidence.question, answer=whole, citations=tuple(citations), steps=steps, plan=plan
    )
    return replace(answer, searched=summarise_search(entries, 2, answer))
