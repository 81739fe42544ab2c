"""A headless Chromium logs in, asks, logs out; another user sees nothing of it."""

import re

import pytest

from rag_app.server.app import serve
from rag_app.server.security import accounts
from rag_app.server.security.accounts import Accounts
from rag_app.settings import Settings
from tests.support.browser_page import ask
from tests.support.fake_assistant import FakeAssistant
from tests.support.pdfs import make_paper

PASSWORDS = {"ada": "correct horse battery", "bob": "purple monkey dishwasher"}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder, home = tmp_path_factory.mktemp("papers"), tmp_path_factory.mktemp("home")
    make_paper(folder / "ours.pdf", title="Ours: A Method")
    before, accounts._N = accounts._N, 16  # the strength of the hash is tested elsewhere
    for name, password in PASSWORDS.items():
        Accounts(home / "users.json").add(name, password)
    page = serve(FakeAssistant(folder), Settings(corpus=folder, index=home / "one", port=0), block=False)
    yield page.url
    page.stop()
    accounts._N = before


@pytest.fixture
def tab(chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    yield page
    assert page.problems == []
    context.close()


def log_in(tab, name, password):
    tab.fill("input[name=name]", name)
    tab.fill("input[name=password]", password)
    tab.press("input[name=password]", "Enter")


def test_one_logs_in_asks_and_logs_out_and_the_next_finds_nothing(tab, url):
    tab.goto(url)
    log_in(tab, "ada", "wrong password")
    tab.wait_for_selector("text=Log-in failed. Check what you typed.")
    log_in(tab, "Ada", PASSWORDS["ada"])
    tab.wait_for_selector("#paper-rows li")
    ask(tab, "What of zanzibar?")
    tab.wait_for_selector("#history-rows .open-conversation", state="attached")
    assert "zanzibar" in tab.content()
    tab.reload()
    tab.wait_for_selector("text=Logged in as ada")
    tab.wait_for_selector("#chat .answer")
    tab.click("text=Log out")
    tab.wait_for_selector("input[name=name]")
    log_in(tab, "bob", PASSWORDS["bob"])
    tab.wait_for_selector("text=Logged in as bob")
    tab.wait_for_selector("#history-rows .empty", state="attached")
    assert "zanzibar" not in tab.content()


def test_a_link_from_elsewhere_finds_the_one_who_is_logged_in(tab, url):
    tab.goto(url)
    log_in(tab, "ada", PASSWORDS["ada"])
    tab.wait_for_selector("#paper-rows li")
    tab.goto("about:blank")
    tab.set_content(f'<a href="{url.replace("127.0.0.1", "localhost")}/">x</a><a id="here" href="{url}/">here</a>')
    tab.click("#here")
    tab.wait_for_selector("#paper-rows li")
    assert re.match(url, tab.url)
