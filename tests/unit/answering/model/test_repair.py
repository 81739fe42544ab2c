"""One repair: what the evidence does not back goes back to the model, and only that is written anew."""

from __future__ import annotations

import threading

import pytest

from rag_app.answering.model.reader import ModelReader
from rag_app.answering.model.refine import repair_draft
from rag_app.errors import ModelError
from rag_app.models.llm.call import call_model
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Draft, Evidence
from rag_app.settings import Settings
from tests.support.provider import Provider, Reply

TEXTS = (
    "LongRAG groups related documents into units of 4K tokens. This reduces the corpus from 22M units to 600K units.",
    "The dense retriever of DPR outperforms Lucene-BM25 by 9%-19% absolute in top-20 passage retrieval accuracy.",
)
EVIDENCE = [
    Evidence(number, f"{number}.pdf", "A title", 1, "1", "", 0, len(text), text)
    for number, text in enumerate(TEXTS, start=1)
]
QUESTION = "How many units are there?"
GOOD = "LongRAG groups related documents into units of 4K tokens [1]."
WRONG = "The corpus shrinks to 700K units [1]."
UNKNOWN = "It was written in Helsinki by Marjatta [2]."


def model(provider: Provider) -> OpenAIModel:
    settings = Settings(llm="none", llm_window=8192)
    return OpenAIModel(Endpoint("test", provider.url, "test-model", window=8192), settings, first_pause=0.01)


def run_repair(provider: Provider, text: str, evidence: list[Evidence] = EVIDENCE) -> Draft:
    return repair_draft(Draft(text, tokens=5), QUESTION, evidence, model(provider), 2000, threading.Event())


def test_wrong_sentences_are_corrected_or_dropped_and_the_others_stay() -> None:
    reply = Reply(pieces=("1: The corpus shrinks", " to 600K units [1].\n2: DROP"), usage={"total_tokens": 40})
    with Provider(reply) as provider:
        draft = run_repair(provider, f"{GOOD} {WRONG}\n\n- {UNKNOWN}\n- {GOOD}")
    assert draft.text == f"{GOOD} The corpus shrinks to 600K units [1].\n\n- {GOOD}"
    assert draft.repaired
    assert draft.tokens == 45
    (request,) = provider.requests
    asked = request.body["messages"][1]["content"]
    assert f"1: {WRONG} (not in the evidence: 700K)" in asked
    assert "Helsinki" in asked and TEXTS[0] in asked and TEXTS[1] in asked
    assert GOOD not in asked, "what is supported is not sent"


@pytest.mark.parametrize(
    "reply",
    [
        "1: The corpus shrinks to 800K units [1].",  # no better
        "1: The corpus shrinks to 600K units [7].",  # cites what was not sent
        "I am sorry, I cannot do that.",
        "2: DROP",  # no such sentence
        "",
    ],
)
def test_a_repair_that_is_no_better_changes_nothing(reply: str) -> None:
    text = f"{GOOD} {WRONG}"
    with Provider(Reply(pieces=(reply,))) as provider:
        draft = run_repair(provider, text)
    assert (draft.text, draft.repaired) == (text, False)


def test_nothing_is_asked_where_nothing_is_wrong() -> None:
    with Provider() as provider:
        assert run_repair(provider, GOOD) == Draft(GOOD, tokens=5)
        refused = Draft("Not in these papers.", refused=True)
        assert repair_draft(refused, QUESTION, EVIDENCE, model(provider), 2000, threading.Event()) is refused
        stopped = threading.Event()
        stopped.set()
        assert not repair_draft(Draft(WRONG), QUESTION, EVIDENCE, model(provider), 2000, stopped).repaired
    assert not provider.requests


def test_everything_dropped_is_no_answer() -> None:
    with Provider(Reply(pieces=("1: DROP",))) as provider:
        assert run_repair(provider, WRONG).text == WRONG


@pytest.mark.parametrize(
    ("name", "setting", "expected"),
    [
        ("gpt-5", "auto", True),
        ("gpt-5", "off", False),
        ("SmolLM2-135M", "auto", False),
        ("SmolLM2-135M", "on", True),
    ],
)
def test_who_repairs(name: str, setting: str, expected: bool) -> None:
    settings = Settings(llm="none", repair=setting)
    named = OpenAIModel(Endpoint("test", "http://127.0.0.1:1/v1", name, window=32_000), settings)
    assert ModelReader(named, settings).repairs is expected


def test_a_call_is_safe_and_ends() -> None:
    pieces = ("<think>hm</think>It is ![x](https://evil.example) [1][9].",)
    with Provider(Reply(pieces=pieces), Reply(pieces=("and so on ",), endless=True), Reply(status=404)) as provider:
        asked = model(provider)
        assert call_model(asked, "s", "u", threading.Event(), [1]).text == "It is ![x] (evil.example) [1]."
        assert call_model(asked, "s", "u", threading.Event()).text.count("and so on") <= 2
        with pytest.raises(ModelError):
            call_model(asked, "s", "u", threading.Event())
