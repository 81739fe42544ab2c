"""The answer to where papers disagree: pairs of opposed claims, each quoted, with the conditions that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from rag_app.answering import WordsOf, papers_in
from rag_app.citations.marks import QUOTING, unmarked
from rag_app.desk import TOKENS, Desk, best_rows, papers_counted, rows_naming, searched_for, short_name
from rag_app.disagreement import MOST_PAIRS, claims_in, pairs
from rag_app.disagreement import topic_of as disputed
from rag_app.figure_pairs import figure_pairs, things_in
from rag_app.figures import Figure, capitals, figures_of
from rag_app.index.bm25 import terms
from rag_app.index.manifest import Entry
from rag_app.quoted_units import QuotedUnits, plain
from rag_app.records import Answer, AnswerPlan, Evidence
from rag_app.retrieval.question import take_apart
from rag_app.sentence_ranking import Unit, rank_units, units_of
from rag_app.survey import Topic
from rag_app.text.terms import squash


def disagreement_answer(desk: Desk) -> Answer:
    """Without id and times; "not_in_papers" when no two claims oppose each other."""
    found, generation = desk.found, desk.generation
    topic = disputed(found.question)
    named = desk.retriever.plan(found.question, found.scope).named
    entries = papers_in(generation, found.scope)
    looked = [entry for entry in entries if entry.passages and (len(named) < 2 or entry.paper in named)]
    rows_of = best_rows(desk, Topic(topic, (), either=False, mentioned=True))
    claims = claims_in(list(_units_on(desk, topic, looked, rows_of)))
    for claim, vector in zip(claims, _vectors(desk, [claim.unit.text for claim in claims]), strict=True):
        claim.unit.vector = vector
    figures = [figure for entry in looked for figure in _figures_on(desk, topic, entry)]
    quotes = QuotedUnits(found.page_of)

    def lines(*said: tuple[Unit, str]) -> str:
        shown = []
        for unit, condition in said:
            name = unmarked(short_name(generation.by_paper[unit.evidence.paper]))
            told = [part for part in condition.split(", ") if part and squash(part) != squash(name)]
            only = f" (only here: {plain(', '.join(told))})" if told else ""
            shown.append(f"{name}{only}:\n{quotes.line(unit, topic)}")
        return "\n".join(shown)

    blocks = [
        f"{plain(pair.title)}:\n{lines(*((f.unit, pair.conditions(f)) for f in (pair.one, pair.other)))}"
        for pair in figure_pairs(figures, topic)[:MOST_PAIRS]
    ]
    blocks += [lines((pair.one, pair.conditions[0]), (pair.other, pair.conditions[1])) for pair in pairs(claims, topic)]
    plan = AnswerPlan(
        "disagreement", tuple(e.paper for e in looked), tuple(map(short_name, looked)), (topic,), len(looked)
    )
    notes = (
        f"Looked at {papers_counted(len(looked))}, {len(claims)} claims and {len(figures)} figures of tables: "
        f"{len(blocks)} opposed {'pair' if len(blocks) == 1 else 'pairs'}. Only claims in like words count, that point "
        f"opposite ways, and figures of like names in tables.",
    )
    if not blocks:
        text = "No two claims were found that oppose each other."
        answer = Answer("", found.question, "not_in_papers", text, QUOTING, plan=plan, notes=notes)
    else:
        text = "\n\n".join(blocks)
        answer = Answer("", found.question, "answered", text, QUOTING, tuple(quotes.citations), plan=plan, notes=notes)
    return replace(answer, searched=searched_for(entries, len(looked), answer))


def _figures_on(desk: Desk, topic: str, entry: Entry) -> Iterator[Figure]:
    """The figures of the paper's tables, on the pages where it names what the topic names."""
    things = things_in(topic)
    if not things:
        return
    rows = np.unique(np.concatenate([rows_naming(desk.generation, name) for name in (*things, *map(capitals, things))]))
    own = rows[(entry.first <= rows) & (rows < entry.first + entry.passages)]
    pages = dict.fromkeys(passage.page for passage in desk.generation.passages([int(row) for row in own]))
    for number in pages:
        page = desk.found.page_of(entry.paper, number)
        if not any(block.kind == "table" for block in page.blocks):
            continue
        title, digest = desk.title_of(entry.paper)
        piece = Evidence(number, entry.paper, title, number, page.label, "", 0, len(page.text), page.text, digest)
        for unit in units_of(piece, page):
            yield from figures_of(unit, page)


def _units_on(
    desk: Desk, topic: str, entries: Iterable[Entry], rows_of: Callable[[Entry], list[int]]
) -> Iterable[Unit]:
    for entry in entries:
        evidence = desk.read(rows_of(entry), TOKENS)
        asked = take_apart(topic, terms, WordsOf(desk.generation), evidence)
        yield from (
            u for u in rank_units(asked, evidence, terms, None, desk.found.page_of)[:30] if u.features["own"] > 0
        )


def _vectors(desk: Desk, texts: Sequence[str]) -> Sequence[np.ndarray]:
    return list(desk.meaning.embed_passages(texts)) if texts else []
