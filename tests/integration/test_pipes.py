"""A named pipe in place of a file is refused with its path: reading one waits for a writer, for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="named pipes lie in a folder on POSIX only")
ROOT = Path(__file__).resolve().parents[2]
READERS = {
    "papers.toml": "from rag_app.papers.manifest import read_corpus_manifest as read; read(folder)",
    "library.bib": "from rag_app.papers.corpus import list_papers as read; print(read(folder).problems)",
    "current": "from rag_app.index.generations import current_name as read; read(folder)",
    "manifest.json": "from rag_app.index.manifest import read_manifest as read; read(folder)",
    "reading.json": "from rag_app import files; files.read_json(folder / 'reading.json')",
    "rows.npy": "from rag_app import files; files.read_array(folder / 'rows.npy', mapped=True)",
    "words.json": "from rag_app.index.bm25 import WordIndex; WordIndex.open(folder)",
    "rag_app.toml": "from rag_app.settings import load_settings; load_settings()",
    "zotero.toml": "from rag_app.papers.zotero import sync_zotero; sync_zotero(folder)",
}


def run_in(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAG_")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=90,
    )  # fmt: skip


def test_no_env_file_of_the_current_folder_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    (tmp_path / "words").write_text("chroma_server_http_port=abc", encoding="utf-8")
    loads = (
        "from rag_app.index.chroma import import_chromadb; import_chromadb(); from chromadb.config import Settings; "
    )
    done = run_in(tmp_path, loads + "import os; os.replace('words', '.env'); Settings(); print('loaded')")
    assert done.stdout == "loaded\n", done.stderr


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_in_place_of_a_file_is_refused_with_its_path(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    done = run_in(tmp_path, f"from pathlib import Path; folder = Path({str(tmp_path)!r}); {READERS[name]}")
    assert name in done.stdout + done.stderr and "no regular file" in done.stdout + done.stderr
