"""Environments that people have: proxies of every kind, users without a home."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from rag_app.errors import ModelError, SettingsError
from rag_app.models.llm.choice import is_reader_kept, keep_reader
from rag_app.models.llm.client import open_language_model
from rag_app.server.security.page_token import load_page_token
from rag_app.settings import Settings, examine_settings, kept_reader_file, load_settings
from tests.support.provider import Provider

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "socks://127.0.0.1:9", "http://127.0.0.1:9"])
def test_the_page_opens_whatever_proxy_is_set(tmp_path: Path, proxy: str) -> None:
    (tmp_path / "note.md").write_text("# A note\n\nWords.\n", encoding="utf-8")
    names = ("RAG_CORPUS", "RAG_INDEX", "RAG_LLM", "RAG_PORT")
    environment = {**os.environ, **dict(zip(names, (str(tmp_path), str(tmp_path / "index"), "none", "0"), strict=True))}
    environment |= dict.fromkeys(("ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"), proxy)
    command = [sys.executable, str(ROOT / "app.py"), "--no-browser"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:\d+/\S+", process.stdout.readline())
            assert found, process.stderr.read()
            with httpx.Client(trust_env=False, timeout=60, follow_redirects=True) as browser:
                assert browser.get(found[0]).status_code == 200
        finally:
            process.terminate()


def test_a_model_on_this_machine_is_asked_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with Provider() as provider:
        model = open_language_model(Settings(llm_base_url=provider.url, llm_model="m"))
        assert model is not None
        assert "".join(model.stream("s", "q", threading.Event())) == "Hello world."


def test_a_model_elsewhere_says_what_the_proxy_lacks(monkeypatch: pytest.MonkeyPatch, loopback_only: list[str]) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    model = open_language_model(Settings(llm_base_url="https://model.example:1/v1", llm_model="m", llm_window=8192))
    assert model is not None
    with pytest.raises(ModelError, match=r"socksio|httpx\[socks\]"):
        list(model.stream("s", "q", threading.Event()))


def test_a_user_without_a_home_goes_on_without_kept_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(RuntimeError):
        Path.home()
    assert load_settings().llm == "auto" and examine_settings()[1] == ()
    assert kept_reader_file() is None and not is_reader_kept() and len(load_page_token()) == 43
    with pytest.raises(SettingsError, match="no home folder"):
        keep_reader(load_settings())


def test_a_file_of_the_current_folder_is_no_module(tmp_path: Path) -> None:
    """`python -m` would run it: such a folder may come from anybody."""
    for name in ("httpx.py", "gradio.py", "json.py", "typing.py", "pathlib.py"):
        (tmp_path / name).write_text("open('run', 'w').close()\nraise SystemExit(7)\n", encoding="utf-8")
    own = {"PYTHONPATH": str(ROOT), "RAG_INDEX": str(tmp_path / "index"), "RAG_CORPUS": str(tmp_path)}
    command = [sys.executable, "-m", "rag_app", "search", "otters"]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True)
    assert not (tmp_path / "run").exists() and done.returncode != 7, done.stderr
    assert "no index" in done.stderr.casefold() or "build" in done.stderr.casefold(), done.stderr
