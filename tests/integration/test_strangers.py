"""What a stranger may try, tried against a running server."""

import contextlib
import json
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest

from rag_app.errors import AccountError, SettingsError
from rag_app.models.llm.listeners import LEFT
from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.records import Answer
from rag_app.server.app import serve
from rag_app.server.security import accounts, slow_requests
from rag_app.server.security.accounts import Accounts
from rag_app.server.security.login import (
    LONGEST_WAIT,
    TRIES,
    TRIES_OF_NAME,
    WINDOW,
    LogInSessions,
    RateLimiter,
    find_source,
)
from rag_app.settings import Settings
from tests.support.fake_assistant import FakeAssistant, Row
from tests.support.pdfs import make_paper
from tests.support.visitor import Visitor

pytestmark = pytest.mark.slow

ADA, BOB = "correct horse battery", "purple monkey dishwasher"
QUOTE = "The reader has 220 million parameters."
SECRET = "zanzibar"  # a word of Ada's question that nobody else may see
HOSTILE = "<img src=x onerror=alert(1)>\"'<script>alert(2)</script>"


@pytest.fixture(scope="module")
def quick():
    """The strength of the hash is tested elsewhere."""
    before, accounts._N = accounts._N, 16
    yield
    accounts._N = before


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    make_paper(folder / "ours.pdf", title="Ours: A Method", sections=[("1 Method", ["We describe it.", QUOTE])])
    shutil.copy(folder / "ours.pdf", folder / 'a"b\\\n;filename=x.html.pdf')
    (folder / f"{HOSTILE.replace('/', '')}.md").write_text(f"# {HOSTILE}\n\n{HOSTILE} words.\n", encoding="utf-8")
    assistant = FakeAssistant(folder, extra_rows=(Row("b.pdf", HOSTILE),), pause=0.0)
    cited = assistant.cite(1, "ours.pdf", 1, QUOTE)
    answer = Answer("", "q", "answered", "It has 220 million parameters [1].", "m", citations=(cited,))
    evil = replace(answer, answer=HOSTILE + " [1]", citations=(replace(cited, title=HOSTILE, section=HOSTILE),))
    assistant.answers = {SECRET: answer, "hostile": evil, "long": replace(answer, answer="word " * 3000)}
    return assistant


