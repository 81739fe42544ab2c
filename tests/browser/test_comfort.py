"""A headless Chromium reads for a while: nothing jumps, a number says what it means, the keyboard goes all the way."""

import re

import pytest

from rag_app.records import Answer
from tests.support.browser_page import LAST, QUOTE, ask, expect, open_first, pressed, says

SHIFTS = """window.shifts = [];
  new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shifts.push([one.value,
    one.sources.map((source) => [source.node && (source.node.id || source.node.className || source.node.nodeName),
      JSON.stringify(source.previousRect), JSON.stringify(source.currentRect)])]);
  }).observe({ type: 'layout-shift', buffered: true });"""


def test_nothing_jumps_while_the_words_come(tab):
    tab.evaluate(SHIFTS)
    ask(tab, "How many parameters?")
    ask(tab, "compare them")
    tab.wait_for_timeout(500)
    shifts = tab.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) < 0.05, shifts


def test_the_page_comes_up_without_jumping(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(SHIFTS)
    page.goto(served.url)
    page.wait_for_selector("#paper-rows li")
    page.wait_for_selector("#chat .example")
    page.wait_for_timeout(500)
    shifts = page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) < 0.1, shifts
    context.close()


def test_resting_on_a_number_shows_the_quote_and_leaving_hides_it(tab):
    ask(tab, "How many parameters?")
    tab.locator("#chat button.cite").first.hover()
    tab.wait_for_selector("#cite-card:visible")
    says(tab.locator("#cite-card"), QUOTE, "page\u00a01", "on the page")
    tab.locator("#chat button.cite.unverified").hover()
    tab.wait_for_selector("#cite-card.unverified:visible")
    says(tab.locator("#cite-card"), "not found on the page")
    tab.mouse.move(5, 5)
    tab.wait_for_selector("#cite-card", state="hidden")


