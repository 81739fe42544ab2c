"""The command `zotero`, as it is typed, against a server that speaks Zotero's local API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag_app.cli.main import main
from rag_app.papers.zotero_settings import SETTINGS
from tests.support.pdfs import make_paper
from tests.support.zotero_server import ZoteroLibrary, serve_zotero

pytestmark = pytest.mark.slow


@pytest.fixture
def zotero(tmp_path: Path) -> ZoteroLibrary:
    library = ZoteroLibrary({"COLL0001": "RAG"})
    for name, words in (("OTTER", "The otter weighs 11.2 stones."), ("HERON", "The heron weighs 3.4 stones.")):
        stored = tmp_path / "Zotero" / "storage" / f"{name}00A"
        stored.mkdir(parents=True)
        (tmp_path / "Zotero" / "zotero.sqlite").touch()
        file = make_paper(stored / f"{name.title()}.pdf", title=f"On {name.title()}s", sections=[("1 One", [words])])
        library.add(f"{name}00I", f"On {name.title()}s", file, "COLL0001", ("read",) if name == "OTTER" else ())
    return library


@pytest.fixture
def url(zotero: ZoteroLibrary) -> Iterator[str]:
    with serve_zotero(zotero) as url:
        yield url


@pytest.fixture
def corpus(tmp_path: Path, put_models: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "corpus").mkdir()
    for name, value in {
        "CORPUS": tmp_path / "corpus",
        "INDEX": put_models(tmp_path) / "index",
        "LLM": "none",
        "WORKERS": 1,
    }.items():
        monkeypatch.setenv(f"RAG_{name}", str(value))
    return tmp_path / "corpus"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def papers_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [one["title"] for one in json.loads(run(capsys, "papers", "--json")[1])["papers"]]


def test_a_collection_comes_in_is_followed_and_survives_a_zotero_that_vanishes(
    zotero: ZoteroLibrary, url: str, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "zotero", "--url", url, "--collection", "RAG", "--json")
    assert code == 0 and json.loads(out)["status"] == "built" and len(json.loads(out)["papers"]) == 2
    assert "RAG" in (corpus / SETTINGS).read_text(encoding="utf-8")
    assert papers_of(capsys) == ["On Herons", "On Otters"]

    zotero.remove("HERON00I")
    assert run(capsys, "build")[0] == 0
    assert papers_of(capsys) == ["On Otters"] and list((corpus / ".removed" / "zotero").rglob("*.pdf"))

    zotero.fail_after = len(zotero.requests) + 2  # in the middle of what is asked
    code, out, _ = run(capsys, "zotero", "--url", url, "--collection", "RAG")
    assert code == 1 and "Zotero" in out
    assert papers_of(capsys) == ["On Otters"]


@pytest.mark.parametrize(("arguments", "words"), [
    (["--url", "http://example.org:23119"], "this machine"), (["--collection", "No such"], "No such"),
    (["--storage", "/nowhere", "--library", "/nowhere/library.bib"], "/nowhere"),
])  # fmt: skip
def test_what_cannot_be_is_said(
    url: str, corpus: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (corpus / "note.md").write_text("# Kept\n\nThe kept paper says so.\n", encoding="utf-8")
    asked = arguments if {"--url", "--storage"} & set(arguments) else [*arguments, "--url", url]
    code, out, err = run(capsys, "zotero", *asked)
    assert code and words in out + err and "Traceback" not in err
    assert (corpus / "note.md").is_file()
