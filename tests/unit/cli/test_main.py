"""The command line, as it is typed: what is printed where, exit codes, and what a bad line or folder costs."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.cli.ask import BatchQuestion, read_line
from rag_app.cli.main import main
from rag_app.errors import QuestionError
from rag_app.index.build_report import BuildProgress
from rag_app.outputs import terminal
from rag_app.outputs.json import answer_json
from rag_app.outputs.terminal import ProgressLine, answer_text, format_duration, sanitise_text
from rag_app.records import Answer, Citation, SearchSummary, Verdict

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
PAPERS = {
    "Zebra.md": "# Zebra Stripes Deter Flies\n\n## Results\n\n"
    "Striped coats received 0.75 fewer landings of tabanid flies per minute than plain coats in our trial.\n",
    "Otter.md": "# Sea Otters And Tools\n\n## Results\n\n"
    "Sea otters used stones as anvils in 21 percent of the dives that were filmed in Monterey Bay.\n",
    "2406.15319.txt": "LongRAG And Long Units\n\nLongRAG groups documents into units of 4K tokens before retrieval.\n",
}
QUESTION = "In what share of dives did sea otters use stones as anvils?"
ANSWER_FIELDS = ["id", "question", "status", "answer", "reader", "citations", "unsupported", "searched", "milliseconds"]
CITATION_FIELDS = ["number", "paper", "title", "page", "label", "section", "quote", "verified", "boxes"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, index_home: Path) -> dict[str, str]:
    """A small library with an index, as the variables that name it."""
    folder = tmp_path_factory.mktemp("library")
    for name, text in PAPERS.items():
        (folder / "corpus" / name).parent.mkdir(exist_ok=True)
        (folder / "corpus" / name).write_text(text, encoding="utf-8")
    names = {
        "RAG_CORPUS": str(folder / "corpus"),
        "RAG_INDEX": str(index_home / folder.name),
        "RAG_LLM": "none",
        "RAG_WORKERS": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert main(["build"]) == 0
    return names


@pytest.fixture
def library(built: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small library as the one that the settings name; gives its folder."""
    for name, value in built.items():
        monkeypatch.setenv(name, value)
    return Path(built["RAG_CORPUS"])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Type a command; gives the exit code, standard output and standard error."""

    def typed(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        return code, *capsys.readouterr()

    return typed


@pytest.fixture
def empty_library(tmp_path: Path, index_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of papers that was never indexed."""
    (tmp_path / "corpus").mkdir()
    monkeypatch.setenv("RAG_CORPUS", str(tmp_path / "corpus"))
    monkeypatch.setenv("RAG_INDEX", str(index_home / tmp_path.name))
    monkeypatch.setenv("RAG_LLM", "none")
    monkeypatch.setenv("RAG_WORKERS", "1")
    return tmp_path / "corpus"


def process(*arguments: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "rag_app", *arguments], cwd=ROOT, capture_output=True, timeout=120, check=False, **more
    )


# -- asking -----------------------------------------------------------------------------------------------------


def test_ask_json_has_the_fixed_names_first(library: Path, run: Run) -> None:
    code, out, _ = run("ask", QUESTION, "--json")
    value = json.loads(out)
    assert code == 0
    assert list(value)[: len(ANSWER_FIELDS)] == ANSWER_FIELDS
    assert (value["status"], value["question"]) == ("answered", QUESTION)
    first = value["citations"][0]
    assert list(first)[: len(CITATION_FIELDS)] == CITATION_FIELDS
    assert (first["paper"], first["page"], first["verified"]) == ("Otter.md", 1, True)
    assert "21 percent" in first["quote"]
    assert value["searched"] == {"papers": 3, "read": value["searched"]["read"], "quoted": 1, "unreadable": []}
    assert set(value["milliseconds"]) == {"retrieve", "read", "total"}


def test_ask_for_a_person_names_paper_page_and_quote(library: Path, run: Run) -> None:
    code, out, _ = run("ask", QUESTION)
    assert code == 0
    assert "Otter.md, page 1  (verified)" in out
    assert "21 percent" in out
    assert "searched 3 papers" in out


def test_search_json(library: Path, run: Run) -> None:
    code, out, _ = run("search", QUESTION, "--json", "--top", "2")
    value = json.loads(out)
    assert code == 0
    assert list(value) == ["id", "question", "hits", "milliseconds"]
    assert list(value["hits"][0])[:7] == ["rank", "paper", "title", "page", "section", "text", "score"]
    assert [hit["rank"] for hit in value["hits"]] == [1, 2]
    assert value["hits"][0]["paper"] == "Otter.md"
    assert value["hits"][0]["title"] == "Sea Otters And Tools"


def test_search_for_a_person(library: Path, run: Run) -> None:
    code, out, _ = run("search", QUESTION, "--top", "1")
    assert code == 0
    assert "1. Sea Otters And Tools" in out
    assert "Otter.md, page 1" in out


