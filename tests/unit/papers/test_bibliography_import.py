"""Bibliographies: what their entries say, which PDF they belong to, and keys that come back in exports."""

from __future__ import annotations

import json
from pathlib import Path

import bibtexparser
import pytest

from rag_app.assistant import Assistant
from rag_app.errors import ExportError
from rag_app.outputs.bibtex import to_bibtex
from rag_app.outputs.citation_styles import format_references
from rag_app.papers import bibliography_import
from rag_app.papers.bibliography_import import MOST_AUTHORS, read_bibliography
from rag_app.papers.corpus import list_papers
from rag_app.records import Paper, Source
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.pdfs import make_paper

BIBTEX = r"""
@inproceedings{Hu2021-lora,
  title = {{LoRA}: Low-Rank Adaptation of {\"U}ber Models},
  author = {Hu, Edward J. and Ludwig van Beethoven},
  booktitle = {ICLR}, year = 2022, pages = {1--13}, doi = {10.1234/lora.5},
  file = {Full Text:storage/AB12/Hu - 2022.pdf:application/pdf;Snapshot:/home/me/page.html:text/html}
}
@article{devlin19, title = {BERT}, author = {Jacob Devlin}, year = {2019},
  eprint = {1810.04805}, archivePrefix = {arXiv}}
@article{broken, title = {never closed
@book{babbage, title = {Engines}, author = {Charles Babbage}, date = {1832-05}, doi = {10.99/a.b_c}}
"""
RIS = "\n".join(
    [
        "TY  - JOUR", "ID  - ada1843", "TI  - Notes on the Engine", "AU  - Lovelace, Ada", "PY  - 1843",
        "JO  - Memoirs", "SP  - 666", "EP  - 731", "L1  - notes.pdf", "ER  - ", "",
    ]
)  # fmt: skip
CSL = [
    {"id": "x", "citation-key": "turing36", "type": "article-journal", "title": "On Computable Numbers",
     "author": [{"family": "Turing", "given": "Alan"}], "issued": {"date-parts": [[1936, 11]]}, "DOI": "10.1112/plms"},
]  # fmt: skip


def write_pdf(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_paper(path, title="The Title of the File", sections=[("1 One", [f"Words of {path.stem} stand here."])])


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    for name in ("Hu - 2022.pdf", "1810.04805v2.pdf", "10.99_a.b_c.pdf", "notes.pdf", "10.1112_plms.pdf", "other.pdf"):
        write_pdf(folder / name)
    (folder / "refs.bib").write_text(BIBTEX, encoding="utf-8")
    (folder / "more.ris").write_text(RIS, encoding="utf-8")
    (folder / "library.json").write_text(json.dumps(CSL), encoding="utf-8")
    (folder / "config.json").write_text('{"nothing": "of ours"}', encoding="utf-8")
    return folder


def by_name(corpus: Path) -> dict[str, Paper]:
    return {paper.paper: paper for paper in list_papers(corpus).papers}


def test_each_entry_describes_its_pdf(corpus: Path) -> None:
    papers = by_name(corpus)
    lora = papers["Hu - 2022.pdf"]
    assert (lora.citation_key, lora.title, lora.year) == (
        "Hu2021-lora",
        "LoRA: Low-Rank Adaptation of Über Models",
        2022,
    )
    assert lora.authors == ("Edward J. Hu", "Ludwig van Beethoven")
    assert papers["1810.04805v2.pdf"].citation_key == "devlin19"
    assert (papers["10.99_a.b_c.pdf"].citation_key, papers["10.99_a.b_c.pdf"].year) == ("babbage", 1832)
    assert (papers["notes.pdf"].citation_key, papers["notes.pdf"].authors) == ("ada1843", ("Ada Lovelace",))
    assert papers["10.1112_plms.pdf"].citation_key == "turing36"
    assert papers["other.pdf"].citation_key == "" and papers["other.pdf"].title == ""


def test_a_broken_entry_is_told_and_costs_only_itself(corpus: Path) -> None:
    assert any(problem.startswith("refs.bib, line ") for problem in list_papers(corpus).problems)
    (corpus / "bad.ris").write_text("ER  - \nTY - x", encoding="utf-8")
    (corpus / "cut.json").write_text('[{"id": ', encoding="utf-8")
    assert by_name(corpus)["Hu - 2022.pdf"].citation_key == "Hu2021-lora"


def test_a_file_name_that_two_papers_have_is_no_proof(corpus: Path) -> None:
    write_pdf(corpus / "sub" / "notes.pdf")
    assert {paper.citation_key for name, paper in by_name(corpus).items() if name.endswith("notes.pdf")} == {""}


def test_keys_survive_build_and_export(corpus: Path, tmp_path: Path) -> None:
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder())
    assistant.build()
    text = to_bibtex(list(assistant.sources(["Hu - 2022.pdf", "notes.pdf"]).values()))
    entries = {entry.key: entry for entry in bibtexparser.parse_string(text).entries}
    assert set(entries) == {"Hu2021-lora", "ada1843"}
    assert entries["Hu2021-lora"].entry_type == "inproceedings" and entries["Hu2021-lora"]["booktitle"] == "ICLR"
    assert entries["ada1843"]["pages"] == "666--731" and entries["ada1843"]["year"] == "1843"


def test_a_changed_entry_is_taken_in_by_the_next_build(corpus: Path, tmp_path: Path) -> None:
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder())
    assistant.build()
    (corpus / "more.ris").write_text(RIS.replace("ada1843", "lovelace"), encoding="utf-8")
    assert assistant.build().changed and not assistant.build().changed
    assert assistant.sources(["notes.pdf"])["notes.pdf"].citation_key == "lovelace"


