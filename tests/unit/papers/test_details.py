"""What the user says of a paper counts before everything else, outlives a build, and is never lost to a bad file."""

import json

import pytest

from rag_app.errors import CorpusError
from rag_app.outputs.bibtex import to_bibtex
from rag_app.outputs.citation_styles import describe_source
from rag_app.papers.corpus import list_papers
from rag_app.papers.details import DETAILS, PaperDetails, parse_details, read_details, save_details
from rag_app.records import Source

BOOK = """@inproceedings{otter20, title = {Wrong Title}, author = {A. Wrong}, year = {1999}, booktitle = {Old Venue},
  doi = {10.1/x}, file = {otter.md}}"""


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "otter.md").write_text("# Otters\n\nThey swim.\n", encoding="utf-8")
    (tmp_path / "heron.md").write_text("# Herons\n\nThey stand.\n", encoding="utf-8")
    return tmp_path


def described(corpus, paper):
    return next(one for one in list_papers(corpus).papers if one.paper == paper)


def test_corrections_count_before_the_bibliography_and_reach_its_entry(corpus):
    (corpus / "library.bib").write_text(BOOK, encoding="utf-8")
    assert described(corpus, "otter.md").title == "Wrong Title"
    save_details(
        corpus,
        "otter.md",
        PaperDetails("On Otters", ("Ada Lovelace", "Plato"), 2021, "River Conf", "Animals", ("wet",)),
    )
    paper = described(corpus, "otter.md")
    assert (paper.title, paper.authors, paper.year, paper.topic) == (
        "On Otters", ("Ada Lovelace", "Plato"), 2021, "Animals",
    )  # fmt: skip
    source = Source("otter.md", paper.title, "", paper.authors, bibliography=paper.bibliography, citation_key="otter20")
    bib = to_bibtex([source])
    assert "Wrong" not in bib and "River Conf" in bib and "2021" in bib and "10.1/x" in bib
    item = describe_source(source)
    assert item["author"] == [{"given": "Ada", "family": "Lovelace"}, {"literal": "Plato"}]
    assert described(corpus, "heron.md").title == ""


def test_an_emptied_correction_is_forgotten(corpus):
    save_details(corpus, "otter.md", PaperDetails(title="On Otters"))
    save_details(corpus, "heron.md", PaperDetails(tags=("slow",)))
    save_details(corpus, "otter.md", PaperDetails())
    assert dict(read_details(corpus)) == {"heron.md": PaperDetails(tags=("slow",))}
    assert described(corpus, "otter.md").title == ""
    assert [paper.paper for paper in list_papers(corpus).papers] == ["heron.md", "otter.md"], "the file is no paper"


def test_tags_alone_change_nothing_that_is_built(corpus):
    before = described(corpus, "otter.md")
    save_details(corpus, "otter.md", PaperDetails(tags=("wet",)))
    assert described(corpus, "otter.md") == before


@pytest.mark.parametrize("text", ["{", "[]", '{"papers": {"otter.md": {"year": 12}}}', '{"papers": {"otter.md": 1}}'])
def test_a_damaged_file_is_named_and_not_written_over(corpus, text):
    (corpus / DETAILS).write_text(text, encoding="utf-8")
    for use in (lambda: list_papers(corpus), lambda: save_details(corpus, "otter.md", PaperDetails(title="x"))):
        with pytest.raises(CorpusError, match=DETAILS):
            use()
    assert (corpus / DETAILS).read_text(encoding="utf-8") == text


def test_a_link_in_its_place_is_refused(corpus, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "x.json"
    elsewhere.write_text(json.dumps({"papers": {}}))
    (corpus / DETAILS).symlink_to(elsewhere)
    with pytest.raises(CorpusError, match="link"):
        read_details(corpus)


def test_what_is_typed_is_tidied_and_a_wrong_year_is_said():
    found = parse_details({"title": "  On\n otters ", "tags": ["wet", "wet", " "], "authors": ["A  B"], "year": "2021"})
    assert found == PaperDetails("On otters", ("A B",), 2021, tags=("wet",))
    for wrong in ("soon", "20210", -5):
        with pytest.raises(CorpusError, match="no year"):
            parse_details({"year": wrong})