@pytest.mark.parametrize(
    ("filters", "papers"),
    [
        (["--papers", "Zebra.md"], {"Zebra.md"}),
        (["--papers", "zebra,2406.15319"], {"Zebra.md", "2406.15319.txt"}),
        (["--papers", "Zebra.md", "--papers", "Otter.md"], {"Zebra.md", "Otter.md"}),
        (["--years", "1900-1901"], set()),
        (["--section", "results"], {"Zebra.md", "Otter.md"}),
    ],
)
def test_filters(filters: list[str], papers: set[str], library: Path, run: Run) -> None:
    code, out, _ = run("search", "flies otters tokens", "--json", "--top", "50", *filters)
    assert code == 0
    assert {hit["paper"] for hit in json.loads(out)["hits"]} == papers


def test_a_duplicates_name_means_the_paper_that_is_kept_and_a_note_says_so(empty_library: Path, run: Run) -> None:
    for name in ("Anvils.md", "Otter.md"):  # the first by name is kept
        (empty_library / name).write_text(PAPERS["Otter.md"], encoding="utf-8")
    (empty_library / "Zebra.md").write_text(PAPERS["Zebra.md"], encoding="utf-8")
    assert run("build")[0] == 0
    code, out, notes = run("search", QUESTION, "--json", "--papers", "Otter.md")
    assert code == 0 and {hit["paper"] for hit in json.loads(out)["hits"]} == {"Anvils.md"}
    assert "Otter.md is the same file as Anvils.md" in notes
    code, _, notes = run("search", QUESTION, "--json", "--papers", "Anvils.md")
    assert (code, notes) == (0, "")


def test_an_unknown_paper_is_refused_by_name(library: Path, run: Run) -> None:
    code, out, err = run("ask", QUESTION, "--papers", "Zebre.md", "--json")
    assert code == 1
    assert "Do you mean Zebra.md" in json.loads(out)["error"]
    assert "Zebre.md" in err
    assert "Traceback" not in err


def test_a_question_without_words_is_an_error(library: Path, run: Run) -> None:
    code, out, _ = run("ask", " \n ", "--json")
    value = json.loads(out)
    assert (code, value["status"]) == (1, "error")
    assert value["error"] == value["answer"] != ""
    code, out, err = run("ask", "\x00")
    assert (code, out) == (1, "")
    assert "empty" in err


# -- batches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["ask", "search"])
def test_a_bad_line_costs_only_itself(command: str, library: Path, run: Run, tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "a", "question": QUESTION}),
        '{"id": "b", "question": ',
        "",
        json.dumps({"id": 7, "question": "\ud800 What do stripes deter?"}),
        json.dumps(["no object"]),
        json.dumps({"id": "c", "question": ""}),
        json.dumps({"id": "d", "question": 5}),
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    code, out, _ = run(command, "--batch", str(file), "--json")
    values = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [value["id"] for value in values] == ["a", "", 7, "", "c", ""]
    assert [value.get("status") == "error" for value in values] == [False, True, False, True, True, True]
    assert "line 2" in values[1]["error"]
    assert all("error" in value for value in values if value.get("status") == "error")


def test_a_batch_from_standard_input(library: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(json.dumps({"id": str(number), "question": QUESTION}) + "\n" for number in range(3))
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    code, out, _ = run("search", "--batch", "-", "--json", "--top", "1")
    values = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(value["id"], len(value["hits"])) for value in values] == [("0", 1), ("1", 1), ("2", 1)]


def test_a_batch_that_is_not_there(library: Path, run: Run) -> None:
    code, _, err = run("ask", "--batch", "nowhere.jsonl", "--json")
    assert code == 1
    assert "nowhere.jsonl" in err


@given(st.text())
def test_any_line_is_a_question_or_refused(line: str) -> None:
    try:
        assert read_line(line, 1).question.strip()
    except QuestionError as error:
        assert "line 1" in str(error)


@given(st.one_of(st.text(), st.integers()), st.text())
def test_a_good_line_is_read_as_it_is(id: str | int, question: str) -> None:
    assert read_line(json.dumps({"id": id, "question": question, "more": [1]}), 1) == BatchQuestion(id, question)


# -- building and listing ---------------------------------------------------------------------------------------


def test_building_again_does_nothing(library: Path, run: Run) -> None:
    code, out, _ = run("build")
    assert code == 0
    assert "nothing changed: 3 papers" in out


