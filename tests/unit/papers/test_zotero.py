"""Papers from Zotero: a running one (a server that speaks its API), a closed one, and one that vanishes meanwhile."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.assistant import Assistant
from rag_app.errors import CorpusError
from rag_app.papers.corpus import list_papers
from rag_app.papers.zotero import sync_zotero, zotero_links
from rag_app.papers.zotero_settings import ZoteroSource, read_zotero_settings, write_zotero_settings
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.pdfs import make_paper
from tests.support.zotero_server import ZoteroLibrary, serve_zotero


def write_pdf(folder: Path, name: str, words: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return make_paper(folder / name, title="A Title", sections=[("1 One", [words])])


@pytest.fixture
def zotero(tmp_path: Path) -> ZoteroLibrary:
    library = ZoteroLibrary({"COLL0001": "RAG", "COLL0002": "Other"})
    stored = tmp_path / "Zotero" / "storage"
    stored.mkdir(parents=True)
    (stored.parent / "zotero.sqlite").touch()
    otter = write_pdf(stored / "OTTER00A", "Lovelace - 2021 - Otters.pdf", "The otter weighs 11.2 stones.")
    heron = write_pdf(stored / "HERON00A", "Heron.pdf", "The heron weighs 3.4 stones.")
    library.add("OTTER00I", "On Otters", otter, "COLL0001", ("read",), citationKey="lovelace2021otters")
    library.add("HERON00I", "On Herons", heron, "COLL0001", extra="tex.x: y\nCitation Key: heron21")
    library.add("LYNX000I", "On Lynxes", write_pdf(stored / "LYNX000A", "Lynx.pdf", "The lynx."), "COLL0002")
    return library


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


@pytest.fixture
def url(zotero: ZoteroLibrary) -> Iterator[str]:
    with serve_zotero(zotero) as url:
        yield url


def sync(corpus: Path, url: str, **source: str) -> tuple[str, ...]:
    write_zotero_settings(corpus, ZoteroSource(url, **source))
    return sync_zotero(corpus)


def keys(corpus: Path) -> dict[str, str]:
    return {paper.paper: paper.citation_key for paper in list_papers(corpus).papers}


def test_a_collection_comes_in_with_titles_and_keys(corpus: Path, url: str) -> None:
    assert sync(corpus, url, collection="RAG") == ()
    assert keys(corpus) == {"Lovelace - 2021 - Otters.pdf": "lovelace2021otters", "Heron.pdf": "heron21"}
    otter = next(paper for paper in list_papers(corpus).papers if "Otters" in paper.paper)
    assert (otter.title, otter.year, otter.authors) == ("On Otters", 2021, ("Ada Lovelace",))
    links = zotero_links(otter.bibliography, 3)
    assert links == {
        "open": "zotero://open-pdf/library/items/OTTER00A?page=3",
        "select": "zotero://select/library/items/OTTER00I",
    }


def test_a_tag_and_the_whole_library(corpus: Path, url: str) -> None:
    assert sync(corpus, url, tag="read") == () and len(keys(corpus)) == 1
    assert sync(corpus, url) == () and len(keys(corpus)) == 3


def test_a_long_library_is_read_to_its_end(corpus: Path, zotero: ZoteroLibrary, url: str, tmp_path: Path) -> None:
    file = write_pdf(tmp_path, "many.pdf", "One of many.")
    for number in range(130):
        stored = tmp_path / "Zotero" / "storage" / f"MANY{number:03}A" / "many.pdf"
        stored.parent.mkdir()
        os.link(file, stored)
        zotero.add(f"MANY{number:03}I", f"Number {number}", stored, "COLL0002")
    assert sync(corpus, url, collection="COLL0002") == ()
    assert len(json.loads((corpus / "zotero" / "library.json").read_text(encoding="utf-8"))) == 131


def test_each_build_follows_what_was_added_removed_and_renamed(
    corpus: Path, zotero: ZoteroLibrary, url: str, tmp_path: Path
) -> None:
    write_zotero_settings(corpus, ZoteroSource(url, collection="RAG"))
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder())
    assert len(assistant.build().papers) == 2
    assert not assistant.build().changed
    zotero.remove("HERON00I")
    renamed = zotero.files["OTTER00A"].rename(zotero.files["OTTER00A"].with_name("Otter.pdf"))
    zotero.files["OTTER00A"] = renamed
    next(item for item in zotero.items if item["key"] == "OTTER00A")["data"]["filename"] = "Otter.pdf"
    badger = write_pdf(tmp_path / "Zotero" / "storage" / "BADGR00A", "Badger.pdf", "The badger weighs 9.9 stones.")
    zotero.add("BADGR00I", "On Badgers", badger, "COLL0001")
    report = assistant.build()
    assert {paper.paper for paper in report.papers} == {"Otter.pdf", "Badger.pdf"}
    assert report.read == 1  # the renamed one is the same file
    assert (corpus / ".removed" / "zotero" / "HERON00A" / "Heron.pdf").is_file()


@pytest.mark.parametrize("requests", [1, 2, 3, 4])
def test_a_zotero_that_vanishes_in_the_middle_loses_nothing(
    corpus: Path, zotero: ZoteroLibrary, url: str, tmp_path: Path, requests: int
) -> None:
    assert sync(corpus, url, collection="RAG") == ()
    before = keys(corpus)
    zotero.remove("HERON00I")
    zotero.requests.clear()
    zotero.fail_after = requests
    report = Assistant(settings_for(tmp_path), embedder=WordEmbedder()).build()
    assert any("stopped answering" in problem for problem in report.problems)
    assert keys(corpus) == before == {paper.paper: before[paper.paper] for paper in report.papers}


def test_a_closed_zotero_is_told_with_the_remedy_and_its_papers_stay(corpus: Path, zotero: ZoteroLibrary) -> None:
    with serve_zotero(zotero) as url:
        sync(corpus, url, collection="RAG")
    before = keys(corpus)
    (problem,) = sync_zotero(corpus)
    assert "Allow other applications" in problem and keys(corpus) == before


def test_an_api_that_is_switched_off_is_told(corpus: Path, zotero: ZoteroLibrary, url: str) -> None:
    zotero.forbidden = True
    (problem,) = sync(corpus, url)
    assert "Allow other applications" in problem


def test_a_collection_that_is_not_there_names_the_others(corpus: Path, url: str) -> None:
    (problem,) = sync(corpus, url, collection="Rags")
    assert "no such collection" in problem and "Other, RAG" in problem


def test_a_file_that_is_not_here_costs_only_itself(corpus: Path, zotero: ZoteroLibrary, url: str) -> None:
    zotero.files["HERON00A"].unlink()
    (problem,) = sync(corpus, url, collection="RAG")
    assert "Heron.pdf" in problem and list(keys(corpus)) == ["Lovelace - 2021 - Otters.pdf"]


def test_storage_and_an_export_serve_while_it_is_closed(corpus: Path, zotero: ZoteroLibrary, tmp_path: Path) -> None:
    export = tmp_path / "My Library.bib"
    export.write_text(
        "@article{otters, title={On Otters}, author={Lovelace, Ada}, year=2021,"
        " file={Otters:files/OTTER00A/Lovelace - 2021 - Otters.pdf:application/pdf}}\n"
        "@article{gone, title={Gone}, file={Gone:files/GONE000A/Gone.pdf:application/pdf}}",
        encoding="utf-8",
    )
    storage = str(tmp_path / "Zotero" / "storage")
    (problem,) = sync(corpus, "http://127.0.0.1:9", storage=storage, library=str(export))
    assert "gone" in problem and keys(corpus) == {"Lovelace - 2021 - Otters.pdf": "otters"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url = 'https://api.zotero.org'", "this machine"),
        ("colection = 'x'", "colection"),
        ("library = 'x'", "together"),
    ],
)
def test_a_wrong_file_of_settings_is_refused(corpus: Path, text: str, words: str) -> None:
    (corpus / "zotero.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=words):
        read_zotero_settings(corpus)


def test_names_of_files_never_lead_out_of_the_folder(corpus: Path, zotero: ZoteroLibrary, url: str) -> None:
    next(item for item in zotero.items if item["key"] == "HERON00A")["data"]["filename"] = "../../../evil.pdf"
    sync(corpus, url, collection="RAG")
    assert not (corpus.parent / "evil.pdf").exists()
    assert all(path.is_relative_to(corpus / "zotero") for path in corpus.rglob("*.pdf"))


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("Snapshot.html", "text/html", "(HTML). Copy the file into the folder of papers"),
        ("Book.epub", "application/epub+zip", "(EPUB). Copy the file into the folder of papers"),
        ("Slides.ppt", "application/vnd.ms-powerpoint", "Attach the paper's PDF in Zotero"),
    ],
)
def test_what_is_no_pdf_is_named_with_its_kind_and_remedy(
    corpus: Path, zotero: ZoteroLibrary, url: str, tmp_path: Path, name: str, kind: str, words: str
) -> None:
    storage = tmp_path / "Zotero" / "storage"
    zotero.items = [item for item in zotero.items if item["key"][:5] == "HERON"]
    zotero.items[-1]["data"] |= {"contentType": kind, "filename": name}
    (problem,) = sync(corpus, url)
    assert name in problem and words in problem
    export = tmp_path / "library.bib"
    export.write_text(f"@article{{heron, title={{H}}, file={{files/HERON00A/{name}}}}}", encoding="utf-8")
    (problem,) = sync(corpus, "http://127.0.0.1:9", storage=str(storage), library=str(export))
    assert name in problem and words.rpartition(". ")[2] in problem
