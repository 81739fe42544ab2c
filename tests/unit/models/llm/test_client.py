"""The client against a server that misbehaves: faults, retries, stopping, keys."""

from __future__ import annotations

import contextlib
import itertools
import logging
import subprocess
import sys
import threading
import traceback
from typing import Any

import pytest

from rag_app.errors import (
    ModelBusy,
    ModelDenied,
    ModelError,
    ModelInterrupted,
    ModelUnreachable,
    ModelWindowExceeded,
    RagError,
)
from rag_app.models.llm.client import (
    RETRIES,
    OpenAIModel,
    StreamEnd,
    answer_tokens,
    diagnose_model,
    open_language_model,
)
from rag_app.models.llm.servers import Endpoint
from rag_app.settings import Settings
from tests.support.provider import Provider, Reply, error_body

KEY = "sk-secret-0123456789"
PATIENCE = 60.0  # seconds until a test gives up waiting; nothing is measured


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RAG_{name.upper()}", raising=False)


def model_at(server: Provider, **given: Any) -> OpenAIModel:
    settings = Settings(llm_base_url=server.url, llm_model="test-model", llm_window=8192, **given)
    opened = open_language_model(settings)
    assert opened is not None
    return OpenAIModel(opened.endpoint, settings, first_pause=0.01)


def heard(model: OpenAIModel, stop: threading.Event | None = None) -> tuple[list[str], StreamEnd | RagError]:
    """The pieces that came, and how it ended."""
    pieces: list[str] = []
    stream = model.stream("the rules", "the question", stop or threading.Event())
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as end:
        assert isinstance(end.value, StreamEnd)
        return pieces, end.value
    except RagError as error:
        return pieces, error


# -- answers ----------------------------------------------------------------------------------------------------------


def test_an_answer_streams() -> None:
    with Provider(Reply(usage={"total_tokens": 17, "prompt_tokens": 12, "completion_tokens": 5})) as server:
        pieces, ending = heard(model_at(server, llm_api_key=KEY, llm_max_tokens=77))
    assert pieces == ["Hello", " world", "."]
    assert ending == StreamEnd("whole", 17)
    (request,) = server.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]
    assert (request.body["model"], request.body["max_tokens"], request.body["stream"]) == ("test-model", 77, True)


def test_pieces_come_before_the_answer_is_complete() -> None:
    with Provider(Reply(hang_after=2)) as server:
        stream = model_at(server).stream("s", "u", threading.Event())
        assert [next(stream), next(stream)] == ["Hello", " world"]
        stream.close()
        assert server.hung_up.wait(PATIENCE)


@pytest.mark.parametrize(
    ("finish", "reason"), [("stop", "whole"), ("length", "length"), ("content_filter", "filtered"), ("eos", "whole")]
)
def test_how_it_ended(finish: str, reason: str) -> None:
    with Provider(Reply(finish=finish)) as server:
        _, ending = heard(model_at(server))
    assert isinstance(ending, StreamEnd)
    assert ending.reason == reason


def test_an_endless_stream_is_ended_and_its_connection_closed() -> None:
    with Provider(Reply(endless=True)) as server:
        pieces, ending = heard(model_at(server, llm_max_tokens=16))
        assert server.hung_up.wait(PATIENCE)
    assert ending == StreamEnd("length")
    assert 16 < len("".join(pieces)) < 16 * 16


def test_thinking_is_not_the_answer() -> None:
    with Provider(Reply(thinking=("let me", " see"))) as server:
        assert "".join(heard(model_at(server))[0]) == "Hello world."
    with Provider(Reply(thinking=("let me", " see"), pieces=(), finish="length")) as server:
        _, error = heard(model_at(server))
    assert isinstance(error, ModelError)
    assert "RAG_LLM_MAX_TOKENS" in str(error)


def test_thinking_keeps_a_slow_model_alive() -> None:
    with Provider(Reply(thinking=["hm"] * 15, pause=0.2)) as server:  # longer in all than may pass without a token
        pieces, ending = heard(model_at(server, llm_timeout=2.0))
    assert ("".join(pieces), ending) == ("Hello world.", StreamEnd("whole"))