def test_build_reports_each_paper_and_fails_for_a_bad_one(empty_library: Path, run: Run) -> None:
    (empty_library / "good.md").write_text(PAPERS["Otter.md"], encoding="utf-8")
    (empty_library / "bad.pdf").write_bytes(b"%PDF-1.4\nnothing in it")
    code, out, err = run("build")
    assert code == 1
    assert "failed: bad.pdf" in out
    assert "good.md" in out
    assert "reading" in err
    code, out, _ = run("build", "--json")
    value = json.loads(out)
    assert (code, value["failed"], value["changed"]) == (1, ["bad.pdf"], False)
    assert {paper["paper"] for paper in value["papers"]} == {"good.md", "bad.pdf"}
    code, out, _ = run("papers", "--json")
    rows = {row["paper"]: row for row in json.loads(out)["papers"]}
    assert list(rows["bad.pdf"])[:6] == ["paper", "title", "pages", "passages", "state", "problem"]
    assert rows["bad.pdf"]["problem"]
    assert rows["good.md"]["passages"] == 1


def test_asking_without_an_index_builds_it_first(empty_library: Path, run: Run) -> None:
    (empty_library / "Otter.md").write_text(PAPERS["Otter.md"], encoding="utf-8")
    code, out, err = run("search", QUESTION, "--json")
    assert code == 0
    assert json.loads(out)["hits"][0]["paper"] == "Otter.md"
    assert "no index" in err
    (empty_library / "Zebra.md").write_text(PAPERS["Zebra.md"], encoding="utf-8")
    code, out, err = run("search", QUESTION, "--json")
    assert code == 0
    assert len(json.loads(out)["hits"]) == 1
    assert "the folder has changed" in err


def test_papers_before_the_first_build(empty_library: Path, run: Run) -> None:
    (empty_library / "Otter.md").write_text(PAPERS["Otter.md"], encoding="utf-8")
    code, out, _ = run("papers")
    assert code == 0
    assert "not read yet" in out


def test_rollback(empty_library: Path, run: Run) -> None:
    (empty_library / "Otter.md").write_text(PAPERS["Otter.md"], encoding="utf-8")
    assert run("build")[0] == 0
    assert run("build", "--rollback")[0] == 1
    (empty_library / "Zebra.md").write_text(PAPERS["Zebra.md"], encoding="utf-8")
    assert run("build")[0] == 0
    code, out, _ = run("build", "--rollback", "--json")
    assert (code, json.loads(out)["status"]) == (0, "rolled back")
    _, out, _ = run("papers", "--json")
    assert [row["paper"] for row in json.loads(out)["papers"]] == ["Otter.md"]


# -- fetching ---------------------------------------------------------------------------------------------------


def test_fetch_without_a_network_says_so(empty_library: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_ARXIV_URL", "http://127.0.0.1:9")  # the discard port: nobody answers
    code, out, _ = run("fetch", "2406.15319", "nonsense", "--json")
    value = json.loads(out)
    assert code == 1
    assert value["failed"] == ["2406.15319", "nonsense"]
    assert "cannot be reached" in value["papers"][0]["problem"]


def test_fetch_without_names_and_manifest(empty_library: Path, run: Run) -> None:
    code, _, err = run("fetch")
    assert code == 1
    assert "papers.toml" in err


# -- what is typed wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        ["aks", "x"],
        ["ask"],
        ["ask", "x", "--batch", "f"],
        ["search", "x", "--top", "0"],
        ["search", "x", "--top", "many"],
        ["ask", "x", "--years", "last"],
        ["ask", "x", "--years", "2023-2020"],
        ["serve", "--port", "99999"],
        ["build", "--fresh", "--rollback"],
    ],
)
def test_wrong_usage_is_2(typed: list[str], run: Run) -> None:
    code, out, err = run(*typed)
    assert (code, out) == (2, "")
    assert "usage:" in err


