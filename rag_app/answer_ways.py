"""Which way a question is answered from what was found: whole papers, a table, a model's prose, or quotes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from rag_app.answering import answer_from, balanced, is_answered, quoting_reader, table_from
from rag_app.comparison import CellMemory
from rag_app.desk import Desk
from rag_app.quoting import QuotingReader
from rag_app.reader import ModelReader, Reader
from rag_app.records import Answer, Event
from rag_app.settings import Settings
from rag_app.special_answers import special_answer
from rag_app.whole_papers import NEEDS_MODEL, answer_whole


def answered(
    desk: Desk, reader: Reader, settings: Settings, cells: CellMemory, *, demanded: bool = False, whole: bool = False
) -> Generator[Event, None, Answer]:
    """Yields what happens and the answer's pieces; returns the checked Answer, without id and times.

    `demanded`: a table was asked for outright. `whole`: from whole papers, where they fit.
    """
    found, meaning, stop = desk.found, desk.meaning, desk.stop
    if whole and isinstance(reader, ModelReader):
        return (yield from answer_whole(found, reader, settings, stop, meaning))
    quoting = quoting_reader(found, meaning)
    model = reader if isinstance(reader, ModelReader) else None
    special = None
    if not demanded and (model is not None or isinstance(reader, QuotingReader)):
        special = yield from special_answer(desk, complete_only=model is not None and model.trust != "none")
    if special is not None:
        answer = special if model is None else replace(special, notes=(*special.notes, _why_quoted(model)))
    elif found.comparison is not None and (demanded or is_answered(found, quoting)):
        answer = yield from table_from(found, meaning, stop, reader, cells)
    else:
        asked = balanced(found) if model is not None else found
        answer = yield from answer_from(asked, quoting if isinstance(reader, QuotingReader) else reader, stop, meaning)
    return replace(answer, notes=(*answer.notes, NEEDS_MODEL)) if whole else answer


def _why_quoted(model: ModelReader) -> str:
    if model.trust == "none":
        return f"{model.name} is too small for a question that needs several searches: the papers are quoted."
    return f"Every paper was looked at, which no prompt of {model.name} holds: the papers are quoted."
