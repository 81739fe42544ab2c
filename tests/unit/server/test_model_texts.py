"""All that a model's way to an answer says, its steps and its notes, is there in Chinese, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_app.answering.model import surveying
from rag_app.server.i18n import set_language, translate_core
from tests.support.provider import Reply, error_body
from tests.unit.answering.model.test_lead import ask, call, said
from tests.unit.answering.model.test_lead import folder as folder

CHINESE = re.compile(r"[\u4e00-\u9fff]")
GONE = Reply(status=401)
NO_TOOLS = Reply(status=400, body=error_body("this model does not support tools"))
TOO_LONG = Reply(status=400, body=error_body("the request exceeds the available context size"))
BOTH = ["OtterNet", "HeronRank"]
READ = call(("read", {"paper": "OtterNet"}))
ANSWER = said('STATUS: answered\nIt is trained with a batch size of 512 fish [1 "batch size of 512 fish"].')
COMPARE = call(("compare", {"papers": BOTH, "columns": ["batch size", "year"]}))
CELL = said('1: a batch [1 "batch size of"]')
SURVEY = call(("survey", {"searches": ["batch size"], "words": ["fish"]}))
GATHER: Any = call(
    ("search", {"query": "batch"}),
    ("search", {"query": "batch", "papers": ["OtterNet"]}),
    ("read", {"paper": "OtterNet", "pages": "1"}),
    ("list_papers", {"filter": "otter"}),
    ("list_papers", {}),
)
SCRIPTS = {
    "gathering": (GATHER, ANSWER, said("1: CONTRADICTED - no"), said('1: It is 512 fish [1 "512 fish"].'), said("")),
    "circling": (READ, READ, READ, ANSWER, said("no line")),
    "partly": (READ, said("STATUS: partly - the rate\nIt is trained with fish and frogs."), GONE),
    "partly, unsaid": (READ, said("STATUS: partly\nIt is trained with fish and frogs."), GONE),
    "failing": (READ, GONE),
    "nothing": (READ, said("")),
    "choking": (READ, Reply(status=400, body=error_body("unexpected role")), ANSWER, said("1: SUPPORTED")),
    "plan": (NO_TOOLS, said('{"kind": "fact", "papers": ["OtterNet"]}'), ANSWER, said("1: SUPPORTED")),
    "no plan": (NO_TOOLS, said("none"), ANSWER, said("1: SUPPORTED")),
    "overflow": (call(*(("read", {"paper": one}) for one in BOTH)), TOO_LONG, TOO_LONG, ANSWER, said("1: SUPPORTED")),
    "comparison": (COMPARE, CELL, CELL, said("STATUS: not in the papers\nBoth have one [1]."), said("1: SUPPORTED")),
    "comparison, failing": (COMPARE, CELL, GONE),
    "survey": (SURVEY, said("P2: NO"), said("STATUS: answered\nNone."), said("1: SUPPORTED")),
    "survey, notes": (SURVEY, said('P2: YES - fish [1 "512 fish"]'), GONE),
}


@pytest.fixture
def in_chinese() -> Iterator[None]:
    set_language("zh")
    yield
    set_language("en")


@pytest.mark.usefixtures("in_chinese")
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_every_step_and_note_is_translated(folder: Path, script: tuple[Reply, ...]) -> None:
    answer, steps, _ = ask(folder, script, "What is the batch size of OtterNet and of HeronRank?")
    said_in_english = [text for text in [*steps, *answer.notes] if not CHINESE.search(translate_core(text))]
    assert said_in_english == [] and steps and answer.notes
    mixed = [text for text in map(translate_core, answer.notes) if re.search(r"(?:[a-z]{2,} ){4}", text)]
    assert mixed == []


@pytest.mark.usefixtures("in_chinese")
@pytest.mark.parametrize(
    "text",
    [
        "The time or cost limit for one question was reached, so the model answered from what it had.",
        "Not read whole: 3 whole papers, about 9,000 tokens, more than the 4,000 that the model's window leaves.",
        "Read: 1 whole paper, about 9,000 tokens.",
        "There was no room for OtterNet.",
        "The answer was cut off: it was longer than RAG_LLM_MAX_TOKENS (64) allows.",
        "asking big what to compare",
        "year (library)",
        f"{surveying.NOTES_ONLY}H accepts no more requests for now (429). Ask again in a minute.",
    ],
)
def test_what_seldom_happens_is_translated_too(text: str) -> None:
    assert CHINESE.search(translate_core(text)) and not re.search(r"(?:[a-z]{2,} ){3}", translate_core(text))
