"""The library's two tabs, its order and choice, chips, a paper's card; the question box by keyboard; and quiet."""

import re

import pytest

from rag_app.answering.tables.comparison import table_to_markdown
from rag_app.records import Answer, AnswerPlan, Cell, Row, SearchSummary, Statement, Table
from tests.support.accessibility import findings
from tests.support.browser_page import FILLER, LAST, QUOTE, ask, expect, says


def test_two_tabs_share_the_pane(tab):
    expect(tab.locator("#history")).to_be_hidden()
    tab.focus("#tab-papers")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#tab-conversations")).to_be_focused()
    expect(tab.locator("#history-search")).to_be_visible()
    expect(tab.locator("#paper-rows")).to_be_hidden()
    tab.again()
    expect(tab.locator("#history-search")).to_be_visible()  # a reload comes back to the tab
    tab.click("#tab-papers")
    expect(tab.locator("#paper-rows li").first).to_be_visible()


def test_papers_are_chosen_by_what_is_wrong_with_them_and_by_ticks(tab):
    tab.select_option("#paper-filter", "problems")
    expect(tab.locator("#paper-rows li:visible")).to_have_count(1)
    tab.select_option("#paper-filter", "all")
    tab.check("#paper-rows li:has-text('Ours') input")
    tab.select_option("#paper-filter", "ticked")
    expect(tab.locator("#paper-rows li:visible .open-paper")).to_have_text("Ours: A Method")


def test_the_most_quoted_paper_comes_first_when_it_is_asked_for(tab):
    ask(tab, "How many parameters?")
    tab.select_option("#paper-sort", "cited")
    orders = """() => [...document.querySelectorAll('#paper-rows li')]
        .sort((one, other) => one.style.order - other.style.order).map((row) => row.dataset.title)"""
    tab.wait_for_function(f"({orders})()[0].startsWith('ours')")


def test_chosen_papers_are_chips_in_front_of_the_question(tab, served):
    tab.check("#paper-rows li:has-text('Ours') input")
    tab.check("#paper-rows li:has-text('Theirs') input")
    expect(tab.locator("#scope-note .chip")).to_have_text(["Ours", "Theirs"])
    tab.click("#scope-note .chip:has-text('Theirs')")
    ask(tab, "How many parameters?")
    assert served.assistant.asked[-1][1] == ("ours.pdf",)


def test_the_card_of_a_paper_tells_what_it_is_and_limits_the_question_to_it(tab, served):
    row = tab.locator("#paper-rows li:has-text('Ours')")
    row.hover()
    row.locator(".about-paper").click()
    card = tab.locator("dialog.paper-card")
    says(card, "Ours: A Method", "Ada Lovelace", "ours.pdf")
    assert findings(tab) == set()
    card.get_by_role("button", name="Ask only this paper").click()
    expect(card).to_have_count(0)
    ask(tab, "How many parameters?")
    assert served.assistant.asked[-1][1] == ("ours.pdf",)


def test_the_welcome_says_what_is_in_the_library(tab):
    says(tab.locator(".library-facts"), "4 papers", "1 cannot be read")
    tab.wait_for_selector("#chat .example")


def test_from_the_question_to_the_cited_page_in_three_presses(tab):
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press("/")
    expect(tab.locator("#question textarea")).to_be_focused()
    tab.keyboard.type("How many parameters?")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat .answer:not(.coming)")
    expect(tab.locator("#question textarea")).to_have_value("")
    tab.keyboard.press("Tab")
    expect(tab.locator("#chat button.cite").first).to_be_focused()
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#reading-pages .sheet.drawn .mark.chosen")
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press("/")
    tab.keyboard.press("ArrowUp")
    expect(tab.locator("#question textarea")).to_have_value("How many parameters?")


def test_the_first_stop_of_the_keyboard_leads_to_the_question(tab):
    tab.evaluate("document.activeElement.blur()")
    tab.locator(".skips a").first.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#question textarea")).to_be_focused()