def test_thoughts_without_an_answer_end_with_the_questions_time() -> None:
    with Provider(Reply(thinking=["hm"] * 300, pause=0.1)) as server:
        pieces, ending = heard(model_at(server, llm_question_seconds=1.0))
        assert server.hung_up.wait(PATIENCE)
    assert pieces == []
    assert isinstance(ending, ModelError)
    assert "1 seconds without a word of an answer. Raise RAG_LLM_QUESTION_SECONDS" in str(ending)


def test_an_answer_may_take_longer_than_thoughts() -> None:
    with Provider(Reply(pieces=["word "] * 15, pause=0.2)) as server:
        _, ending = heard(model_at(server, llm_question_seconds=1.0))
    assert ending == StreamEnd("whole")


def test_of_thoughts_no_more_is_read_than_of_an_answer_with_room_to_think() -> None:
    with Provider(Reply(thinking=["word " * 200] * 200)) as server:
        pieces, ending = heard(model_at(server))
    assert pieces == []
    assert isinstance(ending, ModelError)
    assert "RAG_LLM_MAX_TOKENS" in str(ending)


# -- stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply", [Reply(hang_before_headers=True), Reply(hang_after=0), Reply(endless=True, pause=0.05)]
)
def test_stop_closes_the_connection(reply: Reply) -> None:
    stop = threading.Event()
    with Provider(reply) as server:
        threading.Thread(target=lambda: (server.receiving.wait(PATIENCE), stop.set()), daemon=True).start()
        _, ending = heard(model_at(server), stop)
        assert ending == StreamEnd("stopped")
        assert server.hung_up.wait(PATIENCE)


def test_a_stop_that_is_set_already_yields_nothing() -> None:
    stop = threading.Event()
    stop.set()
    with Provider() as server:
        assert heard(model_at(server), stop) == ([], StreamEnd("stopped"))


def test_a_stop_ends_the_wait_between_retries() -> None:
    stop = threading.Event()
    with Provider(Reply(status=429, headers={"Retry-After": "25"})) as server:
        threading.Thread(target=lambda: (server.receiving.wait(PATIENCE), stop.set()), daemon=True).start()
        assert heard(model_at(server), stop) == ([], StreamEnd("stopped"))
    assert len(server.requests) == 1