@pytest.fixture(scope="module")
def served(quick, library, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    users = Accounts(home / "users.json")
    users.add("ada", ADA)
    users.add("bob", BOB)
    settings = Settings(corpus=library.folder, index=home / "index", port=0)
    page = serve(library, settings, block=False)
    yield SimpleNamespace(url=page.url, users=users, settings=settings, assistant=library)
    page.stop()


@pytest.fixture(scope="module")
def ada(served):
    with Visitor(served.url, "ada", ADA) as visitor:
        visitor.shown = visitor.ask(f"Tell me of {SECRET}")
        yield visitor


@pytest.fixture(scope="module")
def bob(served):
    with Visitor(served.url, "bob", BOB) as visitor:
        yield visitor


@pytest.fixture
def nobody(served):
    with Visitor(served.url) as visitor:
        yield visitor


def raw(url, content, wait=True):
    """What the server answers to these very bytes; all of it until it hangs up."""
    parts = httpx.URL(url)
    with socket.create_connection((parts.host, parts.port), timeout=60) as connection:
        connection.sendall(content)
        if not wait:
            connection.shutdown(socket.SHUT_WR)
        pieces = []
        with contextlib.suppress(ConnectionResetError):  # it hung up before it had read all of this
            while piece := connection.recv(65536):
                pieces.append(piece)
        return b"".join(pieces)


def trickle(url, begun):
    """What the server answers while one byte after another comes, and whether it hung up on that."""
    parts, answer = httpx.URL(url), b""
    with socket.create_connection((parts.host, parts.port), timeout=60) as connection:
        connection.sendall(begun)
        try:
            for _ in range(300):
                if select.select([connection], [], [], 0.1)[0]:
                    piece = connection.recv(65536)
                    if not piece:
                        return answer, True
                    answer += piece
                connection.sendall(b"x")
        except ConnectionError:
            return answer, True
        return answer, False


# -- who gets in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7"])
def test_no_other_machine_is_let_in_where_nobody_needs_to_log_in(tmp_path, host, library):
    with pytest.raises(SettingsError, match="user add NAME"):
        serve(library, Settings(corpus=library.folder, index=tmp_path / "i", host=host, port=0), block=False)


@pytest.mark.usefixtures("quick")
def test_other_machines_are_let_in_with_a_password_and_no_other_names_for_this_one(tmp_path, library, capsys):
    settings = Settings(corpus=library.folder, index=tmp_path / "i", host="0.0.0.0", port=0, password=ADA)
    page = serve(library, settings, block=False)
    try:
        assert "unencrypted" in capsys.readouterr().out
        url = page.url.replace("0.0.0.0", "127.0.0.1")
        with Visitor(url) as stranger:
            assert stranger.client.get("/config").status_code == 401
            for host, status in (("10.1.2.3", 401), (socket.gethostname(), 401), ("evil.example", 403), ("a:b:c", 403)):
                assert stranger.client.get("/", headers={"Host": host}).status_code == status
            headers = {"Host": "10.1.2.3", "Origin": "http://6.6.6.6"}
            assert stranger.client.post("/login", headers=headers, data={"password": ADA}).status_code == 403
            assert 'name="name"' not in stranger.client.get("/").text
            assert stranger.log_in("", "wrong").status_code == 401
            assert stranger.log_in("", ADA).status_code == 303 and stranger.client.get("/config").status_code == 200
            stranger.ask(f"{SECRET} for all")
    finally:
        page.stop()
    kept = History(history_file(settings.index_folder)).list_conversations()
    assert kept, "with one password for all there is one history"


def test_a_password_that_is_too_short_serves_nothing(tmp_path, library):
    with pytest.raises(SettingsError, match="at least 10"):
        serve(library, Settings(corpus=library.folder, index=tmp_path / "i", port=0, password="short"), block=False)


def test_a_damaged_file_of_users_serves_nothing(tmp_path, library):
    (tmp_path / "users.json").write_text("{}")
    (tmp_path / "users.json").chmod(0o600)
    with pytest.raises(AccountError, match="user add NAME"):
        serve(library, Settings(corpus=library.folder, index=tmp_path / "i", port=0), block=False)


CLOSED = [
    "/config",
    "/theme.css",
    "/assets/x.js",
    "/reading/paper/0/1",
    "/reading/answer/0/md",
    "/gradio_api/queue/data",
]


def test_without_a_log_in_there_is_the_form_and_nothing_else(nobody):
    form = nobody.client.get("/")
    assert form.status_code == 401 and 'type="password"' in form.text and "gradio" not in form.text
    assert form.headers["cache-control"] == "no-store" and "'none'" in form.headers["content-security-policy"]
    for path in CLOSED:
        answer = nobody.client.get(path)
        assert answer.status_code == 401 and answer.text.startswith("Log in")
    for path in ("/gradio_api/queue/join", "/gradio_api/run/predict"):
        assert nobody.client.post(path, json={}).status_code == 401


def test_wrong_names_passwords_and_cookies_are_told_the_same(nobody, served):
    said = {nobody.log_in(name, password).text for name, password in (("ada", BOB), ("carl", ADA), ("", ADA))}
    assert len(said) == 1 and "Log-in failed" in said.pop()
    name = f"rag_app_{httpx.URL(served.url).port}"
    for cookie in (f"{name}=", f"{name}=x", f"{name}=" + "A" * 43, f'{name}="\\', ";;;=", f"{name}=a; {name}=b"):
        assert nobody.client.get("/config", headers={"Cookie": cookie}).status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(served):
    with Visitor(served.url, "ada", ADA) as visitor:
        kept = visitor.logged.headers["set-cookie"]
        assert re.search(r"=[\w-]{43}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Strict$", kept)
        assert visitor.logged.status_code == 303 and visitor.logged.headers["location"] == "/"
        assert visitor.client.get("/config").status_code == 200


def test_logging_out_ends_it_for_that_cookie(served):
    with Visitor(served.url, "ada", ADA) as visitor, Visitor(served.url, "ada", ADA) as other:
        stolen = dict(visitor.client.cookies)
        assert "Max-Age=0" in visitor.client.post("/logout").headers["set-cookie"]
        assert httpx.get(f"{served.url}/config", cookies=stolen, trust_env=False, timeout=60).status_code == 401
        assert other.client.get("/config").status_code == 200


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_only_our_own_forms_log_in_and_out(served, library, tmp_path, path):
    """The web library has routes of these names: one cleared cookies and led to whatever host it was asked by."""
    open_page = serve(library, Settings(corpus=library.folder, index=tmp_path / "i" / "i", port=0), block=False)
    try:
        with Visitor(served.url, "ada", ADA) as visitor, Visitor(open_page.url) as without:
            for client, methods in ((visitor.client, ("GET", "PUT")), (without.client, ("GET", "PUT", "POST"))):
                for method in methods:
                    answer = client.request(method, path)
                    assert answer.status_code == 303 and answer.headers["location"] == "/"
                    assert "set-cookie" not in answer.headers
                assert client.get("/config").status_code == 200
    finally:
        open_page.stop()


def test_another_password_or_a_removed_user_ends_the_log_in(served):
    served.users.add("carl", ADA)
    with Visitor(served.url, "carl", ADA) as visitor:
        assert visitor.client.get("/config").status_code == 200
        served.users.add("carl", BOB)
        assert visitor.client.get("/config").status_code == 401
        assert visitor.log_in("carl", BOB).status_code == 303
        served.users.remove("carl")
        assert visitor.client.get("/config").status_code == 401


@pytest.mark.usefixtures("quick")
def test_taking_the_last_user_away_opens_no_running_page(tmp_path, library):
    users = Accounts(tmp_path / "users.json")
    users.add("ada", ADA)
    page = serve(library, Settings(corpus=library.folder, index=tmp_path / "i", port=0), block=False)
    try:
        users.remove("ada")
        assert httpx.get(f"{page.url}/config", trust_env=False, timeout=60).status_code == 401
    finally:
        page.stop()


@pytest.mark.usefixtures("quick")
def test_guessing_is_slowed_and_the_right_password_too(tmp_path, library, monkeypatch):
    monkeypatch.setattr("rag_app.server.security.login.TRIES", 3)
    Accounts(tmp_path / "users.json").add("ada", ADA)
    page = serve(library, Settings(corpus=library.folder, index=tmp_path / "i", port=0), block=False)
    try:
        with Visitor(page.url) as stranger:
            assert [stranger.log_in("ada", f"guess {n}").status_code for n in range(3)] == [401, 401, 401]
            slowed = stranger.log_in("ada", ADA)
            assert (
                slowed.status_code == 429 and int(slowed.headers["retry-after"]) > 0 and "Try again in" in slowed.text
            )
            assert int(slowed.headers["retry-after"]) <= LONGEST_WAIT
    finally:
        page.stop()


def test_many_may_log_in_at_once_from_one_address_and_guess_no_more_than_one_after_another(served, monkeypatch):
    def at_once(password):
        found = []
        with Visitor(served.url) as visitor:
            log_in = [threading.Thread(target=lambda: found.append(visitor.log_in("ada", password))) for _ in range(20)]
            for one in log_in:
                one.start()
            for one in log_in:
                one.join(60)
        return [answer.status_code for answer in found]

    assert at_once(ADA) == [303] * 20
    monkeypatch.setattr("rag_app.server.security.login.TRIES", 3)
    served.brake_is_on = sorted(at_once("a wrong guess"))
    assert served.brake_is_on.count(401) <= 3 + 1 and served.brake_is_on.count(429) >= 16
    monkeypatch.undo()
    assert at_once(ADA)[0] in (303, 429)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("127.0.0.1", "127.9.8.7", True),
        ("127.0.0.1", "::1", True),
        ("127.0.0.1", "::ffff:127.0.0.2", True),
        ("203.0.113.1", "::ffff:203.0.113.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.1", "203.0.113.2", False),
        ("203.0.113.1", "127.0.0.1", False),
    ],
)
def test_all_addresses_of_one_sender_are_one_source(one, two, same):
    assert (find_source(one, 0) == find_source(two, 0)) is same


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose connection it is")
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.77", "::1"])
def test_on_this_machine_each_user_is_a_source(address):
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.create_server(("::1" if ":" in address else "127.0.0.1", 0), family=kind) as server,
        socket.socket(kind) as client,
    ):
        client.bind((address, 0))
        client.connect(server.getsockname()[:2])
        with server.accept()[0] as accepted:
            host, port = accepted.getpeername()[:2]
            assert find_source(host, port).endswith(f"user {os.getuid()}")


