"""A headless Chromium behind a real nginx, configured word for word as docs/guide/page.md says, below a path."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from rag_app.server.app import serve
from rag_app.server.security import accounts
from rag_app.server.security.accounts import Accounts
from rag_app.settings import Settings
from tests.support.browser_page import QUOTE, expect, says, script
from tests.support.fake_assistant import FakeAssistant
from tests.support.pdfs import make_paper

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "page.md"
CONFIGURATION = """{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {block}
  }}
}}
"""


def guide_block():
    """The configuration that the guide gives."""
    return re.search(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="session")
def nginx():
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    return found or pytest.skip("needs nginx (Debian: apt-get install nginx-light)")


@pytest.fixture(params=["open", "users"])
def proxied(request, nginx, tmp_path, monkeypatch):
    """The page below /papers/ of an nginx: for everybody, and with users who log in."""
    folder, port = tmp_path / "papers", free_port()
    folder.mkdir()
    sections = [("1 Method", ["We describe it.", QUOTE]), ("2 Results", ["Training took eleven hours on one card."])]
    make_paper(folder / "ours.pdf", title="Ours: A Method", sections=sections)
    (folder / "note.md").write_text("# Theirs\n\nTraining took eleven hours on one card.\n", encoding="utf-8")
    assistant = FakeAssistant(folder)
    script(assistant)
    root = "/papers"
    if request.param == "users":
        monkeypatch.setattr(accounts, "_N", 16)  # the strength of the hash is tested elsewhere
        Accounts(tmp_path / "users.json").add("ada", "correct horse battery")
        root = f"http://127.0.0.1:{port}/papers"
    page = serve(assistant, Settings(corpus=folder, index=tmp_path / "one", port=0, root_path=root), block=False)
    block = guide_block().replace("127.0.0.1:7860", page.url.removeprefix("http://"))
    home = tmp_path / "nginx"
    home.mkdir()
    user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    text = CONFIGURATION.format(user=user, folder=home, port=port, block=block)
    (home / "nginx.conf").write_text(text, encoding="utf-8")
    running = subprocess.Popen([nginx, "-p", str(home), "-c", "nginx.conf", "-e", "error.log"])
    url = f"http://127.0.0.1:{port}/papers/"
    try:
        _wait_for(url, running)
        yield SimpleNamespace(url=url, assistant=assistant, folder=folder, users=request.param == "users")
    finally:
        running.terminate()
        running.wait(30)
        page.stop()


def _wait_for(url, running):
    until = time.monotonic() + 60
    while time.monotonic() < until and running.poll() is None:
        try:
            httpx.get(url, trust_env=False, timeout=30)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("nginx does not serve")


@pytest.fixture
def tab(proxied, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.problems, page.outside = [], []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda one: page.outside.append(one.url) if not _inside(one.url, proxied.url) else None)
    page.goto(proxied.url)
    if proxied.users:
        page.fill("input[name=name]", "ada")
        page.fill("input[name=password]", "correct horse battery")
        page.press("input[name=password]", "Enter")
    page.wait_for_selector("#paper-rows li")
    page.wait_for_selector("#chat .example")
    yield page
    assert page.problems == []
    assert page.outside == [], "asked for beside the sub-path"
    context.close()


def _inside(url, home):
    return url.startswith((home, "data:", "blob:"))


def test_behind_nginx_one_asks_reads_adds_a_paper_and_comes_back(tab, proxied, tmp_path):
    # The words come while the answer is made: it cannot end before they were seen, so nothing held them back.
    proxied.assistant.may_end.clear()
    tab.fill("#question textarea", "How many parameters?")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming .answer-text:has-text('220 million')")
    proxied.assistant.may_end.set()
    tab.wait_for_selector("#chat .answer:not(.coming)")

    tab.locator("#chat button.cite").first.click()
    tab.wait_for_selector("#reading-pages .mark.chosen")
    tab.wait_for_selector("#reading-pages .sheet.drawn")
    expect(tab.locator("#reading-quote blockquote")).to_contain_text(QUOTE)
    href = tab.get_attribute("#reading-file", "href")
    assert href.startswith(proxied.url) and tab.request.get(href).body()[:5] == b"%PDF-"

    # Larger than what nginx takes by itself (1 MB).
    added = make_paper(tmp_path / "added.pdf", title="Added: Later")
    added.write_bytes(added.read_bytes() + b"\n%" + b"x" * 3_000_000 + b"\n")
    tab.click(".open-adding")
    tab.set_input_files("#file-choice", str(added))
    tab.wait_for_selector("#arrivals .arrival.in")
    assert (proxied.folder / "added.pdf").stat().st_size == added.stat().st_size
    tab.wait_for_selector("#paper-rows li:has-text('Added: Later')")

    tab.reload()
    tab.wait_for_selector("#chat .answer:not(.coming)")
    says(tab.locator("#chat .answer-text"), "220 million")

    with tab.expect_download() as download:
        tab.click("#chat .export-menu summary")
        tab.click("#chat .export >> nth=0")
    assert "220 million" in Path(download.value.path()).read_text(encoding="utf-8")


def test_behind_nginx_an_answer_is_stopped_and_the_settings_open(tab, proxied):
    tab.fill("#question textarea", "A long one")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming .answer-text")
    tab.get_by_role("button", name="Stop").click()
    tab.wait_for_selector("#chat .answer:not(.coming)")
    assert proxied.assistant.stopped.wait(60)
    tab.click(".open-settings")
    tab.wait_for_selector("#settings .reader-card")
    with tab.expect_navigation():
        tab.select_option("#settings [name=language]", "zh")
    tab.wait_for_selector("#chat .example, #chat .answer")
    expect(tab.locator("html")).to_have_attribute("lang", "zh-CN")
    if proxied.users:
        tab.click("form.account button")
        tab.wait_for_selector("input[name=password]")
        expect(tab).to_have_url(proxied.url)
        expect(tab).to_have_title("问问论文：登录")
