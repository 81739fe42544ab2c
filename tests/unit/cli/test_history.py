"""A whole conversation, from the page's memory to files: Markdown, BibTeX, tables, and evidence that holds."""

import json
import zipfile

import pytest

from rag_app.assistant import Assistant
from rag_app.cli.main import main
from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.outputs.markdown import ExportContent
from rag_app.outputs.save import make_bundle
from rag_app.records import Answer
from rag_app.settings import load_settings
from tests.support.pdfs import make_paper

QUOKKA = "The Quokka reader has 220 million parameters and reads one hundred passages."
NUMBAT = "The Numbat reader has 61 million parameters and reads twenty passages."
ASKED = ("How many parameters does the Quokka reader have?", "Compare Quokka and Numbat: how many parameters?")


@pytest.fixture
def library(asked, monkeypatch):
    """The library with its conversations, as the one that the settings name."""
    for name in ("corpus", "index"):
        monkeypatch.setenv(f"RAG_{name.upper()}", str(getattr(asked.settings, name)))
    monkeypatch.setenv("RAG_LLM", "none")
    return asked


@pytest.fixture(scope="module")
def asked(tmp_path_factory, put_models):
    """Two papers, their index, a conversation of two answers and one that failed, and one that failed wholly."""
    corpus = tmp_path_factory.mktemp("corpus")
    index = put_models(tmp_path_factory.mktemp("remembered")) / "index"
    make_paper(corpus / "quokka.pdf", "Quokka: Reading Passages", [("1 Method", [QUOKKA])])
    make_paper(corpus / "numbat.pdf", "Numbat: Reading Fewer Passages", [("1 Method", [NUMBAT])])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("CORPUS", corpus), ("INDEX", index), ("LLM", "none")):
            patch.setenv(f"RAG_{name}", str(value))
        made = Assistant(load_settings())
        made.build()
        history = History(history_file(made.settings.index_folder))
        history.save_turn("b" * 16, Answer("", "Price of coffee?", "error", "No.", ""))
        for question in ASKED:
            history.save_turn("a" * 16, made.ask(question))
        history.save_turn("a" * 16, Answer("", "And then?", "error", "The provider is away.", "m"))
    return made


def files_of(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


def test_the_list_the_conversation_and_its_json(library, capsys):
    assert main(["history"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "3 questions" in first and ASKED[0] in first and "Price of coffee?" in second
    assert main(["history", "--find", "coffee", "--json"]) == 0
    assert [one["title"] for one in json.loads(capsys.readouterr().out)["conversations"]] == ["Price of coffee?"]
    assert main(["history", "1"]) == 0
    out = capsys.readouterr().out
    assert all(f"> {question}" in out for question in ASKED) and "220 million" in out and "numbat.pdf" in out
    assert main(["history", "a" * 16, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [turn["question"] for turn in value["turns"]] == [*ASKED, "And then?"]
    assert value["turns"][0]["citations"][0]["verified"] and value["turns"][0]["verdict"] is None


def test_a_conversation_is_taken_away_whole_and_verify_holds_it(library, tmp_path, capsys):
    files = [f"--export={tmp_path / name}" for name in ("c.md", "c.bib", "c.csv", "c.json", "all.zip")]
    assert main(["history", "1", *files]) == 0
    assert "c.json (2 answers)" in capsys.readouterr().err
    markdown = (tmp_path / "c.md").read_text(encoding="utf-8")
    assert all(f"# {question}" in markdown for question in ASKED)
    assert "[^1-1]: " in markdown and "[^2-1]: " in markdown  # each answer's footnotes are its own
    assert (tmp_path / "c.bib").read_text(encoding="utf-8").count("@misc{") == 2
    assert "Quokka" in (tmp_path / "c.csv").read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "c.json"), "--json"]) == 0
    quotes = json.loads(capsys.readouterr().out)["quotes"]
    assert {quote["answer"] for quote in quotes} == {1, 2} and {quote["state"] for quote in quotes} == {"found"}
    packed = files_of(tmp_path / "all.zip")
    assert sorted(packed) == ["all.bib", "all.csv", "all.json", "all.md", "all.tex"]
    assert packed["all.csv"] == (tmp_path / "c.csv").read_bytes().decode()
    (tmp_path / "unpacked.json").write_text(packed["all.json"], encoding="utf-8")
    assert main(["verify", str(tmp_path / "unpacked.json")]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["7"], "no such conversation"),
        (["--export", "{folder}/c.md"], "say which conversation"),
        (["1", "--export", "{folder}/c.docx"], "the suffix decides"),
        (["2", "--export", "{folder}/c.md"], "no answer to export"),
        (["--user", "../ada"], "No conversation of ../ada"),
    ],
)
def test_what_is_wrong_is_said(library, tmp_path, capsys, arguments, said):
    assert main(["history", *(argument.format(folder=tmp_path) for argument in arguments)]) == 1
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_each_users_conversations_are_named_by_the_user(library, capsys):
    history = History(history_file(library.settings.index_folder, "ada"))
    history.save_turn("c" * 16, Answer("", "Hers?", "answered", "Yes.", "quoting"))
    assert main(["history", "--user", "ada"]) == 0
    assert "Hers?" in capsys.readouterr().out
    assert main(["history"]) == 0
    assert "Hers?" not in capsys.readouterr().out


def test_a_bundle_holds_only_what_there_is_and_a_follow_up_says_how_it_was_understood(tmp_path):
    answer = Answer("", "And it?", "answered", "Yes.", "m", asked="Is *A* large?")
    made = make_bundle(ExportContent([answer], {}, "rag-app 1", "2026-01-02"), "talk")
    (tmp_path / "made.zip").write_bytes(made)
    packed = files_of(tmp_path / "made.zip")
    assert sorted(packed) == ["talk.json", "talk.md"]
    assert "*Understood as: Is \\*A\\* large?*" in packed["talk.md"]
    assert made == make_bundle(ExportContent([answer], {}, "rag-app 1", "2026-01-02"), "talk")