def test_guessing_from_many_addresses_of_this_machine_is_as_slow(served, monkeypatch):
    monkeypatch.setattr("rag_app.server.security.login.TRIES", 3)
    codes = []
    for number in range(2, 9):
        transport = httpx.HTTPTransport(local_address=f"127.0.0.{number}")
        with httpx.Client(transport=transport, base_url=served.url, timeout=60) as client:
            codes.append(client.post("/login", data={"name": "nobody", "password": "a wrong guess"}).status_code)
    assert codes[3:] == [429] * 4, codes


def test_guessing_is_slow_and_the_right_password_is_never_kept_out_for_long():
    now = [0.0]
    limiter = RateLimiter(lambda: now[0])
    for _ in range(TRIES):
        assert limiter.seconds_to_wait("a", "ada") == 0
        limiter.record_failure("a", "ada")
    assert limiter.seconds_to_wait("a", "bob") > 0 and limiter.seconds_to_wait("b", "ada") == 0
    for number in range(TRIES_OF_NAME):
        limiter.record_failure(f"many {number}", "ada")
    assert limiter.seconds_to_wait("many 1", "ADA ") > 0 and limiter.seconds_to_wait("many 1", "bob") == 0
    assert limiter.seconds_to_wait("b", "ada") == 0, "whoever did not guess is not kept out by those who do"
    limiter.clear_failures("many 1", "bob")
    assert limiter.seconds_to_wait("many 1", "ada") > 0, "a log-in of one's own frees no guesses at others"
    guesses = 0
    for _ in range(600):  # ten minutes of trying every second
        now[0] += 1
        assert limiter.seconds_to_wait("a", "ada") <= LONGEST_WAIT
        if not limiter.seconds_to_wait("a", "ada"):
            limiter.record_failure("a", "ada")
            guesses += 1
    assert guesses <= 600 / LONGEST_WAIT
    now[0] += WINDOW + 1
    assert limiter.seconds_to_wait("b", "ada") == limiter.seconds_to_wait("a", "ada") == 0


