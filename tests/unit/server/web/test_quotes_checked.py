"""A pasted text: each quote with what became of it, in words, and the places where it stands."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from rag_app.server.web.panels.quotes import quote_routes
from tests.support.fake_assistant import FakeAssistant


@pytest.fixture
def check(tmp_path):
    (tmp_path / "otter.md").write_text("# On Otters and Rivers\n\nOtters swim by day in rivers.\n", encoding="utf-8")
    app = FastAPI()
    app.include_router(quote_routes(FakeAssistant(tmp_path)))
    client = TestClient(app)
    return lambda text: client.post("/reading/quotes", json={"text": text}).json()


def test_what_stands_there_and_what_does_not_is_told_apart(check):
    said = check("They say “Otters swim by day in rivers” and “Otters fly by night in rivers” (otter.md, p. 9).")
    good, bad = said["quotes"]
    assert said["hold"] == 1 and good["holds"] and not bad["holds"]
    assert good["places"][0] == {
        "paper": "otter.md", "title": "On Otters and Rivers", "page": 1, "words": "Otters swim by day in rivers",
    }  # fmt: skip
    assert bad["places"] == [] and bad["words"] in (
        "is in none of the papers",
        "the page that is named does not exist",
    )


def test_a_text_without_quotes_and_no_text(check):
    assert check("Nothing is quoted here.") == {"quotes": [], "hold": 0} == check("")
