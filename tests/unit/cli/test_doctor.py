"""The doctor: finds each thing that is wrong, says what to do, and is stopped by none of them."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from rag_app.cli import doctor_checks as checks
from rag_app.cli import doctor_checks as packages
from rag_app.cli.doctor import examine, format_check_result
from rag_app.cli.doctor_checks import CheckResult
from rag_app.cli.main import main
from rag_app.index import generations
from rag_app.models.llm.choice import ReaderChoice, forget_reader, keep_reader, with_choice
from rag_app.settings import Settings, data_folder, reader_file

PAPER = "# Sea Otters\n\nSea otters used stones as anvils in 21 percent of the dives.\n"


@pytest.fixture
def settings(tmp_path: Path, index_home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A library with one paper and no index."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "otter.md").write_text(PAPER, encoding="utf-8")
    monkeypatch.setenv("RAG_CORPUS", str(tmp_path / "corpus"))
    monkeypatch.setenv("RAG_INDEX", str(index_home / tmp_path.name))
    monkeypatch.setenv("RAG_LLM", "none")
    monkeypatch.setenv("RAG_PORT", "0")
    monkeypatch.setenv("RAG_WORKERS", "1")
    return Settings()


def states(findings: Any) -> list[tuple[str, str]]:
    return [(finding.name, finding.state) for finding in findings]


def test_a_missing_index_is_a_note(settings: Settings) -> None:
    assert states(checks.check_index(settings)) == [("index", "note")]


def test_the_index_from_missing_to_stale_to_damaged(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build"]) == 0
    assert states(checks.check_index(settings)) == [("index", "good")]
    (settings.corpus / "second.md").write_text(PAPER.replace("21", "22"), encoding="utf-8")
    assert states(checks.check_index(settings)) == [("index", "good"), ("index", "note")]
    (settings.corpus / "scan.pdf").write_bytes(b"%PDF-1.4\n")
    assert main(["build"]) == 1
    assert ("papers", "wrong") in states(checks.check_index(settings))
    manifest = settings.index_folder / "generations" / generations.current_name(settings.index_folder) / "manifest.json"
    vectors = manifest.with_name("vectors.npy")
    vectors.rename(vectors.with_name("kept.npy"))
    assert states(checks.check_index(settings)) == [("index", "wrong")], "a missing file of vectors"
    vectors.with_name("kept.npy").rename(vectors)
    content = manifest.read_text(encoding="utf-8")
    manifest.write_text(content[: len(content) // 2], encoding="utf-8")
    [damaged] = checks.check_index(settings)
    assert (damaged.state, damaged.remedy) == ("wrong", "python -m rag_app build --fresh")


def test_an_index_of_another_embedder_is_wrong(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build"]) == 0
    assert states(checks.check_embedder(settings)) == [("embedder", "good")]
    manifest = settings.index_folder / "generations" / generations.current_name(settings.index_folder) / "manifest.json"
    value = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**value, "embedder": "another"}), encoding="utf-8")
    assert states(checks.check_embedder(settings)) == [("embedder", "good"), ("index", "wrong")]


def test_an_embedder_that_cannot_be_had_is_wrong(settings: Settings) -> None:
    [finding] = checks.check_embedder(settings.model_copy(update={"embedder": "/nowhere/model"}))
    assert finding.state == "wrong"
    assert "nowhere" in finding.message


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_corpus_that_is_no_folder_is_wrong(name: str, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    [finding] = checks.check_corpus(settings.model_copy(update={"corpus": tmp_path / name}))
    assert finding.state == "wrong"


def test_an_empty_corpus_is_wrong_with_a_remedy(settings: Settings) -> None:
    (settings.corpus / "otter.md").unlink()
    [finding] = checks.check_corpus(settings)
    assert finding.state == "wrong"
    assert "fetch" in finding.remedy


def test_digests_are_named(settings: Settings) -> None:
    (settings.corpus / "papers.toml").write_text(
        '[[paper]]\narxiv_id = "2406.15319"\ntitle = "LongRAG"\n', encoding="utf-8"
    )
    (settings.corpus / "notes").mkdir()
    (settings.corpus / "notes" / "2406.15319.md").write_text("# LongRAG\n\nIt reads long units.\n", encoding="utf-8")
    assert states(checks.check_corpus(settings)) == [("corpus", "good"), ("corpus", "note")]


def test_a_key_that_lies_around_is_offered_and_not_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    none, offer = checks.check_language_model(settings)
    assert (none.state, offer.state) == ("good", "note")
    assert "OPENAI_API_KEY" in offer.message
    assert "canary" not in offer.message


def test_a_model_server_that_is_not_there_is_wrong(settings: Settings) -> None:
    named = settings.model_copy(update={"llm": "auto", "llm_base_url": "http://127.0.0.1:9/v1", "llm_model": "m"})
    assert next(iter(checks.check_language_model(named))).state == "wrong"


def test_a_taken_port_is_a_note(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        [finding] = checks.check_port(settings.model_copy(update={"port": taken.getsockname()[1]}))
    assert finding.state == "note"
    assert "RAG_PORT" in finding.remedy


def test_a_running_build_is_a_note(settings: Settings) -> None:
    assert states(checks.check_build_lock(settings)) == [("lock", "good")]
    with generations.writer_lock(settings.index_folder):
        assert states(checks.check_build_lock(settings)) == [("lock", "note")]
    assert states(checks.check_build_lock(settings)) == [("lock", "good")]


def test_versions_outside_the_bounds_are_wrong() -> None:
    assert packages._version(Requirement("numpy>=1")) is None
    for line in ("numpy<1", "no-such-package-of-ours>=1"):
        finding = packages._version(Requirement(line))
        assert finding and finding.state == "wrong" and finding.remedy.startswith("pip install")


def test_a_package_that_cannot_be_imported_is_wrong() -> None:
    found = list(packages._try_imports(["numpy", "no-such-package-of-ours"]))
    assert states(found) == [("packages", "wrong")]
    assert "no-such-package-of-ours" in found[0].message


def test_the_modules_of_every_package_are_known_by_name() -> None:
    """Found, not imported: other tests import them, and all at once take half a minute."""
    for requirement in map(Requirement, packages._read_requirements()):
        if requirement.marker is None:
            name = requirement.name.lower()
            module = packages.MODULES.get(name, name.replace("-", "_"))
            assert importlib.util.find_spec(module), f"{name}: no module {module}"


def test_no_check_can_stop_the_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings) -> Any:
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr("rag_app.cli.doctor.CHECKS", {"first": broken, "second": checks.check_sqlite})
    found = list(examine(settings, ("RAG_X: no such setting.",)))
    assert states(found) == [("settings", "wrong"), ("first", "wrong"), ("sqlite", "good")]


def test_the_whole_with_wrong_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        packages, "_read_requirements", lambda: ["numpy>=2", "markdown-it-py>=3", "no-such-package; extra == 'x'"]
    )
    monkeypatch.setenv("RAG_LLM_WINDOW", "large")
    monkeypatch.setenv("RAG_CORPSU", "x")
    assert main(["doctor", "--json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert value["status"] == "wrong"
    settings_told = [check["message"].split(":")[0] for check in value["checks"] if check["name"] == "settings"]
    assert settings_told == ["RAG_CORPSU", "RAG_LLM_WINDOW"]
    assert [check["name"] for check in value["checks"] if check["state"] == "wrong"] == ["settings", "settings"]
    [told] = [check["message"] for check in value["checks"] if check["name"] == "packages"]
    assert told.startswith("2 packages, all importable")
    assert {check["name"] for check in value["checks"]} >= {"python", "sqlite", "corpus", "index", "embedder", "disk"}


def test_text_of_a_finding() -> None:
    assert format_check_result(CheckResult("disk", "wrong", "full\x1b[2J", "Free some.")).splitlines() == [
        "WRONG  disk: full\\x1b[2J",
        "       -> Free some.",
    ]


def test_a_kept_reader_is_told_without_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(checks.check_kept_reader(Settings())) == []
    keep_reader(with_choice(Settings(), ReaderChoice("own", "http://127.0.0.1:9/v1", "later", "sk-otter-secret")))
    try:
        (found,) = checks.check_kept_reader(Settings())
        assert found.state == "good" and "sk-otter" not in found.message
        assert all(word in found.message for word in (str(reader_file()), "own", "127.0.0.1:9", "later", "key kept in"))
        monkeypatch.setenv("RAG_LLM", "none")
        assert states(checks.check_kept_reader(Settings())) == [("kept reader", "good"), ("kept reader", "note")]
        assert "RAG_LLM" in list(checks.check_kept_reader(Settings()))[1].message
    finally:
        forget_reader()


def test_a_new_user_has_nothing_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    settings = Settings(corpus=data_folder() / "corpus")
    [said] = checks.check_corpus(settings)
    assert (said.state, "not made yet" in said.message) == ("note", True)
    (data_folder() / "corpus").mkdir(parents=True)
    assert states(checks.check_corpus(settings)) == [("corpus", "wrong")], "empty: there is something to do"


def test_the_doctor_tells_nobody_that_a_package_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO reports its import where it finds its package for that, and keeps a number of the user at home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list(packages._try_imports(["openvino"])) == []
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0 and capsys.readouterr().out.startswith("rag-app")
