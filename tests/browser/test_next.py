"""A headless Chromium is offered what to ask: on the first screen, and after an answer."""

import re
from dataclasses import replace

from playwright.sync_api import expect

from rag_app.records import Alternative
from tests.support.browser_page import ask


def test_after_an_answer_three_questions_are_offered_and_asked_by_one_press(tab, served):
    assert tab.locator("#next-questions button").count() == 0
    ask(tab, "How many parameters?")
    offered = tab.locator("#next-questions button")
    expect(offered).to_have_count(3)
    expect(offered).to_have_text([re.compile("Ours")] * 3)
    question = offered.nth(2).inner_text()
    with served.assistant.held():
        offered.nth(2).click()
        tab.wait_for_selector("#chat .answer.coming")
        expect(tab.locator("#next-questions")).to_be_hidden()
    tab.wait_for_selector("#chat .answer.absent")
    assert served.assistant.asked[-1][0] == question
    tab.again()
    expect(tab.locator("#chat .answer")).to_have_count(2)
    tab.click(".new-conversation")
    expect(tab.locator("#next-questions")).to_be_hidden()


def test_the_first_screen_leads_to_a_model_by_one_press(tab):
    tab.wait_for_selector("#chat .example")
    tab.click(".welcome .open-settings")
    expect(tab.locator("dialog[open]")).to_be_visible()


def test_another_reading_of_the_question_is_asked_by_one_press(tab, served):
    other = Alternative("paper", "the study", "Ours", "Theirs", "What does Theirs say of parameters?")
    served.assistant.answers["parameters"] = replace(served.assistant.answers["parameters"], alternatives=(other,))
    ask(tab, "How many parameters?")
    tab.locator("#chat .alternative").click()
    expect(tab.locator("#chat p.question")).to_have_text(["How many parameters?", other.question])
    tab.wait_for_function("document.querySelectorAll('#chat .answer:not(.coming)').length === 2")
