"""An index of a stranger: nothing in it is a program that runs here, whatever its files hold."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.utils import embedding_functions

from rag_app.assistant import Assistant
from rag_app.errors import IndexFault, RagError
from rag_app.index import generations
from rag_app.index.build import build
from rag_app.index.chroma import _client
from tests.support.doubles import WordEmbedder, settings_for, write_corpus, write_paper

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Which points does the otter reach?"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of more than a thousand passages: from there on Chroma writes its graph, and its pickle, to disk."""
    folder = tmp_path_factory.mktemp("foreign")
    write_corpus(folder / "corpus", 3, sections=350)
    build(settings_for(folder), WordEmbedder())
    return folder


@pytest.fixture
def library(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "library")
    return tmp_path / "library"


def try_all(folder: Path) -> list[str]:
    """Everything that our code does with an index; what it said where it refused."""

    def ask() -> None:
        answer = Assistant(settings_for(folder), embedder=WordEmbedder()).ask(QUESTION)
        if answer.status == "error":
            raise RagError(answer.answer)

    def nearest() -> None:
        opened = generations.open_current(folder / "index")
        try:
            opened.store.nearest(WordEmbedder().embed_question(QUESTION), 3)
        finally:
            opened.close()

    def add() -> None:
        write_paper(folder / "corpus", "yak.md", "yak")
        build(settings_for(folder), WordEmbedder())

    said = []
    for action in (ask, nearest, add, nearest, ask):
        try:
            action()
        except RagError as error:
            said.append(str(error))
    return said


class Leaves:
    """Its pickle has a file written by whoever loads it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def hostile_pickles(trace: Path) -> dict[str, bytes]:
    """The ways in which a pickle has something called: REDUCE, INST, OBJ, and within Chroma's own fields."""
    told = str(trace).encode()
    inside = {"dimensionality": 64, "total_elements_added": 1, "id_to_label": Leaves(trace), "label_to_id": {}}
    return {
        **{f"protocol {number}": pickle.dumps(Leaves(trace), number) for number in (0, 2, 4)},
        "INST": b"(S'" + told + b"'\nios\nmkdir\n.",
        "OBJ": b"(cos\nmkdir\nS'" + told + b"'\no.",
        "in a field": pickle.dumps(inside, 4),
    }


@pytest.mark.parametrize("how", hostile_pickles(Path()))
def test_a_hostile_pickle_in_place_of_chromas_runs_nothing(library: Path, tmp_path: Path, how: str) -> None:
    trace = tmp_path / "trace"
    content = hostile_pickles(trace)[how]
    pickle.loads(content)
    trace.rmdir()  # it was there: this pickle does what it is meant to
    places = list((library / "index").rglob("*.pickle"))
    assert places
    for place in places:
        place.write_bytes(content)
    said = try_all(library)
    assert all("Build again" in one for one in said), "\n".join(said)
    assert len(said) <= 2, "the build did not repair it"
    assert try_all(library) == [] and not trace.exists()


class Asked:
    """Stands where Chroma keeps what can load a model: it notes that it was asked to."""

    times = 0

    @classmethod
    def build_from_config(cls, config: object) -> Asked:
        cls.times += 1
        raise ValueError(f"asked for {config}")


