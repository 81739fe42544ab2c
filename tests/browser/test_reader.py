"""The reading pane as a reader of PDFs: one scroll, selectable words, found words, all citations of an answer."""

import pytest

from tests.support.browser_page import LAST, ask, expect, open_first

SELECTED = """(words) => { const line = [...document.querySelectorAll('.words span')]
    .find((one) => one.textContent.includes(words));
  const range = document.createRange(); range.selectNodeContents(line);
  getSelection().removeAllRanges(); getSelection().addRange(range);
  const box = line.getBoundingClientRect(), sheet = line.closest('.sheet').getBoundingClientRect();
  const part = (x) => (x - sheet.left) / sheet.width;
  return [getSelection().toString(), part(box.left), part(box.right)]; }"""


def test_the_pane_is_closed_until_it_is_needed_and_escape_returns_to_the_number(tab):
    expect(tab.locator("#reading")).to_be_hidden()
    ask(tab, "How many parameters?")
    expect(tab.locator("#reading")).to_be_hidden()
    tab.locator("#chat button.cite").first.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#reading-pages .mark.chosen")
    tab.keyboard.press("Escape")
    expect(tab.locator("#reading")).to_be_hidden()
    tab.wait_for_function("document.activeElement.matches('#chat button.cite')")


def test_the_whole_paper_is_one_scroll_and_only_near_pages_are_drawn(tab, served):
    ask(tab, "How many parameters?")
    open_first(tab)
    pages = len(served.assistant.reading("ours.pdf").pages)
    expect(tab.locator("#reading-pages .sheet")).to_have_count(pages)
    tab.evaluate("const pane = document.getElementById('reading-scroll'); pane.scrollTop = pane.scrollHeight")
    tab.wait_for_selector(f".sheet.drawn[data-page='{pages}']")
    expect(tab.locator("#reading-number")).to_have_value(str(pages))
    tab.fill("#reading-number", "1")
    tab.press("#reading-number", "Enter")
    expect(tab.locator("#reading-pages .mark.chosen").first).to_be_in_viewport()


def test_all_citations_of_the_answer_are_marked_and_a_pale_one_can_be_chosen(tab, served):
    ask(tab, "How many parameters?")
    open_first(tab)
    pages = len(served.assistant.reading("ours.pdf").pages)
    tab.fill("#reading-number", str(pages))
    tab.press("#reading-number", "Enter")
    pale = tab.locator(f".sheet[data-page='{pages}'] .mark.pale")
    expect(pale).not_to_have_count(0)
    pale.first.scroll_into_view_if_needed()
    box = pale.first.bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(tab.locator(f".sheet[data-page='{pages}'] .mark.chosen")).not_to_have_count(0)
    expect(tab.locator("#reading-quote blockquote")).to_have_text(LAST)
    expect(tab.locator("#chat button.cite.now-open")).to_have_text("2")


def test_the_words_of_a_page_can_be_selected_where_they_are_printed(tab, served):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.wait_for_selector(".sheet[data-page='1'] .words span")
    words, left, right = tab.evaluate(SELECTED, "220 million")
    assert "220 million" in words
    page = served.assistant.page("ours.pdf", 1)
    at = page.text.index("220 million")
    row = next(row for row, start in enumerate(page.words.starts) if start >= at)
    box = page.words.boxes[row] / page.width
    assert left <= box[0] + 0.01 and right >= box[2] - 0.01


def test_what_is_copied_keeps_its_words_apart(tab, served):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.wait_for_selector(".sheet[data-page='1'] .words span")
    tab.evaluate("getSelection().selectAllChildren(document.querySelector(\".sheet[data-page='1'] .words\"))")
    tab.evaluate("document.execCommand('copy')")
    copied = tab.evaluate("navigator.clipboard.readText()")
    words = served.assistant.page("ours.pdf", 1).text.split()
    assert [word for word in words if word not in copied.split()] == []
    tab.evaluate("getSelection().removeAllRanges()")


