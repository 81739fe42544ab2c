"""What Zotero, whoever answers in its place, or a folder of papers from somebody else cannot have copied."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.assistant import Assistant
from rag_app.errors import CorpusError
from rag_app.papers import zotero as zotero_module
from rag_app.papers.corpus import list_papers
from rag_app.papers.zotero import sync_zotero
from rag_app.papers.zotero_settings import NOTES, SETTINGS, ZoteroSource, write_zotero_settings
from rag_app.settings import settings_folder
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.other_user import UID, listen_as_other_user, needs_root
from tests.support.pdfs import make_paper
from tests.support.zotero_server import ZoteroLibrary, serve_zotero

needs_posix = pytest.mark.skipif(os.name != "posix", reason="modes, links and pipes as POSIX has them")
SECRET = "secret of the user"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    folder = tmp_path / "Zotero" / "storage"
    folder.mkdir(parents=True)
    (folder.parent / "zotero.sqlite").touch()
    return folder


@pytest.fixture
def zotero() -> ZoteroLibrary:
    return ZoteroLibrary({"COLL0001": "RAG"})


@pytest.fixture
def url(zotero: ZoteroLibrary) -> Iterator[str]:
    with serve_zotero(zotero) as url:
        yield url


def make_pdf(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_paper(path, title="On Otters", sections=[("1 One", [f"The {SECRET}."])])


def sync(corpus: Path, url: str, **source: str) -> str:
    write_zotero_settings(corpus, ZoteroSource(url, **source))
    return " ".join(sync_zotero(corpus))


def copies(corpus: Path) -> list[str]:
    return sorted(path.name for path in corpus.rglob("*") if path.is_file() and path.suffix not in (".toml", ".json"))


@needs_root
def test_another_user_at_zoteros_port_is_asked_nothing(corpus: Path) -> None:
    with listen_as_other_user() as port:
        problem = sync(corpus, f"http://127.0.0.1:{port}")
    assert str(UID) in problem and "Start Zotero as this user" in problem and not (corpus / "zotero").exists()


def test_another_user_who_comes_meanwhile_gives_nothing(
    corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    zotero.add("OTTER00I", "On Otters", make_pdf(storage / "OTTER00A" / "Otters.pdf"))
    monkeypatch.setattr(zotero_module, "find_strangers", lambda port: {UID} if zotero.requests else set())
    assert "another user" in sync(corpus, url) and zotero.requests and copies(corpus) == []


def test_where_the_system_does_not_tell_who_listens_zotero_is_asked(
    corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    zotero.add("OTTER00I", "On Otters", make_pdf(storage / "OTTER00A" / "Otters.pdf"))
    monkeypatch.setattr("rag_app.models.llm.listeners.find_listeners", lambda port: set())
    assert sync(corpus, url) == "" and copies(corpus) == ["Otters.pdf"]


PLACES = [
    "token",  # a file of the user's that is no paper
    "papers/Otters.pdf",  # a linked file: of a folder that nobody named
    "elsewhere/storage/OTTER00A/Otters.pdf",  # no Zotero has its storage there
    "Zotero/storage/HERON00A/Otters.pdf",  # the folder of another attachment
    "Zotero/storage/OTTER00A/below/Otters.pdf",
]


@pytest.mark.parametrize("place", PLACES)
def test_only_files_of_zoteros_own_storage_are_copied(
    corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str, place: str
) -> None:
    file = make_pdf(storage.parent.parent / place)
    zotero.add("OTTER00I", "On Otters", file)
    zotero.items[-1]["data"]["filename"] = "Otters.pdf"
    problem = sync(corpus, url)
    assert str(file) in problem and "--storage" in problem and copies(corpus) == []


@needs_posix
@pytest.mark.parametrize("linked", ["file", "folder"])
def test_no_link_in_the_storage_is_followed(
    corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str, linked: str
) -> None:
    behind = make_pdf(storage.parent.parent / "private" / "Otters.pdf")
    if linked == "folder":
        (storage / "OTTER00A").symlink_to(behind.parent)
    else:
        (storage / "OTTER00A").mkdir()
        (storage / "OTTER00A" / "Otters.pdf").symlink_to(behind)
    zotero.add("OTTER00I", "On Otters", storage / "OTTER00A" / "Otters.pdf")
    assert "Otters.pdf is not taken" in sync(corpus, url) and copies(corpus) == []
    assert "Otters.pdf is not taken" in sync(corpus, url, storage=str(storage)) and copies(corpus) == []
    export = storage.parent / "library.bib"
    export.write_text("@article{otters, title={O}, file={files/OTTER00A/Otters.pdf}}", encoding="utf-8")
    problem = sync(corpus, "http://127.0.0.1:9", storage=str(storage), library=str(export))
    assert "link" in problem and copies(corpus) == []


@needs_posix
def test_a_database_that_is_a_link_makes_no_storage(
    corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str, tmp_path: Path
) -> None:
    zotero.add("OTTER00I", "On Otters", make_pdf(storage / "OTTER00A" / "Otters.pdf"))
    (storage.parent / "zotero.sqlite").rename(tmp_path / "real.sqlite")
    (storage.parent / "zotero.sqlite").symlink_to(tmp_path / "real.sqlite")
    assert "Otters.pdf is not taken" in sync(corpus, url) and copies(corpus) == []


def test_linked_files_come_from_a_folder_that_the_user_named(
    corpus: Path, zotero: ZoteroLibrary, url: str, tmp_path: Path
) -> None:
    zotero.add("OTTER00I", "On Otters", make_pdf(tmp_path / "papers" / "2021" / "Otters.pdf"))
    zotero.add("HERON00I", "On Herons", make_pdf(tmp_path / "private" / "Herons.pdf"))
    problem = sync(corpus, url, storage=str(tmp_path / "papers"))
    assert "Herons.pdf" in problem and "Otters.pdf" not in problem and copies(corpus) == ["Otters.pdf"]


def test_an_exported_library_names_nothing_outside_the_folder(corpus: Path, storage: Path) -> None:
    make_pdf(storage.parent / "private.pdf")
    export = storage.parent / "library.bib"
    export.write_text("@article{otters, title={O}, file={files/../private.pdf}}", encoding="utf-8")
    problem = sync(corpus, "http://127.0.0.1:9", storage=str(storage), library=str(export))
    assert "otters" in problem and "leads out" in problem and copies(corpus) == []


@pytest.mark.parametrize(
    ("name", "content"), [("Otters.pdf", b"root:x:0:0"), ("Otters.pdf", b" " * 1024 + b"%PDF-1.4"), ("token", b"%PDF-")]
)
def test_what_is_no_pdf_is_skipped_and_named(
    corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str, name: str, content: bytes
) -> None:
    file = storage / "OTTER00A" / name
    file.parent.mkdir()
    file.write_bytes(content)
    zotero.add("OTTER00I", "On Otters", file)
    assert f"{file} is not taken" in sync(corpus, url) and copies(corpus) == []


@needs_posix
def test_a_pipe_in_the_storage_is_skipped_and_named(
    corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (storage / "OTTER00A").mkdir()
    os.mkfifo(storage / "OTTER00A" / "Otters.pdf")
    zotero.add("OTTER00I", "On Otters", storage / "OTTER00A" / "Otters.pdf")
    monkeypatch.setattr(Path, "is_file", lambda path: True)  # it takes the place of a file after the first look
    assert "no regular file" in sync(corpus, url)


@needs_posix
def test_copies_are_their_owners_alone(corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str) -> None:
    zotero.add("OTTER00I", "On Otters", make_pdf(storage / "OTTER00A" / "Otters.pdf"))
    copy = corpus / "zotero" / "OTTER00A" / "Otters.pdf"
    for wider in (0o600, 0o644):
        assert sync(corpus, url) == "" and copy.stat().st_mode & 0o777 == 0o600
        copy.chmod(wider)
    assert sync(corpus, url) == "" and copy.stat().st_mode & 0o777 == 0o600


# -- a folder of papers from somebody else ------------------------------------------------------------------------


def hand_over(corpus: Path, storage: Path) -> None:
    """A corpus whose zotero.toml names the user's own storage."""
    make_pdf(storage / "OTTER00A" / "Otters.pdf")
    export = corpus / "export.bib"
    export.write_text("@article{otters, title={O}, file={files/OTTER00A/Otters.pdf}}", encoding="utf-8")
    (corpus / SETTINGS).write_text(
        f"url = 'http://127.0.0.1:9'\nstorage = '{storage}'\nlibrary = '{export}'\n", encoding="utf-8"
    )