def test_text_that_does_not_fit_is_not_cut_in_silence(tab):
    tab.evaluate("navigator.clipboard.writeText('word '.repeat(3000))")
    tab.focus("#question textarea")
    tab.keyboard.press("Control+v")
    says(tab.locator("#question-note"), "Only the first 8,000 characters fit")
    tab.fill("#question textarea", "short")
    expect(tab.locator("#question-note")).to_have_text("")


def test_a_comparison_is_sorted_fills_the_screen_and_is_copied(tab):
    answer = ask(tab, "compare them")
    answer.locator(".sort-column").first.click()
    expect(answer.locator("th[aria-sort=ascending]")).to_have_count(1)
    answer.locator(".fill-screen").click()
    box = answer.locator(".comparison").bounding_box()
    assert box["width"] == tab.viewport_size["width"] and box["height"] == tab.viewport_size["height"]
    tab.keyboard.press("Escape")
    expect(answer.locator(".comparison.full")).to_have_count(0)
    answer.locator(".copy-table").click()
    expect(answer.locator(".copy-table")).to_have_text("Copied")
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[0] == "|  | size |" and "| Ours | =2+2 [1] |" in copied
    html = "navigator.clipboard.read().then((all) => all[0].getType('text/html')).then((one) => one.text())"
    copied = tab.evaluate(html)  # what a spreadsheet takes: a cell in one piece, and nothing that it would compute
    assert re.search(r"<tr[^>]*><th[^>]*>Ours</th><td>'=2\+2 \[1\]</td></tr>", copied) and "class" not in copied


def test_no_cell_that_is_copied_is_computed(tab, served):
    said = ["-2+3+cmd|' /C calc'!A0", "+ 1+2", "-.5+cmd|x", "＝1+1", "-40.5 %", "+3 points"]
    rows = tuple(Row(f"{n}.pdf", f"P{n}", (Cell(text, (1,)),)) for n, text in enumerate(said))
    quoted = served.assistant.cite(1, "ours.pdf", 1, QUOTE)
    served.assistant.answers["signs"] = Answer(
        id="", question="q", reader="small-model", status="answered", answer="| |", citations=(quoted,),
        table=Table(("size",), rows), searched=SearchSummary(3, 2, 2, ()),
        plan=AnswerPlan("comparison", ("ours.pdf",), ("Ours",), ("size",), 1),
    )  # fmt: skip
    answer = ask(tab, "signs")
    answer.locator(".copy-table").click()
    expect(answer.locator(".copy-table")).to_have_text("Copied")
    html = "navigator.clipboard.read().then((all) => all[0].getType('text/html')).then((one) => one.text())"
    copied = re.findall(r"<td>([^<]*) \[1\]</td>", tab.evaluate(html))
    assert copied == [f"'{text}" for text in said[:4]] + said[4:]


def test_a_cell_is_read_at_a_glance_and_its_words_are_whole_on_hover_and_press(tab, served):
    text = f"In the appendix, where nobody looks for it, it is told at great length that {QUOTE} " + "It goes on. " * 9
    rows = tuple(Row(f"{n}.pdf", f"Paper {n}", (Cell(f"{text} · {text}", (1, 1)),) * 4) for n in range(5))
    table = Table(("parameters", "data", "hardware", "batch size"), rows)
    served.assistant.answers["glance"] = Answer(
        id="", question="q", reader="small-model", status="answered", answer=table_to_markdown(table),
        citations=(served.assistant.cite(1, "ours.pdf", 1, QUOTE),), table=table,
    )  # fmt: skip
    phrase = ask(tab, "glance").locator(".compared .phrase").first
    tall = phrase.bounding_box()["height"]
    assert tall < 4.5 * phrase.evaluate("(one) => parseFloat(getComputedStyle(one).lineHeight)")
    phrase.hover()
    tab.wait_for_selector("#cite-card:visible")
    says(tab.locator("#cite-card"), QUOTE)
    phrase.click()
    tab.wait_for_selector("#cite-card", state="hidden")
    assert phrase.bounding_box()["height"] > 2 * tall
    phrase.click()
    assert phrase.bounding_box()["height"] == tall