def test_forced_colours_leave_the_page_under_its_words(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900}, forced_colors="active")
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    ask(page, "How many parameters?")
    open_first(page)
    page.wait_for_selector(".sheet .words span")
    seen = page.evaluate("getComputedStyle(document.querySelector('.sheet .words span')).color")
    assert seen == "rgba(0, 0, 0, 0)"
    context.close()


def test_words_are_found_in_the_paper_and_stepped_through(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.locator("#reading-scroll").focus()
    tab.keyboard.press("Control+f")
    tab.keyboard.type("FILLER  sentence 7 says")
    expect(tab.locator("#reading-found")).to_have_text("1 / 2")
    expect(tab.locator(".hit.now").first).to_be_in_viewport()
    tab.keyboard.press("Enter")
    expect(tab.locator("#reading-found")).to_have_text("2 / 2")
    tab.keyboard.press("Shift+Enter")
    expect(tab.locator("#reading-found")).to_have_text("1 / 2")
    tab.fill("#reading-words", "no such words")
    expect(tab.locator("#reading-found")).to_have_text("Not found")
    tab.keyboard.press("Escape")
    expect(tab.locator("#reading-find")).to_be_hidden()
    expect(tab.locator("#reading")).to_be_visible()


def test_the_outline_leads_to_a_section(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    tab.click("#reading-outline summary")
    overlap = """() => { const rows = [...document.querySelectorAll('#reading-outline .heading')];
      rows[0].prepend('A heading that is far too long for one line of the outline, so that it goes on in another one');
      const box = (at) => rows[at].getBoundingClientRect();
      return rows.some((one, at) => (at && box(at).top < box(at - 1).bottom - 1)
        || one.scrollHeight > one.clientHeight + 1); }"""
    assert not tab.evaluate(overlap)
    tab.click("#reading-outline button:has-text('2 Results')")
    expect(tab.locator("#reading-place")).to_contain_text("Results")


def test_the_mark_stays_in_view_while_the_size_changes(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    for _ in range(3):
        tab.click("[data-do=larger]")
        expect(tab.locator("#reading-pages .mark.chosen").first).to_be_in_viewport()
    tab.click("[data-do=fit]")
    tab.wait_for_function("""() => { const pane = document.getElementById('reading-scroll');
        return pane.scrollWidth <= pane.clientWidth + 1; }""")
    expect(tab.locator("#reading-pages .mark.chosen").first).to_be_in_viewport()


def test_the_split_is_moved_by_mouse_and_keyboard_and_kept(tab):
    ask(tab, "How many parameters?")
    open_first(tab)
    wide = tab.locator("#reading").bounding_box()["width"]
    split = tab.locator("#split").bounding_box()
    tab.mouse.move(split["x"] + 4, 400)
    tab.mouse.down()
    tab.mouse.move(split["x"] - 120, 400)
    tab.mouse.up()
    tab.wait_for_function("(width) => document.getElementById('reading').clientWidth > width + 80", arg=wide)
    dragged = tab.locator("#reading").bounding_box()["width"]
    tab.focus("#split")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("(width) => document.getElementById('reading').clientWidth < width - 20", arg=dragged)
    narrower = tab.locator("#reading").bounding_box()["width"]
    tab.again()
    open_first(tab)
    tab.wait_for_function(
        "(width) => Math.abs(document.getElementById('reading').clientWidth - width) < 12", arg=narrower
    )


def test_on_a_phone_the_marked_column_takes_the_width(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    ask(page, "How many parameters?")
    page.locator("#chat button.cite").first.tap()
    page.wait_for_selector("#reading-pages .sheet.drawn .mark.chosen")
    mark = page.locator("#reading-pages .mark.chosen").first
    expect(mark).to_be_in_viewport(ratio=1)
    sheet = page.locator(".sheet.drawn").first.bounding_box()
    assert sheet["width"] > 390 * 1.4  # a page of two columns: one of them fills the screen
    context.close()


@pytest.mark.parametrize("width", [1024, 1440, 2560])
def test_no_width_makes_the_window_scroll_sideways(served, chromium_browser, width):
    context = chromium_browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    ask(page, "How many parameters?")
    open_first(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#chat .answer-text").first).to_be_in_viewport()
    context.close()
