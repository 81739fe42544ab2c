"""A headless Chromium uses the page: ask, stop, open a citation, rebuild; and nothing leaves this machine."""

import re
import shutil
from pathlib import Path

import pytest

from rag_app.outputs.evidence_file import read_evidence
from rag_app.outputs.verify import verify_quotes
from tests.support.browser_page import (
    HOSTILE,
    LAST,
    QUOTE,
    ask,
    expect,
    marked,
    open_first,
    pressed,
    says,
)


def test_the_answer_streams_and_the_question_stands_at_the_top(tab, served):
    cut = []
    tab.on("requestfailed", lambda request: cut.append(request.url))
    with tab.expect_request_finished(lambda request: "/queue/data" in request.url), served.assistant.held():
        tab.fill("#question textarea", "How many parameters?")
        tab.press("#question textarea", "Enter")
        says(tab.locator("#chat .answer.coming .answer-text"), "220")
        early = tab.inner_text("#chat .answer.coming .answer-text")
        expect(tab.locator("#question textarea")).to_have_value("")
        tab.wait_for_function("document.querySelector('#chat p.question').getBoundingClientRect().top < 200")
    tab.wait_for_selector("#chat .answer:not(.coming)")
    whole = tab.inner_text("#chat .answer-text")
    assert 0 < len(early) < len(whole)
    assert "220 million" in whole
    assert cut == []


def test_a_citation_opens_its_page_with_the_quoted_words_marked(tab, served):
    ask(tab, "How many parameters?")
    open_first(tab)
    marked(tab, served.folder / "ours.pdf", 0, "220")
    says(tab.locator("#reading-title"), "Ours: A Method")
    says(tab.locator("#reading-page"), "(printed iii)")
    says(tab.locator("#reading-note"), "Verified")
    expect(tab.locator("#reading-pages .mark.chosen").first).to_be_in_viewport()


