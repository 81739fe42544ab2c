"""The choice of a reader: tried with one call, said in plain words, kept for nobody else; and no key goes astray."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rag_app.errors import SettingsError
from rag_app.models.llm.choice import (
    ReaderChoice,
    adapt_for_form,
    choice_of,
    forget_reader,
    is_reader_kept,
    keep_reader,
    key_source,
    overriding_variables,
    try_reader,
    with_choice,
)
from rag_app.settings import SETTINGS_FILE, Settings, examine_settings, load_settings, reader_file
from tests.support.provider import Provider, Reply, error_body

KEY = "sk-quite-secret-0123456789"
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def own(url: str, model: str = "test-model", key: str = KEY) -> Settings:
    return with_choice(Settings(llm="none"), ReaderChoice("own", url, model, key))


def test_a_model_that_answers_works_and_is_asked_once() -> None:
    with Provider(Reply(pieces=("rea", "dy")), models=("test-model", "bge-embed", "other")) as server:
        trial = try_reader(own(server.url, model=""))
        assert trial.works and "test-model" in trial.message and "“ready”" in trial.message
        assert "Nothing leaves this machine" in trial.message
        assert trial.models == ("test-model", "other")
        assert len(server.requests) == 1
        assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=401, body=error_body(f"bad key {KEY}")), "did not accept the key (401)"),
        (Reply(status=404, body=error_body("no such model")), "Choose one of its models: other"),
        (Reply(status=200, body="<html>hello</html>", headers={"Content-Type": "text/html"}), "Check that the address"),
        (Reply(status=429, body=error_body("quota", "insufficient_quota")), "the account is empty"),
        (Reply(pieces=("", ""), finish="stop"), "sent an empty answer"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_form(reply: Reply, words: str) -> None:
    with Provider(reply, models=("other",)) as server:
        trial = try_reader(own(server.url))
        told = adapt_for_form(trial.message, KEY)
        assert not trial.works and words in told
        assert "RAG_" not in told and KEY not in told and "sk-quite" not in trial.message


def test_a_server_that_is_not_there_or_is_something_else() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        told = adapt_for_form(try_reader(own(url)).message)
    assert "cannot be reached: no server listens there" in told and "choose “No model”" in told


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_app.models.llm.choice.TRIAL_SECONDS", 0.3)
    with Provider(Reply(hang_before_headers=True)) as server:
        trial = try_reader(own(server.url))
        assert not trial.works and "did not answer in time" in trial.message
        assert server.hung_up.wait(10)


def test_without_a_model_nobody_is_asked(loopback_only: list[str]) -> None:
    trial = try_reader(with_choice(Settings(), ReaderChoice("none")))
    assert trial.works and "own sentences" in trial.message


@pytest.mark.parametrize(
    ("name", "url", "goes_on"),
    [
        ("own", "http://127.0.0.1:1234/v1", True),
        ("own", "http://127.0.0.1:1234", True),
        ("own", "http://127.0.0.1:4321/v1", False),
        ("openai", "", False),
        ("none", "", False),
    ],
)
def test_a_key_is_for_the_server_that_it_was_typed_for(name: str, url: str, goes_on: bool) -> None:
    before = own("http://127.0.0.1:1234/v1")
    after = with_choice(before, ReaderChoice(name, url, "m"))
    assert (after.llm_api_key.get_secret_value() == KEY) is goes_on
    assert KEY not in repr(after) and KEY not in repr(choice_of(before))


def test_what_cannot_be_a_choice_is_refused() -> None:
    with pytest.raises(SettingsError, match="Type the server's address"):
        with_choice(Settings(), ReaderChoice("own"))
    with pytest.raises(SettingsError, match="no such reader"):
        with_choice(Settings(), ReaderChoice("gpt"))
    with pytest.raises(SettingsError, match="no such reader"):
        with_choice(Settings(), ReaderChoice("none", key="x" * 3000))


def test_an_address_is_told_without_its_password() -> None:
    choice = choice_of(Settings(llm_base_url="http://me:secret@127.0.0.1:1/v1"))
    assert choice.base_url == "http://127.0.0.1:1/v1" and choice.name == "own"


def test_a_kept_reader_is_read_at_the_next_start_and_by_nobody_else() -> None:
    path = keep_reader(own("http://127.0.0.1:1234/v1", 'a "model" \\ with ümlaut'))
    read = load_settings()
    assert (read.llm_base_url, read.llm_model) == ("http://127.0.0.1:1234/v1", 'a "model" \\ with ümlaut')
    assert read.llm_api_key.get_secret_value() == KEY
    assert path == reader_file() and is_reader_kept()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert forget_reader() and not forget_reader() and not is_reader_kept()
    assert load_settings().llm_base_url == ""


KEEPING = """
import itertools
from rag_app.models.llm.choice import ReaderChoice, keep_reader, with_choice
from rag_app.settings import Settings
for number in itertools.count():
    choice = ReaderChoice("own", "http://127.0.0.1:1/v1", f"model {number}", "x" * 999)
    keep_reader(with_choice(Settings(llm="none"), choice))
    print(number, flush=True)