def test_many_answers_at_once_do_not_mix() -> None:
    words = [tuple(f"{number} " for _ in range(20)) for number in range(8)]
    with contextlib.ExitStack() as stack:
        models = [model_at(stack.enter_context(Provider(Reply(pieces=pieces, pause=0.002)))) for pieces in words]
        got: list[list[str]] = [[] for _ in models]
        threads = [
            threading.Thread(target=lambda at=at, model=model: got[at].extend(heard(model)[0]))
            for at, model in enumerate(models)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert [tuple(pieces) for pieces in got] == words


# -- faults -----------------------------------------------------------------------------------------------------------

OVERFLOW = "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens."


@pytest.mark.parametrize(
    ("reply", "kind", "says", "requests"),
    [
        (Reply(status=401, body=error_body(f"Incorrect API key provided: {KEY}")), ModelDenied, "RAG_LLM_API_KEY", 1),
        (Reply(status=403), ModelDenied, "403", 1),
        (Reply(status=400, body=error_body("API key not valid. Please pass one.")), ModelDenied, "400", 1),
        (Reply(status=402, body=error_body("Insufficient credits")), ModelBusy, "billing", 1),
        (Reply(status=404, body=error_body("no such model")), ModelError, "RAG_LLM_MODEL to one of: big, small", 1),
        (Reply(status=429), ModelBusy, "in a minute", 1 + RETRIES),
        (Reply(status=429, headers={"Retry-After": "300"}), ModelBusy, "in 300 seconds", 1),
        (Reply(status=429, body=error_body("no quota", "insufficient_quota")), ModelBusy, "billing", 1),
        (Reply(status=500, body="<html><b>oops</b></html>"), ModelBusy, "it gives no reason", 1 + RETRIES),
        (Reply(status=529), ModelBusy, "529", 1 + RETRIES),
        (Reply(status=400, body=error_body(OVERFLOW)), ModelWindowExceeded, "RAG_LLM_WINDOW", 1),
        (Reply(status=400, body=error_body("bad request")), ModelError, "bad request", 1),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:9/"}), ModelError, "302", 1),
        (Reply(body="<html>a web page</html>"), ModelError, "/v1", 1),
        (Reply(pieces=(), finish=""), ModelError, "/v1", 1),
        (Reply(garbage_after=0), ModelError, "not a chat answer", 1),
        (Reply(garbage_after=0, garbage=error_body("overloaded", "503")), ModelBusy, "overloaded", 1 + RETRIES),
        (Reply(cut_after=0), ModelUnreachable, "cannot be reached", 1 + RETRIES),
    ],
)
def test_faults_before_the_first_piece(reply: Reply, kind: type[RagError], says: str, requests: int) -> None:
    with Provider(reply, models=("big", "small")) as server:
        pieces, error = heard(model_at(server, llm_api_key=KEY))
    assert pieces == []
    assert type(error) is kind
    assert says in str(error)
    assert "127.0.0.1" in str(error)
    assert len(server.requests) == requests


@pytest.mark.parametrize(
    ("reply", "pieces"),
    [
        (Reply(cut_after=2), 2),
        (Reply(garbage_after=1), 1),
        (Reply(garbage_after=1, garbage="5"), 1),
        (Reply(garbage_after=2, garbage='{"choices": 5}'), 2),
        (Reply(garbage_after=2, garbage=error_body("the engine died", "500")), 2),
        (Reply(finish="", done=False), 3),
        (Reply(finish="", done=False, chunked=False), 3),
    ],
)
def test_a_broken_stream_keeps_what_came_and_is_not_asked_again(reply: Reply, pieces: int) -> None:
    with Provider(reply) as server:
        got, error = heard(model_at(server))
    assert got == ["Hello", " world", "."][:pieces]
    assert type(error) is ModelInterrupted
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(hang_before_headers=True), ModelUnreachable),
        (Reply(hang_after=0), ModelUnreachable),
        (Reply(hang_after=2), ModelInterrupted),
    ],
)
def test_a_silent_provider_counts_as_gone(reply: Reply, kind: type[RagError]) -> None:
    with Provider(reply) as server:
        _, error = heard(model_at(server, llm_timeout=1.0))
        assert server.hung_up.wait(PATIENCE)
    assert type(error) is kind


def test_refused_connections_say_so_and_are_not_tried_again() -> None:
    with Provider() as server:
        gone = server.url
    model = OpenAIModel(Endpoint("Ollama", gone, "m", window=8192), Settings())
    _, error = heard(model)
    assert type(error) is ModelUnreachable
    assert "Start it" in str(error)


@pytest.mark.parametrize(
    "busy", [Reply(status=503), Reply(status=429, headers={"Retry-After": "0"}), Reply(cut_after=0), Reply(status=500)]
)
def test_a_short_fault_is_sat_out(busy: Reply) -> None:
    with Provider(busy, busy, Reply()) as server:
        pieces, ending = heard(model_at(server))
    assert ("".join(pieces), ending) == ("Hello world.", StreamEnd("whole"))
    assert len(server.requests) == 3


def test_parameters_that_a_model_does_not_take_are_left_out_from_then_on() -> None:
    refusals = (
        Reply(status=400, body=error_body("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")),
        Reply(status=400, body=error_body("Unsupported value: 'temperature' does not support 0.0 with this model.")),
        Reply(status=400, body=error_body("Unrecognized request argument supplied: stream_options")),
    )
    with Provider(*refusals, Reply()) as server:
        model = model_at(server)
        assert heard(model)[1] == StreamEnd("whole")
        assert heard(model)[1] == StreamEnd("whole")
    assert len(server.requests) == 5
    last = server.requests[-1].body
    assert last["max_completion_tokens"] == 1024
    assert not {"max_tokens", "temperature", "stream_options"} & set(last)


