"""What the server keeps of a tab: what it shows now, and not all that it has shown."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio.state_holder import StateHolder

from rag_app.assistant import Assistant
from rag_app.server.app import PageServer, serve
from rag_app.server.conversations import SESSIONS_KEPT
from tests.support.doubles import WordEmbedder, settings_for, write_corpus
from tests.support.visitor import Visitor


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("library")
    write_corpus(folder / "corpus", 2)
    assistant = Assistant(settings_for(folder, port=0), embedder=WordEmbedder())
    assistant.build()
    page = serve(assistant, assistant.settings, block=False)
    yield page
    page.stop()


def parts_of(session: str) -> list[int]:
    """How many parts of the page are kept for the tab; empty when it is not known."""
    gc.collect()
    kept = (one for one in gc.get_objects() if isinstance(one, StateHolder))
    return [len(one.session_data[session].blocks_config.blocks) for one in kept if session in one.session_data]


def test_questions_leave_no_parts_behind(page: PageServer) -> None:
    with Visitor(page.url) as visitor:
        visitor.call("open", "")
        visitor.ask("Which points does the otter reach?")
        before = parts_of(visitor.session)
        for _ in range(3):
            assert "otter" in visitor.ask("Which points does the otter reach?")
            visitor.call("tick", "")
            visitor.call("open", "")
        assert parts_of(visitor.session) == before and before


def test_a_closed_tab_is_forgotten(page: PageServer) -> None:
    with Visitor(page.url) as visitor:
        visitor.call("open", "")
        with visitor.client.stream("GET", f"/gradio_api/heartbeat/{visitor.session}") as beat:
            lines = beat.iter_lines()  # the connection ends with it
            assert next(lines) == "data: ALIVE"
            assert parts_of(visitor.session)
        until = time.monotonic() + 20
        while parts_of(visitor.session) and time.monotonic() < until:
            time.sleep(0.1)
        assert not parts_of(visitor.session)
        visitor.call("open", "")  # one that had only lost its connection goes on
        assert parts_of(visitor.session)


def test_tabs_that_never_say_goodbye_are_few(page: PageServer) -> None:
    with Visitor(page.url) as visitor:
        first = visitor.session
        visitor.call("open", "")
        for number in range(SESSIONS_KEPT + 5):
            visitor.session = f"tab{number}"
            visitor.call("tick", "")
        assert parts_of(visitor.session) and not parts_of(first)
        visitor.session = first
        assert visitor.call("handle_action", "{}")[0] == [], "a tab that was forgotten begins anew"


def test_examples_go_with_the_papers(tmp_path: Path) -> None:
    """An update that says None would leave the old ones standing."""
    (tmp_path / "corpus").mkdir()
    page = serve(
        Assistant(settings_for(tmp_path, port=0), embedder=WordEmbedder()), settings_for(tmp_path, port=0), block=False
    )
    try:
        with Visitor(page.url) as visitor:
            assert visitor.call("examples")[0]["examples"] == []
    finally:
        page.stop()
