"""`python app.py`: up within seconds, and the offer to fetch papers holds nobody up."""

import http.server
import importlib.util
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from rag_app.settings import Settings
from tests.support.pdfs import make_paper

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """
[[paper]]
arxiv_id = "2406.15319"
title = "LongRAG: A Title"
year = 2024
month = 6
topic = "retrieval"
"""


@pytest.fixture(scope="module")
def app():
    specification = importlib.util.spec_from_file_location("app", ROOT / "app.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "papers.toml").write_text(MANIFEST, encoding="utf-8")
    return folder


class Page(SimpleNamespace):
    def rebuild(self):
        self.rebuilt = True


def closed_port():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return server.server_address[1]


@pytest.fixture
def arxiv(tmp_path):
    """A server on this machine that has every paper."""
    pdf = make_paper(tmp_path / "paper.pdf").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/pdf")
            self.send_header("Content-Length", str(len(pdf)))
            self.end_headers()
            self.wfile.write(pdf)

        def log_message(self, *arguments):
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_papers_are_fetched_when_the_user_says_yes(app, corpus, arxiv, capsys):
    page = Page(rebuilt=False)
    app.offer_papers(Settings(corpus=corpus, arxiv_url=arxiv), page, lambda patience: "y\n")
    assert page.rebuilt
    assert app.missing_papers(Settings(corpus=corpus)) == []
    assert "1 of 1 papers are here" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["n\n", "", "\n"])
def test_nothing_is_fetched_without_a_yes(app, corpus, arxiv, answer, capsys):
    page = Page(rebuilt=False)
    app.offer_papers(Settings(corpus=corpus, arxiv_url=arxiv), page, lambda patience: answer)
    assert not page.rebuilt
    assert app.missing_papers(Settings(corpus=corpus)) == ["2406.15319"]
    assert "python -m rag_app fetch" in capsys.readouterr().out


def test_without_a_network_it_goes_on(app, corpus, capsys):
    page = Page(rebuilt=False)
    settings = Settings(corpus=corpus, arxiv_url=f"http://127.0.0.1:{closed_port()}")
    app.offer_papers(settings, page, lambda patience: "y")
    said = capsys.readouterr()
    assert not page.rebuilt
    assert "0 of 1 papers are here" in said.out or "goes on" in said.err


def test_nothing_is_offered_where_nothing_is_missing(app, tmp_path, capsys):
    app.offer_papers(Settings(corpus=tmp_path), Page(), lambda patience: pytest.fail("asked"))
    assert capsys.readouterr().out == ""


def start(tmp_path, monkeypatch, **settings):
    for name, value in {"RAG_CORPUS": tmp_path, "RAG_INDEX": tmp_path / "index", "RAG_LLM": "none", **settings}.items():
        monkeypatch.setenv(name, str(value))
    command = [sys.executable, str(ROOT / "app.py"), "--no-browser"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, encoding="utf-8", **pipes)


def test_the_page_opens_and_says_where(tmp_path, monkeypatch):
    (tmp_path / "note.md").write_text("# A note\n\nWords.\n", encoding="utf-8")
    process = start(tmp_path, monkeypatch, RAG_PORT=0)
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())
        assert found, process.stderr.read()
        with httpx.Client(trust_env=False, timeout=60, follow_redirects=True) as browser:
            assert browser.get(found[0]).status_code == 200 and browser.get(found[0]).url.query == b""
    finally:
        process.terminate()
        process.communicate(timeout=120)


@pytest.mark.parametrize(("name", "value"), [("RAG_HOST", "0.0.0.0"), ("RAG_PROT", "1")])
def test_a_wrong_setting_ends_with_a_sentence(tmp_path, monkeypatch, name, value):
    process = start(tmp_path, monkeypatch, **{name: value})
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert name in said and "Traceback" not in said