"""


def test_a_program_killed_while_it_keeps_a_reader_leaves_a_whole_one() -> None:
    for number in range(int(os.environ.get("KILLS", "3"))):
        child = subprocess.Popen([sys.executable, "-c", KEEPING], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(3 + 4 * number)]
        child.kill()
        told += [int(line) for line in child.stdout.read().split()]
        child.wait()
        child.stdout.close()
        read = load_settings()
        assert read.llm_model in (f"model {told[-1]}", f"model {told[-1] + 1}")
        assert read.llm_api_key.get_secret_value() == "x" * 999


def test_what_a_killed_program_left_unfinished_does_not_stay() -> None:
    path = keep_reader(own("http://127.0.0.1:1234/v1"))
    old, fresh = path.with_name(f".{path.name}.0a1b2c3d"), path.with_name(f".{path.name}.4e5f6a7b")
    for left in (old, fresh):
        left.write_text(f'llm_api_key = "{KEY}"\n', encoding="utf-8")
    os.utime(old, (1, 1))
    keep_reader(own("http://127.0.0.1:1234/v1"))
    assert not old.exists() and fresh.exists(), "another program may be writing it now"
    os.utime(fresh, (1, 1))
    assert forget_reader() and not list(path.parent.iterdir())


@pytest.mark.parametrize("where", ["variable", "file", "call"])
def test_a_kept_key_never_mixes_with_a_reader_that_is_named_elsewhere(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_reader(own("http://127.0.0.1:1234/v1"))
    if where == "variable":
        monkeypatch.setenv("RAG_LLM", "anthropic")
        assert overriding_variables() == ("RAG_LLM",)
    elif where == "file":
        (tmp_path / SETTINGS_FILE).write_text('llm = "anthropic"\n', encoding="utf-8")
    read = load_settings(**({"llm": "anthropic"} if where == "call" else {}))
    assert read.llm == "anthropic"
    assert (read.llm_base_url, read.llm_api_key.get_secret_value()) == ("", "")


def test_a_broken_kept_file_is_said_with_its_remedy() -> None:
    reader_file().parent.mkdir(parents=True)
    reader_file().write_text("llm = ", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"reader\.toml: not valid TOML.*remove it"):
        load_settings()
    assert any("reader.toml" in problem for problem in examine_settings()[1])


def test_where_a_key_comes_from_is_told_and_never_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:1234/v1"
    assert key_source(own(url), "own", url) == "set, in memory only"
    assert key_source(own(url), "openai") == ""
    keep_reader(own(url))
    assert key_source(own(url), "own", url) == f"kept in {reader_file()}"
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert key_source(Settings(llm="none"), "openai") == "set in OPENAI_API_KEY"
    assert key_source(Settings(llm="none"), "openai", "http://127.0.0.1:1/v1") == ""
    monkeypatch.setenv("RAG_LLM_API_KEY", KEY)
    assert key_source(Settings(llm_base_url=url), "own", url) == "set in RAG_LLM_API_KEY"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="rights do not bind this user")
def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir(mode=0o500)
    with pytest.raises(SettingsError, match="cannot be written"):
        keep_reader(own("http://127.0.0.1:1/v1"))