def test_settings_that_somebody_else_wrote_are_not_followed(corpus: Path, storage: Path, tmp_path: Path) -> None:
    hand_over(corpus, storage)
    make_pdf(corpus / "Herons.pdf")
    report = Assistant(settings_for(tmp_path), embedder=WordEmbedder()).build()
    assert [paper.paper for paper in report.papers] == ["Herons.pdf"]
    (problem,) = report.problems
    assert f"zotero.toml in {corpus} was not written by this user: it is not followed." in problem
    assert "rag-app zotero" in problem and "Otters" not in str(list_papers(corpus))


def test_settings_are_followed_until_somebody_changes_or_moves_them(corpus: Path, storage: Path) -> None:
    hand_over(corpus, storage)
    source = ZoteroSource("http://127.0.0.1:9", storage=str(storage), library=str(corpus / "export.bib"))
    write_zotero_settings(corpus, source)
    assert sync_zotero(corpus) == () and copies(corpus) == ["Otters.pdf", "export.bib"]
    moved = corpus.with_name("moved")
    shutil.copytree(corpus, moved)
    assert "not written by this user" in " ".join(sync_zotero(moved))
    with (corpus / SETTINGS).open("a", encoding="utf-8") as stream:
        stream.write("tag = 'x'\n")
    assert "not written by this user" in " ".join(sync_zotero(corpus))