def test_citations_are_gone_through_forwards_and_backwards(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    expect(tab.locator("#reading-citation")).to_have_text("Citation 1 of 4")
    tab.click("[data-do=citation]")
    tab.wait_for_function("document.getElementById('reading-citation').textContent === 'Citation 2 of 4'")
    expect(tab.locator("#reading-quote blockquote")).to_contain_text(LAST)
    tab.click("[data-do=before]")
    tab.wait_for_function("document.getElementById('reading-citation').textContent === 'Citation 1 of 4'")
    tab.click("[data-do=before]")
    tab.wait_for_function("document.getElementById('reading-citation').textContent === 'Citation 4 of 4'")


def test_the_text_of_the_page_can_be_taken_and_the_quote_stands_in_it(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.click("#reading-more summary")
    tab.click("[data-do=text]")
    expect(tab.locator("#reading-pages .sheet.text mark").first).to_have_text(QUOTE)
    says(tab.locator("#reading-pages .sheet.text"), "We describe it.")
    tab.click("#reading-more summary")
    pressed(tab.locator("[data-do=copy-page]"), "Copied")
    assert QUOTE in " ".join(tab.evaluate("navigator.clipboard.readText()").split())
    tab.click("[data-do=text]")
    tab.wait_for_selector("#reading-pages .mark.chosen")


def test_the_zoom_is_kept(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.click("[data-do=larger]")
    wide = "document.getElementById('reading-pages').style.getPropertyValue('--scale') === '1.25'"
    tab.wait_for_function(wide)
    tab.again()
    tab.wait_for_selector("#chat button.cite")
    open_first(tab)
    tab.wait_for_function(wide)


def tabbed_to(tab, selector, most=80):
    """Press Tab until the focus is on what is wanted."""
    for _ in range(most):
        tab.keyboard.press("Tab")
        if tab.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    pytest.fail(f"the keyboard does not reach {selector}")


def test_the_keyboard_goes_from_the_question_to_the_table_that_is_taken_away(tab):
    tab.focus("#question textarea")
    tab.keyboard.type("How many parameters?")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat .answer:not(.coming)")
    tab.evaluate("document.querySelector('.new-conversation').focus()")
    tabbed_to(tab, "#chat button.cite")
    tab.wait_for_selector("#cite-card:visible")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#reading-pages .mark.chosen")
    tab.keyboard.press("n")
    tab.wait_for_function("document.getElementById('reading-citation').textContent === 'Citation 2 of 4'")
    tab.focus("#question textarea")
    tab.keyboard.type("compare them now, no n or p may move the page")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat .answer:not(.coming) .compared[tabindex]")
    expect(tab.locator("#reading-citation")).to_have_text("Citation 2 of 4")
    tab.evaluate("document.querySelector('#chat .compared').focus()")
    tabbed_to(tab, "#chat .export-menu summary")
    tab.keyboard.press("Enter")
    tabbed_to(tab, "#chat button.export[value$=csv]")
    with tab.expect_download() as download:
        tab.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".csv")


def test_a_screen_reader_is_told_what_happens_and_what_a_number_is(tab, served):
    tab.evaluate(
        """() => { window.said = []; const place = document.getElementById('spoken');
        new MutationObserver(() => window.said.push(place.textContent)).observe(place, { childList: true }); }"""
    )
    with served.assistant.held():
        tab.fill("#question textarea", "How many parameters?")
        tab.press("#question textarea", "Enter")
        tab.wait_for_function("window.said.some((one) => ['searching 2 papers', 'reading 3 passages'].includes(one))")
    tab.wait_for_function("window.said.at(-1) === 'The answer is ready, with 4 citations.'")
    expect(tab.locator("#chat [role=log]")).to_have_attribute("aria-live", "off")
    expect(tab.get_by_role("button", name=f"Citation 1: “{QUOTE}”").first).to_be_visible()


def test_the_first_look_says_what_it_can_and_who_reads(tab):
    tab.wait_for_selector("#chat .example")
    tab.wait_for_function("document.querySelector('.who-reads').textContent.includes('quotes only')")
    expect(tab.locator("#chat .example")).to_have_text([re.compile("Ours|Theirs|<img src=")] * 3)


def test_there_is_no_bin_that_touches_the_question(tab):
    ask(tab, "How many parameters?")
    tab.locator("#chat .asked-question").hover()
    expect(tab.locator("#chat button[aria-label=Clear]:visible")).to_have_count(0)


def above(tab, place, selector):
    """The place ends where the other begins, or higher."""
    ends = """([place, other]) => place.getBoundingClientRect().bottom
        <= document.querySelector(other).getBoundingClientRect().top + 1"""
    tab.wait_for_function(ends, arg=[place.element_handle(), selector])


def test_the_plan_is_opened_by_its_button_and_covers_nothing(tab):
    tab.set_viewport_size({"width": 1280, "height": 620})
    answer = ask(tab, "compare them")
    expect(tab.locator("#plan")).to_be_hidden()
    answer.locator(".footer").scroll_into_view_if_needed()
    above(tab, answer.locator(".footer"), "#question")
    tab.click(".change-plan")
    tab.wait_for_selector("#plan >> visible=true")
    answer.locator(".footer").scroll_into_view_if_needed()
    above(tab, answer.locator(".footer"), "#plan")
    tab.click(".change-plan")
    expect(tab.locator("#plan")).to_be_hidden()


def test_a_conversation_that_is_chosen_in_a_narrow_window_is_seen_at_once(tab):
    ask(tab, "How many parameters?")
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.click(".open-library")
    tab.wait_for_selector("#library >> visible=true")
    tab.click("#tab-conversations")
    tab.click("#history-rows .open-conversation >> nth=0")
    tab.wait_for_selector("#library", state="hidden")
    expect(tab.locator("#chat .answer").first).to_be_visible()


def test_the_map_shows_the_papers_and_the_pages_that_answers_quoted(tab):
    ask(tab, "How many parameters?")
    tab.click(".open-map")
    points = tab.locator("#map g.point")
    expect(points).to_have_count(3)
    expect(points.nth(2)).to_have_attribute("aria-label", re.compile("Ours: A Method; group pdf; quoted"))
    tab.locator("#map g.point[tabindex='0']").focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("document.activeElement.getAttribute('data-number') === '2'")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.getElementById('reading-title').textContent === 'Ours: A Method'")
    expect(tab.locator("#map")).to_be_hidden()
    tab.click(".open-map")
    last = tab.locator("#map .used li:has-text('Ours') .map-page").last
    page = last.inner_text().split()[1]
    last.click()
    expect(tab.locator("#reading-number")).to_have_value(page)
    tab.click(".open-map")
    tab.keyboard.press("Escape")
    expect(tab.locator("#map")).to_be_hidden()


def test_formulas_code_and_tables_of_a_model_are_drawn_and_prices_are_not(tab, served):
    text = "One \\(a_1\\), two $b_2$, costs $5 or $7.\n\n\\[c_3 = 1\\]\n\n```\nfor x in y: pass\n```\n\n"
    text += "| p | q |\n|---|---|\n| 1 | 2 |\n"
    served.assistant.answers["drawn"] = Answer("", "q", "answered", text, "small-model")
    answer = ask(tab, "all drawn")
    tab.wait_for_function("document.querySelectorAll('#chat .formula .katex').length === 3")
    expect(tab.locator("#chat .formula .katex-display")).to_have_count(1)
    says(answer, "costs $5 or $7.")
    expect(answer.locator("pre code")).to_have_text("for x in y: pass")
    expect(answer.locator(".table td")).to_have_text(["1", "2"])
    pressed(answer.locator(".copy-answer"), "Copied")
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert "a_1" in copied and "for x in y: pass" in copied and "costs $5 or $7." in copied


def test_the_edge_behind_which_more_stands_fades(tab):
    tab.set_viewport_size({"width": 500, "height": 800})
    ask(tab, "compare them " + "and say why " * 80)
    expect(tab.locator("#chat p.question.more-below")).to_have_count(1)
    table = tab.locator("#chat .compared")
    expect(table).not_to_have_class(re.compile("more-right"))
    tab.evaluate("document.querySelector('#chat .compared td').style.minWidth = '900px'")
    expect(table).to_have_class(re.compile("more-right"))
    tab.evaluate("document.querySelector('#chat .compared').scrollLeft = 5000")
    expect(table).not_to_have_class(re.compile("more-right"))


def test_what_the_page_presses_itself_closes_nothing(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.click("#chat .export-menu summary")
    tab.wait_for_selector("#chat .export-menu[open]")
    tab.evaluate("document.querySelector('#reading details.menu').open = true")
    tab.evaluate("document.querySelector('#news').click()")  # as at each news of a build
    assert tab.locator("#chat .export-menu[open]").count() == 1
    assert tab.locator("#reading details.menu[open]").count() == 1
    tab.click("#chat p.question")
    tab.wait_for_selector("#chat .export-menu[open]", state="detached")
    tab.wait_for_selector("#reading details.menu[open]", state="detached")


def test_the_keyboard_stays_on_a_number_of_an_answer_that_is_drawn_anew(tab):
    ask(tab, "How many parameters?")
    ask(tab, "How many parameters?")  # the same places stand twice on the page
    tab.focus("#question textarea")
    tab.evaluate("document.querySelector('.new-conversation').focus()")
    tabbed_to(tab, "#chat button.cite")
    tab.wait_for_selector("#cite-card:visible")
    tab.evaluate("""() => {
      window.at = Array.from(document.querySelectorAll('#chat button.cite')).indexOf(document.activeElement);
      for (const answer of document.querySelectorAll('#chat .answer')) answer.replaceWith(answer.cloneNode(true));
    }""")
    tab.wait_for_function("document.activeElement === document.querySelectorAll('#chat button.cite')[window.at]")
    assert tab.evaluate("window.at") == 0
    tab.wait_for_selector("#cite-card:visible")
