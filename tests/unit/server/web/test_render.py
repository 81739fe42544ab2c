"""What is shown of an answer: each state looks different and says why."""

import re

import pytest

from rag_app.records import Answer, AnswerPlan, Cell, Citation, ModelUse, Row, SearchSummary, Step, Table, Verdict
from rag_app.server import i18n
from rag_app.server.web.answer_tables import quoted_table_html
from rag_app.server.web.render import answer_html, progress_html, question_html
from rag_app.server.web.sources import citation_html, place_words

HOSTILE = "<img src=x onerror=alert(1)> \" ' & $5"


def citation(number=1, **changes):
    facts = {"paper": "a.pdf", "title": "A Title", "page": 3, "label": "3", "section": "4 Results"}
    facts |= {"quote": "it is 42", "verified": True}
    return Citation(number=number, **(facts | changes))


def name(place):
    return f"name-of-{place.number}"


def answer(**changes):
    facts = {"id": "", "question": "q", "status": "answered", "answer": "It is 42 [1].", "reader": "some-model"}
    facts |= {"citations": (citation(),)}
    return Answer(**(facts | changes))


def test_a_number_in_a_sentence_opens_its_place_and_tells_the_quote():
    rendered = answer_html(answer(), name)
    assert re.search(
        r'<button type="button" class="cite" value="name-of-1" title="“it is 42” — A Title[^"]*">1</button>', rendered
    )


def test_verified_and_unverified_differ_at_a_glance_and_in_words():
    good, bad = citation_html(citation(), name), citation_html(citation(verified=False), name)
    assert 'class="verified"' in good and "✓ on the page" in good
    assert 'class="unverified"' in bad and "! not found on the page" in bad and "✓" not in bad


def test_a_digest_says_that_it_is_one():
    assert "in the digest" in citation_html(citation(digest=True), name)
    assert "not the paper" in citation_html(citation(digest=True), name)


@pytest.mark.parametrize(
    ("label", "words"), [("3", "page\xa03 · 4 Results"), ("1245", "page\xa03 (printed\xa01245) · 4 Results")]
)
def test_the_printed_label_is_told_where_it_differs(label, words):
    assert place_words(citation(label=label)) == words


def test_unsupported_sentences_are_marked_and_counted():
    rendered = answer_html(answer(unsupported=("It is 42 [1].",)), name)
    assert 'class="unsupported"' in rendered
    assert "1 sentence not supported" in rendered


def test_what_is_partly_supported_is_told_apart_and_what_is_missing_is_named():
    verdicts = (Verdict("It is 42 [1].", "partly", ("42", "<b>Name")),)
    rendered = answer_html(answer(unsupported=("It is 42 [1].",), verdicts=verdicts), name)
    assert 'class="unsupported partly"' in rendered
    assert "<li>Partly: It is 42 [1]. <em>Not found there: 42, &lt;b&gt;Name.</em></li>" in rendered


def test_not_in_these_papers_has_its_own_look_and_its_nearest_passages():
    rendered = answer_html(
        answer(status="not_in_papers", answer="Not in these papers.", citations=(), nearest=(citation(),)), name
    )
    assert 'class="answer absent"' in rendered
    assert rendered.count("Not in these papers") == 1
    assert "nearest" in rendered and "name-of-1" in rendered
    longer = "Not in these papers: nothing that was found answers it."
    rendered = answer_html(answer(status="not_in_papers", answer=longer, citations=()), name)
    assert rendered.count("Not in these papers") == 1 and "Nothing that was found answers it." in rendered


def test_a_quote_that_the_answer_repeats_is_not_shown_again():
    assert 'class="quote repeated"' in answer_html(answer(answer="it is 42 [1]"), name)
    assert "repeated" not in answer_html(answer(), name)


def test_the_footer_tells_what_was_looked_at():
    rendered = answer_html(
        answer(searched=SearchSummary(47, 9, 3, ("scan.pdf",)), milliseconds={"total": 2290.0}, tokens=1834), name
    )
    assert "searched 47 papers, read 9, quoted 3, unreadable 1" in rendered
    assert "reader: some-model" in rendered and "2.3 s" in rendered and "1,834 tokens" in rendered
    assert 'title="Unreadable: scan.pdf"' in rendered


def test_an_error_says_what_and_is_no_answer():
    rendered = answer_html(answer(status="error", answer="Ollama refused. Start it.", citations=()), name)
    assert 'class="answer failed"' in rendered and "Ollama refused. Start it." in rendered


def test_verbatim_text_is_not_read_as_markdown():
    assert "<em>" not in answer_html(answer(reader="quoting", answer="a *b* c [1]"), name)
    assert "<em>" in answer_html(answer(answer="a *b* c [1]"), name)


