"""What the browser gets to draw the map, and the names for the example questions."""

from rag_app.errors import IndexFault, IndexMissing
from rag_app.outputs.history import History
from rag_app.outputs.history_file import FORMAT
from rag_app.records import Answer, Citation, LibraryMap, MapPoint
from rag_app.server.web.map_panel import MOST_PAGES, find_alike_papers, map_json
from rag_app.server.web.reading_panel import OpaqueIds

POINTS = (
    MapPoint("a.pdf", "A: First", "A", "big", -1.0, 0.0),
    MapPoint("b.pdf", "B: <b>Second</b>", "B", "big", 0.25, 1.0),
    MapPoint("c.pdf", "", "", "alone", 1.0, -1.0),
)


class Mapped:
    def __init__(self, found):
        self.found = found

    def map(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def told(tmp_path, found=None):
    found = found or LibraryMap(POINTS, ("b.pdf", "a.pdf"))
    library, history = Mapped(found), History(tmp_path / "h.sqlite")
    ids = OpaqueIds(library)
    return library, ids, history


def cited(number, page, verified=True):
    return Citation(number, "a.pdf", "A", page, "", "", "words", verified)


def test_papers_are_named_by_the_shelf_and_carry_the_pages_that_answers_quoted(tmp_path):
    library, ids, history = told(tmp_path)
    history.save_turn(
        "c", Answer("", "q", "answered", "x", "r", citations=(cited(1, 3), cited(2, 2), cited(3, 9, False)))
    )
    history.save_turn("c", Answer("", "q", "answered", "x", "r", citations=(cited(1, 3),)))
    value = map_json(library, ids, history)
    first, second, third = value["points"]
    assert ids.paper(first["paper"]) == "a.pdf" and first["pages"] == [[2, 1], [3, 2]]
    assert second["pages"] == [] and third["title"] == "c.pdf"
    assert value["groups"] == ["big", "alone"] and value["problem"] == ""


def test_of_many_pages_the_most_quoted_are_shown_in_order(tmp_path):
    library, ids, history = told(tmp_path)
    pages = [*range(1, 40), *range(20, 20 + MOST_PAGES)]
    history.save_turn("c", Answer("", "q", "answered", "x", "r", citations=tuple(cited(1, page) for page in pages)))
    assert [page for page, _ in map_json(library, ids, history)["points"][0]["pages"]] == list(
        range(20, 20 + MOST_PAGES)
    )


def test_without_an_index_it_says_why_there_is_nothing(tmp_path):
    assert "no map yet" in map_json(*told(tmp_path, IndexMissing("none")))["problem"]
    assert "no map yet" in map_json(*told(tmp_path, LibraryMap()))["problem"]
    assert map_json(*told(tmp_path, IndexFault("vectors.npy: damaged.")))["problem"] == "vectors.npy: damaged."


def test_the_map_stands_without_a_history(tmp_path):
    library, ids, history = told(tmp_path)
    with history.kept._open() as database:
        database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    assert len(map_json(library, ids, history)["points"]) == 3


def test_the_two_that_are_alike_are_called_by_name():
    assert find_alike_papers(Mapped(LibraryMap(POINTS, ("b.pdf", "a.pdf")))) == ["A", "B"]
    assert find_alike_papers(Mapped(IndexMissing("none"))) == []