def test_a_log_in_ends_by_itself():
    now = [0.0]
    kept = LogInSessions(lambda: now[0])
    token = kept.begin("ada", "s", None)
    assert kept.user(token, lambda user: "s", None) == "ada" and kept.user(token + "x", lambda user: "s", None) is None
    now[0] += 8 * 24 * 3600
    assert kept.user(token, lambda user: "s", None) is None


def test_a_log_in_is_of_use_to_who_logged_in_alone():
    kept = LogInSessions(lambda: 0.0)
    here, elsewhere = kept.begin("ada", "s", 1001), kept.begin("bob", "s", None)
    assert kept.user(here, lambda user: "s", 1001) == "ada" and kept.user(elsewhere, lambda user: "s", None) == "bob"
    for token, person in ((here, 1002), (here, None), (here, LEFT), (elsewhere, 1001), (elsewhere, LEFT)):
        assert kept.user(token, lambda user: "s", person) is None


def test_a_key_without_a_certificate_is_refused(tmp_path, library):
    """It was passed over, and the page served unencrypted."""
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, tls_key=tmp_path / "key.pem")
    with pytest.raises(SettingsError, match=r"RAG_TLS_KEY is set without RAG_TLS_CERTIFICATE.* Set both"):
        serve(library, settings, block=False)


@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_over_https_the_cookie_is_secure(tmp_path, library):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, password=ADA)
    with pytest.raises(SettingsError, match="RAG_TLS_KEY"):
        serve(library, settings.model_copy(update={"tls_certificate": key, "tls_key": key}), block=False)
    with pytest.raises(SettingsError, match=r"without RAG_TLS_KEY .*Name the key"):
        serve(library, settings.model_copy(update={"tls_certificate": certificate}), block=False)
    files = {"tls_certificate": certificate, "tls_key": key}
    page = serve(library, settings.model_copy(update=files), block=False)
    try:
        trusted = ssl.create_default_context(cafile=str(certificate))
        assert page.url.startswith("https://")
        with Visitor(page.url, "", ADA, verify=trusted) as visitor:
            assert visitor.logged.headers["set-cookie"].endswith("; Secure")
            assert visitor.client.get("/config").status_code == 200
    finally:
        page.stop()


@pytest.mark.usefixtures("quick")
def test_behind_a_proxy_the_cookie_is_secure_and_of_its_path(tmp_path, library):
    root = "https://papers.example.org/ask"
    settings = Settings(corpus=library.folder, index=tmp_path / "i", port=0, password=ADA, root_path=root)
    page = serve(library, settings, block=False)
    try:
        with Visitor(page.url) as visitor:
            proxied = {"Host": "papers.example.org", "Origin": "https://papers.example.org"}
            answer = visitor.client.post("/login", data={"password": ADA}, headers=proxied)
            assert answer.status_code == 303 and answer.headers["location"] == "/ask/"
            assert "Path=/ask/;" in answer.headers["set-cookie"] and "; Secure" in answer.headers["set-cookie"]
            assert 'action="/ask/login"' in visitor.client.get("/", headers=proxied).text
    finally:
        page.stop()