def test_marks_stay_right_when_zoomed(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    place = """() => { const sheet = document.querySelector('.mark.chosen').closest('.sheet').getBoundingClientRect();
        const mark = document.querySelector('#reading-pages .mark.chosen').getBoundingClientRect();
        return [(mark.left - sheet.left) / sheet.width, (mark.top - sheet.top) / sheet.height, sheet.width]; }"""
    before = tab.evaluate(place)
    tab.click("[data-do=larger]")
    tab.click("[data-do=larger]")
    tab.wait_for_function(f"(before) => ({place})()[2] > before * 1.3", arg=before[2])
    after = tab.evaluate(place)
    assert after[:2] == pytest.approx(before[:2], abs=0.003)


def test_a_citation_opens_by_keyboard_too(tab):
    ask(tab, "How many parameters?")
    tab.locator("#chat button.cite").nth(1).focus()
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#reading-pages .mark.chosen")
    expect(tab.locator("#reading-quote blockquote")).to_contain_text(LAST)


def test_pages_are_turned_and_the_pdf_opens_at_the_page(tab, served):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.click("[data-do=next]")
    expect(tab.locator("#reading-number")).to_have_value("2")
    tab.wait_for_selector(".sheet.drawn[data-page='2']")
    expect(tab.locator("#reading-file")).to_have_attribute("href", re.compile("/file#page=2$"))
    tab.click("[data-do=previous]")
    expect(tab.locator("#reading-number")).to_have_value("1")
    expect(tab.locator("#reading-pages .mark.chosen").first).to_be_in_viewport()  # it stays when one comes back
    expect(tab.locator("[data-do=previous]").first).to_be_disabled()
    file = tab.request.get(tab.get_attribute("#reading-file", "href").partition("#")[0])
    assert file.body() == (served.folder / "ours.pdf").read_bytes()


def test_what_is_not_verified_looks_different_and_is_not_marked(tab):
    ask(tab, "How many parameters?")
    expect(tab.locator("#chat button.cite.unverified")).to_have_count(1)
    says(tab.locator("#chat .sources-head"), "1 of 4 quotes not found on the page")
    says(tab.locator("#chat .source").first, "1 not found")
    tab.click("#chat button.cite.unverified")
    tab.wait_for_selector("#reading-note.bad")
    says(tab.locator("#reading-note"), "nothing is marked")
    expect(tab.locator("#reading-pages .mark.chosen")).to_have_count(0)
    expect(tab.locator("#chat .unsupported").first).to_have_text(re.compile("^It needs 99 GB"))


def test_a_digest_says_so_and_its_words_are_marked_in_the_text(tab):
    ask(tab, "How many parameters?")
    tab.click("#chat .source >> nth=1 >> summary")
    tab.locator("#chat .source >> nth=1 >> button.place").click()
    tab.wait_for_selector("#reading-pages .sheet.text mark")
    expect(tab.locator("#reading-pages .sheet.text mark").first).to_have_text(LAST)
    says(tab.locator("#reading-note"), "digest")
    expect(tab.locator("#reading-pages img")).to_have_count(0)


def test_stop_keeps_what_came(tab, served):
    served.assistant.stopped.clear()
    tab.fill("#question textarea", "A long one")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming .answer-text")
    tab.get_by_role("button", name="Stop").click()
    tab.wait_for_selector("#chat .answer:not(.coming)")
    assert served.assistant.stopped.wait(60)
    says(tab.locator("#chat .answer-text"), "word")
    says(tab.locator("#chat .note"), "Stopped")
    tab.get_by_role("button", name="Ask").wait_for()
    says(ask(tab, "How many parameters?"), "220")


def test_not_in_these_papers_has_its_own_look(tab):
    answer = ask(tab, "What is the weather?")
    expect(answer).to_contain_class("absent")
    says(answer, "Not in these papers", "nearest")
    answer.locator("button.place").click()
    tab.wait_for_selector("#reading-pages .mark.chosen")


def test_an_error_is_said(tab):
    says(ask(tab, "This fails"), "The server refused. Start it.")


def test_hostile_text_is_only_text(tab):
    answer = ask(tab, f"hostile {HOSTILE}")
    expect(tab.locator("#chat img, #paper-rows img")).to_have_count(0)
    assert tab.title() != "hit"
    says(answer, "<img src=")
    says(tab.locator("#chat p.question"), "<img src=")
    says(tab.locator("#paper-rows"), "${alert(1)} {{7}}")
    expect(tab.locator("#chat p.question .katex")).to_have_count(0)


def test_mathematics_renders_and_a_price_stays(tab):
    answer = ask(tab, "How many parameters?")
    tab.wait_for_selector("#chat .formula .katex")
    says(answer, "$5 and")


def test_ticked_papers_limit_the_question(tab, served):
    tab.check("#paper-rows li:has-text('Ours') input")
    says(tab.locator("#scope-note"), "1 paper")
    ask(tab, "How many parameters?")
    assert served.assistant.asked[-1][1] == ("ours.pdf",)
    tab.click("#scope-note .ask-all")
    expect(tab.locator("#paper-rows li:has-text('Ours') input").first).not_to_be_checked()
    ask(tab, "How many parameters?")
    assert served.assistant.asked[-1][1] == ()


def test_papers_are_found_read_and_named_with_their_problem(tab):
    broken = tab.locator("#paper-rows li:has(.problem)")
    broken.locator("summary").click()
    says(broken, re.compile("password|encrypted"))
    tab.fill("#paper-search", "theirs")
    expect(tab.locator("#paper-rows li:visible")).to_have_count(1)
    tab.fill("#paper-search", "")
    tab.click("#paper-rows .open-paper:has-text('Ours')")
    tab.wait_for_selector("#reading-pages .sheet.drawn")
    expect(tab.locator("#reading-title")).to_have_text("Ours: A Method")


def test_rebuild_shows_progress_and_keeps_the_ticks(tab, served):
    served.assistant.may_build.clear()
    tab.check("#paper-rows li:has-text('Ours') input")
    tab.click("#rebuild")
    tab.wait_for_selector("#build-status progress")
    says(tab.locator("#build-status"), "Reading 1 of 4 · a.pdf")
    says(tab.locator("#build-status"), "about 12 s left")
    says(ask(tab, "How many parameters?"), "220")
    shutil.copy(served.folder / "note.md", served.folder / "another.md")
    served.assistant.may_build.set()
    tab.wait_for_selector("#build-status .outcome")
    tab.wait_for_function("document.querySelectorAll('#paper-rows li').length === 5")
    expect(tab.locator("#paper-rows li:has-text('Ours') input").first).to_be_checked()
    expect(tab.locator("#paper-rows input:checked")).to_have_count(1)
    (served.folder / "another.md").unlink()


def test_an_example_is_asked_by_pressing_it(tab, served):
    example = tab.locator("#chat .example").first
    question = example.inner_text().strip()
    example.click()
    tab.wait_for_selector("#chat .answer:not(.coming)")
    assert served.assistant.asked[-1][0] == question


def test_one_slow_answer_does_not_hold_up_another_tab(tab, served, chromium_browser):
    tab.fill("#question textarea", "A long one")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming .answer-text")
    context = chromium_browser.new_context()
    other = context.new_page()
    other.goto(served.url)
    says(ask(other, "How many parameters?"), "220")
    context.close()
    expect(tab.locator("#chat .answer.coming")).to_have_count(1)
    tab.get_by_role("button", name="Stop").click()
    tab.wait_for_selector("#chat .answer:not(.coming)")


def test_the_copied_answer_is_clean(tab):
    ask(tab, "How many parameters?")
    pressed(tab.locator("#chat .copy-answer"), "Copied")
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("It has 220 million parameters [1]. Training took 11 hours [2].")
    assert f"[1] “{QUOTE}” Ours: A Method" in copied and "x_i" in copied and "<" not in copied


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system(served, chromium_browser, scheme):
    context = chromium_browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#paper-rows li")
    page.wait_for_function(
        """(light) => { const pane = getComputedStyle(document.getElementById('conversation'));
        const [red, green, blue] = pane.backgroundColor.match(/\\d+/g).map(Number);
        return (red + green + blue > 380) === light; }""",
        arg=scheme == "light",
    )
    context.close()


def test_a_phone_gets_one_pane_at_a_time(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    expect(page.locator("#library")).to_be_hidden()
    expect(page.locator("#reading")).to_be_hidden()
    page.click(".open-library")
    expect(page.locator("#paper-rows li").first).to_be_visible()
    page.click(".close-library")
    ask(page, "How many parameters?")
    page.locator("#chat button.cite").first.tap()
    page.wait_for_selector("#reading-pages .mark.chosen")
    expect(page.locator("#reading-pages .mark.chosen").first).to_be_in_viewport(ratio=1)
    page.click(".close-reading")
    expect(page.locator("#reading")).to_be_hidden()
    expect(page.locator("#chat .answer").first).to_be_visible()
    context.close()


def test_a_tap_on_an_answer_that_is_drawn_anew_meanwhile_opens_once(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    ask(page, "How many parameters?")
    page.evaluate(
        "document.addEventListener('click', (one) => { window.clicks = (window.clicks || 0) + one.isTrusted; })"
    )
    finger = context.new_cdp_session(page)
    box = page.locator("#chat button.cite").first.bounding_box()
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [place]})
    page.evaluate("{ const old = document.querySelector('#chat .answer'); old.replaceWith(old.cloneNode(true)); }")
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_selector("#reading-pages .mark.chosen")
    # The finger's own click came up on the pane that had opened: it must choose and close nothing there.
    page.locator("#reading-quote summary").tap()
    expect(page.locator("#reading-quote blockquote")).to_have_text(QUOTE)
    assert page.evaluate("window.clicks") == 1
    context.close()


def saved(tab, answer, form):
    """Presses one entry of the answer's menu; the file's name and bytes."""
    answer.locator(".export-menu summary").click()
    with tab.expect_download() as download:
        answer.get_by_role("button", name=form).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_an_answer_is_taken_away_as_files_that_hold(tab, served):
    answer = ask(tab, "How many parameters?")
    expect(answer.locator("button.export:visible")).to_have_count(0)  # the menu is closed
    name, markdown = saved(tab, answer, "Markdown")
    assert name == "answer-how-many-parameters.md"
    assert "It has 220 million parameters [^1]" in markdown.decode() and f"“{QUOTE}”" in markdown.decode()
    name, entries = saved(tab, answer, "BibTeX")
    assert name.endswith(".bib") and entries.count(b"@misc{") == 2
    name, evidence = saved(tab, answer, "Evidence")
    assert name.endswith(".json")
    checked = verify_quotes(read_evidence(evidence, name), served.folder, workers=1)
    assert [one.state for one in checked] == ["found", "found", "not found", "found"]
    expect(answer.get_by_role("button", name="CSV", include_hidden=True)).to_have_count(0)


def test_a_table_is_taken_away_as_csv_that_computes_nothing(tab):
    name, rows = saved(tab, ask(tab, "compare them"), "CSV")
    assert name == "answer-compare-them.csv"
    assert rows.decode() == "paper,name,size\nours.pdf,Ours,'=2+2 (p. 1)\n"


def test_what_a_quote_cites_is_shown_and_opens(tab):
    answer = ask(tab, "How many parameters?")
    cited = re.compile(re.escape("[8]: Nobody. A paper that is not here"))
    expect(answer.locator("button.cite").first).to_have_attribute("title", cited)
    open_first(tab)
    tab.click("#reading-quote summary")
    rows = tab.locator("#reading-references li")
    expect(rows.nth(1)).to_have_text(re.compile(r"^\s*\[8\] Nobody\."))
    says(rows.first, "<img src=")
    expect(rows.nth(1).locator("button")).to_have_count(0)
    rows.first.locator("button").click()
    tab.wait_for_function("document.getElementById('reading-title').textContent === 'Theirs: A Note'")
