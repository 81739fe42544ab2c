"""Other users of this machine, requests of any length and made-up proxies: each tried against a server that runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from rag_app.errors import AccountError, HistoryFault
from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.records import Answer
from rag_app.server.app import choose_page_token, serve
from rag_app.server.security import accounts
from rag_app.server.security.accounts import Accounts
from rag_app.server.security.page_token import FILE, cookie_value, load_page_token
from rag_app.settings import Settings, settings_folder
from tests.support.fake_assistant import FakeAssistant
from tests.support.other_user import needs_root, run_as_other_user
from tests.support.provider import Provider
from tests.support.visitor import Visitor

PASSWORD = "correct horse battery"
ANSWER = Answer("", "q", "answered", "Words.", "m")


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """The strength of the hash is tested elsewhere."""
    before, accounts._N = accounts._N, 16
    yield
    accounts._N = before


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> FakeAssistant:
    folder = tmp_path_factory.mktemp("papers")
    (folder / "ours.md").write_text("# Ours\n\nThe reader has 220 million parameters.\n", encoding="utf-8")
    return FakeAssistant(folder, pause=0.0)


@pytest.fixture(scope="module")
def served(library: FakeAssistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A page without log-in, as the commands open it."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(corpus=library.folder, index=home / "index", port=0)
    token = choose_page_token(settings)
    page = serve(library, settings, block=False, page_token=token)
    yield SimpleNamespace(url=page.url, address=page.address, token=token, settings=settings, page=page)
    page.stop()


def make_client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, trust_env=False, timeout=60)


# -- the token --------------------------------------------------------------------------------------------------------

CLOSED = ["/config", "/reading/paper/0/1", "/adding/state", "/settings/state", "/gradio_api/queue/data", "/assets/x.js"]


def test_without_the_token_nothing_is_served(served: Any) -> None:
    with make_client(served.url) as client:
        for path in ["/", "/?token=", "/?token=" + "A" * 43, *CLOSED]:
            answer = client.get(path)
            assert answer.status_code == 401 and "token" in answer.text and served.token not in answer.text
        for cookie in ("", "x", served.token, f"{cookie_value(served.token, 1)}"):
            headers = {"Cookie": f"rag_app_page_{httpx.URL(served.url).port}={cookie}"}
            assert client.get("/config", headers=headers).status_code == 401
        assert client.post("/gradio_api/run/predict", json={}).status_code == 401
        programs = client.get("/api/v1/conversations")
        assert programs.status_code == 401 and "token" in programs.text


def test_the_printed_address_opens_the_page_and_leaves_no_token_in_it(served: Any) -> None:
    with make_client(served.url) as client:
        opened = client.get(served.address)
        assert opened.status_code == 303 and opened.headers["location"] == "/"
        assert re.search(
            r"=[0-9a-f]{64}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Strict$", opened.headers["set-cookie"]
        )
        page = client.get("/")
        assert page.status_code == 200 and served.token not in page.text and page.headers["cache-control"]
        assert client.get("/config").status_code == 200
    with make_client(served.url) as program:
        headers = {"Authorization": f"Bearer {served.token}"}
        assert program.get("/api/v1/conversations", headers=headers).status_code == 200
    with Visitor(served.url) as visitor:
        visitor.client.get(served.address)
        assert "Words" in visitor.ask("hello") or visitor.messages()


def test_the_token_is_kept_for_the_next_start_where_only_its_owner_reads_it(served: Any) -> None:
    file = settings_folder() / FILE
    assert load_page_token() == served.token == file.read_text(encoding="ascii")
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.chmod(0o644)
        other = load_page_token()
        assert other != served.token, "one that others could read is no longer used"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_a_home_the_token_is_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_app.server.security.page_token.settings_folder", lambda: Path("/proc/none"))
    assert len(load_page_token()) == 43 and load_page_token() != load_page_token()


def test_it_can_be_left_out(library: FakeAssistant, tmp_path: Path) -> None:
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, page_token="off")
    assert choose_page_token(settings) == "" == choose_page_token(Settings(), without=True)
    page = serve(library, settings, block=False, page_token=choose_page_token(settings))
    try:
        assert page.address == page.url and httpx.get(page.url, trust_env=False, timeout=60).status_code == 200
    finally:
        page.stop()


AS_ANOTHER = """
import sys, urllib.request, urllib.error
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for path in ("/", "/config", "/adding/state", "/api/v1/conversations"):
    try:
        opener.open(sys.argv[1] + path, timeout=30)
        print("opened", path)
    except urllib.error.HTTPError as error:
        print(error.code)
