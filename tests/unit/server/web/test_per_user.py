"""What the web library fails over costs one line of the log."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from fastapi import FastAPI

from rag_app.server.web.per_user import PerUserPages


def test_a_request_that_the_web_library_fails_over_is_named_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    page = FastAPI()

    @page.get("/fails")
    async def fail() -> None:
        raise KeyError("a\nforged line")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/fails", "query_string": b"", "headers": [], "user": ""}
    with caplog.at_level(logging.INFO):
        asyncio.run(PerUserPages(lambda user: page)(scope, receive, send))
    assert sent[0]["status"] == 500
    assert "'/fails' could not be served (KeyError" in caplog.text and "Traceback" not in caplog.text
    assert len(caplog.text.strip().splitlines()) == 1
