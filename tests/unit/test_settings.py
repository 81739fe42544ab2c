"""Settings: read once, refused by name when they are wrong, and never shown when they are secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rag_app.errors import SettingsError
from rag_app.settings import SETTINGS_FILE, Settings, examine_settings, load_settings

TO_TYPE = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20), st.booleans()
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults() -> None:
    assert (load_settings().host, load_settings().port, load_settings().llm) == ("127.0.0.1", 7860, "auto")


def test_environment_before_file_before_default(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / SETTINGS_FILE).write_text('port = 1111\nhost = "::1"\n', encoding="utf-8")
    monkeypatch.setenv("RAG_PORT", "2222")
    read = load_settings()
    assert (read.port, read.host, read.llm) == (2222, "::1", "auto")
    assert load_settings(port=3333).port == 3333


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PORT", "")
    assert load_settings().port == 7860


def test_frozen() -> None:
    with pytest.raises(ValidationError):
        load_settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", ["RAG_CORPSU", "RAG_LLM_KEY", "RAG_COLOUR"])
def test_a_misspelt_variable_is_refused_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(SettingsError, match=name):
        load_settings()


def test_the_right_name_is_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_CORPSU", "x")
    with pytest.raises(SettingsError, match="Do you mean RAG_CORPUS"):
        load_settings()


def test_a_misspelt_key_of_the_file_is_refused_by_name(empty_folder: Path) -> None:
    (empty_folder / SETTINGS_FILE).write_text("prot = 1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"prot in rag_app\.toml: no such setting\. Do you mean port"):
        load_settings()


def test_a_wrong_value_names_the_variable_and_what_it_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PORT", "70000")
    with pytest.raises(SettingsError, match=r"RAG_PORT: .*65535.*any free one"):
        load_settings()


@pytest.mark.parametrize("content", [b"port = ", b"port = 1\nport = 2\n", b"\xff\xfe", b"[[[[" * 50])
def test_a_broken_file_is_named(content: bytes, empty_folder: Path) -> None:
    (empty_folder / SETTINGS_FILE).write_bytes(content)
    with pytest.raises(SettingsError, match=SETTINGS_FILE):
        load_settings()
    read, problems = examine_settings()
    assert read.port == 7860
    assert len(problems) == 1


def test_examining_tells_every_problem_and_keeps_the_rest(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / SETTINGS_FILE).write_text('workers = "many"\ncolour = "red"\nllm = "none"\n', encoding="utf-8")
    monkeypatch.setenv("RAG_PORT", "x")
    monkeypatch.setenv("RAG_NOTHING", "x")
    read, problems = examine_settings()
    assert (read.llm, read.port, read.workers) == ("none", 7860, 0)
    assert sorted(problem.split(":")[0] for problem in problems) == [
        "RAG_NOTHING",
        "RAG_PORT",
        f"colour in {SETTINGS_FILE}",
        f"workers in {SETTINGS_FILE}",
    ]


def test_keys_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LLM_API_KEY", "sk-canary")
    read = load_settings()
    assert "canary" not in repr(read) + str(read) + read.model_dump_json()
    monkeypatch.setenv("RAG_LLM_WINDOW", "sk-canary")  # the key in the wrong variable
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "canary" not in str(caught.value)


def test_two_folders_of_one_name_have_indexes_of_their_own(empty_folder: Path) -> None:
    one, other = (Settings(corpus=empty_folder / name / "papers").index_folder for name in ("a", "b"))
    assert one != other
    assert one.parent == other.parent
    assert Settings(corpus=empty_folder, index=empty_folder / "i").index_folder == empty_folder / "i"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(st.sampled_from([*Settings.model_fields, "prot", "x"]), TO_TYPE, max_size=5))
def test_any_file_is_read_or_refused_in_words(values: dict[str, object], empty_folder: Path) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    (empty_folder / SETTINGS_FILE).write_text("\n".join(lines), encoding="utf-8")
    _, problems = examine_settings()
    if problems:
        with pytest.raises(SettingsError):
            load_settings()
    else:
        load_settings()
