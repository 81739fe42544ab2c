"""Fetching, against a real server on loopback that misbehaves in each of the ways arXiv can."""

from __future__ import annotations

import email.utils
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_app.errors import CorpusError, FetchError
from rag_app.papers.arxiv_client import _retry_after
from rag_app.papers.fetch import TEMPORARY, FetchProgress, FetchResult, fetch_papers
from tests.support.arxiv import PDF, Handler, Reply, Server, status


def whole(handler: Handler) -> None:
    handler.body(PDF, headers={"Content-Type": "application/pdf"})


def truncated(handler: Handler) -> None:
    handler.body(PDF[:200_000], length=len(PDF))
    handler.close_connection = True


def truncated_without_length(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(PDF[:200_000])
    handler.close_connection = True


def web_page(handler: Handler) -> None:
    handler.body(
        b"<!DOCTYPE html><html><head><title>Just a\n moment</title></head></html>",
        headers={"Content-Type": "text/html"},
    )


def hung(handler: Handler) -> None:
    handler.server.released.wait(20)
    handler.close_connection = True


def dripping(handler: Handler) -> None:
    """Never silent for long, never done."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000000")
    handler.end_headers()
    handler.wfile.write(b"%PDF-1.5\n")
    while not handler.server.released.wait(0.01):
        handler.wfile.write(b"x" * 200_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def get(server: Server, corpus: Path, *ids: str, **changes: Any) -> list[FetchResult]:
    settings: dict[str, Any] = {"delay": 0.0, "timeout": 5.0, "retries": 2, **changes}
    return fetch_papers(ids, corpus, base_url=server.url, **settings)


def files(corpus: Path) -> list[str]:
    return sorted(path.name for path in corpus.rglob("*") if path.is_file())


def test_a_paper_is_fetched_whole_under_its_id(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [whole]
    progress: list[FetchProgress] = []
    (result,) = get(server, tmp_path / "new" / "folder", "2406.15319", on_progress=progress.append)
    target = tmp_path / "new" / "folder" / "2406.15319.pdf"
    assert result == FetchResult("2406.15319", "fetched", target.resolve(), size=len(PDF))
    assert target.read_bytes() == PDF
    assert files(tmp_path) == ["2406.15319.pdf"]
    assert server.agents == [server.agents[0]] and server.agents[0].startswith("rag-app/")
    receiving = [step for step in progress if step.message == "receiving"]
    assert [step.received for step in receiving] == sorted(step.received for step in receiving)
    assert (receiving[-1].received, receiving[-1].size) == (len(PDF), len(PDF))
    assert progress[-1].message == "fetched"


def test_each_result_is_told_as_soon_as_it_is_there(server: Server, tmp_path: Path) -> None:
    server.replies |= {"/pdf/2406.00001": [whole], "/pdf/2406.00002": [whole]}
    asked_when_told: list[tuple[str, int]] = []
    results = get(
        server,
        tmp_path,
        "2406.00001",
        "2406.00002",
        on_result=lambda result: asked_when_told.append((result.id, len(server.asked))),
    )
    assert asked_when_told == [("2406.00001", 1), ("2406.00002", 2)] and len(results) == 2


@pytest.mark.parametrize(
    ("asked", "path", "name"),
    [
        ("arXiv:2406.15319v2", "/pdf/2406.15319v2", "2406.15319v2.pdf"),
        ("https://arxiv.org/abs/2406.15319", "/pdf/2406.15319", "2406.15319.pdf"),
        ("http://arxiv.org/pdf/2406.15319v1.pdf", "/pdf/2406.15319v1", "2406.15319v1.pdf"),
        ("hep-th/9901001", "/pdf/hep-th/9901001", "hep-th_9901001.pdf"),
    ],
)
def test_ids_are_taken_in_every_form(server: Server, tmp_path: Path, asked: str, path: str, name: str) -> None:
    server.replies[path] = [whole]
    (result,) = get(server, tmp_path, asked)
    assert (result.state, files(tmp_path), server.asked) == ("fetched", [name], [path])


def test_one_request_at_a_time_with_a_pause_between(server: Server, tmp_path: Path) -> None:
    ids = ["2406.00001", "2406.00002", "2406.00003"]
    server.replies = {f"/pdf/{id}": [whole] for id in ids}
    results = get(server, tmp_path, *ids, delay=0.15)
    assert [result.id for result in results] == ids
    assert server.most_at_once == 1
    gaps = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert all(gap >= 0.14 for gap in gaps), gaps


def test_the_default_pause_is_the_one_arxiv_asks_for() -> None:
    assert fetch_papers.__kwdefaults__ is not None and fetch_papers.__kwdefaults__["delay"] >= 3.0


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    there = tmp_path / "sub" / "2406.15319v2.pdf"
    there.write_bytes(PDF)
    (result, newer) = get(server, tmp_path, "2406.15319", "2406.15319v3", "https://arxiv.org/abs/2406.15319")
    assert result == FetchResult("2406.15319", "already there", there.resolve())
    assert newer.state == "failed", "another version than the one there is asked for"
    assert server.asked == ["/pdf/2406.15319v3"]


def test_an_empty_file_of_that_name_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "2406.15319.pdf").write_bytes(b"")
    server.replies["/pdf/2406.15319"] = [whole]
    assert get(server, tmp_path, "2406.15319")[0].state == "fetched"
    assert (tmp_path / "2406.15319.pdf").read_bytes() == PDF


def test_a_missing_paper_is_asked_for_once_and_stops_nobody(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.00002"] = [whole]
    missing, wrong, good = get(server, tmp_path, "2406.00001", "../../etc/passwd", "2406.00002")
    assert missing.state == "failed" and "no such paper (404)" in missing.problem and "Check the id" in missing.problem
    assert wrong.state == "failed" and "not an arXiv id" in wrong.problem
    assert good.state == "fetched"
    assert Counter(server.asked) == {"/pdf/2406.00001": 1, "/pdf/2406.00002": 1}
    assert files(tmp_path) == ["2406.00002.pdf"]


def test_retry_after_is_obeyed(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [status(429, Retry_After="1"), whole]
    assert get(server, tmp_path, "2406.15319")[0].state == "fetched"
    assert server.times[1] - server.times[0] >= 0.95


def test_a_longer_retry_after_than_we_wait_ends_the_asking(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.00001"] = [status(429, Retry_After="3600")]
    server.replies["/pdf/2406.00002"] = [whole]
    first, second = get(server, tmp_path, "2406.00001", "2406.00002")
    assert first.state == second.state == "failed"
    assert "more seconds" in second.problem
    assert server.asked == ["/pdf/2406.00001"], "nothing may be sent while the server asks for rest"


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    soon = email.utils.formatdate(time.time() + 50, usegmt=True)
    assert _retry_after("7") == 7.0
    assert 45 < _retry_after(soon) <= 50
    assert _retry_after(email.utils.formatdate(time.time() - 50, usegmt=True)) == 0.0
    assert [_retry_after(text) for text in ("", "soon", "-3", "9" * 50, "Mon, 99 Foo 2026")] == [0.0] * 5


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [status(503), status(500), whole]
    assert get(server, tmp_path, "2406.15319")[0].state == "fetched"
    assert len(server.asked) == 3


def test_a_server_that_stays_busy_is_given_up(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [status(503)]
    (result,) = get(server, tmp_path, "2406.15319", retries=2)
    assert "busy (503)" in result.problem
    assert len(server.asked) == 3


@pytest.mark.parametrize("reply", [truncated, truncated_without_length])
def test_a_body_cut_off_is_asked_for_again_and_never_kept(server: Server, tmp_path: Path, reply: Reply) -> None:
    server.replies["/pdf/2406.00001"] = [reply]
    server.replies["/pdf/2406.00002"] = [reply, whole]
    bad, good = get(server, tmp_path, "2406.00001", "2406.00002", retries=1)
    assert bad.state == "failed" and ("cut off" in bad.problem or "was interrupted" in bad.problem)
    assert good.state == "fetched"
    assert files(tmp_path) == ["2406.00002.pdf"]


def test_a_web_page_instead_of_a_pdf_is_named_as_one(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [web_page]
    (result,) = get(server, tmp_path, "2406.15319")
    assert 'received a web page ("Just a moment") instead of a PDF' in result.problem
    assert len(server.asked) == 1
    assert files(tmp_path) == []


def test_an_empty_answer_is_a_failure(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [lambda handler: handler.body(b"")]
    assert "empty" in get(server, tmp_path, "2406.15319", retries=0)[0].problem
    assert files(tmp_path) == []


def test_a_hung_connection_times_out_and_the_next_paper_comes(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.00001"] = [hung]
    server.replies["/pdf/2406.00002"] = [whole]
    stuck, good = get(server, tmp_path, "2406.00001", "2406.00002", timeout=1.0, retries=0)
    assert stuck.state == "failed" and "no data for 1 s" in stuck.problem
    assert good.state == "fetched"


def test_a_download_that_never_ends_meets_its_deadline(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [dripping]
    (result,) = get(server, tmp_path, "2406.15319", deadline=0.3, limit=10**9)
    assert "not finished within 0.3 s" in result.problem
    assert files(tmp_path) == []


@pytest.mark.parametrize("reply", [whole, dripping])
def test_a_file_larger_than_the_limit_is_refused(server: Server, tmp_path: Path, reply: Reply) -> None:
    server.replies["/pdf/2406.15319"] = [reply]
    (result,) = get(server, tmp_path, "2406.15319", limit=len(PDF) - 1)
    assert "larger than" in result.problem
    assert files(tmp_path) == []


def test_the_limit_holds_where_no_length_is_told(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [truncated_without_length]
    assert "larger than" in get(server, tmp_path, "2406.15319", limit=100_000)[0].problem


def test_a_redirect_within_the_server_is_followed(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [status(301, Location="/pdf/2406.15319v4")]
    server.replies["/pdf/2406.15319v4"] = [whole]
    assert get(server, tmp_path, "2406.15319")[0].state == "fetched"


@pytest.mark.parametrize(
    "target",
    [
        "http://example.com/pdf/2406.15319",
        "https://arxiv.org.example.com/x",
        "http://arxiv.org/pdf/2406.15319",  # not encrypted
        "https://user:secret@arxiv.org/pdf/2406.15319",
        "https://arxiv.org:8443/x",
        "file:///etc/passwd",
        "//127.0.0.1:1/x",
        "http://[",
    ],
)
def test_a_redirect_to_a_stranger_is_not_followed(server: Server, tmp_path: Path, target: str) -> None:
    server.replies["/pdf/2406.15319"] = [status(302, Location=target)]
    (result,) = get(server, tmp_path, "2406.15319")
    assert result.state == "failed" and "not followed" in result.problem
    assert len(server.asked) == 1


def test_another_port_of_this_machine_is_a_stranger_too(server: Server, tmp_path: Path) -> None:
    with Server() as other:
        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        server.replies["/pdf/2406.15319"] = [status(302, Location=f"{other.url}/pdf/2406.15319")]
        assert "not followed" in get(server, tmp_path, "2406.15319")[0].problem
        assert other.asked == []
        other.shutdown()


PRIVATE = [
    "127.0.0.2",
    "10.0.0.1",
    "172.16.9.9",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "2130706433",
]
PRIVATE += ["[::]", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[2002:7f00:1::]", "0x7f.1"]


@pytest.mark.parametrize("host", PRIVATE)
def test_no_private_network_is_asked(tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, place: tried.append(place))
    (result,) = fetch_papers(["2406.15319"], tmp_path, base_url=f"https://{host}", delay=0.0, retries=0)
    assert result.state == "failed" and "private network" in result.problem and not tried


@pytest.mark.parametrize("place", ["10.0.0.1", "127.0.0.1", "::1", "169.254.169.254"])
def test_a_redirect_is_looked_up_before_it_is_followed(
    server: Server, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is arXiv's, and whoever answers for names lies."""
    server.replies["/pdf/2406.15319"] = [status(302, Location="https://arxiv.org/pdf/2406.15319")]
    look_up = socket.getaddrinfo

    def lying(host: object, *arguments: object, **more: object) -> object:
        return look_up(place if host == "arxiv.org" else host, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    (result,) = get(server, tmp_path, "2406.15319")
    assert result.state == "failed" and place in result.problem and "not requested" in result.problem
    assert len(server.asked) == 1


def test_behind_a_proxy_the_proxy_looks_names_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    (result,) = fetch_papers(["2406.15319"], tmp_path, delay=0.0, retries=0)
    assert result.state == "failed" and "cannot be reached" in result.problem


def test_redirects_in_a_circle_end(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.15319"] = [status(302, Location="/pdf/2406.15319")]
    assert "redirected more than" in get(server, tmp_path, "2406.15319")[0].problem


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_without_a_network_the_first_failure_says_so_and_the_rest_is_not_tried(tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{closed_port()}"
    progress: list[FetchProgress] = []
    first, second = fetch_papers(["2406.00001", "2406.00002"], tmp_path, base_url=base, on_progress=progress.append)
    assert "cannot be reached" in first.problem
    assert second.problem.startswith("not tried:")
    assert [step.message for step in progress].count("asking") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_no_half_file(server: Server, tmp_path: Path, error: type[BaseException]) -> None:
    server.replies["/pdf/2406.15319"] = [whole]

    def interrupt(step: FetchProgress) -> None:
        if step.received:
            assert any(name.startswith(TEMPORARY) for name in files(tmp_path))
            raise error

    with pytest.raises(error):
        get(server, tmp_path, "2406.15319", on_progress=interrupt)
    assert files(tmp_path) == []


def test_stopping_ends_the_run_and_says_so(server: Server, tmp_path: Path) -> None:
    server.replies["/pdf/2406.00001"] = [whole]
    stop = threading.Event()

    def press(step: FetchProgress) -> None:
        if step.received:
            stop.set()

    results = get(server, tmp_path, "2406.00001", "2406.00002", stop=stop, on_progress=press)
    assert ["stopped" in result.problem for result in results] == [True, True]
    assert server.asked == ["/pdf/2406.00001"]
    assert files(tmp_path) == []


def test_old_half_files_are_swept_up_and_fresh_ones_left(server: Server, tmp_path: Path) -> None:
    old, fresh = tmp_path / f"{TEMPORARY}a-1.pdf", tmp_path / f"{TEMPORARY}b-2.pdf"
    old.write_bytes(b"%PDF")
    fresh.write_bytes(b"%PDF")
    os.utime(old, (1, 1))
    get(server, tmp_path)
    assert files(tmp_path) == [fresh.name]


def test_a_target_that_cannot_be_written_fails_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "2406.00001.pdf").mkdir()
    server.replies = {f"/pdf/2406.0000{n}": [whole] for n in (1, 2)}
    blocked, good = get(server, tmp_path, "2406.00001", "2406.00002")
    assert "cannot be written" in blocked.problem
    assert good.state == "fetched"
    assert files(tmp_path) == ["2406.00002.pdf"]


def test_a_corpus_that_is_a_file_is_an_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(FetchError, match="cannot be written to"):
        get(server, tmp_path / "file", "2406.15319")


def test_a_broken_manifest_is_an_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "papers.toml").write_text("[[paper", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"papers\.toml"):
        get(server, tmp_path, "2406.15319")


@pytest.mark.parametrize(
    "base", ["http://arxiv.org", "ftp://arxiv.org", "arxiv.org", "https://a:b@arxiv.org", "", "http://["]
)
def test_an_unsafe_address_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(FetchError, match="RAG_ARXIV_URL"):
        fetch_papers(["2406.15319"], tmp_path, base_url=base)