for file in sys.argv[2:]:
    try:
        open(file, "rb").read()
        print("read", file)
    except OSError:
        print("closed")
"""


@needs_root
def test_another_user_of_the_machine_gets_nothing_of_the_page(served: Any) -> None:
    done = run_as_other_user(AS_ANOTHER, served.url, str(settings_folder() / FILE))
    assert done.stdout.split() == ["401"] * 4 + ["closed"], done.stderr


WITH_COOKIE = """
import sys, urllib.request, urllib.error
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for path in ("/", "/api/v1/conversations"):
    try:
        asked = urllib.request.Request(sys.argv[1] + path, headers={"Cookie": sys.argv[2]})
        print(opener.open(asked, timeout=30).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


@needs_root
def test_the_cookie_of_the_page_opens_nothing_to_another_user(served: Any) -> None:
    """Who takes the port after the program gets it from a tab that is still open."""
    with make_client(served.url) as client:
        client.get(served.address)
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        assert client.get("/", headers={"Cookie": cookie}).status_code == 200
    assert run_as_other_user(WITH_COOKIE, served.url, cookie).stdout.split() == ["401", "401"]


AND_LEAVES = """
import socket, sys, time
port, cookie, body = int(sys.argv[1]), sys.argv[2], sys.argv[3].encode()
padding = "".join(f"c{number}=1; " for number in range(5000))
head = (
    f"POST /settings/use HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nCookie: {padding}{cookie}\\r\\n"
    f"Content-Type: application/json\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
)
behind = f"GET /none HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n"
for _ in range(5):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.send(head.encode() + body + behind.encode())
    connection.close()
    time.sleep(0.1)
print("sent")
"""


@needs_root
def test_nor_when_its_sender_has_left_before_it_is_read(
    served: Any, library: FakeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system then tells no longer who it was; a request behind it keeps the server from seeing that it left."""
    used: list[str] = []
    monkeypatch.setattr(library, "use_reader", lambda settings: used.append(settings.llm_model), raising=False)
    other = {"name": "own", "base_url": "http://127.0.0.1:9/v1", "model": "theirs", "key": "", "anyway": True}
    with make_client(served.url) as client:
        client.get(served.address)
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        done = run_as_other_user(AND_LEAVES, served.url.rpartition(":")[2].strip("/"), cookie, json.dumps(other))
        assert done.stdout.split() == ["sent"], done.stderr
        assert client.get("/settings/state").status_code == 200 and not used


@needs_root
def test_a_log_in_opens_nothing_to_another_user(library: FakeAssistant, tmp_path: Path) -> None:
    """A browser sends that cookie, too, to the port of whoever listens on the same host."""
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, password=PASSWORD)
    page = serve(library, settings, block=False)
    try:
        with make_client(page.url) as client:
            client.post("/login", data={"password": PASSWORD}, headers={"Origin": page.url.rstrip("/")})
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            assert client.get("/config").status_code == 200
        assert run_as_other_user(WITH_COOKIE, page.url, cookie).stdout.split() == ["401", "401"]
    finally:
        page.stop()


def test_users_that_came_with_a_folder_open_nothing(library: FakeAssistant, tmp_path: Path) -> None:
    made = Accounts(tmp_path / "elsewhere" / "users.json")
    made.add("ada", PASSWORD)
    theirs = made.add_token("theirs")
    handed = tmp_path / "handed" / "users.json"
    handed.parent.mkdir()
    shutil.copy(made.file, handed)
    settings = Settings(corpus=library.folder, index=handed.parent / "index", port=0)
    with pytest.raises(AccountError, match=r"handed/users.json was not written by this user.*RAG_USERS.*remove it"):
        serve(library, settings, block=False)
    handed.unlink()
    page = serve(library, settings, block=False, page_token="t" * 43)
    try:
        shutil.copy(made.file, handed)
        asked = httpx.get(f"{page.url}/api/v1/papers", headers={"Authorization": f"Bearer {theirs}"}, trust_env=False)
        assert asked.status_code in (401, 503)
    finally:
        page.stop()


# -- the browser's command line ---------------------------------------------------------------------------------------

BROWSER = """#!/bin/sh
echo "$@" > OUT.part && mv OUT.part OUT
"""


@pytest.fixture
def start_browser(served: Any, tmp_path: Path, monkeypatch: Any) -> Callable[[], str]:
    """Has the page opened in a browser that writes down its command line; returns that."""
    script, told = tmp_path / "browser", tmp_path / "told"
    script.write_text(BROWSER.replace("OUT", str(told)), encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("webbrowser.open", webbrowser.GenericBrowser(str(script)).open)

    def start() -> str:
        assert served.page.open_in_browser()
        return told.read_text(encoding="utf-8").strip()

    return start


@pytest.mark.skipif(os.name != "posix", reason="the browser is a shell script")
def test_what_the_browser_is_started_with_opens_the_page_once_and_holds_no_token(
    served: Any, start_browser: Callable[[], str]
) -> None:
    address = start_browser()
    assert served.token not in address and address.startswith(served.url)
    with make_client(served.url) as client:
        opened = client.get(address)
        assert opened.status_code == 303 and opened.headers["location"] == "/"
        assert client.get("/config").status_code == 200
    with make_client(served.url) as later:
        assert later.get(address).status_code == 401 == later.get("/config").status_code


@pytest.mark.skipif(os.name != "posix", reason="the browser is a shell script")
def test_what_a_browser_was_started_with_is_void_when_another_is_or_after_a_time(
    served: Any, start_browser: Callable[[], str], monkeypatch: Any
) -> None:
    first, second = start_browser(), start_browser()
    monkeypatch.setattr("rag_app.server.security.browser_code.LASTS", -1.0)
    third = start_browser()
    with make_client(served.url) as client:
        assert [client.get(address).status_code for address in (first, second, third)] == [401] * 3


OPEN_AS_ANOTHER = """
import sys, urllib.request, urllib.error
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    print(opener.open(sys.argv[1], timeout=30).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


@needs_root
def test_what_the_browser_is_started_with_opens_nothing_to_another_user(
    served: Any, start_browser: Callable[[], str]
) -> None:
    address = start_browser()
    assert run_as_other_user(OPEN_AS_ANOTHER, address).stdout.split() == ["401"]
    with make_client(served.url) as client:
        assert client.get(address).status_code == 303, "nor is it used up"


def test_behind_a_proxy_no_address_counts_as_this_users(
    library: FakeAssistant, tmp_path: Path, monkeypatch: Any
) -> None:
    """A process of another user may name any address there, so the browser gets the bare one."""
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, root_path="https://lab.example/papers")
    page = serve(library, settings, block=False, page_token="A" * 43)
    try:
        assert page.open_in_browser() and opened == [page.url]
    finally:
        page.stop()


@pytest.mark.parametrize("place", ["http://lab.example", "http://lab.example/papers", "/papers"])
def test_behind_a_proxy_of_any_address_one_gets_in(library: FakeAssistant, tmp_path: Path, place: str) -> None:
    """The addresses that it forwards are of other machines, and no connection of this one is theirs."""
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, root_path=place, password=PASSWORD)
    page = serve(library, settings, block=False)
    origin = "http://lab.example" if place.startswith("http") else page.url.rstrip("/")
    forwarded = {"X-Forwarded-For": "10.1.1.1", "Host": httpx.URL(origin).netloc.decode(), "Origin": origin}
    try:
        with make_client(page.url) as client:
            entered = client.post("/login", data={"password": PASSWORD}, headers=forwarded)
            assert entered.status_code == 303, entered.text
            cookie = entered.headers["set-cookie"].partition(";")[0]
            assert client.get("/config", headers={**forwarded, "Cookie": cookie}).status_code == 200
    finally:
        page.stop()


# -- conversations on disk --------------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of this machine may enter, as a project's may be."""
    folder = Path(tempfile.mkdtemp(prefix="rag-app-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def modes(folder: Path) -> dict[str, int]:
    found = [folder, *folder.rglob("*")]
    return {str(one.relative_to(folder)): stat.S_IMODE(one.stat().st_mode) for one in found}


@pytest.mark.skipif(os.name != "posix", reason="modes of files are not Windows'")
def test_conversations_of_users_and_of_a_password_are_read_by_nobody_else(
    library: FakeAssistant, open_folder: Path
) -> None:
    """One page after the other over one index, as when the way of logging in is changed."""
    settings = Settings(corpus=library.folder, index=open_folder / "index", port=0)
    Accounts(open_folder / "users.json").add("ada", PASSWORD)
    for name, change in (("ada", {}), ("", {"password": PASSWORD, "users": open_folder / "none.json"})):
        page = serve(library, Settings(**{**settings.model_dump(), **change}), block=False)
        try:
            with Visitor(page.url, name, PASSWORD) as visitor:
                visitor.ask("a private question")
        finally:
            page.stop()
    history = open_folder / "history"
    found = modes(history)
    assert found["index.sqlite"] == found["users/ada/index.sqlite"] == 0o600
    assert found["."] == found["users"] == found["users/ada"] == 0o700
    if os.geteuid() == 0 and (shutil.which("python3", path="/usr/bin:/bin")):
        files = [str(history / "index.sqlite"), str(history / "users" / "ada" / "index.sqlite")]
        done = run_as_other_user(AS_ANOTHER, "http://127.0.0.1:9", *files)
        assert "read" not in done.stdout
    for path in (history, *history.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # as an earlier version left them
    for user in ("", "ada"):
        History(history_file(settings.index_folder, user)).list_conversations()
    assert set(modes(history).values()) == {0o700, 0o600}


def test_a_file_of_conversations_elsewhere_leaves_its_folder_as_it_is(open_folder: Path) -> None:
    History(open_folder / "mine.sqlite").save_turn("c", ANSWER)
    assert stat.S_IMODE(open_folder.stat().st_mode) == 0o755
    with suppress(HistoryFault):
        History(open_folder / "users" / "x" / "mine.sqlite").list_conversations()
    assert stat.S_IMODE(open_folder.stat().st_mode) == 0o755


# -- bodies -----------------------------------------------------------------------------------------------------------


def send_without_end(url: str, head: str, most: int) -> tuple[int, bytes]:
    """Send the head, then pieces of a chunked body; how many bytes went before the server hung up, and its answer."""
    parts = httpx.URL(url)
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent, answer = 0, b""
    with socket.create_connection((parts.host, parts.port), timeout=60) as connection:
        connection.sendall(head.replace("HOST", f"{parts.host}:{parts.port}").encode())
        with suppress(OSError):
            while sent < most:
                connection.sendall(piece)
                sent += len(piece)
        with suppress(OSError):
            answer = connection.recv(65536)
    return sent, answer


HEADS = [
    "POST {path} HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n{cookie}\r\n",
    "POST {path} HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n{cookie}\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n{cookie}\r\n",
    "POST {path} HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n{cookie}\r\n",
]


@pytest.mark.parametrize("path", ["/gradio_api/run/predict", "/adding/file", "/login", "/api/v1/ask"])
@pytest.mark.parametrize("head", HEADS)
def test_a_body_of_unknown_length_is_not_read(served: Any, head: str, path: str) -> None:
    port = httpx.URL(served.url).port
    cookie = f"Cookie: rag_app_page_{port}={cookie_value(served.token, port)}\r\n"
    sent, answer = send_without_end(served.url, head.format(path=path, cookie=cookie), 64 * 2**20)
    assert sent < 32 * 2**20, "the system's own buffers hold a few megabytes"
    assert not answer or re.match(rb"HTTP/1.1 (400|501)", answer)


def test_bytes_are_counted_as_they_come() -> None:
    """Whatever a header said: the app is told that the client has left."""
    import asyncio  # noqa: PLC0415

    from rag_app.server.security.gate import count_body  # noqa: PLC0415

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 400, "more_body": True}

    async def read() -> list[str]:
        counted = count_body(receive, 1000)
        return [(await counted())["type"] for _ in range(4)]

    assert asyncio.run(read()) == ["http.request", "http.request", "http.disconnect", "http.disconnect"]


# -- proxies ----------------------------------------------------------------------------------------------------------

FORGED = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}


def test_nobody_guesses_under_a_forged_address(library: FakeAssistant, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("rag_app.server.security.login.TRIES", 3)
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, password=PASSWORD)
    page = serve(library, settings, block=False)
    try:
        with make_client(page.url) as client:
            for number in range(3):
                headers = {"X-Forwarded-For": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}"}
                assert client.post("/login", data={"password": "wrong"}, headers=headers).status_code == 401
            slowed = client.post("/login", data={"password": "wrong"}, headers={"X-Forwarded-For": "10.0.0.99"})
            assert slowed.status_code == 429
    finally:
        page.stop()


def test_a_forged_host_is_in_no_address_of_the_page(served: Any) -> None:
    with make_client(served.url) as client:
        client.get(served.address)
        plain = client.get("/config").json()
        forged = client.get("/config", headers=FORGED)
        assert "evil.example" not in forged.text + client.get("/", headers=FORGED).text
        assert forged.json()["root"] == plain["root"]


# -- who answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ada", ""])
def test_nobody_who_logs_in_chooses_who_answers_or_has_addresses_asked(
    library: FakeAssistant, tmp_path: Path, name: str
) -> None:
    change: dict[str, Any] = {} if name else {"password": PASSWORD}
    if name:
        Accounts(tmp_path / "users.json").add(name, PASSWORD)
    with Provider() as inside:
        base = {"llm_base_url": "http://127.0.0.1:9/v1", "llm_model": "m"}
        settings = Settings(corpus=library.folder, index=tmp_path / "index", port=0, **base, **change)
        page = serve(library, settings, block=False)
        try:
            with Visitor(page.url, name, PASSWORD) as visitor:
                for action in ("try", "use", "forget"):
                    value = {"name": "own", "base_url": inside.url, "model": "m", "anyway": True}
                    said = visitor.client.post(f"/settings/{action}", json=value).json()
                    assert said["works"] is False and "RAG_LLM" in said["message"]
                state = json.dumps(visitor.client.get("/settings/state").json())
                assert "127.0.0.1:9" not in state and str(settings_folder()) not in state
        finally:
            page.stop()
        assert not inside.requests and not inside.asked


def test_a_lock_out_ends_within_half_a_minute(library: FakeAssistant, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("rag_app.server.security.login.TRIES", 3)
    monkeypatch.setattr("rag_app.server.security.login.LONGEST_WAIT", 1.0)
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, password=PASSWORD)
    page = serve(library, settings, block=False)
    try:
        with make_client(page.url) as client:
            codes = [client.post("/login", data={"password": "wrong"}).status_code for _ in range(4)]
            assert 429 in codes
            until = time.monotonic() + 60
            while client.post("/login", data={"password": PASSWORD}).status_code == 429:
                assert time.monotonic() < until
    finally:
        page.stop()
