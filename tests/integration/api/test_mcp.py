"""The library for agents: the official client, over both transports."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.support.served_library import FACT, QUESTION, SECOND, ServedLibrary

ROOT = Path(__file__).resolve().parents[3]
TOOLS = {"search", "fetch", "ask", "compare", "read_page", "list_papers", "verify_quote"}
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
                ("fetch", {"id": "../../etc/passwd"}, "not an id"),
                ("ask", {"question": ""}, "empty"),
                ("search", {}, "query"),
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