def test_what_a_cell_folds_away_is_opened_and_copied(tab, served):
    quotes = [QUOTE, LAST, FILLER[3], FILLER[4], FILLER[5]]
    pages = len(served.assistant.reading("ours.pdf").pages)
    cited = [
        served.assistant.cite(n, "ours.pdf", pages if quote == LAST else 1, quote)
        for n, quote in enumerate(quotes, start=1)
    ]
    further = tuple(Statement(quote, n) for n, quote in list(enumerate(quotes, start=1))[3:])
    cell = Cell(" · ".join(quotes[:3]), (1, 2, 3), further=further)
    table = Table(("size",), (Row("ours.pdf", "Ours", (cell,)),))
    served.assistant.answers["fold"] = Answer(
        id="", question="q", reader="small-model", status="answered", answer=table_to_markdown(table),
        citations=tuple(cited), table=table, plan=AnswerPlan("comparison", ("ours.pdf",), ("Ours",), ("size",), 1),
        searched=SearchSummary(3, 2, 2, ()),
    )  # fmt: skip
    answer = ask(tab, "fold them")
    expect(answer.locator(".compared .phrase >> visible=true")).to_have_count(2)
    answer.locator(".compared summary").click()
    expect(answer.locator(".compared .phrase >> visible=true")).to_have_count(5)
    answer.locator(".compared .far button.cite").first.click()
    tab.wait_for_selector("#reading-pages .mark.chosen")
    answer.locator(".copy-table").click()
    expect(answer.locator(".copy-table")).to_have_text("Copied")
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert f"| {QUOTE} [1] · {LAST} [2] · {FILLER[3]} [3] … [4] [5] |" in copied


def test_a_column_is_sorted_by_its_figures_and_back(tab, served):
    rows = ("Heron", "9 GB"), ("Otter", "1,024 GB"), ("Newt", ""), ("Lynx", "80 GB")
    cells = [
        Row(f"{name}.pdf", name, (Cell(size, (1,)) if size else Cell("", (), "nothing found"),)) for name, size in rows
    ]
    plan = AnswerPlan("comparison", ("ours.pdf",), ("Ours",), ("memory",), 1)
    text = "| | memory |\n| --- | --- |"
    served.assistant.answers["memory"] = Answer(
        "",
        "q",
        "answered",
        text,
        "small-model",
        (served.assistant.cite(1, "ours.pdf", 1, QUOTE),),
        table=Table(("memory",), tuple(cells)),
        plan=plan,
    )
    answer = ask(tab, "Whose memory?")
    names, button = answer.locator("tbody th"), answer.locator(".sort-column")
    button.click()
    expect(names).to_have_text(["Heron", "Lynx", "Otter", "Newt"])
    button.click()
    expect(names).to_have_text(["Otter", "Lynx", "Heron", "Newt"])
    expect(answer.locator("th[aria-sort=descending]")).to_have_count(1)
    button.click()
    expect(names).to_have_text(["Heron", "Otter", "Newt", "Lynx"])


def test_a_row_and_a_column_are_added_to_a_comparison_in_place_and_kept(tab, served):
    answer = ask(tab, "compare them")
    answer.locator(".add-aspect").click()
    tab.keyboard.type("colour; weight")
    with served.assistant.held():
        tab.keyboard.press("Enter")
        expect(tab.locator("#chat .doing")).to_contain_text("comparing")
        expect(answer.locator(".compared thead th")).to_have_text(["size"])  # the table stays meanwhile
    expect(answer.locator(".compared thead th")).to_have_text(["size", "colour", "weight"])
    expect(answer.locator("td.cell-nothing")).to_have_text(["nothing found"])
    answer.locator(".add-paper").click()
    tab.keyboard.type("Theirs")
    tab.keyboard.press("Enter")
    expect(answer.locator(".compared tbody th")).to_have_text(["Ours", "Theirs"])
    answer.locator(".add-paper").click()
    tab.keyboard.type("Nowhere")
    tab.keyboard.press("Enter")
    expect(answer.locator(".warnings")).to_contain_text("Could not add “Nowhere”")
    expect(tab.locator("#chat p.question")).to_have_count(1)
    tab.again()
    expect(answer.locator(".compared tbody th")).to_have_text(["Ours", "Theirs"])
    assert findings(tab) == set()


