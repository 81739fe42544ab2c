"""Who may talk to the page."""

import pytest

from rag_app.errors import SettingsError
from rag_app.server.security.gate import allowed_hosts, find_refusal, listening_address

HOSTS = allowed_hosts("")


def asked(path="/", method="GET", **headers):
    given = {"host": "127.0.0.1:7860"} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    return {"type": "http", "path": path, "method": method, "headers": raw}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.9"])
def test_loopback_addresses_are_listened_on(host):
    assert listening_address(host, False) == listening_address(host, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "8.8.8.8", "example.org", "", "127.0.0.1.evil.org"])
def test_no_other_address_is(host):
    with pytest.raises(SettingsError, match="SSH tunnel"):
        listening_address(host, False)


@pytest.mark.parametrize("host", ["example.org", "", "127.0.0.1.evil.org", "0.0.0.0:80", "*"])
def test_with_a_log_in_an_address_is_still_an_address(host):
    assert listening_address("192.168.1.7", True) == "192.168.1.7"
    with pytest.raises(SettingsError, match=r"0\.0\.0\.0"):
        listening_address(host, True)


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860"])
def test_this_machine_is_served(host):
    assert find_refusal(asked(host=host), HOSTS) is None


@pytest.mark.parametrize("host", ["evil.org", "127.0.0.1.evil.org", "", "evil.org:7860"])
def test_another_host_name_is_refused(host):
    assert find_refusal(asked(host=host), HOSTS)[0] == 403


def test_a_proxy_is_served_when_the_settings_name_it():
    hosts = allowed_hosts("https://papers.example.org/ask")
    assert find_refusal(asked(host="papers.example.org", origin="https://papers.example.org"), hosts) is None
    assert find_refusal(asked(host="papers.example.org"), HOSTS)[0] == 403


@pytest.mark.parametrize("origin", ["https://evil.org", "null", "http://127.0.0.1.evil.org"])
def test_pages_of_other_sites_are_refused(origin):
    assert find_refusal(asked("/gradio_api/queue/join", "POST", origin=origin, content_length="9"), HOSTS)[0] == 403


def test_another_port_of_this_machine_is_another_site():
    post = {"content_length": "9", "host": "127.0.0.1:7860"}
    assert find_refusal(asked("/gradio_api/queue/join", "POST", origin="http://127.0.0.1:9", **post), HOSTS)[0] == 403
    assert find_refusal(asked("/gradio_api/queue/join", "POST", origin="http://127.0.0.1:7860", **post), HOSTS) is None
    assert find_refusal(asked("/reading/paper/a/1/picture", sec_fetch_site="same-site"), HOSTS)[0] == 403


def test_a_proxy_that_changes_the_host_name_is_known_by_its_url():
    hosts = allowed_hosts("http://localhost:8080/papers")
    assert find_refusal(asked(origin="http://localhost:8080"), hosts) is None
    assert find_refusal(asked(origin="http://localhost:8081"), hosts)[0] == 403


def test_what_other_sites_embed_is_refused_but_a_link_to_the_page_works():
    assert find_refusal(asked("/reading/paper/a/1/picture", sec_fetch_site="cross-site"), HOSTS)[0] == 403
    assert find_refusal(asked("/", sec_fetch_site="cross-site"), HOSTS) is None


CLOSED = ["/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/proxy=http://a", "/gradio_api/info"]
CLOSED += [
    "/gradio_api/call/ask",
    "/gradio_api/component_server",
    "/gradio_api/runs",
    "/gradio_api/cancel",
    "/monitoring",
    "/docs",
    "/login",
]


@pytest.mark.parametrize("path", CLOSED)
def test_routes_that_the_page_does_not_need_are_closed(path):
    assert find_refusal(asked(path), HOSTS)[0] == 404


@pytest.mark.parametrize("length", ["99999999", "x", None])
def test_large_or_unmeasured_bodies_are_refused(length):
    headers = {"content_length": length} if length else {}
    assert find_refusal(asked("/gradio_api/queue/join", "POST", **headers), HOSTS)[0] == 413


def test_a_paper_may_be_larger_than_everything_else_but_not_without_limit():
    for length, path, code in (
        (100 * 2**20, "/adding/file", None),
        (300 * 2**20, "/adding/file", 413),
        (2 * 2**20, "/adding/file/x", 413),
        (2 * 2**20, "/settings/use", 413),
        ("\u00b2", "/adding/file", 413),
    ):
        asking = asked(path, "POST")
        asking["headers"].append((b"content-length", str(length).encode("latin-1")))
        found = find_refusal(asking, HOSTS)
        assert (found and found[0]) == code, (length, path)