@pytest.mark.parametrize(
    "value", ["C:\\Users\\me\\a b.pdf", ":a b.pdf:PDF", "x:dir/a b.pdf:application/pdf", "a b.pdf"]
)
def test_paths_are_read_in_the_forms_of_jabref_and_zotero(tmp_path: Path, value: str) -> None:
    file = tmp_path / "one.bib"
    file.write_text("@misc{k, title={T}, file={%s}}" % value, encoding="utf-8")  # noqa: UP031
    (entry,) = read_bibliography(file)[0]
    assert entry.files[0].replace("\\", "/").endswith("a b.pdf")


@pytest.mark.parametrize(
    ("style", "words"),
    [("apa", "Hu, E. J. (2021). LoRA."), ("ieee", "E. J. Hu, “LoRA”, 2021"), ("acl", "Edward J. Hu. 2021. LoRA.")],
)
def test_references_in_a_style(style: str, words: str) -> None:
    source = Source("a.pdf", "LoRA", authors=("Edward J. Hu",), year=2021)
    assert words in format_references([source], style)[0]


def test_an_unknown_style_proposes_a_near_one() -> None:
    with pytest.raises(ExportError, match="ieee"):
        format_references([Source("a.pdf", "LoRA")], "iee")
    with pytest.raises(ExportError, match="no such style"):
        format_references([Source("a.pdf", "LoRA")], "../../etc/passwd")


@pytest.mark.parametrize(
    "field",
    [{"issued": "2020"}, {"issued": {"date-parts": [2020]}}, {"issued": {"date-parts": "x"}}, {"issued": [1]},
     {"author": "x"}, {"author": [1]}, {"issued": {"date-parts": [["2020"]]}}],
)  # fmt: skip
def test_a_field_of_another_form_stops_no_export(tmp_path: Path, field: dict) -> None:
    path = tmp_path / "lib.json"
    path.write_text(json.dumps([{"id": "k", "type": "book", "title": "On Otters", **field}]), encoding="utf-8")
    (entry,), _ = read_bibliography(path)
    source = Source("a.pdf", entry.title, citation_key=entry.key, bibliography=json.dumps(entry.csl))
    assert "On Otters" in to_bibtex([source]) and "On Otters" in format_references([source], "apa")[0]
    assert entry.year in (0, 2020) and entry.authors == ()


def test_authors_without_end_are_cut_and_named(tmp_path: Path) -> None:
    names = " and ".join(f"Otter{at}, A." for at in range(MOST_AUTHORS + 500))
    (tmp_path / "a.bib").write_text(f"@article{{many, title={{T}}, author={{{names}}}}}\n", encoding="utf-8")
    (entry,), problems = read_bibliography(tmp_path / "a.bib")
    assert len(entry.authors) == MOST_AUTHORS and entry.authors[1] == "A. Otter1"
    assert problems == ("a.bib: many has more than 10,000 authors; the first are kept.",)


def test_what_is_without_end_is_cut_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MOST_ENTRIES", 3), ("MOST_PROBLEMS", 2), ("LONGEST_FIELD", 50), ("MOST_LINES", 4)):
        monkeypatch.setattr(f"rag_app.papers.bibliography_import.{name}", value)
    (tmp_path / "many.bib").write_text("".join(f"@misc{{k{at}, title={{T}}}}\n" for at in range(9)), encoding="utf-8")
    entries, problems = read_bibliography(tmp_path / "many.bib")
    assert len(entries) == 3 and problems == ("many.bib: more than 3 entries; the first are read. Split it.",)
    (tmp_path / "odd.bib").write_text("@misc{a, title={T}\n" * 3, encoding="utf-8")
    assert [len(part) for part in read_bibliography(tmp_path / "odd.bib")] == [0, 3]
    (tmp_path / "long.bib").write_text("@misc{a, title={" + r"\"o" * 90 + "}}", encoding="utf-8")
    (entry,), (problem,) = read_bibliography(tmp_path / "long.bib")
    assert (
        len(entry.title) < 30
        and problem == "long.bib: a has a field title of more than 50 characters; the first are kept."
    )
    lines = "TY  - JOUR\nTI  - T\n" + "more\n" * 9 + "DO  - 10.1/a\nER  - \n"
    (tmp_path / "lines.ris").write_text(lines, encoding="utf-8")
    (entry,), (problem,) = read_bibliography(tmp_path / "lines.ris")
    assert entry.title.count("more") == 4 and entry.doi == "10.1/a" and "4 lines of one field" in problem


def test_of_many_bibliographies_no_more_is_read_than_a_folder_may_hold(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_app.papers.bibliography_import.ALL_TOGETHER", (corpus / "config.json").stat().st_size + 1)
    listing = list_papers(corpus)
    assert any(one.startswith("library.json: not read, nor is what follows") for one in listing.problems)
    assert not any(paper.citation_key for paper in listing.papers)


def test_only_the_entries_of_papers_are_decoded(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    real = bibliography_import._from_bibtex
    monkeypatch.setattr(bibliography_import, "_from_bibtex", lambda entry: decoded.append(entry.key) or real(entry))
    (corpus / "refs.bib").write_text(BIBTEX + "@misc{unused, title={Nobody has it}}", encoding="utf-8")
    assert by_name(corpus)["1810.04805v2.pdf"].citation_key == "devlin19"
    assert "devlin19" in decoded and "unused" not in decoded


def test_names_that_cannot_be_parted_are_kept_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.bib").write_text("@misc{a, title={T}, author={A, B, C, D, E and F, G}}", encoding="utf-8")
    (entry,), _ = read_bibliography(tmp_path / "a.bib")
    assert entry.authors == ("A, B, C, D, E", "F, G")
