"""Finished work on disk: what is written comes back, a write is whole or not there, damage is a clear error."""

from __future__ import annotations

import dataclasses
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_app import files
from rag_app.errors import IndexFault, RagError
from rag_app.index import passage_store
from rag_app.papers import reading_store
from rag_app.records import Block, Page, Passage, Reading, Words

RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
number = st.integers(0, 2**31 - 1)
coordinate = st.floats(-1e4, 1e4, width=32)


@st.composite
def words(draw: st.DrawFn) -> Words | None:
    if draw(st.booleans()):
        return None
    rows = draw(st.lists(st.tuples(number, number, st.tuples(*[coordinate] * 4)), max_size=3))
    return Words(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.float32).reshape(-1, 4),
    )


blocks = st.builds(Block, number, number, st.sampled_from(["body", "table", "furniture"]), text)
pages = st.builds(
    Page, st.integers(1, 9), text, coordinate, coordinate, text, st.lists(blocks, max_size=3).map(tuple), words()
)
several = st.lists(text, max_size=3).map(tuple)
readings = st.builds(
    Reading,
    title=text,
    pages=st.lists(pages, max_size=4).map(tuple),
    state=st.sampled_from(["full text", "unreadable"]),
    problem=text,
    warnings=several,
    authors=several,
    year=st.integers(0, 3000),
    arxiv_id=text,
    bibliography=several,
    abbreviations=several,
)
passages = st.builds(
    Passage, text, st.just("p.pdf"), number, text, text, number, number, text, st.sampled_from(["text", "table"]), text
)


def plain(reading: Reading) -> object:
    """A reading as something that == compares, arrays included."""
    value = dataclasses.asdict(dataclasses.replace(reading, pages=()))
    found = []
    for page in reading.pages:
        places = page.words and [getattr(page.words, name).tolist() for name in ("starts", "ends", "boxes")]
        found.append((dataclasses.asdict(dataclasses.replace(page, words=None)), places))
    return value, found


@given(readings)
@RELAXED
def test_a_reading_comes_back_as_it_was_saved(tmp_path: Path, reading: Reading) -> None:
    reading_store.save_reading(tmp_path / "part", reading)
    assert plain(reading_store.load_reading(tmp_path / "part")) == plain(reading)


@given(st.lists(passages, max_size=4))
@RELAXED
def test_passages_come_back_under_whatever_name_the_paper_has_now(tmp_path: Path, found: list[Passage]) -> None:
    passage_store.save_passages(tmp_path / "passages.json", found)
    assert passage_store.load_passages(tmp_path / "passages.json", "p.pdf") == found
    renamed = passage_store.load_passages(tmp_path / "passages.json", "q.pdf")
    assert [dataclasses.replace(one, paper="p.pdf") for one in renamed] == found
    assert all(one.paper == "q.pdf" for one in renamed)


def reading_with_words() -> Reading:
    found = Words(np.array([0], np.int32), np.array([5], np.int32), np.array([[1, 2, 3, 4]], np.float32))
    return Reading("T", (Page(1, "1", 612, 792, "Hello", (Block(0, 5, "body"),), found),), "full text")


@given(st.sampled_from(["reading.json", "places.npy", "boxes.npy"]), st.data())
@RELAXED
def test_damage_at_any_byte_is_a_clear_error_or_harmless(tmp_path: Path, name: str, data: st.DataObject) -> None:
    reading_store.save_reading(tmp_path, reading_with_words())
    content = bytearray((tmp_path / name).read_bytes())
    cut = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[cut:]
    else:
        content[cut] ^= data.draw(st.integers(1, 255))
    (tmp_path / name).write_bytes(content)
    try:
        reading = reading_store.load_reading(tmp_path)
    except IndexFault as error:
        assert "--fresh" in str(error)
    else:
        assert len(reading.pages) == 1


@pytest.mark.parametrize("name", ["reading.json", "places.npy", "boxes.npy"])
def test_a_missing_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    reading_store.save_reading(tmp_path, reading_with_words())
    (tmp_path / name).unlink()
    with pytest.raises(IndexFault, match=f"{name}.*--fresh"):
        reading_store.load_reading(tmp_path)


def test_no_array_may_run_code(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(IndexFault):
        files.read_array(tmp_path / "evil.npy")


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = tmp_path / "file"
    files.write_bytes(path, b"old")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, moment, full)
    with pytest.raises(OSError, match="No space left"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_being_read_elsewhere_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = os.replace, [3]

    def busy(source: Path, target: Path) -> None:
        refused[0] -= 1
        if refused[0] > 0:
            raise PermissionError(13, "as Windows says while a reader has the file open")
        real(source, target)

    monkeypatch.setattr(os, "replace", busy)
    files.write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_unused_parts_go_and_used_ones_stay(tmp_path: Path) -> None:
    used, unused = f"{'0' * 24}-pdf-r1", f"{'1' * 24}-pdf-r1"
    one, two, three = ("1" * 16, "2" * 16, "3" * 16)
    for name in (
        f"{used}/reading.json",
        f"{used}/passages-{one}.json",
        f"{used}/vectors-{one}.npy",
        f"{used}/vectors-{two}.npy",
        f"{unused}/reading.json",
        "of-somebody-else/reading.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / used / ".reading.json.12ab34cd.tmp").write_bytes(b"")
    assert passage_store.remove_unused(tmp_path, [(used, one), (used, three)]) == 3
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    kept = [f"{used}/{name}" for name in (f"passages-{one}.json", "reading.json", f"vectors-{one}.npy")]
    assert left == [*kept, "of-somebody-else/reading.json"]
    assert passage_store.remove_unused(tmp_path / "absent", []) == 0


def test_a_file_larger_than_it_may_be_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 10)
    assert files.read_regular(path, most=10) == b"x" * 10
    with pytest.raises(OSError, match="larger than 9 bytes"):
        files.read_regular(path, most=9)


def test_an_array_that_says_it_is_larger_than_memory_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    files.write_array(path, np.zeros(3, dtype=np.int32))
    assert files.read_array(path).tolist() == [0, 0, 0]
    os.truncate(path, files.LARGEST + 1)  # sparse: hardly a byte of it is on the disk
    with pytest.raises(IndexFault, match="larger than"):
        files.read_array(path)


def test_long_names_and_messages_are_cut_in_every_error() -> None:
    message = str(IndexFault(f"{'a' * 4_000}/current: damaged. Build again."))
    assert message.startswith("aaa") and message.endswith("/current: damaged. Build again.") and len(message) < 600
    assert len(str(RagError("a b " * 20_000))) < 20_100
    assert str(RagError("papers/a b.pdf: broken.")) == "papers/a b.pdf: broken."


def test_no_more_memory_is_set_aside_than_a_file_has(tmp_path):
    (tmp_path / "small").write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        assert files.read_regular(tmp_path / "small") == b"x" * 1000
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
