"""Exported answers: what each format says, and that a paper's words command no Markdown, LaTeX or spreadsheet."""

import csv
import io
import json
import os
import re
import stat
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import rag_app
from rag_app.errors import ExportError
from rag_app.outputs.bibtex import escape_bibtex, key_of, to_bibtex
from rag_app.outputs.markdown import (
    FORMS,
    ExportContent,
    available_formats,
    escape_markdown,
    export_bibliography,
    export_comparison,
    export_file_name,
    export_markdown,
)
from rag_app.outputs.save import check_files, save_answers
from rag_app.outputs.tables import as_csv, escape_formula
from rag_app.records import Answer, Cell, Citation, Reference, Row, Source, Table

DPR = Source(
    "dpr.pdf",
    "Dense Passage Retrieval: BERT & 100% of {it}",
    "a" * 64,
    ("Vladimir Karpukhin", "Barlas Oğuz"),
    "2004.04906",
    "cs.CL",
)
OWN = Source("own.pdf", "A Report of Ours", "b" * 64, ("Rand, Inc.", "Research and Development"))
SOURCES = {source.paper: source for source in (DPR, OWN)}
FIRST = Citation(1, "dpr.pdf", DPR.title, 3, "iii", "4 *Results*", "it is <b>42</b> [^2] at $5", True)
SECOND = Citation(2, "own.pdf", OWN.title, 9, "9", "", "not there", False, digest=True)
MODEL = Answer("", "How *large*?", "answered", "**Large** [1], or <i>not</i> [2]. Not [7].", "gpt", (FIRST, SECOND))
QUOTED = Answer("", "q", "answered", "**On DPR:**\n\n# it is *42* [1]\n- so [^3]", "quoting", (FIRST,))


def exported(*answers):
    return ExportContent(answers, SOURCES, "rag-app 1.2.3", "2026-01-02T03:04:05+00:00")


# -- Markdown ---------------------------------------------------------------------------------------------------


def test_every_mark_is_a_footnote_with_paper_page_section_and_quote():
    text = export_markdown(exported(MODEL))
    assert "# How \\*large\\*?\n\n**Large** [^1], or &#60;i>not&#60;/i> [^2]. Not [7]." in text
    first = next(line for line in text.split("\n") if line.startswith("[^1]: "))
    assert "dpr.pdf, page 3 (printed iii). 4 \\*Results\\*: “it is \\<b\\>42\\</b\\> \\[\\^2\\] at \\$5”" in first
    second = next(line for line in text.split("\n") if line.startswith("[^2]: "))
    assert "**not found on that page**" in second and "in our digest" in second
    assert "rag-app 1.2.3, 2026-01-02" in text


def test_verbatim_words_mean_nothing_to_markdown_but_our_marks_do():
    text = export_markdown(exported(QUOTED))
    assert "**On DPR:**" in text
    assert "\\# it is \\*42\\*[^1]\\\n\\- so \\[\\^3\\]" in text


def test_a_conversation_has_footnotes_of_its_own_for_each_answer():
    text = export_markdown(exported(MODEL, QUOTED))
    assert "[^1-1]" in text and "[^2-1]" in text
    labels = re.findall(r"^\[\^([\d-]+)\]:", text, re.MULTILINE)
    assert labels == ["1-1", "1-2", "2-1"]
    assert set(re.findall(r"(?<!\\)\[\^([\d-]+)\](?!:)", text)) == set(labels)


def test_what_is_doubtful_and_what_a_quote_cites_comes_along():
    cited = replace(FIRST, read_by_ocr=True, references=(Reference("[5]", "Nobody. *A work*. 2019."),))
    answer = replace(MODEL, citations=(cited, SECOND), unsupported=("It needs 99 GB.",), notes=("From a digest.",))
    text = export_markdown(exported(replace(answer, nearest=(SECOND,))))
    assert "- It needs 99 GB." in text and "> From a digest." in text and "**The nearest passages:**" in text
    assert text.count("read by OCR: compare with the page") == 1
    assert "\\[5\\] is Nobody. \\*A work\\*. 2019." in text


def test_a_table_is_a_table():
    text = export_markdown(exported(TABLE))
    assert "|  | size \\& cost |\n| --- | --- |\n| A\\|B | \\=1+1[^1] |\n| C | not reported |\n\nbelow[^1]" in text


SPECIAL = st.text(alphabet="\\`*_{}[]()<>|~$^&@#+-=.!:/'\"ab1 \t\n;é", max_size=60)


@given(st.one_of(SPECIAL, st.text(max_size=60)))
@example("1. a")
@example("&copy; www.example.org http://example.org")
@example("![x](http://e.org) <script> [^1] $x$ ~~a~~")
def test_inert_text_is_shown_as_it_is(text):
    shown = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(escape_markdown(text))
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])
    children = tokens[1].children if tokens else []
    assert {token.type for token in children} <= {"text", "text_special"}
    assert "".join(token.content for token in children) == shown


