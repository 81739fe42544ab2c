"""The assistant over a real index: what it says of the library, asking, stopping, and builds that happen meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from rag_app import open_library
from rag_app.assistant import Assistant
from rag_app.cli import session
from rag_app.errors import IndexFault, IndexMissing, ModelUnreachable, QuestionError
from rag_app.files import read_json, write_json
from rag_app.index import build as build_module
from rag_app.index import embed, generations
from rag_app.index.build import build
from rag_app.index.generations import Generation, SharedIndex
from rag_app.records import Answer, Piece, Progress
from rag_app.settings import Settings
from tests.support.doubles import FirstSentenceReader, WordEmbedder, settings_for, write_corpus, write_paper

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SECRET = "The quokka of Rottnest weighs 98.76 stones in winter."
ASKED = "How many stones does the quokka of Rottnest weigh in winter?"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    write_corpus(folder / "corpus")
    build(settings_for(folder), WordEmbedder())
    return folder


@pytest.fixture
def library(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    build(settings_for(tmp_path), WordEmbedder())  # notes the change times of the copied files
    return tmp_path


def assistant(folder: Path, reader: FirstSentenceReader | None = None) -> Assistant:
    return Assistant(settings_for(folder), embedder=WordEmbedder(), reader=reader)


BUILD = """
import sys
from pathlib import Path
from rag_app.index.build import build
from tests.support.doubles import WordEmbedder, settings_for
build(settings_for(Path(sys.argv[1])), WordEmbedder())
"""


def build_elsewhere(folder: Path) -> None:
    """A build by another process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, env=environment, check=True)


# -- the library ----------------------------------------------------------------------------------------------------


def test_before_the_first_build(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 2)
    fresh = assistant(tmp_path)
    assert fresh.is_stale()
    assert [(row.paper, row.state) for row in fresh.papers()] == [
        ("heron.md", "not read yet"),
        ("otter.md", "not read yet"),
    ]
    status = fresh.status()
    assert (status.papers, status.by_words, status.by_meaning, status.building) == (0, 0, 0, False)
    answer = fresh.ask("otter?", id="7")
    assert (answer.status, answer.id) == ("error", "7") and "python -m rag_app build" in answer.answer
    with pytest.raises(IndexMissing):
        fresh.search("otter")


def test_after_the_build(library: Path) -> None:
    ready = assistant(library)
    assert not ready.is_stale()
    row = next(row for row in ready.papers() if row.paper == "otter.md")
    assert (row.title, row.pages, row.state, row.problem) == ("The Otter: A Study of Methods", 1, "full text", "")
    status = ready.status()
    assert status.papers == 4 and status.by_words == status.by_meaning > 0
    assert "otter" in ready.page("otter.md", 1).text
    assert ready.path("otter.md") == library / "corpus" / "otter.md"
    assert ready.title("otter.md") == row.title
    for wrong in (lambda: ready.page("otter.md", 2), lambda: ready.page("x", 1), lambda: ready.path("../otter.md")):
        with pytest.raises(KeyError):
            wrong()


def change(library: Path, how: str) -> None:
    corpus = library / "corpus"
    if how == "added":
        write_paper(corpus, "new.md", "yak")
    elif how == "removed":
        (corpus / "otter.md").unlink()
    elif how == "changed":
        write_paper(corpus, "otter.md", "otter", secret=SECRET)
    elif how == "touched":
        os.utime(corpus / "otter.md", (1, 1))
    elif how == "doubled":
        shutil.copy(corpus / "otter.md", corpus / "zz.md")
    elif how == "renamed":
        (corpus / "otter.md").rename(corpus / "zz.md")
    elif how == "damaged":
        (library / "index" / "current").write_bytes(b"\xff\xff")


@pytest.mark.parametrize("how", ["added", "removed", "changed", "touched", "doubled", "renamed", "damaged"])
def test_a_change_makes_it_stale_until_the_next_build(library: Path, how: str) -> None:
    ready = assistant(library)
    assert not ready.is_stale()
    change(library, how)
    assert ready.is_stale()
    ready.build()
    assert not ready.is_stale()


