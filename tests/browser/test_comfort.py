"""A headless Chromium reads for a while: nothing jumps, a number says what it means, the keyboard goes all the way."""

import pytest
from test_page import (  # noqa: F401  # fixtures
    LAST,
    QUOTE,
    ask,
    chromium_browser,
    open_first,
    saved,
    served,
    tab,
)

from rag_app.records import Answer

SHIFTS = """window.shifts = [];
  new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shifts.push([one.value,
    one.sources.map((source) => [source.node && (source.node.id || source.node.className || source.node.nodeName),
      JSON.stringify(source.previousRect), JSON.stringify(source.currentRect)])]);
  }).observe({ type: 'layout-shift', buffered: true });"""


def test_nothing_jumps_while_the_words_come(tab):  # noqa: F811
    tab.evaluate(SHIFTS)
    ask(tab, "How many parameters?")
    ask(tab, "compare them")
    tab.wait_for_timeout(500)
    shifts = tab.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) < 0.05, shifts


def test_the_page_comes_up_without_jumping(served, chromium_browser):  # noqa: F811
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


def test_resting_on_a_number_shows_the_quote_and_leaving_hides_it(tab):  # noqa: F811
    ask(tab, "How many parameters?")
    tab.locator("#chat button.cite").first.hover()
    tab.wait_for_selector("#cite-card:visible")
    said = tab.inner_text("#cite-card")
    assert QUOTE in said and "page\u00a01" in said and "on the page" in said
    tab.locator("#chat button.cite.unverified").hover()
    tab.wait_for_selector("#cite-card.unverified:visible")
    assert "not found on the page" in tab.inner_text("#cite-card")
    tab.mouse.move(5, 5)
    tab.wait_for_selector("#cite-card", state="hidden")


def test_citations_are_gone_through_forwards_and_backwards(tab):  # noqa: F811
    ask(tab, "How many parameters?")
    open_first(tab)
    assert tab.inner_text("#reading-citation") == "Citation 1 of 4"
    tab.click("[data-do=citation]")
    tab.wait_for_function("document.getElementById('reading-citation').textContent === 'Citation 2 of 4'")
    assert LAST in tab.text_content("#reading-quote blockquote")
    tab.click("[data-do=before]")
    tab.wait_for_function("document.getElementById('reading-citation').textContent === 'Citation 1 of 4'")
    tab.click("[data-do=before]")
    tab.wait_for_function("document.getElementById('reading-citation').textContent === 'Citation 4 of 4'")


def test_the_text_of_the_page_can_be_taken_and_the_quote_stands_in_it(tab):  # noqa: F811
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.click("[data-do=text]")
    tab.wait_for_selector("#reading-text mark")
    assert " ".join(tab.inner_text("#reading-text mark").split()) == QUOTE
    assert "We describe it." in tab.inner_text("#reading-text")
    tab.click("#reading-quote summary")
    tab.click("[data-do=copy-page]")
    tab.wait_for_function("document.querySelector('[data-do=copy-page]').textContent === 'Copied'")
    assert QUOTE in " ".join(tab.evaluate("navigator.clipboard.readText()").split())
    tab.click("[data-do=text]")
    tab.wait_for_selector("#reading-marks .mark")


def test_the_zoom_is_kept(tab):  # noqa: F811
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.click("[data-do=larger]")
    width = tab.evaluate("document.getElementById('reading-sheet').style.width")
    tab.reload()
    tab.wait_for_selector("#chat button.cite")
    open_first(tab)
    assert tab.evaluate("document.getElementById('reading-sheet').style.width") == width == "125%"


def tabbed_to(tab, selector, most=80):  # noqa: F811
    """Press Tab until the focus is on what is wanted."""
    for _ in range(most):
        tab.keyboard.press("Tab")
        if tab.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    pytest.fail(f"the keyboard does not reach {selector}")


def test_the_keyboard_goes_from_the_question_to_the_table_that_is_taken_away(tab):  # noqa: F811
    tab.focus("#question textarea")
    tab.keyboard.type("How many parameters?")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat .answer:not(.coming)")
    tab.evaluate("document.querySelector('.new-conversation').focus()")
    tabbed_to(tab, "#chat button.cite")
    tab.wait_for_selector("#cite-card:visible")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#reading-marks .mark")
    tab.keyboard.press("n")
    tab.wait_for_function("document.getElementById('reading-citation').textContent === 'Citation 2 of 4'")
    tab.focus("#question textarea")
    tab.keyboard.type("compare them now, no n or p may move the page")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat .compared")
    assert tab.inner_text("#reading-citation") == "Citation 2 of 4"
    tab.evaluate("document.querySelector('#chat .compared').focus()")
    tabbed_to(tab, "#chat .export-menu summary")
    tab.keyboard.press("Enter")
    tabbed_to(tab, "#chat button.export[value$=csv]")
    with tab.expect_download() as download:
        tab.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".csv")


