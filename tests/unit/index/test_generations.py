"""Generations, the pointer, the lock, rollback; and builds that are killed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import kills
from rag_app import files
from rag_app.errors import IndexBusy, IndexFault, IndexMissing
from rag_app.index import generations as generations_module
from rag_app.index.build import build
from rag_app.index.manifest import FORMAT, IndexedPaper, Manifest, read_manifest, write_manifest
from tests.support.doubles import WordEmbedder, settings_for, write_corpus, write_paper

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
KEY = "0123456789abcdef"


def part_name(digest: str) -> str:
    """A part's name as the build gives it, of a digest that is the text itself."""
    return f"{digest.encode().hex()[:24].ljust(24, '0')}-text-r1"


def entry(paper: str, digest: str = "", first: int = 0, passages: int = 0) -> IndexedPaper:
    digest = digest or paper
    return IndexedPaper(
        paper, "T", "text", "full text", "", digest, 1, 2, part_name(digest), KEY, 1, passages, first, 0.5
    )


def manifest(*entries: IndexedPaper, embedder: str = "words@64") -> Manifest:
    total = sum(entry.passages for entry in entries)
    return Manifest(FORMAT, "2026-01-01T00:00:00Z", embedder, 64, "s1", 1, {"chromadb": "1"}, entries, total)


def publish(root: Path, *papers: str, embedder: str = "words@64") -> str:
    """A generation with a manifest only, made current."""
    folder = generations_module.new_generation(root)
    write_manifest(folder, manifest(*(entry(paper) for paper in papers), embedder=embedder))
    for paper in papers:
        (root / "parts" / part_name(paper)).mkdir(parents=True, exist_ok=True)
        files.write_json(root / "parts" / part_name(paper) / f"passages-{KEY}.json", [])
    generations_module.publish(root, folder.name)
    return folder.name


def generations(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "generations").iterdir())


# -- the manifest ---------------------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TEXTS = ("paper", "title", "kind", "state", "problem", "digest", "arxiv_id", "topic")
NUMBERS = ("size", "modified", "pages", "year", "month")
SEVERAL = ("warnings", "short_names", "authors")
inside = text.filter(lambda name: name not in ("", "..") and not {"/", "\0", "\\", ":"} & set(name))
entries = st.builds(
    IndexedPaper,
    **dict.fromkeys(TEXTS, text) | {"paper": inside},
    **dict.fromkeys(("part", "key"), st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True)),
    **dict.fromkeys(NUMBERS, st.integers(0, 2**63)),
    **dict.fromkeys(SEVERAL, st.lists(text, max_size=3).map(tuple)),
    passages=st.integers(0, 99),
    first=st.just(0),
    seconds=st.floats(0, 1e6),
)


def in_rows(found: list[IndexedPaper]) -> tuple[IndexedPaper, ...]:
    placed, at = [], 0
    for one in found:
        placed.append(dataclasses.replace(one, first=at))
        at += one.passages
    return tuple(placed)


@given(st.lists(entries, max_size=4).map(in_rows), st.lists(st.tuples(text, st.integers(), st.integers())).map(tuple))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_a_manifest_comes_back_as_it_was_written(
    tmp_path: Path, papers: tuple[IndexedPaper, ...], doubles: object
) -> None:
    written = dataclasses.replace(manifest(*papers), doubles=doubles)
    write_manifest(tmp_path, written)
    assert read_manifest(tmp_path) == written


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_a_manifest_with_a_wrong_value_anywhere_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    write_manifest(tmp_path, manifest(entry("a", passages=2), entry("b", first=2)))
    value = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    holder = data.draw(st.sampled_from([value, value["papers"][0], value["papers"][1], value["versions"]]))
    key = data.draw(st.sampled_from(sorted(holder)))
    if data.draw(st.booleans()):
        holder[key] = data.draw(junk)
    else:
        del holder[key]
    (tmp_path / "manifest.json").write_text(json.dumps(value), encoding="utf-8")
    try:
        read = read_manifest(tmp_path)
    except IndexFault as error:
        assert "Build again" in str(error)
    else:
        assert all(isinstance(one.paper, str) and isinstance(one.passages, int) for one in read.papers)
        assert sum(one.passages for one in read.papers) == read.passages


@pytest.mark.parametrize(
    ("where", "name", "holds"),
    [
        ("papers", "short_names", [None]),
        ("papers", "coined", ["RAG", True]),
        ("papers", "hidden", [["a"]]),
        ("", "warnings", [5]),
        ("", "doubles", [["a.pdf", 1]]),
        ("", "doubles", [["a.pdf", "1", 2]]),
        ("", "versions", {"chromadb": None}),
    ],
)
def test_a_wrong_value_inside_a_field_is_refused(tmp_path: Path, where: str, name: str, holds: object) -> None:
    """Not by the first search, which would ask it for its letters."""
    write_manifest(tmp_path, manifest(entry("a", passages=2)))
    value = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    (value[where][0] if where else value)[name] = holds
    (tmp_path / "manifest.json").write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(IndexFault, match=f"{name} is not.*Build again"):
        read_manifest(tmp_path)


