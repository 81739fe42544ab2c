"""Servers that differ from the API: each report as a row, against a server of our own on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from rag_app.errors import ModelError, ModelWindowExceeded, ToolsRefused
from rag_app.models.llm.call import ask_model
from rag_app.models.llm.chat import MOST_CALLS, Message, Tool
from rag_app.models.llm.client import OpenAIModel, open_language_model
from rag_app.models.llm.servers import Endpoint
from rag_app.settings import Settings
from tests.support.provider import Provider, Reply, error_body

ASKED = (Message("system", "the rules"), Message("user", "the question"))
LOOK = Tool("look", "Look something up.", {"type": "object", "properties": {"word": {"type": "string"}}})


def model_at(server: Provider) -> OpenAIModel:
    settings = Settings(llm="none", llm_max_tokens=200)
    return OpenAIModel(Endpoint("test", server.url, "m", window=8192), settings, first_pause=0.01)


def event(**delta: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def whole(content: Any) -> str:
    message = {"role": "assistant", "content": content}
    return json.dumps({"object": "chat.completion", "choices": [{"message": message, "finish_reason": "stop"}]})


@pytest.mark.parametrize(
    "pieces",
    [
        ("<think>hm [1]</think>", "Yes."),
        ("<THINK>hm</THINK>", "Yes."),
        ('<think effort="3">hm</think>', "\n\nYes."),
        ("let me see.\n", "</think>", "\n\nYes."),
        ("[THINK]hm[/THINK]", "Yes."),
        ("<seed:think>hm</seed:think>", "Yes."),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final", "<|message|>Yes.<|return|>"),
        ("Yes", ".\n<think>a second one</think>"),
    ],
)
def test_thoughts_are_not_the_answer(pieces: Sequence[str]) -> None:
    with Provider(Reply(pieces=pieces)) as server:
        assert ask_model(model_at(server), ASKED, threading.Event()).text == "Yes."


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=whole("Yes \U0001f600")),
        Reply(body=whole([{"type": "text", "text": "Yes "}, {"type": "text", "text": "\U0001f600"}])),
        Reply(events=(event(content="Yes \ud83d"), event(content="\ude00"))),
        Reply(events=('{"id": "no choices yet"}', event(content=[{"type": "text", "text": "Yes \U0001f600"}]))),
        Reply(events=(event(content="Yes "), event(content="\U0001f600")), finish=""),
    ],
    ids=["one JSON reply", "content as parts", "an emoji in two halves", "a chunk without choices", "no finish_reason"],
)
def test_an_answer_comes_whole_in_any_form(reply: Reply) -> None:
    with Provider(reply) as server:
        answer = ask_model(model_at(server), ASKED, threading.Event())
    assert (answer.text, answer.whole) == ("Yes \U0001f600", True)


def test_half_an_emoji_is_a_replacement_character_and_nothing_is_lost() -> None:
    with Provider(Reply(events=(event(content="Yes \ud83d"), event(content=" no")))) as server:
        assert ask_model(model_at(server), ASKED, threading.Event()).text == "Yes \ufffd no"


@pytest.mark.parametrize(
    ("refusal", "gone"),
    [
        ("System role not supported", "system"),
        ("Unrecognized request argument supplied: stream_options", "stream_options"),
        ("`temperature` must be strictly positive", "temperature"),
        ("Unsupported parameter: 'max_tokens'", "max_tokens"),
    ],
)
def test_what_a_server_refuses_is_left_out_once(refusal: str, gone: str) -> None:
    with Provider(Reply(status=400, body=error_body(refusal)), Reply(pieces=("Yes.",))) as server:
        assert ask_model(model_at(server), ASKED, threading.Event()).text == "Yes."
        second = server.requests[1].body
    assert len(server.requests) == 2 and gone not in second
    assert [message["role"] for message in second["messages"]] == (["user"] if gone == "system" else ["system", "user"])
    assert "the rules" in str(second["messages"])


def test_a_pydantic_error_is_understood_and_told_in_the_servers_words() -> None:
    detail = {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}
    other = {"detail": [{"loc": ["body", "model"], "msg": "Unknown adapter"}]}
    refusals = (Reply(status=422, body=json.dumps(detail)), Reply(status=422, body=json.dumps(other)))
    with Provider(*refusals) as server, pytest.raises(ModelError, match=r"body\.model: Unknown adapter"):
        ask_model(model_at(server), ASKED, threading.Event())
    assert len(server.requests) == 2


@pytest.mark.parametrize("form", ["event", "body"])
def test_an_overflow_within_a_reply_of_status_200_is_one(form: str) -> None:
    error = json.dumps({"error": {"message": "the request exceeds the available context size", "code": "n"}})
    reply = Reply(events=(error,)) if form == "event" else Reply(body=error)
    with Provider(reply) as server, pytest.raises(ModelWindowExceeded, match="available context size"):
        ask_model(model_at(server), ASKED, threading.Event())


def test_an_error_within_a_reply_of_status_200_is_told_in_the_servers_words() -> None:
    reply = Reply(body='{"error": "the engine has no such adapter"}')
    with Provider(reply) as server, pytest.raises(ModelError, match="no such adapter"):
        ask_model(model_at(server), ASKED, threading.Event())


def test_several_calls_of_tools_in_one_chunk() -> None:
    calls = [
        {
            "index": n,
            "id": f"c{n}",
            "type": "function",
            "function": {"name": "look", "arguments": f'{{"word": "{word}"}}'},
        }
        for n, word in enumerate(("otter", "heron"))
    ]
    with Provider(Reply(events=(event(tool_calls=calls),), finish="tool_calls")) as server:
        model = model_at(server)
        pieces = model.chat(ASKED, threading.Event(), [LOOK])
        with pytest.raises(StopIteration) as end:
            while True:
                next(pieces)
    assert [call.arguments for call in end.value.value.calls] == [{"word": "otter"}, {"word": "heron"}]


def _look_calls(count: int) -> list[dict[str, Any]]:
    function = {"name": "look", "arguments": "{}"}
    return [{"index": n, "id": f"c{n}", "type": "function", "function": function} for n in range(count)]


@pytest.mark.parametrize(
    "events",
    [
        [event(tool_calls=_look_calls(4 * MOST_CALLS))],
        [event(tool_calls=[one]) for one in _look_calls(MOST_CALLS + 1)],
    ],
    ids=["one chunk", "a chunk each"],
)
def test_of_very_many_calls_the_first_are_read_and_nothing_more(events: Sequence[str]) -> None:
    hangs = 0 if len(events) > 1 else -1
    with Provider(Reply(events=events, finish="tool_calls", hang_after=hangs)) as server:
        pieces = model_at(server).chat(ASKED, threading.Event(), [LOOK])
        with pytest.raises(StopIteration) as end:
            while True:
                next(pieces)
    assert [call.id for call in end.value.value.calls] == [f"c{n}" for n in range(MOST_CALLS)]


def test_arguments_of_calls_are_read_up_to_the_size_of_thoughts() -> None:
    calls = [{"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": "x" * 1000}}]
    with Provider(Reply(events=[event(tool_calls=calls)] * 100, hang_after=0)) as server:
        pieces = model_at(server).chat(ASKED, threading.Event(), [LOOK])
        with pytest.raises(StopIteration) as end:
            while True:
                next(pieces)
    assert (end.value.value.reason, end.value.value.calls) == ("length", ())


def test_a_refusal_of_tools_is_remembered() -> None:
    with Provider(Reply(status=400, body=error_body("m does not support tools"))) as server:
        model = model_at(server)
        assert model.takes_tools
        with pytest.raises(ToolsRefused):
            list(model.chat(ASKED, threading.Event(), [LOOK]))
        assert not model.takes_tools


@pytest.mark.parametrize(
    "address",
    ["/v1?api-version=2024-06", "/v1/chat/completions?api-version=2024-06", "/v1?api-version=2024-06/chat/completions"],
)
def test_the_query_of_an_address_stays_at_the_end(address: str) -> None:
    with Provider(Reply(pieces=("Yes.",)), models=("m",), query="api-version=2024-06") as server:
        url = server.url.removesuffix("/v1") + address
        model = open_language_model(Settings(llm_base_url=url, llm_max_tokens=200))
        assert model is not None and model.name == "m"
        assert ask_model(model, ASKED, threading.Event()).text == "Yes."
    paths = {request.path for request in [*server.requests, *server.asked] if "api/" not in request.path}
    assert {"/v1/chat/completions?api-version=2024-06", "/v1/models?api-version=2024-06"} <= paths
    assert all(path.endswith("?api-version=2024-06") for path in paths)
