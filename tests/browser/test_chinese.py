"""A headless Chromium that asks for Chinese: the page, an answer and the log-in are in it; and it can be changed."""

import re

import pytest

from rag_app.server.app import serve
from rag_app.server.security import accounts
from rag_app.server.security.accounts import Accounts
from rag_app.settings import Settings
from tests.support.accessibility import findings
from tests.support.browser_page import QUOTE, ask, expect, left, open_first, says
from tests.support.fake_assistant import FakeAssistant
from tests.support.pdfs import make_paper

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Every text and label that is shown, but for what papers, files and people wrote.
STRANGERS = (
    ".title, .quote, .answer-text, .question, #reading-pages, #reading-title, #reading-place, "
    "#reading-references, blockquote, .place, .cite, table, option, .conversations, .footer b"
)
SHOWN = """(strangers) => { const found = [];
  const walk = document.createTreeWalker(document.querySelector('#panes'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode, of = one.parentElement;
    if (of.closest('script, style, textarea, .open-paper') || of.closest(strangers) || !of.checkVisibility()) continue;
    found.push(one.textContent.trim());
  }
  for (const one of document.querySelectorAll('#panes [aria-label], #panes [title], #panes [placeholder]'))
    if (!one.closest(strangers) && one.checkVisibility())
      for (const name of ['aria-label', 'title', 'placeholder']) {
        const own = name === 'title' && one.matches('.open-paper') && one.title === one.textContent;  // a paper's title
        if (!own) found.push(one.getAttribute(name) || '');
      }
  return found; }"""
ENGLISH = re.compile(r"[A-Za-z]{3,}")
KEPT = re.compile(
    r"PDF|Markdown|arXiv|BibTeX|JSON|GGUF|Ollama|OpenAI|small-model|Ours|Theirs|Zoo|locked|note|Escape|Enter"
)


@pytest.fixture
def tab(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(served.url)
    page.wait_for_selector("#paper-rows li")
    page.wait_for_selector("#chat .example")
    yield page
    assert page.problems == []
    context.close()


def english(tab):
    """What stays English on the page."""
    return left(tab, lambda: english_now(tab))


def english_now(tab):
    return [
        text
        for text in tab.evaluate(SHOWN, STRANGERS)
        if ENGLISH.search(KEPT.sub("", text)) and not CHINESE.search(text)
    ]


def test_the_page_and_an_answer_are_in_chinese_and_the_papers_words_are_not(tab):
    expect(tab.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(tab).to_have_title("问问论文")
    expect(tab.locator("#question textarea")).to_have_attribute("placeholder", "就这些论文提问")
    says(tab.locator("#chat .example >> nth=0"), "在哪些数据集上")
    assert english(tab) == []
    ask(tab, "How many parameters?")
    says(tab.locator("#chat .footer"), "检索 3 篇", "另存为")
    open_first(tab)
    expect(tab.locator("#reading-note")).to_have_text("已核对：这些词句就在第 1 页。")
    expect(tab.locator("#reading-citation")).to_have_text("引文 1 / 4")
    expect(tab.locator("#reading-quote blockquote")).to_contain_text(QUOTE)  # a paper's words stay as they are
    assert english(tab) == []
    assert findings(tab) == set()
    ask(tab, "What of the weather?")
    expect(tab.locator("#chat .verdict").first).to_have_text("这些论文中没有答案")
    assert english(tab) == []


def test_the_panels_are_in_chinese(tab):
    tab.click(".open-adding")
    tab.set_input_files("#file-choice", [{"name": "x.pdf", "mimeType": "application/pdf", "buffer": b"no PDF"}])
    says(tab.locator("#arrivals .arrival.failed"), "开头不是 PDF 的标记")
    tab.locator("#paper-rows summary", has_text="无法读取").click()
    says(tab.locator("#paper-rows .problem"), "有密码保护")
    tab.click(".open-map")
    tab.wait_for_selector("#map svg .point")
    expect(tab.locator("#map-title")).to_have_text("论文地图")
    expect(tab.locator("#map .point").first).to_have_attribute("aria-label", re.compile("分组"))
    assert findings(tab) == set()
    tab.click(".close-map")
    tab.click(".open-settings")
    tab.wait_for_selector("#settings .reader-card")
    cards = tab.locator("#settings .reader-card .about").all_inner_texts()
    assert len(cards) >= 8 and all(CHINESE.search(card) for card in cards)
    assert findings(tab) == set()


def test_the_language_is_changed_in_the_settings_and_the_conversation_stays(tab):
    ask(tab, "How many parameters?")
    tab.click(".open-settings")
    tab.wait_for_selector("#settings .reader-card")
    with tab.expect_navigation():
        tab.select_option("#settings [name=language]", "en")
    tab.wait_for_selector("#chat .answer .footer")
    expect(tab.locator("html")).to_have_attribute("lang", "en")
    says(tab.locator("#chat .footer"), "searched 3 papers")
    expect(tab.locator("#rebuild")).to_have_text("Rebuild")
    tab.click(".open-settings")
    tab.wait_for_selector("#settings .reader-card")
    expect(tab.locator("#settings [name=language]")).to_have_value("en")


def test_two_tabs_speak_two_languages_at_once(tab, served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    other = context.new_page()
    other.goto(served.url)
    other.wait_for_selector("#chat .example")
    for page in (tab, other):
        page.fill("#question textarea", "How many parameters?")
    for page in (tab, other):
        page.press("#question textarea", "Enter")
    for page, words in ((tab, "复制"), (other, "Copy")):
        page.wait_for_selector("#chat .answer:not(.coming)")
        expect(page.locator("#chat .copy-answer")).to_have_text(words)
    context.close()


def test_the_log_in_is_in_chinese(tmp_path, chromium_browser, monkeypatch):
    monkeypatch.setattr(accounts, "_N", 16)  # the strength of the hash is tested elsewhere
    folder = tmp_path / "papers"
    folder.mkdir()
    make_paper(folder / "ours.pdf", title="Ours: A Method")
    Accounts(tmp_path / "users.json").add("ada", "correct horse battery")
    settings = Settings(corpus=folder, index=tmp_path / "one", port=0, language="zh")
    page = serve(FakeAssistant(folder), settings, block=False)
    context = chromium_browser.new_context(locale="en-US")  # the settings go before the browser
    tab = context.new_page()
    try:
        tab.goto(page.url)
        expect(tab.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(tab.locator("button")).to_have_text("登录")
        assert findings(tab) == set()
        tab.fill("input[name=name]", "ada")
        tab.fill("input[name=password]", "wrong password")
        tab.press("input[name=password]", "Enter")
        tab.wait_for_selector("text=用户名或密码不正确。")
        tab.fill("input[name=name]", "ada")
        tab.fill("input[name=password]", "correct horse battery")
        tab.press("input[name=password]", "Enter")
        tab.wait_for_selector("text=当前用户")
    finally:
        context.close()
        page.stop()
