"""Chroma, the real one: holds exactly what it was given, can be read by many, and never writes more than that."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rag_app.errors import IndexFault
from rag_app.index import chroma
from rag_app.index.chroma import PassageStore
from rag_app.records import Passage

ROOT = Path(__file__).resolve().parents[3]


def passages(count: int) -> list[Passage]:
    return [
        Passage(
            f"p-{row:05d}", f"paper {row % 5}.pdf", row % 9 + 1, "iv", "1 A", row, row + 9, f"text {row}", "table", "c"
        )
        for row in range(count)
    ]


def vectors(count: int, dimension: int = 16) -> np.ndarray:
    found = np.random.default_rng(3).standard_normal((count, dimension)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def rows_of(identifiers: list[str]) -> list[int]:
    return [int(identifier.removeprefix("p-")) for identifier in identifiers]


def written(folder: Path, count: int = 60) -> Path:
    chroma.write_collection(folder, passages(count), vectors(count))
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("store") / "chroma")


def test_what_was_written_comes_back_whole_and_in_order(built: Path) -> None:
    opened = PassageStore.open(built)
    assert opened.count() == 60
    wanted = [passages(60)[row] for row in (7, 3, 59, 0)]
    assert opened.get([passage.id for passage in wanted]) == wanted
    assert opened.get([]) == []
    opened.close()


def test_the_nearest_are_the_exact_ones_best_first(built: Path) -> None:
    opened = PassageStore.open(built)
    for row in range(0, 60, 7):
        cosine = vectors(60) @ vectors(60)[row]
        rows, near = opened.nearest(vectors(60)[row], 10)
        assert rows_of(rows) == np.argsort(-cosine)[:10].tolist()
        assert np.allclose(near, np.sort(cosine)[::-1][:10], atol=1e-5)
    opened.close()


def test_more_than_there_are_gives_all_and_papers_limit(built: Path) -> None:
    opened = PassageStore.open(built)
    assert sorted(rows_of(opened.nearest(vectors(60)[0], 500)[0])) == list(range(60))
    rows, _ = opened.nearest(vectors(60)[0], 500, ["paper 1.pdf", "paper 4.pdf", "no such paper"])
    assert sorted(rows_of(rows)) == [row for row in range(60) if row % 5 in (1, 4)]
    assert not len(opened.nearest(vectors(60)[0], 5, ["no such paper"])[0])
    opened.close()


def test_batches_above_what_chroma_takes_at_once(tmp_path: Path) -> None:
    client = chroma._client(tmp_path / "probe")
    count = client.get_max_batch_size() + 7
    chroma._close(client)
    assert count < 20_000, "this machine's Chroma takes more at once than a test should write"
    written(tmp_path / "chroma", count)
    opened = PassageStore.open(tmp_path / "chroma")
    assert opened.count() == count
    rows, near = opened.nearest(vectors(count)[count - 1], 300)
    assert rows_of(rows)[0] == count - 1 and near[0] > 0.999 and len(set(rows)) == 300
    opened.close()


def test_a_copy_takes_in_and_lets_go_only_what_differs(built: Path, tmp_path: Path) -> None:
    reader = PassageStore.open(built)  # as a server would
    before = chroma.EarlierCollection(
        built, tuple(f"p-{row:05d}" for row in range(10)), frozenset(f"p-{r:05d}" for r in range(10, 60))
    )
    chroma.write_collection(tmp_path / "next", passages(70)[10:], vectors(70)[10:], before)
    opened = PassageStore.open(tmp_path / "next")
    assert opened.count() == 60
    assert opened.get(["p-00010", "p-00069"]) == [passages(70)[10], passages(70)[69]]
    with pytest.raises(IndexFault, match="p-00003 is not there"):
        opened.get(["p-00003"])
    assert sorted(rows_of(opened.nearest(vectors(70)[69], 500)[0])) == list(range(10, 70))
    assert rows_of(opened.nearest(vectors(70)[69], 1)[0]) == [69]
    chroma.write_collection(tmp_path / "less", passages(60)[10:], vectors(60)[10:], before)
    assert chroma.writes_per_passage(built) == 1.0 and chroma.writes_per_passage(tmp_path / "less") == 70 / 50
    opened.close()
    assert reader.count() == 60 and reader.get(["p-00003"]) == [passages(60)[3]], "the earlier one is as it was"
    reader.close()


def test_no_passages_at_all(tmp_path: Path) -> None:
    written(tmp_path, 0)
    opened = PassageStore.open(tmp_path)
    assert opened.count() == 0
    assert not len(opened.nearest(vectors(1)[0], 5)[0])
    opened.close()


def test_an_id_that_is_not_there_is_an_error(built: Path) -> None:
    opened = PassageStore.open(built)
    with pytest.raises(IndexFault, match=r"p-99999 is not there.*--fresh"):
        opened.get(["p-00001", "p-99999"])
    opened.close()


def test_a_vector_of_another_size_is_an_error(built: Path) -> None:
    opened = PassageStore.open(built)
    with pytest.raises(IndexFault, match="dimension"):
        opened.nearest(np.ones(5, dtype=np.float32), 3)
    opened.close()


def test_missing_and_damaged_folders_are_errors_and_stay_as_they_are(built: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexFault, match="--fresh"):
        PassageStore.open(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    shutil.copytree(built, tmp_path / "damaged")
    (tmp_path / "damaged" / "chroma.sqlite3").write_bytes(b"rubbish" * 400)
    with pytest.raises(IndexFault, match="--fresh"):
        PassageStore.open(tmp_path / "damaged")


WRITE = """
import sys
from pathlib import Path
from rag_app.index import chroma
from tests.unit.index.test_chroma import passages, vectors
chroma.write_collection(Path(sys.argv[1]), passages(20), vectors(20))
"""


def test_nothing_of_a_processs_memory_gets_into_the_files(tmp_path: Path) -> None:
    # glibc fills all memory that is handed out with this byte; Chroma would write some of it to the disk unused.
    environment = {**os.environ, "MALLOC_PERTURB_": "170", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", WRITE, str(tmp_path)], cwd=ROOT, env=environment, check=True)
    headers = list(tmp_path.glob("*/header.bin"))
    assert headers
    for header in headers:
        _, _, room, count, size = struct.unpack_from("<iQQQQ", header.read_bytes())
        elements = header.with_name("data_level0.bin").read_bytes()
        lengths = header.with_name("length.bin").read_bytes()
        assert len(elements) in (room * size, count * size), "Chroma's file is not laid out as _blank_unused believes"
        assert not any(elements[count * size :]) and not any(lengths[count * 4 :])


# -- several readers ------------------------------------------------------------------------------------------------

READ = """
import sys
from pathlib import Path
import numpy as np
from rag_app.index.chroma import PassageStore
opened = PassageStore.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.readline()
for row in range(20):
    assert opened.get([f"p-{row:05d}"])[0].text == f"text {row}"
    assert len(opened.nearest(np.ones(16, dtype=np.float32), 10)[0]) == 10
