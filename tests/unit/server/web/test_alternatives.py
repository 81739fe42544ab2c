"""How a question may be meant otherwise is a button with words of its own, and the whole question behind it."""

import pytest

from rag_app.records import Alternative, Answer
from rag_app.server.web.render import answer_html

PAPER = Alternative("paper", "the otter study", "On Otters", "On <b>Herons</b>", 'What does "On Herons" say?')
NEAREST = Alternative("paper", "the lynx study", "", "On Otters", "What does On Otters say?")
TYPED = Alternative("spelling", "haeds", "heads", "haeds", "How many “haeds”?")


@pytest.mark.parametrize("status", ["answered", "not_in_papers"])
def test_each_is_one_press(status):
    html = answer_html(Answer("", "q", status, "words", "quoting", alternatives=(PAPER, NEAREST, TYPED)), str)
    assert "Ask about “On &lt;b&gt;Herons&lt;/b&gt;” instead" in html and "<b>Herons" not in html
    assert "Nearest here: “On Otters”" in html and "Search for “haeds” as typed" in html
    assert 'value="What does &quot;On Herons&quot; say?"' in html and html.count("alternative text-button") == 3
    assert "alternatives" not in answer_html(Answer("", "q", status, "words", "quoting"), str)
