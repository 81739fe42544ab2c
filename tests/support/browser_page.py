"""What the tests in a browser do on the page: ask, open, wait; and a library whose answers are known."""

import pypdfium2
from playwright.sync_api import expect

from rag_app.records import Answer, AnswerPlan, Cell, Reference, Row, SearchSummary, Table

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


def script(assistant):
    """Give the assistant its known answers, by a word of the question."""
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