def test_the_settings_name_another_embedder(library: Path) -> None:
    other = Assistant(settings_for(library, embedder="other-model"))
    assert other.is_stale(), "told without loading the model"
    assert other.status().by_meaning == 0
    assert Assistant(settings_for(library, embedder="words")).is_stale() is False


# -- asking ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_quoted_from_the_page_it_names(library: Path) -> None:
    write_paper(library / "corpus", "quokka.md", "quokka", secret=SECRET)
    ready = assistant(library)
    ready.build()
    answer = ready.ask(ASKED, id="q1")
    assert (answer.status, answer.id, answer.reader, answer.question) == ("answered", "q1", "quoting", ASKED)
    assert SECRET in answer.answer
    for citation in answer.citations:
        assert citation.verified and citation.quote in ready.page(citation.paper, citation.page).text
    assert answer.searched.papers == 5 and answer.searched.quoted == 1 and answer.searched.read >= 1
    assert set(answer.milliseconds) == {"retrieve", "read", "total"} and answer.notes == ()


def test_a_stream_ends_with_its_answer(library: Path) -> None:
    events = list(assistant(library, FirstSentenceReader()).stream("otter trial series"))
    assert isinstance(events[-1], Answer) and not any(isinstance(event, Answer) for event in events[:-1])
    said = "".join(event.text for event in events if isinstance(event, Piece))
    assert said == events[-1].answer and "[1]" in said
    assert {event.stage for event in events if isinstance(event, Progress)} == {"searching", "reading", "checking"}


def test_filters_reach_the_search(library: Path) -> None:
    ready = assistant(library, FirstSentenceReader())
    answer = ready.ask("trial series points", papers=["lynx.md"])
    assert answer.searched.papers == 1 and {citation.paper for citation in answer.citations} == {"lynx.md"}
    assert {hit.passage.paper for hit in ready.search("trial", papers=["lynx.md", "heron.md"])} == {
        "lynx.md",
        "heron.md",
    }
    assert ready.search("trial", years=(1990, 1991)) == []
    assert ready.ask("trial", years=(1990, 1991)).status == "not_in_papers"


@pytest.mark.parametrize("question", ["", "   \n", "\x00\x07", "x" * 9000])
def test_questions_that_cannot_be_asked(library: Path, question: str) -> None:
    ready = assistant(library, FirstSentenceReader())
    assert ready.ask(question).status == "error"
    with pytest.raises(QuestionError):
        ready.search(question)


def test_control_characters_are_dropped(library: Path) -> None:
    answer = assistant(library, FirstSentenceReader()).ask("otter\x00 trial\x1b[31m\u202e series")
    assert answer.status == "answered" and answer.question == "otter trial [31m series"


def test_what_goes_wrong_while_reading_is_an_answer_of_its_own(library: Path) -> None:
    def fail() -> None:
        raise ModelUnreachable("127.0.0.1:1 refused the connection. Start the model server.")

    answer = assistant(library, FirstSentenceReader(fail)).ask("otter trial", id="3")
    assert (answer.status, answer.id) == ("error", "3") and "Start the model server" in answer.answer


def test_stopping_ends_the_reading(library: Path) -> None:
    stop = threading.Event()
    reader = FirstSentenceReader(stop.set)
    *_, answer = assistant(library, reader).stream("otter heron lynx trial", stop=stop)
    assert isinstance(answer, Answer) and answer.answer.count("[") == 1 and "stopped" in answer.notes
    assert reader.closed.is_set()


def test_closing_the_stream_closes_the_reader(library: Path) -> None:
    reader = FirstSentenceReader()
    stream = assistant(library, reader).stream("otter heron lynx trial")
    while not isinstance(next(stream), Piece):
        pass
    assert not reader.closed.is_set()
    stream.close()  # type: ignore[attr-defined]
    assert reader.closed.is_set()


