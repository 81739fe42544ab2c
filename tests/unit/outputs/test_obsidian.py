"""Notes for Obsidian: what they hold, and what is never touched."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rag_app.errors import ExportError
from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.outputs.obsidian import MARKER, make_note, note_names, write_notes
from rag_app.records import Answer, Citation, PaperRow, Source
from tests.support.doubles import write_paper

ROW = PaperRow("otter.pdf", "On Otters", 3, 9, "full text", "", 2021, "Rivers & Lakes")
SOURCE = Source("otter.pdf", "On Otters", "ab" * 32, ("Ada Lovelace",), citation_key="lovelace21")
CITED = Citation(1, "otter.pdf", "On Otters", 2, "ii", "2 Results", "The otter weighs 11.2 stones.", True)
ANSWER = Answer("", "How heavy is it?", "answered", "11.2 [1].", "quoting", (CITED,))


def link(paper: str, page: int, words: str) -> str:
    return f"http://here/?paper={paper}&page={page}"


def write(folder: Path, *answers: Answer) -> Path:
    write_notes(folder, [ROW], {"otter.pdf": SOURCE}, answers, link)
    return folder / "lovelace21.md"


def test_a_note_has_front_matter_quotes_and_links(tmp_path: Path) -> None:
    text = write(tmp_path, ANSWER).read_text(encoding="utf-8")
    matter = dict(line.split(": ", 1) for line in text.split("---")[1].strip().splitlines())
    assert json.loads(matter["citekey"]) == "lovelace21" and json.loads(matter["tags"]) == ["paper", "rivers-lakes"]
    assert "> The otter weighs 11.2 stones." in text and "(http://here/?paper=otter.pdf&page=2)" in text
    assert text.rstrip().endswith(MARKER)


def test_what_stands_below_the_marker_stays(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + "\nMy own thoughts.\n", encoding="utf-8")
    assert "11.2" not in path.read_text(encoding="utf-8")
    write(tmp_path, ANSWER)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\nMy own thoughts.\n") and "11.2" in text
    report = write_notes(tmp_path, [ROW], {"otter.pdf": SOURCE}, [ANSWER], link)
    assert report.written == () and report.unchanged == 1


def test_a_title_that_holds_the_marker_is_not_it(tmp_path: Path) -> None:
    forged = replace(SOURCE, title=f"Otters {MARKER} weigh")
    for _ in range(3):
        write_notes(tmp_path, [ROW], {"otter.pdf": forged}, [ANSWER], link)
    (note,) = tmp_path.glob("*.md")
    text = note.read_text(encoding="utf-8")
    assert text.count(MARKER) == 1 and text.count("# Otters") == 1 and text.rstrip().endswith(MARKER)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are not Windows'")
def test_nobody_but_its_owner_reads_a_note(tmp_path: Path) -> None:
    write(tmp_path).chmod(0o644)  # as an earlier version wrote it, and unchanged since
    assert stat.S_IMODE(write(tmp_path, ANSWER).stat().st_mode) == 0o600


def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lovelace21.md").write_text("My diary.", encoding="utf-8")
    report = write_notes(tmp_path, [ROW], {"otter.pdf": SOURCE}, [ANSWER], link)
    assert "lacks the marker" in report.problems[0]
    assert (tmp_path / "lovelace21.md").read_text(encoding="utf-8") == "My diary."


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="vault"):
        write_notes(tmp_path / "nosuch", [ROW], {}, [], link)


def test_two_papers_of_one_key_have_two_notes() -> None:
    other = Source("b.pdf", "B", "cd" * 32, citation_key="Lovelace21")
    assert len({name.casefold() for name in note_names([SOURCE, other]).values()}) == 2


@given(st.text(max_size=80))
def test_text_of_papers_never_becomes_markup(text: str) -> None:
    cited = Citation(1, "otter.pdf", "T", 1, "1", "", f"x {text}", True)
    note = make_note(ROW, SOURCE, [("Why?", cited)], link)
    body = note.split("---", 2)[2]
    html = MarkdownIt("commonmark").render(body.replace(MARKER, ""))
    assert html.count("<a ") == 2 and "<script" not in html and "<img" not in html and "<h3" not in html


def test_the_command_writes_what_the_page_has_kept(
    tmp_path: Path, put_models: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag_app.cli.main import main  # noqa: PLC0415

    values = {"CORPUS": tmp_path / "corpus", "INDEX": put_models(tmp_path) / "index", "WORKERS": 1, "LLM": "none"}
    for name, value in values.items():
        monkeypatch.setenv(f"RAG_{name}", str(value))
    paper = write_paper(tmp_path / "corpus", "lynx.md", "lynx", secret="The lynx of Harz weighs 21.7 stones.")
    cited = Citation(1, paper.name, "The Lynx", 1, "1", "Discussion", "The lynx of Harz weighs 21.7 stones.", True)
    answer = Answer("", "How heavy is it?", "answered", "21.7 [1].", "quoting", (cited,))
    History(history_file(tmp_path / "index")).save_turn("a", answer)
    (tmp_path / "vault").mkdir()
    assert main(["notes", str(tmp_path / "vault"), "--page", "http://127.0.0.1:7860"]) == 0
    (note,) = (tmp_path / "vault").glob("*.md")
    text = note.read_text(encoding="utf-8")
    assert "21.7 stones" in text and "(http://127.0.0.1:7860/?paper=lynx.md&page=1&words=The+lynx" in text