def test_the_same_question_is_asked_again(tab, served):
    ask(tab, "How many parameters?")
    before = len(served.assistant.asked)
    tab.locator("#chat .regenerate").last.click()
    tab.wait_for_function("document.querySelectorAll('#chat .answer:not(.coming)').length === 2")
    assert served.assistant.asked[before:][0][0] == "How many parameters?"


@pytest.mark.parametrize("colors", ["active", "none"])
def test_marks_are_seen_with_forced_colours(served, chromium_browser, colors):
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900}, forced_colors=colors)
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#chat .example")
    ask(page, "How many parameters?")
    page.locator("#chat button.cite").first.click()
    page.wait_for_selector("#reading-pages .mark.chosen")
    outline = page.evaluate("getComputedStyle(document.querySelector('.mark.chosen')).outlineStyle")
    assert (outline == "solid") == (colors == "active")
    context.close()


def test_a_paper_is_corrected_and_tagged_and_found_by_its_tag(tab, served):
    tab.locator("#paper-rows li:has-text('Theirs') .about-paper").click()
    tab.click("dialog.paper-card button:has-text('Correct')")
    dialog = tab.locator("dialog.paper-details")
    dialog.locator("[name=title]").fill("Theirs: A <b>Better</b> Note")
    dialog.locator("[name=year]").fill("soon")
    dialog.locator("[name=tags]").fill("to read, wet")
    dialog.locator("[type=submit]").click()
    expect(dialog.locator("[role=alert]")).to_contain_text("no year")
    dialog.locator("[name=year]").fill("2019")
    dialog.locator("[name=venue]").fill("River Conf")
    assert findings(tab) == set()
    dialog.locator("[type=submit]").click()
    row = tab.locator("#paper-rows li:has-text('Better')")
    expect(row.locator(".open-paper")).to_have_text("Theirs: A <b>Better</b> Note")
    expect(row.locator(".tag")).to_have_text(["to read", "wet"])
    expect(row.locator(".facts")).to_contain_text("2019")
    tab.select_option("#paper-filter", "tag:wet")
    expect(tab.locator("#paper-rows li:visible")).to_have_count(1)
    tab.select_option("#paper-filter", "state:unreadable")
    expect(tab.locator("#paper-rows li:visible")).to_have_count(1)
    tab.select_option("#paper-filter", "all")
    tab.select_option("#paper-sort", "added")
    tab.again()
    row.locator(".about-paper").click()
    expect(tab.locator("dialog.paper-card")).to_contain_text("River Conf")
    tab.click("dialog.paper-card button:has-text('Correct')")
    expect(dialog.locator("label:has([name=title])")).to_contain_text("(corrected)")
    for name in ("title", "year", "venue", "tags"):
        dialog.locator(f"[name={name}]").fill("")
    dialog.locator("[type=submit]").click()
    expect(tab.locator("#paper-rows li:has-text('Theirs: A Note')")).to_have_count(1)
    assert not served.assistant.details("note.md").title


def test_papers_are_chosen_at_the_question_box(tab, served):
    expect(tab.locator("#papers-chip")).to_have_text("All papers")
    tab.click("#papers-chip")
    tab.keyboard.type("ours")
    tab.locator(".choose-papers li:visible input").check()
    assert findings(tab) == set()
    tab.click(".choose-papers .strong")
    expect(tab.locator("#papers-chip")).to_have_text("1 paper")
    expect(tab.locator("#scope-note .chip")).to_have_count(1)
    expect(tab.locator("#question textarea")).to_be_focused()
    ask(tab, "How many parameters?")
    assert served.assistant.asked[-1][1] == ("ours.pdf",)
    tab.click("#papers-chip")
    tab.get_by_role("dialog").get_by_role("button", name="Ask all").click()
    expect(tab.locator("#papers-chip")).to_have_text("All papers")