@pytest.mark.parametrize("address", ["javascript:alert(1)", "DATA:text/html,x", "file:/etc/passwd", "vbscript:x"])
def test_an_address_that_some_programs_make_a_link_of_has_no_colon(address):
    assert address.partition(":")[0] + ":" not in escape_markdown(f"The data are at {address} for all.")


def test_no_backslash_stands_before_a_sign_that_begins_a_formula():
    assert escape_markdown("see \\(\\input{x}\\) there") == "see &#92;(&#92;input\\{x\\}&#92;) there"


# -- BibTeX -------------------------------------------------------------------------------------------------------


def parsed(text):
    """A strict small reader of BibTeX: entries with fields between balanced braces, comments between the entries."""
    entries, at = {}, 0
    while (start := text.find("@", at)) >= 0:
        assert all(line.startswith("%") or not line for line in text[at:start].split("\n"))
        head = re.compile(r"@misc\{([a-z0-9-]+),\n").match(text, start)
        assert head, text[start : start + 40]
        at, fields = head.end(), {}
        while text[at] != "}":
            field = re.compile(r"  ([A-Za-z]+) = \{").match(text, at)
            assert field, text[at : at + 40]
            depth, at = 1, field.end()
            begin = at
            while depth:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            assert text[at : at + 2] == ",\n" and field[1] not in fields
            fields[field[1]] = text[begin : at - 1]
            at += 2
        at += 1
        assert head[1] not in entries
        entries[head[1]] = fields
    assert not text[at:].strip()
    return entries


def test_an_arxiv_paper_has_the_fields_of_arxiv_and_no_others():
    assert parsed(to_bibtex([DPR])) == {
        "karpukhin2020densepassageretrieval": {
            "title": r"Dense Passage Retrieval: {BERT} \& {100\%} of {\textbraceleft}it{\textbraceright}",
            "author": "Vladimir Karpukhin and Barlas Oğuz",
            "year": "2020",
            "eprint": "2004.04906",
            "archivePrefix": "arXiv",
            "primaryClass": "cs.CL",
            "url": "https://arxiv.org/abs/2004.04906",
        }
    }


def test_nothing_is_invented():
    (fields,) = parsed(to_bibtex([OWN])).values()
    assert fields == {"title": "A Report of Ours", "author": "{Rand, Inc.} and {Research and Development}"}
    (old,) = parsed(to_bibtex([Source("x", "T", arxiv_id="hep-th/9901001")])).values()
    assert (old["year"], old["eprint"], set(old)) == (
        "1999", "hep-th/9901001", {"title", "year", "eprint", "archivePrefix", "url"},
    )  # fmt: skip


def test_keys_depend_on_the_paper_alone_and_never_collide():
    assert list(parsed(to_bibtex([OWN, DPR])))[1] == next(iter(parsed(to_bibtex([DPR])))) == key_of(DPR)
    twin = replace(DPR, paper="copy.pdf", digest="c" * 64)
    assert set(parsed(to_bibtex([DPR, twin]))) == {f"{key_of(DPR)}-aaaaaaaa", f"{key_of(DPR)}-cccccccc"}
    assert key_of(Source("x", "模型", authors=("李 明",))) == "paper"


AUTHORS = st.lists(st.text(max_size=20), max_size=3).map(tuple)
ANY_SOURCE = st.builds(Source, st.text(max_size=5), st.text(max_size=40), st.just("d" * 64), AUTHORS)


@given(st.lists(ANY_SOURCE, min_size=1, max_size=3, unique_by=key_of))
def test_any_paper_is_an_entry_that_parses(sources):
    assert len(parsed(to_bibtex(sources))) == len(sources)


@given(st.text(alphabet="ab1:-{}\\,\n\x1b\x07\u202e@=$^&#%~\"'();`<>| ", max_size=12))
@example("k\x1b[31mey")
def test_a_key_of_a_bibliography_commands_neither_bibtex_nor_a_terminal(key):
    head = to_bibtex([replace(DPR, citation_key=key)]).split("\n")[1]
    found = head.removeprefix("@misc{").removesuffix(",")
    assert found.isprintable() and found and not set("{}\\,\"'%#()=~$^&@;`<>| ") & set(found)


@given(st.text())
def test_nothing_commands_latex_from_a_field(text):
    printed = escape_bibtex(text)
    for word in ("backslash", "braceleft", "braceright", "asciitilde", "asciicircum"):
        printed = printed.replace(f"{{\\text{word}}}", "")
    for letter in "&%$#_":
        printed = printed.replace(f"\\{letter}", "")
    assert not set("\\{}~^&%$#_\n") & set(printed)


def test_only_cited_papers_are_listed_once():
    assert list(parsed(export_bibliography(exported(MODEL, QUOTED)))) == [key_of(DPR), key_of(OWN)]
    with pytest.raises(ExportError, match="cites no paper"):
        export_bibliography(exported(replace(MODEL, citations=())))


