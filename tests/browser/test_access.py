"""The page for everybody: what axe finds in each state, in light and in dark, and on a small screen."""

import pytest

from tests.support.accessibility import findings
from tests.support.browser_page import ask, open_first


@pytest.fixture(params=["light", "dark"])
def tab(request, served, chromium_browser):
    context = chromium_browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme=request.param, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#paper-rows li")
    page.wait_for_selector("#chat .example")
    yield page
    context.close()


def test_empty(tab):
    assert findings(tab) == set()


def test_an_answer_that_is_coming(tab):
    tab.fill("#question textarea", "A long one")
    tab.press("#question textarea", "Enter")
    tab.wait_for_selector("#chat .answer.coming .answer-text")
    assert findings(tab) == set()
    tab.get_by_role("button", name="Stop").click()
    tab.wait_for_selector("#chat .answer:not(.coming)")


def test_an_answer_with_its_page(tab):
    ask(tab, "How many parameters?")
    assert findings(tab) == set()
    open_first(tab)
    tab.click("#reading-quote summary")
    assert findings(tab) == set()
    tab.click("#chat button.cite.unverified")
    tab.wait_for_selector("#reading-note.bad")
    assert findings(tab) == set()
    tab.click("#chat .export-menu summary")
    tab.click("#chat .doubts summary")
    tab.click("#reader-note .open-settings")
    assert findings(tab) == set()


@pytest.mark.parametrize("question", ["What is the weather?", "compare them", "This fails"])
def test_other_answers(tab, question):
    ask(tab, question)
    assert findings(tab) == set()


def test_the_map(tab):
    ask(tab, "How many parameters?")
    tab.click(".open-map")
    tab.wait_for_selector("#map .map-page")
    assert findings(tab) == set()


def test_the_plan_of_a_comparison(tab):
    ask(tab, "compare them")
    tab.click(".fill-screen")
    assert findings(tab) == set()
    tab.keyboard.press("Escape")
    tab.click(".change-plan")
    tab.wait_for_selector("#plan input, #plan textarea")
    assert findings(tab) == set()


def test_a_small_screen(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    assert findings(page) == set()
    page.click(".open-library")
    assert findings(page) == set()
    page.locator("#paper-rows li:has-text('Ours') .about-paper").tap()
    card = page.locator("dialog[open]")
    card.wait_for()
    assert findings(page) == set()
    box = card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    page.keyboard.press("Escape")
    card.wait_for(state="detached")
    page.click(".close-library")
    page.click(".open-map")
    page.wait_for_selector("#map g.point")
    assert findings(page) == set()
    first, drawing = (
        page.locator("#map g.point path").first.bounding_box(),
        page.locator("#map .map-drawing svg").bounding_box(),
    )
    assert 0 <= first["x"] - drawing["x"] < 60  # no empty edge pushes the papers out of sight
    page.click(".close-map")
    ask(page, "How many parameters?")
    page.locator("#chat button.cite").first.tap()
    page.wait_for_selector("#reading-pages .mark.chosen")
    assert findings(page) == set()
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    context.close()


@pytest.mark.parametrize("width", [1024, 2560])
def test_other_widths_with_a_table_and_its_page(served, chromium_browser, width):
    context = chromium_browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    ask(page, "compare them")
    page.locator("#chat button.cite").first.click()
    page.wait_for_selector("#reading-pages .mark.chosen")
    assert findings(page) == set()
    page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")
    context.close()


def test_more_contrast_draws_borders_in_the_colour_of_the_text(served, chromium_browser):
    context = chromium_browser.new_context(contrast="more")
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    edge, text = page.evaluate(
        """() => { const style = getComputedStyle(document.getElementById('paper-search'));
        return [style.borderTopColor, style.color]; }"""
    )
    assert edge == text
    context.close()


def walk(page):
    """Every state of the page in one visit; yields the name of each."""
    yield "welcome"
    ask(page, "How many parameters?")
    page.click("#chat .doubts summary")
    page.click("#chat .export-menu summary")
    yield "an answer"
    page.keyboard.press("Escape")
    open_first(page)
    yield "a cited page"
    page.click(".close-reading")
    for question in ("compare them", "What is the weather?", "This fails"):
        ask(page, question)
        yield question
    for place in ("conversations", "notes"):
        drawer = not page.locator(f"#tab-{place}").is_visible()
        if drawer:
            page.click(".open-library")
        page.click(f"#tab-{place}")
        yield place
        if drawer:
            page.click(".close-library")


@pytest.mark.parametrize(
    ("width", "colors", "forced"),
    [
        (390, "dark", "none"),
        (390, "light", "active"),
        (1024, "dark", "none"),
        (1440, "light", "active"),
        (2560, "light", "none"),
        (2560, "dark", "active"),
    ],
)
def test_every_state_at_other_widths_and_looks(served, chromium_browser, width, colors, forced):
    context = chromium_browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=colors, forced_colors=forced, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    found = {state: findings(page) for state in walk(page)}
    assert {state: some for state, some in found.items() if some} == {}
    page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")
    context.close()