@needs_posix
def test_the_note_of_who_wrote_them_is_the_users_alone(corpus: Path, storage: Path) -> None:
    hand_over(corpus, storage)
    source = ZoteroSource("http://127.0.0.1:9", storage=str(storage), library=str(corpus / "export.bib"))
    write_zotero_settings(corpus, source)
    notes = settings_folder() / NOTES
    assert notes.stat().st_mode & 0o777 == 0o600
    notes.chmod(0o666)
    assert "not written by this user" in " ".join(sync_zotero(corpus))


@needs_posix
@pytest.mark.parametrize("place", ["zotero", ".removed", "zotero/OTTER00A"])
def test_copies_are_written_through_no_link_of_the_folder(
    corpus: Path, storage: Path, zotero: ZoteroLibrary, url: str, place: str, tmp_path: Path
) -> None:
    zotero.add("OTTER00I", "On Otters", make_pdf(storage / "OTTER00A" / "Otters.pdf"))
    (tmp_path / "private").mkdir()
    (corpus / place).parent.mkdir(exist_ok=True)
    (corpus / place).symlink_to(tmp_path / "private")
    with pytest.raises(CorpusError, match="is a link"):
        sync(corpus, url)
    assert list((tmp_path / "private").iterdir()) == []


def test_a_list_of_copies_moves_nothing_from_elsewhere(corpus: Path, zotero: ZoteroLibrary, url: str) -> None:
    private = corpus.parent / "private.pdf"
    private.touch()
    (corpus / "zotero").mkdir()
    listed = '{"OTTER00A": {"name": "../../../private.pdf"}, "..": {"name": "private.pdf"}}'
    (corpus / "zotero" / "sync.json").write_text(listed, encoding="utf-8")
    assert sync(corpus, url) == "" and private.is_file()
