"""Folders that change under an index: another folder, older versions, files that are gone, read-only folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rag_app.assistant import Assistant
from rag_app.errors import CorpusError, IndexOfOtherFolder, ModelError
from rag_app.index import generations
from rag_app.models import openvino
from rag_app.models.embedder import open_embedder
from rag_app.outputs.terminal import answer_text
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder
from tests.support.other_user import UID
from tests.support.pdfs import make_paper
from tests.support.served_library import FACT, QUESTION, ServedLibrary, serve_library, write_library
from tests.support.visitor import Visitor

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
OTHER = "The badger reader has 340 million parameters and was trained for two days."


def open_assistant(corpus: Path, index: Path) -> Assistant:
    return Assistant(Settings(corpus=corpus, index=index, llm="none", workers=1), embedder=WordEmbedder())


def write_other(folder: Path) -> Path:
    folder.mkdir(parents=True)
    make_paper(folder / "badger.pdf", title="Badger: A Reader of Woods", sections=[("1 Reader", [OTHER])])
    return folder


# -- another folder ---------------------------------------------------------------------------------------------------


@pytest.fixture
def two_folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Folders a and b, and an index of a."""
    a, b, index = write_library(tmp_path / "a"), write_other(tmp_path / "b"), tmp_path / "index" / "one"
    open_assistant(a, index).build()
    return a, b, index


def test_an_index_of_another_folder_does_not_answer(two_folders: tuple[Path, Path, Path]) -> None:
    a, b, index = two_folders
    assert open_assistant(a, index).ask(QUESTION).status == "answered"
    other = open_assistant(b, index)
    answer = other.ask(QUESTION)
    assert answer.status == "error" and str(a) in answer.answer and str(b) in answer.answer, answer
    assert "RAG_INDEX" in answer.answer and "build" in answer.answer
    with pytest.raises(IndexOfOtherFolder, match=r"otter\.pdf|heron\.pdf"):
        other.search(QUESTION)
    assert [row.paper for row in other.papers()] == ["badger.pdf"]
    assert other.status().by_words == 0 and other.is_stale()


def test_a_build_for_the_other_folder_says_what_became_of_the_first(two_folders: tuple[Path, Path, Path]) -> None:
    a, b, index = two_folders
    other = open_assistant(b, index)
    report = other.build()
    assert any(str(a) in problem and str(b) in problem for problem in report.problems), report.problems
    assert "otter.pdf" in report.removed
    assert other.search(QUESTION)[0].passage.paper == "badger.pdf"
    assert open_assistant(a, index).ask(QUESTION).status == "error"


