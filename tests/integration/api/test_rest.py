"""REST as a program uses it: a real server, a real HTTP client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from rag_app.server.security.accounts import Accounts
from tests.support.served_library import FACT, QUESTION, SECOND, ServedLibrary, serve_library


@pytest.fixture
def client(library: ServedLibrary) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=library.url, headers=library.headers, trust_env=False, timeout=60) as client:
        yield client


def read_events(response: httpx.Response) -> list[tuple[str, dict]]:
    """The server-sent events of a response."""
    found = []
    for block in response.read().decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in lines:
            found.append((lines.get("event", ""), json.loads(lines["data"])))
    return found


def error_code(response: httpx.Response) -> str:
    body = response.json()
    assert set(body) == {"error"} and body["error"]["message"]
    return str(body["error"]["code"])


def test_the_papers_are_listed(client: httpx.Client) -> None:
    papers = client.get("/api/v1/papers").json()["papers"]
    assert [paper["paper"] for paper in papers] == ["heron.pdf", "lynx.md", "otter.pdf"]


def test_an_answer_is_that_of_the_command_line_with_addresses(client: httpx.Client, library: ServedLibrary) -> None:
    answer = client.post("/api/v1/ask", json={"question": QUESTION, "id": "7"}).json()
    assert answer["status"] == "answered" and answer["id"] == "7"
    citation = next(one for one in answer["citations"] if "220 million" in one["quote"])
    assert citation["paper"] == "otter.pdf" and citation["verified"]
    assert citation["url"].startswith(f"{library.url}/?paper=otter.pdf&page=1&words=")
    shown = client.get(citation["url"])
    assert shown.status_code == 200 and "<html" in shown.text
    opened = client.get(f"/reading/at?{citation['url'].partition('?')[2]}").json()
    assert opened["verified"] and opened["marks"] and opened["quote"] == citation["quote"]


def test_an_answer_comes_as_events(client: httpx.Client) -> None:
    with client.stream("POST", "/api/v1/ask", json={"question": QUESTION, "stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = read_events(response)
    names = [name for name, _ in events]
    assert names[0] == "progress" and names[-1] == "answer" and "piece" in names
    assert events[-1][1]["citations"][0]["url"]


def test_search_page_and_comparison(client: httpx.Client) -> None:
    hits = client.post("/api/v1/search", json={"question": "heron index passages", "top": 2}).json()["hits"]
    assert len(hits) == 2 and hits[0]["paper"] == "heron.pdf" and "words=" in hits[0]["url"]
    page = client.get("/api/v1/pages/otter.pdf/1").json()
    assert FACT in page["text"] and page["pages"] == 1 and "2 Reader" in page["sections"]
    table = client.post(
        "/api/v1/compare",
        json={"question": "Compare them", "papers": ["otter.pdf", "heron"], "aspects": "parameters; passages"},
    ).json()["table"]
    assert [row["paper"] for row in table["rows"]] == ["otter.pdf", "heron.pdf"]


def test_quotes_of_another_tool_are_verified(client: httpx.Client) -> None:
    text = f'It says "{FACT}" (Otter, p. 1). Heron says “it holds a million passages of reports” (heron.pdf, page 1).'
    value = client.post("/api/v1/verify", json={"text": text}).json()
    assert value["status"] == "failed"
    assert [quote["state"] for quote in value["quotes"]] == ["on the page", "not found"]
    assert "words=The+otter+reader" in value["quotes"][0]["places"][0]["url"]


def test_a_build_is_a_job(client: httpx.Client, library: ServedLibrary) -> None:
    paper = library.settings.corpus / "late.md"
    paper.write_text("# Late: A Study\n\nThe late paper measures 77.31 of everything.\n", encoding="utf-8")
    begun = client.post("/api/v1/builds")
    assert begun.status_code == 202
    where = begun.headers["location"]
    library.server.job.wait(60)
    record = client.get(where).json()
    assert record["state"] == "built" and record["report"]["changed"]
    answer = client.post("/api/v1/ask", json={"question": "What does the late paper measure?"}).json()
    assert "77.31" in answer["answer"]
    assert client.get("/api/v1/builds").json()["builds"][0]["id"] == record["id"]
    paper.unlink()
    library.assistant.build()


def test_a_conversation_is_kept_and_forgotten(client: httpx.Client) -> None:
    id = client.post("/api/v1/conversations").json()["id"]
    client.post("/api/v1/ask", json={"question": QUESTION, "conversation": id})
    client.post("/api/v1/ask", json={"question": "How long was it trained?", "conversation": id})
    kept = client.get(f"/api/v1/conversations/{id}").json()
    assert [turn["question"] for turn in kept["turns"]] == [QUESTION, "How long was it trained?"]
    assert client.get("/api/v1/conversations?find=parameters").json()["conversations"][0]["id"] == id
    assert client.delete(f"/api/v1/conversations/{id}").status_code == 204
    assert error_code(client.get(f"/api/v1/conversations/{id}")) == "unknown_conversation"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/api/v1/ask", {"question": "why", "papers": ["nosuch.pdf"]}, 404, "unknown_paper"),
        ("POST", "/api/v1/ask", {"question": ""}, 400, "invalid_request"),
        ("POST", "/api/v1/ask", {"question": "why", "colour": "red"}, 400, "invalid_request"),
        ("POST", "/api/v1/ask", {"question": "x" * 200_000}, 422, "not_answered"),
        ("POST", "/api/v1/ask", {"question": "why", "papers": ["\ud800"]}, 404, "unknown_paper"),
        ("GET", "/api/v1/pages/otter.pdf/99", None, 404, "unknown_page"),
        ("GET", "/api/v1/pages/..%2f..%2fetc%2fpasswd/1", None, 404, "unknown_paper"),
        ("GET", "/api/v1/builds/4711", None, 404, "unknown_build"),
        ("GET", "/api/v1/nothing", None, 404, "not_found"),
        ("GET", "/api/v1/ask", None, 405, "method_not_allowed"),
    ],
)
def test_bad_requests_say_what_is_wrong(
    client: httpx.Client, method: str, path: str, body: object, status: int, code: str
) -> None:
    content = json.dumps(body).encode() if body is not None else None  # httpx sends no unpaired surrogate itself
    response = client.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, error_code(response)) == (status, code)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
def test_without_the_token_nothing_is_said(library: ServedLibrary, headers: dict[str, str]) -> None:
    for path in ("/api/v1/papers", "/api/v1/openapi.json", "/v1/models"):
        response = httpx.get(library.url + path, headers=headers, trust_env=False)
        assert (response.status_code, error_code(response)) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"


def test_other_sites_are_refused_also_with_a_token(client: httpx.Client) -> None:
    response = client.get("/api/v1/papers", headers={"Origin": "https://evil.org"})
    assert (response.status_code, error_code(response)) == (403, "forbidden")


def test_a_removed_token_is_refused_at_once(library: ServedLibrary) -> None:
    accounts = Accounts(library.settings.users_file)
    token = accounts.add_token("short-lived")
    asked = {"headers": {"Authorization": f"Bearer {token}"}, "trust_env": False}
    assert httpx.get(f"{library.url}/api/v1/papers", **asked).status_code == 200
    accounts.remove_token("short-lived")
    assert httpx.get(f"{library.url}/api/v1/papers", **asked).status_code == 401


def test_the_description_is_openapi_3_1(client: httpx.Client) -> None:
    described = client.get("/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(described).validate()
    routes = {"papers", "search", "ask", "compare", "pages/{paper}/{number}", "builds", "conversations", "verify"}
    assert {f"/api/v1/{route}" for route in routes} <= set(described["paths"])


def test_one_token_is_limited_and_the_other_is_not(tmp_path: Path) -> None:
    with serve_library(tmp_path, api_rate=3) as served:
        other = Accounts(served.settings.users_file).add_token("other")
        with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client:
            tries = [client.get("/api/v1/papers", headers=served.headers) for _ in range(4)]
            assert [one.status_code for one in tries] == [200, 200, 200, 429]
            assert error_code(tries[-1]) == "rate_limited" and int(tries[-1].headers["retry-after"]) >= 1
            assert client.get("/api/v1/papers", headers={"Authorization": f"Bearer {other}"}).status_code == 200


def test_without_tokens_the_interfaces_are_as_open_as_the_page(tmp_path: Path) -> None:
    with serve_library(tmp_path) as served:
        pass
    Accounts(served.settings.users_file).remove_token("test")
    from rag_app.server.app import serve  # noqa: PLC0415

    server = serve(served.assistant, served.settings, block=False)
    try:
        assert SECOND in httpx.get(f"{server.url}/api/v1/pages/heron.pdf/1", trust_env=False).json()["text"]
    finally:
        server.stop()
