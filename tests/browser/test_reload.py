"""A headless Chromium reloads, closes and loses the page while an answer is being made: nothing of it is lost."""

from types import SimpleNamespace

import pytest

from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.records import Answer, SearchSummary
from rag_app.server.app import serve
from rag_app.server.web import screen
from rag_app.server.web.screen import Screen
from rag_app.settings import Settings
from tests.support.browser_page import QUOTE, ask, expect, says
from tests.support.fake_assistant import FakeAssistant
from tests.support.pdfs import make_paper
from tests.support.waiting import eventually

WORDS = 120
COMING, DONE = "#chat .answer.coming .answer-text", "#chat .answer:not(.coming)"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    make_paper(folder / "ours.pdf", title="Ours: A Method", sections=[("1 Method", [QUOTE])])
    assistant = FakeAssistant(folder, pause=0.03)
    counted = " ".join(f"w{number}" for number in range(WORDS))
    assistant.answers = {
        "count": Answer("", "q", "answered", counted, "quoting", searched=SearchSummary(1, 1, 0)),
        "long": Answer("", "q", "answered", "word " * 5000, "quoting"),
        "short": Answer("", "q", "answered", "Soon said.", "quoting"),
    }
    settings = Settings(corpus=folder, index=tmp_path_factory.mktemp("index") / "one", port=0)
    made = []  # the screen of the page that is served
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screen, "Screen", lambda *parts: made.append(Screen(*parts)) or made[-1])
        page = serve(assistant, settings, block=False)
    kept = History(history_file(settings.index_folder))
    yield SimpleNamespace(url=page.url, assistant=assistant, page=page, kept=kept, sessions=made[0].asking.sessions)
    page.stop()


@pytest.fixture(autouse=True)
def nothing_kept(served):
    served.assistant.may_end.set()
    for saved in served.kept.list_conversations():
        served.kept.delete(saved.id)


