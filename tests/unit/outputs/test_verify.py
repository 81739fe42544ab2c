"""An answer is exported and its quotes are looked for again: what was tampered with, changed or is missing is said."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app import save_answers
from rag_app.assistant import Assistant
from rag_app.cli import ask
from rag_app.cli.main import main
from rag_app.errors import EvidenceError
from rag_app.outputs.evidence_file import read_evidence
from rag_app.outputs.verify import verify_quotes
from tests.support.doubles import FirstSentenceReader, WordEmbedder, settings_for
from tests.support.pdfs import NewPage, make_paper

pytestmark = pytest.mark.slow

FACT = "The Quokka reader has 220 million parameters and reads one hundred passages."
LATER = "Training the Quokka took eleven hours on one single card in the basement."


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two papers, their index and the evidence of an answer from them."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "corpus").mkdir()
    make_paper(folder / "corpus/quokka.pdf", "Quokka: Reading", [("1 Method", [FACT, NewPage(), LATER])])
    (folder / "corpus/note.md").write_text("# Numbat\n\nThe Numbat encodes 61,904 questions.\n", encoding="utf-8")
    library = Assistant(settings_for(folder), embedder=WordEmbedder(), reader=FirstSentenceReader())
    library.build()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ask, "ready_assistant", lambda: library)
        asked = "How many parameters does the Quokka reader have?"
        files = [f"--export={folder / name}" for name in ("a.json", "a.md", "a.bib")]
        assert main(["ask", asked, *files]) == 0
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "corpus", tmp_path / "corpus")
    shutil.copy(made / "a.json", tmp_path / "a.json")
    return tmp_path


def change(folder: Path, **fields: object) -> None:
    """Write other fields into the citation of FACT."""
    value = json.loads((folder / "a.json").read_text(encoding="utf-8"))
    (citation,) = [one for one in value["answers"][0]["citations"] if "220" in one["quote"]]
    citation |= fields
    (folder / "a.json").write_text(json.dumps(value), encoding="utf-8")


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    """The exit code, and what is said of the quote on the parameters; all others hold."""
    capsys.readouterr()
    code = main(["verify", str(folder / "a.json"), "--papers", str(folder / "corpus"), "--json"])
    value = json.loads(capsys.readouterr().out)
    assert value["status"] == ("failed" if code else "verified")
    return code, next(one for one in value["quotes"] if "parameters" in one["quote"])


def test_what_was_exported_holds(copied: Path, capsys: pytest.CaptureFixture[str], loopback_only: list[str]) -> None:
    code, quote = checked(copied, capsys)
    assert code == 0
    assert (quote["state"], quote["pages"], quote["message"]) == ("found", [1], "found on page 1")
    assert main(["verify", str(copied / "a.json"), "--papers", str(copied / "corpus")]) == 0
    assert "quokka.pdf: found on page 1" in capsys.readouterr().out


def test_neither_index_nor_model_is_touched(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_INDEX", str(copied / "no index"))
    monkeypatch.setenv("RAG_LLM", "http://nobody.example")
    monkeypatch.setattr(Assistant, "__init__", lambda *_: pytest.fail("no assistant is needed"))
    assert main(["verify", str(copied / "a.json"), "--papers", str(copied / "corpus")]) == 0
    assert not (copied / "no index").exists()
    assert sorted(os.listdir(copied)) == ["a.json", "corpus"]


def test_a_tampered_quote_is_not_found(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copied, quote=FACT.replace("220", "330"))
    code, quote = checked(copied, capsys)
    assert (code, quote["state"], quote["pages"]) == (1, "not found", [])


def test_a_quote_too_short_to_prove_anything_is_not_found(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copied, quote="The")
    assert main(["verify", str(copied / "a.json"), "--papers", str(copied / "corpus")]) == 1
    assert "not found" in capsys.readouterr().out


def test_a_tampered_page_is_told_with_the_right_one(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copied, page=2)
    code, quote = checked(copied, capsys)
    assert (code, quote["state"], quote["pages"]) == (1, "other page", [1])
    assert quote["message"] == "not on page 2, but on page 1"
    change(copied, page=777)
    assert checked(copied, capsys)[1]["message"] == "not on page 777, but on page 1"


def test_a_changed_file_is_told_and_where_the_words_are_now(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_paper(copied / "corpus/quokka.pdf", "Quokka: Reading", [("1 Method", ["New.", NewPage(), FACT])])
    code, quote = checked(copied, capsys)
    assert (code, quote["state"], quote["pages"]) == (1, "file changed", [2])
    assert "other hash" in str(quote["message"]) and "on page 2" in str(quote["message"])


def test_a_tampered_hash_counts_as_a_changed_file(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copied, sha256="0" * 64)
    assert checked(copied, capsys)[1]["state"] == "file changed"


def test_a_missing_file_is_told_and_one_that_moved_is_known_by_its_bytes(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied / "corpus/below").mkdir()
    (copied / "corpus/quokka.pdf").rename(copied / "corpus/below/other name.pdf")
    code, quote = checked(copied, capsys)
    assert (code, quote["state"]) == (0, "found")
    assert "other name.pdf" in str(quote["message"])
    (copied / "corpus/below/other name.pdf").unlink()
    code, quote = checked(copied, capsys)
    assert (code, quote["state"], quote["message"]) == (1, "file missing", "file missing")


def test_a_paper_that_had_left_the_library_when_this_was_written_spoils_no_other_quote(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(copied, sha256="")
    code, quote = checked(copied, capsys)
    assert (code, quote["state"]) == (1, "file changed") and "no hash" in str(quote["message"])
    (copied / "corpus/quokka.pdf").unlink()
    assert checked(copied, capsys)[1]["state"] == "file missing"


def test_a_file_that_cannot_be_read_says_why(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "corpus/quokka.pdf").write_bytes(b"%PDF-1.4\nrubbish")
    code, quote = checked(copied, capsys)
    assert (code, quote["state"]) == (1, "file changed")
    assert "not in the file" in str(quote["message"])


def test_a_path_is_no_papers_name(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = copied / "secret.md"
    outside.write_text(FACT, encoding="utf-8")
    for name in ("../secret.md", str(outside)):
        change(copied, paper=name, sha256="0" * 64)
        assert checked(copied, capsys)[1]["state"] == "file missing"


def test_without_a_quote_nothing_is_proved(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = json.loads((copied / "a.json").read_text(encoding="utf-8"))
    value["answers"] = []
    (copied / "a.json").write_text(json.dumps(value), encoding="utf-8")
    assert main(["verify", str(copied / "a.json"), "--papers", str(copied / "corpus")]) == 1
    assert "nothing was checked" in capsys.readouterr().out


# -- broken and hostile files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"[]", "not an evidence file"),
        (b'{"format": "other"}', "not an evidence file"),
        (b'{"format": "rag-app evidence", "version": 2}', "another version"),
        (b'{"format": "rag-app evidence", "version": true}', "another version"),
        (b'{"format": "rag-app evidence", "version": 1}', 'no list "answers"'),
        (b'{"format": "rag-app evidence", "version": 1, "answers": [7]}', "answer 1 is not a JSON object"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_reason(tmp_path: Path, capsys, content: bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert main(["verify", str(tmp_path / "a.json"), "--papers", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert said in error and "a.json" in error and "Traceback" not in error and "bug in the program" not in error


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("page", 0), ("page", -1), ("page", "1"), ("page", True), ("page", 1e3), ("page", 10**30), ("page", None),
        ("number", -1), ("paper", ""), ("paper", 5), ("paper", "a\x1b[2Jb.pdf"), ("paper", "a" * 5000),
        ("quote", None), ("quote", ["x"]), ("quote", "x" * 100_000),
        ("sha256", "zz"), ("sha256", "A" * 64),
    ],
)  # fmt: skip
def test_a_field_of_the_wrong_kind_is_named(copied: Path, field: str, value: object) -> None:
    change(copied, **{field: value})
    with pytest.raises(EvidenceError, match=f'answer 1, citations \\d+.*"{field}"'):
        read_evidence((copied / "a.json").read_bytes(), "a.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["answers", "citations", "nearest", "page", "quote", "format"]), inner)
    ),
    max_leaves=8,
)


@given(json_values, json_values)
def test_any_json_is_read_or_refused(answers: object, citations: object) -> None:
    for listed in (answers, [{"citations": citations, "nearest": []}]):
        value = {"format": "rag-app evidence", "version": 1, "answers": listed}
        try:
            assert isinstance(read_evidence(json.dumps(value).encode(), "a.json"), list)
        except EvidenceError as error:
            assert str(error).startswith("a.json: ")


def test_a_missing_evidence_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "none.json"), "--papers", str(tmp_path)]) == 1
    assert "none.json: cannot be read" in capsys.readouterr().err
    assert main(["verify"]) == 2


# -- ask --export -------------------------------------------------------------------------------------------------


def test_ask_writes_every_form(made: Path) -> None:
    assert FACT in (made / "a.md").read_text(encoding="utf-8")
    assert (made / "a.bib").read_text(encoding="utf-8").count("@misc{") >= 1
    assert json.loads((made / "a.json").read_text(encoding="utf-8"))["answers"][0]["status"] == "answered"


def test_a_wrong_suffix_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ask, "ready_assistant", lambda: pytest.fail("asked"))
    assert main(["ask", "q", "--export", str(tmp_path / "a.docx")]) == 1
    assert ".bib" in capsys.readouterr().err


def test_what_cannot_be_written_does_not_cost_the_rest(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = Assistant(settings_for(made), embedder=WordEmbedder(), reader=FirstSentenceReader())
    monkeypatch.setattr(ask, "ready_assistant", lambda: library)
    files = [f"--export={tmp_path / name}" for name in ("a.csv", "a.md")]
    assert main(["ask", "How many parameters does the Quokka have?", *files]) == 1
    assert "not a comparison table" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_a_batch_is_a_conversation(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Assistant(settings_for(made), embedder=WordEmbedder(), reader=FirstSentenceReader())
    monkeypatch.setattr(ask, "ready_assistant", lambda: library)
    asked = [{"id": 1, "question": "How many parameters does the Quokka have?"}, {"id": 2, "question": " "}]
    asked.append({"id": 3, "question": "How long did training the Quokka take on one card?"})
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    assert main(["ask", "--batch", str(tmp_path / "q.jsonl"), "--export", str(tmp_path / "all.json")]) == 1
    claims = read_evidence((tmp_path / "all.json").read_bytes(), "all.json")
    assert {claim.answer for claim in claims} == {1, 2}
    assert all(one.holds for one in verify_quotes(claims, made / "corpus", workers=1))


def test_real_papers_hold(papers_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for name in ("2004.04906v3.pdf", "2007.01282v2.pdf"):
        shutil.copy(papers_folder / name, tmp_path / "corpus")
    library = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=FirstSentenceReader())
    library.build()
    answers = [library.ask(f"What is the {word} of the passage retriever?") for word in ("accuracy", "training data")]
    save_answers(library, answers, tmp_path / "a.json", tmp_path / "a.bib")
    claims = read_evidence((tmp_path / "a.json").read_bytes(), "a.json")
    results = verify_quotes(claims, papers_folder, workers=2)
    verified = [citation.verified for answer in answers for citation in answer.citations]
    assert [one.state == "found" for one in results] == verified and sum(verified) >= 4
    assert "primaryClass = {cs.CL}" in (tmp_path / "a.bib").read_text(encoding="utf-8")
