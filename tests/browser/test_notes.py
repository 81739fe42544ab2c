"""A headless Chromium keeps an answer, a quote and a table to a note, writes in it, and puts conversations in order."""

from pathlib import Path

from playwright.sync_api import expect

from tests.support.accessibility import findings
from tests.support.browser_page import QUOTE, ask, open_first


def keep(tab, button, note):
    tab.locator(button).last.click()
    tab.locator(".note-choice button", has_text=note).first.click()
    expect(tab.locator(".note-choice")).to_have_count(0)


def test_an_answer_and_its_table_are_kept_and_open_their_page(tab):
    ask(tab, "How many parameters?")
    keep(tab, "#chat .take-away .keep-note", "New note")
    expect(tab.locator("#spoken")).to_have_text("Kept in the note: How many parameters?")
    ask(tab, "Please compare.")
    keep(tab, "#chat .table-tools .keep-note", "How many parameters?")
    tab.click("#tab-notes")
    tab.click("#note-rows .open-note:has-text('How many parameters?')")
    expect(tab.locator("#note-read h2")).to_have_text(["Please compare."])  # its title says the first question
    expect(tab.locator("#note-read table td")).to_have_text(["Ours", "=2+2 [1]"])
    tab.locator("#note-read .note-place").first.click()
    tab.wait_for_selector("#reading-pages .mark.chosen")
    expect(tab.locator("#reading-quote blockquote")).to_have_text(QUOTE)
    assert findings(tab) == set()
    tab.keyboard.press("Escape")
    expect(tab.locator("body.reading-open")).to_have_count(0)


def test_a_note_is_written_saved_by_itself_exported_and_deleted(tab, tmp_path):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.locator("#reading-quote summary").click()
    keep(tab, "#reading-quote .keep-note", "New note")
    tab.click("#tab-notes")
    tab.click(".new-note")
    expect(tab.locator("#note-title")).to_be_focused()
    tab.keyboard.type("My <b>rivers</b>")
    tab.fill("#note-text", "**Deep** rivers <img src=x onerror=alert(1)>")
    expect(tab.locator("#note-state")).to_have_text("Saved")
    tab.click("[data-note=write]")
    expect(tab.locator("#note-read strong")).to_have_text("Deep")
    expect(tab.locator("#note-read img")).to_have_count(0)
    with tab.expect_download() as download:
        tab.click("#note-file")
    saved = tmp_path / "note.md"
    download.value.save_as(saved)
    assert Path(saved).read_text(encoding="utf-8").startswith("# My <b>rivers</b>\n\n**Deep** rivers")
    tab.again()
    tab.fill("#notes-search", "DEEP")
    expect(tab.locator("#note-rows .title")).to_have_text(["My <b>rivers</b>"])
    tab.click("#note-rows .open-note")
    tab.click("[data-note=delete]")
    tab.click("[data-note=delete]")
    expect(tab.locator("#note")).to_be_hidden()
    expect(tab.locator("#note-rows .empty")).to_have_text("No note contains these words.")


def test_an_earlier_question_is_changed_in_a_branch_of_its_own(tab, served):
    tab.click("#tab-conversations")
    ask(tab, "How many parameters?")
    ask(tab, "What is the weather?")
    ask(tab, "It fails?")
    tab.locator("#chat .asked-question .edit-question").nth(1).click()
    expect(tab.locator("#branch-note")).to_contain_text("new conversation")
    tab.fill("#question textarea", "Please compare.")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .comparison")
    expect(tab.locator("#chat p.question")).to_have_text(["How many parameters?", "Please compare."])
    assert served.assistant.histories[-1] == ["How many parameters?"]
    expect(tab.locator("#branch-note")).to_have_count(0)
    expect(tab.locator("#history-rows .facts").first).to_contain_text("2 questions")
    expect(tab.locator("#history-rows .facts").nth(1)).to_contain_text("3 questions")

    row = tab.locator("#history-rows li:has([aria-current])")
    row.locator(".folder-conversation").click()
    tab.keyboard.type("Rivers")
    tab.keyboard.press("Enter")
    expect(tab.locator("#history-rows .folder summary")).to_have_text("Rivers 1")
    tab.click("#history-rows .folder summary")
    expect(tab.locator("#history-rows .folder .open-conversation")).to_be_hidden()
    assert findings(tab) == set()


def test_the_quotes_of_a_pasted_text_are_checked_and_opened(tab):
    tab.click("#tab-notes")
    tab.click("#notes .check-text")
    dialog = tab.locator("dialog.check-quotes")
    dialog.locator("textarea").fill(f"It says “{QUOTE}” and “The reader has nine million parameters.”")
    dialog.locator("[type=submit]").click()
    expect(dialog.locator(".sum")).to_have_text("1 of 2 hold")
    expect(dialog.locator("li.fails .quote")).to_have_text("The reader has nine million parameters.")
    assert findings(tab) == set()
    dialog.locator("li.holds button").first.click()
    tab.wait_for_selector("#reading-pages .mark.chosen")
    expect(tab.locator("#reading-quote blockquote")).to_have_text(QUOTE.rstrip("."))


def test_a_paper_s_card_leads_to_the_notes_about_it(tab):
    ask(tab, "How many parameters?")
    keep(tab, "#chat .take-away .keep-note", "New note")
    tab.click("#tab-papers")
    row = tab.locator("#paper-rows li", has_text="Ours")
    row.hover()
    row.locator(".about-paper").click()
    tab.locator("dialog[open] .notes-of-paper .open-note").first.click()
    expect(tab.locator("#note-title")).to_have_value("How many parameters?")
    expect(tab.locator("dialog[open]")).to_have_count(0)


def test_a_long_link_stays_within_its_note(tab):
    link = "https://example.org/" + "averylongpath" * 20
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.click(".open-library")
    tab.click("#tab-notes")
    tab.click("#notes .new-note")
    tab.fill("#note-text", f"{link}\n\n| a | b |\n| --- | --- |\n| {link} | c |\n\n```\n{link}\n```\n")
    tab.click("#note [data-note=write]")
    tab.wait_for_selector("#note-read pre")
    assert tab.evaluate(
        "(() => { const one = document.getElementById('note-read'); return one.scrollWidth <= one.clientWidth; })()"
    )
    assert tab.locator("#note-read td").first.bounding_box()["width"] < 500
