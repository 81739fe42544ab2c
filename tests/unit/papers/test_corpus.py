"""What counts as a paper, what it is called, and what the manifest adds."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.errors import CorpusError
from rag_app.papers.corpus import list_fetched_papers, list_papers
from rag_app.papers.manifest import read_corpus_manifest

CORPUS = Path(__file__).resolve().parents[3] / "corpus"
LONGRAG = """
[[paper]]
arxiv_id = "2406.15319"
title = "LongRAG: Enhancing Retrieval-Augmented Generation with Long-context LLMs"
short_names = ["LongRAG"]
topic = "RAG"
authors = ["Ziyan Jiang", "Xueguang Ma", "Wenhu Chen"]
"""


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(folder: Path) -> list[str]:
    return [paper.paper for paper in list_papers(folder).papers]


def write_manifest(folder: Path, text: str = LONGRAG) -> None:
    (folder / "papers.toml").write_text(text, encoding="utf-8")


# -- files ------------------------------------------------------------------------------------------------------


def test_every_pdf_markdown_and_text_file_is_a_paper(tmp_path: Path) -> None:
    put(tmp_path, "b.pdf", "A.PDF", "sub/deep/c.md", "d.markdown", "e.txt", "f.text")
    put(tmp_path, "no.doc", "none", "README.md", "sub/readme.txt", ".hidden.pdf", ".git/x.pdf", "papers.toml.bak")
    listing = list_papers(tmp_path)
    assert [(paper.paper, paper.kind) for paper in listing.papers] == [
        ("A.PDF", "pdf"), ("b.pdf", "pdf"), ("d.markdown", "markdown"), ("e.txt", "text"), ("f.text", "text"),
        ("c.md", "markdown"),
    ]  # fmt: skip
    assert all(paper.path.is_absolute() and paper.path.is_file() for paper in listing.papers)
    assert listing.problems == (
        "2 files of other kinds not read: no.doc, none. Save each as PDF, with its file ending.",
    )


def test_an_empty_folder_has_no_papers(tmp_path: Path) -> None:
    assert list_papers(tmp_path).papers == ()


def test_a_readme_that_is_a_pdf_is_a_paper(tmp_path: Path) -> None:
    put(tmp_path, "README.pdf")
    assert names(tmp_path) == ["README.pdf"]


def test_files_that_share_a_name_are_called_by_their_paths(tmp_path: Path) -> None:
    put(tmp_path, "a/paper.pdf", "b/Paper.pdf", "paper.pdf", "other.pdf")
    assert names(tmp_path) == ["a/paper.pdf", "b/Paper.pdf", "other.pdf", "paper.pdf"]


def test_names_of_every_script_are_kept(tmp_path: Path) -> None:
    wanted = ["论文.pdf", "статья.pdf", "ورقة.pdf", "🙂.md", "-rf.txt", "a b  c.pdf", "é.pdf"]
    put(tmp_path, *wanted)
    assert sorted(names(tmp_path)) == sorted(wanted)


def test_composed_and_decomposed_spellings_share_a_name(tmp_path: Path) -> None:
    put(tmp_path, "a/\u00e9.pdf", "b/e\u0301.pdf")
    assert names(tmp_path) == ["a/\u00e9.pdf", "b/e\u0301.pdf"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux stores file names that are no Unicode")
def test_a_name_that_is_no_unicode_is_reported(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.pdf"))).write_bytes(b"x")
    put(tmp_path, "good.pdf")
    listing = list_papers(tmp_path)
    assert [paper.paper for paper in listing.papers] == ["good.pdf"]
    (problem,) = listing.problems
    assert "not valid Unicode" in problem and problem.isprintable()


def link(at: Path, to: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    try:
        at.symlink_to(to, target_is_directory=to.is_dir())
    except OSError as error:
        pytest.skip(f"this system makes no links: {error}")


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    put(tmp_path, "corpus/in.pdf", "outside/secret.pdf", "outside/secret.doc")
    link(corpus / "file.pdf", tmp_path / "outside" / "secret.pdf")
    link(corpus / "folder", tmp_path / "outside")
    link(corpus / "other.doc", tmp_path / "outside" / "secret.doc")
    link(corpus / "broken.pdf", tmp_path / "nowhere.pdf")
    link(corpus / "self.pdf", corpus / "self.pdf")
    listing = list_papers(corpus)
    assert [paper.paper for paper in listing.papers] == ["in.pdf"]
    assert [problem.partition(":")[0] for problem in listing.problems] == [
        "broken.pdf", "file.pdf", "folder", "self.pdf",
    ]  # fmt: skip
    assert "out of the corpus folder" in listing.problems[1]
    assert "leads nowhere" in listing.problems[0]


def test_links_inside_the_folder_are_followed_to_files_and_never_in_circles(tmp_path: Path) -> None:
    put(tmp_path, "sub/a.pdf", ".store/key.pdf")
    link(tmp_path / "sub" / "again", tmp_path)
    link(tmp_path / "linked.pdf", tmp_path / ".store" / "key.pdf")
    listing = list_papers(tmp_path)
    assert [paper.paper for paper in listing.papers] == ["linked.pdf", "a.pdf"]
    assert listing.problems == ()


def test_a_corpus_behind_a_link_is_a_corpus(tmp_path: Path) -> None:
    put(tmp_path, "real/a.pdf")
    link(tmp_path / "corpus", tmp_path / "real")
    assert names(tmp_path / "corpus") == ["a.pdf"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_no_paper(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    listing = list_papers(tmp_path)
    assert listing.papers == ()
    assert "not a regular file" in listing.problems[0]


def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "locked/a.pdf", "b.pdf")
    scandir = os.scandir

    def refuse(folder: Path) -> object:  # root, who runs tests in containers, may list every real folder
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = list_papers(tmp_path)
    assert [paper.paper for paper in listing.papers] == ["b.pdf"]
    assert listing.problems == ("locked: this folder cannot be listed (Permission denied). Correct its permissions.",)


def test_a_very_deep_folder_is_walked(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
    put(deep, "a.pdf")
    assert names(tmp_path) == ["a.pdf"]


def test_a_missing_corpus_and_one_that_is_a_file_are_errors(tmp_path: Path) -> None:
    put(tmp_path, "file")
    with pytest.raises(CorpusError, match="no such folder"):
        list_papers(tmp_path / "absent")
    with pytest.raises(CorpusError, match="is a file"):
        list_papers(tmp_path / "file")


NAME = st.sampled_from(["a", "A", "b", "notes", "README", "2406.15319", "2406.15319v2", "2004.04906", "é", "x.y"])
SUFFIX = st.sampled_from([".pdf", ".PDF", ".md", ".txt", ".doc", ""])
FOLDER = st.sampled_from(["", "notes/", "sub/", "Sub/", "sub/sub/", ".hidden/"])
TREE = st.sets(st.builds(lambda folder, name, suffix: folder + name + suffix, FOLDER, NAME, SUFFIX), max_size=12)


@settings(max_examples=60, deadline=None)
@given(TREE, st.booleans())
def test_laws_of_listing(tree: set[str], with_manifest: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in sorted(tree):
            if not (root / name).is_dir() and not any(part.is_file() for part in (root / name).parents):
                put(root, name)
        if with_manifest:
            write_manifest(root)
        listing = list_papers(root)
        assert listing == list_papers(root), "the same folder lists the same"
        called = [paper.paper for paper in listing.papers]
        assert len(set(called)) == len(called), "no two papers share a name"
        resolved = root.resolve()
        for paper in listing.papers:
            inside = paper.path.relative_to(resolved).as_posix()
            assert paper.paper in {paper.path.name, inside}
            assert not any(part.startswith(".") for part in Path(inside).parts)
        there = {
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.is_file() and path.suffix.lower() in {".pdf", ".md", ".txt"}
            if not path.relative_to(root).as_posix().startswith(".")
            if path.suffix.lower() == ".pdf" or path.stem != "README"
        }
        notes = {name for name in there if with_manifest and name in {"notes/2406.15319.md", "notes/2406.15319v2.md"}}
        pdf_there = any(re.search(r"(^|/)2406\.15319(v2)?\.pdf$", name, re.IGNORECASE) for name in there)
        listed = {paper.path.relative_to(resolved).as_posix() for paper in listing.papers}
        assert listed == (there - notes if pdf_there else there)
        assert {paper.kind for paper in listing.papers if paper.path.parent.name == "notes"} <= {
            "pdf", "markdown", "text", "digest",
        }  # fmt: skip
        digests = {paper.path.relative_to(resolved).as_posix() for paper in listing.papers if paper.kind == "digest"}
        assert digests == (set() if pdf_there else notes)


# -- the manifest -----------------------------------------------------------------------------------------------


def test_a_note_stands_in_for_its_paper_until_the_pdf_is_there(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    put(tmp_path, "notes/2406.15319.md")
    (digest,) = list_papers(tmp_path).papers
    assert (digest.paper, digest.kind, digest.arxiv_id) == ("2406.15319.md", "digest", "2406.15319")
    assert digest.title.startswith("LongRAG") and digest.short_names == ("LongRAG",)
    put(tmp_path, "sub/2406.15319v3.pdf")
    (paper,) = list_papers(tmp_path).papers
    assert (paper.paper, paper.kind, paper.title) == ("2406.15319v3.pdf", "pdf", digest.title)
    assert (paper.year, paper.month, paper.topic, paper.authors[0]) == (2024, 6, "RAG", "Ziyan Jiang")


@pytest.mark.parametrize(
    "name", ["2406.15319.pdf", "2406.15319v12.PDF", "2406.15319 (1).pdf", "arxiv_2406.15319-LongRAG.pdf"]
)
def test_the_manifest_knows_its_papers_under_any_version_and_tail(tmp_path: Path, name: str) -> None:
    write_manifest(tmp_path)
    put(tmp_path, name)
    assert list_papers(tmp_path).papers[0].short_names == ("LongRAG",)


@pytest.mark.parametrize(
    "name", ["2406.1531.pdf", "2406.153190.pdf", "x2406.15319.pdf", "2406.15319.txt", "2406.15319x.pdf"]
)
def test_other_names_are_not_taken_for_it(tmp_path: Path, name: str) -> None:
    write_manifest(tmp_path)
    put(tmp_path, name)
    assert list_papers(tmp_path).papers[0].title == ""


def test_notes_without_an_entry_are_ordinary_papers(tmp_path: Path) -> None:
    put(tmp_path, "notes/2406.15319.md", "notes/mine.md")
    assert [(paper.paper, paper.kind) for paper in list_papers(tmp_path).papers] == [
        ("2406.15319.md", "markdown"),
        ("mine.md", "markdown"),
    ]


def test_an_id_in_a_name_gives_year_and_month_without_a_manifest(tmp_path: Path) -> None:
    put(tmp_path, "2004.04906v3.pdf", "hep-th_9901001.pdf", "1105.1234-report.pdf", "plain.pdf")
    told = {paper.paper: (paper.arxiv_id, paper.year, paper.month) for paper in list_papers(tmp_path).papers}
    assert told == {
        "2004.04906v3.pdf": ("2004.04906", 2020, 4),
        "hep-th_9901001.pdf": ("hep-th/9901001", 1999, 1),
        "1105.1234-report.pdf": ("", 0, 0),
        "plain.pdf": ("", 0, 0),
    }


def test_an_entry_with_neither_pdf_nor_note_is_a_problem_with_its_remedy(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    (problem,) = list_papers(tmp_path).problems
    assert "2406.15319" in problem and "rag_app fetch" in problem


def test_fetched_papers_are_found_with_their_versions(tmp_path: Path) -> None:
    put(tmp_path, "2406.15319v2.pdf", "sub/2004.04906.pdf", "other.pdf")
    assert {(found.id, found.version, path.name) for found, path in list_fetched_papers(tmp_path)} == {
        ("2406.15319", 2, "2406.15319v2.pdf"),
        ("2004.04906", 0, "2004.04906.pdf"),
    }


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[[paper]\n", 1, "not valid TOML"),
        ('a = 1\n\n[[paper]]\nb = "\n', 4, "not valid TOML"),
        ('[[papers]]\narxiv_id = "2406.15319"\n', 1, '"papers" is not a key'),
        (
            LONGRAG + '\n[[paper]]\narxiv_id = "2406.14909"\ntitel = "MoA"\n',
            11,
            '"titel" is not a key of a paper; did you mean "title"?',
        ),
        (LONGRAG.replace("topic", "year"), 6, "year has to be a whole number"),
        (LONGRAG + "month = 13\n", 8, "month has to be a whole number from 1 to 12"),
        (LONGRAG + "year = true\n", 8, "year has to be"),
        (LONGRAG.replace('["LongRAG"]', '"LongRAG"'), 5, "short_names has to be a list"),
        (LONGRAG.replace("2406.15319", "LongRAG"), 3, "is not an arXiv id"),
        ('[[paper]]\narxiv_id = "2406.15319"\n', 1, "has no title"),
        ('[[paper]]\ntitle = "x"\n', 1, "is not an arXiv id"),
        (LONGRAG + LONGRAG, 10, "listed twice"),
        ("paper = 3\n", 1, "has to be a list"),
    ],
)
def test_a_broken_manifest_names_file_line_and_remedy(tmp_path: Path, text: str, line: int, says: str) -> None:
    write_manifest(tmp_path, text)
    with pytest.raises(CorpusError) as raised:
        list_papers(tmp_path)
    message = str(raised.value)
    assert "papers.toml" in message and says in message
    assert re.search(rf"line {line}\b", message), message


def test_a_manifest_that_is_not_utf8_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "papers.toml").write_bytes("# one\n# gr\u00fcn".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"line 2: not UTF-8"):
        list_papers(tmp_path)


def test_a_manifest_that_is_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "papers.toml").mkdir()
    with pytest.raises(CorpusError, match="cannot be read"):
        list_papers(tmp_path)


def test_a_mark_at_the_start_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    (tmp_path / "papers.toml").write_bytes(b"\xef\xbb\xbf" + LONGRAG.replace("\n", "\r\n").encode())
    assert read_corpus_manifest(tmp_path)[0].arxiv_id == "2406.15319"


def test_an_inline_list_is_a_manifest_too(tmp_path: Path) -> None:
    write_manifest(
        tmp_path, 'paper = [{arxiv_id = "2406.15319v2", title = "a  b"}, {arxiv_id = "2406.14909", title = "c"}]'
    )
    assert [(entry.arxiv_id, entry.title) for entry in read_corpus_manifest(tmp_path)] == [
        ("2406.15319", "a b"),
        ("2406.14909", "c"),
    ]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_to_a_manifest_is_a_corpus_error_or_harmless(data: st.DataObject) -> None:
    content = bytearray(LONGRAG.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "papers.toml").write_bytes(bytes(content))
        try:
            read_corpus_manifest(Path(folder))
        except CorpusError as error:
            assert "papers.toml" in str(error)


# -- the corpus that comes with the project ---------------------------------------------------------------------


def test_the_manifest_has_the_twenty_papers_each_with_a_note() -> None:
    entries = read_corpus_manifest(CORPUS)
    assert len(entries) == 20
    assert {entry.arxiv_id for entry in entries} == {path.stem for path in (CORPUS / "notes").glob("*.md")}
    assert all((entry.year, entry.month) == (2024, 6) and entry.topic for entry in entries)
    assert {name for entry in entries for name in entry.short_names} >= {"LongRAG", "SEP", "Loong", "MIGU", "ARTE"}


@pytest.mark.parametrize("entry", read_corpus_manifest(CORPUS), ids=lambda entry: entry.arxiv_id)
def test_a_note_has_title_sections_and_a_fair_length(entry: object) -> None:
    arxiv_id, title = entry.arxiv_id, entry.title  # type: ignore[attr-defined]
    text = (CORPUS / "notes" / f"{arxiv_id}.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == f"# {title}"
    assert [line for line in lines if line.startswith("## ")] == ["## Problem", "## Method", "## Results"]
    assert 150 <= len(text.split()) <= 350
    assert arxiv_id in text.split("## Problem")[0]


@pytest.mark.parametrize(
    ("arxiv_id", "figures"),
    [
        ("2406.15877", "139 7 1,140 5.6 99% 60 60% 97%"),
        ("2406.17245", "15 15.2% four"),
        ("2406.14909", "3.9 1.5 7.1 9%-36% 5% 1.2 1.4 5.5 6.7"),
        ("2406.15927", "5 10 2024"),
        ("2406.17588", "32k 128k 200k 16k 4k"),
        ("2406.15319", "100 4K 30 22 700 30K 71% 52% 72% 47% 62.7% 64.3%"),
        ("2406.14972", "20%"),
        ("2406.18676", "five four"),
        ("2406.19395", "25,000 2,000 0.36"),
        ("2406.13632", "1-3k 23%"),
        ("2406.17294", "24 40,000 320,000 19"),
        ("2406.12624", "9"),
        ("2406.15279", "9"),
        ("2406.11654", "74% 20% 6% 3%"),
        ("2406.18510", "5,700 4.6 262K"),
    ],
)
def test_every_figure_of_the_digest_stands_in_its_note(arxiv_id: str, figures: str) -> None:
    text = (CORPUS / "notes" / f"{arxiv_id}.md").read_text(encoding="utf-8")
    for figure in figures.split():
        assert re.search(rf"(?<![\w.,]){re.escape(figure)}(?![\w%])", text), figure


def test_the_manifest_is_plain_toml() -> None:
    assert set(tomllib.loads((CORPUS / "papers.toml").read_text(encoding="utf-8"))) == {"paper"}


def test_the_shared_papers_are_all_listed(papers_folder: Path) -> None:
    listing = list_papers(papers_folder)
    assert len(listing.papers) == 47
    assert all(paper.kind == "pdf" and paper.arxiv_id and paper.year and paper.month for paper in listing.papers)
