"""Links in folders that somebody handed over: none is followed, listed into, written or deleted through."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from rag_app.assistant import Assistant
from rag_app.errors import CorpusError, HistoryFault, IndexFault, ModelError, PaperError
from rag_app.index import generations
from rag_app.index.build import build
from rag_app.models.embedder import open_embedder
from rag_app.outputs.history import History
from rag_app.outputs.history_file import all_history_files, history_file
from rag_app.papers.add_remove import REMOVED, remove_paper, removed_papers, restore_paper
from rag_app.papers.corpus import list_papers
from rag_app.server.app import serve
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder, settings_for, write_corpus, write_paper

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows lets only administrators make links")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handed")
    write_corpus(folder / "corpus", 2)
    build(settings_for(folder), WordEmbedder())
    return folder


@pytest.fixture
def library(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "library"))


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of somebody's own, with names as an index has them, and one file on its own."""
    folder = tmp_path / "victim"
    (folder / "thesis").mkdir(parents=True)
    (folder / "thesis" / "chapter.tex").write_text("years of work", encoding="utf-8")
    (folder / "passages-old.json").write_text("mine", encoding="utf-8")
    (folder / ".draft.tex.tmp").write_text("mine too", encoding="utf-8")
    (folder / "alone").write_text("alone", encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


def replace_with_link(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


PLACES = [
    "parts", "parts/*-markdown-*", "parts/*/thesis", "generations", "generations/*", "generations/*/chroma",
    "generations/*/words", "generations/*/manifest.json", "parts/*/reading.json", "current", "lock", "lock.holder",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_link_in_an_index_is_refused_with_its_path_and_nothing_behind_it_changes(
    library: Path, victim: Path, place: str
) -> None:
    index = library / "index"
    if place.endswith("thesis"):
        path = next((index / "parts").iterdir()) / "thesis"
    else:
        path = next(iter(sorted(index.glob(place))), index / place)
    replace_with_link(path, victim / "alone" if "." in path.name or place in ("current", "lock") else victim)
    before = contents(victim)
    (library / "corpus" / "otter.md").unlink()
    write_paper(library / "corpus", "yak.md", "yak")
    for action in (
        lambda: build(settings_for(library), WordEmbedder()),
        lambda: build(settings_for(library), WordEmbedder(), fresh=True),
        lambda: generations.rollback(index),
        lambda: generations.open_current(index),
    ):
        with pytest.raises(IndexFault) as caught:
            action()
        assert str(path) in str(caught.value) and "link" in str(caught.value)
    assert contents(victim) == before
    path.unlink()
    assert build(settings_for(library), WordEmbedder(), fresh=True).papers, "without the link it is built"


def command(library: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    environment |= {"RAG_CORPUS": str(library / "corpus"), "RAG_INDEX": str(library / "index"), "RAG_LLM": "none"}
    arguments = (sys.executable, "-m", "rag_app", *arguments)
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def test_the_command_build_refuses_a_link(library: Path, victim: Path) -> None:
    before = contents(victim)
    replace_with_link(library / "index" / "parts", victim)
    write_paper(library / "corpus", "yak.md", "yak")
    done = command(library, "build")
    assert done.returncode == 1 and str(library / "index" / "parts") in done.stderr and "RAG_INDEX" in done.stderr
    assert contents(victim) == before


def test_a_served_page_builds_through_no_link(library: Path, victim: Path) -> None:
    """It builds a stale index by itself, and says why it does not."""
    before = contents(victim)
    replace_with_link(library / "index" / "parts", victim)
    write_paper(library / "corpus", "yak.md", "yak")
    settings = settings_for(library, port=0)
    page = serve(Assistant(settings, embedder=WordEmbedder()), settings, block=False)
    try:
        page._preparing.join(60)
        assert page.job._thread is not None
        page.job._thread.join(60)
        assert page.job.failed and "is a link" in str(page.job.outcome)
        assert contents(victim) == before
    finally:
        page.stop()


@pytest.mark.parametrize("name", ["thesis", "closed-", "r1", "000001-mine"])
def test_only_names_that_we_give_are_removed(library: Path, name: str) -> None:
    """Whatever else lies in the folders of an index is somebody's, and stays."""
    index = library / "index"
    kept = [index / "parts" / name, index / "generations" / name]
    part = next(one for one in (index / "parts").iterdir() if one.name != name)
    files = [part / "passages-mine.json", part / "notes.tmp", index / ".draft.tmp"]
    for folder in kept:
        folder.mkdir()
        (folder / "chapter.tex").write_text("years of work", encoding="utf-8")
    for file in files:
        file.write_text("mine", encoding="utf-8")
    write_paper(library / "corpus", "yak.md", "yak")
    build(settings_for(library), WordEmbedder())
    generations.clean_index(index)
    assert all((folder / "chapter.tex").is_file() for folder in kept) and all(file.is_file() for file in files)


def test_a_manifest_leads_to_no_folder_outside(library: Path, victim: Path) -> None:
    folder = library / "index" / "generations" / generations.current_name(library / "index")
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    part = next((library / "index" / "parts").iterdir()).name
    for wrong in ("../../../victim", str(victim), "..", ".", ""):
        (folder / "manifest.json").write_text(text.replace(part, wrong), encoding="utf-8")
        with pytest.raises(IndexFault, match="not a plain name"):
            generations.open_current(library / "index")


def test_a_file_with_a_second_name_is_not_written_to(library: Path, tmp_path: Path) -> None:
    """Chroma notes in its database who opened it: a hard link would carry that into somebody's own file."""
    folder = library / "index" / "generations" / generations.current_name(library / "index")
    os.link(folder / "chroma" / "chroma.sqlite3", tmp_path / "second.sqlite3")
    before = (tmp_path / "second.sqlite3").read_bytes()
    opened = generations.open_current(library / "index")
    try:
        assert opened.store.count() == opened.manifest.passages
    finally:
        opened.close()
    assert (tmp_path / "second.sqlite3").read_bytes() == before


@pytest.mark.parametrize("place", ["", "model-0123456789ab"])
def test_a_link_in_place_of_the_converted_models_is_refused(tmp_path: Path, victim: Path, place: str) -> None:
    cache = tmp_path / "models"
    (cache / place).parent.mkdir(parents=True, exist_ok=True)
    (cache / place).symlink_to(victim)
    (victim / ".making-mine").mkdir()
    os.utime(victim / ".making-mine", (0, 0))
    with pytest.raises(ModelError, match="is a link"):
        open_embedder(Settings(embedder_backend="openvino"), cache)
    assert (victim / ".making-mine").is_dir()


# -- conversations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["history", "history/users", "history/users/ada", "history/users/ada/index.sqlite"])
def test_conversations_are_kept_through_no_link(tmp_path: Path, victim: Path, place: str) -> None:
    (victim / "index.sqlite").touch()
    victim.chmod(0o755)
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).symlink_to(victim / "index.sqlite" if place.endswith("sqlite") else victim)
    before = contents(victim)
    with pytest.raises(HistoryFault, match="is a link"):
        History(history_file(tmp_path / "index", "ada")).list_conversations()
    with pytest.raises(HistoryFault, match="is a link"):
        all_history_files(tmp_path / "index")
    assert contents(victim) == before and victim.stat().st_mode & 0o777 == 0o755


# -- the folder of papers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True])
def test_what_was_removed_is_neither_listed_nor_put_back_through_a_link(
    library: Path, victim: Path, inside: bool
) -> None:
    corpus = library / "corpus"
    link = corpus / REMOVED / "sub" if inside else corpus / REMOVED
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(victim)
    for action in (
        lambda: removed_papers(corpus),
        lambda: restore_paper(corpus, "alone"),
        lambda: restore_paper(corpus, "sub/alone"),
    ):
        with pytest.raises(CorpusError, match="is a link"):
            action()
    if not inside:
        with pytest.raises(CorpusError, match="is a link"):
            remove_paper(corpus, "otter.md")
    assert (victim / "alone").is_file() and (corpus / "otter.md").is_file() and not (corpus / "alone").exists()


def test_nothing_is_put_back_through_a_link_in_the_folder(library: Path, victim: Path) -> None:
    corpus = library / "corpus"
    (corpus / REMOVED / "sub").mkdir(parents=True)
    (corpus / REMOVED / "sub" / "a.md").write_text("# A\n", encoding="utf-8")
    (corpus / "sub").symlink_to(victim)
    with pytest.raises(CorpusError, match="is a link"):
        restore_paper(corpus, "sub/a.md")
    assert not (victim / "a.md").exists()
    with pytest.raises(PaperError):
        restore_paper(corpus, "a.md")


def test_the_page_says_that_it_lists_through_no_link(library: Path, victim: Path) -> None:
    (library / "corpus" / REMOVED).symlink_to(victim)
    settings = settings_for(library, port=0)
    page = serve(Assistant(settings, embedder=WordEmbedder()), settings, block=False)
    try:
        with httpx.Client(base_url=page.url, trust_env=False, timeout=60) as client:
            state = client.get("/adding/state").json()
            assert state["removed"] == [] and "is a link" in state["summary"]
            answer = client.post("/adding/do/restore", json={"file": "alone"})
            assert answer.status_code == 422 and "is a link" in answer.text
    finally:
        page.stop()
    assert (victim / "alone").is_file()


def test_the_list_of_papers_is_not_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[[paper]]\narxiv_id = "2406.15319"\ntitle = "Mine"\n', encoding="utf-8")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "papers.toml").symlink_to(tmp_path / "mine.toml")
    with pytest.raises(CorpusError, match="leads out of the folder"):
        list_papers(corpus)
