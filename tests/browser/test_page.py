"""A headless Chromium uses the page: ask, stop, open a citation, rebuild; and nothing leaves this machine."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pypdfium2
import pytest

from rag_app.outputs.evidence_file import read_evidence
from rag_app.outputs.verify import verify_quotes
from rag_app.records import Answer, AnswerPlan, Cell, Reference, Row, SearchSummary, Table
from rag_app.server.app import serve
from rag_app.settings import Settings
from tests.support.fake_assistant import FakeAssistant
from tests.support.fake_assistant import Row as LibraryRow
from tests.support.pdfs import make_encrypted, make_paper

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra [test]")
expect = playwright.expect

PATIENCE = 90_000  # milliseconds; the processor may be busy with something else
expect.set_options(timeout=PATIENCE)

QUOTE = "The reader has 220 million parameters."
LAST = "Training took eleven hours on one card."
HOSTILE = "<img src=http://evil.example/a.png onerror=\"document.title='hit'\"> ${alert(1)} {{7}} \\(x\\)"
# Without its address line's pop-ups, two pages of Chromium's own, a new window costs half as much.
FEATURES = "WebUIOmniboxPopup,WebUIOmniboxAimPopup,Translate,MediaRouter,OptimizationHints"
ARGUMENTS = [
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking",
    f"--disable-features={FEATURES}",
]  # fmt: skip
FILLER = [f"Filler sentence {number} says nothing of interest to anybody." for number in range(60)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    sections = [("1 Method", ["We describe it.", QUOTE, *FILLER]), ("2 Results", [*FILLER, LAST])]
    make_paper(folder / "ours.pdf", title="Ours: A Method", sections=sections, columns=2, labels_from=3)
    make_encrypted(folder / "locked.pdf")
    (folder / "note.md").write_text(f"# Theirs: A Note\n\nBefore. {LAST} After.\n", encoding="utf-8")
    assistant = FakeAssistant(folder, extra_rows=(LibraryRow("h.pdf", HOSTILE, 1),), pause=0.03)
    script(assistant)
    page = serve(
        assistant, Settings(corpus=folder, index=tmp_path_factory.mktemp("index") / "one", port=0), block=False
    )
    yield SimpleNamespace(url=page.url, assistant=assistant, folder=folder, page=page)
    page.stop()


def script(assistant):
    pages = len(assistant.reading("ours.pdf").pages)
    cited = Reference("[7]", HOSTILE, "note.md"), Reference("[8]", "Nobody. A paper that is not here. 2019.")
    good = assistant.cite(1, "ours.pdf", 1, QUOTE, references=cited)
    far = assistant.cite(2, "ours.pdf", pages, LAST)
    bad = assistant.cite(3, "ours.pdf", 1, "These words do not stand there.", verified=False)
    note = assistant.cite(4, "note.md", 1, LAST, digest=True)
    text = "It has 220 million parameters [1]. Training took 11 hours [2]. It needs 99 GB [3]. "
    text += "A note agrees [4]. $5 and $x_i$."
    facts = {"id": "", "question": "q", "reader": "small-model", "searched": SearchSummary(3, 2, 2, ("locked.pdf",))}
    assistant.answers = {
        "parameters": Answer(
            status="answered", answer=text, citations=(good, far, bad, note), unsupported=("It needs 99 GB [3].",),
            milliseconds={"total": 1234.0}, **facts,
        ),
        "weather": Answer(status="not_in_papers", answer="Not in these papers.", nearest=(good,), **facts),
        "long": Answer(status="answered", answer="word " * 2000, **facts),
        "hostile": Answer(status="answered", answer=HOSTILE + " [1]", citations=(good,), **facts),
        "compare": Answer(
            status="answered", answer="|  | size |\n| --- | --- |\n| Ours | =2+2 [1] |", citations=(good,),
            table=Table(("size",), (Row("ours.pdf", "Ours", (Cell("=2+2", (1,)),)),)),
            plan=AnswerPlan("comparison", ("ours.pdf",), ("Ours",), ("size",), 1), **facts,
        ),
        "fails": Answer(status="error", answer="The server refused. Start it.", **facts),
    }  # fmt: skip


@pytest.fixture(scope="module")
def chromium_browser(chromium):
    with playwright.sync_playwright() as library:
        browser = library.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        browser.on("context", lambda context: context.set_default_timeout(PATIENCE))
        yield browser
        browser.close()


@pytest.fixture
def tab(served, chromium_browser):
    context = chromium_browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: page.errors.append(said.text) if said.type == "error" else None)
    page.again = lambda: reloaded(page)
    page.goto(served.url)
    page.wait_for_selector("#paper-rows li", state="attached")
    yield page
    elsewhere = [url for url in page.requests if not url.startswith((served.url, "data:", "blob:"))]
    assert elsewhere == []
    assert page.errors == []
    context.close()


def reloaded(tab):
    """Gradio complains of the stream that a reload cuts: what it says meanwhile is no error."""
    before = list(tab.errors)
    tab.reload()
    tab.wait_for_selector("#paper-rows li", state="attached")
    tab.errors[:] = before


def says(place, *words):
    """Waited for: what stands on the page at one moment may be what stood there before."""
    for one in words:
        expect(place.first).to_contain_text(one, use_inner_text=True)


def left(tab, look):
    """What `look` still finds once the page has come to rest: names and texts follow what they belong to."""
    for _ in range(40):
        if not (found := look()):
            break
        tab.wait_for_timeout(250)
    return found


def pressed(button, words):
    """What a button says for a moment after the press, as "Copied", is listened for from before it."""
    heard = button.evaluate_handle(
        """(button, words) => ({ words: new Promise((done) => new MutationObserver(
          () => { if (button.textContent === words) done(true); }).observe(button, { childList: true })) })""",
        words,
    )
    button.click()
    assert heard.evaluate("(heard) => heard.words")


def ask(tab, question, until="#chat .answer:not(.coming) >> nth=-1"):
    before = tab.locator("#chat .answer:not(.coming)").count()
    tab.fill("#question textarea", question)
    tab.press("#question textarea", "Enter")
    tab.wait_for_function(f"document.querySelectorAll('#chat .answer:not(.coming)').length > {before}")
    return tab.locator(until)


def open_first(tab):
    tab.locator("#chat button.cite").first.click()
    tab.wait_for_selector("#reading-pages .mark.chosen")
    tab.wait_for_selector("#reading-pages .sheet.drawn")


def test_the_answer_streams_and_the_question_stands_at_the_top(tab, served):
    with served.assistant.held():
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


def test_a_citation_opens_its_page_with_the_quoted_words_marked(tab, served):
    ask(tab, "How many parameters?")
    open_first(tab)
    marked(tab, served.folder / "ours.pdf", 0, "220")
    says(tab.locator("#reading-title"), "Ours: A Method")
    says(tab.locator("#reading-page"), "(printed iii)")
    says(tab.locator("#reading-note"), "Verified")
    expect(tab.locator("#reading-pages .mark.chosen").first).to_be_in_viewport()


def marked(tab, path, index, words):
    """The marks cover the words where pdfium itself finds them on that page, and not much else."""
    marks = tab.evaluate(
        """() => { const sheet = document.querySelector('.mark.chosen').closest('.sheet').getBoundingClientRect();
        return [...document.querySelectorAll('#reading-pages .mark.chosen')].map((mark) => {
          const box = mark.getBoundingClientRect();
          return [(box.left - sheet.left) / sheet.width, (box.top - sheet.top) / sheet.height,
                  (box.right - sheet.left) / sheet.width, (box.bottom - sheet.top) / sheet.height]; }); }"""
    )
    left, top, right, bottom = words_on_page(path, index, words)
    assert any(m[0] <= left and m[1] <= top and m[2] >= right and m[3] >= bottom for m in marks), (marks, left, top)
    assert sum((m[2] - m[0]) * (m[3] - m[1]) for m in marks) < 0.05  # the quote, not the page


def words_on_page(path, index, words):
    """Where pdfium itself finds the words, as fractions of the page: the oracle of the marks."""
    with pypdfium2.PdfDocument(path) as document:
        page = document[index]
        text = page.get_textpage()
        at, count = text.search(words).get_next()
        boxes = [text.get_charbox(position) for position in range(at, at + count)]
        width, height = page.get_size()
        left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
        bottom, top = min(box[1] for box in boxes), max(box[3] for box in boxes)
        return left / width, (height - top) / height, right / width, (height - bottom) / height


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