# -- one user and another -----------------------------------------------------------------------------------------


def names_in(shown):
    """The names of places and answers in a conversation, and of the conversation."""
    return re.findall(r"[0-9a-f]{32}", shown)


def test_each_user_has_a_history_of_their_own(ada, bob, served):
    assert SECRET in ada.shown and SECRET in json.dumps(ada.call("open", ""))
    rows = json.dumps(bob.call("open", ""))
    assert SECRET not in rows and "None yet." in rows
    (kept,) = History(history_file(served.settings.index_folder, "ada")).search(SECRET)
    assert History(history_file(served.settings.index_folder, "bob")).list_conversations() == []
    assert History(history_file(served.settings.index_folder)).list_conversations() == []
    for action in ("open", "rename", "delete"):
        shown = json.dumps(bob.call("handle_action", json.dumps({"do": action, "id": kept.id, "text": "mine now"})))
        assert SECRET not in shown
    assert SECRET not in json.dumps(bob.call("open", kept.id))
    bob.call("handle_action", json.dumps({"do": "rate", "id": "1", "verdict": "down", "text": "x"}))
    (still,) = History(history_file(served.settings.index_folder, "ada")).list_conversations()
    assert still == kept
    assert History(history_file(served.settings.index_folder, "ada")).load(kept.id)[0].verdict is None


def test_the_name_of_anothers_tab_opens_nothing(ada, bob):
    """Gradio lets the browser choose the session's name, and hands a session's events to whoever names it."""
    ada.ask(SECRET)
    mine, bob.session = bob.session, ada.session
    try:
        assert SECRET not in json.dumps(bob.messages()) + json.dumps(bob.call("tick", ""))
        bob.call("open", "")
        bob.call("stop", "")
        assert SECRET in json.dumps(ada.messages()), "and takes nothing away"
        event = ada.join("ask", f"{SECRET} again", "[]", "")
        heard = []
        with bob.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": ada.session}) as stream:
            lines = stream.iter_lines()
            bob.client.post("/gradio_api/cancel", json={"session_hash": ada.session, "fn_index": 0, "event_id": event})
            assert any(one["msg"] == "process_completed" and one["success"] for one in ada.told())
            heard.append(next(line for line in lines if line))  # "heartbeat", or that there is no such session
        assert SECRET not in heard[0] and event not in heard[0]
        assert f"{SECRET} again" in json.dumps(ada.messages())
    finally:
        bob.session = mine


def test_anothers_places_files_and_pictures_have_no_name(ada, bob):
    names = names_in(ada.shown)
    paths = [f"/reading/answer/{name}/{suffix}" for name in names for suffix in ("md", "json", "bib")]
    paths += [f"/reading/place/{name}" for name in names]
    paper = ada.papers()[-1]
    paths += [f"/reading/paper/{paper}/1{what}" for what in ("", "/picture", "/file")]
    opened = [path for path in paths if ada.client.get(path).status_code == 200]
    assert any("/answer/" in path for path in opened) and any("/place/" in path for path in opened)
    assert len([path for path in opened if "/paper/" in path]) == 3
    tag = ada.client.get(f"/reading/paper/{paper}/1/picture").headers["etag"]
    for path in opened:
        answer = bob.client.get(path, headers={"If-None-Match": tag})
        assert answer.status_code == 404 and SECRET not in answer.text
    assert not set(ada.papers()) & set(bob.papers())


def test_no_cache_may_hand_one_users_page_to_another(ada):
    for path in ("/", "/config", f"/reading/paper/{ada.papers()[-1]}/1/picture"):
        headers = ada.client.get(path).headers
        assert re.search("no-store|private", headers["cache-control"]) and "cookie" in headers["vary"]


# -- other sites --------------------------------------------------------------------------------------------------


FOREIGN = [
    "https://evil.example",
    "null",
    "http://127.0.0.1.evil.example",
    "http://localhost:1",
    "http://127.0.0.1",
    "x",
]