# -- keys and other hosts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_the_key_is_in_no_message_traceback_or_log(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Provider(Reply(status=status, body=error_body(f"you sent {KEY}, {KEY}"))) as server:
        model = model_at(server, llm_api_key=KEY)
        try:
            list(model.stream("s", "u", threading.Event()))
        except RagError as error:
            told = "".join(traceback.format_exception(error))
    assert KEY not in told
    assert KEY not in caplog.text
    assert KEY not in repr(model) + repr(vars(model)["endpoint"])


def test_nothing_of_an_openai_account_goes_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: team-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with Provider() as server:
        assert heard(model_at(server))[1] == StreamEnd("whole")
    sent = repr(server.requests[0])
    assert "secret" not in sent


def test_no_proxy_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with Provider() as proxy, Provider() as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert heard(model_at(server))[1] == StreamEnd("whole")
        assert (proxy.requests, proxy.asked) == ([], [])


def test_the_client_is_only_loaded_for_a_model() -> None:
    code = (
        "import sys; from rag_app.models.llm.client import diagnose_model, open_language_model;"
        "from rag_app.models.llm.providers import list_offers;"
        "from rag_app.settings import Settings; s = Settings(llm='none');"
        "assert open_language_model(s) is None; diagnose_model(s); list_offers();"
        "print([n for n in ('llama_index', 'openai', 'httpx', 'xllamacpp') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


# -- doctor and sizes -------------------------------------------------------------------------------------------------


def test_check_says_what_was_chosen() -> None:
    with Provider(models=("test-model",), get={"/props": {"default_generation_settings": {"n_ctx": 5000}}}) as server:
        found = diagnose_model(Settings(llm_base_url=server.url, llm_model="test-model"))
        assert (found.works, found.model, found.window) == (True, "test-model", 5000)
        assert "nothing leaves this machine" in found.message
        missing = diagnose_model(Settings(llm_base_url=server.url, llm_model="no-model"))
        assert not missing.works
        assert "test-model" in missing.message
        assert server.requests == []  # looking costs no tokens
    gone = diagnose_model(Settings(llm_base_url=server.url, llm_model="test-model"))
    assert not gone.works
    assert "cannot be reached" in gone.message


def test_check_of_wrong_settings_and_of_no_model() -> None:
    assert not diagnose_model(Settings(llm_base_url="nonsense", llm_model="m")).works
    assert diagnose_model(Settings(llm="none")).works
    missing = diagnose_model(Settings(llm="local", llm_model="/no/such/file.gguf"))
    assert not missing.works
    assert "no such file" in missing.message


@pytest.mark.parametrize(
    ("longest", "window"), list(itertools.product((16, 1024, 100_000), (512, 4096, 32_768, 1_000_000)))
)
def test_the_answer_never_takes_more_than_half_the_window(longest: int, window: int) -> None:
    assert 0 < answer_tokens(longest, window) <= window // 2


@pytest.mark.parametrize("what", ["window", "parameters"])
def test_a_slow_server_holds_up_no_other_model(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    asked, told = threading.Event(), threading.Event()

    def tell(endpoint: Endpoint) -> int:
        if endpoint.model == "slow":
            asked.set()
            told.wait(PATIENCE)
        return 4096

    for name in ("window_of", "fetch_parameter_count"):
        monkeypatch.setattr(f"rag_app.models.llm.client.{name}", tell)
    slow, quick = (OpenAIModel(Endpoint("X", "http://127.0.0.1:1/v1", name), Settings()) for name in ("slow", "quick"))
    said: list[float] = []
    waiting = threading.Thread(target=lambda: said.append(getattr(slow, what)))
    other = threading.Thread(target=lambda: said.append(getattr(quick, what)), daemon=True)
    waiting.start()
    assert asked.wait(PATIENCE)
    other.start()
    other.join(5)
    held_up = not said
    told.set()
    waiting.join(PATIENCE)
    assert not held_up
