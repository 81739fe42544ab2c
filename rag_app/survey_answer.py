"""The answer to a question about all papers: every readable one is looked at, each is quoted that speaks of it"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_app.answering import Found, WordsOf, papers_in
from rag_app.citations.marks import QUOTING, unmarked
from rag_app.desk import TOKENS, Desk, best_rows, papers_counted, searched_for, short_name
from rag_app.index.bm25 import terms
from rag_app.index.manifest import Entry
from rag_app.quoted_units import QuotedUnits
from rag_app.quoting import NOT_IN_PAPERS
from rag_app.records import Answer, AnswerPlan
from rag_app.survey import LONGEST_LIST, Finding, Surveyor, Topic


def survey_answer(desk: Desk, topic: Topic) -> Answer:
    """Without id and times; "not_in_papers" when no paper speaks of the topic."""
    found, generation = desk.found, desk.generation
    entries = papers_in(generation, found.scope)
    readable = [entry for entry in entries if entry.passages]
    surveyor = Surveyor(topic, terms, WordsOf(generation), desk.meaning, found.page_of)
    rows_of = best_rows(desk, topic)
    findings = []
    for entry in readable:
        if desk.stop.is_set():
            break
        rows = rows_of(entry)
        finding = surveyor.look(entry.paper, entry.title, desk.read(rows, TOKENS)) if rows else None
        if finding is not None:
            findings.append(finding)
    return _listed(found, topic, entries, len(readable), findings)


def _listed(found: Found, topic: Topic, entries: Sequence[Entry], looked: int, findings: Sequence[Finding]) -> Answer:
    said = sorted((one for one in findings if not one.in_passing), key=lambda one: -one.worth)
    quotes = QuotedUnits(found.page_of)
    names = {entry.paper: short_name(entry) for entry in entries}
    blocks = [
        f"{unmarked(found.generation.by_paper[one.paper].title or one.paper)}:\n{quotes.line(one.unit, found.question)}"
        for one in said[:LONGEST_LIST]
    ]
    notes = [f"Looked at {papers_counted(looked)}, one by one; listed: {len(said)}."]
    passing = [names[one.paper] for one in findings if one.in_passing]
    if passing:
        notes.append(f"Only mentioned in passing, or of others' work, in: {', '.join(passing)}.")
    unreadable = [entry.paper for entry in entries if not entry.passages]
    if unreadable:
        notes.append(f"Not readable, and so not looked at: {', '.join(unreadable)}.")
    plan = AnswerPlan(
        "survey", tuple(one.paper for one in said), tuple(names[one.paper] for one in said), (topic.text,), looked
    )
    answer = Answer("", found.question, "answered", "\n\n".join(blocks), QUOTING, tuple(quotes.citations), plan=plan)
    if not said:
        answer = Answer("", found.question, "not_in_papers", NOT_IN_PAPERS, QUOTING, plan=plan)
    return replace(answer, notes=tuple(notes), searched=searched_for(entries, looked, answer))
