"""The answer to a question that leads from one paper to another: each step with the words that it rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

import numpy as np

from rag_app.answering import Found, WordsOf, answer_from, find, papers_in, quoting_reader
from rag_app.chain import Chain, chain_of, links_in, second_paper
from rag_app.citations.marks import unmarked
from rag_app.desk import Desk, rows_naming, searched_for, short_name
from rag_app.index.bm25 import terms
from rag_app.index.generations import Generation
from rag_app.quoted_units import QuotedUnits
from rag_app.records import Answer, AnswerPlan, Event, Progress, Step
from rag_app.retrieval.hybrid import Scope
from rag_app.retrieval.plan import names_of
from rag_app.retrieval.question import take_apart
from rag_app.sentence_ranking import Unit, rank_units
from rag_app.text.terms import squash

WIDESPREAD = 0.3  # of all papers: a coined name that more of them use leads to no paper
EVERYWHERE = 0.5  # the same for a name that means a paper ("LLM")
BUDGET = 6_000  # tokens of the second paper

_MARK = re.compile(r"\[(\d+)\]")


def chain_in(desk: Desk) -> Chain | None:
    """The chain that the question asks for."""
    question, retriever = desk.found.question, desk.retriever
    plan = retriever.plan(question, desk.found.scope)
    named = [one for one in retriever.mentions(question) if one.paper in plan.named]
    return chain_of(question, [one.paper for one in named], [(one.start, one.end) for one in named])


def chain_answer(desk: Desk, chain: Chain) -> Generator[Event, None, Answer | None]:
    """The chain's second paper asked what the question asks; None where either step is not certain."""
    generation, scope = desk.generation, desk.found.scope
    entry = generation.by_paper[chain.first]
    rows = range(entry.first, entry.first + entry.passages)
    passages = [passage.text for passage in generation.passages(list(rows))]
    names = names_of(papers_in(generation, scope))
    links = list(links_in(chain.first, passages, names.all, names.sure, _common_names(generation)))
    if not links:
        return None
    yield Progress("searching", f"looking for the paper that {short_name(entry)} leads to")
    others = list(dict.fromkeys(link.paper for link in links))
    link_vector = desk.meaning.embed_question(chain.link)
    words = generation.words.scores(terms(chain.link))[rows.start : rows.stop]
    nearness = words / (float(words.max()) or 1.0)
    if generation.manifest.has_meaning:
        nearness = 0.5 * nearness + 0.5 * np.clip(generation.vectors[rows.start : rows.stop] @ link_vector, 0, 1)
    titles = desk.meaning.embed_passages([generation.by_paper[paper].title for paper in others])
    described = {paper: max(0.0, float(vector @ link_vector)) for paper, vector in zip(others, titles, strict=True)}
    second = second_paper(links, described, nearness, _answering(desk, chain.asks, others))
    if second is None:
        return None
    naming = [link for link in links if link.paper == second]
    best = max(naming, key=lambda link: float(nearness[link.passage]))
    unit = _link_unit(desk, chain, rows[best.passage], {link.name for link in naming})
    if unit is None:
        return None
    narrowed = replace(scope, papers=(second,))
    found = find(desk.retriever, chain.asks, narrowed, BUDGET)
    answer = yield from _quietly(found, desk)
    if answer.status != "answered" or not answer.citations:
        return None
    return _chained(desk, chain, second, unit, answer)


def _common_names(generation: Generation) -> Callable[[str, str], bool]:
    """Whether a name is used by so many papers, and not in its paper's title, that it means none of them."""
    readable = [entry for entry in generation.manifest.papers if entry.passages]
    titles = {entry.paper: squash(entry.title) for entry in generation.manifest.papers}
    certain = {squash(name) for entry in readable for name in entry.short_names}
    spelled = {name for entry in readable for name in (*entry.short_names, *entry.coined)}
    known: dict[tuple[str, str], bool] = {}

    def common(name: str, paper: str) -> bool:
        if (name, paper) not in known:
            rows = rows_naming(generation, name)
            papers = len(np.unique(generation.rows[rows, 0])) if len(rows) else 0
            most = (EVERYWHERE if squash(name) in certain else WIDESPREAD) * len(readable)
            # "Search" is a word, though a paper has a method SEARCH.
            word = name[:1].isupper() and name[1:].islower() and name not in spelled
            known[name, paper] = (
                word or len(squash(name)) < 3 or (squash(name) not in titles[paper] and papers > max(2, most))
            )
        return known[name, paper]

    return common


def _answering(desk: Desk, asks: str, papers: Sequence[str]) -> dict[str, float]:
    """How well the best passage of each paper fits what is asked, 1 for the best of all."""
    hits = desk.retriever.find(asks, 60, Scope(tuple(papers)))
    best: dict[str, float] = {}
    for hit in hits:
        best.setdefault(hit.passage.paper, hit.score)
    top = max(best.values(), default=1.0) or 1.0
    return {paper: max(0.0, score / top) for paper, score in best.items()}


def _link_unit(desk: Desk, chain: Chain, row: int, names: set[str]) -> Unit | None:
    """The sentence of the first paper that names the second, where it speaks of what is described."""
    evidence = desk.read([row], 800)
    asked = take_apart(chain.link, terms, WordsOf(desk.generation), evidence)
    units = rank_units(asked, evidence, terms, None, desk.found.page_of)
    return next((unit for unit in units if any(name in unit.text for name in names)), None)


def _quietly(found: Found, desk: Desk) -> Generator[Event, None, Answer]:
    """The quoting reader's answer; its pieces are not passed on, since their marks are numbered anew."""
    told = answer_from(found, quoting_reader(found, desk.meaning), desk.stop)
    while True:
        try:
            event = next(told)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        if isinstance(event, Progress):
            yield event


def _chained(desk: Desk, chain: Chain, second: str, unit: Unit, answer: Answer) -> Answer:
    generation = desk.generation
    quotes = QuotedUnits(desk.found.page_of)
    leading = quotes.line(unit, chain.link)
    text = _MARK.sub(lambda mark: f"[{int(mark[1]) + 1}]", answer.answer)
    citations = [*quotes.citations, *(replace(one, number=one.number + 1) for one in answer.citations)]
    one, other = (generation.by_paper[paper] for paper in (chain.first, second))
    steps = (
        Step(f"{short_name(one)}: {chain.link}", chain.first, short_name(other), (1,)),
        Step(f"{short_name(other)}: {chain.asks}", second, citations[1].quote, tuple(c.number for c in citations[1:])),
    )
    plan = AnswerPlan("chain", (chain.first, second), (short_name(one), short_name(other)), (chain.link, chain.asks), 2)
    whole = f"{unmarked(one.title or chain.first)}:\n{leading}\n\n{unmarked(other.title or second)}:\n{text}"
    entries = papers_in(generation, desk.found.scope)
    answer = replace(
        answer, question=desk.found.question, answer=whole, citations=tuple(citations), steps=steps, plan=plan
    )
    return replace(answer, searched=searched_for(entries, 2, answer))
