"""`chat`: a conversation through a pipe."""

import io
import json
import sys

import pytest

from rag_app.assistant import Assistant
from rag_app.cli import ask
from rag_app.cli.main import make_parser
from tests.support.doubles import WordEmbedder, settings_for, write_paper


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk")
    write_paper(folder / "corpus", "otter.md", "otter", secret="The OtterNet model has 12 layers.")
    write_paper(folder / "corpus", "heron.md", "heron", secret="The HeronNet model has 24 layers.")
    assistant = Assistant(settings_for(folder), embedder=WordEmbedder())
    assistant.build()
    return assistant


def chat(assistant, monkeypatch, typed, *options):
    monkeypatch.setattr(ask, "ready_assistant", lambda: assistant)
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return ask.run_chat(make_parser().parse_args(["chat", *options]))


def test_a_follow_up_is_understood_and_said(assistant, monkeypatch, capsys):
    typed = "How many layers does OtterNet have?\nand HeronNet?\n"
    assert chat(assistant, monkeypatch, typed) == 0
    shown = capsys.readouterr().out
    assert "understood as: How many layers does HeronNet have?" in shown
    assert shown.count("searched 2 papers") == 2


def test_json_is_one_answer_a_line_and_new_forgets(assistant, monkeypatch, capsys):
    typed = "How many layers does OtterNet have?\nand HeronNet?\n\n/new\nand HeronNet?\n/quit\nnever asked\n"
    assert chat(assistant, monkeypatch, typed, "--json") == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["asked"] for answer in answers] == ["", "How many layers does HeronNet have?", ""]


def test_papers_are_listed_and_chosen(assistant, monkeypatch, capsys):
    typed = "/papers\n/papers heron\nHow many layers?\n/papers all\n/papers mouse\n/dance\n"
    assert chat(assistant, monkeypatch, typed) == 0
    shown, notes = capsys.readouterr()
    assert "2 papers" in shown and "searched 1 paper," in shown
    assert "asking only heron.md" in notes and "asking all papers" in notes
    assert "no such paper" in notes and "/dance: no such command" in notes