@pytest.mark.parametrize("what", ["try", "use", "forget"])
def test_no_user_chooses_who_reads_for_the_others(ada, served, what):
    body = {"name": "own", "base_url": "http://127.0.0.1:9", "model": "m", "key": "a-key-of-ada"}
    found = ada.client.post(f"/settings/{what}", json=body, headers={"Origin": served.url}).json()
    assert not found["works"] and "RAG_LLM_BASE_URL" in found["message"]
    assert found["state"]["chosen"] != "own" and ada.client.get("/settings/state").json() == found["state"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_other_sites_and_other_ports_of_this_machine_can_send_nothing(ada, origin):
    for path in ("/login", "/logout", "/gradio_api/queue/join", "/gradio_api/run/predict"):
        assert ada.client.post(path, headers={"Origin": origin}, content=b"{}").status_code == 403
    with ada.client.stream("GET", "/gradio_api/queue/data", headers={"Origin": origin}) as stream:
        assert stream.status_code == 403
    assert ada.client.get("/config").status_code == 200, "and nobody was logged out by it"


def test_its_own_origin_is_served(ada, served):
    assert ada.client.get("/config", headers={"Origin": served.url}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_nothing_is_embedded_elsewhere(ada, site):
    assert ada.client.get("/config", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert ada.client.get("/", headers={"Sec-Fetch-Site": site}).headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in ada.client.get("/").headers["content-security-policy"]


def test_a_link_from_elsewhere_comes_again_with_the_cookie(nobody):
    first = nobody.client.get("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert first.status_code == 200 and 'http-equiv="refresh"' in first.text and "password" not in first.text
    assert nobody.client.get("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[::1", "", "a\tb"]
)
def test_other_names_for_this_machine_are_refused(served, host):
    answer = raw(served.url, f"GET /config HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1.1 40[03]", answer)


@pytest.mark.parametrize("added", ["/x", "?x", "#x", ":x", ":0", ":99999", ":80:80", ".", " x", "%00", ",evil.example"])
@pytest.mark.parametrize("before", ["", "evil.example@", "LOCALHOST@"])
def test_a_host_is_a_name_and_a_port_and_nothing_else(served, before, added):
    head = f"GET /favicon.ico HTTP/1.1\r\nHost: {before}localhost{added}\r\nConnection: close\r\n\r\n"
    answer = raw(served.url, head.encode())
    assert answer.startswith(b"HTTP/1.1 400") or (
        answer.startswith(b"HTTP/1.1 403") and b"Not served under this host name" in answer
    )


def test_of_two_hosts_or_none_neither_is_believed(served):
    for head in ("", "Host: localhost\r\nHost: evil.example\r\n", "Host: evil.example\r\nHost: localhost\r\n"):
        answer = raw(served.url, f"GET / HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400"), head
    assert raw(served.url, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403")
    lines = "Host: localhost\r\nConnection: close\r\n\r\n"
    assert raw(served.url, f"GET http://evil.example/config HTTP/1.1\r\n{lines}".encode()).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("host", ["LocalHost", "[::1]", "127.0.0.1:1", "localhost:"])
def test_the_names_of_this_machine_are_served_however_they_are_written(served, host):
    answer = raw(served.url, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 401") and b"<form" in answer


def test_there_is_no_websocket(ada, served):
    cookie = "; ".join(f"{name}={value}" for name, value in ada.client.cookies.items())
    for path in ("/", "/queue/join", "/gradio_api/queue/join", "/gradio_api/ws"):
        key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        key += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {httpx.URL(served.url).netloc.decode()}\r\n{key}\r\nCookie: {cookie}\r\n\r\n"
        )
        parts = httpx.URL(served.url)
        with socket.create_connection((parts.host, parts.port), timeout=60) as connection:
            connection.sendall(head.encode())
            assert not connection.recv(64).startswith(b"HTTP/1.1 101")


# -- large, slow and crooked requests -----------------------------------------------------------------------------


ODD = [
    {"data": [None, "[]", ""]},
    {"data": ["a", 5, ""]},
    {"data": ["a", "[]", {"path": "/etc/passwd"}]},
    {"data": ["\ud800", "[]", ""]},
    {"data": []},
    {"data": ["a", "[]", "", ""]},
    {"data": None},
    {"fn_index": 9999},
    {"fn_index": None},
    {"fn_index": True},
    {"session_hash": None},
    {"session_hash": ["x"]},
]


def test_an_event_that_the_page_does_not_send_is_refused_in_words(ada, capfd):
    """Of every event; the web library would fail over it and print where."""
    right = {"data": ["a", "[]", ""], "session_hash": ada.session, "event_data": None, "trigger_id": None}
    bodies = [right | {"fn_index": ada.number("ask")} | odd for odd in ODD]
    for event in ada.config["dependencies"]:
        texts = [""] * len(event["inputs"])
        bodies += [right | {"fn_index": event["id"], "data": data} for data in ([*texts, ""], [*texts[1:], None])]
    pressed = {"fn_index": ada.number("ask_example"), "data": ["[]", ""]}
    for data in (None, 5, {}, {"index": 0}, {"index": 0, "value": None}, {"index": 0, "value": {"text": None}}):
        bodies.append(right | pressed | {"event_data": data})
    contents = [json.dumps(body).encode() for body in bodies]
    for content in [*contents, b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000]:
        for path in ("/gradio_api/run/predict", "/gradio_api/queue/join"):
            answer = ada.client.post(path, content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code == 400, content[:200]
            assert answer.json()["error"]["message"] == "Unknown request. Reload the page."
    assert "Traceback" not in capfd.readouterr().err


def test_large_requests_are_refused(ada, nobody, served):
    assert ada.client.post("/gradio_api/queue/join", content=b"x" * 1024 * 1025).status_code == 413
    assert ada.client.post("/gradio_api/queue/join", content=iter([b"x" * 10])).status_code == 400
    assert nobody.log_in("ada", "x" * 500_000).status_code == 401
    answer = raw(served.url, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", wait=True)
    assert not answer or answer.startswith(b"HTTP/1.1 400")
    assert ada.client.get("/config").status_code == 200


def test_slow_requests_are_cut_off_and_hold_up_nobody(served, ada, monkeypatch):
    monkeypatch.setattr("rag_app.server.security.slow_requests.SECONDS_FOR_HEAD", 1.0)
    monkeypatch.setattr("rag_app.server.security.slow_requests.SECONDS_FOR_BODY", 1.0)
    host = httpx.URL(served.url).netloc
    body = b"POST /login HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 100\r\n\r\npassword="
    twice = b"GET /theme.css HTTP/1.1\r\nHost: " + host + b"\r\n\r\nGET /the"
    found = {}
    slow = [b"", b"GET / HTTP/1.1\r\nHost: ", body, twice]
    tries = [threading.Thread(target=lambda one=one: found.update({one: raw(served.url, one)})) for one in slow * 8]
    for one in tries:
        one.start()
    assert ada.client.get("/config").status_code == 200
    for one in tries:
        one.join(60)
    assert found[b""] == found[slow[1]] == b"" and found[body].startswith(b"HTTP/1.1 408")
    assert found[twice].startswith(b"HTTP/1.1 401") and found[twice].count(b"HTTP/1.1") == 1


def test_of_very_many_connections_those_beyond_the_limit_are_refused(library, tmp_path, monkeypatch):
    monkeypatch.setattr(slow_requests, "MOST_CONNECTIONS", 4)
    page = serve(library, Settings(corpus=library.folder, index=tmp_path / "i" / "i", port=0), block=False)
    parts = httpx.URL(page.url)
    head = f"GET /favicon.ico HTTP/1.1\r\nHost: {parts.netloc.decode()}\r\nConnection: close\r\n\r\n".encode()
    try:
        with contextlib.ExitStack() as held:
            for _ in range(4):
                held.enter_context(socket.create_connection((parts.host, parts.port), timeout=60))
            assert raw(page.url, head).startswith(b"HTTP/1.1 503")
        until = time.monotonic() + 60
        while raw(page.url, head).startswith(b"HTTP/1.1 503") and time.monotonic() < until:
            time.sleep(0.05)  # the server has yet to see that they are gone
        assert not raw(page.url, head).startswith(b"HTTP/1.1 503")
    finally:
        page.stop()


def test_a_body_that_nobody_reads_keeps_no_connection(served, monkeypatch):
    monkeypatch.setattr("rag_app.server.security.slow_requests.SECONDS_FOR_HEAD", 1.0)
    host = httpx.URL(served.url).netloc
    for path in (b"/nix", b"/adding/file"):
        begun = b"POST " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 900000\r\n\r\nx"
        answer, is_closed = trickle(served.url, begun)
        assert re.match(rb"HTTP/1.1 40[134]", answer) and is_closed


def test_who_reads_nothing_of_the_answers_keeps_no_connection(ada, served, monkeypatch):
    monkeypatch.setattr("rag_app.server.security.slow_requests.SECONDS_UNREAD", 0.5)
    parts = httpx.URL(served.url)
    cookies = "; ".join(f"{name}={value}" for name, value in ada.client.cookies.items())
    head = f"GET /config HTTP/1.1\r\nHost: {parts.netloc.decode()}\r\nCookie: {cookies}\r\n\r\n"  # 70 kB each
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.connect((parts.host, parts.port))
        silent.setblocking(False)
        until = time.monotonic() + 120
        with pytest.raises(ConnectionError):
            while time.monotonic() < until:
                try:
                    silent.send(head.encode() * 5)
                except BlockingIOError:
                    time.sleep(0.05)


def test_an_upload_that_is_too_slow_is_told_so(ada, served, monkeypatch):
    monkeypatch.setattr("rag_app.server.security.slow_requests.SECONDS_FOR_BODY", 1.0)
    host = httpx.URL(served.url).netloc
    cookie = "; ".join(f"{name}={value}" for name, value in ada.client.cookies.items()).encode()
    head = b"POST /adding/file HTTP/1.1\r\nHost: " + host + b"\r\nCookie: " + cookie
    assert raw(served.url, head + b"\r\nContent-Length: 900000\r\n\r\nx").startswith(b"HTTP/1.1 408")


CROOKED = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"G\x00T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    b"GET /config HTTP/1.1\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nContent-Length: 20\r\n\r\n",
]


@pytest.mark.parametrize("content", CROOKED)
def test_crooked_requests_get_nothing(served, content, caplog):
    answer = raw(served.url, content, wait=False)
    assert not answer or re.match(rb"HTTP/1.1 4\d\d", answer)
    assert b"Traceback" not in answer and "Traceback" not in caplog.text


PATHS = ["..", "%2e%2e", "..%2f", "%252e%252e%252f", "..\\", "%5c..", "%00", "....//", "/", "file=/etc/passwd", "C:%5c"]


def test_no_path_leads_out(ada, served):
    cookie = "; ".join(f"{name}={value}" for name, value in ada.client.cookies.items())
    paper = ada.papers()[-1]
    fronts = [
        "",
        "assets/",
        "static/",
        "svelte/",
        "reading/",
        f"reading/paper/{paper}/1/",
        f"reading/paper/{paper}/",
        "gradio_api/",
    ]
    for front in fronts:
        for up in PATHS:
            path = f"/{front}{'/'.join([up] * 4)}/etc/passwd"
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
            answer = raw(served.url, head.encode())
            assert b"root:" not in answer and re.match(rb"HTTP/1.1 (4\d\d|30[1278])", answer), path


# -- text of strangers --------------------------------------------------------------------------------------------


def test_no_text_of_a_stranger_is_markup(ada):
    shown = ada.ask(f"hostile {HOSTILE}") + json.dumps(ada.call("open", ""))
    row = re.findall(r'class=\\"open-conversation\\" value=\\"([\w-]+)', shown)[0]
    shown += json.dumps(ada.call("handle_action", json.dumps({"do": "rename", "id": row, "text": HOSTILE})))
    shown += json.dumps(ada.call("handle_action", json.dumps({"do": "seek", "text": HOSTILE})))
    shown += json.dumps(ada.call("tick", ""))
    assert "&lt;img src=x" in shown and "&lt;script" in shown
    assert "<img src=x" not in shown and "<script" not in shown
    assert HOSTILE not in ada.client.get("/").text


def test_no_file_name_breaks_a_header(ada):
    for name in ada.papers():
        answer = ada.client.get(f"/reading/paper/{name}/1/file")
        assert answer.status_code == 200 and answer.headers["content-type"].split(";")[0] in (
            "application/pdf",
            "text/plain",
        )
        assert (
            answer.headers["content-disposition"].startswith("inline")
            and "\n" not in answer.headers["content-disposition"]
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"[;\s]filename=[\"']?x\.html", answer.headers["content-disposition"])


@pytest.mark.parametrize(
    "action", ["", "[]", "null", "{", '{"do": 1}', '{"do": "rate"}', '{"do": "rate", "id": "9e9"}', "[" * 5000]
)
def test_malformed_actions_change_nothing(ada, action):
    def seen():
        return re.sub(r"[\w-]{16}", "", json.dumps(ada.call("open", "")))  # which names a new conversation

    before = seen()
    ada.call("handle_action", action)
    assert seen() == before


def test_crooked_calls_are_refused_without_a_traceback(ada, caplog):
    bodies = [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"fn_index": 9999, "data": []}',
        b'{"fn_index": "x", "data": {}}',
        b'{"data": 1}',
    ]
    for path in ("/gradio_api/run/predict", "/gradio_api/queue/join", "/gradio_api/reset"):
        for body in bodies:
            answer = ada.client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 422) and "Traceback" not in answer.text and 'File "' not in answer.text
    assert "Traceback" not in caplog.text
    assert ada.client.get("/config").status_code == 200