@pytest.fixture
def tab(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#paper-rows li", state="attached")
    page.click("#tab-conversations")
    yield page
    context.close()


def begin(tab, question):
    tab.fill("#question textarea", question)
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector(COMING)


def finished(tab):
    """The whole answer is there, and the tab can ask again."""
    tab.wait_for_selector(f"#chat .answer:not(.coming) .answer-text:has-text('w{WORDS - 1}')")
    expect(tab.locator("#chat .answer")).to_have_count(1)
    tab.get_by_role("button", name="Ask", exact=True).wait_for()


def test_a_reload_goes_on_with_the_answer_that_is_coming(tab, served):
    served.assistant.may_end.clear()
    begin(tab, "Please count")
    tab.reload()
    says(tab.locator(COMING), "w3")
    assert f"w{WORDS - 1}" not in tab.inner_text(COMING)
    served.assistant.may_end.set()
    finished(tab)
    expect(tab.locator("#chat p.question").first).to_have_text("Please count")
    assert len(served.assistant.asked) == len(set(served.assistant.asked))
    (saved,) = served.kept.list_conversations()
    assert saved.turns == 1


def test_a_reload_before_the_first_word_goes_on_too(tab):
    tab.fill("#question textarea", "Please count")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming")
    tab.reload()
    finished(tab)


def test_several_reloads_and_then_stop_at_once(tab, served):
    served.assistant.stopped.clear()
    begin(tab, "A long one")
    for _ in range(3):
        tab.reload()
        tab.wait_for_selector(COMING)
    tab.get_by_role("button", name="Stop").click()
    tab.wait_for_selector(DONE)  # by itself it would take minutes
    assert served.assistant.stopped.wait(60)
    says(tab.locator("#chat .answer-text"), "word")
    says(tab.locator("#chat .note"), "Stopped")
    says(ask(tab, "A short one"), "Soon said")
    (saved,) = served.kept.list_conversations()
    assert saved.turns == 2


def test_a_closed_tab_leaves_its_answer_going_and_another_finds_it(served, chromium_browser):
    served.assistant.may_end.clear()
    first = chromium_browser.new_context()
    tab = first.new_page()
    tab.goto(served.url)
    begin(tab, "Please count")
    first.close()
    second = chromium_browser.new_context()
    tab = second.new_page()
    tab.goto(served.url)
    tab.click("#tab-conversations")
    tab.wait_for_selector("#history-rows .open-conversation:has-text('answering…')")
    tab.click("#history-rows .open-conversation")
    tab.wait_for_selector(COMING)
    served.assistant.may_end.set()
    finished(tab)
    tab.wait_for_selector("#history-rows .open-conversation:has-text('1 question')")
    second.close()


def test_an_answer_that_ended_with_nobody_there_is_kept(served, chromium_browser):
    context = chromium_browser.new_context()
    tab = context.new_page()
    tab.goto(served.url)
    begin(tab, "Please count")
    context.close()
    assert eventually(served.kept.list_conversations)
    (saved,) = served.kept.list_conversations()
    assert served.kept.load(saved.id)[0].answer.answer.endswith(f"w{WORDS - 1}")


def test_a_lost_connection_comes_back_to_the_answer(tab, served):
    served.assistant.may_end.clear()
    begin(tab, "Please count")
    tab.context.set_offline(True)
    tab.wait_for_timeout(1_500)
    served.assistant.may_end.set()  # it ends with nobody there to be told
    tab.wait_for_timeout(500)
    tab.context.set_offline(False)
    finished(tab)


def test_what_was_typed_and_not_asked_outlives_a_reload(tab):
    tab.fill("#question textarea", "Half a question")
    tab.wait_for_function("sessionStorage.getItem('draft') === 'Half a question'")
    tab.reload()
    tab.wait_for_function("document.querySelector('#question textarea')?.value === 'Half a question'")
    ask(tab, "A short one")
    tab.wait_for_function("sessionStorage.getItem('draft') === ''")


def test_a_stream_that_was_cut_unnoticed_is_taken_up_again(tab, served):
    """The server takes the tab for closed; its page stays, and nothing tells it."""
    served.assistant.may_end.clear()
    begin(tab, "Please count")
    for session in list(served.sessions._all):
        served.sessions.drop(session)
    served.assistant.may_end.set()
    finished(tab)


def test_another_conversation_meanwhile_and_back_again(tab):
    begin(tab, "Please count")
    tab.click(".new-conversation")
    tab.wait_for_selector("#chat .answer", state="detached")
    says(ask(tab, "A short one"), "Soon said")
    tab.click("#history-rows .open-conversation:has-text('Please count')")
    finished(tab)
    tab.click("#history-rows .open-conversation:has-text('A short one')")
    tab.wait_for_selector("#chat .answer-text:has-text('Soon said')")
    expect(tab.locator("#chat .answer")).to_have_count(1)


def test_deleting_the_conversation_ends_its_answer_for_good(tab, served):
    served.assistant.stopped.clear()
    begin(tab, "A long one")
    bin = tab.locator("#history-rows li:has([aria-current]) .delete-conversation")
    bin.click()
    bin.click()
    assert served.assistant.stopped.wait(60)
    tab.wait_for_selector("#chat .answer", state="detached")
    tab.get_by_role("button", name="Ask", exact=True).wait_for()
    assert served.kept.list_conversations() == []


def test_a_question_outlives_the_program_that_was_to_answer_it(tmp_path, chromium_browser):
    (tmp_path / "papers").mkdir()
    make_paper(tmp_path / "papers" / "ours.pdf", title="Ours", sections=[("1 Method", [QUOTE])])
    assistant = FakeAssistant(tmp_path / "papers", {"long": Answer("", "q", "answered", "word " * 5000, "quoting")})
    settings = Settings(corpus=tmp_path / "papers", index=tmp_path / "index", port=0)
    page = serve(assistant, settings, block=False)
    context = chromium_browser.new_context()
    tab = context.new_page()
    tab.goto(page.url)
    begin(tab, "A long one")
    tab.wait_for_function("sessionStorage.getItem('pending') === 'A long one'")
    page.stop()
    again = serve(assistant, settings.model_copy(update={"port": int(page.url.rpartition(":")[2])}), block=False)
    tab.wait_for_function("document.querySelector('#question textarea')?.value === 'A long one'")
    context.close()
    again.stop()
