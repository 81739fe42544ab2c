"""Notes and a paper's details as the page gets them: escaped, refused when stale, and free to follow the paper."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from rag_app.outputs.notebook import Notebook
from rag_app.papers.details import PaperDetails
from rag_app.records import Answer
from rag_app.server.web.panels.details import details_routes
from rag_app.server.web.panels.notes import note_html, notes_routes
from rag_app.server.web.reading_panel import OpaqueIds
from tests.support.fake_assistant import FakeAssistant

HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](http://evil.example/y.png)"


@pytest.fixture
def asked(tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "otter.md").write_text("# On Otters\n\nOtters swim by day.\n", encoding="utf-8")
    assistant = FakeAssistant(folder)
    ids, built, app = OpaqueIds(assistant), [], FastAPI()
    app.include_router(notes_routes(Notebook(tmp_path / "h.sqlite"), ids))
    app.include_router(details_routes(assistant, ids, lambda: built.append(1)))
    client = TestClient(app)
    client.ids, client.assistant, client.built = ids, assistant, built
    return client


def test_a_note_shows_no_html_of_its_own_and_opens_places(asked):
    assert "<img" not in note_html(HOSTILE) and "href" not in note_html(HOSTILE)
    shown = note_html("- [1] “a <b> b” — [T*i*tle, p. 4](sub%20folder/a.pdf#page=4)\n\nSee [1000].")
    assert 'data-paper="sub folder/a.pdf" data-page="4" data-words="a &lt;b&gt; b"' in shown
    assert shown.count("<a ") == 1 and "[1000]" in shown, "what looks like our own mark is the user's text"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"We use BART \[32\], a model \[58\].", "We use BART [32], a model [58]."),
        ("| | size |\n| --- | --- |\n| A | as in \\[3\\] |", "<td>as in [3]</td>"),
        ("```\na\\[3\\]\n```", "a\\[3\\]"),
        (r"\[x^2\]", r'<span class="formula">\[x^2\]</span>'),
    ],
)
def test_a_bracket_that_an_export_escaped_is_a_bracket_in_a_note(text, shown):
    assert shown in note_html(text)


def test_a_name_in_a_table_of_a_note_is_kept_in_one_piece():
    shown = note_html("| model | what |\n| --- | --- |\n| OPT-175B | a long-winded text of words |")
    assert '<td class="short">OPT-175B</td><td>a long' in shown.replace("\n", "")


def test_an_answer_is_kept_in_a_note_that_is_not_overwritten(asked):
    citation = asked.assistant.cite(1, "otter.md", 1, "Otters swim by day.")
    answer = Answer("", "When do they swim?", "answered", "By day [1].", "quoting", (citation,))
    kept = asked.post("/reading/notes/do/keep", json={"kind": "answer", "name": asked.ids.name_answer(answer)}).json()
    asked.post(
        "/reading/notes/do/keep", json={"kind": "quote", "name": asked.ids.name_place(citation), "id": kept["id"]}
    )
    note = asked.get(f"/reading/notes/{kept['id']}").json()
    assert note["text"].count("](otter.md#page=1)") == 2 and note["html"].count("note-place") == 2
    stale = asked.post("/reading/notes/do/write", json={**note, "revision": 1, "text": "gone"})
    assert stale.status_code == 409 and "changed elsewhere" in stale.json()["detail"]
    file = asked.get(f"/reading/notes/{kept['id']}/file")
    assert file.text.startswith("# When do they swim?") and "note-when-do-they-swim.md" in str(file.headers)
    for path in ("/reading/notes/nothing", "/reading/notes/nothing/file"):
        assert asked.get(path).status_code == 404
    for body in ({"kind": "answer", "name": "x"}, {"kind": "quote", "name": "x"}):
        assert asked.post("/reading/notes/do/keep", json=body).status_code == 404


def test_what_was_not_changed_in_the_form_is_not_kept_as_a_correction(asked):
    address = f"/reading/details/{asked.ids.name_paper('otter.md')}"
    form = asked.get(address).json()
    assert form["now"]["title"] == "On Otters" and form["own"] == []
    said = asked.post(address, json={**form["now"], "venue": "River Conf", "tags": ["wet"]}).json()
    assert asked.assistant.details("otter.md") == PaperDetails(venue="River Conf", tags=("wet",))
    assert said["own"] == ["venue", "tags"] and asked.built == [1]
    asked.post(address, json={**said["now"], "tags": ["dry"]})
    assert asked.built == [1], "tags are in no index"
    asked.post(address, json={**said["now"], "venue": "", "tags": []})
    assert asked.assistant.details("otter.md") == PaperDetails() and asked.built == [1, 1]
    assert "year" in asked.post(address, json={"year": "soon"}).json()["problem"]
    assert asked.get("/reading/details/unknown").status_code == 404
