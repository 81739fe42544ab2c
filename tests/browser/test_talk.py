"""A headless Chromium talks: follow-ups, conversations that are kept, a question changed, thumbs."""

import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.server.app import serve
from rag_app.settings import Settings
from tests.support.browser_page import LAST, QUOTE, ask, expect, pressed, says, script
from tests.support.fake_assistant import FakeAssistant
from tests.support.pdfs import make_paper


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    make_paper(folder / "ours.pdf", title="Ours: A Method", sections=[("1 Method", [QUOTE]), ("2 Results", [LAST])])
    (folder / "note.md").write_text(f"# Theirs: A Note\n\nBefore. {LAST} After.\n", encoding="utf-8")
    assistant = FakeAssistant(folder, pause=0.01)
    script(assistant)
    understood = replace(assistant.answers["parameters"], asked="How many parameters does Ours have?", table=None)
    assistant.answers |= {"how many of them": understood}
    settings = Settings(corpus=folder, index=tmp_path_factory.mktemp("index") / "one", port=0)
    page = serve(assistant, settings, block=False)
    kept = History(history_file(settings.index_folder))
    yield SimpleNamespace(url=page.url, assistant=assistant, folder=folder, page=page, kept=kept)
    page.stop()


@pytest.fixture(autouse=True)
def nothing_kept(served):
    for saved in served.kept.list_conversations():
        served.kept.delete(saved.id)


@pytest.fixture
def tab(tab):
    """The conversations are in sight."""
    tab.click("#tab-conversations")
    return tab


def listed(tab, *titles):
    expect(tab.locator("#history-rows .open-conversation .title")).to_have_text(list(titles))


def two_conversations(tab):
    ask(tab, "How many parameters?")
    tab.wait_for_selector("#history-rows [aria-current]")
    tab.click(".new-conversation")
    tab.wait_for_selector("#chat .answer", state="detached")
    ask(tab, "What is the weather?")
    tab.wait_for_function("document.querySelectorAll('#history-rows .open-conversation').length === 2")


def test_a_follow_up_gets_the_conversation_and_shows_how_it_was_understood(tab, served):
    ask(tab, "How many parameters?")
    ask(tab, "and how many of them are new?")
    assert served.assistant.histories[-1] == ["How many parameters?"]
    says(tab.locator("#chat .understood"), "Understood as: How many parameters does Ours have?")
    tab.locator("#chat .understood .edit-question").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#question textarea")).to_have_value("How many parameters does Ours have?")
    tab.keyboard.type(" Really, parameters?")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelectorAll('#chat .answer:not(.coming)').length === 3")
    assert served.assistant.asked[-1][0] == "How many parameters does Ours have? Really, parameters?"


def test_a_question_is_changed_and_asked_again(tab):
    ask(tab, "What is the weather?")
    tab.locator("#chat .asked-question .edit-question").first.click()
    expect(tab.locator("#question textarea")).to_have_value("What is the weather?")
    expect(tab.locator("#question textarea")).to_be_focused()


def test_a_reload_keeps_the_conversation_and_its_citations_open(tab):
    ask(tab, "How many parameters?")
    ask(tab, "What is the weather?")
    tab.wait_for_selector("#history-rows [aria-current]")
    tab.again()
    tab.wait_for_selector("#chat .answer.absent")
    expect(tab.locator("#chat .answer")).to_have_count(2)
    tab.locator("#chat button.cite").first.click()
    tab.wait_for_selector("#reading-pages .mark.chosen")
    expect(tab.locator("#reading-quote blockquote")).to_contain_text(QUOTE)
    listed(tab, "How many parameters?")


def test_a_list_that_was_made_before_the_search_and_comes_late_is_asked_for_again(tab):
    two_conversations(tab)
    tab.fill("#history-search", "220 million")
    tab.wait_for_selector("#history-rows ul[data-sought='220 million']")
    tab.evaluate("""() => {
      document.getElementById("action").addEventListener("click", () => { window.sent = window.talk.action(); });
      const late = document.querySelector("#history-rows ul.conversations").cloneNode(true);
      late.dataset.sought = "";
      document.querySelector("#history-rows ul.conversations").replaceWith(late);
    }""")
    tab.wait_for_function("window.sent === JSON.stringify({ do: 'seek', text: '220 million' })")