def test_open_library_builds_what_is_missing_or_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_app.assistant.open_embedder", lambda settings, *caches: WordEmbedder(settings.embedder))
    write_corpus(tmp_path / "papers", 2)
    given = {"index": tmp_path / "index", "llm": "none"}
    assert len(open_library(tmp_path / "papers", **given).papers()) == 2
    write_paper(tmp_path / "papers", "quokka.md", "quokka", secret=SECRET)
    assert SECRET in open_library(str(tmp_path / "papers"), **given).ask(ASKED).answer
    monkeypatch.setattr(build_module, "read_all", lambda *_: pytest.fail("nothing is stale"))
    assert open_library(tmp_path / "papers", **given).status().papers == 3


# -- another embedder's index ---------------------------------------------------------------------------------------


def test_vectors_of_another_embedder_are_never_compared(library: Path) -> None:
    class Watched(WordEmbedder):
        def embed_question(self, text: str) -> np.ndarray:
            pytest.fail("compared with vectors of another space")

    other = Assistant(settings_for(library), embedder=Watched("other"), reader=FirstSentenceReader())
    hits = other.search("otter trial series")
    assert hits and hits[0].passage.paper == "otter.md" and all(hit.by_meaning == 0 for hit in hits)
    answer = other.ask("otter trial series")
    assert answer.status == "answered"
    assert any("words only" in note and "python -m rag_app build" in note for note in answer.notes)


def test_before_the_embedding_has_finished_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "GROUP", 4)
    monkeypatch.setattr(embed, "GROUP", 4)
    write_corpus(tmp_path / "corpus")
    reader = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=FirstSentenceReader())
    notes: list[tuple[str, ...]] = []
    states: list[tuple[int, bool]] = []

    def look(_: int) -> None:
        notes.append(reader.ask("otter trial series").notes)
        states.append((builder.status().by_meaning, builder.status().building))

    builder = Assistant(settings_for(tmp_path), embedder=WordEmbedder(on_group=look))
    builder.build()
    assert notes and all(any("once the build has finished" in note for note in each) for each in notes)
    assert set(states) == {(0, True)}
    assert not any("build" in note for note in reader.ask("otter trial series").notes)
    assert builder.status().by_meaning > 0 and not builder.status().building


# -- builds meanwhile -----------------------------------------------------------------------------------------------


def test_a_live_assistant_answers_from_what_another_process_built(library: Path) -> None:
    live = assistant(library)
    assert SECRET not in live.ask(ASKED).answer
    write_paper(library / "corpus", "quokka.md", "quokka", secret=SECRET)
    build_elsewhere(library)
    assert SECRET in live.ask(ASKED).answer
    assert len(live.papers()) == 5 and live.search("quokka Rottnest")[0].passage.paper == "quokka.md"
    (library / "corpus" / "quokka.md").unlink()
    build_elsewhere(library)
    assert SECRET not in live.ask(ASKED).answer and len(live.papers()) == 4


def test_a_slow_answer_ends_well_though_its_paper_is_removed_meanwhile(library: Path) -> None:
    write_paper(library / "corpus", "quokka.md", "quokka", secret=SECRET)
    builder = assistant(library)
    builder.build()
    rounds = [0]

    def meanwhile() -> None:
        rounds[0] += 1
        if rounds[0] == 1:
            (library / "corpus" / "quokka.md").unlink()
            build_elsewhere(library)
            write_paper(library / "corpus", "yak.md", "yak")
            build_elsewhere(library)

    slow = assistant(library, FirstSentenceReader(meanwhile))
    answer = slow.ask(ASKED)
    assert answer.status == "answered" and rounds[0] >= 2
    assert any(citation.paper == "quokka.md" and citation.verified for citation in answer.citations)
    assert "quokka.md" not in {hit.passage.paper for hit in slow.search(ASKED)}


def test_a_search_starts_anew_when_its_generation_is_removed_under_it(library: Path) -> None:
    shared = SharedIndex(library / "index")
    names: list[str] = []

    def work(generation: Generation) -> int:
        names.append(generation.name)
        if len(names) == 1:
            (library / "corpus" / "otter.md").unlink()
            build(settings_for(library), WordEmbedder())
            assert not generation.folder.exists()
        return generation.words.size

    with ExitStack() as stack:
        generation, size = shared.run_on_current(work, stack)
        assert len(names) == 2 and names[0] != names[1] == generation.name and size == generation.manifest.passages