@pytest.mark.parametrize("reader", ["quoting", "some-model"])
@pytest.mark.parametrize("status", ["answered", "not_in_papers", "error"])
def test_nothing_of_a_stranger_becomes_a_tag(reader, status):
    bad = citation(title=HOSTILE, quote=HOSTILE, section=HOSTILE, label=HOSTILE)
    shown = answer(
        status=status, reader=reader, answer=HOSTILE + " [1]", citations=(bad,), nearest=(bad,), notes=(HOSTILE,),
        unsupported=(HOSTILE,), searched=SearchSummary(1, 1, 1, (HOSTILE,)),
    )  # fmt: skip
    for rendered in (answer_html(shown, name), question_html(HOSTILE), progress_html(HOSTILE, HOSTILE)):
        assert "<img" not in rendered
        assert not re.search(r"<[^>]*onerror", re.sub(r'"[^"]*"', '""', rendered))


def test_while_it_comes_the_numbers_cannot_be_pressed_yet():
    rendered = progress_html("It is 42 [1]", "reading 3 passages")
    assert '<span class="cite waiting">1</span>' in rendered
    assert "<button" not in rendered and "reading 3 passages" in rendered
    table = Table(("size",), (Row("a.pdf", "A", (Cell("220", (1,)),)), Row("b.pdf", "B", (Cell("", (), "searching"),))))
    rendered = progress_html("", "comparing", table=table)
    assert '<span class="phrase">220</span> <span class="cite waiting">1</span>' in rendered
    assert "<button" not in rendered and "cell-searching" in rendered


@pytest.mark.parametrize("level", ["high", "medium", "low"])
def test_the_confidence_is_said_in_the_footer(level):
    rendered = answer_html(answer(confidence=level), name)
    assert f'<span class="confidence {level}" title="Confidence depends on' in rendered
    assert f">{level} confidence</span>" in rendered


def test_no_confidence_is_said_where_there_is_none():
    assert "confidence" not in answer_html(answer(), name)


def test_each_statement_of_a_cell_stands_beside_its_own_mark():
    two, one = Cell("220M · 8 GPUs", (1, 2)), Cell("1 · 2", (1,))
    table = Table(("size",), (Row("a.pdf", "A", (two,)), Row("b.pdf", "B", (one,))))
    rendered = answer_html(answer(citations=(citation(), citation(2)), table=table), name)
    first, second = re.findall(r"<p>(.*?)</p>", rendered[rendered.index("<tbody>") : rendered.index("</tbody>")])
    assert (
        first.startswith('<span class="phrase">220M</span> <button')
        and ">1</button>" in first
        and ">2</button>" in second
    )
    assert "1 · 2</span> <button" in rendered, "marks that belong to no statement of their own stay together"


def test_the_sources_are_a_row_for_each_paper_with_its_pages_and_what_was_not_found():
    cited = (citation(), citation(2, page=8), citation(3, paper="b.pdf", title="Other", verified=False))
    rendered = answer_html(answer(citations=cited), name)
    rows = re.findall(r'<li class="source">.*?</details></li>', rendered)
    assert len(rows) == 2
    assert "A Title" in rows[0] and "p. 3, 8" in rows[0] and "not found" not in rows[0]
    assert "! 1 not found" in rows[1]
    assert "! 1 of 3 quotes not found on the page" in rendered
    assert "✓ 1 quote found on the page" in answer_html(answer(), name)


def test_rows_of_one_table_come_as_one_block_with_one_mark():
    lines = ("Top-1 Top-5", "Gold 44.9 66.8", "Dist. Sup. 43.9 65.3")
    cited = tuple(citation(n, quote=line, boxes=((1.0, n, 2.0, n + 1.0),)) for n, line in enumerate(lines, 2))
    text = "A sentence of the paper. [1]\n" + "\n".join(f"{line} [{n}]" for n, line in enumerate(lines, 2))
    given = {}

    def named(place):
        given[place.number] = place
        return name(place)

    rendered = answer_html(answer(reader="quoting", answer=text, citations=(citation(), *cited)), named)
    shown = rendered[: rendered.index('<div class="sources">')]
    assert re.findall(r'class="cite"[^>]*>([^<]*)</button>', shown) == ["1", "2–4"]
    assert "<thead><tr><th></th><th>Top-1</th><th>Top-5</th></tr></thead>" in shown
    assert '<tr><th class="short">Gold</th><td>44.9</td><td>66.8</td></tr>' in shown
    assert given[2].quote == "\n".join(lines) and len(given[2].boxes) == 3
    assert "✓ 4 quotes found on the page" in rendered


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (
            (
                "GPU type GPU power Hours Total",
                "GPT-3 A100-80GB 400W 36 MWh 14",
                "Large GPT A100-80GB 400W 449 MWh 173",
            ),
            (
                '<tr><th colspan="5">GPU type GPU power Hours Total</th></tr>',
                '<tr><th class="short">GPT-3</th><td>A100-80GB</td><td>400W</td><td>36 MWh</td><td>14</td></tr>',
                '<tr><th class="short">Large GPT</th><td>A100-80GB</td><td>400W</td><td>449 MWh</td><td>173</td></tr>',
            ),
        ),
        (("Model S1 S2", "GPT-3 1.5 2", "T5 v1 3 4"), ('<tr><th class="short">T5 v1</th><td>3</td><td>4</td></tr>',)),
        (("One is 3 km away", "Two is 5 mi away"), ("<tr><td>One is 3 km away</td></tr>",)),
    ],
)
def test_figures_with_units_stand_in_columns(lines, shown):
    html = quoted_table_html([(line, citation(number)) for number, line in enumerate(lines, start=1)], "")
    assert all(row in html for row in shown), html