# -- CSV ----------------------------------------------------------------------------------------------------------

TABLE = Answer(
    "", "compare", "answered", "| | |\n\nbelow [1]", "quoting", (FIRST,),
    table=Table(
        ("size & cost",), (Row("a.pdf", "A|B", (Cell("=1+1", (1,)),)), Row("c.pdf", "C", (Cell("not reported"),)))
    ),
)  # fmt: skip


def test_csv_is_for_tables_only():
    rows = list(csv.reader(io.StringIO(export_comparison(exported(TABLE)))))
    assert rows[1] == ["a.pdf", "A|B", "'=1+1 (p. 3)"]
    assert available_formats(TABLE) == ["md", "bib", "csv", "tex", "json"]
    assert available_formats(MODEL) == ["md", "bib", "json"]
    assert available_formats(replace(MODEL, status="error")) == []
    with pytest.raises(ExportError, match="not a comparison table"):
        export_comparison(exported(MODEL))


@given(st.lists(st.text(alphabet="=+-@＝;,\"'\t\r\n ab1|\x00", max_size=20), min_size=2, max_size=3))
@example(['x;"=1', "=cmd|' /C calc'!A0"])
@example([" \t=1", "a;\n@b"])
def test_no_cell_is_a_formula_whatever_separates_them(texts):
    cells = tuple(Cell(text) for text in texts)
    written = as_csv(replace(TABLE, table=Table(tuple("abc"[: len(texts)]), (Row(texts[0], texts[1], cells),))))
    rows = list(csv.reader(io.StringIO(written)))
    assert [len(row) for row in rows] == [2 + len(texts)] * 2
    for separator in ",;":
        for row in csv.reader(io.StringIO(written), delimiter=separator):
            for cell in row:
                assert not cell.strip().startswith(("=", "+", "-", "@", "＝")), (separator, row)


@given(st.text(alphabet="ab1 .%()é", max_size=30))
def test_harmless_text_stays(text):
    assert escape_formula(text) == " ".join(text.split())


# -- files --------------------------------------------------------------------------------------------------------


class Shelf:
    def sources(self, papers):
        return {paper: SOURCES[paper] for paper in papers}


def test_the_suffix_says_the_form(tmp_path):
    files = [tmp_path / f"a.{suffix}" for suffix in ("md", "bib", "csv", "JSON")]
    assert save_answers(Shelf(), TABLE, *files) == files
    assert files[0].read_text(encoding="utf-8").startswith("# compare")
    value = json.loads(files[3].read_text(encoding="utf-8"))
    assert value["answers"][0]["citations"][0]["sha256"] == "a" * 64
    assert value["program"].startswith("rag-app ") and re.match(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", value["created"])
    assert [paper["paper"] for paper in value["papers"]] == ["dpr.pdf"]
    assert rag_app.save_answers is save_answers


@pytest.mark.skipif(os.name != "posix", reason="modes of files are not Windows'")
def test_nobody_but_its_owner_reads_an_export(tmp_path):
    files = [tmp_path / f"a.{suffix}" for suffix in ("md", "json", "zip")]
    files[0].write_text("as an earlier version wrote it", encoding="utf-8")
    files[0].chmod(0o644)
    save_answers(Shelf(), TABLE, *files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_cannot_be_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ExportError, match=r"\.md, \.bib, \.csv, \.tex, \.json"):
        check_files([tmp_path / "a.docx"])
    with pytest.raises(ExportError, match="folder that exists"):
        check_files([tmp_path / "none" / "a.md"])
    with pytest.raises(ExportError, match="not a comparison table"):
        save_answers(Shelf(), MODEL, tmp_path / "a.md", tmp_path / "a.csv")
    with pytest.raises(ExportError, match="ended with an error"):
        save_answers(Shelf(), replace(MODEL, status="error"), tmp_path / "a.md")
    assert list(tmp_path.iterdir()) == []


@given(st.text())
def test_a_file_name_is_safe_on_every_system(question):
    assert re.fullmatch(r"answer(-[a-z0-9]+)*", export_file_name(question))
    assert len(export_file_name(question)) <= 80


def test_every_form_says_what_it_is():
    assert {suffix: form.media_type.partition(";")[0] for suffix, form in FORMS.items()} == {
        "md": "text/markdown", "bib": "application/x-bibtex", "csv": "text/csv", "tex": "application/x-tex",
        "json": "application/json",
    }  # fmt: skip


def test_no_blank_stands_between_a_footnote_and_a_comma() -> None:
    cited = tuple(Citation(number, "p.pdf", "P", 1, "1", "", "words", True) for number in (1, 2))
    answer = Answer("", "Q?", "answered", "128 in DPR [1], 256 in BERT [2]; none in RAG.", "quoting", cited)
    assert "128 in DPR[^1], 256 in BERT[^2]; none in RAG." in export_markdown(ExportContent((answer,), {}, "p", "now"))
