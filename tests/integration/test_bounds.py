"""What strangers write stays in its line and its size: names of files in a terminal, and what a model server sends."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from rag_app.cli import verify
from rag_app.cli.doctor import format_check_result
from rag_app.cli.doctor_checks import CheckResult
from rag_app.cli.main import main
from rag_app.errors import ModelError, RagError
from rag_app.index.chroma import ServedCopy, copy_to_server
from rag_app.models.http_replies import LARGEST_REPLY
from rag_app.models.llm.client import CHARACTERS_PER_TOKEN, open_language_model
from rag_app.outputs.evidence_file import ClaimedQuote
from rag_app.outputs.terminal import answer_text, hits_text, papers_text
from rag_app.outputs.verify import CheckedQuote
from rag_app.records import Answer, Citation, Hit, PaperRow, Passage
from rag_app.settings import Settings
from tests.support.provider import Provider, Reply

FORGED = "a.md\n[2] A trusted paper\n    trusted.pdf, page 1  (verified)\r\x1b[2J\u202e.md"


def starts(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip().startswith(("[2]", "trusted.pdf", "2."))]


def test_a_name_of_several_lines_forges_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")  # lines that were only wrapped begin anywhere
    cited = Citation(1, FORGED, FORGED, 1, "", FORGED, "A quote.\n[2] A trusted paper\n trusted.pdf", True)
    said = answer_text(Answer("q", "q", "answered", "Yes [1].", "m", citations=(cited,)))
    assert starts(said) == [] and "\x1b" not in said and "\u202e" not in said and "\\n[2]" in said


def test_a_name_of_several_lines_forges_no_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")  # lines that were only wrapped begin anywhere
    passage = Passage("i", FORGED, 1, "", FORGED, 0, 5, "words")
    said = hits_text([Hit(passage, 1.0)], lambda paper: paper)
    assert starts(said) == [] and "\x1b" not in said


def test_what_a_handed_over_index_or_file_says_begins_no_line_of_its_own() -> None:
    forged = "cut off\nrag-app: all is well\r\u2028ok   “a quote”\u0085FAIL x"
    row = PaperRow("a.md", "A", 1, 1, "full text", forged, warnings=(forged,), hidden=(forged,))
    claim = ClaimedQuote(1, 1, forged, 1, "a quote", "")
    said = [
        papers_text([row]),
        verify._text([CheckedQuote(claim, "file unreadable", problem=forged)]),
        format_check_result(CheckResult("papers", "wrong", forged, forged)),
    ]
    for text in said:
        assert "all is well" in text
        assert not any(re.match(r"\s*(rag-app: |ok |FAIL x)", line) for line in text.splitlines())


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")
def test_the_commands_say_such_names_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FORGED.replace("/", "")).write_text("words", encoding="utf-8")
    monkeypatch.setenv("RAG_CORPUS", str(tmp_path))
    monkeypatch.setenv("RAG_INDEX", str(tmp_path / "index"))
    for arguments in (["papers"], ["remove", FORGED], ["remove", "no\nrag-app: all is well"], ["verify", FORGED]):
        main(arguments)
        said = capsys.readouterr()
        assert starts(said.out + said.err) == [] and "\x1b" not in said.out + said.err
        assert not any(line.startswith("rag-app: all is well") for line in said.err.splitlines())


def test_an_error_of_a_foreign_server_is_not_quoted_in_full() -> None:
    page = "SECRET of another program " * 50
    for body in (page, f"<html>{page}</html>", '{"secret": "' + page + '"}', '{"error": {"message": "' + page + '"}}'):
        with Provider(Reply(status=418, body=body)) as provider:
            model = open_language_model(Settings(llm_base_url=provider.url, llm_model="m"))
            assert model is not None
            with pytest.raises(ModelError) as caught:
                list(model.stream("s", "q", threading.Event()))
        assert str(caught.value).count("SECRET") <= (12 if "message" in body else 0)


def test_an_error_of_a_chroma_server_is_not_quoted_in_full() -> None:
    with Provider(get={"/api/v2/auth/identity": {"SECRET " * 3000: 1}}) as server, pytest.raises(RagError) as caught:
        copy_to_server(ServedCopy(f"http://127.0.0.1:{server.port}", "rag-app-papers", "index", "generation"), [])
    assert 0 < str(caught.value).count("SECRET") <= 43


def answer_from(*replies: Reply) -> tuple[str, str]:
    """What came of a stream, and how it failed."""
    with Provider(*replies) as provider:
        model = open_language_model(Settings(llm_base_url=provider.url, llm_model="m", llm_window=8192))
        assert model is not None
        pieces: list[str] = []
        try:
            for piece in model.stream("s", "q", threading.Event()):
                pieces.append(piece)
        except RagError as error:
            return "".join(pieces), str(error)
        return "".join(pieces), ""


@pytest.mark.parametrize("pieces", [["It is so [1]. " * 30_000], ["It is so [1]. "] * 30_000])
def test_an_answer_without_end_is_cut_where_an_answer_ends(pieces: list[str]) -> None:
    said, _ = answer_from(Reply(pieces=pieces))
    assert 0 < len(said) <= Settings().llm_max_tokens * CHARACTERS_PER_TOKEN + 20


def test_a_line_without_end_is_not_read_to_its_end() -> None:
    said, problem = answer_from(Reply(pieces=["x" * (LARGEST_REPLY + 2**20)]))
    assert said == "" and "longer than 16 MB" in problem