def test_lines_of_several_pages_or_that_are_sentences_stay_apart():
    cited = (citation(1, page=1), citation(2, page=2))
    assert "quoted-table" not in answer_html(answer(reader="quoting", answer="a 1 [1]\nb 2 [2]", citations=cited), name)
    cited = (citation(1), citation(2))
    assert "quoted-table" not in answer_html(
        answer(reader="quoting", answer="One. [1]\nTwo. [2]", citations=cited), name
    )


def test_all_warnings_stand_in_one_place():
    rendered = answer_html(answer(notes=("Stopped.",), unsupported=("It is 42 [1].",)), name)
    assert rendered.count('class="warnings"') == 1
    block = rendered[rendered.index('class="warnings"') : rendered.index('class="sources"')]
    assert "Stopped." in block and "1 sentence not supported" in block


def test_the_name_of_each_paper_stands_out_from_what_it_says():
    cited = (citation(1, quote="it is 42: so much [9]"), citation(2, quote="it is 7"))
    shown = answer_html(
        answer(reader="quoting", answer="A & B: it is 42: so much ［9］ [1]\n\nC: it is 8 [2]", citations=cited), name
    )
    assert '<p><strong class="of-paper">A &amp; B:</strong> it is 42: so much' in shown
    assert "<p>C: it is 8" in shown, "what is not quoted there may be the paper's own colon"


@pytest.mark.parametrize(("kind", "leads"), [("survey", False), ("comparison", True)])
def test_the_first_of_a_list_is_not_set_larger_than_the_others(kind, leads):
    plan = AnswerPlan(kind, ("a.pdf",), ("A",), ("x",), 1)
    assert ("leads" in answer_html(answer(reader="quoting", plan=plan), name)) == leads


def test_a_table_that_stands_above_is_not_quoted_again_below():
    cited = (citation(1, quote="BERT 1 2"), citation(2, quote="T5 3 4"))
    shown = answer_html(answer(reader="quoting", answer="BERT 1 2 [1]\nT5 3 4 [2]", citations=cited), name)
    assert 'class="quote repeated"' in shown


def test_what_a_model_did_is_folded_above_while_it_comes_and_when_it_is_there():
    steps = ("searching for “<b>”", "reading A, the whole paper")
    rows = "<li>searching for “&lt;b&gt;”</li><li>reading A, the whole paper</li>"
    folded = f'<details class="steps"><summary>Steps</summary><ol>{rows}</ol></details>'
    coming = progress_html("It is", "writing the answer", steps=steps)
    whole = answer_html(answer(steps=tuple(map(Step, steps))), name)
    assert folded in coming and folded in whole
    assert coming.index(folded) < coming.index("It is") and "steps" not in progress_html("It is", "reading")


def test_a_caption_above_its_table_is_set_as_one_and_not_as_the_answer():
    cited = tuple(citation(n) for n in (1, 2, 3))
    said = answer(reader="quoting", answer="Table 3: Both. [1]\na 1 2 [2]\nb 3 4 [3]", citations=cited)
    shown = answer_html(said, name)
    assert '<p class="of-table">Table 3: Both.' in shown and "quoted-table" in shown


@pytest.mark.parametrize(
    ("language", "words", "label"),
    [
        ("en", "3 calls of big, 21,174 tokens, 12 of them cached; 40 of them for the check", "21,174 tokens"),
        ("zh", "调用 big 3 次，21,174 个词元，其中 12 个来自缓存；其中 40 个用于核对", "21,174 个词元"),
    ],
)
def test_what_an_answer_took_is_no_warning(language, words, label, monkeypatch):
    monkeypatch.setattr(i18n, "current_language", lambda: language)
    took = answer(notes=("Careful.",), tokens=21_174, spent=ModelUse("big", 3, 21_174, 12, 40))
    shown = answer_html(took, name)
    assert f'<span title="{words}">{label}</span>' in shown
    assert '<div class="warnings"><p class="note">Careful.</p></div>' in shown
