"""The answer to where papers disagree: pairs of opposed claims, each quoted, with the conditions that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from rag_app.answering import WordsOf, papers_in
from rag_app.citations import QUOTING, unmarked
from rag_app.desk import TOKENS, Desk, best_rows, papers_counted, searched_for, short_name
from rag_app.disagreement import claims_in, pairs
from rag_app.disagreement import topic_of as disputed
from rag_app.index import Entry
from rag_app.quoted_units import QuotedUnits, plain
from rag_app.records import Answer, AnswerPlan
from rag_app.sentence_ranking import Unit, rank_units, take_apart
from rag_app.survey import Topic
from rag_app.word_index import terms


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
    quotes = QuotedUnits(found.page_of)
    blocks = []
    for pair in pairs(claims, topic):
        lines = []
        for unit, condition in ((pair.one, pair.conditions[0]), (pair.other, pair.conditions[1])):
            name = unmarked(short_name(generation.by_paper[unit.evidence.paper]))
            only = f" (only here: {plain(condition)})" if condition else ""
            lines.append(f"{name}{only}:\n{quotes.line(unit, topic)}")
        blocks.append("\n".join(lines))
    plan = AnswerPlan(
        "disagreement", tuple(e.paper for e in looked), tuple(map(short_name, looked)), (topic,), len(looked)
    )
    notes = (
        f"Looked at {papers_counted(len(looked))} and {len(claims)} claims: {len(blocks)} opposed "
        f"{'pair' if len(blocks) == 1 else 'pairs'}. Only claims in like words count, that point opposite ways.",
    )
    if not blocks:
        text = "No two claims were found that oppose each other."
        answer = Answer("", found.question, "not_in_papers", text, QUOTING, plan=plan, notes=notes)
    else:
        text = "\n\n".join(blocks)
        answer = Answer("", found.question, "answered", text, QUOTING, tuple(quotes.citations), plan=plan, notes=notes)
    return replace(answer, searched=searched_for(entries, len(looked), answer))


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