def test_help_is_0(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for command in ("build", "fetch", "ask", "search", "papers", "doctor", "serve"):
        assert command in out


def test_a_wrong_setting_is_a_message(library: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PROT", "1")
    code, out, err = run("papers", "--json")
    assert code == 1
    assert json.loads(out) == {"status": "error", "error": err.removeprefix("rag-app: ").strip()}
    assert "RAG_PROT" in err


def test_a_missing_folder_is_a_message(empty_library: Path, run: Run) -> None:
    empty_library.rmdir()
    for command in (["build"], ["papers"], ["ask", "x"]):
        code, out, err = run(*command)
        assert (code, out) == (1, "")
        assert "no such folder" in err
        assert "Traceback" not in err


# -- as a process -----------------------------------------------------------------------------------------------


def test_output_is_utf8_whatever_the_system_says(library: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    asked = json.dumps({"question": "Über Otter “anvils” 水獺"}, ensure_ascii=False).encode("utf-8")
    done = process("search", "--batch", "-", "--json", env=environment, input=asked)
    assert done.returncode == 0, done.stderr
    assert "Über Otter “anvils” 水獺" in done.stdout.decode("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="no such pipes on Windows")
def test_a_reader_that_goes_away_is_no_fault(library: Path, tmp_path: Path) -> None:
    questions = tmp_path / "many.jsonl"
    questions.write_text(json.dumps({"id": "x" * 5000, "question": QUESTION}) * 1, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "rag_app", "search", "--batch", str(questions), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout and running.stderr
        running.stdout.close()
        complaints = running.stderr.read()
    assert complaints == b""
    assert running.returncode == 141


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_is_130_without_a_traceback(library: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "rag_app", "search", "--batch", "-", "--json", "--top", "1"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin and running.stdout and running.stderr
        running.stdin.write(json.dumps({"question": QUESTION}).encode() + b"\n")
        running.stdin.flush()
        running.stdout.readline()  # it works, and now waits for more
        running.send_signal(signal.SIGINT)
        running.wait(timeout=120)
        complaints = running.stderr.read()
    assert running.returncode == 130
    assert complaints == b"rag-app: stopped\n"


# -- for the eye ------------------------------------------------------------------------------------------------


def citation(**more: Any) -> Citation:
    known: dict[str, Any] = {
        "number": 1, "paper": "a.pdf", "title": "A", "page": 3, "label": "iii", "section": "2 Method",
        "quote": "so it is", "verified": True, "boxes": ((1.0, 2.0, 3.0, 4.004),),
    }  # fmt: skip
    return Citation(**{**known, **more})


def test_answer_text_shows_what_is_in_doubt() -> None:
    answer = Answer(
        "",
        "q",
        "answered",
        "Yes [1].",
        "m",
        (citation(verified=False),),
        ("It is 7.",),
        SearchSummary(4, 2, 1, ("b.pdf",)),
    )
    text = answer_text(answer)
    for part in ("page 3 (printed iii)  (NOT FOUND", "Not supported", "It is 7.", "unreadable: b.pdf", "2 Method"):
        assert part in text


def test_verdicts_are_shown_and_counted() -> None:
    verdicts = (Verdict("It is 7.", "partly", ("7",)), Verdict("It is.", "supported"), Verdict("It was.", "not"))
    answer = Answer("", "q", "answered", "It is 7. It is. It was.", "m", (), ("It is 7.", "It was."), verdicts=verdicts)
    assert "- (partly) It is 7." in answer_text(answer)
    assert "- It was." in answer_text(answer)
    value = answer_json(answer)
    assert value["support"] == {"supported": 1, "partly": 1, "not": 1, "contradicted": 0, "unchecked": 0}
    assert value["verdicts"][0] == {"sentence": "It is 7.", "support": "partly", "missing": ["7"], "reason": ""}


def test_boxes_are_plain_numbers() -> None:
    value = answer_json(Answer("", "q", "answered", "Yes [1].", "m", (citation(),)))
    assert value["citations"][0]["boxes"] == [[1.0, 2.0, 3.0, 4.0]]


@given(st.text())
def test_text_from_papers_cannot_command_the_terminal(text: str) -> None:
    shown = sanitise_text(text)
    assert len(shown) == len(text)
    assert not set(shown) & set(map(chr, [*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066]))


class Terminal(io.StringIO):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def steps() -> Iterator[BuildProgress]:
    for stage in ("reading", "embedding"):
        for done in range(100):
            yield BuildProgress(stage, done, 100, f"paper {done}", 100.0 - done)


def test_progress_is_sparse_where_lines_stay() -> None:
    stream, now = Terminal(False), iter(range(1000))
    progress = ProgressLine(stream, lambda: float(next(now)))
    for step in steps():
        progress.build(step)
    progress.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "reading 0/100, 2 min left  paper 0"
    assert 4 <= len(lines) <= 40
    assert "\r" not in stream.getvalue()


def test_progress_rewrites_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "terminal_width", lambda: 30)
    stream = Terminal(True)
    progress = ProgressLine(stream)
    for step in steps():
        progress.build(step)
    progress.close()
    assert "\n" not in stream.getvalue()
    assert all(len(line) <= 30 for line in stream.getvalue().split("\r"))
    assert stream.getvalue().endswith(" \r")


@pytest.mark.parametrize(
    ("seconds", "told"), [(8.4, "8 s"), (180, "3 min"), (4800, "1 h 20 min"), (5999, "1 h 40 min")]
)
def test_duration(seconds: float, told: str) -> None:
    assert format_duration(seconds) == told


# -- serving ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_serve_says_where_and_ends_quietly(library: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "rag_app", "serve", "--json", "--no-browser", "--port", "0"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout and running.stderr
        value = json.loads(running.stdout.readline())
        assert value["status"] == "serving"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
        with direct.open(value["address"], timeout=60) as page:
            assert page.status == 200
        running.send_signal(signal.SIGINT)
        rest, complaints = running.communicate(timeout=60)
    assert (running.returncode, rest) == (0, b"")
    assert b"Traceback" not in complaints
