"""Whole papers instead of passages: what is sent, what it costs, and what happens where they do not fit."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_app.answering.model.prompts import answer_prompt
from rag_app.answering.model.reader import ModelReader
from rag_app.answering.whole_papers import NEEDS_MODEL, PromptEstimate, collect_pages
from rag_app.assistant import Assistant
from rag_app.cli.main import main
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Answer
from rag_app.retrieval.hybrid import Scope
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder, settings_for, write_paper
from tests.support.provider import Provider, Reply, error_body
from tests.support.small_model import needs_small_model
from tests.support.two_papers import HERON, OTTER

pytestmark = pytest.mark.slow

QUESTION = "What is the batch size of OtterNet in the training?"
SAID = "OtterNet has a batch size of 512 fish for every step [2]."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "otter.md").write_text(
        OTTER + "\n## References\n\n[1] A. Bee. Honey in the hive. 1999.\n", encoding="utf-8"
    )
    (folder / "corpus" / "heron.md").write_text(HERON, encoding="utf-8")
    write_paper(folder / "corpus", "yak.md", "yak", sections=80)
    Assistant(settings_for(folder), embedder=WordEmbedder()).build()
    yield folder


def assistant(folder: Path, provider: Provider, window: int = 32_000, **settings: Any) -> Assistant:
    chosen = settings_for(folder, **settings)
    model = OpenAIModel(Endpoint("test", provider.url, "test-3b", window=window), chosen, first_pause=0.01)
    return Assistant(chosen, embedder=WordEmbedder(), reader=ModelReader(model, chosen))


def sent(provider: Provider, number: int = 0) -> str:
    return "\n".join(message["content"] for message in provider.requests[number].body["messages"])


def test_every_page_goes_in_without_the_reference_list(folder: Path) -> None:
    with Provider(Reply(pieces=(SAID,))) as provider:
        ready = assistant(folder, provider)
        answer = ready.ask(QUESTION, papers=("otter.md", "heron.md"), whole_papers=True)
        text = sent(provider)
    for line in (*OTTER.splitlines(), *HERON.splitlines()):
        if line and not line.startswith("#") and "[3]" not in line:
            assert line in text
    assert "Honey in the hive" not in text
    assert "yak" not in text
    assert [(citation.paper, citation.verified) for citation in answer.citations] == [("otter.md", True)]
    assert "512 fish" in answer.citations[0].quote
    assert answer.unsupported == ()
    assert any(note.startswith("Read: 2 whole papers") for note in answer.notes)


def test_two_questions_share_all_but_the_question(folder: Path) -> None:
    with Provider(Reply(pieces=(SAID,))) as provider:
        ready = assistant(folder, provider)
        for question in (QUESTION, "And how many frogs does HeronRank use?"):
            ready.ask(question, papers=("heron.md", "otter.md"), whole_papers=True)
        prompts = [sent(provider, 0), sent(provider, 1)]
    first, second = (text.rpartition("Question: ") for text in prompts)
    assert first[0] == second[0]
    assert "512 fish" in first[0] and "64 frogs" in first[0]
    assert (first[2], second[2]) == (QUESTION, "And how many frogs does HeronRank use?")


@needs_small_model
def test_llama_cpp_does_not_read_the_papers_again(folder: Path) -> None:
    from rag_app.models.llm import local_server  # noqa: PLC0415

    endpoint = local_server.start()
    with Provider() as provider:
        ready = assistant(folder, provider)
        with ready._index.use_current() as generation:
            pages = collect_pages(generation, Scope(("otter.md", "heron.md")))
    cached = []
    for question in (QUESTION, "And how many frogs does HeronRank use?"):
        system, user = answer_prompt(question, pages)
        body = {
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "max_tokens": 1,
            "temperature": 0,
        }
        request = urllib.request.Request(
            f"{endpoint.base_url}/chat/completions",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {endpoint.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as reply:
            timings = json.load(reply)["timings"]
            cached.append((timings["cache_n"], timings["prompt_n"]))
    assert cached[1][0] > 0.8 * sum(cached[0])
    assert cached[1][1] < 0.2 * sum(cached[0])


def test_what_does_not_fit_is_searched_and_that_is_said(folder: Path) -> None:
    with Provider(Reply(pieces=("OtterNet has a batch size of 512 fish [1].",))) as provider:
        answer = assistant(folder, provider, window=5_000).ask(QUESTION, whole_papers=True)
        text = sent(provider)
    assert answer.status == "answered"
    assert len(text) < 20_000
    assert any(note.startswith("Not read whole: 3 whole papers") and "5,000" in note for note in answer.notes)


def test_a_server_that_counts_more_tokens_gets_passages(folder: Path) -> None:
    too_long = Reply(status=400, body=error_body("maximum context length exceeded", "context_length_exceeded"))
    with Provider(too_long, Reply(pieces=("OtterNet has a batch size of 512 fish [1].",))) as provider:
        answer = assistant(folder, provider).ask(QUESTION, papers=("otter.md",), whole_papers=True)
        assert len(provider.requests) == 2
    assert answer.status == "answered"
    assert any("server counted more" in note for note in answer.notes)


def test_without_a_model_it_says_so(folder: Path) -> None:
    answer = Assistant(settings_for(folder, whole_papers=True), embedder=WordEmbedder()).ask(QUESTION)
    assert (answer.reader, answer.notes[-1]) == ("quoting", NEEDS_MODEL)


def test_tokens_and_cost_are_told(folder: Path) -> None:
    with Provider() as provider:
        ready = assistant(folder, provider, llm_price_in=2.0, llm_price_out=10.0, llm_max_tokens=1000)
        plan = ready.estimate_whole_papers(QUESTION, papers=("otter.md",))
        both = ready.estimate_whole_papers(QUESTION, papers=("otter.md", "heron.md"))
        assert not provider.requests
    assert plan is not None and both is not None
    assert plan.papers == 1 and 200 < plan.tokens < both.tokens < 2_000
    assert plan.cost == pytest.approx(plan.tokens * 2e-6 + plan.answer * 10e-6)
    assert "1 whole paper, about" in plan.words
    assert "by the prices" not in PromptEstimate(1, 10, 10, 100, 0.0).words
    assert not PromptEstimate(0, 10, 10, 100, 0.0).fits
    assert Assistant(settings_for(folder), embedder=WordEmbedder()).estimate_whole_papers(QUESTION) is None


# -- the command line -----------------------------------------------------------------------------------------------


@pytest.fixture
def typed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with Provider(Reply(pieces=(SAID,))) as provider:
        monkeypatch.setattr("rag_app.cli.ask.ready_assistant", lambda: assistant(folder, provider))
        yield provider


def test_a_dry_run_sends_nothing(typed: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", QUESTION, "--whole-papers", "--dry-run", "--papers", "otter"]) == 0
    assert "would send 1 whole paper, about" in capsys.readouterr().out
    assert main(["ask", QUESTION, "--whole-papers", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["sending"]
    assert plan["papers"] == 3 and plan["tokens"] > 0 and plan["fits"] is True
    assert main(["ask", QUESTION, "--dry-run"]) == 1
    assert "--whole-papers" in capsys.readouterr().err
    assert not typed.requests


def test_what_is_sent_is_said_before_it_is_sent(typed: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", QUESTION, "--whole-papers", "--papers", "otter,heron", "--json"]) == 0
    shown = capsys.readouterr()
    assert "note: sending 2 whole papers, about" in shown.err
    assert json.loads(shown.out)["status"] == "answered"
    assert len(typed.requests) == 1


def test_the_setting_is_the_default(folder: Path) -> None:
    with Provider(Reply(pieces=(SAID,))) as provider:
        answer = assistant(folder, provider, whole_papers=True).ask(QUESTION, papers=("otter.md",))
        assert isinstance(answer, Answer) and any(note.startswith("Read: ") for note in answer.notes)
        plain = assistant(folder, provider, whole_papers=True).ask(QUESTION, papers=("otter.md",), whole_papers=False)
        assert not any(note.startswith("Read: ") for note in plain.notes)
    assert Settings(llm="none").whole_papers is False