opened.close()
print("done", flush=True)
"""


def test_several_processes_read_one_folder_at_once(built: Path) -> None:
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(built)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(3)
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None and reader.stdout.readline() == "open\n"
        for reader in readers:  # all have it open now
            assert reader.stdin is not None
            reader.stdin.write("go\n")
            reader.stdin.flush()
        assert [reader.communicate(timeout=60)[0] for reader in readers] == ["done\n"] * 3
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


def test_an_index_on_a_read_only_disk_is_read_from_a_copy(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "chroma"
    shutil.copytree(built, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Whoever runs the tests as root may write anyway; a read-only disk says no to root as well.
    monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK and folder in (path, path.parent)))
    opened = PassageStore.open(folder)
    place = Path(opened.copy.name) if opened.copy else tmp_path
    assert opened.get(["p-00003"]) == [passages(60)[3]]
    assert place.is_dir() and folder not in place.parents
    opened.close()
    assert not place.exists(), "the copy goes with the reader"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_threads_share_one_open_store(built: Path) -> None:
    opened = PassageStore.open(built)
    faults: list[BaseException] = []

    def search(row: int) -> None:
        try:
            for _ in range(20):
                assert rows_of(opened.nearest(vectors(60)[row], 5)[0])[0] == row
                assert opened.get([f"p-{row:05d}"])[0].start == row
        except BaseException as error:  # shown by the assertion below
            faults.append(error)

    threads = [threading.Thread(target=search, args=(row,)) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    opened.close()
    assert not faults


def test_two_that_open_the_same_folder_close_for_themselves_only(built: Path) -> None:
    first, second = PassageStore.open(built), PassageStore.open(built)
    first.close()
    assert second.count() == 60
    second.close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files in /proc, which only Linux has")
def test_opening_and_closing_leaves_no_files_open(built: Path) -> None:
    def once() -> int:
        opened = PassageStore.open(built)
        opened.nearest(vectors(60)[0], 3)
        opened.close()
        return len(os.listdir("/proc/self/fd"))

    counts = [once() for _ in range(16)]
    assert counts[-1] < counts[3] + 6, "a few threads of Chroma end a moment later; a leak would be one file a round"
