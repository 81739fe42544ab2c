"""The page in a headless Chromium, with a library whose answers are known."""

from types import SimpleNamespace

import pytest
from playwright.sync_api import sync_playwright

from rag_app.server.app import serve
from rag_app.settings import Settings
from tests.support.browser_page import ARGUMENTS, FILLER, HOSTILE, LAST, PATIENCE, QUOTE, reloaded, script
from tests.support.fake_assistant import FakeAssistant
from tests.support.fake_assistant import Row as LibraryRow
from tests.support.pdfs import make_encrypted, make_paper


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    sections = [("1 Method", ["We describe it.", QUOTE, *FILLER]), ("2 Results", [*FILLER, LAST])]
    make_paper(folder / "ours.pdf", title="Ours: A Method", sections=sections, columns=2, labels_from=3)
    make_encrypted(folder / "locked.pdf")
    (folder / "note.md").write_text(f"# Theirs: A Note\n\nBefore. {LAST} After.\n", encoding="utf-8")
    assistant = FakeAssistant(folder, extra_rows=(LibraryRow("h.pdf", HOSTILE, 1),), pause=0.03)
    script(assistant)
    page = serve(
        assistant, Settings(corpus=folder, index=tmp_path_factory.mktemp("index") / "one", port=0), block=False
    )
    yield SimpleNamespace(url=page.url, assistant=assistant, folder=folder, page=page)
    page.stop()


@pytest.fixture(scope="module")
def chromium_browser(chromium):
    with sync_playwright() as library:
        browser = library.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        browser.on("context", lambda context: context.set_default_timeout(PATIENCE))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def visitor_context(chromium_browser):
    """One visitor's browser for a file of tests: what the page loads is fetched and compiled once."""
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def tab(served, visitor_context):
    """A new tab on the page; whatever an earlier one kept (cookies, stored values) is cleared before."""
    page = visitor_context.new_page()
    cleared = {"origin": served.url.rstrip("/"), "storageTypes": "cookies,local_storage,indexeddb,service_workers"}
    visitor_context.new_cdp_session(page).send("Storage.clearDataForOrigin", cleared)
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: page.errors.append(said.text) if said.type == "error" else None)
    page.again = lambda: reloaded(page)
    page.goto(served.url)
    page.wait_for_selector("#paper-rows li", state="attached")
    yield page
    elsewhere = [url for url in page.requests if not url.startswith((served.url, "data:", "blob:"))]
    assert elsewhere == []
    assert page.errors == []
    for opened in visitor_context.pages:
        opened.close()
