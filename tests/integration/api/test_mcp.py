"""The library for agents: the official client, over both transports."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import numpy as np
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from rag_app.server.security.accounts import Accounts
from tests.support.doubles import WordEmbedder
from tests.support.served_library import FACT, QUESTION, SECOND, ServedLibrary, serve_library

ROOT = Path(__file__).resolve().parents[3]
TOOLS = {"search", "fetch", "ask", "compare", "read_page", "list_papers", "verify_quote"}
MANY = "; ".join(map(str, range(50)))  # aspects in one
MOST_TOKENS = 2_000  # of all tool descriptions; four characters are about one token


@asynccontextmanager
async def connect_http(library: ServedLibrary, token: str = "") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token or library.token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(f"{library.url}/mcp", http_client=http)) as client,
    ):
        yield client


@asynccontextmanager
async def connect_stdio(library: ServedLibrary) -> AsyncIterator[Client]:
    env = {
        "RAG_CORPUS": str(library.settings.corpus),
        "RAG_INDEX": str(library.settings.index),
        "RAG_LLM": "none",
        "PYTHONPATH": str(ROOT),
    }
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "rag_app", "mcp", "--page", library.url], env=env, cwd=ROOT
    )
    async with Client(stdio_client(command)) as client:
        yield client


async def use_every_tool(client: Client, library: ServedLibrary) -> None:
    """Each tool once, as an agent would."""
    tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS
    assert all(tool.annotations and tool.annotations.read_only_hint and tool.output_schema for tool in tools)
    described = sum(len(tool.name) + len(tool.description or "") + len(str(tool.input_schema)) for tool in tools)
    assert described / 4 <= MOST_TOKENS

    async def call(tool: str, **arguments: object) -> dict:
        result = await client.call_tool(tool, arguments)
        assert not result.is_error and result.structured_content is not None, result.content
        return result.structured_content

    listed = await call("list_papers")
    assert {paper["paper"] for paper in listed["papers"]} == {"otter.pdf", "heron.pdf", "lynx.md"}
    results = (await call("search", query="heron index passages"))["results"]
    assert set(results[0]) == {"id", "title", "url"} and results[0]["id"] == "heron.pdf#1"
    document = await call("fetch", id=results[0]["id"])
    assert set(document) == {"id", "title", "text", "url", "metadata"} and SECOND in document["text"]
    answer = await call("ask", question=QUESTION)
    assert "220 million" in answer["answer"] and answer["citations"][0]["url"].startswith(library.url)
    table = await call("compare", question="Compare them", papers=["otter.pdf", "heron.pdf"], aspects=["parameters"])
    assert "|" in table["answer"]
    assert FACT in (await call("read_page", paper="otter.pdf", page=1))["text"]
    held = await call("verify_quote", text=FACT, paper="otter.pdf", page=1)
    assert held["status"] == "verified" and held["quotes"][0]["state"] == "on the page"
    wrong = await call("verify_quote", text=f'"{FACT}" (heron.pdf, p. 1)')
    assert wrong["status"] == "failed" and wrong["quotes"][0]["places"][0]["paper"] == "otter.pdf"
    page = await client.read_resource("paper://otter.pdf/page/1")
    assert FACT in page.contents[0].text
    templates = (await client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == ["paper://{paper}/page/{number}"]


@pytest.mark.parametrize("connect", [connect_http, connect_stdio])
def test_every_tool_answers(library: ServedLibrary, connect) -> None:
    async def work() -> None:
        async with connect(library) as client:
            await use_every_tool(client, library)

    anyio.run(work)


def test_what_is_wrong_is_said_and_the_session_goes_on(library: ServedLibrary) -> None:
    async def work() -> None:
        async with connect_http(library) as client:
            for tool, arguments, words in (
                ("read_page", {"paper": "nosuch.pdf", "page": 1}, "no such paper"),
                ("read_page", {"paper": "otter.pdf", "page": 99}, "no page 99"),
                ("read_page", {"paper": "\n ", "page": 1}, "no paper is named"),
                ("fetch", {"id": "../../etc/passwd"}, "not an id"),
                ("fetch", {"id": f"otter.pdf#{'9' * 5_000}"}, "not an id"),
                ("ask", {"question": ""}, "empty"),
                ("search", {}, "query"),
                ("compare", {"question": "Compare", "aspects": [str(n) for n in range(200)]}, "at most 12 items"),
                ("compare", {"question": "Compare", "aspects": ["x" * 4_000]}, "at most 300 characters"),
                ("compare", {"question": "Compare", "papers": ["otter.pdf"], "aspects": [MANY]}, "too many"),
                ("ask", {"question": "Which?", "papers": ["x.pdf"] * 2_001}, "at most 2000 items"),
                ("verify_quote", {"text": "x" * 400_001}, "at most 400000 characters"),
            ):
                result = await client.call_tool(tool, arguments)
                assert result.is_error and words in str(result.content).casefold(), (tool, result.content)
            with pytest.raises(MCPError):
                await client.read_resource("paper://..%2f..%2fetc/page/1")
            assert not (await client.call_tool("list_papers", {})).is_error

    anyio.run(work)


def test_a_wrong_token_opens_nothing(library: ServedLibrary) -> None:
    async def work() -> None:
        async with connect_http(library, "wrong") as client:
            await client.list_tools()

    with pytest.raises((MCPError, httpx2.HTTPError, ExceptionGroup)):
        anyio.run(work)


class HeldEmbedder(WordEmbedder):
    """Embeds a question that speaks of waiting only when `may_end` is set; `began` says that one has come."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.may_end = threading.Event()

    def embed_question(self, text: str) -> np.ndarray:
        if "waiting" in text:
            self.began.set()
            assert self.may_end.wait(60)
        return super().embed_question(text)


def test_one_answer_too_many_at_once_is_an_error_that_says_so(tmp_path: Path) -> None:
    embedder = HeldEmbedder()

    async def work(library: ServedLibrary, other: str) -> None:
        async with (
            connect_http(library) as client,
            connect_http(library) as second,
            connect_http(library, other) as third,
        ):

            async def ask_slowly() -> None:
                slow = await client.call_tool("ask", {"question": "What is the waiting otter?"})
                assert not slow.is_error, slow.content

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask_slowly)
                try:
                    assert await anyio.to_thread.run_sync(embedder.began.wait, 60)
                    for tool, arguments in (("ask", {"question": QUESTION}), ("search", {"query": "heron"})):
                        refused = await second.call_tool(tool, arguments)
                        assert refused.is_error and "RAG_API_AT_ONCE" in str(refused.content), refused.content
                    assert not (await second.call_tool("list_papers", {})).is_error  # no answer is made for it
                    assert not (await third.call_tool("ask", {"question": QUESTION})).is_error  # another token
                finally:
                    embedder.may_end.set()
            assert not (await second.call_tool("ask", {"question": QUESTION})).is_error

    with serve_library(tmp_path, embedder, api_at_once=1) as library:
        anyio.run(work, library, Accounts(library.settings.users_file).add_token("other"))
