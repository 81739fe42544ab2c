"""`compare` as it is typed, and the table in its export formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.answering.quoting.reader import QuotingReader
from rag_app.assistant import Assistant
from rag_app.cli import compare
from rag_app.cli.main import main
from rag_app.outputs.tables import as_csv, as_latex, escape_latex
from rag_app.outputs.terminal import answer_text
from rag_app.records import Answer, Cell, Citation, Row, Table
from tests.support.doubles import WordEmbedder, settings_for

ANSWER = Answer(
    "",
    "compare",
    "answered",
    "|  | size & cost | more |\n| --- | --- | --- |\n"
    "| A | 50% of 3_b [1] | not reported |\n| B | =cmd [2] | x \\| y [2] |",
    "quoting",
    (
        Citation(1, "a.pdf", "On A", 3, "3", "", "50% of 3_b", True),
        Citation(2, "b.pdf", "On B", 4, "4", "", "=cmd", True),
    ),
    table=Table(
        ("size & cost", "more"),
        (
            Row("a.pdf", "A", (Cell("50% of 3_b", (1,)), Cell("not reported"))),
            Row("b.pdf", "B", (Cell("=cmd", (2,)), Cell("x | y", (2,)))),
        ),
    ),
)


def test_csv_reads_back_and_runs_nothing() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(ANSWER))))
    assert rows[0] == ["paper", "name", "size & cost", "more"]
    assert rows[1] == ["a.pdf", "A", "50% of 3_b (p. 3)", "not reported"]
    assert rows[2] == ["b.pdf", "B", "'=cmd (p. 4)", "x | y (p. 4)"]


def test_latex_prints_as_it_is() -> None:
    text = as_latex(ANSWER)
    assert r"size \& cost" in text
    assert r"50\% of 3\_b (p. 3)" in text
    assert text.count(r" \\") == 3
    assert text.startswith(r"\begin{tabular}{lp{0.42\linewidth}p{0.42\linewidth}}")


@given(st.text())
def test_nothing_commands_latex(text: str) -> None:
    printed = escape_latex(text)
    for name in ("backslash", "asciitilde", "asciicircum", "less", "greater", "bar"):
        printed = printed.replace(f"\\text{name}{{}}", "")
    for letter in "[]*":
        printed = printed.replace(f"{{{letter}}}", "")
    assert not set("[]*<>|") & set(printed) and printed.isprintable()
    assert not set("~^") & set(printed)
    for letter in "&%$#_{}":
        printed = printed.replace(f"\\{letter}", "")
    assert not set("\\&%$#_{}") & set(printed)


def test_the_terminal_shows_each_aspect_paper_by_paper() -> None:
    shown = answer_text(ANSWER)
    assert "size & cost\n  A  50% of 3_b [1]\n  B  =cmd [2]" in shown
    assert "more\n  A  not reported\n  B  x | y [2]" in shown
    assert "| ---" not in shown


# -- typed ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("typed")
    for name, size in (("otter", 512), ("heron", 64)):
        (folder / "corpus").mkdir(exist_ok=True)
        text = f"# The {name}\n\n## Training\n\nThe batch size of the {name} is {size} for every step of training.\n"
        (folder / "corpus" / f"{name}.md").write_text(text, encoding="utf-8")
    Assistant(settings_for(folder), embedder=WordEmbedder()).build()
    yield folder


@pytest.fixture(autouse=True)
def ready(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened() -> Assistant:
        return Assistant(settings_for(folder), embedder=WordEmbedder(), reader=QuotingReader())

    monkeypatch.setattr(compare, "ready_assistant", opened)


TYPED = ["compare", "batch size of the training", "--papers", "otter,heron", "--aspects", "batch size"]


def test_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TYPED) == 0
    said = capsys.readouterr().out
    assert said.startswith("Compared: The otter, The heron — on: batch size.")
    assert "\n\nbatch size\n" in said
    assert "is 512 for" in said
    assert "is 64 for" in said


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TYPED, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["table"]["aspects"] == ["batch size"]
    assert [row["paper"] for row in value["table"]["rows"]] == ["otter.md", "heron.md"]


@pytest.mark.parametrize(
    ("form", "begins"), [("--csv", "paper,name"), ("--markdown", "# batch"), ("--latex", r"\begin{tab")]
)
def test_to_be_taken_away(form: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TYPED, form]) == 0
    assert capsys.readouterr().out.startswith(begins)


def test_a_table_of_nothing_says_so_in_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "q", "--papers", "otter", "--aspects", "zygomorphic quaternions", "--csv"]) == 0
    streams = capsys.readouterr()
    assert "zygomorphic quaternions" in streams.out
    assert len(streams.out.strip().splitlines()) == 2


def test_without_papers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "batch size"]) == 1
    assert "--papers" in capsys.readouterr().err
    assert main(["compare"]) == 2
    assert main([*TYPED, "--csv", "--latex"]) == 2


def test_a_saved_table_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TYPED, "--json"]) == 0
    saved = tmp_path / "table.json"
    saved.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["compare", "--onto", str(saved), "--aspects", "step of training", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["table"]["aspects"] == ["batch size", "step of training"]
    assert value["plan"]["aspects"] == value["table"]["aspects"]
    assert main(["compare", "--onto", str(saved)]) == 1
    assert "--aspects" in capsys.readouterr().err
    assert main(["compare", "--onto", str(tmp_path / "none.json"), "--aspects", "x"]) == 1
    assert "none.json" in capsys.readouterr().err
