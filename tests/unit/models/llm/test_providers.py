"""Which model is chosen, what the servers tell, and that keys go nowhere unasked."""

from __future__ import annotations

import socket
from math import inf
from typing import Any

import pytest

from rag_app.errors import ModelDenied, ModelError, ModelUnreachable, SettingsError
from rag_app.models.llm import providers
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.providers import PRESETS, Preset, choose_endpoint, find_loopback, list_offers
from rag_app.models.llm.servers import (
    DEFAULT_WINDOW,
    OLLAMA_WINDOW,
    Endpoint,
    fetch_parameter_count,
    is_loopback,
    list_models,
    window_of,
)
from rag_app.settings import Settings
from tests.support.provider import Provider

KEY = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def _nothing_lies_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for preset in PRESETS.values():
        if preset.key_variable:
            monkeypatch.delenv(preset.key_variable, raising=False)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RAG_{name.upper()}", raising=False)
    monkeypatch.setattr(providers, "LOOPBACK_SERVERS", (Preset("Nobody", f"http://127.0.0.1:{_free_port()}/v1"),))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(**given: Any) -> Settings:
    return Settings(**given)


# -- choosing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "openrouter"])
def test_a_named_provider_takes_its_usual_key_and_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PRESETS[name].key_variable, f" {KEY}\n")
    endpoint = choose_endpoint(settings(llm=name))
    assert endpoint is not None
    assert (endpoint.base_url, endpoint.model, endpoint.key) == (PRESETS[name].base_url, PRESETS[name].model, KEY)


def test_without_its_key_the_remedy_is_named() -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        choose_endpoint(settings(llm="openai"))


def test_the_own_key_and_model_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    endpoint = choose_endpoint(settings(llm="openai", llm_api_key=KEY, llm_model="my-model"))
    assert endpoint is not None
    assert (endpoint.model, endpoint.key) == ("my-model", KEY)


def test_a_providers_key_goes_to_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    endpoint = choose_endpoint(settings(llm="openai", llm_base_url="http://127.0.0.1:9/v1", llm_model="m"))
    assert endpoint is not None
    assert endpoint.key == ""


def test_keys_that_lie_around_are_offered_and_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_offers() == []
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert choose_endpoint(settings()) is None
    assert choose_endpoint(settings(llm="none")) is None
    (offer,) = list_offers()
    assert "RAG_LLM=anthropic" in offer
    assert KEY not in offer


def test_auto_finds_a_server_on_this_machine_and_skips_embedders(monkeypatch: pytest.MonkeyPatch) -> None:
    with Provider(models=("nomic-embed-text:latest", "writer:latest")) as server:
        monkeypatch.setattr(providers, "LOOPBACK_SERVERS", (Preset("Ollama", server.url),))
        endpoint = choose_endpoint(settings())
        assert endpoint is not None
        assert (endpoint.title, endpoint.model) == ("Ollama", "writer:latest")
        assert choose_endpoint(settings(llm_model="writer")) == endpoint
        with pytest.raises(SettingsError, match="other"):
            choose_endpoint(settings(llm_model="other"))


def test_auto_passes_by_what_is_no_model_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        Provider(get={"/v1/models": ["a", "web", "app"]}) as other,
        Provider(models=()) as empty,
        Provider(models=("m",)) as good,
    ):
        servers = [Preset(name, server.url) for name, server in (("a", other), ("b", empty), ("c", good))]
        monkeypatch.setattr(providers, "LOOPBACK_SERVERS", (providers.LOOPBACK_SERVERS[0], *servers))
        found = find_loopback()
        assert found is not None
        assert found.title == "c"


def test_a_base_url_without_a_model_takes_the_first_listed() -> None:
    with Provider(models=("first", "second")) as server:
        endpoint = choose_endpoint(settings(llm_base_url=server.url))
        assert endpoint is not None
        assert (endpoint.model, endpoint.base_url) == ("first", server.url)
    with Provider(models=()) as server, pytest.raises(ModelError, match="lists no model"):
        choose_endpoint(settings(llm_base_url=server.url))


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_usual_ways_of_writing_the_address(tail: str) -> None:
    with Provider(models=("m",)) as server:
        endpoint = choose_endpoint(settings(llm_base_url=server.url.removesuffix("/v1") + tail))
        assert endpoint is not None
        assert endpoint.base_url == server.url


def test_llm_may_be_a_models_name() -> None:
    endpoint = choose_endpoint(settings(llm="Qwen/Qwen3-8B", llm_base_url="http://127.0.0.1:9/v1"))
    assert endpoint is not None
    assert endpoint.model == "Qwen/Qwen3-8B"


def test_a_misspelt_provider_is_recognised() -> None:
    with pytest.raises(SettingsError, match="RAG_LLM=anthropic"):
        choose_endpoint(settings(llm="antropic"))


@pytest.mark.parametrize("url", ["127.0.0.1:11434", "ftp://x/v1", "http://", "http://x:port/v1", "http://u:p@x/v1"])
def test_addresses_that_cannot_be(url: str) -> None:
    with pytest.raises(SettingsError, match="RAG_LLM_BASE_URL") as caught:
        choose_endpoint(settings(llm_base_url=url, llm_model="m"))
    assert "u:p" not in str(caught.value)