@given(st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_rubbish_in_the_pointer_or_the_manifest_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    name = publish(tmp_path, "a")
    (tmp_path / "generations" / name / "manifest.json").write_bytes(content)
    with pytest.raises(IndexFault, match="Build again"):
        generations_module.open_current(tmp_path)
    (tmp_path / "current").write_bytes(content)
    with pytest.raises(IndexFault, match=r"Build again|nothing has been built"):
        generations_module.open_current(tmp_path)


@pytest.mark.parametrize("name", ["../secret.pdf", "/etc/secret.pdf", "a/../../secret.pdf", ""])
@pytest.mark.parametrize("field", ["paper", "older", "same"])
def test_a_manifest_names_no_paper_outside_the_folder(tmp_path: Path, name: str, field: str) -> None:
    changed = dataclasses.replace(entry("a"), **{field: name if field == "paper" else (name,)})
    write_manifest(tmp_path, manifest(changed))
    with pytest.raises(IndexFault, match=r"leads out of the folder.*Build again") as refused:
        read_manifest(tmp_path)
    assert repr(name) in str(refused.value)


def test_a_pointer_without_end_is_neither_read_nor_printed(tmp_path: Path) -> None:
    publish(tmp_path, "a")
    for length in (4_000, 5_000_000):
        (tmp_path / "current").write_text("x" * length, encoding="utf-8")
        with pytest.raises(IndexFault) as refused:
            generations_module.open_current(tmp_path)
        assert "Build again" in str(refused.value) and len(str(refused.value)) < 2_000


def test_the_pointer_names_no_other_folder(tmp_path: Path) -> None:
    for name in ("../elsewhere", "a/b", "a\\b", ".", "..", ".hidden", ""):
        (tmp_path / "current").write_text(name, encoding="utf-8")
        with pytest.raises(IndexFault):
            generations_module.open_current(tmp_path)


# -- generations ----------------------------------------------------------------------------------------------------


def test_nothing_built_is_said_with_the_remedy(tmp_path: Path) -> None:
    assert generations_module.current_name(tmp_path) == ""
    with pytest.raises(IndexMissing, match="python -m rag_app build"):
        generations_module.open_current(tmp_path)


def test_names_sort_by_age_and_never_come_twice(tmp_path: Path) -> None:
    names = [generations_module.new_generation(tmp_path).name for _ in range(12)]
    assert names == sorted(names)
    first = names[0]
    for name in names:
        (tmp_path / "generations" / name).rmdir()
    assert generations_module.new_generation(tmp_path).name != first


def test_tidy_keeps_the_current_generation_and_the_one_before(tmp_path: Path) -> None:
    names = [publish(tmp_path, "a"), publish(tmp_path, "a"), publish(tmp_path, "a", "b")]
    generations_module.new_generation(tmp_path)  # begun, never finished
    (tmp_path / "parts" / part_name("gone")).mkdir()
    (tmp_path / "parts" / part_name("a") / f".vectors-{KEY}.npy.1234abcd.tmp").write_bytes(b"half")
    (tmp_path / "parts" / part_name("a") / f"vectors-{KEY[::-1]}.npy").write_bytes(b"of another embedder")
    (tmp_path / ".current.1234abcd.tmp").write_bytes(b"half")
    generations_module.clean_index(tmp_path)
    assert generations(tmp_path) == names[1:]
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == [part_name("a"), part_name("b")]
    assert [path.name for path in (tmp_path / "parts" / part_name("a")).iterdir()] == [f"passages-{KEY}.json"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_tidy_keeps_no_generation_with_a_removed_paper_and_none_of_words_only(tmp_path: Path) -> None:
    publish(tmp_path, "a", "removed")
    publish(tmp_path, "a", embedder="")
    last = publish(tmp_path, "a")
    generations_module.clean_index(tmp_path)
    assert generations(tmp_path) == [last]
    assert [path.name for path in (tmp_path / "parts").iterdir()] == [part_name("a")]


def test_tidy_without_a_readable_manifest_removes_nothing(tmp_path: Path) -> None:
    publish(tmp_path, "a")
    last = publish(tmp_path, "a", "b")
    (tmp_path / "generations" / last / "manifest.json").write_text("{", encoding="utf-8")
    generations_module.clean_index(tmp_path)
    assert len(generations(tmp_path)) == 2 and len(list((tmp_path / "parts").iterdir())) == 2


def test_rollback_returns_to_the_generation_before(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "a"), publish(tmp_path, "a", "b")
    assert generations_module.rollback(tmp_path) == first == generations_module.current_name(tmp_path)
    with pytest.raises(IndexMissing, match="no earlier generation"):
        generations_module.rollback(tmp_path)
    assert generations(tmp_path) == [first, second]


def test_rollback_skips_what_cannot_answer(tmp_path: Path) -> None:
    first = publish(tmp_path, "a")
    publish(tmp_path, "a", embedder="")
    broken = publish(tmp_path, "a")
    (tmp_path / "generations" / broken / "manifest.json").unlink()
    publish(tmp_path, "a")
    assert generations_module.rollback(tmp_path) == first


def test_after_a_rollback_the_old_words_answer_and_a_build_goes_forward_again(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 2)
    build(settings_for(tmp_path), WordEmbedder())
    write_paper(tmp_path / "corpus", "otter.md", "otter", secret="Quokka.")
    build(settings_for(tmp_path), WordEmbedder())
    generations_module.rollback(tmp_path / "index")
    opened = generations_module.open_current(tmp_path / "index")
    assert "Quokka" not in opened.page("otter.md", 1).text
    assert opened.passages(range(opened.manifest.passages))
    opened.close()
    report = build(settings_for(tmp_path), WordEmbedder())
    assert report.changed and report.read == 0 and report.embedded == 0
    opened = generations_module.open_current(tmp_path / "index")
    assert "Quokka" in opened.page("otter.md", 1).text
    opened.close()


def test_rollback_waits_for_no_build(tmp_path: Path) -> None:
    publish(tmp_path, "a"), publish(tmp_path, "a")
    with generations_module.writer_lock(tmp_path), pytest.raises(IndexBusy):
        generations_module.rollback(tmp_path)


def test_readers_see_a_whole_generation_while_builds_swap(tmp_path: Path) -> None:
    publish(tmp_path, "a")
    faults: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                assert generations_module.open_current(tmp_path).manifest.papers[0].paper == "a"
        except BaseException as error:  # shown by the assertion below
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(60):
        publish(tmp_path, "a")
        generations_module.clean_index(tmp_path)
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults


# -- one writer -----------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from rag_app.index.generations import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_says_who_holds_it_and_is_free_after_kill_9(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(IndexBusy, match=f"process {holder.pid} on"), generations_module.writer_lock(tmp_path):
            pytest.fail("two writers")
    finally:
        holder.kill()
        holder.communicate()
    with generations_module.writer_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock.holder").read_text(encoding="utf-8")


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), generations_module.writer_lock(tmp_path):
        _ = 1 / 0
    with generations_module.writer_lock(tmp_path):
        pass


# -- builds that are killed -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills with SIGKILL, which Windows does not have")
@pytest.mark.parametrize(
    ("commit", "after"), [(-1, False), (-1, True), (-6, False), (3, False)], ids=lambda value: str(value)
)
def test_a_build_killed_at_a_commit_loses_nothing(tmp_path: Path, commits: int, commit: int, after: bool) -> None:
    kills.prepare(tmp_path)
    moment = commit if commit > 0 else commits + 1 + commit
    outcome = kills.kill_at_commit(tmp_path, moment, after)
    assert outcome.killed and not outcome.faults
    assert outcome.published == (commit == -1 and after), "the last commit is the one that publishes"


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> int:
    folder = tmp_path_factory.mktemp("whole")
    kills.prepare(folder)
    return kills.commits_of(folder)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills with SIGKILL, which Windows does not have")
@pytest.mark.parametrize("seconds", [0.7, 1.5])
def test_a_build_killed_at_any_moment_loses_nothing(tmp_path: Path, seconds: float) -> None:
    kills.prepare(tmp_path)
    outcome = kills.kill_after(tmp_path, seconds)
    assert not outcome.faults


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the children in /proc, which only Linux has")
def test_the_children_of_a_killed_build_end(tmp_path: Path) -> None:
    kills.prepare(tmp_path)
    process = kills.start(tmp_path)
    children: set[int] = set()
    deadline = time.monotonic() + 60
    while not children and process.poll() is None and time.monotonic() < deadline:
        children = _children(process.pid)
        time.sleep(0.02)  # the build needs the processor too
    process.kill()
    process.communicate()
    assert children
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a child outlives its killed parent"
        time.sleep(0.05)


def _children(parent: int) -> set[int]:
    """The processes that read papers for the process `parent`."""
    found: set[int] = set()
    with contextlib.suppress(OSError):  # one may end while we look
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            for child in task.read_text(encoding="utf-8").split():
                if b"rag_app.papers.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.add(int(child))
    return found