def test_a_damaged_index_is_not_tried_for_ever(library: Path) -> None:
    live = assistant(library, FirstSentenceReader())
    folder = generations.open_current(library / "index").folder
    (folder / "words" / "words.json").write_bytes(b"{")
    with pytest.raises(IndexFault, match="--fresh"):
        live.search("otter")
    answer = live.ask("otter")
    assert answer.status == "error" and "--fresh" in answer.answer
    live.build(fresh=True)
    assert live.ask("otter trial").status == "answered"


def test_an_index_deleted_under_a_running_assistant(library: Path) -> None:
    live = assistant(library, FirstSentenceReader())
    assert live.ask("otter trial").status == "answered"
    shutil.rmtree(library / "index")
    answer = live.ask("otter trial")
    assert answer.status == "error" and "python -m rag_app build" in answer.answer and live.is_stale()
    build(settings_for(library), WordEmbedder())
    assert live.ask("otter trial").status == "answered"


def test_an_index_of_another_version_is_built_again_before_a_command_asks_it(
    library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = generations.open_current(library / "index").folder / "manifest.json"
    value = {**read_json(manifest), "reading": 1}
    for entry in value["papers"]:  # as version 1 would have named and written it
        part = library / "index" / "parts" / entry["part"]
        entry["part"] = part.name.rpartition("-")[0] + "-r1"
        kept = read_json(part / "reading.json")
        del kept["pages"][0]["doubtful"]
        write_json(part / "reading.json", kept)
        part.rename(part.with_name(entry["part"]))
    write_json(manifest, value)
    answer = assistant(library, FirstSentenceReader()).ask("otter trial")
    assert answer.status == "error" and "another version" in answer.answer and "damaged" not in answer.answer
    monkeypatch.setattr(session, "open_assistant", lambda: assistant(library, FirstSentenceReader()))
    assert session.ready_assistant().ask("otter trial").status == "answered"
    assert "made by another version" in capsys.readouterr().err


def test_an_index_can_be_moved(library: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "moved"
    shutil.move(library / "index", other / "index")
    shutil.move(library / "corpus", other / "corpus")
    moved = assistant(other, FirstSentenceReader())
    assert not moved.is_stale() and moved.ask("otter trial").status == "answered"


def in_threads(count: int, work: Callable[[int], None]) -> list[BaseException]:
    faults: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # handed to the test
            faults.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def test_sixteen_ask_while_builds_swap_the_index(library: Path) -> None:
    live = assistant(library, FirstSentenceReader())
    rounds = 3
    finished = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            try:
                for turn in range(rounds):
                    write_paper(library / "corpus", f"yak{turn}.md", f"yak{turn}")
                    (library / "corpus" / f"yak{turn - 1}.md").unlink(missing_ok=True)
                    live.build()
            finally:
                finished.set()
        while not finished.is_set():
            answer = live.ask("How many points does the otter reach in trial 3?")
            assert answer.status == "answered", answer.answer
            assert live.search("otter trial")[0].passage.paper == "otter.md"
            assert {"otter.md", "heron.md"} <= {row.paper for row in live.papers()}

    assert in_threads(17, work) == []
    assert {row.paper for row in live.papers()} >= {f"yak{rounds - 1}.md"} and len(live.papers()) == 5


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files in /proc, which only Linux has")
def test_old_generations_are_closed(library: Path) -> None:
    live = assistant(library, FirstSentenceReader())
    counts: list[int] = []
    for turn in range(7):
        write_paper(library / "corpus", "otter.md", "otter", secret=f"Otters weigh {turn} stones.")
        live.build()
        assert f"{turn} stones" in " ".join(hit.passage.text for hit in live.search("Otters weigh stones"))
        counts.append(len(os.listdir("/proc/self/fd")))
    assert counts[-1] < counts[2] + 4, "a generation that stays open holds more files than that"


def test_settings_decide_where_the_index_lies(tmp_path: Path) -> None:
    settings = Settings(corpus=tmp_path / "papers")
    assert settings.index_folder != Settings(corpus=tmp_path / "other").index_folder