def test_a_screen_reader_is_told_what_happens_and_what_a_number_is(tab):  # noqa: F811
    tab.evaluate(
        """() => { window.said = []; const place = document.getElementById('spoken');
        new MutationObserver(() => window.said.push(place.textContent)).observe(place, { childList: true }); }"""
    )
    ask(tab, "How many parameters?")
    tab.wait_for_function("window.said.at(-1) === 'The answer is there, with 4 citations.'")
    assert "searching 2 papers" in tab.evaluate("window.said") or "reading 3 passages" in tab.evaluate("window.said")
    assert tab.get_attribute("#chat [role=log]", "aria-live") == "off"
    named = tab.get_by_role("button", name=f"Citation 1: “{QUOTE}”").first
    assert named.is_visible()


def test_the_first_look_says_what_it_can_and_who_reads(tab):  # noqa: F811
    tab.wait_for_selector("#chat .example")
    tab.wait_for_function("document.querySelector('.who-reads').textContent.includes('quoting')")
    examples = tab.locator("#chat .example").all_inner_texts()
    assert len(examples) == 3 and all("Ours" in example or "Theirs" in example for example in examples)


def test_there_is_no_bin_that_touches_the_question(tab):  # noqa: F811
    ask(tab, "How many parameters?")
    tab.locator("#chat .asked-question").hover()
    assert not any(button.is_visible() for button in tab.locator("#chat button[aria-label=Clear]").all())


def test_the_plan_is_opened_by_its_button_and_covers_nothing(tab):  # noqa: F811
    tab.set_viewport_size({"width": 1280, "height": 620})
    answer = ask(tab, "compare them")
    assert tab.is_hidden("#plan")
    answer.locator(".footer").scroll_into_view_if_needed()
    footer, box = answer.locator(".footer").bounding_box(), tab.locator("#question").bounding_box()
    assert footer["y"] + footer["height"] <= box["y"]
    tab.click(".change-plan")
    tab.wait_for_selector("#plan >> visible=true")
    answer.locator(".footer").scroll_into_view_if_needed()
    footer, plan = answer.locator(".footer").bounding_box(), tab.locator("#plan").bounding_box()
    assert footer["y"] + footer["height"] <= plan["y"]
    tab.click(".change-plan")
    assert tab.is_hidden("#plan")


def test_a_conversation_that_is_chosen_in_a_narrow_window_is_seen_at_once(tab):  # noqa: F811
    ask(tab, "How many parameters?")
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.click(".open-library")
    tab.wait_for_selector("#library >> visible=true")
    tab.click("#history-rows .open-conversation >> nth=0")
    tab.wait_for_selector("#library", state="hidden")
    assert tab.is_visible("#chat .answer")


def test_the_map_shows_the_papers_and_the_pages_that_answers_quoted(tab):  # noqa: F811
    ask(tab, "How many parameters?")
    tab.click(".open-map")
    tab.wait_for_selector("#map g.point")
    points = tab.locator("#map g.point")
    assert points.count() == 3
    assert "Ours: A Method; group pdf; quoted" in points.nth(2).get_attribute("aria-label")
    tab.locator("#map g.point[tabindex='0']").focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.getAttribute('data-number')") == "2"
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.getElementById('reading-title').textContent === 'Ours: A Method'")
    assert tab.is_hidden("#map")
    tab.click(".open-map")
    last = tab.locator("#map .used li:has-text('Ours') .map-page").last
    page = last.inner_text().split()[1]
    last.click()
    tab.wait_for_function(
        "(page) => document.getElementById('reading-page').textContent.startsWith(page + ' /')", arg=page
    )
    tab.click(".open-map")
    tab.keyboard.press("Escape")
    assert tab.is_hidden("#map")


def test_formulas_code_and_tables_of_a_model_are_drawn_and_prices_are_not(tab, served):  # noqa: F811
    text = "One \\(a_1\\), two $b_2$, costs $5 or $7.\n\n\\[c_3 = 1\\]\n\n```\nfor x in y: pass\n```\n\n"
    text += "| p | q |\n|---|---|\n| 1 | 2 |\n"
    served.assistant.answers["drawn"] = Answer("", "q", "answered", text, "small-model")
    answer = ask(tab, "all drawn")
    tab.wait_for_function("document.querySelectorAll('#chat .formula .katex').length === 3")
    assert tab.locator("#chat .formula .katex-display").count() == 1
    assert "costs $5 or $7." in answer.inner_text()
    assert answer.locator("pre code").inner_text().strip() == "for x in y: pass"
    assert answer.locator(".table td").all_inner_texts() == ["1", "2"]
    answer.locator(".copy-answer").click()
    tab.wait_for_function("document.querySelector('.copy-answer').textContent === 'Copied'")
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert "a_1" in copied and "for x in y: pass" in copied and "costs $5 or $7." in copied