@pytest.mark.parametrize("column", ["schema_str", "config_json_str"])
def test_an_index_that_names_a_program_is_refused(library: Path, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chroma would build an embedding function that is named beside a collection, for example a model with its code."""
    monkeypatch.setitem(embedding_functions.known_embedding_functions, "sentence_transformer", Asked)
    monkeypatch.setattr(Asked, "times", 0)
    named = {"type": "known", "name": "sentence_transformer", "config": {"kwargs": {"trust_remote_code": True}}}
    chroma = library / "index" / "generations" / generations.current_name(library / "index") / "chroma"
    with closing(sqlite3.connect(chroma / "chroma.sqlite3")) as database, database:
        (text,) = database.execute(f"SELECT {column} FROM collections").fetchone()
        value = json.loads(text)
        if column == "schema_str":
            value["keys"]["#embedding"]["float_list"]["vector_index"]["config"]["embedding_function"] = named
        else:  # as earlier versions of Chroma kept it
            value["embedding_function"] = named
            database.execute("UPDATE collections SET schema_str = NULL")
        database.execute(f"UPDATE collections SET {column} = ?", (json.dumps(value),))
    collection = chromadb.PersistentClient(str(chroma)).get_collection("passages", embedding_function=None)
    with pytest.warns(UserWarning) if column == "schema_str" else pytest.raises(ValueError):
        assert collection.schema if column == "schema_str" else collection.configuration
    assert Asked.times == 1  # Chroma by itself does
    said = try_all(library)
    assert said and all("asks to run code" in one and "--fresh" in one for one in said)  # then it is built
    assert try_all(library) == [] and Asked.times == 1


def test_an_array_that_is_a_pickle_is_refused(library: Path, tmp_path: Path) -> None:
    trace, content = tmp_path / "trace", io.BytesIO()
    np.save(content, np.array([Leaves(trace)], dtype=object), allow_pickle=True)
    generation = library / "index" / "generations" / generations.current_name(library / "index")
    arrays = list(generation.rglob("*.npy"))
    assert len(arrays) >= 5
    for array in arrays:
        kept = array.read_bytes()
        array.write_bytes(content.getvalue())
        with pytest.raises(IndexFault, match="uild again"):
            opened = generations.open_current(library / "index")
            try:
                _touch(opened)
            finally:
                opened.close()
        array.write_bytes(kept)
    assert not trace.exists()


def _touch(opened: generations.Generation) -> None:
    assert opened.words and opened.page_words and len(opened.rows) and opened.vectors is not None
    opened.words.scores(["otter"])


# -- our own code, and what it brings into the process ------------------------------------------------------------

UNPICKLING = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "pandas"}


def faults_of(tree: ast.AST) -> list[str]:
    """Where a module could run what a file holds."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [f"line {node.lineno}: {name}" for name in names if name.split(".")[0] in UNPICKLING]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if (
            called in ("eval", "exec")
            or (called in ("np.load", "numpy.load") and given.get("allow_pickle") != "False")
            or (called == "torch.load" and given.get("weights_only") != "True")
            or given.get("trust_remote_code", "False") != "False"
        ):
            found.append(f"line {node.lineno}: {called}")
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "rag_app").glob("*.py")), ids=lambda path: path.stem)
def test_no_module_of_ours_unpickles(path: Path) -> None:
    assert faults_of(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "np.load(file)",
        "np.load(file, allow_pickle=True)",
        "torch.load(file)",
    ],
)
def test_the_look_at_modules_would_see_it(line: str) -> None:
    assert faults_of(ast.parse(line))


WATCHED = """
import sys
from pathlib import Path
found = []
sys.addaudithook(lambda event, given: found.append(given) if event == "pickle.find_class" else None)
from rag_app.assistant import Assistant
from tests.support.doubles import WordEmbedder, settings_for
answer = Assistant(settings_for(Path(sys.argv[1])), embedder=WordEmbedder()).ask(sys.argv[2])
assert answer.status == "answered", answer
assert not found, found
if len(sys.argv) > 3:
    import pickle
    pickle.loads(pickle.dumps(Path()))
    assert found
print("nothing was unpickled")
"""


def test_asking_a_ready_index_unpickles_nothing(written: Path) -> None:
    """Python tells of every name that a pickle asks for, whichever package loads it."""
    command = [sys.executable, "-c", WATCHED, str(written), QUESTION, "and see that it would be seen"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "nothing was unpickled" in done.stdout, done.stderr


def test_no_env_file_of_the_current_folder_steers_chroma(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = "http://127.0.0.1:9"
    (tmp_path / ".env").write_text(f"chroma_otel_collection_endpoint={host}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert chromadb.config.Settings().chroma_otel_collection_endpoint == host  # by itself it does
    given = []
    monkeypatch.setattr(chromadb, "PersistentClient", lambda folder, settings: given.append(settings))
    _client(library)
    assert given[0].chroma_otel_collection_endpoint in (None, "")
