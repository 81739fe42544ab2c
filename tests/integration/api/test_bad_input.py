"""Bad input at every interface over HTTP: an error with code and message, and the library answers as before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.served_library import QUESTION, ServedLibrary

WRONG = {"Authorization": "Bearer wrong"}
NONE: dict[str, str] = {}
LARGE = b'{"text": "' + b"word " * 300_000 + b'"}'
DEEP = b"[" * 200_000  # more than a parser can follow
TOOL_ERROR = "tool error"  # of MCP: the model reads it, so it has words and no number


@dataclass(frozen=True)
class Bad:
    """A request, and how it is refused. `headers`: None for those of the token."""

    name: str
    path: str
    body: Any  # bytes as they are, anything else as JSON; None: GET
    status: int
    code: str | int
    says: str
    headers: dict[str, str] | None = None


def call_tool(tool: str, **arguments: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def chat(*words: str, **more: object) -> dict[str, object]:
    return {"model": "rag-app", "messages": [{"role": "user", "content": one} for one in words], **more}


REST = "/api/v1"
TABLE = {
    "rest": [
        Bad("wrong token", f"{REST}/papers", None, 401, "unauthorized", "token", WRONG),
        Bad("no token", f"{REST}/ask", {"question": QUESTION}, 401, "unauthorized", "token", NONE),
        Bad("oversized", f"{REST}/verify", LARGE, 413, "too_large", "large"),
        Bad(
            "unknown paper",
            f"{REST}/ask",
            {"question": "why", "papers": ["nosuch.pdf"]},
            404,
            "unknown_paper",
            "nosuch",
        ),
        Bad("unknown page", f"{REST}/pages/otter.pdf/99", None, 404, "unknown_page", "no page 99"),
        Bad("page of an unknown paper", f"{REST}/pages/nosuch.pdf/1", None, 404, "unknown_paper", "nosuch"),
        Bad("unknown conversation", f"{REST}/conversations/nosuch", None, 404, "unknown_conversation", "conversation"),
        Bad(
            "question in an unknown conversation",
            f"{REST}/ask",
            {"question": QUESTION, "conversation": "nosuch"},
            404,
            "unknown_conversation",
            "Begin one",
        ),
        Bad("broken JSON", f"{REST}/ask", b'{"question": ', 400, "invalid_request", "JSON"),
        Bad("deep JSON", f"{REST}/ask", DEEP, 400, "invalid_request", "JSON in UTF-8"),
        Bad("not UTF-8", f"{REST}/ask", b'{"question": "\xff"}', 400, "invalid_request", "JSON in UTF-8"),
        Bad("a list", f"{REST}/ask", [QUESTION], 400, "invalid_request", "dictionary"),
    ],
    "openai": [
        Bad("wrong token", "/v1/models", None, 401, "unauthorized", "token", WRONG),
        Bad("no token", "/v1/chat/completions", chat(QUESTION), 401, "unauthorized", "token", NONE),
        Bad("oversized", "/v1/chat/completions", LARGE, 413, "too_large", "large"),
        Bad(
            "unknown model", "/v1/chat/completions", chat(QUESTION) | {"model": "x"}, 404, "model_not_found", "rag-app"
        ),
        Bad(
            "unknown conversation",
            "/v1/responses",
            {"model": "rag-app", "input": QUESTION, "previous_response_id": "resp_nosuch"},
            404,
            "unknown_response",
            "resp_nosuch",
        ),
        Bad("broken JSON", "/v1/chat/completions", b'{"model": ', 400, "invalid_request", "JSON"),
        Bad("deep JSON", "/v1/responses", DEEP, 400, "invalid_request", "JSON in UTF-8"),
        Bad("not UTF-8", "/v1/responses", b'{"model": "\xff"}', 400, "invalid_request", "JSON in UTF-8"),
        Bad("no question", "/v1/chat/completions", chat(" "), 400, "no_question", "question"),
    ],
    "mcp": [
        Bad("wrong token", "/mcp", call_tool("list_papers"), 401, "unauthorized", "token", WRONG),
        Bad("no token", "/mcp", call_tool("list_papers"), 401, "unauthorized", "token", NONE),
        Bad("oversized", "/mcp", LARGE, 413, "too_large", "large"),
        Bad(
            "unknown paper", "/mcp", call_tool("ask", question="why", papers=["nosuch.pdf"]), 200, TOOL_ERROR, "nosuch"
        ),
        Bad("unknown page", "/mcp", call_tool("read_page", paper="otter.pdf", page=99), 200, TOOL_ERROR, "no page 99"),
        Bad("not an id", "/mcp", call_tool("fetch", id="nosuch"), 200, TOOL_ERROR, "not an id"),
        Bad("no question", "/mcp", call_tool("ask"), 200, TOOL_ERROR, "question"),
        Bad("broken JSON", "/mcp", b'{"jsonrpc": ', 400, -32700, "Parse error"),
        Bad("deep JSON", "/mcp", DEEP, 400, -32700, "Parse error"),
        Bad("not UTF-8", "/mcp", b'{"jsonrpc": "\xff"}', 400, -32700, "Parse error"),
    ],
}


@pytest.fixture
def client(library: ServedLibrary) -> Iterator[httpx.Client]:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    with httpx.Client(base_url=library.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


def send(client: httpx.Client, library: ServedLibrary, bad: Bad) -> httpx.Response:
    headers = library.headers if bad.headers is None else bad.headers
    if bad.body is None:
        return client.get(bad.path, headers=headers)
    content = bad.body if isinstance(bad.body, bytes) else json.dumps(bad.body).encode()
    return client.post(bad.path, content=content, headers=headers)


def read_body(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a response, or of the one event that it is made of."""
    if response.headers["content-type"].startswith("text/event-stream"):
        return json.loads(next(line[6:] for line in response.text.splitlines() if line.startswith("data: {")))
    return response.json()


def read_error(response: httpx.Response) -> tuple[str | int, str]:
    """Code and message."""
    body = read_body(response)
    if body.get("result", {}).get("isError"):
        return TOOL_ERROR, body["result"]["content"][0]["text"]
    return body["error"]["code"], body["error"]["message"]


def ask_rest(post: Callable[[str, object], dict[str, Any]]) -> object:
    answer = post(f"{REST}/ask", {"question": QUESTION})
    return answer["answer"], answer["citations"]


def ask_openai(post: Callable[[str, object], dict[str, Any]]) -> object:
    return post("/v1/chat/completions", chat(QUESTION))["choices"][0]["message"]


def ask_mcp(post: Callable[[str, object], dict[str, Any]]) -> object:
    return post("/mcp", call_tool("ask", question=QUESTION))["result"]["structuredContent"]


@pytest.mark.parametrize(("interface", "ask"), [("rest", ask_rest), ("openai", ask_openai), ("mcp", ask_mcp)])
def test_bad_input_is_refused_and_nothing_is_lost(
    library: ServedLibrary, client: httpx.Client, interface: str, ask: Callable[..., object]
) -> None:
    def post(path: str, body: object) -> dict[str, Any]:
        response = client.post(path, json=body, headers=library.headers)
        assert response.status_code == 200, response.text
        return read_body(response)

    before = ask(post)
    assert "220 million" in str(before)
    for bad in TABLE[interface]:
        response = send(client, library, bad)
        assert response.status_code == bad.status, (bad.name, response.text[:500])
        code, message = read_error(response)
        assert code == bad.code and bad.says in message, (bad.name, code, message)
    assert ask(post) == before
