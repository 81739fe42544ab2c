"""Text of strangers on the page: nothing of it becomes HTML, and only clean mathematics becomes a formula."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.server.web.markdown import escape_html, markdown_html, plain_html
from rag_app.text.characters import without_invisible
from rag_app.text.formulas import is_clean_formula

TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
BLOCKS = {"p", "br", "ul", "ol", "li", "pre", "div", "blockquote", "hr", "h1", "h2", "h3", "h4", "h5", "h6"}
OURS = TABLES | BLOCKS | {"strong", "em", "s", "code", "span", "wbr", "b"}


class Reader(HTMLParser):
    """What a browser would see: tags, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "br":
            self.text += "\n"

    def handle_data(self, data):
        self.text += data


def cite(number):
    return f"<b>{number}</b>"


HTML = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<http://evil>", "&lt;", '"', "'"]
LINKS = ["[a](javascript:alert(1))", "![a](http://evil/a.png)", "http://evil", "[a]: http://evil\n", "[a]"]
MARKDOWN = ["**bold**", "|a|b|\n|-|-|\n|1|2|", '```x"y\n<b>\n```', "`", "- item\n", "# head\n", "\n\n", " ", "word"]
MARKS = ["$x$", "$5", r"\(a<b\)", "[1]", "[2]", "\ue000", "\ue001"]
hostile = st.lists(st.sampled_from([*HTML, *LINKS, *MARKDOWN, *MARKS]), max_size=12).map("".join)


@given(hostile | st.text(max_size=80))
def test_no_text_makes_a_tag_or_attribute_of_its_own(text):
    for rendered in (plain_html(text, cite, [1], {text: "not"}), markdown_html(text, cite, [1], {text: "not"})):
        seen = Reader(rendered)
        assert seen.tags <= OURS
        assert seen.attributes <= {"class", "title", "style", "start"}


@given(st.text(max_size=60).filter(lambda text: "\r" not in text and "\x00" not in text))
def test_shown_text_reads_back_as_it_looks(text):
    assert Reader(escape_html(text)).text == without_invisible(text)


@given(st.lists(st.sampled_from([r"\(", r"\)", r"\[", r"\]", "$", "x", " ", "<"]), max_size=10).map("".join))
def test_shown_text_is_never_a_formula(text):
    assert not re.search(r"\\[(\[)\]]", escape_html(text))


@given(st.text(alphabet="ab *_#<>&|`$\\()[]1", max_size=60).filter(lambda text: "**" not in text))
def test_verbatim_text_keeps_every_character(text):
    read = Reader(plain_html(text, cite, []))
    assert read.text.split() == text.split()


def test_a_label_of_verbatim_text_is_bold_and_stars_inside_are_not():
    rendered = plain_html("**Table 2: <Results>**\n\nGold **127** [1]", cite, [1])
    assert '<p class="label"><strong>Table 2: &lt;Results&gt;</strong></p>' in rendered
    assert "Gold **127** <b>1</b>" in rendered


@pytest.mark.parametrize(
    "price", ["It costs $5.", "from $5 to $10", "$5 and $10 more", "$1,000 or $2 each", "US$ 5 and 6$"]
)
def test_a_price_stays_text(price):
    assert "formula" not in markdown_html(price, cite, [])
    assert price in html.unescape(markdown_html(price, cite, []))


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("$x_i$ is", r"\(x_i\)"),
        (r"\(a+b\)", r"\(a+b\)"),
        (r"\[E = mc^2\]", r"\[E = mc^2\]"),
        ("$$a$$", r"\[a\]"),
        (r"loss $\sum_i \text{loss}_i$", r"\(\sum_i \text{loss}_i\)"),
    ],
)
def test_clean_mathematics_is_handed_on(text, formula):
    assert formula in markdown_html(text, cite, [])


@pytest.mark.parametrize(
    "content", [r"\href{http://evil}{x}", r"\def\a{\a\a}\a", "{", "}{", "", "plain words here", r"a \) b", "a$b"]
)
def test_unclean_mathematics_is_not(content):
    assert not is_clean_formula(content)


def test_code_is_never_a_formula_or_a_mark():
    rendered = markdown_html("`$x$ [1]`\n\n```\n[1] $y$\n```\n", cite, [1])
    assert "<b>1</b>" not in rendered
    assert "formula" not in rendered


def test_marks_of_known_citations_only():
    rendered = markdown_html("as said [1][2] and as [12] shows", cite, [1, 2])
    assert "<b>1</b><b>2</b>" in rendered
    assert "[12]" in rendered


def test_unsupported_sentences_are_marked_where_they_stand():
    rendered = markdown_html("Fine [1].\n\n- It is **42** [1].", cite, [1], {"It is **42** [1].": "not"})
    assert re.search(r'<li><span class="unsupported"[^>]*>It is <strong>42</strong> <b>1</b>\.</span></li>', rendered)


def test_partly_supported_sentences_have_a_look_of_their_own():
    rendered = markdown_html("It is 42 [1]. It is 43.", cite, [1], {"It is 42 [1].": "not", "It is 43.": "partly"})
    assert re.search(r'<span class="unsupported" title="Not[^"]*">It is 42 <b>1</b>\.</span>', rendered)
    assert re.search(r'<span class="unsupported partly" title="Partly[^"]*">It is 43\.</span>', rendered)
    assert "\ue002" not in markdown_html("a \ue002b\ue001", cite, [])


def test_a_mark_never_crosses_the_border_of_a_block():
    rendered = markdown_html("a\n\nb", cite, [], {"a\n\nb": "not"})
    assert "unsupported" not in rendered
    assert "\ue000" not in rendered
