"""doctor --window: facts planted in the user's papers, asked back, and a budget proposed."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Generator, Iterator
from math import inf
from pathlib import Path

import pytest

from rag_app.answering.model.reader import LARGEST, ModelReader
from rag_app.assistant import Assistant
from rag_app.cli.main import main
from rag_app.errors import ModelError, ModelWindowExceeded
from rag_app.lab.window import measure
from rag_app.lab.window.measure import advice
from rag_app.lab.window.probe import (
    DEPTHS,
    Probe,
    format_table,
    haystack,
    lengths_for,
    plant_fact,
    propose_length,
    run_probes,
)
from rag_app.lab.window.report_page import plot, render_probe_page
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.prompt_safety import estimate_tokens
from rag_app.models.llm.servers import Endpoint
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder, settings_for, write_corpus
from tests.support.provider import Provider, Reply, error_body
from tests.support.small_model import needs_small_model

pytestmark = pytest.mark.slow

TEXTS = [" ".join(f"The {animal} eats {number} fish a day." for number in range(400)) for animal in ("otter", "heron")]


class Forgetful:
    """Sees only the first and the last `reach` characters of what it is told."""

    name, window, parameters = "forgetful", 8_000, inf

    def __init__(self, reach: int, refuses: int = 10**9) -> None:
        self._reach, self._refuses = reach, refuses

    def stream(self, system: str, user: str, stop: threading.Event) -> Generator[str, None, None]:
        if len(user) > self._refuses:
            raise ModelWindowExceeded("too long")
        place = re.findall(r"archive in (\w+)\?", user)[0]
        seen = user if len(user) < 2 * self._reach else user[: self._reach] + user[-self._reach :]
        code = re.search(rf"archive in {place} has the access code (\d+)", seen)
        yield f"The code is {int(code[1]):,}." if code else "The text does not say."


def test_a_fact_stands_where_it_was_planted() -> None:
    text = haystack(TEXTS, 1000, random.Random(1))
    assert 600 < estimate_tokens(text) <= 1000
    for depth in DEPTHS:
        found = plant_fact(text, "FACT.", depth)
        assert found.count("FACT.") == 1
        assert abs(found.index("FACT.") / len(found) - depth) < 0.05
    assert estimate_tokens(haystack(["Short one. It ends. Here."], 500, random.Random(1))) > 300, (
        "short papers are repeated"
    )


def test_what_is_lost_in_the_middle_shows_and_bounds_the_budget() -> None:
    found = list(run_probes(Forgetful(2000), TEXTS, [500, 1000, 4000]))
    assert [probe.found for probe in found if probe.tokens <= 1000] == [True] * 10
    assert [probe.found for probe in found if probe.tokens == 4000] == [True, False, False, False, True]
    assert propose_length(found) == 1000
    rows = [line.split() for line in format_table(found).splitlines()]
    assert rows[0] == ["tokens", "0%", "25%", "50%", "75%", "100%"]
    assert rows[3] == ["4000", "yes", "-", "-", "-", "yes"]
    assert "RAG_LLM_BUDGET=1000" in advice(found, 1000)


def test_a_length_that_the_server_refuses_ends_it() -> None:
    found = list(run_probes(Forgetful(10**6, refuses=5000), TEXTS, [500, 1000, 2000, 4000]))
    assert {probe.tokens for probe in found} == {500, 1000}
    assert propose_length(found) == 1000


def test_lengths() -> None:
    assert lengths_for(8192) == [500, 1000, 2000, 4000, 7892]
    assert lengths_for(8192, 1500) == [500, 1000, 1500]
    assert lengths_for(400) == [100]
    assert propose_length([Probe(500, 0.0, False, "")]) == 0
    assert "another model" in advice([Probe(500, 0.0, False, "")], 0)


def test_the_budget_is_what_the_reader_wants() -> None:
    def room(**settings: object) -> int:
        chosen = Settings(llm="none", **settings)  # type: ignore[arg-type]
        return ModelReader(
            OpenAIModel(Endpoint("t", "http://127.0.0.1:1/v1", "big", window=64_000), chosen), chosen
        ).room

    assert room() == LARGEST["full"]
    assert room(llm_budget=1000) == 1000
    assert room(llm_budget=10**7) < 64_000


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    write_corpus(tmp_path / "corpus", 2, sections=12)
    Assistant(settings_for(tmp_path), embedder=WordEmbedder()).build()
    monkeypatch.setenv("RAG_CORPUS", str(tmp_path / "corpus"))
    monkeypatch.setenv("RAG_INDEX", str(tmp_path / "index"))
    yield tmp_path


def test_the_command(library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Provider(Reply(pieces=("I do not know.",))) as provider:
        monkeypatch.setenv("RAG_LLM", "test-model")
        monkeypatch.setenv("RAG_LLM_BASE_URL", provider.url)
        assert main(["doctor", "--window", "--longest", "600"]) == 1
        shown = capsys.readouterr()
        assert "about 5,500 tokens together" in shown.err
        assert re.search(r"(?m)^   600 +- +- +- +- +-$", shown.out)
        assert len(provider.requests) == 10
        assert "points in trial" in provider.requests[0].body["messages"][1]["content"], "the user's own papers"
        written = library / "window.html"
        assert main(["doctor", "--window", "--longest", "500", "--json", "--html", str(written)]) == 1
        assert written.read_text(encoding="utf-8").count('class="lost"') == 5
        value = json.loads(capsys.readouterr().out)
        assert value["budget"] == 0 and len(value["probes"]) == 5
    with Provider(Reply(status=400, body=error_body("maximum context length", "context_length_exceeded"))) as provider:
        monkeypatch.setenv("RAG_LLM_BASE_URL", provider.url)
        assert main(["doctor", "--window"]) == 1
        assert "RAG_LLM_WINDOW" in capsys.readouterr().out
    monkeypatch.setenv("RAG_LLM_BASE_URL", "")
    monkeypatch.setenv("RAG_LLM", "none")
    assert main(["doctor", "--window"]) == 1
    assert "none is set" in capsys.readouterr().err


def test_the_plot_shows_what_was_found_and_the_budget() -> None:
    found = [
        *run_probes(Forgetful(2000), TEXTS, [500, 1000, 4000]),
        Probe(8000, 0.0, False, "<b>no</b> & \u201cidea\u201d"),
    ]
    drawn = plot(found, propose_length(found))
    assert drawn.count('class="found"') == 12 and drawn.count('class="lost"') == 4
    assert drawn.count('class="none"') == 4, "depths of the last length that were not asked"
    assert "2 of 5: too few" in drawn and "budget: 1,000" in drawn
    rows = [float(y) for y in re.findall(r'y="(\d+)" text-anchor="end"', drawn)]
    (line,) = re.findall(r'<line class="budget"[^>]* y1="(\d+)"', drawn)
    assert rows[1] < float(line) < rows[2], "between the last length that is good and the first that is not"
    shown = render_probe_page("a <model>", 8192, found, 0, "Use another.")
    assert (
        "&lt;b&gt;no" in shown
        and "a &lt;model&gt;" in shown
        and "<b>no" not in shown
        and "budget" not in plot(found, 0)
    )


def test_what_was_measured_before_the_model_failed_is_shown(
    library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(Forgetful):
        def stream(self, system: str, user: str, stop: threading.Event) -> Generator[str, None, None]:
            if estimate_tokens(user) > 700:
                raise ModelError("the server is away")
            yield from super().stream(system, user, stop)

    monkeypatch.setattr(measure, "open_language_model", lambda settings: Failing(10**6))
    assert main(["doctor", "--window", "--longest", "1000"]) == 0
    shown = capsys.readouterr()
    assert "ended early: the server is away" in shown.err and "RAG_LLM_BUDGET=500" in shown.out


@needs_small_model
def test_smollm2_finds_a_fact_in_a_short_text() -> None:
    from rag_app.models.llm.client import open_language_model  # noqa: PLC0415

    model = open_language_model(Settings(llm="local", llm_max_tokens=32))
    assert model is not None
    assert any(probe.found for probe in run_probes(model, TEXTS, [120], (0.0, 1.0)))
