"""A key goes to the server that it was given for, and to no other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rag_app.errors import ModelError, SettingsError
from rag_app.models.llm import providers
from rag_app.models.llm.choice import ReaderChoice, try_reader, with_choice
from rag_app.models.llm.client import open_language_model
from rag_app.models.llm.listeners import find_listeners, is_ours
from rag_app.models.llm.providers import Preset, choose_endpoint, find_loopback
from rag_app.settings import SETTINGS_FILE, Settings, examine_settings, load_settings
from tests.support.other_user import UID, listen_as_other_user, needs_root
from tests.support.provider import Provider

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-given-for-one-server"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_settings(folder: Path, *lines: str) -> None:
    file = folder / SETTINGS_FILE
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    file.chmod(0o600)


def command(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    environment |= {"PYTHONPATH": str(ROOT), "RAG_INDEX": str(folder / "index"), **variables}
    arguments = (sys.executable, "-m", "rag_app", *arguments)
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def keys_sent(provider: Provider) -> set[str]:
    requests = [*provider.requests, *provider.asked]
    return {value for one in requests for name, value in one.headers.items() if KEY in value or name == KEY}


@pytest.mark.parametrize("key", [{"llm_api_key": KEY}, {}])
def test_a_server_that_was_only_found_gets_no_key(monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> None:
    monkeypatch.setenv("RAG_LLM_API_KEY", KEY)
    with Provider() as provider:
        monkeypatch.setattr(providers, "LOOPBACK_SERVERS", (Preset("Found", provider.url),))
        endpoint = choose_endpoint(Settings(**key))
        assert endpoint is not None and endpoint.base_url == provider.url and endpoint.key == ""
        model = open_language_model(Settings(**key))
        assert model is not None
        list(model.stream("system", "question", threading.Event()))
        assert provider.requests and not keys_sent(provider)


@pytest.mark.parametrize(
    "lines", [['llm_base_url = "{url}"', 'llm_model = "m"'], ['llm = "openai"', 'llm_base_url = "{url}"']]
)
def test_the_command_stops_where_a_file_of_the_folder_redirects_the_key(folder: Path, lines: list[str]) -> None:
    with Provider() as provider:
        write_settings(folder, *(line.format(url=provider.url) for line in lines))
        done = command(folder, "reader", "--try", RAG_LLM_API_KEY=KEY)
        assert done.returncode == 1 and SETTINGS_FILE in done.stderr and "RAG_LLM_BASE_URL" in done.stderr
        assert KEY not in done.stderr + done.stdout
        assert not provider.requests and not provider.asked
        given = command(folder, "reader", "--try", RAG_LLM_API_KEY=KEY, RAG_LLM_BASE_URL=provider.url)
        assert given.returncode == 0 and keys_sent(provider), given.stderr + given.stdout


ALLOWED = [
    ({"RAG_LLM_BASE_URL": "http://127.0.0.1:9/v1", "RAG_LLM_API_KEY": KEY}, ['llm = "a-model"']),
    ({"RAG_LLM": "openai", "RAG_LLM_API_KEY": KEY}, ['llm_model = "m"']),
    ({"RAG_LLM": "openai", "RAG_LLM_API_KEY": KEY}, ['llm = "openai"']),
    ({"RAG_LLM": "none", "RAG_LLM_API_KEY": KEY}, ['llm_base_url = "http://127.0.0.1:9/v1"']),
    ({"RAG_LLM": "a-model"}, ['llm_base_url = "http://127.0.0.1:9/v1"', f'llm_api_key = "{KEY}"']),
    ({}, ['llm = "openai"', f'llm_api_key = "{KEY}"']),
]  # fmt: skip
REFUSED = [
    ({"RAG_LLM_API_KEY": KEY}, ['llm = "openrouter"']),
    ({"RAG_LLM": "openai", "RAG_LLM_API_KEY": KEY}, ['llm_base_url = "http://127.0.0.1:9/v1"']),
    ({"RAG_LLM_BASE_URL": "http://127.0.0.1:8/v1"}, ['llm = "openai"', f'llm_api_key = "{KEY}"']),
    ({"RAG_LLM": "openai"}, ['llm = "openrouter"', f'llm_api_key = "{KEY}"']),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "lines"), ALLOWED)
def test_a_key_and_its_address_from_one_place_are_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], lines: list[str]
) -> None:
    write_settings(folder, *lines)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_settings().llm_api_key.get_secret_value() == KEY and examine_settings()[1] == ()


@pytest.mark.parametrize(("variables", "lines"), REFUSED)
def test_a_key_of_one_place_and_an_address_of_another_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], lines: list[str]
) -> None:
    write_settings(folder, *lines)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for read in (load_settings, Settings):
        with pytest.raises(SettingsError) as caught:
            read()
        assert SETTINGS_FILE in str(caught.value) and KEY not in str(caught.value)
    settings, problems = examine_settings()
    assert problems and settings.llm_base_url != "http://127.0.0.1:9/v1"


def test_chromas_own_key_is_not_for_a_server_that_a_file_of_the_folder_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(folder, 'chroma_url = "http://127.0.0.1:9"')
    assert load_settings().chroma_url == "http://127.0.0.1:9"
    monkeypatch.setenv("CHROMA_CLIENT_AUTH_CREDENTIALS", KEY)
    with pytest.raises(SettingsError, match=f"{SETTINGS_FILE} sets chroma_url.* RAG_CHROMA_URL") as caught:
        load_settings()
    assert KEY not in str(caught.value) and examine_settings()[0].chroma_url == ""
    monkeypatch.setenv("RAG_CHROMA_URL", "http://127.0.0.1:8")
    assert load_settings().chroma_url == "http://127.0.0.1:8"


@pytest.mark.parametrize(
    "other", ["https://congress.example/v1", "https://congreß.example:444/v1", "http://congreß.example/v1"]
)
def test_hosts_are_the_same_by_the_rules_by_which_they_are_looked_up(other: str) -> None:
    """By the old rules ß is ss; the two names may have two owners."""
    before = Settings(llm_base_url="https://congreß.example/v1", llm_model="m", llm_api_key=KEY)
    assert with_choice(before, ReaderChoice("own", other, "m")).llm_api_key.get_secret_value() == ""
    same = with_choice(before, ReaderChoice("own", "https://xn--congre-gta.example/v1", "m"))
    assert same.llm_api_key.get_secret_value() == KEY
    endpoint = choose_endpoint(before)
    assert endpoint is not None and endpoint.base_url == "https://xn--congre-gta.example/v1"


@needs_root
def test_a_model_server_of_another_user_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever listens at a well-known port first would get the questions of everybody on the machine."""
    with listen_as_other_user() as port:
        monkeypatch.setattr(providers, "LOOPBACK_SERVERS", (Preset("Theirs", f"http://127.0.0.1:{port}/v1"),))
        assert find_listeners(port) == {UID} and not is_ours(port)
        assert find_loopback() is None
    with Provider() as provider:
        assert is_ours(provider.port)


@needs_root
def test_a_model_server_of_another_user_is_asked_only_where_its_address_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name "ollama" stands for an address that anybody may listen at first."""
    with listen_as_other_user() as port:
        url = f"http://127.0.0.1:{port}/v1"
        monkeypatch.setitem(providers.PRESETS, "ollama", Preset("Ollama", url))
        for model in ("", "theirs"):
            with pytest.raises(ModelError, match=f"another user .*Set RAG_LLM_BASE_URL to {url}"):
                open_language_model(Settings(llm="ollama", llm_model=model, llm_api_key=KEY))
        result = try_reader(Settings(llm="ollama"))
        assert not result.works and "another user" in result.message
        named = choose_endpoint(Settings(llm="ollama", llm_base_url=url))
        assert named is not None and named.model == "theirs"
    with Provider() as provider:
        monkeypatch.setitem(providers.PRESETS, "ollama", Preset("Ollama", provider.url))
        ours = choose_endpoint(Settings(llm="ollama"))
        assert ours is not None and ours.base_url == provider.url