def test_the_command_refuses_it_in_one_sentence(two_folders: tuple[Path, Path, Path]) -> None:
    a, b, index = two_folders
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    environment |= {"PYTHONPATH": str(ROOT), "RAG_CORPUS": str(b), "RAG_INDEX": str(index), "RAG_LLM": "none"}
    command = [sys.executable, "-m", "rag_app", "ask", QUESTION]
    done = subprocess.run(command, cwd=b, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and FACT not in done.stdout
    assert str(a) in done.stderr and "RAG_INDEX" in done.stderr, done.stderr


def test_a_folder_that_was_moved_stays_the_same(two_folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    a, _, index = two_folders
    moved = a.rename(tmp_path / "moved")
    assert open_assistant(moved, index).ask(QUESTION).status == "answered"
    (moved / "heron.pdf").unlink()
    assert open_assistant(moved, index).ask(QUESTION).status == "error"


def test_an_index_that_does_not_say_its_folder_answers_while_any_paper_is_there(
    two_folders: tuple[Path, Path, Path],
) -> None:
    a, b, index = two_folders
    file = generations.open_current(index).folder / "manifest.json"
    value = json.loads(file.read_text(encoding="utf-8"))
    del value["corpus"]
    file.write_text(json.dumps(value), encoding="utf-8")
    assert open_assistant(b, index).ask(QUESTION).status == "error"
    (a / "heron.pdf").unlink()
    assert open_assistant(a, index).ask(QUESTION).status == "answered"


# -- versions of one paper --------------------------------------------------------------------------------------------


def write_version(folder: Path, name: str, millions: int) -> None:
    fact = f"The otter reader has {millions} million parameters and was trained for nine days."
    make_paper(folder / name, title="Otter: A Reader of Rivers", sections=[("1 Reader", [fact, "It swims."])])


def test_the_newest_version_stands_and_the_older_is_named(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_version(corpus, "2406.15319v1.pdf", 110)
    write_version(corpus, "2406.15319v3.pdf", 220)
    write_version(corpus, "2406.15320v1.pdf", 440)
    assistant = open_assistant(corpus, tmp_path / "index" / "one")
    report = assistant.build()
    assert {row.paper for row in assistant.papers()} == {"2406.15319v3.pdf", "2406.15320v1.pdf"}
    named = [problem for problem in report.problems if "2406.15319v1.pdf" in problem]
    assert len(named) == 1 and "2406.15319v3.pdf" in named[0] and "supersedes" in named[0]
    row = next(row for row in assistant.papers() if row.paper == "2406.15319v3.pdf")
    assert any("2406.15319v1.pdf" in warning for warning in row.warnings), "the page names it too"
    texts = [hit.passage.text for hit in assistant.search(QUESTION)]
    assert any("220 million" in text for text in texts) and not any("110 million" in text for text in texts)
    assert not assistant.is_stale() and not assistant.build().changed
    (corpus / "2406.15319v3.pdf").unlink()
    assert assistant.is_stale()
    assistant.build()
    assert {row.paper for row in assistant.papers()} == {"2406.15319v1.pdf", "2406.15320v1.pdf"}
    assert not any(row.warnings for row in assistant.papers())


def test_a_removed_older_version_is_no_longer_named(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_version(corpus, "2406.15319v1.pdf", 110)
    write_version(corpus, "2406.15319v2.pdf", 220)
    assistant = open_assistant(corpus, tmp_path / "index" / "one")
    assistant.build()
    (corpus / "2406.15319v1.pdf").unlink()
    assert assistant.is_stale()
    assert assistant.build().problems == ()
    assert [row.warnings for row in assistant.papers()] == [()] and not assistant.is_stale()


def test_a_file_without_a_version_is_left_out_for_none(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_version(corpus, "2406.15319.pdf", 220)
    write_version(corpus, "2406.15319v2.pdf", 110)
    assistant = open_assistant(corpus, tmp_path / "index" / "one")
    report = assistant.build()
    assert len(assistant.papers()) == 2
    assert any("2406.15319.pdf and 2406.15319v2.pdf" in problem for problem in report.problems), report.problems
    (corpus / "2406.15319v2.pdf").rename(corpus / "2406.15319v1.pdf")
    assistant.build()
    assert [row.paper for row in assistant.papers()] == ["2406.15319.pdf"], "a first version is never the newer one"


# -- a file that is gone under a running page -------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedLibrary]:
    with serve_library(tmp_path) as library:
        yield library


def open_place(client: httpx.Client, shown: str) -> dict[str, object]:
    """The first cited place of what the page shows."""
    name = shown.partition('class=\\"cite\\" value=\\"')[2][:32]
    return dict(client.get(f"/reading/place/{name}").json())


@contextmanager
def visit(served: ServedLibrary) -> Iterator[Visitor]:
    with Visitor(served.url) as visitor:
        visitor.client.headers.update(served.headers)
        yield visitor


def test_a_file_that_is_gone_is_said_to_be_gone(served: ServedLibrary) -> None:
    with visit(served) as visitor:
        shown = visitor.ask(QUESTION)
        before = open_place(visitor.client, shown)
        assert before["marks"] and before["located"] and before["picture"]
        (served.settings.corpus / "otter.pdf").unlink()
        after = open_place(visitor.client, shown)
        assert "gone" in str(after["note"]) and "index was built (20" in str(after["note"]), after["note"]
        assert "Verified" not in str(after["note"]) and not after["marks"] and not after["located"]
        assert FACT in "".join(map(str, after["text"])), "the words that were read are still there"  # type: ignore[call-overload]
        layout = visitor.client.get(f"/reading/paper/{after['paper']}/layout").json()
        assert not layout["picture"] and "otter.pdf: the file is gone" in layout["problem"]
        for path in ("picture", "picture?version=x", "file"):
            drawn = visitor.client.get(f"/reading/paper/{after['paper']}/1/{path}")
            assert drawn.status_code == 422 and "otter.pdf: the file is gone" in drawn.json()["detail"], drawn.text
        assert visitor.client.get(f"/reading/paper/{after['paper']}/1/lines?version=x").status_code == 200
        again = visitor.ask(QUESTION)
        assert "otter.pdf: the file is gone" in again, "an answer that quotes it says so"
    said = served.assistant.ask(QUESTION)
    assert any("otter.pdf: the file is gone" in note for note in said.notes)
    assert "the file is gone" in " ".join(answer_text(said).split())


def test_a_file_that_was_edited_is_said_to_have_changed(served: ServedLibrary) -> None:
    with visit(served) as visitor:
        shown = visitor.ask(QUESTION)
        make_paper(served.settings.corpus / "otter.pdf", title="Otter", sections=[("1 Reader", ["All new."])])
        place = open_place(visitor.client, shown)
        assert "the file has changed since" in str(place["note"]) and not place["marks"]
    assert any("has changed since" in note for note in served.assistant.ask(QUESTION).notes)


def test_a_copy_with_another_time_is_the_same_file(served: ServedLibrary) -> None:
    file = served.settings.corpus / "otter.pdf"
    shutil.copyfile(file, copied := file.with_suffix(".copy"))
    copied.replace(file)
    assert served.assistant.file_problem("otter.pdf") == "" and served.assistant.ask(QUESTION).notes == ()


def test_in_a_sub_folder_and_without_the_folder(served: ServedLibrary) -> None:
    corpus = served.settings.corpus
    (corpus / "deep").mkdir()
    (corpus / "otter.pdf").rename(corpus / "deep" / "otter.pdf")
    assert served.assistant.file_problem("otter.pdf") == ""
    shutil.rmtree(corpus)
    assert "the file is gone" in served.assistant.file_problem("otter.pdf")
    with pytest.raises(CorpusError):
        served.assistant.is_stale()


# -- a folder that is read-only ---------------------------------------------------------------------------------------


@contextmanager
def as_plain_user() -> Iterator[None]:
    """As somebody whom modes of files keep out: root reads and writes everything."""
    root = os.name == "posix" and os.geteuid() == 0
    if root:
        os.seteuid(UID)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def read_only_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that cannot be written, with one for the index in it that can."""
    if os.name != "posix":
        pytest.skip("modes of POSIX")
    home = Path(tempfile.mkdtemp(dir="/tmp"))
    (home / "one").mkdir()
    (home / "cache").mkdir()
    for folder in (home / "one", home / "cache"):
        folder.chmod(0o777)
    home.chmod(0o555)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    yield home
    home.chmod(0o755)
    shutil.rmtree(home)


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch, models: Path) -> list[Path]:
    """The folders in which a model was converted; the converted one is taken from those of the tests."""
    done: list[Path] = []
    ready = next(folder for folder in models.iterdir() if (folder / "about.json").is_file())

    def make(model: object, folder: Path, *_: object) -> openvino._ModelInfo:
        done.append(folder)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        return openvino._ModelInfo(**json.loads(contents["about.json"]))

    contents = {file.name: file.read_bytes() for file in ready.iterdir()}
    monkeypatch.setattr(openvino, "_make", make)
    return done


def test_a_read_only_parent_folder_costs_one_conversion(read_only_home: Path, conversions: list[Path]) -> None:
    settings = Settings(index=read_only_home / "one")
    with as_plain_user():
        backends = [open_embedder(settings, *settings.model_folders).backend for _ in range(3)]
    assert all(backend.startswith("OpenVINO") for backend in backends), backends
    assert len(conversions) == 1 and conversions[0].is_relative_to(read_only_home / "one" / "models")
    assistant = Assistant(Settings(corpus=write_library(read_only_home / "one" / "c"), index=settings.index, workers=1))
    assistant.build()
    assert len(list((read_only_home / "one" / "models").iterdir())) == 1, "a build leaves it there"


def test_a_read_only_index_folder_takes_the_users_own_cache(read_only_home: Path, conversions: list[Path]) -> None:
    (read_only_home / "one").chmod(0o555)
    settings = Settings(index=read_only_home / "one")
    with as_plain_user():
        backends = [open_embedder(settings, *settings.model_folders).backend for _ in range(2)]
    assert all(backend.startswith("OpenVINO") for backend in backends), backends
    assert len(conversions) == 1 and conversions[0].is_relative_to(read_only_home / "cache")


def test_where_nothing_can_be_written_the_remedy_fits(read_only_home: Path, conversions: list[Path]) -> None:
    for folder in (read_only_home / "one", read_only_home / "cache"):
        folder.chmod(0o555)
    settings = Settings(index=read_only_home / "one", embedder_backend="openvino")
    with as_plain_user(), pytest.raises(ModelError, match="Correct the permissions, or set RAG_INDEX") as caught:
        open_embedder(settings, *settings.model_folders)
    assert "Free some space" not in str(caught.value) and conversions == []
