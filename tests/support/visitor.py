"""Somebody with a browser, without the browser: logs in, opens the page and asks, by the page's own requests."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx


class Visitor:
    """One tab. `session` is what the page calls itself by; another tab may try to pass for it."""

    def __init__(self, url: str, name: str = "", password: str = "", **options: Any) -> None:
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=120, **options)
        self.session = secrets.token_hex(8)
        self._config: dict[str, Any] = {}
        if password:
            self.logged = self.log_in(name, password)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def log_in(self, name: str, password: str) -> httpx.Response:
        return self.client.post("/login", data={"name": name, "password": password})

    @property
    def config(self) -> dict[str, Any]:
        self._config = self._config or self.client.get("/config").json()
        return self._config

    def number(self, handler: str) -> int:
        """Of the press that calls the handler."""
        return next(one["id"] for one in self.config["dependencies"] if one["api_name"] == handler)

    def call(self, handler: str, *data: Any) -> list[Any]:
        """Press what answers at once; what the page then shows."""
        body = {"fn_index": self.number(handler), "data": list(data), "session_hash": self.session, "event_data": None}
        answer = self.client.post("/gradio_api/run/predict", json=body | {"trigger_id": None})
        answer.raise_for_status()
        return list(answer.json()["data"])

    def join(self, handler: str, *data: Any) -> str:
        """Press what answers as it comes; the event's id."""
        body = {"fn_index": self.number(handler), "data": list(data), "session_hash": self.session, "event_data": None}
        answer = self.client.post("/gradio_api/queue/join", json=body | {"trigger_id": None})
        answer.raise_for_status()
        return str(answer.json()["event_id"])

    def told(self) -> Iterator[dict[str, Any]]:
        """What the page is told, message by message, until nothing more is to come."""
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            stream.raise_for_status()
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def ask(self, question: str, ticked: str = "[]") -> str:
        """The conversation as the page shows it once the answer is there, as JSON text."""
        event = self.join("ask", question, ticked, "")
        ends = [one for one in self.told() if one.get("event_id") == event and one["msg"] == "process_completed"]
        if not ends or not ends[0]["success"]:
            raise RuntimeError(f"{question[:80]}: {ends}")
        return json.dumps(self.messages(), ensure_ascii=False)

    def messages(self) -> list[Any]:
        """The conversation of this tab as it stands."""
        return list(self.call("handle_action", "{}")[0])

    def papers(self) -> list[str]:
        """The names that the page has for its papers."""
        return re.findall(r'class="open-paper" value="([0-9a-f]{32})"', str(self.call("open", "")[0]))
