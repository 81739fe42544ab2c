"""The first corpus of an installed program."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_app.papers.starter import prepare_corpus
from rag_app.settings import Settings, data_folder, project_root


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if started in an empty folder from a package without a checkout."""
    shared = tmp_path / "prefix" / "share" / "rag-app" / "corpus" / "notes"
    shared.mkdir(parents=True)
    (shared.parent / "papers.toml").write_text("", encoding="utf-8")
    (shared / "2406.15319.md").write_text("# LongRAG\n", encoding="utf-8")
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr("rag_app.settings.__file__", str(tmp_path / "site-packages" / "rag_app" / "settings.py"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def test_the_digests_are_copied_once(installed: Path) -> None:
    settings = Settings()
    assert project_root() == data_folder() == installed / "data" / "rag-app"
    corpus = prepare_corpus(settings)
    assert corpus == settings.corpus and (corpus / "notes" / "2406.15319.md").is_file()
    assert settings.index_folder == installed / "data" / "rag-app" / "index" / "corpus"
    (corpus / "notes" / "2406.15319.md").unlink()
    prepare_corpus(settings)
    assert not (corpus / "notes" / "2406.15319.md").exists()


def test_a_folder_that_the_user_names_is_never_made(installed: Path) -> None:
    prepare_corpus(Settings(corpus=installed / "mispelt"))
    assert not (installed / "mispelt").exists()