def test_a_key_that_no_header_carries_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError, match="RAG_LLM_API_KEY") as caught:
        choose_endpoint(settings(llm_base_url="http://127.0.0.1:9/v1", llm_model="m", llm_api_key="sk-a\nb-secret"))
    assert "secret" not in str(caught.value)


# -- what servers tell ------------------------------------------------------------------------------------------------


def _listing(**more: Any) -> dict[str, Any]:
    return {"/v1/models": {"data": [{"id": "other", "context_length": 1}, {"id": "m", **more}]}}


@pytest.mark.parametrize(
    ("title", "told", "window"),
    [
        ("vLLM", _listing(max_model_len=32_000), 32_000),
        ("OpenRouter", _listing(context_length=131_072), 131_072),
        ("llama.cpp", _listing(meta={"n_ctx_train": 40_960}), 40_960),
        (
            "llama.cpp",
            _listing(meta={"n_ctx_train": 40_960}) | {"/props": {"default_generation_settings": {"n_ctx": 2048}}},
            2048,
        ),
        ("LM Studio", _listing() | {"/api/v0/models": {"data": [{"id": "m", "loaded_context_length": 9000}]}}, 9000),
        ("Ollama", {"/api/ps": {"models": [{"name": "m:latest", "context_length": 16_384}]}}, 16_384),
        ("Ollama", {"/api/ps": {"models": []}, "/api/show": {"parameters": "stop x\nnum_ctx    6000\n"}}, 6000),
        (
            "Ollama",
            {"/api/ps": {"models": []}, "/api/show": {"model_info": {"llama.context_length": 131_072}}},
            OLLAMA_WINDOW,
        ),
        ("silent", _listing(), DEFAULT_WINDOW),
        ("odd", {"/v1/models": {"data": [3, {"id": "m", "context_length": "much"}]}, "/props": []}, DEFAULT_WINDOW),
    ],
)
def test_windows(title: str, told: dict[str, Any], window: int) -> None:
    with Provider(get=told) as server:
        assert window_of(Endpoint(title, server.url, "m")) == window
        assert window_of(Endpoint(title, server.url, "m", window=1234)) == 1234


@pytest.mark.parametrize(
    ("title", "told", "parameters"),
    [
        ("llama.cpp", _listing(meta={"n_params": 134_515_008}), 134_515_008),
        ("Ollama", {"/api/show": {"model_info": {"general.parameter_count": 8_030_261_312}}}, 8_030_261_312),
        ("silent", _listing(), inf),
        ("odd", {"/v1/models": {"data": [3, {"id": "m", "meta": {"n_params": "many"}}]}}, inf),
    ],
)
def test_how_large_a_model_is(title: str, told: dict[str, Any], parameters: float) -> None:
    with Provider(get=told) as server:
        assert fetch_parameter_count(Endpoint(title, server.url, "m")) == parameters
        assert OpenAIModel(Endpoint(title, server.url, "m"), settings()).parameters == parameters
        asked = len(server.asked)
        assert OpenAIModel(Endpoint(title, server.url, "m-7b"), settings()).parameters == 7e9
        assert len(server.asked) == asked, "a name that tells is enough"


def test_a_named_providers_model_is_no_tiny_one() -> None:
    endpoint = Endpoint("OpenAI", "https://api.openai.com/v1", "gpt-5.4-mini", KEY, "OPENAI_API_KEY")
    assert OpenAIModel(endpoint, settings()).parameters == inf


def test_a_preset_window_stands_in() -> None:
    with Provider(get=_listing()) as server:
        assert window_of(Endpoint("X", server.url, "m", preset_window=200_000)) == 200_000


def test_a_redirect_is_not_followed_and_the_key_stays() -> None:
    with Provider() as elsewhere, Provider() as server:
        server.redirect = f"{elsewhere.url}/models"
        with pytest.raises(ModelError):
            list_models(Endpoint("X", server.url, "m", key=KEY))
        assert elsewhere.asked == []
        assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"


def test_no_proxy_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{_free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    with Provider(models=("m",)) as server:
        assert list_models(Endpoint("X", server.url)) == ["m"]


def test_faults_of_listing_say_what_and_the_remedy() -> None:
    with pytest.raises(ModelUnreachable, match="RAG_LLM=none"):
        list_models(Endpoint("Ollama", f"http://127.0.0.1:{_free_port()}/v1"))
    with Provider(get={"/v1/models": None}) as server, pytest.raises(ModelError, match="404"):
        list_models(Endpoint("X", server.url))
    with Provider() as server, pytest.raises(ModelDenied, match="RAG_LLM_API_KEY") as caught:
        server.denies = True
        list_models(Endpoint("X", server.url, key=KEY))
    assert KEY not in str(caught.value)


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(Endpoint("X", "http://x/v1", "m", KEY))


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://127.8.8.8/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://127.0.0.1.evil.example/v1", False),
        ("https://api.openai.com/v1", False),
        ("http://192.168.1.7/v1", False),
    ],
)
def test_what_is_on_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) is here
