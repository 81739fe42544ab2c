"""The library as a model: with the clients that people use, none of which was written here."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

from tests.support.served_library import QUESTION, ServedLibrary

FACT = "220 million"


@pytest.fixture
def client(library: ServedLibrary) -> Iterator[openai.OpenAI]:
    with httpx.Client(trust_env=False, timeout=60) as http:
        yield openai.OpenAI(base_url=f"{library.url}/v1", api_key=library.token, http_client=http, max_retries=0)


def check_annotation(text: str, start: int, end: int, url: str, library: ServedLibrary) -> None:
    """The mark stands where the annotation says, and its address opens the page at words that stand there."""
    assert text[start:end].startswith("[") and text[start:end].endswith("]")
    assert url.startswith(f"{library.url}/?paper=")
    opened = httpx.get(f"{library.url}/reading/at?{url.partition('?')[2]}", trust_env=False).json()
    assert opened["verified"] and opened["quote"]


def test_there_is_one_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["rag-app"]
    assert client.models.retrieve("rag-app").owned_by == "rag-app"


def test_a_completion_cites_pages(client: openai.OpenAI, library: ServedLibrary) -> None:
    made = client.chat.completions.create(model="rag-app", messages=[{"role": "user", "content": QUESTION}])
    message = made.choices[0].message
    assert FACT in (message.content or "") and made.choices[0].finish_reason == "stop"
    assert message.annotations
    for annotation in message.annotations:
        cited = annotation.url_citation
        check_annotation(message.content or "", cited.start_index, cited.end_index, cited.url, library)
    whole = made.model_extra["rag_app"]
    assert whole["status"] == "answered" and any(FACT in citation["quote"] for citation in whole["citations"])


def test_a_completion_streams(client: openai.OpenAI, library: ServedLibrary) -> None:
    text, annotations, ends, usage = "", [], [], None
    for chunk in client.chat.completions.create(
        model="rag-app",
        messages=[{"role": "user", "content": [{"type": "text", "text": QUESTION}]}],
        stream=True,
        stream_options={"include_usage": True},
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            annotations += (choice.delta.model_extra or {}).get("annotations", [])
            ends += [choice.finish_reason] if choice.finish_reason else []
    assert FACT in text and ends == ["stop"] and usage is not None and usage.total_tokens == 0
    assert annotations
    for one in annotations:
        cited = one["url_citation"]
        check_annotation(text, cited["start_index"], cited["end_index"], cited["url"], library)


def test_a_follow_up_is_understood_from_the_messages(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model="rag-app", messages=[{"role": "user", "content": QUESTION}])
    answer = first.choices[0].message.content or ""
    second = client.chat.completions.create(
        model="rag-app",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": answer},
            {"role": "user", "content": "And for how long was it trained?"},
        ],
    )
    assert "nine days" in (second.choices[0].message.content or "")
    assert second.model_extra["rag_app"]["asked"]


def test_a_response_and_the_one_after_it(client: openai.OpenAI, library: ServedLibrary) -> None:
    first = client.responses.create(model="rag-app", input=QUESTION)
    assert FACT in first.output_text and first.status == "completed"
    content = first.output[0].content[0]
    assert content.annotations
    for cited in content.annotations:
        check_annotation(content.text, cited.start_index, cited.end_index, cited.url, library)
    after = client.responses.create(
        model="rag-app", input="And for how long was it trained?", previous_response_id=first.id
    )
    assert "nine days" in after.output_text


def test_a_response_streams_in_the_order_of_the_protocol(client: openai.OpenAI) -> None:
    with client.responses.stream(model="rag-app", input=QUESTION) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
    assert "response.output_text.delta" in kinds and "response.output_text.annotation.added" in kinds
    assert FACT in final.output_text


def test_llama_index_asks_it(library: ServedLibrary) -> None:
    model = OpenAILike(
        model="rag-app", api_base=f"{library.url}/v1", api_key=library.token, is_chat_model=True, max_retries=0
    )
    assert FACT in str(model.chat([ChatMessage(role="user", content=QUESTION)]).message.content)
    assert FACT in "".join(
        piece.delta or "" for piece in model.stream_chat([ChatMessage(role="user", content=QUESTION)])
    )


def test_langchain_asks_it(library: ServedLibrary) -> None:
    model = ChatOpenAI(model="rag-app", base_url=f"{library.url}/v1", api_key=library.token, max_retries=0)
    assert FACT in str(model.invoke(QUESTION).content)
    assert FACT in "".join(str(piece.content) for piece in model.stream(QUESTION))


def test_bad_requests_are_openai_errors(client: openai.OpenAI) -> None:
    ask = client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(model="gpt-4", messages=[{"role": "user", "content": QUESTION}])
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as picture:
        ask(
            model="rag-app",
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}],
        )
    assert picture.value.code == "unsupported_content"
    with pytest.raises(openai.BadRequestError) as empty:
        ask(model="rag-app", messages=[{"role": "system", "content": "Be brief."}])
    assert empty.value.code == "no_question"
    with pytest.raises(openai.NotFoundError) as gone:
        client.responses.create(model="rag-app", input=QUESTION, previous_response_id="resp_nosuch")
    assert gone.value.code == "unknown_response"
    with pytest.raises(openai.APIStatusError) as large:
        ask(model="rag-app", messages=[{"role": "user", "content": "x" * 2_000_000}])
    assert large.value.status_code == 413


def test_a_wrong_token_is_refused(library: ServedLibrary) -> None:
    with httpx.Client(trust_env=False) as http:
        client = openai.OpenAI(base_url=f"{library.url}/v1", api_key="wrong", http_client=http, max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_an_error_in_a_stream_is_told(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match="at most 8000"):
        list(
            client.chat.completions.create(
                model="rag-app", messages=[{"role": "user", "content": "why " * 50_000}], stream=True
            )
        )
