"""The page as it is served: by a real server on a free port."""

import os
import re
import socket
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest

from rag_app.errors import SettingsError
from rag_app.server.app import serve
from rag_app.settings import Settings
from tests.support.fake_assistant import FakeAssistant, Row
from tests.support.pdfs import make_paper

OTHER_HOST = re.compile(r"(?:src|href|url|@import)\s*[=(]?\s*[\"'(]?\s*(?:https?:)?//[^\s\"')]+", re.IGNORECASE)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    make_paper(folder / "ours.pdf", title="Ours: A Method", sections=[("1 Method", ["The reader has 220 parameters."])])
    (folder / "note.md").write_text("# <b>Note</b>\n\nWords.\n", encoding="utf-8")
    assistant = FakeAssistant(folder, stale=True, extra_rows=(Row("b.pdf", "<img src=x onerror=alert(1)>"),))
    page = serve(
        assistant, Settings(corpus=folder, index=tmp_path_factory.mktemp("index") / "one", port=0), block=False
    )
    with httpx.Client(base_url=page.url, trust_env=False, timeout=60) as client:
        yield SimpleNamespace(page=page, client=client, assistant=assistant)
    page.stop()


@pytest.fixture(scope="module")
def config(served):
    return served.client.get("/config").json()


def call(served, config, name):
    """Press what calls the handler `name`, as a browser does; returns what it shows."""
    position = next(d["id"] for d in config["dependencies"] if d["api_name"] == name)
    body = {
        "fn_index": position,
        "data": [""] if name == "open" else [],
        "session_hash": "test",
        "trigger_id": None,
        "event_data": None,
    }
    return served.client.post("/gradio_api/run/predict", json=body).json()["data"]


def paper_names(served, config):
    rows = call(served, config, "open")[0]
    return re.findall(r'class="open-paper" value="([0-9a-f]{32})"', rows)


def test_a_stale_index_is_built_behind_the_page(served):
    assert served.assistant.built.wait(20)


def test_no_handler_is_public(config):
    assert config["dependencies"]
    assert {dependency["api_visibility"] for dependency in config["dependencies"]} == {"private"}
    assert config["analytics_enabled"] is False


def test_nothing_is_loaded_from_other_hosts(served, config):
    html = served.client.get("/").text
    texts = [re.sub(r"<meta[^>]*>", "", html), served.client.get("/theme.css").text, config["head"]]
    assert [found for text in texts for found in OTHER_HOST.findall(text)] == []
    assert config["stylesheets"] in ([], None) or all(not sheet.startswith("http") for sheet in config["stylesheets"])
    policy = served.client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy


def test_titles_are_shown_as_text(served, config):
    rows = call(served, config, "open")[0]
    assert "<img" not in rows and "&lt;img" in rows and "<b>Note" not in rows


def test_examples_are_offered(served, config):
    chat = call(served, config, "open")[3]
    assert "Ours" in chat["examples"][0]["text"]


def test_a_page_and_its_picture_are_served_by_name(served, config):
    name = paper_names(served, config)[-1]
    said = served.client.get(f"/reading/paper/{name}/1").json()
    assert said["title"] == "Ours: A Method" and said["page"] == 1 and said["marks"] == []
    picture = served.client.get(f"/reading/paper/{name}/1/picture?scale=2")
    assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG")
    again = served.client.get(
        f"/reading/paper/{name}/1/picture?scale=2", headers={"If-None-Match": picture.headers["etag"]}
    )
    assert again.status_code == 304 and again.content == b""


def test_the_pdf_is_served_to_be_read_here(served, config):
    name = paper_names(served, config)[-1]
    file = served.client.get(f"/reading/paper/{name}/1/file")
    assert file.content.startswith(b"%PDF") and file.headers["content-type"] == "application/pdf"
    assert file.headers["content-disposition"].startswith("inline")
    assert file.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["place/0", "paper/0/1", "paper/0/1/picture", "paper/0/1/file", "paper/a.pdf/1/file"])
def test_unknown_names_are_not_found(served, path):
    answer = served.client.get(f"/reading/{path}")
    assert answer.status_code == 404 and "reload" in answer.json()["detail"]


@pytest.mark.parametrize("number", ["0", "2", "-1", "99999999999999999999", "x"])
@pytest.mark.parametrize("what", ["", "/picture"])
def test_pages_that_do_not_exist_are_not_served(served, config, number, what):
    name = paper_names(served, config)[-1]
    assert served.client.get(f"/reading/paper/{name}/{number}{what}").status_code in (404, 422)


def test_traversal_finds_nothing(served):
    up = "..%2f..%2f..%2fetc%2fpasswd"
    for path in (f"/reading/paper/{up}/1/file", f"/static/{up}", f"/assets/{up}", "/gradio_api/file=/etc/passwd"):
        assert served.client.get(path).status_code in (403, 404)


def test_other_host_names_and_sites_are_refused(served):
    assert served.client.get("/", headers={"Host": "evil.org"}).status_code == 403
    assert served.client.get("/config", headers={"Origin": "https://evil.org"}).status_code == 403


def test_a_port_that_is_taken_is_an_error_with_a_remedy(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(corpus=tmp_path, port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match="RAG_PORT=0"):
            serve(FakeAssistant(tmp_path), settings, block=False)


def test_no_other_machine_can_be_let_in(tmp_path):
    with pytest.raises(SettingsError, match="SSH tunnel"):
        serve(FakeAssistant(tmp_path), Settings(corpus=tmp_path, host="0.0.0.0"), block=False)


def test_no_browser_is_opened_without_a_screen(served, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "CI"):
        monkeypatch.delenv(name, raising=False)
    assert not served.page.open_in_browser()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("CI", "1")
    assert not served.page.open_in_browser()
    monkeypatch.delenv("CI")
    assert served.page.open_in_browser() and opened == [served.page.url]


IN_ITS_PROCESS = """
import stat
from pathlib import Path
from rag_app.server.app import _gradio_environment
with _gradio_environment():
    from gradio import route_utils
folder = Path(route_utils.DEFAULT_TEMP_DIR)
print(folder.name, oct(stat.S_IMODE(folder.stat().st_mode)))
"""


def test_no_file_of_the_page_lies_in_a_folder_that_another_user_may_own():
    """In a process of its own: the library reads its folder when it is first imported."""
    done = subprocess.run([sys.executable, "-c", IN_ITS_PROCESS], capture_output=True, text=True, check=True)
    name, mode = done.stdout.split()
    assert name.startswith("rag-app-")
    assert os.name != "posix" or mode == "0o700"


def test_analytics_are_off_before_the_library_is_imported(served):
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] in ("1", "True")