def test_conversations_are_listed_found_opened_renamed_and_deleted(tab):
    two_conversations(tab)
    listed(tab, "What is the weather?", "How many parameters?")

    tab.fill("#history-search", "220 million")
    tab.wait_for_function("document.querySelectorAll('#history-rows .open-conversation').length === 1")
    tab.click("#history-rows .open-conversation")
    tab.wait_for_selector("#chat .answer-text:has-text('220 million')")
    tab.fill("#history-search", "")
    tab.wait_for_function("document.querySelectorAll('#history-rows .open-conversation').length === 2")

    tab.click("#history-rows li:has([aria-current]) .rename-conversation")
    tab.keyboard.type("<b>Sizes</b>")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#history-rows .title:has-text('<b>Sizes</b>')")
    expect(tab.locator("#history-rows b")).to_have_count(0)

    mine = tab.locator("#history-rows li:has-text('Sizes') .delete-conversation")
    mine.click()
    expect(mine).to_have_text("Delete?")
    mine.click()
    tab.wait_for_function("document.querySelectorAll('#history-rows .open-conversation').length === 1")
    expect(tab.locator("#chat .answer")).to_have_count(0)
    listed(tab, "What is the weather?")


SWAPPED = """() => { const [one, two] = document.querySelectorAll('#history-rows li');
  for (const of of ['.title', '.facts']) {
    const [first, second] = [one.querySelector(of), two.querySelector(of)];
    [first.textContent, second.textContent] = [second.textContent, first.textContent];
  }
  const [first, second] = [one.querySelector('.open-conversation'), two.querySelector('.open-conversation')];
  [first.value, second.value] = [second.value, first.value]; }"""
REPLACED = "() => { const list = document.querySelector('#history-rows ul'); list.innerHTML += ''; }"


@pytest.mark.parametrize("change", [SWAPPED, REPLACED], ids=["changed in place", "replaced"])
def test_a_press_means_what_stood_there_when_it_began(tab, change):
    two_conversations(tab)
    tab.hover("#history-rows .open-conversation:has-text('How many parameters?')")
    tab.mouse.down()
    tab.evaluate(change)
    tab.mouse.up()
    tab.wait_for_selector("#chat .answer-text:has-text('220 million')")
    expect(tab.locator("#chat .answer")).to_have_count(1)


def test_a_thumb_is_kept_with_its_reason(tab, served):
    ask(tab, "How many parameters?")
    tab.locator("#chat .thumb.down").focus()
    tab.keyboard.press("Enter")
    tab.keyboard.type("99 GB is <i>wrong</i>")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat .thumb.down[aria-pressed=true]")
    expect(tab.locator("#chat .thumbs .said").first).to_have_text("99 GB is <i>wrong</i>")
    (question,) = served.kept.feedback_questions()
    assert question["verdict"] == "down" and question["note"] == "99 GB is <i>wrong</i>"
    tab.again()
    tab.wait_for_selector("#chat .thumb.down[aria-pressed=true]")
    tab.click("#chat .thumb.up")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat .thumb.up[aria-pressed=true]")
    (question,) = served.kept.feedback_questions()
    assert question["verdict"] == "up" and question["papers"] == ["ours.pdf", "note.md"]


def test_another_tab_begins_anew_and_finds_the_conversation_in_the_list(tab, served, chromium_browser):
    ask(tab, "How many parameters?")
    context = chromium_browser.new_context()
    other = context.new_page()
    other.goto(served.url)
    other.click("#tab-conversations")
    other.click("#tab-conversations")
    other.wait_for_selector("#history-rows .open-conversation")
    expect(other.locator("#chat .answer")).to_have_count(0)
    other.click("#history-rows .open-conversation")
    other.wait_for_selector("#chat .answer-text:has-text('220 million')")
    context.close()


def test_the_whole_conversation_is_saved_by_one_press(tab, served):
    pressed(tab.locator(".take-conversation"), "Nothing to save yet")
    ask(tab, "How many parameters?")
    ask(tab, "What is the weather?")
    tab.wait_for_selector(".take-conversation:text-is('Save')")
    with tab.expect_download() as download:
        tab.click(".take-conversation")
    assert download.value.suggested_filename == "conversation-how-many-parameters.zip"
    with zipfile.ZipFile(download.value.path()) as file:
        names = {name.rpartition(".")[2]: file.read(name).decode() for name in file.namelist()}
    assert set(names) >= {"md", "bib", "json"}
    assert "# How many parameters?" in names["md"] and "# What is the weather?" in names["md"]
    assert f"“{QUOTE}”" in names["md"] and "[^1-1]: " in names["md"]
    assert names["bib"].count("@misc{") == 2
    tab.wait_for_selector("#spoken:has-text('Saved')", state="attached")
