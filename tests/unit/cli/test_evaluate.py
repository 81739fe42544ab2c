"""`eval` as it is typed: the report, the page, and the gate on real papers against an accepted report."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_app.cli import evaluate
from rag_app.cli.main import main
from rag_app.models.llm import local_server
from tests.support.small_model import needs_small_model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
ACCEPTED = ROOT / "benchmarks" / "accepted" / "three_papers.json"
THREE = ("2004.04906v3.pdf", "2005.11401v4.pdf", "2007.01282v2.pdf")

OTTER = "Sea otters used stones as anvils in 21 percent of the dives that were filmed in Monterey Bay."
PAPERS = {
    "Zebra.md": "# Zebra Stripes Deter Flies\n\n## Results\n\nStriped coats received 0.75 fewer landings of flies.\n",
    "Otter.md": f"# Sea Otters And Tools\n\n## Results\n\n{OTTER}\n",
}
QUESTIONS = [
    {
        "id": "otter",
        "kind": "spotlight",
        "question": "In what share of dives did sea otters use stones as anvils?",
        "papers": ["Otter.md"],
        "answer": "21 percent",
        "facts": [{"paper": "Otter.md", "page": 1, "quote": OTTER, "must_contain": ["21"]}],
    },
    {"id": "none", "kind": "unanswerable", "question": "What did the Voyager mission cost in dollars?", "papers": []},
]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def typed(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        return code, *capsys.readouterr()

    return typed


def _built(folder: Path, index: Path) -> dict[str, str]:
    names = {"RAG_CORPUS": str(folder), "RAG_INDEX": str(index), "RAG_LLM": "none"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert main(["build"]) == 0
    return names


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, index_home: Path) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("small")
    for name, text in PAPERS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return _built(folder, index_home / folder.name)


@pytest.fixture
def asked(small: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file of questions, with the small library as the one that the settings name."""
    for name, value in small.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, QUESTIONS)), encoding="utf-8")
    return str(file)


def test_the_report_is_json_and_measures_both(asked: str, run: Run) -> None:
    code, out, _ = run("eval", asked, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["kinds"]["spotlight"]["fact coverage"] == 1.0
    assert report["kinds"]["spotlight"]["recall@5"] == 1.0
    assert report["refusal"] == {"refused of the unanswerable": 1.0, "falsely refused of the answerable": 0.0}
    assert report["quotes"]["cited"] == report["quotes"]["on the page"] > 0


def test_the_report_for_a_person_and_the_page(asked: str, run: Run, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, out, _ = run("eval", asked, "--html", str(page))
    assert code == 0
    assert "fact coverage" in out and "quote validity" in out
    assert "<svg" in page.read_text(encoding="utf-8")


def test_the_gate_passes_the_same_and_stops_a_loss(asked: str, run: Run, tmp_path: Path) -> None:
    _, out, _ = run("eval", asked, "--json")
    accepted = tmp_path / "accepted.json"
    accepted.write_text(out, encoding="utf-8")
    assert run("eval", asked, "--baseline", str(accepted))[0] == 0
    report = json.loads(out)
    report["each"][0]["scores"]["recall@5"] = 2.0  # better than anything can be
    accepted.write_text(json.dumps(report), encoding="utf-8")
    code, out, _ = run("eval", asked, "--baseline", str(accepted))
    assert code == 1
    assert "spotlight: recall@5: 1.000, accepted 2.000" in out


def test_the_gate_stops_quotes_that_the_file_does_not_hold(
    asked: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = run("eval", asked, "--json")
    (tmp_path / "accepted.json").write_text(out, encoding="utf-8")
    monkeypatch.setattr(evaluate, "raw_text_of", lambda assistant: lambda paper, page: "other words")
    code, out, _ = run("eval", asked, "--baseline", str(tmp_path / "accepted.json"))
    assert code == 1
    assert "are not on their page" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one source of questions"),
        (["gone.jsonl"], "cannot be opened"),
        (["{asked}", "--kinds", "riddle"], "--kinds riddle: unknown"),
        (["{asked}", "--baseline", "gone.json"], "after --baseline"),
        (["{asked}", "--html", "/"], "after --html"),
        (["{asked}", "--judge"], "A judge needs a language model"),
        (["--check-judge", "gone"], "no dataset.json"),
    ],
)
def test_what_is_wrong_is_said(asked: str, run: Run, arguments: list[str], said: str) -> None:
    code, _, error = run("eval", *(argument.replace("{asked}", asked) for argument in arguments))
    assert code == 1
    assert said in error
    assert "Traceback" not in error


def test_kinds_and_limit(asked: str, run: Run) -> None:
    assert list(json.loads(run("eval", asked, "--json", "--kinds", "unanswerable")[1])["kinds"]) == ["unanswerable"]
    assert json.loads(run("eval", asked, "--json", "--limit", "1")[1])["questions"] == 2


@pytest.fixture
def local_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RAG_LLM", "local")
    yield
    local_server.stop()


@needs_small_model
def test_a_bad_judge_is_shown_to_be_bad(run: Run, tmp_path: Path, local_model: None) -> None:
    pairs = [
        {"input": "What is 2 + 3?", "output_1": one, "output_2": two, "label": label}
        for one, two, label in (("5", "a fish", 1), ("a fish", "5", 2))
    ]
    (tmp_path / "dataset.json").write_text(json.dumps(pairs), encoding="utf-8")
    code, out, _ = run("eval", "--check-judge", str(tmp_path / "dataset.json"), "--json")
    found: dict[str, Any] = json.loads(out)
    assert code == 0
    assert (found["pairs"], found["judge"][:6]) == (2, "SmolLM")
    assert found["Cohen's kappa"] <= 0.5  # a model of this size does not judge, and the report must not say otherwise


def test_the_gate_on_real_papers(
    papers_folder: Path, shared: Path, tmp_path: Path, index_home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three papers and the questions about them: no worse than the accepted report, and every quote on its page."""
    for paper in THREE:
        (tmp_path / "corpus").mkdir(exist_ok=True)
        shutil.copy2(papers_folder / paper, tmp_path / "corpus" / paper)
    lines = (shared / "questions_dev.jsonl").read_text(encoding="utf-8").splitlines()
    about = [line for line in lines if json.loads(line)["papers"] and set(json.loads(line)["papers"]) <= set(THREE)]
    assert len(about) > 5
    (tmp_path / "questions.jsonl").write_text("\n".join(about), encoding="utf-8")
    for name, value in _built(tmp_path / "corpus", index_home / "three").items():
        monkeypatch.setenv(name, value)
    code, out, _ = run("eval", str(tmp_path / "questions.jsonl"), "--json", "--baseline", str(ACCEPTED))
    assert json.loads(out)["faults"] == []
    assert code == 0
