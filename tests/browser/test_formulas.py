"""A formula stays in its box: drawn by the page itself, beside the page's own warnings."""

import re
from io import BytesIO

import pytest
from PIL import Image, ImageChops

from rag_app.records import Answer, SearchSummary, Verdict
from tests.support.browser_page import ask, expect

CLAIM = "It needs 99 GB."
TALL = r"\frac{\frac{\frac{\frac{\frac{a}{b}}{\frac{c}{d}}}{\frac{\frac{e}{f}}{g}}}{h}}{i}"
FORMULAS = {
    "tall": TALL,
    "deep": r"x_{x_{x_{x_{x_{x_{x_{x_{x_{x_{x}}}}}}}}}}",
    "high": r"\overset{\overset{\overset{\overset{\overset{\overset{a}{b}}{c}}{d}}{e}}{f}}{g}",
    "wide": "+".join(["x_i y_j"] * 60),
    "unbreakable": r"\frac{" + "+".join(["x_i y_j"] * 60) + "}{2}",
    "backwards": r"a\!\!\!\!b",
    "rows": r"\begin{matrix}" + r"a \\ " * 40 + r"b\end{matrix}",
}
# What no formula of ours may hold, put there by hand: the style alone has to keep it in.
ESCAPES = [
    "position: fixed; inset: 0; background: red",
    "position: absolute; top: -50px; left: -300px; width: 3000px; height: 3000px; background: red",
    "display: block; margin: -200px 0 0 -400px; width: 3000px; height: 3000px; background: red",
    "position: relative; top: 60px; font-size: 90px; background: red",
    "transform: translateY(60px) scale(40); display: inline-block; background: red",
    "box-shadow: 0 0 0 2000px red; outline: 900px solid red; text-shadow: 0 90px 0 red",
]


def answer_with(content):
    return Answer(
        id="", question="q", status="answered", answer=f"So ${content}$ holds.\n\n{CLAIM}", reader="small-model",
        unsupported=(CLAIM,), verdicts=(Verdict(CLAIM, "not"),), searched=SearchSummary(3, 2, 2),
        notes=("This is a note.",),
    )  # fmt: skip


def show(tab, served, content):
    served.assistant.answers["formulas"] = answer_with(content)
    ask(tab, "the formulas")
    tab.wait_for_selector("#chat .formula .katex")
    expect(tab.locator("#chat .warnings")).to_be_visible()


def picture_without_formula(tab):
    """All of the window but the formula's own box."""
    box = tab.locator("#chat .formula").bounding_box()
    shot = Image.open(BytesIO(tab.screenshot(animations="disabled", caret="hide"))).convert("RGB")
    edges = [int(box["x"]), int(box["y"]), int(box["x"] + box["width"]) + 1, int(box["y"] + box["height"]) + 1]
    shot.paste((255, 255, 255), tuple(edges))
    return shot


def assert_nothing_leaves(tab):
    drawn = picture_without_formula(tab)
    tab.eval_on_selector(
        "#chat .formula", "one => { for (const child of one.children) child.style.visibility = 'hidden'; }"
    )
    assert ImageChops.difference(drawn, picture_without_formula(tab)).getbbox() is None


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_paints_nothing_outside_its_box(tab, served, name):
    show(tab, served, FORMULAS[name])
    box, warnings = (tab.locator(f"#chat {one}").bounding_box() for one in (".formula", ".warnings"))
    assert box["y"] + box["height"] <= warnings["y"] + 1
    pane = tab.locator("#chat .answer-text").bounding_box()
    assert box["x"] >= pane["x"] - 4 and box["x"] + box["width"] <= pane["x"] + pane["width"] + 4
    assert_nothing_leaves(tab)


@pytest.mark.parametrize("style", ESCAPES)
def test_the_box_holds_whatever_is_in_it(tab, served, style):
    show(tab, served, "x")
    tab.eval_on_selector(
        "#chat .formula",
        "(one, style) => {"
        " one.innerHTML = '<span>✓ Every sentence was found</span>'; one.firstChild.style.cssText = style; }",
        style,
    )
    assert tab.eval_on_selector("#chat .formula > span", "one => one.style.length") > 0
    assert_nothing_leaves(tab)


def test_formulas_still_read_as_before(tab, served):
    show(tab, served, "x_i")
    shared = tab.evaluate(
        """() => { const range = document.createRange();
          const text = document.querySelector('#chat .formula').previousSibling;
          range.selectNodeContents(text);
          const base = document.querySelector('#chat .formula .katex-html .mord').getBoundingClientRect();
          return [range.getBoundingClientRect().bottom, base.bottom]; }"""
    )
    assert abs(shared[0] - shared[1]) < 9, "the formula stands on the line of its sentence"
    assert tab.locator("#chat .answer-text > p").first.bounding_box()["height"] < 40
    wide = "+".join(["x_i y_j"] * 60)
    served.assistant.answers["wider"] = answer_with(r"\frac{" + wide + "}{2}")
    ask(tab, "the wider one")
    tab.wait_for_function("document.querySelectorAll('#chat .formula .katex').length === 2")
    last = tab.locator("#chat .formula").last
    assert last.evaluate("one => one.scrollWidth > one.clientWidth"), "it is scrolled, and nothing of it is lost"
    assert re.search(r"auto", last.evaluate("one => getComputedStyle(one).overflowX"))
