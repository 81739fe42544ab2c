"""`add`, `remove` and `reader`, as they are typed."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest

from rag_app.cli.main import main
from rag_app.settings import load_settings, reader_file
from tests.support.arxiv import Server
from tests.support.pdfs import make_broken, make_paper
from tests.support.provider import Provider, Reply, error_body

KEY = "sk-quite-secret-0123456789"


@pytest.fixture
def corpus(tmp_path: Path, index_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "otter.md").write_text("# Otters\n\nOtters use stones as anvils.\n", encoding="utf-8")
    names = {"RAG_CORPUS": folder, "RAG_INDEX": index_home / tmp_path.name, "RAG_LLM": "none", "RAG_WORKERS": 1}
    for name, value in names.items():
        monkeypatch.setenv(name, str(value))
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return folder


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_files_and_ids_are_added_and_built_in(corpus: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("RAG_ARXIV_URL", server.url)
    ours = make_paper(tmp_path / "ours.pdf", title="Ours: A Method")
    other = make_paper(tmp_path / "other.pdf", title="Other: A Method", sections=[("1 A", ["Another one."])])
    server.replies["/pdf/2406.15319"] = [lambda handler: handler.body(other.read_bytes())]
    code, said = typed(capsys, "add", str(ours), "arXiv:2406.15319", str(ours))
    server.shutdown()
    server.server_close()
    thread.join(5)
    assert code == 0
    assert [(one["state"], one["paper"]) for one in said["papers"]] == [
        ("added", "ours.pdf"),
        ("already there", "ours.pdf"),
        ("added", "2406.15319.pdf"),
    ]
    assert {one["paper"] for one in said["build"]["papers"]} == {"otter.md", "ours.pdf", "2406.15319.pdf"}


def test_what_cannot_be_added_is_said_and_costs_only_itself(corpus: Path, tmp_path: Path, capsys) -> None:
    make_broken(tmp_path / "bad.pdf")
    code, said = typed(capsys, "add", str(tmp_path / "no.pdf"), str(tmp_path / "bad.pdf"))
    assert code == 1 and said["status"] == "failed"
    assert [one["state"] for one in said["papers"]] == ["refused", "added"]
    assert "no.pdf" in said["papers"][0]["problem"]
    assert said["build"]["failed"] == ["bad.pdf"]
    assert main(["add", str(tmp_path / "no.pdf")]) == 1
    assert "no.pdf: refused" in capsys.readouterr().out


def test_a_paper_is_removed_listed_and_put_back(corpus: Path, capsys) -> None:
    assert main(["remove"]) == 0 and "nothing has been removed" in capsys.readouterr().out
    code, said = typed(capsys, "remove", "otter.md", "--no-build")
    assert code == 0 and said["papers"][0]["state"] == "removed" and said["build"] is None
    assert Path(said["papers"][0]["paper"]).is_file() and not (corpus / "otter.md").exists()
    assert typed(capsys, "remove")[1]["papers"][0]["name"] == "otter.md"
    assert typed(capsys, "remove", "otter.md")[0] == 1
    code, said = typed(capsys, "remove", "--restore", "otter.md", "--no-build")
    assert code == 0 and (corpus / "otter.md").is_file() and said["papers"][0]["state"] == "put back"


def test_a_reader_is_tried_kept_and_forgotten(corpus: Path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("RAG_LLM")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    with Provider(Reply()) as good:
        words = ("--name", "own", "--base-url", good.url, "--model", "test-model")
        code, said = typed(capsys, "reader", *words, "--key", "--try", "--keep")
        assert good.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
    assert code == 0 and said["status"] == "works" and said["kept"] == str(reader_file())
    assert said["key"] == "set, in memory only" and KEY not in json.dumps(said)
    assert load_settings().llm_api_key.get_secret_value() == KEY
    assert main(["reader"]) == 0
    shown = capsys.readouterr().out
    assert "reader: own" in shown and str(reader_file()) in shown and KEY not in shown
    assert typed(capsys, "reader", "--forget")[1]["status"] == "forgotten"
    assert load_settings().llm_base_url == ""


def test_a_reader_that_does_not_answer_is_not_kept(corpus: Path, capsys) -> None:
    with Provider(Reply(status=401, body=error_body("no"))) as bad:
        words = ("--name", "own", "--base-url", bad.url, "--model", "m", "--try", "--keep")
        code, said = typed(capsys, "reader", *words)
    assert code == 1 and said["status"] == "failed" and "needs a key (401)" in said["message"]
    assert not reader_file().exists()
