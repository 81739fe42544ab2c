"""Base models: one text to continue instead of a chat, when the settings or the server say so."""

from __future__ import annotations

import threading

import pytest

from rag_app.answering.model.prompts import answer_prompt
from rag_app.errors import ModelError
from rag_app.models.llm import local_server
from rag_app.models.llm.call import call_model
from rag_app.models.llm.client import OpenAIModel, StreamEnd
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Evidence
from rag_app.settings import Settings
from tests.support.provider import Provider, Reply, error_body
from tests.support.small_model import needs_small_model

pytestmark = pytest.mark.slow

TEXT = "LongRAG groups related documents into units of 4K tokens."
EVIDENCE = [Evidence(1, "p.pdf", "LongRAG", 1, "1", "", 0, len(TEXT), TEXT)]
NO_TEMPLATE = (
    "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the "
    "tokenizer does not define one."
)


def model(provider: Provider, **settings: object) -> OpenAIModel:
    chosen = Settings(llm="none", **settings)  # type: ignore[arg-type]
    return OpenAIModel(Endpoint("test", provider.url, "base", window=8192), chosen, first_pause=0.01)


def test_a_base_model_continues_a_text() -> None:
    reply = Reply(pieces=(" Units have", " 4K tokens [1]."), usage={"total_tokens": 9})
    with Provider(reply) as provider:
        pieces = model(provider, llm_completion=True).stream("Rules.", "Question: How long?", threading.Event())
        text = ""
        try:
            while True:
                text += next(pieces)
        except StopIteration as end:
            assert end.value == StreamEnd("whole", 9)
        (request,) = provider.requests
    assert text == " Units have 4K tokens [1]."
    assert request.path == "/v1/completions"
    assert request.body["prompt"] == "Rules.\n\nQuestion: How long?\n\nAnswer:"
    assert "\nQuestion:" in request.body["stop"]
    assert (request.body["temperature"], request.body["max_tokens"] > 0) == (0.0, True)


def test_the_server_says_that_it_is_one_and_is_believed_from_then_on() -> None:
    refusal = Reply(status=400, body=error_body(NO_TEMPLATE))
    with Provider(refusal, Reply(pieces=("4K [1].",))) as provider:
        asked = model(provider)
        assert call_model(asked, "s", "u", threading.Event(), [1]).text == "4K [1]."
        assert call_model(asked, "s", "u", threading.Event(), [1]).text == "4K [1]."
        warm = asked.at_temperature(1.0)
        assert call_model(warm, "s", "u", threading.Event(), [1]).text == "4K [1]."
    paths = [request.path for request in provider.requests]
    assert paths == ["/v1/chat/completions", *["/v1/completions"] * 3]


@pytest.mark.parametrize("message", ["the template of this request is malformed", "context size exceeded"])
def test_other_refusals_stay_refusals(message: str) -> None:
    with Provider(Reply(status=400, body=error_body(message))) as provider:
        with pytest.raises(ModelError):
            call_model(model(provider), "s", "u", threading.Event())
        assert [request.path for request in provider.requests] == ["/v1/chat/completions"]


@needs_small_model
def test_llama_cpp_completes() -> None:
    settings = Settings(llm="local", llm_completion=True, llm_max_tokens=40)
    asked = OpenAIModel(local_server.start(), settings)
    answer = call_model(asked, *answer_prompt("What does LongRAG group into units?", EVIDENCE), threading.Event())
    assert "4K" in answer.text
    assert answer.tokens > 20
