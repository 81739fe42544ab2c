"""The page, REST, the OpenAI-compatible interface and MCP over one index, all asked while it is built."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.doubles import WordEmbedder
from tests.support.served_library import QUESTION, ServedLibrary, serve_library
from tests.support.visitor import Visitor

FACT = "220 million"
LATE_QUESTION = "What does the late paper measure?"
LATE_FACT = "77.31"
ROUNDS = 2  # of questions while the build is held up


def ask_page(library: ServedLibrary, question: str) -> str:
    with Visitor(library.url) as visitor:  # a new tab, so no question follows another
        return visitor.ask(question)


def post(library: ServedLibrary, path: str, body: object) -> str:
    headers = {**library.headers, "Accept": "application/json, text/event-stream"}
    response = httpx.post(library.url + path, json=body, headers=headers, trust_env=False, timeout=60)
    assert response.status_code == 200, response.text
    return response.text


def ask_rest(library: ServedLibrary, question: str) -> str:
    return post(library, "/api/v1/ask", {"question": question})


def ask_openai(library: ServedLibrary, question: str) -> str:
    messages = [{"role": "user", "content": question}]
    return post(library, "/v1/chat/completions", {"model": "rag-app", "messages": messages})


def ask_mcp(library: ServedLibrary, question: str) -> str:
    params = {"name": "ask", "arguments": {"question": question}}
    answer = post(library, "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    assert '"isError":false' in answer.replace(" ", ""), answer
    return answer


ASKERS: tuple[Callable[[ServedLibrary, str], str], ...] = (ask_page, ask_rest, ask_openai, ask_mcp)


class HeldEmbedder(WordEmbedder):
    """Embeds passages of the late paper only when `may_end` is set; `began` says that its build has come so far."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.may_end = threading.Event(), threading.Event()

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        if any(LATE_FACT in text for text in texts):
            self.began.set()
            assert self.may_end.wait(60)
        return super().embed_passages(texts)


@pytest.mark.slow
def test_all_interfaces_at_once_while_a_build_runs(tmp_path: Path) -> None:
    embedder = HeldEmbedder()
    together = threading.Barrier(len(ASKERS), timeout=60)

    def ask_or_end_all(ask: Callable[[ServedLibrary, str], str]) -> None:
        try:
            ask_through_a_build(ask)
        except BaseException:
            together.abort()
            embedder.may_end.set()
            raise

    def ask_through_a_build(ask: Callable[[ServedLibrary, str], str]) -> None:
        for _ in range(ROUNDS):
            together.wait()
            assert FACT in ask(library, QUESTION), ask.__name__
            assert LATE_FACT not in ask(library, LATE_QUESTION), ask.__name__  # it is not in the index yet
        assert library.server.job.running
        together.wait()
        embedder.may_end.set()
        while library.server.job.running:
            assert FACT in ask(library, QUESTION), ask.__name__
        assert LATE_FACT in ask(library, LATE_QUESTION), ask.__name__
        assert FACT in ask(library, QUESTION), ask.__name__

    with serve_library(tmp_path, embedder, api_rate=0) as library:
        paper = library.settings.corpus / "late.md"
        paper.write_text(f"# Late: A Study\n\nThe late paper measures {LATE_FACT} of everything.\n", encoding="utf-8")
        build = httpx.post(f"{library.url}/api/v1/builds", headers=library.headers, trust_env=False).json()
        try:
            assert embedder.began.wait(60)
            with ThreadPoolExecutor(len(ASKERS)) as pool:
                faults = [work.exception() for work in [pool.submit(ask_or_end_all, ask) for ask in ASKERS]]
            assert not any(faults), faults
        finally:
            embedder.may_end.set()
        assert library.server.job.record(build["id"]).state == "built"
